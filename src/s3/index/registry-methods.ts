// The methods of the object `buckets`: names, configurations, writers that every shard refuses.

import { afterKey, compareBytes, equalBytes } from '../../base/bytes.ts';
import type { MethodRow, MethodView, RowEffect } from '../../base/method.ts';
import {
  configurationBytesMax,
  documentBytesMax,
  documentsMax,
  sizeOfDocuments,
} from './bucket-documents.ts';
import { notifiedFormat } from './event-format.ts';
import {
  type BucketRecord,
  bucketFormat,
  configurationFormat,
  longReadFormat,
  masterKeyFormat,
  shardObject,
  trashedFormat,
} from './format.ts';
import * as messages from './messages.ts';
import { define, later, put, remove } from './method.ts';
import {
  bucketRow,
  cancelledEverywhereRow,
  configurationRow,
  firstBucketRow,
  firstTrashedRow,
  isTrashedName,
  longReadRow,
  masterKeyRow,
  notifiedRow,
  removedBucketRow,
  restoredRow,
  sweptRow,
  trashedRow,
} from './rows.ts';
import { addWriters, readWriters } from './shard.ts';
import { sameVersion } from './version-id.ts';
import { successor } from './walk.ts';
import { writersExcept } from './writer-ranges.ts';

/**
 * A writer cancelled here is looked for in all buckets registered before. Those registered later must refuse it
 * from the start, or its blobs could be deleted under an entry made meanwhile.
 */
export const createBucketMethod = define(messages.createBucket, async (view, argument) => {
  const { name, record, documents } = argument;
  const old = await view.get(bucketRow(name));
  if (old !== undefined) return { result: { kind: 'exists' as const, record: old } };
  const cancelled = await readWriters(view, cancelledEverywhereRow);
  if (writersExcept(cancelled, argument.cancelled).length > 0)
    return { result: { kind: 'behind' as const, cancelled } };
  const effects = [put(bucketRow(name), record)];
  if (documents.length > 0) {
    const { bucketId } = bucketFormat.decode(record);
    effects.push(put(configurationRow(bucketId), configurationFormat.encode({ documents })));
  }
  return { effects, result: { kind: 'created' as const } };
});

/** The record of a bucket by its name, or of one in the trash by what jobs call it. */
async function recordRow(view: MethodView, name: string): Promise<Uint8Array | undefined> {
  const row = await view.get(bucketRow(name));
  return row === undefined || !isTrashedName(name) ? row : trashedFormat.decode(row).record;
}

export const getBucketMethod = define(messages.getBucket, async (view, { name }) => {
  const record = await recordRow(view, name);
  if (record === undefined) return { result: { record, configuration: undefined } };
  const { bucketId } = bucketFormat.decode(record);
  return { result: { record, configuration: await view.get(configurationRow(bucketId)) } };
});

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

export const putBucketDocumentMethod = define(
  messages.putBucketDocument,
  async (view, argument) => {
    const { name, bucketId, document, body } = argument;
    const record = await view.get(bucketRow(name));
    if (record === undefined || bucketFormat.decode(record).bucketId !== bucketId)
      return { result: { outcome: 'no-bucket' as const } };
    const row = configurationRow(bucketId);
    const old = await view.get(row);
    const documents = old === undefined ? [] : configurationFormat.decode(old).documents;
    const bodyOf = (wanted: string): Uint8Array | undefined =>
      documents.find((each) => each.name === wanted)?.body;
    for (const expected of argument.expected)
      if (!sameBytes(bodyOf(expected.document), expected.body))
        return { result: { outcome: 'changed' as const } };
    if (sameBytes(bodyOf(document), body)) return { result: { outcome: 'done' as const } };
    const left = documents.filter((each) => each.name !== document);
    if (body !== undefined) left.push({ name: document, body });
    if (
      left.length > documentsMax ||
      sizeOfDocuments(left) > configurationBytesMax ||
      (body?.length ?? 0) > documentBytesMax
    )
      return { result: { outcome: 'too-large' as const } };
    const effect =
      left.length === 0 ? remove(row) : put(row, configurationFormat.encode({ documents: left }));
    return { effects: [effect], result: { outcome: 'done' as const } };
  },
);

/** Rows of other owners are passed over, a bounded number of them a call. */
export const bucketsPerScan = 1000;

