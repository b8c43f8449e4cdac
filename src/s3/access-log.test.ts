// Bucket logging: what is put and refused, what a record says, and when log objects are there.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ClientError } from '../client/errors.ts';
import { putEntry } from './index/messages.ts';
import { formatAccessRecord, redactUri } from './protocol/access-record.ts';
import {
  bob,
  bodyBytes,
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  settle,
  sign,
  startTestGateway,
  type TestOptions,
  type Unsigned,
} from './testing/gateway-suite.ts';

const logging = { logging: '' };
const rollMs = 300_000;

function policy(source = 'photos', prefix = 'log/', owner = 'alice'): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Principal: { Service: 'logging.s3.amazonaws.com' },
      Action: 's3:PutObject',
      Resource: `arn:aws:s3:::logs/${prefix}`,
      Condition: {
        ArnLike: { 'aws:SourceArn': `arn:aws:s3:::${source}` },
        StringEquals: { 'aws:SourceAccount': owner },
      },
    },
  });
}

function configuration(more = '', target = 'logs', prefix = 'log/'): string {
  return `<BucketLoggingStatus><LoggingEnabled><TargetBucket>${target}</TargetBucket><TargetPrefix>${prefix}</TargetPrefix>${more}</LoggingEnabled></BucketLoggingStatus>`;
}

async function bench(options: TestOptions = {}) {
  const gateway = await startTestGateway({ time: 'manual', ...options });
  const send = (unsigned: Unsigned) =>
    gateway.handle(sign({ wallMs: gateway.wallMs, ...unsigned }));
  const done = async (unsigned: Unsigned): Promise<string> => {
    const answer = await send(unsigned);
    const text = await bodyText(answer);
    ok(answer.status < 300, text);
    return text;
  };
  const enable = (body = configuration(), bucket = 'photos') =>
    send({ method: 'PUT', path: `/${bucket}`, query: logging, body });
  await done({ method: 'PUT', path: '/photos' });
  await done({ method: 'PUT', path: '/logs' });
  await done({ method: 'PUT', path: '/logs', query: { policy: '' }, body: policy() });
  const keys = async (): Promise<readonly string[]> => {
    const page = await done({ method: 'GET', path: '/logs' });
    return [...page.matchAll(/<Key>([^<]*)<\/Key>/g)].map((found) => found[1] ?? '');
  };
  const records = async (): Promise<readonly (readonly string[])[]> => {
    let text = '';
    for (const key of await keys()) text += await done({ method: 'GET', path: `/logs/${key}` });
    return text.split('\n').slice(0, -1).map(fieldsOf);
  };
  return { gateway, send, done, enable, keys, records };
}

/** As readers of such logs take a line apart. */
function fieldsOf(line: string): readonly string[] {
  return [...line.matchAll(/\[[^\]]*\]|"[^"]*"|\S+/g)].map(([field]) => field);
}

test('logging is turned on, read and turned off by the owner', async () => {
  const { gateway, send, done, enable } = await bench();
  const read = () => send({ method: 'GET', path: '/photos', query: logging });
  match(await bodyText(await read()), /<BucketLoggingStatus xmlns="[^"]*"><\/BucketLoggingStatus>/);
  equal((await enable()).status, 200);
  const first = await read();
  match(
    await bodyText(first),
    /<LoggingEnabled><TargetBucket>logs<\/TargetBucket><TargetPrefix>log\/<\/TargetPrefix><TargetObjectKeyFormat><SimplePrefix\/>/,
  );
  const changed = headerOf(first, 'last-modified');
  await gateway.clock.advance(5000);
  equal((await enable()).status, 200);
  equal(headerOf(await read(), 'last-modified'), changed, 'the same again changes nothing');
  const by = (user: typeof bob) =>
    send({ method: 'PUT', path: '/photos', query: logging, body: configuration(), user });
  await done({
    method: 'PUT',
    path: '/photos',
    query: { policy: '' },
    body: JSON.stringify({
      Statement: {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:*BucketLogging',
        Resource: 'arn:aws:s3:::photos',
      },
    }),
  });
  equal(await errorCode(await by(bob)), 'AccessDenied');
  equal((await enable('<BucketLoggingStatus/>')).status, 200);
  ok(!(await bodyText(await read())).includes('LoggingEnabled'));
  await gateway.gateway.close();
});

