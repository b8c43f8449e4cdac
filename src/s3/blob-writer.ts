// Turns a body into blobs: 4 MiB each, the last one shorter, with consecutive ids, so that one run
// describes them. Two blobs may be on their way while the next one fills. When the pool gets another active
// layout on the way, the blobs from there on, and those that the old one did not take, are further runs.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import type { BlobId } from '../base/ids.ts';
import { SharedMemory } from '../base/shared-memory.ts';
import { blobBytesMax, type Cluster, type LayoutRef } from '../client/cluster.ts';
import { ClientError } from '../client/errors.ts';
import type { Clock } from '../env/clock.ts';
import type { BodySource } from '../env/http.ts';
import type { ByteBudget } from './byte-budget.ts';
import { joinRuns } from './index/blob-runs.ts';
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

/**
 * The bytes of one blob: in one piece of the pool, or else views of what came, the small ones gathered. What came is
 * garbage once it is copied. Kept until the blob is durable, 4 MiB at a time, it would outlive the young generation
 * and have V8 mark its whole heap for each 64 MiB (docs/decisions/0008).
 */
class BlobBytes {
  readonly sizeBytes: number;
  readonly #views: Uint8Array[] = [];
  #whole: Uint8Array | undefined;
  #gathered: Uint8Array | undefined;
  #gatheredBytes = 0;
  lengthBytes = 0;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  add(bytes: Uint8Array): void {
    const at = this.lengthBytes;
    // Not before the first bytes are there, for some never come, nor for all in one piece.
    if (at === 0 && bytes.length < this.sizeBytes) this.#whole = buffers.tryAcquire(this.sizeBytes);
    this.lengthBytes += bytes.length;
    if (this.#whole !== undefined) this.#whole.set(bytes, at);
    else if (bytes.length >= viewBytesMin) {
      this.#flush();
      this.#views.push(bytes);
    } else {
      if (this.#gatheredBytes + bytes.length > gatherBytes) this.#flush();
      this.#gathered ??= new Uint8Array(gatherBytes);
      this.#gathered.set(bytes, this.#gatheredBytes);
      this.#gatheredBytes += bytes.length;
    }
  }

  #flush(): void {
    if (this.#gathered !== undefined)
      this.#views.push(this.#gathered.subarray(0, this.#gatheredBytes));
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
  }

  views(): readonly Uint8Array[] {
    if (this.#whole !== undefined) return [this.#whole];
    this.#flush();
    return this.#views;
  }

  release(): void {
    if (this.#whole !== undefined) buffers.release(this.#whole);
  }
}

export interface BlobWriterParts {
  readonly cluster: Cluster;
  readonly budget: ByteBudget;
  readonly clock: Clock;
}

/** Where one blob of the body is, or is to be. */
interface Place {
  readonly layout: LayoutRef;
  readonly blob: BlobId;
}

/** A blob goes on to another layout so often: each time the pool's layout has changed. */
const placesPerBlobMax = 5;

export class BlobWriter {
  readonly #parts: BlobWriterParts;
  readonly #sizeBytes: number;
  /** By index of the blob in the body: where its put was sent last. */
  readonly #places: Place[] = [];
  /** Where blobs may be that are elsewhere too: their layout was superseded. */
  readonly #left: BlobRun[] = [];
  /** Ids given for the blobs from here on. */
  #reserved:
    | { readonly layout: LayoutRef; readonly first: BlobId; readonly at: number }
    | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: BlobWriterParts, sizeBytes: number) {
    assert(sizeBytes > 0, 'nothing is not stored in blobs');
    this.#parts = parts;
    this.#sizeBytes = sizeBytes;
  }

  /** Blobs that may exist by now, whatever became of the write. */
  get startedRuns(): readonly BlobRun[] {
    return [...this.#runs(), ...this.#left];
  }

  /** Blobs that may exist and that the result does not name: garbage, once the write is done. */
  get leftRuns(): readonly BlobRun[] {
    return this.#left;
  }

  get #count(): number {
    return Math.ceil(this.#sizeBytes / blobBytesMax);
  }

  #bytesOf(index: number): number {
    const isLast = index === this.#count - 1;
    return isLast ? this.#sizeBytes - index * blobBytesMax : blobBytesMax;
  }

  #runs(): readonly BlobRun[] {
    return joinRuns(
      this.#places.map(({ layout, blob }, index) => {
        const bytes = this.#bytesOf(index);
        return { layout, first: blob, count: 1, blobBytes: bytes, lastBytes: bytes };
      }),
    );
  }

