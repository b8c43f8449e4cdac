// Encryption at rest: what lies in blobs and rows is not what was put, and every way to read gives it back.

import { equal, notEqual, ok } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { bodyBytes, errorCode, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

type Fields = Readonly<Record<string, string>>;

async function start(t: TestContext) {
  const gateway = await startTestGateway({ kmsKeys: ['photos-key'] });
  t.after(() => gateway.gateway.close());
  const send = (
    method: string,
    path: string,
    { query, headers, body }: { query?: Fields; headers?: Fields; body?: Uint8Array | string } = {},
  ) =>
    gateway.handle(
      sign({
        method,
        path,
        query: query ?? {},
        headers: headers ?? {},
        ...(body === undefined ? {} : { body }),
      }),
    );
  equal((await send('PUT', '/bucket')).status, 200);
  return { gateway, send };
}

function customerKey(key: Buffer, prefix = 'x-amz-server-side-encryption-customer'): Fields {
  return {
    [`${prefix}-algorithm`]: 'AES256',
    [`${prefix}-key`]: key.toString('base64'),
    [`${prefix}-key-md5`]: createHash('md5').update(key).digest('base64'),
  };
}

const key = randomBytes(32);
const kinds: Readonly<Record<string, { put: Fields; get: Fields }>> = {
  'SSE-S3': { put: { 'x-amz-server-side-encryption': 'AES256' }, get: {} },
  'SSE-KMS': {
    put: {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'photos-key',
    },
    get: {},
  },
  'SSE-C': { put: customerKey(key), get: customerKey(key) },
};

for (const [kind, { put, get }] of Object.entries(kinds))
  for (const size of [1, 100, 20_000, 4_194_304 + 1000])
    test(`${kind} of ${size} bytes: kept encrypted, read whole, in ranges and as a copy`, async (t) => {
      const { gateway, send } = await start(t);
      const body = randomBytes(size);
      const answer = await send('PUT', '/bucket/k', { headers: put, body });
      equal(answer.status, 200);
      equal(headerOf(answer, 'etag'), `"${createHash('md5').update(body).digest('hex')}"`);
      for (const blob of gateway.cluster.blobs.values())
        notEqual(Buffer.from(blob).indexOf(body.subarray(0, 100)), 0);
      const rows = gateway.cluster
        .objectNames()
        .flatMap((name) => gateway.cluster.rows(name.slice('.index/'.length)));
      if (size >= 100)
        ok(rows.every(([, value]) => !Buffer.from(value).includes(body.subarray(0, 100))));
      ok(body.equals(await bodyBytes(await send('GET', '/bucket/k', { headers: get }))));
      for (const [first, last] of [
        [0, 0],
        [size >> 1, size - 1],
        [Math.min(17, size - 1), Math.min(4_194_300, size - 1)],
      ] as const) {
        const range = { ...get, range: `bytes=${first}-${last}` };
        const part = await bodyBytes(await send('GET', '/bucket/k', { headers: range }));
        ok(body.subarray(first, last + 1).equals(part), `${first}-${last}`);
      }
      const source =
        kind === 'SSE-C'
          ? customerKey(key, 'x-amz-copy-source-server-side-encryption-customer')
          : {};
      const copy = { 'x-amz-copy-source': '/bucket/k', ...source };
      equal((await send('PUT', '/bucket/plain', { headers: copy })).status, 200);
      const plain = await send('GET', '/bucket/plain');
      equal(headerOf(plain, 'x-amz-server-side-encryption'), undefined);
      ok(body.equals(await bodyBytes(plain)));
      equal((await send('PUT', '/bucket/again', { headers: { ...copy, ...put } })).status, 200);
      ok(body.equals(await bodyBytes(await send('GET', '/bucket/again', { headers: get }))));
    });

test('parts are encrypted each with its own stream, and read over their borders', async (t) => {
  const { send } = await start(t);
  const sse = customerKey(key);
  const xml = (response: Awaited<ReturnType<typeof send>>) =>
    bodyBytes(response).then((bytes) => bytes.toString());
  const created = await xml(
    await send('POST', '/bucket/k', { query: { uploads: '' }, headers: sse }),
  );
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created)?.[1] ?? '';
  const parts = [Buffer.alloc(5 * 1024 * 1024, 'A'), Buffer.alloc(5 * 1024 * 1024, 'A')];
  let listed = '';
  for (const [i, body] of parts.entries()) {
    const query = { uploadId, partNumber: String(i + 1) };
    const bare = await send('PUT', '/bucket/k', { query, body });
    equal(await errorCode(bare), 'InvalidRequest', 'a part names the key too');
    const put = await send('PUT', '/bucket/k', { query, headers: sse, body });
    listed += `<Part><PartNumber>${i + 1}</PartNumber><ETag>${headerOf(put, 'etag')}</ETag></Part>`;
  }
  const body = `<CompleteMultipartUpload>${listed}</CompleteMultipartUpload>`;
  const query = { uploadId };
  const wrong = { query, headers: customerKey(randomBytes(32)), body };
  equal(await errorCode(await send('POST', '/bucket/k', wrong)), 'InvalidRequest');
  equal((await send('POST', '/bucket/k', { query, body })).status, 200, 'it need not be shown');
  const headers = { ...sse, range: 'bytes=5242870-5242899' };
  equal((await bodyBytes(await send('GET', '/bucket/k', { headers }))).toString(), 'A'.repeat(30));
});

