// PROTOCOL rule 3, of a read and a put of one blob that are under way together. What the read finds on the primary may have
// been ordered only after it began: a blob was read that only the primary had. (Of an erasure code the others had yet to
// store their shards, and it was called damaged.)

import { ClientError } from '../../client/errors.ts';
import { copies } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage, watched } from '../stage.ts';

/** Little enough to be durable on the primary, in its rows, before a read that began earlier ends. */
const bytes = 100;

/** How long a read or a sync of the primary's disk takes is chance: in some rounds a read ends in between. */
const rounds = 8;

/** So often, and as many times, is the blob read, from before its put on. */
const readEveryMs = 0.05;
const readCount = 80;
const readsBefore = 40;

export async function readBesideAPut(): Promise<void> {
  const stage = new Stage(2, copies(2, 1), false, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const reader = await cluster.client();
  const layout = client.activeLayout('data');
  const lead = stage.leadOf(stage.dataPg);
  const member = cluster.osds.find((osd) => osd !== lead) as SimulatedOsd;
  let absentCount = 0;
  let readyCount = 0;
  const refusals: unknown[] = [];
  for (let round = 1; round <= rounds; round++) {
    const blob = await client.allocateBlobs(1);
    const before = readyCount;
    cluster.network.cut(`osd.${lead.id}`, `osd.${member.id}`);
    let put = { isDone: () => false };
    for (let at = 0; at < readCount; at++) {
      if (at === readsBefore)
        put = watched(client.putBlob(layout, blob, [new Uint8Array(bytes).fill(round)]));
      reader.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: bytes }).then(
        () => readyCount++,
        (error: unknown) => {
          if (error instanceof ClientError && error.code === 'no-such-blob') absentCount++;
          else refusals.push(error);
        },
      );
      await stage.run(readEveryMs);
    }
    await stage.run(100);
    stage.expect(readyCount === before, 'a blob was read that only its primary has');
    cluster.network.heal();
    const answered = (): number => absentCount + readyCount + refusals.length;
    await cluster.until(
      'all to be answered',
      () => put.isDone() && answered() === round * readCount,
      20_000,
    );
    stage.expect(refusals.length === 0, `a read was refused: ${String(refusals[0])}`);
    stage.expect(readyCount > before, 'some reads met the put');
  }
  stage.expect(absentCount > 0, 'some reads came before the put');
  stage.end();
}
