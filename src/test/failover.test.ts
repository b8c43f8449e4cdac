// A primary that is killed is replaced within five seconds. Too few disks for the pool's geometry: writes go on in
// an interim layout. Too few for any: reads go on, and a write waits and then hears which PG it is and why.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdView } from '../admin/views.ts';
import type { ClusterProcess } from './cluster-process.ts';
import { bytesOf, inParallel, refusedBy, type S3Session, sha256 } from './s3-session.ts';
import { openBucket, startCluster } from './test-cluster.ts';

/** The promise. Leases of two seconds must run out first. */
const failoverMsMax = 5000;

/** A write waits ten seconds for its PG before it is given up. */
const giveUpMsMax = 10_000;

const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
const bytesPerKey = 100_000;

async function readAll(session: S3Session): Promise<void> {
  await inParallel(keys, keys.length, async (key) => {
    equal(await session.digestOf(key), sha256(bytesOf(key, bytesPerKey)), key);
  });
}

/** The two OSDs that lead the most PGs. */
async function leaders(cluster: ClusterProcess): Promise<readonly [OsdView, OsdView]> {
  const [first, second] = [...(await cluster.osds())].sort((a, b) => b.primaries - a.primaries);
  ok(first !== undefined && second !== undefined && first.primaries > 0, 'somebody leads PGs');
  return [first, second];
}

test('a killed primary is replaced within five seconds', async (t) => {
  const cluster = await startCluster(t, ['--no-restart']);
  const session = await openBucket(t, cluster);
  await inParallel(keys, 8, (key) => session.put(key, bytesOf(key, bytesPerKey)));
  const [first, second] = await leaders(cluster);
  await cluster.kill(`osd.${first.id}`);
  const begun = performance.now();
  // At once, on every key and without a retry of the client's: whoever needs the dead one waits.
  await Promise.all([
    readAll(session),
    inParallel(keys, keys.length, (key) => session.put(`new-${key}`, bytesOf(key, bytesPerKey))),
  ]);
  const tookMs = performance.now() - begun;
  t.diagnostic(
    `${first.primaries} PGs lost their primary; all reads and writes done in ${tookMs} ms`,
  );
  ok(tookMs < failoverMsMax, `${tookMs} ms`);
  await cluster.until('every PG serves', ({ pgs }) => pgs.serving === pgs.total, failoverMsMax);

  await t.test('with a second one killed reads and writes go on', async () => {
    await cluster.kill(`osd.${second.id}`);
    const asked = performance.now();
    await session.put('on', bytesOf('on', bytesPerKey));
    t.diagnostic(`written after ${performance.now() - asked} ms`);
    await readAll(session);
    const { pools, health } = await cluster.status();
    equal(pools.find(({ name }) => name === 'data')?.geometry, 'erasure 1+2');
    ok(health.checks.some(({ code }) => code === 'POOL_INTERIM'));
    await inParallel(keys, 8, (key) => session.put(`on-${key}`, bytesOf(key, bytesPerKey)));
  });

  await t.test('and back as before when both return, with what was written meanwhile', async () => {
    await cluster.command('osd', 'start', String(first.id), String(second.id));
    await cluster.untilClean();
    const { pools } = await cluster.until('everything to be moved back', ({ pools }) =>
      pools.every(
        ({ layouts, migration }) => layouts.at(-1)?.id === 1 && migration?.isMoved !== false,
      ),
    );
    equal(pools.find(({ name }) => name === 'data')?.geometry, 'erasure 3+2');
    await readAll(session);
    equal(await session.digestOf('on'), sha256(bytesOf('on', bytesPerKey)));
    deepEqual((await cluster.health()).checks, []);
  });
});

test('with one host left reads go on, and a write gets 503 with the reason in time', async (t) => {
  const cluster = await startCluster(t, ['--no-restart', '--osds', '3']);
  const session = await openBucket(t, cluster);
  const small = keys.slice(0, 8);
  await inParallel(small, 8, (key) => session.put(key, bytesOf(key, 1000)));
  await cluster.kill('osd.0');
  await cluster.kill('osd.1');
  await cluster.until('health says that writes wait', ({ health }) =>
    health.checks.some(({ code }) => code === 'PG_BELOW_FLOOR'),
  );
  const asked = performance.now();
  const { status, message } = await refusedBy(session.put('no', bytesOf('no', 1000)));
  const waitedMs = performance.now() - asked;
  t.diagnostic(`refused after ${waitedMs} ms: ${message}`);
  equal(status, 503);
  match(message, /\b1\.1\.\d+\b.*osd\.\d/);
  ok(waitedMs < giveUpMsMax, `refused after ${waitedMs} ms`);
  await inParallel(small, 8, async (key) => {
    equal(await session.digestOf(key), sha256(bytesOf(key, 1000)), key);
  });
  // Nobody is on the way, and that is known by now. (Disks that come back soon are waited for: asked-in-vain.ts.)
  const again = performance.now();
  equal((await refusedBy(session.put('no', bytesOf('no', 1000)))).status, 503);
  ok(performance.now() - again < 1000, `refused after ${performance.now() - again} ms`);
  await cluster.command('osd', 'start', '0', '1', '--wait', '--timeout', '60');
  await session.put('back', bytesOf('back', 1000));
  equal(await session.digestOf('back'), sha256(bytesOf('back', 1000)));
});
