// Promise P1: enough disks held a put to read it, but could not be read when another primary took over; it was
// called gone.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure } from '../../map/geometry.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

export async function putLostAtATakeover(): Promise<void> {
  for (const which of [0, 1]) await play(which);
}

/** `which`: of the two members, the one that has not heard of the put. */
async function play(which: number): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const old = stage.leadOf(pg);
  const members = cluster.osds.filter((osd) => osd !== old);
  const deaf = members[which] as SimulatedOsd;
  const other = members[1 - which] as SimulatedOsd;
  cluster.network.cut(`osd.${old.id}`, `osd.${deaf.id}`);
  const blob = await client.allocateBlobs(1);
  const bytes = new Uint8Array(50_000).fill(7);
  const put = client.putBlob(layout, blob, [bytes]);
  put.catch(() => {});
  await stage.run(200);
  // What was on its way to it is lost with the connection.
  cluster.network.reset(`osd.${old.id}`, `osd.${deaf.id}`);
  cluster.network.reset(`osd.${deaf.id}`, `osd.${old.id}`);
  for (const osd of [old, other])
    osd.files.fault = ({ kind }) => (kind === 'block-read' ? 'io' : undefined);
  await stage.depose(old);
  cluster.network.heal();
  await stage.run(4000);
  for (const osd of [old, other]) osd.files.fault = () => undefined;
  await cluster.settle(put, 'the put', 60_000);
  await cluster.untilClean(200_000);
  const range = { offsetBytes: 0, lengthBytes: bytes.length };
  const read = await cluster.settle(client.readBlob(layout, blob, range), 'the read');
  stage.expect(equalBytes(read, bytes), 'it is what was written');
  await stage.compare();
  stage.end();
}
