// PROTOCOL rule 16: what leaves a record is kept. Its group comes back to the disk and finds its shards there,
// less what was deleted meanwhile; and what stays away goes when it is told to.

import { copies, erasure } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function trashComesBack(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(20);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  for (let at = 0; at < 20; at++)
    await cluster.settle(
      client.putBlob(layout, blobAt(at), [new Uint8Array(30_000).fill(at)]),
      'a put',
    );
  const slots = cluster.monitor.records.get(stage.dataPg)?.slots ?? [];
  const left = slots.find(({ uuid }) => uuid !== stage.leadOf(stage.dataPg).uuid);
  const osd = cluster.osdOf(left?.uuid);
  if (osd === undefined) throw new Error('the group has a member');
  await cluster.settle(cluster.monitor.markOut(osd.id), 'taking it out');
  await cluster.untilClean(200_000);
  await stage.run(2000);
  stage.expect(cluster.logged.has('placement group in the trash'), 'it is kept');
  stage.expect(osd.osd?.memberOf(stage.dataPg) === undefined, 'nobody uses it');
  for (let at = 0; at < 10; at++)
    await cluster.settle(client.deleteBlob(layout, blobAt(at)), 'a delete');
  // Also over a restart.
  await stage.restart(osd);
  await cluster.untilClean(200_000);
  const pushed = cluster.logged.get('blob pushed') ?? 0;
  const away = cluster.osds.find(
    (each) => each !== osd && slots.every(({ uuid }) => uuid !== each.uuid),
  );
  if (away === undefined) throw new Error('another disk took its place');
  await cluster.settle(cluster.monitor.markIn(osd.id), 'taking it in');
  await cluster.settle(cluster.monitor.markOut(away.id), 'taking the other out');
  await cluster.untilClean(200_000);
  await stage.run(2000);
  stage.expect(cluster.logged.has('placement group out of the trash'), 'it was found');
  stage.expect(
    (cluster.logged.get('blob pushed') ?? 0) === pushed,
    'no shard had to be made again',
  );
  await stage.compare();
  const before = away.osd?.store.usage().usedBytes ?? 0;
  await cluster.settle(away.osd?.emptyTrash() ?? Promise.resolve(), 'emptying the trash');
  await stage.run(1000);
  stage.expect((away.osd?.store.usage().usedBytes ?? 0) < before, 'its space is free again');
  stage.end();
}
