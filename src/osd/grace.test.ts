import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Grace, silentMsMax, silentMsMin } from './grace.ts';

test('the later a peer usually answers the longer it may be silent, within bounds', () => {
  const grace = new Grace();
  equal(grace.ms, silentMsMin);
  for (let answers = 0; answers < 100; answers++) grace.answered(2);
  ok(grace.ms < silentMsMin + 100, `a quick one: ${grace.ms}`);
  grace.answered(3000);
  ok(grace.ms < silentMsMin + 5000, `one late answer is not load: ${grace.ms}`);
  for (let answers = 0; answers < 30; answers++) grace.answered(800);
  ok(grace.ms > silentMsMin + 7000, `a loaded one: ${grace.ms}`);
  for (let answers = 0; answers < 30; answers++) grace.answered(60_000);
  equal(grace.ms, silentMsMax);
  for (let answers = 0; answers < 60; answers++) grace.answered(1);
  ok(grace.ms < silentMsMin + 1000, `at rest again: ${grace.ms}`);
});
