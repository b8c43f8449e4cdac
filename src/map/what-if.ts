// What becomes of each PG when disks go, judged over the whole set together with what is down or destroyed
// already (promise P3, PROTOCOL rule 27). One function for every command that could take last copies, so that
// what is shown before is what is decided on. Pure.

import type { OsdId, PgId } from '../base/ids.ts';
import { comparePgIds, parsePgId } from '../base/ids.ts';
import {
  type ClusterMap,
  domainOf,
  findLayout,
  type Layout,
  type OsdEntry,
} from './cluster-map.ts';
import { recordFloor, writeFloor } from './geometry.ts';
import { distinctCount, hasRecordFloor, isWhole, type PgRecord, type Slot } from './pg-record.ts';

/**
 * From bad to worse.
 *
 * - `less-redundancy`: everything stays readable and writable; fewer further failures can be taken.
 * - `writes-wait`: readable; too few in-sync slots are left to acknowledge a write there.
 * - `unavailable`: not readable until one of the disks returns.
 * - `unproven`: what would be left is down, so that nobody can say whether it holds what it should.
 * - `lost`: too few disks are left that could hold everything, also with all that are down back.
 */
export const fates = ['less-redundancy', 'writes-wait', 'unavailable', 'unproven', 'lost'] as const;
export type Fate = (typeof fates)[number];

export interface PgFate {
  readonly pg: PgId;
  readonly fate: Fate;
  /** Slots in-sync on disks that are up and would be left, and how many of them reading needs. */
  readonly left: number;
  readonly needed: number;
  /** Disks that are down and would have to return; of `unproven`. */
  readonly awaited: readonly OsdId[];
}

/** `away`: the disks stop or are out of reach. `destroyed`: they never return. */
export type Going = 'away' | 'destroyed';

/** The PGs that are worse off, in the order of the records. */
export function fatesOf(
  map: ClusterMap,
  records: Iterable<PgRecord>,
  disks: ReadonlySet<OsdId>,
  going: Going,
): readonly PgFate[] {
  const byUuid = new Map(map.osds.map((osd) => [osd.uuid, osd]));
  const found: PgFate[] = [];
  for (const record of records) {
    const { pool, layout: id } = parsePgId(record.pg);
    const layout = findLayout(map, pool, id);
    if (layout === undefined) continue;
    const fate = fateOf({ map, layout, byUuid, record, disks, going });
    if (fate !== undefined) found.push(fate);
  }
  return found;
}

interface Question {
  readonly map: ClusterMap;
  readonly layout: Layout;
  readonly byUuid: ReadonlyMap<string, OsdEntry>;
  readonly record: PgRecord;
  readonly disks: ReadonlySet<OsdId>;
  readonly going: Going;
}

function fateOf(question: Question): PgFate | undefined {
  const { map, layout, byUuid, record, disks, going } = question;
  const osdOf = (slot: Slot): OsdEntry | undefined => byUuid.get(slot.uuid);
  const isThere = (slot: Slot): boolean => osdOf(slot)?.destroyed === false;
  const isLive = (slot: Slot): boolean => isThere(slot) && osdOf(slot)?.up === true;
  const stays = (slot: Slot): boolean => !disks.has(slot.osd);
  const inSync = record.slots.filter((slot) => slot.state === 'in-sync');
  const liveBefore = inSync.filter(isLive);
  const live = liveBefore.filter(stays);
  const needed = recordFloor(layout.geometry);
  const answer = (fate: Fate, awaited: readonly OsdId[] = []): PgFate => ({
    pg: record.pg,
    fate,
    left: live.length,
    needed,
    awaited,
  });
  if (going === 'destroyed') {
    const going = record.slots.filter((slot) => !stays(slot) && isThere(slot));
    const counts = going.some(
      ({ state }) =>
        state === 'in-sync' ||
        state === 'eligible' ||
        state === 'salvaging' ||
        state === 'founding' ||
        // An older copy is needed while the PG is not whole (rule 16).
        ((state === 'stale' || state === 'rolled-back') && !isWhole(record, layout)),
    );
    if (!counts) return undefined;
    const { fate, awaited } = fateOfLeft(byUuid, layout, record.slots.filter(stays));
    return answer(fate, awaited);
  }
  if (live.length === liveBefore.length) return undefined;
  if (!hasRecordFloor(live, layout))
    return hasRecordFloor(liveBefore, layout) ? answer('unavailable') : undefined;
  const floor = writeFloor(layout.geometry);
  if (distinctCount(live, layout, map) < floor)
    return distinctCount(liveBefore, layout, map) >= floor ? answer('writes-wait') : undefined;
  return answer('less-redundancy');
}

