// Giving up disks for good, and taking that back (PROTOCOL rule 27). Pure. Looking and doing are one change
// of the monitor, so that nothing can come between what was judged and what is done.

import type { Epoch, OsdId, PgId } from '../base/ids.ts';
import type { ClusterMap, OsdEntry } from '../map/cluster-map.ts';
import { nextRecord, type Slot, withoutGone } from '../map/pg-record.ts';
import { layoutOf } from './planner.ts';
import type { MonState } from './state.ts';

function withOsds(
  state: MonState,
  ids: ReadonlySet<OsdId>,
  edit: (osd: OsdEntry) => OsdEntry,
): ClusterMap {
  const osds = state.map.osds.map((osd) => (ids.has(osd.id) ? edit(osd) : osd));
  return { ...state.map, epoch: (state.map.epoch + 1) as Epoch, osds };
}

/**
 * The disks given up: no record names them where others hold everything. Where nobody else does their slots stay,
 * so that the PG is down and not empty, and taking it back brings everything back.
 */
export function withDestroyed(
  state: MonState,
  ids: ReadonlySet<OsdId>,
  nonce: () => string,
): MonState {
  const map = withOsds(state, ids, (osd) => ({ ...osd, destroyed: true, up: false, in: false }));
  const destroyed = new Set(map.osds.filter((osd) => osd.destroyed).map((osd) => osd.uuid));
  const kept = new Set(map.osds.filter((osd) => !osd.destroyed).map((osd) => osd.uuid));
  // A disk that was replaced is in no map, and comes back no more either.
  const isGone = (slot: Slot): boolean => !kept.has(slot.uuid);
  const records = new Map(state.records);
  for (const record of state.records.values()) {
    const layout = layoutOf(map, record.pg);
    if (layout === undefined || !record.slots.some(({ uuid }) => destroyed.has(uuid))) continue;
    const left = withoutGone(record, layout, isGone);
    if (left !== undefined) records.set(record.pg, nextRecord(record, left, nonce()));
  }
  return { ...state, map, records };
}

/** Back among the disks; what it holds is looked at before it counts. */
export function withUndestroyed(state: MonState, ids: ReadonlySet<OsdId>): MonState {
  return {
    ...state,
    map: withOsds(state, ids, (osd) => ({ ...osd, destroyed: false, in: !osd.outByOperator })),
  };
}

/** Its disk is erased: it can't be taken back. */
export function withWiped(state: MonState, ids: ReadonlySet<OsdId>): MonState {
  return { ...state, map: withOsds(state, ids, (osd) => ({ ...osd, wiped: true })) };
}

/** Gone from the map; its id is never given again. */
export function withoutOsds(state: MonState, ids: ReadonlySet<OsdId>): MonState {
  const map = withOsds(state, ids, (osd) => osd);
  return { ...state, map: { ...map, osds: map.osds.filter((osd) => !ids.has(osd.id)) } };
}

/** PGs whose record still names one of the disks. */
export function namedBy(state: MonState, ids: ReadonlySet<OsdId>): readonly PgId[] {
  return [...state.records.values()]
    .filter((record) => record.slots.some((slot) => ids.has(slot.osd)))
    .map(({ pg }) => pg);
}
