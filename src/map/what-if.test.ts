import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { Epoch, OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import { type ClusterMap, newLayout, newPool, type OsdEntry } from './cluster-map.ts';
import { copies, erasure, type Geometry } from './geometry.ts';
import type { PgRecord, SlotState } from './pg-record.ts';
import { fatesOf, lossesOfDestroying, osdsNamed } from './what-if.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;

function mapOf(count: number, geometries: readonly Geometry[]): ClusterMap {
  const rule = { failureDomain: 'host', deviceClass: undefined } as const;
  return {
    fsid: uuidOf(99),
    epoch: 1 as Epoch,
    osds: Array.from(
      { length: count },
      (_, id): OsdEntry => ({
        id: id as OsdId,
        uuid: uuidOf(id),
        host: `host-${id}`,
        rack: '',
        room: '',
        deviceClass: 'ssd',
        weight: 1,
        capacityBytes: 100,
        up: true,
        in: true,
        outByOperator: false,
        destroyed: false,
        wiped: false,
        address: 'a:1',
        upSince: 1 as Epoch,
      }),
    ),
    pools: geometries.map((geometry, at) => ({
      id: (at + 1) as PoolId,
      name: `pool-${at + 1}`,
      layouts: [{ id: 1, geometry, rule, pgCount: 8, ...newLayout }],
      inlineBytesMax: 0,
      ...newPool,
    })),
    settings: [],
    losses: [],
    nextOsdId: count,
    nextPoolId: geometries.length + 1,
  };
}

function edited(map: ClusterMap, id: number, change: Partial<OsdEntry>): ClusterMap {
  return { ...map, osds: map.osds.map((osd) => (osd.id === id ? { ...osd, ...change } : osd)) };
}

/** Slots on the OSDs in order; `states` says which are not in-sync. */
function recordOf(
  pg: string,
  osds: readonly number[],
  states: Readonly<Record<number, SlotState>> = {},
): PgRecord {
  return {
    pg: pg as PgId,
    tenure: 1,
    version: 1,
    primary: uuidOf(osds[0] as number),
    nonce: '',
    slots: osds.map((id, index) => ({
      osd: id as OsdId,
      uuid: uuidOf(id),
      index,
      state: states[id] ?? 'in-sync',
      asOf: 0,
    })),
    target: osds as readonly OsdId[],
  };
}

const set = (...ids: number[]): ReadonlySet<OsdId> => new Set(ids as OsdId[]);

test('one disk of 2+1 costs redundancy, two at once cost the data: judged over the set', () => {
  const map = mapOf(5, [erasure(2, 1)]);
  const records = [recordOf('1.1.0', [0, 1, 2]), recordOf('1.1.1', [2, 3, 4])];
  const fates = (ids: ReadonlySet<OsdId>) =>
    fatesOf(map, records, ids, 'destroyed').map(({ pg, fate }) => `${pg} ${fate}`);
  deepEqual(fates(set(0)), ['1.1.0 less-redundancy']);
  deepEqual(fates(set(0, 1)), ['1.1.0 lost']);
  deepEqual(fates(set(1, 3)), ['1.1.0 less-redundancy', '1.1.1 less-redundancy']);
  deepEqual(fates(set(0, 1, 3, 4)), ['1.1.0 lost', '1.1.1 lost']);
});

test('what is down already counts: nobody can say that it will come back', () => {
  const records = [recordOf('1.1.0', [0, 1, 2])];
  const map = edited(mapOf(5, [erasure(2, 1)]), 1, { up: false });
  const [fate] = fatesOf(map, records, set(0), 'destroyed');
  equal(fate?.fate, 'unproven');
  deepEqual(fate?.awaited, [1]);
  // Destroyed before: it is no holder any more.
  const worse = edited(map, 1, { destroyed: true });
  equal(fatesOf(worse, records, set(0), 'destroyed')[0]?.fate, 'lost');
  // Wiped by hand and filled anew: another disk under the same id.
  const wiped = edited(mapOf(5, [erasure(2, 1)]), 1, { uuid: uuidOf(77) });
  equal(fatesOf(wiped, records, set(0), 'destroyed')[0]?.fate, 'lost');
});

test('an older copy is needed while its PG is not whole, and not afterwards', () => {
  const map = mapOf(5, [copies(3, 2)]);
  const degraded = { ...recordOf('1.1.0', [0, 1, 2], { 2: 'stale' }) };
  equal(fatesOf(map, [degraded], set(2), 'destroyed')[0]?.fate, 'less-redundancy');
  const moved: PgRecord = {
    ...recordOf('1.1.0', [0, 1, 2, 3], { 2: 'stale' }),
    target: [0, 1, 3] as unknown as PgRecord['target'],
  };
  const whole = {
    ...moved,
    slots: moved.slots.map((slot) => (slot.osd === 3 ? { ...slot, index: 2 } : slot)),
  };
  deepEqual(fatesOf(map, [whole], set(2), 'destroyed'), []);
});

test('an eligible slot holds everything, and saves the last one', () => {
  const map = mapOf(3, [copies(2, 2)]);
  const record = recordOf('1.1.0', [0, 1], { 1: 'eligible' });
  equal(fatesOf(map, [record], set(0), 'destroyed')[0]?.fate, 'less-redundancy');
  const away = edited(map, 1, { up: false });
  equal(fatesOf(away, [record], set(0), 'destroyed')[0]?.fate, 'unproven');
  equal(fatesOf(map, [record], set(0, 1), 'destroyed')[0]?.fate, 'lost');
});

test('stopping is judged over the whole set together with what is down', () => {
  const map = mapOf(5, [copies(3, 2), erasure(3, 2)]);
  const records = [recordOf('1.1.0', [0, 1, 2]), recordOf('2.1.0', [0, 1, 2, 3, 4])];
  const stop = (of: ClusterMap, ...ids: number[]) =>
    fatesOf(of, records, set(...ids), 'away').map(({ pg, fate }) => `${pg} ${fate}`);
  deepEqual(stop(map, 4), ['2.1.0 less-redundancy']);
  deepEqual(stop(map, 3, 4), ['2.1.0 writes-wait']);
  deepEqual(stop(map, 2, 3, 4), ['1.1.0 less-redundancy', '2.1.0 unavailable']);
  deepEqual(stop(edited(map, 3, { up: false }), 4), ['2.1.0 writes-wait']);
});

test('the list of losses is in one order, the worst first, and the same for the same loss', () => {
  const map = mapOf(5, [erasure(2, 1)]);
  const records = [
    recordOf('1.1.10', [0, 2, 3]),
    recordOf('1.1.2', [0, 3, 4]),
    recordOf('1.1.0', [0, 1, 2]),
  ];
  const state = { map, records: new Map(records.map((record) => [record.pg, record])) };
  const losses = lossesOfDestroying(state, set(0, 1));
  deepEqual(losses, [
    'pg 1.1.0 (pool pool-1): LOST: everything in it; 1 of the 2 disks that reading needs would be left',
    'pool pool-1: 2 placement groups keep everything, with less redundancy: the worst could take 0 more failures',
  ]);
});

test('OSDs are named by number or host', () => {
  const map = mapOf(3, [copies(2, 1)]);
  deepEqual(osdsNamed(map, 'osd.1'), [1]);
  deepEqual(osdsNamed(map, '2'), [2]);
  deepEqual(osdsNamed(map, 'host:host-0'), [0]);
  equal(osdsNamed(map, 'host:nowhere'), undefined);
  equal(osdsNamed(map, '9'), undefined);
});
