// `node dist/test/memory-cases.js`: the most that each daemon holds in three cases that are too long for the tests, beside
// its budget (promise P6). Anonymous memory, looked at ten times a second.
//
//   --case WORDS     recovery: a wiped disk is rebuilt while clients push
//                    slow: every OSD but one stands still nine tenths of the time, so that queues fill
//                    groups: the cluster starts with many placement groups and their logs
//   --gib N          on the disk that is wiped (10)
//   --pgs N          that `groups` makes, on each of three OSDs (10000)
//   --budget MIB     of each daemon (256)
//   --data DIR       where the cluster's data goes: three times `--gib` is needed there

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ClusterProcess } from './cluster-process.ts';
import { formatMiB, MemoryWatch } from './memory-watch.ts';
import { LoadConnection } from './s3-load.ts';
import { bytesOf } from './s3-session.ts';

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: '' },
    gib: { type: 'string', default: '10' },
    pgs: { type: 'string', default: '10000' },
    budget: { type: 'string', default: '256' },
    data: { type: 'string' },
  },
});

const mebibyte = 2 ** 20;
const objectBytes = 64 * mebibyte;
const clientCount = 8;
/** Of each client between two objects: what they replaced is kept for a quarter of an hour, and the disks must hold it. */
const restMs = 15_000;
const slowMs = 60_000;
/** Of each tenth of a second times ten. Shorter than a promise: nobody is taken for dead. */
const stillMs = 900;
const wakeMs = 100;
const recoveryMsMax = 30 * 60_000;
const bootMsMax = 5 * 60_000;
/** Of one pool. */
const poolPgsMax = 4096;
const idleMs = 30_000;
/** Of the kernel's own count, on every Linux. */
const ticksPerSecond = 100;
const smallObjects = 20_000;

const body = bytesOf('pushed', objectBytes);
const small = Buffer.alloc(4096, 7);

/** Clients that PUT until told to stop; each answer's status is counted. */
class Pushers {
  readonly #cluster: ClusterProcess;
  readonly #pauseMs: number;
  readonly #answers: Record<string, number> = {};
  readonly #work: Promise<unknown>;
  #isOver = false;

  constructor(cluster: ClusterProcess, pauseMs = 0) {
    this.#cluster = cluster;
    this.#pauseMs = pauseMs;
    this.#work = Promise.all(Array.from({ length: clientCount }, (_, index) => this.#push(index)));
    // Looked at when it is awaited.
    this.#work.catch(() => {});
  }

  async #push(index: number): Promise<void> {
    let connection: LoadConnection | undefined;
    while (!this.#isOver) {
      connection ??= await open(this.#cluster);
      let answer: string;
      try {
        const { status } = await connection.request('PUT', `/cases/client-${index}`, body);
        answer = `answered ${status}`;
      } catch {
        // Refused before all was sent.
        answer = 'broken off';
        connection.close();
        connection = undefined;
        await delay(100);
      }
      this.#answers[answer] = (this.#answers[answer] ?? 0) + 1;
      for (
        const end = performance.now() + this.#pauseMs;
        performance.now() < end && !this.#isOver;
      )
        await delay(100);
    }
    connection?.close();
  }

  async end(): Promise<string> {
    this.#isOver = true;
    await this.#work;
    const words = Object.entries(this.#answers).map(([answer, times]) => `${times} ${answer}`);
    return `PUTs of 64 MiB: ${words.join(', ')}`;
  }
}

function open(cluster: ClusterProcess): Promise<LoadConnection> {
  return LoadConnection.open(cluster.ready.s3, cluster.ready);
}

/** PUTs objects over several connections until they are enough; throws when one is not taken. */
async function fill(
  cluster: ClusterProcess,
  bytes: Buffer,
  connectionCount: number,
  isEnough: (index: number) => Promise<boolean> | boolean,
): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    const connection = await open(cluster);
    for (let index = next++; !(await isEnough(index)); index = next++) {
      const { status } = await connection.request('PUT', `/cases/filled-${index}`, bytes);
      if (status !== 200) throw new Error(`filled-${index}: status ${status}`);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connectionCount }, one));
}

function report(watch: MemoryWatch): void {
  watch.end();
  for (const [name, { anonymousBytes }] of watch.most())
    console.log(`  ${name.padEnd(8)} ${formatMiB(anonymousBytes)} of ${values.budget} MiB`);
}

async function usedBytes(cluster: ClusterProcess, id: number): Promise<number> {
  return (await cluster.osds()).find((osd) => osd.id === id)?.usedBytes ?? 0;
}

