// An OSD near its memory budget stops recovery, then slows puts, says so, and goes on by itself (promise P6).

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { assess } from '../admin/assess.ts';
import { computeHealth } from '../admin/health.ts';
import type { OsdId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { copies } from '../map/geometry.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const mebibyte = 2 ** 20;
const blobBytes = 200_000;

test('near its budget an OSD recovers nothing, slows puts, tells health, and goes on when there is less', async () => {
  const cluster = new SimulatedCluster({
    seed: 21,
    osdCount: 4,
    pools: [{ name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount: 4 }],
    methods: new Map(),
  });
  await cluster.start();
  const client = await cluster.client();
  const layout = client.activeLayout('data');
  const put = async (): Promise<number> => {
    const begun = cluster.scheduler.now();
    const blob = await cluster.settle(client.allocateBlobs(1), 'an id');
    const views = [new Uint8Array(blobBytes).fill(blob.counter)];
    await cluster.settle(client.putBlob(layout, blob, views), 'a put');
    return cluster.scheduler.now() - begun;
  };
  const hold = async (bytes: number): Promise<void> => {
    for (const { process } of cluster.osds) if (process) process.memoryUsedBytes = bytes;
    // Until it has looked, and told.
    await cluster.scheduler.run(2500);
  };
  const codes = (): readonly string[] => {
    const { monitor } = cluster;
    const now = cluster.scheduler.now() as Instant;
    return computeHealth(monitor, assess(monitor, now), []).checks.map(({ code }) => code);
  };
  for (let count = 0; count < 20; count++) await put();
  const usualMs = await put();

  await hold(235 * mebibyte);
  ok(codes().includes('OSD_MEMORY'));
  await cluster.settle(cluster.monitor.markOut(0 as OsdId), 'giving a disk up');
  await cluster.scheduler.run(1000);
  const joining = [...cluster.monitor.records.values()].filter((record) =>
    record.slots.some(({ state }) => state === 'joining'),
  );
  ok(joining.length > 0, 'other disks are to be filled');
  equal(cluster.logged.get('blob pushed') ?? 0, 0);
  ok((await put()) < usualMs + 50, 'puts are as before');
  await cluster.scheduler.run(60_000);
  ok((cluster.logged.get('blob pushed') ?? 0) > 0, 'a step is let through now and then');

  await hold(250 * mebibyte);
  ok((await put()) >= 100, 'puts are slowed');

  await hold(200 * mebibyte);
  deepEqual(
    codes().filter((code) => code === 'OSD_MEMORY'),
    [],
  );
  await cluster.untilClean();
  ok((await put()) < usualMs + 50);
  deepEqual(cluster.failures, []);
});
