// Disks are lost as promise P1 allows it: no more than it promises to survive, and no fewer.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { copies, erasure, type Geometry } from '../map/geometry.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { DiskLosses } from './disk-losses.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { workloadMethods } from './workload.ts';

async function staged(data: Geometry, failureDomain: 'host' | 'osd') {
  const cluster = new SimulatedCluster({
    seed: 3,
    osdCount: 6,
    hosts: Array.from({ length: 6 }, (_, index) => `host-${index % 3}`),
    pools: [
      { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 4 },
      { name: 'data', geometry: data, failureDomain, pgCount: 4 },
    ],
    methods: workloadMethods,
  });
  await cluster.start();
  await cluster.untilClean();
  const problems: string[] = [];
  const losses = new DiskLosses({
    random: new SeededRandom(5),
    cluster,
    problems,
    becomeWhole: async () => true,
    isEdited: () => false,
  });
  const before = cluster.osds.map(({ uuid }) => uuid);
  const lost = () => cluster.osds.filter(({ uuid }, at) => uuid !== before[at]);
  return { cluster, losses, problems, lost };
}

test('of a layout by hosts that survives one, the disks of one host are lost at once', async () => {
  const { cluster, losses, problems, lost } = await staged(erasure(2, 1), 'host');
  equal(await losses.loseSeveral(), true);
  const hosts = lost().map(({ id }) => cluster.monitor.map.osds[id]?.host);
  equal(hosts.length, 2);
  equal(new Set(hosts).size, 1);
  equal(cluster.isClean(), false, 'a record that names a disk that is gone is not clean');
  await cluster.untilClean();
  deepEqual(problems, []);
});

test('a layout by disks that survives one lets no other be lost with it', async () => {
  const { losses, lost } = await staged(erasure(2, 1), 'osd');
  equal(await losses.loseSeveral(), false);
  deepEqual(lost(), []);
});

test('in the middle of recovery a disk is lost only where nothing is lost by it', async () => {
  const { cluster, losses, problems, lost } = await staged(erasure(2, 1), 'host');
  const [first, other] = cluster.osds;
  if (first === undefined || other === undefined) throw new Error('no disks');
  equal(await losses.loseWhileUnclean(other), false, 'the cluster is clean');
  cluster.killOsd(first.id);
  await cluster.until('a drop', () => !cluster.isClean(), 30_000);
  // What the first has, or a disk of another host, is all there is beside one more.
  for (const osd of cluster.osds.slice(1))
    if (osd.id % 3 !== first.id % 3) equal(await losses.loseWhileUnclean(osd), false, `${osd.id}`);
  equal(await losses.loseWhileUnclean(first), true, 'it was dropped, and counts for nothing');
  deepEqual(lost(), [first]);
  await cluster.untilClean();
  deepEqual(problems, []);
});
