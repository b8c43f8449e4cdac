// Load is not death (promise P7): an OSD is started anew, at another address, while no monitor is there. When one comes,
// its peers tell of the refusals that they met, by the map that still has the life before; the OSD was called down for
// them some seconds after it had been called up, though everybody had reached it by then.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function reportsOfAnEarlierLife(): Promise<void> {
  const stage = new Stage(5, copies(3, 2), false, undefined, 12);
  const { cluster } = stage;
  await stage.set(await stage.start(), 'k=1');
  await stage.run(10_000);
  const osd = cluster.osds[2] as SimulatedOsd;
  // Until the last has told what it knows, those that have booted are not called up.
  cluster.network.slow('osd.4', 600);
  cluster.killMonitor({ power: false });
  cluster.killOsd(osd.id);
  await stage.run(2000);
  await cluster.startOsd(osd.id);
  await cluster.startMonitor();
  await stage.run(20_000);
  cluster.network.slow('osd.4', 0);
  stage.expect(!cluster.logged.has('osd down'), 'nobody is called down');
  await cluster.untilClean();
  stage.end();
}
