// The methods of the object `buckets`: names, configurations, writers that every shard refuses.

import { afterKey, equalBytes } from '../../base/bytes.ts';
import type { MethodRow } from '../../base/method.ts';
import {
  configurationBytesMax,
  documentBytesMax,
  documentsMax,
  sizeOfDocuments,
} from './bucket-documents.ts';
import { bucketFormat, configurationFormat, masterKeyFormat } from './format.ts';
import * as messages from './messages.ts';
import { define, later, put, remove } from './method.ts';
import {
  bucketRow,
  cancelledEverywhereRow,
  configurationRow,
  firstBucketRow,
  masterKeyRow,
  removedBucketRow,
  sweptRow,
} from './rows.ts';
import { addWriters, readWriters } from './shard.ts';
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

export const getBucketMethod = define(messages.getBucket, async (view, { name }) => {
  const record = await view.get(bucketRow(name));
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
    end: prefix === '' ? undefined : successor(bucketRow(prefix)),
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

export const removeBucketMethod = define(
  messages.removeBucket,
  async (view, { name, bucketId }) => {
    const record = await view.get(bucketRow(name));
    if (record === undefined || bucketFormat.decode(record).bucketId !== bucketId)
      return { result: {} };
    return {
      effects: [
        remove(bucketRow(name)),
        remove(configurationRow(bucketId)),
        put(removedBucketRow(bucketId), record),
      ],
      result: {},
    };
  },
);

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
        end: undefined,
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
  effects: [remove(removedBucketRow(bucketId))],
  result: {},
}));
