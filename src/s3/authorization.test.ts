// Who gets in: owners, access lists, policies, and nobody in particular.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  alice,
  bob,
  bodyOf,
  bodyText,
  errorCode,
  sign,
  startTestGateway,
} from './testing/gateway-suite.ts';
import { MemoryCluster } from './testing/memory-cluster.ts';

type Fields = Readonly<Record<string, string>>;

interface Call {
  readonly query?: Fields;
  readonly headers?: Fields;
  readonly body?: string;
}

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const as =
    (user: typeof alice) =>
    async (method: string, path: string, call: Call = {}) =>
      gateway.handle(sign({ method, path, user, ...call }));
  const nobody = async (method: string, target: string) =>
    gateway.handle({
      method,
      target,
      headers: [['host', 'localhost']],
      body: bodyOf(),
      remote: '192.0.2.7:1',
    });
  const owner = as(alice);
  equal((await owner('PUT', '/bucket')).status, 200);
  equal((await owner('PUT', '/bucket/key', { body: 'text' })).status, 200);
  return { owner, other: as(bob), nobody, cluster: gateway.cluster };
}

const everyone = (statement: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', ...statement }],
  });

/** What somebody else does after a version was read and before it is changed. */
function beforeUpdates(cluster: MemoryCluster, act: () => Promise<void>): void {
  const call = MemoryCluster.prototype.call.bind(cluster);
  cluster.call = async (pool, object, method, argument) => {
    if (method.startsWith('s3.update-')) await act();
    return call(pool, object, method, argument);
  };
}

test('an object that is public is read by anybody, and nothing else is', async (t) => {
  const { owner, other, nobody } = await start(t);
  equal((await nobody('GET', '/bucket/key')).status, 403);
  await owner('PUT', '/bucket/key', {
    query: { acl: '' },
    headers: { 'x-amz-acl': 'public-read' },
  });
  equal(await bodyText(await nobody('GET', '/bucket/key')), 'text');
  const asPage = 'response-content-type=text%2Fhtml';
  equal(await errorCode(await nobody('GET', `/bucket/key?${asPage}`)), 'InvalidRequest');
  equal((await nobody('HEAD', `/bucket/key?${asPage}`)).status, 400);
  const query = { 'response-content-type': 'text/html' };
  equal((await other('GET', '/bucket/key', { query })).status, 200, 'signed, it may be asked for');
  equal((await other('GET', '/bucket/key')).status, 200);
  equal((await nobody('GET', '/bucket')).status, 403);
  equal((await nobody('GET', '/bucket/absent')).status, 403, 'who may not list is not told');
  equal((await owner('GET', '/bucket/absent')).status, 404);
  equal((await nobody('DELETE', '/bucket/key')).status, 403);
  equal((await other('PUT', '/bucket/mine', { body: 'x' })).status, 403);
});

test('what another user put is that user’s, until the bucket says otherwise', async (t) => {
  const { owner, other } = await start(t);
  await owner('PUT', '/bucket', {
    query: { acl: '' },
    headers: { 'x-amz-acl': 'public-read-write' },
  });
  equal((await other('PUT', '/bucket/mine', { body: 'x' })).status, 200);
  equal((await owner('GET', '/bucket/mine')).status, 403);
  const acl = await bodyText(await other('GET', '/bucket/mine', { query: { acl: '' } }));
  ok(acl.includes('<Owner><ID>bob</ID>'));
  const controls =
    '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>';
  const enforce = () =>
    owner('PUT', '/bucket', { query: { ownershipControls: '' }, body: controls });
  equal(await errorCode(await enforce()), 'InvalidBucketAclWithObjectOwnership');
  await owner('PUT', '/bucket', { query: { acl: '' }, headers: { 'x-amz-acl': 'private' } });
  equal((await enforce()).status, 200);
  equal((await owner('GET', '/bucket/mine')).status, 200);
  equal((await other('GET', '/bucket/mine')).status, 403, 'access lists are off');
  const refused = await owner('PUT', '/bucket/key', {
    query: { acl: '' },
    headers: { 'x-amz-acl': 'public-read' },
  });
  equal(await errorCode(refused), 'AccessControlListNotSupported');
});

