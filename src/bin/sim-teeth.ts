// Proves that the simulator can bite: plants each bug of src/sim/teeth/teeth.ts into a scratch copy of the
// sources, compiles it, and runs its scenario, or seeds, until one fails.
//
//   npm run sim:teeth [-- --only WORDS] [--from WORDS] [--seeds 2000] [--minutes 2]
//
// `--from`: goes on with the first bug whose name has these words; `--minutes`: at most, for each bug.

import { spawn, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { RunResult } from '../sim/run.ts';
import { teeth } from '../sim/teeth/teeth.ts';
import { ScratchBuild } from './scratch-build.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    from: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '2' },
  },
});
const seedsMax = Number(values.seeds);
const toothMs = Number(values.minutes) * 60_000;
const workers = Math.max(1, cpus().length);

const scratch = new ScratchBuild('teeth');
const simPath = scratch.pathOf('bin', 'sim.js');

function runScenario(name: string): string | undefined {
  const run = spawnSync(process.execPath, [simPath, '--scenario', name], {
    encoding: 'utf8',
    timeout: toothMs,
  });
  if (run.status === 0) return undefined;
  const words = /Error: (.*)/.exec(run.stderr)?.[1] ?? 'it did not end';
  return `scenario ${name}: ${words}`;
}

/** The first failure that any worker meets, and how many seeds had been run by then. */
function runSeeds(): Promise<string | undefined> {
  return new Promise((resolve) => {
    let ran = 0;
    let left = workers;
    let caught: string | undefined;
    const children = Array.from({ length: workers }, (_, index) =>
      spawn(
        process.execPath,
        [simPath, '--lines', '--seed', String(index + 1), '--step', String(workers)].concat(
          '--count',
          String(Math.ceil(seedsMax / workers)),
        ),
        { stdio: ['ignore', 'pipe', 'pipe'] },
      ),
    );
    const stop = (): void => {
      for (const child of children) child.kill('SIGKILL');
    };
    const timer = setTimeout(stop, toothMs);
    for (const child of children) {
      child.stderr.resume();
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (caught !== undefined) return;
        const result = JSON.parse(line) as RunResult;
        ran++;
        if (result.problems.length === 0) return;
        const words = (result.problems[0] as string).split('\n')[0]?.slice(0, 110);
        caught = `seed ${result.seed}, after ${ran} seeds: ${words}`;
        stop();
      });
      child.on('close', (code) => {
        if (code !== null && code > 1) caught ??= `a run ended with ${code}`;
        if (--left > 0) return;
        clearTimeout(timer);
        if (caught === undefined) console.log(`      (${ran} seeds ran)`);
        resolve(caught);
      });
    }
  });
}

let passed = 0;
let failed = 0;
const begin = Math.max(
  0,
  teeth.findIndex((tooth) => tooth.name.includes(values.from)),
);
for (const tooth of teeth.slice(begin)) {
  if (!tooth.name.includes(values.only)) continue;
  const fault = scratch.build(tooth.patches);
  const caught =
    fault !== undefined
      ? undefined
      : tooth.scenario === undefined
        ? await runSeeds()
        : runScenario(tooth.scenario);
  if (caught === undefined) failed++;
  else passed++;
  console.log(
    `${caught === undefined ? 'BLIND ' : 'caught'} ${tooth.name} (${tooth.breaks}): ${caught ?? fault ?? 'not caught'}`,
  );
}
scratch.remove();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
