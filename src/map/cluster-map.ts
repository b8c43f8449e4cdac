// The cluster map: what exists. Kept by the monitors, numbered by epoch, read by everybody. Which slot
// holds what is not here but in the PG records.

import { encodeUtf8 } from '../base/bytes.ts';
import {
  bool,
  type Carried,
  type Codec,
  DecodeError,
  list,
  oneOf,
  option,
  struct,
  text,
  u8,
  uint,
} from '../base/codec.ts';
import { hashBytes } from '../base/hash.ts';
import {
  type Epoch,
  epoch,
  formatPgId,
  type OsdId,
  osdId,
  type PgId,
  type PoolId,
  parsePgId,
  pgId,
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
  /** Given up by the operator: refused by every daemon, until it is taken back. */
  readonly destroyed: boolean;
  /** Destroyed, and its disk erased: never taken back. */
  readonly wiped: boolean;
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

/**
 * `own`: what the operator asked for. `interim`: made by the monitor for the time in which the pool's own
 * layout can't take writes (docs/decisions/0013-layouts.md).
 */
export const layoutPurposes = ['own', 'interim'] as const;
export type LayoutPurpose = (typeof layoutPurposes)[number];

/** How many slots a placement group has, and where they may lie. */
export interface Placement {
  readonly geometry: Geometry;
  readonly rule: Rule;
}

export interface Layout extends Placement {
  /** Rises in its pool; never given twice. */
  readonly id: number;
  /** What is promised: write floors and margins go by it, also while the layout changes in place. */
  readonly geometry: Geometry;
  readonly rule: Rule;
  /**
   * What it changes to in place (docs/decisions/0024-changes-in-place.md): slots are placed by it, and when every PG
   * is, it becomes what is promised. Copies only, to copies only; undefined: it does not change.
   */
  readonly next: Placement | undefined;
  /** How often that began, ended or was turned back. A geometry differs from one known before only under a higher one. */
  readonly revision: number;
  readonly pgCount: number;
  readonly purpose: LayoutPurpose;
  /** The epoch since which it takes no blobs, because another is active; undefined while it is the active one. */
  readonly drainingSince: Epoch | undefined;
}

/** What a pool has at first, and the most that it may have: one replicated write instead of a blob and one. */
export const inlineBytesLimit = 16 * 1024;

export const migrationStates = ['running', 'paused'] as const;
export type MigrationState = (typeof migrationStates)[number];

export interface Pool {
  readonly id: PoolId;
  readonly name: string;
  /** Exactly one is not draining, the active one: it is the last. */
  readonly layouts: readonly Layout[];
  readonly nextLayoutId: number;
  /** Whether what draining layouts hold is being moved to the active one. */
  readonly migration: MigrationState;
  /** Bytes a second that moving may take of clients; 0: no limit. */
  readonly migrationBytesPerSecond: number;
  /** Objects up to this many bytes live in the index entry: 0 to `inlineBytesLimit`. */
  readonly inlineBytesMax: number;
  /** When it was removed, by the monitor's wall clock; 0: it was not. Its data stay for a while. */
  readonly removedWallMs: number;
  /**
   * How often its mutable objects began to be handed over, by name, to the placement groups of another layout, or back
   * (docs/decisions/0028-handing-over-names.md): 0 to `turnMax`. 0: they never were, and `pgCount` never changed.
   */
  readonly turn: number;
  /** The turn in which there was one layout last: what went before that is nobody's question any more. At most `turn`. */
  readonly settledTurn: number;
}

/** Versions that methods are given rise with the turn (osd/handover.ts), and stay exact integers for so many. */
export const turnMax = 1_000_000;

export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** What the operator did to a PG whose data were gone for good (docs/decisions/0018-lost-groups.md). */
export const lossKinds = ['mark-lost', 'force-create'] as const;
export type LossKind = (typeof lossKinds)[number];

/** A loss that was accepted: reads of what is not there any more are answered with it. */
export interface PgLoss {
  readonly pg: PgId;
  readonly kind: LossKind;
  /** By the monitor's wall clock. */
  readonly wallMs: number;
  /** Who accepted it, as the command said; at most 100 characters. */
  readonly acceptedBy: string;
}

export interface ClusterMap {
  readonly fsid: Uuid;
  readonly epoch: Epoch;
  readonly osds: readonly OsdEntry[];
  readonly pools: readonly Pool[];
  /** Cluster-wide settings that differ from their defaults (map/settings.ts), by name. */
  readonly settings: readonly Setting[];
  /** The newest of each PG, until it is forgotten. */
  readonly losses: readonly PgLoss[];
  /** Ids are never given twice. */
  readonly nextOsdId: number;
  readonly nextPoolId: number;
}

const deviceClassCodec = oneOf(...deviceClasses);
const ruleCodec: Codec<Rule> = struct({
  failureDomain: oneOf(...domainLevels),
  deviceClass: option(deviceClassCodec),
});
const layoutFields = { id: uint, geometry: geometryCodec, rule: ruleCodec, pgCount: uint };
const generationFields = {
  ...layoutFields,
  purpose: oneOf(...layoutPurposes),
  drainingSince: option(epoch),
};
const layoutCodec: Codec<Layout> = struct({
  ...generationFields,
  next: option(struct({ geometry: geometryCodec, rule: ruleCodec })),
  revision: uint,
});
const generationCodec = struct(generationFields);
/** Before layouts could change in place. */
const layoutCodecOfVersion3: Codec<Layout> = {
  write: (w, layout) => generationCodec.write(w, layout),
  read: (r) => ({ ...generationCodec.read(r), next: undefined, revision: 0 }),
};

const osdFields = {
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
};
const osdEntryCodec: Codec<OsdEntry> = struct({ ...osdFields, wiped: bool });

function poolFields(layout: Codec<Layout>) {
  return {
    id: poolId,
    name: text,
    layouts: list(layout),
    nextLayoutId: uint,
    migration: oneOf(...migrationStates),
    migrationBytesPerSecond: uint,
    inlineBytesMax: uint,
    removedWallMs: uint,
  };
}

/** Before mutable objects were handed over. */
function poolCodecOfVersion4(layout: Codec<Layout>): Codec<Pool> {
  const codec = struct(poolFields(layout));
  return {
    write: (w, pool) => codec.write(w, pool),
    read: (r) => ({ ...codec.read(r), turn: 0, settledTurn: 0 }),
  };
}
const poolCodec: Codec<Pool> = struct({
  ...poolFields(layoutCodec),
  turn: uint,
  settledTurn: uint,
});

const mapFields = { fsid: uuid, epoch };
const nextIds = { nextOsdId: uint, nextPoolId: uint };
const bodyFields = {
  ...mapFields,
  osds: list(osdEntryCodec),
  pools: list(poolCodec),
  settings: list(struct({ name: text, value: text })),
  ...nextIds,
};
const bodyFieldsOfVersion4 = { ...bodyFields, pools: list(poolCodecOfVersion4(layoutCodec)) };
const bodyFieldsOfVersion3 = {
  ...bodyFields,
  pools: list(poolCodecOfVersion4(layoutCodecOfVersion3)),
};
const lossCodec: Codec<PgLoss> = struct({
  pg: pgId,
  kind: oneOf(...lossKinds),
  wallMs: uint,
  acceptedBy: text,
});
const body: Codec<ClusterMap> = struct({ ...bodyFields, losses: list(lossCodec) });

/** Before mutable objects were handed over. */
const bodyOfVersion4: Codec<ClusterMap> = struct({
  ...bodyFieldsOfVersion4,
  losses: list(lossCodec),
});

/** Before layouts could change in place. */
const bodyOfVersion3: Codec<ClusterMap> = struct({
  ...bodyFieldsOfVersion3,
  losses: list(lossCodec),
});

/** Before lost PGs could begin again. */
const bodyOfVersion2 = struct(bodyFieldsOfVersion3);

/** Before pools could change their layout. */
const bodyOfVersion1 = struct({
  ...mapFields,
  osds: list(struct(osdFields)),
  pools: list(
    struct({ id: poolId, name: text, layouts: list(struct(layoutFields)), inlineBytesMax: uint }),
  ),
  ...nextIds,
});

function fromVersion1(map: Carried<typeof bodyOfVersion1>): ClusterMap {
  return {
    ...map,
    osds: map.osds.map((osd) => ({ ...osd, wiped: false })),
    pools: map.pools.map((pool) => ({
      ...newPool,
      ...pool,
      layouts: pool.layouts.map((layout) => ({ ...newLayout, ...layout })),
      nextLayoutId: 1 + Math.max(0, ...pool.layouts.map((layout) => layout.id)),
    })),
    settings: [],
    losses: [],
  };
}

/** What a layout is when nobody has done anything to it. */
export const newLayout = {
  purpose: 'own',
  drainingSince: undefined,
  next: undefined,
  revision: 0,
} as const;
/** What a pool with one layout, of id 1, begins with. */
export const newPool = {
  nextLayoutId: 2,
  migration: 'running',
  migrationBytesPerSecond: 0,
  removedWallMs: 0,
  turn: 0,
  settledTurn: 0,
} as const;

/** Version byte, then the fields in order: the lowest version that has what the map says, for builds of before. */
const clusterMapVersion = 5;
export const clusterMapCodec: Codec<ClusterMap> = {
  write: (w, map) => {
    const hasChanged = map.pools.some(({ layouts }) => layouts.some((each) => each.revision > 0));
    const hasTurned = map.pools.some(({ turn }) => turn > 0);
    const version = hasTurned ? clusterMapVersion : hasChanged ? 4 : map.losses.length > 0 ? 3 : 2;
    u8.write(w, version);
    if (version === 2) bodyOfVersion2.write(w, map);
    else if (version === 3) bodyOfVersion3.write(w, map);
    else if (version === 4) bodyOfVersion4.write(w, map);
    else body.write(w, map);
  },
  read: (r) => {
    const version = u8.read(r);
    if (version === 1) return fromVersion1(bodyOfVersion1.read(r));
    if (version === 2) return { ...bodyOfVersion2.read(r), losses: [] };
    if (version === 3) return bodyOfVersion3.read(r);
    if (version === 4) return bodyOfVersion4.read(r);
    if (version !== clusterMapVersion)
      throw new DecodeError(`cluster map of version ${version}; this is ${clusterMapVersion}`);
    return body.read(r);
  },
};

export function activeLayout(pool: Pool): Layout {
  const layout = pool.layouts.at(-1);
  if (layout === undefined) throw new RangeError(`pool ${pool.name} has no layout`);
  return layout;
}

/**
 * Who answers for a mutable object of which nobody has said anything: the oldest layout. It knows which it has handed over
 * (osd/handover.ts).
 */
export function homeLayout(pool: Pool): Layout {
  return pool.layouts.reduce((oldest, each) => (each.id < oldest.id ? each : oldest));
}

/** By what the slots of its PGs are placed: what the layout is, or what it becomes. */
export function placementOf(layout: Layout): Placement {
  return layout.next ?? layout;
}

/** The pool of a name; not one that was removed and waits in the trash. */
export function findPool(map: ClusterMap, name: string): Pool | undefined {
  return map.pools.find((pool) => pool.name === name && pool.removedWallMs === 0);
}

export function findLayout(map: ClusterMap, pool: number, layout: number): Layout | undefined {
  return map.pools.find((each) => each.id === pool)?.layouts.find((each) => each.id === layout);
}

/**
 * The PG's layout was there once and is not any more, by a map that knows so: ids rise and are never given
 * twice. A map that is merely older than the PG says nothing.
 */
export function isRetired(pg: PgId, map: ClusterMap): boolean {
  const { pool: id, layout } = parsePgId(pg);
  if (findLayout(map, id, layout) !== undefined) return false;
  const pool = map.pools.find((each) => each.id === id);
  return pool === undefined ? id < map.nextPoolId : layout < pool.nextLayoutId;
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

/** The PG of a layout that a mutable object lies in. */
export function pgOfName(pool: PoolId, layout: Layout, name: string): PgId {
  return formatPgId(pool, layout.id, hashBytes(encodeUtf8(name)) % layout.pgCount);
}
