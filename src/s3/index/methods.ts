// The methods of the S3 index, run by the primary of the PG beside the rows. Pure: rows, argument and
// context in, effects and result out. Calls on a PG run one at a time, so what a method reads is what its effects
// replace: conditions are decided here and nowhere else.
//
// Invariants kept here:
// - nothing is written to a shard without an open state row (a removed bucket stays removed);
// - a blob is listed as garbage in the same call that takes its last reference away, or refuses it;
// - no blob of a cancelled writer is committed (rule 28 of the protocol), also not in a bucket made later.

import { afterKey, compareBytes, equalBytes } from '../../base/bytes.ts';
import { DecodeError, decode } from '../../base/codec.ts';
import type {
  Method,
  MethodContext,
  MethodRow,
  Methods,
  MethodView,
  RowEffect,
} from '../../base/method.ts';
import { matchesEtag, type WriteConditions } from '../protocol/conditions.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import {
  configurationBytesMax,
  documentBytesMax,
  documentsMax,
  sizeOfDocuments,
} from './bucket-documents.ts';
import {
  type BlobRun,
  bucketFormat,
  configurationFormat,
  decodeEntry,
  decodeEntrySummary,
  type Entry,
  encodeEntryDraft,
  garbageFormat,
  type Part,
  partFormat,
  shardStateFormat,
  stampEntry,
  writersFormat,
} from './format.ts';
import type { Call, Refusal } from './messages.ts';
import * as messages from './messages.ts';
import { listReferences } from './references.ts';
import {
  bucketRow,
  cancelledEverywhereRow,
  cancelledRow,
  configurationRow,
  entryRow,
  firstBucketRow,
  garbageRow,
  garbageRowsFrom,
  keyOfEntryRow,
  parseUploadRow,
  partNumberOfRow,
  partRow,
  removedBucketRow,
  rowsOf,
  stateRow,
  sweptRow,
  uploadPrefixRow,
  uploadRow,
} from './rows.ts';
import { endOfDelimiter, successor, walkRows } from './walk.ts';
import { hasWriter, unionOfWriters, type WriterSet, writersExcept } from './writer-ranges.ts';

/** A garbage row stays near 30 kB, so that the collector's step is small. */
const runsPerGarbageRow = 1000;

/** Rows of a shard that may hold a manifest and inline bytes, read at a time. */
const entriesPerRead = 50;

const partsPerScan = 1000;

/** Of any listing, so that a result stays below 4 MiB. */
const pageLimitMax = keysPerRequestMax + 1;

interface Answer<R> {
  readonly effects?: readonly RowEffect[];
  readonly result: R;
}

type Body<A, R> = (view: MethodView, argument: A, context: MethodContext) => Promise<Answer<R>>;

function define<A, R>(call: Call<A, R>, body: Body<A, NoInfer<R>>): readonly [string, Method] {
  return [
    call.name,
    async (view, argument, context) => {
      const answer = await body(view, decode(call.argument, argument), context);
      return {
        effects: answer.effects ?? [],
        result: messages.encodeMessage(call.result, answer.result),
      };
    },
  ];
}

interface Refused {
  readonly kind: 'refused';
  readonly reason: Refusal;
  readonly writer: number | undefined;
}

function refused(reason: Refusal, writer?: number): Refused {
  return { kind: 'refused', reason, writer };
}

function put(key: Uint8Array, value: Uint8Array): RowEffect {
  return { kind: 'put', key, value };
}

function remove(key: Uint8Array): RowEffect {
  return { kind: 'delete', key };
}

function isOpen(state: Uint8Array | undefined): boolean {
  return state !== undefined && shardStateFormat.decode(state).state === 'open';
}

/** Collects what one call makes garbage, in few rows. */
class GarbageList {
  readonly #context: MethodContext;
  readonly #runs: BlobRun[] = [];
  readonly #manifests: { readonly manifestBytes: number; readonly runs: readonly BlobRun[] }[] = [];

  constructor(context: MethodContext) {
    this.#context = context;
  }

  addRuns(runs: readonly BlobRun[]): void {
    for (const run of runs) this.#runs.push(run);
  }

