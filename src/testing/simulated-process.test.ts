import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../env/clock.ts';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedFiles } from './simulated-files.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedProcess } from './simulated-process.ts';

test('whoever waits until its own clock says so comes to an end, however instants are rounded', async () => {
  const scheduler = new Scheduler();
  const random = new SeededRandom(1);
  const share = (): number => random.below(2 ** 32) / 2 ** 32;
  const process = new SimulatedProcess('a', {
    scheduler,
    random,
    network: new SimulatedNetwork(scheduler, random),
    files: new SimulatedFiles({ random }),
    rate: 1 + share() / 200,
    log: () => {},
    failed: () => {},
  });
  const { clock } = process.env;
  let looksMost = 0;
  const wait = async (): Promise<void> => {
    const until = clock.now() + 20 * share();
    let looks = 0;
    // A thousand looks are no end.
    for (; clock.now() < until && looks < 1000; looks++)
      await sleep(clock, until - clock.now(), 'rest');
    looksMost = Math.max(looksMost, looks);
  };
  for (let round = 0; round < 2000; round++) {
    process.suspend();
    await scheduler.run(10_000 * share());
    process.resume();
    await scheduler.settle(wait(), 'a wait', 10_000);
  }
  ok(looksMost <= 3, `${looksMost} looks`);
});
