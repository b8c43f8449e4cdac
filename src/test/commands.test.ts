// The commands that people type, on a cluster that runs: what they print for people and for programs, and that what one
// changes another shows.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bytesOf } from './s3-session.ts';
import { openBucket, startCluster } from './test-cluster.ts';

/** Of lines of a table: the words of each. */
function cells(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
}

test('what is asked of a running cluster is shown to people and to programs', async (t) => {
  const cluster = await startCluster(t, ['--osds', '5', '--single-process']);
  const session = await openBucket(t, cluster);
  await session.put('note', bytesOf('note', 100_000));
  await cluster.until('health', ({ health }) => health.status === 'HEALTH_OK');
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse(await cluster.command(...args, '--json')) as T;

  await t.test('the line that says that it is ready', () => {
    deepEqual(Object.keys(cluster.ready), [
      'ready',
      's3',
      'admin',
      'accessKey',
      'secretKey',
      'data',
      'osds',
    ]);
    equal(cluster.ready.osds.length, 5);
    for (const osd of cluster.ready.osds) deepEqual(Object.keys(osd), ['id', 'pid', 'host', 'dir']);
  });

  await t.test('status and health', async () => {
    const text = await cluster.command('status');
    match(text, /^ +cluster +[0-9a-f]{32}$/m);
    match(text, /^ +health +HEALTH_OK$/m);
    match(text, /^ +osds +5: 5 up, 5 in$/m);
    match(text, /^ +pgs +48: 48 serving, 48 clean$/m);
    match(text, /^ +margin +.*: 1 for writes, 2 for reads$/m);
    match(text, /^data +erasure 3\+2 +host +any +32 /m);
    equal(await cluster.command('health'), 'HEALTH_OK\n');
    const status = await json<{ health: { status: string; checks: unknown[] } }>('status');
    deepEqual(status.health, { status: 'HEALTH_OK', checks: [] });
    deepEqual(await json('health'), status.health);
  });

  await t.test('osd tree and df', async () => {
    const [head, ...rows] = cells(await cluster.command('osd', 'tree'));
    deepEqual(head, [
      'NAME',
      'CLASS',
      'SIZE',
      'WEIGHT',
      'STATE',
      'DATA',
      'PGS',
      'PRIMARY',
      'ADDRESS',
    ]);
    const disks = rows.filter(([name]) => name?.startsWith('osd.'));
    deepEqual(
      disks.map(([name]) => name),
      [0, 1, 2, 3, 4].map((id) => `osd.${id}`),
    );
    const usage = cells(await cluster.command('osd', 'df'));
    deepEqual(usage[0], ['OSD', 'SIZE', 'USED', 'FREE', 'FULL', 'PGS']);
    equal(usage.at(-1)?.[0], 'total');
    equal(usage.length, 7);
    const osds = await json<{ osds: { id: number; up: boolean }[] }>('osd', 'tree');
    deepEqual(
      osds.osds.map(({ id, up }) => [id, up]),
      [0, 1, 2, 3, 4].map((id) => [id, true]),
    );
  });

  await t.test('out, in and down are seen by the next who asks', async () => {
    const stateOf = async (): Promise<string | undefined> =>
      (await cluster.command('osd', 'tree')).split('\n').find((line) => / osd\.4 /.test(line));
    await cluster.command('osd', 'out', '4');
    match((await stateOf()) ?? '', / up +out /);
    await cluster.command('osd', 'in', 'osd.4');
    match((await stateOf()) ?? '', / up +in /);
    await cluster.command('osd', 'down', '4');
    await cluster.until('osd.4 is back', ({ osds }) => osds.up === 5);
  });

  await t.test('pools and placement groups', async () => {
    const pools = cells(await cluster.command('pool', 'ls'));
    deepEqual(
      pools.map(([name]) => name),
      ['POOL', '.index', 'data'],
    );
    await cluster.command('pool', 'create', 'more', '--erasure', '2+1', '--pgs', '8');
    const created = (
      await json<{ pools: { name: string; geometry: string; pgs: number }[] }>('pool', 'ls')
    ).pools.find(({ name }) => name === 'more');
    equal(created?.geometry, 'erasure 2+1');
    equal(created?.pgs, 8);
    const groups = cells(await cluster.command('pg', 'ls'));
    equal(groups[0]?.[0], 'PG');
    equal(groups.length, 1 + 48 + 8);
    ok(groups.some(([pg, pool, state]) => pg === '3.1.0' && pool === 'more' && state !== ''));
    await cluster.command('pool', 'rm', 'more');
    const left = await json<{ pools: { name: string }[] }>('pool', 'ls');
    deepEqual(
      left.pools.map(({ name }) => name),
      ['.index', 'data'],
    );
  });

  await t.test('which objects are kept in the index', async () => {
    const dataObjects = async (): Promise<number> => {
      const { pools } = await json<{ pools: { name: string; objects: number }[] }>('pool', 'ls');
      return pools.find(({ name }) => name === 'data')?.objects ?? 0;
    };
    await session.put('kept in the index', bytesOf('small', 10_000));
    equal(
      await cluster.command('pool', 'inline', 'data', '4KiB'),
      'pool data: objects up to 4.0 KiB are kept in the index\n',
    );
    const before = await dataObjects();
    // The gateway hears of it with the next map.
    for (let at = 0; at < 50 && (await dataObjects()) === before; at++) {
      await session.put(`a blob ${at}`, bytesOf('small', 10_000));
      await delay(200);
    }
    ok((await dataObjects()) > before, 'an object of 10 kB is a blob now');
    const tooMuch = await cluster.run('pool', 'inline', 'data', '17KiB');
    equal(tooMuch.code, 2);
    match(tooMuch.stderr, /17408 bytes in the index: 0 to 16384/);
  });

  await t.test('users come and go', async () => {
    const made = await json<{ name: string; accessKey: string; secretKey: string }>(
      'user',
      'create',
      'ann',
    );
    ok(made.secretKey.length >= 32, 'a secret that nobody guesses');
    const shown = await cluster.command('user', 'ls');
    match(shown, new RegExp(`ann.*${made.accessKey}`));
    ok(!shown.includes(made.secretKey), 'secrets are shown once');
    const again = await cluster.run('user', 'create', 'ann');
    equal(again.code, 1);
    match(again.stderr, /ann/);
    await cluster.command('user', 'rm', 'ann');
    ok(!(await cluster.command('user', 'ls')).includes('ann'));
  });

  await t.test('a scrub says what it looked at', async () => {
    // Also of the pool in the trash, which may come back.
    const said = await cluster.command('scrub', '--all', '--wait');
    equal(said, '56 placement groups scrubbed: everything checks\n');
  });
});
