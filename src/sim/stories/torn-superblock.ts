// A disk whose superblock was torn or has rotted is known by the copy of it; the copy is mended from the other likewise,
// so that the next time either may be bad. What was acknowledged is read from it alone at the end.

import { copies } from '../../map/geometry.ts';
import { paths } from '../../store/format.ts';
import { Stage } from '../stage.ts';

export async function tornSuperblock(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const osd = stage.primary;
  const mended = (): number => cluster.logged.get('superblock read from its copy') ?? 0;
  for (const [at, path] of [paths.superblock, paths.superblockCopy, paths.superblock].entries()) {
    cluster.killOsd(osd.id);
    for (let offset = 4; offset < 20; offset++) osd.files.flipBit(path, offset, offset % 8);
    await cluster.startOsd(osd.id);
    stage.expect(mended() === at + 1, `${path} is read from the other`);
    await cluster.untilClean();
    // And not again: it was mended.
    await stage.restart(osd);
    stage.expect(mended() === at + 1, `${path} is as it was`);
    await cluster.untilClean(200_000);
  }
  for (const other of cluster.osds) if (other !== osd) cluster.killOsd(other.id);
  await cluster.untilServing(60_000);
  stage.expect((await stage.set(client, 'k')) === '1', 'what was acknowledged is read');
  stage.end();
}
