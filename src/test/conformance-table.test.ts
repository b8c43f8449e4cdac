import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable, missingAgainst, parseOutcomes } from './conformance-table.ts';

const here = parseOutcomes(
  [
    '# the suite of May',
    'PASSED\ts3tests/functional/test_s3.py::test_a\t',
    'FAILED\ts3tests/functional/test_s3.py::test_b\tassert 403 == 200 | at 127.0.0.1:4711',
    'FAILED\ts3tests/functional/test_s3.py::test_copy_enc[x]\tNotImplemented',
    'PASSED\ts3tests/functional/test_s3.py::test_lifecycle_transition_encrypted[x]\t',
    'SKIPPED\ts3tests/functional/test_sts.py::test_c\tno web identity',
    '',
  ].join('\n'),
);
const there = parseOutcomes('PASSED\ts3tests/functional/test_s3.py::test_b\t\n');

test('what passes elsewhere and not here is found', () => {
  deepEqual(
    missingAgainst(here, there).map((outcome) => outcome.test),
    ['s3tests/functional/test_s3.py::test_b'],
  );
});

test('the page counts per area and names each test that does not pass', () => {
  const page = formatTable(here, { name: 'radosgw', outcomes: there });
  ok(page.includes('\n\nthe suite of May.\n\n'));
  ok(page.includes('| test_s3.py | 1 | 1 | 0 |'));
  ok(page.includes('| test_s3.py, encrypted copies | 1 | 1 | 0 |'));
  ok(page.includes('| test_sts.py | 0 | 0 | 1 |'));
  ok(page.includes('| all | 2 | 2 | 1 |'));
  ok(page.includes('| test_b \\* | assert 403 == 200   at … |'));
  ok(page.includes('| test_c | skipped: no web identity |'));
  equal(page.includes('test_a'), false);
});

test('the page names each run with what it has outcomes of', () => {
  const outcomes = parseOutcomes(
    [
      '# of May',
      'PASSED\ts3tests/functional/test_s3.py::test_a\t',
      'PASSED\ts3tests/functional/test_iam.py::test_b\t',
      '# of June',
      'PASSED\ts3tests/functional/test_sts.py::test_c\t',
    ].join('\n'),
  );
  ok(
    formatTable(outcomes, undefined).includes(
      '\n\n- 1 tests (test_sts.py): of June\n- 2 tests (test_iam.py; test_s3.py): of May\n\n',
    ),
  );
});

test('a line that is no result is refused', () => {
  throws(() => parseOutcomes('garbage'), /not a result/);
});