test('an upload with checksums is completed only by who shows the customer’s key', async (t) => {
  const { send } = await start(t);
  const sse = customerKey(key);
  const created = await send('POST', '/bucket/k', {
    query: { uploads: '' },
    headers: { ...sse, 'x-amz-checksum-algorithm': 'CRC32' },
  });
  const text = (await bodyBytes(created)).toString();
  const query = { uploadId: /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? '' };
  const part = await send('PUT', '/bucket/k', {
    query: { ...query, partNumber: '1' },
    headers: { ...sse, 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-crc32': 'O4unxw==' },
    body: 'text',
  });
  equal(part.status, 200);
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headerOf(part, 'etag')}</ETag><ChecksumCRC32>O4unxw==</ChecksumCRC32></Part></CompleteMultipartUpload>`;
  equal(await errorCode(await send('POST', '/bucket/k', { query, body })), 'InvalidRequest');
  equal((await send('POST', '/bucket/k', { query, headers: sse, body })).status, 200);
});

test('so is an upload without an algorithm whose client sends checksums with a part', async (t) => {
  const { send } = await start(t);
  const sse = customerKey(key);
  const created = await send('POST', '/bucket/k', { query: { uploads: '' }, headers: sse });
  const text = (await bodyBytes(created)).toString();
  const query = { uploadId: /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? '' };
  const part = await send('PUT', '/bucket/k', {
    query: { ...query, partNumber: '1' },
    headers: { ...sse, 'x-amz-checksum-crc32': 'O4unxw==' },
    body: 'text',
  });
  equal(part.status, 200);
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headerOf(part, 'etag')}</ETag></Part></CompleteMultipartUpload>`;
  equal(await errorCode(await send('POST', '/bucket/k', { query, body })), 'InvalidRequest');
  const wrong = { query, headers: customerKey(randomBytes(32)), body };
  equal(await errorCode(await send('POST', '/bucket/k', wrong)), 'InvalidRequest');
  equal((await send('POST', '/bucket/k', { query, headers: sse, body })).status, 200);
  const mode = { ...sse, 'x-amz-checksum-mode': 'ENABLED' };
  const got = await send('GET', '/bucket/k', { headers: mode });
  equal((await bodyBytes(got)).toString(), 'text');
  equal(headerOf(got, 'x-amz-checksum-crc32'), undefined, 'the object itself has none');
});

test('the wrong key, no key, and a key for nothing are refused', async (t) => {
  const { send } = await start(t);
  await send('PUT', '/bucket/k', { headers: customerKey(key), body: 'text' });
  equal(await errorCode(await send('GET', '/bucket/k')), 'InvalidRequest');
  const other = { headers: customerKey(randomBytes(32)) };
  equal(await errorCode(await send('GET', '/bucket/k', other)), 'InvalidRequest');
  await send('PUT', '/bucket/plain', { body: 'text' });
  equal(await errorCode(await send('GET', '/bucket/plain', other)), 'InvalidRequest');
  const unknown = {
    headers: {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'nobodys',
    },
    body: 'x',
  };
  equal(await errorCode(await send('PUT', '/bucket/k', unknown)), 'KMS.NotFoundException');
});

test('a bucket encrypts by default what names nothing', async (t) => {
  const { send } = await start(t);
  const body =
    '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>';
  equal((await send('PUT', '/bucket', { query: { encryption: '' }, body })).status, 200);
  const put = await send('PUT', '/bucket/k', { body: 'text' });
  equal(headerOf(put, 'x-amz-server-side-encryption'), 'AES256');
  equal((await bodyBytes(await send('GET', '/bucket/k'))).toString(), 'text');
  equal((await send('DELETE', '/bucket', { query: { encryption: '' } })).status, 204);
  const plain = await send('PUT', '/bucket/k', { body: 'text' });
  equal(headerOf(plain, 'x-amz-server-side-encryption'), undefined);
});
