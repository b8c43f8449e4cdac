// What jobs ask of a shard: garbage, references, new places of blobs; and its life from opened to swept.

import { compareBytes } from '../../base/bytes.ts';
import type { MethodContext, MethodView, Version } from '../../base/method.ts';
import {
  type BlobRun,
  encodeEntryDraft,
  partFormat,
  shardStateFormat,
  stampEntry,
} from './format.ts';
import { GarbageList } from './garbage-list.ts';
import { readEntry } from './key-versions.ts';
import * as messages from './messages.ts';
import { type Answer, define, put, remove } from './method.ts';
import { listLocated, listReferences } from './references.ts';
import { cancelledRow, garbageRowsFrom, parseUploadRow, rowsOf, stateRow } from './rows.ts';
import { addWriters, cancelledWriter, isOpen, type Refused, readShard, refused } from './shard.ts';
import { abort } from './upload-methods.ts';

/** Also in a sealed shard: its garbage is still collected. */
export const addGarbageMethod = define(messages.addGarbage, async (view, { runs }, context) => {
  if ((await view.get(stateRow)) === undefined) return { result: refused('no-bucket') };
  const garbage = new GarbageList(context);
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

export const cancelWritersMethod = define(messages.cancelWriters, async (view, { writers }) => {
  if (!isOpen(await view.get(stateRow))) return { result: refused('no-bucket') };
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

export function isSameVersion(a: Version, b: Version): boolean {
  return a.tenure === b.tenure && a.sequence === b.sequence;
}

export const relocateEntryMethod = define(messages.relocateEntry, (view, argument, context) =>
  relocateRow(view, argument, context, (old) => {
    const entry = readEntry(old);
    if (entry === undefined || !isSameVersion(entry.generation, argument.generation))
      return undefined;
    const draft = encodeEntryDraft({ ...entry, content: argument.content });
    return stampEntry(draft, entry.version, context.version);
  }),
);

export const relocatePartMethod = define(messages.relocatePart, (view, argument, context) =>
  relocateRow(view, argument, context, (old) => {
    const part = partFormat.decode(old);
    if (!isSameVersion(part.version, argument.version)) return undefined;
    return partFormat.encode({ ...part, runs: argument.runs, version: context.version });
  }),
);

/** Opening an open shard again changes nothing; a sealed one stays sealed. */
export const openShardMethod = define(messages.openShard, async (view) => {
  if ((await view.get(stateRow)) !== undefined) return { result: {} };
  return {
    effects: [put(stateRow, shardStateFormat.encode({ state: 'open', versioned: false }))],
    result: {},
  };
});

export const sealShardMethod = define(messages.sealShard, async (view) => {
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

export const sweepShardMethod = define(messages.sweepShard, async (view, _argument, context) => {
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
