// A primary that is killed is replaced within five seconds. Too few disks left for a safe write: reads go
// on, and a write waits and then hears which PG it is and why.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdView } from '../admin/views.ts';
import type { ClusterProcess } from './cluster-process.ts';
import { bytesOf, inParallel, refusedBy, type S3Session, sha256 } from './s3-session.ts';
import { openBucket, startCluster } from './test-cluster.ts';

/** The promise. Leases of two seconds must run out first. */
const failoverMsMax = 5000;

/** A write waits ten seconds for its PG before it is given up. */
const giveUpMsMax = 15_000;

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

  await t.test(
    'below the write floor reads go on and a write gets 503 with the reason',
    async () => {
      await cluster.kill(`osd.${second.id}`);
      await readAll(session);
      await cluster.until('health says that writes wait', ({ health }) =>
        health.checks.some(({ code }) => code === 'PG_BELOW_FLOOR'),
      );
      const asked = performance.now();
      const { status, message } = await refusedBy(session.put('no', bytesOf('no', bytesPerKey)));
      const waitedMs = performance.now() - asked;
      t.diagnostic(`refused after ${waitedMs} ms: ${message}`);
      equal(status, 503);
      match(message, /\b2\.1\.\d+\b.*osd\.\d/);
      ok(waitedMs < giveUpMsMax, `refused after ${waitedMs} ms`);
      equal(await session.digestOf('no'), undefined);
      await readAll(session);
    },
  );

  await t.test('a write that waits is done when a disk returns', async () => {
    const waiting = session.put('waits', bytesOf('waits', bytesPerKey));
    await cluster.command('osd', 'start', String(second.id));
    await waiting;
    equal(await session.digestOf('waits'), sha256(bytesOf('waits', bytesPerKey)));
    await cluster.command('osd', 'start', String(first.id), '--wait', '--timeout', '60');
    await readAll(session);
    deepEqual((await cluster.health()).checks, []);
  });
});
