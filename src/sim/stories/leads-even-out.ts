// A disk that was away leads nothing when it is back; once it has stayed for a while the leads are evened out, one
// after the other, and nobody waits for long.

import type { Uuid } from '../../base/ids.ts';
import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function leadsEvenOut(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, undefined, 8);
  const { cluster } = stage;
  const client = await stage.start();
  const ledBy = (uuid: Uuid): number =>
    [...cluster.monitor.records.values()].filter(({ primary }) => primary === uuid).length;
  const victim = stage.primary;
  cluster.killOsd(victim.id);
  await cluster.until('others to lead', () => ledBy(victim.uuid) === 0, 60_000);
  await cluster.startOsd(victim.id);
  await cluster.untilClean(200_000);
  await stage.run(30_000);
  stage.expect(ledBy(victim.uuid) === 0, 'it has to stay for a while first');
  let longestMs = 0;
  for (let at = 0; at < 600; at++) {
    const began = cluster.scheduler.now();
    await stage.set(client, `k${at % 20}=${at}`);
    longestMs = Math.max(longestMs, cluster.scheduler.now() - began);
    await stage.run(100);
  }
  const counts = cluster.osds.map(({ uuid }) => ledBy(uuid));
  stage.expect(Math.max(...counts) - Math.min(...counts) <= 1, `they lead alike: ${counts}`);
  stage.expect(longestMs < 1000, `nobody waits for long: ${longestMs.toFixed(0)} ms`);
  // An end: nothing moves any more.
  const { records } = cluster.monitor;
  await stage.run(20_000);
  stage.expect(cluster.monitor.records === records, 'nothing moves when they lead alike');
  stage.end();
}
