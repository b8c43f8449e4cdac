import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Permits } from './turnstile.ts';

test('fewer permits hold up who waits, not who has one; one more lets one through', async () => {
  const permits = new Permits(2);
  const admitted: string[] = [];
  const enter = (name: string): Promise<void> =>
    permits.acquire().then(() => void admitted.push(name));
  await enter('first');
  permits.change(-2);
  const second = enter('second');
  const third = enter('third');
  await Promise.resolve();
  deepEqual(admitted, ['first']);
  permits.release();
  await Promise.resolve();
  deepEqual(admitted, ['first'], 'what is given back is not given out');
  permits.change(1);
  permits.change(-1);
  await Promise.resolve();
  deepEqual(admitted, ['first', 'second']);
  permits.change(2);
  await Promise.resolve();
  deepEqual(admitted, ['first', 'second', 'third']);
  await Promise.all([second, third]);
});
