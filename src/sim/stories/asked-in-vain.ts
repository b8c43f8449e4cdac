// A group that nobody can serve answers so within seconds, and at once when that is known. What ends by itself is waited
// out: the death of a primary, and disks that restart together.

import { equalBytes } from '../../base/bytes.ts';
import type { BlobId } from '../../base/ids.ts';
import type { ClusterClient } from '../../client/cluster-client.ts';
import { ClientError } from '../../client/errors.ts';
import { stuckMs } from '../../client/stuck-groups.ts';
import { copies, erasure } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

const bytes = new Uint8Array(50_000).fill(7);

interface Answer {
  readonly text: string;
  readonly tookMs: number;
}

async function askedInVainOf(stage: Stage): Promise<void> {
  const { cluster } = stage;
  const client: ClusterClient = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const blob: BlobId = await client.allocateBlobs(1);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');

  const read = async (): Promise<Answer> => {
    const begunAt = cluster.scheduler.now();
    const range = { offsetBytes: 0, lengthBytes: bytes.length };
    const text = await client.readBlob(layout, blob, range).then(
      (found) => (equalBytes(found, bytes) ? 'whole' : 'wrong'),
      (error: unknown) => (error instanceof ClientError ? error.message : String(error)),
    );
    return { text, tookMs: cluster.scheduler.now() - begunAt };
  };
  const settled = (work: Promise<Answer>): Promise<Answer> => cluster.settle(work, 'a read');
  const slots = (): readonly SimulatedOsd[] =>
    (cluster.monitor.records.get(pg)?.slots ?? []).map(
      ({ uuid }) => cluster.osdOf(uuid) as SimulatedOsd,
    );

  // A primary that dies is waited out.
  const lead = stage.leadOf(pg);
  cluster.killOsd(lead.id);
  const failover = await settled(read());
  stage.expect(failover.text === 'whole', `after its primary died: ${failover.text}`);
  await cluster.startOsd(lead.id);
  await cluster.untilClean();

  // So are two disks that restart together, and with which it can't be served meanwhile.
  const pair = slots().slice(0, 2);
  for (const osd of pair) cluster.killOsd(osd.id);
  const meanwhile = read();
  await stage.run(3000);
  for (const osd of pair) await cluster.startOsd(osd.id);
  const restarted = await settled(meanwhile);
  stage.expect(restarted.text === 'whole', `while two restarted: ${restarted.text}`);
  await cluster.untilClean();

  for (const osd of pair) cluster.killOsd(osd.id);
  const first = await settled(read());
  stage.expect(/waits for osd\.\d, osd\.\d$/.test(first.text), first.text);
  for (const { id } of pair)
    stage.expect(first.text.includes(`osd.${id}`), `osd.${id} in: ${first.text}`);
  stage.expect(first.tookMs < stuckMs + 3500, `it took ${first.tookMs} ms to be called in vain`);
  const next = await settled(read());
  stage.expect(next.text === first.text && next.tookMs < 200, `${next.text} in ${next.tookMs} ms`);

  // Back: nobody remembers.
  for (const osd of pair) await cluster.startOsd(osd.id);
  await cluster.untilClean();
  const last = await settled(read());
  stage.expect(last.text === 'whole', last.text);
  for (const osd of pair) cluster.killOsd(osd.id);
  const again = read();
  await stage.run(3000);
  for (const osd of pair) await cluster.startOsd(osd.id);
  stage.expect((await settled(again)).text === 'whole', 'the time begins anew');
  stage.end();
}

export async function askedInVain(): Promise<void> {
  await askedInVainOf(new Stage(3, copies(3, 2), false, erasure(2, 1)));
}

/** Writes where too few disks are left, and none is on its way, end alike. */
export async function writtenInVain(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  for (const { id } of stage.members) cluster.killOsd(id);
  const write = async (argument: string): Promise<Answer> => {
    const begunAt = cluster.scheduler.now();
    const text = await stage.row(client, argument).catch((error: unknown) => String(error));
    return { text, tookMs: cluster.scheduler.now() - begunAt };
  };
  const first = await cluster.settle(write('k=2'), 'a write');
  stage.expect(/needs 2 to write safely/.test(first.text), first.text);
  stage.expect(first.tookMs < stuckMs + 5000, `it took ${first.tookMs} ms`);
  const next = await cluster.settle(write('k=3'), 'a write');
  stage.expect(next.tookMs < 200, `${next.text} in ${next.tookMs} ms`);
  // The first had been taken when the members died: it was done, or not.
  const found = await stage.set(client, 'k');
  stage.expect(found === '1' || found === '2', `it is read all the while, as ${found}`);
  stage.end();
}
