// `npm run bench`: the cluster as `holdfast up` starts it, driven over S3 from this process on the same
// machine. Prints rates, latencies, and the CPU (in cores) and peak memory of each daemon; the disk's own 4 KiB sync
// latency stands beside them, because it bounds every small write.
//
//   --seconds N      of each measurement (8)
//   --only WORDS     phases whose names hold these words: `--only '4 KiB'`
//   --gateways N     of ours (two by default on four cores and more, else one)
//   --data DIR       where the cluster's data goes (the system's folder for temporary files)
//   --against URL    another S3 server instead, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:
//                    the same load beside ours, in turns on one machine, is what a comparison takes

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchErasure } from '../erasure/erasure.bench.ts';
import type { Answer } from './answer-reader.ts';
import { ClusterProcess, cpuSecondsOf, type Daemon, memoryOf } from './cluster-process.ts';
import { LoadConnection } from './s3-load.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    only: { type: 'string', default: '' },
    data: { type: 'string' },
    against: { type: 'string' },
    gateways: { type: 'string' },
  },
});

/** Who is measured: a cluster of ours, or a server that nothing but its address is known of. */
interface Target {
  readonly endpoint: string;
  readonly credentials: { readonly accessKey: string; readonly secretKey: string };
  daemons(): Promise<readonly Daemon[]>;
}
const gatewaysArgs = values.gateways === undefined ? [] : ['--gateways', values.gateways];
const secondsPerPhase = Number(values.seconds);
const folder = mkdtempSync(join(values.data ?? tmpdir(), 'holdfast-bench-'));

interface Phase {
  readonly name: string;
  readonly connections: number;
  readonly bytes: number;
  readonly run: (connection: LoadConnection, index: number) => Promise<Answer>;
}

function diskSyncMs(): number {
  const path = join(folder, 'sync-probe');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let at = 0; at < 200; at++) {
    const begun = performance.now();
    writeSync(file, block, 0, 4096, at * 4096);
    fdatasyncSync(file);
    times.push(performance.now() - begun);
  }
  closeSync(file);
  return times.sort((a, b) => a - b)[100] ?? 0;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function open(target: Target): Promise<LoadConnection> {
  return LoadConnection.open(target.endpoint, target.credentials);
}

async function measure(
  target: Target,
  phase: Phase,
  durationMs: number,
): Promise<{ rate: number; p50: number; p99: number; line: string }> {
  const connections = await Promise.all(
    Array.from({ length: phase.connections }, () => open(target)),
  );
  const latencies: number[] = [];
  const pids = await daemonPids(target);
  const cpuBefore = new Map([...pids].map(([name, pid]) => [name, cpuSecondsOf(pid)]));
  const ownBefore = process.cpuUsage();
  const begun = performance.now();
  const end = begun + durationMs;
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < end) {
        const started = performance.now();
        const answer = await phase.run(connection, next++);
        if (answer.status !== 200) throw new Error(`${phase.name}: status ${answer.status}`);
        latencies.push(performance.now() - started);
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  const own = process.cpuUsage(ownBefore);
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  const rate = latencies.length / seconds;
  const cpu = new Map(
    [...pids].map(([name, pid]) => [
      name,
      (cpuSecondsOf(pid) - (cpuBefore.get(name) ?? 0)) / seconds,
    ]),
  );
  const size =
    phase.bytes >= 1 << 20
      ? `${((rate * phase.bytes) / 2 ** 20).toFixed(0)} MiB/s`
      : `${rate.toFixed(0)}/s`;
  const daemons = [...cpu].map(([name, used]) => ` ${name} ${used.toFixed(2)}`).join('');
  const line = `${phase.name.padEnd(26)} ${size.padStart(12)}   p50 ${percentile(latencies, 0.5).toFixed(2)} ms  p99 ${percentile(latencies, 0.99).toFixed(2)} ms   CPU:${daemons} load ${((own.user + own.system) / 1e6 / seconds).toFixed(2)}`;
  return { rate, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), line };
}

async function daemonPids(target: Target): Promise<Map<string, number>> {
  const daemons = await target.daemons();
  return new Map(daemons.map((daemon) => [daemon.name, daemon.pid]));
}

