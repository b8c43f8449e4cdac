// A bucket's default retention: which new versions it keeps.

import { equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  bodyText,
  headerOf,
  sign,
  startTestGateway,
  type Unsigned,
} from './testing/gateway-suite.ts';

const governance =
  '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>10</Days></DefaultRetention></Rule></ObjectLockConfiguration>';

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = (method: string, path: string, more: Partial<Unsigned> = {}) =>
    gateway.handle(sign({ method, path, ...more }));
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' };
  equal((await send('PUT', '/bucket', { headers })).status, 200);
  const keepByDefault = async () =>
    equal(
      (await send('PUT', '/bucket', { query: { 'object-lock': '' }, body: governance })).status,
      200,
    );
  const modeOf = async (key: string) =>
    headerOf(await send('HEAD', `/bucket/${key}`), 'x-amz-object-lock-mode');
  return { send, keepByDefault, modeOf };
}

test('a legal hold of its own does not free a version of the default retention', async (t) => {
  const { send, keepByDefault, modeOf } = await start(t);
  await keepByDefault();
  for (const status of ['ON', 'OFF']) {
    const headers = { 'x-amz-object-lock-legal-hold': status };
    equal((await send('PUT', `/bucket/${status}`, { headers, body: 'x' })).status, 200);
    equal(await modeOf(status), 'GOVERNANCE');
  }
  const headers = {
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': '2040-01-01T00:00:00Z',
  };
  equal((await send('PUT', '/bucket/own', { headers, body: 'x' })).status, 200);
  equal(await modeOf('own'), 'COMPLIANCE', 'what is said counts in place of it');
});

test('an object sent in parts is kept by the default of when it is completed', async (t) => {
  const { send, keepByDefault, modeOf } = await start(t);
  const created = await bodyText(await send('POST', '/bucket/k', { query: { uploads: '' } }));
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created)?.[1] ?? '';
  const part = await send('PUT', '/bucket/k', {
    query: { uploadId, partNumber: '1' },
    body: 'text',
  });
  await keepByDefault();
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headerOf(part, 'etag')}</ETag></Part></CompleteMultipartUpload>`;
  equal((await send('POST', '/bucket/k', { query: { uploadId }, body })).status, 200);
  equal(await modeOf('k'), 'GOVERNANCE');
  const head = await send('HEAD', '/bucket/k');
  const until = Date.parse(headerOf(head, 'x-amz-object-lock-retain-until-date') ?? '');
  ok(Math.abs(until - Date.now() - 10 * 86_400_000) < 60_000);
});
