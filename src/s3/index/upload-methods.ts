// The methods about uploads. An upload's record and its parts lie in the shard of its key (rule 30).

import { afterKey } from '../../base/bytes.ts';
import type { MethodContext, MethodView, RowEffect } from '../../base/method.ts';
import { decodeEntry, type Part, partFormat } from './format.ts';
import { GarbageList } from './garbage-list.ts';
import { judgePut, ownRuns } from './key-methods.ts';
import * as messages from './messages.ts';
import { define, later, pageLimitMax, put, remove } from './method.ts';
import {
  countsRow,
  parseUploadRow,
  partNumberOfRow,
  partRow,
  rowsInRange,
  stateRow,
  uploadPrefixRow,
  uploadRow,
} from './rows.ts';
import {
  cancelledWriter,
  countChanges,
  listedRange,
  loadKey,
  readShard,
  refused,
  Shard,
} from './shard.ts';
import { sameVersion } from './version-id.ts';
import { endOfGroup, successor, walkRows } from './walk.ts';

export const partsPerScan = 1000;

export const createUploadMethod = define(messages.createUpload, async (view, argument) => {
  const notHere = (await readShard(view)).refusesWrite(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  return {
    effects: [put(uploadRow(argument.key, argument.uploadId), argument.upload)],
    result: { kind: 'done' as const },
  };
});

export const getUploadMethod = define(messages.getUpload, async (view, { key, uploadId }) => {
  const [state, upload] = await view.getMany([stateRow, uploadRow(key, uploadId)]);
  const notHere = new Shard(state).refusesRead(key);
  if (notHere !== undefined) return { result: refused(notHere) };
  if (upload === undefined) return { result: refused('no-upload') };
  return { result: { kind: 'read' as const, upload } };
});

export const putPartMethod = define(messages.putPart, async (view, argument, call) => {
  const row = partRow(argument.uploadId, argument.partNumber);
  const [state, upload, old] = await view.getMany([
    stateRow,
    uploadRow(argument.key, argument.uploadId),
    row,
  ]);
  const shard = new Shard(state);
  const notHere = shard.refusesWrite(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  const context = shard.contextOf(call);
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

export async function scanParts(
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

export const listPartsMethod = define(messages.listParts, async (view, argument) => {
  const { key, uploadId } = argument;
  const [state, upload] = await view.getMany([stateRow, uploadRow(key, uploadId)]);
  const notHere = new Shard(state).refusesRead(key);
  if (notHere !== undefined) return { result: refused(notHere) };
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

export const completeUploadMethod = define(
  messages.completeUpload,
  async (view, argument, call) => {
    const uploadKey = uploadRow(argument.key, argument.uploadId);
    const [state, counts, upload] = await view.getMany([stateRow, countsRow, uploadKey]);
    const shard = new Shard(state);
    const notHere = shard.refusesWrite(argument.key);
    if (notHere !== undefined) return { result: refused(notHere) };
    const context = shard.contextOf(call);
    const versioning = shard.versioningOf(argument.versioning);
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
    const judged = await judgePut(view, {
      key,
      conditions: argument.conditions,
      versioning,
      runs,
      context,
    });
    const wanted = new Map(argument.parts.map((part) => [part.partNumber, part.version]));
    const found = await scanParts(view, argument.uploadId);
    let matched = 0;
    const garbage = new GarbageList(context);
    for (const { partNumber, part } of found) {
      const version = wanted.get(partNumber);
      if (version === undefined) garbage.addRuns(part.runs);
      else if (sameVersion(version, part.version)) matched++;
    }
    const reason = judged.reason ?? (matched === wanted.size ? undefined : 'parts-changed');
    if (reason !== undefined)
      return { effects: refusedEffects(), result: refused(reason, judged.writer) };
    await key.put(argument.entry, versioning, { context, garbage, versioned });
    return {
      effects: [
        ...shard.markVersioned(versioning),
        ...key.effects(),
        ...countChanges(counts, key.changes()),
        remove(uploadKey),
        ...found.map((part) => remove(part.row)),
        ...garbage.effects(),
      ],
      result: { kind: 'committed' as const, version: context.version },
    };
  },
);

export async function abort(
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

export const abortUploadMethod = define(messages.abortUpload, async (view, argument, call) => {
  const uploadKey = uploadRow(argument.key, argument.uploadId);
  const [state, upload] = await view.getMany([stateRow, uploadKey]);
  const shard = new Shard(state);
  const notHere = shard.refusesWrite(argument.key);
  if (notHere !== undefined) return { result: refused(notHere) };
  const context = shard.contextOf(call);
  if (upload === undefined) return { result: refused('no-upload') };
  return {
    effects: await abort(view, uploadKey, argument.uploadId, context),
    result: { kind: 'done' as const },
  };
});

export const listUploadsMethod = define(messages.listUploads, async (view, argument) => {
  const range = listedRange(await readShard(view), argument.from);
  if ('kind' in range) return { result: range };
  const { prefix, delimiter, keyMarker, uploadIdMarker } = argument;
  const prefixRow = uploadPrefixRow(prefix);
  const rowAfterPrefix = (group: Uint8Array): Uint8Array => successor(uploadPrefixRow(group));
  const groupEnd = endOfGroup(keyMarker, delimiter, prefix);
  let after: Uint8Array;
  if (groupEnd !== undefined) after = rowAfterPrefix(keyMarker.slice(0, groupEnd));
  else if (uploadIdMarker !== '') after = afterKey(uploadRow(keyMarker, uploadIdMarker));
  // Upload ids are hexadecimal: this is after the key's last upload and before any longer key's first.
  else after = uploadRow(keyMarker, 'g');
  const begin = keyMarker.length === 0 ? prefixRow : later(prefixRow, after);
  const { items, ended } = await walkRows(view, {
    ...rowsInRange({ begin, end: successor(prefixRow) }, 'upload', range),
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
      end: range.end,
      items: items.map((item) =>
        item.kind === 'prefix'
          ? item
          : { kind: 'upload' as const, ...parseUploadRow(item.row[0]), upload: item.row[1] },
      ),
    },
  };
});
