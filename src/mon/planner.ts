// What the leader wants to change, given what it knows: new targets when disks come and go, new joining
// slots, and who is elected. Pure: state in, state out. The order is always the same, so that one seed
// gives one history.

import type { OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import { parsePgId } from '../base/ids.ts';
import {
  activeLayout,
  type ClusterMap,
  domainOf,
  findLayout,
  findOsd,
  type Layout,
  type OsdEntry,
  type Pool,
  pgIdsOf,
  placementOf,
} from '../map/cluster-map.ts';
import { slotCount, writeFloor } from '../map/geometry.ts';
import { indexCount } from '../map/map-fault.ts';
import {
  distinctCount,
  fitsPlace,
  hasRecordFloor,
  isTarget,
  isWhole,
  mayRetire,
  nextRecord,
  type PgRecord,
  type Slot,
  slotOf,
  slotsIn,
  withoutEligible,
  withoutGone,
} from '../map/pg-record.ts';
import { computeTargets, replaceAbsent } from '../map/placement.ts';

type Records = ReadonlyMap<PgId, PgRecord>;

export function layoutOf(map: ClusterMap, pg: PgId): Layout | undefined {
  const { pool, layout } = parsePgId(pg);
  return findLayout(map, pool, layout);
}

/** New PGs of a layout: empty, so every slot is in-sync. Undefined when there are too few failure domains. */
export function newRecords(
  map: ClusterMap,
  pool: Pool,
  nonce: () => string,
): PgRecord[] | undefined {
  const layout = activeLayout(pool);
  const targets = computeTargets(map, layout, pgIdsOf(pool, layout), new Map());
  const leads = new Map<OsdId, number>();
  const records: PgRecord[] = [];
  for (const [pg, target] of targets) {
    if (target.length < slotCount(layout.geometry)) return undefined;
    const slots = target.map((id, index): Slot => {
      const osd = findOsd(map, id) as OsdEntry;
      return { osd: id, uuid: osd.uuid, index, state: 'in-sync', asOf: 0 };
    });
    const lead = leastLed(slots, leads);
    leads.set(lead.osd, (leads.get(lead.osd) ?? 0) + 1);
    records.push({ pg, tenure: 0, version: 1, primary: lead.uuid, nonce: nonce(), slots, target });
  }
  return records;
}

function leastLed(slots: readonly Slot[], leads: ReadonlyMap<OsdId, number>): Slot {
  return slots.reduce((best, slot) =>
    (leads.get(slot.osd) ?? 0) < (leads.get(best.osd) ?? 0) ? slot : best,
  );
}

/** PGs led per OSD, by the records. */
export function countLeads(map: ClusterMap, records: Records): Map<OsdId, number> {
  const byUuid = new Map(map.osds.map((osd) => [osd.uuid, osd.id]));
  const leads = new Map<OsdId, number>();
  for (const record of records.values()) {
    const id = record.primary === undefined ? undefined : byUuid.get(record.primary);
    if (id !== undefined) leads.set(id, (leads.get(id) ?? 0) + 1);
  }
  return leads;
}

/**
 * Recomputes every layout's targets; records whose target is unchanged stay the same values. Without stand-ins while
 * disks are still expected: the cluster has just been started.
 */
export function retarget(
  map: ClusterMap,
  records: Records,
  nonce: () => string,
  options: { readonly standIns: boolean },
): Records {
  const next = new Map(records);
  for (const pool of map.pools)
    for (const layout of pool.layouts) {
      const pgs = pgIdsOf(pool, layout).filter((pg) => records.has(pg));
      const before = new Map(pgs.map((pg) => [pg, (records.get(pg) as PgRecord).target]));
      const held = (pg: PgId, osd: OsdId): number | undefined =>
        heldPlace(records.get(pg) as PgRecord, layout, osd);
      for (const [pg, wanted] of computeTargets(map, layout, pgs, before, held)) {
        const record = records.get(pg) as PgRecord;
        const target = options.standIns ? withStandIns(map, layout, record, wanted) : wanted;
        if (
          target.length === record.target.length &&
          target.every((osd, index) => osd === record.target[index])
        )
          continue;
        next.set(pg, nextRecord(record, { target }, nonce()));
      }
    }
  return next;
}

/** The one place of the PG that a disk can take, because of what it has; undefined: any. */
export function heldPlace(record: PgRecord, layout: Layout, osd: OsdId): number | undefined {
  const slot = record.slots.find((each) => each.osd === osd);
  if (slot === undefined || fitsPlace(slot, -1, layout)) return undefined;
  return slot.index;
}

/**
 * A PG of copies below its write floor is stuck, and what it holds is small: whoever of its targets is down is
 * replaced at once by a disk that is up, in a domain of its own. Erasure-coded PGs wait, because their pool gets
 * an interim layout instead.
 */
function withStandIns(
  map: ClusterMap,
  layout: Layout,
  record: PgRecord,
  target: readonly OsdId[],
): readonly OsdId[] {
  if (layout.geometry.kind !== 'copies') return target;
  const isUp = (id: OsdId): boolean => {
    const osd = findOsd(map, id);
    return osd?.up === true && !osd.destroyed;
  };
  const live = slotsIn(record, 'in-sync').filter(
    (slot) => isUp(slot.osd) && findOsd(map, slot.osd)?.uuid === slot.uuid,
  );
  // Nobody to copy from, or nothing wanting.
  if (live.length === 0) return target;
  if (distinctCount(live, layout, map) >= writeFloor(layout.geometry)) return target;
  const up = { ...map, osds: map.osds.map((osd) => ({ ...osd, in: osd.in && osd.up })) };
  const held = (osd: OsdId): number | undefined => heldPlace(record, layout, osd);
  const back = withReturned(up, layout, record, target);
  return replaceAbsent(up, layout, { pg: record.pg, target: back, held });
}

/**
 * Who was away and is back lacks little, or nothing: it takes its place again from a stand-in that has yet to be
 * filled. `map` has only those in that are up.
 */
function withReturned(
  map: ClusterMap,
  layout: Layout,
  record: PgRecord,
  target: readonly OsdId[],
): readonly OsdId[] {
  const domainOfId = (id: OsdId): string | undefined => {
    const osd = findOsd(map, id);
    return osd === undefined ? undefined : domainOf(osd, placementOf(layout).rule.failureDomain);
  };
  return target.map((id, index) => {
    if (slotOf(record, findOsd(map, id)?.uuid ?? ('' as Uuid))?.state === 'in-sync') return id;
    const taken = new Set(target.filter((_, at) => at !== index).map(domainOfId));
    const isBack = (slot: Slot): boolean => {
      const osd = findOsd(map, slot.osd);
      return (
        fitsPlace(slot, index, layout) &&
        !target.includes(slot.osd) &&
        osd?.in === true &&
        osd.uuid === slot.uuid &&
        !taken.has(domainOfId(slot.osd))
      );
    };
    const back = slotsIn(record, 'eligible').find(isBack) ?? slotsIn(record, 'stale').find(isBack);
    return back?.osd ?? id;
  });
}

/** The record with stand-ins among its targets, where it is stuck without them; itself when it is not. */
export function withStandInTargets(
  map: ClusterMap,
  layout: Layout,
  record: PgRecord,
  nonce: () => string,
): PgRecord {
  const target = withStandIns(map, layout, record, record.target);
  const isSame = target.every((osd, index) => osd === record.target[index]);
  return isSame ? record : nextRecord(record, { target }, nonce());
}

/**
 * One round over `which` of all PGs: elects where the primary is gone, and lets targets that are up join. Returns the
 * records that change. `awaitsFirst`: who shall lead a PG that nobody has led yet is still expected; whoever boots first
 * would lead nearly everything, and go on doing so.
 */
export function plan(
  map: ClusterMap,
  records: Records,
  nonce: () => string,
  options: { readonly which?: Iterable<PgRecord>; readonly awaitsFirst?: boolean } = {},
): PgRecord[] {
  const byUuid = new Map(map.osds.map((osd) => [osd.uuid, osd]));
  const isUp = (uuid: Uuid | undefined): boolean => {
    const osd = uuid === undefined ? undefined : byUuid.get(uuid);
    return osd?.up === true && !osd.destroyed;
  };
  let counted: Map<OsdId, number> | undefined;
  // Counted when somebody is to be elected, which is rare: the look at one record must not cost one at all.
  const leads = (): Map<OsdId, number> => {
    counted ??= countLeads(map, records);
    return counted;
  };
  const changed: PgRecord[] = [];
  for (const record of options.which ?? records.values()) {
    const layout = layoutOf(map, record.pg);
    if (layout === undefined) continue;
    const isAwaited = options.awaitsFirst === true && record.tenure === 0;
    const left = withoutReplaced(record, layout, byUuid);
    const primary = isAwaited ? left.primary : elect(left, layout, isUp, leads);
    const known = withoutStrangers(withoutEligible(left, layout, map), layout);
    const slots = withFormer(map, layout, withJoining(map, layout, known, isUp), isUp);
    if (primary === record.primary && slots === record.slots) continue;
    changed.push(nextRecord(record, { primary, slots }, nonce()));
  }
  return changed;
}

function elect(
  record: PgRecord,
  layout: Layout,
  isUp: (uuid: Uuid | undefined) => boolean,
  leads: () => Map<OsdId, number>,
): Uuid | undefined {
  const current = record.slots.find((slot) => slot.uuid === record.primary);
  const inSync = slotsIn(record, 'in-sync').filter((slot) => isUp(slot.uuid));
  if (current !== undefined && current.state === 'in-sync' && isUp(current.uuid)) {
    // A whole PG led from a disk that should leave: hand over to a target, so that the old slot can retire.
    const misplaced = !isTarget(record, current, layout) && isWhole(record, layout);
    const successors = inSync.filter((slot) => isTarget(record, slot, layout));
    if (!misplaced || successors.length === 0) return record.primary;
    return choose(successors, leads());
  }
  // Fewer than the record floor could not read what they hold: wait for more to return.
  if (!hasRecordFloor(inSync, layout)) return record.primary;
  return choose(inSync, leads());
}

/** Who leads in place of a primary that can't; undefined when there is nobody. `isStopped`: that disk can't, either. */
export function otherLead(
  map: ClusterMap,
  record: PgRecord,
  isStopped: (disk: Uuid) => boolean,
): Uuid | undefined {
  return slotsIn(record, 'in-sync').find((slot) => {
    const osd = findOsd(map, slot.osd);
    const isThere = osd?.uuid === slot.uuid && osd.up && !osd.destroyed;
    return slot.uuid !== record.primary && isThere && !isStopped(slot.uuid);
  })?.uuid;
}

function choose(slots: readonly Slot[], leads: Map<OsdId, number>): Uuid {
  const chosen = leastLed(slots, leads);
  leads.set(chosen.osd, (leads.get(chosen.osd) ?? 0) + 1);
  return chosen.uuid;
}

/**
 * A map that was edited by hand, and back, leaves slots that its geometry has no shard for. Nobody takes a record that
 * names one (map-fault.ts), and so nobody but the monitor can drop it; what joins was never counted on.
 */
function withoutStrangers(record: PgRecord, layout: Layout): PgRecord {
  const size = indexCount(layout);
  const isStranger = (slot: Slot): boolean =>
    slot.state === 'joining' && slot.index >= size && !isTarget(record, slot, layout);
  if (!record.slots.some(isStranger)) return record;
  return { ...record, slots: record.slots.filter((slot) => !isStranger(slot)) };
}

/**
 * A disk that has another in its place comes back no more. Where it was joining it goes; where it was in-sync, and the others
 * are too few without it, those that hold everything and may come back take its place, whether they left before it was
 * replaced or after. Else the primary drops it, and it stays as stale until the PG is whole.
 */
function withoutReplaced(
  record: PgRecord,
  layout: Layout,
  byUuid: ReadonlyMap<Uuid, OsdEntry>,
): PgRecord {
  const isReplaced = (slot: Slot): boolean => !byUuid.has(slot.uuid);
  if (!record.slots.some(isReplaced)) return record;
  const isLeaving = (slot: Slot): boolean => isReplaced(slot) && slot.state === 'joining';
  const left = record.slots.some(isLeaving)
    ? { ...record, slots: record.slots.filter((slot) => !isLeaving(slot)) }
    : record;
  const inSync = slotsIn(left, 'in-sync');
  const others = inSync.filter((slot) => !isReplaced(slot));
  if (others.length === inSync.length || hasRecordFloor(others, layout)) return left;
  return withoutGone(left, layout, isReplaced) ?? left;
}

/** The record with what should join: targets that are up, as joining; returned members likewise (rule 17). */
function withJoining(
  map: ClusterMap,
  layout: Layout,
  record: PgRecord,
  isUp: (uuid: Uuid | undefined) => boolean,
): PgRecord {
  const { target } = record;
  let { slots } = record;
  const keepsAll = holdersAside(record, layout, isUp);
  for (const [index, id] of target.entries()) {
    const osd = findOsd(map, id);
    if (osd === undefined || osd.destroyed || !osd.up || !isUp(osd.uuid)) continue;
    const known = slots.find((slot) => slot.uuid === osd.uuid);
    if (known === undefined)
      slots = [...slots, { osd: id, uuid: osd.uuid, index, state: 'joining', asOf: 0 }];
    else if (fitsPlace(known, index, layout) && isFormer(known) && !keepsAll(known))
      slots = slots.map((slot) => (slot === known ? { ...slot, state: 'joining' } : slot));
  }
  return { ...record, slots };
}

/**
 * Of slots that hold everything since they left below the write floor: joining would forget that. While too few of
 * those in-sync are up to fill anybody, it is what saves the PG if they are given up for good (rule 14).
 */
function holdersAside(
  record: PgRecord,
  layout: Layout,
  isUp: (uuid: Uuid | undefined) => boolean,
): (slot: Slot) => boolean {
  const inSync = slotsIn(record, 'in-sync');
  // After a loss that was accepted too few are in-sync, and others are filled from them all the same.
  const isDown =
    hasRecordFloor(inSync, layout) &&
    !hasRecordFloor(
      inSync.filter(({ uuid }) => isUp(uuid)),
      layout,
    );
  return ({ state }) => isDown && state === 'eligible';
}

function isFormer({ state }: Slot): boolean {
  return state === 'stale' || state === 'eligible';
}

/**
 * Its slots with those that were in-sync as joining, while the layout changes in place and the PG needs more than its
 * targets for what was promised: many are no target any more, and a disk that restarts must not be missed until others
 * are filled.
 */
function withFormer(
  map: ClusterMap,
  layout: Layout,
  record: PgRecord,
  isUp: (uuid: Uuid | undefined) => boolean,
): readonly Slot[] {
  if (layout.next === undefined || mayRetire(record, layout, map)) return record.slots;
  const keepsAll = holdersAside(record, layout, isUp);
  const isBack = (slot: Slot): boolean => {
    const osd = findOsd(map, slot.osd);
    return osd?.uuid === slot.uuid && osd.up && osd.in && !osd.destroyed && !keepsAll(slot);
  };
  if (!record.slots.some((slot) => isFormer(slot) && isBack(slot))) return record.slots;
  return record.slots.map(
    (slot): Slot => (isFormer(slot) && isBack(slot) ? { ...slot, state: 'joining' } : slot),
  );
}

/** A map with one more pool, not yet with its PGs. */
export function withPool(
  map: ClusterMap,
  pool: Omit<Pool, 'id'>,
): { readonly map: ClusterMap; readonly pool: Pool } {
  const added: Pool = { ...pool, id: map.nextPoolId as PoolId };
  return {
    map: { ...map, nextPoolId: map.nextPoolId + 1, pools: [...map.pools, added] },
    pool: added,
  };
}
