// P2: a group below its write floor let one go that holds everything, and then lost the disk that led it, which has another
// in its place. Who is left in-sync are too few, and with the one aside enough: the group goes on with both.

import { erasure } from '../../map/geometry.ts';
import { slotsIn } from '../../map/pg-record.ts';
import { Stage } from '../stage.ts';

export async function deadLeadOfAShortGroup(): Promise<void> {
  const stage = new Stage(4, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(5000).fill(3);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  const pg = stage.dataPg;
  const lead = stage.leadOf(pg);
  const [aside] = (cluster.monitor.records.get(pg)?.slots ?? []).flatMap(({ uuid }) => {
    const osd = cluster.osdOf(uuid);
    return osd === undefined || osd === lead ? [] : [osd];
  });
  if (aside === undefined) throw new Error('three hold it');
  cluster.killOsd(aside.id);
  await stage.depose(aside);
  const isAside = (): boolean => {
    const record = cluster.monitor.records.get(pg);
    return record !== undefined && slotsIn(record, 'eligible').length === 1;
  };
  await cluster.until('one to be aside', isAside, 20_000);
  cluster.killOsd(lead.id, { power: true });
  await stage.depose(lead);
  await cluster.replaceDisk(lead.id);
  await cluster.startOsd(lead.id);
  await cluster.startOsd(aside.id);
  await cluster.untilClean(200_000);
  const range = { offsetBytes: 0, lengthBytes: bytes.length };
  const read = await cluster.settle(client.readBlob(layout, blob, range), 'a read');
  stage.expect(read[0] === 3 && read.length === bytes.length, 'it is there');
  stage.end();
}
