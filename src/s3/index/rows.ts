// Row keys of an index shard, by first byte:
//
//   `m`                                   the shard's state
//   `c`                                   what is counted of the rows `k` and `v`
//   `k` key                               the current version, unless the key was deleted or never was
//   `v` key 0x00 0x01 ~tenure(u64, be) ~sequence(u64, be)   any other version, newest first (zero bytes as below)
//   `n` key                               where the version called `null` is, when it is a row `v`
//   `u` key 0x00 uploadId                 upload (a zero byte in the key is 0x00 0xff, so order is kept)
//   `p` uploadId partNumber(u16, be)      part
//   `g` wallMs(u64, be) tenure(u64, be) sequence(u64, be) n(u16, be)   garbage, oldest first
//   `x`                                   the writers whose blobs may no longer be committed here
//   `q` wallMs(u64, be) tenure(u64, be) sequence(u64, be) n(u16, be)   an event to be told, oldest first
//   `w`                                   how many of those wait
//
// and of the object `buckets`: a bucket's name, 0x7e bucketId for one in the trash, 0x7f bucketId for one that came back
// from there, and 0x00 bucketId for one that is being removed: names sort before 0x7e; 0x01 the writers
// that every new shard has to refuse, 0x02 those whose orphans are gone; 0x03 bucketId a bucket's configuration,
// 0x04 a master key, 0x05 bucketId a bucket whose events are told.

import { compareBytes, concatBytes, decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import type { Version } from '../../base/method.ts';

const tag = {
  counts: 0x63,
  state: 0x6d,
  key: 0x6b,
  older: 0x76,
  nullVersion: 0x6e,
  upload: 0x75,
  part: 0x70,
  garbage: 0x67,
  cancelled: 0x78,
  event: 0x71,
  queue: 0x77,
};

/** Ids of uploads are this many ASCII characters. */
export const uploadIdCharacters = 32;

export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

export const stateRow: Uint8Array = Uint8Array.of(tag.state);

export const countsRow: Uint8Array = Uint8Array.of(tag.counts);

/** All rows of one kind: `begin <= row < end`. */
export function rowsOf(kind: keyof typeof tag): { begin: Uint8Array; end: Uint8Array } {
  return { begin: Uint8Array.of(tag[kind]), end: Uint8Array.of(tag[kind] + 1) };
}

function tagged(kind: number, rest: Uint8Array): Uint8Array {
  const row = new Uint8Array(rest.length + 1);
  row[0] = kind;
  row.set(rest, 1);
  return row;
}

export function entryRow(key: Uint8Array): Uint8Array {
  return tagged(tag.key, key);
}

export function keyOfEntryRow(row: Uint8Array): Uint8Array {
  return row.subarray(1);
}

/** Below every escaped zero, so that no version of a key comes after a longer key. */
const olderSeparator = Uint8Array.of(0, 1);

/** Where the older versions of the key begin. */
export function olderRowsOf(key: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(tag.older), escapeZeros(key), olderSeparator]);
}

/** Where the older versions of keys that start with `prefix` begin. */
export function olderPrefixRow(prefix: Uint8Array): Uint8Array {
  return tagged(tag.older, escapeZeros(prefix));
}

const versionBytes = 16;

/** The version in the order of rows: the newest first. */
export function olderRow(key: Uint8Array, version: Version): Uint8Array {
  const start = olderRowsOf(key);
  const row = new Uint8Array(start.length + versionBytes);
  row.set(start);
  const view = new DataView(row.buffer);
  setU64BigEndian(view, start.length, version.tenure);
  setU64BigEndian(view, start.length + 8, version.sequence);
  for (let at = start.length; at < row.length; at++) row[at] = ~(row[at] as number) & 0xff;
  return row;
}

export function keyOfOlderRow(row: Uint8Array): Uint8Array {
  return unescapeZeros(row.subarray(1, row.length - versionBytes - olderSeparator.length));
}

export function nullVersionRow(key: Uint8Array): Uint8Array {
  return tagged(tag.nullVersion, key);
}

function escapeZeros(key: Uint8Array): Uint8Array {
  if (!key.includes(0)) return key;
  const escaped: number[] = [];
  for (const byte of key) {
    escaped.push(byte);
    if (byte === 0) escaped.push(0xff);
  }
  return Uint8Array.from(escaped);
}

function unescapeZeros(escaped: Uint8Array): Uint8Array {
  if (!escaped.includes(0)) return escaped;
  return escaped.filter((byte, i) => !(byte === 0xff && escaped[i - 1] === 0));
}

/** Without an upload id: where the uploads of the key begin. */
export function uploadRow(key: Uint8Array, uploadId: string): Uint8Array {
  return concatBytes([
    Uint8Array.of(tag.upload),
    escapeZeros(key),
    Uint8Array.of(0),
    encodeUtf8(uploadId),
  ]);
}

/** Where the uploads of keys that start with `prefix` begin. */
export function uploadPrefixRow(prefix: Uint8Array): Uint8Array {
  return tagged(tag.upload, escapeZeros(prefix));
}

export function parseUploadRow(row: Uint8Array): {
  readonly key: Uint8Array;
  readonly uploadId: string;
} {
  const end = row.length - uploadIdCharacters - 1;
  return {
    key: unescapeZeros(row.subarray(1, end)),
    uploadId: decodeUtf8(row.subarray(end + 1)),
  };
}

