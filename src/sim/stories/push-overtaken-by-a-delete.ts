// PROTOCOL rule 24: a push is under way when its blob is deleted. The delete comes first to the member, and what
// comes behind it must not bring the blob back.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function pushOvertakenByADelete(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(12);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  for (let at = 0; at < 12; at++)
    await cluster.settle(
      client.putBlob(layout, blobAt(at), [new Uint8Array(40_000).fill(at)]),
      'a put',
    );
  const lead = stage.leadOf(stage.dataPg);
  const lost = cluster.osds.find((osd) => osd !== lead);
  if (lost === undefined) throw new Error('there are three');
  cluster.killOsd(lost.id);
  await cluster.until('the loss', () => cluster.monitor.map.osds[lost.id]?.up === false, 20_000);
  await cluster.replaceDisk(lost.id);
  await cluster.startOsd(lost.id);
  const missing = () => lost.osd?.memberOf(stage.dataPg)?.disk.missingCount ?? 0;
  await cluster.until('its blobs to be missing', () => missing() === 12, 60_000);
  // What is pushed is read before the delete and sent after it.
  lead.files.slowness = 400;
  for (let at = 0; at < 12; at++) {
    client.deleteBlob(layout, blobAt(at)).catch(() => {});
    await stage.run(20);
  }
  await stage.run(3000);
  lead.files.slowness = 1;
  await cluster.untilClean(200_000);
  await stage.run(5000);
  await stage.compare();
  stage.end();
}
