// How long a daemon that ended waits until it is started again.

/** Restarts wait 0.2 s, doubling to 10 s, so that a daemon that can't live costs little. */
const waitMsMin = 200;
const waitMsMax = 10_000;

/** Alive for this long, a daemon is forgiven its past. */
const forgivenAfterMs = 30_000;

export class Backoff {
  #waitMs = waitMsMin;

  /** Milliseconds to wait after a life of so many; the next wait is twice as long. */
  after(livedMs: number): number {
    if (livedMs >= forgivenAfterMs) this.forgive();
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMsMax, waitMs * 2);
    return waitMs;
  }

  /** As if it had never ended: somebody asked to start it. */
  forgive(): void {
    this.#waitMs = waitMsMin;
  }
}
