// How long a peer may be silent before it is reported (DESIGN section 9). One that is loaded answers late, and the
// later it usually answers the longer a silence of it may be without meaning that it is dead: being slow gets nobody
// called down. What we ourselves slept through is nobody's silence.

/** At rest. */
export const silentMsMin = 6000;

/** However loaded a peer is: a dead one must be found. */
export const silentMsMax = 24_000;

/** So many usual answers are waited for beyond that. */
const usualAnswers = 10;

/** Each answer counts for so much of what is usual: some ten of them change it. */
const share = 1 / 8;

export class Grace {
  #usualMs = 0;

  /** An answer came after so many milliseconds. */
  answered(afterMs: number): void {
    this.#usualMs += share * (afterMs - this.#usualMs);
  }

  get ms(): number {
    return Math.min(silentMsMax, silentMsMin + usualAnswers * this.#usualMs);
  }
}
