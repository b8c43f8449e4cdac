// Repeatable chance: the same seed gives the same numbers for ever (regression seeds depend on it).

import { assert } from '../base/assert.ts';
import type { Random } from '../env/random.ts';

/** xorshift128 over a state filled by splitmix32. */
export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let mixed = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = (z ^ (z >>> 15)) >>> 0;
    }
    // All zeros would stay so.
    this.#state[0] = (this.#state[0] as number) | 1;
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, 'bound is 1 to 2^32');
    return Math.floor((this.#next() / 2 ** 32) * bound);
  }

  #next(): number {
    const state = this.#state;
    let t = state[3] as number;
    t ^= t << 11;
    t ^= t >>> 8;
    const s = state[0] as number;
    state[3] = state[2] as number;
    state[2] = state[1] as number;
    state[1] = s;
    state[0] = t ^ s ^ (s >>> 19);
    return state[0] as number;
  }
}
