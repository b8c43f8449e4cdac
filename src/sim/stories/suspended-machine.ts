// PROTOCOL rule 11: a machine stands still, and its monotonic clock does not count that. When it goes on, its promises look
// as if they held; another primary has been elected and has written since.

import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage, watched } from '../stage.ts';

const asleepMs = 4000;

/** Once `prepare` is done, its primary sleeps with a question in its ears, is deposed, and after `wake` goes on. */
async function sleepThroughATakeover(
  prepare: (stage: Stage) => Promise<void>,
  wake: (stage: Stage, old: SimulatedOsd) => void,
): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  await prepare(stage);
  const old = stage.primary;
  // A reader whose line to it is up, so that its question is the first thing that the machine hears.
  const reader = await stage.cluster.client();
  await stage.set(reader, 'k');
  old.process?.suspend();
  let seen = '';
  const read = stage.row(reader, 'k').then((value) => {
    seen = value;
  });
  const done = watched(read);
  await stage.depose(old);
  await stage.run(asleepMs);
  stage.expect(stage.primary !== old, 'another primary was elected');
  await stage.set(client, 'k=2');
  wake(stage, old);
  old.process?.resume();
  await stage.run(500);
  stage.expect(seen !== '1', 'a machine that slept told what was overwritten meanwhile');
  stage.end();
  stage.cluster.setWallOffset(`osd.${old.id}`, 0);
  stage.cluster.network.heal();
  await stage.cluster.untilClean(200_000);
  await stage.run(5000);
  stage.expect(done.isDone(), 'the read was answered');
  stage.expect(seen === '2', `with what stands: ${seen}`);
  stage.end();
}

/** The wall clock counts it, and so it is noticed. */
export function suspendedMachine(): Promise<void> {
  return sleepThroughATakeover(
    async () => {},
    (stage, old) =>
      stage.part(`osd.${old.id}`, ['mon', ...stage.cluster.osds.map(({ id }) => `osd.${id}`)]),
  );
}

/** A virtual machine that is paused with all its clocks: nothing in it says so, but with `confirm_reads` its members do. */
export function pausedWithItsClocks(): Promise<void> {
  return sleepThroughATakeover(
    async (stage) => {
      const setting = stage.cluster.monitor.setSetting('confirm_reads', 1);
      await stage.cluster.settle(setting, 'reads to be confirmed');
      await stage.run(1000);
    },
    (stage, old) => {
      // Its members can be reached, so that they answer: no, another leads now.
      stage.part(`osd.${old.id}`, ['mon']);
      stage.cluster.setWallOffset(`osd.${old.id}`, -asleepMs);
    },
  );
}
