// What a person writes into the map store by hand, however wrong: the monitor refuses it with the reason, or the placement
// group stops; no daemon ends by it, what it says nothing of is served, and once it is taken back all is well.

import { deepEqual, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Layout } from '../map/cluster-map.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { PgRecord, Slot } from '../map/pg-record.ts';
import type { MonState } from '../mon/state.ts';
import { editMapStore } from './map-store-edit.ts';
import { Stage } from './stage.ts';

const stranger = 'f'.repeat(32) as Uuid;

const wrongRecords: Readonly<Record<string, (record: PgRecord) => PgRecord>> = {
  'nobody holds it': (record) => ({ ...record, slots: [], primary: undefined }),
  'a stranger leads it': (record) => ({ ...record, primary: stranger }),
  'a disk has two slots': (record) => ({
    ...record,
    slots: [...record.slots, record.slots[0] as Slot],
  }),
  'a shard of no such index': (record) => ({
    ...record,
    slots: record.slots.map((slot, at) => (at === 0 ? { ...slot, index: 9 } : slot)),
  }),
  'a target too many': (record) => ({ ...record, target: [...record.target, 0 as OsdId] }),
  'a target that is no OSD': (record) => ({ ...record, target: [77, 78, 79] as OsdId[] }),
  'a slot of no OSD': (record) => ({
    ...record,
    slots: record.slots.map((slot, at) =>
      at === 0 ? { ...slot, osd: 77 as OsdId, uuid: stranger } : slot,
    ),
  }),
  'nobody leads it': (record) => ({ ...record, primary: undefined }),
  'all of it joins': (record) => ({
    ...record,
    slots: record.slots.map((slot) => ({ ...slot, state: 'joining' as const })),
  }),
  'a version of long ago': (record) => ({ ...record, version: 1 }),
  'a version and a tenure of the far future': (record) => ({
    ...record,
    version: record.version + 1_000_000,
    tenure: record.tenure + 1_000_000,
  }),
  'its group is one of none': (record) => ({ ...record, pg: '1.1.7' as PgId }),
};

const wrongLayouts: Readonly<Record<string, Partial<Layout>>> = {
  'another geometry': { geometry: erasure(2, 1) },
  'fewer copies': { geometry: copies(2, 1) },
  'more copies than disks': { geometry: copies(5, 3) },
  'no parity': { geometry: { ...erasure(2, 1), m: 0 } as never },
  'another failure domain': { rule: { failureDomain: 'osd', deviceClass: undefined } },
  'a device class that nobody has': { rule: { failureDomain: 'host', deviceClass: 'ssd' } },
  'more groups': { pgCount: 9 },
  'no groups': { pgCount: 0 },
};

function withRecord(state: MonState, pg: PgId, edit: (record: PgRecord) => PgRecord): MonState {
  const records = new Map(state.records);
  const before = records.get(pg) as PgRecord;
  const after = edit(before);
  records.delete(pg);
  return { ...state, records: records.set(after.pg, after) };
}

function withLayout(state: MonState, edit: Partial<Layout>): MonState {
  const pools = state.map.pools.map((pool) => ({
    ...pool,
    layouts: pool.layouts.map((layout) => ({ ...layout, ...edit })),
  }));
  return { ...state, map: { ...state.map, epoch: (state.map.epoch + 1) as Epoch, pools } };
}

async function play(edit: (state: MonState, pg: PgId) => MonState): Promise<string> {
  const stage = new Stage(3, copies(3, 2), false, undefined, 4);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  // Not the one that holds the row: that one is to be served.
  const held = [...cluster.monitor.records.keys()].filter((pg) =>
    cluster.osds.some(({ osd }) => (osd?.memberOf(pg)?.disk.head.sequence ?? 0) > 1),
  );
  const pg = [...cluster.monitor.records.keys()].find((each) => !held.includes(each)) as PgId;
  const good = cluster.copyMapStore();
  await editMapStore(cluster, (state) => edit(state, pg));
  let refusal = '';
  await cluster.startMonitor().catch((error: unknown) => {
    refusal = String(error);
  });
  await stage.run(20_000);
  deepEqual(cluster.failures, []);
  ok(cluster.osds.every(({ process }) => process?.isAlive === true));
  await stage.set(client, 'k=2');

  if (cluster.hasMonitor) cluster.killMonitor({ power: false });
  cluster.putMapStore(good);
  await cluster.startMonitor();
  await cluster.untilClean(120_000);
  match(await stage.set(client, 'k'), /^2$/);
  await stage.compare();
  deepEqual(cluster.failures, []);
  return refusal;
}

for (const [what, edit] of Object.entries(wrongRecords))
  test(`a record edited by hand, ${what}, ends no daemon`, async (t) => {
    t.diagnostic(await play((state, pg) => withRecord(state, pg, edit)));
  });

for (const [what, edit] of Object.entries(wrongLayouts))
  test(`a layout edited by hand, ${what}, ends no daemon`, async (t) => {
    t.diagnostic(await play((state) => withLayout(state, edit)));
  });
