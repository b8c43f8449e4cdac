// PROTOCOL rule 10: nobody is proposed for promotion before its promise is valid. What that guards against can't be
// seen from outside, because whoever is being promoted counts among those whose promises a primary needs to serve: a
// promotion without promise only makes the group stand still. So the moment itself is looked at.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function promotedOnItsPromise(): Promise<void> {
  // Promises are asked for twice a second: somewhere between two rounds.
  for (let afterMs = 0; afterMs < 450; afterMs += 60) await play(afterMs);
}

async function play(afterMs: number): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const lead = stage.primary;
  const [member] = stage.members as [SimulatedOsd];
  cluster.killOsd(member.id);
  await cluster.until('it to be dropped', () => stage.members.length === 0, 20_000);
  await stage.set(client, 'k=1');
  await stage.run(afterMs);
  await cluster.startOsd(member.id);
  await cluster.until('it to be promoted', () => stage.members.length === 1, 20_000);
  const promisedUntil = lead.osd?.primaryOf(stage.pg)?.links.get(member.uuid)?.promisedUntil ?? 0;
  stage.expect(promisedUntil > cluster.scheduler.now(), 'promoted before it had promised');
  await cluster.untilClean();
  stage.end();
}
