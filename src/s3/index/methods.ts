// The methods of the S3 index, run by the primary of the PG beside the rows. Pure: rows, argument and
// context in, effects and result out. Calls on a PG run one at a time, so what a method reads is what its effects
// replace: conditions are decided here and nowhere else.
//
// Invariants kept here:
// - nothing is written to a shard without an open state row (a removed bucket stays removed);
// - versions of a key are ordered by the calls that put them (`key-versions.ts`), never by time;
// - a blob is listed as garbage in the same call that takes its last reference away, or refuses it;
// - no blob of a cancelled writer is committed (rule 28 of the protocol), also not in a bucket made later.

import { afterKey, compareBytes, emptyBytes, equalBytes, formatHex } from '../../base/bytes.ts';
import { type Carried, DecodeError, decode } from '../../base/codec.ts';
import type {
  Method,
  MethodContext,
  MethodRow,
  Methods,
  MethodView,
  RowEffect,
  Version,
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
  decodeEntryVersion,
  type Entry,
  type EntryBody,
  encodeEntryDraft,
  masterKeyFormat,
  type Part,
  partFormat,
  type Retention,
  shardStateFormat,
  stampEntry,
  writersFormat,
} from './format.ts';
import { GarbageList } from './garbage-list.ts';
import {
  type Changes,
  type FoundVersion,
  isDeleteMarker,
  KeyVersions,
  readEntry,
  type Versioning,
} from './key-versions.ts';
import type { Call, Refusal } from './messages.ts';
import * as messages from './messages.ts';
import { listLocated, listReferences } from './references.ts';
import {
  bucketRow,
  cancelledEverywhereRow,
  cancelledRow,
  configurationRow,
  entryRow,
  firstBucketRow,
  garbageRowsFrom,
  keyOfEntryRow,
  masterKeyRow,
  olderPrefixRow,
  olderRow,
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
import { sameVersion, type VersionId } from './version-id.ts';
import { endOfDelimiter, successor, walkRows } from './walk.ts';
import { VersionWalk, type WalkedVersion } from './walk-versions.ts';
import { hasWriter, unionOfWriters, type WriterSet, writersExcept } from './writer-ranges.ts';

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

/** Whether a version must stay: `compliant` when nobody may say otherwise. */
function lockOf(
  entry: Entry | undefined,
  context: MethodContext,
): 'none' | 'governance' | 'compliant' {
  if (entry === undefined) return 'none';
  if (entry.legalHold === true) return 'compliant';
  if (entry.retention === undefined || entry.retention.untilMs <= context.wallMs) return 'none';
  return entry.retention.mode === 'COMPLIANCE' ? 'compliant' : 'governance';
}

interface Shard {
  readonly isOpen: boolean;
  readonly versioned: boolean;
}

function readShard(state: Uint8Array | undefined): Shard {
  if (state === undefined) return { isOpen: false, versioned: false };
  const shard = shardStateFormat.decode(state);
  return { isOpen: shard.state === 'open', versioned: shard.versioned };
}

/**
 * A gateway may not know yet that the bucket keeps versions, or did: then nothing is replaced that a bucket
 * with suspended versioning would keep.
 */
function versioningOf(shard: Shard, versioning: Versioning): Versioning {
  return versioning === 'off' && shard.versioned ? 'suspended' : versioning;
}

/** From its first versioned call on, a shard looks for other versions. */
function markVersioned(shard: Shard, versioning: Versioning): readonly RowEffect[] {
  if (shard.versioned || versioning === 'off') return [];
  return [put(stateRow, shardStateFormat.encode({ state: 'open', versioned: true }))];
}

function parseId(id: { readonly kind: string } | undefined): VersionId | undefined {
  if (id === undefined) return undefined;
  return id.kind === 'null' ? 'null' : (id as unknown as Version);
}

async function loadKey(
  view: MethodView,
  key: Uint8Array,
  versioned: boolean,
): Promise<KeyVersions> {
  const [versions] = await KeyVersions.load(view, [key], versioned);
  if (versions === undefined) throw new RangeError('one key is loaded');
  return versions;
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
  const [state, current] = await view.getMany([stateRow, entryRow(argument.key)]);
  const shard = readShard(state);
  if (!shard.isOpen) return { result: refused('no-bucket') };
  const versioning = versioningOf(shard, argument.versioning);
  const versioned = shard.versioned || versioning !== 'off';
  const key = versioned
    ? await loadKey(view, argument.key, versioned)
    : KeyVersions.ofCurrent(view, argument.key, current);
  const old = key.entryOf(key.current);
  const runs = argument.hasBlobs ? ownRuns(decodeEntry(argument.entry)) : [];
  const garbage = new GarbageList(context);
  let reason = judgeWrite(argument.conditions, key.current, old);
  const writer = await cancelledWriter(view, runs);
  if (
    reason === undefined &&
    lockOf(key.entryOf(await key.replacedBy(versioning)), context) !== 'none'
  )
    reason = 'locked';
  if (reason === undefined && writer !== undefined) reason = 'cancelled';
  if (reason !== undefined) {
    garbage.addRuns(runs);
    return { effects: garbage.effects(), result: refused(reason, writer) };
  }
  await key.put(argument.entry, versioning, { context, garbage, versioned });
  return {
    effects: [...markVersioned(shard, versioning), ...key.effects(), ...garbage.effects()],
    result: { kind: 'committed' as const, version: context.version },
  };
});

