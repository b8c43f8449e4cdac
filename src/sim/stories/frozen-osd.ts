// DESIGN section 9: one of five OSDs is frozen (SIGSTOP, a machine that swaps, a virtual machine that is paused).
// Nothing refuses a connection, no connection ends; only silence tells. Every placement group serves again while
// it is frozen, whoever among its peers was the first to tell.

import { copies, erasure } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

/** Silence is told after 6 seconds and at most two ticks; then an election, a lease, a takeover. It takes 6 to 7. */
const servesWithinMs = 12_000;
const frozenMs = 60_000;

export async function frozenOsd(): Promise<void> {
  for (let victim = 0; victim < 5; victim++)
    await freeze(new Stage(5, copies(3, 2), true, erasure(3, 2), 8), victim);
  // Of two, only one is left to tell, in one failure domain.
  for (let victim = 0; victim < 2; victim++)
    await freeze(new Stage(2, copies(2, 1), true, undefined, 4), victim);
}

async function freeze(stage: Stage, victim: number): Promise<void> {
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const osd = cluster.osds[victim] as SimulatedOsd;
  // Peers do not all ask at the same moment.
  await stage.run(137 * victim);
  const frozenAt = cluster.scheduler.now();
  osd.process?.pause();
  const isDown = (): boolean => cluster.monitor.map.osds[victim]?.up === false;
  await cluster.until('the silence to be told', isDown, servesWithinMs);
  await cluster.untilServing(frozenAt + servesWithinMs - cluster.scheduler.now());
  while (cluster.scheduler.now() < frozenAt + frozenMs) {
    await stage.run(1000);
    stage.expect(cluster.isServing(), 'it goes on serving');
  }
  stage.expect((await stage.set(client, 'k=2')) === '1', 'the value before was read');
  osd.process?.resume();
  await cluster.untilClean(200_000);
  stage.expect((await stage.set(client, 'k')) === '2', 'the last value is read');
  stage.end();
}
