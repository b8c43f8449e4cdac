// Every message between daemons, with its tag. Tags are for ever: a message that goes away leaves its
// tag unused, a changed one gets a new tag. Bulk bytes (a blob, a shard) travel beside the message as
// the frame's payload, not inside it.
//
//   tags   1-9    answers that any request may get
//   tags  10-39, 90-99 with the monitor
//   tags  40-59, 80-86, 88, 89 between OSDs
//   tags  60-79   from clients to a primary

import {
  bool,
  bytes,
  type Codec,
  list,
  oneOf,
  option,
  struct,
  text,
  uint,
  union,
} from '../base/codec.ts';
import {
  type BlobId,
  blobId,
  type Epoch,
  epoch,
  type OsdId,
  osdId,
  type PgId,
  pgId,
  type Uuid,
  uuid,
} from '../base/ids.ts';
import type { Version } from '../base/method.ts';
import { type ClusterMap, clusterMapCodec } from '../map/cluster-map.ts';
import { type PgRecord, pgRecordCodec } from '../map/pg-record.ts';
import {
  type BlobFacts,
  blobFactsCodec,
  type LiveRequest,
  type LogEntry,
  liveRequestCodec,
  logEntryCodec,
  versionCodec,
} from './entry.ts';

/** Versions of the messages as a whole. A line a version, the newest last. */
export const wireVersions = [
  { version: 1, since: '0.1.0', change: 'the first' },
  { version: 2, since: '0.1.0', change: 'cannot-lead, read-rows, rows, release, left-over' },
  { version: 3, since: '0.1.0', change: 'memory' },
  { version: 4, since: '0.1.0', change: 'directory, put-directory' },
  { version: 5, since: '0.1.0', change: 'report-notifications' },
  { version: 6, since: '0.1.0', change: 'scrub-ended, blob-lost' },
  { version: 7, since: '0.1.0', change: 'maps in which layouts change in place' },
  { version: 8, since: '0.1.0', change: 'read-record is answered with all that was ever said' },
  { version: 9, since: '0.1.0', change: 'call-in-turn, moved, push-rows, maps with turns' },
] as const;
export const wireVersionMin = 1;
export const wireVersionMax = 9;
/** Gateways of before are told of `users`. */
export const directorySince = 4;
export const notificationsSince = 5;
export const scrubEndedSince = 6;
export const blobLostSince = 6;
export const changesInPlaceSince = 7;
export const recordWordSince = 8;
export const handoversSince = 9;

/**
 * Why a request was not done.
 *
 * - `not-primary`: the OSD is not the serving primary of the PG; look at a newer record and ask again.
 * - `below-floor`: too few in-sync slots for a write; nothing was logged.
 * - `no-space`: a disk that would hold it is full; nothing was logged.
 * - `no-such-blob`, `damaged`, `bad-request`, `too-large`: as in the client's errors.
 * - `stale`: the sender's record or tenure is older than the receiver's.
 * - `busy`: over a bound; try again.
 * - `failed`: the receiver could not; `detail` says why.
 * - `draining`: the PG's layout takes no blobs any more, or is of a kind that keeps no objects; nothing was logged. A
 *   newer map names the active one.
 */
export const failureCodes = [
  'not-primary',
  'below-floor',
  'no-space',
  'no-such-blob',
  'damaged',
  'bad-request',
  'too-large',
  'stale',
  'busy',
  'failed',
  'draining',
] as const;
export type FailureCode = (typeof failureCodes)[number];

export const userCodec = struct({ name: text, accessKey: text, secretKey: text });

/** What an OSD tells of one PG it leads, for health and for people. */
export interface PgReport {
  readonly pg: PgId;
  readonly serving: boolean;
  readonly objects: number;
  readonly bytes: number;
  /** Words for `pg ls`: what it waits for, or empty. */
  readonly waiting: string;
  /** It holds rows of mutable objects, or has yet to say that none will come to be in it. */
  readonly rows: boolean;
  /** Items that a joining slot still misses, summed over slots. */
  readonly missing: number;
  /** Objects with a damaged copy that could not be repaired yet. */
  readonly damaged: number;
  readonly scrubbedWallMs: number;
  readonly deepScrubbedWallMs: number;
  readonly scrubbing: boolean;
}

