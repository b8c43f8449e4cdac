// What would stop if these OSDs stopped now: judged over the whole set together with what is down already
// (promise P3). Pure.

import type { OsdId } from '../base/ids.ts';
import { parsePgId } from '../base/ids.ts';
import { activeLayout, type ClusterMap, findLayout } from '../map/cluster-map.ts';
import { formatGeometry, slotCount, writeFloor } from '../map/geometry.ts';
import { distinctCount, hasRecordFloor, slotsIn } from '../map/pg-record.ts';
import { domainCount } from '../map/placement.ts';
import type { MonitorKnowledge } from './control.ts';

export interface Impact {
  /** PGs whose data could not be read any more. */
  readonly unreadable: readonly string[];
  /** PGs whose writes would wait. */
  readonly unwritable: readonly string[];
}

/** Only what the set itself makes worse: a PG that does not serve already is not counted. */
export function impactOfStopping(
  knowledge: MonitorKnowledge,
  stopping: ReadonlySet<OsdId>,
): Impact {
  const { map } = knowledge;
  const unreadable: string[] = [];
  const unwritable: string[] = [];
  for (const record of knowledge.records.values()) {
    const { pool, layout: layoutId } = parsePgId(record.pg);
    const layout = findLayout(map, pool, layoutId);
    if (layout === undefined) continue;
    const live = slotsIn(record, 'in-sync').filter((slot) =>
      map.osds.some((osd) => osd.uuid === slot.uuid && osd.up && !osd.destroyed),
    );
    const left = live.filter((slot) => !stopping.has(slot.osd));
    if (left.length === live.length) continue;
    const floor = writeFloor(layout.geometry);
    if (!hasRecordFloor(left, layout)) {
      if (hasRecordFloor(live, layout)) unreadable.push(record.pg);
    } else if (
      distinctCount(left, layout, map) < floor &&
      distinctCount(live, layout, map) >= floor
    )
      unwritable.push(record.pg);
  }
  return { unreadable, unwritable };
}

/** Pools that could not place all their slots without these OSDs: their data would stay where it is. */
export function poolsWithoutRoom(map: ClusterMap, leaving: ReadonlySet<OsdId>): readonly string[] {
  const without = {
    ...map,
    osds: map.osds.map((osd) => (leaving.has(osd.id) ? { ...osd, in: false } : osd)),
  };
  return map.pools
    .filter((pool) => {
      const layout = activeLayout(pool);
      return domainCount(without, layout) < slotCount(layout.geometry);
    })
    .map((pool) => `${pool.name} (${formatGeometry(activeLayout(pool).geometry)})`);
}