const getEntryMethod = define(messages.getEntry, async (view, argument) => {
  const [state, current] = await view.getMany([stateRow, entryRow(argument.key)]);
  const shard = readShard(state);
  if (!shard.isOpen) return { result: refused('no-bucket') };
  const id = parseId(argument.versionId);
  const read = (entry: Uint8Array | undefined) => ({ result: { kind: 'read' as const, entry } });
  if (id === undefined && (current !== undefined || !shard.versioned)) return read(current);
  const key = await loadKey(view, argument.key, shard.versioned);
  if (id !== undefined) return read((await key.find(id))?.value);
  return read((await key.newestOlder())?.[1]);
});

type DeleteItem = Carried<typeof messages.deleteEntries.argument>['items'][number];
type DeleteOutcome = Carried<typeof messages.deleteOutcome>;

/** The conditions of a delete, on the version it is about. */
function judgeDelete(
  item: DeleteItem,
  row: Uint8Array | undefined,
): DeleteOutcome['kind'] | undefined {
  const { ifMatch, ifSizeBytes, ifModifiedMs, ifVersion } = item;
  if (row === undefined) return ifVersion === undefined ? undefined : 'changed';
  const entry = readEntry(row);
  if (ifVersion !== undefined && (entry === undefined || !sameVersion(entry.version, ifVersion)))
    return 'changed';
  if (ifMatch !== undefined && !matchesEtag(ifMatch, entry?.etag ?? '')) return 'precondition';
  if (ifSizeBytes !== undefined && entry?.sizeBytes !== ifSizeBytes) return 'precondition';
  if (ifModifiedMs !== undefined) {
    const seconds = Math.floor((entry?.wallMs ?? 0) / 1000);
    if (seconds !== Math.floor(ifModifiedMs / 1000)) return 'precondition';
  }
  return undefined;
}

