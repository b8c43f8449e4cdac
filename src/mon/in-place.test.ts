// A layout of copies changes in place: what each step makes of the map and of records, and what is refused.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import {
  activeLayout,
  type ClusterMap,
  type DomainLevel,
  type Layout,
  type OsdEntry,
  type Pool,
  turnMax,
} from '../map/cluster-map.ts';
import { copies, erasure, type Geometry, slotCount } from '../map/geometry.ts';
import { mapFault, recordFault, successorFault } from '../map/map-fault.ts';
import {
  distinctCount,
  drop,
  hasWriteFloor,
  isClean,
  isWhole,
  nextRecord,
  type PgRecord,
  promote,
  proposalFault,
  retire,
  type Slot,
  slotOf,
  slotsIn,
} from '../map/pg-record.ts';
import type { PgReport } from '../wire/messages.ts';
import { beginChange, changedLayout, keepChange, revertChange } from './in-place.ts';
import { initialState } from './initial.ts';
import { plan, retarget } from './planner.ts';
import { PoolCommands, type PoolWorld } from './pool-commands.ts';
import type { MonState } from './state.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;
const nonce = (): string => 'n';
const rule = (failureDomain: DomainLevel) => ({ failureDomain, deviceClass: undefined });

/** Disks 0 to 3 on host a, 4 on b, 5 on c; all up. */
function begin(geometry: Geometry, failureDomain: DomainLevel = 'osd', pgCount = 4): MonState {
  const disks = ['a', 'a', 'a', 'a', 'b', 'c'].map((host, id) => ({
    uuid: uuidOf(id),
    host,
    capacityBytes: 2 ** 30,
  }));
  const pools = [{ name: '.index', geometry, failureDomain, pgCount }];
  const ids = { fsid: uuidOf(99), storeId: uuidOf(98) };
  const state = initialState({ ...ids, disks, pools, users: [], nonce });
  return withOsds(state, () => ({ up: true }));
}

function withOsds(state: MonState, edit: (osd: OsdEntry) => Partial<OsdEntry>): MonState {
  const osds = state.map.osds.map((osd) => ({ ...osd, ...edit(osd) }));
  return { ...state, map: { ...state.map, osds } };
}

/** What the monitor makes of every change: targets, elections, joining slots. */
function planned(state: MonState): MonState {
  const records = new Map(retarget(state.map, state.records, nonce, { standIns: true }));
  for (const record of plan(state.map, records, nonce)) records.set(record.pg, record);
  return { ...state, records };
}

const poolOf = ({ map }: MonState): Pool => map.pools[0] as Pool;
const layoutOf = (state: MonState): Layout => activeLayout(poolOf(state));
const recordsOf = (state: MonState): PgRecord[] => [...state.records.values()];

function change(state: MonState, geometry: Geometry, failureDomain: DomainLevel): MonState {
  const next = { geometry, rule: rule(failureDomain) };
  return planned(beginChange(state, poolOf(state), { layout: layoutOf(state), next }, nonce));
}

/** Everybody who is joining and up is filled, and what may leave leaves: as primaries do it, judged by the monitor. */
function filled(state: MonState, which: (record: PgRecord) => boolean = () => true): MonState {
  const layout = layoutOf(state);
  const records = new Map(state.records);
  for (const before of records.values()) {
    if (!which(before)) continue;
    let record = before;
    const propose = (next: PgRecord | undefined): void => {
      if (next === undefined) return;
      equal(proposalFault(record, next, record.primary as Uuid, layout, state.map), undefined);
      record = next;
    };
    for (const slot of slotsIn(record, 'joining'))
      if (state.map.osds.find(({ uuid }) => uuid === slot.uuid)?.up === true)
        propose(promote(record, slot.uuid, layout, state.map, 'n'));
    propose(retire(record, layout, state.map, 'n'));
    records.set(record.pg, record);
  }
  return planned({ ...state, records });
}

/** As often as leads have to move before their slots can leave. */
function settled(state: MonState): MonState {
  let now = state;
  for (let round = 0; round < 4; round++) {
    now = filled(now);
    if (changedLayout(now, poolOf(now)) === undefined) continue;
    now = planned(keepChange(now, poolOf(now), layoutOf(now)));
  }
  return now;
}

function requireSound(state: MonState, known?: ClusterMap): void {
  equal(mapFault(state.map), undefined);
  if (known !== undefined) equal(successorFault(known, state.map), undefined);
  for (const record of recordsOf(state)) equal(recordFault(record, state.map), undefined);
}

