// The steps of a split: the upper keys of a shard, the source, go to another one, the target, a chunk after the
// other, while both serve.
//
//   source                              target
//   start   nothing is on its way
//   freeze  the uppermost keys may be
//           read and not be changed     install  copies of their rows, which nobody asks it for yet
//   release it does not answer for
//           them any more               take     it answers for them
//   trim    their rows are removed
//   … until both hold as much; then the registry learns of the boundary, and `end`.
//
// Always true:
// - a key is answered for by one shard at most, and what was acknowledged is in the rows of that one;
// - a step names the generation of the shard that it was decided on, and does nothing if that is another: each may be
//   repeated, come late, and be taken by several gateways at once;
// - whatever step was the last before a gateway died, the rows say what comes next, and anybody may do it;
// - references move from the source to the target only: who reads the source first misses none.

import { afterKey, compareBytes } from '../../base/bytes.ts';
import type { MethodRow, MethodView, RowEffect } from '../../base/method.ts';
import type { KeyRange, ShardState, Split } from './format.ts';
import type { ChangedRow } from './key-versions.ts';
import * as messages from './messages.ts';
import { define, put, remove } from './method.ts';
import {
  countsRow,
  keyOfRow,
  olderRowsOf,
  parseUploadRow,
  partRow,
  rowsOf,
  rowsOfKeys,
  stateRow,
} from './rows.ts';
import { countChanges, putState, readShard, Shard } from './shard.ts';
import { successor } from './walk.ts';

/** Rows with 16 KiB inline and a manifest: this many stay below 5 MiB. */
const rowsPerScan = 64;

/** Of rows copied or removed in one call. */
const bytesPerPage = 1024 * 1024;
const rowsPerPage = 1000;

/** A chunk is frozen for as long as it takes to copy: about a page of keys without versions. */
const rowsPerChunkMax = 1000;
/** Each may have thousands of parts. */
const uploadsPerChunk = 16;

const done = { outcome: 'done' as const };
const changed = { outcome: 'changed' as const };

/** The state of an open shard that is as the caller saw it. */
function seenState(shard: Shard, generation: number): ShardState | undefined {
  const { state } = shard;
  return state?.state === 'open' && state.generation === generation ? state : undefined;
}

interface Source {
  readonly state: ShardState;
  readonly range: KeyRange;
  readonly split: Split;
}

async function readSource(
  view: MethodView,
  generation: number,
  phase: Split['phase'],
): Promise<Source | undefined> {
  const state = seenState(await readShard(view), generation);
  const range = state?.range;
  const split = state?.split;
  if (state === undefined || range === undefined || split?.phase !== phase) return undefined;
  return { state, range, split };
}

function step(state: ShardState, change: Partial<ShardState>): RowEffect {
  return putState({ ...state, ...change, generation: state.generation + 1 });
}

export const startSplitMethod = define(messages.startSplit, async (view, argument) => {
  const state = seenState(await readShard(view), argument.generation);
  if (state?.range === undefined || state.split !== undefined) return { result: changed };
  const split: Split = {
    object: argument.object,
    phase: 'steady',
    chunk: state.range,
    tenure: 0,
  };
  return { effects: [step(state, { split })], result: done };
});

async function edgeKey(
  view: MethodView,
  range: { readonly begin: Uint8Array; readonly end: Uint8Array },
): Promise<Uint8Array | undefined> {
  if (compareBytes(range.begin, range.end) >= 0) return undefined;
  const [row] = await view.scan({ ...range, limit: 1 });
  return row === undefined ? undefined : keyOfRow(row[0]);
}

function smaller(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
}

/** The smallest key with an entry in the range; with `after`, the smallest greater one. */
async function firstKey(
  view: MethodView,
  range: KeyRange,
  after?: Uint8Array,
): Promise<Uint8Array | undefined> {
  const current = rowsOfKeys('key', range);
  const older = rowsOfKeys('older', range);
  if (after !== undefined) {
    current.begin = afterKey(rowsOfKeys('key', { begin: after, end: undefined }).begin);
    older.begin = successor(olderRowsOf(after));
  }
  return smaller(await edgeKey(view, current), await edgeKey(view, older));
}

