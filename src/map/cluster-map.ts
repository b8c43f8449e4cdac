// The cluster map: what exists. Kept by the monitors, numbered by epoch, read by everybody. Which slot
// holds what is not here but in the PG records.

import { bool, type Codec, list, oneOf, option, struct, text, u8, uint } from '../base/codec.ts';
import {
  type Epoch,
  epoch,
  formatPgId,
  type OsdId,
  osdId,
  type PgId,
  type PoolId,
  poolId,
  type Uuid,
  uuid,
} from '../base/ids.ts';
import { type Geometry, geometryCodec } from './geometry.ts';

export const deviceClasses = ['hdd', 'ssd'] as const;
export type DeviceClass = (typeof deviceClasses)[number];

/** Levels a failure domain can be, the smallest first. */
export const domainLevels = ['osd', 'host', 'rack', 'room'] as const;
export type DomainLevel = (typeof domainLevels)[number];

export interface OsdEntry {
  readonly id: OsdId;
  readonly uuid: Uuid;
  readonly host: string;
  /** Names of the levels above host; empty text when the cluster does not use them. */
  readonly rack: string;
  readonly room: string;
  readonly deviceClass: DeviceClass;
  /** Share of data, in 1/1024 of a TiB, at least 1. */
  readonly weight: number;
  readonly capacityBytes: number;
  readonly up: boolean;
  readonly in: boolean;
  /** Set by the operator: stays out when it comes back. */
  readonly outByOperator: boolean;
  /** Refused by every daemon for ever. */
  readonly destroyed: boolean;
  /** `host:port` of its listener; empty before its first boot. */
  readonly address: string;
  /** The epoch at which it last became up. */
  readonly upSince: Epoch;
}

export interface Rule {
  readonly failureDomain: DomainLevel;
  /** Only disks of this class; undefined: any. */
  readonly deviceClass: DeviceClass | undefined;
}

export interface Layout {
  readonly id: number;
  readonly geometry: Geometry;
  readonly rule: Rule;
  readonly pgCount: number;
}

export interface Pool {
  readonly id: PoolId;
  readonly name: string;
  /** The last is the active one; those before it are draining. */
  readonly layouts: readonly Layout[];
  /** Objects up to this many bytes live in the index entry. */
  readonly inlineBytesMax: number;
}

export interface ClusterMap {
  readonly fsid: Uuid;
  readonly epoch: Epoch;
  readonly osds: readonly OsdEntry[];
  readonly pools: readonly Pool[];
  /** Ids are never given twice. */
  readonly nextOsdId: number;
  readonly nextPoolId: number;
}

const deviceClassCodec = oneOf(...deviceClasses);
const ruleCodec: Codec<Rule> = struct({
  failureDomain: oneOf(...domainLevels),
  deviceClass: option(deviceClassCodec),
});
const layoutCodec: Codec<Layout> = struct({
  id: uint,
  geometry: geometryCodec,
  rule: ruleCodec,
  pgCount: uint,
});

export const osdEntryCodec: Codec<OsdEntry> = struct({
  id: osdId,
  uuid,
  host: text,
  rack: text,
  room: text,
  deviceClass: deviceClassCodec,
  weight: uint,
  capacityBytes: uint,
  up: bool,
  in: bool,
  outByOperator: bool,
  destroyed: bool,
  address: text,
  upSince: epoch,
});

export const poolCodec: Codec<Pool> = struct({
  id: poolId,
  name: text,
  layouts: list(layoutCodec),
  inlineBytesMax: uint,
});

const body: Codec<Omit<ClusterMap, never>> = struct({
  fsid: uuid,
  epoch,
  osds: list(osdEntryCodec),
  pools: list(poolCodec),
  nextOsdId: uint,
  nextPoolId: uint,
});

/** Version byte, then the fields in order. */
const clusterMapVersion = 1;
export const clusterMapCodec: Codec<ClusterMap> = {
  write: (w, map) => {
    u8.write(w, clusterMapVersion);
    body.write(w, map);
  },
  read: (r) => {
    const version = u8.read(r);
    if (version !== clusterMapVersion)
      throw new RangeError(`cluster map of version ${version}; this is ${clusterMapVersion}`);
    return body.read(r);
  },
};

export function activeLayout(pool: Pool): Layout {
  const layout = pool.layouts.at(-1);
  if (layout === undefined) throw new RangeError(`pool ${pool.name} has no layout`);
  return layout;
}

export function findPool(map: ClusterMap, name: string): Pool | undefined {
  return map.pools.find((pool) => pool.name === name);
}

export function findLayout(map: ClusterMap, pool: number, layout: number): Layout | undefined {
  return map.pools.find((each) => each.id === pool)?.layouts.find((each) => each.id === layout);
}

export function findOsd(map: ClusterMap, id: number): OsdEntry | undefined {
  return map.osds.find((osd) => osd.id === id);
}

/** The name of the OSD's domain at a level; an OSD is its own domain. */
export function domainOf(osd: OsdEntry, level: DomainLevel): string {
  switch (level) {
    case 'osd':
      return `osd.${osd.id}`;
    case 'host':
      return osd.host;
    case 'rack':
      return osd.rack === '' ? osd.host : osd.rack;
    case 'room':
      return osd.room === '' ? domainOf(osd, 'rack') : osd.room;
  }
}

export function pgIdsOf(pool: Pool, layout: Layout): PgId[] {
  return Array.from({ length: layout.pgCount }, (_, index) =>
    formatPgId(pool.id, layout.id, index),
  );
}
