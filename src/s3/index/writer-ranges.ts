// Sets of writer incarnations, as ranges in rising order that neither overlap nor touch. Incarnations are
// given in order and most die, so a set of dead ones has about as many ranges as there are live ones,
// however many have ever been.

import type { WriterRange } from '../../client/cluster.ts';

export type WriterSet = readonly WriterRange[];

export function hasWriter(set: WriterSet, incarnation: number): boolean {
  return set.some(({ first, count }) => incarnation >= first && incarnation < first + count);
}

/** Takes ranges in any order. */
export function unionOfWriters(...sets: readonly WriterSet[]): WriterSet {
  const sorted = sets
    .flat()
    .filter(({ count }) => count > 0)
    .sort((a, b) => a.first - b.first);
  const union: { first: number; count: number }[] = [];
  for (const { first, count } of sorted) {
    const last = union.at(-1);
    if (last === undefined || first > last.first + last.count) union.push({ first, count });
    else last.count = Math.max(last.count, first + count - last.first);
  }
  return union;
}

/** Those of `set` that are not in `others`. */
export function writersExcept(set: WriterSet, others: WriterSet): WriterSet {
  let rest: WriterSet = set;
  for (const other of others) {
    const end = other.first + other.count;
    rest = rest.flatMap(({ first, count }) => [
      { first, count: Math.min(count, other.first - first) },
      { first: Math.max(first, end), count: first + count - Math.max(first, end) },
    ]);
    rest = rest.filter(({ count }) => count > 0);
  }
  return rest;
}
