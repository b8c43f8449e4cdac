// The page of differences is the list that the differential test goes by.

import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { differencesPage, knownDifferences } from './differential/known-differences.ts';

const page = join(
  dirname(fileURLToPath(import.meta.url)),
  ...['..', '..', 'docs', 'reference', 's3-differences.md'],
);

test('docs/reference/s3-differences.md is up to date', () => {
  if (process.env.UPDATE_REFERENCE === '1') writeFileSync(page, differencesPage());
  equal(readFileSync(page, 'utf8'), differencesPage(), 'UPDATE_REFERENCE=1 writes it anew');
});

test('whoever is called right is so by a line that is quoted', () => {
  const without = knownDifferences.filter(
    ({ right, quote }) => right !== 'both' && (quote === undefined || quote === ''),
  );
  deepEqual(
    without.map(({ title }) => title),
    ['Entries of listings have no `Type`'],
  );
});
