// Which blobs of given writers the rows of a shard refer to: the collector of orphans asks before it deletes
// what nobody refers to. A row that can't be read is said to be so, never passed over. And which rows refer to
// blobs of given layouts: the migrator asks.

import { afterKey } from '../../base/bytes.ts';
import { DecodeError } from '../../base/codec.ts';
import type { BlobId } from '../../base/ids.ts';
import type { MethodView } from '../../base/method.ts';
import type { LayoutRef } from '../../client/cluster.ts';
import { type BlobRun, decodeEntry, garbageFormat, partFormat } from './format.ts';
import { entryRow, keyOfEntryRow, keyOfOlderRow, keyOfRow, olderRowsOf, rowsOf } from './rows.ts';
import { sizeOf } from './shard.ts';
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
    current: { begin: begin.current, end: current.end },
    older: { begin: begin.older, end: older.end },
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

function sectionRows(view: MethodView, argument: SectionArgument): AsyncGenerator<SectionRow> {
  switch (argument.section) {
    case 'entries':
      return entryRows(view, argument.after);
    case 'parts':
      return plainRows(view, 'part', argument.after);
    case 'garbage':
      return plainRows(view, 'garbage', argument.after);
  }
}

interface SectionArgument {
  readonly section: ReferencesArgument['section'];
  readonly after: Uint8Array;
}

/**
 * Visits the rows of a section after `after`, as many as fit a page or until one is `full`; answers where to go on.
 * `found` is undefined for a row that can't be read.
 */
async function scanSection(
  view: MethodView,
  argument: SectionArgument,
  visit: (row: SectionRow, found: Found | undefined) => 'more' | 'full',
): Promise<Uint8Array | undefined> {
  let rowCount = 0;
  let rowBytes = 0;
  for await (const row of sectionRows(view, argument)) {
    rowBytes += row.cursor.length + row.value.length;
    rowCount++;
    const isFull = visit(row, tryReferencesOf(argument.section, row.value)) === 'full';
    if (isFull || rowCount >= rowsPerPage || rowBytes >= rowBytesPerPage) return row.cursor;
  }
  return undefined;
}

function tryReferencesOf(
  section: SectionArgument['section'],
  value: Uint8Array,
): Found | undefined {
  try {
    return referencesOf(section, value);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export async function listReferences(
  view: MethodView,
  argument: ReferencesArgument,
): Promise<ReferencesPage> {
  const { writers } = argument;
  const runs: { first: BlobId; count: number }[] = [];
  const manifests: Manifest[] = [];
  let unreadable: Uint8Array | undefined;
  const next = await scanSection(view, argument, ({ cursor }, found) => {
    if (found === undefined) {
      unreadable ??= cursor;
      return 'more';
    }
    for (const { first, count } of found.runs)
      if (hasWriter(writers, first.incarnation)) runs.push({ first, count });
    if (found.manifest !== undefined) manifests.push(found.manifest);
    return runs.length < runsPerPage ? 'more' : 'full';
  });
  return { runs, manifests, next, unreadable };
}

export interface LocatedArgument {
  readonly section: 'parts' | 'entries';
  readonly layouts: readonly LayoutRef[];
  readonly after: Uint8Array;
}

export interface LocatedPage {
  readonly rows: readonly { readonly row: Uint8Array; readonly value: Uint8Array }[];
  readonly next: Uint8Array | undefined;
  readonly unreadableCount: number;
}

export interface TallyPage {
  readonly rows: number;
  readonly sizeBytes: number;
  readonly blobs: number;
  readonly unreadable: number;
  readonly outside: number;
  readonly next: Uint8Array | undefined;
}

/** `isOutside`: whether the shard has no business with a key. */
export async function tallyRows(
  view: MethodView,
  argument: { readonly section: 'parts' | 'entries'; readonly after: Uint8Array },
  isOutside: (key: Uint8Array) => boolean,
): Promise<TallyPage> {
  const page = { rows: 0, sizeBytes: 0, blobs: 0, unreadable: 0, outside: 0 };
  const next = await scanSection(view, argument, ({ cursor, value }, found) => {
    page.rows++;
    if (found === undefined) page.unreadable++;
    else page.blobs += found.runs.reduce((sum, { count }) => sum + count, 0);
    if (argument.section === 'entries') page.sizeBytes += sizeOf(value);
    const key = keyOfRow(cursor);
    if (key !== undefined && isOutside(key)) page.outside++;
    return 'more';
  });
  return { ...page, next };
}

/** Rows answered in one page: those with runs are below 40 kB. */
const locatedRowsPerPage = 32;

/** Rows that refer to blobs of the layouts, or whose manifest has to be read to know. */
export async function listLocated(
  view: MethodView,
  argument: LocatedArgument,
): Promise<LocatedPage> {
  const { layouts } = argument;
  const rows: { row: Uint8Array; value: Uint8Array }[] = [];
  let unreadableCount = 0;
  const next = await scanSection(view, argument, ({ cursor: row, value }, found) => {
    if (found === undefined) unreadableCount++;
    else if (found.manifest !== undefined || found.runs.some((run) => isIn(layouts, run.layout)))
      rows.push({ row, value });
    return rows.length < locatedRowsPerPage ? 'more' : 'full';
  });
  return { rows, next, unreadableCount };
}

export function isIn(layouts: readonly LayoutRef[], { pool, layout }: LayoutRef): boolean {
  return layouts.some((each) => each.pool === pool && each.layout === layout);
}
