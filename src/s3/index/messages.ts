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
  u64,
  uint,
  Writer,
} from '../../base/codec.ts';
import { blobId } from '../../base/ids.ts';
import { bucketDocuments } from './bucket-documents.ts';
import { closedUnion } from './closed-union.ts';
import { type EventNotices, eventNotices, type QueuedRow, queuedRows } from './event-format.ts';
import {
  blobRun,
  checksum,
  content,
  grants,
  keyRange,
  layoutRef,
  namedValues,
  retention,
  version,
  writerRanges,
} from './format.ts';

export interface Call<A, R> {
  /** As registered with the OSDs. */
  readonly name: string;
  readonly argument: Codec<A>;
  readonly result: Codec<R>;
  /** Events that the call queued, in the order of their rows. */
  queued?(result: R): readonly QueuedRow[];
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

/** Of the bucket, as the gateway knows it. */
const versioning = oneOf('off', 'enabled', 'suspended');

/** Undefined: whatever is the newest. */
const versionId = option(
  closedUnion({ null: [1, nothing], version: [2, struct({ tenure: u64, sequence: u64 })] }),
);

/**
 * Why a shard refused.
 *
 * - `no-bucket`: the shard is not open: its bucket was removed, or never was.
 * - `no-key`: If-Match on a key that does not exist.
 * - `precondition`: If-Match or If-None-Match did not hold.
 * - `cancelled`: the writer of the blobs was declared dead here; they may be collected already.
 * - `no-upload`: the upload was completed or aborted, or never was.
 * - `parts-changed`: a part is not the one the gateway saw.
 * - `delete-marker`: the version named is one.
 * - `locked`: a retention or a legal hold keeps the version, or can't be shortened.
 * - `no-version`: the version named does not exist.
 * - `changed`: the version is not the one the gateway decided on.
 * - `moved`: the shard does not answer for the key: another does, or is about to.
 * - `moving`: the key is on its way to another shard, or the bucket is about to go: ask again soon.
 * - `queue-full`: too many events of the shard's keys wait to be told. Only of a call that tells.
 */
const refusal = oneOf(
  'no-bucket',
  'no-key',
  'precondition',
  'cancelled',
  'no-upload',
  'parts-changed',
  'delete-marker',
  'locked',
  'no-version',
  'changed',
  'moved',
  'moving',
  'queue-full',
);
export type Refusal = Carried<typeof refusal>;

const refused = struct({
  reason: refusal,
  /** Which one was `cancelled`. */
  writer: option(uint),
});

const conditions = struct({ ifMatch: option(list(text)), ifNoneMatch: option(list(text)) });

export const putEntry = call(
  's3.put-version',
  struct({
    key: bytes,
    conditions,
    versioning,
    /** False: the entry's content is inline, so that there are no blobs to think of. */
    hasBlobs: bool,
    /** `encodeEntryDraft` */
    entry: bytes,
  }),
  closedUnion({ committed: [1, struct({ version })], refused: [2, refused] }),
);

export const getEntry = call(
  's3.get-version',
  struct({ key: bytes, versionId }),
  /** `entry` undefined: no such key or version. May be a delete marker. */
  closedUnion({ read: [1, struct({ entry: option(bytes) })], refused: [2, refused] }),
);

/**
 * - `absent`: there is no such version, or, where none are kept, no such key.
 * - `no-key`: a condition on a key that does not exist.
 */
export const deleteOutcome = struct({
  kind: oneOf('deleted', 'absent', 'precondition', 'locked', 'no-key', 'changed'),
  /** A delete marker that was put, or removed. */
  marker: option(struct({ version, isNull: bool })),
});
export const deleteEntries = call(
  's3.delete-versions',
  struct({
    versioning,
    /** Whose the delete markers are. */
    owner: text,
    items: list(
      struct({
        key: bytes,
        versionId,
        ifMatch: option(list(text)),
        ifSizeBytes: option(uint),
        /** In whole seconds. */
        ifModifiedMs: option(uint),
        /** Only this one: nothing happens when the key's newest is another by now. */
        ifVersion: option(version),
        bypassGovernance: bool,
      }),
    ),
  }),
  /** One outcome an item, in order. */
  closedUnion({ done: [1, struct({ outcomes: list(deleteOutcome) })], refused: [2, refused] }),
);

const entryChange = closedUnion({
  tags: [1, struct({ tags: namedValues })],
  acl: [2, struct({ acl: grants })],
  retention: [3, struct({ retention: option(retention), bypassGovernance: bool })],
  legalHold: [4, struct({ on: bool })],
  /** As a transition by age does. */
  storageClass: [5, struct({ storageClass: text, ifVersion: version })],
});

const entryChanged = closedUnion({
  done: [1, struct({ version, isNull: bool })],
  refused: [2, refused],
});

/** What can be changed about a version that is there. */
export const updateEntry = call(
  's3.update-version',
  struct({ key: bytes, versionId, change: entryChange }),
  entryChanged,
);

/** The same of a version that nothing has changed or replaced since it was read: else `changed`. */
export const updateSeenEntry = call(
  's3.update-seen-version',
  struct({ key: bytes, versionId, change: entryChange, ifGeneration: version }),
  entryChanged,
);

/** A page in order of keys; whatever shares `prefix` up to `delimiter` is one `prefix` item. */
const pageArgument = {
  prefix: bytes,
  /** Empty: no grouping. */
  delimiter: bytes,
  limit: uint,
  /** Every item from this key on is wanted; refused by a shard that does not have it. Undefined: what it has. */
  from: option(bytes),
};

const pageResult = {
  /** False: there may be more after the last item. */
  ended: bool,
  /** Where the shard's keys end, and the next shard's begin; undefined: it is the last. */
  end: option(bytes),
};

export const listEntries = call(
  's3.list-keys',
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
                owner: text,
                storageClass: text,
              }),
            ],
            prefix: [2, struct({ prefix: bytes })],
          }),
        ),
        ...pageResult,
      }),
    ],
    refused: [2, refused],
  }),
);

