// A live pool changes how it stores, in a whole cluster (promise P4): every object stays readable and right at each
// moment, and at the end every byte lies as the new layout says. And with too few disks for the pool's
// layout, writes go on in an interim one and come back by themselves.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { buffers } from '../base/buffer-pool.ts';
import type { OsdId } from '../base/ids.ts';
import { copies, erasure, formatGeometry, type Geometry } from '../map/geometry.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { compareMembers } from './end-state.ts';
import { Invariants } from './invariants.ts';
import { type S3Call, signedRequest } from './s3-request.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';

const gatewayOptions = {
  garbageGraceMs: 5000,
  garbageIntervalMs: 2000,
  garbageBlobsPerSecond: 10_000,
  migrateIntervalMs: 1000,
  orphansIntervalMs: 30_000,
} as const;

/** Inline, one blob, and now and then several: 251 bytes repeated, so that a shifted read shows. */
function pattern(seed: number): Uint8Array {
  const bytes = seed % 12 === 0 ? 5_000_000 : ([100, 20_000, 300_000][seed % 3] as number);
  const body = new Uint8Array(bytes);
  for (let at = 0; at < 251; at++) body[at] = (at * 31 + seed * 17) & 0xff;
  for (let length = 251; length < bytes; length *= 2) body.copyWithin(length, 0, length);
  return body;
}

class Story {
  readonly cluster: SimulatedCluster;
  readonly invariants: Invariants;
  /** What each key was last acknowledged to hold. */
  readonly acknowledged = new Map<string, number>();
  readonly gateways: SimulatedGateway[] = [];
  #seeds = 0;

  constructor(seed: number, osdCount: number, data: Geometry) {
    this.cluster = new SimulatedCluster({
      seed,
      osdCount,
      pools: [
        { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 2 },
        { name: 'data', geometry: data, failureDomain: 'host', pgCount: 3 },
      ],
      methods: s3Methods,
      writerGraceMs: 60_000,
    });
    this.invariants = new Invariants(this.cluster);
    this.cluster.scheduler.afterEach = () => this.invariants.check();
  }

  async start(gatewayCount = 1): Promise<void> {
    await this.cluster.start();
    for (let count = 0; count < gatewayCount; count++)
      this.gateways.push(await this.cluster.gateway(gatewayOptions));
    equal((await this.send({ method: 'PUT', path: '/bucket' })).status, 200);
    // Until every primary has told the monitor what it holds.
    await this.cluster.scheduler.run(3000);
  }

  request(call: S3Call, gateway = this.gateways[0] as SimulatedGateway) {
    const signed = signedRequest(call, gateway.process.env.wall.nowMs());
    return gateway.process.http.request(signed);
  }

  send(call: S3Call) {
    return this.cluster.settle(this.request(call), `${call.method} ${call.path}`);
  }

  /** Puts a key anew; remembered when acknowledged. */
  async put(key: string, gateway?: SimulatedGateway): Promise<number> {
    const seed = ++this.#seeds;
    const body = pattern(seed);
    const { status } = await this.request({ method: 'PUT', path: `/bucket/${key}`, body }, gateway);
    if (status === 200) this.acknowledged.set(key, seed);
    return status;
  }

  async read(key: string): Promise<Uint8Array> {
    const answer = await this.request({ method: 'GET', path: `/bucket/${key}` });
    equal(answer.status, 200, `GET ${key}`);
    return answer.body;
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.cluster.scheduler.after(ms, 'client pause', resolve);
    });
  }

  async readAll(): Promise<void> {
    for (const [key, seed] of this.acknowledged) {
      const expected = pattern(seed);
      const found = await this.cluster.settle(this.read(key), `reading ${key}`);
      ok(Buffer.compare(found, expected) === 0, `${key} is what was acknowledged`);
    }
  }

  pool() {
    const pool = this.cluster.monitor.map.pools.find(({ name }) => name === 'data');
    ok(pool !== undefined);
    return pool;
  }

  untilOneLayout(limitMs = 600_000): Promise<void> {
    return this.cluster.until(
      'the pool to have one layout',
      () => this.pool().layouts.length === 1,
      limitMs,
    );
  }

  /** Every blob on the disks has this geometry, and members agree. */
  async end(geometry: Geometry): Promise<void> {
    // Whatever is garbage goes, and nothing changes while members are compared.
    await this.cluster.scheduler.run(60_000);
    for (const gateway of this.gateways) gateway.process.kill();
    await this.cluster.untilClean();
    const problems: string[] = [];
    const contents = await compareMembers(this.cluster, problems);
    equal(problems.map((each) => each.slice(0, 200)).join('\n'), '');
    deepEqual(this.cluster.failures, []);
    deepEqual(this.invariants.problems, []);
    const found = new Set(
      contents.flatMap(({ blobs }) => blobs.map(({ facts }) => formatGeometry(facts.geometry))),
    );
    deepEqual([...found], [formatGeometry(geometry)]);
    // Nothing of the layouts that are gone is left on any disk.
    const known = new Set(this.cluster.monitor.records.keys());
    for (const { osd } of this.cluster.osds)
      for (const pg of osd?.pgs ?? []) ok(known.has(pg), `${pg} is left on a disk`);
  }
}

