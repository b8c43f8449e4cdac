// What a person writes into the map store by hand, however wrong: the monitor refuses it with the reason, or the placement
// group stops; no daemon ends by it, what it says nothing of is served, and once it is taken back all is well.

import { deepEqual, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { PgId } from '../base/ids.ts';
import { copies } from '../map/geometry.ts';
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
