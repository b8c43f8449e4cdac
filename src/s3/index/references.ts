// Which blobs of given writers the rows of a shard refer to: the collector of orphans asks before it deletes
// what nobody refers to. A row that can't be read is said to be so, never passed over.

import { afterKey } from '../../base/bytes.ts';
import { DecodeError } from '../../base/codec.ts';
import type { BlobId } from '../../base/ids.ts';
import type { MethodRow, MethodView } from '../../base/method.ts';
import { type BlobRun, decodeEntry, garbageFormat, partFormat } from './format.ts';
import { rowsOf } from './rows.ts';
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

/** A page ends after the scan that reaches one of these; its answer stays below 4 MiB then. */
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

const kinds = { parts: 'part', entries: 'key', garbage: 'garbage' } as const;

export async function listReferences(
  view: MethodView,
  argument: ReferencesArgument,
): Promise<ReferencesPage> {
  const { section, writers, after } = argument;
  const rows = rowsOf(kinds[section]);
  const runs: { first: BlobId; count: number }[] = [];
  const manifests: Manifest[] = [];
  let unreadable: Uint8Array | undefined;
  let next: Uint8Array | undefined = after;
  let rowCount = 0;
  let rowBytes = 0;
  while (
    next !== undefined &&
    rowCount < rowsPerPage &&
    rowBytes < rowBytesPerPage &&
    runs.length < runsPerPage
  ) {
    const scanned: readonly MethodRow[] = await view.scan({
      begin: next.length === 0 ? rows.begin : afterKey(next),
      end: rows.end,
      limit: rowsPerScan,
    });
    for (const [row, value] of scanned) {
      rowBytes += row.length + value.length;
      try {
        const found = referencesOf(section, value);
        for (const { first, count } of found.runs)
          if (hasWriter(writers, first.incarnation)) runs.push({ first, count });
        if (found.manifest !== undefined) manifests.push(found.manifest);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        unreadable ??= row;
      }
    }
    rowCount += scanned.length;
    next = scanned.length < rowsPerScan ? undefined : scanned.at(-1)?.[0];
  }
  return { runs, manifests, next, unreadable };
}
