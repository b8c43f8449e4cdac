// PROTOCOL rule 19: a member takes a tenure durably before it reports its head under it. Its disk takes nothing while
// it is asked, and it loses power then: where it reported, it must know the tenure when it starts again, whomever it
// hears first. It has told where its log ends, and an entry of the primary before would make that untrue.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

/** As long as the member's disk hangs: shorter than it takes to be given up for that. */
const hungMs = 3000;

export async function tenureForgotten(): Promise<void> {
  const played = [await play(0), await play(1)];
  if (!played.includes(true)) throw new Error('another than the one whose disk hangs is elected');
}

/** Whether another was elected than the member whose disk hangs. */
async function play(index: number): Promise<boolean> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { pg, primary: old } = stage;
  const member = stage.members[index];
  if (member === undefined) throw new Error('the group has three members');
  member.files.fault = ({ kind }) => (kind.startsWith('rows-') ? 'hang' : undefined);
  await stage.depose(old);
  const lead = stage.primary;
  if (lead === member) return false;
  const led = () => lead.osd?.primaryOf(pg);
  await stage.run(hungMs);
  const tenure = led()?.tenure ?? 0;
  stage.expect(tenure > 0, 'the new primary has begun its tenure');
  const reported = led()?.links.get(member.uuid)?.collected !== undefined;
  cluster.killOsd(member.id, { power: 'loses-all' });
  stage.part(`osd.${member.id}`, ['mon', `osd.${lead.id}`]);
  await cluster.startOsd(member.id);
  const known = member.osd?.memberOf(pg)?.disk.tenure ?? 0;
  stage.expect(!reported || known >= tenure, `it reported under tenure ${tenure}, knows ${known}`);
  stage.expect(known < tenure, 'nothing was written while its disk hung');
  cluster.network.heal();
  await cluster.untilClean();
  stage.expect((await stage.set(client, 'k')) === '1', 'what was acknowledged is read');
  stage.end();
  return true;
}
