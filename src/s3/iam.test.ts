// IAM: users, keys, groups, roles and their policies, and what they come to in S3.

import { deepEqual, equal, match } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { User } from '../client/cluster.ts';
import { withQuota } from '../mon/users.ts';
import { alice, bob, bodyOf, errorCode, sign, startTestGateway } from './testing/gateway-suite.ts';
import {
  ask,
  type IamAnswer,
  makeAccount,
  makeUser,
  type Parameters,
  policyOf,
  root,
} from './testing/iam-suite.ts';

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  await makeAccount(gateway);
  const iam =
    (user: User) =>
    (action: string, parameters?: Parameters): Promise<IamAnswer> =>
      ask(gateway, user, action, parameters);
  /** The code of the error, or the status. */
  const s3 =
    (user: User) =>
    async (
      method: string,
      path: string,
      call: {
        readonly body?: string;
        readonly query?: Readonly<Record<string, string>>;
        readonly headers?: Readonly<Record<string, string>>;
      } = {},
    ) => {
      const response = await gateway.handle(sign({ method, path, user, ...call }));
      return response.status < 300 ? response.status : errorCode(response);
    };
  return { gateway, iam, s3, byRoot: iam(root), rootS3: s3(root) };
}

const allowAll = policyOf({ Effect: 'Allow', Action: 's3:*', Resource: '*' });

test('an account’s user may do what its policies allow, from the next request on', async (t) => {
  const { gateway, s3, byRoot, rootS3 } = await start(t);
  const user = s3(await makeUser(gateway, root, 'ann'));
  equal(await rootS3('PUT', '/bucket'), 200);
  equal(await user('GET', '/bucket'), 'AccessDenied');
  equal(await user('GET', '/'), 'AccessDenied');
  equal(await user('PUT', '/other'), 'AccessDenied');
  const put = (document: string) =>
    byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: document });
  equal((await put(allowAll)).status, 200);
  equal(await user('GET', '/bucket'), 200);
  equal(await user('PUT', '/bucket/key', { body: 'text' }), 200);
  equal(await user('PUT', '/other'), 200);
  equal(await rootS3('DELETE', '/other'), 204, 'what users make belongs to the account');
  const writeOnly = { Effect: 'Allow', Action: 's3:PutObject', Resource: 'arn:aws:s3:::bucket/*' };
  equal((await put(policyOf(writeOnly))).status, 200);
  equal(await user('PUT', '/bucket/key', { body: 'more' }), 200);
  equal(await user('GET', '/bucket/key'), 'AccessDenied');
  equal((await byRoot('DeleteUserPolicy', { UserName: 'ann', PolicyName: 'p' })).status, 200);
  equal(await user('PUT', '/bucket/key', { body: 'text' }), 'AccessDenied');
});

test('a denial in any policy decides, whoever owns the bucket', async (t) => {
  const { gateway, s3, byRoot, rootS3 } = await start(t);
  const user = s3(await makeUser(gateway, root, 'ann'));
  equal(await rootS3('PUT', '/bucket'), 200);
  equal(await rootS3('PUT', '/bucket/key', { body: 'text' }), 200);
  const put = (name: string, document: string) =>
    byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: name, PolicyDocument: document });
  await put('allow', allowAll);
  equal(await user('GET', '/bucket/key'), 200);
  const deny = { Effect: 'Deny', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' };
  await put('deny', policyOf(deny));
  equal(await user('GET', '/bucket/key'), 'AccessDenied');
  await byRoot('DeleteUserPolicy', { UserName: 'ann', PolicyName: 'deny' });
  const byBucket = policyOf({ ...deny, Principal: { AWS: `arn:aws:iam::${root.name}:user/ann` } });
  equal(await rootS3('PUT', '/bucket', { query: { policy: '' }, body: byBucket }), 204);
  equal(await user('GET', '/bucket/key'), 'AccessDenied');
  equal(await rootS3('GET', '/bucket/key'), 200);
});

