// When a session's token opens anything: until its time is over by the clock of the gateway that is asked, whichever gateway
// began it. Clocks of two gateways differ by whatever their machines' do, and so do the ends of a session at them.

/** One request with a session's token. */
export interface SessionUse {
  /** As whoever began the session was told. */
  readonly expiresMs: number;
  /** By the wall clock of the gateway that was asked. */
  readonly calledMs: number;
  readonly answeredMs: number;
  readonly verdict: 'let in' | 'expired';
}

/** What is wrong with an answer; undefined: nothing. */
export function faultOfUse({
  expiresMs,
  calledMs,
  answeredMs,
  verdict,
}: SessionUse): string | undefined {
  if (verdict === 'let in' && calledMs >= expiresMs)
    return `let in ${calledMs - expiresMs} ms after its end`;
  if (verdict === 'expired' && answeredMs < expiresMs)
    return `refused ${expiresMs - answeredMs} ms before its end`;
  return undefined;
}
