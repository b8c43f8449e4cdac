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
 * - `POOL_TOO_FEW_DOMAINS`: fewer failure domains than the pool's geometry needs.
 * - `POOL_NO_REDUNDANCY`: the pool keeps one copy: any disk lost is data lost.
 */
export type HealthCode =
  | 'OSD_DOWN'
  | 'OSD_OUT'
  | 'OSD_NEARLY_FULL'
  | 'OSD_FULL'
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
  | 'POOL_TOO_FEW_DOMAINS'
  | 'POOL_NO_REDUNDANCY';

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

export interface PgView {
  readonly pg: string;
  readonly pool: string;
  readonly geometry: string;
  /** `active+clean`, `active+degraded+recovering`, `down`… */
  readonly state: string;
  readonly serving: boolean;
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
  /** 0: never. */
  readonly scrubbedMs: number;
  readonly deepScrubbedMs: number;
  readonly margin: Margin;
}

export interface OsdView {
  readonly id: number;
  readonly uuid: string;
  readonly host: string;
  readonly deviceClass: string;
  readonly weight: number;
  readonly up: boolean;
  readonly in: boolean;
  readonly address: string;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** PGs that have a slot there. */
  readonly pgs: number;
  /** PGs it leads. */
  readonly primaries: number;
  readonly failure: string;
  readonly stopped: readonly string[];
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

export interface ScrubStarted {
  readonly pgs: readonly string[];
  readonly asked: number;
  /** The monitor's wall time: scrubs that end later were asked for here. */
  readonly atMs: number;
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