test('a bucket’s policy lets in a user of its account by name, and others only with a policy of their own', async (t) => {
  const { gateway, s3, byRoot, rootS3 } = await start(t);
  const other = { name: '100000000002', accessKey: 'AKOTHER', secretKey: 'other-secret' };
  await makeAccount(gateway, other);
  const own = s3(await makeUser(gateway, root, 'ann'));
  const stranger = s3(await makeUser(gateway, other, 'ann'));
  equal(await rootS3('PUT', '/bucket'), 200);
  const allow = (principal: string) =>
    rootS3('PUT', '/bucket', {
      query: { policy: '' },
      body: policyOf({
        Effect: 'Allow',
        Action: 's3:ListBucket',
        Resource: 'arn:aws:s3:::bucket',
        Principal: { AWS: principal },
      }),
    });
  equal(await allow(`arn:aws:iam::${root.name}:user/ann`), 204);
  equal(await own('GET', '/bucket'), 200);
  equal(await stranger('GET', '/bucket'), 'AccessDenied');
  equal(await s3(alice)('GET', '/bucket'), 'AccessDenied');
  equal(await allow(`arn:aws:iam::${other.name}:root`), 204);
  equal(await own('GET', '/bucket'), 'AccessDenied');
  equal(await stranger('GET', '/bucket'), 'AccessDenied', 'its account must hand it on');
  await ask(gateway, other, 'AttachUserPolicy', {
    UserName: 'ann',
    PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
  });
  equal(await stranger('GET', '/bucket'), 200);
  await byRoot('AttachUserPolicy', {
    UserName: 'ann',
    PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
  });
  equal(await own('GET', '/bucket'), 200);
  equal(await own('PUT', '/bucket/key', { body: 'x' }), 'AccessDenied');
});

test('a bucket is created only by who may set what its headers and tags set', async (t) => {
  const { gateway, s3, byRoot } = await start(t);
  const user = s3(await makeUser(gateway, root, 'ann'));
  const may = async (...Action: readonly string[]) => {
    const PolicyDocument = policyOf({ Effect: 'Allow', Action, Resource: '*' });
    const put = { UserName: 'ann', PolicyName: 'p', PolicyDocument };
    equal((await byRoot('PutUserPolicy', put)).status, 200);
  };
  const tags =
    '<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>';
  const lock = { 'x-amz-bucket-object-lock-enabled': 'true' };
  const calls = [
    [{ headers: { 'x-amz-acl': 'public-read' } }, ['s3:PutBucketAcl']],
    [{ headers: { 'x-amz-object-ownership': 'ObjectWriter' } }, ['s3:PutBucketOwnershipControls']],
    [{ headers: lock }, ['s3:PutBucketVersioning', 's3:PutBucketObjectLockConfiguration']],
    [{ body: tags }, ['s3:TagResource']],
  ] as const;
  for (const [i, [call, actions]] of calls.entries()) {
    const path = `/made-${i}`;
    for (const left of actions) {
      await may('s3:CreateBucket', ...actions.filter((each) => each !== left));
      equal(await user('PUT', path, call), 'AccessDenied', left);
    }
    await may('s3:CreateBucket', ...actions);
    equal(await user('PUT', path, call), 200, path);
  }
  await may('s3:CreateBucket');
  equal(await user('PUT', '/plain'), 200);
});

