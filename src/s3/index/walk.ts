// One page of rows in key order, with whatever shares a prefix up to the delimiter grouped into one item.
// A group is left by seeking past it, never by reading it: a page costs about as many rows as
// it has items, however many keys the groups hold.

import { afterPrefix, compareBytes, equalBytes } from '../../base/bytes.ts';
import type { MethodRow, MethodView } from '../../base/method.ts';

export type WalkItem =
  | { readonly kind: 'row'; readonly key: Uint8Array; readonly row: MethodRow }
  | { readonly kind: 'prefix'; readonly prefix: Uint8Array };

export interface Walk {
  readonly begin: Uint8Array;
  readonly end: Uint8Array;
  readonly prefix: Uint8Array;
  /** Empty: no grouping. */
  readonly delimiter: Uint8Array;
  readonly limit: number;
  keyOf(row: Uint8Array): Uint8Array;
  /** The first row that does not belong to a key with this prefix. */
  rowAfterPrefix(prefix: Uint8Array): Uint8Array;
}

/** After a seek, one or two rows usually tell what comes next; runs of plain keys double it. */
const scanRowsMin = 4;
/** Rows may hold 16 KiB inline and a manifest: 64 of them stay below 5 MiB. */
const scanRowsUnseen = 64;
/** Once rows were seen, as many of their size as make about this: small ones come a thousand at a time. */
const scanBytes = 1024 * 1024;
const scanRowsMax = 1000;
/** A page of 1,000 groups is 1,000 scans; no call does more. */
const scansMax = 1100;

/** Where `delimiter` first ends in `key` at or after `from`; undefined when it does not occur. */
export function endOfDelimiter(
  key: Uint8Array,
  delimiter: Uint8Array,
  from: number,
): number | undefined {
  const first = delimiter[0];
  if (first === undefined) return undefined;
  for (let at = key.indexOf(first, from); at >= 0; at = key.indexOf(first, at + 1)) {
    if (at + delimiter.length > key.length) return undefined;
    let matched = 1;
    while (matched < delimiter.length && key[at + matched] === delimiter[matched]) matched++;
    if (matched === delimiter.length) return at + matched;
  }
  return undefined;
}

/** Where the group of a listing under `prefix` that holds the key ends; undefined when none does. */
export function endOfGroup(
  key: Uint8Array,
  delimiter: Uint8Array,
  prefix: Uint8Array,
): number | undefined {
  const isInPrefix =
    key.length >= prefix.length && equalBytes(key.subarray(0, prefix.length), prefix);
  return isInPrefix ? endOfDelimiter(key, delimiter, prefix.length) : undefined;
}

export async function walkRows(
  view: MethodView,
  walk: Walk,
): Promise<{ readonly items: readonly WalkItem[]; readonly ended: boolean }> {
  const items: WalkItem[] = [];
  let begin = walk.begin;
  let scanRows = walk.delimiter.length === 0 ? scanRowsUnseen : scanRowsMin;
  for (let scans = 0; scans < scansMax && items.length < walk.limit; scans++) {
    if (compareBytes(begin, walk.end) >= 0) return { items, ended: true };
    const rows = await view.scan({
      begin,
      end: walk.end,
      limit: Math.min(scanRows, walk.limit - items.length),
    });
    const asked = Math.min(scanRows, walk.limit - items.length);
    let jumped = false;
    for (const row of rows) {
      const key = walk.keyOf(row[0]);
      const groupEnd = endOfDelimiter(key, walk.delimiter, walk.prefix.length);
      if (groupEnd === undefined) {
        items.push({ kind: 'row', key, row });
        continue;
      }
      const prefix = key.slice(0, groupEnd);
      items.push({ kind: 'prefix', prefix });
      begin = walk.rowAfterPrefix(prefix);
      jumped = true;
      break;
    }
    if (jumped) {
      scanRows = scanRowsMin;
      continue;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < asked) return { items, ended: true };
    begin = new Uint8Array(last[0].length + 1);
    begin.set(last[0]);
    scanRows = nextScanRows(scanRows, rows);
  }
  return { items, ended: false };
}

function nextScanRows(scanRows: number, rows: readonly MethodRow[]): number {
  if (scanRows < scanRowsUnseen) return Math.min(scanRows * 2, scanRowsUnseen);
  let bytes = 0;
  for (const [key, value] of rows) bytes += key.length + value.length;
  const ofThisSize = Math.floor((scanBytes * rows.length) / Math.max(1, bytes));
  return Math.min(Math.max(ofThisSize, scanRowsUnseen), scanRowsMax);
}

/** `prefix` in rows of a one-byte tag; keys are UTF-8, so a successor always exists. */
export function successor(row: Uint8Array): Uint8Array {
  return afterPrefix(row) ?? row;
}
