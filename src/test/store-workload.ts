// The transactions of store-on-disk.test.ts, the same in both of its processes.

import { type ModelOperation, randomOperations } from '../store/store-suite.ts';
import { SeededRandom } from '../testing/seeded-random.ts';

export const capacityBytes = 64 * 1024 * 1024;

const transactions = 3000;

export function workloadOf(seed: number): readonly (readonly ModelOperation[])[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: transactions }, () => randomOperations(random, { keys: 8 }));
}
