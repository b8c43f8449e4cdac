// P2: shards of a member are found bad while the others that they would be computed from are away. They are repaired when
// those are back, without anybody being started again; until then health names them, and no longer.

import { erasure } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function badWhileOthersAreAway(): Promise<void> {
  const stage = new Stage(3, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(8);
  for (let at = 0; at < 8; at++) {
    const blob = { ...blobs, counter: blobs.counter + at };
    const put = client.putBlob(layout, blob, [new Uint8Array(70_000).fill(at)]);
    await cluster.settle(put, `blob ${at}`);
  }
  const pg = stage.dataPg;
  const lead = stage.leadOf(pg);
  const [bad, away] = cluster.osds.filter((osd) => osd !== lead);
  if (bad === undefined || away === undefined) throw new Error('three hold it');
  const damaged = (): number => cluster.monitor.reportOf(pg)?.damaged ?? 0;
  cluster.killOsd(away.id);
  await stage.depose(away);
  // Until it is dropped: the monitor has just begun.
  await stage.run(15_000);
  for (const page of bad.files.writtenPages('block')) bad.files.flipBit('block', page + 7, 3);
  cluster.monitor.scrub([pg], true);
  await cluster.until('the damage to be named', () => damaged() > 0, 20_000);
  await stage.run(3000);
  stage.expect(damaged() > 0, 'there is nothing that it could be repaired from');
  await cluster.startOsd(away.id);
  await cluster.untilClean();
  await cluster.until('it to be repaired', () => damaged() === 0, 20_000);
  await stage.compare();
  stage.end();
}
