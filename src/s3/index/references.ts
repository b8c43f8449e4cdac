// Which blobs of given writers the rows of a shard refer to: the collector of orphans asks before it deletes
// what nobody refers to. A row that can't be read is said to be so, never passed over.

import { afterKey } from '../../base/bytes.ts';
import { DecodeError } from '../../base/codec.ts';
import type { BlobId } from '../../base/ids.ts';
import type { MethodView } from '../../base/method.ts';
import { type BlobRun, decodeEntry, garbageFormat, partFormat } from './format.ts';
import { entryRow, keyOfEntryRow, keyOfOlderRow, olderRowsOf, rowsOf } from './rows.ts';
import { VersionWalk } from './walk-versions.ts';
import { hasWriter, type WriterSet } from './writer-ranges.ts';

export interface ReferencesArgument {
  readonly section: 'parts' | 'entries' | 'garbage';
  readonly writers: WriterSet;
  readonly after: Uint8Array;
}

export interface Manifest {
  readonly manifestBytes: number;
  readonly runs: readonly BlobRun[];
}

export interface ReferencesPage {
  readonly runs: readonly { readonly first: BlobId; readonly count: number }[];
  readonly manifests: readonly Manifest[];
  readonly next: Uint8Array | undefined;
  readonly unreadable: Uint8Array | undefined;
}

/** Rows with 16 KiB inline and a manifest: this many stay below 5 MiB. */
const rowsPerScan = 64;

/** A page ends after the row that reaches one of these; its answer stays below 4 MiB then. */
const rowsPerPage = 1024;
const rowBytesPerPage = 1024 * 1024;
const runsPerPage = 10_000;

interface Found {
  readonly runs: readonly BlobRun[];
  readonly manifest: Manifest | undefined;
}

/** Throws `DecodeError`. */
function referencesOf(section: ReferencesArgument['section'], value: Uint8Array): Found {
  switch (section) {
    case 'parts':
      return { runs: partFormat.decode(value).runs, manifest: undefined };
    case 'entries': {
      const { content } = decodeEntry(value);
      if (content.kind === 'inline') return { runs: [], manifest: undefined };
      if (content.kind === 'indirect') return { runs: content.runs, manifest: content };
      return { runs: content.extents.flatMap((extent) => extent.runs), manifest: undefined };
    }
    case 'garbage': {
      const garbage = garbageFormat.decode(value);
      return { runs: garbage.runs, manifest: garbage.kind === 'manifest' ? garbage : undefined };
    }
  }
}

interface SectionRow {
  /** Where to go on after it. */
  readonly cursor: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * A version may become the current one, or an older one, while a section is read page by page. Both kinds of rows
 * of a key are therefore read in one call, and a page that goes on inside a key reads its row `k` again.
 */
async function* entryRows(view: MethodView, after: Uint8Array): AsyncGenerator<SectionRow> {
  const current = rowsOf('key');
  const older = rowsOf('older');
  const begin = { current: current.begin, older: older.begin };
  if (after.length > 0 && after[0] === older.begin[0]) {
    begin.current = entryRow(keyOfOlderRow(after));
    begin.older = afterKey(after);
  } else if (after.length > 0) {
    begin.current = afterKey(after);
    begin.older = olderRowsOf(keyOfEntryRow(after));
  }
  const walk = new VersionWalk(view, {
    currentBegin: begin.current,
    currentEnd: current.end,
    olderBegin: begin.older,
    olderEnd: older.end,
  });
  for (let next = await walk.next(); next !== undefined; next = await walk.next())
    yield { cursor: next.row[0], value: next.row[1] };
}

async function* plainRows(
  view: MethodView,
  kind: 'part' | 'garbage',
  after: Uint8Array,
): AsyncGenerator<SectionRow> {
  const { begin, end } = rowsOf(kind);
  let from = after.length === 0 ? begin : afterKey(after);
  while (true) {
    const rows = await view.scan({ begin: from, end, limit: rowsPerScan });
    for (const [cursor, value] of rows) yield { cursor, value };
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsPerScan) return;
    from = afterKey(last[0]);
  }
}

function sectionRows(view: MethodView, argument: ReferencesArgument): AsyncGenerator<SectionRow> {
  switch (argument.section) {
    case 'entries':
      return entryRows(view, argument.after);
    case 'parts':
      return plainRows(view, 'part', argument.after);
    case 'garbage':
      return plainRows(view, 'garbage', argument.after);
  }
}

export async function listReferences(
  view: MethodView,
  argument: ReferencesArgument,
): Promise<ReferencesPage> {
  const { section, writers } = argument;
  const runs: { first: BlobId; count: number }[] = [];
  const manifests: Manifest[] = [];
  let unreadable: Uint8Array | undefined;
  let rowCount = 0;
  let rowBytes = 0;
  for await (const { cursor, value } of sectionRows(view, argument)) {
    rowBytes += cursor.length + value.length;
    rowCount++;
    try {
      const found = referencesOf(section, value);
      for (const { first, count } of found.runs)
        if (hasWriter(writers, first.incarnation)) runs.push({ first, count });
      if (found.manifest !== undefined) manifests.push(found.manifest);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      unreadable ??= cursor;
    }
    if (rowCount >= rowsPerPage || rowBytes >= rowBytesPerPage || runs.length >= runsPerPage)
      return { runs, manifests, next: cursor, unreadable };
  }
  return { runs, manifests, next: undefined, unreadable };
}
