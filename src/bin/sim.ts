// The simulator's runner: `npm run sim -- --seed N [--count C] [--step S] [--seconds S] [--trace]`. Prints a line a
// seed that fails, with the command that repeats it, and a summary; with `--lines`, a line of JSON a seed for the
// programs that run many (sim-fleet.ts). With `--scenario NAME` one directed scenario; the one named post-mortem
// prints its timeline, as JSON with `--json`, and can be played by other rules: `--rules ceph`.
// `--renew-recordings` keeps what the scenarios tell (sim/recording.ts).

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { difference, record } from '../sim/recording.ts';
import { type RunResult, runSeed } from '../sim/run.ts';
import { scenarios } from '../sim/scenarios.ts';
import { scenarioFailure } from '../sim/teeth/verdict.ts';
import { postMortem, runPostMortem } from './sim-post-mortem.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    step: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '60' },
    scenario: { type: 'string' },
    trace: { type: 'boolean', default: false },
    lines: { type: 'boolean', default: false },
    'renew-recordings': { type: 'boolean', default: false },
    rules: { type: 'string', default: 'holdfast' },
    json: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed);
const count = Number(values.count);
const step = Number(values.step);
const durationMs = Number(values.seconds) * 1000;
const deadline = Date.now() + Number(values.minutes) * 60_000;

/** Every log line as it is written, and every event when asked twice. */
function watch(): Pick<Parameters<typeof runSeed>[0], 'onLog' | 'onEvent'> {
  if (!values.trace) return {};
  return {
    onLog: (line) =>
      console.log(
        `${line.at.toFixed(3).padStart(12)} ${line.process.padEnd(9)} ${line.event} ${JSON.stringify(line.fields ?? {})}`,
      ),
    onEvent: (at, name) => console.log(`${at.toFixed(3).padStart(12)} · ${name}`),
  };
}

function add(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + times;
}

function tell(result: RunResult): void {
  console.log(
    `seed ${result.seed} failed: npm run sim -- --seed ${result.seed} --seconds ${values.seconds}`,
  );
  const shown = count === 1 ? result.problems : result.problems.slice(0, 3);
  for (const problem of shown) {
    const lines = problem.split('\n').slice(0, count === 1 ? 200 : 25);
    console.log(`  ${lines.join('\n  ')}`);
  }
}

async function runScenario(name: string): Promise<void> {
  const scenario = scenarios.get(name);
  if (scenario === undefined) throw new Error(`no scenario ${name}: ${[...scenarios.keys()]}`);
  try {
    await scenario();
  } catch (error) {
    console.error(scenarioFailure(name, error));
    console.error(error);
    process.exitCode = 1;
    return;
  }
  console.log(`scenario ${name} passed`);
}

/** Plays scenarios, one or all, and keeps what they tell; the working directory is the repository. */
async function renewRecordings(only: string | undefined): Promise<void> {
  for (const [name, scenario] of scenarios) {
    if (only !== undefined && name !== only) continue;
    const path = `src/sim/recordings/${name}.txt`;
    const told = await record(scenario);
    const isKept = existsSync(path) && difference(readFileSync(path, 'utf8'), told) === undefined;
    if (!isKept) writeFileSync(path, told);
    console.log(`${isKept ? 'the same' : 'written '} ${path}`);
  }
}

async function runSeeds(): Promise<number> {
  const startedAt = process.cpuUsage();
  const totals = { events: 0, operations: 0, virtualMs: 0, failed: 0, ran: 0 };
  const faults: Record<string, number> = {};
  for (let at = 0; at < count && Date.now() < deadline; at++) {
    const before = process.cpuUsage();
    const result = await runSeed({ seed: first + at * step, durationMs, ...watch() });
    if (values.lines) {
      const { user, system } = process.cpuUsage(before);
      console.log(JSON.stringify({ ...result, cpuMs: Math.round((user + system) / 1000) }));
      continue;
    }
    totals.ran++;
    totals.events += result.events;
    totals.operations += result.operations;
    totals.virtualMs += result.virtualMs;
    add(faults, result.faults);
    if (result.problems.length === 0) continue;
    totals.failed++;
    tell(result);
    if (totals.failed >= 5) break;
  }
  if (values.lines) return 0;
  const used = process.cpuUsage(startedAt);
  const cpuSeconds = (used.user + used.system) / 1e6;
  console.log(
    `${totals.ran} seeds, ${totals.failed} failed; ${totals.operations} operations, ${totals.events} events (${Math.round(totals.events / cpuSeconds)} a CPU second), ${(totals.virtualMs / 3.6e6).toFixed(2)} virtual hours`,
  );
  console.log(
    `faults: ${Object.entries(faults)
      .map(([fault, times]) => `${fault} ${times}`)
      .join(', ')}`,
  );
  return totals.failed;
}

if (values['renew-recordings']) await renewRecordings(values.scenario);
else if (values.scenario === postMortem) process.exitCode = await runPostMortem(values);
else if (values.scenario !== undefined) await runScenario(values.scenario);
else process.exitCode = (await runSeeds()) > 0 ? 1 : 0;
