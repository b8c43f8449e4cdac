// PROTOCOL rule 5: a request is held back by the network. Its client asks another primary and goes on; the
// first falls, is filled again, and leads. Then what was held back arrives: it must not happen twice.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function requestHeldBack(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const old = stage.primary;
  const name = cluster.processNames().at(-1) as string;
  const others = cluster.osds.filter((osd) => osd !== old).map(({ id }) => `osd.${id}`);
  // An entry that nobody else has, so that its log will not meet theirs.
  const stranger = await cluster.client();
  await stage.set(stranger, 'k');
  stage.part(`osd.${old.id}`, [...others, 'mon']);
  stage.row(stranger, 'other=1').catch(() => {});
  await stage.run(100);
  cluster.network.cut(name, `osd.${old.id}`);
  const asked = stage.row(client, 'k=1');
  await stage.run(100);
  await stage.depose(old);
  await stage.run(4000);
  stage.expect((await cluster.settle(asked, 'k=1')) === '0', 'it was done once');
  for (let at = 2; at < 60; at++) await stage.set(client, `k=${at}`);
  for (const other of [...others, 'mon']) {
    cluster.network.mend(`osd.${old.id}`, other);
    cluster.network.mend(other, `osd.${old.id}`);
  }
  await cluster.untilClean(200_000);
  stage.expect(cluster.logged.has('member begins anew'), 'it was filled again');
  await stage.makeLead(stage.pg, old);
  await cluster.untilServing();
  cluster.network.mend(name, `osd.${old.id}`);
  await stage.run(2000);
  const value = await stage.set(stranger, 'k');
  stage.expect(value === '59', `a request that had ended long ago was done again: k is ${value}`);
  stage.end();
}
