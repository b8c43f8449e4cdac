// A disk that came back older than anybody noticed leads, and its log is behind what its members still have in
// theirs: in-sync members never roll back, so the primaryship moves, and the disk is filled again.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

/** More than a log keeps. */
const writes = 2300;

export async function logTooOldToLead(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const old = stage.primary;
  const yesterday = old.files.copy();
  for (let at = 1; at <= writes; ) {
    const batch: Promise<string>[] = [];
    for (; batch.length < 50 && at <= writes; at++)
      batch.push(stage.row(client, `k${at % 7}=${at}`));
    await cluster.settle(Promise.all(batch), 'writes');
  }
  await stage.set(client, 'k=1');
  stage.expect(stage.primary === old, 'it led all the time');
  // The monitor forgets how far the disk was: it makes that durable once a minute.
  for (const osd of cluster.osds) cluster.killOsd(osd.id);
  cluster.killMonitor({ power: true });
  await cluster.startMonitor();
  old.files = yesterday;
  for (const osd of cluster.osds) await cluster.startOsd(osd.id);
  await cluster.untilClean(200_000);
  stage.expect(cluster.logged.has('log too old to lead'), 'it said that it can not lead');
  stage.expect((await stage.set(client, 'k')) === '1', 'the last value is read');
  await stage.compare();
}
