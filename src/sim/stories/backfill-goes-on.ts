// PROTOCOL rule 24: how far a member was filled is durable together with what it was filled with. Its connection breaks
// in the middle, and later it loses power: each time it goes on where it was, and what it has then is what the others
// have.

import { compareBytes } from '../../base/bytes.ts';
import { copies } from '../../map/geometry.ts';
import { firstPosition } from '../../osd/pg-disk.ts';
import { Stage } from '../stage.ts';

const rowCount = 400;
const rowBytes = 8000;

export async function backfillGoesOn(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  for (let at = 0; at < rowCount; at += 20) {
    const some = Array.from({ length: 20 }, (_, n) =>
      stage.row(client, `row-${at + n}=${String(at + n).padEnd(rowBytes, '.')}`),
    );
    await cluster.settle(Promise.all(some), 'rows');
  }
  // An entry that nobody else has, so that its log will not meet theirs.
  const writer = await cluster.clientProcess();
  await stage.set(writer.client, 'k');
  const old = stage.cutOff();
  stage.row(writer.client, 'k=1').catch(() => {});
  await stage.run(100);
  writer.process.kill();
  await stage.depose(old);
  await cluster.until('another primary', () => stage.primary !== old, 20_000);
  await stage.run(5000);
  await stage.set(client, 'k=2');
  cluster.network.heal();
  const isHalfWay = (): boolean => {
    const cursor = old.osd?.memberOf(stage.pg)?.disk.cursor;
    return cursor !== undefined && compareBytes(cursor, firstPosition) > 0;
  };
  const goneOn = (): number => cluster.logged.get('backfill goes on where it was') ?? 0;
  await cluster.until('it to be filled half-way', isHalfWay, 60_000);
  cluster.network.reset(`osd.${stage.primary.id}`, `osd.${old.id}`);
  await cluster.until('it to go on', () => goneOn() > 0, 20_000);
  stage.expect(cluster.logged.get('member begins anew') === 1, 'it began anew once');
  await cluster.untilClean();
  await stage.compare();
  stage.end();
}
