// The answers of the admin API, as JSON. The command line, the dashboard and other people's scripts read
// them: fields are added, never changed.

import type { Margin } from './margin.ts';

export type HealthStatus = 'HEALTH_OK' | 'HEALTH_WARN' | 'HEALTH_ERR';

/**
 * What is wrong, one code a kind.
 *
 * - `OSD_DOWN`: a disk's daemon is not running or does not answer.
 * - `OSD_OUT`: a disk is being emptied, or is empty; its share lies on the others.
 * - `OSD_NEARLY_FULL`: a disk is 85 % full or more: add disks, or remove objects.
 * - `OSD_MEMORY`: an OSD holds nine tenths of its memory budget: recovery and scrubs wait there, then writes.
 * - `OSD_FULL`: a disk is 95 % full: writes to the PGs on it are refused.
 * - `DAEMON_FAILED`: a daemon could not be started; the detail says why.
 * - `DAEMON_CRASHED`: a daemon stopped because it found itself wrong.
 * - `MON_STORE_OLD`: the monitor's map store is an older copy: nothing is elected or changed by it.
 * - `MON_WAITS`: the monitor has just started and has heard too few OSDs to change anything.
 * - `OSD_ROLLED_BACK`: a disk came back older than it was, and nobody else has what it acknowledged since.
 * - `PG_NOT_SERVING`: nobody serves the PG now: reads and writes of it wait.
 * - `PG_BELOW_FLOOR`: too few in-sync slots to survive one more failure: writes wait, reads go on.
 * - `PG_STOPPED`: an OSD could not start a PG from what its disk holds.
 * - `PG_DEGRADED`: less redundancy than the pool promises.
 * - `PG_NOT_CLEAN`: everything is there, and not yet where it should be, or more than should be.
 * - `OBJECTS_DAMAGED`: copies that do not check and could not be repaired yet.
 * - `OBJECTS_LOST`: a placement group lost objects, and its operator accepted that; until it is forgotten.
 * - `OSD_HELD_IN`: a disk is down for long and was not marked out: moving its data would do harm now.
 * - `OSD_FLAPPING`: a disk went down again and again; it waits before it takes part again.
 * - `OSD_DESTROYED`: a disk was given up, and placement groups still need it: it may be all there is.
 * - `MAP_REFUSED`: an OSD does not act on the newest cluster map, because that contradicts itself or what stored bytes mean.
 * - `POOL_MIGRATING`: a pool's objects are being moved to another layout; until then they have what the old one gives.
 * - `POOL_HANDING_OVER`: a pool's mutable objects go to another number of placement groups, while both serve.
 * - `POOL_CHANGING`: a pool gets another failure domain, device class or number of copies in place; until every
 *   placement group has it, the pool promises what it did before. `holdfast pool revert` turns it back.
 * - `POOL_INTERIM`: a pool's own layout can't take writes, so that they go to an interim one.
 * - `POOL_TOO_FEW_DOMAINS`: fewer failure domains than the pool's geometry needs.
 * - `NOTIFICATIONS_LATE`: events wait for a topic's webhook for five minutes or more; the detail says which does not answer.
 * - `POOL_NO_REDUNDANCY`: the pool keeps one copy: any disk lost is data lost.
 */
export type HealthCode =
  | 'OSD_DOWN'
  | 'OSD_OUT'
  | 'OSD_NEARLY_FULL'
  | 'OSD_FULL'
  | 'OSD_MEMORY'
  | 'DAEMON_FAILED'
  | 'DAEMON_CRASHED'
  | 'MON_STORE_OLD'
  | 'MON_WAITS'
  | 'OSD_ROLLED_BACK'
  | 'PG_NOT_SERVING'
  | 'PG_BELOW_FLOOR'
  | 'PG_STOPPED'
  | 'PG_DEGRADED'
  | 'PG_NOT_CLEAN'
  | 'OBJECTS_DAMAGED'
  | 'OBJECTS_LOST'
  | 'OSD_HELD_IN'
  | 'OSD_FLAPPING'
  | 'OSD_DESTROYED'
  | 'MAP_REFUSED'
  | 'POOL_MIGRATING'
  | 'POOL_HANDING_OVER'
  | 'POOL_CHANGING'
  | 'POOL_INTERIM'
  | 'POOL_TOO_FEW_DOMAINS'
  | 'POOL_NO_REDUNDANCY'
  | 'NOTIFICATIONS_LATE';

export interface HealthCheck {
  readonly code: HealthCode;
  readonly severity: 'WARN' | 'ERR';
  readonly summary: string;
  readonly detail: readonly string[];
}

export interface Health {
  readonly status: HealthStatus;
  /** The severe ones first. */
  readonly checks: readonly HealthCheck[];
}

export interface SlotView {
  readonly osd: number;
  readonly index: number;
  readonly state: string;
  /** Its disk is the one the map knows, and up. */
  readonly live: boolean;
}

