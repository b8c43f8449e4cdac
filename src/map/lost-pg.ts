// May a PG that can't be read any more begin again, with what, and what is lost by it? Judged by the same rule as
// giving up disks (what-if.ts). Pure.
//
// It may when too few disks are left that hold everything, and each that held everything and is not there now was
// given up by name (PROTOCOL rule 18): then no daemon talks to it any more, so that it can neither go on serving
// nor come back as what it was. `mark-lost` begins again with what the best disk that is left has, `force-create`
// with nothing. What is not on the record then comes back as joining at most, and is made what the PG is by then.

import type { OsdId, PgId } from '../base/ids.ts';
import { parsePgId } from '../base/ids.ts';
import {
  type ClusterMap,
  findLayout,
  findOsd,
  type LossKind,
  type OsdEntry,
} from './cluster-map.ts';
import { recordFloor } from './geometry.ts';
import {
  beginnerOf,
  hasRecordFloor,
  nextRecord,
  type PgRecord,
  type Slot,
  slotsIn,
} from './pg-record.ts';
import { fateOfLeft } from './what-if.ts';

export type LostVerdict =
  /** It can't be done; `reason` as a sentence that says what to do instead. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'lost';
      /** What is lost, always in the same words while nothing changes. */
      readonly lines: readonly string[];
      /** Better ways, the best first. */
      readonly advice: readonly string[];
      /** The disk it begins again from. */
      readonly beginner: OsdId;
      /** The record it begins again with. */
      after(nonce: string): PgRecord;
    };

export function judgeLost(map: ClusterMap, record: PgRecord, kind: LossKind): LostVerdict {
  const { pool, layout: layoutId } = parsePgId(record.pg);
  const layout = findLayout(map, pool, layoutId);
  if (layout === undefined) return refused(record.pg, 'its layout is gone');
  const byUuid = new Map(map.osds.map((osd) => [osd.uuid as string, osd]));
  const entryOf = (slot: Slot): OsdEntry | undefined => byUuid.get(slot.uuid);
  const isLive = (slot: Slot): boolean => {
    const osd = entryOf(slot);
    return osd?.up === true && !osd.destroyed;
  };
  const { fate } = fateOfLeft(byUuid, layout, record.slots);
  const begins = beginnerOf(record);
  const awaited = record.slots.filter(
    (slot) => mustBeGivenUp(slot) && entryOf(slot)?.destroyed === false && !isLive(slot),
  );
  // Those that hold everything aside lead it once who was in-sync after them is given up (rule 14).
  const waits =
    awaited.length > 0 && !hasRecordFloor(slotsIn(record, 'in-sync').filter(isLive), layout);
  if (fate === 'less-redundancy' && !waits)
    return refused(record.pg, 'enough disks that hold everything are up: nothing of it is lost');
  if (awaited.length > 0) {
    const ids = awaited.map(({ osd }) => osd).join(' ');
    return refused(
      record.pg,
      `osd.${awaited.map(({ osd }) => osd).join(', osd.')} held everything and may come back: start it (holdfast osd start ${ids}); only if it is gone for good, give it up by name first (holdfast osd destroy ${ids})`,
    );
  }
  if (kind === 'mark-lost' && begins !== undefined && isLive(begins))
    return refused(record.pg, `osd.${begins.osd} is finding out what of it can be read`);
  const chosen = kind === 'mark-lost' ? bestLeft(record, isLive) : founder(map, record);
  if (chosen === undefined)
    return refused(
      record.pg,
      kind === 'mark-lost'
        ? 'no disk that is up has anything of it: holdfast pg force-create begins it anew, empty'
        : 'none of the disks that it belongs on is up',
    );
  const beginner: Slot = {
    ...chosen,
    state: kind === 'mark-lost' ? 'salvaging' : 'founding',
  };
  return {
    kind: 'lost',
    lines: [`pg ${record.pg} (pool ${poolName(map, pool)}): ${lossOf(kind, record, beginner)}`],
    advice: adviceFor(record, kind, { entryOf, isLive, needed: recordFloor(layout.geometry) }),
    beginner: beginner.osd,
    after: (nonce) =>
      nextRecord(
        record,
        {
          primary: beginner.uuid,
          slots: kind === 'mark-lost' ? keptSlots(record, beginner, isLive) : [beginner],
        },
        nonce,
      ),
  };
}

function refused(pg: PgId, reason: string): LostVerdict {
  return { kind: 'refused', reason: `pg ${pg}: ${reason}` };
}