const pgReportCodec: Codec<PgReport> = struct({
  pg: pgId,
  serving: bool,
  objects: uint,
  bytes: uint,
  waiting: text,
  rows: bool,
  missing: uint,
  damaged: uint,
  scrubbedWallMs: uint,
  deepScrubbedWallMs: uint,
  scrubbing: bool,
});

export interface OsdUsage {
  readonly capacityBytes: number;
  readonly usedBytes: number;
}
const usageCodec: Codec<OsdUsage> = struct({ capacityBytes: uint, usedBytes: uint });

/** A blob as its holder lists it. */
export interface BlobListing {
  readonly facts: BlobFacts;
  readonly version: Version;
  readonly index: number;
}
const blobListingCodec: Codec<BlobListing> = struct({
  facts: blobFactsCodec,
  version: versionCodec,
  index: uint,
});

const rowCodec = struct({ key: bytes, value: bytes });
export interface BackfillRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export type Message =
  // 1-9: answers
  | { readonly kind: 'ok' }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly detail: string }
  // 10-39: with the monitor
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'map'; readonly map: ClusterMap }
  | { readonly kind: 'records'; readonly records: readonly PgRecord[]; readonly complete: boolean }
  | {
      readonly kind: 'users';
      readonly users: readonly { name: string; accessKey: string; secretKey: string }[];
    }
  | {
      readonly kind: 'directory';
      /** As `map/directory.ts` encodes it. */
      readonly directory: Uint8Array;
      /** What tokens of S3 sessions are signed with. */
      readonly sessionsKey: Uint8Array;
    }
  /** Answered `ok`; `stale` when its revision does not follow the newest. */
  | { readonly kind: 'put-directory'; readonly directory: Uint8Array }
  | {
      readonly kind: 'boot';
      readonly address: string;
      readonly usage: OsdUsage;
      /** The last transaction that is durable on its disk. */
      readonly sequence: number;
      /** Groups of durable transactions that its disk lost from the middle, not yet told. */
      readonly lostGroups: number;
      /** The map store it heard of last. */
      readonly seen: { readonly id: Uuid; readonly revision: number } | undefined;
    }
  /** Which map store the monitor writes, and how far that is. */
  | { readonly kind: 'map-store'; readonly id: Uuid; readonly revision: number }
  /** Asks an OSD for the map and the records it knows, its own disk's among them. */
  | { readonly kind: 'tell-known' }
  | {
      readonly kind: 'known';
      readonly map: ClusterMap | undefined;
      readonly records: readonly PgRecord[];
    }
  | {
      readonly kind: 'beacon';
      readonly usage: OsdUsage;
      readonly sequence: number;
      /** Of the map it acts on. */
      readonly epoch: Epoch;
      /** Why it does not act on a newer one that it was shown; empty when it was shown none. */
      readonly refusedMap: string;
      readonly reports: readonly PgReport[];
      /** PGs that can't be started there, in words that `stoppedPg` reads. */
      readonly stopped: readonly string[];
    }
  | {
      readonly kind: 'memory';
      readonly usedBytes: number;
      readonly budgetBytes: number;
      readonly recoveryWaits: boolean;
      readonly putsWait: boolean;
    }
  | { readonly kind: 'propose'; readonly record: PgRecord }
  | {
      readonly kind: 'proposed';
      readonly accepted: boolean;
      readonly current: PgRecord;
      readonly reason: string;
    }
  /**
   * Answered with `records`, which are complete where what is not among them was never said: not while the store of the
   * monitor may be an older copy, and never before version 8.
   */
  | { readonly kind: 'read-record'; readonly pg: PgId }
  | {
      readonly kind: 'report-failure';
      readonly osd: OsdId;
      readonly upSince: Epoch;
      readonly refused: boolean;
      readonly silentMs: number;
    }
  | { readonly kind: 'peer-key'; readonly target: Uuid }
  | { readonly kind: 'key'; readonly key: Uint8Array }
  | { readonly kind: 'lease-incarnation' }
  | { readonly kind: 'incarnation'; readonly incarnation: number }
  | { readonly kind: 'hold-job'; readonly job: string }
  | { readonly kind: 'job'; readonly held: boolean }
  | { readonly kind: 'daemon-failed'; readonly osd: OsdId; readonly reason: string }
  | { readonly kind: 'scrub-pg'; readonly pg: PgId; readonly deep: boolean }
  | { readonly kind: 'live-incarnations' }
  /** Who is not in `live` and below `judgedBelow` is dead. */
  | {
      readonly kind: 'incarnations';
      readonly live: readonly number[];
      readonly judgedBelow: number;
    }
  | { readonly kind: 'hold-incarnation'; readonly incarnation: number }
  | {
      readonly kind: 'report-migration';
      readonly pool: string;
      readonly toLayout: number;
      readonly movedBytes: number;
      readonly movedBlobs: number;
      readonly cleanPasses: number;
      readonly trouble: string;
    }
  | {
      readonly kind: 'report-notifications';
      readonly told: number;
      readonly failed: number;
      readonly expired: number;
      readonly gone: number;
      readonly queue:
        | { readonly count: number; readonly oldestMs: number; readonly trouble: string }
        | undefined;
    }
  /** A primary finds that another member has to lead: its own log is too old to be brought forward. */
  | { readonly kind: 'cannot-lead'; readonly pg: PgId; readonly tenure: number }
  // 40-59: between OSDs
  | { readonly kind: 'ping' }
  | { readonly kind: 'promise'; readonly items: readonly { pg: PgId; tenure: number }[] }
  | {
      readonly kind: 'promised';
      readonly items: readonly { pg: PgId; tenure: number }[];
      /** How full the member's disk is, in thousandths. */
      readonly usedPermille: number;
    }
  | { readonly kind: 'collect'; readonly record: PgRecord }
  | {
      readonly kind: 'collected';
      readonly head: Version;
      readonly tail: Version;
      readonly committed: number;
      /** False while the member is still being backfilled. */
      readonly complete: boolean;
      readonly missing: number;
    }
  | {
      readonly kind: 'append';
      readonly pg: PgId;
      readonly tenure: number;
      readonly committed: number;
      /** A `LogEntry`, encoded once for all members and their logs. */
      readonly entry: Uint8Array;
      /**
       * `beside`: the shard is the payload. `none`: not a put, or of a blob that a later entry removes. `gone` is the
       * same, and said no more.
       */
      readonly shard: 'none' | 'beside' | 'gone';
      readonly index: number;
    }
  /** Several entries that follow each other, none with a shard; the payload is one after the other. */
  | {
      readonly kind: 'append-batch';
      readonly pg: PgId;
      readonly tenure: number;
      readonly committed: number;
      /** Length of each. */
      readonly entryBytes: readonly number[];
    }
  | { readonly kind: 'appended'; readonly head: number }
  | {
      readonly kind: 'commit';
      readonly pg: PgId;
      readonly tenure: number;
      readonly committed: number;
    }
  | {
      readonly kind: 'fetch-log';
      readonly pg: PgId;
      readonly tenure: number;
      readonly after: number;
    }
  | { readonly kind: 'log'; readonly entries: readonly LogEntry[] }
  | {
      readonly kind: 'read-shard';
      readonly pg: PgId;
      readonly blob: BlobId;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
    }
  | { readonly kind: 'shard'; readonly facts: BlobFacts; readonly index: number }
  | { readonly kind: 'reset'; readonly pg: PgId; readonly tenure: number; readonly head: Version }
  | {
      readonly kind: 'backfill';
      readonly pg: PgId;
      readonly tenure: number;
      readonly begin: Uint8Array;
      /** Undefined: to the end. */
      readonly end: Uint8Array | undefined;
      readonly rows: readonly BackfillRow[];
      readonly blobs: readonly BlobListing[];
      readonly index: number;
    }
  | {
      readonly kind: 'wanted';
      readonly blobs: readonly BlobListing[];
      readonly cursor: Uint8Array | undefined;
    }
  | {
      readonly kind: 'push-blob';
      readonly pg: PgId;
      readonly tenure: number;
      readonly listing: BlobListing;
      /** `missing`: only if the member misses it. `replace`: its own copy is bad. */
      readonly reason: 'missing' | 'replace';
    }
  | {
      readonly kind: 'missing-blobs';
      readonly pg: PgId;
      readonly tenure: number;
      readonly limit: number;
    }
  | {
      readonly kind: 'scrub-range';
      readonly pg: PgId;
      readonly tenure: number;
      readonly begin: Uint8Array;
      readonly end: Uint8Array | undefined;
      readonly deep: boolean;
    }
  | {
      readonly kind: 'scrubbed';
      readonly rowsDigest: number;
      readonly rowsCount: number;
      readonly badRows: number;
      readonly blobs: readonly BlobListing[];
      readonly badBlobs: readonly BlobId[];
    }
  | {
      readonly kind: 'repair-rows';
      readonly pg: PgId;
      readonly tenure: number;
      readonly begin: Uint8Array;
      readonly end: Uint8Array | undefined;
      readonly rows: readonly BackfillRow[];
    }
  | { readonly kind: 'discard'; readonly pg: PgId; readonly version: number }
  | { readonly kind: 'report-damage'; readonly pg: PgId; readonly blobs: readonly BlobId[] }
  /** Rows in [begin, end), for a primary whose own do not verify. */
  | {
      readonly kind: 'read-rows';
      readonly pg: PgId;
      readonly tenure: number;
      readonly begin: Uint8Array;
      readonly end: Uint8Array;
    }
  | { readonly kind: 'rows'; readonly rows: readonly BackfillRow[] }
  /** A primary that ended its tenure on purpose needs none of the promises it was given. */
  | { readonly kind: 'release'; readonly pg: PgId; readonly tenure: number }
  /** Of a blob that the member misses too few shards are left anywhere: it is not waited for (promise P5). */
  | {
      readonly kind: 'blob-lost';
      readonly pg: PgId;
      readonly tenure: number;
      readonly listing: BlobListing;
    }
  /** When the PG was last scrubbed as a whole, for members: each may lead it next. */
  | {
      readonly kind: 'scrub-ended';
      readonly pg: PgId;
      readonly tenure: number;
      readonly lightWallMs: number;
      readonly deepWallMs: number;
    }
  /**
   * Rows of an object that is handed over, to the primary of its placement group in the other layout. `first` begins it,
   * `last` says that these are all. Without a name: whether one could be taken now. The answer is `ok`, or `moved` when the
   * object is that group's already.
   */
  | {
      readonly kind: 'push-rows';
      readonly pg: PgId;
      readonly object: string;
      readonly turn: number;
      readonly first: boolean;
      readonly last: boolean;
      readonly rows: readonly BackfillRow[];
    }
  /** The sender holds data of a PG and is not on its record: the primary may tell it to discard that. */
  | { readonly kind: 'left-over'; readonly pg: PgId }
  // 60-79: from clients to a primary
  | {
      readonly kind: 'call';
      readonly pg: PgId;
      readonly request: LiveRequest;
      readonly object: string;
      readonly method: string;
      readonly argument: Uint8Array;
    }
  /** A call by somebody to whom the other layout said that it has the object no more, in this turn (osd/handover.ts). */
  | {
      readonly kind: 'call-in-turn';
      readonly pg: PgId;
      readonly request: LiveRequest;
      readonly object: string;
      readonly method: string;
      readonly argument: Uint8Array;
      /** At least 1. */
      readonly turn: number;
    }
  /** The call was not and will not be carried out here: the object is the other layout's since this turn. */
  | { readonly kind: 'moved'; readonly turn: number }
  | { readonly kind: 'result'; readonly result: Uint8Array }
  | {
      readonly kind: 'put-blob';
      readonly pg: PgId;
      readonly request: LiveRequest;
      readonly blob: BlobId;
      readonly blobCrc: number;
    }
  | {
      readonly kind: 'delete-blob';
      readonly pg: PgId;
      readonly request: LiveRequest;
      readonly blob: BlobId;
    }
  | {
      readonly kind: 'read-blob';
      readonly pg: PgId;
      readonly blob: BlobId;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
    }
  | { readonly kind: 'bytes' }
  | {
      readonly kind: 'list-blobs';
      readonly pg: PgId;
      readonly after: BlobId | undefined;
      readonly limit: number;
    }
  | { readonly kind: 'blobs'; readonly blobs: readonly BlobId[] };

