// Convergence, rule 20. Two disks hold a put, enough to read it, and the third is to be given its shard when one of
// them dies. Who is left can't make that shard, and must judge the put anew instead of waiting for the dead.

import { copies, erasure } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function judgeLostHalfWay(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const lead = stage.leadOf(pg);
  const [deaf, holder] = cluster.osds.filter((osd) => osd !== lead) as [SimulatedOsd, SimulatedOsd];
  cluster.network.cut(`osd.${lead.id}`, `osd.${deaf.id}`);
  const blob = await client.allocateBlobs(1);
  client.putBlob(layout, blob, [new Uint8Array(50_000).fill(7)]).catch(() => {});
  await stage.run(200);
  cluster.network.reset(`osd.${lead.id}`, `osd.${deaf.id}`);
  cluster.network.heal();
  await stage.restart(lead);
  holder.files.fault = ({ kind }) => (kind === 'block-read' ? 'hang' : undefined);
  const primary = () => lead.osd?.primaryOf(pg);
  const isCollected = (): boolean =>
    [...(primary()?.links.values() ?? [])].filter((link) => link.collected !== undefined).length ===
    2;
  await cluster.until('the logs', isCollected, 20_000);
  await stage.run(300);
  stage.expect(primary()?.isServing !== true, 'it waits for the member');
  cluster.killOsd(holder.id);
  await cluster.until(
    'those that are left to serve',
    () => stage.leadOf(pg).osd?.primaryOf(pg)?.isServing === true,
    30_000,
  );
  await cluster.startOsd(holder.id);
  await cluster.untilClean(200_000);
  await stage.compare();
  stage.end();
}
