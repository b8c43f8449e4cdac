// Promise P2 (seed 901176): a disk failed reads for a moment. What it holds was not read, and says nothing of what is on
// it; the object was called damaged, and a client that would have read it a second later gave up.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { Stage, watched } from '../stage.ts';

export async function diskFailsOneRead(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(50_000).fill(4);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  for (const { files } of cluster.osds)
    files.fault = ({ kind }) => (kind === 'block-read' ? 'io' : undefined);
  let found: Uint8Array | undefined;
  const read = watched(
    client.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: bytes.length }).then((it) => {
      found = it;
    }),
  );
  await stage.run(1500);
  stage.expect(!read.isRefused(), 'nobody says what is on a disk that fails to read');
  for (const { files } of cluster.osds) files.fault = () => undefined;
  await cluster.until('the read to end', () => read.isDone() || read.isRefused(), 20_000);
  stage.expect(found !== undefined && equalBytes(found, bytes), 'it is what was written');
  stage.expect(!cluster.logged.has('damaged shard'), 'nothing was marked as damaged');
  await cluster.untilClean();
  stage.end();
}
