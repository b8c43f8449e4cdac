// The methods of the trash for buckets: in the registry, what goes in and comes out, and how all buckets are walked so
// that none of them is missed on its way; in a shard, that requests are kept out.
//
// A walk goes by names, then what is in the trash, then what came back from there, then what is being removed: buckets
// move in this direction only. One that is restored gets a row behind the trash beside its name again, so that a
// walk that had passed the names meets it there.

import { afterKey } from '../../base/bytes.ts';
import type { MethodView, RowEffect } from '../../base/method.ts';
import { notifiedFormat } from './event-format.ts';
import { bucketFormat, restoredFormat, type TrashedBucket, trashedFormat } from './format.ts';
import * as messages from './messages.ts';
import { define, put, remove } from './method.ts';
import { bucketsPerScan } from './registry-methods.ts';
import {
  bucketRow,
  cancelledEverywhereRow,
  configurationRow,
  firstBucketRow,
  firstRestoredRow,
  firstTrashedRow,
  notifiedRow,
  removedBucketRow,
  restoredRow,
  trashedName,
  trashedRow,
} from './rows.ts';
import { putState, readShard } from './shard.ts';
import { sameVersion } from './version-id.ts';

/** No walk over all buckets takes longer. */
const restoredKeptMs = 7 * 24 * 3_600_000;

const decoder = new TextDecoder();

async function trashed(view: MethodView, bucketId: string): Promise<TrashedBucket | undefined> {
  const row = await view.get(trashedRow(bucketId));
  return row === undefined ? undefined : trashedFormat.decode(row);
}

export const trashBucketMethod = define(messages.trashBucket, async (view, argument, context) => {
  const { name, bucketId, keepMs } = argument;
  const row = await view.get(bucketRow(name));
  const found = row === undefined ? undefined : bucketFormat.decode(row);
  if (found?.bucketId !== bucketId) return { result: { removal: undefined, record: undefined } };
  const removal = context.version;
  const removedWallMs = Math.floor(context.wallMs);
  // A removal by a client that was under way is off: it finds the name gone.
  const record = bucketFormat.encode({ ...found, removing: undefined });
  const bucket = { name, record, removal, removedWallMs, purgeWallMs: removedWallMs + keepMs };
  return {
    effects: [remove(bucketRow(name)), put(trashedRow(bucketId), trashedFormat.encode(bucket))],
    result: { removal, record },
  };
});

export const restoreBucketMethod = define(messages.restoreBucket, async (view, argument, call) => {
  const { bucketId, name } = argument;
  const none = { removal: undefined, record: undefined };
  const bucket = await trashed(view, bucketId);
  if (bucket === undefined) return { result: { outcome: 'gone' as const, ...none } };
  if ((await view.get(bucketRow(name))) !== undefined)
    return { result: { outcome: 'name-taken' as const, ...none } };
  const { record, removal } = bucket;
  const back = restoredFormat.encode({ name, wallMs: Math.floor(call.wallMs) });
  // Whose events are told is found by its name.
  const isNotified = (await view.get(notifiedRow(bucketId))) !== undefined;
  const notified = isNotified ? [put(notifiedRow(bucketId), notifiedFormat.encode({ name }))] : [];
  return {
    effects: [
      remove(trashedRow(bucketId)),
      put(bucketRow(name), record),
      put(restoredRow(bucketId), back),
      ...notified,
    ],
    result: { outcome: 'restored' as const, removal, record },
  };
});

export const listTrashMethod = define(messages.listTrash, async (view, { after, limit }) => {
  const rows = await view.scan({
    begin: after === '' ? firstTrashedRow : afterKey(trashedRow(after)),
    end: firstRestoredRow,
    limit: Math.max(1, Math.min(limit, bucketsPerScan)),
  });
  const buckets = rows.map(([row, bucket]) => ({
    bucketId: decoder.decode(row.subarray(1)),
    bucket,
  }));
  return { result: { buckets, ended: rows.length < limit } };
});