/** Without its word a PG must not begin again: it may have served, or may serve, what others don't know. */
function mustBeGivenUp({ state }: Slot): boolean {
  return (
    state === 'in-sync' || state === 'eligible' || state === 'salvaging' || state === 'founding'
  );
}

const worth = {
  'in-sync': 0,
  salvaging: 1,
  eligible: 1,
  'rolled-back': 2,
  stale: 3,
  joining: 4,
  founding: 5,
};

/** Who knows most of what was acknowledged; of those that do not know it all, who was in-sync last. */
function bestLeft(record: PgRecord, isLive: (slot: Slot) => boolean): Slot | undefined {
  return record.slots
    .filter(isLive)
    .sort(
      (a, b) =>
        worth[a.state] - worth[b.state] ||
        b.asOf - a.asOf ||
        Number(b.uuid === record.primary) - Number(a.uuid === record.primary) ||
        a.osd - b.osd,
    )[0];
}

function founder(map: ClusterMap, record: PgRecord): Slot | undefined {
  for (const [index, id] of record.target.entries()) {
    const osd = findOsd(map, id);
    if (osd?.up !== true || osd.destroyed) continue;
    return { osd: id, uuid: osd.uuid, index, state: 'founding', asOf: 0 };
  }
  return undefined;
}

/** What others still have is kept to be read from, and they are filled like any that was away. */
function keptSlots(
  record: PgRecord,
  beginner: Slot,
  isLive: (slot: Slot) => boolean,
): readonly Slot[] {
  return record.slots.filter(isLive).map((slot): Slot => {
    if (slot.uuid === beginner.uuid) return beginner;
    if (slot.state === 'joining') return slot;
    const asOf = slot.state === 'stale' ? slot.asOf : record.version;
    return { ...slot, state: 'stale', asOf };
  });
}

function lossOf(kind: LossKind, record: PgRecord, beginner: Slot): string {
  if (kind === 'force-create')
    return `LOST: everything in it; it begins anew on osd.${beginner.osd}, empty, and what other disks still have of it is erased`;
  const was = record.slots.find(({ uuid }) => uuid === beginner.uuid);
  switch (was?.state) {
    case 'in-sync':
    case 'eligible':
    case 'salvaging':
      return `LOST: what can't be read from the disks that are left; osd.${beginner.osd} knows everything that was acknowledged, and what of it can be read is kept`;
    case 'joining':
      return `LOST: what osd.${beginner.osd} does not have, which was only being filled, so that old and new may stand beside each other there`;
    default:
      return `LOST: what was acknowledged since version ${beginner.asOf} of its record, when osd.${beginner.osd} was last in-sync, and what can't be read from the disks that are left; deletes since then are undone`;
  }
}

interface Places {
  readonly needed: number;
  entryOf(slot: Slot): OsdEntry | undefined;
  isLive(slot: Slot): boolean;
}

function adviceFor(record: PgRecord, kind: LossKind, places: Places): readonly string[] {
  const { entryOf, isLive } = places;
  const advice: string[] = [];
  const ids = (slots: readonly Slot[]): string => slots.map(({ osd }) => osd).join(' ');
  const retired = record.slots.filter(
    (slot) => entryOf(slot)?.destroyed === true && entryOf(slot)?.wiped === false,
  );
  if (retired.length > 0)
    advice.push(
      `holdfast osd undestroy ${ids(retired)}: the disk was given up and not erased; it may bring everything back`,
    );
  const away = record.slots.filter((slot) => entryOf(slot)?.destroyed === false && !isLive(slot));
  if (away.length > 0)
    advice.push(
      `holdfast osd start ${ids(away)}: down, and it has an older copy that may complete what is left`,
    );
  const rolledBack = record.slots.filter((slot) => slot.state === 'rolled-back' && isLive(slot));
  if (rolledBack.length > 0)
    advice.push(`holdfast osd accept-rollback ${ids(rolledBack)}: it keeps what that disk has`);
  if (kind === 'force-create' && record.slots.some(isLive))
    advice.push(
      `holdfast pg mark-lost ${record.pg}: keeps what can still be read from ${record.slots
        .filter(isLive)
        .map(({ osd }) => `osd.${osd}`)
        .join(', ')}`,
    );
  return advice;
}

function poolName(map: ClusterMap, pool: number): string {
  return map.pools.find(({ id }) => id === pool)?.name ?? String(pool);
}
