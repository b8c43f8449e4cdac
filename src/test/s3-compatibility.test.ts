// docs/reference/s3-compatibility.md says what S3 does here; its lists are the code's.

import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { actionNames } from '../s3/iam/query-api.ts';
import { knownHeaders } from '../s3/known-headers.ts';
import { conditionKeys } from '../s3/protocol/policy-vocabulary.ts';
import { routeNames } from '../s3/router.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs', 'reference', 's3-compatibility.md'), 'utf8');

const names: Readonly<Record<string, readonly string[]>> = {
  bucket: routeNames.bucket,
  object: routeNames.object,
  IAM: actionNames.iam,
  SNS: actionNames.sns,
  STS: actionNames.sts,
  'condition keys': conditionKeys,
  ...Object.fromEntries(
    Object.entries(knownHeaders).map(([name, headers]) => [name, [...headers].sort()]),
  ),
};

for (const [kind, there] of Object.entries(names))
  test(`the page lists what there is of ${kind}`, () => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${kind} |`)) ?? '';
    deepEqual(
      [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]),
      there,
    );
  });
