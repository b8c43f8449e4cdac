// A primary's process is stopped for longer than its members' promises and then goes on, with requests in
// its sockets and a clock of its own that did not run: it must answer none of them from what it knew.

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { S3Session } from './s3-session.ts';
import { atEnd, openBucket, startCluster } from './test-cluster.ts';

/**
 * Six seconds of silence until it is taken for down, two for the promise it holds, and the work: 8 to 9 on a
 * machine at rest, which one that runs tests is not.
 */
const goesOnMsMax = 15_000;

/** Each has an index of its own, so that several placement groups lose their primary. */
const bucketCount = 12;

/** One number that only grows; who reads must see at least what was acknowledged before the read began. */
class Register {
  readonly #session: S3Session;
  #written = 0;
  acknowledged = 0;
  acknowledgedAtMs = 0;

  constructor(session: S3Session) {
    this.#session = session;
  }

  async write(): Promise<void> {
    const value = ++this.#written;
    await this.#session.put('number', Buffer.from(String(value)));
    this.acknowledged = value;
    this.acknowledgedAtMs = performance.now();
  }

  async read(): Promise<void> {
    const least = this.acknowledged;
    const found = Number(Buffer.from(await this.#session.get('number')).toString());
    ok(found >= least, `bucket ${this.#session.bucket}: ${found} after ${least} was acknowledged`);
  }
}

test('a primary frozen longer than a promise serves nothing stale, and the cluster goes on', async (t) => {
  const cluster = await startCluster(t, ['--no-restart']);
  const registers: Register[] = [];
  for (let n = 0; n < bucketCount; n++)
    registers.push(new Register(await openBucket(t, cluster, { attemptsMax: 3 }, `bucket-${n}`)));
  for (const register of registers) await register.write();
  let isOver = false;
  const loops = registers.flatMap((register) =>
    (['write', 'read', 'read'] as const).map(async (what) => {
      while (!isOver) await register[what]();
    }),
  );
  const all = Promise.all(loops);
  all.catch(() => {});
  const [leader] = [...(await cluster.osds())].sort((a, b) => b.primaries - a.primaries);
  ok(leader !== undefined && leader.primaries > 0, 'somebody leads PGs');
  const pid = await cluster.pidOf(`osd.${leader.id}`);
  process.kill(pid, 'SIGSTOP');
  // Should the test fail meanwhile: what is stopped does not hear that it is to end.
  atEnd(t, () => process.kill(pid, 'SIGCONT'));
  const frozenAt = performance.now();
  await cluster.until(
    'other primaries serve',
    ({ osds, pgs }) => osds.up < osds.total && pgs.serving === pgs.total,
  );
  for (const register of registers) {
    while (register.acknowledgedAtMs < frozenAt) await delay(20);
  }
  const tookMs = performance.now() - frozenAt;
  t.diagnostic(`${leader.primaries} PGs lost their primary; all wrote again after ${tookMs} ms`);
  ok(tookMs < goesOnMsMax, `${tookMs} ms`);
  process.kill(pid, 'SIGCONT');
  await cluster.untilClean();
  isOver = true;
  await all;
});
