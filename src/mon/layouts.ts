// How a pool comes to another layout and loses the old ones (DESIGN section 8, PROTOCOL rule 31). Pure:
// state in, state out; the monitor decides when.
//
//   active     the last of its pool; takes new blobs
//   draining   every other; takes none, and is read until nothing is left in it. Turning a change back is
//              making a draining layout the active one again.
//   gone       its primaries, all of which know that it drains, list nothing, and a scrub since then says so
//
// An interim layout is one that the monitor makes by itself when the active one can't take writes:
// with fewer shards, on the disks that are up, and still able to lose one of them.

import { type Epoch, type OsdId, type PgId, parsePgId } from '../base/ids.ts';
import {
  activeLayout,
  type ClusterMap,
  type Layout,
  type Placement,
  type Pool,
  pgIdsOf,
} from '../map/cluster-map.ts';
import { erasure, type Geometry, isSameGeometry, slotCount, writeFloor } from '../map/geometry.ts';
import { distinctCount, slotsIn } from '../map/pg-record.ts';
import { domainCount } from '../map/placement.ts';
import { newRecords } from './planner.ts';
import type { MonState } from './state.ts';

export type LayoutWish = Placement & Pick<Layout, 'pgCount' | 'purpose'>;

/** PGs of an interim layout: it is there for hours, and each costs memory on disks that have lost helpers. */
const interimPgCountMax = 16;

function nextEpoch(map: ClusterMap): Epoch {
  return (map.epoch + 1) as Epoch;
}

export function withPool(map: ClusterMap, pool: Pool): ClusterMap {
  const pools = map.pools.map((each) => (each.id === pool.id ? pool : each));
  return { ...map, epoch: nextEpoch(map), pools };
}

/** The layout last and alone not draining; where mutable objects are, or were, handed over, in the next turn. */
function withActive(map: ClusterMap, pool: Pool, active: Layout): Pool {
  const others = pool.layouts
    .filter((each) => each.id !== active.id)
    .map((each) => ({ ...each, drainingSince: each.drainingSince ?? nextEpoch(map) }));
  const turn = pool.turn === 0 ? 0 : pool.turn + 1;
  return { ...pool, turn, layouts: [...others, { ...active, drainingSince: undefined }] };
}

/**
 * The pool with one more layout, the active one from now on, and its new, empty PGs. They begin on disks
 * that are up where there are enough of them. Undefined when there are too few failure domains. `names`: it may hold
 * mutable objects, which are handed over to the new layout (osd/handover.ts).
 */
export function addLayout(
  state: MonState,
  pool: Pool,
  wish: LayoutWish,
  nonce: () => string,
  holds: 'names' | 'blobs' = 'blobs',
): MonState | undefined {
  const layout: Layout = {
    ...wish,
    id: pool.nextLayoutId,
    drainingSince: undefined,
    next: undefined,
    revision: 0,
  };
  const active = withActive(state.map, pool, layout);
  const changed = {
    ...active,
    turn: holds === 'names' ? pool.turn + 1 : active.turn,
    nextLayoutId: pool.nextLayoutId + 1,
  };
  const map = withPool(state.map, changed);
  const records =
    newRecords(onlyUp(map), changed, nonce) ??
    (wish.purpose === 'interim' ? undefined : newRecords(map, changed, nonce));
  if (records === undefined) return undefined;
  const all = new Map(state.records);
  for (const record of records) all.set(record.pg, record);
  return { ...state, map, records: all };
}

export function activateLayout(state: MonState, pool: Pool, layout: Layout): MonState {
  return { ...state, map: withPool(state.map, withActive(state.map, pool, layout)) };
}

/** The pool without a layout that holds nothing any more. */
export function removeLayout(state: MonState, pool: Pool, layout: Layout): MonState {
  const gone = new Set(pgIdsOf(pool, layout));
  const layouts = pool.layouts.filter((each) => each.id !== layout.id);
  return {
    ...state,
    map: withPool(state.map, {
      ...pool,
      layouts,
      settledTurn: layouts.length === 1 ? pool.turn : pool.settledTurn,
    }),
    records: new Map([...state.records].filter(([pg]) => !gone.has(pg))),
  };
}

/** The map without a pool, and without its PGs. */
export function withoutPool(state: MonState, pool: Pool): MonState {
  const gone = new Set(pool.layouts.flatMap((layout) => pgIdsOf(pool, layout)));
  const pools = state.map.pools.filter((each) => each.id !== pool.id);
  return {
    ...state,
    map: {
      ...state.map,
      epoch: nextEpoch(state.map),
      pools,
      losses: state.map.losses.filter((loss) => parsePgId(loss.pg).pool !== pool.id),
    },
    records: new Map([...state.records].filter(([pg]) => !gone.has(pg))),
  };
}

