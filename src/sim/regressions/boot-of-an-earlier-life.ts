// Seed 200003: an OSD connected over a slow link, said what its disk had made durable, and died. Its next life was up and
// had made more durable when those words came to the monitor, which took the disk for older than it was: it called it
// out of date everywhere, and a placement group fell below its record floor though nothing was lost.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

/** Longer than a whole start over a fast link; five of them, for the greetings and what follows, are a slow start. */
const slowMs = 800;
/** Between two moments of the start at which the first life ends. */
const stepMs = 200;

export async function bootOfAnEarlierLife(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  const [victim] = stage.members as [SimulatedOsd];
  const name = `osd.${victim.id}`;
  for (let livesMs = 0; livesMs < 5 * slowMs; livesMs += stepMs) {
    cluster.killOsd(victim.id);
    cluster.network.slow(name, slowMs);
    await cluster.startOsd(victim.id);
    await stage.run(livesMs);
    cluster.killOsd(victim.id);
    cluster.network.slow(name, 0);
    await cluster.startOsd(victim.id);
    await stage.set(client, `k=${livesMs}`);
    await cluster.untilClean();
    await stage.run(2 * slowMs);
  }
  stage.expect(!cluster.logged.has('disk older than it was'), 'no disk is older than it was');
  stage.expect(cluster.logged.has('boot of an earlier life'), 'the late words came');
  await stage.compare();
  stage.end();
}
