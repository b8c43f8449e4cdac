// Where a store stands: the group and sequence it ended with, and whether groups before that are missing.
//
// LevelDB drops a damaged record of its log and goes on with the next, so that a transaction in the
// middle may be gone while later ones are there. Each group therefore writes a head into a ring of
// slots; one that is not there says which group was lost. A loss at the end looks like an earlier
// moment of the same store: `sequence` is lower than what peers remember.

import { afterKey } from '../base/bytes.ts';
import { type Carried, type Codec, DecodeError, decode } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import type { KeyValue } from '../env/key-value.ts';
import { StoreError } from './errors.ts';
import {
  headCodec,
  headKeysBegin,
  headKeysEnd,
  headSlots,
  identityCodec,
  identityKey,
  readFrame,
  type Superblock,
} from './format.ts';
import { tolerantScan } from './tolerant-scan.ts';

export interface StoreHead {
  /** Of the newest group there is. */
  readonly group: number;
  readonly sequence: number;
  /** Groups before it that are gone, of the last `headSlots`. */
  readonly lostGroups: readonly number[];
  /** False when the row that says whose the store is can't be read. */
  readonly hasIdentity: boolean;
}

type Head = Carried<typeof headCodec>;

const headsPerScan = 1024;

/** Throws `corrupt` unless the rows belong to the superblock. */
export async function readHead(keyValue: KeyValue, superblock: Superblock): Promise<StoreHead> {
  const osdUuid = await readIdentity(keyValue);
  if (osdUuid !== undefined && osdUuid !== superblock.osdUuid)
    throw new StoreError({
      code: 'corrupt',
      reason: `the superblock is of OSD ${superblock.osdUuid}, the rows are of ${osdUuid}`,
    });

  const heads = await readHeads(keyValue);
  let newest: Head | undefined;
  for (const head of heads.values())
    if (head !== 'damaged' && head.group >= (newest?.group ?? 0)) newest = head;
  if (newest === undefined)
    throw new StoreError({ code: 'corrupt', reason: 'the key-value store has no head' });
  const lostGroups: number[] = [];
  for (let group = Math.max(0, newest.group - headSlots + 1); group < newest.group; group++) {
    const head = heads.get(group % headSlots);
    // A damaged head is a damaged row, but its group was there to write it.
    if (head !== 'damaged' && head?.group !== group) lostGroups.push(group);
  }
  return { ...newest, lostGroups, hasIdentity: osdUuid !== undefined };
}

/** One damaged row is no reason to give up a disk: without it the heads must do. */
async function readIdentity(keyValue: KeyValue): Promise<Uuid | undefined> {
  const range = { begin: identityKey, end: afterKey(identityKey), rowsPerScan: 1 };
  for await (const scanned of tolerantScan(keyValue, range))
    if (scanned.kind === 'row') return decodeWhole(identityCodec, scanned.key, scanned.value);
  return undefined;
}

/** By slot. */
async function readHeads(keyValue: KeyValue): Promise<Map<number, Head | 'damaged'>> {
  const heads = new Map<number, Head | 'damaged'>();
  const range = { begin: headKeysBegin, end: headKeysEnd, rowsPerScan: headsPerScan };
  for await (const scanned of tolerantScan(keyValue, range)) {
    if (scanned.kind === 'gap') {
      const end = scanned.end.length === 4 ? slotOf(scanned.end) : headSlots;
      for (let slot = slotOf(scanned.begin); slot < end; slot++) heads.set(slot, 'damaged');
      continue;
    }
    const { key, value } = scanned;
    if (key.length !== 4) continue;
    const slot = slotOf(key);
    const head = decodeWhole(headCodec, key, value);
    const belongs = head !== undefined && head.group % headSlots === slot;
    heads.set(slot, belongs ? head : 'damaged');
  }
  return heads;
}

function slotOf(key: Uint8Array): number {
  return ((key[2] ?? 0) << 8) | (key[3] ?? 0);
}

function decodeWhole<T>(codec: Codec<T>, key: Uint8Array, framed: Uint8Array): T | undefined {
  const frame = readFrame(key, framed);
  if (frame.kind === 'damaged') return undefined;
  try {
    return decode(codec, frame.payload);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
