// PROTOCOL rule 28: a commit that timed out may have succeeded. The gateway loses touch with the index the moment that
// the object's entry is written, and has to give up. It must not delete what it wrote: the entry refers to it.

import { copies } from '../../map/geometry.ts';
import { pattern } from '../pattern.ts';
import { S3Stage } from '../s3-stage.ts';
import { watched } from '../stage.ts';

export async function commitUnheard(): Promise<void> {
  const s3 = await S3Stage.open(3, copies(3, 2));
  const { stage } = s3;
  const { cluster } = stage;
  const body = pattern(5, 300_000);
  await s3.expectStatus(200, { method: 'PUT', path: '/bucket/first', body: pattern(4, 300_000) });
  // Their leads come to lie apart, so that blobs can be reached when the index can not.
  await stage.depose(stage.primary);
  await cluster.untilClean();
  const lead = stage.primary;
  stage.expect(lead !== stage.leadOf(stage.dataPg), 'index and blobs have different leads');
  const headNow = (): number => lead.osd?.memberOf(stage.pg)?.disk.head.sequence ?? 0;
  const before = headNow();
  let status = 0;
  const put = s3.request({ method: 'PUT', path: '/bucket/key', body });
  const ended = watched(
    put.then((answer) => {
      status = answer.status;
    }),
  );
  await cluster.until('the commit', () => headNow() > before, 10_000);
  cluster.network.cut(`osd.${lead.id}`, s3.gateway.name);
  await cluster.until('the gateway to give up', () => ended.isDone() || ended.isRefused(), 60_000);
  stage.expect(status >= 500, `nothing is known, and it is answered ${status}`);
  cluster.network.heal();
  await stage.run(30_000);
  await s3.expectObject('/bucket/key', body);
  stage.expect((await s3.blobCount()) === 2, 'each object has its blob, and no other is left');
  stage.end();
}
