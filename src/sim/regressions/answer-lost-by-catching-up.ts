// No resurrected delete: a blob was put and deleted while a member was away. The member caught up, and forgot that
// the put was done, because there was no shard to store: when the put came once more, it was done again.

import { ClientError } from '../../client/errors.ts';
import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function answerLostByCatchingUp(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const old = stage.leadOf(pg);
  const name = cluster.processNames().at(-1) as string;
  const others = cluster.osds.filter((osd) => osd !== old).map(({ id }) => `osd.${id}`);
  const first = await client.allocateBlobs(1);
  await cluster.settle(client.putBlob(layout, first, [new Uint8Array(20_000).fill(1)]), 'a put');
  cluster.network.cut(name, `osd.${old.id}`);
  stage.part(`osd.${old.id}`, [...others, 'mon']);
  const blob = await client.allocateBlobs(1);
  const put = client.putBlob(layout, blob, [new Uint8Array(20_000).fill(2)]);
  await stage.run(100);
  await stage.depose(old);
  await stage.run(3000);
  await cluster.settle(put, 'the put', 60_000);
  await cluster.settle(client.deleteBlob(layout, blob), 'the delete');
  for (const other of [...others, 'mon']) {
    cluster.network.mend(`osd.${old.id}`, other);
    cluster.network.mend(other, `osd.${old.id}`);
  }
  await cluster.untilClean(200_000);
  await stage.makeLead(pg, old);
  await cluster.untilServing();
  // The put that was held back arrives at a primary that was away when it was done.
  cluster.network.mend(name, `osd.${old.id}`);
  await stage.run(2000);
  const reader = await cluster.client();
  const range = { offsetBytes: 0, lengthBytes: 1 };
  const isThere = await cluster.settle(
    reader.readBlob(layout, blob, range).then(
      () => true,
      (error: unknown) => !(error instanceof ClientError && error.code === 'no-such-blob'),
    ),
    'the read',
  );
  stage.expect(!isThere, 'a deleted blob is back');
  await stage.compare();
  stage.end();
}
