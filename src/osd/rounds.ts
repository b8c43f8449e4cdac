// Rounds of asking that many share: who comes while one is under way takes part in the next, which begins after it came.

export class Rounds {
  readonly #round: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** Resolves when a round that began after this call has ended; rejects with what it threw. */
  join(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    const round = this.#round().finally(() => {
      if (this.#running === round) this.#running = undefined;
    });
    this.#running = round;
    return round;
  }
}
