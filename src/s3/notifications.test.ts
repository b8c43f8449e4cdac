// Notifications: which events are told, when they are queued, and that each is delivered whatever dies meanwhile.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { MethodRow } from '../base/method.ts';
import { ClientError } from '../client/errors.ts';
import { HttpClientError, type HttpPost } from '../env/http.ts';
import { eventFormat, queueFormat } from './index/event-format.ts';
import { bucketFormat, shardsOf } from './index/format.ts';
import {
  alice,
  bob,
  bodyText,
  errorCode,
  headerOf,
  sign,
  startTestGateway,
  type TestGateway,
  type TestOptions,
  type Unsigned,
} from './testing/gateway-suite.ts';
import { ask, type Parameters } from './testing/iam-suite.ts';

const notification = { notification: '' };
const arn = 'arn:aws:sns:us-east-1:alice:events';
const takeOverMs = 15_000;

interface Told {
  readonly eventName: string;
  readonly s3: {
    readonly configurationId: string;
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly eTag?: string;
      readonly versionId?: string;
      readonly sequencer: string;
    };
  };
}

/** A webhook that can be away. */
function hook() {
  const state = {
    status: 200 as number | undefined,
    posts: [] as HttpPost[],
    tried: 0,
  };
  const post = async (request: HttpPost): Promise<{ status: number }> => {
    state.tried++;
    if (state.status === undefined) throw new HttpClientError('connect ECONNREFUSED');
    if (state.status === 200) state.posts.push(request);
    return { status: state.status };
  };
  const records = (): readonly Told[] =>
    state.posts.flatMap(
      ({ body }) => (JSON.parse(Buffer.from(body).toString()) as { Records: Told[] }).Records,
    );
  const names = (): readonly string[] =>
    records().map(({ eventName, s3 }) => `${eventName} ${s3.object.key}`);
  return { state, post, records, names };
}

function rule(events: readonly string[] = ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'], more = '') {
  const each = events.map((event) => `<Event>${event}</Event>`).join('');
  return `<TopicConfiguration><Id>all</Id><Topic>${arn}</Topic>${each}${more}</TopicConfiguration>`;
}

function configuration(...rules: readonly string[]): string {
  return `<NotificationConfiguration>${rules.join('')}</NotificationConfiguration>`;
}

function sender(gateway: TestGateway) {
  const send = (unsigned: Unsigned) =>
    gateway.handle(sign({ wallMs: gateway.wallMs, ...unsigned }));
  const done = async (unsigned: Unsigned): Promise<string> => {
    const answer = await send(unsigned);
    const text = await bodyText(answer);
    ok(answer.status < 300, text);
    return text;
  };
  return { send, done };
}

async function bench(options: TestOptions = {}, topic: Parameters = {}) {
  const web = hook();
  const gateway = await startTestGateway({ time: 'manual', webhook: web.post, ...options });
  const { send, done } = sender(gateway);
  const put = (key: string, body = 'x') => send({ method: 'PUT', path: `/photos/${key}`, body });
  const enable = (body = configuration(rule())) =>
    send({ method: 'PUT', path: '/photos', query: notification, body });
  const sns = (action: string, parameters: Parameters = {}) =>
    ask(gateway, alice, action, parameters, 'sns');
  await done({ method: 'PUT', path: '/photos' });
  await sns('CreateTopic', { Name: 'events', 'push-endpoint': 'http://hook.example/in', ...topic });
  equal((await enable()).status, 200);
  /** Events that wait, in all shards. */
  const queued = (): readonly string[] =>
    gateway.cluster
      .objectNames()
      .flatMap((name) => gateway.cluster.rows(name.replace('.index/', '')))
      .filter(([row]) => row[0] === 0x71)
      .map(([, value]) => Buffer.from(eventFormat.decode(value).key).toString());
  return { web, gateway, send, done, put, enable, sns, queued };
}

