// PROTOCOL rule 14: after a power cut the first that boots must not become the sole survivor of a group that has
// lost nothing: nobody is dropped below the floor who is only slower, and nothing is acknowledged meanwhile.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function firstToBoot(): Promise<void> {
  for (const first of [0, 1, 2]) {
    const stage = new Stage(3, copies(3, 2));
    const { cluster } = stage;
    const client = await stage.start();
    await stage.set(client, 'k=1');
    for (const osd of cluster.osds) cluster.killOsd(osd.id, { power: true });
    cluster.killMonitor({ power: true });
    await cluster.startMonitor();
    await cluster.startOsd(first);
    const write = watched(stage.row(client, 'k=2'));
    await stage.run(20_000);
    stage.expect(!write.isDone(), 'one of three acknowledges nothing');
    // It is lost before the others are there: they hold everything that was acknowledged.
    cluster.killOsd(first);
    for (const osd of cluster.osds) if (osd.id !== first) await cluster.startOsd(osd.id);
    await cluster.until('the others to serve', () => cluster.isServing(), 60_000);
    stage.expect((await stage.set(client, 'k')) === '1', 'what was acknowledged is read');
    await cluster.startOsd(first);
    await cluster.untilClean(200_000);
    stage.end();
  }
}
