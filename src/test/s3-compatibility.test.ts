// docs/reference/s3-compatibility.md says what S3 does here; its lists are the code's, and its reasons are of the
// tests that do not pass by docs/reference/s3-tests.md.

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
const read = (name: string): string => readFileSync(join(root, 'docs', 'reference', name), 'utf8');
const page = read('s3-compatibility.md');

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

/** The cells of a table's rows. */
function rowsBelow(text: string, header: string): readonly (readonly string[])[] {
  const lines = text.slice(text.indexOf(header)).split('\n').slice(2);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines
    .slice(0, end === -1 ? undefined : end)
    .map((line) => line.split('|').map((each) => each.trim()));
}

/** A part of a test's name; `…` stands for anything. */
function fits(pattern: string, name: string): boolean {
  let from = 0;
  for (const part of pattern.split('…')) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return true;
}

test("each test of Ceph's suite that does not pass has one reason, and each reason its tests", () => {
  const reasons = rowsBelow(page, '| tests | reason |').flatMap(([, tests = '', reason = '']) =>
    [...tests.matchAll(/`([^`]+)`/g)].map(([, pattern = '']) => ({
      pattern,
      skipped: reason.startsWith('skipped: '),
      tests: 0,
    })),
  );
  const without: string[] = [];
  for (const [, name = '', how = ''] of rowsBelow(read('s3-tests.md'), '| does not pass | how |')) {
    const skipped = how.startsWith('skipped: ');
    const those = reasons.filter(
      (each) => each.skipped === skipped && fits(each.pattern, name.replace(' \\*', '')),
    );
    for (const each of those) each.tests++;
    if (those.length !== 1) without.push(`${name}: ${those.map((each) => each.pattern)}`);
  }
  deepEqual(without, []);
  deepEqual(
    reasons.filter((each) => each.tests === 0).map((each) => each.pattern),
    [],
  );
});