test('a put is told of once, with what S3 says of it', async () => {
  const { web, gateway, put, queued } = await bench({}, { OpaqueData: 'mine' });
  equal((await put('a b/ü.jpg', 'hello')).status, 200);
  await gateway.clock.advance(100);
  const [post] = web.state.posts;
  deepEqual(
    [post?.host, post?.port, post?.target, post?.isTls, post?.verifyTls],
    ['hook.example', 80, '/in', false, true],
  );
  const text = Buffer.from(post?.body ?? []).toString();
  const { Records: records } = JSON.parse(text) as { Records: readonly Record<string, unknown>[] };
  const [{ responseElements, s3, ...record } = {}] = records;
  const { object, ...bucket } = s3 as { object: Record<string, unknown> };
  match(JSON.stringify(responseElements), /"x-amz-request-id":"\w+","x-amz-id-2":"\w+"/);
  deepEqual(record, {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: 'us-east-1',
    eventTime: record.eventTime,
    eventName: 'ObjectCreated:Put',
    userIdentity: { principalId: 'alice' },
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    opaqueData: 'mine',
  });
  deepEqual(bucket, {
    s3SchemaVersion: '1.0',
    configurationId: 'all',
    bucket: {
      name: 'photos',
      ownerIdentity: { principalId: 'alice' },
      arn: 'arn:aws:s3:::photos',
    },
  });
  match(String(object.sequencer), /^[0-9a-f]{36}$/);
  deepEqual(
    [object.key, object.size, object.eTag, object.versionId],
    ['a+b/%C3%BC.jpg', 5, '5d41402abc4b2a76b9719d911017c592', undefined],
  );
  await gateway.clock.advance(10 * takeOverMs);
  equal(web.state.posts.length, 1, 'and not again');
  deepEqual(queued(), []);
  deepEqual(gateway.failures, []);
  await gateway.gateway.close();
});

test('each way that objects come and go has its event', async () => {
  const { web, gateway, done, put, enable } = await bench();
  const all = [
    's3:ObjectCreated:*',
    's3:ObjectRemoved:*',
    's3:ObjectTagging:*',
    's3:ObjectAcl:Put',
  ];
  await gateway.clock.advance(3000);
  equal((await enable(configuration(rule(all)))).status, 200);
  await put('one');
  await done({
    method: 'PUT',
    path: '/photos/two',
    headers: { 'x-amz-copy-source': '/photos/one' },
  });
  const begun = await done({ method: 'POST', path: '/photos/three', query: { uploads: '' } });
  const uploadId = /<UploadId>(\w+)</.exec(begun)?.[1] ?? '';
  const part = { partNumber: '1', uploadId };
  await done({ method: 'PUT', path: '/photos/three', query: part, body: 'part' });
  const etag = '1c2a7d4f6e9eb33bfab1ad9f0b0ba2cc';
  const listed = await done({ method: 'GET', path: '/photos/three', query: { uploadId } });
  const found = /<ETag>&quot;(\w+)/.exec(listed)?.[1] ?? etag;
  const complete = {
    method: 'POST',
    path: '/photos/three',
    query: { uploadId },
    body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${found}</ETag></Part></CompleteMultipartUpload>`,
  };
  await done(complete);
  await done(complete);
  const tags = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
  await done({ method: 'PUT', path: '/photos/one', query: { tagging: '' }, body: tags });
  await done({ method: 'DELETE', path: '/photos/one', query: { tagging: '' } });
  await done({
    method: 'PUT',
    path: '/photos/one',
    query: { acl: '' },
    headers: { 'x-amz-acl': 'public-read' },
  });
  await done({ method: 'DELETE', path: '/photos/one' });
  await done({ method: 'DELETE', path: '/photos/one' });
  await done({
    method: 'POST',
    path: '/photos',
    query: { delete: '' },
    body: '<Delete><Object><Key>two</Key></Object><Object><Key>nothing</Key></Object></Delete>',
  });
  await gateway.clock.advance(100);
  deepEqual(web.names(), [
    'ObjectCreated:Put one',
    'ObjectCreated:Copy two',
    'ObjectCreated:CompleteMultipartUpload three',
    'ObjectTagging:Put one',
    'ObjectTagging:Delete one',
    'ObjectAcl:Put one',
    'ObjectRemoved:Delete one',
    'ObjectRemoved:Delete two',
  ]);
  await gateway.gateway.close();
});

test('a delete of many keys is told of at once, and of more rules than fit a call in parts', async () => {
  const { web, gateway, put, enable, done, queued } = await bench();
  const keys = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, '0')}`);
  for (const key of keys) await put(key);
  await gateway.clock.advance(3000);
  const rules = ['a', 'b', 'c'].map((id) => rule(['s3:ObjectRemoved:*']).replace('all', id));
  await enable(configuration(...rules));
  web.state.posts.length = 0;
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('');
  const query = { delete: '' };
  await done({ method: 'POST', path: '/photos', query, body: `<Delete>${objects}</Delete>` });
  await gateway.clock.advance(1000);
  deepEqual([web.state.posts.length, queued().length], [900, 0]);
  const told = web.records().map(({ s3 }) => `${s3.configurationId} ${s3.object.key}`);
  equal(new Set(told).size, 900);
  await gateway.gateway.close();
});

