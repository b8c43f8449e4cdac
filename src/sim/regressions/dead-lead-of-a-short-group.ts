// P2: a group below its write floor let one go that holds everything, and then lost the disk that led it, which has another
// in its place. Who is left in-sync are too few, and with the one aside enough: the group goes on with both.

import { erasure } from '../../map/geometry.ts';
import { slotsIn } from '../../map/pg-record.ts';
import { Stage } from '../stage.ts';

export async function deadLeadOfAShortGroup(): Promise<void> {
  const stage = new Stage(4, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  const kept = await stage.keepBlob(await stage.start());
  const pg = stage.dataPg;
  const lead = stage.leadOf(pg);
  const [aside] = stage.othersOf(pg);
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
  await kept.check();
  stage.end();
}
