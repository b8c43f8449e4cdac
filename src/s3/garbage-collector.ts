// The job that deletes blobs nobody refers to: of replaced and deleted objects, aborted uploads, failed puts.
//
// 1. Only the gateway that holds the job `gc` collects.
// 2. Rows younger than the grace, or than this gateway's oldest read, are left: a slow reader may need them.
// 3. A row's blobs are deleted first, then the row: a crash between the two repeats deletes,
//    which is harmless, since blob ids are never reused.
// 4. Removed buckets are swept: uploads become garbage, and once all garbage is gone the shard's last rows go.

import { DecodeError, decode } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import type { Timer } from '../env/clock.ts';
import { readManifest } from './blob-reader.ts';
import type { GatewayParts } from './context.ts';
import {
  type BlobRun,
  type BucketRecord,
  bucketFormat,
  extentList,
  type Garbage,
  garbageFormat,
} from './index/format.ts';
import { bucketsObject } from './index/index-client.ts';
import * as messages from './index/messages.ts';

export interface CollectorOptions {
  readonly graceMs: number;
  readonly intervalMs: number;
  readonly blobsPerSecond: number;
}

/** Deletes in flight: enough to keep a few disks busy, few enough for clients not to notice. */
const deletesInFlightMax = 4;

/** Timers are not finer than a millisecond, and most runs are short. */
const deletesPerPause = 32;

/** Buckets, and garbage rows, read in one call. */
const bucketsPerCall = 100;
const rowsPerCall = 20;

/** Steps in emptying one removed bucket in one round; the next round goes on. */
const sweepStepsMax = 1000;

export class GarbageCollector {
  readonly #parts: GatewayParts;
  readonly #options: CollectorOptions;
  #stopped = false;
  /** Blobs deleted since the last pause. */
  #unpaced = 0;
  #sleep: { readonly timer: Timer; readonly wake: () => void } | undefined;

  constructor(parts: GatewayParts, options: CollectorOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  start(): void {
    this.#parts.env.tasks.spawn('s3-gc', () => this.#run());
  }

  stop(): void {
    this.#stopped = true;
    this.#sleep?.timer.cancel();
    this.#sleep?.wake();
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.env.clock.after(delayMs, 's3-gc', resolve);
      this.#sleep = { timer, wake: resolve };
    });
    this.#sleep = undefined;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#pause(this.#options.intervalMs);
      if (this.#stopped) return;
      try {
        if (await this.#parts.cluster.holdsJob('gc')) await this.#round();
      } catch (error) {
        this.#report(error, 'garbage collection was interrupted', '');
      }
    }
  }

  /** What the cluster or its data did is logged and tried again next round; anything else is a defect. */
  #report(error: unknown, event: string, object: string): void {
    if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
    this.#parts.env.log.write('warn', event, { object, reason: error.message });
  }

  async #round(): Promise<void> {
    const { index } = this.#parts;
    let after: Uint8Array = new Uint8Array(0);
    while (!this.#stopped) {
      const page = await index.callObject(bucketsObject, messages.listShards, {
        after,
        limit: bucketsPerCall,
      });
      for (const { removed, record } of page.buckets) {
        try {
          await this.#collectBucket(bucketFormat.decode(record), removed);
        } catch (error) {
          this.#report(error, 'garbage of a bucket is not collected', '');
        }
      }
      const last = page.buckets.at(-1);
      if (page.ended || last === undefined) return;
      after = last.row;
    }
  }

  async #collectBucket(record: BucketRecord, removed: boolean): Promise<void> {
    let goneCount = 0;
    for (const { object } of record.ranges) {
      if (this.#stopped) return;
      if (removed) await this.#sweep(object);
      await this.#collectShard(object);
      if (removed && (await this.#sweep(object)) === 'gone') goneCount++;
    }
    if (removed && goneCount === record.ranges.length)
      await this.#parts.index.callObject(bucketsObject, messages.forgetBucket, {
        bucketId: record.bucketId,
      });
  }

  async #sweep(object: string): Promise<string> {
    for (let step = 0; step < sweepStepsMax && !this.#stopped; step++) {
      const { outcome } = await this.#parts.index.callObject(object, messages.sweepShard, {});
      if (outcome !== 'more') return outcome;
    }
    return 'more';
  }

  async #collectShard(object: string): Promise<void> {
    const { env, index, reads } = this.#parts;
    const beforeWallMs = Math.max(
      0,
      Math.min(
        Math.floor(env.wall.nowMs() - this.#options.graceMs),
        reads.oldestMs() ?? Number.MAX_SAFE_INTEGER,
      ),
    );
    while (!this.#stopped) {
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
          this.#report(error, 'garbage is not collected', object);
        }
        if (this.#stopped) break;
      }
      if (collected.length > 0)
        await index.callObject(object, messages.removeGarbage, { rows: collected });
      // Rows that failed stay first in the list; the next round tries them again.
      if (page.ended || collected.length < page.rows.length) return;
    }
  }

  async #collect(garbage: Garbage): Promise<void> {
    if (garbage.kind === 'manifest')
      for (const run of await this.#runsOfManifest(garbage)) await this.#deleteRun(run);
    for (const run of garbage.runs) await this.#deleteRun(run);
  }

  /** None when the manifest is gone: its blobs went before it, in an attempt that did not get to the row. */
  async #runsOfManifest(garbage: Garbage): Promise<readonly BlobRun[]> {
    try {
      const extents = decode(extentList, await readManifest(this.#parts.cluster, garbage));
      return extents.flatMap((extent) => extent.runs);
    } catch (error) {
      if (error instanceof ClientError && error.code === 'no-such-blob') return [];
      throw error;
    }
  }

  /** In steps of a few blobs; `#pace` keeps the rate. */
  async #deleteRun(run: BlobRun): Promise<void> {
    const { cluster } = this.#parts;
    for (let index = 0; index < run.count && !this.#stopped; index += deletesInFlightMax) {
      const count = Math.min(deletesInFlightMax, run.count - index);
      await Promise.all(
        Array.from({ length: count }, (_, i) => {
          const counter = run.first.counter + index + i;
          return cluster.deleteBlob(run.layout, { incarnation: run.first.incarnation, counter });
        }),
      );
      await this.#pace(count);
    }
    if (this.#stopped) throw new ClientError('unavailable', 'the collector was stopped');
  }
  async #pace(deletedCount: number): Promise<void> {
    this.#unpaced += deletedCount;
    if (this.#unpaced < deletesPerPause) return;
    const delayMs = Math.ceil((1000 * this.#unpaced) / this.#options.blobsPerSecond);
    this.#unpaced = 0;
    await this.#pause(delayMs);
  }
}
