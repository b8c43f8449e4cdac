// PROTOCOL rule 26, promise P2: bits flip in the rows of a primary's disk, in those of objects, in answers and in
// what is written of blobs. Nobody sees any of it, and all is repaired from the members.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { parseStoreKey } from '../../store/keys.ts';
import { Stage } from '../stage.ts';

export async function rottenPrimary(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(12);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number) => new Uint8Array(30_000).fill(at + 1);
  for (let at = 0; at < 12; at++)
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
  for (let at = 0; at < 12; at++) await stage.set(client, `k${at}=${at}`);
  const victims = new Set([stage.primary, stage.leadOf(stage.dataPg)]);
  for (const victim of victims) {
    cluster.killOsd(victim.id);
    for (const [key, value] of victim.files.rows('meta')) {
      const parsed = parseStoreKey(key);
      const isOurs = parsed?.collection.startsWith('pg/') === true;
      const isRow = parsed?.kind === 'row' && (parsed.key[0] as number) >= 0x20;
      if (isOurs && (parsed.kind === 'object' || isRow))
        victim.files.flipRowBit('meta', key, value.length - 1, 3);
    }
    await cluster.startOsd(victim.id);
    await cluster.untilClean(200_000);
    await stage.makeLead(stage.pg, victim);
    await stage.makeLead(stage.dataPg, victim);
    await cluster.untilServing();
    // Another disk has to be filled by it, and be told of every blob.
    const other = cluster.osds.find(
      (osd) => osd !== victim && osd.osd?.memberOf(stage.dataPg) !== undefined,
    );
    if (other !== undefined) {
      await cluster.settle(cluster.monitor.markOut(other.id), 'taking one out');
      await cluster.untilClean(200_000);
      await cluster.settle(cluster.monitor.markIn(other.id), 'taking it in again');
      await cluster.untilClean(200_000);
    }
    for (let at = 0; at < 12; at++) {
      stage.expect((await stage.set(client, `k${at}`)) === `${at}`, `row k${at} is read`);
      const range = { offsetBytes: 0, lengthBytes: 30_000 };
      const read = await cluster.settle(client.readBlob(layout, blobAt(at), range), 'a read');
      stage.expect(equalBytes(read, bytes(at)), `blob ${at} is read`);
    }
  }
  stage.expect(cluster.logged.has('row repaired'), 'rows were repaired');
  for (let round = 0; round < 2; round++) {
    cluster.monitor.scrub([...cluster.monitor.records.keys()], true);
    await stage.run(10_000);
  }
  await stage.compare();
  stage.end();
}
