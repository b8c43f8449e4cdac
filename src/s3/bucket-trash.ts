// Buckets that their operator removes with everything in them, and takes back: the steps over registry and shards. The
// registry decides, in one call each; shards are told afterwards, by whoever comes next where somebody died between.

import { type Clock, sleep } from '../env/clock.ts';
import { bucketFormat, shardsOf, type TrashedBucket, trashedFormat } from './index/format.ts';
import { rememberedMsMax } from './index/index-client.ts';
import * as messages from './index/messages.ts';
import { trashedName } from './index/rows.ts';
import { bucketsObject, type IndexObjects } from './index/shard-split.ts';
import { isBucketName } from './protocol/bucket-name.ts';

export interface InTrash {
  readonly bucketId: string;
  readonly name: string;
  readonly removedMs: number;
  /** From then on it is emptied. */
  readonly purgeMs: number;
}

const bucketsPerCall = 100;

/** Undefined: there is no such bucket. Requests that were under way may still end in it. */
export async function putIntoTrash(
  index: IndexObjects,
  bucket: { readonly name: string; readonly bucketId: string },
  keepMs: number,
): Promise<'done' | undefined> {
  const call = { ...bucket, keepMs };
  const answer = await index.callObject(bucketsObject, messages.trashBucket, call);
  const { removal, record } = answer;
  if (removal === undefined || record === undefined) return undefined;
  for (const object of shardsOf(bucketFormat.decode(record)))
    await index.callObject(object, messages.trashShard, { removal });
  return 'done';
}

/** In order of bucket ids. */
async function* everyTrashed(
  index: IndexObjects,
): AsyncGenerator<TrashedBucket & { readonly bucketId: string }> {
  for (let after = ''; ; ) {
    const call = { after, limit: bucketsPerCall };
    const page = await index.callObject(bucketsObject, messages.listTrash, call);
    for (const { bucketId, bucket } of page.buckets)
      yield { bucketId, ...trashedFormat.decode(bucket) };
    const last = page.buckets.at(-1);
    if (page.ended || last === undefined) return;
    after = last.bucketId;
  }
}

/** In order of bucket ids. */
export async function listTrash(index: IndexObjects): Promise<readonly InTrash[]> {
  const all: InTrash[] = [];
  for await (const { bucketId, name, removedWallMs, purgeWallMs } of everyTrashed(index))
    all.push({ bucketId, name, removedMs: removedWallMs, purgeMs: purgeWallMs });
  return all;
}

/**
 * Tells the shards of buckets that had this name and are in the trash: before the name means another one, and should
 * whoever removed them have died, or be just about to. A gateway that still goes by the name is refused from then on.
 */
export async function shutNamesakes(index: IndexObjects, name: string): Promise<void> {
  for await (const { name: had, removal, record } of everyTrashed(index)) {
    if (had !== name) continue;
    for (const object of shardsOf(bucketFormat.decode(record)))
      await index.callObject(object, messages.trashShard, { removal });
  }
}

export type Restored =
  | { readonly kind: 'restored'; readonly name: string; readonly bucketId: string }
  | { readonly kind: 'not-in-trash' | 'name-taken' | 'bad-name' };

/** Two clocks count the same time one percent apart at most. */
const forgottenMs = rememberedMsMax * 1.02;

/**
 * Of several buckets that had the name, the one removed last; `~ID` names one of them. Under `as`, or its own name: another
 * takes two seconds, for until then a gateway may still go to its shards by the name that it had.
 */
export async function takeFromTrash(
  { index, clock }: { readonly index: IndexObjects; readonly clock: Clock },
  name: string,
  as: string | undefined,
): Promise<Restored> {
  const [newest] = (await listTrash(index))
    .filter((each) => each.name === name || trashedName(each.bucketId) === name)
    .sort((a, b) => b.removedMs - a.removedMs);
  if (newest === undefined) return { kind: 'not-in-trash' };
  const { bucketId } = newest;
  const call = { bucketId, name: as ?? newest.name };
  if (!isBucketName(call.name)) return { kind: 'bad-name' };
  // It has been in the trash since before this began.
  if (call.name !== newest.name) await sleep(clock, forgottenMs, 's3-restore-renamed');
  await shutNamesakes(index, call.name);
  const answer = await index.callObject(bucketsObject, messages.restoreBucket, call);
  const { outcome, removal, record } = answer;
  if (outcome === 'gone') return { kind: 'not-in-trash' };
  if (outcome === 'name-taken' || removal === undefined || record === undefined)
    return { kind: 'name-taken' };
  for (const object of shardsOf(bucketFormat.decode(record)))
    await index.callObject(object, messages.untrashShard, { removal });
  return { kind: 'restored', ...call };
}
