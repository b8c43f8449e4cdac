// All buckets, for jobs that look after each, and every shard of them, for jobs that must not miss what moves.

import type { Carried } from '../../base/codec.ts';
import { type BucketRecord, bucketFormat, shardsOf } from './format.ts';
import * as messages from './messages.ts';
import { type BucketName, bucketsObject, type IndexObjects, readRecord } from './shard-split.ts';

/** Buckets read in one call. */
const bucketsPerCall = 100;

export interface VisitedShard {
  readonly object: string;
  /** Its bucket is being removed: the shard may be gone. */
  readonly removed: boolean;
}

export interface RegisteredBucket {
  /** What `readRecord` finds it by. Empty: it is being removed, and has no name any more. */
  readonly name: string;
  readonly removed: boolean;
  /** It waits in the trash: nobody uses it, and all that is in it is still wanted. */
  readonly trashed: boolean;
  /** It came back from there, and may have been met under its name already. */
  readonly restored: boolean;
  /** Undecoded: what a record that can't be read means is for the job to say. */
  readonly record: Uint8Array;
}

/** In the order in which buckets move, so that none is missed; one may come twice. Throws `ClientError`. */
export async function* everyBucket(index: IndexObjects): AsyncGenerator<RegisteredBucket> {
  let after: Uint8Array | undefined = new Uint8Array(0);
  while (after !== undefined) {
    const page: Carried<typeof messages.walkBuckets.result> = await index.callObject(
      bucketsObject,
      messages.walkBuckets,
      { after, limit: bucketsPerCall },
    );
    for (const { name, state, record } of page.buckets)
      yield {
        name,
        removed: state === 'removed',
        trashed: state === 'trashed',
        restored: state === 'restored',
        record,
      };
    after = page.next;
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
      // Gone from its name and not in the trash: nobody misses what is in it.
      const known = removed ? listed : await findRecord(index, { name, bucketId });
      const next = known && shardsOf(known).find((object) => !visited.has(object));
      if (next === undefined) break;
      visited.add(next);
      yield { object: next, removed };
    }
  }
}

/** What is registered, also of a bucket that went into the trash, or came back, since it was listed. */
async function findRecord(
  index: IndexObjects,
  bucket: BucketName,
): Promise<BucketRecord | undefined> {
  const found = await readRecord(index, bucket);
  if (found !== undefined) return found;
  const { bucketId } = bucket;
  const { record } = await index.callObject(bucketsObject, messages.locateBucket, { bucketId });
  return record === undefined ? undefined : bucketFormat.decode(record);
}
