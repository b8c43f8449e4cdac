// The durable values of an S3 index: entries (manifests), uploads, parts, garbage, buckets. Formats are
// read for ever; docs/formats/s3-index.md shows them beside each other.
//
// Entry, little-endian:
//
//   offset  size  field
//        0     1  magic        0x45 ("E")
//        1     1  version      1
//        2    16  version      tenure u64, sequence u64: the put that made the content
//       18    16  generation   tenure u64, sequence u64: the last change of any kind (tags, location)
//       34     4  checksum     CRC-32C of the body
//       38     …  body         `entryCodec`, what a listing shows first, inline bytes last
//
// The version and generation are stamped by the index method that commits the entry: only it knows its name in
// the PG's log. The body is written by the gateway and checked by every gateway that reads it, so
// damage on the way through an OSD's memory does not pass for an object. Other values are
// `[magic u8][format version u8][crc u32 of the rest][rest]`.

import {
  bytes,
  type Carried,
  type Codec,
  DecodeError,
  encode,
  list,
  oneOf,
  option,
  Reader,
  struct,
  text,
  u64,
  uint,
  Writer,
} from '../../base/codec.ts';
import { crc32c } from '../../base/crc32c.ts';
import { blobId } from '../../base/ids.ts';
import type { Version } from '../../base/method.ts';
import { checksumAlgorithms, checksumTypes } from '../protocol/checksum-names.ts';
import { bucketDocuments } from './bucket-documents.ts';
import { closedUnion } from './closed-union.ts';

/** A manifest longer than this keeps its runs in blobs of its own. */
export const manifestBytesMax = 64 * 1024;

export const layoutRef = struct({ pool: uint, layout: uint });

/** `count` blobs with consecutive ids; all of `blobBytes` but the last, which has `lastBytes`. */
export const blobRun = struct({
  layout: layoutRef,
  first: blobId,
  count: uint,
  blobBytes: uint,
  lastBytes: uint,
});
export type BlobRun = Carried<typeof blobRun>;

export function runBytes(run: BlobRun): number {
  return (run.count - 1) * run.blobBytes + run.lastBytes;
}

/** What was uploaded as one piece: a whole PUT, or a part. */
export const extent = struct({
  sizeBytes: uint,
  runs: list(blobRun),
  /** Base64, in the object's algorithm; kept for parts. */
  checksum: option(text),
});
export type Extent = Carried<typeof extent>;

export const extentList = list(extent);

export const content = closedUnion({
  inline: [1, struct({ bytes })],
  direct: [2, struct({ extents: extentList })],
  /** The extents, encoded as `extentList`, are `manifestBytes` bytes in the blobs of `runs`. */
  indirect: [3, struct({ manifestBytes: uint, runs: list(blobRun) })],
});
export type Content = Carried<typeof content>;

export const checksum = struct({
  algorithm: oneOf(...checksumAlgorithms),
  type: oneOf(...checksumTypes),
  value: text,
});

export const namedValues = list(struct({ name: text, value: text }));

/** The fields that a listing shows; first in the body, so that it reads no further. */
const summaryFields = {
  sizeBytes: uint,
  etag: text,
  wallMs: uint,
  checksum: option(checksum),
};
const summaryCodec = struct(summaryFields);
export type EntrySummary = Carried<typeof summaryCodec>;

const entryCodec = struct({
  ...summaryFields,
  /** `content-type` and the like, names in lower case. */
  headers: namedValues,
  metadata: namedValues,
  tags: namedValues,
  /** The upload it was completed from: a repeated complete is answered, not refused. */
  uploadId: option(text),
  /** Parts it was made of; 0: a plain PUT. */
  partCount: uint,
  content,
});
export type EntryBody = Carried<typeof entryCodec>;

export interface Entry extends EntryBody {
  readonly version: Version;
  readonly generation: Version;
}

const entryMagic = 0x45;
const entryHeaderBytes = 38;
const formatVersion = 1;

function checkHead(reader: Reader, magic: number, name: string): void {
  const foundMagic = reader.u8();
  const foundVersion = reader.u8();
  if (foundMagic !== magic) throw new DecodeError(`${name}: magic is ${foundMagic}`);
  if (foundVersion !== formatVersion)
    throw new DecodeError(`${name}: format version ${foundVersion} is not known`);
}

/** With zeros for version and generation: `stampEntry` fills them in. */
export function encodeEntryDraft(body: EntryBody): Uint8Array {
  const inline = body.content.kind === 'inline' ? body.content.bytes.length : 0;
  const writer = new Writer(512 + inline);
  writer.u8(entryMagic);
  writer.u8(formatVersion);
  for (let i = 0; i < 4; i++) writer.u64(0);
  writer.u32(0);
  entryCodec.write(writer, body);
  const encoded = writer.finish();
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  view.setUint32(34, crc32c(encoded.subarray(entryHeaderBytes)), true);
  return encoded;
}