export const purgeBucketMethod = define(messages.purgeBucket, async (view, argument, call) => {
  const { bucketId, fenced } = argument;
  const effects: RowEffect[] = [];
  const bucket = await trashed(view, bucketId);
  if (bucket !== undefined && fenced && call.wallMs >= bucket.purgeWallMs)
    effects.push(
      remove(trashedRow(bucketId)),
      remove(restoredRow(bucketId)),
      remove(configurationRow(bucketId)),
      put(removedBucketRow(bucketId), bucket.record),
    );
  const row = await view.get(restoredRow(bucketId));
  const isOld =
    row !== undefined && call.wallMs - restoredFormat.decode(row).wallMs > restoredKeptMs;
  if (effects.length === 0 && isOld) effects.push(remove(restoredRow(bucketId)));
  return { effects, result: { removal: bucket?.removal } };
});

interface Walked {
  readonly name: string;
  readonly state: 'named' | 'trashed' | 'restored' | 'removed';
  readonly record: Uint8Array;
}

/** Where the bucket of a row is now; undefined: being removed, and met there. */
async function walked(
  view: MethodView,
  row: Uint8Array,
  value: Uint8Array,
): Promise<Walked | undefined> {
  if (row[0] === 0) return { name: '', state: 'removed', record: value };
  const id = decoder.decode(row.subarray(1));
  if (row[0] === firstTrashedRow[0])
    return { name: trashedName(id), state: 'trashed', record: trashedFormat.decode(value).record };
  if (row[0] !== firstRestoredRow[0])
    return { name: decoder.decode(row), state: 'named', record: value };
  return cameBack(view, id, value);
}

async function cameBack(
  view: MethodView,
  id: string,
  value: Uint8Array,
): Promise<Walked | undefined> {
  const { name } = restoredFormat.decode(value);
  const record = await view.get(bucketRow(name));
  if (record !== undefined && bucketFormat.decode(record).bucketId === id)
    return { name, state: 'restored', record };
  const bucket = await trashed(view, id);
  return bucket && { name: trashedName(id), state: 'trashed', record: bucket.record };
}

export const locateBucketMethod = define(messages.locateBucket, async (view, { bucketId }) => {
  const bucket = await trashed(view, bucketId);
  if (bucket !== undefined) return { result: { record: bucket.record } };
  const row = await view.get(restoredRow(bucketId));
  const back = row === undefined ? undefined : await cameBack(view, bucketId, row);
  return { result: { record: back?.record } };
});

export const walkBucketsMethod = define(messages.walkBuckets, async (view, { after, limit }) => {
  const count = Math.max(1, Math.min(limit, bucketsPerScan));
  const isRemoved = after[0] === 0;
  const begin = after.length === 0 ? firstBucketRow : afterKey(after);
  const rows = isRemoved ? [] : [...(await view.scan({ begin, end: undefined, limit: count }))];
  if (rows.length < count)
    rows.push(
      ...(await view.scan({
        begin: isRemoved ? afterKey(after) : Uint8Array.of(0),
        end: cancelledEverywhereRow,
        limit: count - rows.length,
      })),
    );
  const buckets: Walked[] = [];
  for (const [row, value] of rows) {
    const bucket = await walked(view, row, value);
    if (bucket !== undefined) buckets.push(bucket);
  }
  return { result: { buckets, next: rows.length < count ? undefined : rows.at(-1)?.[0] } };
});

export const trashShardMethod = define(messages.trashShard, async (view, { removal }) => {
  const { state } = await readShard(view);
  const isIn = state?.state === 'open' || state?.state === 'closing';
  // Of an earlier removal, which ended without this shard: what still ends that one must not open it any more.
  const isOlder =
    state?.state === 'trashed' &&
    state.closing !== undefined &&
    !sameVersion(state.closing, removal);
  return {
    effects: isIn || isOlder ? [putState({ ...state, state: 'trashed', closing: removal })] : [],
    result: {},
  };
});

export const untrashShardMethod = define(messages.untrashShard, async (view, { removal }) => {
  const { state } = await readShard(view);
  const isIt =
    state?.state === 'trashed' &&
    state.closing !== undefined &&
    sameVersion(state.closing, removal);
  return {
    effects: isIt ? [putState({ ...state, state: 'open', closing: undefined })] : [],
    result: {},
  };
});
