// The directory of users under a simulated cluster: gateways change it, each by comparing, and a monitor that
// restarts has what it said it had.

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { plainUser } from '../map/directory.ts';
import { copies } from '../map/geometry.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { workloadMethods } from './workload.ts';

const pools = [
  { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 1 },
] as const;

const key = (id: string) => ({ accessKey: id, secretKey: `secret of ${id}` });

test('a gateway changes the directory only as the newest, and every gateway sees it', async () => {
  const cluster = new SimulatedCluster({ seed: 3, osdCount: 3, pools, methods: workloadMethods });
  await cluster.start();
  const [one, two] = [await cluster.client(), await cluster.client()];
  const before = one.directory();
  const withName = (name: string) => ({
    ...before,
    revision: before.revision + 1,
    users: [...before.users, plainUser({ name, ...key(name) }, 0, false)],
  });
  equal(await cluster.settle(one.changeDirectory(withName('ann')), 'a change'), 'done');
  equal(one.directory().users.at(-1)?.name, 'ann');
  equal(await cluster.settle(two.changeDirectory(withName('bob')), 'a late change'), 'stale');
  deepEqual(two.directory(), one.directory());
  deepEqual(two.sessionsKey(), one.sessionsKey());
  equal(one.sessionsKey().length, 32);
  const twice = { ...withName('ann'), revision: before.revision + 2 };
  const wrong = { ...twice, users: [...twice.users, ...twice.users] };
  await rejects(cluster.settle(one.changeDirectory(wrong), 'a wrong change'), /twice/);
  const made = await cluster.settle(
    cluster.monitor.users.createAccount({ name: 'shop', email: '' }),
    'an account',
  );
  equal(/^1\d{11}$/.test(made.account), true);
  cluster.killMonitor({ power: true });
  await cluster.startMonitor();
  equal(cluster.monitor.directory.accounts[0]?.id, made.account);
  deepEqual(
    cluster.monitor.directory.users.map(({ name }) => name),
    ['admin', 'ann', 'shop'],
  );
});
