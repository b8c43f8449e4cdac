// PROTOCOL rules 2, 3 and 14: a write reaches the primary's disk alone. Its members leave before they have it, so
// that the request, asked again, finds its answer on that disk; but nothing is acknowledged below the write floor,
// old answers neither. Then that disk is lost for good: those that left hold all that was acknowledged, and lead.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function answeredBelowTheFloor(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const lead = stage.primary;
  const { members } = stage;
  for (const { id } of members) cluster.network.cut(`osd.${lead.id}`, `osd.${id}`);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(50);
  for (const { id } of members) cluster.killOsd(id);
  await cluster.until('the members to be dropped', () => stage.members.length === 0, 20_000);
  // Longer than a client asks again.
  await stage.run(16_000);
  stage.expect(!write.isDone(), 'a write was acknowledged that one disk has');
  stage.expect(write.isRefused(), 'its client was told that it can not be done');
  stage.expect((await stage.set(client, 'k')) === '2', 'it is in the log, and can be read');

  cluster.network.heal();
  cluster.killOsd(lead.id);
  const isDown = () => cluster.monitor.map.osds[lead.id]?.up === false;
  await cluster.until('the loss', isDown, 20_000);
  for (const { id } of members) await cluster.startOsd(id);
  await stage.run(3000);
  stage.expect(!cluster.isServing(), 'who left below the floor waits for who stayed');
  const nothing = (losses: readonly string[]): void => {
    const isKept = losses.every((loss) => loss.includes('keep everything'));
    stage.expect(isKept, `nothing acknowledged is lost: ${losses.join('\n')}`);
  };
  const destroyed = cluster.monitor.losses.destroyOsds(new Set([lead.id]), nothing);
  await cluster.settle(destroyed, 'giving the disk up');
  await cluster.untilServing();
  stage.expect((await stage.set(client, 'k')) === '1', 'what was acknowledged is read');
  await stage.set(client, 'k=3');
  stage.end();
}