test('what would make no sense is refused, and so is what is not there, by its name', async () => {
  const { gateway, done, enable } = await bench();
  const wide = policy('*').replace('log/"', '*"');
  await done({ method: 'PUT', path: '/logs', query: { policy: '' }, body: wide });
  const partitioned = (source: string) =>
    `<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>${source}</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>`;
  for (const [body, code] of [
    [configuration(partitioned('EventTime')), undefined],
    [configuration(partitioned('kaboom')), 'MalformedXML'],
    [configuration('<LoggingType>Journal</LoggingType>'), 'NotImplemented'],
    [configuration('<LoggingType>kaboom</LoggingType>'), 'MalformedXML'],
    [configuration('<RecordsBatchSize>9</RecordsBatchSize>'), 'NotImplemented'],
    [configuration('<Filter/>'), 'NotImplemented'],
    [configuration('<ObjectRollTime>0</ObjectRollTime>'), 'MalformedXML'],
    [configuration('<Other/>'), 'MalformedXML'],
    [configuration('', 'photos'), 'InvalidArgument'],
    [configuration('', 'missing'), 'NoSuchKey'],
    [configuration('', 'logs', 'x'.repeat(513)), 'InvalidArgument'],
  ] as const)
    equal(await errorCode(await enable(body)), code, body);
  const encryption =
    '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>';
  const query = { encryption: '' };
  await done({ method: 'PUT', path: '/logs', query, body: encryption });
  equal(await errorCode(await enable()), 'InvalidArgument');
  await done({ method: 'DELETE', path: '/logs', query });
  await done({ method: 'PUT', path: '/other' });
  const ofOther = wide.replace('logs/*', 'photos/*');
  await done({ method: 'PUT', path: '/photos', query: { policy: '' }, body: ofOther });
  equal(await errorCode(await enable(configuration('', 'photos'), 'other')), 'InvalidArgument');
  await gateway.gateway.close();
});

test('the target’s policy must let the records of this bucket, and of this owner, in', async () => {
  const { gateway, done, enable } = await bench();
  for (const [document, code] of [
    [policy('other'), 'AccessDenied'],
    [policy('photos', 'elsewhere'), 'AccessDenied'],
    [policy('photos', 'log/', 'bob'), 'AccessDenied'],
    [policy().replace('PutObject', 'GetObject'), 'AccessDenied'],
    [policy().replace('{"Service":"logging.s3.amazonaws.com"}', '"*"'), 'AccessDenied'],
    [policy('*', '*'), undefined],
    [policy(), undefined],
  ] as const) {
    await done({ method: 'PUT', path: '/logs', query: { policy: '' }, body: document });
    equal(await errorCode(await enable()), code, document);
  }
  await done({ method: 'DELETE', path: '/logs', query: { policy: '' } });
  equal(await errorCode(await enable()), 'AccessDenied');
  await gateway.gateway.close();
});

