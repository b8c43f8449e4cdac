import { randomBytes } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Random, Secrets } from '../env/random.ts';

export class HostRandom implements Random {
  below(bound: number): number {
    assert(bound >= 1 && bound <= 2 ** 32, 'a bound is 1 to 2^32');
    // Math.random is not good to the last bit, but chance here only spreads load.
    return Math.floor(Math.random() * bound);
  }
}

export class HostSecrets implements Secrets {
  bytes(count: number): Uint8Array {
    // Memory of its own: Node's pool is shared with everything else in the process.
    return new Uint8Array(randomBytes(count));
  }
}