test('versions are named, and sequencers rise with the changes of a key', async () => {
  const { web, gateway, send, done, put } = await bench();
  const versioning = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await done({ method: 'PUT', path: '/photos', query: { versioning: '' }, body: versioning });
  const first = headerOf(await put('k', '1'), 'x-amz-version-id') ?? '';
  const second = headerOf(await put('k', '2'), 'x-amz-version-id') ?? '';
  const removed = await send({ method: 'DELETE', path: '/photos/k' });
  const marker = headerOf(removed, 'x-amz-version-id') ?? '';
  await send({ method: 'DELETE', path: '/photos/k', query: { versionId: marker } });
  await send({ method: 'DELETE', path: '/photos/k', query: { versionId: first } });
  await gateway.clock.advance(100);
  const records = web.records();
  deepEqual(
    records.map(({ eventName, s3 }) => [eventName, s3.object.versionId]),
    [
      ['ObjectCreated:Put', first],
      ['ObjectCreated:Put', second],
      ['ObjectRemoved:DeleteMarkerCreated', marker],
      ['ObjectRemoved:Delete', marker],
      ['ObjectRemoved:Delete', first],
    ],
  );
  const sequencers = records.map(({ s3 }) => s3.object.sequencer);
  deepEqual([...new Set(sequencers)].sort(), sequencers);
  await gateway.gateway.close();
});

test('only what a rule asks for is told, once for each rule', async () => {
  const { web, gateway, put, enable, done } = await bench();
  const filter = (name: string, value: string): string =>
    `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`;
  const filtered = rule(
    ['s3:ObjectCreated:Put'],
    `<Filter><S3Key>${filter('Prefix', 'in/')}${filter('suffix', '.jpg')}</S3Key></Filter>`,
  );
  const other = rule(['s3:ObjectRemoved:Delete']).replace('all', 'other');
  const twice = rule(['s3:ObjectCreated:*']).replace('all', 'twice');
  await enable(configuration(filtered, other, twice));
  await put('in/a.jpg');
  await put('in/a.png');
  await put('out.jpg');
  await done({ method: 'DELETE', path: '/photos/out.jpg' });
  await gateway.clock.advance(100);
  deepEqual(
    web.records().map(({ s3 }) => `${s3.configurationId} ${s3.object.key}`),
    ['all in/a.jpg', 'twice in/a.jpg', 'twice in/a.png', 'twice out.jpg', 'other out.jpg'],
  );
  await gateway.gateway.close();
});

test('a write that is refused is told to nobody', async () => {
  const { web, gateway, send, put, queued } = await bench();
  await put('k');
  const conditional = { 'if-none-match': '*' };
  const answer = await send({ method: 'PUT', path: '/photos/k', body: 'y', headers: conditional });
  equal(answer.status, 412);
  await gateway.clock.advance(100);
  deepEqual(web.names(), ['ObjectCreated:Put k']);
  deepEqual(queued(), []);
  await gateway.gateway.close();
});

