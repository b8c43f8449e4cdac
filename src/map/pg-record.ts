// The PG record: who holds everything that was acknowledged. Kept in the map store and changed only by
// compare-and-swap on `version` (PROTOCOL, "Words" and rules 12 to 18). This file has the arithmetic of
// floors and the checks every change must pass; both the primary that proposes and the monitor that
// decides use it.
//
// Slot states and who moves them:
//   in-sync   holds everything acknowledged. Left by the primary's drop or retire.
//   eligible  dropped when nothing could be acknowledged any more; becomes stale once in-sync is back
//             at the write floor.
//   joining   being brought up; becomes in-sync by the primary's promote.
//   stale     was in-sync until version `asOf`; its data is kept until the PG is whole.
//   rolled-back  its disk came back older than it was, and too few others hold everything: the last
//             holder of what was acknowledged until then. Only the operator makes it in-sync again (rule 21).
//   salvaging  those that held everything are gone for good, and the operator took this one for the best that is
//             left: it finds out what can be read, gives up the rest, and becomes in-sync by its own change.
//   founding   the same, and it begins the PG anew with nothing in it.

import { equalBytes } from '../base/bytes.ts';
import { type Codec, encode, list, oneOf, option, struct, text, uint } from '../base/codec.ts';
import { type OsdId, osdId, type PgId, pgId, type Uuid, uuid } from '../base/ids.ts';
import { type ClusterMap, domainOf, findOsd, type Layout, placementOf } from './cluster-map.ts';
import { recordFloor, slotCount, writeFloor } from './geometry.ts';

export const slotStates = [
  'in-sync',
  'eligible',
  'joining',
  'stale',
  'rolled-back',
  'salvaging',
  'founding',
] as const;
export type SlotState = (typeof slotStates)[number];

export interface Slot {
  readonly osd: OsdId;
  /** The disk, not the id: a new disk under a known id is another slot. */
  readonly uuid: Uuid;
  /** Which shard, 0 to size - 1. For copies it only tells slots apart, and may be higher after a change in place. */
  readonly index: number;
  readonly state: SlotState;
  /** The record version until which it was in-sync; 0 when it never was. */
  readonly asOf: number;
}

export interface PgRecord {
  readonly pg: PgId;
  /** + 1 at every start of a primary. */
  readonly tenure: number;
  /** + 1 at every change. */
  readonly version: number;
  readonly primary: Uuid | undefined;
  /** Of the last proposal, by which a proposer knows its own. */
  readonly nonce: string;
  readonly slots: readonly Slot[];
  /** Where the slots should be, by shard index: the leader's wish, towards which the primary works. */
  readonly target: readonly OsdId[];
}

const slotCodec: Codec<Slot> = struct({
  osd: osdId,
  uuid,
  index: uint,
  state: oneOf(...slotStates),
  asOf: uint,
});

export const pgRecordCodec: Codec<PgRecord> = struct({
  pg: pgId,
  tenure: uint,
  version: uint,
  primary: option(uuid),
  nonce: text,
  slots: list(slotCodec),
  target: list(osdId),
});

/** In all that it says. */
export function isSameRecord(a: PgRecord, b: PgRecord): boolean {
  return equalBytes(encode(pgRecordCodec, a), encode(pgRecordCodec, b));
}

/**
 * Whether the monitor may once have said `record`, when `word` is the newest that it has of that group: versions and
 * tenures only rise, and it has one record of each version.
 */
export function mayHaveBeenSaid(record: PgRecord, word: PgRecord | undefined): boolean {
  if (word === undefined || word.version < record.version || word.tenure < record.tenure)
    return false;
  return word.version > record.version || isSameRecord(word, record);
}

/** Whether the primary of `record` is one by the monitor's word, in the same tenure; it may not have heard the newest. */
export function leadsBy(word: PgRecord, record: PgRecord): boolean {
  return (
    mayHaveBeenSaid(record, word) &&
    word.tenure === record.tenure &&
    word.primary === record.primary
  );
}

export function slotsIn(record: PgRecord, state: SlotState): readonly Slot[] {
  return record.slots.filter((slot) => slot.state === state);
}

export function slotOf(record: PgRecord, disk: Uuid): Slot | undefined {
  return record.slots.find((slot) => slot.uuid === disk);
}

export function isSameSlots(a: readonly Slot[], b: readonly Slot[]): boolean {
  return (
    a.length === b.length &&
    a.every((slot, at) => {
      const other = b[at];
      return (
        slot.uuid === other?.uuid &&
        slot.osd === other.osd &&
        slot.index === other.index &&
        slot.state === other.state &&
        slot.asOf === other.asOf
      );
    })
  );
}

