// P2: a disk died in a power cut that the monitor's connection to it did not hear of, and has another in its place. The
// monitor took that connection for a sign of life of the dead one, and would not let its groups go on without it.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function heardInADeadDisksName(): Promise<void> {
  const stage = new Stage(3, copies(2, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const lost = stage.members[0] as SimulatedOsd;
  const lead = stage.primary;
  stage.part(`osd.${lost.id}`, ['mon']);
  cluster.killOsd(lost.id, { power: true });
  // Who would drop it is away until the other disk is there.
  cluster.killOsd(lead.id);
  await stage.depose(lost);
  await cluster.replaceDisk(lost.id);
  cluster.network.heal();
  await cluster.startOsd(lost.id);
  await stage.run(2000);
  await cluster.startOsd(lead.id);
  await stage.set(client, 'k=1');
  await cluster.untilClean(200_000);
  stage.end();
}
