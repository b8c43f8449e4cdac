// Chance for generators: every decision of a run comes from one seed, so that a failing one is repeated by it.

import { SeededRandom } from '../../../testing/seeded-random.ts';

export class Choice {
  /** Values are what works, and nothing is spoilt: what lies behind the checks is reached too. */
  isCalm = false;
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  /** Both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** True that many times out of a hundred. */
  percent(chance: number): boolean {
    return this.below(10_000) < chance * 100;
  }

  /** As `percent`, and never while calm. */
  spoils(chance: number): boolean {
    return this.percent(chance) && !this.isCalm;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Undefined that many times out of a hundred. */
  maybe<T>(chance: number, make: () => T): T | undefined {
    return this.percent(chance) ? make() : undefined;
  }

  many<T>(first: number, last: number, make: () => T): T[] {
    return Array.from({ length: this.between(first, last) }, make);
  }

  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.below(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) {
      left -= weight;
      if (left < 0) return value;
    }
    return list[0]?.[1] as T;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.below(2 ** 32);
      for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j);
    }
    return bytes;
  }
}