test('after their time the records of all requests are one object', async () => {
  const { gateway, send, done, enable, keys, records } = await bench();
  await enable();
  const answer = await send({ method: 'PUT', path: '/photos/a b"c', body: 'bytes' });
  await done({ method: 'GET', path: '/photos/a b"c', headers: { 'user-agent': 'say "hi"\\' } });
  await send({ method: 'GET', path: '/photos/missing' });
  await send({ method: 'GET', path: '/photos', user: bob });
  await send({ method: 'POST', path: '/photos', query: { delete: '' }, body: '<Delete/>' });
  await gateway.clock.advance(rollMs - 1);
  deepEqual(await keys(), []);
  await gateway.clock.advance(1);
  const [key = '', ...others] = await keys();
  equal(others.length, 0);
  match(key, /^log\/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}00000001$/);
  const all = await records();
  deepEqual(
    all.map((fields) => fields.length),
    [26, 26, 26, 26, 26],
  );
  deepEqual(
    all.map((fields) => [4, 6, 7, 9, 10, 11, 12].map((i) => fields[i])),
    [
      ['alice', 'REST.PUT.OBJECT', 'a%20b%22c', '200', '-', '-', '5'],
      ['alice', 'REST.GET.OBJECT', 'a%20b%22c', '200', '-', '5', '5'],
      ['alice', 'REST.GET.OBJECT', 'missing', '404', 'NoSuchKey', all[2]?.[11], '-'],
      ['bob', 'REST.GET.BUCKET', '-', '403', 'AccessDenied', all[3]?.[11], '-'],
      ['alice', 'REST.POST.DELETE_MULTI_OBJECT', '-', '400', 'MalformedXML', all[4]?.[11], '-'],
    ],
  );
  const [put = [], get = []] = all;
  deepEqual(
    [put[0], put[1], put[3], put[5], put[8], put[15], put[19], put[21], put[22], put[25]],
    [
      'alice',
      'photos',
      '127.0.0.1',
      headerOf(answer, 'x-amz-request-id'),
      '"PUT /photos/a%20b%22c HTTP/1.1"',
      '"-"',
      'SigV4',
      'AuthHeader',
      'localhost',
      '-',
    ],
  );
  match(put[2] ?? '', /^\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\]$/);
  equal(get[16], '"say %22hi%22%5C"');
  deepEqual(gateway.failures, []);
  await gateway.gateway.close();
});

test('each key of a multi-object delete has a record, and an access list that let in is named', async () => {
  const { gateway, send, done, enable, records } = await bench();
  for (const key of ['a', 'b'])
    await done({
      method: 'PUT',
      path: `/photos/${key}`,
      body: key,
      headers: { 'x-amz-acl': 'public-read' },
    });
  await enable();
  const read = await gateway.handle({
    method: 'GET',
    target: '/photos/a',
    headers: [['host', 'localhost']],
    body: bodyOf(),
    remote: '[::1]:99',
  });
  equal(await bodyText(read), 'a');
  const body =
    '<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>bad</VersionId></Object></Delete>';
  await done({ method: 'POST', path: '/photos', query: { delete: '' }, body });
  await send({ method: 'POST', path: '/photos', query: logging });
  const shown = (await records()).map((fields) => [3, 4, 6, 7, 9, 21, 25].map((i) => fields[i]));
  deepEqual(shown.sort(), [
    ['127.0.0.1', 'alice', 'REST.POST.DELETE_MULTI_OBJECT', 'a', '200', 'AuthHeader', '-'],
    ['127.0.0.1', 'alice', 'REST.POST.DELETE_MULTI_OBJECT', 'b', '400', 'AuthHeader', '-'],
    ['::1', '-', 'REST.GET.OBJECT', 'a', '200', '-', 'Yes'],
  ]);
  await gateway.gateway.close();
});

test('a form posted by anybody is recorded with the key that it names', async () => {
  const { gateway, done, enable, records } = await bench();
  await enable();
  const text =
    '--edge\r\nContent-Disposition: form-data; name="key"\r\n\r\nform/key\r\n--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--edge--\r\n';
  const answer = await gateway.handle({
    method: 'POST',
    target: '/photos',
    headers: [
      ['host', 'localhost'],
      ['content-type', 'multipart/form-data; boundary=edge'],
      ['content-length', String(text.length)],
    ],
    body: bodyOf(new TextEncoder().encode(text)),
    remote: '127.0.0.1:1',
  });
  equal(answer.status, 403);
  await done({ method: 'POST', path: '/photos', query: logging });
  const shown = (await records()).map((fields) => [4, 6, 7, 9, 10, 21].map((i) => fields[i]));
  deepEqual(shown, [['-', 'REST.POST.OBJECT', 'form/key', '403', 'AccessDenied', '-']]);
  await gateway.gateway.close();
});