export function editPool(state: MonState, pool: Pool, edit: Partial<Pool>): MonState {
  return { ...state, map: withPool(state.map, { ...pool, ...edit }) };
}

function onlyUp(map: ClusterMap): ClusterMap {
  return { ...map, osds: map.osds.map((osd) => ({ ...osd, in: osd.in && osd.up })) };
}

/** Whether every PG of the layout could acknowledge a write now, by what the map says of its disks. */
export function isWritable(state: MonState, pool: Pool, layout: Layout): boolean {
  const { map, records } = state;
  const up = new Set(map.osds.filter((osd) => osd.up && !osd.destroyed).map((osd) => osd.uuid));
  return pgIdsOf(pool, layout).every((pg) => {
    const record = records.get(pg);
    if (record === undefined) return false;
    const live = slotsIn(record, 'in-sync').filter((slot) => up.has(slot.uuid));
    return distinctCount(live, layout, map) >= writeFloor(layout.geometry);
  });
}

/**
 * A geometry for so many domains whose blobs survive the loss of one more: the pool's own where that fits,
 * on other disks. With fewer, two parities where there are three or more, because a second failure is likelier
 * now. Undefined when one domain is all there is.
 */
export function interimGeometry(domains: number, own: Geometry): Geometry | undefined {
  if (domains >= slotCount(own)) return own;
  if (domains < 2) return undefined;
  return domains === 2 ? erasure(1, 1) : erasure(domains - 2, 2);
}

export type InterimStep =
  | { readonly kind: 'add'; readonly wish: LayoutWish }
  | { readonly kind: 'activate'; readonly layout: Layout };

/**
 * What the pool needs so that its writes go on, or go back to where they belong; undefined: nothing. Only
 * for erasure-coded pools, which hold blobs alone; a PG of copies gets a stand-in instead.
 */
export function interimStep(state: MonState, pool: Pool): InterimStep | undefined {
  const active = activeLayout(pool);
  const own = pool.layouts.findLast((layout) => layout.purpose === 'own');
  if (own === undefined) return undefined;
  const isErasure = own.geometry.kind === 'erasure';
  // Of copies, it has an interim one only when its own was another for a time, by somebody's hand.
  if (active === own && !isErasure) return undefined;
  if (isWritable(state, pool, own))
    return active === own ? undefined : { kind: 'activate', layout: own };
  if (!isErasure || isWritable(state, pool, active)) return undefined;
  const fitting = pool.layouts.findLast(
    (layout) => layout.purpose === 'interim' && isWritable(state, pool, layout),
  );
  if (fitting !== undefined) return { kind: 'activate', layout: fitting };
  const { rule } = own;
  const geometry = interimGeometry(domainCount(onlyUp(state.map), own), own.geometry);
  if (geometry === undefined) return undefined;
  const pgCount = Math.min(own.pgCount, interimPgCountMax);
  return { kind: 'add', wish: { geometry, rule, pgCount, purpose: 'interim' } };
}

/** The layout that a change of the pool would go back to: the last of its own that still drains. */
export function previousLayout(pool: Pool): Layout | undefined {
  return pool.layouts.findLast(
    (layout) => layout.purpose === 'own' && layout.drainingSince !== undefined,
  );
}

export function isSamePlacement(a: Placement, b: Placement): boolean {
  return (
    isSameGeometry(a.geometry, b.geometry) &&
    a.rule.failureDomain === b.rule.failureDomain &&
    a.rule.deviceClass === b.rule.deviceClass
  );
}

/** Whether the wish is what the pool's own layout is already. */
export function isSameWish(layout: Layout, wish: LayoutWish): boolean {
  return isSamePlacement(layout, wish) && layout.pgCount === wish.pgCount;
}

/** What a primary's word must say for its PG to count as empty (rule 31). */
export interface PgEmptiness {
  readonly serving: boolean;
  readonly objects: number;
  /** The newest map the primary's OSD acted on when it said so. */
  readonly epoch: Epoch;
  readonly scrubbedWallMs: number;
  /** Who says so. */
  readonly osd: OsdId;
}

/** PGs of a draining layout that can't be said to be empty yet. */
export function unemptied(
  pool: Pool,
  layout: Layout,
  wordOf: (pg: PgId) => PgEmptiness | undefined,
): readonly PgId[] {
  const since = layout.drainingSince;
  return pgIdsOf(pool, layout).filter((pg) => {
    const word = wordOf(pg);
    return (
      since === undefined ||
      word === undefined ||
      !word.serving ||
      word.objects > 0 ||
      word.epoch < since
    );
  });
}
