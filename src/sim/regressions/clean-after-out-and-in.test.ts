// Convergence: two disks of one PG that were each to take over the other's shard waited for each other for
// ever, after one had been taken out and in again.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, Uuid } from '../../base/ids.ts';
import { activeLayout, type ClusterMap, type OsdEntry, pgIdsOf } from '../../map/cluster-map.ts';
import { copies } from '../../map/geometry.ts';
import { computeTargets } from '../../map/placement.ts';
import { initialState } from '../../mon/initial.ts';

function mapOf(osdCount: number): ClusterMap {
  const { map } = initialState({
    fsid: '0'.repeat(32) as Uuid,
    disks: Array.from({ length: osdCount }, (_, index) => ({
      uuid: String(index).padStart(32, '0') as Uuid,
      host: `host-${index}`,
      capacityBytes: 2 ** 30,
    })),
    pools: [{ name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount: 8 }],
    users: [],
    nonce: () => 'n',
    storeId: '0'.repeat(32) as Uuid,
  });
  return map;
}

function taking(map: ClusterMap, id: number, edit: Partial<OsdEntry>): ClusterMap {
  return { ...map, osds: map.osds.map((osd) => (osd.id === id ? { ...osd, ...edit } : osd)) };
}

test('a disk that still holds one shard of a placement group is no target for another of it', () => {
  const map = mapOf(5);
  const pool = map.pools[0];
  if (pool === undefined) throw new Error('no pool');
  const layout = activeLayout(pool);
  const pgs = pgIdsOf(pool, layout);
  const first = computeTargets(map, layout, pgs, new Map());
  const held = (pg: (typeof pgs)[number], osd: OsdId): number | undefined => {
    const index = first.get(pg)?.indexOf(osd) ?? -1;
    return index < 0 ? undefined : index;
  };
  for (let id = 0; id < 5; id++) {
    const without = computeTargets(taking(map, id, { in: false }), layout, pgs, first, held);
    const back = computeTargets(map, layout, pgs, without, held);
    for (const targets of [without, back])
      for (const [pg, osds] of targets)
        for (const [index, osd] of osds.entries()) equal(held(pg, osd) ?? index, index);
    deepEqual(
      [...back.values()].map((osds) => osds.length),
      pgs.map(() => 3),
    );
  }
});