test('a user without account needs no policy for what is its own, and one opens what is others’', async (t) => {
  const { iam, s3, rootS3 } = await start(t);
  const [byAlice, byBob, bobS3] = [iam(alice), iam(bob), s3(bob)];
  equal(await s3(alice)('PUT', '/alices'), 200);
  equal(await bobS3('PUT', '/bobs'), 200);
  equal(await rootS3('PUT', '/accounts'), 200);
  equal(await bobS3('GET', '/alices'), 'AccessDenied');
  const put = { UserName: 'bob', PolicyName: 'p', PolicyDocument: allowAll };
  equal((await byBob('PutUserPolicy', put)).code, 'AccessDenied');
  equal((await byAlice('PutUserPolicy', put)).status, 200);
  equal(await bobS3('GET', '/alices'), 200);
  equal(await bobS3('GET', '/accounts'), 'AccessDenied', 'an account’s buckets are its own');
  const deny = policyOf({ Effect: 'Deny', Action: 's3:*', Resource: 'arn:aws:s3:::bobs' });
  await byAlice('PutUserPolicy', { ...put, PolicyDocument: deny });
  equal(await bobS3('GET', '/bobs'), 'AccessDenied');
  const self = { Effect: 'Allow', Action: 'iam:*', Resource: 'arn:aws:iam:::user/bob' };
  await byAlice('PutUserPolicy', { ...put, PolicyDocument: policyOf(self) });
  equal((await byBob('GetUserPolicy', { UserName: 'bob', PolicyName: 'p' })).status, 200);
  equal((await byBob('GetUser', { UserName: 'alice' })).code, 'AccessDenied');
  equal((await byBob('DeleteUserPolicy', { UserName: 'bob', PolicyName: 'p' })).status, 200);
  equal((await byBob('GetUser')).code, 'AccessDenied');
});

test('a user has several keys; one that is inactive or deleted opens nothing', async (t) => {
  const { gateway, s3, byRoot } = await start(t);
  const first = await makeUser(gateway, root, 'ann');
  await byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: allowAll });
  const made = await byRoot('CreateAccessKey', { UserName: 'ann' });
  const second = {
    name: root.name,
    accessKey: made.value('AccessKeyId'),
    secretKey: made.value('SecretAccessKey'),
  };
  equal(await s3(first)('GET', '/'), 200);
  equal(await s3(second)('GET', '/'), 200);
  const key = { UserName: 'ann', AccessKeyId: first.accessKey };
  equal((await byRoot('UpdateAccessKey', { ...key, Status: 'Inactive' })).status, 200);
  equal(await s3(first)('GET', '/'), 'InvalidAccessKeyId');
  equal((await ask(gateway, first, 'GetUser')).code, 'InvalidClientTokenId');
  const { text } = await byRoot('ListAccessKeys', { UserName: 'ann' });
  equal(text.split('<Status>Inactive<').length, 2);
  equal(text.split('<Status>Active<').length, 2);
  equal(text.includes('SecretAccessKey'), false);
  equal((await byRoot('UpdateAccessKey', { ...key, Status: 'Active' })).status, 200);
  equal(await s3(first)('GET', '/'), 200);
  equal((await byRoot('DeleteAccessKey', key)).status, 200);
  equal(await s3(first)('GET', '/'), 'InvalidAccessKeyId');
  equal((await byRoot('DeleteAccessKey', key)).code, 'NoSuchEntity');
  equal(await s3(second)('GET', '/'), 200);
  equal((await byRoot('DeleteUser', { UserName: 'ann' })).code, 'DeleteConflict');
});

test('a group’s policies are its members’', async (t) => {
  const { gateway, s3, byRoot } = await start(t);
  const user = s3(await makeUser(gateway, root, 'ann'));
  await byRoot('CreateGroup', { GroupName: 'readers', Path: '/staff/' });
  const policyArn = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess';
  await byRoot('AttachGroupPolicy', { GroupName: 'readers', PolicyArn: policyArn });
  equal(await user('GET', '/'), 'AccessDenied');
  await byRoot('AddUserToGroup', { GroupName: 'Readers', UserName: 'ANN' });
  equal(await user('GET', '/'), 200);
  equal((await byRoot('DeleteGroup', { GroupName: 'readers' })).code, 'DeleteConflict');
  await byRoot('UpdateUser', { UserName: 'ann', NewUserName: 'anna' });
  equal(await user('GET', '/'), 200, 'a renamed user stays a member');
  const group = await byRoot('GetGroup', { GroupName: 'readers' });
  equal(group.value('UserName'), 'anna');
  equal(group.value('Arn'), `arn:aws:iam::${root.name}:group/staff/readers`);
  await byRoot('RemoveUserFromGroup', { GroupName: 'readers', UserName: 'anna' });
  equal(await user('GET', '/'), 'AccessDenied');
});