/** Every version of every key, in order of keys, the newest first. */
export const listVersions = call(
  's3.list-key-versions',
  struct({
    ...pageArgument,
    /** Only items after this key, or after its version `versionMarker`. */
    keyMarker: bytes,
    versionMarker: versionId,
    /** Whether items say what lifecycle rules go by. */
    withTags: bool,
  }),
  closedUnion({
    page: [
      1,
      struct({
        items: list(
          closedUnion({
            version: [
              1,
              struct({
                key: bytes,
                version,
                isNull: bool,
                isLatest: bool,
                isMarker: bool,
                sizeBytes: uint,
                etag: text,
                wallMs: uint,
                checksum: option(checksum),
                owner: text,
                storageClass: text,
                tags: namedValues,
              }),
            ],
            prefix: [2, struct({ prefix: bytes })],
          }),
        ),
        ...pageResult,
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
  's3.put-upload-part',
  struct({
    key: bytes,
    uploadId: text,
    partNumber: uint,
    sizeBytes: uint,
    etag: text,
    wallMs: uint,
    checksum: option(text),
    nonce: bytes,
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
  's3.commit-upload',
  struct({
    key: bytes,
    uploadId: text,
    conditions,
    versioning,
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
  's3.list-key-uploads',
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
        ...pageResult,
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

/** Closes an empty shard that is a whole bucket for ever. */
export const sealShard = call(
  's3.seal-shard',
  nothing,
  struct({ outcome: oneOf('sealed', 'not-empty', 'no-shard', 'not-whole') }),
);

/** A shard to be filled by a split. */
export const openPart = call('s3.open-part', nothing, nothing);

/**
 * Opens, empty, a shard whose rows were lost. `handsTo`: the shard that its upper keys were going to; what is there
 * stays there. `writers`: those that every shard refuses.
 */
export const openLostShard = call(
  's3.open-lost-shard',
  struct({
    range: option(keyRange),
    handsTo: option(struct({ object: text, hasKeys: bool })),
    writers: writerRanges,
  }),
  nothing,
);

/** `removal`: as `markRemoving` named it. */
export const closeShard = call(
  's3.close-shard',
  struct({ removal: version }),
  /** `busy`: keys are on their way; whoever splits, or helps, must finish the chunk. */
  struct({ outcome: oneOf('closed', 'not-empty', 'busy', 'no-shard') }),
);

export const reopenShard = call('s3.reopen-shard', struct({ removal: version }), nothing);

export const describeShard = call(
  's3.describe-shard',
  nothing,
  struct({ state: option(bytes), /** `countsFormat` */ counts: option(bytes) }),
);

/** A step in counting the rows of a shard that was never counted; with `restart`, of any. */
export const countRows = call('s3.count-rows', struct({ restart: bool }), struct({ ended: bool }));

/** What the rows of entries come to, page by page: what the counts ought to say, and what they refer to. */
export const tallyRows = call(
  's3.tally-rows',
  struct({ section: oneOf('parts', 'entries'), /** `next` of the page before. */ after: bytes }),
  struct({
    rows: uint,
    /** Of the entries' content. */
    sizeBytes: uint,
    /** That rows refer to themselves; what a manifest in blobs lists is not read. */
    blobs: uint,
    unreadable: uint,
    /** Rows of keys that the shard neither answers for nor is handing on or being handed. */
    outside: uint,
    next: option(bytes),
  }),
);

/** `changed`: the split has come further, or is another; nothing was done. */
const stepTaken = struct({ outcome: oneOf('done', 'changed') });

/** The shard begins to hand its upper keys to `object`, which the registry knows of already. */
export const startSplit = call(
  's3.start-split',
  struct({ generation: uint, object: text }),
  stepTaken,
);

/** The uppermost keys, of about so many rows, stay as they are from now on. */
export const freezeKeys = call(
  's3.freeze-keys',
  struct({ generation: uint, rows: uint }),
  /** `indivisible`: there is nothing that could go without everything going. */
  struct({ outcome: oneOf('done', 'indivisible', 'changed') }),
);

const frozenCursor = struct({ upload: bytes, after: bytes });
export const listFrozen = call(
  's3.list-frozen',
  struct({ generation: uint, cursor: option(frozenCursor) }),
  closedUnion({
    page: [
      1,
      struct({
        rows: list(struct({ row: bytes, value: bytes })),
        /** Undefined: that was the chunk. */
        next: option(frozenCursor),
      }),
    ],
    changed: [2, nothing],
  }),
);

/** Into the shard that is being filled, beside what it answers for. */
export const installRows = call(
  's3.install-rows',
  struct({ generation: uint, rows: list(struct({ row: bytes, value: bytes })) }),
  stepTaken,
);

/** The chunk is copied: from now on the shard does not answer for it. */
export const releaseKeys = call('s3.release-keys', struct({ generation: uint }), stepTaken);

/** The shard being filled answers for the chunk from now on. */
export const takeKeys = call(
  's3.take-keys',
  struct({
    generation: uint,
    begin: bytes,
    end: option(bytes),
    /** The highest in a version of the chunk. */
    tenure: u64,
    versioned: bool,
  }),
  stepTaken,
);

/** A step in removing the rows of a released chunk. */
export const trimKeys = call(
  's3.trim-keys',
  struct({ generation: uint }),
  struct({ outcome: oneOf('more', 'done', 'changed') }),
);

/** No more chunks go. */
export const finishSplit = call('s3.finish-split', struct({ generation: uint }), stepTaken);

/** The registry knows the boundary. */
export const endSplit = call('s3.end-split', struct({ generation: uint }), stepTaken);

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

/** A key that objects' keys are derived from; one that is proposed is kept unless there is one. */
export const masterKey = call(
  's3.master-key',
  struct({ name: text, proposed: option(bytes) }),
  struct({ key: option(bytes) }),
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

/** A removal of several shards begins; the one begun before can't come to its end any more. */
export const markRemoving = call(
  's3.mark-removing',
  struct({ name: text, bucketId: text }),
  /** Undefined: the name means another bucket, or none. */
  struct({ removal: option(version), record: option(bytes) }),
);

/** No removal that was begun comes to its end. */
export const keepBucket = call(
  's3.keep-bucket',
  struct({ name: text, bucketId: text }),
  struct({ outcome: oneOf('kept', 'gone') }),
);

/** As `removeBucket`, if this is still the removal. */
export const removeMarked = call(
  's3.remove-marked-bucket',
  struct({ name: text, bucketId: text, removal: version }),
  struct({ outcome: oneOf('removed', 'changed') }),
);

/** The shard `object` is about to be handed keys of `source`. */
export const addSplit = call(
  's3.add-split',
  struct({
    name: text,
    bucketId: text,
    source: text,
    object: text,
    /** The writers that `object` refuses. */
    cancelled: writerRanges,
  }),
  closedUnion({
    added: [1, nothing],
    behind: [2, struct({ cancelled: writerRanges })],
    /** The shards are not what the caller saw. */
    changed: [3, nothing],
  }),
);

/** From `beginKey` on, keys of `source` are in `object` now. */
export const commitSplit = call(
  's3.commit-split',
  struct({ name: text, bucketId: text, source: text, object: text, beginKey: bytes }),
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

/** Rows that may refer to blobs of these layouts: those that do, and those whose manifest is in blobs. */
export const listLocated = call(
  's3.list-located',
  struct({
    section: oneOf('parts', 'entries'),
    layouts: list(layoutRef),
    /** The last row seen; empty: from the first. */
    after: bytes,
  }),
  struct({
    rows: list(struct({ row: bytes, value: bytes })),
    /** Where to go on; undefined: that was all. */
    next: option(bytes),
    /** Rows passed over because they can't be read. */
    unreadableCount: uint,
  }),
);

const relocated = closedUnion({
  /** `version`: the row's generation, or the part's version, from now on. */
  done: [1, struct({ version })],
  /** The row is not what was read any more: nothing was changed. */
  changed: [2, nothing],
  refused: [3, refused],
});

/** In any case, `placed` or `dropped` is listed as garbage: whichever the row does not refer to now. */
const relocation = { row: bytes, placed: list(blobRun), dropped: list(blobRun) };

/** Says where an object's bytes are now, and nothing else (PROTOCOL rule 31). */
export const relocateEntry = call(
  's3.relocate-entry',
  struct({ ...relocation, generation: version, content }),
  relocated,
);

/** The same of a part; it becomes another version of it, so that nobody completes with what was there. */
export const relocatePart = call(
  's3.relocate-part',
  struct({ ...relocation, version, runs: list(blobRun) }),
  relocated,
);

type Queued<R> = R & { readonly queued: readonly QueuedRow[] };

/** The same call, which also queues what is to be told of it; refused as a whole when the queue is full. */
export function notifying<A, R>(
  call: Call<A, R>,
): Call<{ readonly argument: Uint8Array; readonly notices: EventNotices }, Queued<R>> {
  return {
    name: `${call.name}-notifying`,
    argument: struct({ argument: bytes, notices: eventNotices }),
    result: {
      write: (writer, result) => {
        call.result.write(writer, result);
        queuedRows.write(writer, result.queued);
      },
      read: (reader) => ({ ...call.result.read(reader), queued: queuedRows.read(reader) }),
    },
    queued: ({ queued }) => queued,
  };
}

/** Events older than `beforeWallMs`, the oldest first. */
export const listEvents = call(
  's3.list-events',
  struct({
    beforeWallMs: uint,
    /** The last row seen; empty: from the first. */
    after: bytes,
    limit: uint,
  }),
  struct({
    rows: queuedRows,
    ended: bool,
    /** How many there are in all, whatever their age. */
    count: uint,
  }),
);

/** They were told, or given up. */
export const removeEvents = call('s3.remove-events', struct({ rows: list(bytes) }), nothing);

/** Before a bucket is given its first notifications. */
export const markNotified = call(
  's3.mark-notified',
  struct({ name: text, bucketId: text }),
  struct({ outcome: oneOf('done', 'no-bucket') }),
);

/** Buckets that may have events to be told, by their ids. */
export const listNotified = call(
  's3.list-notified',
  struct({ /** A bucket's id; empty: from the first. */ after: text, limit: uint }),
  struct({
    buckets: list(
      struct({
        bucketId: text,
        /** Undefined: it is gone. Also of one that is being removed. */
        record: option(bytes),
      }),
    ),
    ended: bool,
  }),
);

/** How long the gateway's oldest read has lasted; undefined: none is long. */
export const noteLongRead = call(
  's3.note-long-read',
  struct({ reader: text, ageMs: option(uint) }),
  nothing,
);

/** Of all gateways, as it was said; what was not said again for `staleMs` is forgotten. */
export const oldestRead = call(
  's3.oldest-read',
  struct({ staleMs: uint }),
  struct({ ageMs: option(uint) }),
);

/**
 * Puts a bucket with all that is in it into the trash, for `keepMs`; its name is free then. `removal` is for its shards;
 * undefined: the name means another bucket, or none.
 */
export const trashBucket = call(
  's3.trash-bucket',
  struct({ name: text, bucketId: text, keepMs: uint }),
  struct({ removal: option(version), record: option(bytes) }),
);

/** Takes a bucket out of the trash, under a name that is free. */
export const restoreBucket = call(
  's3.restore-bucket',
  struct({ bucketId: text, name: text }),
  struct({
    outcome: oneOf('restored', 'name-taken', 'gone'),
    removal: option(version),
    record: option(bytes),
  }),
);

/** What is in the trash, by bucket id; `bucket`: `trashedFormat`. */
export const listTrash = call(
  's3.list-trash',
  struct({ after: text, limit: uint }),
  struct({ buckets: list(struct({ bucketId: text, bucket: bytes })), ended: bool }),
);

/**
 * If the bucket's time in the trash is over, and its shards are known to keep requests out (`fenced`), it is one that is
 * being removed from now on; until then `removal` is for them. If it came back so long ago that no walk over all
 * buckets can have missed it, that is forgotten.
 */
export const purgeBucket = call(
  's3.purge-bucket',
  struct({ bucketId: text, fenced: bool }),
  struct({ removal: option(version) }),
);

/**
 * All buckets, in the order in which they may move: by name, in the trash, back from there, being removed. One may come
 * twice. `name`: what `getBucket` finds it by; empty for those that are being removed.
 */
export const walkBuckets = call(
  's3.walk-buckets',
  struct({ after: bytes, limit: uint }),
  struct({
    buckets: list(
      struct({
        name: text,
        state: oneOf('named', 'trashed', 'restored', 'removed'),
        record: bytes,
      }),
    ),
    next: option(bytes),
  }),
);

/** The record of a bucket that is in the trash, or came back from there, wherever it is now. */
export const locateBucket = call(
  's3.locate-bucket',
  struct({ bucketId: text }),
  struct({ record: option(bytes) }),
);

/** Keeps requests out of a shard whose bucket is in the trash. `removal`: as `trashBucket` named it. */
export const trashShard = call('s3.trash-shard', struct({ removal: version }), nothing);

/** Its bucket is back. Nothing happens when another removal came since. */
export const untrashShard = call('s3.untrash-shard', struct({ removal: version }), nothing);

export const forgetBucket = call('s3.forget-bucket', struct({ bucketId: text }), nothing);
