// Knows which reads are under way, so that what a read may still use is dropped only after it.
//
// A read belongs to the epoch in which it began. `afterReads` closes the epoch: its action runs once no
// read of that epoch or an earlier one is left, at once if there is none.

import { assert } from '../base/assert.ts';

interface Retired {
  readonly epoch: number;
  readonly action: () => void;
}

export class ReadEpochs {
  #epoch = 0;
  /** Reads under way by epoch; never a zero. A Map keeps the order of insertion, which is that of epochs. */
  readonly #reading = new Map<number, number>();
  readonly #retired: Retired[] = [];

  /** Returns the token for `end`. */
  begin(): number {
    this.#reading.set(this.#epoch, (this.#reading.get(this.#epoch) ?? 0) + 1);
    return this.#epoch;
  }

  end(token: number): void {
    const count = this.#reading.get(token);
    assert(count !== undefined, 'a read ends once');
    if (count > 1) {
      this.#reading.set(token, count - 1);
      return;
    }
    this.#reading.delete(token);
    this.#runDue();
  }

  afterReads(action: () => void): void {
    this.#retired.push({ epoch: this.#epoch, action });
    this.#epoch++;
    this.#runDue();
  }

  #runDue(): void {
    const oldest = this.#reading.keys().next();
    const epochsEnd = oldest.done ? this.#epoch : oldest.value;
    for (let next = this.#retired[0]; next !== undefined && next.epoch < epochsEnd; ) {
      this.#retired.shift();
      next.action();
      next = this.#retired[0];
    }
  }
}