export interface LayoutView {
  readonly id: number;
  readonly geometry: string;
  readonly failureDomain: string;
  readonly deviceClass: string | null;
  readonly purpose: 'own' | 'interim';
  readonly state: 'active' | 'draining';
  readonly pgs: number;
  readonly objects: number;
  readonly bytes: number;
}

/** What draining layouts held being moved to the active one. */
export interface MigrationView {
  /** `held`: nothing is moved while an interim layout is active. */
  readonly state: 'running' | 'paused' | 'held';
  /** In draining layouts: what is to be moved, and what was moved and waits to be collected. */
  readonly leftBytes: number;
  /** By the gateway that moves, since it began. */
  readonly movedBytes: number;
  readonly movedBlobs: number;
  /** Measured; 0: not known yet. */
  readonly bytesPerSecond: number;
  /** Nothing refers to draining layouts any more: what is left in them is collected after its grace. */
  readonly isMoved: boolean;
  /** By the rate so far; null: not known. */
  readonly secondsLeft: number | null;
  /** 0: no limit. */
  readonly bytesPerSecondMax: number;
  /** What could not be moved, and why; empty: nothing. */
  readonly trouble: string;
}

/** Mutable objects on their way, by name, to another number of placement groups. */
export interface HandoverView {
  readonly fromPgs: number;
  readonly toPgs: number;
  /** Of the old placement groups, those that have handed over all they had. */
  readonly pgsDone: number;
  readonly isPaused: boolean;
}

/** How many copies there are, and where, changing in place. */
export interface ChangeView {
  /** What it will be. */
  readonly geometry: string;
  readonly failureDomain: string;
  readonly deviceClass: string | null;
  /** Placement groups that are so already, of how many. */
  readonly pgsDone: number;
  readonly pgs: number;
}

export interface PgView {
  readonly pg: string;
  readonly pool: string;
  readonly geometry: string;
  /** Its layout takes no blobs, because its pool has another active one. */
  readonly draining: boolean;
  /** `active+clean`, `active+degraded+recovering`, `down`… */
  readonly state: string;
  readonly serving: boolean;
  /** Its lead moved on purpose a moment ago: that nobody says yet that it serves is no trouble. */
  readonly handedOver: boolean;
  /** Serving, and above the write floor. */
  readonly writable: boolean;
  readonly clean: boolean;
  readonly primary: number | null;
  readonly slots: readonly SlotView[];
  readonly target: readonly number[];
  readonly objects: number;
  readonly bytes: number;
  /** Items that joining slots still miss. */
  readonly missing: number;
  readonly damaged: number;
  readonly waiting: string;
  readonly scrubbing: boolean;
  /** When its scrubs last ended, by the wall clock of who led it; 0: never; null: nobody says. */
  readonly scrubbedMs: number | null;
  readonly deepScrubbedMs: number | null;
  readonly margin: Margin;
  /** Objects of it were lost; null: none were, or it was forgotten. */
  readonly lost: PgLossView | null;
}

export interface PgLossView {
  readonly kind: 'mark-lost' | 'force-create';
  readonly acceptedMs: number;
  readonly acceptedBy: string;
}

export interface OsdView {
  readonly id: number;
  readonly uuid: string;
  readonly host: string;
  readonly deviceClass: string;
  readonly weight: number;
  readonly up: boolean;
  readonly in: boolean;
  readonly destroyed: boolean;
  readonly wiped: boolean;
  readonly address: string;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** PGs that have a slot there. */
  readonly pgs: number;
  /** PGs it leads. */
  readonly primaries: number;
  readonly failure: string;
  readonly stopped: readonly string[];
  /** Why it does not act on the newest map; empty when it does. */
  readonly refusedMap: string;
  /** Null: it has not told. */
  readonly memory: MemoryView | null;
}

export interface MemoryView {
  readonly usedBytes: number;
  readonly budgetBytes: number;
  /** Recovery and scrubs stop until there is less. */
  readonly recoveryWaits: boolean;
  /** Puts are slowed as well. */
  readonly putsWait: boolean;
}

export interface PoolView {
  readonly id: number;
  readonly name: string;
  readonly geometry: string;
  readonly failureDomain: string;
  readonly deviceClass: string | null;
  readonly pgs: number;
  readonly objects: number;
  readonly bytes: number;
  readonly inlineBytesMax: number;
  readonly margin: Margin;
  /** The active one last. */
  readonly layouts: readonly LayoutView[];
  /** Null: there is one layout only. */
  readonly migration: MigrationView | null;
  /** Null: none is under way. */
  readonly handover: HandoverView | null;
  /** Null: it does not change in place. */
  readonly change: ChangeView | null;
}