test('a presigned URL is recorded without its signature, also where that is wrong', async () => {
  const { gateway, done, enable, records } = await bench();
  await enable();
  // A request that nobody signed well is recorded where the gateway knows the bucket.
  await done({ method: 'GET', path: '/photos' });
  const query = { 'X-Amz-Signature': 'guessed', 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256' };
  const search = new URLSearchParams(query).toString();
  const answer = await gateway.handle({
    method: 'GET',
    target: `/photos/key?${search}`,
    headers: [['host', 'localhost']],
    body: bodyOf(),
    remote: '127.0.0.1:1',
  });
  ok(answer.status >= 400);
  await done({ method: 'POST', path: '/photos', query: logging });
  const [, record = []] = await records();
  equal(
    record[8],
    '"GET /photos/key?X-Amz-Signature=REDACTED&X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1"',
  );
  deepEqual([record[4], record[21]], ['-', '-']);
  await gateway.gateway.close();
});

test('neither signatures nor tokens are in a record', () => {
  equal(
    redactUri(
      '/b/k?a=1&X-Amz-Signature=abc&x-amz-security-token=t&X-Amz-Sign%61ture=abc&Signature=d',
    ),
    '/b/k?a=1&X-Amz-Signature=REDACTED&x-amz-security-token=REDACTED&X-Amz-Sign%61ture=REDACTED&Signature=REDACTED',
  );
  const line = formatAccessRecord({
    bucketOwner: 'o',
    bucket: 'b',
    wallMs: 0,
    remoteIp: '1.2.3.4',
    requester: 'arn:aws:iam::123456789012:user/a',
    requestId: 'R',
    operation: 'REST.GET.OBJECT',
    key: 'k\n',
    method: 'GET',
    target: `/b/k?Signature=secret&x=${'y'.repeat(5000)}`,
    status: 200,
    errorCode: undefined,
    bytesSent: 7,
    objectBytes: 8,
    totalMs: 12.9,
    turnAroundMs: 3.1,
    referer: 'http://h/?X-Amz-Signature=secret',
    userAgent: 'a\r\nb',
    versionId: 'v',
    hostId: 'H',
    signatureVersion: 'SigV2',
    authentication: 'QueryString',
    hostHeader: 'h:1',
    aclRequired: false,
  });
  ok(!line.includes('secret'));
  equal(line.indexOf('\n'), line.length - 1);
  ok(line.length < 5000);
  const fields = fieldsOf(line);
  equal(fields[8]?.length, 4098);
  equal(
    fields.filter((_, i) => i !== 8).join(' '),
    'o b [01/Jan/1970:00:00:00 +0000] 1.2.3.4 arn:aws:iam::123456789012:user/a R REST.GET.OBJECT k%0A 200 - 7 8 12 3 "http://h/?X-Amz-Signature=REDACTED" "a%0D%0Ab" v H SigV2 - QueryString h:1 - - -',
  );
});

test('buckets with one prefix share an object; partitioned ones have places of their own', async () => {
  const { gateway, done, enable, keys } = await bench();
  await done({ method: 'PUT', path: '/other' });
  await done({ method: 'PUT', path: '/logs', query: { policy: '' }, body: policy('*', '*') });
  const both = async (body: string): Promise<void> => {
    for (const bucket of ['photos', 'other']) {
      equal((await enable(body, bucket)).status, 200);
      await done({ method: 'PUT', path: `/${bucket}/key`, body: 'x' });
    }
    await gateway.clock.advance(rollMs);
  };
  await both(configuration());
  equal((await keys()).length, 1);
  const events = configuration(
    '<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>',
    'logs',
    'p/',
  );
  await both(events);
  const placed = (await keys()).filter((key) => key.startsWith('p/'));
  equal(placed.length, 2);
  match(
    placed[0] ?? '',
    /^p\/alice\/us-east-1\/other\/(\d{4})\/(\d\d)\/(\d\d)\/\1-\2-\3-00-00-00-[0-9A-F]{16}0000000\d$/,
  );
  ok(placed[1]?.startsWith('p/alice/us-east-1/photos/'));
  await gateway.gateway.close();
});

test('what a download came to is recorded at its end, not before', async () => {
  const { gateway, send, done, enable, records } = await bench();
  await enable();
  const size = 100_000;
  await done({ method: 'PUT', path: '/photos/large', body: new Uint8Array(size) });
  const answer = await send({ method: 'GET', path: '/photos/large' });
  await gateway.clock.advance(1500);
  equal((await bodyBytes(answer)).length, size);
  await done({ method: 'POST', path: '/photos', query: logging });
  const get = (await records()).find((fields) => fields[6] === 'REST.GET.OBJECT');
  deepEqual([get?.[11], get?.[12], get?.[13], get?.[14]], ['100000', '100000', '1500', '0']);
  await gateway.gateway.close();
});

test('a gateway that stops delivers what it has', async () => {
  const { gateway, done, enable, keys } = await bench();
  await enable();
  await done({ method: 'PUT', path: '/photos/key', body: 'x' });
  await gateway.gateway.close();
  equal((await keys()).length, 1);
  deepEqual(gateway.failures, []);
});

test('a delivery is tried a few times, then its records are counted as lost; requests do not notice', async () => {
  const { gateway, done, enable, keys } = await bench();
  await enable();
  await done({ method: 'PUT', path: '/photos/key', body: 'x' });
  let refused = 0;
  gateway.cluster.fault = (operation, method) => {
    if (operation !== 'call' || method !== putEntry.name || refused >= 3) return;
    refused++;
    throw new ClientError('unavailable', 'the index is away');
  };
  await gateway.clock.advance(rollMs + 30_000);
  equal(refused, 3);
  equal((await keys()).length, 1, 'one object, of the fourth try');
  await done({ method: 'DELETE', path: '/logs', query: { policy: '' } });
  await done({ method: 'PUT', path: '/photos/key', body: 'x' });
  await gateway.clock.advance(rollMs + 30_000);
  equal((await keys()).length, 1);
  const lost = gateway.logged.filter((line) => line.includes('records of access logs are lost'));
  equal(lost.length, 1);
  match(lost[0] ?? '', /"count":1,"bucket":"logs","reason":"Access Denied"/);
  await gateway.gateway.close();
});

test('what waits is bounded: more is lost, and said so once', async () => {
  const { gateway, done, enable, keys } = await bench();
  await enable();
  const stuck: (() => void)[] = [];
  gateway.cluster.fault = async (operation) => {
    if (operation === 'put-blob') await new Promise<void>((resolve) => stuck.push(resolve));
  };
  const query = { x: 'y'.repeat(4000) };
  const request = sign({ method: 'HEAD', path: '/photos/none', query, wallMs: gateway.wallMs });
  for (let i = 0; i < 2000; i++) await gateway.handle({ ...request, body: bodyOf() });
  const lost = gateway.logged.filter((line) => line.includes('too many records wait'));
  equal(lost.length, 1);
  gateway.cluster.fault = () => {};
  for (const resolve of stuck) resolve();
  for (let turn = 0; turn < 100; turn++) await settle();
  const sizes = await done({ method: 'GET', path: '/logs' });
  ok((await keys()).length >= 3);
  for (const [, size] of sizes.matchAll(/<Size>(\d+)<\/Size>/g)) ok(Number(size) <= 1_100_000);
  await gateway.gateway.close();
  match(gateway.logged.at(-1) ?? '', /records of access logs are lost/);
});
