// What a store finds when it is opened: which units are taken, how often, and what can't be read.
//
// Units are taken if an extent record says so or if an onode does; either may be damaged without the
// space being handed out. An extent that a record names and no readable onode refers to belongs to a
// damaged onode if there is any damage, and is kept. With no damage at all it is what a damaged onode
// left behind when it was replaced, and may go.

import { afterKey } from '../base/bytes.ts';
import { DecodeError, decode } from '../base/codec.ts';
import type { KeyValue } from '../env/key-value.ts';
import { type ExtentAllocator, UnitSet } from './extent-allocator.ts';
import {
  decodeOnode,
  type Extent,
  extentKeysBegin,
  extentKeysEnd,
  parseExtentKey,
  readFrame,
  referencesCodec,
} from './format.ts';
import { keyPrefix, parseStoreKey, prefixEnd } from './keys.ts';
import { tolerantScan } from './tolerant-scan.ts';

/** Something that can't be read; everything else goes on. */
export interface Damage {
  /** `unreadable`: the key-value store fails on rows from `key` on; others of them may be damaged. */
  readonly kind: 'onode' | 'extent-record' | 'key' | 'unreadable';
  /** Empty for what belongs to none. */
  readonly collection: string;
  /** The object's name, or the key as it stands in the key-value store. */
  readonly key: Uint8Array;
  readonly reason: string;
}

export interface Contents {
  /** Where it isn't one; Infinity where the record is damaged, so that it never falls to zero. */
  readonly references: Map<number, number>;
  /** Units whose records can't be read: no extent there may ever be freed. */
  readonly unknown: UnitSet;
  readonly orphans: readonly Extent[];
  readonly damaged: readonly Damage[];
}

/** Enough to see what is wrong; a disk with more is to be replaced. */
const damagedMax = 1000;

/** Freed in one batch with the first commit; the others after the next opening. */
const orphansMax = 1000;

const recordRange = { begin: extentKeysBegin, end: extentKeysEnd, rowsPerScan: 1024 };

/** An onode is at most about 70 kB and typically 200 bytes. */
const onodesPerScan = 256;

export async function inspectContents(
  keyValue: KeyValue,
  allocator: ExtentAllocator,
): Promise<Contents> {
  const damaged: Damage[] = [];
  const report = (damage: Damage): void => {
    if (damaged.length < damagedMax) damaged.push(damage);
  };
  const references = new Map<number, number>();
  const unknown = await claimRecords(keyValue, allocator, references, report);

  const claimed = new UnitSet();
  const claims = new Map<number, number>();
  for await (const collection of storedCollections(keyValue, report)) {
    const prefix = keyPrefix(collection, 'object');
    const range = { begin: prefix.bytes, end: prefixEnd(prefix), rowsPerScan: onodesPerScan };
    for await (const scanned of tolerantScan(keyValue, range)) {
      if (scanned.kind === 'gap') {
        const key = scanned.begin.slice(prefix.bytes.length);
        report({ kind: 'unreadable', collection, key, reason: 'onodes from here on' });
        continue;
      }
      const { key, value } = scanned;
      const name = key.slice(prefix.bytes.length);
      const extents = readExtents(key, value);
      if (typeof extents === 'string') {
        report({ kind: 'onode', collection, key: name, reason: extents });
        continue;
      }
      for (const extent of extents) {
        if (allocator.claim(extent) > 0) {
          references.set(extent.firstUnit, Number.POSITIVE_INFINITY);
          report({
            kind: 'extent-record',
            collection,
            key: name,
            reason: 'no record of an extent',
          });
        }
        if (claimed.add(extent) < extent.unitCount)
          claims.set(extent.firstUnit, (claims.get(extent.firstUnit) ?? 1) + 1);
      }
    }
  }
  // More onodes than the record says: believe the onodes, or the last of them would lose its data.
  for (const [firstUnit, count] of claims)
    if (count > (references.get(firstUnit) ?? 1)) references.set(firstUnit, count);

  const orphans: Extent[] = [];
  if (damaged.length === 0 && claimed.takenCount < allocator.takenUnits)
    for await (const scanned of tolerantScan(keyValue, recordRange)) {
      if (scanned.kind === 'gap') break;
      const extent = parseExtentKey(scanned.key);
      if (extent === undefined || claimed.has(extent.firstUnit)) continue;
      if (orphans.length < orphansMax) orphans.push(extent);
    }
  return { references, unknown, orphans, damaged };
}

