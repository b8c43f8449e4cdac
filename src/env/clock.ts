/** Milliseconds on a monotonic clock that also counts suspended time; only differences mean anything. */
export type Instant = number & { readonly brand: 'Instant' };

export interface Timer {
  /** After this the callback is never called. May be called twice. */
  cancel(): void;
}

export interface Clock {
  now(): Instant;
  /**
   * Calls `callback` once, at least `delayMs` from now. With 0: when everything that is ready now was
   * handled, before anything is waited for. `name` is for diagnosis.
   */
  after(delayMs: number, name: string, callback: () => void): Timer;
}

export interface WallClock {
  /** Milliseconds since 1970 UTC. Shown to people and used by lifecycle rules, never for order. */
  nowMs(): number;
}

/** Resolves after at least `delayMs`. */
export function sleep(clock: Clock, delayMs: number, name: string): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, name, resolve);
  });
}
