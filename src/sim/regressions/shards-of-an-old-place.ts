// Promise P1: a disk left a placement group and came back in another place of it; its shards of the old place
// passed for those of the new one.

import { copies, erasure } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function shardsOfAnOldPlace(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(10);
  for (let at = 0; at < 10; at++)
    await cluster.settle(
      client.putBlob(layout, { ...blobs, counter: blobs.counter + at }, [
        new Uint8Array(30_000).fill(at),
      ]),
      'a put',
    );
  const slots = cluster.monitor.records.get(stage.dataPg)?.slots ?? [];
  const lead = stage.leadOf(stage.dataPg).uuid;
  const [first, second] = slots
    .filter(({ uuid }) => uuid !== lead)
    .map(({ uuid }) => cluster.osdOf(uuid));
  if (first === undefined || second === undefined) throw new Error('there are two members');
  await cluster.settle(cluster.monitor.markOut(first.id), 'taking one out');
  await cluster.untilClean(200_000);
  await stage.run(2000);
  await cluster.settle(cluster.monitor.markIn(first.id), 'taking it in');
  await cluster.settle(cluster.monitor.markOut(second.id), 'taking the other out');
  await cluster.untilClean(200_000);
  const before = slots.find(({ uuid }) => uuid === first.uuid)?.index;
  const after = cluster.monitor.records
    .get(stage.dataPg)
    ?.slots.find(({ uuid }) => uuid === first.uuid)?.index;
  stage.expect(after !== undefined && after !== before, 'it is back in another place');
  await stage.compare();
  stage.end();
}
