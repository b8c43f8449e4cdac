// The story that Holdfast was made to survive, with real processes and a real client: load, disks that freeze and
// come back, daemons killed as for want of memory, the control plane gone, two disks given up by their operator, and
// an erasure-coded pool changed from 2+1 to 3+2 in the middle of it. Every object acknowledged is compared at the end.

import { equal, match, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterProcess } from './cluster-process.ts';
import { bytesOf, inParallel, S3Session, sha256 } from './s3-session.ts';
import { atEnd, openBucket, startCluster } from './test-cluster.ts';

/** Of an object's bytes, by how often it was written: inline, one blob, several. */
const sizes = [2000, 150_000, 5_000_000] as const;

/** Longer than the six seconds of silence after which an OSD is called down. */
const frozenMs = 8000;

/** A client of its own, that writes and reads until it is told to stop, and knows what was acknowledged. */
class Load {
  readonly acknowledged = new Map<string, string>();
  /** Keys whose last write failed: either value is right. */
  readonly unclear = new Set<string>();
  readonly session: S3Session;
  #isOver = false;
  #writes = 0;
  failures = 0;
  readonly wrong: string[] = [];
  readonly #done: Promise<unknown>;

  constructor(session: S3Session, workers: number) {
    this.session = session;
    this.#done = Promise.all(Array.from({ length: workers }, (_, worker) => this.#work(worker)));
  }

  get writes(): number {
    return this.#writes;
  }

  async #work(worker: number): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const key = `load/${worker}/${round % 15}`;
      const name = `${key} ${round}`;
      const body = bytesOf(name, sizes[round % sizes.length] as number);
      try {
        await this.session.put(key, body);
        this.acknowledged.set(key, sha256(body));
        this.unclear.delete(key);
        this.#writes++;
      } catch {
        this.failures++;
        this.unclear.add(key);
      }
      await this.#check(`load/${worker}/${(round * 7) % 15}`);
      await delay(50);
    }
  }

  /** Of keys that this worker alone writes, one after the other: what is read is what was acknowledged last. */
  async #check(key: string): Promise<void> {
    const expected = this.acknowledged.get(key);
    if (expected === undefined || this.unclear.has(key)) return;
    const found = await this.session.digestOf(key).catch(() => expected);
    if (found !== expected) this.wrong.push(key);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async compareAll(): Promise<void> {
    await inParallel([...this.acknowledged], 8, async ([key, expected]) => {
      const found = await this.session.digestOf(key);
      if (this.unclear.has(key)) ok(found !== undefined, `${key} is there`);
      else equal(found, expected, key);
    });
  }
}

async function freeze(cluster: ClusterProcess, name: string, forMs: number): Promise<void> {
  const pid = await cluster.pidOf(name);
  process.kill(pid, 'SIGSTOP');
  await delay(forMs);
  process.kill(pid, 'SIGCONT');
}

async function startLoad(t: TestContext, cluster: ClusterProcess): Promise<Load> {
  await openBucket(t, cluster);
  const session = new S3Session(cluster.ready, 'test', { attemptsMax: 6 });
  atEnd(t, () => session.close());
  const load = new Load(session, 3);
  atEnd(t, () => load.stop());
  return load;
}

test('the story of the post-mortem ends with every object there', async (t) => {
  const cluster = await startCluster(t);
  // As the story begins: K=2, M=1.
  await cluster.command('pool', 'set', 'data', '--erasure', '2+1', '--wait', '--timeout', '120');
  const load = await startLoad(t, cluster);

  await t.test('disks that freeze in turn are called down and take part again', async () => {
    for (const osd of [1, 4, 2]) await freeze(cluster, `osd.${osd}`, frozenMs);
    await cluster.untilClean();
    const { osds } = await cluster.status();
    equal(osds.in, 5, 'nobody is marked out for being slow');
  });

  await t.test('daemons killed as for want of memory come back', async () => {
    for (const osd of [0, 3, 0]) {
      const [daemon] = (await cluster.daemons()).filter(({ name }) => name === `osd.${osd}`);
      ok(daemon !== undefined);
      await cluster.kill(daemon.name);
      await cluster.untilReplaced(daemon, 30_000);
    }
    await cluster.untilClean();
  });

  await t.test('with the control plane gone reads and writes go on', async () => {
    const pid = await cluster.pidOf('mon.0');
    process.kill(pid, 'SIGSTOP');
    const before = load.writes;
    await delay(6000);
    ok(load.writes > before + 5, `${load.writes - before} writes with the monitor frozen`);
    process.kill(pid, 'SIGCONT');
    await cluster.kill('mon.0');
    await cluster.untilClean();
  });

  await t.test('giving up two disks at once is refused with what would be lost', async () => {
    const asked = await cluster.run('what-if', 'destroy', 'osd.1', 'osd.2');
    equal(asked.code, 0);
    match(asked.stdout, /LOST: everything in it/);
    const { code, stderr } = await cluster.run('osd', 'destroy', '1', '2');
    equal(code, 3);
    match(stderr, /pg 2\.\d+\.\d+ \(pool data\): LOST/);
    match(stderr, /The safe way: holdfast osd drain 1 2/);
    const guess = await cluster.run('osd', 'destroy', '1', '2', '--accept-loss', '000000000000');
    equal(guess.code, 3);
    const { osds } = await cluster.status();
    equal(osds.up, 5, 'nothing was touched');
  });

  await t.test('one disk is drained under load, destroyed, and taken back', async () => {
    await cluster.command('osd', 'drain', '4', '--timeout', '120');
    await cluster.command('osd', 'destroy', '4');
    const gone = await cluster.osds();
    equal(gone.find(({ id }) => id === 4)?.destroyed, true);
    await cluster.command('osd', 'undestroy', '4');
    await cluster.command('osd', 'in', '4', '--wait', '--timeout', '120');
  });

  await t.test('the pool goes from 2+1 to 3+2 under load while daemons are killed', async () => {
    await cluster.command('pool', 'set', 'data', '--erasure', '3+2');
    for (const name of ['osd.2', 'mon.0', 's3.0', 'osd.0']) {
      const [daemon] = (await cluster.daemons()).filter((each) => each.name === name);
      ok(daemon !== undefined);
      await cluster.kill(name);
      await cluster.untilReplaced(daemon, 30_000);
      await delay(1000);
    }
    const { pools } = await cluster.until(
      'everything to be moved',
      ({ pools }) =>
        pools.every(
          ({ layouts, migration }) =>
            layouts.at(-1)?.purpose === 'own' && migration?.isMoved !== false,
        ),
      120_000,
    );
    equal(pools.find(({ name }) => name === 'data')?.geometry, 'erasure 3+2');
  });

  await load.stop();
  await cluster.untilClean();
  t.diagnostic(
    `${load.writes} writes acknowledged, ${load.failures} failed after the client's own retries`,
  );
  equal(load.wrong.join(' '), '', 'every read during the story was right');
  await load.compareAll();
  await cluster.command('scrub', '--all', '--deep', '--wait', '--timeout', '120');
  const { checks } = await cluster.health();
  equal(checks.filter(({ code }) => code === 'OBJECTS_DAMAGED').length, 0);
  await load.compareAll();
});
