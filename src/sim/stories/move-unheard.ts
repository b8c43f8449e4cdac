// PROTOCOL rule 28: a migrator must know its own manifest. It moves objects to another layout while its connections to
// the index break again and again, once for long, so that it does not hear that a move was done and asks again. What it finds then is
// its own work, and not somebody else's to make way for: no object may lose its bytes.

import { copies, erasure } from '../../map/geometry.ts';
import { pattern } from '../pattern.ts';
import { S3Stage } from '../s3-stage.ts';

const objectCount = 12;

export async function moveUnheard(): Promise<void> {
  const s3 = await S3Stage.open(3, copies(3, 2));
  const { stage } = s3;
  const { cluster } = stage;
  const bodyOf = (at: number): Uint8Array => pattern(at + 1, 100_000 + at);
  const pathOf = (at: number): string => `/bucket/key-${at}`;
  for (let at = 0; at < objectCount; at++)
    await s3.expectStatus(200, { method: 'PUT', path: pathOf(at), body: bodyOf(at) });
  // Until every primary has told the monitor what it holds.
  await stage.run(3000);
  const { pg } = stage;
  const layoutsOf = (): number =>
    cluster.monitor.map.pools.find(({ name }) => name === 'data')?.layouts.length ?? 0;
  const change = cluster.monitor.pools.setPoolLayout('data', { geometry: erasure(2, 1) });
  await cluster.settle(change, 'the change');
  let head = -1;
  let moves = 0;
  for (let waitedMs = 0; waitedMs < 120_000 && layoutsOf() > 1; waitedMs += 1) {
    const lead = stage.leadOf(pg);
    const now = lead.osd?.memberOf(pg)?.disk.head.sequence ?? head;
    // Something was just written to the index: whoever asked for it does not hear of it on this connection.
    if (now !== head && head >= 0) {
      cluster.network.cut(`osd.${lead.id}`, s3.gateway.name);
      // Once for longer than a gateway asks again.
      if (++moves === 3) await stage.run(20_000);
      cluster.network.reset(`osd.${lead.id}`, s3.gateway.name);
      cluster.network.mend(`osd.${lead.id}`, s3.gateway.name);
    }
    head = now;
    await stage.run(1);
  }
  stage.expect(layoutsOf() === 1, 'everything is moved');
  await stage.run(10_000);
  for (let at = 0; at < objectCount; at++) await s3.expectObject(pathOf(at), bodyOf(at));
  stage.expect((await s3.blobCount()) === objectCount, 'each object has its blob, and no other');
  stage.end();
}
