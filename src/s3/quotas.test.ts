// Quotas: what would be too much is refused, what is deleted makes room again.

import { equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Quota } from '../map/directory.ts';
import {
  type alice,
  bob,
  bodyText,
  errorCode,
  sign,
  startTestGateway,
} from './testing/gateway-suite.ts';

async function start(t: TestContext) {
  const gateway = await startTestGateway({ time: 'manual' });
  t.after(() => gateway.gateway.close());
  const { cluster, clock } = gateway;
  const setQuotas = async (...quotas: readonly Partial<Quota>[]) => {
    const before = cluster.directory();
    const none = { bytes: undefined, objects: undefined };
    await cluster.changeDirectory({
      ...before,
      quotas: quotas.map((quota) => ({ ...none, ...quota }) as Quota),
      revision: before.revision + 1,
    });
  };
  const send = async (
    method: string,
    path: string,
    call: {
      readonly body?: string;
      readonly query?: Readonly<Record<string, string>>;
      readonly headers?: Readonly<Record<string, string>>;
      readonly user?: typeof alice;
    } = {},
  ) => gateway.handle(sign({ method, path, wallMs: gateway.wallMs, ...call }));
  const code = async (...request: Parameters<typeof send>) => {
    const response = await send(...request);
    return response.status < 300 ? response.status : errorCode(response);
  };
  equal(await code('PUT', '/one'), 200);
  equal(await code('PUT', '/two'), 200);
  return { gateway, send, code, setQuotas, clock };
}

test('a bucket takes no more bytes than its quota, and more again once something is deleted', async (t) => {
  const { code, setQuotas, clock } = await start(t);
  await setQuotas({ kind: 'bucket', name: 'one', bytes: 10 });
  equal(await code('PUT', '/one/a', { body: '123456' }), 200);
  equal(await code('PUT', '/one/b', { body: '12345' }), 'QuotaExceeded');
  equal(await code('PUT', '/one/b', { body: '1234' }), 200);
  equal(await code('PUT', '/one/c', { body: '1' }), 'QuotaExceeded');
  equal(await code('PUT', '/one/empty', { body: '' }), 200);
  equal(await code('PUT', '/two/a', { body: '12345678901' }), 200);
  equal(await code('DELETE', '/one/a'), 204);
  await clock.advance(2001);
  equal(await code('PUT', '/one/c', { body: '123456' }), 200);
  await clock.advance(2001);
  equal(await code('PUT', '/one/d', { body: '1' }), 'QuotaExceeded');
  await setQuotas();
  equal(await code('PUT', '/one/d', { body: '1' }), 200);
});

test('what another gateway has just moved to a shard of its own counts, too', async (t) => {
  const { gateway, code, setQuotas, clock } = await start(t);
  for (const key of ['a', 'b', 'c', 'd'])
    equal(await code('PUT', `/one/${key}`, { body: 'x' }), 200);
  const splits = { shardEntriesMax: 3, splitIntervalMs: 100 };
  const other = await startTestGateway({ time: 'manual', sharing: gateway, ...splits });
  t.after(() => other.gateway.close());
  for (let waits = 0; waits < 40; waits++) await clock.advance(10);
  const shards = gateway.cluster.objectNames().filter((name) => name.includes('index/index/'));
  equal(shards.length, 3, `of two buckets, one of them split: ${shards}`);
  await setQuotas({ kind: 'bucket', name: 'one', objects: 5 });
  equal(await code('PUT', '/one/e', { body: 'x' }), 200);
  equal(await code('PUT', '/one/f', { body: 'x' }), 'QuotaExceeded');
});

test('requests at the same time do not all take the last of it', async (t) => {
  const { code, setQuotas } = await start(t);
  await setQuotas({ kind: 'bucket', name: 'one', objects: 3 });
  const codes = await Promise.all(
    Array.from({ length: 8 }, (_, i) => code('PUT', `/one/${i}`, { body: 'x' })),
  );
  equal(codes.filter((each) => each === 200).length, 3);
  equal(codes.filter((each) => each === 'QuotaExceeded').length, 5);
});

test('an owner’s quota is over all its buckets, whoever writes into them', async (t) => {
  const { code, setQuotas, clock } = await start(t);
  equal(
    await code('PUT', '/one', {
      query: { acl: '' },
      headers: { 'x-amz-acl': 'public-read-write' },
    }),
    200,
  );
  equal(await code('PUT', '/one/a', { body: '12345' }), 200);
  await setQuotas({ kind: 'user', name: 'alice', bytes: 10 });
  equal(await code('PUT', '/two/a', { body: '1234' }), 200);
  equal(await code('PUT', '/one/b', { body: '12', user: bob }), 'QuotaExceeded');
  equal(await code('PUT', '/bobs', { user: bob }), 200);
  equal(await code('PUT', '/bobs/b', { body: '12345678901', user: bob }), 200);
  await clock.advance(10_001);
  equal(await code('PUT', '/one/b', { body: '12', user: bob }), 'QuotaExceeded');
  equal(await code('PUT', '/one/b', { body: '1', user: bob }), 200);
});

test('copies and uploads in parts are held to it', async (t) => {
  const { send, code, setQuotas } = await start(t);
  equal(await code('PUT', '/two/a', { body: '123456' }), 200);
  await setQuotas({ kind: 'bucket', name: 'one', bytes: 10, objects: 2 });
  const headers = { 'x-amz-copy-source': '/two/a' };
  equal(await code('PUT', '/one/a', { headers }), 200);
  equal(await code('PUT', '/one/b', { headers }), 'QuotaExceeded');
  const begun = await bodyText(await send('POST', '/one/c', { query: { uploads: '' } }));
  const uploadId = /<UploadId>([^<]*)</.exec(begun)?.[1] ?? '';
  const part = (partNumber: string, body: string) =>
    code('PUT', '/one/c', { query: { partNumber, uploadId }, body });
  equal(await part('1', '12345'), 'QuotaExceeded');
  equal(await part('1', '1234'), 200);
  const document =
    '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>81dc9bdb52d04dc20036dbd8313ed055</ETag></Part></CompleteMultipartUpload>';
  const complete = () => code('POST', '/one/c', { query: { uploadId }, body: document });
  await setQuotas({ kind: 'bucket', name: 'one', objects: 1 });
  equal(await complete(), 'QuotaExceeded');
  await setQuotas({ kind: 'bucket', name: 'one', objects: 2 });
  equal(await complete(), 200);
});
