import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { OrphanCandidates } from './orphan-candidates.ts';

const page = 32 * 1024;

test('a run strikes out its blobs and no others, also across pages', () => {
  const candidates = new OrphanCandidates(10);
  for (const counter of [0, 1, page - 1, page, page + 1, 5 * page])
    candidates.add({ incarnation: 7, counter });
  candidates.add({ incarnation: 8, counter: page });
  candidates.add({ incarnation: 8, counter: page });
  equal(candidates.size, 7);
  candidates.delete({ first: { incarnation: 7, counter: 1 }, count: page });
  equal(candidates.size, 4);
  deepEqual(
    [0, 1, page - 1, page, page + 1, 5 * page].map((counter) =>
      candidates.has({ incarnation: 7, counter }),
    ),
    [true, false, false, false, true, true],
  );
  equal(candidates.has({ incarnation: 8, counter: page }), true);
  equal(candidates.end, undefined);
});

test('without room the greatest blobs are given up, whatever the order they came in', () => {
  const candidates = new OrphanCandidates(2);
  for (const [incarnation, counter] of [
    [7, 3 * page],
    [9, 1],
    [9, 2],
    [7, 5],
    [9, 3],
    [7, page],
  ] as const)
    candidates.add({ incarnation, counter });
  equal(candidates.size, 2);
  deepEqual(candidates.end, { incarnation: 7, counter: 3 * page });
  equal(candidates.has({ incarnation: 7, counter: 5 }), true);
  equal(candidates.has({ incarnation: 7, counter: page }), true);
  equal(candidates.has({ incarnation: 7, counter: 3 * page }), false);
});
