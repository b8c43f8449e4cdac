// What placement groups at rest cost (promise P6): memory of each, and nothing else that grows with their number but the
// length of a few messages. An OSD may have ten thousand.

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { copies } from '../map/geometry.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Three copies on three OSDs: each has every group, and leads a third of them. */
const osdCount = 3;
const few = 64;
const many = 2048;
const seconds = 10;

/** Of the daemons' memory, disks of the simulator included; 4,300 when this was written, 10,700 before. */
const bytesPerMemberMax = 6000;

/** Timers that ran, messages that came and questions to disks that were answered, in a second. */
const eventsMoreMax = 20;

interface Cost {
  readonly bytes: number;
  readonly eventsPerSecond: number;
}

/** What one collection frees lets the next free more. */
async function heapBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function costOf(pgCount: number): Promise<Cost> {
  const before = await heapBytes();
  const cluster = new SimulatedCluster({
    seed: 7,
    osdCount,
    pools: [{ name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount }],
    methods: new Map(),
  });
  await cluster.start();
  // Whatever a start leaves behind is done.
  await cluster.scheduler.run(5000);
  const bytes = (await heapBytes()) - before;
  const eventsBefore = cluster.scheduler.events;
  await cluster.scheduler.run(seconds * 1000);
  const eventsPerSecond = (cluster.scheduler.events - eventsBefore) / seconds;
  return { bytes, eventsPerSecond };
}

test('placement groups at rest take little memory, and no timers and messages of their own', async () => {
  // Code and tables that the first cluster brings into memory are nobody's.
  await costOf(few);
  const small = await costOf(few);
  const large = await costOf(many);
  const bytesPerMember = (large.bytes - small.bytes) / ((many - few) * osdCount);
  ok(bytesPerMember < bytesPerMemberMax, `${Math.round(bytesPerMember)} bytes a member`);
  const more = large.eventsPerSecond - small.eventsPerSecond;
  ok(more < eventsMoreMax, `${more} more events a second`);
});