/** The key whose rows of this kind fill a chunk, counted from the uppermost; undefined: all of them fit. */
async function fullAt(
  view: MethodView,
  kind: 'key' | 'older' | 'upload',
  range: KeyRange,
  rows: number,
): Promise<Uint8Array | undefined> {
  const { begin, end } = rowsOfKeys(kind, range);
  let below = end;
  let bytes = 0;
  for (let left = rows; left > 0; left -= rowsPerScan) {
    if (compareBytes(begin, below) >= 0) return undefined;
    const limit = Math.min(left, rowsPerScan);
    const page = await view.scan({ begin, end: below, limit, reverse: true });
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return undefined;
    for (const [row, value] of page) bytes += row.length + value.length;
    below = last[0];
    if (bytes >= bytesPerPage) break;
  }
  return keyOfRow(below);
}

/** Where a chunk of the uppermost keys begins; undefined when everything would have to go. */
async function chunkBegin(
  view: MethodView,
  range: KeyRange,
  rows: number,
): Promise<Uint8Array | undefined> {
  let begin = range.begin;
  for (const kind of ['key', 'older', 'upload'] as const) {
    const key = await fullAt(view, kind, range, kind === 'upload' ? uploadsPerChunk : rows);
    if (key !== undefined && compareBytes(key, begin) > 0) begin = key;
  }
  const lowest = await firstKey(view, range);
  if (lowest === undefined) return undefined;
  return compareBytes(begin, lowest) > 0 ? begin : firstKey(view, range, lowest);
}

export const freezeKeysMethod = define(messages.freezeKeys, async (view, argument) => {
  const source = await readSource(view, argument.generation, 'steady');
  if (source === undefined) return { result: changed };
  const { range, split, state } = source;
  const rows = Math.max(1, Math.min(argument.rows, rowsPerChunkMax));
  const begin = await chunkBegin(view, range, rows);
  if (begin === undefined) return { result: { outcome: 'indivisible' as const } };
  const frozen: Split = { ...split, phase: 'frozen', chunk: { begin, end: range.end } };
  return { effects: [step(state, { split: frozen })], result: done };
});

interface Cursor {
  /** The upload whose parts are being read; empty before the first one. */
  readonly upload: Uint8Array;
  readonly after: Uint8Array;
}

interface ChunkRow {
  readonly row: MethodRow;
  readonly cursor: Cursor;
}

async function* rowsBetween(
  view: MethodView,
  range: { readonly begin: Uint8Array; readonly end: Uint8Array },
): AsyncGenerator<MethodRow> {
  let { begin } = range;
  while (compareBytes(begin, range.end) < 0) {
    const rows = await view.scan({ begin, end: range.end, limit: rowsPerScan });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsPerScan) return;
    begin = afterKey(last[0]);
  }
}

/** All rows of the chunk's keys. An upload comes after its parts: while it is there they can be found. */
async function* chunkRows(
  view: MethodView,
  chunk: KeyRange,
  cursor: Cursor | undefined,
): AsyncGenerator<ChunkRow> {
  const none = new Uint8Array(0);
  if (cursor === undefined || cursor.upload.length === 0) {
    const kinds = ['key', 'nullVersion', 'older'] as const;
    const begun = kinds.findIndex((kind) => rowsOf(kind).begin[0] === cursor?.after[0]);
    for (const [i, kind] of kinds.entries()) {
      if (i < begun) continue;
      const { begin, end } = rowsOfKeys(kind, chunk);
      const from = i === begun && cursor !== undefined ? afterKey(cursor.after) : begin;
      for await (const row of rowsBetween(view, { begin: from, end }))
        yield { row, cursor: { upload: none, after: row[0] } };
    }
  }
  const uploads = rowsOfKeys('upload', chunk);
  const begin = cursor === undefined || cursor.upload.length === 0 ? uploads.begin : cursor.upload;
  for await (const upload of rowsBetween(view, { begin, end: uploads.end })) {
    const { uploadId } = parseUploadRow(upload[0]);
    const isBegun = cursor !== undefined && compareBytes(cursor.upload, upload[0]) === 0;
    if (isBegun && compareBytes(cursor.after, upload[0]) === 0) continue;
    const parts = {
      begin: isBegun ? afterKey(cursor.after) : partRow(uploadId, 0),
      end: successor(partRow(uploadId, 0xffff)),
    };
    for await (const row of rowsBetween(view, parts))
      yield { row, cursor: { upload: upload[0], after: row[0] } };
    yield { row: upload, cursor: { upload: upload[0], after: upload[0] } };
  }
}

