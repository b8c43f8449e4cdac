// What one OSD's disk does in a temporary folder: `node dist/store/store.bench.js [FOLDER]`.
// CPU is user and system time of the whole process, LevelDB's threads included.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFiles } from '../host/host-files.ts';
import { ObjectStore } from './object-store.ts';
import { superblockForTests } from './store-suite.ts';
import { Transaction } from './transaction.ts';

const secondsPerCase = 3;

interface Case {
  readonly name: string;
  readonly inFlight: number;
  readonly build: (n: number) => Transaction;
  readonly bytesPerOperation: number;
}

function keyOf(n: number): Uint8Array {
  const key = new Uint8Array(24);
  new DataView(key.buffer).setUint32(0, Math.imul(n, 0x9e3779b1));
  new DataView(key.buffer).setUint32(4, n);
  return key;
}

const value = new Uint8Array(300).map((_, i) => (i * i * 7919) >>> 3);
const megabyte = new Uint8Array(1024 * 1024).map((_, i) => (i * i * 31) >>> 5);

function rows(count: number): (n: number) => Transaction {
  return (n) => {
    const transaction = new Transaction();
    for (let row = 0; row < count; row++) transaction.put('1.1.7', keyOf(n * count + row), value);
    return transaction;
  };
}

/** Replaces among 256 names, so that space is freed and used again. */
function objects(lengthBytes: number): (n: number) => Transaction {
  const views = [megabyte.subarray(0, lengthBytes)];
  return (n) => {
    const transaction = new Transaction();
    transaction.putObject('1.1.7', keyOf(n % 256), value.subarray(0, 64), views);
    return transaction;
  };
}

const cases: readonly Case[] = [
  { name: '1 row of 300 B', inFlight: 1, build: rows(1), bytesPerOperation: 300 },
  { name: '1 row of 300 B', inFlight: 32, build: rows(1), bytesPerOperation: 300 },
  { name: '4 rows of 300 B', inFlight: 32, build: rows(4), bytesPerOperation: 1200 },
  { name: '16 KiB object', inFlight: 32, build: objects(16384), bytesPerOperation: 16384 },
  { name: '1 MiB object', inFlight: 1, build: objects(2 ** 20), bytesPerOperation: 2 ** 20 },
  { name: '1 MiB object', inFlight: 16, build: objects(2 ** 20), bytesPerOperation: 2 ** 20 },
];

async function measure(
  name: string,
  inFlight: number,
  bytesPerOperation: number,
  operation: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const begin = performance.now();
  const end = begin + secondsPerCase * 1000;
  const cpuBegin = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (performance.now() < end) await operation(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - begin) / 1000;
  const cpu = process.cpuUsage(cpuBegin);
  const perSecond = next / seconds;
  const cpuMicros = (cpu.user + cpu.system) / next;
  const mebibytes = (perSecond * bytesPerOperation) / 2 ** 20;
  console.log(
    `${name.padEnd(24)} ${String(inFlight).padStart(3)} in flight ${perSecond.toFixed(0).padStart(8)} /s` +
      ` ${mebibytes.toFixed(1).padStart(8)} MiB/s ${cpuMicros.toFixed(1).padStart(8)} µs CPU each`,
  );
}

const root = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'holdfast-bench-'));
try {
  const files = new HostFiles(join(root, 'osd'));
  await ObjectStore.format(files, superblockForTests);
  const store = await ObjectStore.open(files, { capacityBytes: 16 * 2 ** 30 });
  for (const { name, inFlight, build, bytesPerOperation } of cases)
    await measure(name, inFlight, bytesPerOperation, (n) => store.commit(build(n)));
  await measure('read 1 MiB object', 4, 2 ** 20, (n) =>
    store.readObject('1.1.7', keyOf(n % 256), 0, 2 ** 20),
  );
  await measure('read 4 KiB of an object', 32, 4096, (n) =>
    store.readObject('1.1.7', keyOf(n % 256), (n % 250) * 4096, 4096),
  );
  await measure('get row', 32, 300, (n) => store.get('1.1.7', keyOf(n % 50_000)));
  const opening = performance.now();
  await store.close();
  const again = await ObjectStore.open(files, { capacityBytes: 16 * 2 ** 30 });
  console.log(`opened again in ${(performance.now() - opening).toFixed(0)} ms`);
  await again.close();
} finally {
  await rm(root, { recursive: true, force: true });
}
