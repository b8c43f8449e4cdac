import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { formatPgId, type PgId, type PoolId } from '../base/ids.ts';
import { Scheduler } from '../testing/scheduler.ts';
import { Starts } from './starts.ts';

const pg = (index: number): PgId => formatPgId(1 as PoolId, 1, index);

function begin(
  count: number,
  doesBegin: (pg: PgId) => boolean = () => true,
): { scheduler: Scheduler; starts: Starts; begun: PgId[] } {
  const scheduler = new Scheduler();
  const begun: PgId[] = [];
  const starts = new Starts(scheduler, (next) => {
    if (!doesBegin(next)) return false;
    begun.push(next);
    return true;
  });
  for (let index = 0; index < count; index++) if (starts.may(pg(index))) begun.push(pg(index));
  return { scheduler, starts, begun };
}

test('so many begin at once, and the next one when one is there', () => {
  const { starts, begun } = begin(150);
  deepEqual(begun.length, 128);
  deepEqual(starts.may(pg(3)), true);
  deepEqual(starts.may(pg(149)), false);
  starts.ended(pg(7));
  starts.ended(pg(7));
  deepEqual(begun.slice(128), [pg(128)]);
});

test('those that wait for somebody who is away keep nobody waiting for long', async () => {
  const { scheduler, begun } = begin(300);
  await scheduler.run(4200);
  deepEqual(begun.length, 256);
  await scheduler.run(4200);
  deepEqual(
    begun,
    Array.from({ length: 300 }, (_, index) => pg(index)),
  );
});

test('while some get there, the others are waited for, and not for ever', async () => {
  const { scheduler, starts, begun } = begin(300);
  for (let index = 0; index < 9; index++) {
    await scheduler.run(1000);
    starts.ended(pg(index));
  }
  await scheduler.run(10);
  deepEqual(begun.length, 137);
  await scheduler.run(2000);
  deepEqual(begun.length > 250, true);
});

test('one that has no reason to begin any more takes no place', () => {
  const { starts, begun } = begin(131, (next) => next !== pg(128));
  starts.ended(pg(0));
  deepEqual(begun.slice(128), [pg(129)]);
});
