// PROTOCOL rule 15: in-sync never falls below what is needed to read. Of three shards two go away: the last holders
// stay on the record though they are down, nobody serves, and one that comes back brings everything back.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { slotsIn } from '../../map/pg-record.ts';
import { Stage, watched } from '../stage.ts';

export async function lastHoldersStay(): Promise<void> {
  for (const staying of [0, 1, 2]) {
    const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
    const { cluster } = stage;
    const client = await stage.start();
    const layout = client.activeLayout('data');
    const pg = stage.dataPg;
    const blob = await client.allocateBlobs(1);
    const bytes = new Uint8Array(50_000).fill(9);
    await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
    const gone = cluster.osds.filter(({ id }) => id !== staying);
    for (const { id } of gone) {
      cluster.killOsd(id);
      await stage.run(12_000);
    }
    const record = cluster.monitor.records.get(pg);
    const holders = record === undefined ? 0 : slotsIn(record, 'in-sync').length;
    stage.expect(holders >= 2, `${holders} of the two shards that a read needs are in-sync`);
    const range = { offsetBytes: 0, lengthBytes: bytes.length };
    const read = watched(client.readBlob(layout, blob, range));
    await stage.run(5000);
    stage.expect(!read.isDone(), 'one shard of two is read');
    for (const { id } of gone) await cluster.startOsd(id);
    await cluster.untilClean(200_000);
    const after = await cluster.settle(client.readBlob(layout, blob, range), 'the read');
    stage.expect(equalBytes(after, bytes), 'it is what was written');
    stage.end();
  }
}
