// PROTOCOL rule 11: a machine sleeps, under a system whose monotonic clock does not count that. When it wakes,
// its promises look as if they held; another primary has been elected and has written since.

import { copies } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function suspendedMachine(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
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
  await stage.run(4000);
  stage.expect(stage.primary !== old, 'another primary was elected');
  await stage.set(client, 'k=2');
  stage.part(`osd.${old.id}`, ['mon', ...stage.cluster.osds.map(({ id }) => `osd.${id}`)]);
  old.process?.resume();
  await stage.run(500);
  stage.expect(seen !== '1', 'a machine that slept told what was overwritten meanwhile');
  stage.end();
  stage.cluster.network.heal();
  await stage.cluster.untilClean(200_000);
  await stage.run(5000);
  stage.expect(done.isDone(), 'the read was answered');
  stage.end();
}
