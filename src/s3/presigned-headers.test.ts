// Headers that a presigned request has in its query mean what they mean as headers; in any other request they are refused.

import { equal, ok } from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  alice,
  bob,
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  presign,
  sign,
  startWithBucket,
} from './testing/gateway-suite.ts';

async function start(t: TestContext) {
  const { handle, send } = await startWithBucket(t);
  const read = async (key: string) => send('GET', `/bucket/${key}`);
  return { handle, read };
}

test('a presigned copy copies, and leaves no object of nothing', async (t) => {
  const { handle, read } = await start(t);
  await handle(sign({ method: 'PUT', path: '/bucket/a key', body: 'source' }));
  await handle(sign({ method: 'PUT', path: '/bucket/target', body: 'precious' }));
  const query = { 'x-amz-copy-source': 'bucket/a%20key', 'x-id': 'CopyObject' };
  const copied = await handle(presign({ method: 'PUT', path: '/bucket/target', query }));
  ok((await bodyText(copied)).includes('CopyObjectResult'));
  equal(await bodyText(await read('target')), 'source');
});

test('metadata, tags and conditions in the query are obeyed, whatever their case', async (t) => {
  const { handle, read } = await start(t);
  const query = {
    'x-amz-meta-name': 'ü',
    'X-Amz-Tagging': 'a=1&b=2',
    'x-amz-storage-class': 'STANDARD',
  };
  const put = { method: 'PUT', path: '/bucket/key', body: 'text' };
  equal((await handle(presign({ ...put, query }))).status, 200);
  const got = await read('key');
  equal(Buffer.from(headerOf(got, 'x-amz-meta-name') ?? '', 'latin1').toString(), 'ü');
  equal(headerOf(got, 'x-amz-tagging-count'), '2');
  const unknown = presign({ ...put, query: { 'x-amz-storage-class': 'NONE' } });
  equal(await errorCode(await handle(unknown)), 'InvalidStorageClass');
  const split = presign({ ...put, query: { 'x-amz-meta-a': 'one\r\nx: y' } });
  equal(await errorCode(await handle(split)), 'InvalidArgument');
});

test('a header in both places must say the same', async (t) => {
  const { handle } = await start(t);
  const query = { 'x-amz-meta-a': '1', 'X-Amz-Meta-A': '2' };
  const put = { method: 'PUT', path: '/bucket/key', body: 'text' };
  equal(await errorCode(await handle(presign({ ...put, query }))), 'InvalidArgument');
  const one = { 'x-amz-meta-a': '1' };
  const added = presign({ ...put, query: one, headers: { 'x-amz-meta-b': '2' } });
  equal(await errorCode(await handle(added)), 'AccessDenied', 'what nobody signed');
});

test('a checksum in the query is proved, but for the one that was made of no body', async (t) => {
  const { handle, read } = await start(t);
  const put = { method: 'PUT', path: '/bucket/key', body: 'text' };
  const query = { 'x-amz-checksum-crc32': 'AAAAAQ==' };
  equal(await errorCode(await handle(presign({ ...put, query }))), 'BadDigest');
  equal((await read('key')).status, 404);
  const ofNothing = { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-sdk-checksum-algorithm': 'CRC32' };
  equal((await handle(presign({ ...put, query: ofNothing }))).status, 200);
  equal(await bodyText(await read('key')), 'text');
});

test('policies see them', async (t) => {
  const { handle } = await start(t);
  const Condition = { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } };
  const policy = JSON.stringify({
    Statement: [
      {
        ...{ Effect: 'Allow', Principal: { AWS: 'bob' }, Action: 's3:PutObject' },
        ...{ Resource: 'arn:aws:s3:::bucket/*', Condition },
      },
    ],
  });
  const query = { policy: '' };
  await handle(sign({ method: 'PUT', path: '/bucket', query, body: policy }));
  const put = { method: 'PUT', path: '/bucket/key', body: 'text', user: bob };
  equal((await handle(presign(put))).status, 403);
  const acl = { 'x-amz-acl': 'bucket-owner-full-control' };
  equal((await handle(presign({ ...put, query: acl }))).status, 200);
});

test('a request that is not presigned may not have them in its query', async (t) => {
  const { handle, read } = await start(t);
  const query = { 'x-amz-copy-source': 'bucket/source' };
  const put = sign({ method: 'PUT', path: '/bucket/key', query, body: '' });
  equal(await errorCode(await handle(put)), 'InvalidArgument');
  const unsigned = await handle({
    method: 'PUT',
    target: '/bucket/key?x-amz-acl=public-read',
    headers: [['host', 'localhost']],
    body: bodyOf(),
    remote: '192.0.2.1:1',
  });
  equal(await errorCode(unsigned), 'InvalidArgument');
  equal((await read('key')).status, 404);
});

test('in a presigned URL of version 2 they are signed as headers', async (t) => {
  const { handle, read } = await start(t);
  const expires = String(Math.floor(Date.now() / 1000) + 60);
  const put = async (signed: string, sent: string) => {
    const text = `PUT\n\n\n${expires}\n${signed}/bucket/key`;
    const signature = createHmac('sha1', alice.secretKey).update(text).digest('base64');
    const query = `AWSAccessKeyId=${alice.accessKey}&Expires=${expires}&Signature=${encodeURIComponent(signature)}`;
    return handle({
      method: 'PUT',
      target: `/bucket/key?${query}${sent}`,
      headers: [
        ['host', 'localhost'],
        ['content-length', '4'],
      ],
      body: bodyOf(Buffer.from('text')),
      remote: '192.0.2.1:1',
    });
  };
  equal((await put('x-amz-meta-a:1\n', '&x-amz-meta-a=1')).status, 200);
  equal(headerOf(await read('key'), 'x-amz-meta-a'), '1');
  equal(await errorCode(await put('', '&x-amz-meta-a=2')), 'SignatureDoesNotMatch');
  equal((await put('', '')).status, 200);
});
