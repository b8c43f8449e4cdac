// What a gateway asks of an index object and what it is answered: one `Call` a method, shared by the
// method (which runs beside the data) and the client of it. Both run in one release or neighbouring
// ones: union tags and field orders change only by adding methods.

import {
  bool,
  bytes,
  type Carried,
  type Codec,
  list,
  oneOf,
  option,
  struct,
  text,
  uint,
  Writer,
} from '../../base/codec.ts';
import { blobId } from '../../base/ids.ts';
import { bucketDocuments } from './bucket-documents.ts';
import { closedUnion } from './closed-union.ts';
import { blobRun, checksum, namedValues, version, writerRanges } from './format.ts';

export interface Call<A, R> {
  /** As registered with the OSDs. */
  readonly name: string;
  readonly argument: Codec<A>;
  readonly result: Codec<R>;
}

function call<A, R>(name: string, argument: Codec<A>, result: Codec<R>): Call<A, R> {
  return { name, argument, result };
}

/**
 * As `encode`, without growing: most of a large message is one of its fields. The result is the
 * writer's own buffer, which nobody writes to again.
 */
export function encodeMessage<T>(codec: Codec<T>, message: T): Uint8Array {
  let capacityBytes = 128;
  for (const field of Object.values(message as Readonly<Record<string, unknown>>))
    if (field instanceof Uint8Array) capacityBytes += field.length;
  const writer = new Writer(capacityBytes);
  codec.write(writer, message);
  return writer.finish();
}

const nothing = struct({});

/**
 * Why a shard refused.
 *
 * - `no-bucket`: the shard is not open: its bucket was removed, or never was.
 * - `no-key`: If-Match on a key that does not exist.
 * - `precondition`: If-Match or If-None-Match did not hold.
 * - `cancelled`: the writer of the blobs was declared dead here; they may be collected already.
 * - `no-upload`: the upload was completed or aborted, or never was.
 * - `parts-changed`: a part is not the one the gateway saw.
 */
const refusal = oneOf(
  'no-bucket',
  'no-key',
  'precondition',
  'cancelled',
  'no-upload',
  'parts-changed',
);
export type Refusal = Carried<typeof refusal>;

const refused = struct({
  reason: refusal,
  /** Which one was `cancelled`. */
  writer: option(uint),
});

const conditions = struct({ ifMatch: option(list(text)), ifNoneMatch: option(list(text)) });

export const putEntry = call(
  's3.put-entry',
  struct({
    key: bytes,
    conditions,
    /** False: the entry's content is inline, so that there are no blobs to think of. */
    hasBlobs: bool,
    /** `encodeEntryDraft` */
    entry: bytes,
  }),
  closedUnion({ committed: [1, struct({ version })], refused: [2, refused] }),
);

export const getEntry = call(
  's3.get-entry',
  struct({ key: bytes }),
  /** `entry` undefined: no such key. */
  closedUnion({ read: [1, struct({ entry: option(bytes) })], refused: [2, refused] }),
);

export const deleteOutcome = oneOf('deleted', 'absent', 'precondition');
export const deleteEntries = call(
  's3.delete-entries',
  struct({ items: list(struct({ key: bytes, ifMatch: option(list(text)) })) }),
  /** One outcome an item, in order. */
  closedUnion({ done: [1, struct({ outcomes: list(deleteOutcome) })], refused: [2, refused] }),
);

