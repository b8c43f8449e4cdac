// PROTOCOL rule 23: logs meet where an equal pair of tenure and sequence stands in both, and not where a sequence does.
// A primary that was cut off has ordered an entry that nobody has; the next has used its sequence for another. What the
// first has there is not what the others have, and must go.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function sameSequence(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const writer = await cluster.clientProcess();
  await stage.set(writer.client, 'k');
  const old = stage.cutOff();
  stage.row(writer.client, 'k=2').catch(() => {});
  await stage.run(100);
  writer.process.kill();
  await stage.depose(old);
  await cluster.until('another primary', () => stage.primary !== old, 20_000);
  await stage.run(5000);
  await stage.set(client, 'k=3');
  const headOf = (osd: typeof old) => osd.osd?.memberOf(stage.pg)?.disk.head;
  const [first, second] = [headOf(old), headOf(stage.primary)];
  stage.expect(first?.sequence === second?.sequence, 'both logs end at the same sequence');
  stage.expect(first?.tenure !== second?.tenure, 'by different entries');
  cluster.network.heal();
  await cluster.untilClean();
  await stage.compare();
  await stage.makeLead(stage.pg, old);
  await cluster.untilServing();
  stage.expect((await stage.set(client, 'k')) === '3', 'what was acknowledged is read');
  stage.end();
}
