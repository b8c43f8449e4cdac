// What jobs ask of a shard: garbage, references, new places of blobs; and its life from opened to swept.

import { afterKey, compareBytes, emptyBytes } from '../../base/bytes.ts';
import type {
  MethodContext,
  MethodRow,
  MethodView,
  RowEffect,
  Version,
} from '../../base/method.ts';
import {
  type BlobRun,
  countsFormat,
  encodeEntryDraft,
  partFormat,
  type ShardState,
  stampEntry,
  wholeShard,
  writersFormat,
} from './format.ts';
import { GarbageList } from './garbage-list.ts';
import { readEntry } from './key-versions.ts';
import * as messages from './messages.ts';
import { type Answer, define, later, put, remove } from './method.ts';
import { listLocated, listReferences, tallyRows } from './references.ts';
import {
  cancelledRow,
  countsRow,
  garbageRowsFrom,
  keyOfRow,
  parseUploadRow,
  queueRow,
  rowsOf,
  stateRow,
} from './rows.ts';
import {
  addWriters,
  cancelledWriter,
  isInRange,
  putState,
  type Refused,
  readCounts,
  readShard,
  refused,
  Shard,
  sizeOf,
} from './shard.ts';
import { abort } from './upload-methods.ts';
import { sameVersion } from './version-id.ts';

/** Whatever keys the shard answers for, also in a sealed one: its garbage is still collected. */
export const addGarbageMethod = define(messages.addGarbage, async (view, { runs }, call) => {
  const shard = await readShard(view);
  if (shard.state === undefined) return { result: refused('no-bucket') };
  const garbage = new GarbageList(shard.contextOf(call));
  garbage.addRuns(runs);
  return { effects: garbage.effects(), result: { kind: 'done' as const } };
});

