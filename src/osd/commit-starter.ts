// Begins the store's next group at the end of a turn: what several members of several PGs were sent
// together becomes durable together.

import type { Clock } from '../env/clock.ts';
import type { ObjectStore } from '../store/object-store.ts';

export class CommitStarter {
  readonly #clock: Clock;
  readonly #store: ObjectStore;
  #isScheduled = false;

  constructor(clock: Clock, store: ObjectStore) {
    this.#clock = clock;
    this.#store = store;
  }

  /** What was submitted to be gathered, in this turn too, begins to become durable. */
  beginSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(0, 'begin commits', () => {
      this.#isScheduled = false;
      this.#store.begin();
    });
  }
}