  /**
   * Reads exactly `sizeBytes` and resolves when every blob is durable. Throws what the source or the
   * cluster throws, after all puts have settled.
   */
  async write(source: BodySource): Promise<readonly BlobRun[]> {
    try {
      await this.#writeAll(source);
    } finally {
      await Promise.all(this.#inFlight);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#runs();
  }

  async #writeAll(source: BodySource): Promise<void> {
    let left: Uint8Array = new Uint8Array(0);
    for (let index = 0; index < this.#count; index++) {
      const bytes = this.#bytesOf(index);
      await this.#parts.budget.acquire(bytes);
      const blob = new BlobBytes(bytes);
      let place: Place;
      try {
        left = await this.#fill(source, blob, left);
        while (this.#inFlight.size >= putsInFlightMax) await Promise.race(this.#inFlight);
        if (this.#failure !== undefined) throw this.#failure.error;
        place = await this.#nextPlace(index);
      } catch (error) {
        blob.release();
        this.#parts.budget.release(bytes);
        throw error;
      }
      this.#places[index] = place;
      this.#put(index, blob);
    }
    if (left.length > 0) throw new S3Error('IncompleteBody', 'The body is longer than announced');
  }

  /** In the layout that is active now; consecutive ids while that stays the same. */
  async #nextPlace(index: number): Promise<Place> {
    const { cluster } = this.#parts;
    const layout = cluster.activeLayout(dataPool);
    let reserved = this.#reserved;
    if (reserved === undefined || !isSameLayout(reserved.layout, layout)) {
      const first = await cluster.allocateBlobs(this.#count - index);
      reserved = { layout, first, at: index };
      this.#reserved = reserved;
    }
    const { incarnation, counter } = reserved.first;
    return { layout, blob: { incarnation, counter: counter + index - reserved.at } };
  }

  /** Returns what came beyond the blob. */
  async #fill(source: BodySource, blob: BlobBytes, begin: Uint8Array): Promise<Uint8Array> {
    const began = this.#parts.clock.now();
    let chunk: Uint8Array | undefined = begin;
    while (true) {
      if (chunk === undefined) throw new S3Error('IncompleteBody');
      const take = Math.min(chunk.length, blob.sizeBytes - blob.lengthBytes);
      if (take > 0) blob.add(chunk.subarray(0, take));
      if (blob.lengthBytes === blob.sizeBytes) return chunk.subarray(take);
      if (this.#parts.clock.now() - began > blobFillMsMax) throw new S3Error('RequestTimeout');
      chunk = await source.next();
    }
  }

  #put(index: number, blob: BlobBytes): void {
    const memory = new SharedMemory(() => blob.release());
    const done = memory.hold();
    const put = this.#putSomewhere(index, blob.views(), memory)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        done();
        this.#parts.budget.release(blob.sizeBytes);
        this.#inFlight.delete(put);
      });
    this.#inFlight.add(put);
  }

  /** Where the layout was superseded meanwhile, the bytes go to the active one, under an id of their own. */
  async #putSomewhere(
    index: number,
    views: readonly Uint8Array[],
    memory: SharedMemory,
  ): Promise<void> {
    const { cluster } = this.#parts;
    for (let places = 1; ; places++) {
      const { layout, blob } = this.#places[index] as Place;
      try {
        await cluster.putBlob(layout, blob, views, memory);
        return;
      } catch (error) {
        const isElsewhere = error instanceof ClientError && error.code === 'superseded';
        if (!isElsewhere || places === placesPerBlobMax) throw error;
      }
      const bytes = this.#bytesOf(index);
      this.#left.push({ layout, first: blob, count: 1, blobBytes: bytes, lastBytes: bytes });
      this.#places[index] = {
        layout: cluster.activeLayout(dataPool),
        blob: await cluster.allocateBlobs(1),
      };
    }
  }
}

function isSameLayout(a: LayoutRef, b: LayoutRef): boolean {
  return a.pool === b.pool && a.layout === b.layout;
}
