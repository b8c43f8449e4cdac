// What makes a cluster map, or a PG record, one that nobody may act on. Maps come from disks and from
// peers, and people edit them by hand: a wrong one is refused with the reason, and the one before it
// stays in force (promises P4 and P5).

import { parsePgId } from '../base/ids.ts';
import {
  activeLayout,
  type ClusterMap,
  findLayout,
  type Layout,
  type Pool,
  turnMax,
} from './cluster-map.ts';
import { copiesMax, formatGeometry, geometryFault, isSameGeometry, slotCount } from './geometry.ts';
import { isBeginner, type PgRecord, type Slot } from './pg-record.ts';

/** PGs of one layout; a PG costs its OSDs a few kB of memory each. */
export const pgCountMax = 4096;

/** Why this map contradicts itself, as a sentence; undefined when it does not. */
export function mapFault(map: ClusterMap): string | undefined {
  const ids = new Set<number>();
  const uuids = new Set<string>();
  for (const osd of map.osds) {
    if (ids.has(osd.id)) return `osd.${osd.id} is there twice`;
    if (uuids.has(osd.uuid)) return `the disk ${osd.uuid} is there twice`;
    if (osd.id >= map.nextOsdId) return `osd.${osd.id} is not below the next id, ${map.nextOsdId}`;
    if (osd.weight < 1) return `osd.${osd.id} has weight ${osd.weight}`;
    ids.add(osd.id);
    uuids.add(osd.uuid);
  }
  const names = new Set<string>();
  const poolIds = new Set<number>();
  for (const pool of map.pools) {
    if (poolIds.has(pool.id)) return `pool ${pool.id} is there twice`;
    if (pool.removedWallMs === 0 && names.has(pool.name)) return `two pools are named ${pool.name}`;
    if (pool.id >= map.nextPoolId)
      return `pool ${pool.name} has id ${pool.id}, not below the next, ${map.nextPoolId}`;
    poolIds.add(pool.id);
    if (pool.removedWallMs === 0) names.add(pool.name);
    const fault = poolFault(pool);
    if (fault !== undefined) return `pool ${pool.name}: ${fault}`;
  }
  return undefined;
}

function poolFault(pool: Pool): string | undefined {
  const ids = new Set<number>();
  for (const [at, layout] of pool.layouts.entries()) {
    if (ids.has(layout.id)) return `layout ${layout.id} is there twice`;
    ids.add(layout.id);
    if (layout.id >= pool.nextLayoutId)
      return `layout ${layout.id} is not below the next id, ${pool.nextLayoutId}`;
    const isLast = at === pool.layouts.length - 1;
    if ((layout.drainingSince === undefined) !== isLast)
      return `the last layout is the active one, and layout ${layout.id} is ${isLast ? 'draining' : 'active'}`;
    if (layout.pgCount < 1 || layout.pgCount > pgCountMax)
      return `layout ${layout.id} has ${layout.pgCount} placement groups: 1 to ${pgCountMax}`;
    const fault = geometryFault(layout.geometry);
    if (fault !== undefined) return `layout ${layout.id}: ${fault}`;
    const nextFault = changeFault(layout);
    if (nextFault !== undefined) return `layout ${layout.id}: ${nextFault}`;
  }
  if (pool.turn > turnMax) return `turn ${pool.turn}: 0 to ${turnMax}`;
  if (pool.settledTurn > pool.turn) return `turn ${pool.turn}, and ${pool.settledTurn} is over`;
  return pool.layouts.length === 0 ? 'it has no layout' : undefined;
}

/** Why a layout can't change in place as it says. */
function changeFault({ geometry, next, revision, drainingSince }: Layout): string | undefined {
  if (next === undefined) return undefined;
  if (geometry.kind !== 'copies' || next.geometry.kind !== 'copies')
    return 'only copies change in place, to copies';
  if (revision === 0) return 'it changes in place under revision 0';
  if (drainingSince !== undefined) return 'it drains and changes in place';
  return geometryFault(next.geometry);
}