function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 2 ** 32, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** A copy with the version and generation of the call that commits it. */
export function stampEntry(draft: Uint8Array, version: Version, generation: Version): Uint8Array {
  const stamped = draft.slice();
  const view = new DataView(stamped.buffer);
  setU64(view, 2, version.tenure);
  setU64(view, 10, version.sequence);
  setU64(view, 18, generation.tenure);
  setU64(view, 26, generation.sequence);
  return stamped;
}

function readVersion(reader: Reader): Version {
  return { tenure: reader.u64(), sequence: reader.u64() };
}

/** Throws `DecodeError`. The inline bytes are a view into the row. */
export function decodeEntry(row: Uint8Array): Entry {
  const reader = new Reader(row);
  checkHead(reader, entryMagic, 'entry');
  const version = readVersion(reader);
  const generation = readVersion(reader);
  const expected = reader.u32();
  const actual = crc32c(row.subarray(entryHeaderBytes));
  if (actual !== expected) throw new DecodeError(`entry: crc ${actual}, expected ${expected}`);
  const body = entryCodec.read(reader);
  if (reader.remaining !== 0) throw new DecodeError('entry: bytes after the end');
  return { ...body, version, generation };
}

/** What a listing needs, without reading or checking the rest. Throws `DecodeError`. */
export function decodeEntrySummary(row: Uint8Array): EntrySummary {
  const reader = new Reader(row);
  checkHead(reader, entryMagic, 'entry');
  reader.raw(entryHeaderBytes - 2);
  return summaryCodec.read(reader);
}

export function decodeEntryVersion(row: Uint8Array): Version {
  const reader = new Reader(row);
  checkHead(reader, entryMagic, 'entry');
  return readVersion(reader);
}

/** A value with magic, version and checksum before it. */
interface Sealed<T> {
  encode(value: T): Uint8Array;
  /** Throws `DecodeError`. */
  decode(row: Uint8Array): T;
}

function sealed<T>(name: string, magic: number, codec: Codec<T>): Sealed<T> {
  return {
    encode: (value) => {
      const rest = encode(codec, value);
      const writer = new Writer(rest.length + 6);
      writer.u8(magic);
      writer.u8(formatVersion);
      writer.u32(crc32c(rest));
      writer.raw(rest);
      return writer.finish().slice();
    },
    decode: (row) => {
      const reader = new Reader(row);
      checkHead(reader, magic, name);
      const expected = reader.u32();
      if (crc32c(row.subarray(6)) !== expected) throw new DecodeError(`${name}: wrong checksum`);
      const value = codec.read(reader);
      if (reader.remaining !== 0) throw new DecodeError(`${name}: bytes after the end`);
      return value;
    },
  };
}

export const version: Codec<Version> = struct({ tenure: u64, sequence: u64 });

/** A shard's own state, its row `m`. Without it nothing is written there. */
const shardState = struct({ state: oneOf('open', 'sealed') });
export const shardStateFormat = sealed('shard', 0x4d, shardState);

/** An upload in progress: what the finished object will be. */
const upload = struct({
  wallMs: uint,
  headers: namedValues,
  metadata: namedValues,
  tags: namedValues,
  checksumAlgorithm: option(oneOf(...checksumAlgorithms)),
  checksumType: option(oneOf(...checksumTypes)),
});
export type Upload = Carried<typeof upload>;
export const uploadFormat = sealed('upload', 0x55, upload);

const part = struct({
  wallMs: uint,
  sizeBytes: uint,
  /** Hexadecimal MD5. */
  etag: text,
  /** Base64, in the upload's algorithm. */
  checksum: option(text),
  runs: list(blobRun),
  /** The call that put it: a part put again has another. */
  version,
});
export type Part = Carried<typeof part>;
export const partFormat = sealed('part', 0x50, part);

/** Blobs nobody refers to any more. Of a `manifest`, also the blobs it lists. */
const garbage = struct({
  kind: oneOf('blobs', 'manifest'),
  manifestBytes: uint,
  runs: list(blobRun),
});
export type Garbage = Carried<typeof garbage>;
export const garbageFormat = sealed('garbage', 0x47, garbage);

/** A key range of a bucket's index, beginning at `beginKey`, up to the next range's. */
const indexRange = struct({ beginKey: bytes, object: text });

/** Writer incarnations; sets of them as in `writer-ranges.ts`. */
export const writerRanges = list(struct({ first: uint, count: uint }));

/** Writers of which the shard commits nothing; in the registry, those cancelled and those swept. */
export const writersFormat = sealed('writers', 0x57, struct({ writers: writerRanges }));

const bucketRecord = struct({
  bucketId: text,
  owner: text,
  createdWallMs: uint,
  /** What the creator asked for; the empty text says nothing was asked. */
  location: text,
  /** In order of `beginKey`; the first begins at the empty key. */
  ranges: list(indexRange),
});
export type BucketRecord = Carried<typeof bucketRecord>;
export const bucketFormat = sealed('bucket', 0x42, bucketRecord);

/** What `index/bucket-documents.ts` describes; no row when there are none. */
export const configurationFormat = sealed(
  'configuration',
  0x43,
  struct({ documents: bucketDocuments }),
);
