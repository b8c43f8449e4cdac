// What is told of a failure leads back to it: the command, what is wrong, and the moment.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { copies } from '../map/geometry.ts';
import { failureReport } from './failure-report.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { StrikeCounts } from './strike-counts.ts';
import { workloadMethods } from './workload.ts';

test('a report shows the last lines of the log however long the problems are', () => {
  const recentLog = Array.from({ length: 60 }, (_, at) => `line ${at}`);
  const problems = [`first\n${'more\n'.repeat(500)}`, 'second', 'third', 'fourth'];
  const lines = failureReport({ seed: 7, problems, recentLog }, 90_000).split('\n');
  equal(lines[0], 'seed 7 failed: npm run sim -- --seed 7 --seconds 90');
  ok(lines.includes('  second') && lines.includes('  (1 problems more)'));
  deepEqual(
    lines.slice(-60),
    recentLog.map((line) => `    ${line}`),
  );
});

test('what was done to a cluster is among its last log lines, however much its daemons log', async () => {
  const pools = [
    { name: '.index', geometry: copies(2, 1), failureDomain: 'host', pgCount: 4 },
  ] as const;
  const cluster = new SimulatedCluster({ seed: 1, osdCount: 2, pools, methods: workloadMethods });
  cluster.tell('nemesis', 'partition', { osd: 1 });
  await cluster.start();
  // Behind what is logged in the same moment.
  await cluster.scheduler.run(1);
  cluster.tell('nemesis', 'crash', { osd: 0 });
  const told = cluster.recentLog();
  equal(told[0], '0.0 nemesis partition {"osd":1}');
  ok(told.at(-1)?.includes('nemesis crash'));
  ok(told.some((line) => line.includes(' osd.1 ')));
});

test('faults are counted apart from what ends them and from what operators do', () => {
  const counts = new StrikeCounts();
  counts.add({ fault: { crash: 2 }, repair: { restart: 1 }, change: { scrub: 1 } });
  counts.add({ fault: { crash: 1, pause: 4 }, repair: {}, change: {} });
  equal(counts.totals(), "7 faults, 1 repairs, 1 operators' changes");
  equal(counts.summary().split('\n')[0], '7 faults: pause 4, crash 3');
});
