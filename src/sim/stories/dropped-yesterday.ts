// PROTOCOL rule 16: who was dropped stays on the record, with what it has, until the group is whole without it. One
// disk of three goes away and another takes its place; that one can't be filled, because a third has rotten shards.
// What the first has makes every blob readable again when it comes back.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { type PgRecord, slotOf } from '../../map/pg-record.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function droppedYesterday(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const blobs = await client.allocateBlobs(6);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number): Uint8Array => new Uint8Array(60_000 + at).fill(at + 1);
  for (let at = 0; at < 6; at++)
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
  const record = (): PgRecord => cluster.monitor.records.get(pg) as PgRecord;
  const [dropped, rotten] = record()
    .slots.filter(({ uuid }) => uuid !== record().primary)
    .map(({ uuid }) => cluster.osdOf(uuid)) as [SimulatedOsd, SimulatedOsd];
  cluster.killOsd(dropped.id);
  for (const page of rotten.files.writtenPages('block')) rotten.files.flipBit('block', page, 1);
  await cluster.settle(cluster.monitor.markOut(dropped.id), 'taking it out');
  await stage.run(60_000);
  stage.expect(!cluster.isClean(), 'who takes its place can not be filled');
  stage.expect(slotOf(record(), dropped.uuid) !== undefined, 'it is still on the record');
  await cluster.startOsd(dropped.id);
  await cluster.untilClean(200_000);
  for (let at = 0; at < 6; at++) {
    const range = { offsetBytes: 0, lengthBytes: bytes(at).length };
    const read = await cluster.settle(client.readBlob(layout, blobAt(at), range), 'a read');
    stage.expect(equalBytes(read, bytes(at)), `blob ${at} is what was written`);
  }
  // What nobody happened to read is found by a scrub.
  cluster.monitor.scrub([pg], true);
  await stage.run(20_000);
  await stage.compare();
  stage.end();
}
