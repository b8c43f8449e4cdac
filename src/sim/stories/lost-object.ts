// Promise P5: of one object too few shards are left. It is named, and the rest of its group is rebuilt all the same;
// once it is deleted nothing of it is left anywhere.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { parseStoreKey } from '../../store/keys.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

const blobBytes = 30_000;
const lost = 4;

export async function lostObject(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(10);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number) => new Uint8Array(blobBytes).fill(at + 1);
  for (let at = 0; at < 10; at++)
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
  const pg = stage.dataPg;
  const replaced = cluster.osds.find((osd) => osd !== stage.leadOf(pg)) as SimulatedOsd;
  const other = cluster.osds.find(
    (osd) => osd !== stage.leadOf(pg) && osd !== replaced,
  ) as SimulatedOsd;

  // A disk is gone, and of one object what another holds rots.
  cluster.killOsd(replaced.id);
  cluster.killOsd(other.id);
  const rows = other.files.rows('meta').filter(([key]) => {
    const parsed = parseStoreKey(key);
    return parsed?.kind === 'object' && parsed.collection === `pg/${pg}`;
  });
  stage.expect(rows.length === 10, 'an object has a row');
  const [key, value] = rows[lost] as (typeof rows)[number];
  other.files.flipRowBit('meta', key, value.length - 1, 3);
  await cluster.until(
    'both to be down',
    () => [replaced, other].every(({ id }) => cluster.monitor.map.osds[id]?.up === false),
    30_000,
  );
  await cluster.replaceDisk(replaced.id);
  await cluster.startOsd(other.id);
  await cluster.startOsd(replaced.id);
  await cluster.untilClean(60_000);
  const range = { offsetBytes: 0, lengthBytes: blobBytes };
  const isReadable = (at: number): Promise<boolean> =>
    cluster.settle(
      client.readBlob(layout, blobAt(at), range).then(
        (read) => equalBytes(read, bytes(at)),
        () => false,
      ),
      'a read',
      60_000,
    );
  await stage.run(2000);
  stage.expect((cluster.monitor.reportOf(pg)?.damaged ?? 0) > 0, 'health names the damage');
  for (const away of [other, replaced]) {
    cluster.killOsd(away.id);
    await cluster.until('it to be down', () => !cluster.monitor.map.osds[away.id]?.up, 30_000);
    for (let at = 0; at < 10; at++)
      stage.expect(
        (await isReadable(at)) === (at !== lost),
        `blob ${at} is ${at === lost ? 'not ' : ''}read without osd.${away.id}`,
      );
    await cluster.startOsd(away.id);
    await cluster.untilClean(60_000);
  }
  await cluster.settle(client.deleteBlob(layout, blobAt(lost)), 'the delete');
  cluster.monitor.scrub([pg], true);
  await stage.run(10_000);
  stage.expect(cluster.monitor.reportOf(pg)?.damaged === 0, 'nothing is damaged any more');
  await stage.compare();
  stage.end();
}
