// Seed 10301217: a pool was removed, and its trash emptied. A disk that keeps what is left over of it lost some of that, and
// called the group one that it must not lead, in health, though there is nothing to lead any more.

import { erasure } from '../../map/geometry.ts';
import { checksOf } from '../end-health.ts';
import { Stage } from '../stage.ts';

export async function lostOfARemovedPool(): Promise<void> {
  const stage = new Stage(3, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  await stage.keepBlob(await stage.start());
  const pg = stage.dataPg;
  const holder = stage.leadOf(pg);
  await cluster.settle(cluster.monitor.setSetting('pool_trash_hours', 0), 'keeping nothing');
  const removal = cluster.monitor.pools.removePool('data', () => {});
  await cluster.settle(removal, 'removing the pool');
  const isGone = (): boolean => !cluster.monitor.map.pools.some(({ name }) => name === 'data');
  await cluster.until('the trash to be emptied', isGone, 20_000);
  await stage.run(1000);
  const disk = holder.osd?.memberOf(pg)?.disk;
  if (disk === undefined) throw new Error('what is left over is kept for a day');
  await cluster.settle(disk.reset(disk.tenure, disk.head), 'losing what is there');
  cluster.killOsd(holder.id);
  await cluster.startOsd(holder.id);
  await cluster.untilClean(60_000);
  await stage.run(5000);
  const codes = checksOf(cluster).map(({ code }) => code);
  stage.expect(!codes.includes('PG_STOPPED'), `health says ${codes.join(', ')}`);
  stage.end();
}