export function partRow(uploadId: string, partNumber: number): Uint8Array {
  const row = new Uint8Array(1 + uploadIdCharacters + 2);
  row[0] = tag.part;
  row.set(encodeUtf8(uploadId), 1);
  row[row.length - 2] = partNumber >> 8;
  row[row.length - 1] = partNumber & 0xff;
  return row;
}

export function partNumberOfRow(row: Uint8Array): number {
  return ((row[row.length - 2] as number) << 8) | (row[row.length - 1] as number);
}

export function garbageRow(wallMs: number, version: Version, n: number): Uint8Array {
  return timedRow(tag.garbage, wallMs, version, n);
}

function timedRow(kind: number, wallMs: number, version: Version, n: number): Uint8Array {
  const row = new Uint8Array(27);
  const view = new DataView(row.buffer);
  row[0] = kind;
  setU64BigEndian(view, 1, wallMs);
  setU64BigEndian(view, 9, version.tenure);
  setU64BigEndian(view, 17, version.sequence);
  view.setUint16(25, n);
  return row;
}

/** Where garbage that became so at `wallMs` or later begins. */
export function garbageRowsFrom(wallMs: number): Uint8Array {
  return garbageRow(wallMs, { tenure: 0, sequence: 0 }, 0);
}

export function eventRow(wallMs: number, version: Version, n: number): Uint8Array {
  return timedRow(tag.event, wallMs, version, n);
}

/** Where events that are told from `wallMs` on begin. */
export function eventRowsFrom(wallMs: number): Uint8Array {
  return eventRow(wallMs, { tenure: 0, sequence: 0 }, 0);
}

export function wallMsOfEventRow(row: Uint8Array): number {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5);
}

export const queueRow: Uint8Array = Uint8Array.of(tag.queue);

export const cancelledRow: Uint8Array = Uint8Array.of(tag.cancelled);

/** `begin <= row < end` for the rows of one kind that belong to keys of the range. */
export function rowsOfKeys(
  kind: 'key' | 'older' | 'nullVersion' | 'upload',
  range: { readonly begin: Uint8Array; readonly end: Uint8Array | undefined },
): { begin: Uint8Array; end: Uint8Array } {
  // No row of a smaller key comes after its prefix with zeros escaped: what follows a key is below them.
  const from = (key: Uint8Array): Uint8Array =>
    tagged(tag[kind], kind === 'key' || kind === 'nullVersion' ? key : escapeZeros(key));
  return {
    begin: from(range.begin),
    end: range.end === undefined ? rowsOf(kind).end : from(range.end),
  };
}

/** As much of `rows` as belongs to keys of the range. */
export function rowsInRange(
  rows: { readonly begin: Uint8Array; readonly end: Uint8Array },
  kind: 'key' | 'older' | 'upload',
  range: { readonly begin: Uint8Array; readonly end: Uint8Array | undefined },
): { begin: Uint8Array; end: Uint8Array } {
  const own = rowsOfKeys(kind, range);
  return {
    begin: compareBytes(rows.begin, own.begin) >= 0 ? rows.begin : own.begin,
    end: compareBytes(rows.end, own.end) <= 0 ? rows.end : own.end,
  };
}

/** The key that a row `k`, `v`, `n` or `u` is about. */
export function keyOfRow(row: Uint8Array): Uint8Array | undefined {
  switch (row[0]) {
    case tag.key:
    case tag.nullVersion:
      return keyOfEntryRow(row);
    case tag.older:
      return keyOfOlderRow(row);
    case tag.upload:
      return parseUploadRow(row).key;
    default:
      return undefined;
  }
}

function setU64BigEndian(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 2 ** 32));
  view.setUint32(offset + 4, value % 2 ** 32);
}

export function bucketRow(name: string): Uint8Array {
  return encodeUtf8(name);
}

export function removedBucketRow(bucketId: string): Uint8Array {
  return encodeUtf8(`\0${bucketId}`);
}

/** Behind all names. As a name, it means the bucket in the trash. */
const trashedPrefix = '~';
export const firstTrashedRow: Uint8Array = Uint8Array.of(0x7e);
export const firstRestoredRow: Uint8Array = Uint8Array.of(0x7f);

/** What jobs call a bucket in the trash: no bucket of a client is called so. */
export function trashedName(bucketId: string): string {
  return trashedPrefix + bucketId;
}

export function isTrashedName(name: string): boolean {
  return name.startsWith(trashedPrefix);
}

export function trashedRow(bucketId: string): Uint8Array {
  return encodeUtf8(trashedName(bucketId));
}

export function restoredRow(bucketId: string): Uint8Array {
  return encodeUtf8(`\x7f${bucketId}`);
}

/** Removed buckets come before it. */
export const cancelledEverywhereRow: Uint8Array = Uint8Array.of(1);
export const sweptRow: Uint8Array = Uint8Array.of(2);

/** The configuration of a bucket, while it is registered. */
export function configurationRow(bucketId: string): Uint8Array {
  return encodeUtf8(`\x03${bucketId}`);
}

export function masterKeyRow(name: string): Uint8Array {
  return encodeUtf8(`\x04${name}`);
}

/** A bucket whose events are told, or were. */
export function notifiedRow(bucketId: string): Uint8Array {
  return encodeUtf8(`\x05${bucketId}`);
}

/** A gateway with a read that takes long. */
export function longReadRow(reader: string): Uint8Array {
  return encodeUtf8(`\x06${reader}`);
}

/** Names begin with a letter or digit. */
export const firstBucketRow: Uint8Array = Uint8Array.of(0x20);