test('while a webhook is away, events wait and writes do not; then all are told, the oldest first', async () => {
  const { web, gateway, put, queued } = await bench();
  web.state.status = undefined;
  const keys = Array.from({ length: 30 }, (_, i) => `k${String(i).padStart(2, '0')}`);
  for (const key of keys) equal((await put(key)).status, 200);
  await gateway.clock.advance(5 * 60_000);
  deepEqual(queued(), keys);
  ok(web.state.tried < 30, `${web.state.tried} tries in five minutes: it is not hammered`);
  const { notificationReport } = gateway.cluster;
  equal(notificationReport?.queue?.count, 30);
  ok((notificationReport?.queue?.oldestMs ?? 0) > 4 * 60_000);
  match(notificationReport?.queue?.trouble ?? '', /:alice:events: connect ECONNREFUSED/);
  web.state.status = 200;
  await gateway.clock.advance(2 * 60_000);
  deepEqual(
    web.names(),
    keys.map((key) => `ObjectCreated:Put ${key}`),
  );
  deepEqual(queued(), []);
  equal(gateway.cluster.notificationReport?.told, 30);
  equal(gateway.cluster.notificationReport?.queue?.count, 0);
  await gateway.gateway.close();
});

for (const status of [302, 404, 500])
  test(`an answer of ${status} is no delivery`, async () => {
    const { web, gateway, put, queued } = await bench();
    web.state.status = status;
    await put('k');
    await gateway.clock.advance(60_000);
    deepEqual(queued(), ['k']);
    web.state.status = 200;
    await gateway.clock.advance(2 * 60_000);
    deepEqual(web.names(), ['ObjectCreated:Put k']);
    await gateway.gateway.close();
  });

test('a gateway that dies between the write and its delivery is stood in for', async () => {
  const { web, gateway, put, queued } = await bench();
  // The request never comes to its end: the process is gone.
  const dying = await startTestGateway({
    time: 'manual',
    sharing: gateway,
    webhook: () => new Promise(() => {}),
    holdsJobs: () => false,
  });
  const { send } = sender(dying);
  equal((await send({ method: 'PUT', path: '/photos/orphan', body: 'x' })).status, 200);
  await put('own');
  await gateway.clock.advance(1000);
  deepEqual(web.names(), ['ObjectCreated:Put own']);
  deepEqual(queued(), ['orphan']);
  await gateway.clock.advance(takeOverMs + 10_000);
  deepEqual(web.names(), ['ObjectCreated:Put own', 'ObjectCreated:Put orphan']);
  deepEqual(queued(), []);
  await gateway.gateway.close();
});

test('of two gateways each delivers its own, and what one leaves the other finishes', async () => {
  const { web, gateway, put, queued } = await bench({ holdsJobs: () => true });
  const away = hook();
  const second = await startTestGateway({
    time: 'manual',
    sharing: gateway,
    webhook: away.post,
    holdsJobs: () => false,
  });
  const { send } = sender(second);
  await put('a');
  await send({ method: 'PUT', path: '/photos/b', body: 'x' });
  await gateway.clock.advance(1000);
  deepEqual([web.names(), away.names()], [['ObjectCreated:Put a'], ['ObjectCreated:Put b']]);
  away.state.status = undefined;
  await send({ method: 'PUT', path: '/photos/c', body: 'x' });
  await gateway.clock.advance(1000);
  deepEqual(queued(), ['c']);
  await gateway.clock.advance(takeOverMs + 10_000);
  deepEqual(web.names(), ['ObjectCreated:Put a', 'ObjectCreated:Put c']);
  deepEqual(queued(), []);
  await gateway.gateway.close();
  await second.gateway.close();
});

test('an event whose row could not be removed is told again, never lost', async () => {
  const { web, gateway, put, queued } = await bench();
  let faults = 1;
  gateway.cluster.fault = (_, detail) => {
    if (detail === 's3.remove-events' && faults-- > 0)
      throw new ClientError('unavailable', 'for a test');
  };
  await put('k');
  await gateway.clock.advance(takeOverMs + 10_000);
  deepEqual(web.names(), ['ObjectCreated:Put k', 'ObjectCreated:Put k']);
  deepEqual(new Set(web.records().map(({ s3 }) => s3.object.sequencer)).size, 1);
  deepEqual(queued(), []);
  await gateway.gateway.close();
});

test('events are given up after the time of their topic, and when it is deleted', async () => {
  const { web, gateway, put, sns, queued } = await bench({}, { time_to_live: '60' });
  web.state.status = 500;
  for (let i = 0; i < 20; i++) await put(`k${i}`);
  await gateway.clock.advance(3 * 60_000);
  deepEqual(queued(), []);
  equal(gateway.cluster.notificationReport?.expired, 20);
  await put('late');
  equal((await sns('DeleteTopic', { TopicArn: arn })).status, 200);
  await gateway.clock.advance(2 * 60_000);
  deepEqual(queued(), []);
  equal((await put('unheard')).status, 200);
  deepEqual(queued(), [], 'nothing is queued for a topic that is gone');
  await gateway.gateway.close();
});

