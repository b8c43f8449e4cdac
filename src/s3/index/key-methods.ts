// The methods about one key, or some: put, get, delete, and change what is there.

import { emptyBytes, formatHex } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import type { MethodContext, MethodView, RowEffect, Version } from '../../base/method.ts';
import { matchesEtag, type WriteConditions } from '../protocol/conditions.ts';
import {
  type BlobRun,
  decodeEntry,
  decodeEntryVersion,
  type Entry,
  type EntryBody,
  encodeEntryDraft,
  type Retention,
  stampEntry,
} from './format.ts';
import { GarbageList } from './garbage-list.ts';
import {
  type ChangedRow,
  type Changes,
  type FoundVersion,
  isDeleteMarker,
  KeyVersions,
  readEntry,
  type Versioning,
} from './key-versions.ts';
import type { Refusal } from './messages.ts';
import * as messages from './messages.ts';
import { type Answer, define } from './method.ts';
import { countsRow, entryRow, stateRow } from './rows.ts';
import {
  cancelledWriter,
  countChanges,
  loadKey,
  parseId,
  readShard,
  refused,
  Shard,
} from './shard.ts';
import { sameVersion } from './version-id.ts';

/** Rows of a shard that may hold a manifest and inline bytes, read at a time. */
const entriesPerRead = 50;

export function judgeWrite(
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
export function lockOf(
  entry: Entry | undefined,
  context: MethodContext,
): 'none' | 'governance' | 'compliant' {
  if (entry === undefined) return 'none';
  if (entry.legalHold === true) return 'compliant';
  if (entry.retention === undefined || entry.retention.untilMs <= context.wallMs) return 'none';
  return entry.retention.mode === 'COMPLIANCE' ? 'compliant' : 'governance';
}

/** What the gateway wrote for this entry alone: not the parts of an upload, which the upload owns. */
export function ownRuns(entry: Entry): readonly BlobRun[] {
  switch (entry.content.kind) {
    case 'inline':
      return [];
    case 'indirect':
      return entry.content.runs;
    case 'direct':
      return entry.partCount > 0 ? [] : entry.content.extents.flatMap((extent) => extent.runs);
  }
}

/** Why an entry may not be put; `writer` is the one whose blobs it names, when that was called dead. */
export async function judgePut(
  view: MethodView,
  put: {
    readonly key: KeyVersions;
    readonly conditions: WriteConditions;
    readonly versioning: Versioning;
    readonly runs: readonly BlobRun[];
    readonly context: MethodContext;
  },
): Promise<{ readonly reason: Refusal | undefined; readonly writer: number | undefined }> {
  const { key, conditions, versioning, runs, context } = put;
  const writer = await cancelledWriter(view, runs);
  const judged = judgeWrite(conditions, key.current, key.entryOf(key.current));
  if (judged !== undefined) return { reason: judged, writer };
  const replaced = key.entryOf(await key.replacedBy(versioning));
  if (lockOf(replaced, context) !== 'none') return { reason: 'locked', writer };
  return { reason: writer === undefined ? undefined : 'cancelled', writer };
}

export const putEntryMethod = define(messages.putEntry, async (view, argument, call) => {
  const [state, counts, current] = await view.getMany([
    stateRow,
    countsRow,
    entryRow(argument.key),
  ]);
  const shard = new Shard(state);
  const notHere = shard.refusesWrite(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  const context = shard.contextOf(call);
  const versioning = shard.versioningOf(argument.versioning);
  const versioned = shard.versioned || versioning !== 'off';
  const key = versioned
    ? await loadKey(view, argument.key, versioned)
    : KeyVersions.ofCurrent(view, argument.key, current);
  const runs = argument.hasBlobs ? ownRuns(decodeEntry(argument.entry)) : [];
  const garbage = new GarbageList(context);
  const { reason, writer } = await judgePut(view, {
    key,
    conditions: argument.conditions,
    versioning,
    runs,
    context,
  });
  if (reason !== undefined) {
    garbage.addRuns(runs);
    return { effects: garbage.effects(), result: refused(reason, writer) };
  }
  await key.put(argument.entry, versioning, { context, garbage, versioned });
  return {
    effects: [
      ...shard.markVersioned(versioning),
      ...key.effects(),
      ...countChanges(counts, key.changes()),
      ...garbage.effects(),
    ],
    result: { kind: 'committed' as const, version: context.version },
  };
});

export const getEntryMethod = define(messages.getEntry, async (view, argument) => {
  const [state, current] = await view.getMany([stateRow, entryRow(argument.key)]);
  const shard = new Shard(state);
  const notHere = shard.refusesRead(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  const id = parseId(argument.versionId);
  const read = (entry: Uint8Array | undefined) => ({ result: { kind: 'read' as const, entry } });
  if (id === undefined && (current !== undefined || !shard.versioned)) return read(current);
  const key = await loadKey(view, argument.key, shard.versioned);
  if (id !== undefined) return read((await key.find(id))?.value);
  return read((await key.newestOlder())?.[1]);
});

export type DeleteItem = Carried<typeof messages.deleteEntries.argument>['items'][number];

export type DeleteOutcome = Carried<typeof messages.deleteOutcome>;

/** The conditions of a delete, on the version it is about. */
export function judgeDelete(
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

export async function deleteOne(
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

export const deleteEntriesMethod = define(messages.deleteEntries, async (view, argument, call) => {
  const [state, counts] = await view.getMany([stateRow, countsRow]);
  const shard = new Shard(state);
  // Refused as a whole: who asks has to know anew which keys are here.
  const notHere = argument.items
    .map(({ key }) => shard.refusesWrite(key))
    .find((reason) => reason !== undefined);
  if (notHere !== undefined) return { result: refused(notHere) };
  const context = shard.contextOf(call);
  const versioning = shard.versioningOf(argument.versioning);
  const versioned = shard.versioned || versioning !== 'off';
  const garbage = new GarbageList(context);
  const list = { context, garbage, versioned };
  const effects: RowEffect[] = [...shard.markVersioned(versioning)];
  const changes: ChangedRow[] = [];
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
      changes.push(...key.changes());
    }
  }
  return {
    effects: [...effects, ...countChanges(counts, changes), ...garbage.effects()],
    result: { kind: 'done' as const, outcomes },
  };
});

/** Undefined: the lock can't be changed so. */
export function changeRetention(
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

export const updateEntryMethod = define(messages.updateEntry, (view, argument, call) =>
  changeEntry(view, { ...argument, ifGeneration: undefined }, call),
);

export const updateSeenEntryMethod = define(messages.updateSeenEntry, changeEntry);

type EntryChange = Carried<typeof messages.updateEntry.argument> & {
  /** Undefined: whatever there is is changed. */
  readonly ifGeneration: Version | undefined;
};

async function changeEntry(
  view: MethodView,
  argument: EntryChange,
  call: MethodContext,
): Promise<Answer<Carried<typeof messages.updateEntry.result>>> {
  const shard = await readShard(view);
  const notHere = shard.refusesWrite(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  const context = shard.contextOf(call);
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
  const { change, ifGeneration } = argument;
  if (ifGeneration !== undefined && !sameVersion(entry.generation, ifGeneration))
    return { result: refused('changed') };
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
}
