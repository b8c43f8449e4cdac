// PROTOCOL rule 1: a primary that restarts must not use a name again. Its last entry is on the way to a member when
// it loses power, and its own disk loses it; the next entry has the same sequence. The member must take the old one
// for what it is when it arrives at last, and not for the new.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

/** How long the entry is on its way: longer than it takes to serve again. */
const lateMs = 30_000;

export async function nameUsedAgain(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const lead = stage.primary;
  const [member] = stage.members as [SimulatedOsd];
  const writer = await cluster.clientProcess();
  await stage.set(writer.client, 'k');
  lead.files.fault = ({ kind }) => (kind.startsWith('rows-') ? 'hang' : undefined);
  cluster.network.slow(`osd.${lead.id}`, lateMs, lateMs);
  stage.row(writer.client, 'k=2').catch(() => {});
  await stage.run(20);
  writer.process.kill();
  cluster.killOsd(lead.id, { power: 'loses-all' });
  cluster.network.slow(`osd.${lead.id}`, 0);
  await cluster.startOsd(lead.id);
  const headOf = (osd: SimulatedOsd) => osd.osd?.memberOf(stage.pg)?.disk.head.sequence;
  stage.expect(headOf(lead) === 1, 'the power cut lost the entry');
  await cluster.untilServing();
  stage.expect(stage.primary === lead, 'the same disk leads');
  stage.expect(headOf(member) === 1, 'the entry is still on its way');
  await stage.run(lateMs);
  await stage.set(client, 'k=3');
  await stage.makeLead(stage.pg, member);
  await cluster.untilServing();
  const value = await stage.set(client, 'k');
  stage.expect(value === '3', `acknowledged k=3, then read k=${value}`);
  await cluster.untilClean();
  await stage.compare();
  stage.end();
}
