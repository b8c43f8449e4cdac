// PROTOCOL rule 25: only a primary with its promises may say that a blob is not there. A client that has not heard of
// the next asks one that was deposed, which never heard of the blob either.

import { equalBytes } from '../../base/bytes.ts';
import { ClientError } from '../../client/errors.ts';
import { copies } from '../../map/geometry.ts';
import { Stage } from '../stage.ts';

export async function absentAtADeposedPrimary(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  const reader = await cluster.clientProcess();
  await stage.set(reader.client, 'k');
  const layout = client.activeLayout('data');
  const old = stage.leadOf(stage.dataPg);
  const others = cluster.osds.filter((osd) => osd !== old).map(({ id }) => `osd.${id}`);
  stage.part(`osd.${old.id}`, [...others, 'mon']);
  stage.part(reader.name, ['mon']);
  await stage.depose(old);
  // The other client has heard of the next by then, and the old one hears nothing of the put.
  await stage.run(5000);
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(20_000).fill(3);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  const range = { offsetBytes: 0, lengthBytes: bytes.length };
  let refused = '';
  reader.client.readBlob(layout, blob, range).catch((error: unknown) => {
    refused = error instanceof ClientError ? error.code : String(error);
  });
  // As long as a client asks again.
  await stage.run(17_000);
  stage.expect(refused === 'unavailable', `who leads no more said: ${refused}`);
  cluster.network.heal();
  await stage.run(5000);
  const read = await cluster.settle(reader.client.readBlob(layout, blob, range), 'the read');
  stage.expect(equalBytes(read, bytes), 'it is what was written');
  await cluster.untilClean();
  stage.end();
}
