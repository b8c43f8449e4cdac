// Those who wait for a sequence to be reached, in its order.

import type { OsdError } from './errors.ts';

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: OsdError) => void;
}

export class SequenceWaiters {
  readonly #waiters: Waiter[] = [];

  wait(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      // Almost always the newest; kept sorted for the rare wait for an older entry.
      let at = this.#waiters.length;
      while (at > 0 && (this.#waiters[at - 1] as Waiter).sequence > sequence) at--;
      this.#waiters.splice(at, 0, { sequence, resolve, reject });
    });
  }

  reached(sequence: number): void {
    let count = 0;
    while (count < this.#waiters.length && (this.#waiters[count] as Waiter).sequence <= sequence)
      count++;
    for (const waiter of this.#waiters.splice(0, count)) waiter.resolve();
  }

  refuse(error: OsdError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