export const listBucketsMethod = define(messages.listBuckets, async (view, argument) => {
  const { owner, prefix, after } = argument;
  const begin = prefix === '' ? firstBucketRow : bucketRow(prefix);
  const limit = Math.max(1, Math.min(argument.limit, bucketsPerScan));
  const rows = await view.scan({
    begin: after === '' ? begin : later(begin, afterKey(bucketRow(after))),
    end: prefix === '' ? firstTrashedRow : successor(bucketRow(prefix)),
    limit: bucketsPerScan,
  });
  const buckets: { name: string; record: Uint8Array }[] = [];
  let next: string | undefined;
  for (const [row, record] of rows) {
    const name = new TextDecoder().decode(row);
    if (bucketFormat.decode(record).owner === owner) buckets.push({ name, record });
    next = name;
    if (buckets.length === limit) return { result: { buckets, next } };
  }
  return { result: { buckets, next: rows.length < bucketsPerScan ? undefined : next } };
});

/** The bucket's record, if the name still means this bucket. */
async function recordOf(
  view: MethodView,
  { name, bucketId }: { readonly name: string; readonly bucketId: string },
): Promise<BucketRecord | undefined> {
  const row = await view.get(bucketRow(name));
  if (row === undefined) return undefined;
  const record = bucketFormat.decode(row);
  return record.bucketId === bucketId ? record : undefined;
}

function removal(name: string, record: BucketRecord): RowEffect[] {
  const { bucketId } = record;
  return [
    remove(bucketRow(name)),
    remove(restoredRow(bucketId)),
    remove(configurationRow(bucketId)),
    put(removedBucketRow(bucketId), bucketFormat.encode(record)),
  ];
}

export const removeBucketMethod = define(messages.removeBucket, async (view, argument) => {
  const record = await recordOf(view, argument);
  return { effects: record === undefined ? [] : removal(argument.name, record), result: {} };
});

export const markRemovingMethod = define(messages.markRemoving, async (view, argument, context) => {
  const record = await recordOf(view, argument);
  if (record === undefined) return { result: { removal: undefined, record: undefined } };
  const marked = bucketFormat.encode({ ...record, removing: context.version });
  return {
    effects: [put(bucketRow(argument.name), marked)],
    result: { removal: context.version, record: marked },
  };
});

export const keepBucketMethod = define(messages.keepBucket, async (view, argument) => {
  const record = await recordOf(view, argument);
  if (record === undefined) return { result: { outcome: 'gone' as const } };
  const kept = put(
    bucketRow(argument.name),
    bucketFormat.encode({ ...record, removing: undefined }),
  );
  return {
    effects: record.removing === undefined ? [] : [kept],
    result: { outcome: 'kept' as const },
  };
});

export const removeMarkedMethod = define(messages.removeMarked, async (view, argument) => {
  const record = await recordOf(view, argument);
  if (record?.removing === undefined || !sameVersion(record.removing, argument.removal))
    return { result: { outcome: 'changed' as const } };
  return {
    effects: removal(argument.name, record),
    result: { outcome: 'removed' as const },
  };
});

/**
 * A writer that is cancelled in every shard must be refused by this one from its first row on: as for a
 * bucket that is registered.
 */
export const addSplitMethod = define(messages.addSplit, async (view, argument) => {
  const { name, bucketId, source, object, cancelled } = argument;
  const record = await recordOf(view, argument);
  if (record === undefined || record.removing !== undefined)
    return { result: { kind: 'changed' as const } };
  const isSource = record.ranges.some((range) => range.object === source);
  const isSplitting = record.splits.some((split) => split.source === source);
  if (!isSource || isSplitting || object !== shardObject(bucketId, record.nextShard))
    return { result: { kind: 'changed' as const } };
  const wanted = await readWriters(view, cancelledEverywhereRow);
  if (writersExcept(wanted, cancelled).length > 0)
    return { result: { kind: 'behind' as const, cancelled: wanted } };
  const changed = {
    ...record,
    nextShard: record.nextShard + 1,
    splits: [...record.splits, { source, object }],
  };
  return {
    effects: [put(bucketRow(name), bucketFormat.encode(changed))],
    result: { kind: 'added' as const },
  };
});

export const commitSplitMethod = define(messages.commitSplit, async (view, argument) => {
  const { name, source, object, beginKey } = argument;
  const record = await recordOf(view, argument);
  const isIt = (split: { readonly source: string; readonly object: string }): boolean =>
    split.source === source && split.object === object;
  if (record?.splits.some(isIt) !== true) return { result: {} };
  const changed = {
    ...record,
    splits: record.splits.filter((split) => !isIt(split)),
    ranges: [...record.ranges, { beginKey, object }].sort((a, b) =>
      compareBytes(a.beginKey, b.beginKey),
    ),
  };
  return { effects: [put(bucketRow(name), bucketFormat.encode(changed))], result: {} };
});

export const masterKeyMethod = define(
  messages.masterKey,
  async (view, { name, proposed }, context) => {
    const row = masterKeyRow(name);
    const old = await view.get(row);
    if (old !== undefined) return { result: { key: masterKeyFormat.decode(old).key } };
    if (proposed === undefined) return { result: { key: undefined } };
    const value = masterKeyFormat.encode({ key: proposed, wallMs: Math.floor(context.wallMs) });
    return { effects: [put(row, value)], result: { key: proposed } };
  },
);

