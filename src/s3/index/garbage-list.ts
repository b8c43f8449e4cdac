// Collects what one call makes garbage, in few rows: the blobs whose last reference it takes away, or whose
// first it refuses.

import type { MethodContext, RowEffect } from '../../base/method.ts';
import { type BlobRun, type Entry, garbageFormat } from './format.ts';
import { garbageRow } from './rows.ts';

/** A garbage row stays near 30 kB, so that the collector's step is small. */
const runsPerGarbageRow = 1000;

export class GarbageList {
  readonly #context: MethodContext;
  readonly #runs: BlobRun[] = [];
  readonly #manifests: { readonly manifestBytes: number; readonly runs: readonly BlobRun[] }[] = [];

  constructor(context: MethodContext) {
    this.#context = context;
  }

  addRuns(runs: readonly BlobRun[]): void {
    for (const run of runs) this.#runs.push(run);
  }

  /** All that an entry alone refers to. */
  addEntry(entry: Entry | undefined): void {
    if (entry === undefined) return;
    const { content } = entry;
    if (content.kind === 'direct') for (const extent of content.extents) this.addRuns(extent.runs);
    if (content.kind === 'indirect') this.#manifests.push(content);
  }

  effects(): RowEffect[] {
    const { wallMs, version } = this.#context;
    const values = this.#manifests.map(({ manifestBytes, runs }) =>
      garbageFormat.encode({ kind: 'manifest', manifestBytes, runs }),
    );
    for (let i = 0; i < this.#runs.length; i += runsPerGarbageRow)
      values.push(
        garbageFormat.encode({
          kind: 'blobs',
          manifestBytes: 0,
          runs: this.#runs.slice(i, i + runsPerGarbageRow),
        }),
      );
    return values.map((value, n) => ({ kind: 'put', key: garbageRow(wallMs, version, n), value }));
  }
}
