// Seed 10801837: a blob was being deleted when its layout went, empty, with every blob in it: the delete failed, because there
// is no such layout, where deleting what is not there succeeds.

import { erasure } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function deleteWhereAllHasGone(): Promise<void> {
  const stage = new Stage(3, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  await stage.start();
  const { name, client } = await cluster.clientProcess();
  const { layout, blob } = await stage.keepBlob(client);
  await cluster.settle(cluster.monitor.setSetting('pool_trash_hours', 0), 'keeping nothing');
  stage.part(
    name,
    cluster.osds.map(({ id }) => `osd.${id}`),
  );
  const deletion = client.deleteBlob(layout, blob);
  const removal = cluster.monitor.pools.removePool('data', () => {});
  await cluster.settle(removal, 'removing the pool');
  await cluster.settle(deletion, 'the delete');
  const isGone = !cluster.monitor.map.pools.some((pool) => pool.name === 'data');
  stage.expect(isGone, 'it asked for as long as the pool was there');
  stage.end();
}
