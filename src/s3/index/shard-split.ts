// Who takes the steps of a split (`split-methods.ts`): the gateway that holds the job, and any gateway that waits for
// a key which is on its way. Nothing is remembered here: each step is decided on what the shards' rows say.

import { compareBytes } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import {
  type BucketRecord,
  bucketFormat,
  type Counts,
  type ShardState,
  type Split,
  shardObject,
  shardStateFormat,
} from './format.ts';
import type { Call } from './messages.ts';
import * as messages from './messages.ts';
import { readCounts } from './shard.ts';
import type { WriterSet } from './writer-ranges.ts';

export const bucketsObject = 'buckets';

/** Calls to objects of the index. */
export interface IndexObjects {
  callObject<A, R>(object: string, call: Call<A, R>, argument: A): Promise<R>;
}

/** A registered bucket. */
export interface BucketName {
  readonly name: string;
  readonly bucketId: string;
}

export interface ShardFacts {
  readonly state: ShardState;
  readonly counts: Counts;
}

/** Undefined: there is no such shard. Throws `DecodeError`. */
export async function describeShard(
  index: IndexObjects,
  object: string,
): Promise<ShardFacts | undefined> {
  const { state, counts } = await index.callObject(object, messages.describeShard, {});
  if (state === undefined) return undefined;
  return { state: shardStateFormat.decode(state), counts: readCounts(counts) };
}

/** What is registered now; undefined: the name means another bucket, or none. */
export async function readRecord(
  index: IndexObjects,
  { name, bucketId }: BucketName,
): Promise<BucketRecord | undefined> {
  const { record } = await index.callObject(bucketsObject, messages.getBucket, { name });
  const found = record === undefined ? undefined : bucketFormat.decode(record);
  return found?.bucketId === bucketId ? found : undefined;
}

/** Writers are declared dead once an hour at most: the second attempt knows them all. */
const registrationsMax = 4;

/**
 * From here on the shard hands its upper keys to another. The shard is read before the registry: a split that
 * ended in between has raised its generation, so that it is never handed to a shard that has its range already.
 */
export async function beginSplit(
  index: IndexObjects,
  bucket: BucketName,
  source: string,
): Promise<'begun' | 'not-now'> {
  const facts = await describeShard(index, source);
  if (facts?.state.split !== undefined) return 'begun';
  if (facts?.state.state !== 'open' || facts.state.range === undefined) return 'not-now';
  const record = await readRecord(index, bucket);
  if (record === undefined) return 'not-now';
  let object = record.splits.find((split) => split.source === source)?.object;
  if (object === undefined) {
    object = shardObject(record.bucketId, record.nextShard);
    await index.callObject(object, messages.openPart, {});
    if (!(await register(index, bucket, { source, object }))) return 'not-now';
  }
  const { generation } = facts.state;
  const { outcome } = await index.callObject(source, messages.startSplit, { generation, object });
  return outcome === 'done' ? 'begun' : 'not-now';
}

async function register(
  index: IndexObjects,
  bucket: BucketName,
  split: BucketRecord['splits'][number],
): Promise<boolean> {
  let cancelled: WriterSet = [];
  for (let attempt = 0; attempt < registrationsMax; attempt++) {
    const call = { ...bucket, ...split, cancelled };
    const answer = await index.callObject(bucketsObject, messages.addSplit, call);
    if (answer.kind !== 'behind') return answer.kind === 'added';
    cancelled = answer.cancelled;
    await index.callObject(split.object, messages.cancelWriters, { writers: cancelled });
  }
  return false;
}

/**
 * - `again`: a step was taken, or somebody else took it.
 * - `idle`: nothing can be done now.
 * - `ended`: the shard is not being split, or not any more.
 */
export type Advance = 'again' | 'idle' | 'ended';

/** Takes the next step. `chunk-end`: none after what is under way has come to its end. */
export async function advanceSplit(
  index: IndexObjects,
  bucket: BucketName,
  source: string,
  until: 'chunk-end' | 'split-end',
): Promise<Advance> {
  const from = await describeShard(index, source);
  const split = from?.state.split;
  if (from?.state.state !== 'open' || split === undefined) return 'ended';
  const { generation, range } = from.state;
  if (split.phase === 'done') {
    if (range?.end !== undefined)
      await index.callObject(bucketsObject, messages.commitSplit, {
        ...bucket,
        source,
        object: split.object,
        beginKey: range.end,
      });
    await index.callObject(source, messages.endSplit, { generation });
    return 'ended';
  }
  if (split.phase === 'steady' && until === 'chunk-end') return 'idle';
  const into = await describeShard(index, split.object);
  if (into?.state.state !== 'open') return 'idle';
  switch (split.phase) {
    case 'steady':
      return freezeOrFinish(index, source, from, into);
    case 'frozen':
      await copyChunk(index, { source, generation }, split.object, into.state.generation);
      return 'again';
    case 'released':
      if (!isTaken(into.state, split))
        await index.callObject(split.object, messages.takeKeys, {
          ...split.chunk,
          generation: into.state.generation,
          tenure: split.tenure,
          versioned: from.state.versioned,
        });
      await trim(index, source, generation);
      return 'again';
  }
}

/** Chunks go from the uppermost downwards. */
function isTaken({ range }: ShardState, { chunk }: Split): boolean {
  return range !== undefined && compareBytes(range.begin, chunk.begin) <= 0;
}

/** Until both hold as much. */
async function freezeOrFinish(
  index: IndexObjects,
  source: string,
  from: ShardFacts,
  into: ShardFacts,
): Promise<Advance> {
  const { generation } = from.state;
  const rows = Math.floor((from.counts.entries - into.counts.entries) / 2);
  if (rows > 0) {
    const call = { generation, rows };
    const { outcome } = await index.callObject(source, messages.freezeKeys, call);
    if (outcome !== 'indivisible') return 'again';
  }
  // Nothing went yet, and there is nothing to go: it may be otherwise later.
  if (into.state.range === undefined) return 'idle';
  await index.callObject(source, messages.finishSplit, { generation });
  return 'again';
}

type FrozenPage = Carried<typeof messages.listFrozen.result>;
type Cursor = Extract<FrozenPage, { readonly kind: 'page' }>['next'];

async function copyChunk(
  index: IndexObjects,
  from: { readonly source: string; readonly generation: number },
  object: string,
  generation: number,
): Promise<void> {
  let cursor: Cursor;
  do {
    const page: FrozenPage = await index.callObject(from.source, messages.listFrozen, {
      generation: from.generation,
      cursor,
    });
    if (page.kind === 'changed') return;
    const { outcome } = await index.callObject(object, messages.installRows, {
      generation,
      rows: page.rows,
    });
    if (outcome === 'changed') return;
    cursor = page.next;
  } while (cursor !== undefined);
  await index.callObject(from.source, messages.releaseKeys, { generation: from.generation });
}

async function trim(index: IndexObjects, source: string, generation: number): Promise<void> {
  let outcome: Carried<typeof messages.trimKeys.result>['outcome'];
  do ({ outcome } = await index.callObject(source, messages.trimKeys, { generation }));
  while (outcome === 'more');
}

/** Steps that somebody takes who waits for a key, before it looks again. */
const stepsPerHelp = 12;

/** Brings the chunk that is under way to its end. */
export async function finishChunk(
  index: IndexObjects,
  bucket: BucketName,
  source: string,
): Promise<void> {
  for (let count = 0; count < stepsPerHelp; count++)
    if ((await advanceSplit(index, bucket, source, 'chunk-end')) !== 'again') return;
}