test('two copies by disk become three by host: first there, then promised', () => {
  const before = begin(copies(2, 1));
  const begun = change(before, copies(3, 2), 'host');
  requireSound(begun, before.map);
  deepEqual(layoutOf(begun).geometry, copies(2, 1));
  equal(layoutOf(begun).rule.failureDomain, 'osd');
  for (const record of recordsOf(begun)) {
    equal(record.target.length, 3);
    equal(isWhole(record, layoutOf(begun)), false);
    ok(hasWriteFloor(record, layoutOf(begun), begun.map), 'writes go on');
  }
  // All but one: what is promised stays.
  const [last] = recordsOf(begun) as [PgRecord];
  const nearly = filled(begun, ({ pg }) => pg !== last.pg);
  equal(changedLayout(nearly, poolOf(nearly)), undefined);
  const after = settled(nearly);
  requireSound(after, nearly.map);
  const layout = layoutOf(after);
  deepEqual(layout, {
    ...layoutOf(before),
    geometry: copies(3, 2),
    rule: rule('host'),
    revision: 2,
  });
  for (const record of recordsOf(after)) {
    ok(isClean(record, layout));
    equal(distinctCount(record.slots, layout, after.map), 3);
  }
});

test('nothing is kept while a disk that it is to be on is down', () => {
  const begun = change(begin(copies(2, 1)), copies(3, 2), 'host');
  const without = planned(withOsds(begun, ({ id }) => ({ up: id !== 5 })));
  const most = settled(without);
  notKept(most);
  // Promoted, and then lost sight of: it counts when it is back.
  const all = filled(planned(withOsds(filled(most), () => ({ up: true }))));
  notKept(withOsds(all, ({ id }) => ({ up: id !== 5 })));
  ok(changedLayout(all, poolOf(all)) !== undefined);
});

function notKept(state: MonState): void {
  equal(changedLayout(state, poolOf(state)), undefined);
}

test('slots that are no target stay until all is kept, where less would be left than was promised', () => {
  const before = begin(copies(3, 2), 'host');
  // By disk they may all come to one host, which is less than was promised.
  const begun = change(before, copies(2, 1), 'osd');
  const layout = layoutOf(begun);
  const whole = recordsOf(begun).filter((record) => isWhole(record, layout));
  ok(whole.length > 0);
  for (const record of whole) {
    equal(retire(record, layout, begun.map, 'n'), undefined);
    const [gone] = record.slots.filter(
      ({ osd, uuid }) => !record.target.includes(osd) && uuid !== record.primary,
    );
    if (gone === undefined) continue;
    const slots = record.slots.filter((slot) => slot !== gone);
    const fault = proposalFault(
      record,
      nextRecord(record, { slots }, 'n'),
      record.primary as Uuid,
      layout,
      begun.map,
    );
    match(fault ?? '', /would leave the record before it is whole/);
  }
  const after = settled(begun);
  requireSound(after, begun.map);
  deepEqual(layoutOf(after).geometry, copies(2, 1));
  for (const record of recordsOf(after)) ok(isClean(record, layoutOf(after)));
});

test('to another device class, each group gives up what it had as soon as it has as much there', () => {
  const before = withOsds(begin(copies(2, 1)), ({ id }) => ({
    deviceClass: id < 3 ? 'hdd' : 'ssd',
  }));
  const next = {
    geometry: copies(2, 1),
    rule: { failureDomain: 'osd', deviceClass: 'ssd' },
  } as const;
  const begun = planned(
    beginChange(before, poolOf(before), { layout: layoutOf(before), next }, nonce),
  );
  const moving = recordsOf(begun).find(
    ({ slots, target }) => slots.filter(({ osd }) => !target.includes(osd)).length === 2,
  ) as PgRecord;
  let now = begun;
  for (let round = 0; round < 3; round++) now = filled(now, ({ pg }) => pg === moving.pg);
  notKept(now);
  const moved = now.records.get(moving.pg) as PgRecord;
  deepEqual(moved.slots.map(({ osd }) => osd).sort(), [...moving.target].sort());
  const after = settled(now);
  equal(layoutOf(after).rule.deviceClass, 'ssd');
  for (const record of recordsOf(after)) for (const { osd } of record.slots) ok(osd >= 3);
});

