// Seeds 30032 and 30036: a placement group's rows did not verify on the disk that led it. Another led, and would have let
// that disk go after six seconds. But leads were evened out: each second the monitor gave the group back to the disk that
// could not start it, which handed it on at once, and the six seconds began anew. It served nobody any more.

import { copies } from '../../map/geometry.ts';
import { parseStoreKey } from '../../store/keys.ts';
import { Stage } from '../stage.ts';

/** By the first byte of its key (osd/pg-disk.ts). */
const recordRow = 0x02;

/** Less than a primary's patience with who does not answer. */
const steadyMs = 1000;

export async function leadOfWhoCannot(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, undefined, 8);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  cluster.killMonitor({ power: false });
  await cluster.startMonitor({ steadyMs });
  // Until the monitor has heard of everybody it moves nothing.
  await stage.run(40_000);
  await cluster.untilClean();
  const { pg, primary: victim } = stage;
  cluster.killOsd(victim.id);
  for (const [key, value] of victim.files.rows('meta')) {
    const parsed = parseStoreKey(key);
    if (parsed?.collection === `pg/${pg}` && parsed.kind === 'row' && parsed.key[0] === recordRow)
      victim.files.flipRowBit('meta', key, value.length - 1, 3);
  }
  await cluster.until('another to lead', () => stage.primary !== victim, 60_000);
  await cluster.startOsd(victim.id);
  await cluster.untilClean(60_000);
  stage.expect(cluster.logged.has('unreadable placement group removed'), 'it is filled again');
  stage.expect((await stage.set(client, 'k')) === '1', 'the row is read');
  await stage.compare();
  stage.end();
}
