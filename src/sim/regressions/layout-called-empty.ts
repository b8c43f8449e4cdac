// Promise P1, rule 31: a draining layout goes when its placement groups list nothing. Deletes of blobs that were not
// there, as a collector repeats them after an unknown outcome, were counted too; the layout was called empty and
// removed with what was in it.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function layoutCalledEmpty(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(20_000).fill(3);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  for (let at = 0; at < 3; at++) {
    const nothing = await client.allocateBlobs(1);
    await cluster.settle(client.deleteBlob(layout, nothing), 'a delete of nothing');
  }
  await stage.run(20_000);
  const change = cluster.monitor.pools.setPoolLayout('data', { pgCount: 2 });
  await cluster.settle(change, 'changing the pool');
  await stage.run(90_000);
  const range = { offsetBytes: 0, lengthBytes: bytes.length };
  const read = await cluster.settle(client.readBlob(layout, blob, range), 'the read');
  stage.expect(equalBytes(read, bytes), 'it is what was written');
  await cluster.settle(client.deleteBlob(layout, blob), 'the delete');
  const layouts = (): number | undefined =>
    cluster.monitor.map.pools.find(({ name }) => name === 'data')?.layouts.length;
  await cluster.until('the empty layout to go', () => layouts() === 1, 120_000);
  stage.end();
}
