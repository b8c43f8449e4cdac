// PROTOCOL rule 30: a closed upload refuses parts, completion and abortion. A part is still on its way when the upload
// is completed: it comes too late, and leaves nothing behind. So it is with one that was aborted.

import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { copies } from '../../map/geometry.ts';
import { pattern } from '../pattern.ts';
import { S3Stage } from '../s3-stage.ts';

const mebibyte = 2 ** 20;
const path = '/bucket/key';

export async function closedUpload(): Promise<void> {
  for (const end of ['complete', 'abort'] as const) await play(end);
}

async function play(end: 'complete' | 'abort'): Promise<void> {
  const s3 = await S3Stage.open(2, copies(2, 1));
  const { stage } = s3;
  const begun = await s3.expectStatus(200, { method: 'POST', path, query: { uploads: '' } });
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(decodeUtf8(begun.body))?.[1] ?? '';
  const partQuery = (part: number) => ({ partNumber: String(part), uploadId });
  const body = pattern(8, 5 * mebibyte);
  const part = await s3.expectStatus(200, { method: 'PUT', path, query: partQuery(1), body });
  const etag = part.headers.find(([name]) => name.toLowerCase() === 'etag')?.[1] ?? '';
  const form = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
  const completion = { method: 'POST', path, query: { uploadId }, body: encodeUtf8(form) };
  const abortion = { method: 'DELETE', path, query: { uploadId } };

  // Of the second part all but the last piece has come.
  let finish = (): void => {};
  const rest = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const pieces = [body.slice(0, 4 * mebibyte), body.slice(4 * mebibyte)];
  const late = s3.gateway.process.http.request({
    ...s3.signed({ method: 'PUT', path, query: partQuery(2), body }),
    body: {
      next: async () => {
        if (pieces.length === 1) await rest;
        return pieces.shift();
      },
    },
  });
  await stage.run(2000);
  if (end === 'complete') await s3.expectStatus(200, completion);
  else await s3.expectStatus(204, abortion);
  finish();
  const refused = await stage.cluster.settle(late, 'the late part');
  stage.expect(refused.status === 404, `the late part is answered ${refused.status}`);
  await s3.expectStatus(404, { method: 'PUT', path, query: partQuery(3), body });
  if (end === 'abort') await s3.expectStatus(404, completion);
  await s3.expectStatus(404, abortion);
  await stage.run(10_000);
  if (end === 'complete') await s3.expectObject(path, body);
  else await s3.expectStatus(404, { method: 'GET', path });
  const left = end === 'complete' ? 2 : 0;
  stage.expect((await s3.blobCount()) === left, 'parts that came too late left nothing');
  stage.end();
}
