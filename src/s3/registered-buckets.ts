// All buckets that there are, for jobs that look after each.

import { type BucketRecord, bucketFormat } from './index/format.ts';
import * as messages from './index/messages.ts';
import { bucketsObject, type IndexObjects } from './index/shard-split.ts';
import type { PacedJob } from './paced-job.ts';

const bucketsPerCall = 100;

export interface RegisteredBucket {
  readonly name: string;
  readonly record: BucketRecord;
}

/**
 * In the order of their names, until the job is stopped; those that are being removed are left out. A record that can't be
 * read is reported, and holds up no other bucket. Throws `ClientError`.
 */
export async function* registeredBuckets(
  index: IndexObjects,
  job: PacedJob,
): AsyncGenerator<RegisteredBucket> {
  const decoder = new TextDecoder();
  let after: Uint8Array = new Uint8Array(0);
  while (!job.isStopped) {
    const call = { after, limit: bucketsPerCall };
    const page = await index.callObject(bucketsObject, messages.listShards, call);
    for (const { row, removed, record } of page.buckets) {
      if (job.isStopped) return;
      if (removed) continue;
      const name = decoder.decode(row);
      let decoded: BucketRecord;
      try {
        decoded = bucketFormat.decode(record);
      } catch (error) {
        job.report(error, 'the record of a bucket can not be read', name);
        continue;
      }
      yield { name, record: decoded };
    }
    const last = page.buckets.at(-1);
    if (page.ended || last === undefined) return;
    after = last.row;
  }
}
