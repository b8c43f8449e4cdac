// The job that deletes blobs nobody refers to: of replaced and deleted objects, aborted uploads, failed puts.
//
// 1. Only the gateway that holds the job `gc` collects.
// 2. Rows younger than the grace, or than the oldest read of any gateway, are left: a slow reader may need them.
// 3. A row's blobs are deleted first, then the row: a crash between the two repeats deletes,
//    which is harmless, since blob ids are never reused.
// 4. Removed buckets, those whose time in the trash is over among them, are swept: entries and uploads become
//    garbage, and once all garbage is gone the shard's last rows go.

import { isBlobGone } from '../client/errors.ts';
import { readManifest } from './blob-reader.ts';
import type { GatewayParts } from './context.ts';
import {
  type BlobRun,
  type BucketRecord,
  bucketFormat,
  decodeManifest,
  type Garbage,
  garbageFormat,
  shardObject,
  shardsOf,
} from './index/format.ts';
import { bucketsObject } from './index/index-client.ts';
import * as messages from './index/messages.ts';
import { everyBucket } from './index/shard-walk.ts';
import type { LongReads } from './long-reads.ts';
import { blobsOfRun, PacedJob } from './paced-job.ts';

export interface CollectorOptions {
  readonly intervalMs: number;
  readonly blobsPerSecond: number;
}

/** Garbage rows read in one call. */
const rowsPerCall = 20;

/** Between two of them: a bucket with everything in it is emptied beside clients. */
const sweepPauseMs = 10;

/** Steps in emptying one removed bucket in one round; the next round goes on. */
const sweepStepsMax = 1000;

export class GarbageCollector {
  readonly #parts: GatewayParts;
  readonly #longReads: LongReads;
  readonly #job: PacedJob;

  constructor(parts: GatewayParts, longReads: LongReads, options: CollectorOptions) {
    this.#parts = parts;
    this.#longReads = longReads;
    this.#job = new PacedJob(parts, { job: 'gc', ...options });
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    for await (const { removed, trashed, restored, record } of everyBucket(this.#parts.index)) {
      if (this.#job.isStopped) return;
      try {
        const bucket = bucketFormat.decode(record);
        if (trashed || restored) await this.#tendTrash(bucket);
        await this.#collectBucket(bucket, removed);
      } catch (error) {
        this.#job.report(error, 'garbage of a bucket is not collected', '');
      }
    }
  }

  /** Whoever put it into the trash may have died before all its shards knew; none is purged that may still be used. */
  async #tendTrash(record: BucketRecord): Promise<void> {
    const { index } = this.#parts;
    const { bucketId } = record;
    const call = { bucketId, fenced: false };
    const { removal } = await index.callObject(bucketsObject, messages.purgeBucket, call);
    if (removal !== undefined)
      for (const object of shardsOf(record))
        await index.callObject(object, messages.trashShard, { removal });
    await index.callObject(bucketsObject, messages.purgeBucket, { bucketId, fenced: true });
  }

  async #collectBucket(record: BucketRecord, removed: boolean): Promise<void> {
    let goneCount = 0;
    // A split that never came to be registered left an empty shard, under the next number.
    const unregistered = removed ? [shardObject(record.bucketId, record.nextShard)] : [];
    const objects = [...shardsOf(record), ...unregistered];
    for (const object of objects) {
      if (this.#job.isStopped) return;
      if (removed) await this.#sweep(object);
      await this.#collectShard(object);
      if (removed && (await this.#sweep(object)) === 'gone') goneCount++;
    }
    if (removed && goneCount === objects.length)
      await this.#parts.index.callObject(bucketsObject, messages.forgetBucket, {
        bucketId: record.bucketId,
      });
  }

  async #sweep(object: string): Promise<string> {
    for (let step = 0; step < sweepStepsMax && !this.#job.isStopped; step++) {
      const { outcome } = await this.#parts.index.callObject(object, messages.sweepShard, {});
      if (outcome !== 'more') return outcome;
      await this.#job.pause(sweepPauseMs);
    }
    return 'more';
  }

  async #collectShard(object: string): Promise<void> {
    const { env, index } = this.#parts;
    const neededMs = await this.#longReads.neededMs();
    const beforeWallMs = Math.max(0, Math.floor(env.wall.nowMs() - neededMs));
    while (!this.#job.isStopped) {
      const page = await index.callObject(object, messages.listGarbage, {
        beforeWallMs,
        limit: rowsPerCall,
      });
      const collected: Uint8Array[] = [];
      for (const { row, garbage } of page.rows) {
        try {
          await this.#collect(garbageFormat.decode(garbage));
          collected.push(row);
        } catch (error) {
          this.#job.report(error, 'garbage is not collected', object);
        }
        if (this.#job.isStopped) break;
      }
      if (collected.length > 0)
        await index.callObject(object, messages.removeGarbage, { rows: collected });
      // Rows that failed stay first in the list; the next round tries them again.
      if (page.ended || collected.length < page.rows.length) return;
    }
  }

  async #collect(garbage: Garbage): Promise<void> {
    if (garbage.kind === 'manifest')
      for (const run of await this.#runsOfManifest(garbage)) await this.#delete(run);
    for (const run of garbage.runs) await this.#delete(run);
  }

  #delete(run: BlobRun): Promise<void> {
    return this.#job.deleteBlobs(run.layout, blobsOfRun(run));
  }

  /** None when the manifest is gone: its blobs went before it, in an attempt that did not get to the row. */
  async #runsOfManifest(garbage: Garbage): Promise<readonly BlobRun[]> {
    try {
      const extents = decodeManifest(await readManifest(this.#parts.cluster, garbage));
      return extents.flatMap((extent) => extent.runs);
    } catch (error) {
      if (isBlobGone(error)) return [];
      throw error;
    }
  }
}