test('a full queue refuses writes that are told, as a whole, and lets them in when there is room', async () => {
  const { web, gateway, put, send, done, queued } = await bench();
  web.state.status = undefined;
  await put('k');
  const [shard = ''] = gateway.cluster
    .objectNames()
    .filter((name) => name.includes('index/index/'));
  const rows = gateway.cluster.rows(shard.replace('.index/', '')) as MethodRow[];
  const counted = (): number => rows.findIndex(([key]) => key[0] === 0x77);
  const [row, before = new Uint8Array()] = rows[counted()] ?? [];
  ok(row !== undefined);
  equal(queueFormat.decode(before).count, 1);
  // As if so many waited.
  rows[counted()] = [row, queueFormat.encode({ count: 10_000, bytes: 300 })];
  const refused = await put('more', 'y'.repeat(20_000));
  deepEqual([refused.status, await errorCode(refused)], [503, 'SlowDown']);
  equal((await send({ method: 'GET', path: '/photos/more' })).status, 404);
  const removed = await send({ method: 'DELETE', path: '/photos/k' });
  equal(await errorCode(removed), 'SlowDown');
  equal((await send({ method: 'GET', path: '/photos/k' })).status, 200);
  const garbage = rows.filter(([key]) => key[0] === 'g'.charCodeAt(0));
  equal(garbage.length, 1, 'what the refused put wrote is collected');
  // What nobody wants to be told of goes on.
  const tags = '<Tagging><TagSet></TagSet></Tagging>';
  await done({ method: 'PUT', path: '/photos/k', query: { tagging: '' }, body: tags });
  deepEqual(queued(), ['k']);
  rows[counted()] = [row, before];
  equal((await put('more')).status, 200);
  deepEqual(queued(), ['k', 'more']);
  await gateway.gateway.close();
});

test('the events of a removed bucket are told before the last of it goes', async () => {
  const { web, gateway, put, done, queued } = await bench({
    garbageIntervalMs: 1000,
    garbageGraceMs: 0,
  });
  web.state.status = undefined;
  await put('k');
  await done({ method: 'DELETE', path: '/photos/k' });
  await done({ method: 'DELETE', path: '/photos' });
  await gateway.clock.advance(60_000);
  deepEqual(queued(), ['k', 'k']);
  web.state.status = 200;
  await gateway.clock.advance(3 * 60_000);
  deepEqual(web.names(), ['ObjectCreated:Put k', 'ObjectRemoved:Delete k']);
  await gateway.clock.advance(60_000);
  deepEqual(
    gateway.cluster.objectNames().filter((name) => name.includes('index/index/')),
    [],
  );
  deepEqual(gateway.cluster.rows('buckets'), []);
  await gateway.gateway.close();
});

