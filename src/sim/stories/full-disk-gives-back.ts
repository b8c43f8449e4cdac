// PROTOCOL rule 26: a full disk takes deletes, and what has to be noted so that something can be deleted. A client
// breaks off its upload when somebody else has filled the disks: what it left is noted as garbage, and collected.

import { copies } from '../../map/geometry.ts';
import { s3Methods } from '../../s3/index/methods.ts';
import { pattern } from '../pattern.ts';
import { signedRequest } from '../s3-request.ts';
import { Stage } from '../stage.ts';
import { workloadMethods } from '../workload.ts';

const mebibyte = 2 ** 20;

export async function fullDiskGivesBack(): Promise<void> {
  const methods = new Map([...workloadMethods, ...s3Methods]);
  const stage = new Stage(2, copies(2, 1), false, copies(2, 1), 1, methods);
  const { cluster } = stage;
  await stage.start();
  const gateway = await cluster.gateway({ garbageGraceMs: 1000, garbageIntervalMs: 1000 });
  const signed = (method: string, path: string, body?: Uint8Array) =>
    signedRequest(
      { method, path, ...(body === undefined ? {} : { body }) },
      gateway.process.env.wall.nowMs(),
    );
  const send = async (method: string, path: string, body?: Uint8Array): Promise<number> => {
    const answer = gateway.process.http.request(signed(method, path, body));
    return (await cluster.settle(answer, `${method} ${path}`)).status;
  };
  const blobCount = async (): Promise<number> => {
    const all = { begin: { incarnation: 0, counter: 0 }, end: { incarnation: 1000, counter: 0 } };
    const listing = gateway.client.listBlobs('data', { ...all, cursor: undefined, limit: 100 });
    return (await cluster.settle(listing, 'a listing')).blobs.length;
  };
  stage.expect((await send('PUT', '/bucket')) === 200, 'a bucket is made');

  // The first eight mebibytes come and are stored, then the disks fill, and nothing further comes.
  let breakOff = (): void => {};
  const broken = new Promise<undefined>((resolve) => {
    breakOff = () => resolve(undefined);
  });
  const pieces = [pattern(1, 8 * mebibyte)];
  const answer = gateway.process.http.request({
    ...signed('PUT', '/bucket/large', pattern(1, 9 * mebibyte)),
    body: { next: () => (pieces.length > 0 ? Promise.resolve(pieces.shift()) : broken) },
  });
  await stage.run(2000);
  stage.expect((await blobCount()) > 0, 'what came is stored');
  for (const { files } of cluster.osds) files.freeBytes = 0;
  await stage.run(10_000);
  stage.expect((await send('PUT', '/bucket/small', pattern(2, 1000))) === 507, 'disks are full');
  breakOff();
  stage.expect((await cluster.settle(answer, 'the upload')).status === 400, 'it was incomplete');
  await stage.run(10_000);
  stage.expect((await blobCount()) === 0, 'what a broken upload left is collected on full disks');
  stage.end();
}
