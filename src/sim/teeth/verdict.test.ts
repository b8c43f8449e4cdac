// A planted bug is caught by what a run says, and by nothing else.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { judgeScenario, judgeSeed, judgeWorker, scenarioFailure } from './verdict.ts';

const ended = { code: 1, isLate: false, errors: '' };

test('a scenario that says what it found has caught the bug', () => {
  const errors = `(node) warning\n${scenarioFailure('story', new Error('k is 2\nmore'))}\n`;
  deepEqual(judgeScenario('story', { ...ended, errors }), {
    kind: 'caught',
    by: 'scenario story: k is 2',
  });
  equal(judgeScenario('story', { ...ended, code: 0 }).kind, 'passed');
});

test('a run that ends in any other way has caught nothing', () => {
  const failed = scenarioFailure('story', new Error('k is 2'));
  const kindOf = (ending: Parameters<typeof judgeScenario>[1]) =>
    judgeScenario('story', ending).kind;
  equal(kindOf({ ...ended, errors: 'Error: k is 2' }), 'ended-badly');
  equal(kindOf({ ...ended, errors: scenarioFailure('other', new Error('x')) }), 'ended-badly');
  equal(kindOf({ ...ended, isLate: true, errors: failed }), 'ended-badly');
  equal(kindOf({ ...ended, code: 134, errors: failed }), 'ended-badly');
  equal(kindOf({ ...ended, code: null, errors: failed }), 'ended-badly');
  const typo = scenarioFailure('story', new ReferenceError('x is not defined'));
  equal(kindOf({ ...ended, errors: `${typo}\nReferenceError: x` }), 'ended-badly');
});

test('a seed has caught it by its problems, a worker never', () => {
  equal(judgeSeed(3, []).kind, 'passed');
  deepEqual(judgeSeed(3, ['members differ\nmore', 'and']), {
    kind: 'caught',
    by: 'seed 3: members differ',
  });
  equal(judgeSeed(3, ['osd.1: primary: TypeError: x is undefined']).kind, 'ended-badly');
  equal(judgeWorker({ ...ended, code: 0 }).kind, 'passed');
  equal(judgeWorker({ ...ended, code: 1 }).kind, 'ended-badly');
  equal(judgeWorker({ ...ended, code: null }).kind, 'ended-badly');
});