const storeMarkCodec = struct({ id: uuid, revision: uint });
const pgTenure = { pg: pgId, tenure: uint };
const empty = struct({});
const leaseItems = struct({ items: list(struct(pgTenure)) });
const range = { begin: bytes, end: option(bytes) };

const c = (tag: number, codec: Codec<never> | Codec<unknown>): readonly [number, Codec<never>] => [
  tag,
  codec as Codec<never>,
];

export const messageCodec: Codec<Message> = union({
  ok: c(1, empty),
  failure: c(2, struct({ code: oneOf(...failureCodes), detail: text })),
  subscribe: c(10, empty),
  map: c(11, struct({ map: clusterMapCodec })),
  records: c(12, struct({ records: list(pgRecordCodec), complete: bool })),
  users: c(13, struct({ users: list(userCodec) })),
  directory: c(90, struct({ directory: bytes, sessionsKey: bytes })),
  'put-directory': c(91, struct({ directory: bytes })),
  beacon: c(
    35,
    struct({
      usage: usageCodec,
      sequence: uint,
      epoch,
      refusedMap: text,
      reports: list(pgReportCodec),
      stopped: list(text),
    }),
  ),
  memory: c(
    87,
    struct({ usedBytes: uint, budgetBytes: uint, recoveryWaits: bool, putsWait: bool }),
  ),
  propose: c(16, struct({ record: pgRecordCodec })),
  proposed: c(17, struct({ accepted: bool, current: pgRecordCodec, reason: text })),
  'read-record': c(18, struct({ pg: pgId })),
  'report-failure': c(19, struct({ osd: osdId, upSince: epoch, refused: bool, silentMs: uint })),
  'peer-key': c(20, struct({ target: uuid })),
  key: c(21, struct({ key: bytes })),
  'lease-incarnation': c(22, empty),
  incarnation: c(23, struct({ incarnation: uint })),
  'hold-job': c(24, struct({ job: text })),
  job: c(25, struct({ held: bool })),
  'daemon-failed': c(26, struct({ osd: osdId, reason: text })),
  'scrub-pg': c(27, struct({ pg: pgId, deep: bool })),
  'live-incarnations': c(28, empty),
  incarnations: c(29, struct({ live: list(uint), judgedBelow: uint })),
  'hold-incarnation': c(30, struct({ incarnation: uint })),
  boot: c(
    31,
    struct({
      address: text,
      usage: usageCodec,
      sequence: uint,
      lostGroups: uint,
      seen: option(storeMarkCodec),
    }),
  ),
  'map-store': c(32, storeMarkCodec),
  'tell-known': c(33, empty),
  known: c(34, struct({ map: option(clusterMapCodec), records: list(pgRecordCodec) })),
  'report-migration': c(
    36,
    struct({
      pool: text,
      toLayout: uint,
      movedBytes: uint,
      movedBlobs: uint,
      cleanPasses: uint,
      trouble: text,
    }),
  ),
  'report-notifications': c(
    92,
    struct({
      told: uint,
      failed: uint,
      expired: uint,
      gone: uint,
      queue: option(struct({ count: uint, oldestMs: uint, trouble: text })),
    }),
  ),
  'cannot-lead': c(37, struct(pgTenure)),
  ping: c(40, empty),
  promise: c(41, leaseItems),
  promised: c(42, struct({ items: list(struct(pgTenure)), usedPermille: uint })),
  collect: c(43, struct({ record: pgRecordCodec })),
  collected: c(
    44,
    struct({
      head: versionCodec,
      tail: versionCodec,
      committed: uint,
      complete: bool,
      missing: uint,
    }),
  ),
  append: c(
    45,
    struct({
      ...pgTenure,
      committed: uint,
      entry: bytes,
      shard: oneOf('none', 'beside', 'gone'),
      index: uint,
    }),
  ),
  appended: c(46, struct({ head: uint })),
  commit: c(47, struct({ ...pgTenure, committed: uint })),
  'fetch-log': c(48, struct({ ...pgTenure, after: uint })),
  log: c(49, struct({ entries: list(logEntryCodec) })),
  'read-shard': c(50, struct({ pg: pgId, blob: blobId, offsetBytes: uint, lengthBytes: uint })),
  shard: c(51, struct({ facts: blobFactsCodec, index: uint })),
  reset: c(52, struct({ ...pgTenure, head: versionCodec })),
  backfill: c(
    53,
    struct({
      ...pgTenure,
      ...range,
      rows: list(rowCodec),
      blobs: list(blobListingCodec),
      index: uint,
    }),
  ),
  wanted: c(54, struct({ blobs: list(blobListingCodec), cursor: option(bytes) })),
  'push-blob': c(
    55,
    struct({ ...pgTenure, listing: blobListingCodec, reason: oneOf('missing', 'replace') }),
  ),
  'missing-blobs': c(56, struct({ ...pgTenure, limit: uint })),
  'scrub-range': c(57, struct({ ...pgTenure, ...range, deep: bool })),
  scrubbed: c(
    58,
    struct({
      rowsDigest: uint,
      rowsCount: uint,
      badRows: uint,
      blobs: list(blobListingCodec),
      badBlobs: list(blobId),
    }),
  ),
  'repair-rows': c(59, struct({ ...pgTenure, ...range, rows: list(rowCodec) })),
  discard: c(80, struct({ pg: pgId, version: uint })),
  'report-damage': c(81, struct({ pg: pgId, blobs: list(blobId) })),
  'append-batch': c(82, struct({ ...pgTenure, committed: uint, entryBytes: list(uint) })),
  'read-rows': c(83, struct({ ...pgTenure, begin: bytes, end: bytes })),
  rows: c(84, struct({ rows: list(rowCodec) })),
  release: c(85, struct(pgTenure)),
  'left-over': c(86, struct({ pg: pgId })),
  'blob-lost': c(89, struct({ ...pgTenure, listing: blobListingCodec })),
  'scrub-ended': c(88, struct({ ...pgTenure, lightWallMs: uint, deepWallMs: uint })),
  call: c(
    60,
    struct({ pg: pgId, request: liveRequestCodec, object: text, method: text, argument: bytes }),
  ),
  'call-in-turn': c(
    93,
    struct({
      pg: pgId,
      request: liveRequestCodec,
      object: text,
      method: text,
      argument: bytes,
      turn: uint,
    }),
  ),
  moved: c(94, struct({ turn: uint })),
  'push-rows': c(
    95,
    struct({
      pg: pgId,
      object: text,
      turn: uint,
      first: bool,
      last: bool,
      rows: list(rowCodec),
    }),
  ),
  result: c(61, struct({ result: bytes })),
  'put-blob': c(62, struct({ pg: pgId, request: liveRequestCodec, blob: blobId, blobCrc: uint })),
  'delete-blob': c(63, struct({ pg: pgId, request: liveRequestCodec, blob: blobId })),
  'read-blob': c(64, struct({ pg: pgId, blob: blobId, offsetBytes: uint, lengthBytes: uint })),
  bytes: c(65, empty),
  'list-blobs': c(66, struct({ pg: pgId, after: option(blobId), limit: uint })),
  blobs: c(67, struct({ blobs: list(blobId) })),
}) as unknown as Codec<Message>;

/** In a beacon, and for people. */
export function stoppedWords(pg: PgId, reason: string): string {
  return `${pg}: ${reason}`;
}

export function stoppedPg(words: string): string {
  return words.slice(0, Math.max(0, words.indexOf(':')));
}

export type MessageKind = Message['kind'];
export type MessageOf<K extends MessageKind> = Extract<Message, { readonly kind: K }>;
