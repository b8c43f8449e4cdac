// Many seeds on several cores, each core a process of its own (sim.ts --lines).
//
//   npm run sim:smoke                         in CI: the scenarios and 28 seeds, each twice, four minutes at most; fails when a rare
//                                             branch was never reached, a seed's second run differs, or time ran out
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
import { commandOf, failureReport } from '../sim/failure-report.ts';
import { unreached } from '../sim/marks.ts';
import type { RunResult } from '../sim/run.ts';
import { scenarios } from '../sim/scenarios.ts';
import { loggedInScenarios } from '../sim/stage.ts';
import { StrikeCounts } from '../sim/strike-counts.ts';
import { numberOf, parseLine } from './sim-lines.ts';

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

/** Wall time of the smoke run, scenarios and all: CI gives it four minutes. At rest it takes some three. */
const smokeMs = 230_000;
/** The same on every machine: a faster one must not meet seeds that nobody looked at. */
const smokeSeeds = 28;
/** Most wall time that a seed may take for each virtual second, and at the least: it takes a thirtieth of that at rest. */
const seedMsPerSecond = 6000;
const seedMsMin = 180_000;

const workers = numberOf('workers', values.workers, { min: 1, integer: true });
const seedsMax = numberOf('seeds', values.seeds ?? (isSmoke ? String(smokeSeeds) : '1e9'), {
  min: 1,
  integer: true,
});
const firstSeed = numberOf(
  'from-seed',
  values['from-seed'] ?? (isSmoke ? '1' : String(Date.now() % 1e9)),
  { min: 0, integer: true },
);
const durationMs = numberOf('seconds', values.seconds, { min: 0.001 }) * 1000;
const seedMsMax = Math.max(seedMsMin, (durationMs / 1000) * seedMsPerSecond);
const simPath = join(dirname(fileURLToPath(import.meta.url)), 'sim.js');

const startedAt = Date.now();
const limitMs = isSmoke ? smokeMs : numberOf('hours', values.hours, { min: 0 }) * 3_600_000;
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
  /** Seeds whose second run was compared with their first. */
  compared: 0,
};
const strikes = new StrikeCounts();
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

/** A seed has failed. */
function failSeed(report: string): void {
  fail(report);
  if (!isSmoke && !values['keep-going']) stop();
}

function take(result: RunResult, cpuMs: number): void {
  totals.runs++;
  totals.events += result.events;
  totals.operations += result.operations;
  totals.refused += result.refused;
  totals.virtualMs += result.virtualMs;
  totals.cpuMs += cpuMs;
  totals.undecided += result.undecided;
  totals.heldBytesMost = Math.max(totals.heldBytesMost, result.heldBytesMost);
  strikes.add(result.strikes);
  add(logged, result.logged);
  ended.add(result.seed);
  while (ended.delete(resumeSeed)) resumeSeed++;
  const command = commandOf(result.seed, durationMs);
  if (isSmoke && !isSameAgain(result)) return;
  if (result.problems.length > 0) failSeed(failureReport(result, durationMs));
  else if (isSmoke && result.undecided > 0)
    fail(`seed ${result.seed}: ${result.undecided} histories are undecided: ${command}`);
  else totals.passed++;
}

function isSameAgain(result: RunResult): boolean {
  const digest = `${result.trace} ${result.nextRandom}`;
  const before = digests.get(result.seed);
  digests.set(result.seed, digest);
  if (before === undefined) return true;
  totals.compared++;
  if (before === digest) return true;
  fail(`seed ${result.seed} ran differently the second time: ${before}, then ${digest}`);
  return false;
}

/** Seeds of one worker: `count` of them from `from` on in steps, which may be backwards. */
interface Share {
  readonly from: number;
  readonly step: number;
  readonly count: number;
}

/** Runs the seeds one after the other; one that kills its worker, or never ends, is told and left behind. */
async function work(share: Share): Promise<void> {
  for (let left = share; left.count > 0 && !isOver; ) {
    const ran = await runWorker(left);
    left = { ...left, from: left.from + ran * left.step, count: left.count - ran };
  }
}

