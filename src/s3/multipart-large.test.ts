// The largest upload S3 allows has 10,000 parts: its manifest does not fit an entry and stands in a blob.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { encode } from '../base/codec.ts';
import { blobBytesMax } from '../client/cluster.ts';
import { decodeEntry, encodeEntryDraft, plainAttributes, plainSummary } from './index/format.ts';
import { putEntry, putPart } from './index/messages.ts';
import { entryRow } from './index/rows.ts';
import { bodyBytes, bodyText, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

const partCount = 10_000;
const partBytes = 5 * 1024 * 1024;

test('an object of 10,000 parts is completed, read by part and collected to the last blob', async () => {
  const gateway = await startTestGateway({ time: 'manual', garbageBlobsPerSecond: 1_000_000 });
  const { cluster } = gateway;
  const send = (method: string, path: string, query = {}, body?: string) =>
    gateway.handle(
      sign({
        method,
        path,
        query,
        wallMs: gateway.wallMs,
        ...(body === undefined ? {} : { body }),
      }),
    );
  await send('PUT', '/bucket');
  const shard =
    cluster
      .objectNames()
      .find((name) => name.startsWith('.index/index/'))
      ?.slice(7) ?? '';
  const created = await bodyText(await send('POST', '/bucket/key', { uploads: '' }, ''));
  const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
  // Only the bytes of one part are really there: 50 GB would be a long test.
  const layout = { pool: 2, layout: 1 };
  const filledPart = 7777;
  const filled = randomBytes(partBytes);
  let partList = '';
  for (let partNumber = 1; partNumber <= partCount; partNumber++) {
    const first = await cluster.allocateBlobs(2);
    const etag = createHash('md5').update(String(partNumber)).digest('hex');
    partList += `<Part><PartNumber>${partNumber}</PartNumber><ETag>"${etag}"</ETag></Part>`;
    if (partNumber === filledPart) {
      await cluster.putBlob(layout, first, [filled.subarray(0, blobBytesMax)]);
      await cluster.putBlob(layout, { ...first, counter: first.counter + 1 }, [
        filled.subarray(blobBytesMax),
      ]);
    }
    await cluster.call(
      '.index',
      shard,
      putPart.name,
      encode(putPart.argument, {
        key: Buffer.from('key'),
        uploadId,
        partNumber,
        sizeBytes: partBytes,
        etag,
        wallMs: 1,
        checksum: undefined,
        nonce: new Uint8Array(0),
        runs: [
          { layout, first, count: 2, blobBytes: blobBytesMax, lastBytes: partBytes - blobBytesMax },
        ],
      }),
    );
  }
  const body = `<CompleteMultipartUpload>${partList}</CompleteMultipartUpload>`;
  const completed = await send('POST', '/bucket/key', { uploadId }, body);
  equal(completed.status, 200, await bodyText(completed));
  const wanted = Buffer.from(entryRow(Buffer.from('key')));
  const row = cluster.rows(shard).find(([key]) => wanted.equals(key));
  ok(row !== undefined && row[1].length < 64 * 1024);
  equal(decodeEntry(row[1]).content.kind, 'indirect');
  const part = await send('GET', '/bucket/key', { partNumber: String(filledPart) });
  equal(part.status, 206);
  equal(headerOf(part, 'x-amz-mp-parts-count'), String(partCount));
  ok((await bodyBytes(part)).equals(filled));
  const before = cluster.blobs.size;
  equal(before, 3, 'two blobs of the part, one of the manifest');

  let deleted = 0;
  cluster.fault = (operation) => {
    if (operation === 'delete-blob') deleted++;
  };
  equal((await send('DELETE', '/bucket/key')).status, 204);
  for (let round = 0; round < 3; round++) await gateway.clock.advance(10 * 60_000);
  equal(cluster.blobs.size, 0);
  equal(deleted, 2 * partCount + 1);
  deepEqual(gateway.failures, []);
  await gateway.gateway.close();
});

test('deleting many objects of many parts goes in as many calls as it needs', async () => {
  const gateway = await startTestGateway({ time: 'manual', garbageBlobsPerSecond: 1_000_000 });
  const { cluster } = gateway;
  const send = (method: string, path: string, query = {}, body?: string) =>
    gateway.handle(
      sign({
        method,
        path,
        query,
        wallMs: gateway.wallMs,
        ...(body === undefined ? {} : { body }),
      }),
    );
  await send('PUT', '/bucket');
  const shard =
    cluster
      .objectNames()
      .find((name) => name.startsWith('.index/index/'))
      ?.slice(7) ?? '';
  let objects = '';
  for (let i = 0; i < 400; i++) {
    const extents = [];
    for (let n = 0; n < 600; n++) {
      const first = await cluster.allocateBlobs(1);
      const run = { layout: { pool: 2, layout: 1 }, first, count: 1, blobBytes: 9, lastBytes: 9 };
      extents.push({
        sizeBytes: 9,
        runs: [run],
        checksum: undefined,
        partNumber: n + 1,
        nonce: new Uint8Array(0),
      });
    }
    const key = Buffer.from(`key-${i}`);
    objects += `<Object><Key>key-${i}</Key></Object>`;
    await cluster.call(
      '.index',
      shard,
      putEntry.name,
      encode(putEntry.argument, {
        key,
        conditions: { ifMatch: undefined, ifNoneMatch: undefined },
        versioning: 'off',
        hasBlobs: true,
        entry: encodeEntryDraft({
          sizeBytes: 5400,
          etag: 'e-600',
          wallMs: 1,
          checksum: undefined,
          ...plainSummary,
          ...plainAttributes,
          headers: [],
          metadata: [],
          tags: [],
          uploadId: undefined,
          partCount: 600,
          content: { kind: 'direct', extents },
        }),
      }),
    );
  }
  const callsBefore = cluster.callCount;
  const answer = await send('POST', '/bucket', { delete: '' }, `<Delete>${objects}</Delete>`);
  equal((await bodyText(answer)).match(/<Deleted>/g)?.length, 400);
  equal(cluster.callCount - callsBefore, 4, 'the bucket, a batch that was too large, its halves');
  equal(cluster.rows(shard).filter(([key]) => key[0] === 0x6b).length, 0);
});
