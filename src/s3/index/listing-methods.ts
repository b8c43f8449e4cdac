// The listings of keys and of versions.

import { afterKey, compareBytes, equalBytes } from '../../base/bytes.ts';
import { type Carried, DecodeError } from '../../base/codec.ts';
import type { MethodView, Version } from '../../base/method.ts';
import { decodeEntrySummary, decodeEntryVersion, type KeyRange } from './format.ts';
import { readEntry } from './key-versions.ts';
import * as messages from './messages.ts';
import { define, later, pageLimitMax } from './method.ts';
import { entryRow, keyOfEntryRow, olderPrefixRow, olderRow, rowsInRange } from './rows.ts';
import { listedRange, loadKey, parseId, readShard } from './shard.ts';
import { endOfDelimiter, endOfGroup, successor, walkRows } from './walk.ts';
import { VersionWalk, type WalkedVersion } from './walk-versions.ts';

export const listEntriesMethod = define(messages.listEntries, async (view, argument) => {
  const range = listedRange(await readShard(view), argument.from);
  if ('kind' in range) return { result: range };
  const { prefix, delimiter, after } = argument;
  const prefixRow = entryRow(prefix);
  const rowAfterPrefix = (group: Uint8Array): Uint8Array => successor(entryRow(group));
  // A group that holds `after` is not greater than it, so it has been listed.
  const groupEnd = endOfGroup(after, delimiter, prefix);
  const afterRow =
    groupEnd === undefined ? afterKey(entryRow(after)) : rowAfterPrefix(after.slice(0, groupEnd));
  const begin = after.length === 0 ? prefixRow : later(prefixRow, afterRow);
  const { items, ended } = await walkRows(view, {
    ...rowsInRange({ begin, end: successor(prefixRow) }, 'key', range),
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
      end: range.end,
      items: items.map((item) => {
        if (item.kind === 'prefix') return item;
        const summary = listedSummary(item.row[1]);
        // Field by field: a page is a thousand of these, and a spread costs as much as all the rest.
        return {
          kind: 'entry' as const,
          key: item.key,
          sizeBytes: summary.sizeBytes,
          etag: summary.etag,
          wallMs: summary.wallMs,
          checksum: summary.checksum,
          owner: summary.owner,
          storageClass: summary.storageClass,
        };
      }),
    },
  };
});

/** A damaged entry is listed, so that it can be found and deleted. */
export function listedSummary(row: Uint8Array): ReturnType<typeof decodeEntrySummary> {
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

export type VersionsArgument = Carried<typeof messages.listVersions.argument>;

export type ListedVersion = Extract<
  Extract<Carried<typeof messages.listVersions.result>, { readonly kind: 'page' }>['items'][number],
  { readonly kind: 'version' }
>;

export function listedVersion(
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
export const versionScansMax = 2200;

/** Where the walk begins, and the key whose newest version lies before that. */
export async function versionsAfter(
  view: MethodView,
  argument: VersionsArgument,
  range: KeyRange,
): Promise<{ walk: VersionWalk; begunKey: Uint8Array | undefined }> {
  const { prefix, delimiter, keyMarker } = argument;
  const [current, older] = [entryRow(prefix), olderPrefixRow(prefix)];
  const walk = new VersionWalk(view, {
    current: rowsInRange({ begin: current, end: successor(current) }, 'key', range),
    older: rowsInRange({ begin: older, end: successor(older) }, 'older', range),
  });
  if (keyMarker.length === 0) return { walk, begunKey: undefined };
  const groupEnd = endOfGroup(keyMarker, delimiter, prefix);
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

export const listVersionsMethod = define(messages.listVersions, async (view, argument) => {
  const range = listedRange(await readShard(view), argument.from);
  if ('kind' in range) return { result: range };
  const { prefix, delimiter, withTags } = argument;
  const limit = Math.min(argument.limit, pageLimitMax);
  const items: (ListedVersion | { readonly kind: 'prefix'; readonly prefix: Uint8Array })[] = [];
  const begun = await versionsAfter(view, argument, range);
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
  return { result: { kind: 'page' as const, items, ended, end: range.end } };
});