async function deleteOne(
  key: KeyVersions,
  item: DeleteItem,
  versioning: Versioning,
  owner: string,
  list: Changes,
): Promise<DeleteOutcome> {
  const { context } = list;
  const outcome = (kind: DeleteOutcome['kind'], marker?: DeleteOutcome['marker']) => ({
    kind,
    marker,
  });
  const isLocked = (row: Uint8Array | undefined): boolean => {
    const lock = lockOf(key.entryOf(row), context);
    return lock === 'compliant' || (lock === 'governance' && !item.bypassGovernance);
  };
  const id = parseId(item.versionId);
  if (id !== undefined) {
    const found = await key.find(id);
    const failed = judgeDelete(item, found?.value);
    if (failed !== undefined) return outcome(failed);
    if (found === undefined) return outcome('absent');
    if (isLocked(found.value)) return outcome('locked');
    const isMarker = isDeleteMarker(found.value);
    const version = isMarker ? decodeEntryVersion(found.value) : undefined;
    await key.remove(found, list);
    return outcome('deleted', version && { version, isNull: id === 'null' });
  }
  const failed = judgeDelete(item, key.current);
  if (failed !== undefined) return outcome(failed);
  const isConditional = [item.ifMatch, item.ifSizeBytes, item.ifModifiedMs].some(
    (condition) => condition !== undefined,
  );
  // A delete marker has no ETag to match; `*`, or where there is nothing at all, leaves nothing to delete.
  if (isConditional && key.current === undefined) {
    const marker = list.versioned ? await key.newestOlder() : undefined;
    const isAny = item.ifMatch?.includes('*') === true;
    return outcome(marker === undefined || isAny ? 'absent' : 'precondition');
  }
  if (versioning === 'off') {
    const { current } = key;
    if (current === undefined) return outcome('absent');
    if (isLocked(current)) return outcome('locked');
    await key.remove({ place: 'current', row: entryRow(key.key), value: current }, list);
    return outcome('deleted');
  }
  if (isLocked(await key.replacedBy(versioning))) return outcome('locked');
  await key.putMarker(owner, versioning, list);
  return outcome('deleted', { version: context.version, isNull: versioning !== 'enabled' });
}

const deleteEntriesMethod = define(messages.deleteEntries, async (view, argument, context) => {
  const shard = readShard(await view.get(stateRow));
  if (!shard.isOpen) return { result: refused('no-bucket') };
  const versioning = versioningOf(shard, argument.versioning);
  const versioned = shard.versioned || versioning !== 'off';
  const garbage = new GarbageList(context);
  const list = { context, garbage, versioned };
  const effects: RowEffect[] = [...markVersioned(shard, versioning)];
  const { items } = argument;
  const outcomes: DeleteOutcome[] = [];
  // Of a key that is named more than once, each item sees what the one before it did.
  const byKey = new Map<string, number[]>();
  for (const [i, item] of items.entries()) {
    const name = formatHex(item.key);
    const indexes = byKey.get(name);
    if (indexes === undefined) byKey.set(name, [i]);
    else indexes.push(i);
  }
  const groups = [...byKey.values()];
  for (let i = 0; i < groups.length; i += entriesPerRead) {
    const page = groups.slice(i, i + entriesPerRead);
    const keys = page.map(([first]) => items[first ?? 0]?.key ?? emptyBytes);
    for (const [j, key] of (await KeyVersions.load(view, keys, versioned)).entries()) {
      for (const index of page[j] ?? []) {
        const item = items[index];
        if (item !== undefined)
          outcomes[index] = await deleteOne(key, item, versioning, argument.owner, list);
      }
      effects.push(...key.effects());
    }
  }
  return {
    effects: [...effects, ...garbage.effects()],
    result: { kind: 'done' as const, outcomes },
  };
});

/** Undefined: the lock can't be changed so. */
function changeRetention(
  entry: Entry,
  change: { readonly retention: Retention | undefined; readonly bypassGovernance: boolean },
  context: MethodContext,
): { readonly retention: Retention | undefined } | undefined {
  const old = entry.retention;
  const { retention } = change;
  if (old === undefined || old.untilMs <= context.wallMs) return { retention };
  const strengthens = retention?.mode === old.mode && retention.untilMs >= old.untilMs;
  const mayWeaken = old.mode === 'GOVERNANCE' && change.bypassGovernance;
  return strengthens || mayWeaken ? { retention } : undefined;
}

