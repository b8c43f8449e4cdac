// PROTOCOL rule 11: a virtual machine is paused, and no clock of it counts that, the wall clock no more than the other. When
// it goes on, nothing in it says that its promises have run out. With `confirm_reads` its members say so.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

const pausedMs = 4000;

export async function pausedWithItsClocks(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const setting = stage.cluster.monitor.setSetting('confirm_reads', 1);
  await stage.cluster.settle(setting, 'reads to be confirmed');
  await stage.run(1000);
  const old = stage.primary;
  const reader = await stage.cluster.client();
  await stage.set(reader, 'k');
  old.process?.suspend();
  let seen = '';
  const read = stage.row(reader, 'k').then((value) => {
    seen = value;
  });
  const done = watched(read);
  await stage.depose(old);
  await stage.run(pausedMs);
  stage.expect(stage.primary !== old, 'another primary was elected');
  await stage.set(client, 'k=2');
  // Its members can be reached, so that they answer: no, another leads now.
  stage.part(`osd.${old.id}`, ['mon']);
  stage.cluster.setWallOffset(`osd.${old.id}`, -pausedMs);
  old.process?.resume();
  await stage.run(500);
  stage.expect(seen !== '1', 'what was overwritten during the pause was told');
  stage.end();
  stage.cluster.setWallOffset(`osd.${old.id}`, 0);
  stage.cluster.network.heal();
  await stage.cluster.untilClean(200_000);
  await stage.run(5000);
  stage.expect(done.isDone(), 'the read was answered');
  stage.expect(seen === '2', `with what stands: ${seen}`);
  stage.end();
}