test('who is down is not among the fewer that stay, whatever its index', () => {
  const before = begin(copies(3, 2), 'osd', 8);
  const down = planned(withOsds(before, ({ id }) => ({ up: id !== 0 })));
  const layout = layoutOf(down);
  const records = new Map(down.records);
  for (const record of records.values()) {
    const dropped = drop(record, new Set([uuidOf(0)]), layout, down.map, 'n');
    if (record.slots.some(({ osd }) => osd === 0)) records.set(record.pg, dropped as PgRecord);
  }
  const begun = change({ ...down, records }, copies(2, 1), 'osd');
  for (const record of recordsOf(begun)) ok(!record.target.includes(0 as OsdId));
  const after = settled(begun);
  requireSound(after);
  equal(layoutOf(after).next, undefined);
  for (const record of recordsOf(after)) ok(isClean(record, layoutOf(after)));
  ok(
    recordsOf(after).some(({ slots }) => slots.some(({ index }) => index === 2)),
    'a third copy is one of the two that are left',
  );
});

test('turned back in the middle, every group has what it had', () => {
  const before = begin(copies(2, 1));
  const begun = change(before, copies(3, 2), 'host');
  const [first] = recordsOf(begun) as [PgRecord];
  const halfWay = filled(begun, ({ pg }) => pg === first.pg);
  const reverted = planned(revertChange(halfWay, poolOf(halfWay), layoutOf(halfWay), nonce));
  requireSound(reverted, halfWay.map);
  const layout = layoutOf(reverted);
  deepEqual({ ...layout, revision: 0 }, layoutOf(before));
  for (const record of recordsOf(reverted)) ok(isWhole(record, layout), 'nothing has to be filled');
  const after = settled(reverted);
  for (const record of recordsOf(after)) {
    ok(isClean(record, layout));
    equal(record.slots.length, 2);
  }
});

test('another wish in the middle takes the place of the first; promises stay', () => {
  const begun = change(begin(copies(2, 1)), copies(3, 2), 'host');
  const other = change(begun, copies(4, 2), 'osd');
  requireSound(other, begun.map);
  deepEqual(layoutOf(other).geometry, copies(2, 1));
  const after = settled(other);
  deepEqual(layoutOf(after).geometry, copies(4, 2));
  for (const record of recordsOf(after)) equal(record.slots.length, slotCount(copies(4, 2)));
});

/** In-sync and no target any more; not the one that leads. */
function isLeaving(record: PgRecord, { osd, uuid, state }: Slot): boolean {
  return state === 'in-sync' && !record.target.includes(osd) && uuid !== record.primary;
}

test('a disk that restarts on the way joins again where it is no target any more', () => {
  const begun = change(begin(copies(3, 2), 'osd', 8), copies(3, 2), 'host');
  const layout = layoutOf(begun);
  const isMoving = (record: PgRecord) => record.slots.find((slot) => isLeaving(record, slot));
  const record = recordsOf(begun).find((each) => isMoving(each) !== undefined) as PgRecord;
  const former = isMoving(record);
  ok(former !== undefined, 'some slot is to leave');
  const dropped = drop(record, new Set([former.uuid]), layout, begun.map, 'n') as PgRecord;
  const records = new Map(begun.records).set(record.pg, dropped);
  const away = planned(withOsds({ ...begun, records }, ({ id }) => ({ up: id !== former.osd })));
  const stateIn = (state: MonState) =>
    state.records.get(record.pg)?.slots.find(({ uuid }) => uuid === former.uuid)?.state;
  equal(stateIn(away), 'stale');
  equal(stateIn(planned(withOsds(away, () => ({ up: true })))), 'joining');
});

test('so does one whose group has its targets, and needs more for what was promised', () => {
  const begun = change(begin(copies(3, 3), 'osd', 8), copies(1, 1), 'osd');
  const layout = layoutOf(begun);
  const record = recordsOf(begun).find((each) => isWhole(each, layout)) as PgRecord;
  const former = record.slots.find((slot) => isLeaving(record, slot)) as Slot;
  const dropped = drop(record, new Set([former.uuid]), layout, begun.map, 'n') as PgRecord;
  ok(!hasWriteFloor(dropped, layout, begun.map));
  const back = planned({ ...begun, records: new Map(begun.records).set(record.pg, dropped) });
  equal(slotOf(back.records.get(record.pg) as PgRecord, former.uuid)?.state, 'joining');
});