/**
 * What becomes of a PG of which these slots are left. The one rule by which disks are given up, and by which a PG is
 * called lost.
 */
export function fateOfLeft(
  byUuid: ReadonlyMap<string, OsdEntry>,
  layout: Layout,
  left: readonly Slot[],
): { readonly fate: 'less-redundancy' | 'unproven' | 'lost'; readonly awaited: readonly OsdId[] } {
  const whole = left.filter(
    ({ uuid, state }) =>
      byUuid.get(uuid)?.destroyed === false && (state === 'in-sync' || state === 'eligible'),
  );
  const isLive = ({ uuid }: Slot): boolean => byUuid.get(uuid)?.up === true;
  if (hasRecordFloor(whole.filter(isLive), layout)) return { fate: 'less-redundancy', awaited: [] };
  if (!hasRecordFloor(whole, layout)) return { fate: 'lost', awaited: [] };
  const awaited = whole.filter((slot) => !isLive(slot)).map(({ osd }) => osd);
  return { fate: 'unproven', awaited };
}

/**
 * What destroying the disks would make worse: a line for each PG that would be lost or can't be proven safe, the
 * worst first, and one a pool for those that only lose redundancy. Always in the same order and without counts
 * that change by themselves: the list is what the operator names.
 */
export function lossesOfDestroying(
  state: { readonly map: ClusterMap; readonly records: ReadonlyMap<PgId, PgRecord> },
  ids: ReadonlySet<OsdId>,
): readonly string[] {
  const found = [...fatesOf(state.map, state.records.values(), ids, 'destroyed')].sort(
    (a, b) => fates.indexOf(b.fate) - fates.indexOf(a.fate) || comparePgIds(a.pg, b.pg),
  );
  const poolOf = new Map(state.map.pools.map((pool) => [String(pool.id), pool.name]));
  const nameOf = (each: PgFate): string => poolOf.get(each.pg.split('.')[0] ?? '') ?? '';
  const lines = found
    .filter(({ fate }) => fate === 'lost' || fate === 'unproven')
    .map((each) => `pg ${each.pg} (pool ${nameOf(each)}): ${describeFate(each)}`);
  const kept = new Map<string, PgFate[]>();
  for (const each of found)
    if (each.fate === 'less-redundancy')
      kept.set(nameOf(each), [...(kept.get(nameOf(each)) ?? []), each]);
  for (const [pool, pgs] of kept) {
    const worst = Math.min(...pgs.map(({ left, needed }) => left - needed));
    lines.push(
      `pool ${pool}: ${pgs.length} placement groups keep everything, with less redundancy: the worst could take ${worst} more failures`,
    );
  }
  return lines;
}

function describeFate({ fate, left, needed, awaited }: PgFate): string {
  return fate === 'lost'
    ? `LOST: everything in it; ${left} of the ${needed} disks that reading needs would be left`
    : `can't be proven safe: what is left needs ${awaited.map((id) => `osd.${id}`).join(', ')}, which is down`;
}

/** OSDs that a word names: `3`, `osd.3`, or `host:NAME`; undefined when it names none. */
export function osdsNamed(map: ClusterMap, word: string): readonly OsdId[] | undefined {
  const byId = /^(?:osd\.)?(\d{1,6})$/.exec(word);
  const found = map.osds.filter((osd) =>
    byId !== null
      ? osd.id === Number(byId[1])
      : word === `host:${osd.host}` || word === `rack:${domainOf(osd, 'rack')}`,
  );
  return found.length === 0 ? undefined : found.map(({ id }) => id);
}
