// Many seeds on all cores, each core a process of its own (sim.ts --lines).
//
//   npm run sim:smoke                                   in CI: two minutes at most; fails when a rare branch was
//                                                       never reached or a seed's second run differs
//   npm run sim:soak -- --hours H [--from-seed S]       until the time is up or a seed fails

import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { unreached } from '../sim/marks.ts';
import type { RunResult } from '../sim/run.ts';
import { loggedInScenarios, scenarios } from '../sim/scenarios.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'smoke' },
    hours: { type: 'string', default: '1' },
    'from-seed': { type: 'string' },
  },
});
const isSmoke = values.mode === 'smoke';

/** Wall time for the seeds of the smoke run; the scenarios before them take a few seconds. */
const smokeMs = 95_000;
/** Seeds that are run twice. */
const repeatedSeeds = 20;
const workers = Math.max(1, cpus().length);
const firstSeed = Number(values['from-seed'] ?? (isSmoke ? 1 : Date.now() % 1e9));
const simPath = join(dirname(fileURLToPath(import.meta.url)), 'sim.js');

const startedAt = Date.now();
const limitMs = isSmoke ? smokeMs : Number(values.hours) * 3_600_000;
const totals = { passed: 0, failed: 0, events: 0, operations: 0, virtualMs: 0 };
const faults: Record<string, number> = {};
const logged: Record<string, number> = {};
const digests = new Map<number, string>();
const children: ChildProcess[] = [];
let isOver = false;

function add(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + times;
}

function fail(line: string): void {
  totals.failed++;
  console.log(line);
}

/** Stops the workers that this run started. */
function stop(): void {
  isOver = true;
  for (const child of children) child.kill('SIGKILL');
}

function take(result: RunResult): void {
  if (isOver) return;
  totals.events += result.events;
  totals.operations += result.operations;
  totals.virtualMs += result.virtualMs;
  add(faults, result.faults);
  add(logged, result.logged);
  const digest = `${result.trace} ${result.nextRandom}`;
  const before = digests.get(result.seed);
  if (before !== undefined && before !== digest)
    fail(`seed ${result.seed} ran differently the second time: ${before}, then ${digest}`);
  digests.set(result.seed, digest);
  if (result.problems.length === 0) {
    totals.passed++;
    return;
  }
  fail(`seed ${result.seed} failed: npm run sim -- --seed ${result.seed}`);
  for (const problem of result.problems.slice(0, 3))
    console.log(`  ${problem.split('\n').slice(0, 20).join('\n  ')}`);
  if (!isSmoke) stop();
}

/** Runs seeds from `from` on in steps; ends when the worker does. */
function work(from: number, count: number): Promise<void> {
  return new Promise((resolve) => {
    const seeds = ['--seed', String(from), '--step', String(workers), '--count', String(count)];
    const child = spawn(process.execPath, [simPath, '--lines', ...seeds, '--minutes', '100000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    createInterface({ input: child.stdout }).on('line', (line) => take(JSON.parse(line)));
    child.on('close', (code) => {
      if (code !== 0 && !isOver) fail(`a worker ended with ${code}`);
      resolve();
    });
  });
}

function progress(): string {
  const minutes = (Date.now() - startedAt) / 60_000;
  return `${minutes.toFixed(1)} min: ${totals.passed + totals.failed} runs from seed ${firstSeed}, ${totals.failed} failed; ${totals.operations} operations, ${totals.events} events, ${(totals.virtualMs / 3.6e6).toFixed(2)} virtual hours`;
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
    if (process.stderr.isTTY || !isSmoke) process.stderr.write(`\r${progress()}`);
  },
  isSmoke ? 1000 : 10_000,
);
const timer = setTimeout(stop, limitMs);

if (isSmoke) {
  await runScenarios();
  add(logged, loggedInScenarios);
  // The same seeds in another worker, after other seeds: nothing of an earlier run may show in a later one.
  await Promise.all(
    Array.from({ length: workers }, (_, index) => work(firstSeed + index, repeatedSeeds / workers)),
  );
  await Promise.all(
    Array.from({ length: workers }, (_, index) => work(firstSeed + index, 1_000_000)),
  );
} else
  await Promise.all(
    Array.from({ length: workers }, (_, index) => work(firstSeed + index, 1_000_000)),
  );
clearTimeout(timer);
clearInterval(ticker);
process.stderr.write('\n');
if (isSmoke)
  for (const mark of unreached(logged)) fail(`no run reached: ${mark} (src/sim/marks.ts)`);
console.log(progress());
console.log(
  `faults: ${Object.entries(faults)
    .map(([fault, times]) => `${fault} ${times}`)
    .join(', ')}`,
);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed > 0 ? 1 : 0;
