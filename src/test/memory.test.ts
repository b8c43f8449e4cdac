// Memory is bounded when it is hardest: eight clients push 64 MiB objects while a wiped disk is rebuilt.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatMiB, MemoryWatch } from './memory-watch.ts';
import { LoadConnection } from './s3-load.ts';
import { bytesOf } from './s3-session.ts';
import { startCluster } from './test-cluster.ts';

const clientCount = 8;
const objectBytes = 64 * 2 ** 20;
/** Before the disk is wiped, so that there is something to rebuild. */
const seedObjects = 6;
const pushMs = 12_000;

test('eight clients with 64 MiB objects during recovery push no daemon over 256 MiB', async (t) => {
  const cluster = await startCluster(t, ['--no-restart']);
  const connections = await Promise.all(
    Array.from({ length: clientCount }, () => LoadConnection.open(cluster.ready.s3, cluster.ready)),
  );
  const body = bytesOf('pushed', objectBytes);
  const [first] = connections;
  ok(first !== undefined);
  equal((await first.request('PUT', '/push')).status, 200);
  for (let index = 0; index < seedObjects; index++)
    equal((await first.request('PUT', `/push/seed-${index}`, body)).status, 200);

  await cluster.kill('osd.2');
  const dir = cluster.ready.osds[2]?.dir ?? '';
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
  await cluster.command('osd', 'start', '2');
  const watch = await MemoryWatch.begin(cluster);
  const end = performance.now() + pushMs;
  let pushed = 0;
  const statuses = new Set<number>();
  await Promise.all(
    connections.map(async (connection, index) => {
      while (performance.now() < end) {
        // Each client replaces its own: the disks need not hold all that was pushed.
        const { status } = await connection.request('PUT', `/push/client-${index}`, body);
        statuses.add(status);
        pushed++;
      }
    }),
  );
  for (const connection of connections) connection.close();
  await cluster.untilClean(60_000);
  watch.end();
  const most = [...watch.most()].map(
    ([name, { anonymousBytes }]) => `${name} ${formatMiB(anonymousBytes)}`,
  );
  t.diagnostic(`${pushed} objects of 64 MiB; anonymous memory at most: ${most.join(', ')}`);
  deepEqual([...statuses], [200]);
  ok(pushed >= clientCount, `${pushed} objects pushed`);
  deepEqual(watch.excesses(), []);
});
