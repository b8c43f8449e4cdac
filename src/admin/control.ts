// What the admin API is given: the monitor's knowledge and commands, and those of whoever runs the
// daemons. Interfaces, because this folder stands beside the monitor, not above it.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import type {
  ClusterMap,
  DeviceClass,
  Layout,
  LossKind,
  OsdEntry,
  Pool,
} from '../map/cluster-map.ts';
import type { Directory, Quota } from '../map/directory.ts';
import type { PgRecord } from '../map/pg-record.ts';
import type { OsdUsage, PgReport } from '../wire/messages.ts';
import type {
  BucketCheckView,
  BucketStatsView,
  BucketView,
  MemoryView,
  NamedLossPage,
  TrashedBucketView,
} from './views.ts';

/** What a new key opens; shown once by who made it, and to the operator. */
export interface S3Key {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface S3User extends S3Key {
  readonly name: string;
}

export interface UserWish {
  readonly name: string;
  /** Empty: none. */
  readonly email: string;
  /** It may change all users without account over the IAM API. */
  readonly isAdmin: boolean;
}

/** What a primary told of its PG, by whom and when. */
export type HeardPgReport = PgReport & {
  readonly osd: OsdId;
  readonly at: Instant;
  /** Of the map that its primary went by. */
  readonly epoch: Epoch;
};

/** What the monitor has seen of an OSD since it started. */
export interface OsdSight {
  readonly usage: OsdUsage;
  /** `PG: reason` for each PG that can't be started there. */
  readonly stopped: readonly string[];
  /** Why its daemon could not run; empty when it can. */
  readonly failure: string;
  /** Why it does not act on the newest map; empty when it does. */
  readonly refusedMap: string;
  /** Undefined: it does not tell. */
  readonly memory: MemoryView | undefined;
  /** There is a session with it now. */
  readonly heard: boolean;
}

/** What the gateway that moves a pool's blobs says of it. */
export interface MigrationWord {
  readonly movedBytes: number;
  readonly movedBlobs: number;
  readonly cleanPasses: number;
  readonly trouble: string;
  readonly at: Instant;
  readonly firstAt: Instant;
  readonly firstMovedBytes: number;
}

/** How a gateway gets on with telling topics of events. */
export interface NotificationWord {
  readonly gateway: Uuid;
  /** Since it began: sent, not taken, given up after their time, of topics that are gone. */
  readonly told: number;
  readonly failed: number;
  readonly expired: number;
  readonly gone: number;
  /** Undefined: another gateway looks after the queues. */
  readonly queue:
    | { readonly count: number; readonly oldestMs: number; readonly trouble: string }
    | undefined;
}

/** What can be known; enough to judge the cluster's health. */
export interface MonitorKnowledge {
  readonly map: ClusterMap;
  readonly records: ReadonlyMap<PgId, PgRecord>;
  reportOf(pg: PgId): HeardPgReport | undefined;
  /** Its lead was moved on purpose a moment ago: who leads it now may have yet to say so. */
  isHandedOver(pg: PgId): boolean;
  sightOf(osd: OsdEntry): OsdSight | undefined;
  migrationOf(pool: Pool): MigrationWord | undefined;
  /** Of the gateways that were heard of lately. */
  readonly notifications: readonly NotificationWord[];
  /** Disks down for long that are not marked out, and why. */
  readonly heldIn: readonly { readonly osd: OsdId; readonly reason: string }[];
  /** Disks that wait because they went down again and again. */
  readonly flapping: readonly {
    readonly osd: OsdId;
    readonly downs: number;
    readonly waitMs: number;
  }[];
  /** Why the map store is not changed at all: it is an older copy. */
  readonly frozen: string | undefined;
  /** Why it is not changed yet: too few OSDs have told what they know since the monitor started. */
  readonly waiting: string | undefined;
  /** Why nothing is judged by the map: OSDs don't act on it. */
  readonly untakenMap: string | undefined;
  /** Whose word is wanting. */
  readonly awaitedWitnesses: readonly OsdId[];
}

/** What would be lost if placement groups began again, and how they could be had back better. */
export interface PgLosses {
  readonly lines: readonly string[];
  readonly advice: readonly string[];
}

/** Of what gives something up for good, and takes it back while it can be. */
export interface LossControl {
  destroyOsds(ids: ReadonlySet<OsdId>, accept: (losses: readonly string[]) => void): Promise<void>;
  undestroyOsds(ids: ReadonlySet<OsdId>): Promise<void>;
  wipeOsd(id: OsdId, accept: (losses: readonly string[]) => void): Promise<void>;
  purgeOsd(id: OsdId): Promise<void>;
  lossesOfPgs(pgs: readonly PgId[], kind: LossKind): PgLosses;
  beginAgain(
    pgs: readonly PgId[],
    how: { readonly kind: LossKind; readonly acceptedBy: string },
    accept: (losses: PgLosses) => void,
  ): Promise<void>;
  forgetLosses(pgs: readonly PgId[]): Promise<void>;
}

export interface PoolControl {
  createPool(pool: Omit<Pool, 'id'>): Promise<Pool>;
  setPoolLayout(name: string, wish: Partial<Omit<Layout, 'id'>>): Promise<void>;
  revertPool(name: string): Promise<void>;
  setMigration(
    name: string,
    edit: Partial<Pick<Pool, 'migration' | 'migrationBytesPerSecond'>>,
  ): Promise<void>;
  setInline(name: string, bytesMax: number): Promise<void>;
  removePool(name: string, accept: (losses: readonly string[]) => void): Promise<void>;
  restorePool(name: string): Promise<void>;
}

/** Of the directory of users. */
export interface UserControl {
  createUser(wish: UserWish): Promise<S3User>;
  createAccount(wish: Omit<UserWish, 'isAdmin'>): Promise<S3User & { readonly account: string }>;
  removeUser(name: string): Promise<void>;
  removeAccount(name: string): Promise<void>;
  createKey(user: string): Promise<S3Key>;
  setKey(user: string, keyId: string, state: 'active' | 'inactive' | 'removed'): Promise<void>;
  setAllKeys(user: string, active: boolean): Promise<void>;
  setAdmin(user: string, isAdmin: boolean): Promise<void>;
  setQuota(quota: Quota): Promise<void>;
}

/** Commands throw errors with a `code` of `not-found`, `refused` or `invalid` and words to show. */
export interface MonitorControl extends MonitorKnowledge {
  readonly directory: Directory;
  readonly pools: PoolControl;
  readonly users: UserControl;
  readonly losses: LossControl;
  markOut(id: OsdId): Promise<void>;
  markIn(id: OsdId): Promise<void>;
  markDownByOperator(id: OsdId): Promise<void>;
  setWeight(id: OsdId, weight: number): Promise<void>;
  daemonFailed(id: OsdId, reason: string): void;
  replaceDisk(id: OsdId, uuid: Uuid): Promise<void>;
  addDisk(
    disk: {
      readonly uuid: Uuid;
      readonly host: string;
      readonly capacityBytes: number;
      readonly deviceClass?: DeviceClass;
    },
    expected?: number,
  ): Promise<OsdId>;
  setSetting(name: string, value: number | undefined): Promise<void>;
  acceptRollback(id: OsdId): Promise<readonly PgId[]>;
  restoreStore(missing: readonly OsdId[]): Promise<void>;
  /** Returns those whose primary could be asked. */
  scrub(pgs: readonly PgId[], deep: boolean): readonly PgId[];
}

export interface DaemonState {
  /** `osd.3`. */
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: 'running' | 'starting' | 'waiting' | 'stopped' | 'failed';
  readonly restarts: number;
  /** Why it does not run; empty when it does. */
  readonly reason: string;
}

/** Runs the daemons of this machine. */
export interface SupervisorControl {
  startOsd(id: OsdId): Promise<void>;
  stopOsd(id: OsdId): Promise<void>;
  /** Starts it again with a placement group that was left out after crashes. */
  letIn(id: OsdId, pg: PgId): Promise<void>;
  /** Runs one OSD more, on an empty folder; resolves with its id when it has started. */
  addOsd(deviceClass: DeviceClass | undefined): Promise<number>;
  /** Erases the disk of an OSD that is stopped. */
  wipeOsd(id: OsdId): Promise<void>;
  daemons(): Promise<readonly DaemonState[]>;
}

/** Looks at bucket indexes, a bounded piece a call; undefined: there is no such bucket. */
export interface BucketControl {
  list(after: string): Promise<readonly BucketView[]>;
  stats(name: string): Promise<BucketStatsView | undefined>;
  check(object: string, after: string): Promise<BucketCheckView>;
  reshard(name: string, entriesMin: number): Promise<number | undefined>;
  /** Puts a bucket with everything in it into the trash. */
  remove(
    bucket: { readonly name: string; readonly bucketId: string },
    keepMs: number,
  ): Promise<'done' | undefined>;
  /** Undefined: under its own name. */
  restore(name: string, as: string | undefined): Promise<RestoredBucket>;
  trash(): Promise<readonly TrashedBucketView[]>;
  /** Opens, empty, the shards whose rows were lost with their placement group. */
  reopen(name: string): Promise<readonly string[] | undefined>;
  /** What has data in the placement groups, by name, from `next` of the page before. */
  nameLosses(pgs: ReadonlySet<string>, after: string): Promise<NamedLossPage>;
}

export type RestoredBucket =
  | { readonly kind: 'restored'; readonly name: string; readonly bucketId: string }
  | { readonly kind: 'not-in-trash' | 'name-taken' | 'bad-name' };

/** A daemon that ended because it found itself wrong. */
export interface Crash {
  readonly daemon: string;
  readonly at: string;
  readonly message: string;
  /** The file that says so; removing it acknowledges the crash. */
  readonly path: string;
}
