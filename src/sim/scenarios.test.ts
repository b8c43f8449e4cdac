// Every directed scenario passes, and a run is the same each time.

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './run.ts';
import { scenarios } from './scenarios.ts';

for (const [name, scenario] of scenarios) test(`scenario ${name}`, scenario);

test('the same seed gives the same run', async () => {
  const once = await runSeed({ seed: 4, durationMs: 5000 });
  await runSeed({ seed: 5, durationMs: 1000 });
  deepEqual(await runSeed({ seed: 4, durationMs: 5000 }), once);
  deepEqual(once.problems, []);
});