test('a pool goes from 2+1 to 3+2 under load while daemons die, and nothing is lost', async () => {
  const story = new Story(11, 5, erasure(2, 1));
  const { cluster } = story;
  await story.start(2);
  for (let at = 0; at < 24; at++) await cluster.settle(story.put(`before-${at}`), 'a put');
  await cluster.settle(
    cluster.monitor.pools.setPoolLayout('data', { geometry: erasure(3, 2), pgCount: 4 }),
    'the change',
  );
  // Clients go on, and a daemon dies now and then.
  let isOver = false;
  const load = (async () => {
    for (let at = 0; !isOver; at++) {
      await story.put(`during-${at % 20}`, story.gateways[at % 2]).catch(() => 0);
      await story.read(`before-${at % 24}`).catch(() => {});
      await story.pause(100);
    }
  })();
  for (const victim of [0, 3, 1, 4, 2]) {
    await cluster.scheduler.run(3000);
    cluster.killOsd(victim);
    await cluster.scheduler.run(2000);
    await cluster.startOsd(victim);
    await cluster.scheduler.run(4000);
  }
  cluster.killMonitor({ power: false });
  await cluster.scheduler.run(2000);
  await cluster.startMonitor();
  // The gateway that moves blobs dies in the middle of it.
  story.gateways[1]?.process.kill();
  story.gateways[1] = await cluster.gateway(gatewayOptions);
  isOver = true;
  await cluster.settle(load, 'the load to end', 120_000);
  await story.readAll();
  await story.untilOneLayout();
  equal(story.pool().layouts[0]?.id, 2);
  await story.readAll();
  await story.end(erasure(3, 2));
});

test('a change of a pool is turned back in the middle, and everything lies as before', async () => {
  const story = new Story(12, 5, erasure(3, 2));
  const { cluster } = story;
  await story.start();
  for (let at = 0; at < 12; at++) await cluster.settle(story.put(`key-${at}`), 'a put');
  const { monitor } = cluster;
  await cluster.settle(
    monitor.pools.setMigration('data', { migrationBytesPerSecond: 300_000 }),
    'a slow move',
  );
  await cluster.settle(
    monitor.pools.setPoolLayout('data', { geometry: erasure(2, 1) }),
    'the change',
  );
  await cluster.scheduler.run(15_000);
  await cluster.settle(monitor.pools.setMigration('data', { migration: 'paused' }), 'pausing');
  await cluster.scheduler.run(3000);
  const moved = monitor.migrationOf(story.pool())?.movedBytes ?? 0;
  ok(moved > 0, 'some blobs are moved');
  await cluster.scheduler.run(20_000);
  equal(monitor.migrationOf(story.pool())?.movedBytes, moved, 'paused is paused');
  await cluster.settle(story.put('new'), 'a put');
  await cluster.settle(monitor.pools.revertPool('data'), 'turning back');
  await cluster.settle(
    monitor.pools.setMigration('data', { migration: 'running', migrationBytesPerSecond: 0 }),
    'resuming',
  );
  await story.untilOneLayout();
  equal(story.pool().layouts[0]?.id, 1);
  await story.readAll();
  await story.end(erasure(3, 2));
  await rejects(monitor.pools.revertPool('data'), /no change that could be turned back/);
});

test('with two of five hosts down a 3+2 pool goes on writing, and goes back when they return', async () => {
  const story = new Story(13, 5, erasure(3, 2));
  const { cluster } = story;
  await story.start();
  for (let at = 0; at < 8; at++) await cluster.settle(story.put(`before-${at}`), 'a put');
  await cluster.scheduler.run(20_000);
  cluster.killOsd(1);
  cluster.killOsd(3);
  for (let at = 0; at < 12; at++)
    equal(await cluster.settle(story.put(`during-${at}`), 'a put'), 200, `put ${at}`);
  const interim = story.pool().layouts.at(-1);
  equal(interim?.purpose, 'interim');
  deepEqual(interim?.geometry, erasure(1, 2));
  // A third host may go: what was written meanwhile survives it, and what was written before waits for one of the three.
  cluster.killOsd(4);
  for (let at = 0; at < 6; at++)
    equal(await cluster.settle(story.put(`later-${at}`), 'a put'), 200, `later ${at}`);
  for (const osd of [1, 3, 4]) await cluster.startOsd(osd);
  await story.untilOneLayout();
  await story.readAll();
  await story.end(erasure(3, 2));
});

test('whoever takes a buffer of the pool gives it back: nothing is kept by recovery, moves and reads', async () => {
  const story = new Story(14, 5, erasure(1, 2));
  const { cluster } = story;
  await story.start();
  for (let at = 0; at < 24; at++) await cluster.settle(story.put(`key-${at}`), 'a put');
  // Other disks are filled, by reading and rebuilding what this one has.
  await cluster.settle(cluster.monitor.markOut(2 as OsdId), 'giving a disk up');
  await cluster.untilClean();
  await story.readAll();
  await cluster.settle(
    cluster.monitor.pools.setPoolLayout('data', { geometry: erasure(3, 1) }),
    'the change',
  );
  await story.untilOneLayout();
  await story.readAll();
  await cluster.settle(
    cluster.monitor.pools.setPoolLayout('data', { geometry: copies(3, 2) }),
    'another change',
  );
  await story.untilOneLayout();
  await story.readAll();
  await story.end(copies(3, 2));
  equal(buffers.outCount, 0);
});