/** The slot from which a PG that was lost begins again; undefined in every other PG. */
export function beginnerOf(record: PgRecord): Slot | undefined {
  return record.slots.find(isBeginner);
}

export function isBeginner({ state }: Slot): boolean {
  return state === 'salvaging' || state === 'founding';
}

/**
 * How many failures apart the slots are: distinct shard indexes for erasure, distinct failure domains
 * for both. The smaller of the two counts.
 */
export function distinctCount(slots: readonly Slot[], layout: Layout, map: ClusterMap): number {
  const indexes = new Set(slots.map((slot) => slot.index));
  const domains = new Set(
    slots.map((slot) => {
      const osd = findOsd(map, slot.osd);
      return osd === undefined ? `uuid ${slot.uuid}` : domainOf(osd, layout.rule.failureDomain);
    }),
  );
  const distinct = layout.geometry.kind === 'erasure' ? indexes.size : slots.length;
  return Math.min(distinct, domains.size);
}

export function hasWriteFloor(record: PgRecord, layout: Layout, map: ClusterMap): boolean {
  return distinctCount(slotsIn(record, 'in-sync'), layout, map) >= writeFloor(layout.geometry);
}

/** Data can be read from these slots: the record floor, counted without domains. */
export function hasRecordFloor(slots: readonly Slot[], layout: Layout): boolean {
  const count =
    layout.geometry.kind === 'erasure'
      ? new Set(slots.map((slot) => slot.index)).size
      : slots.length;
  return count >= recordFloor(layout.geometry);
}

/** Every target disk in-sync at its index, and nothing else on the record. */
export function isClean(record: PgRecord, layout: Layout): boolean {
  return isWhole(record, layout) && record.slots.length === slotCount(placementOf(layout).geometry);
}

/** Every target is in-sync at its index. */
export function isWhole(record: PgRecord, layout: Layout): boolean {
  if (record.target.length !== slotCount(placementOf(layout).geometry)) return false;
  return record.target.every((osd, index) =>
    record.slots.some(
      (slot) => slot.osd === osd && fitsPlace(slot, index, layout) && slot.state === 'in-sync',
    ),
  );
}

/**
 * Whether the slot may take this place of the target. A copy is the same in each; but only where a layout has changed in
 * place may the places that are left be others than those that the slots had.
 */
export function fitsPlace({ index }: Slot, place: number, layout: Layout): boolean {
  return index === place || (layout.geometry.kind === 'copies' && layout.revision > 0);
}

/** Whether the slot is where the PG should be. */
export function isTarget(record: PgRecord, slot: Slot, layout: Layout): boolean {
  return record.target.some((osd, place) => osd === slot.osd && fitsPlace(slot, place, layout));
}

/**
 * What is no target may leave: every target is in-sync, and while the layout changes they are as much as it promised
 * before, so that no PG has less than that on the way, and turning back finds it there.
 */
export function mayRetire(record: PgRecord, layout: Layout, map: ClusterMap): boolean {
  if (!isWhole(record, layout)) return false;
  if (layout.next === undefined) return true;
  const stay = slotsIn(record, 'in-sync').filter((slot) => isTarget(record, slot, layout));
  return distinctCount(stay, layout, map) >= slotCount(layout.geometry);
}

/**
 * The PG is placed by what the layout changes to, on disks that are up and in domains of their own: of it, that can be
 * what is promised.
 */
export function isPlacedByNext(record: PgRecord, layout: Layout, map: ClusterMap): boolean {
  if (layout.next === undefined || !isWhole(record, layout)) return false;
  const live = slotsIn(record, 'in-sync').filter((slot) => {
    const osd = findOsd(map, slot.osd);
    return osd?.uuid === slot.uuid && osd.up && !osd.destroyed && isTarget(record, slot, layout);
  });
  const after = { ...layout, ...layout.next };
  return distinctCount(live, after, map) >= slotCount(layout.next.geometry);
}

/**
 * Slots of which it was said that nothing was acknowledged since they left, though now something may be: the floor is
 * lower than when they left (rule 14). Itself when there are none.
 */
export function withoutEligible(record: PgRecord, layout: Layout, map: ClusterMap): PgRecord {
  if (!record.slots.some(({ state }) => state === 'eligible')) return record;
  if (!hasWriteFloor(record, layout, map)) return record;
  const slots = record.slots.map(
    (slot): Slot => (slot.state === 'eligible' ? { ...slot, state: 'stale' } : slot),
  );
  return { ...record, slots };
}

