// Seed 10000040: a disk had lost what it held of a placement group, which was counted on it still. Leads were evened out
// to it: it neither led nor said that it can't, and the group served nobody any more. Once it said so the lead went to
// another, and came back with the next look.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

/** Less than a primary's patience with who does not answer. */
const steadyMs = 1000;

export async function leadOfWhoLost(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, undefined, 8);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  cluster.killMonitor({ power: false });
  await cluster.startMonitor({ steadyMs });
  // Until the monitor has heard of everybody it moves nothing.
  await stage.run(40_000);
  await cluster.untilClean();
  const { pg, primary: victim } = stage;
  const disk = victim.osd?.memberOf(pg)?.disk;
  if (disk === undefined) throw new Error('who leads is a member');
  await cluster.settle(disk.reset(disk.tenure, disk.head), 'losing what is there');
  cluster.killOsd(victim.id);
  await cluster.startOsd(victim.id);
  await stage.run(1000);
  await cluster.untilClean(60_000);
  stage.expect((await stage.set(client, 'k')) === '1', 'the row is read');
  await stage.compare();
  stage.end();
}
