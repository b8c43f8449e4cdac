// PROTOCOL rule 6: a promise is given only to the primary of the newest record that the member knows. One that only
// the monitor can't reach is deposed, and goes on asking its members for promises: they know better, and the next
// serves within seconds.

import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function deposedUnheard(): Promise<void> {
  for (const count of [2, 3]) {
    const stage = new Stage(count, copies(count, count - 1));
    const { cluster } = stage;
    const client = await stage.start();
    await stage.set(client, 'k=1');
    const old = stage.primary;
    stage.part(`osd.${old.id}`, ['mon']);
    await stage.depose(old);
    await cluster.until(
      'another to serve',
      () => stage.primary !== old && cluster.isServing(),
      10_000,
    );
    stage.expect((await stage.set(client, 'k=2')) === '1', 'the value before was read');
    cluster.network.heal();
    await cluster.untilClean();
    stage.end();
  }
}
