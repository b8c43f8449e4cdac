// The state a cluster begins with: its disks, not yet up, and the default pools for their number.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import {
  type ClusterMap,
  type DeviceClass,
  type DomainLevel,
  inlineBytesLimit,
  newLayout,
  newPool,
  type OsdEntry,
  type Pool,
} from '../map/cluster-map.ts';
import { type DirectoryUser, emptyDirectory } from '../map/directory.ts';
import { copies, erasure, type Geometry } from '../map/geometry.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { newRecords, withPool } from './planner.ts';
import type { MonState } from './state.ts';

export interface InitialDisk {
  readonly uuid: Uuid;
  readonly host: string;
  readonly capacityBytes: number;
  /** Default: `ssd`. */
  readonly deviceClass?: DeviceClass;
}

export interface InitialPool {
  readonly name: string;
  readonly geometry: Geometry;
  readonly failureDomain: DomainLevel;
  readonly pgCount: number;
}

/** DESIGN section 16: what a number of hosts allows. */
export function defaultPools(hostCount: number): readonly InitialPool[] {
  const index = hostCount >= 3 ? copies(3, 2) : hostCount === 2 ? copies(2, 1) : copies(1, 1);
  const data = hostCount >= 5 ? erasure(3, 2) : hostCount >= 3 ? erasure(2, 1) : index;
  return [
    { name: '.index', geometry: index, failureDomain: 'host', pgCount: 16 },
    { name: 'data', geometry: data, failureDomain: 'host', pgCount: 32 },
  ];
}

/** A disk as the map has it before its daemon was ever heard. */
export function newDisk(disk: InitialDisk, id: OsdId): OsdEntry {
  return {
    id,
    uuid: disk.uuid,
    host: disk.host,
    rack: '',
    room: '',
    deviceClass: disk.deviceClass ?? 'ssd',
    weight: Math.max(1, Math.round(disk.capacityBytes / 2 ** 30)),
    capacityBytes: disk.capacityBytes,
    up: false,
    in: true,
    outByOperator: false,
    destroyed: false,
    wiped: false,
    address: '',
    upSince: 0 as Epoch,
  };
}

export function poolOf(wanted: InitialPool): Omit<Pool, 'id'> {
  const layout = {
    id: 1,
    geometry: wanted.geometry,
    rule: { failureDomain: wanted.failureDomain, deviceClass: undefined },
    pgCount: wanted.pgCount,
    ...newLayout,
  };
  return { name: wanted.name, layouts: [layout], inlineBytesMax: inlineBytesLimit, ...newPool };
}

/** Throws `RangeError` when a pool needs more failure domains than there are. */
export function initialState(parts: {
  readonly fsid: Uuid;
  readonly disks: readonly InitialDisk[];
  readonly pools: readonly InitialPool[];
  readonly users: readonly DirectoryUser[];
  readonly nonce: () => string;
  readonly storeId: Uuid;
}): MonState {
  const osds = parts.disks.map((disk, index) => newDisk(disk, index as OsdId));
  let map: ClusterMap = {
    fsid: parts.fsid,
    epoch: 1 as Epoch,
    osds,
    pools: [],
    settings: [],
    losses: [],
    nextOsdId: osds.length,
    nextPoolId: 1,
  };
  const records = new Map<PgId, PgRecord>();
  for (const wanted of parts.pools) {
    const added = withPool(map, poolOf(wanted));
    const made = newRecords(added.map, added.pool, parts.nonce);
    if (made === undefined) throw new RangeError(`pool ${wanted.name} needs more failure domains`);
    for (const record of made) records.set(record.pg, record);
    map = added.map;
  }
  return {
    map,
    records,
    directory: { ...emptyDirectory, revision: 1, users: parts.users },
    nextIncarnation: 1,
    storeId: parts.storeId,
    sequences: new Map(),
  };
}
