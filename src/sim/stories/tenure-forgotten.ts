// PROTOCOL rule 19: a member takes a tenure durably before it reports its head under it. It loses power the moment
// that its report has arrived, and must know the tenure when it starts again, whomever it hears first: it has told
// where its log ends, and an entry of the primary before would make that untrue.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function tenureForgotten(): Promise<void> {
  for (let round = 0; round < 6; round++) {
    const stage = new Stage(3, copies(3, 2));
    const { cluster } = stage;
    const client = await stage.start();
    await stage.set(client, 'k=1');
    await stage.run(100 * round);
    const { pg } = stage;
    const old = stage.primary;
    await stage.depose(old);
    const next = stage.primary;
    const other = stage.members.find((osd) => osd !== old && osd !== next);
    if (other === undefined) throw new Error('the group has three members');
    const reported = () => next.osd?.primaryOf(pg)?.links.get(other.uuid)?.collected !== undefined;
    await cluster.until('the member to report', reported, 20_000);
    const tenure = next.osd?.primaryOf(pg)?.tenure ?? 0;
    cluster.killOsd(other.id, { power: true });
    stage.part(`osd.${other.id}`, ['mon', `osd.${next.id}`]);
    await cluster.startOsd(other.id);
    const known = other.osd?.memberOf(pg)?.disk.tenure ?? 0;
    stage.expect(known >= tenure, `it reported under tenure ${tenure} and knows ${known}`);
    cluster.network.heal();
    await cluster.untilClean();
    stage.expect((await stage.set(client, 'k')) === '1', 'what was acknowledged is read');
    stage.end();
  }
}