const updateEntryMethod = define(messages.updateEntry, async (view, argument, context) => {
  const shard = readShard(await view.get(stateRow));
  if (!shard.isOpen) return { result: refused('no-bucket') };
  const key = await loadKey(view, argument.key, shard.versioned);
  const id = parseId(argument.versionId);
  let found: FoundVersion | undefined;
  if (id !== undefined) {
    found = await key.find(id);
  } else if (key.current !== undefined) {
    found = { place: 'current', row: entryRow(argument.key), value: key.current };
  }
  if (found === undefined) return { result: refused(id === undefined ? 'no-key' : 'no-version') };
  const entry = decodeEntry(found.value);
  if (entry.kind === 'delete-marker') return { result: refused('delete-marker') };
  const { change } = argument;
  let changed: EntryBody = entry;
  switch (change.kind) {
    case 'tags':
      changed = { ...entry, tags: change.tags };
      break;
    case 'acl':
      changed = { ...entry, acl: change.acl };
      break;
    case 'retention': {
      const retention = changeRetention(entry, change, context);
      if (retention === undefined) return { result: refused('locked') };
      changed = { ...entry, ...retention };
      break;
    }
    case 'legalHold':
      changed = { ...entry, legalHold: change.on };
      break;
    case 'storageClass':
      if (!sameVersion(entry.version, change.ifVersion)) return { result: refused('changed') };
      changed = { ...entry, storageClass: change.storageClass };
      break;
  }
  const { version, isNull } = entry;
  key.replace(found, stampEntry(encodeEntryDraft(changed), version, context.version));
  return { effects: key.effects(), result: { kind: 'done' as const, version, isNull } };
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
        return { ...listedSummary(item.row[1]), kind: 'entry' as const, key: item.key };
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
    return {
      sizeBytes: 0,
      etag: '',
      wallMs: 0,
      checksum: undefined,
      kind: 'object',
      isNull: true,
      owner: '',
      storageClass: 'STANDARD',
    };
  }
}

type VersionsArgument = Carried<typeof messages.listVersions.argument>;
type ListedVersion = Extract<
  Extract<Carried<typeof messages.listVersions.result>, { readonly kind: 'page' }>['items'][number],
  { readonly kind: 'version' }
>;