export interface Status {
  readonly fsid: string;
  readonly version: string;
  readonly epoch: number;
  /** Every PG serves and takes writes. */
  readonly ready: boolean;
  readonly health: Health;
  readonly osds: { readonly total: number; readonly up: number; readonly in: number };
  readonly pgs: {
    readonly total: number;
    readonly serving: number;
    readonly clean: number;
    readonly byState: Readonly<Record<string, number>>;
  };
  readonly pools: readonly PoolView[];
  readonly usage: { readonly capacityBytes: number; readonly usedBytes: number };
  readonly recovery: { readonly pgs: number; readonly missing: number };
  readonly margin: Margin;
  /** What is true all the time and easily forgotten. */
  readonly notes: readonly string[];
}

export interface WhatIfCount {
  readonly pgs: number;
  readonly objects: number;
  readonly bytes: number;
}

export interface WhatIfPool {
  readonly name: string;
  readonly geometry: string;
  readonly lost: WhatIfCount;
  /** What would be left is down, so that nobody knows. */
  readonly unproven: WhatIfCount;
  readonly unavailable: WhatIfCount;
  readonly writesWait: WhatIfCount;
  readonly lessRedundancy: WhatIfCount;
}

export interface WhatIfView {
  readonly command: string;
  readonly osds: readonly number[];
  readonly pools: readonly WhatIfPool[];
  /** PGs whose writes would be refused because a disk is full. */
  readonly writesRefused: readonly string[];
  /** What the command would have to be told to lose, line by line; empty: it would be done as it is. */
  readonly losses: readonly string[];
  /** Names exactly this loss; null: there is none. */
  readonly token: string | null;
  /** On the disks that go: what would be made anew elsewhere. */
  readonly bytesToMove: number;
  /** On the others, below 85 %. */
  readonly roomBytes: number;
  readonly poolsWithoutRoom: readonly string[];
  /** The safe way to the same end. */
  readonly advice: readonly string[];
}

export interface SettingView {
  readonly name: string;
  readonly value: number;
  readonly defaultValue: number;
  readonly least: number;
  readonly most: number;
  readonly meaning: string;
}

export interface ScrubStarted {
  /** Of those that were asked, and when each had been scrubbed until then (light or deep, as asked for). */
  readonly asked: readonly { readonly pg: string; readonly beforeMs: number | null }[];
  /** Without a primary that could be asked. */
  readonly unasked: readonly string[];
}

/**
 * - `invalid`: the request itself is wrong.
 * - `unauthorized`: no token, or not this cluster's.
 * - `not-found`: what is named does not exist.
 * - `refused`: it can't be done in the cluster's present state.
 * - `unsafe`: it could be done and would endanger data or its availability.
 * - `unavailable`: whoever would have to do it is not there.
 */
export type AdminErrorCode =
  | 'invalid'
  | 'unauthorized'
  | 'not-found'
  | 'refused'
  | 'unsafe'
  | 'unavailable';

export interface AdminFailure {
  readonly error: { readonly code: AdminErrorCode; readonly message: string };
}

export interface BucketView {
  readonly name: string;
  readonly owner: string;
  readonly createdMs: number;
  readonly shards: number;
}

/** A key range of a bucket's index. */
export interface ShardView {
  readonly object: string;
  /** The first key it answers for; null: it is being filled and has none yet. */
  readonly beginKey: string | null;
  /** Versions and delete markers too. While keys are on their way, some are counted in two shards. */
  readonly entries: number;
  readonly sizeBytes: number;
  readonly counted: boolean;
  readonly splitsInto: string | null;
  readonly faults: readonly string[];
}

export interface BucketStatsView {
  readonly name: string;
  readonly bucketId: string;
  readonly owner: string;
  readonly createdMs: number;
  readonly entries: number;
  readonly sizeBytes: number;
  readonly shards: readonly ShardView[];
}

/** What some rows of a shard come to. */
export interface BucketCheckView {
  readonly rows: number;
  readonly sizeBytes: number;
  readonly blobs: number;
  readonly unreadable: number;
  /** Rows of keys that the shard does not answer for. */
  readonly outside: number;
  readonly next: string | null;
}

/** What has data in a placement group: `s3/named-losses.ts` says what the kinds are. */
export interface NamedLossView {
  readonly kind: 'object' | 'part' | 'shard' | 'registry' | 'unknown';
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  /** Why nothing is known; of `unknown`. */
  readonly reason: string;
}

export interface NamedLossPage {
  readonly items: readonly NamedLossView[];
  readonly next: string | null;
}

/** What the operator was shown of the names of what is lost; a part of what is accepted. */
export interface NamesShown {
  readonly count: number;
  readonly sizeBytes: number;
  /** SHA-256 over all lines, in hexadecimal digits. */
  readonly digest: string;
  /** The first lines. */
  readonly first: readonly string[];
}

/** A bucket that was removed and can be brought back. */
export interface TrashedBucketView {
  readonly bucketId: string;
  readonly name: string;
  readonly removedMs: number;
  /** From then on it is emptied. */
  readonly purgeMs: number;
}