interface StoredRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Marks what the records say. Records stand in the order of their units, so where some can't be read,
 * all units from the last known to the next are marked; they are returned.
 */
async function claimRecords(
  keyValue: KeyValue,
  allocator: ExtentAllocator,
  references: Map<number, number>,
  report: (damage: Damage) => void,
): Promise<UnitSet> {
  const unknown = new UnitSet();
  let unitsBegin = 0;
  for await (const scanned of tolerantScan(keyValue, recordRange)) {
    if (scanned.kind === 'row') {
      claimRecord(scanned, allocator, references, report);
      const extent = parseExtentKey(scanned.key);
      if (extent !== undefined) unitsBegin = extent.firstUnit + extent.unitCount;
      continue;
    }
    const reason = 'extent records from here on';
    report({ kind: 'unreadable', collection: '', key: scanned.begin.slice(), reason });
    const unitsEnd = Math.min(
      parseExtentKey(scanned.end)?.firstUnit ?? allocator.unitsEnd,
      allocator.unitsEnd,
    );
    if (unitsEnd <= unitsBegin) continue;
    const gap = { firstUnit: unitsBegin, unitCount: unitsEnd - unitsBegin };
    unknown.add(gap);
    allocator.claim(gap);
  }
  return unknown;
}

function claimRecord(
  { key, value }: StoredRow,
  allocator: ExtentAllocator,
  references: Map<number, number>,
  report: (damage: Damage) => void,
): void {
  const extent = parseExtentKey(key);
  if (extent === undefined) {
    report({ kind: 'extent-record', collection: '', key: key.slice(), reason: 'no extent' });
    return;
  }
  const count = readCount(key, value);
  if (count === undefined) {
    report({ kind: 'extent-record', collection: '', key: key.slice(), reason: 'damaged' });
    // The key may be what is damaged: a place beyond the disk can't be handed out anyway.
    if (extent.firstUnit >= allocator.unitsEnd) return;
  }
  if (allocator.claim(extent) < extent.unitCount) {
    report({ kind: 'extent-record', collection: '', key: key.slice(), reason: 'overlaps another' });
    references.set(extent.firstUnit, Number.POSITIVE_INFINITY);
  } else if (count !== 1) references.set(extent.firstUnit, count ?? Number.POSITIVE_INFINITY);
}

function readCount(key: Uint8Array, value: Uint8Array): number | undefined {
  const frame = readFrame(key, value);
  if (frame.kind === 'damaged') return undefined;
  try {
    const count = decode(referencesCodec, frame.payload);
    return count === 0 ? undefined : count;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** A text says why the onode can't be read. */
function readExtents(key: Uint8Array, value: Uint8Array): readonly Extent[] | string {
  const frame = readFrame(key, value);
  if (frame.kind === 'damaged') return 'checksum differs';
  try {
    const { placement } = decodeOnode(frame.payload);
    return placement.kind === 'extents' ? placement.extents : [];
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}

/**
 * Names in order, by skipping from one collection to the next. Keys that are no collection's are
 * damaged ones; they and unreadable places are reported.
 */
export async function* storedCollections(
  keyValue: KeyValue,
  report: (damage: Damage) => void,
): AsyncIterable<string> {
  // The store's own rows begin with 0; no UTF-8 text begins with 0xff.
  let begin: Uint8Array = new Uint8Array([1]);
  const end = new Uint8Array([0xff]);
  for (;;) {
    let key: Uint8Array | undefined;
    for await (const scanned of tolerantScan(keyValue, { begin, end, rowsPerScan: 1 })) {
      if (scanned.kind === 'row') {
        key = scanned.key;
        break;
      }
      const reason = 'collections from here on';
      report({ kind: 'unreadable', collection: '', key: scanned.begin.slice(), reason });
    }
    if (key === undefined) return;
    const parsed = parseStoreKey(key);
    if (parsed === undefined) {
      report({ kind: 'key', collection: '', key: key.slice(), reason: 'not a key of ours' });
      begin = afterKey(key);
      continue;
    }
    yield parsed.collection;
    const zero = key.indexOf(0);
    begin = key.slice(0, zero + 1);
    begin[zero] = 1;
  }
}
