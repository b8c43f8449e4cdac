// Two of three disks of a 2+1 pool are destroyed by hand. What is lost is told by name and given up by its token; then
// reads of it are refused at once with what happened, deletes and overwrites work, and what was kept is kept.

import { equal, match, ok } from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { bytesOf, refusedBy, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const small = ['small-0', 'small-1', 'small-2'];
const large = Array.from({ length: 8 }, (_, at) => `large-${at}`);
const sizeOf = (key: string): number => (key.startsWith('small') ? 3000 : 200_000);

/** A list that has not changed for five seconds: groups in which nothing was are whole by themselves. */
async function lastingly(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let found = await look();
  for (let unchanged = 0, looks = 0; unchanged < 10 && looks < 100; looks++) {
    await delay(500);
    const now = await look();
    unchanged = now.join(' ') === found.join(' ') ? unchanged + 1 : 0;
    found = now;
  }
  return found;
}

test('a pool that lost two of three disks is taken up again, and says what is gone', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3']);
  const session = await openBucket(t, cluster);
  for (const key of [...small, ...large]) await session.put(key, bytesOf(key, sizeOf(key)));
  await cluster.untilClean();
  const all = (await cluster.pgs()).filter(({ pool }) => pool === 'data').map(({ pg }) => pg);

  const served = await cluster.run('pg', 'mark-lost', ...all);
  equal(served.code, 1, served.stderr);
  match(served.stderr, /is served: it is not lost|nothing of it is lost/);

  // Both are away before either comes back as a new disk: nobody can fill it from the other.
  const victims = cluster.ready.osds.filter(({ id }) => id !== 0);
  for (const { id } of victims)
    await cluster.command('osd', 'stop', String(id), '--even-if-unavailable');
  const early = await cluster.run('pg', 'mark-lost', ...all);
  equal(early.code, 1, early.stderr);
  match(early.stderr, /held everything and may come back: start it/);
  const stuck = await refusedBy(session.get('large-3'));
  equal(stuck.status, 503);
  match(
    stuck.message,
    /pg 2\.1\.\d+ has 1 of the 2 disks up that it needs, and waits for osd\.[12]/,
  );
  const askedAt = performance.now();
  equal((await refusedBy(session.get('large-3'))).status, 503);
  ok(performance.now() - askedAt < 1000, 'at once, now that it is known');
  for (const { dir } of victims)
    for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
  for (const { id } of victims) await cluster.command('osd', 'start', String(id));
  await cluster.until('the new disks to be up', ({ osds }) => osds.up === 3);
  const pgs = await lastingly(async () =>
    (await cluster.pgs())
      .filter(({ pg, serving }) => !serving && all.includes(pg))
      .map(({ pg }) => pg),
  );
  ok(pgs.length > 0, 'groups with something in them can not be filled again');
  const file = join(temporaryFolder(t), 'names');
  const refused = await cluster.run('pg', 'mark-lost', ...pgs, '--list', file);
  equal(refused.code, 3, refused.stdout + refused.stderr);
  match(refused.stderr, /pg 2\.\d+\.\d+ \(pool data\): LOST/);
  match(refused.stderr, /8 names of what has data there, of 1600000 bytes/);
  match(refused.stderr, /test "large-3" \(200000 bytes\)/);
  const names = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly key: string }).key);
  equal(names.sort().join(' '), large.join(' '));
  const [, token = ''] = /--accept-loss ([0-9a-f]{12})/.exec(refused.stderr) ?? [];
  const other = await cluster.run('pg', 'mark-lost', pgs[0] as string, '--accept-loss', token);
  equal(other.code, 3, 'the token is for the whole list');
  await cluster.command(
    ...['pg', 'mark-lost', ...pgs, '--accept-loss', token, '--wait', '--timeout', '60'],
  );

  const begunAt = performance.now();
  const lost = await refusedBy(session.get('large-0'));
  ok(performance.now() - begunAt < 2000, 'at once');
  equal(lost.status, 410);
  equal(lost.code, 'ObjectLost');
  match(lost.message, /placement group 2\.\d+\.\d+ lost it; .*@.* accepted the loss at 20\d\d-/);
  for (const key of small) equal(await session.digestOf(key), sha256(bytesOf(key, 3000)), key);
  const { checks } = await cluster.health();
  ok(
    checks.some(({ code }) => code === 'OBJECTS_LOST'),
    JSON.stringify(checks),
  );

  await session.delete('large-0');
  equal(await session.digestOf('large-0'), undefined);
  await session.put('large-1', bytesOf('anew', 200_000));
  equal(await session.digestOf('large-1'), sha256(bytesOf('anew', 200_000)));
  const listed = await session.client.send(new ListObjectsV2Command({ Bucket: 'test' }));
  const left = [...small, ...large].filter((key) => key !== 'large-0').sort();
  equal(listed.Contents?.map(({ Key }) => Key).join(' '), left.join(' '));
  equal((await refusedBy(session.get('large-2'))).code, 'ObjectLost', 'listed, and lost');
  await cluster.untilClean();
  await cluster.command('pg', 'forget-loss', ...pgs);
  equal((await cluster.health()).checks.filter(({ code }) => code === 'OBJECTS_LOST').length, 0);
});
