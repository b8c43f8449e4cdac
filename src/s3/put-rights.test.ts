// What a put's headers set needs rights of its own, and so does what is done to a version that is named.

import { equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bob, errorCode, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

const all = 'arn:aws:s3:::bucket/*';

async function start(t: TestContext) {
  const { handle, gateway } = await startTestGateway();
  t.after(() => gateway.close());
  const asOwner = async (method: string, path: string, call = {}) =>
    handle(sign({ method, path, ...call }));
  const asBob = async (method: string, path: string, call = {}) =>
    (await handle(sign({ method, path, user: bob, ...call }))).status;
  const lock = { 'x-amz-bucket-object-lock-enabled': 'true' };
  equal((await asOwner('PUT', '/bucket', { headers: lock })).status, 200);
  const allow = async (...statements: readonly object[]) => {
    const Statement = statements.map((each) => ({
      ...{ Effect: 'Allow', Principal: { AWS: 'bob' }, Resource: all },
      ...each,
    }));
    const body = JSON.stringify({ Version: '2012-10-17', Statement });
    const put = await asOwner('PUT', '/bucket', { query: { policy: '' }, body });
    equal(put.status, 204);
  };
  return { asOwner, asBob, allow };
}

test('a put needs the right to each thing that its headers set', async (t) => {
  const { asBob, allow } = await start(t);
  const until = new Date(Date.now() + 60_000).toISOString();
  const settings = [
    ['s3:PutObjectAcl', { 'x-amz-acl': 'public-read' }],
    [
      's3:PutObjectAcl',
      { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
    ],
    ['s3:PutObjectTagging', { 'x-amz-tagging': 'a=1' }],
    ['s3:PutObjectLegalHold', { 'x-amz-object-lock-legal-hold': 'OFF' }],
    [
      's3:PutObjectRetention',
      { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until },
    ],
  ] as const;
  for (const [action, headers] of settings) {
    await allow({ Action: 's3:PutObject' });
    equal(await asBob('PUT', '/bucket/key', { headers, body: 'x' }), 403, action);
    const uploads = { query: { uploads: '' }, headers };
    equal(await asBob('POST', '/bucket/key', uploads), 403, action);
    await allow({ Action: ['s3:PutObject', action] });
    equal(await asBob('PUT', '/bucket/key', { headers, body: 'x' }), 200, action);
    equal(await asBob('POST', '/bucket/key', uploads), 200, action);
  }
});

test('who opens an object to the bucket’s owner alone needs no right to open it', async (t) => {
  const { asBob, allow } = await start(t);
  await allow({ Action: 's3:PutObject' });
  for (const headers of [
    { 'x-amz-acl': 'private' },
    { 'x-amz-acl': 'bucket-owner-full-control' },
    { 'x-amz-grant-full-control': 'id=alice' },
  ])
    equal(await asBob('PUT', '/bucket/key', { headers, body: 'x' }), 200);
});

test('an access list that lets in a writer lets it say what its objects are', async (t) => {
  const { asOwner, asBob, allow } = await start(t);
  const headers = { 'x-amz-acl': 'public-read-write' };
  equal((await asOwner('PUT', '/bucket', { query: { acl: '' }, headers })).status, 200);
  const put = { headers: { 'x-amz-acl': 'public-read', 'x-amz-tagging': 'a=1' }, body: 'x' };
  equal(await asBob('PUT', '/bucket/key', put), 200);
  await allow({ Effect: 'Deny', Action: 's3:PutObjectTagging' });
  equal(await asBob('PUT', '/bucket/key', put), 403);
});

test('tags go along with a copy for who may read and write them', async (t) => {
  const { asOwner, asBob, allow } = await start(t);
  const tagged = { headers: { 'x-amz-tagging': 'a=1' }, body: 'x' };
  await asOwner('PUT', '/bucket/source', tagged);
  const copy = async (more = {}) =>
    asBob('PUT', '/bucket/copy', { headers: { 'x-amz-copy-source': 'bucket/source', ...more } });
  const both = ['s3:GetObject', 's3:PutObject'];
  await allow({ Action: both });
  equal(await copy({ 'x-amz-tagging-directive': 'REPLACE' }), 200);
  equal(await copy(), 403);
  await allow({ Action: [...both, 's3:PutObjectTagging'] });
  equal(await copy(), 403);
  await allow({ Action: [...both, 's3:PutObjectTagging', 's3:GetObjectTagging'] });
  equal(await copy(), 200);
});

test('what is done to a version asks for the action on versions', async (t) => {
  const { asOwner, asBob, allow } = await start(t);
  const put = await asOwner('PUT', '/bucket/key', { body: 'x' });
  const versionId = headerOf(put, 'x-amz-version-id') ?? '';
  const tags = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>';
  const acl = { 'x-amz-acl': 'private' };
  const calls = [
    ['GET', 'tagging', 'GetObjectTagging', 'GetObjectVersionTagging', {}, 200],
    ['PUT', 'tagging', 'PutObjectTagging', 'PutObjectVersionTagging', { body: tags }, 200],
    ['DELETE', 'tagging', 'DeleteObjectTagging', 'DeleteObjectVersionTagging', {}, 204],
    ['GET', 'acl', 'GetObjectAcl', 'GetObjectVersionAcl', {}, 200],
    ['PUT', 'acl', 'PutObjectAcl', 'PutObjectVersionAcl', { headers: acl }, 200],
    ['GET', 'attributes', 'GetObjectAttributes', 'GetObjectVersionAttributes', {}, 200],
  ] as const;
  for (const [method, sub, plain, onVersion, call, success] of calls) {
    const headers = { ...('headers' in call ? call.headers : {}) };
    if (sub === 'attributes') Object.assign(headers, { 'x-amz-object-attributes': 'ETag' });
    const newest = { ...call, headers, query: { [sub]: '' } };
    const version = { ...call, headers, query: { [sub]: '', versionId } };
    await allow({ Action: `s3:${plain}` });
    equal(await asBob(method, '/bucket/key', newest), success, plain);
    equal(await asBob(method, '/bucket/key', version), 403, plain);
    await allow({ Action: `s3:${onVersion}` });
    equal(await asBob(method, '/bucket/key', version), success, onVersion);
    equal(await asBob(method, '/bucket/key', newest), 403, onVersion);
  }
});

test('conditions see tags and locks in a body', async (t) => {
  const { asOwner, asBob, allow } = await start(t);
  await asOwner('PUT', '/bucket/key', { body: 'x' });
  const tagging = async (value: string) =>
    asBob('PUT', '/bucket/key', {
      query: { tagging: '' },
      body: `<Tagging><TagSet><Tag><Key>kind</Key><Value>${value}</Value></Tag></TagSet></Tagging>`,
    });
  await allow({
    Action: 's3:PutObjectTagging',
    Condition: {
      StringEquals: { 's3:RequestObjectTag/kind': 'open' },
      'ForAllValues:StringEquals': { 's3:RequestObjectTagKeys': ['kind', 'other'] },
    },
  });
  equal(await tagging('secret'), 403);
  equal(await tagging('open'), 200);
  const retain = async (days: number, mode = 'GOVERNANCE') =>
    asBob('PUT', '/bucket/key', {
      query: { retention: '' },
      body: `<Retention><Mode>${mode}</Mode><RetainUntilDate>${new Date(Date.now() + days * 86_400_000 - 1000).toISOString()}</RetainUntilDate></Retention>`,
    });
  await allow({
    Action: 's3:PutObjectRetention',
    Condition: {
      NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': '10' },
      StringEquals: { 's3:object-lock-mode': 'GOVERNANCE' },
    },
  });
  equal(await retain(5, 'COMPLIANCE'), 403);
  equal(await retain(11), 403);
  equal(await retain(10), 200);
  const hold = async (status: string) =>
    asBob('PUT', '/bucket/key', {
      query: { 'legal-hold': '' },
      body: `<LegalHold><Status>${status}</Status></LegalHold>`,
    });
  await allow({
    Action: 's3:PutObjectLegalHold',
    Condition: { StringEquals: { 's3:object-lock-legal-hold': 'ON' } },
  });
  equal(await hold('OFF'), 403);
  equal(await hold('ON'), 200);
});

test('a policy with a key or an action that nobody knows is refused', async (t) => {
  const { asOwner } = await start(t);
  const put = async (more: object) => {
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: all };
    const body = JSON.stringify({ Statement: [{ ...statement, ...more }] });
    return errorCode(await asOwner('PUT', '/bucket', { query: { policy: '' }, body }));
  };
  const condition = (key: string) => ({ Condition: { StringEquals: { [key]: 'x' } } });
  for (const key of ['aws:SourceIpp', 's3:x-amz-nonsense', 's3:ExistingObjectTag/', 's3:prefix/a'])
    equal(await put(condition(key)), 'MalformedPolicy', key);
  for (const Action of ['s3:GetObjcet', 's3:Nonsense*', 'ec2:*', ['s3:GetObject', 's3:Gets']])
    equal(await put({ Action }), 'MalformedPolicy', String(Action));
  for (const key of ['S3:PREFIX', 's3:ExistingObjectTag/a', 'AWS:SourceIp'])
    equal(await put(condition(key)), undefined, key);
  for (const Action of ['s3:Get*', '*', 's3:*Tagging', 'S3:GETOBJECT'])
    equal(await put({ Action }), undefined, Action);
});
