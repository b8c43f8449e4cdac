// Sets of writers, against plain sets of numbers.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { hasWriter, unionOfWriters, type WriterSet, writersExcept } from './writer-ranges.ts';

function numbersOf(set: WriterSet): number[] {
  return set.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
}

test('ranges are joined where they touch and cut where something is taken away', () => {
  deepEqual(unionOfWriters([{ first: 4, count: 2 }], [{ first: 1, count: 3 }]), [
    { first: 1, count: 5 },
  ]);
  deepEqual(writersExcept([{ first: 1, count: 9 }], [{ first: 4, count: 2 }]), [
    { first: 1, count: 3 },
    { first: 6, count: 4 },
  ]);
  deepEqual(writersExcept([{ first: 1, count: 2 }], [{ first: 1, count: 2 }]), []);
});

test('random sets are as sets of numbers are', () => {
  const random = new SeededRandom(1);
  const make = (): WriterSet =>
    unionOfWriters(
      Array.from({ length: random.below(5) }, () => ({
        first: random.below(20),
        count: random.below(6),
      })),
    );
  for (let round = 0; round < 500; round++) {
    const [a, b] = [make(), make()];
    const [numbersOfA, numbersOfB] = [new Set(numbersOf(a)), new Set(numbersOf(b))];
    const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((x, y) => x - y);
    deepEqual(numbersOf(unionOfWriters(a, b)), sorted(new Set([...numbersOfA, ...numbersOfB])));
    deepEqual(
      numbersOf(writersExcept(a, b)),
      sorted([...numbersOfA].filter((each) => !numbersOfB.has(each))),
    );
    for (let each = 0; each < 30; each++) equal(hasWriter(a, each), numbersOfA.has(each));
  }
});
