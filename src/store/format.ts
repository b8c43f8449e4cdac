// The durable bytes of one OSD's disk, version 1. docs/formats/store.md tells the whole; the tables
// stand here. All integers are little-endian except where a key has to sort by them.
//
// Files of the folder:
//   superblock, superblock.copy   who this disk is (two copies of the same bytes)
//   formatting                    there while a format is under way
//   meta                          the key-value store
//   block                         object data, in units of 4 KiB
//
// Rows of the key-value store. Every value is framed: CRC-32C over key and payload (u32), payload.
//   0 'i'                            identity: the OSD's uuid, as in the superblock
//   0 'h' slot(16, big-endian)       head of group `group` where group % headSlots is the slot: group
//                                    (u64), store sequence of its newest transaction (u64)
//   0 'x' firstUnit(48) units(32)    extent record, big-endian key: reference count (uint)
//   collection 0 1 name              an object's description (onode)
//   collection 0 2 key               a row: the caller's value

import { checksumChunkBytes } from '../base/chunk-checksums.ts';
import {
  bytes,
  type Carried,
  type Codec,
  DecodeError,
  decode,
  encode,
  list,
  Reader,
  struct,
  u64,
  uint,
  Writer,
} from '../base/codec.ts';
import { crc32c } from '../base/crc32c.ts';
import { type OsdId, osdId, type Uuid, uuid } from '../base/ids.ts';

export const formatVersion = 1;

export const paths = {
  superblock: 'superblock',
  superblockCopy: 'superblock.copy',
  formatting: 'formatting',
  meta: 'meta',
  block: 'block',
} as const;

/** The page size of every disk and cache below us: smaller writes would be read-modify-write there. */
export const unitBytes = 4096;

/**
 * Objects up to one unit live in their onode. They would fill a unit anyway, and a put without data
 * in the block file needs one sync instead of two. Larger ones are cheaper outside, because the
 * key-value store writes what it holds about ten times over its life.
 */
export const inlineBytesMax = unitBytes;

/** Four times the largest blob (4 MiB); its checksums are 4 KiB. */
export const objectBytesMax = 16 * 1024 * 1024;

/** Attributes of an object; large ones belong into rows. */
export const headerBytesMax = 65536;

/** A method's effects are at most 4 MiB together, so no honest value is longer. */
export const valueBytesMax = 4 * 1024 * 1024 + 65536;

export interface Superblock {
  readonly fsid: Uuid;
  readonly osdUuid: Uuid;
  readonly osdId: OsdId;
  readonly formatVersion: number;
  readonly createdWallMs: number;
}

const superblockMagic = 0x42534648; // "HFSB"

/** The fields of version 1, after the version. */
const superblockFields = struct({ fsid: uuid, osdUuid: uuid, osdId, createdWallMs: u64 });

/** Longest superblock read: version 1 has about 90 bytes, a later one may grow. */
export const superblockBytesMax = 4096;

/**
 * Superblock:
 *
 *   offset  size  field
 *        0     4  magic        "HFSB"
 *        4     4  version      the format of everything in the folder
 *        8     4  checksum     CRC-32C of bytes 0..8 followed by the fields
 *       12     -  fields       fsid, osdUuid, osdId, createdWallMs
 */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const fields = encode(superblockFields, superblock);
  const writer = new Writer();
  writer.u32(superblockMagic);
  writer.u32(superblock.formatVersion);
  writer.u32(crc32c(fields, crc32c(writer.finish())));
  writer.raw(fields);
  return writer.finish().slice();
}

export type SuperblockRead =
  | { readonly kind: 'valid'; readonly superblock: Superblock }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged'; readonly reason: string };

export function decodeSuperblock(source: Uint8Array): SuperblockRead {
  try {
    const reader = new Reader(source);
    if (reader.u32() !== superblockMagic) return { kind: 'damaged', reason: 'no superblock magic' };
    const version = reader.u32();
    const checksum = reader.u32();
    const actual = crc32c(source.subarray(12), crc32c(source.subarray(0, 8)));
    if (actual !== checksum) return { kind: 'damaged', reason: 'superblock checksum differs' };
    if (version > formatVersion) return { kind: 'newer', version };
    const fields = decode(superblockFields, source.subarray(12));
    return { kind: 'valid', superblock: { ...fields, formatVersion: version } };
  } catch (error) {
    if (error instanceof DecodeError) return { kind: 'damaged', reason: error.message };
    throw error;
  }
}

const frameBytes = 4;

/** Puts the checksum over key and payload, given in one piece or several, before the payload. */
export function frameValue(key: Uint8Array, ...payload: readonly Uint8Array[]): Uint8Array {
  let length = frameBytes;
  for (const piece of payload) length += piece.length;
  const framed = new Uint8Array(length);
  let at = frameBytes;
  let crc = crc32c(key);
  for (const piece of payload) {
    framed.set(piece, at);
    at += piece.length;
    crc = crc32c(piece, crc);
  }
  framed[0] = crc & 0xff;
  framed[1] = (crc >>> 8) & 0xff;
  framed[2] = (crc >>> 16) & 0xff;
  framed[3] = crc >>> 24;
  return framed;
}

/** The payload of a framed value known to be whole. */
export function payloadOf(framed: Uint8Array): Uint8Array {
  return framed.subarray(frameBytes);
}

export type FrameRead =
  | { readonly kind: 'whole'; readonly payload: Uint8Array }
  | { readonly kind: 'damaged'; readonly expected: number; readonly actual: number };

