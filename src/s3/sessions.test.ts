// STS: roles and session tokens, how they end, and what narrows them.

import { equal, match, notEqual } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { encode, uint } from '../base/codec.ts';
import type { User } from '../client/cluster.ts';
import { beginSession, openSession } from './iam/session-token.ts';
import { formatBase64, parseBase64 } from './protocol/base64.ts';
import { alice, bob, errorCode, sign, startTestGateway } from './testing/gateway-suite.ts';
import {
  ask,
  makeAccount,
  makeUser,
  type Parameters,
  policyOf,
  root,
  type SessionUser,
  sessionOf,
} from './testing/iam-suite.ts';

async function start(t: TestContext) {
  const gateway = await startTestGateway({ time: 'manual' });
  t.after(() => gateway.gateway.close());
  await makeAccount(gateway);
  const s3 = async (user: User | SessionUser, method: string, path: string, body?: string) => {
    const headers = 'token' in user ? { 'x-amz-security-token': user.token } : {};
    const unsigned = { method, path, user, headers, wallMs: gateway.wallMs };
    const response = await gateway.handle(
      sign(body === undefined ? unsigned : { ...unsigned, body }),
    );
    return response.status < 300 ? response.status : errorCode(response);
  };
  const sts = (user: User | SessionUser, action: string, parameters: Parameters = {}) =>
    ask(gateway, user, action, parameters, 'sts');
  const makeRole = async (by: User, name: string, principal: string, parameters?: Parameters) => {
    const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: principal } };
    const answer = await ask(gateway, by, 'CreateRole', {
      RoleName: name,
      AssumeRolePolicyDocument: policyOf(trust),
      ...parameters,
    });
    equal(answer.status, 200, answer.text);
    return answer.value('Arn');
  };
  const allow = (by: User, role: string, statement: object) =>
    ask(gateway, by, 'PutRolePolicy', {
      RoleName: role,
      PolicyName: 'p',
      PolicyDocument: policyOf({ Effect: 'Allow', Resource: '*', ...statement }),
    });
  const assume = (user: User | SessionUser, arn: string, parameters: Parameters = {}) =>
    sts(user, 'AssumeRole', { RoleArn: arn, RoleSessionName: 'session', ...parameters });
  return { gateway, s3, sts, makeRole, allow, assume };
}

test('a role is taken by whom it trusts, and may do what its policies allow', async (t) => {
  const { gateway, s3, makeRole, allow, assume } = await start(t);
  const ann = await makeUser(gateway, root, 'ann');
  const bea = await makeUser(gateway, root, 'bea');
  const arn = await makeRole(root, 'writer', `arn:aws:iam::${root.name}:user/ann`);
  equal((await assume(bea, arn)).code, 'AccessDenied');
  equal((await assume(alice, arn)).code, 'AccessDenied');
  equal((await assume(ann, `${arn}s`)).code, 'AccessDenied');
  const answer = await assume(ann, arn);
  equal(answer.status, 200);
  match(answer.text, /assumed-role\/writer\/session/);
  const session = sessionOf(answer);
  equal(await s3(session, 'PUT', '/bucket'), 'AccessDenied');
  await allow(root, 'writer', { Action: ['s3:CreateBucket', 's3:PutObject'] });
  equal(await s3(session, 'PUT', '/bucket'), 200);
  equal(await s3(session, 'PUT', '/bucket/key', 'text'), 200);
  equal(await s3(session, 'GET', '/bucket/key'), 'AccessDenied');
  equal(await s3(root, 'GET', '/bucket/key'), 200, 'it belongs to the role’s account');
});

test('an account that is trusted hands it on to its users by policy', async (t) => {
  const { gateway, makeRole, assume } = await start(t);
  const ann = await makeUser(gateway, root, 'ann');
  const arn = await makeRole(root, 'role', `arn:aws:iam::${root.name}:root`);
  equal((await assume(root, arn)).status, 200);
  equal((await assume(ann, arn)).code, 'AccessDenied');
  const document = policyOf({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: arn });
  const put = { UserName: 'ann', PolicyName: 'p', PolicyDocument: document };
  await ask(gateway, root, 'PutUserPolicy', put);
  equal((await assume(ann, arn)).status, 200);
});

