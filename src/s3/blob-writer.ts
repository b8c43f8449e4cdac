// Turns a body into blobs: 4 MiB each, the last one shorter, with consecutive ids, so that one run
// describes them. Two blobs may be on their way while the next one fills.

import { assert } from '../base/assert.ts';
import { blobBytesMax, type Cluster, type LayoutRef } from '../client/cluster.ts';
import type { Clock } from '../env/clock.ts';
import type { BodySource } from '../env/http.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { BlobRun } from './index/format.ts';
import { S3Error } from './protocol/errors.ts';
import { blobFillMsMax } from './protocol/limits.ts';

/** The pool that holds objects' bytes. */
export const dataPool = 'data';

/** One is written while the next is sent: more gains little and costs 4 MiB each. */
const putsInFlightMax = 2;

/** Pieces smaller than this are copied together: a body of one-byte chunks would cost 100 bytes each. */
const viewBytesMin = 16 * 1024;
const gatherBytes = 64 * 1024;

/** Views of one blob, the small ones gathered. */
class BlobViews {
  readonly views: Uint8Array[] = [];
  lengthBytes = 0;
  #gathered: Uint8Array | undefined;
  #gatheredBytes = 0;

  add(bytes: Uint8Array): void {
    this.lengthBytes += bytes.length;
    if (bytes.length >= viewBytesMin) {
      this.#flush();
      this.views.push(bytes);
      return;
    }
    if (this.#gathered !== undefined && this.#gatheredBytes + bytes.length > gatherBytes)
      this.#flush();
    this.#gathered ??= new Uint8Array(gatherBytes);
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.length;
  }

  #flush(): void {
    if (this.#gathered !== undefined)
      this.views.push(this.#gathered.subarray(0, this.#gatheredBytes));
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
  }

  finish(): readonly Uint8Array[] {
    this.#flush();
    return this.views;
  }
}

export interface BlobWriterParts {
  readonly cluster: Cluster;
  readonly budget: ByteBudget;
  readonly clock: Clock;
}

export class BlobWriter {
  readonly #parts: BlobWriterParts;
  readonly #sizeBytes: number;
  readonly #layout: LayoutRef;
  #run: BlobRun | undefined;
  #startedCount = 0;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: BlobWriterParts, sizeBytes: number) {
    assert(sizeBytes > 0, 'nothing is not stored in blobs');
    this.#parts = parts;
    this.#sizeBytes = sizeBytes;
    this.#layout = parts.cluster.activeLayout(dataPool);
  }

  /** Blobs that may exist by now, whatever became of the write. */
  get startedRuns(): readonly BlobRun[] {
    if (this.#run === undefined || this.#startedCount === 0) return [];
    if (this.#startedCount === this.#run.count) return [this.#run];
    return [{ ...this.#run, count: this.#startedCount, lastBytes: this.#run.blobBytes }];
  }

  /**
   * Reads exactly `sizeBytes` and resolves when every blob is durable. Throws what the source or the
   * cluster throws, after all puts have settled.
   */
  async write(source: BodySource): Promise<readonly BlobRun[]> {
    const count = Math.ceil(this.#sizeBytes / blobBytesMax);
    const run: BlobRun = {
      layout: this.#layout,
      first: await this.#parts.cluster.allocateBlobs(count),
      count,
      blobBytes: Math.min(blobBytesMax, this.#sizeBytes),
      lastBytes: this.#sizeBytes - (count - 1) * blobBytesMax,
    };
    this.#run = run;
    try {
      await this.#writeRun(run, source);
    } finally {
      await Promise.all(this.#inFlight);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return [run];
  }

  async #writeRun(run: BlobRun, source: BodySource): Promise<void> {
    let left: Uint8Array = new Uint8Array(0);
    for (let index = 0; index < run.count; index++) {
      const bytes = index === run.count - 1 ? run.lastBytes : run.blobBytes;
      await this.#parts.budget.acquire(bytes);
      let views: readonly Uint8Array[];
      try {
        [views, left] = await this.#fill(source, bytes, left);
        while (this.#inFlight.size >= putsInFlightMax) await Promise.race(this.#inFlight);
        if (this.#failure !== undefined) throw this.#failure.error;
      } catch (error) {
        this.#parts.budget.release(bytes);
        throw error;
      }
      this.#startedCount++;
      this.#put(run, index, views, bytes);
    }
    if (left.length > 0) throw new S3Error('IncompleteBody', 'The body is longer than announced');
  }

  async #fill(
    source: BodySource,
    bytes: number,
    begin: Uint8Array,
  ): Promise<[readonly Uint8Array[], Uint8Array]> {
    const began = this.#parts.clock.now();
    const blob = new BlobViews();
    let chunk: Uint8Array | undefined = begin;
    while (true) {
      if (chunk === undefined) throw new S3Error('IncompleteBody');
      const take = Math.min(chunk.length, bytes - blob.lengthBytes);
      if (take > 0) blob.add(chunk.subarray(0, take));
      if (blob.lengthBytes === bytes) return [blob.finish(), chunk.subarray(take)];
      if (this.#parts.clock.now() - began > blobFillMsMax) throw new S3Error('RequestTimeout');
      chunk = await source.next();
    }
  }

  #put(run: BlobRun, index: number, views: readonly Uint8Array[], bytes: number): void {
    const { cluster, budget } = this.#parts;
    const blob = { incarnation: run.first.incarnation, counter: run.first.counter + index };
    const put = cluster
      .putBlob(run.layout, blob, views)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        budget.release(bytes);
        this.#inFlight.delete(put);
      });
    this.#inFlight.add(put);
  }
}