export const putTags = call(
  's3.put-tags',
  struct({ key: bytes, tags: namedValues }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

/** A page in order of keys; whatever shares `prefix` up to `delimiter` is one `prefix` item. */
const pageArgument = {
  prefix: bytes,
  /** Empty: no grouping. */
  delimiter: bytes,
  limit: uint,
};

export const listEntries = call(
  's3.list-entries',
  struct({
    ...pageArgument,
    /** Only items greater than this. */
    after: bytes,
  }),
  closedUnion({
    page: [
      1,
      struct({
        items: list(
          closedUnion({
            entry: [
              1,
              struct({
                key: bytes,
                sizeBytes: uint,
                etag: text,
                wallMs: uint,
                checksum: option(checksum),
              }),
            ],
            prefix: [2, struct({ prefix: bytes })],
          }),
        ),
        /** False: there may be more after the last item. */
        ended: bool,
      }),
    ],
    refused: [2, refused],
  }),
);

export const createUpload = call(
  's3.create-upload',
  struct({ key: bytes, uploadId: text, /** `uploadFormat` */ upload: bytes }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

export const getUpload = call(
  's3.get-upload',
  struct({ key: bytes, uploadId: text }),
  closedUnion({ read: [1, struct({ upload: bytes })], refused: [2, refused] }),
);

export const putPart = call(
  's3.put-part',
  struct({
    key: bytes,
    uploadId: text,
    partNumber: uint,
    sizeBytes: uint,
    etag: text,
    wallMs: uint,
    checksum: option(text),
    runs: list(blobRun),
  }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

export const listParts = call(
  's3.list-parts',
  struct({ key: bytes, uploadId: text, after: uint, limit: uint }),
  closedUnion({
    page: [
      1,
      struct({
        upload: bytes,
        parts: list(struct({ partNumber: uint, /** `partFormat` */ part: bytes })),
        ended: bool,
      }),
    ],
    refused: [2, refused],
  }),
);

export const completeUpload = call(
  's3.complete-upload',
  struct({
    key: bytes,
    uploadId: text,
    conditions,
    parts: list(struct({ partNumber: uint, version })),
    entry: bytes,
  }),
  closedUnion({
    committed: [1, struct({ version })],
    /** This upload made the entry that is there now. */
    already: [2, struct({ entry: bytes })],
    refused: [3, refused],
  }),
);

export const abortUpload = call(
  's3.abort-upload',
  struct({ key: bytes, uploadId: text }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

export const listUploads = call(
  's3.list-uploads',
  struct({
    ...pageArgument,
    keyMarker: bytes,
    /** Empty: all uploads of `keyMarker` are passed over. */
    uploadIdMarker: text,
  }),
  closedUnion({
    page: [
      1,
      struct({
        items: list(
          closedUnion({
            upload: [
              1,
              struct({ key: bytes, uploadId: text, /** `uploadFormat` */ upload: bytes }),
            ],
            prefix: [2, struct({ prefix: bytes })],
          }),
        ),
        ended: bool,
      }),
    ],
    refused: [2, refused],
  }),
);

/** Blobs that no call has referred to and none will. */
export const addGarbage = call(
  's3.add-garbage',
  struct({ runs: list(blobRun) }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

export const listGarbage = call(
  's3.list-garbage',
  struct({ beforeWallMs: uint, limit: uint }),
  struct({
    rows: list(struct({ row: bytes, /** `garbageFormat` */ garbage: bytes })),
    ended: bool,
  }),
);

export const removeGarbage = call('s3.remove-garbage', struct({ rows: list(bytes) }), nothing);

/** From now on no blob of these writers is committed here; what already is stays. */
export const cancelWriters = call(
  's3.cancel-writers',
  struct({ writers: writerRanges }),
  closedUnion({ done: [1, nothing], refused: [2, refused] }),
);

/**
 * What the rows of one section refer to of these writers. A reference only ever moves forward: from a part to
 * an entry, from either to garbage. Who reads the sections in this order misses none.
 */
export const listReferences = call(
  's3.list-references',
  struct({
    section: oneOf('parts', 'entries', 'garbage'),
    writers: writerRanges,
    /** `next` of the page before; empty at first. */
    after: bytes,
  }),
  struct({
    runs: list(struct({ first: blobId, count: uint })),
    /** Indirect manifests: what they list is referred to as well, whoever wrote it. */
    manifests: list(struct({ manifestBytes: uint, runs: list(blobRun) })),
    /** Undefined: that was the section. */
    next: option(bytes),
    /** A row that can't be read, so that nobody knows what it refers to. */
    unreadable: option(bytes),
    /** False: never opened, or swept; or its rows are lost. */
    hasShard: bool,
  }),
);

export const openShard = call('s3.open-shard', nothing, nothing);

/** Closes an empty shard for ever. */
export const sealShard = call(
  's3.seal-shard',
  nothing,
  struct({ outcome: oneOf('sealed', 'not-empty', 'no-shard') }),
);

/** A step in emptying a sealed shard: one upload to garbage, and at last the shard's own rows. */
export const sweepShard = call(
  's3.sweep-shard',
  nothing,
  struct({ outcome: oneOf('more', 'waiting-for-garbage', 'gone', 'not-sealed') }),
);

/** `record` everywhere: `bucketFormat`. */
export const createBucket = call(
  's3.register-bucket',
  struct({
    name: text,
    record: bytes,
    /** The writers that the bucket's shards refuse. */
    cancelled: writerRanges,
    /** What it is configured to from its first moment. */
    documents: bucketDocuments,
  }),
  closedUnion({
    created: [1, nothing],
    exists: [2, struct({ record: bytes })],
    /** The shards must refuse all of these before anybody may find them. */
    behind: [3, struct({ cancelled: writerRanges })],
  }),
);

export const getBucket = call(
  's3.find-bucket',
  struct({ name: text }),
  struct({ record: option(bytes), /** `configurationFormat` */ configuration: option(bytes) }),
);

/** Replaces one document of a bucket, or takes it away. */
export const putBucketDocument = call(
  's3.put-bucket-document',
  struct({
    name: text,
    bucketId: text,
    document: text,
    body: option(bytes),
    /** Nothing happens unless these documents are as said: what the change was decided on. */
    expected: list(struct({ document: text, body: option(bytes) })),
  }),
  struct({
    /**
     * - `no-bucket`: the name means nothing, or another bucket by now.
     * - `changed`: a document was not as expected.
     * - `too-large`: the configuration would exceed its limits.
     */
    outcome: oneOf('done', 'no-bucket', 'changed', 'too-large'),
  }),
);

export const listBuckets = call(
  's3.list-buckets',
  struct({ owner: text, prefix: text, after: text, limit: uint }),
  struct({
    buckets: list(struct({ name: text, record: bytes })),
    /** Where to go on; undefined: that was all. */
    next: option(text),
  }),
);

/** From registered to being removed; nothing happens unless the name still means this bucket. */
export const removeBucket = call(
  's3.remove-bucket',
  struct({ name: text, bucketId: text }),
  nothing,
);

/** Every bucket, then every one being removed: the collector's round. */
export const listShards = call(
  's3.list-shards',
  struct({ after: bytes, limit: uint }),
  struct({
    buckets: list(struct({ row: bytes, removed: bool, record: bytes })),
    ended: bool,
  }),
);

/** In the registry: writers that every shard refuses, or is about to, and writers whose orphans are gone. */
export const getWriters = call(
  's3.get-writers',
  nothing,
  struct({ cancelled: writerRanges, swept: writerRanges }),
);

export const addWriters = call(
  's3.add-writers',
  struct({ state: oneOf('cancelled', 'swept'), writers: writerRanges }),
  nothing,
);

export const forgetBucket = call('s3.forget-bucket', struct({ bucketId: text }), nothing);
