// PROTOCOL rule 3, of blobs: one that only its primary has is not read. It would be gone for who asks again when the
// member takes over.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage, watched } from '../stage.ts';

export async function blobOfTheUncommitted(): Promise<void> {
  const stage = new Stage(2, copies(2, 1), false, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const lead = stage.leadOf(stage.dataPg);
  const member = cluster.osds.find((osd) => osd !== lead) as SimulatedOsd;
  const blob = await client.allocateBlobs(1);
  const other = await cluster.client();
  cluster.network.cut(`osd.${lead.id}`, `osd.${member.id}`);
  const put = watched(client.putBlob(layout, blob, [new Uint8Array(20_000).fill(1)]));
  await stage.run(200);
  const read = watched(other.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: 20_000 }));
  await stage.run(1000);
  stage.expect(!put.isDone(), 'a put was acknowledged that its member has not');
  stage.expect(!read.isDone(), 'a blob was read that only its primary has');
  cluster.network.heal();
  await cluster.until('both to end', () => put.isDone() && read.isDone(), 20_000);
  stage.end();
}