/** Resolves, when the worker has ended, with how many seeds are behind it. */
function runWorker({ from, step, count }: Share): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [
        // Simulated bytes die young, and many at once; helper threads cost more than they save when every core has a
        // worker.
        '--max-semi-space-size=64',
        '--single-threaded-gc',
        simPath,
        '--lines',
        `--seed=${from}`,
        `--step=${step}`,
        `--count=${count}`,
        `--seconds=${values.seconds}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    let ran = 0;
    /** What it is at; undefined between two seeds. */
    let seed: number | undefined;
    let isTooSlow = false;
    const begin = () =>
      setTimeout(() => {
        isTooSlow = true;
        child.kill('SIGKILL');
      }, seedMsMax);
    let watchdog = begin();
    createInterface({ input: child.stdout }).on('line', (line) => {
      clearTimeout(watchdog);
      watchdog = begin();
      if (isOver) return;
      const told = parseLine(line);
      if (told.kind === 'begins') {
        seed = told.seed;
        return;
      }
      ran++;
      seed = undefined;
      take(told.result, told.cpuMs);
    });
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      if ((code !== 0 || isTooSlow) && !isOver) {
        const at = seed ?? from + ran * step;
        const how = isTooSlow
          ? `did not end within ${seedMsMax / 1000} s`
          : `ended its worker with ${code ?? signal}`;
        failSeed(`seed ${at} ${how}: ${commandOf(at, durationMs)}`);
        ran++;
      }
      resolve(ran);
    });
  });
}

/** What each worker has of all seeds from `firstSeed` on. */
function sharesOf(count: number): readonly Share[] {
  return Array.from({ length: Math.min(workers, count) }, (_, index) => ({
    from: firstSeed + index,
    step: workers,
    count: Math.ceil((count - index) / workers),
  }));
}

function backwards({ from, step, count }: Share): Share {
  return { from: from + (count - 1) * step, step: -step, count };
}

function progress(): string {
  const minutes = (Date.now() - startedAt) / 60_000;
  return `${minutes.toFixed(1)} min: ${totals.runs} runs from seed ${firstSeed}, ${totals.failed} failed; ${totals.operations} operations, ${totals.events} events, ${strikes.totals()}, ${(totals.virtualMs / 3.6e6).toFixed(2)} virtual hours`;
}

function summary(): string {
  const cpuSeconds = totals.cpuMs / 1000;
  return [
    progress(),
    `${Math.round(totals.events / cpuSeconds)} events and ${Math.round(totals.operations / cpuSeconds)} operations a CPU second; ${totals.refused} operations refused, ${totals.undecided} histories undecided; at most ${Math.ceil(totals.heldBytesMost / 2 ** 20)} MiB held by a daemon`,
    strikes.summary(),
    isSmoke
      ? `${totals.compared} of ${seedsMax} seeds compared with their second run`
      : `go on with --from-seed ${resumeSeed}`,
    `${totals.passed} passed, ${totals.failed} failed`,
  ].join('\n');
}

async function runScenarios(): Promise<void> {
  for (const [name, scenario] of scenarios) {
    if (isOver) return;
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

// Scenarios are played here while the workers run seeds.
await Promise.all([...(isSmoke ? [runScenarios()] : []), ...sharesOf(seedsMax).map(work)]);
if (isSmoke) add(logged, loggedInScenarios);
// Once more in another process, each seed after those that it came before: nothing of a run may show in a later one.
if (isSmoke) await Promise.all(sharesOf(seedsMax).map(backwards).map(work));
const wasCutShort = isOver;
clearTimeout(timer);
clearInterval(ticker);
if (process.stderr.isTTY) process.stderr.write('\n');
if (isSmoke && wasCutShort)
  fail(
    `not all was run in ${Math.round((Date.now() - startedAt) / 1000)} s: ${totals.runs} of ${2 * seedsMax} runs, ${totals.compared} of ${seedsMax} comparisons`,
  );
else if (isSmoke)
  for (const mark of unreached(logged)) fail(`no run reached: ${mark} (src/sim/marks.ts)`);
console.log(summary());
process.exitCode = totals.failed > 0 ? 1 : 0;
