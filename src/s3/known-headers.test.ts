// What a write would leave out is refused by its name.

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { knownHeaders } from './known-headers.ts';
import { routeNames } from './router.ts';
import { bodyText, errorCode, startWithBucket } from './testing/gateway-suite.ts';

test('a header that a write does not know is refused by its name, and changes nothing', async (t) => {
  const { send } = await startWithBucket(t);
  for (const name of [
    'x-amz-write-offset-bytes',
    'x-amz-object-lock-mood',
    'x-amz-copy-source-if-match',
    'x-amz-mp-object-size',
  ]) {
    const headers = { [name]: '1' };
    const text = await bodyText(await send('PUT', '/bucket/key', { headers, body: 'x' }));
    ok(text.includes('<Code>NotImplemented</Code>') && text.includes(name), text);
  }
  equal((await send('GET', '/bucket/key')).status, 404);
  const size = { 'x-amz-transition-default-minimum-object-size': 'varies_by_storage_class' };
  const tagging = { query: { tagging: '' }, headers: size, body: '<x/>' };
  equal(await errorCode(await send('PUT', '/bucket', tagging)), 'NotImplemented');
  const headers = {
    'x-amz-meta-anything': '1',
    'x-amz-user-agent': 'sdk',
    'x-amz-request-payer': 'requester',
    'x-amz-nonsense': '1',
  };
  equal((await send('PUT', '/bucket/key', { headers, body: 'x' })).status, 200);
  const odd = { 'x-amz-nonsense': '1' };
  equal((await send('GET', '/bucket/key', { headers: odd })).status, 200, 'a read leaves out none');
});

test('a subresource that nobody knows makes and removes no bucket', async (t) => {
  const { send } = await startWithBucket(t);
  const query = { annotations: '' };
  for (const method of ['PUT', 'DELETE']) {
    equal(await errorCode(await send(method, '/bucket', { query })), 'NotImplemented');
    equal(await errorCode(await send(method, '/other', { query })), 'NotImplemented');
    equal(await errorCode(await send(method, '/bucket/key', { query })), 'NotImplemented');
  }
  equal((await send('HEAD', '/bucket')).status, 200);
  equal((await send('HEAD', '/other')).status, 404);
});

test('an upload to a version or to a part of nothing is refused', async (t) => {
  const { send } = await startWithBucket(t);
  for (const query of [{ versionId: 'null' }, { versionId: '' }, { partNumber: '1' }])
    equal(
      await errorCode(await send('PUT', '/bucket/key', { query, body: 'x' })),
      'InvalidArgument',
      JSON.stringify(query),
    );
  equal((await send('GET', '/bucket/key')).status, 404);
});

test('a completed upload has a checksum of its own algorithm, and none of another', async (t) => {
  const { send } = await startWithBucket(t);
  const begin = async (headers: Record<string, string>) => {
    const answer = await bodyText(
      await send('POST', '/bucket/key', { query: { uploads: '' }, headers }),
    );
    return /<UploadId>(.*)<\/UploadId>/.exec(answer)?.[1] ?? '';
  };
  for (const own of [{}, { 'x-amz-checksum-algorithm': 'CRC32C' }]) {
    const uploadId = await begin(own);
    const part = { query: { uploadId, partNumber: '1' }, body: 'text' };
    const put = await send('PUT', '/bucket/key', part);
    const etag = put.headers.find(([name]) => name === 'etag')?.[1];
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
    const complete = async (headers = {}) =>
      send('POST', '/bucket/key', { query: { uploadId }, headers, body });
    const other = { 'x-amz-checksum-sha256': '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' };
    equal(await errorCode(await complete(other)), 'InvalidRequest');
    equal((await complete()).status, 200);
  }
});

test('a part is encrypted as its upload is', async (t) => {
  const { send } = await startWithBucket(t);
  const sse = { 'x-amz-server-side-encryption': 'AES256' };
  const query = { uploads: '' };
  const answer = await bodyText(await send('POST', '/bucket/key', { query }));
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(answer)?.[1] ?? '';
  const part = { query: { uploadId, partNumber: '1' }, body: 'text' };
  equal(
    await errorCode(await send('PUT', '/bucket/key', { ...part, headers: sse })),
    'InvalidRequest',
  );
  equal((await send('PUT', '/bucket/key', part)).status, 200);
});

test('the table names routes that there are', () => {
  for (const name of Object.keys(knownHeaders)) {
    if (name === 'every write') continue;
    const [kind = '', ...words] = name.replace(' of a source', '').split(' ');
    const routes = kind === 'bucket' ? routeNames.bucket : routeNames.object;
    ok(routes.includes(words.join(' ')), name);
  }
});
