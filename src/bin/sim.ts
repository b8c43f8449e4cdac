// The simulator's runner: `npm run sim -- --seed N [--count C] [--seconds S]`. Prints a line a seed that
// fails, with the command that repeats it, and a summary.

import { parseArgs } from 'node:util';
import { runSeed } from '../sim/run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '60' },
  },
});

const first = Number(values.seed);
const count = Number(values.count);
const durationMs = Number(values.seconds) * 1000;
const deadline = Date.now() + Number(values.minutes) * 60_000;
const startedAt = process.cpuUsage();
let events = 0;
let operations = 0;
let virtualMs = 0;
let failed = 0;
let ran = 0;
const faults: Record<string, number> = {};

for (let seed = first; seed < first + count && Date.now() < deadline; seed++) {
  const result = await runSeed({ seed, durationMs });
  ran++;
  events += result.events;
  operations += result.operations;
  virtualMs += result.virtualMs;
  for (const [fault, times] of Object.entries(result.faults))
    faults[fault] = (faults[fault] ?? 0) + times;
  if (result.problems.length === 0) continue;
  failed++;
  console.log(`seed ${seed} failed: npm run sim -- --seed ${seed} --seconds ${values.seconds}`);
  for (const problem of result.problems.slice(0, 3))
    console.log(
      `  ${problem
        .split('\n')
        .slice(0, count === 1 ? 200 : 25)
        .join('\n  ')}`,
    );
  if (failed >= 5) break;
}

const used = process.cpuUsage(startedAt);
const cpuSeconds = (used.user + used.system) / 1e6;
console.log(
  `${ran} seeds, ${failed} failed; ${operations} operations, ${events} events (${Math.round(events / cpuSeconds)} a CPU second), ${(virtualMs / 3.6e6).toFixed(2)} virtual hours`,
);
console.log(
  `faults: ${Object.entries(faults)
    .map(([fault, times]) => `${fault} ${times}`)
    .join(', ')}`,
);
process.exit(failed > 0 ? 1 : 0);