test('names are taken in any case, lists come in pages and in order', async (t) => {
  const { byRoot } = await start(t);
  for (const name of ['b', 'A', 'c']) await byRoot('CreateUser', { UserName: name, Path: '/x/' });
  equal((await byRoot('CreateUser', { UserName: 'B' })).code, 'EntityAlreadyExists');
  equal((await byRoot('CreateUser', { UserName: 'a/b' })).code, 'ValidationError');
  equal((await byRoot('GetUser', { UserName: 'C' })).value('UserName'), 'c');
  const names: string[] = [];
  let marker = '';
  for (let pages = 0; pages < 3; pages++) {
    const more: Parameters = marker === '' ? {} : { Marker: marker };
    const answer = await byRoot('ListUsers', { PathPrefix: '/x', MaxItems: '1', ...more });
    names.push(answer.value('UserName'));
    marker = answer.value('Marker');
  }
  deepEqual(names, ['A', 'b', 'c']);
  equal(marker, '');
  equal((await byRoot('ListUsers', { PathPrefix: '/y' })).text.includes('UserName'), false);
});

test('what is not understood in a policy is refused when it is put', async (t) => {
  const { byRoot } = await start(t);
  await byRoot('CreateUser', { UserName: 'ann' });
  const codeOf = async (statement: object) => {
    const document = policyOf({ Effect: 'Allow', Action: '*', Resource: '*', ...statement });
    const put = { UserName: 'ann', PolicyName: 'p', PolicyDocument: document };
    return (await byRoot('PutUserPolicy', put)).code;
  };
  equal(await codeOf({}), '');
  equal(await codeOf({ Principal: '*' }), 'MalformedPolicyDocument');
  equal(await codeOf({ Effect: 'Perhaps' }), 'MalformedPolicyDocument');
  equal(await codeOf({ Resource: 'bucket' }), 'MalformedPolicyDocument');
  equal(await codeOf({ Resource: `arn:aws:s3:::$${'{aws:x}'}/*` }), 'MalformedPolicyDocument');
  equal(await codeOf({ Condition: { Like: { 'aws:x': 'y' } } }), 'MalformedPolicyDocument');
  const variable = { StringLike: { 's3:prefix': `$${'{aws:x}'}/*` } };
  equal(await codeOf({ Condition: variable }), 'MalformedPolicyDocument');
  equal(await codeOf({ Resource: `arn:aws:s3:::${'x'.repeat(20_000)}` }), 'LimitExceeded');
});

