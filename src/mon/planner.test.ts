// What the leader does about records that a map edited by hand, and back, left behind.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { Uuid } from '../base/ids.ts';
import type { ClusterMap } from '../map/cluster-map.ts';
import { erasure, type Geometry } from '../map/geometry.ts';
import { recordFault } from '../map/map-fault.ts';
import { nextRecord, type PgRecord } from '../map/pg-record.ts';
import { initialState } from './initial.ts';
import { plan, retarget } from './planner.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;
const nonce = (): string => 'n';

function withGeometry(map: ClusterMap, geometry: Geometry): ClusterMap {
  const pools = map.pools.map((pool) => ({
    ...pool,
    layouts: pool.layouts.map((layout) => ({ ...layout, geometry })),
  }));
  return { ...map, pools };
}

function planned(map: ClusterMap, record: PgRecord): PgRecord {
  const records = retarget(map, new Map([[record.pg, record]]), nonce, { standIns: true });
  return plan(map, records, nonce)[0] ?? (records.get(record.pg) as PgRecord);
}

test('slots that the geometry has no shard for are dropped once the map is as it was', () => {
  const disks = [0, 1, 2, 3, 4].map((id) => ({
    uuid: uuidOf(id),
    host: `host-${id}`,
    capacityBytes: 2 ** 30,
  }));
  const pools = [
    { name: 'data', geometry: erasure(2, 1), failureDomain: 'host', pgCount: 1 },
  ] as const;
  const state = initialState({
    fsid: uuidOf(99),
    disks,
    pools,
    users: [],
    nonce,
    storeId: uuidOf(98),
  });
  const map = { ...state.map, osds: state.map.osds.map((osd) => ({ ...osd, up: true })) };
  const [before] = [...state.records.values()] as [PgRecord];
  const during = planned(withGeometry(map, erasure(3, 2)), before);
  equal(during.slots.length, 5);
  equal(recordFault(during, map), '5 targets for erasure 2+1');
  const after = planned(map, during);
  equal(recordFault(after, map), undefined);
  deepEqual(after.slots, before.slots);
  deepEqual(after.target, before.target);
  // A slot that holds everything is nobody's to drop, whatever its index says.
  const inSync = nextRecord(
    during,
    { slots: during.slots.map((slot) => ({ ...slot, state: 'in-sync' })) },
    'n',
  );
  equal(planned(map, inSync).slots.length, 5);
});
