// The durable values of an S3 index: entries (manifests), uploads, parts, garbage, buckets. Formats are
// read for ever; docs/formats/s3-index.md shows them beside each other.
//
// Entry, little-endian:
//
//   offset  size  field
//        0     1  magic        0x45 ("E")
//        1     1  version      2; 1 is read for ever, and written again as 2 when the entry changes
//        2    16  version      tenure u64, sequence u64: the put that made the content
//       18    16  generation   tenure u64, sequence u64: the last change of any kind (tags, location)
//       34     4  checksum     CRC-32C of the body
//       38     …  body         `entryCodec`, what a listing shows first, inline bytes last
//
// The version and generation are stamped by the index method that commits the entry: only it knows its name in
// the PG's log. The body is written by the gateway and checked by every gateway that reads it, so
// damage on the way through an OSD's memory does not pass for an object. Other values are
// `[magic u8][format version u8][crc u32 of the rest][rest]`.

import { assert } from '../../base/assert.ts';
import { concatBytes, emptyBytes } from '../../base/bytes.ts';
import {
  bool,
  bytes,
  type Carried,
  type Codec,
  DecodeError,
  decode,
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

export const version: Codec<Version> = struct({ tenure: u64, sequence: u64 });

/** A manifest longer than this keeps its runs in blobs of its own. */
export const manifestBytesMax = 64 * 1024;

/**
 * Longer lists of extents are indirect: room is left for 16 KiB of headers and metadata and 15 KiB of tags in
 * an entry of `manifestBytesMax`.
 */
export const directExtentsBytesMax = 32 * 1024;

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

const extentFields = {
  sizeBytes: uint,
  runs: list(blobRun),
  /** Base64, in the object's algorithm; kept for parts. */
  checksum: option(text),
};

/** What was uploaded as one piece: a whole PUT, or a part. */
const extent = struct({
  ...extentFields,
  /** As the client numbered it; 0: not a part. */
  partNumber: uint,
  /** Where the cipher's key stream begins; empty unless the bytes are encrypted. */
  nonce: bytes,
});
export type Extent = Carried<typeof extent>;

const extentList = list(extent);

/** Version 1 of an extent knew no part numbers; parts were counted. */
const extentListV1: Codec<readonly Extent[]> = mapped(
  list(struct(extentFields)),
  (extents): readonly Extent[] =>
    extents.map((each, i) => ({ ...each, partNumber: i + 1, nonce: emptyBytes })),
);

/** No list of version 1 began with a zero: it would have been empty. */
const manifestPrefix = Uint8Array.of(0, 2);

/** An indirect manifest: what its blobs hold. */
export function encodeManifest(extents: readonly Extent[]): Uint8Array {
  return concatBytes([manifestPrefix, encode(extentList, extents)]);
}

/** Throws `DecodeError`. */
export function decodeManifest(source: Uint8Array): readonly Extent[] {
  if (source[0] !== 0) return decode(extentListV1, source);
  if (source[1] !== 2) throw new DecodeError(`manifest: version ${source[1]} is not known`);
  return decode(extentList, source.subarray(manifestPrefix.length));
}

function contentOf(extents: Codec<readonly Extent[]>) {
  return closedUnion({
    inline: [1, struct({ bytes })],
    direct: [2, struct({ extents })],
    /** The manifest is `manifestBytes` bytes in the blobs of `runs`. */
    indirect: [3, struct({ manifestBytes: uint, runs: list(blobRun) })],
  });
}
export const content = contentOf(extentList);
export type Content = Carried<typeof content>;

export const checksum = struct({
  algorithm: oneOf(...checksumAlgorithms),
  type: oneOf(...checksumTypes),
  value: text,
});

export const namedValues = list(struct({ name: text, value: text }));

/** The fields that a listing shows; first in the body, so that it reads no further. */
const summaryFieldsV1 = {
  sizeBytes: uint,
  etag: text,
  wallMs: uint,
  checksum: option(checksum),
};
const summaryFields = {
  ...summaryFieldsV1,
  /** A delete marker has no content: it says that the key was deleted. */
  kind: oneOf('object', 'delete-marker'),
  /** The version called `null`: put while the bucket kept no versions. */
  isNull: bool,
  /** Who put it; empty: the bucket's owner. */
  owner: text,
  storageClass: text,
};
const summaryCodec = struct(summaryFields);
export type EntrySummary = Carried<typeof summaryCodec>;
const summaryCodecV1 = mapped(struct(summaryFieldsV1), (fields) => ({
  ...fields,
  ...plainSummary,
}));

/** What every object of version 1 was. */
export const plainSummary = {
  kind: 'object' as const,
  isNull: true,
  owner: '',
  storageClass: 'STANDARD',
};

export const permissions = ['FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const;

const grant = struct({
  /** A user's name, or the last part of a group's URI. */
  grantee: text,
  granteeKind: oneOf('user', 'group'),
  permission: oneOf(...permissions),
});
export type Grant = Carried<typeof grant>;
export const grants = list(grant);

export const retention = struct({ mode: oneOf('GOVERNANCE', 'COMPLIANCE'), untilMs: uint });
export type Retention = Carried<typeof retention>;

const encryption = struct({
  kind: oneOf('SSE-S3', 'SSE-KMS', 'SSE-C'),
  /** Of the key that wraps the object's own; of `SSE-C` the customer's key's MD5, base64. */
  keyId: text,
  /** The object's own key, wrapped; of `SSE-C` the salt it is derived with. */
  wrappedKey: bytes,
  /** As the client gave it, base64. */
  context: text,
  bucketKey: bool,
});
export type Encryption = Carried<typeof encryption>;

/** What an object is beside its bytes and what it was described as; of an upload, what it will be. */
const attributeFields = {
  /** Undefined: its owner's alone. */
  acl: option(grants),
  retention: option(retention),
  /** Undefined: never set. */
  legalHold: option(bool),
  encryption: option(encryption),
  /** Where a website sends who asks for it. */
  redirect: option(text),
  /** Room for what later releases add: unknown names are kept. */
  properties: list(struct({ name: text, value: bytes })),
};
export type Attributes = Carried<typeof attributesCodec>;
const attributesCodec = struct(attributeFields);

export const plainAttributes: Attributes = {
  acl: undefined,
  retention: undefined,
  legalHold: undefined,
  encryption: undefined,
  redirect: undefined,
  properties: [],
};

const describedFields = {
  /** `content-type` and the like, names in lower case. */
  headers: namedValues,
  metadata: namedValues,
  tags: namedValues,
};

const originFields = {
  /** The upload it was completed from: a repeated complete is answered, not refused. */
  uploadId: option(text),
  /** Parts it was made of; 0: a plain PUT. */
  partCount: uint,
};

const entryCodec = struct({
  ...summaryFields,
  ...describedFields,
  ...originFields,
  ...attributeFields,
  content,
});
export type EntryBody = Carried<typeof entryCodec>;

const entryCodecV1: Codec<EntryBody> = mapped(
  struct({
    ...summaryFieldsV1,
    ...describedFields,
    ...originFields,
    content: contentOf(extentListV1),
  }),
  (fields) => ({ ...fields, ...plainSummary, ...plainAttributes }),
);

export interface Entry extends EntryBody {
  readonly version: Version;
  readonly generation: Version;
}

const entryMagic = 0x45;
const entryHeaderBytes = 38;
const entryFormatVersion = 2;

/** The format version, which is at most `versionMax`. */
function readHead(reader: Reader, magic: number, name: string, versionMax: number): number {
  const foundMagic = reader.u8();
  const foundVersion = reader.u8();
  if (foundMagic !== magic) throw new DecodeError(`${name}: magic is ${foundMagic}`);
  if (foundVersion < 1 || foundVersion > versionMax)
    throw new DecodeError(`${name}: format version ${foundVersion} is not known`);
  return foundVersion;
}

function readEntryHead(reader: Reader): number {
  return readHead(reader, entryMagic, 'entry', entryFormatVersion);
}

/** With zeros for version and generation: `stampEntry` fills them in. */
export function encodeEntryDraft(body: EntryBody): Uint8Array {
  const inline = body.content.kind === 'inline' ? body.content.bytes.length : 0;
  const writer = new Writer(512 + inline);
  writer.u8(entryMagic);
  writer.u8(entryFormatVersion);
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
  const format = readEntryHead(reader);
  const version = readVersion(reader);
  const generation = readVersion(reader);
  const expected = reader.u32();
  const actual = crc32c(row.subarray(entryHeaderBytes));
  if (actual !== expected) throw new DecodeError(`entry: crc ${actual}, expected ${expected}`);
  const body = (format === 1 ? entryCodecV1 : entryCodec).read(reader);
  if (reader.remaining !== 0) throw new DecodeError('entry: bytes after the end');
  return { ...body, version, generation };
}

/** What a listing needs, without reading or checking the rest. Throws `DecodeError`. */
export function decodeEntrySummary(row: Uint8Array): EntrySummary {
  const reader = new Reader(row);
  const format = readEntryHead(reader);
  reader.raw(entryHeaderBytes - 2);
  return (format === 1 ? summaryCodecV1 : summaryCodec).read(reader);
}

export function decodeEntryVersion(row: Uint8Array): Version {
  const reader = new Reader(row);
  readEntryHead(reader);
  return readVersion(reader);
}

/** A value with magic, version and checksum before it. */
export interface Sealed<T> {
  encode(value: T): Uint8Array;
  /** Throws `DecodeError`. */
  decode(row: Uint8Array): T;
}

/** `older`: codecs of the format versions before, the first one first. */
export function sealed<T>(
  name: string,
  magic: number,
  codec: Codec<T>,
  older: readonly Codec<T>[] = [],
): Sealed<T> {
  const codecs = [...older, codec];
  return {
    encode: (value) => {
      const rest = encode(codec, value);
      const writer = new Writer(rest.length + 6);
      writer.u8(magic);
      writer.u8(codecs.length);
      writer.u32(crc32c(rest));
      writer.raw(rest);
      return writer.finish().slice();
    },
    decode: (row) => {
      const reader = new Reader(row);
      const format = readHead(reader, magic, name, codecs.length);
      const expected = reader.u32();
      if (crc32c(row.subarray(6)) !== expected) throw new DecodeError(`${name}: wrong checksum`);
      const value = (codecs[format - 1] ?? codec).read(reader);
      if (reader.remaining !== 0) throw new DecodeError(`${name}: bytes after the end`);
      return value;
    },
  };
}

/** Reads an older format as the newest; never written. */
function mapped<S, T>(codec: Codec<S>, map: (value: S) => T): Codec<T> {
  return {
    write: () => assert(false, 'older formats are only read'),
    read: (reader) => map(codec.read(reader)),
  };
}

/**
 * `closing`: its bucket is being removed, and it was empty; nothing is read or written until it is known
 * whether that came to its end. `trashed`: its bucket waits in the trash, with all that is in it; to requests it is gone.
 */
const shardState = oneOf('open', 'sealed', 'closing', 'trashed');

/** Keys with `begin <= key < end`; to the last one without an end. */
export const keyRange = struct({ begin: bytes, end: option(bytes) });
export type KeyRange = Carried<typeof keyRange>;

export const everyKey: KeyRange = { begin: emptyBytes, end: undefined };

/**
 * How far a shard has come in handing its upper keys to `object`, a chunk after the other.
 *
 * - `steady`: nothing is on its way.
 * - `frozen`: the chunk may be read here, and not be changed, so that it can be copied.
 * - `released`: the chunk is not answered for here any more; its rows are being removed.
 * - `done`: no more chunks: the registry learns of the boundary next.
 */
const split = struct({
  object: text,
  phase: oneOf('steady', 'frozen', 'released', 'done'),
  /** Keys on their way; while nothing is, what was last. */
  chunk: keyRange,
  /** The highest tenure that any version in a released chunk can name. */
  tenure: u64,
});
export type Split = Carried<typeof split>;

const shardFields = { state: shardState, versioned: bool };

const shardRow = struct({
  ...shardFields,
  /** Raised by each step of a split that must not be taken twice. */
  generation: uint,
  /**
   * Added to the tenure of each call: a key's versions go on rising when its rows come from another
   * placement group, whose tenures may be higher.
   */
  tenureOffset: u64,
  /** The keys it answers for; undefined: none yet, it is to be handed some. */
  range: option(keyRange),
  split: option(split),
  /** Of a `closing` or `trashed` shard: which removal of the bucket made it so. */
  closing: option(version),
});
export type ShardState = Carried<typeof shardRow>;

/** A shard that is a whole bucket, as new ones are and those of former formats were. */
export const wholeShard: ShardState = {
  state: 'open',
  versioned: false,
  generation: 0,
  tenureOffset: 0,
  range: everyKey,
  split: undefined,
  closing: undefined,
};

/** A shard's own state, its row `m`. Without it nothing is written there. */
export const shardStateFormat = sealed('shard', 0x4d, shardRow, [
  mapped(struct({ state: shardState }), (fields) => ({ ...wholeShard, ...fields })),
  mapped(struct(shardFields), (fields) => ({ ...wholeShard, ...fields })),
]);

/** How many entries, versions and delete markers lie in a shard, and of how many bytes of content. */
const counts = struct({
  entries: uint,
  sizeBytes: uint,
  /** Rows after this one are not counted yet; undefined: all are. */
  after: option(bytes),
});
export type Counts = Carried<typeof counts>;
export const countsFormat = sealed('counts', 0x23, counts);

/** Where the version called `null` is, when it is not the current one. */
export const nullVersionFormat = sealed('null version', 0x4e, struct({ version }));

const uploadFields = {
  wallMs: uint,
  ...describedFields,
  checksumAlgorithm: option(oneOf(...checksumAlgorithms)),
  checksumType: option(oneOf(...checksumTypes)),
};

/** An upload in progress: what the finished object will be. */
const upload = struct({
  ...uploadFields,
  owner: text,
  storageClass: text,
  ...attributeFields,
});
export type Upload = Carried<typeof upload>;
export const uploadFormat = sealed('upload', 0x55, upload, [
  mapped(struct(uploadFields), (fields) => ({
    ...fields,
    owner: '',
    storageClass: plainSummary.storageClass,
    ...plainAttributes,
  })),
]);

const partFields = {
  wallMs: uint,
  sizeBytes: uint,
  /** Hexadecimal MD5. */
  etag: text,
  /** Base64, in the upload's algorithm. */
  checksum: option(text),
  runs: list(blobRun),
  /** The call that put it: a part put again has another. */
  version,
};
const part = struct({ ...partFields, /** As of an extent. */ nonce: bytes });
export type Part = Carried<typeof part>;
export const partFormat = sealed('part', 0x50, part, [
  mapped(struct(partFields), (fields) => ({ ...fields, nonce: emptyBytes })),
]);

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

const bucketFields = {
  bucketId: text,
  owner: text,
  createdWallMs: uint,
  /** What the creator asked for; the empty text says nothing was asked. */
  location: text,
  /** In order of `beginKey`; the first begins at the empty key. */
  ranges: list(indexRange),
};
const bucketRecord = struct({
  ...bucketFields,
  /** The number in the name of the next shard; none is ever used again. */
  nextShard: uint,
  /** Shards that are handed the upper keys of another: they hold rows and have no range yet. */
  splits: list(struct({ source: text, object: text })),
  /** The removal that was begun and did not come to its end, or not yet. */
  removing: option(version),
});
export type BucketRecord = Carried<typeof bucketRecord>;
export const bucketFormat = sealed('bucket', 0x42, bucketRecord, [
  mapped(struct(bucketFields), (fields) => ({
    ...fields,
    nextShard: fields.ranges.length,
    splits: [],
    removing: undefined,
  })),
]);

/** A bucket that its operator removed, until it is restored or its time is over. Its configuration stays in its row. */
const trashedBucket = struct({
  name: text,
  /** `bucketFormat`. */
  record: bytes,
  removal: version,
  removedWallMs: uint,
  /** From then on it is emptied. */
  purgeWallMs: uint,
});
export type TrashedBucket = Carried<typeof trashedBucket>;
export const trashedFormat = sealed('trashed bucket', 0x54, trashedBucket);

/** A bucket that came back from the trash: it stands under its name again, where a walk over all may have been. */
export const restoredFormat = sealed('restored', 0x52, struct({ name: text, wallMs: uint }));

/** Shards are numbered in the order they were made. */
export function shardObject(bucketId: string, number: number): string {
  return `index/${bucketId}/${number}`;
}

/** Every shard that may hold rows of the bucket; where keys are on their way, the one they come from first. */
export function shardsOf(record: BucketRecord): readonly string[] {
  return [
    ...record.ranges.map(({ object }) => object),
    ...record.splits.map(({ object }) => object),
  ];
}

/** A key that objects' keys are derived from. Never changed: what it encrypted needs it. */
export const masterKeyFormat = sealed('master key', 0x4b, struct({ key: bytes, wallMs: uint }));

/** When a gateway's oldest read began, and when that was said, by the clock of the registry's primary. */
export const longReadFormat = sealed(
  'long read',
  0x4c,
  struct({ begunWallMs: uint, saidWallMs: uint }),
);

/** What `index/bucket-documents.ts` describes; no row when there are none. */
export const configurationFormat = sealed(
  'configuration',
  0x43,
  struct({ documents: bucketDocuments }),
);
