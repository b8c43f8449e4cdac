// The simulator's runner: `npm run sim -- --seed N [--minutes M | --seconds S] [--count C] [--step S] [--trace]`.
// Minutes and seconds are virtual: of workload and faults in a seed. Reports each seed that fails, with the command that
// repeats it, and a summary; with `--lines`, for the programs that run many (sim-fleet.ts), a line of JSON as each seed
// begins and one as it ends (sim-lines.ts), and `--step` may be negative. With `--scenario NAME` one directed scenario; the one named post-mortem
// prints its timeline, as JSON with `--json`, and can be played by other rules: `--rules ceph`.
// `--renew-recordings` keeps what the scenarios tell (sim/recording.ts).

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { failureReport } from '../sim/failure-report.ts';
import { difference, record } from '../sim/recording.ts';
import { runSeed } from '../sim/run.ts';
import { scenarios } from '../sim/scenarios.ts';
import { StrikeCounts } from '../sim/strike-counts.ts';
import { scenarioFailure } from '../sim/teeth/verdict.ts';
import { lineOf, numberOf } from './sim-lines.ts';
import { postMortem, runPostMortem } from './sim-post-mortem.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    step: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    minutes: { type: 'string' },
    scenario: { type: 'string' },
    trace: { type: 'boolean', default: false },
    lines: { type: 'boolean', default: false },
    'renew-recordings': { type: 'boolean', default: false },
    rules: { type: 'string', default: 'holdfast' },
    json: { type: 'boolean', default: false },
  },
});

const first = numberOf('seed', values.seed, { min: 0, integer: true });
const count = numberOf('count', values.count, { min: 1, integer: true });
const step = numberOf('step', values.step, { min: -1e6, integer: true });
if (values.seconds !== undefined && values.minutes !== undefined)
  throw new Error('--seconds and --minutes both say how long a seed is: give one of them');
const durationMs =
  values.minutes === undefined
    ? numberOf('seconds', values.seconds ?? '30', { min: 0.001 }) * 1000
    : numberOf('minutes', values.minutes, { min: 0.001 }) * 60_000;

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
  const strikes = new StrikeCounts();
  for (let at = 0; at < count; at++) {
    const before = process.cpuUsage();
    const seed = first + at * step;
    if (values.lines) console.log(lineOf({ kind: 'begins', seed }));
    const result = await runSeed({ seed, durationMs, ...watch() });
    if (values.lines) {
      const { user, system } = process.cpuUsage(before);
      const cpuMs = Math.round((user + system) / 1000);
      console.log(lineOf({ kind: 'ended', result, cpuMs }));
      continue;
    }
    totals.ran++;
    totals.events += result.events;
    totals.operations += result.operations;
    totals.virtualMs += result.virtualMs;
    strikes.add(result.strikes);
    if (result.problems.length === 0) continue;
    totals.failed++;
    console.log(failureReport(result, durationMs));
    if (totals.failed >= 5) break;
  }
  if (values.lines) return 0;
  const used = process.cpuUsage(startedAt);
  const cpuSeconds = (used.user + used.system) / 1e6;
  console.log(
    `${totals.ran} seeds, ${totals.failed} failed; ${totals.operations} operations, ${totals.events} events (${Math.round(totals.events / cpuSeconds)} a CPU second), ${(totals.virtualMs / 3.6e6).toFixed(2)} virtual hours`,
  );
  console.log(strikes.summary());
  return totals.failed;
}

if (values['renew-recordings']) await renewRecordings(values.scenario);
else if (values.scenario === postMortem) process.exitCode = await runPostMortem(values);
else if (values.scenario !== undefined) await runScenario(values.scenario);
else process.exitCode = (await runSeeds()) > 0 ? 1 : 0;