test('what an object’s owner may change is not changed at what takes its place meanwhile', async (t) => {
  const { owner, other, cluster } = await start(t);
  const acl = { query: { acl: '' }, headers: { 'x-amz-acl': 'private' } };
  const tagging = {
    query: { tagging: '' },
    body: '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>',
  };
  const opened = { query: { acl: '' }, headers: { 'x-amz-acl': 'public-read-write' } };
  equal((await owner('PUT', '/bucket', opened)).status, 200);
  for (const call of [acl, tagging]) {
    equal((await other('PUT', '/bucket/shared', { body: 'of bob' })).status, 200);
    let replaced = 0;
    beforeUpdates(cluster, async () => {
      if (replaced++ > 0) return;
      equal((await owner('PUT', '/bucket/shared', { body: 'of alice' })).status, 200);
    });
    equal(await errorCode(await other('PUT', '/bucket/shared', call)), 'AccessDenied');
    ok(replaced > 0);
    equal((await other('GET', '/bucket/shared')).status, 403);
    const list = await bodyText(await owner('GET', '/bucket/shared', { query: { acl: '' } }));
    ok(!list.includes('bob'), list);
    const tags = await owner('GET', '/bucket/shared', { query: { tagging: '' } });
    ok(!(await bodyText(tags)).includes('<Tag>'));
  }
});

test('a list is put for an object that is written again and again, or the client may try again', async (t) => {
  const { owner, cluster } = await start(t);
  const acl = { query: { acl: '' }, headers: { 'x-amz-acl': 'public-read' } };
  let left = 3;
  beforeUpdates(cluster, async () => {
    if (left === 0) return;
    left--;
    await owner('PUT', '/bucket/key', { body: `text ${left}` });
  });
  equal((await owner('PUT', '/bucket/key', acl)).status, 200);
  equal(left, 0);
  left = 1000;
  equal(await errorCode(await owner('PUT', '/bucket/key', acl)), 'OperationAborted');
});

test('a policy lets in, and a denial decides over it', async (t) => {
  const { owner, other, nobody } = await start(t);
  const put = (policy: string) => owner('PUT', '/bucket', { query: { policy: '' }, body: policy });
  const read = { Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/k*' };
  equal((await put(everyone(read))).status, 204);
  equal(await bodyText(await nobody('GET', '/bucket/key')), 'text');
  const fromElsewhere = { ...read, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } };
  await put(everyone(fromElsewhere));
  equal((await nobody('GET', '/bucket/key')).status, 403);
  const fromHere = { ...read, Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } };
  await put(everyone(fromHere));
  equal((await nobody('GET', '/bucket/key')).status, 200);
  await put(everyone({ ...read, Principal: { AWS: 'arn:aws:iam:::user/bob' } }));
  equal((await other('GET', '/bucket/key')).status, 200);
  equal((await nobody('GET', '/bucket/key')).status, 403);
  await put(everyone({ ...read, Effect: 'Deny', Action: 's3:*', Resource: '*' }));
  equal((await owner('GET', '/bucket/key')).status, 403);
  equal((await owner('GET', '/bucket', { query: { policy: '' } })).status, 200);
  equal((await owner('DELETE', '/bucket', { query: { policy: '' } })).status, 204);
  equal((await owner('GET', '/bucket/key')).status, 200);
});