export function readFrame(key: Uint8Array, framed: Uint8Array): FrameRead {
  if (framed.length < frameBytes) return { kind: 'damaged', expected: 0, actual: crc32c(framed) };
  const [a, b, c, d] = framed as unknown as [number, number, number, number];
  const expected = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  const payload = framed.subarray(frameBytes);
  const actual = crc32c(payload, crc32c(key));
  return actual === expected ? { kind: 'whole', payload } : { kind: 'damaged', expected, actual };
}

export const identityKey = new Uint8Array([0, 0x69]);
export const headKeysBegin = new Uint8Array([0, 0x68]);
export const headKeysEnd = new Uint8Array([0, 0x69]);
export const identityCodec: Codec<Uuid> = uuid;

/**
 * Heads kept: the groups of a key-value store's log, which is what it may lose without a word. At 400
 * bytes for a group of one small row they fill a log of 8 MiB half as much again.
 */
export const headSlots = 32768;

export function headKey(group: number): Uint8Array {
  const slot = group % headSlots;
  return new Uint8Array([0, 0x68, slot >>> 8, slot & 0xff]);
}

/** `sequence` is 0 for a lost group whose head was mended. */
export const headCodec = struct({ group: u64, sequence: u64 });

/** A run of units of the block file. Never empty; shared only as a whole. */
export interface Extent {
  readonly firstUnit: number;
  readonly unitCount: number;
}

const extentKeyBytes = 12;
const unitsPerObjectMax = objectBytesMax / unitBytes;
export const extentKeysBegin = new Uint8Array([0, 0x78]);
export const extentKeysEnd = new Uint8Array([0, 0x79]);

/** The length stands in the key too, so that a record with a damaged count still says what is taken. */
export function extentKey(extent: Extent): Uint8Array {
  const key = new Uint8Array(extentKeyBytes);
  const view = new DataView(key.buffer);
  key.set(extentKeysBegin);
  view.setUint16(2, Math.floor(extent.firstUnit / 2 ** 32));
  view.setUint32(4, extent.firstUnit % 2 ** 32);
  view.setUint32(8, extent.unitCount);
  return key;
}

/** Undefined for a key that is no extent record's: a damaged one. */
export function parseExtentKey(key: Uint8Array): Extent | undefined {
  if (key.length !== extentKeyBytes) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const extent = {
    firstUnit: view.getUint16(2) * 2 ** 32 + view.getUint32(4),
    unitCount: view.getUint32(8),
  };
  return extent.unitCount === 0 || extent.unitCount > unitsPerObjectMax ? undefined : extent;
}

export const referencesCodec: Codec<number> = uint;

/** Where an object's bytes are. The extents follow each other; the last may be filled in part. */
export type Placement =
  | { readonly kind: 'inline'; readonly data: Uint8Array }
  | {
      readonly kind: 'extents';
      readonly extents: readonly Extent[];
      /** CRC-32C of each run of `checksumChunkBytes` of the data; the last run may be shorter. */
      readonly checksums: Uint32Array;
    };

/** What the store knows of one object. Immutable; clones share it. */
export interface Onode {
  readonly lengthBytes: number;
  readonly header: Uint8Array;
  readonly placement: Placement;
}

const extentList = list(struct({ firstUnit: uint, unitCount: uint }));
type Extents = Carried<typeof extentList>;

/**
 * Onode:
 *
 *   version        u8      1
 *   lengthBytes    uint
 *   header         bytes
 *   placement      u8      0 inline, 1 extents
 *   inline:   data of lengthBytes
 *   extents:  list of (firstUnit uint, unitCount uint), then u32 for each chunk
 */
export function encodeOnode(onode: Onode): Uint8Array {
  const writer = new Writer(512);
  writer.u8(1);
  writer.uint(onode.lengthBytes);
  bytes.write(writer, onode.header);
  const placement = onode.placement;
  if (placement.kind === 'inline') {
    writer.u8(0);
    writer.raw(placement.data);
  } else {
    writer.u8(1);
    extentList.write(writer, placement.extents);
    for (const checksum of placement.checksums) writer.u32(checksum);
  }
  return writer.finish();
}

/** Throws `DecodeError`. Whatever it returns is consistent in itself. */
export function decodeOnode(source: Uint8Array): Onode {
  const reader = new Reader(source);
  const version = reader.u8();
  if (version !== 1) throw new DecodeError(`onode version ${version}`);
  const lengthBytes = reader.uint();
  if (lengthBytes > objectBytesMax) throw new DecodeError(`object of ${lengthBytes} bytes`);
  const header = bytes.read(reader);
  const kind = reader.u8();
  if (kind > 1) throw new DecodeError(`placement ${kind}`);
  const placement =
    kind === 0
      ? { kind: 'inline' as const, data: reader.raw(lengthBytes) }
      : readExtents(reader, lengthBytes);
  if (reader.remaining !== 0) throw new DecodeError(`${reader.remaining} bytes after an onode`);
  return { lengthBytes, header, placement };
}

function readExtents(reader: Reader, lengthBytes: number): Placement {
  const extents: Extents = extentList.read(reader);
  let units = 0;
  for (const { unitCount } of extents) {
    if (unitCount === 0) throw new DecodeError('an extent is empty');
    units += unitCount;
  }
  if (units !== Math.ceil(lengthBytes / unitBytes))
    throw new DecodeError(`${units} units for ${lengthBytes} bytes`);
  const checksums = new Uint32Array(Math.ceil(lengthBytes / checksumChunkBytes));
  for (let i = 0; i < checksums.length; i++) checksums[i] = reader.u32();
  return { kind: 'extents', extents, checksums };
}