export const listGarbageMethod = define(messages.listGarbage, async (view, argument) => {
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

export const removeGarbageMethod = define(messages.removeGarbage, async (_view, { rows }) => {
  const { begin, end } = rowsOf('garbage');
  const garbage = rows.filter((row) => compareBytes(row, begin) >= 0 && compareBytes(row, end) < 0);
  return { effects: garbage.map(remove), result: {} };
});

/** Also in one that is closing: it may be open again later. */
export const cancelWritersMethod = define(messages.cancelWriters, async (view, { writers }) => {
  const { state } = await readShard(view);
  if (state === undefined || state.state === 'sealed') return { result: refused('no-bucket') };
  return {
    effects: await addWriters(view, cancelledRow, writers),
    result: { kind: 'done' as const },
  };
});

/** Also in a sealed shard, and in one that is gone: then there is nothing. */
export const listReferencesMethod = define(messages.listReferences, async (view, argument) => ({
  result: {
    ...(await listReferences(view, argument)),
    hasShard: (await view.get(stateRow)) !== undefined,
  },
}));

export const listLocatedMethod = define(messages.listLocated, async (view, argument) => ({
  result: await listLocated(view, argument),
}));

export interface Relocation {
  readonly row: Uint8Array;
  readonly placed: readonly BlobRun[];
  readonly dropped: readonly BlobRun[];
}

/** `relocate` answers the row's new value; undefined: it is not what was read any more. */
export async function relocateRow(
  view: MethodView,
  { row, placed, dropped }: Relocation,
  call: MethodContext,
  relocate: (old: Uint8Array, version: Version) => Uint8Array | undefined,
): Promise<
  Answer<
    Refused | { readonly kind: 'changed' } | { readonly kind: 'done'; readonly version: Version }
  >
> {
  const [state, old] = await view.getMany([stateRow, row]);
  const shard = new Shard(state);
  const context = shard.contextOf(call);
  const { version } = context;
  const garbage = new GarbageList(context);
  garbage.addRuns(placed);
  const key = keyOfRow(row);
  const open = shard.insideTrash;
  const notHere = key === undefined ? open.refusesParts : open.refusesWrite(key);
  if (notHere !== undefined) return { effects: garbage.effects(), result: refused(notHere) };
  const writer = await cancelledWriter(view, placed);
  if (writer !== undefined)
    return { effects: garbage.effects(), result: refused('cancelled', writer) };
  const changed = old === undefined ? undefined : relocate(old, version);
  if (changed === undefined) return { effects: garbage.effects(), result: { kind: 'changed' } };
  const replaced = new GarbageList(context);
  replaced.addRuns(dropped);
  return { effects: [put(row, changed), ...replaced.effects()], result: { kind: 'done', version } };
}

export const relocateEntryMethod = define(messages.relocateEntry, (view, argument, context) =>
  relocateRow(view, argument, context, (old, version) => {
    const entry = readEntry(old);
    if (entry === undefined || !sameVersion(entry.generation, argument.generation))
      return undefined;
    const draft = encodeEntryDraft({ ...entry, content: argument.content });
    return stampEntry(draft, entry.version, version);
  }),
);

export const relocatePartMethod = define(messages.relocatePart, (view, argument, context) =>
  relocateRow(view, argument, context, (old, version) => {
    const part = partFormat.decode(old);
    if (!sameVersion(part.version, argument.version)) return undefined;
    return partFormat.encode({ ...part, runs: argument.runs, version });
  }),
);

/** Opening an open shard again changes nothing; a sealed one stays sealed. */
export const openShardMethod = define(messages.openShard, async (view) => ({
  effects: (await readShard(view)).state === undefined ? opened(wholeShard) : [],
  result: {},
}));

/** A shard that answers for no key until it is handed some. */
export const openPartMethod = define(messages.openPart, async (view) => ({
  effects:
    (await readShard(view)).state === undefined ? opened({ ...wholeShard, range: undefined }) : [],
  result: {},
}));

/** Its versions name tenures of the same placement group, which only rise: none is given twice. */
export const openLostShardMethod = define(messages.openLostShard, async (view, argument) => {
  if ((await readShard(view)).state !== undefined) return { result: {} };
  const { range, handsTo, writers } = argument;
  const end = range?.end;
  const split =
    handsTo === undefined
      ? undefined
      : {
          object: handsTo.object,
          // Where nothing had gone yet, it goes on; else the registry learns of the boundary next.
          phase: handsTo.hasKeys ? ('done' as const) : ('steady' as const),
          chunk: { begin: end ?? emptyBytes, end },
          tenure: 0,
        };
  const effects = opened({ ...wholeShard, range, split });
  if (writers.length > 0) effects.push(put(cancelledRow, writersFormat.encode({ writers })));
  return { effects, result: {} };
});

function opened(state: ShardState): RowEffect[] {
  const counts = { entries: 0, sizeBytes: 0, after: undefined };
  return [putState(state), put(countsRow, countsFormat.encode(counts))];
}

async function holdsEntries(view: MethodView): Promise<boolean> {
  for (const kind of ['key', 'older'] as const)
    if ((await view.scan({ ...rowsOf(kind), limit: 1 })).length > 0) return true;
  return false;
}

/** Only of a shard that is a whole bucket: of several, each would have to be known to be empty first. */
export const sealShardMethod = define(messages.sealShard, async (view) => {
  const { state } = await readShard(view);
  if (state === undefined || state.state === 'trashed')
    return { result: { outcome: 'no-shard' as const } };
  const { range, split } = state;
  const isWhole = range !== undefined && range.begin.length === 0 && range.end === undefined;
  if (!isWhole || split !== undefined) return { result: { outcome: 'not-whole' as const } };
  if (await holdsEntries(view)) return { result: { outcome: 'not-empty' as const } };
  return {
    effects: state.state === 'sealed' ? [] : [putState({ ...state, state: 'sealed' })],
    result: { outcome: 'sealed' as const },
  };
});

/** In a removal of several shards: each is closed, if it is empty, before the name is given up. */
export const closeShardMethod = define(messages.closeShard, async (view, { removal }) => {
  const shard = await readShard(view);
  const { state } = shard;
  if (state === undefined || state.state === 'sealed' || state.state === 'trashed')
    return { result: { outcome: 'no-shard' as const } };
  if (shard.handsKeysOn) return { result: { outcome: 'busy' as const } };
  if (await holdsEntries(view)) return { result: { outcome: 'not-empty' as const } };
  return {
    effects: [putState({ ...state, state: 'closing', closing: removal })],
    result: { outcome: 'closed' as const },
  };
});

/** After the registry keeps the bucket. Nothing happens when another removal closed the shard since. */
export const reopenShardMethod = define(messages.reopenShard, async (view, { removal }) => {
  const { state } = await readShard(view);
  const isClosed =
    state?.state === 'closing' &&
    state.closing !== undefined &&
    sameVersion(state.closing, removal);
  return {
    effects: isClosed ? [putState({ ...state, state: 'open', closing: undefined })] : [],
    result: {},
  };
});

/** A manifest in its row is below 64 KiB: what these refer to fits a call. */
const sweptPerCall = 32;

/** Of a bucket that was removed with what was in it: some of its entries become garbage. */
async function sweptEntries(view: MethodView, call: MethodContext): Promise<RowEffect[]> {
  for (const kind of ['key', 'older', 'nullVersion'] as const) {
    const rows = await view.scan({ ...rowsOf(kind), limit: sweptPerCall });
    if (rows.length === 0) continue;
    const garbage = new GarbageList(call);
    if (kind !== 'nullVersion') for (const [, row] of rows) garbage.addEntry(readEntry(row));
    return [...rows.map(([row]) => remove(row)), ...garbage.effects()];
  }
  return [];
}

/** The bucket is removed, so what is closing, or was never handed a key, opens no more. */
export const sweepShardMethod = define(messages.sweepShard, async (view, _argument, call) => {
  const shard = await readShard(view);
  const { state } = shard;
  if (state === undefined) return { result: { outcome: 'gone' as const } };
  if (state.state === 'open' && state.range !== undefined)
    return { result: { outcome: 'not-sealed' as const } };
  const effects: RowEffect[] =
    state.state === 'sealed' ? [] : [putState({ ...state, state: 'sealed' })];
  const entries = await sweptEntries(view, shard.contextOf(call));
  if (entries.length > 0)
    return { effects: [...effects, ...entries], result: { outcome: 'more' as const } };
  const [upload] = await view.scan({ ...rowsOf('upload'), limit: 1 });
  if (upload !== undefined) {
    const { uploadId } = parseUploadRow(upload[0]);
    effects.push(...(await abort(view, upload[0], uploadId, shard.contextOf(call))));
    return { effects, result: { outcome: 'more' as const } };
  }
  const garbage = await view.scan({ ...rowsOf('garbage'), limit: 1 });
  const events = await view.scan({ ...rowsOf('event'), limit: 1 });
  // What happened to the bucket's last keys is still to be told.
  if (garbage.length > 0 || events.length > 0)
    return { effects, result: { outcome: 'waiting-for-garbage' as const } };
  return {
    effects: [remove(cancelledRow), remove(countsRow), remove(queueRow), remove(stateRow)],
    result: { outcome: 'gone' as const },
  };
});

/** What is known about the shard, as it stands in its rows. */
export const describeShardMethod = define(messages.describeShard, async (view) => {
  const [state, counts] = await view.getMany([stateRow, countsRow]);
  return { result: { state, counts } };
});

/** Keys of a chunk under way lie in both shards; in the one being filled, below its range. */
export const tallyRowsMethod = define(messages.tallyRows, async (view, argument) => {
  const { range, state } = await readShard(view);
  const isOutside = (key: Uint8Array): boolean => {
    if (range === undefined || isInRange(range, key)) return false;
    const chunk = state?.split?.chunk;
    return chunk === undefined || !isInRange(chunk, key);
  };
  return { result: await tallyRows(view, argument, isOutside) };
});

/** Rows counted in one call; a few at a time, since each may hold 16 KiB and a manifest. */
const rowsPerCount = 1000;
const rowsPerCountScan = 64;

export const countRowsMethod = define(messages.countRows, async (view, { restart }) => {
  const counts = readCounts(restart ? undefined : await view.get(countsRow));
  let { entries, sizeBytes, after } = counts;
  for (let seen = 0; seen < rowsPerCount && after !== undefined; seen += rowsPerCountScan) {
    const kind = compareBytes(after, rowsOf('key').end) < 0 ? 'key' : 'older';
    const { begin, end } = rowsOf(kind);
    const rows: readonly MethodRow[] = await view.scan({
      begin: later(begin, after.length === 0 ? begin : afterKey(after)),
      end,
      limit: rowsPerCountScan,
    });
    for (const [, entry] of rows) {
      entries++;
      sizeBytes += sizeOf(entry);
    }
    const last = rows.at(-1);
    if (last !== undefined && rows.length === rowsPerCountScan) after = last[0];
    else after = kind === 'key' ? end : undefined;
  }
  const value = countsFormat.encode({ entries, sizeBytes, after });
  const isNew = restart || counts.after !== undefined;
  return {
    effects: isNew ? [put(countsRow, value)] : [],
    result: { ended: after === undefined },
  };
});
