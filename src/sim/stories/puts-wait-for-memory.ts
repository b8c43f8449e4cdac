// Promise P6: puts wait for memory, however many come at once. A disk is so slow that little of eighteen large blobs
// gets done; what its daemon holds of them stays bounded, and nothing of it is held when all is done.

import { memoryBudgetBytesDefault, memoryShares } from '../../base/memory-budget.ts';
import { copies, erasure } from '../../map/geometry.ts';
import { leftInMemory } from '../end-state.ts';
import { pattern } from '../pattern.ts';
import { Stage } from '../stage.ts';

const mebibyte = 2 ** 20;
const { ingestBytes } = memoryShares(memoryBudgetBytesDefault);

export async function putsWaitForMemory(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const first = await stage.start();
  const clients = [first];
  for (let count = 1; count < 8; count++) clients.push(await cluster.client());
  const layout = first.activeLayout('data');
  const lead = stage.leadOf(stage.dataPg);
  const body = pattern(1, 4 * mebibyte);
  lead.files.slowness = 2000;
  const puts: Promise<void>[] = [];
  for (let at = 0; at < 18; at++) {
    const client = clients[at % clients.length] as typeof first;
    const blob = await client.allocateBlobs(1);
    const put = client.putBlob(layout, blob, [body]);
    put.catch(() => {});
    puts.push(put);
  }
  let most = 0;
  for (let waitedMs = 0; waitedMs < 4000; waitedMs += 50) {
    await stage.run(50);
    most = Math.max(most, lead.osd?.heldBytes.shards ?? 0);
  }
  stage.expect(most > 0 && most <= ingestBytes, `shards of ${most} bytes are held`);
  lead.files.slowness = 1;
  await cluster.settle(Promise.all(puts), 'all to be done', 30_000);
  await cluster.untilClean();
  const left = await leftInMemory(cluster);
  stage.expect(left.length === 0, left.join('\n'));
  stage.end();
}
