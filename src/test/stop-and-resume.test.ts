// SIGTERM under load, and a later start on the same data.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gatewaysDefault } from '../cli/data-dir.ts';
import { isRunning } from './cluster-process.ts';
import { bytesOf, S3Session, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

/** The promise. */
const stopMsMax = 5000;

/** Three seconds on a warm machine that has nothing else to do; a machine that runs tests has. */
const startMsMax = 10_000;

test('SIGTERM stops every process within five seconds, and a later start serves', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const cluster = await startCluster(t, [], data);
  const session = await openBucket(t, cluster);
  const acknowledged: string[] = [];
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let index = 0; ; index++) {
      const key = `${writer}-${index}`;
      try {
        await session.put(key, bytesOf(key, 300_000));
      } catch {
        return;
      }
      acknowledged.push(key);
      if (acknowledged.length === 20) stop();
    }
  });
  let stop: () => void = () => undefined;
  await new Promise<void>((resolve) => {
    stop = resolve;
  });
  const pids = [cluster.pid, ...(await cluster.daemons()).map(({ pid }) => pid)];
  // The supervisor, the monitor, five OSDs, and the gateways.
  equal(pids.length, 7 + gatewaysDefault());
  const stoppedMs = await cluster.stop();
  await Promise.all(writers);
  t.diagnostic(`started in ${cluster.startedMs} ms, stopped in ${stoppedMs} ms under load`);
  equal(cluster.child.exitCode, 0);
  ok(stoppedMs < stopMsMax, `stopped in ${stoppedMs} ms`);
  deepEqual(pids.filter(isRunning), []);
  equal(existsSync(join(data, 'lock')), false);

  const again = await startCluster(t, [], data);
  t.diagnostic(`started again in ${again.startedMs} ms`);
  ok(again.startedMs < startMsMax, `started again in ${again.startedMs} ms`);
  equal(again.ready.accessKey, cluster.ready.accessKey);
  const later = new S3Session(again.ready, 'test', { attemptsMax: 1 });
  for (const key of acknowledged)
    equal(await later.digestOf(key), sha256(bytesOf(key, 300_000)), key);
  await later.put('later', bytesOf('later', 300_000));
  later.close();
});

test('a daemon that dies is started again', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3']);
  const session = await openBucket(t, cluster, { attemptsMax: 10 });
  for (const name of ['osd.1', 's3.0', 'mon.0']) {
    const before = await cluster.pidOf(name);
    process.kill(before, 'SIGKILL');
    await cluster.untilReplaced({ name, pid: before }, 15_000);
    await cluster.until(`${name} is back`, ({ ready, osds }) => ready && osds.up === 3, 15_000);
    await session.put(`after-${name}`, bytesOf(name, 100_000));
  }
});

test('a daemon that dies just when it is asked to start is started', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3', '--no-restart']);
  const name = 'osd.1';
  // That it has died may be known to whoever asks before the supervisor knows it.
  await cluster.command('osd', 'start', '1');
  const pid = await cluster.pidOf(name);
  process.kill(pid, 'SIGKILL');
  await cluster.untilReplaced({ name, pid }, 15_000);
  await cluster.until('osd.1 is back', ({ ready, osds }) => ready && osds.up === 3, 15_000);
  // Stopped and started in one breath, the same.
  await Promise.all([
    cluster.command('osd', 'stop', '1', '--even-if-unavailable'),
    delay(150).then(() => cluster.command('osd', 'start', '1')),
  ]);
  await cluster.until('osd.1 is back again', ({ ready, osds }) => ready && osds.up === 3, 15_000);
});

test('one process can run the whole cluster', async (t) => {
  const cluster = await startCluster(t, ['--single-process']);
  const session = await openBucket(t, cluster);
  await session.put('small', bytesOf('small', 100));
  await session.put('large', bytesOf('large', 9_000_000));
  equal(sha256(await session.get('large')), sha256(bytesOf('large', 9_000_000)));
  equal(sha256(await session.get('small')), sha256(bytesOf('small', 100)));
  deepEqual(new Set((await cluster.daemons()).map(({ pid }) => pid)), new Set([cluster.pid]));
  deepEqual((await cluster.health()).checks, []);
  const stoppedMs = await cluster.stop();
  ok(stoppedMs < stopMsMax, `stopped in ${stoppedMs} ms`);
  equal(cluster.child.exitCode, 0);
});