async function recovery(cluster: ClusterProcess): Promise<undefined> {
  const wantedBytes = Number(values.gib) * 2 ** 30;
  await fill(cluster, body, 2, async () => (await usedBytes(cluster, 2)) >= wantedBytes);
  await cluster.kill('osd.2');
  const dir = cluster.ready.osds[2]?.dir ?? '';
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
  await cluster.command('osd', 'start', '2');
  const watch = await MemoryWatch.begin(cluster);
  const begun = performance.now();
  const pushers = new Pushers(cluster, restMs);
  await cluster.untilClean(recoveryMsMax);
  const seconds = (performance.now() - begun) / 1000;
  const pushed = await pushers.end();
  const gib = ((await usedBytes(cluster, 2)) / 2 ** 30).toFixed(1);
  console.log(`recovery: ${gib} GiB on osd.2 again after ${seconds.toFixed(0)} s; ${pushed}`);
  report(watch);
}

/** All but one: somebody must have the queues. */
async function slow(cluster: ClusterProcess): Promise<undefined> {
  const watch = await MemoryWatch.begin(cluster);
  const pushers = new Pushers(cluster);
  const daemons = (await cluster.daemons()).filter(({ name }) => name.startsWith('osd.'));
  const signal = (name: NodeJS.Signals): void => {
    for (const { pid } of daemons.slice(1)) process.kill(pid, name);
  };
  const end = performance.now() + slowMs;
  while (performance.now() < end) {
    signal('SIGSTOP');
    await delay(stillMs);
    signal('SIGCONT');
    await delay(wakeMs);
  }
  const pushed = await pushers.end();
  console.log(`slow: ${slowMs / 1000} s; ${pushed}`);
  report(watch);
  await cluster.untilClean();
}

/** What each daemon has used of the processors. */
async function cpuSecondsOf(cluster: ClusterProcess): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const { name, pid } of await cluster.daemons()) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    used.set(name, (Number(user) + Number(system)) / ticksPerSecond);
  }
  return used;
}

async function groups(cluster: ClusterProcess): Promise<ClusterProcess> {
  // On three OSDs each has every group, of 2+1 as of three copies. Those of the pool `data` get logs.
  const geometry = ['--copies', '3/2', '--failure-domain', 'osd'];
  const wanted = Number(values.pgs);
  await cluster.command('pool', 'set', 'data', '--pgs', String(Math.min(wanted, poolPgsMax)));
  await cluster.untilClean(bootMsMax);
  for (let left = wanted - poolPgsMax, id = 0; left > 0; left -= poolPgsMax, id++) {
    const pgs = String(Math.min(left, poolPgsMax));
    // Whether all serve is seen below: so many may take longer than the command waits.
    await cluster.run('pool', 'create', `many-${id}`, ...geometry, '--pgs', pgs);
    await cluster.untilClean(bootMsMax);
  }
  await fill(cluster, small, 16, (index) => index >= smallObjects);
  await fill(cluster, bytesOf('blob', 64 * 1024), 16, (index) => index >= smallObjects);
  const stoppedMs = await cluster.stop();
  const again = await ClusterProcess.start(cluster.ready.data);
  const watch = await MemoryWatch.begin(again);
  await again.untilClean(bootMsMax);
  const osds = await again.osds();
  const members = osds.reduce((sum, osd) => sum + osd.pgs, 0);
  console.log(
    `groups: ${members} members of placement groups on ${osds.length} OSDs, stopped in ${(stoppedMs / 1000).toFixed(1)} s, up in ${(again.startedMs / 1000).toFixed(1)} s`,
  );
  const before = await cpuSecondsOf(again);
  await delay(idleMs);
  for (const [name, seconds] of await cpuSecondsOf(again)) {
    const share = (seconds - (before.get(name) ?? 0)) / (idleMs / 1000);
    console.log(`  ${name.padEnd(8)} ${(100 * share).toFixed(1)} % of a core while nobody asks`);
  }
  report(watch);
  return again;
}

async function play(
  name: string,
  osdCount: number,
  run: (cluster: ClusterProcess) => Promise<ClusterProcess | undefined>,
): Promise<void> {
  if (!name.includes(values.case)) return;
  const folder = mkdtempSync(join(values.data ?? tmpdir(), 'holdfast-memory-'));
  const data = join(folder, 'data');
  let cluster = await ClusterProcess.start(data, ['--osds', String(osdCount)]);
  try {
    await cluster.stop();
    const bytes = Number(values.budget) * mebibyte;
    appendFileSync(join(data, 'holdfast.yaml'), `memoryBudgetBytes: ${bytes}\n`);
    cluster = await ClusterProcess.start(data);
    const setup = await open(cluster);
    await setup.request('PUT', '/cases');
    setup.close();
    cluster = (await run(cluster)) ?? cluster;
  } finally {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await play('recovery', 3, recovery);
await play('slow', 5, slow);
await play('groups', 3, groups);
