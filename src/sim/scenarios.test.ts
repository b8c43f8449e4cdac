// Every directed scenario passes, and a run is the same each time.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { difference, record } from './recording.ts';
import { runSeed } from './run.ts';
import { scenarios } from './scenarios.ts';

const recordings = new URL('../../src/sim/recordings/', import.meta.url);

for (const [name, scenario] of scenarios)
  test(`scenario ${name}`, async () => {
    const told = await record(scenario);
    const kept = await readFile(new URL(`${name}.txt`, recordings), 'utf8').catch(() => '');
    const renew = `npm run sim -- --renew-recordings --scenario ${name}`;
    equal(
      difference(kept, told),
      undefined,
      `it tells another story; when that is meant: ${renew}`,
    );
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