test('a policy that is not understood whole is refused', async (t) => {
  const { owner } = await start(t);
  const read = { Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' };
  const bad = [
    '{',
    '[]',
    everyone({ ...read, Effect: 'Perhaps' }),
    everyone({ ...read, Unknown: 1 }),
    everyone({ ...read, Condition: { StringResembles: { 'aws:Referer': 'x' } } }),
    everyone({ ...read, Resource: 'bucket/*' }),
    everyone({ ...read, Principal: { Planet: 'earth' } }),
    everyone({ Resource: read.Resource }),
  ];
  for (const body of bad)
    equal(
      await errorCode(await owner('PUT', '/bucket', { query: { policy: '' }, body })),
      'MalformedPolicy',
      body,
    );
});

test('public access can be blocked', async (t) => {
  const { owner, nobody } = await start(t);
  await owner('PUT', '/bucket/key', {
    query: { acl: '' },
    headers: { 'x-amz-acl': 'public-read' },
  });
  const block = (field: string) =>
    owner('PUT', '/bucket', {
      query: { publicAccessBlock: '' },
      body: `<PublicAccessBlockConfiguration><${field}>true</${field}></PublicAccessBlockConfiguration>`,
    });
  await block('IgnorePublicAcls');
  equal((await nobody('GET', '/bucket/key')).status, 403);
  await block('BlockPublicAcls');
  equal((await nobody('GET', '/bucket/key')).status, 200);
  const acl = { query: { acl: '' }, headers: { 'x-amz-acl': 'public-read' } };
  equal(await errorCode(await owner('PUT', '/bucket/key', acl)), 'AccessDenied');
  await block('BlockPublicPolicy');
  const policy = everyone({ Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' });
  const put = await owner('PUT', '/bucket', { query: { policy: '' }, body: policy });
  equal(await errorCode(put), 'AccessDenied');
});

test('a locked version stays, whoever deletes it', async (t) => {
  const { owner } = await start(t);
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' };
  equal((await owner('PUT', '/locked', { headers })).status, 200);
  const versionOf = async (lock: Fields) => {
    const answer = await owner('PUT', '/locked/key', { headers: lock, body: 'x' });
    return answer.headers.find(([name]) => name === 'x-amz-version-id')?.[1] ?? '';
  };
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const remove = async (versionId: string, more: Fields = {}) =>
    (await owner('DELETE', '/locked/key', { query: { versionId }, headers: more })).status;
  const bypass = { 'x-amz-bypass-governance-retention': 'true' };
  const lock = (mode: string) => ({
    'x-amz-object-lock-mode': mode,
    'x-amz-object-lock-retain-until-date': until,
  });
  const governed = await versionOf(lock('GOVERNANCE'));
  const compliant = await versionOf(lock('COMPLIANCE'));
  const held = await versionOf({ 'x-amz-object-lock-legal-hold': 'ON' });
  deepEqual([await remove(governed), await remove(compliant), await remove(held)], [403, 403, 403]);
  deepEqual(
    [await remove(governed, bypass), await remove(compliant, bypass), await remove(held, bypass)],
    [204, 403, 403],
  );
  const off = '<LegalHold><Status>OFF</Status></LegalHold>';
  await owner('PUT', '/locked/key', { query: { 'legal-hold': '', versionId: held }, body: off });
  equal(await remove(held), 204);
  const shorter = `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${new Date(Date.now() + 60_000).toISOString()}</RetainUntilDate></Retention>`;
  const shortened = await owner('PUT', '/locked/key', {
    query: { retention: '', versionId: compliant },
    headers: bypass,
    body: shorter,
  });
  equal(await errorCode(shortened), 'AccessDenied');
  const suspend = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>';
  const suspended = await owner('PUT', '/locked', { query: { versioning: '' }, body: suspend });
  equal(await errorCode(suspended), 'InvalidBucketState');
  equal((await owner('DELETE', '/locked/key')).status, 204, 'a delete marker hides it, no more');
});

test('a policy may speak of the region, and of the version of a TLS that is not there', async (t) => {
  const { owner, other } = await start(t);
  const statusUnder = async (Condition: object) => {
    const body = everyone({ Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*', Condition });
    equal((await owner('PUT', '/bucket', { query: { policy: '' }, body })).status, 204);
    return (await other('GET', '/bucket/key')).status;
  };
  const regions = ['eu-west-1', 'us-east-1'];
  equal(await statusUnder({ StringEquals: { 'aws:RequestedRegion': regions } }), 200);
  equal(await statusUnder({ StringEquals: { 'aws:RequestedRegion': 'eu-west-1' } }), 403);
  equal(await statusUnder({ NumericGreaterThanEquals: { 's3:TlsVersion': '1.2' } }), 403);
  equal(await statusUnder({ Null: { 's3:TlsVersion': 'true' } }), 200);
});