export const listShardsMethod = define(messages.listShards, async (view, argument) => {
  const limit = Math.max(1, Math.min(argument.limit, bucketsPerScan));
  const { after } = argument;
  const rows: MethodRow[] = [];
  // A bucket removed meanwhile goes from the names to the removed ones, so those come last.
  if (after[0] !== 0)
    rows.push(
      ...(await view.scan({
        begin: after.length === 0 ? firstBucketRow : afterKey(after),
        end: firstTrashedRow,
        limit,
      })),
    );
  if (rows.length < limit)
    rows.push(
      ...(await view.scan({
        begin: after[0] === 0 ? afterKey(after) : Uint8Array.of(0),
        end: cancelledEverywhereRow,
        limit: limit - rows.length,
      })),
    );
  return {
    result: {
      buckets: rows.map(([row, record]) => ({ row, removed: row[0] === 0, record })),
      ended: rows.length < limit,
    },
  };
});

export const getWritersMethod = define(messages.getWriters, async (view) => ({
  result: {
    cancelled: await readWriters(view, cancelledEverywhereRow),
    swept: await readWriters(view, sweptRow),
  },
}));

export const addWritersMethod = define(messages.addWriters, async (view, { state, writers }) => ({
  effects: await addWriters(
    view,
    state === 'cancelled' ? cancelledEverywhereRow : sweptRow,
    writers,
  ),
  result: {},
}));

export const forgetBucketMethod = define(messages.forgetBucket, async (_view, { bucketId }) => ({
  effects: [remove(removedBucketRow(bucketId)), remove(notifiedRow(bucketId))],
  result: {},
}));

export const markNotifiedMethod = define(messages.markNotified, async (view, argument) => {
  const { name, bucketId } = argument;
  if ((await recordOf(view, argument)) === undefined)
    return { result: { outcome: 'no-bucket' as const } };
  const row = notifiedRow(bucketId);
  const isMarked = (await view.get(row)) !== undefined;
  return {
    effects: isMarked ? [] : [put(row, notifiedFormat.encode({ name }))],
    result: { outcome: 'done' as const },
  };
});

export const listNotifiedMethod = define(messages.listNotified, async (view, argument) => {
  const limit = Math.max(1, Math.min(argument.limit, bucketsPerScan));
  const rows = await view.scan({
    begin: argument.after === '' ? notifiedRow('') : afterKey(notifiedRow(argument.after)),
    end: successor(notifiedRow('')),
    limit,
  });
  const buckets: { bucketId: string; record: Uint8Array | undefined }[] = [];
  for (const [row, value] of rows) {
    const bucketId = new TextDecoder().decode(row.subarray(1));
    const { name } = notifiedFormat.decode(value);
    const places = [bucketRow(name), removedBucketRow(bucketId), trashedRow(bucketId)];
    const [named, removed, inTrash] = await view.getMany(places);
    const isNamed = named !== undefined && bucketFormat.decode(named).bucketId === bucketId;
    const other = inTrash === undefined ? removed : trashedFormat.decode(inTrash).record;
    buckets.push({ bucketId, record: isNamed ? named : other });
  }
  return { result: { buckets, ended: rows.length < limit } };
});

export const noteLongReadMethod = define(
  messages.noteLongRead,
  async (_view, argument, context) => {
    const row = longReadRow(argument.reader);
    if (argument.ageMs === undefined) return { effects: [remove(row)], result: {} };
    const saidWallMs = Math.floor(context.wallMs);
    const begunWallMs = Math.max(0, saidWallMs - argument.ageMs);
    return { effects: [put(row, longReadFormat.encode({ begunWallMs, saidWallMs }))], result: {} };
  },
);

/** Each is one gateway's. */
const longReadsMax = 1000;

export const oldestReadMethod = define(messages.oldestRead, async (view, { staleMs }, context) => {
  const begin = longReadRow('');
  const rows = await view.scan({ begin, end: successor(begin), limit: longReadsMax });
  const nowMs = Math.floor(context.wallMs);
  const effects: RowEffect[] = [];
  let ageMs: number | undefined;
  for (const [row, value] of rows) {
    const { begunWallMs, saidWallMs } = longReadFormat.decode(value);
    // A clock that was put back must not keep it for ever.
    if (Math.abs(nowMs - saidWallMs) > staleMs) effects.push(remove(row));
    else ageMs = Math.max(ageMs ?? 0, nowMs - begunWallMs);
  }
  return { effects, result: { ageMs } };
});
