// How recovery and scrubs share an OSD with its clients (DESIGN section 9): each works in bounded steps, and after a
// step that clients asked something during it rests, so that of its time it works the share that a setting gives it.
// Without clients it never rests.

import { type Clock, type Instant, sleep } from '../env/clock.ts';

/** However long a step was: a disk that is slow is no reason to leave something without its redundancy. */
const restMsMax = 5000;

/** Counts what clients ask for, and what primaries ask of their members for clients. */
export class ClientWork {
  count = 0;
}

export class Share {
  readonly #clock: Clock;
  readonly #clients: ClientWork;
  readonly #percent: () => number;

  /** `percent` of the time beside clients: 1 to 100, asked for at each step. */
  constructor(clock: Clock, clients: ClientWork, percent: () => number) {
    this.#clock = clock;
    this.#clients = clients;
    this.#percent = percent;
  }

  begin(): Turn {
    return new Turn(this.#clock, this.#clients, this.#percent());
  }
}

/** One step. */
class Turn {
  readonly #clock: Clock;
  readonly #clients: ClientWork;
  readonly #percent: number;
  readonly #begunAt: Instant;
  readonly #countBefore: number;

  constructor(clock: Clock, clients: ClientWork, percent: number) {
    this.#clock = clock;
    this.#clients = clients;
    this.#percent = percent;
    this.#begunAt = clock.now();
    this.#countBefore = clients.count;
  }

  /** To be awaited after the step, with its permit still held. */
  async rest(): Promise<void> {
    if (this.#clients.count === this.#countBefore) return;
    const tookMs = this.#clock.now() - this.#begunAt;
    const restMs = Math.min(restMsMax, (tookMs * (100 - this.#percent)) / this.#percent);
    if (restMs > 0) await sleep(this.#clock, restMs, 'rest for clients');
  }
}