/**
 * Why a daemon that acts on `known` must not take `next`, beyond what makes `next` wrong by itself: a
 * layout is a generation, and nothing ever changes what its bytes mean.
 */
export function successorFault(known: ClusterMap, next: ClusterMap): string | undefined {
  if (next.fsid !== known.fsid) return `it is of cluster ${next.fsid}`;
  for (const pool of known.pools) {
    const fault = turnFault(
      pool,
      next.pools.find(({ id }) => id === pool.id),
    );
    if (fault !== undefined) return `pool ${pool.name}: ${fault}`;
    for (const layout of pool.layouts) {
      const now = findLayout(next, pool.id, layout.id);
      if (now === undefined) continue;
      if (now.revision < layout.revision)
        return `layout ${layout.id} of pool ${pool.name} was revision ${layout.revision} and would be ${now.revision}`;
      if (!isSameGeometry(layout.geometry, now.geometry) && !isChangedInPlace(layout, now))
        return `layout ${layout.id} of pool ${pool.name} was ${describe(layout)} and would be ${describe(now)}: a layout never changes, a pool gets another with \`holdfast pool set\``;
      if (now.pgCount !== layout.pgCount)
        return `layout ${layout.id} of pool ${pool.name} had ${layout.pgCount} placement groups and would have ${now.pgCount}`;
    }
  }
  return undefined;
}

/** Names go to and fro between two layouts: which way is said by the turn alone, and it only rises. */
function turnFault(before: Pool, now: Pool | undefined): string | undefined {
  if (now === undefined || before.turn === 0) return undefined;
  if (now.turn < before.turn) return `its turn was ${before.turn} and would be ${now.turn}`;
  const [was, is] = [activeLayout(before), activeLayout(now)];
  if (now.turn === before.turn && is.id !== was.id)
    return `layout ${was.id} was the active one and ${is.id} would be, in turn ${now.turn}`;
  return undefined;
}

/** A number of copies says nothing of what is stored, so that the monitor may change it, under the next revision. */
function isChangedInPlace(before: Layout, now: Layout): boolean {
  return (
    before.geometry.kind === 'copies' &&
    now.geometry.kind === 'copies' &&
    now.revision > before.revision
  );
}

function describe({ geometry }: Layout): string {
  return geometry.kind === 'copies'
    ? formatGeometry(geometry)
    : `${formatGeometry(geometry)} in chunks of ${geometry.chunkBytes} by ${geometry.codec}`;
}

/**
 * Slots of the layout's records have indexes below this. What copies change to in place may be more than what they are,
 * and a slot keeps its index when they become fewer.
 */
export function indexCount({ geometry }: Layout): number {
  return geometry.kind === 'copies' ? copiesMax : slotCount(geometry);
}

/** Why nobody may act on this record, as a sentence; undefined when it is one of the map. */
export function recordFault(record: PgRecord, map: ClusterMap): string | undefined {
  const { pool, layout: layoutId, index } = parsePgId(record.pg);
  const layout = findLayout(map, pool, layoutId);
  if (layout === undefined) return undefined;
  if (index >= layout.pgCount) return `its pool has ${layout.pgCount} placement groups`;
  const size = indexCount(layout);
  if (record.target.length > size)
    return `${record.target.length} targets for ${formatGeometry(layout.geometry)}`;
  const disks = new Set<string>();
  const inSync = new Set<number>();
  for (const slot of record.slots) {
    if (disks.has(slot.uuid)) return `osd.${slot.osd} has two slots`;
    disks.add(slot.uuid);
    if (slot.index >= size)
      return `osd.${slot.osd} has shard ${slot.index} of ${formatGeometry(layout.geometry)}`;
    if (slot.state === 'in-sync') inSync.add(slot.index);
  }
  if (record.primary !== undefined && !disks.has(record.primary)) return 'its primary has no slot';
  const mayBegin = (slot: Slot): boolean => slot.state === 'rolled-back' || isBeginner(slot);
  if (inSync.size === 0 && !record.slots.some(mayBegin)) return 'nobody is in-sync';
  return undefined;
}