test('a resource, and a condition, may name the user that asks', async (t) => {
  const { gateway, s3, byRoot, rootS3 } = await start(t);
  const user = s3(await makeUser(gateway, root, 'ann'));
  equal(await rootS3('PUT', '/homes'), 200);
  const document = policyOf({
    Effect: 'Allow',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::homes/$${'{aws:username}'}/*`,
  });
  await byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: document });
  equal(await user('PUT', '/homes/ann/file', { body: 'x' }), 200);
  equal(await user('PUT', '/homes/bea/file', { body: 'x' }), 'AccessDenied');
  const list = policyOf({
    Effect: 'Allow',
    Action: 's3:ListBucket',
    Resource: 'arn:aws:s3:::homes',
    Condition: { StringLike: { 's3:prefix': `$${'{aws:username}'}/*` } },
  });
  await byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: list });
  equal(await user('GET', '/homes', { query: { prefix: 'ann/x' } }), 200);
  equal(await user('GET', '/homes', { query: { prefix: 'bea/x' } }), 'AccessDenied');
});

test('what is renamed must be allowed under both names', async (t) => {
  const { gateway, iam, byRoot } = await start(t);
  const ann = iam(await makeUser(gateway, root, 'ann'));
  const document = policyOf({
    Effect: 'Allow',
    Action: 'iam:*',
    Resource: ['user/ann', 'user/team/*'].map((name) => `arn:aws:iam::${root.name}:${name}`),
  });
  await byRoot('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: document });
  const rename = (parameters: Parameters) => ann('UpdateUser', { UserName: 'ann', ...parameters });
  equal((await rename({ NewUserName: 'boss' })).code, 'AccessDenied');
  equal((await rename({ NewPath: '/bosses/' })).code, 'AccessDenied');
  equal((await rename({ NewPath: '/team/' })).status, 200);
  equal((await rename({ NewUserName: 'anna' })).status, 200);
  await byRoot('CreateGroup', { GroupName: 'g' });
  const long = { GroupName: 'g', NewGroupName: 'g'.repeat(128) };
  equal((await byRoot('UpdateGroup', long)).status, 200);
});

test('a user that is deleted leaves no quota to the next of its name', async (t) => {
  const { gateway, iam } = await start(t);
  const byAlice = iam(alice);
  await byAlice('CreateUser', { UserName: 'carl' });
  const { cluster } = gateway;
  const before = cluster.directory();
  const after = withQuota(before, { kind: 'user', name: 'carl', bytes: 1, objects: 1 });
  await cluster.changeDirectory({ ...after, revision: before.revision + 1 });
  equal(cluster.directory().quotas.length, 1);
  equal((await byAlice('DeleteUser', { UserName: 'carl' })).status, 200);
  equal(cluster.directory().quotas.length, 0);
});

test('changes at the same time are all made', async (t) => {
  const { gateway, byRoot } = await start(t);
  const names = Array.from({ length: 12 }, (_, i) => `user-${i}`);
  const answers = await Promise.all(names.map((name) => byRoot('CreateUser', { UserName: name })));
  deepEqual(
    answers.map(({ status }) => status),
    names.map(() => 200),
  );
  const made = gateway.cluster.directory().users.filter(({ name }) => names.includes(name));
  equal(made.length, names.length);
});

test('what is not there answers by its name, and nobody gets in unsigned or with another signature', async (t) => {
  const { gateway, byRoot, rootS3 } = await start(t);
  equal((await byRoot('CreateSAMLProvider')).code, 'NotImplemented');
  match((await byRoot('CreateSAMLProvider')).text, /CreateSAMLProvider is not implemented/);
  const tagged = { UserName: 'ann', 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': 'b' };
  equal((await byRoot('CreateUser', tagged)).code, 'NotImplemented');
  equal((await byRoot('')).code, 'InvalidAction');
  const wrong = { ...root, secretKey: 'another' };
  equal((await ask(gateway, wrong, 'ListUsers')).code, 'SignatureDoesNotMatch');
  equal((await ask(gateway, root, 'ListUsers', {}, 's3')).code, 'AuthorizationHeaderMalformed');
  const unsigned = await gateway.handle({
    method: 'POST',
    target: '/',
    headers: [
      ['host', 'localhost'],
      ['content-type', 'application/x-www-form-urlencoded'],
      ['content-length', '16'],
    ],
    body: bodyOf(Buffer.from('Action=ListUsers')),
    remote: '127.0.0.1:1',
  });
  equal(await errorCode(unsigned), 'AccessDenied');
  const forIam = sign({ method: 'GET', path: '/', user: root, service: 'iam' });
  equal(await errorCode(await gateway.handle(forIam)), 'AuthorizationHeaderMalformed');
  equal(await rootS3('GET', '/'), 200);
  deepEqual(gateway.logged, []);
});

test('access is granted to who has an e-mail address', async (t) => {
  const { gateway, s3 } = await start(t);
  const directory = gateway.cluster.directory();
  const users = directory.users.map((user) =>
    user.name === 'bob' ? { ...user, email: 'bob@example.com' } : user,
  );
  await gateway.cluster.changeDirectory({
    ...directory,
    users,
    revision: directory.revision + 1,
  });
  equal(await s3(alice)('PUT', '/bucket'), 200);
  const grant = async (email: string) => {
    const headers = { 'x-amz-grant-read': `emailAddress="${email}"` };
    const query = { acl: '' };
    return gateway.handle(sign({ method: 'PUT', path: '/bucket', query, headers }));
  };
  equal(await s3(bob)('GET', '/bucket'), 'AccessDenied');
  equal(await errorCode(await grant('eve@example.com')), 'UnresolvableGrantByEmailAddress');
  equal((await grant('Bob@example.com')).status, 200);
  equal(await s3(bob)('GET', '/bucket'), 200);
});
