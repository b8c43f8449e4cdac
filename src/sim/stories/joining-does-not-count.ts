// PROTOCOL rule 2: what is acknowledged by one in-sync and one joining disk could be lost with the one.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function joiningDoesNotCount(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  for (let at = 0; at < 30; at++) await stage.set(client, `k${at}=${at}`);
  const lead = stage.primary;
  const others = cluster.osds.filter((osd) => osd !== lead);
  for (const osd of others) cluster.killOsd(osd.id);
  await cluster.until('both to be dropped', () => stage.members.length === 0, 30_000);
  const [joining] = others;
  if (joining === undefined) throw new Error('there are two others');
  await cluster.startOsd(joining.id);
  const link = () => lead.osd?.primaryOf(stage.pg)?.links.get(joining.uuid);
  await cluster.until('it to join', () => link()?.isLive === true, 20_000);
  // It gets every entry, and is not promoted: nobody hears the proposal.
  cluster.network.cut(`osd.${lead.id}`, 'mon');
  const write = watched(stage.row(client, 'k=1'));
  await stage.run(3000);
  const state = cluster.monitor.records
    .get(stage.pg)
    ?.slots.find(({ uuid }) => uuid === joining.uuid)?.state;
  stage.expect(
    !write.isDone() || state === 'in-sync',
    'acknowledged by one in-sync and one joining disk',
  );
  stage.end();
  cluster.network.heal();
  for (const osd of others) if (osd !== joining) await cluster.startOsd(osd.id);
  await cluster.untilClean(200_000);
  stage.end();
}
