// kill -9 of every process at once while clients write, and a start on the same data: what was
// acknowledged is there, and what was not is either there or not, but never something else.

import { deepEqual, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bytesOf, inParallel, type S3Session, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

/** Digests that a key may have: the last acknowledged one, and those sent since. */
type Expected = Map<string, (string | undefined)[]>;

const writerCount = 6;

/** Inline in the index, one small blob, and several blobs. */
const sizes = [700, 50_000, 6 * 2 ** 20];

const killRounds = 2;

/** A restart waits for promises of two seconds, and opens its disks. */
const restartMs = 15_000;

test('what was acknowledged survives kill -9 of every process at once', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const expected: Expected = new Map();
  let cluster = await startCluster(t, [], data);
  let session = await openBucket(t, cluster);
  for (let round = 0; round < killRounds; round++) {
    const writers = Array.from({ length: writerCount }, (_, writer) =>
      writeUntilItBreaks(session, expected, `${round}-${writer}`),
    );
    await delay(2500);
    await cluster.killAll();
    const counts = await Promise.all(writers);
    ok(
      counts.every((count) => count > 0),
      `each writer got something acknowledged: ${counts}`,
    );
    cluster = await startCluster(t, [], data);
    t.diagnostic(`round ${round}: ${counts} requests, ready after ${cluster.startedMs} ms`);
    ok(cluster.startedMs < restartMs, `ready after ${cluster.startedMs} ms`);
    session = await openBucket(t, cluster, { attemptsMax: 3 }, 'test');
    const wrong: string[] = [];
    await inParallel([...expected], 8, async ([key, digests]) => {
      const got = await session.digestOf(key);
      if (!digests.includes(got)) wrong.push(`${key}: ${got}, not ${digests}`);
      expected.set(key, [got]);
    });
    deepEqual(wrong, []);
  }
});

/** Puts, replaces and deletes keys of its own until a request fails; resolves with the acknowledged. */
async function writeUntilItBreaks(
  session: S3Session,
  expected: Expected,
  writer: string,
): Promise<number> {
  for (let count = 0; ; count++) {
    // Every fourth key is written again, every ninth deleted.
    const key = `${writer}/${count % 4 === 3 ? count - 2 : count}`;
    const before = expected.get(key) ?? [undefined];
    const removes = count % 9 === 8 && before[0] !== undefined;
    const body = bytesOf(`${key} ${count}`, sizes[count % sizes.length] ?? 0);
    const after = removes ? undefined : sha256(body);
    expected.set(key, [...before, after]);
    try {
      await (removes ? session.delete(key) : session.put(key, body));
    } catch {
      return count;
    }
    expected.set(key, [after]);
  }
}