  /** All that an entry alone refers to. */
  addEntry(entry: Entry | undefined): void {
    if (entry === undefined) return;
    const { content } = entry;
    if (content.kind === 'direct') for (const extent of content.extents) this.addRuns(extent.runs);
    if (content.kind === 'indirect') this.#manifests.push(content);
  }

  effects(): RowEffect[] {
    const { wallMs, version } = this.#context;
    const values = this.#manifests.map(({ manifestBytes, runs }) =>
      garbageFormat.encode({ kind: 'manifest', manifestBytes, runs }),
    );
    for (let i = 0; i < this.#runs.length; i += runsPerGarbageRow)
      values.push(
        garbageFormat.encode({
          kind: 'blobs',
          manifestBytes: 0,
          runs: this.#runs.slice(i, i + runsPerGarbageRow),
        }),
      );
    return values.map((value, n) => put(garbageRow(wallMs, version, n), value));
  }
}

/**
 * An entry that can't be read keeps nobody from replacing or deleting it; its blobs, unknown, stay
 * until a listing of blobs against references finds them.
 */
function readEntry(row: Uint8Array | undefined): Entry | undefined {
  if (row === undefined) return undefined;
  try {
    return decodeEntry(row);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function judgeWrite(
  conditions: WriteConditions,
  row: Uint8Array | undefined,
  entry: Entry | undefined,
): Refusal | undefined {
  const etag = entry?.etag ?? '';
  if (conditions.ifMatch !== undefined) {
    if (row === undefined) return 'no-key';
    if (!matchesEtag(conditions.ifMatch, etag)) return 'precondition';
  }
  if (conditions.ifNoneMatch !== undefined && row !== undefined) {
    if (matchesEtag(conditions.ifNoneMatch, etag)) return 'precondition';
  }
  return undefined;
}

async function readWriters(view: MethodView, row: Uint8Array): Promise<WriterSet> {
  const value = await view.get(row);
  return value === undefined ? [] : writersFormat.decode(value).writers;
}

/** Which of the runs' writers may commit nothing here. */
async function cancelledWriter(
  view: MethodView,
  runs: readonly BlobRun[],
): Promise<number | undefined> {
  if (runs.length === 0) return undefined;
  const cancelled = await readWriters(view, cancelledRow);
  return runs.find((run) => hasWriter(cancelled, run.first.incarnation))?.first.incarnation;
}

/** Nothing when all are there already. */
async function addWriters(
  view: MethodView,
  row: Uint8Array,
  writers: WriterSet,
): Promise<readonly RowEffect[]> {
  const known = await readWriters(view, row);
  if (writersExcept(writers, known).length === 0) return [];
  return [put(row, writersFormat.encode({ writers: unionOfWriters(known, writers) }))];
}

/** What the gateway wrote for this entry alone: not the parts of an upload, which the upload owns. */
function ownRuns(entry: Entry): readonly BlobRun[] {
  switch (entry.content.kind) {
    case 'inline':
      return [];
    case 'indirect':
      return entry.content.runs;
    case 'direct':
      return entry.partCount > 0 ? [] : entry.content.extents.flatMap((extent) => extent.runs);
  }
}

const putEntryMethod = define(messages.putEntry, async (view, argument, context) => {
  const row = entryRow(argument.key);
  const [state, oldRow] = await view.getMany([stateRow, row]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  const old = readEntry(oldRow);
  const runs = argument.hasBlobs ? ownRuns(decodeEntry(argument.entry)) : [];
  const garbage = new GarbageList(context);
  let reason = judgeWrite(argument.conditions, oldRow, old);
  const writer = await cancelledWriter(view, runs);
  if (reason === undefined && writer !== undefined) reason = 'cancelled';
  if (reason !== undefined) {
    garbage.addRuns(runs);
    return { effects: garbage.effects(), result: refused(reason, writer) };
  }
  garbage.addEntry(old);
  const { version } = context;
  return {
    effects: [put(row, stampEntry(argument.entry, version, version)), ...garbage.effects()],
    result: { kind: 'committed' as const, version },
  };
});

const getEntryMethod = define(messages.getEntry, async (view, { key }) => {
  const [state, entry] = await view.getMany([stateRow, entryRow(key)]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  return { result: { kind: 'read' as const, entry } };
});

const deleteEntriesMethod = define(messages.deleteEntries, async (view, { items }, context) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  const garbage = new GarbageList(context);
  const effects: RowEffect[] = [];
  const outcomes: ('deleted' | 'absent' | 'precondition')[] = [];
  const deleted = new Set<string>();
  for (let i = 0; i < items.length; i += entriesPerRead) {
    const page = items.slice(i, i + entriesPerRead);
    const rows = await view.getMany(page.map((item) => entryRow(item.key)));
    for (const [j, item] of page.entries()) {
      const name = item.key.join();
      const row = deleted.has(name) ? undefined : rows[j];
      const entry = readEntry(row);
      if (row === undefined) {
        outcomes.push('absent');
      } else if (item.ifMatch !== undefined && !matchesEtag(item.ifMatch, entry?.etag ?? '')) {
        outcomes.push('precondition');
      } else {
        outcomes.push('deleted');
        deleted.add(name);
        garbage.addEntry(entry);
        effects.push(remove(entryRow(item.key)));
      }
    }
  }
  return {
    effects: [...effects, ...garbage.effects()],
    result: { kind: 'done' as const, outcomes },
  };
});

const putTagsMethod = define(messages.putTags, async (view, { key, tags }, context) => {
  const row = entryRow(key);
  const [state, old] = await view.getMany([stateRow, row]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  if (old === undefined) return { result: refused('no-key') };
  const entry = decodeEntry(old);
  const changed = stampEntry(encodeEntryDraft({ ...entry, tags }), entry.version, context.version);
  return { effects: [put(row, changed)], result: { kind: 'done' as const } };
});

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) >= 0 ? a : b;
}

const listEntriesMethod = define(messages.listEntries, async (view, argument) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  const { prefix, delimiter, after } = argument;
  const prefixRow = entryRow(prefix);
  const rowAfterPrefix = (group: Uint8Array): Uint8Array => successor(entryRow(group));
  // A group that holds `after` is not greater than it, so it has been listed.
  const inPrefix =
    after.length >= prefix.length && equalBytes(after.subarray(0, prefix.length), prefix);
  const groupEnd = inPrefix ? endOfDelimiter(after, delimiter, prefix.length) : undefined;
  const afterRow =
    groupEnd === undefined ? afterKey(entryRow(after)) : rowAfterPrefix(after.slice(0, groupEnd));
  const { items, ended } = await walkRows(view, {
    begin: after.length === 0 ? prefixRow : later(prefixRow, afterRow),
    end: successor(prefixRow),
    prefix,
    delimiter,
    limit: Math.min(argument.limit, pageLimitMax),
    keyOf: keyOfEntryRow,
    rowAfterPrefix,
  });
  return {
    result: {
      kind: 'page' as const,
      ended,
      items: items.map((item) => {
        if (item.kind === 'prefix') return item;
        const { sizeBytes, etag, wallMs, checksum } = listedSummary(item.row[1]);
        return { kind: 'entry' as const, key: item.key, sizeBytes, etag, wallMs, checksum };
      }),
    },
  };
});

/** A damaged entry is listed, so that it can be found and deleted. */
function listedSummary(row: Uint8Array): ReturnType<typeof decodeEntrySummary> {
  try {
    return decodeEntrySummary(row);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { sizeBytes: 0, etag: '', wallMs: 0, checksum: undefined };
  }
}

const createUploadMethod = define(messages.createUpload, async (view, argument) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  return {
    effects: [put(uploadRow(argument.key, argument.uploadId), argument.upload)],
    result: { kind: 'done' as const },
  };
});

