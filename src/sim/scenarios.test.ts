// Every directed scenario passes, each rare branch is reached by its scenario alone, and a run is the same each time.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { marks, unreached } from './marks.ts';
import { difference, record } from './recording.ts';
import { runSeed } from './run.ts';
import { scenarios } from './scenarios.ts';
import { loggedInScenarios } from './stage.ts';

const recordings = new URL('../../src/sim/recordings/', import.meta.url);

/** What each scenario that ran has logged, by phrase. */
const logged = new Map<string, ReadonlySet<string>>();

/** Plays one; answers what it told. */
async function play(name: string): Promise<string> {
  const scenario = scenarios.get(name);
  ok(scenario !== undefined, `there is a scenario ${name}`);
  const before = { ...loggedInScenarios };
  const told = await record(scenario);
  const phrases = Object.keys(loggedInScenarios);
  const own = phrases.filter((phrase) => loggedInScenarios[phrase] !== before[phrase]);
  logged.set(name, new Set(own));
  return told;
}

for (const name of scenarios.keys())
  test(`scenario ${name}`, async () => {
    const told = await play(name);
    const kept = await readFile(new URL(`${name}.txt`, recordings), 'utf8').catch(() => '');
    const renew = `npm run sim -- --renew-recordings --scenario ${name}`;
    equal(
      difference(kept, told),
      undefined,
      `it tells another story; when that is meant: ${renew}`,
    );
  });

test('each mark is reached by its scenario alone', async () => {
  const missed: string[] = [];
  for (const [mark, name] of marks) {
    if (!logged.has(name)) await play(name);
    if (logged.get(name)?.has(mark) !== true) missed.push(`${mark}: ${name}`);
  }
  deepEqual(missed, []);
  deepEqual(unreached(loggedInScenarios), []);
});

test('a story may move by a little time, and by nothing else', () => {
  const kept = 'A cluster:\n   10 s  osd.1 is stopped\n   60 s  osd.1 runs\n';
  equal(difference(kept, kept.replace('10 s', '12 s').replace('60 s', '71 s')), undefined);
  ok(difference(kept, kept.replace('10 s', '13 s'))?.includes('line 2'));
  ok(difference(kept, kept.replace('osd.1 runs', 'osd.2 runs'))?.includes('line 3'));
  ok(difference(kept, kept.slice(0, 40)) !== undefined);
});

test('the same seed gives the same run', async () => {
  const once = await runSeed({ seed: 4, durationMs: 5000 });
  await runSeed({ seed: 5, durationMs: 1000 });
  deepEqual(await runSeed({ seed: 4, durationMs: 5000 }), once);
  deepEqual(once.problems, []);
});
