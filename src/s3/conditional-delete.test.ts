// Conditions on deletes: what they hold of, and what is left when there is nothing.

import { deepEqual, equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  bob,
  bodyText,
  errorCode,
  headerOf,
  sign,
  startTestGateway,
} from './testing/gateway-suite.ts';

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = async (method: string, path: string, call = {}) =>
    gateway.handle(sign({ method, path, ...call }));
  const removeAll = async (body: string, call = {}) =>
    send('POST', '/bucket', { query: { delete: '' }, body: `<Delete>${body}</Delete>`, ...call });
  return { send, removeAll };
}

test('conditions that a delete does not know are refused by name', async (t) => {
  const { send, removeAll } = await start(t);
  await send('PUT', '/bucket');
  await send('PUT', '/bucket/k', { body: 'text' });
  const date = new Date().toUTCString();
  for (const [name, value] of [
    ['if-none-match', '"x"'],
    ['if-modified-since', date],
    ['if-unmodified-since', date],
  ] as const) {
    const headers = { [name]: value };
    equal(await errorCode(await send('DELETE', '/bucket/k', { headers })), 'NotImplemented', name);
    const many = await removeAll('<Object><Key>k</Key></Object>', { headers });
    equal(await errorCode(many), 'NotImplemented', name);
  }
  equal((await send('GET', '/bucket/k')).status, 200);
});

test('a delete of many goes by the owner it expects and by conditions it can read', async (t) => {
  const { send, removeAll } = await start(t);
  await send('PUT', '/bucket');
  await send('PUT', '/bucket/k', { body: 'text' });
  const headers = { 'x-amz-expected-bucket-owner': 'bob' };
  const plain = '<Object><Key>k</Key></Object>';
  equal(await errorCode(await removeAll(plain, { headers })), 'AccessDenied');
  for (const bad of [
    '<Object><Key>k</Key><Size>four</Size></Object>',
    '<Object><Key>k</Key><Size></Size></Object>',
    '<Object><Key>k</Key><Size>5</Size><Size>5</Size></Object>',
    '<Object><Key>k</Key><LastModifiedTime>yesterday</LastModifiedTime></Object>',
    '<Object><Key>k</Key><Etag>"other"</Etag></Object>',
    `<Quiet>perhaps</Quiet>${plain}`,
    `<Silent>true</Silent>${plain}`,
  ])
    equal(await errorCode(await removeAll(bad)), 'MalformedXML', bad);
  equal((await send('GET', '/bucket/k')).status, 200);
  const sized = await bodyText(await removeAll('<Object><Key>k</Key><Size>5</Size></Object>'));
  equal(/<Code>(.*)<\/Code>/.exec(sized)?.[1], 'PreconditionFailed');
  const right = { headers: { 'x-amz-expected-bucket-owner': 'alice' } };
  equal((await removeAll('<Object><Key>k</Key><Size>4</Size></Object>', right)).status, 200);
  equal((await send('GET', '/bucket/k')).status, 404);
});

test('the right to pass over governance is asked for each key', async (t) => {
  const { send, removeAll } = await start(t);
  await send('PUT', '/bucket', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } });
  const all = 'arn:aws:s3:::bucket/*';
  const statement = (Action: string, Resource: string) => ({
    ...{ Effect: 'Allow', Principal: { AWS: 'bob' }, Action, Resource },
  });
  const body = JSON.stringify({
    Statement: [
      statement('s3:DeleteObjectVersion', all),
      statement('s3:BypassGovernanceRetention', 'arn:aws:s3:::bucket/free'),
    ],
  });
  equal((await send('PUT', '/bucket', { query: { policy: '' }, body })).status, 204);
  const headers = {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + 3_600_000).toISOString(),
  };
  const objects: string[] = [];
  for (const key of ['free', 'kept']) {
    const put = await send('PUT', `/bucket/${key}`, { headers, body: 'x' });
    const version = headerOf(put, 'x-amz-version-id');
    objects.push(`<Object><Key>${key}</Key><VersionId>${version}</VersionId></Object>`);
  }
  const answer = await removeAll(objects.join(''), {
    user: bob,
    headers: { 'x-amz-bypass-governance-retention': 'true' },
  });
  const text = await bodyText(answer);
  deepEqual(
    [...text.matchAll(/<(Deleted|Error)><Key>([^<]*)/g)].map((match) => [match[1], match[2]]),
    [
      ['Deleted', 'free'],
      ['Error', 'kept'],
    ],
  );
});

test('a delete with a condition removes what it is about, and nothing else', async (t) => {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = async (method: string, path: string, headers = {}, body?: string) =>
    gateway.handle(sign({ method, path, headers, ...(body === undefined ? {} : { body }) }));
  await send('PUT', '/bucket');
  const remove = async (headers: Record<string, string>) =>
    (await send('DELETE', '/bucket/k', headers)).status;
  equal(await remove({ 'if-match': '*' }), 204, 'there is nothing to delete');
  const etag = headerOf(await send('PUT', '/bucket/k', {}, 'text'), 'etag') ?? '';
  equal(await remove({ 'if-match': '"other"' }), 412);
  equal(await remove({ 'x-amz-if-match-size': '5' }), 412);
  equal((await send('GET', '/bucket/k')).status, 200);
  equal(await remove({ 'if-match': etag, 'x-amz-if-match-size': '4' }), 204);
  equal((await send('GET', '/bucket/k')).status, 404);
  const enable = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await gateway.handle(
    sign({ method: 'PUT', path: '/bucket', query: { versioning: '' }, body: enable }),
  );
  await send('PUT', '/bucket/k', {}, 'text');
  equal(await remove({ 'if-match': etag }), 204);
  equal(await remove({ 'if-match': etag }), 412, 'a delete marker has no ETag');
});