test('events stay where they are when their keys go to another shard, and are told', async () => {
  const { web, gateway, put, queued } = await bench({ shardEntriesMax: 10, splitIntervalMs: 1000 });
  web.state.status = undefined;
  const keys = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`);
  for (const key of keys) await put(key);
  await gateway.clock.advance(60_000);
  const record = bucketFormat.decode(
    gateway.cluster.rows('buckets').find(([row]) => row[0] === 'p'.charCodeAt(0))?.[1] ??
      new Uint8Array(),
  );
  ok(shardsOf(record).length > 2, 'it was split');
  for (const key of keys) equal((await put(key)).status, 200);
  equal(queued().length, 80);
  web.state.status = 200;
  await gateway.clock.advance(5 * 60_000);
  equal(web.state.posts.length, 80);
  deepEqual(queued(), []);
  const sequencers = new Map<string, string[]>();
  for (const { s3 } of web.records()) {
    const { key, sequencer } = s3.object;
    sequencers.set(key, [...(sequencers.get(key) ?? []), sequencer]);
  }
  for (const [key, of] of sequencers) ok(of.length === 2 && of[0] !== of[1], key);
  deepEqual(gateway.failures, []);
  await gateway.gateway.close();
});

test('lifecycle rules are told of as such', async () => {
  const day = 86_400_000;
  const { web, gateway, put, enable, done } = await bench({ lifecycleIntervalMs: 60_000 });
  await enable(configuration(rule(['s3:LifecycleExpiration:*', 's3:ObjectRemoved:*'])));
  const lifecycle =
    '<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>';
  await done({
    method: 'PUT',
    path: '/photos',
    query: { lifecycle: '' },
    body: lifecycle,
  });
  await put('old');
  gateway.wallMs += 3 * day;
  await gateway.clock.advance(180_000);
  deepEqual(web.names(), ['LifecycleExpiration:Delete old']);
  await gateway.gateway.close();
});

test('a configuration is shown as it was put, one rule of it alone, and taken away', async () => {
  const { gateway, send, done, enable } = await bench();
  const get = (id = '') => send({ method: 'GET', path: '/photos', query: { notification: id } });
  const two = rule(['s3:ObjectCreated:Put']).replace('<Id>all</Id>', '');
  equal((await enable(configuration(rule(), two))).status, 200);
  const shown = await bodyText(await get());
  match(
    shown,
    /<TopicConfiguration><Id>all<\/Id><Topic>arn:aws:sns:us-east-1:alice:events<\/Topic>/,
  );
  match(shown, /<Id>[0-9a-f]{32}<\/Id>/);
  ok(!(await bodyText(await get('all'))).includes('s3:ObjectCreated:Put<'));
  equal(await errorCode(await get('none')), 'NoSuchKey');
  await done({ method: 'DELETE', path: '/photos', query: { notification: 'all' } });
  ok(!(await bodyText(await get())).includes('<Id>all</Id>'));
  equal((await enable(configuration())).status, 200);
  match(await bodyText(await get()), /<NotificationConfiguration xmlns="[^"]*"><\/Notif/);
  await gateway.gateway.close();
});

test('what can not be is refused, and what is not there by its name', async () => {
  const { gateway, send, enable, sns } = await bench();
  const filter = (name: string): string =>
    `<Filter><S3Key><FilterRule><Name>${name}</Name><Value>v</Value></FilterRule></S3Key></Filter>`;
  for (const [body, code] of [
    [configuration(rule(['s3:ObjectRestore:*'])), 'NotImplemented'],
    [configuration(rule(['s3:ObjectLifecycle:Expiration:Current'])), 'NotImplemented'],
    [configuration(rule(['s3:Nonsense'])), 'InvalidArgument'],
    [configuration(rule([])), 'MalformedXML'],
    [configuration(rule().replace('alice:events', 'alice:nothing')), 'InvalidArgument'],
    [configuration(rule().replace(arn, 'arn:aws:sqs:::q')), 'InvalidArgument'],
    [configuration(rule(), rule()), 'InvalidArgument'],
    [configuration(rule(undefined, filter('middle'))), 'InvalidArgument'],
    [configuration(rule(undefined, filter('regex'))), 'NotImplemented'],
    [configuration(rule(undefined, '<Filter><S3Tags/></Filter>')), 'NotImplemented'],
    [configuration('<QueueConfiguration/>'), 'NotImplemented'],
    [configuration('<EventBridgeConfiguration/>'), 'NotImplemented'],
    [configuration('<Other/>'), 'MalformedXML'],
    ['<Wrong/>', 'MalformedXML'],
  ] as const)
    equal(await errorCode(await enable(body)), code, body);
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const asked = { method, path: '/photos', query: notification, user: bob };
    equal(await errorCode(await send(asked)), 'AccessDenied', method);
  }
  await send({ method: 'PUT', path: '/bobs', user: bob });
  const foreign = () =>
    send({
      method: 'PUT',
      path: '/bobs',
      query: notification,
      body: configuration(rule()),
      user: bob,
    });
  equal(await errorCode(await foreign()), 'AccessDenied');
  const policy = JSON.stringify({
    Statement: {
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'sns:Publish',
      Resource: arn,
      Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::bobs' } },
    },
  });
  await sns('SetTopicAttributes', {
    TopicArn: arn,
    AttributeName: 'Policy',
    AttributeValue: policy,
  });
  equal((await foreign()).status, 200);
  await gateway.gateway.close();
});
