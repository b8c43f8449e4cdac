// A primaryship that moves because somebody asked for it costs no lease: the old primary says that it has ended,
// and its members need not wait until what they promised runs out.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function plannedHandOver(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), true);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const old = stage.primary;
  await cluster.settle(cluster.monitor.markOut(old.id), 'taking the primary out');
  let longestMs = 0;
  const now = () => cluster.scheduler.now();
  const deadline = now() + 60_000;
  for (let at = 1; (stage.primary === old || at < 40) && now() < deadline; at++) {
    const began = now();
    await stage.set(client, `k=${at}`);
    longestMs = Math.max(longestMs, now() - began);
    await stage.run(20);
  }
  stage.expect(stage.primary !== old, 'another leads');
  stage.expect(longestMs < 1000, `nobody waits for long: ${longestMs.toFixed(0)} ms`);
  stage.end();
}
