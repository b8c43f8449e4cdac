// Opens the shards of a bucket's index whose rows were lost with their placement group, each empty and for the keys
// that it answered for, so that the bucket can be used again. What else the bucket has is not touched. Done twice, or
// on a bucket that lost nothing, it changes nothing.

import type { Carried } from '../base/codec.ts';
import { type BucketRecord, bucketFormat, type ShardState, shardsOf } from './index/format.ts';
import * as messages from './index/messages.ts';
import { bucketsObject, describeShard, type IndexObjects } from './index/shard-split.ts';

type Opening = Carried<typeof messages.openLostShard.argument>;

/** The shards that were opened; undefined: there is no such bucket. */
export async function reopenLostShards(
  index: IndexObjects,
  name: string,
): Promise<readonly string[] | undefined> {
  const found = await index.callObject(bucketsObject, messages.getBucket, { name });
  if (found.record === undefined) return undefined;
  const record = bucketFormat.decode(found.record);
  const states = new Map<string, ShardState>();
  for (const object of shardsOf(record)) {
    const facts = await describeShard(index, object);
    if (facts !== undefined) states.set(object, facts.state);
  }
  const { cancelled: writers } = await index.callObject(bucketsObject, messages.getWriters, {});
  const opened: string[] = [];
  for (const object of shardsOf(record)) {
    if (states.has(object)) continue;
    const opening = openingOf(record, object, states);
    await index.callObject(object, messages.openLostShard, { ...opening, writers });
    opened.push(object);
  }
  return opened;
}

/** The keys that it answers for: by the registry, and where keys were on their way, by who has the others. */
function openingOf(
  record: BucketRecord,
  object: string,
  states: ReadonlyMap<string, ShardState>,
): Omit<Opening, 'writers'> {
  const endOf = (source: string): Uint8Array | undefined => {
    const at = record.ranges.findIndex((range) => range.object === source);
    return record.ranges[at + 1]?.beginKey;
  };
  const own = record.ranges.find((range) => range.object === object);
  if (own === undefined) {
    // It was handed the upper keys of another, which says how far that had come.
    const source = record.splits.find((split) => split.object === object)?.source ?? '';
    const begin = states.get(source)?.range?.end;
    const range = begin === undefined ? undefined : { begin, end: endOf(source) };
    return { range, handsTo: undefined };
  }
  const target = record.splits.find(({ source }) => source === object)?.object;
  const taken = target === undefined ? undefined : states.get(target)?.range?.begin;
  const range = { begin: own.beginKey, end: taken ?? endOf(object) };
  const handsTo =
    target === undefined ? undefined : { object: target, hasKeys: taken !== undefined };
  return { range, handsTo };
}
