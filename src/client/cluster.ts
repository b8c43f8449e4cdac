// What a gateway asks of the cluster. `ClusterClient` is the real one; tests use one in memory.

import type { BlobId } from '../base/ids.ts';
import type { SharedMemory } from '../base/shared-memory.ts';
import type { Directory } from '../map/directory.ts';

/** A pool's generation: where a blob was written. Stands in manifests for ever. */
export interface LayoutRef {
  readonly pool: number;
  readonly layout: number;
}

/** Who signs a request: the owner of what it makes, and the key that it is signed with. */
export interface User {
  /** Of a user of an account, the account's id. */
  readonly name: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Largest blob, in bytes: what one erasure-coded put keeps in memory a few times over. */
export const blobBytesMax = 4 * 1024 * 1024;

export interface BlobRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly blobBytes?: number;
  readonly pooled?: true;
}

/** Writer incarnations `first` to `first + count - 1`. */
export interface WriterRange {
  readonly first: number;
  readonly count: number;
}

/** Where a listing of blobs goes on; made and understood by the cluster alone. */
export interface BlobCursor {
  readonly layout: number;
  readonly pgIndex: number;
  readonly after: BlobId | undefined;
}

/** Layouts that take no blobs any more, and how fast they may be emptied. */
export interface Migration {
  readonly from: readonly LayoutRef[];
  /** The active one, where everything goes. */
  readonly to: LayoutRef;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
}

export interface MigrationProgress {
  /** Id of the layout that everything goes to. */
  readonly toLayout: number;
  /** Since this gateway began with it. */
  readonly movedBytes: number;
  readonly movedBlobs: number;
  /** Whole passes over all indexes in a row that found nothing to move. */
  readonly cleanPasses: number;
  /** What could not be moved in the last pass, and why; empty: nothing. */
  readonly trouble: string;
}

/** How a gateway gets on with telling topics of events. */
export interface NotificationReport {
  /** Since the gateway began: sent, not taken by the webhook, given up after their time, of topics that are gone. */
  readonly told: number;
  readonly failed: number;
  readonly expired: number;
  readonly gone: number;
  /** Of the gateway that looks after all queues; undefined: another does. */
  readonly queue:
    | {
        readonly count: number;
        /** Age of the oldest event that waits; 0: none waits for long. */
        readonly oldestMs: number;
        /** Topics that do not answer, and why; empty: all do. */
        readonly trouble: string;
      }
    | undefined;
}

export interface BlobQuery {
  /** Blobs with `begin <= id < end`, by incarnation, then counter. */
  readonly begin: BlobId;
  readonly end: BlobId;
  /** `next` of the page before. */
  readonly cursor?: BlobCursor | undefined;
  /** At most 1000. */
  readonly limit: number;
}

export interface BlobPage {
  readonly layout: LayoutRef;
  readonly blobs: readonly BlobId[];
  /** Undefined: that was all. A page before the end may be empty. */
  readonly next: BlobCursor | undefined;
}

/**
 * Every method throws `ClientError`. Retries are inside; an answer `unavailable` comes within about 15 s, and where
 * nobody can serve within about 5.
 */
export interface Cluster {
  /**
   * Runs a registered method on the mutable object `object` of the pool, exactly once, and resolves when
   * its effects are durable (or, without effects, when all it read is). Objects come into being with
   * their first row.
   */
  call(pool: string, object: string, method: string, argument: Uint8Array): Promise<Uint8Array>;

  /** The layout that new blobs of the pool go to. */
  activeLayout(pool: string): LayoutRef;

  /** Objects up to this many bytes live in the index entry instead of a blob of the pool. */
  inlineBytesMax(pool: string): number;

  /** What is to be moved out of the pool's other layouts; undefined: nothing, or not now. */
  migration(pool: string): Migration | undefined;

  /** Tells the monitor how far a migration is; for people, and lost when the monitor is away. */
  reportMigration(pool: string, progress: MigrationProgress): void;

  /** Tells the monitor how it stands with events; for people, and lost when the monitor is away. */
  reportNotifications(report: NotificationReport): void;

  /** `count` consecutive ids, never given before or again. */
  allocateBlobs(count: number): Promise<BlobId>;

  /**
   * Stores 1 to `blobBytesMax` bytes (the views together) under an id of `allocateBlobs`. Resolves when
   * they are durable on every in-sync slot. The views must not change until it settles and nobody holds `memory`,
   * theirs, any more: the caller holds it until then, and a connection perhaps for longer. Throws `superseded` when the pool has another
   * active layout by now and this one does not take the blob.
   */
  putBlob(
    layout: LayoutRef,
    blob: BlobId,
    views: readonly Uint8Array[],
    memory?: SharedMemory,
  ): Promise<void>;

  /**
   * Exactly the range, verified. The range must lie inside the blob. Who knows the blob's length says it:
   * then the bytes come straight from the disks that have them. With `pooled` the answer may be memory of
   * the pool: whoever is done with it gives it back.
   */
  readBlob(layout: LayoutRef, blob: BlobId, range: BlobRange): Promise<Uint8Array>;

  /** Resolves when the delete is durable; deleting what is not there succeeds. */
  deleteBlob(layout: LayoutRef, blob: BlobId): Promise<void>;

  /**
   * A page of the blobs that are there, over all layouts and PGs of the pool; in order inside each PG. What
   * is put or deleted during a listing may or may not be in it.
   */
  listBlobs(pool: string, query: BlobQuery): Promise<BlobPage>;

  /**
   * Writers that the monitor takes for dead, in order: it has not heard of them for its grace. One that was only
   * cut off may still write, until it is cancelled where it would commit.
   */
  deadWriters(): Promise<readonly WriterRange[]>;

  /**
   * The writer was cancelled somewhere: if ids still come from it, they come from a new one as soon as the
   * monitor gives it.
   */
  renewWriter(incarnation: number): void;

  /** The newest directory of users that this client has seen; the same object until there is a newer one. */
  directory(): Directory;

  /** What tokens of sessions are signed with, in all gateways the same. */
  sessionsKey(): Uint8Array;

  /**
   * Makes it the directory, if its revision follows that of the newest; done when it is durable and this client
   * sees it. `stale`: somebody else changed it meanwhile. Throws `unavailable`, `too-large`.
   */
  changeDirectory(next: Directory): Promise<'done' | 'stale'>;

  /**
   * True while this gateway holds the named job (garbage collection, lifecycle…), of which each is held
   * by at most one gateway at a time. Asks for it when nobody has it.
   */
  holdsJob(job: string): Promise<boolean>;
}
