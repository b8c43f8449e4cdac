// A placement group by which an OSD crashed three times is left out there, the rest is served, and `pg let-in` ends that.

import { equal, match } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

test('a placement group that was left out on a disk is let in again', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const cluster = await startCluster(t, [], data);
  const session = await openBucket(t, cluster);
  const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`);
  for (const key of keys) await session.put(key, bytesOf(key, 100_000));
  const pg = (await cluster.pgs()).find(
    ({ pool, slots }) => pool === 'data' && slots.some(({ osd }) => osd === 2),
  )?.pg as string;

  await cluster.command('osd', 'stop', '2');
  // As the third crash in a row leaves it.
  mkdirSync(join(data, 'crash'), { recursive: true });
  writeFileSync(join(data, 'crash', 'osd.2.left-out.json'), JSON.stringify({ [pg]: 'as a test' }));
  await cluster.command('osd', 'start', '2');
  const { health } = await cluster.until(
    `health says that ${pg} is left out`,
    (status) => status.health.checks.some(({ detail }) => detail.join().includes('as a test')),
    20_000,
  );
  match(JSON.stringify(health.checks), new RegExp(pg.replaceAll('.', '\\.')));
  for (const key of keys) await session.put(key, bytesOf(`${key} anew`, 100_000));

  const other = await cluster.run('pg', 'let-in', pg, 'osd.3');
  equal(other.code, 1);
  match(other.stderr, /is not left out on osd\.3/);
  const unknown = await cluster.run('pg', 'let-in', '9.9.9', 'osd.2');
  equal(unknown.code, 1);
  match(unknown.stderr, /no placement group 9\.9\.9/);

  await cluster.command('pg', 'let-in', pg, 'osd.2');
  await cluster.until(
    'it to be whole',
    ({ health, osds }) => osds.up === 5 && health.status === 'HEALTH_OK',
    60_000,
  );
  const slots = (await cluster.pgs()).find((each) => each.pg === pg)?.slots ?? [];
  equal(slots.find(({ osd }) => osd === 2)?.state, 'in-sync');
  await cluster.command('scrub', pg, '--deep', '--wait', '--timeout', '60');
  for (const key of keys)
    equal(await session.digestOf(key), sha256(bytesOf(`${key} anew`, 100_000)), key);
});
