// Convergence: a member's connection broke while the fate of another was decided, and the takeover waited for
// ever for a member that was well.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function takeoverWaitsForEver(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  // The monitor hears it, so that it counts as up; its peers don't, and drop it after a while.
  stage.part(
    `osd.${old.id}`,
    stage.members.map(({ id }) => `osd.${id}`),
  );
  await stage.depose(old);
  await cluster.until('another primary', () => stage.primary !== old, 20_000);
  const lead = stage.primary;
  const member = cluster.osds.find((osd) => osd !== old && osd !== lead);
  if (member === undefined) throw new Error('there are three');
  const link = () => lead.osd?.primaryOf(stage.pg)?.links.get(member.uuid);
  await cluster.until('the log of the member', () => link()?.collected !== undefined, 20_000);
  cluster.network.reset(`osd.${lead.id}`, `osd.${member.id}`);
  cluster.network.reset(`osd.${member.id}`, `osd.${lead.id}`);
  await cluster.until(
    'the member to be served with',
    () => lead.osd?.primaryOf(stage.pg)?.isServing === true && link()?.isLive === true,
    30_000,
  );
  stage.expect((await stage.set(client, 'k=2')) === '1', 'the value before was read');
  stage.end();
}
