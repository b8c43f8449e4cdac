import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

test('a daemon that dies again and again waits longer each time, up to ten seconds', () => {
  const backoff = new Backoff();
  deepEqual(
    Array.from({ length: 8 }, () => backoff.after(50)),
    [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000],
  );
});

test('one that lived for half a minute, or that somebody starts, begins anew', () => {
  const backoff = new Backoff();
  for (let times = 0; times < 5; times++) backoff.after(29_999);
  equal(backoff.after(30_000), 200);
  equal(backoff.after(0), 400);
  backoff.forgive();
  equal(backoff.after(0), 200);
});
