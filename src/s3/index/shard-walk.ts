// All buckets, for jobs that look after each, and every shard of them, for jobs that must not miss what moves.

import { bucketFormat, shardsOf } from './format.ts';
import * as messages from './messages.ts';
import { bucketsObject, type IndexObjects, readRecord } from './shard-split.ts';

/** Buckets read in one call. */
const bucketsPerCall = 100;

export interface VisitedShard {
  readonly object: string;
  /** Its bucket is being removed: the shard may be gone. */
  readonly removed: boolean;
}

export interface RegisteredBucket {
  /** Empty: it is being removed, and has no name any more. */
  readonly name: string;
  readonly removed: boolean;
  /** Undecoded: what a record that can't be read means is for the job to say. */
  readonly record: Uint8Array;
}

/** By name; then those that are being removed, because a bucket moves only that way. Throws `ClientError`. */
export async function* everyBucket(index: IndexObjects): AsyncGenerator<RegisteredBucket> {
  const decoder = new TextDecoder();
  let after: Uint8Array = new Uint8Array(0);
  while (true) {
    const call = { after, limit: bucketsPerCall };
    const page = await index.callObject(bucketsObject, messages.listShards, call);
    for (const { row, removed, record } of page.buckets)
      yield { name: removed ? '' : decoder.decode(row), removed, record };
    const last = page.buckets.at(-1);
    if (page.ended || last === undefined) return;
    after = last.row;
  }
}

/**
 * In a bucket whatever keys come from before what they go to. Shards that were made while a bucket's others were
 * visited are visited too: a shard is registered before it is handed a key. Throws `DecodeError` as well, since a
 * bucket that can't be read must not be passed over.
 */
export async function* everyShard(index: IndexObjects): AsyncGenerator<VisitedShard> {
  for await (const { name, removed, record } of everyBucket(index)) {
    const listed = bucketFormat.decode(record);
    const { bucketId } = listed;
    const visited = new Set<string>();
    while (true) {
      // A bucket that is gone from its name comes again among the removed.
      const known = removed ? listed : await readRecord(index, { name, bucketId });
      const next = known && shardsOf(known).find((object) => !visited.has(object));
      if (next === undefined) break;
      visited.add(next);
      yield { object: next, removed };
    }
  }
}