test('it goes on joining while the copies become fewer, whatever its index', () => {
  const begun = change(begin(copies(3, 2), 'osd', 8), copies(2, 2), 'osd');
  const layout = layoutOf(begun);
  const record = recordsOf(begun).find((each) =>
    each.slots.some((slot) => isLeaving(each, slot)),
  ) as PgRecord;
  const former = record.slots.find((slot) => isLeaving(record, slot)) as Slot;
  ok(former.index >= slotCount(copies(2, 2)));
  const dropped = drop(record, new Set([former.uuid]), layout, begun.map, 'n') as PgRecord;
  let state: MonState = { ...begun, records: new Map(begun.records).set(record.pg, dropped) };
  for (let round = 0; round < 3; round++) {
    state = planned(state);
    equal(slotOf(state.records.get(record.pg) as PgRecord, former.uuid)?.state, 'joining');
  }
});

test('and when they became fewer before, and change once more', () => {
  const begun = change(begin(copies(3, 2), 'osd', 1), copies(2, 1), 'osd');
  const kept = keepChange(begun, poolOf(begun), layoutOf(begun));
  const again = change(kept, copies(2, 2), 'osd');
  const [record] = recordsOf(again) as [PgRecord];
  const layout = layoutOf(again);
  const former = record.slots.find((slot) => isLeaving(record, slot)) as Slot;
  ok(former.index >= slotCount(layout.geometry));
  const others = record.slots.filter(({ uuid }) => uuid !== record.primary);
  const gone = new Set(others.map(({ uuid }) => uuid));
  const alone = drop(record, gone, layout, again.map, 'n') as PgRecord;
  const back = planned({ ...again, records: new Map([[record.pg, alone]]) });
  const [next] = recordsOf(back) as [PgRecord];
  equal(slotOf(next, former.uuid)?.state, 'joining');
});

test('who left below the floor is no holder of everything once the floor is lower', () => {
  const before = begin(copies(3, 2), 'osd', 1);
  const layout = layoutOf(before);
  const [record] = recordsOf(before) as [PgRecord];
  const others = record.slots.filter(({ uuid }) => uuid !== record.primary);
  let alone = record;
  for (const { uuid } of others)
    alone = drop(alone, new Set([uuid]), layout, before.map, 'n') as PgRecord;
  const down = withOsds(before, ({ id }) => ({ up: !others.some(({ osd }) => osd === id) }));
  const state = { ...down, records: new Map([[alone.pg, alone]]) };
  deepEqual(
    recordsOf(state)[0]
      ?.slots.map((slot) => slot.state)
      .sort(),
    ['eligible', 'in-sync', 'stale'],
  );
  const next = { ...layout, geometry: copies(1, 1), revision: 1 };
  const pool = { ...poolOf(state), layouts: [next] };
  const lowered = planned({ ...state, map: { ...state.map, pools: [pool] } });
  ok(!recordsOf(lowered)[0]?.slots.some((slot) => slot.state === 'eligible'));
});

/** What the commands need, around a state of the test's. */
class World implements PoolWorld {
  requireTakenMap(): void {}

  readonly env = undefined as unknown as Env;
  state: MonState;
  report: Partial<PgReport> = { rows: true, objects: 1, bytes: 0 };
  usedBytes = 0;
  old: readonly string[] = [];

  constructor(state: MonState) {
    this.state = state;
  }

  command = async (decide: (state: MonState) => MonState): Promise<void> => {
    this.state = decide(this.state);
  };
  planned = planned;
  nonce = nonce;
  reportOf = (): PgReport => this.report as PgReport;
  emptinessOf = (): undefined => undefined;
  usageOf = () => ({ capacityBytes: 1000, usedBytes: this.usedBytes });
  tooOldFor = (): readonly string[] => this.old;
}

