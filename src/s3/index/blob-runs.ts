// Runs of consecutive blobs, cut and joined: what the writer and the migrator do with them.

import type { BlobRun } from './format.ts';

/** The first `count` blobs and the rest; undefined where there are none. */
export function splitRun(
  run: BlobRun,
  count: number,
): readonly [BlobRun | undefined, BlobRun | undefined] {
  if (count <= 0) return [undefined, run];
  if (count >= run.count) return [run, undefined];
  const { incarnation, counter } = run.first;
  return [
    { ...run, count, lastBytes: run.blobBytes },
    { ...run, first: { incarnation, counter: counter + count }, count: run.count - count },
  ];
}

/** Runs that go on where the one before ends become one. */
export function joinRuns(runs: readonly BlobRun[]): readonly BlobRun[] {
  const joined: BlobRun[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    const goesOn =
      last !== undefined &&
      last.layout.pool === run.layout.pool &&
      last.layout.layout === run.layout.layout &&
      last.first.incarnation === run.first.incarnation &&
      last.first.counter + last.count === run.first.counter &&
      last.lastBytes === last.blobBytes &&
      (run.count === 1 ? run.lastBytes <= last.blobBytes : run.blobBytes === last.blobBytes);
    if (goesOn)
      joined[joined.length - 1] = {
        ...last,
        count: last.count + run.count,
        lastBytes: run.lastBytes,
      };
    else joined.push(run);
  }
  return joined;
}
