import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../env/clock.ts';
import { Scheduler } from '../testing/scheduler.ts';
import { ClientWork, Share } from './share.ts';

/** Steps of 10 ms for a second; answers how many were done. */
async function stepsInASecond(percent: number, asksDuringStep: boolean): Promise<number> {
  const scheduler = new Scheduler();
  const clock: Clock = {
    now: () => scheduler.now(),
    after: (delayMs, name, action) => scheduler.after(delayMs, name, action),
  };
  const clients = new ClientWork();
  const share = new Share(clock, clients, () => percent);
  let steps = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const turn = share.begin();
      if (asksDuringStep) clients.count++;
      await new Promise<void>((resolve) => scheduler.after(10, 'step', resolve));
      steps++;
      await turn.rest();
    }
  };
  work().catch(() => undefined);
  await scheduler.run(1000);
  return steps;
}

test('beside clients work takes its share of the time, and all of it without them', async () => {
  ok(Math.abs((await stepsInASecond(25, true)) - 25) <= 1);
  ok(Math.abs((await stepsInASecond(50, true)) - 50) <= 1);
  ok((await stepsInASecond(100, true)) >= 99);
  ok((await stepsInASecond(25, false)) >= 99);
});

test('a long step is rested from for five seconds at most', async () => {
  const scheduler = new Scheduler();
  const clock: Clock = {
    now: () => scheduler.now(),
    after: (delayMs, name, action) => scheduler.after(delayMs, name, action),
  };
  const clients = new ClientWork();
  const turn = new Share(clock, clients, () => 1).begin();
  clients.count++;
  await scheduler.run(60_000);
  await scheduler.settle(turn.rest(), 'the rest', 10_000);
  equal(Math.round(scheduler.now()), 65_000);
});
