// What a person writes into the map store by hand, however wrong: the monitor refuses it with the reason, or the placement
// group stops; no daemon ends by it, what it says nothing of is served, and once it is taken back all is well.

import { deepEqual, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { PgId } from '../base/ids.ts';
import { copies } from '../map/geometry.ts';
import type { PgRecord } from '../map/pg-record.ts';
import type { MonState } from '../mon/state.ts';
import {
  editMapStore,
  withLayouts,
  withRecord,
  wrongLayouts,
  wrongRecords,
} from './map-store-edit.ts';
import { Stage } from './stage.ts';

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
    t.diagnostic(await play((state) => ({ ...state, map: withLayouts(state.map, () => edit) })));
  });

test('a record edited by hand reaches nobody as the answer to a proposal', async () => {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { pg } = stage;
  const { slots, primary } = cluster.monitor.records.get(pg) as PgRecord;
  const [edited, killed] = slots.filter(({ uuid }) => uuid !== primary);
  ok(edited !== undefined && killed !== undefined);
  const indexed = (index: number) => (state: MonState) =>
    withRecord(state, pg, (record) => ({
      ...record,
      version: record.version + 1,
      slots: record.slots.map((slot) => (slot.uuid === edited.uuid ? { ...slot, index } : slot)),
    }));
  await editMapStore(cluster, indexed(99));
  await cluster.startMonitor();
  cluster.killOsd(killed.osd);
  await stage.run(15_000);
  const known = cluster.osds.flatMap(({ osd }) => osd?.memberOf(pg)?.record.slots ?? []);
  ok(known.length > 0);
  deepEqual(
    known.filter(({ index }) => index > 2),
    [],
  );

  await editMapStore(cluster, indexed(edited.index));
  await cluster.startMonitor();
  await cluster.startOsd(killed.osd);
  match(await stage.set(client, 'k'), /^1$/);
  await cluster.untilClean(120_000);
  deepEqual(cluster.failures, []);
});
