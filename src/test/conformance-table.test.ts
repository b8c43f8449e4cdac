import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable, missingAgainst, parseOutcomes } from './conformance-table.ts';

const here = parseOutcomes(
  [
    '# a heading',
    'PASSED\ts3tests/functional/test_s3.py::test_a\t',
    'FAILED\ts3tests/functional/test_s3.py::test_b\tassert 403 == 200 | at 127.0.0.1:4711',
    'FAILED\ts3tests/functional/test_s3.py::test_copy_enc[x]\tNotImplemented',
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
  ok(page.includes('| test_s3.py | 1 | 1 | 0 |'));
  ok(page.includes('| test_s3.py, encrypted copies | 0 | 1 | 0 |'));
  ok(page.includes('| test_sts.py | 0 | 0 | 1 |'));
  ok(page.includes('| all | 1 | 2 | 1 |'));
  ok(page.includes('| test_b \\* | assert 403 == 200   at … |'));
  ok(page.includes('| test_c | skipped: no web identity |'));
  equal(page.includes('test_a'), false);
});

test('a line that is no result is refused', () => {
  throws(() => parseOutcomes('garbage'), /not a result/);
});