function phases(): Phase[] {
  const small = Buffer.alloc(4096, 7);
  const medium = Buffer.alloc(1 << 20, 7);
  const large = Buffer.alloc(64 << 20, 7);
  const smallKeysMax = 2000;
  let smallKeys = 0;
  return [
    {
      name: 'PUT 4 KiB, 16 clients',
      connections: 16,
      bytes: 4096,
      run: async (c, i) => {
        const answer = await c.request('PUT', `/bench/small-${i % 100_000}`, small);
        // Those before it are on their way: 16 clients count up together.
        smallKeys = Math.max(smallKeys, Math.min(smallKeysMax, i - 16));
        return answer;
      },
    },
    {
      name: 'GET 4 KiB, 16 clients',
      connections: 16,
      bytes: 4096,
      run: (c, i) => c.request('GET', `/bench/small-${i % Math.max(1, smallKeys)}`),
    },
    {
      name: 'PUT 1 MiB, 8 clients',
      connections: 8,
      bytes: 1 << 20,
      run: (c, i) => c.request('PUT', `/bench/medium-${i % 200}`, medium),
    },
    {
      name: 'GET 1 MiB, 8 clients',
      connections: 8,
      bytes: 1 << 20,
      run: (c, i) => c.request('GET', `/bench/medium-${i % 8}`),
    },
    {
      name: 'PUT 64 MiB, 2 clients',
      connections: 2,
      bytes: 64 << 20,
      run: (c, i) => c.request('PUT', `/bench/large-${i % 6}`, large),
    },
    {
      name: 'GET 64 MiB, 2 clients',
      connections: 2,
      bytes: 64 << 20,
      run: (c, i) => c.request('GET', `/bench/large-${i % 2}`),
    },
  ];
}

async function listPhase(target: Target): Promise<void> {
  const connection = await open(target);
  await connection.request('PUT', '/list');
  connection.close();
  const writers = await Promise.all(Array.from({ length: 16 }, () => open(target)));
  let next = 0;
  const body = Buffer.alloc(16, 1);
  await Promise.all(
    writers.map(async (writer) => {
      while (next < 10_000)
        await writer.request('PUT', `/list/key-${String(next++).padStart(6, '0')}`, body);
    }),
  );
  for (const writer of writers) writer.close();
  for (const connections of [1, 8]) {
    const phase: Phase = {
      name: `LIST 1,000 of 10,000, ${connections}`,
      connections,
      bytes: 0,
      run: (c, i) => {
        const after = `key-${String((i % 9) * 1000).padStart(6, '0')}`;
        const query = `list-type=2&max-keys=1000&start-after=${after}`;
        return c.request('GET', '/list', undefined, query);
      },
    };
    await measure(target, phase, Math.min(2000, secondsPerPhase * 250));
    const result = await measure(target, phase, secondsPerPhase * 500);
    console.log(result.line.replace(/\/s {2,3}p50/, ' pages/s   p50'));
  }
}

async function runPhases(target: Target): Promise<void> {
  const setup = await open(target);
  await setup.request('PUT', '/bench');
  setup.close();
  for (const phase of phases()) {
    if (!phase.name.includes(values.only)) continue;
    // Six processes compile their hot paths on the same cores meanwhile.
    await measure(target, phase, Math.min(4000, secondsPerPhase * 500));
    const result = await measure(target, phase, secondsPerPhase * 1000);
    console.log(result.line);
  }
  if ('LIST'.includes(values.only)) await listPhase(target);
}

async function benchCluster(): Promise<void> {
  const cluster = await ClusterProcess.start(join(folder, 'data'), gatewaysArgs);
  try {
    console.log(
      `cluster ready in ${(cluster.startedMs / 1000).toFixed(2)} s; node ${process.version}; 5 OSDs, data erasure 3+2, index 3 copies`,
    );
    await runPhases({
      endpoint: cluster.ready.s3,
      credentials: cluster.ready,
      daemons: () => cluster.daemons(),
    });
    if ('erasure'.includes(values.only))
      for (const row of benchErasure())
        console.log(
          `erasure ${row.k}+${row.m}: encode ${row.encodeGBps.toFixed(1)} GB/s, decode ${row.m} lost ${row.decodeGBps.toFixed(1)} GB/s, one core`,
        );
    console.log('memory (peak resident / anonymous now):');
    for (const { name, pid } of await cluster.daemons()) {
      const memory = memoryOf(pid);
      if (memory !== undefined)
        console.log(
          `  ${name.padEnd(8)} ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB / ${(memory.anonymousBytes / 2 ** 20).toFixed(0)} MiB`,
        );
    }
  } finally {
    await cluster.stop();
  }
}

async function main(): Promise<void> {
  try {
    console.log(`disk: 4 KiB write + fdatasync ${diskSyncMs().toFixed(3)} ms (median)`);
    if (values.against === undefined) await benchCluster();
    else
      await runPhases({
        endpoint: values.against,
        credentials: {
          accessKey: process.env.AWS_ACCESS_KEY_ID ?? '',
          secretKey: process.env.AWS_SECRET_ACCESS_KEY ?? '',
        },
        daemons: async () => [],
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