function listedVersion(
  { key, row: [, value] }: WalkedVersion,
  isLatest: boolean,
  withTags: boolean,
): ListedVersion {
  const { kind, ...summary } = listedSummary(value);
  let version: Version = { tenure: 0, sequence: 0 };
  try {
    version = decodeEntryVersion(value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return {
    ...summary,
    kind: 'version',
    key,
    version,
    isLatest,
    isMarker: kind === 'delete-marker',
    tags: withTags ? (readEntry(value)?.tags ?? []) : [],
  };
}

/** A page of 1,000 groups seeks twice for each. */
const versionScansMax = 2200;

/** Where the walk begins, and the key whose newest version lies before that. */
async function versionsAfter(
  view: MethodView,
  argument: VersionsArgument,
): Promise<{ walk: VersionWalk; begunKey: Uint8Array | undefined }> {
  const { prefix, delimiter, keyMarker } = argument;
  const walk = new VersionWalk(view, {
    currentBegin: entryRow(prefix),
    currentEnd: successor(entryRow(prefix)),
    olderBegin: olderPrefixRow(prefix),
    olderEnd: successor(olderPrefixRow(prefix)),
  });
  if (keyMarker.length === 0) return { walk, begunKey: undefined };
  const inPrefix =
    keyMarker.length >= prefix.length && equalBytes(keyMarker.subarray(0, prefix.length), prefix);
  const groupEnd = inPrefix ? endOfDelimiter(keyMarker, delimiter, prefix.length) : undefined;
  if (groupEnd !== undefined) {
    const group = keyMarker.slice(0, groupEnd);
    walk.seek(successor(entryRow(group)), successor(olderPrefixRow(group)));
    return { walk, begunKey: undefined };
  }
  const marker = parseId(argument.versionMarker);
  const key = marker === undefined ? undefined : await loadKey(view, keyMarker, true);
  let version: Version | undefined;
  if (marker === 'null') {
    const found = await key?.find('null');
    version = found === undefined ? undefined : decodeEntryVersion(found.value);
  } else version = marker;
  if (key === undefined || version === undefined) {
    walk.skipKey(keyMarker);
    return { walk, begunKey: undefined };
  }
  walk.seek(afterKey(entryRow(keyMarker)), afterKey(olderRow(keyMarker, version)));
  const newest = key.current === undefined ? await key.newestOlder() : undefined;
  const isNewest =
    newest !== undefined && compareBytes(newest[0], olderRow(keyMarker, version)) > 0;
  return { walk, begunKey: isNewest ? undefined : keyMarker };
}

const listVersionsMethod = define(messages.listVersions, async (view, argument) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
  const { prefix, delimiter, withTags } = argument;
  const limit = Math.min(argument.limit, pageLimitMax);
  const items: (ListedVersion | { readonly kind: 'prefix'; readonly prefix: Uint8Array })[] = [];
  const begun = await versionsAfter(view, argument);
  const { walk } = begun;
  let previous = begun.begunKey;
  let ended = false;
  while (items.length < limit && walk.scans < versionScansMax) {
    const next = await walk.next();
    if (next === undefined) {
      ended = true;
      break;
    }
    const groupEnd = endOfDelimiter(next.key, delimiter, prefix.length);
    if (groupEnd !== undefined) {
      const group = next.key.slice(0, groupEnd);
      items.push({ kind: 'prefix', prefix: group });
      walk.seek(successor(entryRow(group)), successor(olderPrefixRow(group)));
      continue;
    }
    const isLatest = previous === undefined || !equalBytes(previous, next.key);
    items.push(listedVersion(next, isLatest, withTags));
    previous = next.key;
  }
  return { result: { kind: 'page' as const, items, ended } };
});

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
  const uploadKey = uploadRow(argument.key, argument.uploadId);
  const [state, upload] = await view.getMany([stateRow, uploadKey]);
  const shard = readShard(state);
  if (!shard.isOpen) return { result: refused('no-bucket') };
  const versioning = versioningOf(shard, argument.versioning);
  const versioned = shard.versioned || versioning !== 'off';
  const key = await loadKey(view, argument.key, versioned);
  const old = key.entryOf(key.current);
  const runs = ownRuns(decodeEntry(argument.entry));
  const refusedEffects = (): RowEffect[] => {
    const garbage = new GarbageList(context);
    garbage.addRuns(runs);
    return garbage.effects();
  };
  if (upload === undefined) {
    const result =
      key.current !== undefined && old?.uploadId === argument.uploadId
        ? { kind: 'already' as const, entry: key.current }
        : refused('no-upload');
    return { effects: refusedEffects(), result };
  }
  let reason = judgeWrite(argument.conditions, key.current, old);
  const writer = await cancelledWriter(view, runs);
  if (
    reason === undefined &&
    lockOf(key.entryOf(await key.replacedBy(versioning)), context) !== 'none'
  )
    reason = 'locked';
  if (reason === undefined && writer !== undefined) reason = 'cancelled';
  const wanted = new Map(argument.parts.map((part) => [part.partNumber, part.version]));
  const found = await scanParts(view, argument.uploadId);
  let matched = 0;
  const garbage = new GarbageList(context);
  for (const { partNumber, part } of found) {
    const version = wanted.get(partNumber);
    if (version === undefined) garbage.addRuns(part.runs);
    else if (sameVersion(version, part.version)) matched++;
  }
  if (reason === undefined && matched !== wanted.size) reason = 'parts-changed';
  if (reason !== undefined) return { effects: refusedEffects(), result: refused(reason, writer) };
  await key.put(argument.entry, versioning, { context, garbage, versioned });
  return {
    effects: [
      ...markVersioned(shard, versioning),
      ...key.effects(),
      remove(uploadKey),
      ...found.map((part) => remove(part.row)),
      ...garbage.effects(),
    ],
    result: { kind: 'committed' as const, version: context.version },
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

const listLocatedMethod = define(messages.listLocated, async (view, argument) => ({
  result: await listLocated(view, argument),
}));

interface Relocation {
  readonly row: Uint8Array;
  readonly placed: readonly BlobRun[];
  readonly dropped: readonly BlobRun[];
}

/** `relocate` answers the row's new value; undefined: it is not what was read any more. */
async function relocateRow(
  view: MethodView,
  { row, placed, dropped }: Relocation,
  context: MethodContext,
  relocate: (old: Uint8Array) => Uint8Array | undefined,
): Promise<
  Answer<
    Refused | { readonly kind: 'changed' } | { readonly kind: 'done'; readonly version: Version }
  >
> {
  const [state, old] = await view.getMany([stateRow, row]);
  const garbage = new GarbageList(context);
  garbage.addRuns(placed);
  if (!isOpen(state)) return { effects: garbage.effects(), result: refused('no-bucket') };
  const writer = await cancelledWriter(view, placed);
  if (writer !== undefined)
    return { effects: garbage.effects(), result: refused('cancelled', writer) };
  const changed = old === undefined ? undefined : relocate(old);
  if (changed === undefined) return { effects: garbage.effects(), result: { kind: 'changed' } };
  const replaced = new GarbageList(context);
  replaced.addRuns(dropped);
  const { version } = context;
  return { effects: [put(row, changed), ...replaced.effects()], result: { kind: 'done', version } };
}

function isSameVersion(a: Version, b: Version): boolean {
  return a.tenure === b.tenure && a.sequence === b.sequence;
}

const relocateEntryMethod = define(messages.relocateEntry, (view, argument, context) =>
  relocateRow(view, argument, context, (old) => {
    const entry = readEntry(old);
    if (entry === undefined || !isSameVersion(entry.generation, argument.generation))
      return undefined;
    const draft = encodeEntryDraft({ ...entry, content: argument.content });
    return stampEntry(draft, entry.version, context.version);
  }),
);

const relocatePartMethod = define(messages.relocatePart, (view, argument, context) =>
  relocateRow(view, argument, context, (old) => {
    const part = partFormat.decode(old);
    if (!isSameVersion(part.version, argument.version)) return undefined;
    return partFormat.encode({ ...part, runs: argument.runs, version: context.version });
  }),
);

/** Opening an open shard again changes nothing; a sealed one stays sealed. */
const openShardMethod = define(messages.openShard, async (view) => {
  if ((await view.get(stateRow)) !== undefined) return { result: {} };
  return {
    effects: [put(stateRow, shardStateFormat.encode({ state: 'open', versioned: false }))],
    result: {},
  };
});

const sealShardMethod = define(messages.sealShard, async (view) => {
  const state = await view.get(stateRow);
  if (state === undefined) return { result: { outcome: 'no-shard' as const } };
  for (const kind of ['key', 'older'] as const) {
    const entries = await view.scan({ ...rowsOf(kind), limit: 1 });
    if (entries.length > 0) return { result: { outcome: 'not-empty' as const } };
  }
  const { versioned } = readShard(state);
  const sealed = put(stateRow, shardStateFormat.encode({ state: 'sealed', versioned }));
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

const masterKeyMethod = define(messages.masterKey, async (view, { name, proposed }, context) => {
  const row = masterKeyRow(name);
  const old = await view.get(row);
  if (old !== undefined) return { result: { key: masterKeyFormat.decode(old).key } };
  if (proposed === undefined) return { result: { key: undefined } };
  const value = masterKeyFormat.encode({ key: proposed, wallMs: Math.floor(context.wallMs) });
  return { effects: [put(row, value)], result: { key: proposed } };
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

/** What it writes is needed to give space back: a full disk takes it. */
function reclaiming([name, method]: readonly [string, Method]): readonly [string, Method] {
  return [
    name,
    async (view, argument, context) => ({
      ...(await method(view, argument, context)),
      reclaims: true,
    }),
  ];
}

export const s3Methods: Methods = new Map([
  putEntryMethod,
  getEntryMethod,
  deleteEntriesMethod,
  updateEntryMethod,
  listEntriesMethod,
  listVersionsMethod,
  createUploadMethod,
  getUploadMethod,
  putPartMethod,
  listPartsMethod,
  completeUploadMethod,
  abortUploadMethod,
  listUploadsMethod,
  reclaiming(addGarbageMethod),
  listGarbageMethod,
  removeGarbageMethod,
  reclaiming(cancelWritersMethod),
  listReferencesMethod,
  listLocatedMethod,
  relocateEntryMethod,
  relocatePartMethod,
  openShardMethod,
  sealShardMethod,
  sweepShardMethod,
  createBucketMethod,
  getBucketMethod,
  putBucketDocumentMethod,
  listBucketsMethod,
  removeBucketMethod,
  masterKeyMethod,
  listShardsMethod,
  getWritersMethod,
  reclaiming(addWritersMethod),
  forgetBucketMethod,
]);
