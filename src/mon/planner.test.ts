// What the leader makes of records that others left behind: a map edited by hand, disks that went and came back.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, Uuid } from '../base/ids.ts';
import type { ClusterMap, OsdEntry } from '../map/cluster-map.ts';
import { copies, erasure, type Geometry } from '../map/geometry.ts';
import { recordFault } from '../map/map-fault.ts';
import { nextRecord, type PgRecord, type Slot, type SlotState } from '../map/pg-record.ts';
import { withDestroyed } from './destroy.ts';
import { initialState } from './initial.ts';
import { plan, retarget } from './planner.ts';
import type { MonState } from './state.ts';

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

function stateOf(geometry: Geometry): { readonly map: ClusterMap; readonly record: PgRecord } {
  const disks = [0, 1, 2, 3, 4].map((id) => ({
    uuid: uuidOf(id),
    host: `host-${id}`,
    capacityBytes: 2 ** 30,
  }));
  const pools = [{ name: 'data', geometry, failureDomain: 'host', pgCount: 1 }] as const;
  const ids = { fsid: uuidOf(99), storeId: uuidOf(98) };
  const state = initialState({ ...ids, disks, pools, users: [], nonce });
  const osds = state.map.osds.map((osd) => ({ ...osd, up: true }));
  const [record] = [...state.records.values()] as [PgRecord];
  return { map: { ...state.map, osds }, record };
}

test('who is back takes its place again from a stand-in that is not filled, where writes wait for it', () => {
  const { map, record } = stateOf(copies(3, 2));
  const others = map.osds.filter(({ id }) => !record.target.includes(id));
  const at = (index: number, id: number, state: SlotState): Slot => ({
    osd: id as OsdId,
    uuid: uuidOf(id),
    index,
    state,
    asOf: 0,
  });
  const [first, second, third] = record.target as [OsdId, OsdId, OsdId];
  const [fourth, fifth] = others.map(({ id }) => id) as [OsdId, OsdId];
  const slots = [
    at(0, first, 'in-sync'),
    at(1, second, 'eligible'),
    at(2, third, 'stale'),
    at(1, fourth, 'joining'),
    at(2, fifth, 'joining'),
  ];
  const away = { ...record, slots, primary: uuidOf(first), target: [first, fourth, fifth] };
  const next = planned(map, away);
  deepEqual(next.target, record.target);
  deepEqual(
    next.slots.map(({ state }) => state),
    ['in-sync', 'joining', 'joining', 'joining', 'joining'],
  );
  // Not while it is down, and not where enough are in-sync: a stand-in that is being filled goes on then.
  const down = map.osds.map((osd) => (osd.id === second ? { ...osd, up: false } : osd));
  deepEqual(planned({ ...map, osds: down }, away).target, [first, fourth, third]);
  const whole = slots.map((slot) => (slot.osd === fourth ? { ...slot, state: 'in-sync' } : slot));
  deepEqual(planned(map, { ...away, slots: whole as Slot[] }).target, away.target);
});

test('who holds everything aside stays so while nobody in-sync is up to fill it', () => {
  const { map, record } = stateOf(copies(3, 2));
  const [first] = record.target as [OsdId];
  const slots = record.slots.map(
    (slot): Slot => ({ ...slot, state: slot.osd === first ? 'in-sync' : 'eligible' }),
  );
  const aside = { ...record, slots, primary: uuidOf(first) };
  const stateOfOthers = (of: typeof map): Set<SlotState> =>
    new Set(
      planned(of, aside)
        .slots.filter(({ osd }) => osd !== first)
        .map(({ state }) => state),
    );
  const osds = map.osds.map((osd) => (osd.id === first ? { ...osd, up: false } : osd));
  deepEqual([...stateOfOthers({ ...map, osds })], ['eligible']);
  deepEqual([...stateOfOthers(map)], ['joining']);
});

test('slots that the geometry has no shard for are dropped once the map is as it was', () => {
  const { map, record: before } = stateOf(erasure(2, 1));
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

test('a place that only a taken domain could have gets it, where who took it can move', () => {
  const hosts = ['host-0', 'host-1', 'host-2', 'host-0'];
  const disks = hosts.map((host, id) => ({ uuid: uuidOf(id), host, capacityBytes: 2 ** 30 }));
  const pools = [
    { name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount: 1 },
  ] as const;
  const ids = { fsid: uuidOf(99), storeId: uuidOf(98) };
  const state = initialState({ ...ids, disks, pools, users: [], nonce });
  const osds = state.map.osds.map((osd) => ({ ...osd, up: true }));
  const [made] = [...state.records.values()] as [PgRecord];
  // What two copies of three had made of it: osd.3 took the place of osd.1 on the host that the third copy needs.
  const places: readonly (readonly [number, number])[] = [
    [1, 0],
    [2, 1],
    [0, 2],
    [3, 0],
  ];
  const slots = places.map(
    ([id, index]): Slot => ({
      osd: id as OsdId,
      uuid: uuidOf(id),
      index,
      state: 'in-sync',
      asOf: 0,
    }),
  );
  const record: PgRecord = { ...made, slots, target: [3 as OsdId, 2 as OsdId] };
  const after = planned({ ...state.map, osds }, record);
  deepEqual(after.target, [1, 2, 0]);
});

/** A 2+1 group: one disk in-sync; another in-sync; of the third, replaced below the floor, what is left; and its successor. */
function replacedOnce(): { readonly map: ClusterMap; readonly record: PgRecord } {
  const { map, record } = stateOf(erasure(2, 1));
  const slots = record.slots.flatMap((slot): Slot[] =>
    slot.index < 2
      ? [{ ...slot, state: 'in-sync' }]
      : [
          { ...slot, uuid: uuidOf(50), state: 'eligible', asOf: 3 },
          { ...slot, state: 'joining' },
        ],
  );
  return { map, record: { ...record, slots } };
}

const holders = ({ slots }: PgRecord): readonly string[] =>
  slots.filter(({ state }) => state !== 'joining').map(({ uuid, state }) => `${uuid} ${state}`);

test('a disk that was replaced while it held everything takes nobody’s place', () => {
  const { map, record } = replacedOnce();
  const second = record.slots.find(({ index }) => index === 1) as Slot;
  const osds = map.osds.map((osd) =>
    osd.uuid === second.uuid ? { ...osd, uuid: uuidOf(51) } : osd,
  );
  const next = planned({ ...map, osds }, record);
  deepEqual(holders(next), holders(record), 'whoever puts a disk back finds it counted on still');
  // One that is away and may come back does take it.
  const third = map.osds.find(({ id }) => !record.target.includes(id)) as OsdEntry;
  const slots = record.slots.map((slot) =>
    slot.state === 'eligible' ? { ...slot, osd: third.id, uuid: third.uuid } : slot,
  );
  const alive = planned({ ...map, osds }, { ...record, slots });
  equal(alive.slots.find(({ uuid }) => uuid === third.uuid)?.state, 'in-sync');
  equal(
    alive.slots.some(({ uuid }) => uuid === second.uuid),
    false,
  );
});

test('nor does it when a disk is given up, which stays in the record then', () => {
  const { map, record } = replacedOnce();
  const state = { map, records: new Map([[record.pg, record]]) } as unknown as MonState;
  const second = record.slots.find(({ index }) => index === 1) as Slot;
  const after = withDestroyed(state, new Set([second.osd]), nonce).records.get(record.pg);
  deepEqual(holders(after as PgRecord), holders(record));
});