export type Change = Omit<PgRecord, 'version' | 'nonce'>;

/** The next record: version + 1 under the proposer's nonce. */
export function nextRecord(before: PgRecord, change: Partial<Change>, nonce: string): PgRecord {
  return { ...before, ...change, pg: before.pg, version: before.version + 1, nonce };
}

/** The primary starts its tenure (rule 13). */
export function establish(before: PgRecord, nonce: string): PgRecord {
  return nextRecord(before, { tenure: before.tenure + 1 }, nonce);
}

/**
 * Drops in-sync slots (rules 12, 14, 15). When what is left is below the write floor the dropped become
 * eligible: from then on nothing can be acknowledged. Undefined when too few would be left.
 */
export function drop(
  before: PgRecord,
  victims: ReadonlySet<Uuid>,
  layout: Layout,
  map: ClusterMap,
  nonce: string,
): PgRecord | undefined {
  const left = slotsIn(before, 'in-sync').filter((slot) => !victims.has(slot.uuid));
  if (!hasRecordFloor([...left, ...slotsIn(before, 'rolled-back')], layout)) return undefined;
  const state =
    distinctCount(left, layout, map) >= writeFloor(layout.geometry) ? 'stale' : 'eligible';
  const slots = before.slots.map(
    (slot): Slot =>
      slot.state === 'in-sync' && victims.has(slot.uuid)
        ? { ...slot, state, asOf: before.version }
        : slot,
  );
  return nextRecord(before, { slots }, nonce);
}

/** Joining becomes in-sync (rule 17); eligible becomes stale when that brings back the write floor (rule 14). */
export function promote(
  before: PgRecord,
  disk: Uuid,
  layout: Layout,
  map: ClusterMap,
  nonce: string,
): PgRecord {
  let slots = before.slots.map(
    (slot): Slot =>
      slot.uuid === disk && slot.state === 'joining'
        ? { ...slot, state: 'in-sync', asOf: 0 }
        : slot,
  );
  const inSync = slots.filter((slot) => slot.state === 'in-sync');
  if (distinctCount(inSync, layout, map) >= writeFloor(layout.geometry))
    slots = slots.map((slot) =>
      slot.state === 'eligible' || slot.state === 'rolled-back'
        ? { ...slot, state: 'stale' }
        : slot,
    );
  return nextRecord(before, { slots }, nonce);
}

/**
 * A disk has lost writes that it acknowledged (rule 21): it no longer counts as holding everything.
 * Where others do it becomes stale; eligible slots, which hold everything, then take its place when those
 * in-sync are too few. Otherwise it is the last holder and rolled back. Undefined when nothing changes.
 */
export function distrust(
  before: PgRecord,
  disk: Uuid,
  layout: Layout,
  nonce: string,
): PgRecord | undefined {
  const slot = slotOf(before, disk);
  if (slot?.state !== 'in-sync' && slot?.state !== 'eligible') return undefined;
  const others = before.slots.filter((each) => each !== slot);
  const inSync = others.filter((each) => each.state === 'in-sync');
  const whole = others.filter((each) => each.state === 'in-sync' || each.state === 'eligible');
  const needsEligible = slot.state === 'in-sync' && !hasRecordFloor(inSync, layout);
  const isLast = needsEligible && !hasRecordFloor(whole, layout);
  const slots = before.slots.map((each): Slot => {
    if (each === slot)
      return { ...each, state: isLast ? 'rolled-back' : 'stale', asOf: before.version };
    return needsEligible && !isLast && each.state === 'eligible'
      ? { ...each, state: 'in-sync', asOf: 0 }
      : each;
  });
  const primary = before.primary === disk ? undefined : before.primary;
  return nextRecord(before, { slots, primary }, nonce);
}

/**
 * What is left of the record, its version apart, when disks are gone for good. Where those in-sync are too few without them,
 * those that hold everything take their place: nothing was acknowledged since the eligible ones left (rule 14). Undefined
 * when they are too few all the same.
 */
export function withoutGone(
  record: PgRecord,
  layout: Layout,
  isGone: (slot: Slot) => boolean,
): PgRecord | undefined {
  const isInSync = ({ state }: Slot): boolean => state === 'in-sync';
  let slots = record.slots.filter((slot) => !isGone(slot));
  if (!hasRecordFloor(slots.filter(isInSync), layout))
    slots = slots.map(
      (slot): Slot => (slot.state === 'eligible' ? { ...slot, state: 'in-sync', asOf: 0 } : slot),
    );
  if (!hasRecordFloor(slots.filter(isInSync), layout)) return undefined;
  const primary = slots.some(({ uuid }) => uuid === record.primary) ? record.primary : undefined;
  return { ...record, slots, primary };
}