test('what can not be done in place is refused with what to do instead', async () => {
  const world = new World(begin(copies(2, 1)));
  const { state } = world;
  const pools = new PoolCommands(world);
  const set = (wish: Parameters<PoolCommands['setPoolLayout']>[1]) =>
    pools.setPoolLayout('.index', wish);
  await rejects(set({ geometry: erasure(2, 1) }), /not erasure-coded: .*--copies/);
  await rejects(set({ geometry: copies(2, 1) }), /copies 2\/1 already/);
  await rejects(
    set({ geometry: copies(4, 2), rule: rule('host') }),
    /needs 4 failure domains \(host\), there are 3/,
  );
  await rejects(
    set({ rule: { failureDomain: 'osd', deviceClass: 'hdd' } }),
    /needs 2 failure domains \(osd\), there are 0/,
  );
  world.usedBytes = 900;
  await rejects(set({ geometry: copies(3, 2) }), /which has 0 bytes below 85 %: make room/);
  world.usedBytes = 0;
  world.old = ['osd.3'];
  await rejects(set({ geometry: copies(3, 2) }), /osd\.3 would not understand it: .*same version/);
  world.old = [];
  await rejects(pools.revertPool('.index'), /no change that could be turned back/);
  equal(world.state, state);

  await set({ geometry: copies(3, 2), rule: rule('host') });
  deepEqual(layoutOf(world.state).next, { geometry: copies(3, 2), rule: rule('host') });
  await rejects(set({ geometry: copies(3, 2) }), /is changing to copies 3\/2 already/);
  // What is not named is as it was asked for last.
  await set({ geometry: copies(3, 1) });
  deepEqual(layoutOf(world.state).next, { geometry: copies(3, 1), rule: rule('host') });
  await set({ geometry: copies(2, 1), rule: rule('osd') });
  equal(layoutOf(world.state).next, undefined);
  await set({ geometry: copies(3, 2) });
  await pools.revertPool('.index');
  equal(layoutOf(world.state).next, undefined);
  equal(layoutOf(world.state).revision, 5);
});

test('another number of placement groups is a layout that names are handed over to', async () => {
  const world = new World(begin(copies(2, 1)));
  const pools = new PoolCommands(world);
  const set = (wish: Parameters<PoolCommands['setPoolLayout']>[1]) =>
    pools.setPoolLayout('.index', wish);
  await rejects(set({ pgCount: 0 }), /0 placement groups: 1 to/);
  await rejects(set({ pgCount: 8, geometry: erasure(2, 1) }), /not erasure-coded: .*--copies/);
  world.usedBytes = 900;
  await rejects(
    set({ pgCount: 8 }),
    /is to take placement groups of pool \.index, and is 85 % full/,
  );
  world.usedBytes = 0;
  world.old = ['gateway x'];
  await rejects(set({ pgCount: 8 }), /gateway x would not understand it/);
  world.old = [];
  const shape = () => {
    const { turn, layouts } = poolOf(world.state);
    return { turn, layouts: layouts.map(({ id, pgCount }) => ({ id, pgCount })) };
  };
  const old = { id: 1, pgCount: 4 };
  const other = { id: 2, pgCount: 8 };
  await set({ pgCount: 8 });
  deepEqual(shape(), { turn: 1, layouts: [old, other] });
  equal(poolOf(world.state).layouts[0]?.drainingSince, world.state.map.epoch);
  equal(recordsOf(world.state).length, 12);

  await rejects(set({ pgCount: 5 }), /being handed over to 8 placement groups: wait/);
  await rejects(set({ geometry: copies(3, 2) }), /being handed over to 8 placement groups: wait/);
  await set({ pgCount: 4 });
  deepEqual(shape(), { turn: 2, layouts: [other, old] }, 'it is turned back');
  await pools.revertPool('.index');
  deepEqual(shape(), { turn: 3, layouts: [old, other] });

  const { map } = world.state;
  const turned = { ...poolOf(world.state), turn: turnMax };
  world.state = { ...world.state, map: { ...map, pools: [turned] } };
  const often = /pool \.index was handed over and turned back 1000000 times/;
  await rejects(pools.revertPool('.index'), often);
  await rejects(set({ pgCount: 4 }), often);

  const changing = new World(begin(copies(2, 1)));
  const both = new PoolCommands(changing);
  await both.setPoolLayout('.index', { geometry: copies(3, 2) });
  await rejects(both.setPoolLayout('.index', { pgCount: 8 }), /is changing in place: wait for it/);
});

test('blobs go to a layout of their own; what is empty changes in place', async () => {
  const world = new World(begin(copies(2, 1)));
  const pools = new PoolCommands(world);
  world.report = { rows: false, objects: 0, bytes: 0 };
  await pools.setPoolLayout('.index', { geometry: copies(3, 2) });
  equal(poolOf(world.state).layouts.length, 1);
  world.report = { rows: false, objects: 3, bytes: 30 };
  await rejects(
    pools.setPoolLayout('.index', { geometry: erasure(2, 1) }),
    /is changing in place: wait for it/,
  );
  await pools.revertPool('.index');
  await pools.setPoolLayout('.index', { geometry: copies(3, 2) });
  deepEqual(
    poolOf(world.state).layouts.map(({ id, geometry, revision }) => ({ id, geometry, revision })),
    [
      { id: 1, geometry: copies(2, 1), revision: 2 },
      { id: 2, geometry: copies(3, 2), revision: 0 },
    ],
  );
});