const getUploadMethod = define(messages.getUpload, async (view, { key, uploadId }) => {
  const [state, upload] = await view.getMany([stateRow, uploadRow(key, uploadId)]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  if (upload === undefined) return { result: refused('no-upload') };
  return { result: { kind: 'read' as const, upload } };
});

const putPartMethod = define(messages.putPart, async (view, argument, context) => {
  const row = partRow(argument.uploadId, argument.partNumber);
  const [state, upload, old] = await view.getMany([
    stateRow,
    uploadRow(argument.key, argument.uploadId),
    row,
  ]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  const garbage = new GarbageList(context);
  const writer = await cancelledWriter(view, argument.runs);
  if (upload === undefined || writer !== undefined) {
    garbage.addRuns(argument.runs);
    return {
      effects: garbage.effects(),
      result: refused(upload === undefined ? 'no-upload' : 'cancelled', writer),
    };
  }
  if (old !== undefined) garbage.addRuns(partFormat.decode(old).runs);
  const part = partFormat.encode({ ...argument, version: context.version });
  return { effects: [put(row, part), ...garbage.effects()], result: { kind: 'done' as const } };
});

async function scanParts(
  view: MethodView,
  uploadId: string,
): Promise<
  readonly { readonly row: Uint8Array; readonly partNumber: number; readonly part: Part }[]
> {
  const parts: { row: Uint8Array; partNumber: number; part: Part }[] = [];
  const end = successor(partRow(uploadId, 0xffff));
  let begin = partRow(uploadId, 0);
  while (true) {
    const rows = await view.scan({ begin, end, limit: partsPerScan });
    for (const [row, value] of rows)
      parts.push({ row, partNumber: partNumberOfRow(row), part: partFormat.decode(value) });
    const last = rows.at(-1);
    if (last === undefined || rows.length < partsPerScan) return parts;
    begin = afterKey(last[0]);
  }
}

const listPartsMethod = define(messages.listParts, async (view, argument) => {
  const { key, uploadId } = argument;
  const [state, upload] = await view.getMany([stateRow, uploadRow(key, uploadId)]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  if (upload === undefined) return { result: refused('no-upload') };
  const limit = Math.max(1, Math.min(argument.limit, pageLimitMax));
  const rows = await view.scan({
    begin: partRow(uploadId, Math.min(argument.after + 1, 0xffff)),
    end: successor(partRow(uploadId, 0xffff)),
    limit,
  });
  const parts = rows.map(([row, part]) => ({ partNumber: partNumberOfRow(row), part }));
  return { result: { kind: 'page' as const, upload, parts, ended: rows.length < limit } };
});

const completeUploadMethod = define(messages.completeUpload, async (view, argument, context) => {
  const row = entryRow(argument.key);
  const uploadKey = uploadRow(argument.key, argument.uploadId);
  const [state, upload, oldRow] = await view.getMany([stateRow, uploadKey, row]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  const old = readEntry(oldRow);
  const runs = ownRuns(decodeEntry(argument.entry));
  const refusedEffects = (): RowEffect[] => {
    const garbage = new GarbageList(context);
    garbage.addRuns(runs);
    return garbage.effects();
  };
  if (upload === undefined) {
    const result =
      oldRow !== undefined && old?.uploadId === argument.uploadId
        ? { kind: 'already' as const, entry: oldRow }
        : refused('no-upload');
    return { effects: refusedEffects(), result };
  }
  let reason = judgeWrite(argument.conditions, oldRow, old);
  const writer = await cancelledWriter(view, runs);
  if (reason === undefined && writer !== undefined) reason = 'cancelled';
  const wanted = new Map(argument.parts.map((part) => [part.partNumber, part.version]));
  const found = await scanParts(view, argument.uploadId);
  let matched = 0;
  const garbage = new GarbageList(context);
  for (const { partNumber, part } of found) {
    const version = wanted.get(partNumber);
    if (version === undefined) garbage.addRuns(part.runs);
    else if (version.tenure === part.version.tenure && version.sequence === part.version.sequence)
      matched++;
  }
  if (reason === undefined && matched !== wanted.size) reason = 'parts-changed';
  if (reason !== undefined) return { effects: refusedEffects(), result: refused(reason, writer) };
  garbage.addEntry(old);
  const { version } = context;
  return {
    effects: [
      put(row, stampEntry(argument.entry, version, version)),
      remove(uploadKey),
      ...found.map((part) => remove(part.row)),
      ...garbage.effects(),
    ],
    result: { kind: 'committed' as const, version },
  };
});

async function abort(
  view: MethodView,
  uploadKey: Uint8Array,
  uploadId: string,
  context: MethodContext,
): Promise<RowEffect[]> {
  const garbage = new GarbageList(context);
  const parts = await scanParts(view, uploadId);
  for (const { part } of parts) garbage.addRuns(part.runs);
  return [remove(uploadKey), ...parts.map((part) => remove(part.row)), ...garbage.effects()];
}

const abortUploadMethod = define(messages.abortUpload, async (view, argument, context) => {
  const uploadKey = uploadRow(argument.key, argument.uploadId);
  const [state, upload] = await view.getMany([stateRow, uploadKey]);
  if (!isOpen(state)) return { result: refused('no-bucket') };
  if (upload === undefined) return { result: refused('no-upload') };
  return {
    effects: await abort(view, uploadKey, argument.uploadId, context),
    result: { kind: 'done' as const },
  };
});

const listUploadsMethod = define(messages.listUploads, async (view, argument) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  const { prefix, delimiter, keyMarker, uploadIdMarker } = argument;
  const prefixRow = uploadPrefixRow(prefix);
  const rowAfterPrefix = (group: Uint8Array): Uint8Array => successor(uploadPrefixRow(group));
  const inPrefix =
    keyMarker.length >= prefix.length && equalBytes(keyMarker.subarray(0, prefix.length), prefix);
  const groupEnd = inPrefix ? endOfDelimiter(keyMarker, delimiter, prefix.length) : undefined;
  let after: Uint8Array;
  if (groupEnd !== undefined) after = rowAfterPrefix(keyMarker.slice(0, groupEnd));
  else if (uploadIdMarker !== '') after = afterKey(uploadRow(keyMarker, uploadIdMarker));
  // Upload ids are hexadecimal: this is after the key's last upload and before any longer key's first.
  else after = uploadRow(keyMarker, 'g');
  const { items, ended } = await walkRows(view, {
    begin: keyMarker.length === 0 ? prefixRow : later(prefixRow, after),
    end: successor(prefixRow),
    prefix,
    delimiter,
    limit: Math.min(argument.limit, pageLimitMax),
    keyOf: (row) => parseUploadRow(row).key,
    rowAfterPrefix,
  });
  return {
    result: {
      kind: 'page' as const,
      ended,
      items: items.map((item) =>
        item.kind === 'prefix'
          ? item
          : { kind: 'upload' as const, ...parseUploadRow(item.row[0]), upload: item.row[1] },
      ),
    },
  };
});

/** Also in a sealed shard: its garbage is still collected. */
const addGarbageMethod = define(messages.addGarbage, async (view, { runs }, context) => {
  if ((await view.get(stateRow)) === undefined) return { result: refused('no-bucket') };
  const garbage = new GarbageList(context);
  garbage.addRuns(runs);
  return { effects: garbage.effects(), result: { kind: 'done' as const } };
});

const listGarbageMethod = define(messages.listGarbage, async (view, argument) => {
  const limit = Math.max(1, Math.min(argument.limit, 100));
  const rows = await view.scan({
    begin: rowsOf('garbage').begin,
    end: garbageRowsFrom(argument.beforeWallMs),
    limit,
  });
  return {
    result: { rows: rows.map(([row, garbage]) => ({ row, garbage })), ended: rows.length < limit },
  };
});

const removeGarbageMethod = define(messages.removeGarbage, async (_view, { rows }) => {
  const { begin, end } = rowsOf('garbage');
  const garbage = rows.filter((row) => compareBytes(row, begin) >= 0 && compareBytes(row, end) < 0);
  return { effects: garbage.map(remove), result: {} };
});

const cancelWritersMethod = define(messages.cancelWriters, async (view, { writers }) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  return {
    effects: await addWriters(view, cancelledRow, writers),
    result: { kind: 'done' as const },
  };
});

/** Also in a sealed shard, and in one that is gone: then there is nothing. */
const listReferencesMethod = define(messages.listReferences, async (view, argument) => ({
  result: {
    ...(await listReferences(view, argument)),
    hasShard: (await view.get(stateRow)) !== undefined,
  },
}));

/** Opening an open shard again changes nothing; a sealed one stays sealed. */
const openShardMethod = define(messages.openShard, async (view) => {
  if ((await view.get(stateRow)) !== undefined) return { result: {} };
  return { effects: [put(stateRow, shardStateFormat.encode({ state: 'open' }))], result: {} };
});

const sealShardMethod = define(messages.sealShard, async (view) => {
  const state = await view.get(stateRow);
  if (state === undefined) return { result: { outcome: 'no-shard' as const } };
  const entries = await view.scan({ ...rowsOf('key'), limit: 1 });
  if (entries.length > 0) return { result: { outcome: 'not-empty' as const } };
  const sealed = put(stateRow, shardStateFormat.encode({ state: 'sealed' }));
  return { effects: isOpen(state) ? [sealed] : [], result: { outcome: 'sealed' as const } };
});

const sweepShardMethod = define(messages.sweepShard, async (view, _argument, context) => {
  const state = await view.get(stateRow);
  if (state === undefined) return { result: { outcome: 'gone' as const } };
  if (isOpen(state)) return { result: { outcome: 'not-sealed' as const } };
  const [upload] = await view.scan({ ...rowsOf('upload'), limit: 1 });
  if (upload !== undefined) {
    const { uploadId } = parseUploadRow(upload[0]);
    return {
      effects: await abort(view, upload[0], uploadId, context),
      result: { outcome: 'more' as const },
    };
  }
  const garbage = await view.scan({ ...rowsOf('garbage'), limit: 1 });
  if (garbage.length > 0) return { result: { outcome: 'waiting-for-garbage' as const } };
  return {
    effects: [remove(cancelledRow), remove(stateRow)],
    result: { outcome: 'gone' as const },
  };
});

/**
 * A writer cancelled here is looked for in all buckets registered before. Those registered later must refuse it
 * from the start, or its blobs could be deleted under an entry made meanwhile.
 */
const createBucketMethod = define(messages.createBucket, async (view, argument) => {
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

const getBucketMethod = define(messages.getBucket, async (view, { name }) => {
  const record = await view.get(bucketRow(name));
  if (record === undefined) return { result: { record, configuration: undefined } };
  const { bucketId } = bucketFormat.decode(record);
  return { result: { record, configuration: await view.get(configurationRow(bucketId)) } };
});

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

const putBucketDocumentMethod = define(messages.putBucketDocument, async (view, argument) => {
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
});

/** Rows of other owners are passed over, a bounded number of them a call. */
const bucketsPerScan = 1000;

const listBucketsMethod = define(messages.listBuckets, async (view, argument) => {
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

const removeBucketMethod = define(messages.removeBucket, async (view, { name, bucketId }) => {
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
});

const listShardsMethod = define(messages.listShards, async (view, argument) => {
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

const getWritersMethod = define(messages.getWriters, async (view) => ({
  result: {
    cancelled: await readWriters(view, cancelledEverywhereRow),
    swept: await readWriters(view, sweptRow),
  },
}));

const addWritersMethod = define(messages.addWriters, async (view, { state, writers }) => ({
  effects: await addWriters(
    view,
    state === 'cancelled' ? cancelledEverywhereRow : sweptRow,
    writers,
  ),
  result: {},
}));

const forgetBucketMethod = define(messages.forgetBucket, async (_view, { bucketId }) => ({
  effects: [remove(removedBucketRow(bucketId))],
  result: {},
}));

export const s3Methods: Methods = new Map([
  putEntryMethod,
  getEntryMethod,
  deleteEntriesMethod,
  putTagsMethod,
  listEntriesMethod,
  createUploadMethod,
  getUploadMethod,
  putPartMethod,
  listPartsMethod,
  completeUploadMethod,
  abortUploadMethod,
  listUploadsMethod,
  addGarbageMethod,
  listGarbageMethod,
  removeGarbageMethod,
  cancelWritersMethod,
  listReferencesMethod,
  openShardMethod,
  sealShardMethod,
  sweepShardMethod,
  createBucketMethod,
  getBucketMethod,
  putBucketDocumentMethod,
  listBucketsMethod,
  removeBucketMethod,
  listShardsMethod,
  getWritersMethod,
  addWritersMethod,
  forgetBucketMethod,
]);
