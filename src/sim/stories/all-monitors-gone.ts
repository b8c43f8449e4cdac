// PROTOCOL rule 13: with every monitor gone, primaries that run go on; one that restarts waits, for its tenure has to be
// established, and serves again when a monitor is back.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function allMonitorsGone(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { pg } = stage;
  const lead = stage.primary;
  cluster.killMonitor({ power: true });
  for (let at = 2; at < 6; at++) {
    await stage.run(8000);
    stage.expect((await stage.set(client, `k=${at}`)) === `${at - 1}`, 'it goes on');
  }
  await stage.restart(lead);
  const read = watched(stage.row(client, 'k'));
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 500) {
    await stage.run(500);
    stage.expect(lead.osd?.primaryOf(pg)?.isServing !== true, 'nobody serves an unknown tenure');
  }
  stage.expect(!read.isDone(), 'nothing was read of it');
  await cluster.startMonitor();
  await cluster.untilServing();
  stage.expect((await stage.set(client, 'k')) === '5', 'what was acknowledged is read');
  await cluster.untilClean();
  stage.end();
}
