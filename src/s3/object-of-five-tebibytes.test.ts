// The largest object S3 allows: 5 TiB in 1,024 parts of 5 GiB, 1.3 million blobs whose bytes are computed from
// their ids. Its list of extents does not fit an entry and stands in a blob.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encode } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import { blobBytesMax } from '../client/cluster.ts';
import { decodeEntry } from './index/format.ts';
import { putPart } from './index/messages.ts';
import { entryRow } from './index/rows.ts';
import { bodyBytes, bodyText, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

const partBytes = 5 * 1024 ** 3;
const partCount = 1024;
const objectBytes = partBytes * partCount;
const blobsPerPart = partBytes / blobBytesMax;

function byteOf(counter: number, offsetBytes: number): number {
  return (offsetBytes * 31 + counter * 17 + (offsetBytes >>> 8)) & 0xff;
}

function generate({ counter }: BlobId, offsetBytes: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at++) bytes[at] = byteOf(counter, offsetBytes + at);
  return bytes;
}

/** What stands at an offset of the object, when the blobs of the parts follow each other from `first` on. */
function expected(first: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    const offset = from + at;
    bytes[at] = byteOf(first + Math.floor(offset / blobBytesMax), offset % blobBytesMax);
  }
  return bytes;
}

test('an object of 5 TiB is completed, read at any offset, and collected to the last blob', async () => {
  const gateway = await startTestGateway({ time: 'manual', garbageBlobsPerSecond: 10_000_000 });
  const { cluster } = gateway;
  const send = (
    method: string,
    path: string,
    options: { query?: Record<string, string>; body?: string; range?: string } = {},
  ) =>
    gateway.handle(
      sign({
        method,
        path,
        query: options.query ?? {},
        wallMs: gateway.wallMs,
        ...(options.body === undefined ? {} : { body: options.body }),
        ...(options.range === undefined ? {} : { headers: { range: options.range } }),
      }),
    );
  await send('PUT', '/bucket');
  const shard =
    cluster
      .objectNames()
      .find((name) => name.startsWith('.index/index/'))
      ?.slice('.index/'.length) ?? '';
  const layout = cluster.activeLayout('data');
  cluster.generated = generate;

  /** An upload with its parts: the first blob's counter, and the list that completes it. */
  const upload = async (key: string, parts: number, lastBytes: number) => {
    const created = await bodyText(
      await send('POST', `/bucket/${key}`, { query: { uploads: '' }, body: '' }),
    );
    const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
    let list = '';
    let firstCounter: number | undefined;
    for (let partNumber = 1; partNumber <= parts; partNumber++) {
      const isLast = partNumber === parts;
      const sizeBytes = isLast ? lastBytes : partBytes;
      const count = isLast ? Math.ceil(lastBytes / blobBytesMax) : blobsPerPart;
      const first = await cluster.allocateBlobs(count);
      firstCounter ??= first.counter;
      const etag = createHash('md5').update(String(partNumber)).digest('hex');
      list += `<Part><PartNumber>${partNumber}</PartNumber><ETag>"${etag}"</ETag></Part>`;
      const lastOfRun = sizeBytes - (count - 1) * blobBytesMax;
      await cluster.call(
        '.index',
        shard,
        putPart.name,
        encode(putPart.argument, {
          key: Buffer.from(key),
          uploadId,
          partNumber,
          sizeBytes,
          etag,
          wallMs: 1,
          checksum: undefined,
          nonce: new Uint8Array(0),
          runs: [{ layout, first, count, blobBytes: blobBytesMax, lastBytes: lastOfRun }],
        }),
      );
    }
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const completed = await send('POST', `/bucket/${key}`, { query: { uploadId }, body });
    return { completed, firstCounter: firstCounter as number };
  };

  const { completed, firstCounter } = await upload('key', partCount, partBytes);
  equal(completed.status, 200, await bodyText(completed));
  const wanted = Buffer.from(entryRow(Buffer.from('key')));
  const row = cluster.rows(shard).find(([key]) => wanted.equals(key));
  ok(row !== undefined && row[1].length < 64 * 1024);
  equal(decodeEntry(row[1]).content.kind, 'indirect');
  const head = await send('HEAD', '/bucket/key');
  equal(headerOf(head, 'content-length'), String(objectBytes));

  const tebibyte = 1024 ** 4;
  const offsets = [
    0,
    blobBytesMax - 7,
    partBytes - 5,
    tebibyte - 3,
    tebibyte,
    2 ** 32 - 1,
    2 ** 41 + 12_345,
    3 * tebibyte + partBytes - 9,
    objectBytes - 20,
  ];
  for (const from of offsets) {
    const range = `bytes=${from}-${from + 19}`;
    const part = await send('GET', '/bucket/key', { range });
    equal(part.status, 206, range);
    equal(headerOf(part, 'content-range'), `bytes ${from}-${from + 19}/${objectBytes}`);
    deepEqual(new Uint8Array(await bodyBytes(part)), expected(firstCounter, from, 20), range);
  }
  // Across two blobs of two parts, whole blobs between.
  const from = 4 * tebibyte - blobBytesMax - 100;
  const long = await send('GET', '/bucket/key', {
    range: `bytes=${from}-${from + 3 * blobBytesMax - 1}`,
  });
  ok(
    Buffer.from(await bodyBytes(long)).equals(expected(firstCounter, from, 3 * blobBytesMax)),
    'three blobs around 4 TiB',
  );
  const last = await send('GET', '/bucket/key', { range: 'bytes=-3' });
  deepEqual(
    new Uint8Array(await bodyBytes(last)),
    expected(firstCounter, objectBytes - 3, 3),
    'the last bytes',
  );
  equal((await send('GET', '/bucket/key', { range: `bytes=${objectBytes}-` })).status, 416);

  // A byte more than S3 allows.
  const tooLarge = await upload('larger', partCount + 1, 1);
  equal(tooLarge.completed.status, 400);
  ok((await bodyText(tooLarge.completed)).includes('EntityTooLarge'));

  let deleted = 0;
  cluster.fault = (operation) => {
    if (operation === 'delete-blob') deleted++;
  };
  equal((await send('DELETE', '/bucket/key')).status, 204);
  const allBlobs = objectBytes / blobBytesMax + 1;
  for (let round = 0; round < 12 && deleted < allBlobs; round++)
    await gateway.clock.advance(10 * 60_000);
  equal(deleted, allBlobs, 'every blob, and the one of the list');
  equal(cluster.blobs.size, 0);
  deepEqual(gateway.failures, []);
  await gateway.gateway.close();
});
