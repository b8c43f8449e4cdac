// CORS, tags and the properties of a bucket, as requests.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  bob,
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  sign,
  startTestGateway,
  type TestGateway,
  type Unsigned,
} from './testing/gateway-suite.ts';

async function bench() {
  const gateway = await startTestGateway({ time: 'manual' });
  const send = (unsigned: Unsigned) => gateway.handle(sign(unsigned));
  equal((await send({ method: 'PUT', path: '/photos' })).status, 200);
  return { gateway, send };
}

/** As a browser asks: unsigned. */
function preflight(gateway: TestGateway, path: string, headers: Readonly<Record<string, string>>) {
  return gateway.handle({
    method: 'OPTIONS',
    target: path,
    headers: Object.entries({ host: 'localhost', ...headers }),
    body: bodyOf(),
    remote: '127.0.0.1:1',
  });
}

const rules =
  '<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader></CORSRule></CORSConfiguration>';
const origin = 'https://www.example';
const allowed = 'access-control-allow-origin';

test('CORS rules are put, read, and taken away, by the owner only', async () => {
  const { send } = await bench();
  const cors = { path: '/photos', query: { cors: '' } };
  equal(await errorCode(await send({ method: 'GET', ...cors })), 'NoSuchCORSConfiguration');
  equal((await send({ method: 'PUT', ...cors, body: rules })).status, 200);
  const read = await bodyText(await send({ method: 'GET', ...cors }));
  ok(read.includes('<AllowedOrigin>https://*.example</AllowedOrigin>'));
  equal((await send({ method: 'PUT', ...cors, body: '<x/>' })).status, 400);
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? { body: rules } : {};
    equal(await errorCode(await send({ method, ...cors, ...body, user: bob })), 'AccessDenied');
  }
  equal(await bodyText(await send({ method: 'GET', ...cors })), read);
  equal((await send({ method: 'DELETE', ...cors })).status, 204);
  equal((await send({ method: 'GET', ...cors })).status, 404);
});

test('a preflight is answered by the rules, without a signature', async () => {
  const { gateway, send } = await bench();
  const ask = (headers: Readonly<Record<string, string>>, path = '/photos/key') =>
    preflight(gateway, path, headers);
  const get = { origin, 'access-control-request-method': 'GET' };
  equal(await errorCode(await ask(get)), 'AccessForbidden');
  await send({ method: 'PUT', path: '/photos', query: { cors: '' }, body: rules });
  const yes = await ask({ ...get, 'access-control-request-headers': 'X-Amz-Date, x-amz-acl' });
  equal(yes.status, 200);
  equal(headerOf(yes, allowed), origin);
  equal(headerOf(yes, 'access-control-allow-methods'), 'GET');
  equal(headerOf(yes, 'access-control-allow-headers'), 'x-amz-date, x-amz-acl');
  for (const refused of [
    { ...get, 'access-control-request-method': 'PUT' },
    { ...get, origin: 'https://elsewhere' },
    { ...get, 'access-control-request-headers': 'cookie' },
  ]) {
    const no = await ask(refused);
    equal(no.status, 403);
    equal(headerOf(no, allowed), undefined);
  }
  equal((await ask({})).status, 400);
  equal((await ask({ origin })).status, 400);
  equal(await errorCode(await ask(get, '/missing/key')), 'NoSuchBucket');
  equal((await ask(get, '/')).status, 405);
});

test('answers and refusals to an allowed origin say so; others do not', async () => {
  const { gateway, send } = await bench();
  await send({ method: 'PUT', path: '/photos', query: { cors: '' }, body: rules });
  await send({ method: 'PUT', path: '/photos/key', body: 'bytes' });
  const get = async (path: string, headers: Readonly<Record<string, string>>) => {
    const answer = await send({ method: 'GET', path, headers });
    return [answer.status, headerOf(answer, allowed)];
  };
  deepEqual(await get('/photos/key', { origin }), [200, origin]);
  deepEqual(await get('/photos/missing', { origin }), [404, origin]);
  deepEqual(await get('/photos/key', { origin: 'https://elsewhere' }), [200, undefined]);
  deepEqual(await get('/photos/key', {}), [200, undefined]);
  deepEqual(await get('/missing/key', { origin }), [404, undefined]);
  deepEqual(await get('/No', { origin }), [400, undefined]);
  const calls = gateway.cluster.callCount;
  await get('/photos/key', {});
  equal(gateway.cluster.callCount - calls, 1, 'a plain read asks the index once');
});

test('tags of a bucket are put, read and taken away', async () => {
  const { send } = await bench();
  const tagging = { path: '/photos', query: { tagging: '' } };
  const tags = (count: number) =>
    `<Tagging><TagSet>${Array.from({ length: count }, (_, i) => `<Tag><Key>k${i}</Key><Value>v</Value></Tag>`).join('')}</TagSet></Tagging>`;
  equal(await errorCode(await send({ method: 'GET', ...tagging })), 'NoSuchTagSet');
  equal((await send({ method: 'PUT', ...tagging, body: tags(50) })).status, 204);
  equal(await errorCode(await send({ method: 'PUT', ...tagging, body: tags(51) })), 'InvalidTag');
  const read = await bodyText(await send({ method: 'GET', ...tagging }));
  ok(read.includes('<Key>k49</Key><Value>v</Value>'));
  const other = await send({ method: 'PUT', ...tagging, body: tags(1), user: bob });
  equal(await errorCode(other), 'AccessDenied');
  equal((await send({ method: 'DELETE', ...tagging })).status, 204);
  equal(await errorCode(await send({ method: 'GET', ...tagging })), 'NoSuchTagSet');
});

test('features that are off answer as S3 does, and setting them is refused by name', async () => {
  const { send } = await bench();
  const off = {
    accelerate: '<AccelerateConfiguration',
    replication: '<Code>ReplicationConfigurationNotFoundError</Code>',
  };
  for (const [name, expected] of Object.entries(off)) {
    const query = { [name]: '' };
    const read = await send({ method: 'GET', path: '/photos', query });
    ok((await bodyText(read)).includes(expected), name);
    const other = await send({ method: 'GET', path: '/photos', query, user: bob });
    equal(await errorCode(other), 'AccessDenied', name);
    const put = await send({ method: 'PUT', path: '/photos', query, body: 'x' });
    equal(await errorCode(put), 'NotImplemented', name);
  }
});

test('keys in whatever order, which Ceph’s clients may ask for, can not be grouped', async () => {
  const { gateway, send } = await bench();
  for (const key of ['b', 'a/1'])
    equal((await send({ method: 'PUT', path: `/photos/${key}`, body: key })).status, 200);
  const list = (query: Readonly<Record<string, string>>) =>
    send({ method: 'GET', path: '/photos', query: { 'allow-unordered': 'true', ...query } });
  for (const version of [{}, { 'list-type': '2' }] as const) {
    equal((await bodyText(await list(version))).split('<Key>').length, 3);
    equal(await errorCode(await list({ ...version, delimiter: '/' })), 'InvalidArgument');
  }
  await gateway.gateway.close();
});
