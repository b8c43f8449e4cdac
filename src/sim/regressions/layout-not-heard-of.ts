// Promise P4 (seed 2): a gateway whose cluster map is behind is asked for what another put into a layout that it has not
// heard of. It waits for the newer map, which there must be, and does not say that there is no such pool.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function layoutNotHeardOf(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  const behind = await cluster.clientProcess();
  await stage.set(behind.client, 'k');
  // Until every primary has told the monitor what it holds.
  await stage.run(3000);
  stage.part(behind.name, ['mon']);
  const change = cluster.monitor.pools.setPoolLayout('data', { geometry: erasure(2, 1) });
  await cluster.settle(change, 'the change');
  await cluster.untilServing();
  await stage.run(1000);
  const layout = client.activeLayout('data');
  stage.expect(layout.layout !== behind.client.activeLayout('data').layout, 'its map is behind');
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(50_000).fill(5);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  let found: Uint8Array | undefined;
  const read = watched(
    behind.client
      .readBlob(layout, blob, { offsetBytes: 0, lengthBytes: bytes.length })
      .then((it) => {
        found = it;
      }),
  );
  await stage.run(3000);
  stage.expect(!read.isRefused(), 'it waits for the map of whoever named the layout');
  cluster.network.heal();
  await cluster.until('the read to end', () => read.isDone() || read.isRefused(), 20_000);
  stage.expect(found !== undefined && equalBytes(found, bytes), 'it is what was written');
  stage.end();
}
