// Every shard of every bucket, for jobs that must not miss what moves: names before removed buckets, because a
// bucket moves only that way, and in a bucket whatever keys come from before what they go to. Shards that were
// made while a bucket's others were visited are visited too: a shard is registered before it is handed a key.

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

export async function* everyShard(index: IndexObjects): AsyncGenerator<VisitedShard> {
  let after: Uint8Array = new Uint8Array(0);
  while (true) {
    const page = await index.callObject(bucketsObject, messages.listShards, {
      after,
      limit: bucketsPerCall,
    });
    for (const { row, removed, record } of page.buckets) {
      const { bucketId } = bucketFormat.decode(record);
      const name = removed ? '' : new TextDecoder().decode(row);
      let known = removed ? bucketFormat.decode(record) : undefined;
      const visited = new Set<string>();
      while (true) {
        // A bucket that is gone from its name comes again among the removed.
        known = removed ? known : await readRecord(index, { name, bucketId });
        const next = known && shardsOf(known).find((object) => !visited.has(object));
        if (next === undefined) break;
        visited.add(next);
        yield { object: next, removed };
      }
    }
    const last = page.buckets.at(-1);
    if (page.ended || last === undefined) return;
    after = last.row;
  }
}
