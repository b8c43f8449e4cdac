// The job that splits the shards of bucket indexes once they hold more than a shard should (docs/decisions/0016).
//
// A round looks at every shard of every bucket: goes on with a split that somebody began, counts what was never
// counted (shards of former releases), and begins a split where there are too many entries. Nothing is
// remembered between rounds but removals that seem to have died.

import type { GatewayParts } from './context.ts';
import { bucketFormat } from './index/format.ts';
import * as messages from './index/messages.ts';
import {
  advanceSplit,
  type BucketName,
  beginSplit,
  bucketsObject,
  describeShard,
} from './index/shard-split.ts';
import { everyBucket } from './index/shard-walk.ts';
import { formatVersion } from './index/version-id.ts';
import { PacedJob } from './paced-job.ts';

export interface SplitJobOptions {
  readonly intervalMs: number;
  /** Entries, versions and delete markers in a shard from which on it is split. */
  readonly shardEntriesMax: number;
}

/** One entry can't be divided; what many more cost is an operator's choice. */
export const shardEntriesBounds = { min: 2, max: 10_000_000 };

/** Between two steps: about half of the primaries' time is left to clients, and a shard is split in seconds. */
const stepPauseMs = 5;

export class SplitJob {
  readonly #parts: GatewayParts;
  readonly #options: SplitJobOptions;
  readonly #job: PacedJob;
  /** Removals of several shards that the last round saw, by bucket. */
  #removals: ReadonlyMap<string, string> = new Map();

  /** Throws `RangeError` for a size of shards that can't be. */
  constructor(parts: GatewayParts, options: SplitJobOptions) {
    const { shardEntriesMax, intervalMs } = options;
    const { min, max } = shardEntriesBounds;
    if (!Number.isSafeInteger(shardEntriesMax) || shardEntriesMax < min || shardEntriesMax > max)
      throw new RangeError(`shardEntriesMax: a whole number from ${min} to ${max} is needed`);
    this.#parts = parts;
    this.#options = options;
    this.#job = new PacedJob(parts, { job: 'split', intervalMs });
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    const removals = new Map<string, string>();
    for await (const { name, removed, trashed, record } of everyBucket(this.#parts.index)) {
      if (this.#job.isStopped) return;
      if (!removed && !trashed) await this.#tryBucket(name, record, removals);
    }
    this.#removals = removals;
  }

  async #tryBucket(
    name: string,
    encoded: Uint8Array,
    removals: Map<string, string>,
  ): Promise<void> {
    try {
      const record = bucketFormat.decode(encoded);
      const { bucketId, removing } = record;
      const bucket = { name, bucketId };
      // It takes a few calls a shard: seen twice it is dead, and would keep the bucket from being split.
      if (removing !== undefined) {
        const removal = formatVersion(removing);
        removals.set(bucketId, removal);
        if (this.#removals.get(bucketId) === removal)
          await this.#parts.index.callObject(bucketsObject, messages.keepBucket, bucket);
      }
      for (const { object } of record.ranges) {
        if (this.#job.isStopped) return;
        await this.#shard(bucket, object);
      }
    } catch (error) {
      this.#job.report(error, 'the index of a bucket is not split', name);
    }
  }

  async #shard(bucket: BucketName, object: string): Promise<void> {
    const { index, env } = this.#parts;
    let facts = await describeShard(index, object);
    if (facts?.state.state !== 'open') return;
    if (facts.state.split === undefined) {
      if (facts.counts.after !== undefined) {
        await this.#count(object);
        facts = await describeShard(index, object);
      }
      if (facts === undefined || facts.counts.entries < this.#options.shardEntriesMax) return;
      if ((await beginSplit(index, bucket, object)) !== 'begun') return;
      const { entries } = facts.counts;
      env.log.write('info', 'a shard of an index is being split', { object, entries });
    }
    while (await this.#job.holds()) {
      const advance = await advanceSplit(index, bucket, object, 'split-end');
      if (advance === 'ended') env.log.write('info', 'a shard of an index is split', { object });
      if (advance !== 'again') return;
      await this.#job.pause(stepPauseMs);
    }
  }

  /** Page by page, beside requests. */
  async #count(object: string): Promise<void> {
    let ended = false;
    while (!ended && (await this.#job.holds())) {
      const call = { restart: false };
      ({ ended } = await this.#parts.index.callObject(object, messages.countRows, call));
      await this.#job.pause(stepPauseMs);
    }
  }
}