/** The operator takes what a rolled-back disk has for all there is. Undefined when nothing changes. */
export function acceptRolledBack(
  before: PgRecord,
  disk: Uuid,
  nonce: string,
): PgRecord | undefined {
  if (slotOf(before, disk)?.state !== 'rolled-back') return undefined;
  const slots = before.slots.map(
    (slot): Slot => (slot.uuid === disk ? { ...slot, state: 'in-sync', asOf: 0 } : slot),
  );
  return nextRecord(before, { slots }, nonce);
}

/**
 * What is on the disk of the one that begins again is all there is, durably: it is in-sync from here on. Undefined
 * when the disk is not the one.
 */
export function begun(before: PgRecord, disk: Uuid, nonce: string): PgRecord | undefined {
  if (beginnerOf(before)?.uuid !== disk) return undefined;
  const slots = before.slots.map(
    (slot): Slot => (slot.uuid === disk ? { ...slot, state: 'in-sync', asOf: 0 } : slot),
  );
  return nextRecord(before, { slots }, nonce);
}

/**
 * Once every target is in-sync: what is not a target leaves the record (rule 16). Undefined when there is
 * nothing to retire or the primary itself would have to go, which the leader arranges first.
 */
export function retire(
  before: PgRecord,
  layout: Layout,
  map: ClusterMap,
  nonce: string,
): PgRecord | undefined {
  if (!mayRetire(before, layout, map)) return undefined;
  const slots = before.slots.filter(
    (slot) => isTarget(before, slot, layout) && slot.state === 'in-sync',
  );
  if (slots.length === before.slots.length) return undefined;
  if (!slots.some((slot) => slot.uuid === before.primary)) return undefined;
  return nextRecord(before, { slots }, nonce);
}

function holdersOf(record: PgRecord): readonly Slot[] {
  return [...slotsIn(record, 'in-sync'), ...slotsIn(record, 'rolled-back')];
}

function holds(record: PgRecord, disk: Uuid): boolean {
  return slotOf(record, disk)?.state === 'in-sync';
}

/**
 * Why this change must not be made by the primary, whatever its reasons; undefined when it may. The
 * monitor checks every proposal with it, so that a primary gone wrong can't lose the last copies.
 */
export function proposalFault(
  before: PgRecord,
  after: PgRecord,
  proposer: Uuid,
  layout: Layout,
  map: ClusterMap,
): string | undefined {
  if (after.version !== before.version + 1)
    return `version ${after.version} does not follow ${before.version}`;
  if (before.primary !== proposer) return 'only the primary of the record proposes';
  if (after.primary !== before.primary) return 'a primary does not elect';
  if (after.tenure !== before.tenure && after.tenure !== before.tenure + 1)
    return 'tenure moves by one';
  const inSync = slotsIn(after, 'in-sync');
  const beginner = beginnerOf(before);
  // After a loss one alone may be in-sync, until others are filled from it: then nobody may leave.
  const wasLost = beginner !== undefined || !hasRecordFloor(holdersOf(before), layout);
  if (!hasRecordFloor(holdersOf(after), layout)) {
    const left = slotsIn(before, 'in-sync').some(({ uuid }) => !holds(after, uuid));
    if (!wasLost || left) return 'in-sync would fall below the record floor';
  }
  const stays = inSync.some((slot) => slot.uuid === proposer);
  const begins = beginner?.uuid === proposer && slotOf(after, proposer)?.state === beginner.state;
  if (!stays && !begins) return 'the primary would leave in-sync';
  for (const slot of inSync) {
    const was = slotOf(before, slot.uuid);
    const hasBegun = was === beginner && slot.uuid === proposer;
    if (was === undefined || !(was.state === 'in-sync' || was.state === 'joining' || hasBegun))
      return `osd.${slot.osd} is ${was?.state ?? 'absent'} and only joining slots are promoted`;
    if (was.index !== slot.index) return 'a slot keeps its shard index';
  }
  for (const slot of before.slots) {
    if (slotOf(after, slot.uuid) === undefined && !mayRetire(after, layout, map))
      return `osd.${slot.osd} would leave the record before it is whole`;
  }
  return undefined;
}
