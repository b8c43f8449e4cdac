// Proves that the simulator can bite: plants each bug of src/sim/teeth/teeth.ts into a scratch copy of the sources,
// compiles it, and runs its scenario, or seeds, until one fails. At the end the same scenarios and seeds run without
// any bug and have to pass: what fails there as well has caught nothing.
//
//   npm run sim:teeth [-- --only WORDS] [--from WORDS] [--scenarios] [--seeds 2000] [--minutes 2] [--workers W]
//
// `--from`: goes on with the first bug whose name has these words; `--scenarios`: none of those that seeds find;
// `--minutes`: at most, for each bug.

import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Tooth, teeth } from '../sim/teeth/teeth.ts';
import {
  type Ending,
  judgeScenario,
  judgeSeed,
  judgeWorker,
  type Verdict,
} from '../sim/teeth/verdict.ts';
import { ScratchBuild } from './scratch-build.ts';
import { parseLine } from './sim-lines.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    from: { type: 'string', default: '' },
    scenarios: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '2' },
    workers: { type: 'string', default: String(Math.max(1, cpus().length)) },
  },
});
const seedsMax = Number(values.seeds);
const toothMs = Number(values.minutes) * 60_000;
const workers = Number(values.workers);

/** Of what a run says on its standard error; the end of it tells. */
const errorsBytesMax = 64 * 1024;

const scratch = new ScratchBuild('teeth');
const simPath = scratch.pathOf('bin', 'sim.js');

interface Running {
  readonly ending: Promise<Ending>;
  readonly stop: () => void;
}

/** Runs sim.js with these words, for so long at most. */
function run(words: readonly string[], limitMs: number, onLine?: (line: string) => void): Running {
  const child = spawn(process.execPath, [simPath, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let isLate = false;
  let errors = '';
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitMs);
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-errorsBytesMax);
  });
  createInterface({ input: child.stdout }).on('line', (line) => onLine?.(line));
  const ending = new Promise<Ending>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, isLate, errors });
    });
  });
  return { ending, stop: () => child.kill('SIGKILL') };
}

async function runScenario(name: string): Promise<Verdict> {
  return judgeScenario(name, await run(['--scenario', name], toothMs).ending);
}

interface SeedsVerdict {
  readonly verdict: Verdict;
  /** The one that caught it. */
  readonly seed?: number;
  readonly ran: number;
}

/** The first failure that any worker meets, and how many seeds had been run by then. */
async function runSeeds(): Promise<SeedsVerdict> {
  let ran = 0;
  let found: SeedsVerdict | undefined;
  const running: Running[] = [];
  const take = (verdict: Verdict, seed?: number): void => {
    if (found !== undefined || verdict.kind === 'passed') return;
    found = { verdict, ran, ...(seed === undefined ? {} : { seed }) };
    for (const { stop } of running) stop();
  };
  const count = String(Math.ceil(seedsMax / workers));
  for (let index = 0; index < workers; index++) {
    const words = ['--lines', '--seed', String(index + 1), '--step', String(workers)];
    const onLine = (line: string): void => {
      if (found !== undefined) return;
      const told = parseLine(line);
      if (told.kind === 'begins') return;
      const { seed, problems } = told.result;
      ran++;
      take(judgeSeed(seed, problems), seed);
    };
    running.push(run([...words, '--count', count], toothMs, onLine));
  }
  const watch = running.map(async ({ ending }) => {
    const ended = await ending;
    // Its time was over: seeds went on without finding anything.
    if (!ended.isLate) take(judgeWorker(ended));
  });
  await Promise.all(watch);
  return found ?? { verdict: { kind: 'passed' }, ran };
}

/** What has to pass without the bug: a scenario, or a seed. */
const proofs = new Map<string, Tooth[]>();
let passed = 0;
let failed = 0;

function prove(by: string, tooth: Tooth): void {
  proofs.set(by, [...(proofs.get(by) ?? []), tooth]);
}

function tell(word: string, tooth: Tooth, what: string): void {
  console.log(`${word.padEnd(12)} ${tooth.name} (${tooth.breaks}): ${what}`);
}

async function bite(tooth: Tooth): Promise<void> {
  const fault = scratch.build(tooth.patches);
  if (fault !== undefined) {
    failed++;
    tell('NOT BUILT', tooth, fault);
    return;
  }
  const { scenario } = tooth;
  const { verdict, seed, ran }: SeedsVerdict =
    scenario === undefined ? await runSeeds() : { verdict: await runScenario(scenario), ran: 0 };
  const after = scenario === undefined ? `, after ${ran} seeds` : '';
  if (verdict.kind === 'caught') {
    passed++;
    prove(scenario === undefined ? `--seed ${seed}` : `--scenario ${scenario}`, tooth);
    tell('caught', tooth, verdict.by + after);
    return;
  }
  failed++;
  if (verdict.kind === 'passed') tell('BLIND', tooth, `not caught${after}`);
  else tell('ENDED BADLY', tooth, verdict.how + after);
}

/** Without any bug: what caught one has to pass. */
async function control(): Promise<void> {
  if (proofs.size === 0) return;
  const fault = scratch.build([]);
  if (fault !== undefined) throw new Error(fault);
  let sound = 0;
  for (const [by, caught] of proofs) {
    const { code, errors } = await run(by.split(' '), toothMs).ending;
    if (code === 0) {
      sound++;
      continue;
    }
    failed += caught.length;
    passed -= caught.length;
    for (const tooth of caught) tell('NOT PROVEN', tooth, `${by} fails without it, too`);
    console.log(`  ${errors.trim().split('\n')[0] ?? ''}`);
  }
  console.log(`without any bug ${sound} of these ${proofs.size} scenarios and seeds pass`);
}

const begin = Math.max(
  0,
  teeth.findIndex((tooth) => tooth.name.includes(values.from)),
);
for (const tooth of teeth.slice(begin)) {
  const isMeant = !values.scenarios || tooth.scenario !== undefined;
  if (isMeant && tooth.name.includes(values.only)) await bite(tooth);
}
await control();
scratch.remove();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
