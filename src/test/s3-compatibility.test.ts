// docs/reference/s3-compatibility.md says what S3 does here; its list of actions is the router's.

import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { routeNames } from '../s3/router.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs', 'reference', 's3-compatibility.md'), 'utf8');

for (const kind of ['bucket', 'object'] as const)
  test(`the page lists the actions on a ${kind} that there are`, () => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${kind} |`)) ?? '';
    deepEqual(
      [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]),
      routeNames[kind],
    );
  });