/** As many rows as fit a call, and where to go on. */
async function chunkPage(
  view: MethodView,
  chunk: KeyRange,
  cursor?: Cursor,
): Promise<{ readonly rows: readonly MethodRow[]; readonly next: Cursor | undefined }> {
  const rows: MethodRow[] = [];
  let bytes = 0;
  for await (const { row, cursor: at } of chunkRows(view, chunk, cursor)) {
    rows.push(row);
    bytes += row[0].length + row[1].length;
    if (bytes >= bytesPerPage || rows.length >= rowsPerPage) return { rows, next: at };
  }
  return { rows, next: undefined };
}

export const listFrozenMethod = define(messages.listFrozen, async (view, argument) => {
  const source = await readSource(view, argument.generation, 'frozen');
  if (source === undefined) return { result: { kind: 'changed' as const } };
  const { rows, next } = await chunkPage(view, source.split.chunk, argument.cursor);
  const named = rows.map(([row, value]) => ({ row, value }));
  return { result: { kind: 'page' as const, rows: named, next } };
});

/** Rows that the counts are about. */
function isCounted(row: Uint8Array): boolean {
  return row[0] === rowsOf('key').begin[0] || row[0] === rowsOf('older').begin[0];
}

/** Installed before, and since then perhaps moved to another layout: the blobs of before are garbage then. */
function isPartHere(row: Uint8Array, old: Uint8Array | undefined): boolean {
  return old !== undefined && row[0] === rowsOf('part').begin[0];
}

/** The generation is raised with each chunk taken: what comes late writes over nothing. */
export const installRowsMethod = define(messages.installRows, async (view, argument) => {
  const [row, counts] = await view.getMany([stateRow, countsRow]);
  if (seenState(new Shard(row), argument.generation) === undefined) return { result: changed };
  const old = await view.getMany(argument.rows.map((each) => each.row));
  const changes: ChangedRow[] = argument.rows
    .map((each, i) => ({ ...each, before: old[i] }))
    .filter((each) => isCounted(each.row));
  const puts = argument.rows
    .filter((each, i) => !isPartHere(each.row, old[i]))
    .map((each) => put(each.row, each.value));
  return { effects: [...puts, ...countChanges(counts, changes)], result: done };
});

export const releaseKeysMethod = define(messages.releaseKeys, async (view, argument, call) => {
  const source = await readSource(view, argument.generation, 'frozen');
  if (source === undefined) return { result: changed };
  const { range, split, state } = source;
  const { tenure } = new Shard(await view.get(stateRow)).contextOf(call).version;
  const released: Split = { ...split, phase: 'released', tenure };
  const left: KeyRange = { begin: range.begin, end: split.chunk.begin };
  return { effects: [step(state, { range: left, split: released })], result: done };
});

export const takeKeysMethod = define(messages.takeKeys, async (view, argument) => {
  const state = seenState(await readShard(view), argument.generation);
  if (state === undefined) return { result: changed };
  const { begin, end, tenure } = argument;
  const { range } = state;
  const joins = range === undefined || (end !== undefined && compareBytes(end, range.begin) === 0);
  if (!joins) return { result: changed };
  const taken = step(state, {
    range: { begin, end: range === undefined ? end : range.end },
    tenureOffset: Math.max(state.tenureOffset, tenure),
    versioned: state.versioned || argument.versioned,
  });
  return { effects: [taken], result: done };
});

export const trimKeysMethod = define(messages.trimKeys, async (view, argument) => {
  const source = await readSource(view, argument.generation, 'released');
  if (source === undefined) return { result: changed };
  const { split, state } = source;
  const { rows, next } = await chunkPage(view, split.chunk);
  const changes: ChangedRow[] = rows
    .filter(([row]) => isCounted(row))
    .map(([row, before]) => ({ row, before, value: undefined }));
  const effects = [
    ...rows.map(([row]) => remove(row)),
    ...countChanges(await view.get(countsRow), changes),
  ];
  if (next !== undefined) return { effects, result: { outcome: 'more' as const } };
  effects.push(step(state, { split: { ...split, phase: 'steady' } }));
  return { effects, result: { outcome: 'done' as const } };
});

export const finishSplitMethod = define(messages.finishSplit, async (view, argument) => {
  const source = await readSource(view, argument.generation, 'steady');
  if (source === undefined) return { result: changed };
  const split: Split = { ...source.split, phase: 'done' };
  return { effects: [step(source.state, { split })], result: done };
});

export const endSplitMethod = define(messages.endSplit, async (view, argument) => {
  const source = await readSource(view, argument.generation, 'done');
  if (source === undefined) return { result: changed };
  return { effects: [step(source.state, { split: undefined })], result: done };
});
