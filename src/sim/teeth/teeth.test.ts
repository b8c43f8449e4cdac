// A planted bug that can't be planted any more proves nothing: whoever moves the text moves the patch along.

import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { scenarios } from '../scenarios.ts';
import { teeth } from './teeth.ts';

test('every planted bug applies to the sources as they are, and its scenario is there', () => {
  const lost = teeth.flatMap(({ name, patches }) =>
    patches
      .filter(({ file, find }) => readFileSync(file, 'utf8').split(find).length !== 2)
      .map(({ file }) => `${name}: ${file}`),
  );
  deepEqual(lost, []);
  const missing = teeth.filter(
    ({ scenario }) => scenario !== undefined && !scenarios.has(scenario),
  );
  deepEqual(missing, []);
  equal(new Set(teeth.map(({ name }) => name)).size, teeth.length);
});
