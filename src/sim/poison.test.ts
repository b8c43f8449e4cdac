// Promise P5 against what peers say: whatever one daemon sends to the others, they stop for none of it, no client reads
// wrong bytes, and groups without that daemon go on.

import { equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { encodeUtf8, equalBytes } from '../base/bytes.ts';
import type { PgId } from '../base/ids.ts';
import { copies, erasure } from '../map/geometry.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { pattern } from './pattern.ts';
import { Poison } from './poison.ts';
import { SimulatedCluster, type SimulatedOsd } from './simulated-cluster.ts';
import { workloadMethods } from './workload.ts';

/** More by hand: POISON_SEEDS=100. */
const seeds = Number(process.env.POISON_SEEDS ?? 6);

async function play(t: TestContext, seed: number): Promise<void> {
  const cluster = new SimulatedCluster({
    seed,
    osdCount: 6,
    pools: [
      { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 8 },
      { name: 'data', geometry: erasure(2, 1), failureDomain: 'host', pgCount: 8 },
    ],
    methods: workloadMethods,
  });
  const random = new SeededRandom(seed);
  const poison = new Poison(random);
  await cluster.start();
  const liar = cluster.osds[random.below(6)] as SimulatedOsd;
  cluster.killOsd(liar.id);
  liar.wrapNetwork = (network) => poison.wrap(network, (remote) => !remote.startsWith('client'));
  await cluster.startOsd(liar.id);
  await cluster.untilClean();
  const client = await cluster.client();
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(400);
  const blobOf = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  for (let at = 0; at < 30; at++)
    await cluster.settle(
      client.putBlob(layout, blobOf(at), [pattern(at, 3000 + at * 5000)]),
      'a put',
    );

  const isWithout = (pg: PgId): boolean =>
    cluster.monitor.records.get(pg)?.slots.every(({ uuid }) => uuid !== liar.uuid) === true;
  const isolated = [...cluster.monitor.records.keys()].filter(isWithout);
  ok(isolated.length > 0);
  poison.percent = 1 + random.below(30);
  let isOver = false;
  let wrong = 0;
  let done = 0;
  let refused = 0;
  const work = async (worker: number): Promise<void> => {
    for (let at = 0; !isOver; at++) {
      const old = random.below(30);
      try {
        const read = await client.readBlob(layout, blobOf(old), {
          offsetBytes: 0,
          lengthBytes: 3000 + old * 5000,
        });
        // What it leads it reads for itself, and tells clients: that nobody can check.
        const pg = client.pgOfBlob(layout, blobOf(old)) as PgId;
        const isItsOwn = cluster.monitor.records.get(pg)?.primary === liar.uuid;
        if (!isItsOwn && !equalBytes(read, pattern(old, 3000 + old * 5000))) wrong++;
        const next = 30 + worker * 100 + (at % 100);
        await client.putBlob(layout, blobOf(next), [pattern(next, 20_000)]);
        await client.call('.index', `object-${at % 20}`, 'sim.swap', encodeUtf8(`k${at}=v${at}`));
        done++;
      } catch {
        refused++;
        await new Promise<void>((resolve) => cluster.scheduler.after(200, 'rest', resolve));
      }
    }
  };
  const workers = [0, 1, 2].map(work);
  await cluster.scheduler.run(15_000);
  for (const pg of isolated) ok(cluster.monitor.reportOf(pg)?.serving, `${pg} serves without it`);
  poison.percent = 0;
  // Its disk is given up with it.
  liar.mayFail = true;
  cluster.killOsd(liar.id);
  isOver = true;
  await cluster.settle(Promise.all(workers), 'the workers', 120_000);
  const spoilt = [...poison.spoilt.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(
    `${spoilt} messages of osd.${liar.id} spoilt; ${done} rounds done, ${refused} refused`,
  );
  ok(spoilt > 10);
  equal(wrong, 0, 'wrong bytes');
  equal(cluster.failures.join('\n'), '');
  await cluster.until(
    'it to be down',
    () => cluster.monitor.map.osds[liar.id]?.up === false,
    30_000,
  );
  await cluster.replaceDisk(liar.id);
  liar.wrapNetwork = undefined;
  await cluster.startOsd(liar.id);
  await cluster.untilClean();
  for (let at = 0; at < 30; at++) {
    const read = await cluster.settle(
      client.readBlob(layout, blobOf(at), { offsetBytes: 0, lengthBytes: 3000 + at * 5000 }),
      `a read of blob ${at}`,
    );
    ok(equalBytes(read, pattern(at, 3000 + at * 5000)), `blob ${at}`);
  }
  equal(cluster.failures.join('\n'), '');
}

for (let seed = 1; seed <= seeds; seed++)
  test(`a peer that speaks nonsense stops nobody (seed ${seed})`, (t) => play(t, seed));
