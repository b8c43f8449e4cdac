// How a layout of copies changes in place: failure domain, device class, number of copies (docs/decisions/
// 0024-changes-in-place.md). Nothing stored depends on them, so that nothing is copied by gateways: slots join and leave
// as after `osd out`. Pure: state in, state out; the monitor decides when.
//
//   begun     the layout says what is `next`; slots are placed by that. What it was is still what is promised: floors go by
//             it, and no PG gives up a slot of it before it has as much elsewhere
//   done      every PG is placed by `next`: that is what is promised from now on, and what is no target leaves
//   reverted  `next` is dropped; each PG has what it had, and what was joining leaves

import type { OsdId, PgId } from '../base/ids.ts';
import {
  type ClusterMap,
  domainOf,
  findOsd,
  type Layout,
  type Placement,
  type Pool,
  pgIdsOf,
  placementOf,
} from '../map/cluster-map.ts';
import { isPlacedByNext, nextRecord, type PgRecord, slotsIn } from '../map/pg-record.ts';
import { canPlace, computeTargets } from '../map/placement.ts';
import { withPool } from './layouts.ts';
import type { MonState } from './state.ts';

/** The layout under its next revision, by which slots are placed from now on; targets are those that it needs. */
function withRevision(state: MonState, pool: Pool, changed: Layout, nonce: () => string): MonState {
  const layout = { ...changed, revision: changed.revision + 1 };
  const layouts = pool.layouts.map((each) => (each.id === layout.id ? layout : each));
  const map = withPool(state.map, { ...pool, layouts });
  const pgs = pgIdsOf(pool, layout).filter((pg) => state.records.has(pg));
  const before = new Map(
    pgs.map((pg) => [pg, wishes(map, layout, state.records.get(pg) as PgRecord)]),
  );
  const records = new Map(state.records);
  for (const [pg, target] of computeTargets(map, layout, pgs, before))
    records.set(pg, nextRecord(state.records.get(pg) as PgRecord, { target }, nonce()));
  return { ...state, map, records };
}

/**
 * Disks in the order in which they should stay: first those, each in a domain of its own, that are up and in-sync, so
 * that as little as possible moves.
 */
function wishes(map: ClusterMap, layout: Layout, record: PgRecord): readonly OsdId[] {
  const here = slotsIn(record, 'in-sync').flatMap(({ osd, uuid }) => {
    const entry = findOsd(map, osd);
    return entry?.uuid === uuid && entry.up ? [osd] : [];
  });
  const ranked = [
    ...record.target.filter((osd) => here.includes(osd)),
    ...here,
    ...record.target,
  ].filter((osd) => canPlace(map, layout, osd));
  const { failureDomain } = placementOf(layout).rule;
  const taken = new Set<string>();
  const apart = ranked.filter((osd) => {
    const entry = findOsd(map, osd);
    const domain = entry === undefined ? '' : domainOf(entry, failureDomain);
    return taken.size < taken.add(domain).size;
  });
  return [...new Set([...apart, ...record.target])];
}

/** The layout begins to change, or changes to something else than it did. */
export function beginChange(
  state: MonState,
  pool: Pool,
  change: { readonly layout: Layout; readonly next: Placement },
  nonce: () => string,
): MonState {
  const { geometry, rule } = change.next;
  return withRevision(state, pool, { ...change.layout, next: { geometry, rule } }, nonce);
}

export function revertChange(
  state: MonState,
  pool: Pool,
  layout: Layout,
  nonce: () => string,
): MonState {
  return withRevision(state, pool, { ...layout, next: undefined }, nonce);
}

/** The layout whose change is done everywhere, so that it can be kept; undefined: none. */
export function changedLayout({ map, records }: MonState, pool: Pool): Layout | undefined {
  return pool.layouts.find(
    (layout) =>
      layout.next !== undefined &&
      pgIdsOf(pool, layout).every((pg) => {
        const record = records.get(pg);
        return record !== undefined && isPlacedByNext(record, layout, map);
      }),
  );
}

/** What it changed to is what is promised. */
export function keepChange(state: MonState, pool: Pool, layout: Layout): MonState {
  const kept = { ...layout, ...layout.next, next: undefined, revision: layout.revision + 1 };
  const layouts = pool.layouts.map((each) => (each.id === layout.id ? kept : each));
  return { ...state, map: withPool(state.map, { ...pool, layouts }) };
}

/** Targets that have nothing of a PG yet, disk by disk. */
export function arrivals(
  records: MonState['records'],
  pool: Pool,
  layout: Layout,
): ReadonlyMap<OsdId, readonly PgId[]> {
  const coming = new Map<OsdId, PgId[]>();
  for (const pg of pgIdsOf(pool, layout)) {
    const record = records.get(pg);
    const there = new Set(record?.slots.map(({ osd }) => osd));
    for (const osd of record?.target ?? [])
      if (!there.has(osd)) coming.set(osd, [...(coming.get(osd) ?? []), pg]);
  }
  return coming;
}
