// Many seeds on several cores, each core a process of its own (sim.ts --lines).
//
//   npm run sim:smoke                         in CI: forty seeds, four minutes at most; fails when a rare branch was never
//                                             reached or a seed's second run differs
//   npm run sim:soak -- --hours H             until the time is up, `--seeds N` are done, or a seed fails
//                       --from-seed S         go on where an earlier soak stopped; default: drawn from the clock
//                       --workers W           processes; default: one a core
//                       --seconds S           virtual time of workload and faults in a seed; default 30
//                       --keep-going          a seed that fails is told, and does not stop the others

import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { unreached } from '../sim/marks.ts';
import type { RunResult } from '../sim/run.ts';
import { scenarios } from '../sim/scenarios.ts';
import { loggedInScenarios } from '../sim/stage.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'smoke' },
    hours: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    'from-seed': { type: 'string' },
    workers: { type: 'string', default: String(Math.max(1, cpus().length)) },
    seconds: { type: 'string', default: '30' },
    'keep-going': { type: 'boolean', default: false },
  },
});
const isSmoke = values.mode === 'smoke';

/** Wall time of the smoke run; the scenarios take the first half minute of it. */
const smokeMs = 190_000;
/** The same on every machine that has the time: a faster one must not meet seeds that nobody looked at. */
const smokeSeeds = 40;
/** Seeds that are run twice. */
const repeatedSeeds = 20;
const workers = Number(values.workers);
const seedsMax = Number(values.seeds ?? (isSmoke ? smokeSeeds : 1e9));
const firstSeed = Number(values['from-seed'] ?? (isSmoke ? 1 : Date.now() % 1e9));
const simPath = join(dirname(fileURLToPath(import.meta.url)), 'sim.js');

const startedAt = Date.now();
const limitMs = isSmoke ? smokeMs : Number(values.hours) * 3_600_000;
const totals = {
  runs: 0,
  passed: 0,
  failed: 0,
  events: 0,
  operations: 0,
  refused: 0,
  virtualMs: 0,
  cpuMs: 0,
  undecided: 0,
  heldBytesMost: 0,
};
const faults: Record<string, number> = {};
const logged: Record<string, number> = {};
const digests = new Map<number, string>();
const children: ChildProcess[] = [];
/** Seeds that ended above the lowest that has not. */
const ended = new Set<number>();
let resumeSeed = firstSeed;
let isOver = false;

function add(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + times;
}

function fail(line: string): void {
  totals.failed++;
  console.log(`\n${line}`);
}

/** Stops the workers that this run started. */
function stop(): void {
  isOver = true;
  for (const child of children) child.kill('SIGKILL');
}

function take(result: RunResult & { readonly cpuMs: number }): void {
  if (isOver) return;
  totals.runs++;
  totals.events += result.events;
  totals.operations += result.operations;
  totals.refused += result.refused;
  totals.virtualMs += result.virtualMs;
  totals.cpuMs += result.cpuMs;
  totals.undecided += result.undecided;
  totals.heldBytesMost = Math.max(totals.heldBytesMost, result.heldBytesMost);
  add(faults, result.faults);
  add(logged, result.logged);
  ended.add(result.seed);
  while (ended.delete(resumeSeed)) resumeSeed++;
  if (isSmoke && !isSameAgain(result)) return;
  if (result.problems.length === 0) {
    totals.passed++;
    return;
  }
  fail(
    `seed ${result.seed} failed: npm run sim -- --seed ${result.seed} --seconds ${values.seconds}`,
  );
  for (const problem of result.problems.slice(0, 3))
    console.log(`  ${problem.split('\n').slice(0, 20).join('\n  ')}`);
  if (!isSmoke && !values['keep-going']) stop();
}

function isSameAgain(result: RunResult): boolean {
  const digest = `${result.trace} ${result.nextRandom}`;
  const before = digests.get(result.seed);
  digests.set(result.seed, digest);
  if (before === undefined || before === digest) return true;
  fail(`seed ${result.seed} ran differently the second time: ${before}, then ${digest}`);
  return false;
}

/** Runs seeds from `from` on in steps; ends when the worker does. */
function work(from: number, count: number): Promise<void> {
  return new Promise((resolve) => {
    if (isOver) return resolve();
    const seeds = ['--seed', String(from), '--step', String(workers), '--count', String(count)];
    const child = spawn(
      process.execPath,
      [
        // Simulated bytes die young, and many at once; helper threads cost more than they save when every core has a
        // worker.
        '--max-semi-space-size=64',
        '--single-threaded-gc',
        simPath,
        '--lines',
        ...seeds,
        ...['--seconds', values.seconds, '--minutes', '100000'],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    createInterface({ input: child.stdout }).on('line', (line) => take(JSON.parse(line)));
    child.on('close', (code) => {
      if (code !== 0 && !isOver) fail(`a worker ended with ${code}`);
      resolve();
    });
  });
}

/** All seeds from `firstSeed` on, `count` of them, spread over the workers. */
async function workAll(count: number): Promise<void> {
  const shares = Array.from({ length: workers }, (_, index) =>
    Math.ceil((count - index) / workers),
  );
  await Promise.all(
    shares.map((share, index) => (share > 0 ? work(firstSeed + index, share) : undefined)),
  );
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function progress(): string {
  const minutes = (Date.now() - startedAt) / 60_000;
  return `${minutes.toFixed(1)} min: ${totals.runs} runs from seed ${firstSeed}, ${totals.failed} failed; ${totals.operations} operations, ${totals.events} events, ${sumOf(faults)} faults, ${(totals.virtualMs / 3.6e6).toFixed(2)} virtual hours`;
}

function summary(): string {
  const cpuSeconds = totals.cpuMs / 1000;
  const kinds = Object.entries(faults).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return [
    progress(),
    `${Math.round(totals.events / cpuSeconds)} events and ${Math.round(totals.operations / cpuSeconds)} operations a CPU second; ${totals.refused} operations refused, ${totals.undecided} histories undecided; at most ${Math.ceil(totals.heldBytesMost / 2 ** 20)} MiB held by a daemon`,
    `faults: ${kinds.map(([fault, times]) => `${fault} ${times}`).join(', ')}`,
    ...(isSmoke ? [] : [`go on with --from-seed ${resumeSeed}`]),
    `${totals.passed} passed, ${totals.failed} failed`,
  ].join('\n');
}

async function runScenarios(): Promise<void> {
  for (const [name, scenario] of scenarios) {
    try {
      await scenario();
      totals.passed++;
    } catch (error) {
      fail(`scenario ${name} failed: npm run sim -- --scenario ${name}\n  ${String(error)}`);
    }
  }
}

const ticker = setInterval(
  () => {
    if (process.stderr.isTTY) process.stderr.write(`\r${progress()}`);
    else if (!isSmoke) process.stderr.write(`${progress()}\n`);
  },
  process.stderr.isTTY ? 1000 : 60_000,
);
const timer = setTimeout(stop, limitMs);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);

if (isSmoke) {
  await runScenarios();
  add(logged, loggedInScenarios);
  // The same seeds in another worker, after other seeds: nothing of an earlier run may show in a later one.
  await workAll(repeatedSeeds);
}
await workAll(seedsMax);
clearTimeout(timer);
clearInterval(ticker);
if (process.stderr.isTTY) process.stderr.write('\n');
if (isSmoke)
  for (const mark of unreached(logged)) fail(`no run reached: ${mark} (src/sim/marks.ts)`);
console.log(summary());
process.exitCode = totals.failed > 0 ? 1 : 0;
