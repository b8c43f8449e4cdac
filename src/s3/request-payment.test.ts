// Buckets whose requesters pay: others than the owner must be somebody, and say that they pay.

import { deepEqual, equal, match } from 'node:assert/strict';
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
  startTestGateway,
  type Unsigned,
} from './testing/gateway-suite.ts';

const payment = (payer: string) =>
  `<RequestPaymentConfiguration><Payer>${payer}</Payer></RequestPaymentConfiguration>`;

const openToAll = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      ...{ Effect: 'Allow', Principal: '*', Action: 's3:*' },
      Resource: ['arn:aws:s3:::paid', 'arn:aws:s3:::paid/*'],
    },
  ],
});

const pays = { 'x-amz-request-payer': 'requester' };
const charged = 'x-amz-request-charged';

/** Anybody may do anything with alice's bucket, but pays for it. */
async function start(t: TestContext) {
  const gateway = await startTestGateway({
    ...{ hostNames: ['localhost'], websiteNames: ['web.localhost'] },
  });
  t.after(() => gateway.gateway.close());
  const send = (unsigned: Unsigned) => gateway.handle(sign(unsigned));
  const put = async (unsigned: Omit<Unsigned, 'method'>, status = 200) =>
    equal((await send({ method: 'PUT', ...unsigned })).status, status);
  await put({ path: '/paid' });
  await put({ path: '/paid/key', body: 'bytes' });
  await put({ path: '/paid', query: { policy: '' }, body: openToAll }, 204);
  await put({ path: '/paid', query: { requestPayment: '' }, body: payment('Requester') });
  return { gateway, send, put };
}

test('who pays is put, read and taken back; what says nothing of it is refused', async (t) => {
  const { send, put } = await start(t);
  const at = { path: '/paid', query: { requestPayment: '' } };
  match(await bodyText(await send({ method: 'GET', ...at })), /<Payer>Requester<\/Payer>/);
  for (const body of [
    '',
    '<x/>',
    payment(''),
    payment('requester'),
    payment('Requester</Payer><Payer>Requester'),
  ])
    equal(await errorCode(await send({ method: 'PUT', ...at, body })), 'MalformedXML', body);
  match(await bodyText(await send({ method: 'GET', ...at })), /<Payer>Requester<\/Payer>/);
  await put({ ...at, body: payment('BucketOwner') });
  match(await bodyText(await send({ method: 'GET', ...at })), /<Payer>BucketOwner<\/Payer>/);
  const read = await send({ method: 'GET', path: '/paid/key', user: bob });
  deepEqual([read.status, headerOf(read, charged)], [200, undefined]);
});

test('others than the owner say that they pay, and are told that they did', async (t) => {
  const { send } = await start(t);
  const asked: readonly Unsigned[] = [
    { method: 'GET', path: '/paid/key' },
    { method: 'HEAD', path: '/paid/key' },
    { method: 'GET', path: '/paid' },
    { method: 'HEAD', path: '/paid' },
    { method: 'GET', path: '/paid/key', query: { tagging: '' } },
    { method: 'PUT', path: '/paid/new', body: 'new' },
    { method: 'POST', path: '/paid/new', query: { uploads: '' } },
    {
      ...{ method: 'POST', path: '/paid', query: { delete: '' } },
      body: '<Delete><Object><Key>new</Key></Object></Delete>',
    },
    { method: 'DELETE', path: '/paid/new' },
  ];
  for (const each of asked) {
    const words = `${each.method} ${each.path}`;
    for (const headers of [{}, { 'x-amz-request-payer': 'owner' }]) {
      const refused = await send({ ...each, user: bob, headers });
      deepEqual([refused.status, headerOf(refused, charged)], [403, undefined], words);
    }
    const answer = await send({ ...each, user: bob, headers: pays });
    equal(answer.status < 300, true, words);
    equal(headerOf(answer, charged), 'requester', words);
  }
  for (const headers of [{}, pays]) {
    const own = await send({ method: 'GET', path: '/paid/key', user: alice, headers });
    deepEqual([own.status, headerOf(own, charged)], [200, undefined]);
  }
  const absent = await send({ method: 'GET', path: '/paid/absent', user: bob, headers: pays });
  deepEqual([absent.status, headerOf(absent, charged)], [404, undefined]);
});

test('the source of a copy is paid for, too, and a presigned request may say so in its URL', async (t) => {
  const { gateway, send, put } = await start(t);
  await put({ path: '/bobs', user: bob });
  const copy = (headers: Readonly<Record<string, string>>) =>
    send({
      ...{ method: 'PUT', path: '/bobs/copy', user: bob },
      headers: { 'x-amz-copy-source': '/paid/key', ...headers },
    });
  equal(await errorCode(await copy({})), 'AccessDenied');
  const copied = await copy(pays);
  deepEqual([copied.status, headerOf(copied, charged)], [200, 'requester']);
  const get = { method: 'GET', path: '/paid/key', user: bob };
  equal((await gateway.handle(presign(get))).status, 403);
  equal((await gateway.handle(presign({ ...get, query: pays }))).status, 200);
});

test('nobody in particular is let in, nor is who looks at the website', async (t) => {
  const { gateway, put } = await start(t);
  const index = '<IndexDocument><Suffix>key</Suffix></IndexDocument>';
  await put({
    ...{ path: '/paid', query: { website: '' } },
    body: `<WebsiteConfiguration>${index}</WebsiteConfiguration>`,
  });
  const ask = (target: string, host: string) =>
    gateway.handle({
      ...{ method: 'GET', target, body: bodyOf(), remote: '127.0.0.1:1' },
      headers: [['host', host], ...Object.entries(pays)],
    });
  equal(await errorCode(await ask('/paid/key', 'localhost')), 'AccessDenied');
  equal((await ask('/', 'paid.web.localhost')).status, 403);
  await put({ path: '/paid', query: { requestPayment: '' }, body: payment('BucketOwner') });
  equal((await ask('/paid/key', 'localhost')).status, 200);
  equal((await ask('/', 'paid.web.localhost')).status, 200);
});

test('others’ logs do not go where requesters pay', async (t) => {
  const { send, put } = await start(t);
  await put({ path: '/logged' });
  const body = `<BucketLoggingStatus><LoggingEnabled><TargetBucket>paid</TargetBucket><TargetPrefix>a/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`;
  const log = () => send({ method: 'PUT', path: '/logged', query: { logging: '' }, body });
  const service = { Effect: 'Allow', Principal: { Service: 'logging.s3.amazonaws.com' } };
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ ...service, Action: 's3:PutObject', Resource: 'arn:aws:s3:::paid/*' }],
  });
  await put({ path: '/paid', query: { policy: '' }, body: policy }, 204);
  equal(await errorCode(await log()), 'InvalidArgument');
  await put({ path: '/paid', query: { requestPayment: '' }, body: payment('BucketOwner') });
  equal((await log()).status, 200);
});