test('a session’s own policy narrows the role’s, and denies what it does not allow', async (t) => {
  const { s3, makeRole, allow, assume } = await start(t);
  equal(await s3(root, 'PUT', '/bucket'), 200);
  equal(await s3(root, 'PUT', '/bucket/key', 'text'), 200);
  const arn = await makeRole(root, 'role', '*');
  await allow(root, 'role', { Action: 's3:GetObject' });
  const narrow = { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::bucket/key' };
  const session = sessionOf(await assume(root, arn, { Policy: policyOf(narrow) }));
  equal(await s3(session, 'GET', '/bucket/key'), 200);
  equal(await s3(session, 'PUT', '/bucket/key', 'more'), 'AccessDenied', 'the role’s do not');
  equal(await s3(session, 'GET', '/bucket/other'), 'AccessDenied', 'its own do not');
  equal(await s3(sessionOf(await assume(root, arn)), 'GET', '/bucket/key'), 200);
  equal((await assume(root, arn, { Policy: '{}' })).code, 'MalformedPolicyDocument');
  equal((await assume(root, arn, { Policy: 'x'.repeat(2049) })).code, 'ValidationError');
});

test('a role of another account is taken only with a policy of one’s own, and none by a narrowed session', async (t) => {
  const { gateway, makeRole, assume } = await start(t);
  const other: User = { name: '100000000002', accessKey: 'AKOTHER', secretKey: 'other-secret' };
  await makeAccount(gateway, other);
  const eve = await makeUser(gateway, other, 'eve');
  const arn = await makeRole(root, 'role', '*');
  equal((await assume(eve, arn)).code, 'AccessDenied');
  equal((await assume(other, arn)).status, 200);
  const document = policyOf({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: arn });
  const put = { UserName: 'eve', PolicyName: 'p', PolicyDocument: document };
  equal((await ask(gateway, other, 'PutUserPolicy', put)).status, 200);
  equal((await assume(eve, arn)).status, 200);
  const narrow = policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' });
  const narrowed = sessionOf(await assume(root, arn, { Policy: narrow }));
  equal((await assume(narrowed, arn)).code, 'AccessDenied');
  equal((await assume(sessionOf(await assume(root, arn)), arn)).status, 200);
});

test('a session of a role is no user of the session’s name, and has the role’s ARN', async (t) => {
  const { s3, makeRole, allow, assume } = await start(t);
  equal(await s3(alice, 'PUT', '/bucket'), 200);
  for (const key of ['bob', 'role']) equal(await s3(alice, 'PUT', `/bucket/${key}`, 'text'), 200);
  const arn = await makeRole(alice, 'role', 'bob');
  const to = async (key: string, condition: object) => {
    const resource = `arn:aws:s3:::bucket/${key}`;
    await allow(alice, 'role', {
      Action: 's3:GetObject',
      Resource: resource,
      Condition: condition,
    });
    const session = sessionOf(await assume(bob, arn, { RoleSessionName: 'alice' }));
    return s3(session, 'GET', `/bucket/${key}`);
  };
  equal(await to('bob', { StringEquals: { 'aws:userid': 'alice' } }), 'AccessDenied');
  equal(await to('bob', { StringLike: { 'aws:userid': 'AROA*:alice' } }), 200);
  equal(await to('role', { ArnEquals: { 'aws:PrincipalArn': arn } }), 200);
});

test('a session ends at its time, and with its role', async (t) => {
  const { gateway, s3, makeRole, allow, assume } = await start(t);
  const arn = await makeRole(root, 'role', '*');
  await allow(root, 'role', { Action: 's3:ListAllMyBuckets' });
  const short = sessionOf(await assume(root, arn, { DurationSeconds: '900' }));
  const long = sessionOf(await assume(root, arn));
  equal((await assume(root, arn, { DurationSeconds: '899' })).code, 'ValidationError');
  equal((await assume(root, arn, { DurationSeconds: '3601' })).code, 'ValidationError');
  equal(await s3(short, 'GET', '/'), 200);
  gateway.wallMs += 900_000;
  equal(await s3(short, 'GET', '/'), 'ExpiredToken');
  equal(await s3(long, 'GET', '/'), 200);
  await ask(gateway, root, 'DeleteRolePolicy', { RoleName: 'role', PolicyName: 'p' });
  await ask(gateway, root, 'DeleteRole', { RoleName: 'role' });
  equal(await s3(long, 'GET', '/'), 'InvalidToken');
  await makeRole(root, 'role', '*');
  equal(await s3(long, 'GET', '/'), 'InvalidToken', 'another role of the same name');
});

test('a token is good for its own key, whole, and with its signature', async (t) => {
  const { s3, sts, makeRole, allow, assume } = await start(t);
  const arn = await makeRole(root, 'role', '*');
  await allow(root, 'role', { Action: 's3:*' });
  const [one, two] = [sessionOf(await assume(root, arn)), sessionOf(await assume(root, arn))];
  notEqual(one.accessKey, two.accessKey);
  equal(await s3({ ...one, token: two.token }, 'GET', '/'), 'InvalidToken');
  equal(await s3({ ...one, token: `${one.token}AA` }, 'GET', '/'), 'InvalidToken');
  equal(await s3({ ...one, token: 'no token' }, 'GET', '/'), 'InvalidToken');
  equal(await s3({ ...one, secretKey: two.secretKey }, 'GET', '/'), 'SignatureDoesNotMatch');
  const { token, ...bare } = one;
  equal(await s3(bare, 'GET', '/'), 'InvalidAccessKeyId', `without ${token.length} characters`);
  equal(await s3({ ...alice, token }, 'GET', '/'), 'InvalidToken');
  for (let at = 0; at < token.length; at += 7) {
    const changed = token[at] === 'A' ? 'B' : 'A';
    const spoilt = `${token.slice(0, at)}${changed}${token.slice(at + 1)}`;
    equal(await s3({ ...one, token: spoilt }, 'GET', '/'), 'InvalidToken');
  }
  equal((await sts({ ...one, token: two.token }, 'GetCallerIdentity')).code, 'InvalidToken');
});

test('no part of a token’s body passes for a part of its key', () => {
  const key = new Uint8Array(32).fill(7);
  const expiresMs = 1_800_000_000_000;
  const begin = (name: string, policy: string) =>
    beginSession(
      key,
      { kind: 'role', entityId: 'AROA', owner: 'bob', name, policy, expiresMs },
      new Uint8Array(8),
    );
  const bodyOf = (token: string): Buffer => Buffer.from(parseBase64(token) ?? []).subarray(0, -32);
  const wanted = bodyOf(begin('wanted', '').token);
  const text = wanted.subarray(0, -encode(uint, expiresMs).length).toString('latin1');
  const given = begin('given', `\n${text}`);
  equal(openSession(key, given.accessKey, given.token)?.name, 'given');
  const begins = bodyOf(given.token)
    .subarray(0, -wanted.length - 1)
    .toString('latin1');
  const mac = Buffer.from(parseBase64(given.token) ?? []).subarray(-32);
  const forged = formatBase64(Buffer.concat([wanted, mac]));
  equal(openSession(key, `${given.accessKey}\n${begins}`, forged), undefined);
});

test('a user’s session may do what the user may, until the user’s keys are gone', async (t) => {
  const { gateway, s3, sts } = await start(t);
  equal(await s3(bob, 'PUT', '/bobs'), 200);
  const answer = await sts(bob, 'GetSessionToken');
  const session = sessionOf(answer);
  equal(await s3(session, 'PUT', '/bobs/key', 'text'), 200);
  equal((await sts(session, 'GetSessionToken')).code, 'AccessDenied');
  const deny = policyOf({
    Effect: 'Deny',
    Action: 's3:*',
    Resource: '*',
    Condition: { Bool: { 'sts:authentication': 'false' } },
  });
  const put = { UserName: 'bob', PolicyName: 'p', PolicyDocument: deny };
  equal((await ask(gateway, alice, 'PutUserPolicy', put)).status, 200);
  equal(await s3(bob, 'GET', '/bobs/key'), 'AccessDenied');
  equal(await s3(session, 'GET', '/bobs/key'), 200);
  const key = { UserName: 'bob', AccessKeyId: bob.accessKey, Status: 'Inactive' };
  equal((await ask(gateway, alice, 'UpdateAccessKey', key)).status, 200);
  equal(await s3(session, 'GET', '/bobs/key'), 'InvalidToken');
});

test('a role without account opens the buckets of users without account', async (t) => {
  const { gateway, s3, makeRole, allow, assume } = await start(t);
  equal(await s3(bob, 'PUT', '/bobs'), 200);
  equal(await s3(root, 'PUT', '/accounts'), 200);
  const arn = await makeRole(alice, 'role', 'arn:aws:iam:::user/bob');
  equal(arn, 'arn:aws:iam:::role/role');
  equal((await assume(alice, arn)).code, 'AccessDenied');
  const session = sessionOf(await assume(bob, arn));
  equal(await s3(session, 'GET', '/bobs'), 'AccessDenied', 'its taker’s ownership is not enough');
  await allow(alice, 'role', { Action: 's3:*' });
  equal(await s3(session, 'GET', '/bobs'), 200);
  equal(await s3(session, 'GET', '/accounts'), 'AccessDenied');
  equal((await ask(gateway, session, 'ListUsers')).code, 'AccessDenied');
});

test('a bucket of a user without account lets in a role without account that it means by name', async (t) => {
  const { gateway, s3, makeRole, assume } = await start(t);
  equal(await s3(alice, 'PUT', '/hers'), 200);
  equal(await s3(alice, 'PUT', '/hers/key', 'text'), 200);
  const arn = await makeRole(alice, 'role', 'arn:aws:iam:::user/bob');
  const session = sessionOf(await assume(bob, arn));
  const open = async (principal: string) => {
    const statement = { Effect: 'Allow', Action: 's3:GetObject', Principal: { AWS: principal } };
    const body = policyOf({ ...statement, Resource: 'arn:aws:s3:::hers/*' });
    const unsigned = { method: 'PUT', path: '/hers', query: { policy: '' }, body };
    equal((await gateway.handle(sign({ ...unsigned, wallMs: gateway.wallMs }))).status, 204);
  };
  await open('arn:aws:iam:::user/bob');
  equal(await s3(session, 'GET', '/hers/key'), 'AccessDenied', 'its taker is meant, not the role');
  await open(arn);
  equal(await s3(session, 'GET', '/hers/key'), 200);
  equal(await s3(session, 'PUT', '/hers/other', 'text'), 'AccessDenied');
  await open('arn:aws:sts:::assumed-role/role/session');
  equal(await s3(session, 'GET', '/hers/key'), 200);
  await open(arn);
  const narrow = policyOf({ Effect: 'Allow', Action: 's3:PutObject', Resource: '*' });
  const narrowed = sessionOf(await assume(bob, arn, { Policy: narrow }));
  equal(await s3(narrowed, 'GET', '/hers/key'), 'AccessDenied');
});

test('who asks is told who it is', async (t) => {
  const { gateway, sts, makeRole, assume } = await start(t);
  const ann = await makeUser(gateway, root, 'ann');
  equal((await sts(root, 'GetCallerIdentity')).value('Arn'), `arn:aws:iam::${root.name}:root`);
  equal((await sts(ann, 'GetCallerIdentity')).value('Arn'), `arn:aws:iam::${root.name}:user/ann`);
  const session = sessionOf(await assume(ann, await makeRole(root, 'role', '*')));
  const own = await sts(session, 'GetCallerIdentity');
  equal(own.value('Arn'), `arn:aws:sts::${root.name}:assumed-role/role/session`);
  equal(own.value('Account'), root.name);
  equal((await sts(root, 'AssumeRoleWithWebIdentity')).code, 'NotImplemented');
});
