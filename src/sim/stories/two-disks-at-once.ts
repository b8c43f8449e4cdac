// Promise P1, as it is stated: once a placement group is clean, what it holds survives the loss of any m disks, and once
// they are rebuilt, of any m again. Two of five are lost at once, with shards of data and of parity; when all is clean,
// two others are. What is left then is read from the shards that were rebuilt.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function twoDisksAtOnce(): Promise<void> {
  const stage = new Stage(5, copies(3, 2), false, erasure(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(5);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number): Uint8Array =>
    Uint8Array.from({ length: 50_000 + at }, (_, each) => (each * 31 + at) % 251);
  for (let at = 0; at < 5; at++)
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
  const ofShard = (index: number): SimulatedOsd => {
    const slots = cluster.monitor.records.get(stage.dataPg)?.slots ?? [];
    return cluster.osdOf(slots.find((slot) => slot.index === index)?.uuid) as SimulatedOsd;
  };
  const lose = async (lost: readonly SimulatedOsd[]): Promise<void> => {
    for (const { id } of lost) cluster.killOsd(id);
    await cluster.until(
      'both to be called down',
      () => lost.every(({ id }) => cluster.monitor.map.osds[id]?.up === false),
      30_000,
    );
    for (const { id } of lost) await cluster.replaceDisk(id);
    for (const { id } of lost) await cluster.startOsd(id);
    await cluster.untilClean();
    for (let at = 0; at < 5; at++) {
      const range = { offsetBytes: 0, lengthBytes: bytes(at).length };
      const read = await cluster.settle(client.readBlob(layout, blobAt(at), range), 'a read');
      stage.expect(equalBytes(read, bytes(at)), `blob ${at} is what was written`);
    }
    stage.expect((await stage.set(client, 'k')) === '1', 'the row is what was written');
  };
  await lose([ofShard(0), ofShard(4)]);
  await lose([ofShard(1), ofShard(2)]);
  await stage.compare();
  stage.end();
}
