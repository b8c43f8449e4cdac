import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.ts';
import { ByteBudget } from './byte-budget.ts';

test('needs are admitted in order, and nobody small slips past somebody large', async () => {
  const budget = new ByteBudget(100);
  const admitted: string[] = [];
  await budget.acquire(80);
  const large = budget.acquire(50).then(() => admitted.push('large'));
  const small = budget.acquire(10).then(() => admitted.push('small'));
  equal(budget.tryAcquire(1), false, 'there is a line');
  await Promise.resolve();
  deepEqual(admitted, []);
  budget.release(30);
  await large;
  deepEqual(admitted, ['large']);
  budget.release(50);
  await small;
  deepEqual(admitted, ['large', 'small']);
  equal(budget.usedBytes, 60);
});

test('releasing what was not acquired is a defect', () => {
  const budget = new ByteBudget(10);
  throws(() => budget.release(1), AssertionError);
});
