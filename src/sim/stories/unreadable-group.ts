// Promise P5: the rows that a placement group itself goes by (its record, its log, what it misses) do not verify on the
// disk that leads it. Another disk leads, and this one is filled again.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { parseStoreKey } from '../../store/keys.ts';
import { Stage } from '../stage.ts';

/** By the first byte of their keys (osd/pg-disk.ts). */
const rowsOfGroups = [
  { what: 'record', first: 0x02 },
  { what: 'log', first: 0x01 },
] as const;

export async function unreadableGroup(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(6);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number) => new Uint8Array(30_000).fill(at + 1);
  for (let at = 0; at < 6; at++)
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
  for (let at = 0; at < 6; at++) await stage.set(client, `k${at}=${at}`);
  for (const { what, first } of rowsOfGroups)
    for (const pg of [stage.pg, stage.dataPg]) {
      const victim = stage.leadOf(pg);
      cluster.killOsd(victim.id);
      let flipped = 0;
      for (const [key, value] of victim.files.rows('meta')) {
        const parsed = parseStoreKey(key);
        if (parsed?.collection !== `pg/${pg}` || parsed.kind !== 'row') continue;
        if (parsed.key[0] !== first) continue;
        victim.files.flipRowBit('meta', key, value.length - 1, 3);
        flipped++;
      }
      stage.expect(flipped > 0, `there is a ${what} of ${pg}`);
      await cluster.startOsd(victim.id);
      await cluster.untilClean(200_000);
      for (let at = 0; at < 6; at++) {
        stage.expect((await stage.set(client, `k${at}`)) === `${at}`, `row k${at} is read`);
        const range = { offsetBytes: 0, lengthBytes: 30_000 };
        const read = await cluster.settle(client.readBlob(layout, blobAt(at), range), 'a read');
        stage.expect(equalBytes(read, bytes(at)), `blob ${at} is read`);
      }
    }
  stage.expect(cluster.logged.has('unreadable placement group removed'), 'one was filled again');
  await stage.compare();
  stage.end();
}

/** A disk was away while its group was filled elsewhere, and can't read what it had: nobody needs that. */
export async function unreadableLeftOver(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  await stage.set(await stage.start(), 'k=1');
  const pg = stage.dataPg;
  const victim = stage.leadOf(pg);
  cluster.killOsd(victim.id);
  await cluster.settle(cluster.monitor.markOut(victim.id), 'taking it out');
  await cluster.until(
    'another in its place',
    () => cluster.monitor.records.get(pg)?.slots.every(({ uuid }) => uuid !== victim.uuid) === true,
    60_000,
  );
  let flipped = 0;
  for (const [key, value] of victim.files.rows('meta')) {
    const parsed = parseStoreKey(key);
    if (parsed?.collection !== `pg/${pg}` || parsed.kind !== 'row') continue;
    if (!rowsOfGroups.some(({ first }) => parsed.key[0] === first)) continue;
    victim.files.flipRowBit('meta', key, value.length - 1, 3);
    flipped++;
  }
  stage.expect(flipped > 0, 'there are rows to flip');
  await cluster.startOsd(victim.id);
  const stopped = (): readonly string[] =>
    cluster.monitor.map.osds.flatMap((osd) => cluster.monitor.sightOf(osd)?.stopped ?? []);
  await cluster.until('it to say so', () => stopped().length > 0, 20_000);
  await cluster.until('it to let go of the group', () => stopped().length === 0, 60_000);
  stage.expect(cluster.logged.has('placement group in the trash'), 'what it had is in its trash');
  stage.end();
}

/** The daemon that leads a group crashed by it: started without it, it serves all others, and another leads this one. */
export async function leftOutGroup(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, undefined, 4);
  const { cluster } = stage;
  const client = await stage.start();
  for (let at = 0; at < 8; at++) await stage.set(client, `k${at}=${at}`);
  const { pg } = stage;
  const victim = stage.primary;
  const others = [...cluster.monitor.records.values()].filter(
    (record) => record.pg !== pg && record.slots.some(({ uuid }) => uuid === victim.uuid),
  );
  stage.expect(others.length > 0, 'it has other groups');
  victim.leftOut = new Map([[pg, 'it crashed by it']]);
  await stage.restart(victim);
  await cluster.untilServing();
  stage.expect(stage.primary !== victim, 'another disk leads it');
  for (let at = 0; at < 8; at++)
    stage.expect((await stage.set(client, `k${at}=${at}+`)) === `${at}`, `row k${at} is written`);
  await stage.run(20_000);
  for (const { pg: other } of others)
    stage.expect(victim.osd?.memberOf(other)?.isWhole === true, `${other} is well there`);
  stage.expect(victim.osd?.memberOf(pg) === undefined, 'it is not started there');
  // Let in again, it has what it had, and is brought forward.
  victim.leftOut = new Map();
  await stage.restart(victim);
  await cluster.untilClean(200_000);
  await stage.compare();
  stage.end();
}
