// Those who wait for a sequence to be reached, in its order.

import type { OsdError } from './errors.ts';

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: OsdError) => void;
}

export class SequenceWaiters {
  /** Made when somebody waits: thousands of groups have nobody. */
  #waiters: Waiter[] | undefined;

  wait(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters ??= [];
      // Almost always the newest; kept sorted for the rare wait for an older entry.
      let at = this.#waiters.length;
      while (at > 0 && (this.#waiters[at - 1] as Waiter).sequence > sequence) at--;
      this.#waiters.splice(at, 0, { sequence, resolve, reject });
    });
  }

  reached(sequence: number): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    let count = 0;
    while (count < waiters.length && (waiters[count] as Waiter).sequence <= sequence) count++;
    for (const waiter of this.#taken(count)) waiter.resolve();
  }

  refuse(error: OsdError): void {
    for (const waiter of this.#taken(this.#waiters?.length ?? 0)) waiter.reject(error);
  }

  /** The first of them, who wait no more. */
  #taken(count: number): readonly Waiter[] {
    const taken = this.#waiters?.splice(0, count) ?? [];
    if (this.#waiters?.length === 0) this.#waiters = undefined;
    return taken;
  }
}
