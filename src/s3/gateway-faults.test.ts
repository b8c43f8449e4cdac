// What the gateway does when clients, blobs or the index fail: nothing acknowledged is lost, nothing
// referred to is deleted, nothing short is taken for whole, and what nobody refers to is collected.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { DecodeError, decode, encode } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import { BodyError, type BodySource, type HttpResponse } from '../env/http.ts';
import * as messages from './index/messages.ts';
import {
  alice,
  bob,
  bodyBytes,
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  settle,
  sha256Hex,
  sign,
  signingContext,
  signText,
  startTestGateway,
  type TestGateway,
  type TestOptions,
  type Unsigned,
} from './testing/gateway-suite.ts';

const mebibyte = 1024 * 1024;

interface Bench extends TestGateway {
  send(unsigned: Unsigned): Promise<HttpResponse>;
  put(key: string, body: Uint8Array | string): Promise<HttpResponse>;
  get(key: string): Promise<HttpResponse>;
  /** Lets the collector's next round pass. */
  collect(): Promise<void>;
  garbageRows(): number;
}

async function start(options: TestOptions = {}): Promise<Bench> {
  const gateway = await startTestGateway({ time: 'manual', ...options });
  const send = (unsigned: Unsigned): Promise<HttpResponse> =>
    gateway.handle(sign({ wallMs: gateway.wallMs, ...unsigned }));
  const bench: Bench = Object.assign(gateway, {
    send,
    put: (key: string, body: Uint8Array | string) =>
      send({ method: 'PUT', path: `/bucket/${key}`, body }),
    get: (key: string) => send({ method: 'GET', path: `/bucket/${key}` }),
    collect: () => gateway.clock.advance(120_000),
    garbageRows: () =>
      gateway.cluster
        .objectNames()
        .flatMap((name) => gateway.cluster.rows(name.slice('.index/'.length)))
        .filter(([key]) => key[0] === 0x67).length,
  });
  equal((await send({ method: 'PUT', path: '/bucket' })).status, 200);
  return bench;
}

test('a body whose digest is wrong changes nothing, and its blobs are collected', async () => {
  const bench = await start();
  await bench.put('key', 'old');
  const body = randomBytes(5 * mebibyte);
  const wrong: readonly [Partial<Unsigned>, string][] = [
    [{ headers: { 'content-md5': createHash('md5').digest('base64') } }, 'BadDigest'],
    [{ payloadHash: sha256Hex('other') }, 'XAmzContentSHA256Mismatch'],
    [{ headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }, 'BadDigest'],
    [{ source: bodyOf(body.subarray(1)) }, 'IncompleteBody'],
    [{ source: bodyOf(body, Buffer.from('x')) }, 'IncompleteBody'],
  ];
  for (const [flaw, code] of wrong) {
    const response = await bench.send({ method: 'PUT', path: '/bucket/key', body, ...flaw });
    equal(await errorCode(response), code);
  }
  equal(await bodyText(await bench.get('key')), 'old');
  await settle();
  ok(bench.cluster.blobs.size > 0);
  await bench.collect();
  ok(bench.cluster.blobs.size > 0, 'not before the grace');
  await bench.clock.advance(16 * 60_000);
  await bench.collect();
  equal(bench.cluster.blobs.size, 0);
  equal(bench.garbageRows(), 0);
  deepEqual(bench.failures, []);
});

test('keys, metadata and headers that are too long are refused by S3’s own names, and nothing is stored', async () => {
  const bench = await start();
  const put = (key: string, headers: Record<string, string> = {}) =>
    bench.send({ method: 'PUT', path: `/bucket/${key}`, headers, body: 'x' });
  const meta = (bytes: number) => ({ 'x-amz-meta-a': 'x'.repeat(bytes - 1) });
  for (const [response, code] of [
    [await put('k'.repeat(1025)), 'KeyTooLongError'],
    // 342 characters, and two bytes more than fit.
    [await put('€'.repeat(342)), 'KeyTooLongError'],
    [await put('key', meta(2049)), 'MetadataTooLarge'],
    [await put('key', { 'x-other': 'x'.repeat(16 * 1024) }), 'RequestHeaderSectionTooLarge'],
  ] as const) {
    equal(response.status, 400);
    equal(await errorCode(response), code);
  }
  const listing = await bodyText(await bench.send({ method: 'GET', path: '/bucket' }));
  ok(!listing.includes('<Contents>'), listing);
  for (const [key, headers] of [
    ['k'.repeat(1024), {}],
    ['€'.repeat(341), {}],
    ['key', meta(2048)],
    ['key', { 'x-other': 'x'.repeat(15 * 1024) }],
  ] as const)
    equal((await put(key, headers)).status, 200);
});

test('a put whose answer got lost has happened, and its blobs stay', async () => {
  const bench = await start();
  const body = randomBytes(5 * mebibyte);
  bench.cluster.lostAnswer = (_operation, name) => {
    if (name === 's3.put-version')
      throw new ClientError('unavailable', 'pg 1.1.4: the primary is gone');
  };
  const response = await bench.put('key', body);
  equal(response.status, 503);
  match(await bodyText(response), /ServiceUnavailable.*pg 1\.1\.4: the primary is gone/s);
  bench.cluster.lostAnswer = () => {};
  for (let i = 0; i < 3; i++) await bench.clock.advance(20 * 60_000);
  ok((await bodyBytes(await bench.get('key'))).equals(body));
});

test('replaced and deleted objects give their blobs back after the grace, not before', async () => {
  const bench = await start();
  await bench.put('a', randomBytes(9 * mebibyte));
  await bench.put('b', randomBytes(mebibyte));
  equal(bench.cluster.blobs.size, 4);
  await bench.put('a', 'small now');
  await bench.send({ method: 'DELETE', path: '/bucket/b' });
  await bench.collect();
  equal(bench.cluster.blobs.size, 4);
  bench.cluster.holdsJobs = false;
  await bench.clock.advance(30 * 60_000);
  equal(bench.cluster.blobs.size, 4, 'another gateway holds the job');
  bench.cluster.holdsJobs = true;
  await bench.collect();
  equal(bench.cluster.blobs.size, 0);
  equal(bench.garbageRows(), 0);
  equal(await bodyText(await bench.get('a')), 'small now');
});

test('garbage younger than a read under way is left alone', async () => {
  const bench = await start();
  const body = randomBytes(20 * mebibyte);
  await bench.put('key', body);
  const reading = await bench.get('key');
  await bench.put('key', 'replaced');
  await bench.clock.advance(60 * 60_000);
  ok((await bodyBytes(reading)).equals(body), 'a slow reader gets the whole old object');
  // Until all gateways know that it has ended.
  await bench.clock.advance(4 * 60_000);
  await bench.collect();
  equal(bench.cluster.blobs.size, 0);
});

test('a gateway spares what it reads itself also while the registry takes no writes', async () => {
  const bench = await start();
  const body = randomBytes(20 * mebibyte);
  await bench.put('key', body);
  const reading = await bench.get('key');
  await bench.put('key', 'replaced');
  let notes = 0;
  bench.cluster.fault = async (_, detail) => {
    if (detail !== messages.noteLongRead.name) return;
    // The second is what an answer is that makes no sense.
    if (notes++ % 2 === 0) throw new ClientError('unavailable', 'for a test');
    throw new DecodeError('for a test');
  };
  await bench.clock.advance(60 * 60_000);
  ok(notes > 2, 'it goes on saying so');
  ok((await bodyBytes(reading)).equals(body), 'it gets the whole old object');
  await bench.collect();
  equal(bench.cluster.blobs.size, 0);
});

test('nobody waits for a read for longer than a day, and it is never short', async () => {
  const bench = await start();
  await bench.put('key', randomBytes(20 * mebibyte));
  const reading = await bench.get('key');
  await bench.put('key', 'replaced');
  await bench.clock.advance(23 * 60 * 60_000);
  ok(bench.cluster.blobs.size > 0, 'for most of a day it is waited for');
  await bench.clock.advance(2 * 60 * 60_000);
  equal(bench.cluster.blobs.size, 0);
  await rejects(bodyBytes(reading), ClientError);
});

test('a blob that is lost in the middle breaks the body, and never ends it short', async () => {
  const bench = await start();
  await bench.put('key', randomBytes(20 * mebibyte));
  const response = await bench.get('key');
  equal(response.status, 200);
  for (const name of [...bench.cluster.blobs.keys()].slice(1)) bench.cluster.blobs.delete(name);
  await rejects(bodyBytes(response), ClientError);
  bench.cluster.blobs.clear();
  const gone = await bench.get('key');
  equal(gone.status, 500);
  equal(await errorCode(gone), 'InternalError');
});

test('an object replaced and collected between entry and first blob is read anew', async () => {
  const bench = await start();
  await bench.put('key', randomBytes(mebibyte));
  let replaced = false;
  bench.cluster.fault = async (operation) => {
    if (operation !== 'read-blob' || replaced) return;
    replaced = true;
    await bench.put('key', 'the new one');
    bench.cluster.blobs.clear();
  };
  equal(await bodyText(await bench.get('key')), 'the new one');
});

test('a client that sends nothing for a minute is told so', async () => {
  const bench = await start();
  const never: BodySource = { next: () => new Promise(() => {}) };
  const answer = bench.send({ method: 'PUT', path: '/bucket/key', body: 'xx', source: never });
  await settle();
  await bench.clock.advance(59_000);
  await bench.clock.advance(2_000);
  equal(await errorCode(await answer), 'RequestTimeout');
  equal((await bench.get('key')).status, 404);
});

test('a client that goes away leaves nothing but garbage', async () => {
  const bench = await start();
  const body = randomBytes(6 * mebibyte);
  let pulls = 0;
  const source: BodySource = {
    next: async () => {
      if (pulls++ === 0) return body.subarray(0, 5 * mebibyte);
      throw new BodyError('gone');
    },
  };
  const response = await bench.send({ method: 'PUT', path: '/bucket/key', body, source });
  equal(await errorCode(response), 'IncompleteBody');
  await settle();
  equal(bench.garbageRows(), 1);
});

test('a full cluster and a failing put are answered as such, and later puts work', async () => {
  const bench = await start();
  bench.cluster.fault = (operation) => {
    if (operation === 'put-blob') throw new ClientError('no-space', 'osd.3 is full');
  };
  const response = await bench.put('key', randomBytes(9 * mebibyte));
  equal(response.status, 507);
  equal(await errorCode(response), 'InsufficientStorage');
  bench.cluster.fault = () => {};
  equal((await bench.put('key', randomBytes(9 * mebibyte))).status, 200);
});

test('a writer that was declared dead commits nothing in that shard', async () => {
  const bench = await start();
  const [object] = bench.cluster.objectNames().filter((name) => name.startsWith('.index/index/'));
  await bench.cluster.call(
    '.index',
    object?.slice('.index/'.length) ?? '',
    messages.cancelWriters.name,
    encode(messages.cancelWriters.argument, {
      writers: [{ first: bench.cluster.incarnation, count: 1 }],
    }),
  );
  const response = await bench.put('key', randomBytes(mebibyte));
  equal(response.status, 503);
  equal((await bench.get('key')).status, 404);
  equal(bench.garbageRows(), 1, 'what was refused is garbage in the same call');
  equal((await bench.put('key', 'inline objects have no blobs')).status, 200);
});

test('a conditional put that is refused leaves its blobs to the collector', async () => {
  const bench = await start();
  await bench.put('key', 'there');
  const response = await bench.send({
    method: 'PUT',
    path: '/bucket/key',
    body: randomBytes(mebibyte),
    headers: { 'if-none-match': '*' },
  });
  equal(await errorCode(response), 'PreconditionFailed');
  await bench.clock.advance(20 * 60_000);
  await bench.collect();
  equal(bench.cluster.blobs.size, 0);
});

test('of many writers who all want to be first, one is', async () => {
  const bench = await start();
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      bench.send({
        method: 'PUT',
        path: '/bucket/key',
        body: String(i),
        headers: { 'if-none-match': '*' },
      }),
    ),
  );
  const winners = responses.flatMap(({ status }, i) => (status === 200 ? [i] : []));
  equal(winners.length, 1);
  equal(await bodyText(await bench.get('key')), String(winners[0]));
});

test('a removed bucket is emptied of uploads and garbage, down to its last row', async () => {
  const bench = await start();
  const created = await bodyText(
    await bench.send({ method: 'POST', path: '/bucket/key', query: { uploads: '' }, body: '' }),
  );
  const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
  const part = await bench.send({
    method: 'PUT',
    path: '/bucket/key',
    query: { uploadId, partNumber: '1' },
    body: randomBytes(mebibyte),
  });
  equal(part.status, 200);
  await bench.put('b', randomBytes(mebibyte));
  await bench.send({ method: 'DELETE', path: '/bucket/b' });
  equal((await bench.send({ method: 'DELETE', path: '/bucket' })).status, 204);
  equal((await bench.send({ method: 'HEAD', path: '/bucket' })).status, 404);
  const late = await bench.send({
    method: 'PUT',
    path: '/bucket/key',
    query: { uploadId, partNumber: '2' },
    body: 'late',
  });
  equal(await errorCode(late), 'NoSuchBucket');
  for (let i = 0; i < 4; i++) await bench.clock.advance(20 * 60_000);
  equal(bench.cluster.blobs.size, 0);
  deepEqual(bench.cluster.objectNames(), [], 'no row is left');
});

test('a bucket whose removal stopped half-way is removed by the next who meets it', async () => {
  const bench = await start();
  bench.cluster.fault = (_operation, name) => {
    if (name === 's3.remove-bucket') throw new ClientError('unavailable', 'mid-way');
  };
  equal((await bench.send({ method: 'DELETE', path: '/bucket' })).status, 503);
  bench.cluster.fault = () => {};
  equal(await errorCode(await bench.put('key', 'x')), 'NoSuchBucket');
  equal((await bench.send({ method: 'PUT', path: '/bucket', user: bob })).status, 200);
  equal(await errorCode(await bench.put('key', 'x')), 'AccessDenied');
});

test('a removed and recreated bucket is found by a gateway that remembered the old one', async () => {
  const bench = await start();
  await bench.put('key', 'x');
  await bench.send({ method: 'DELETE', path: '/bucket/key' });
  const { removeBucket, createBucket, getBucket, sealShard, openShard } = messages;
  const call = async <A, R>(object: string, each: messages.Call<A, R>, argument: A) =>
    bench.cluster.call('.index', object, each.name, encode(each.argument, argument));
  const { bucketFormat } = await import('./index/format.ts');
  const { record } = decode(getBucket.result, await call('buckets', getBucket, { name: 'bucket' }));
  ok(record !== undefined);
  const old = bucketFormat.decode(record);
  await call(old.ranges[0]?.object ?? '', sealShard, {});
  await call('buckets', removeBucket, { name: 'bucket', bucketId: old.bucketId });
  const ranges = [{ beginKey: new Uint8Array(0), object: 'index/fresh/0' }];
  await call('index/fresh/0', openShard, {});
  await call('buckets', createBucket, {
    name: 'bucket',
    record: bucketFormat.encode({ ...old, bucketId: 'fresh', ranges }),
    cancelled: [],
    documents: [],
  });
  equal((await bench.put('key', 'in the new one')).status, 200);
  ok(bench.cluster.rows('index/fresh/0').length > 1);
});

test('a large body passes through a bounded buffer', async () => {
  const bench = await start({ budgetBytes: 16 * mebibyte });
  const body = randomBytes(40 * mebibyte);
  const waiting: (() => void)[] = [];
  bench.cluster.fault = async (operation) => {
    if (operation === 'put-blob') await new Promise<void>((resolve) => waiting.push(resolve));
  };
  let pulledBytes = 0;
  let at = 0;
  const source: BodySource = {
    next: async () => {
      if (at >= body.length) return undefined;
      const chunk = body.subarray(at, at + 65536);
      at += chunk.length;
      pulledBytes += chunk.length;
      return chunk;
    },
  };
  const answer = bench.send({ method: 'PUT', path: '/bucket/key', body, source });
  for (let i = 0; i < 50; i++) await settle();
  equal(waiting.length, 2, 'two blobs on their way');
  ok(pulledBytes <= 13 * mebibyte, `${pulledBytes} bytes were taken from the client`);
  bench.cluster.fault = () => {};
  for (const resume of waiting) resume();
  equal((await answer).status, 200);
  ok((await bodyBytes(await bench.get('key'))).equals(body));
});

test('writers, readers and copies that need the whole budget many times over all finish', async () => {
  const bench = await start({ budgetBytes: 16 * mebibyte });
  const body = randomBytes(9 * mebibyte);
  await bench.put('source', body);
  // Each cluster operation takes a turn of the event loop, so that requests really overlap.
  bench.cluster.fault = () => settle();
  const work = Array.from({ length: 24 }, async (_, i) => {
    if (i % 3 === 0) return (await bench.put(`put-${i}`, body)).status === 200;
    if (i % 3 === 1) {
      const headers = { 'x-amz-copy-source': '/bucket/source' };
      return (
        (await bench.send({ method: 'PUT', path: `/bucket/copy-${i}`, headers })).status === 200
      );
    }
    return (await bodyBytes(await bench.get('source'))).equals(body);
  });
  deepEqual(await Promise.all(work), Array(24).fill(true));
  for (const key of ['put-0', 'put-21', 'copy-1', 'copy-22'])
    ok((await bodyBytes(await bench.get(key))).equals(body), key);
});

test('a body of one-byte pieces is gathered, and streams in unsigned chunks with a trailer', async () => {
  const bench = await start();
  const data = randomBytes(40_000);
  const crc = Buffer.alloc(4);
  const { crc32 } = await import('../base/crc32.ts');
  crc.writeUInt32BE(crc32(data));
  const chunked = Buffer.concat([
    Buffer.from(`${data.length.toString(16)}\r\n`),
    data,
    Buffer.from(`\r\n0\r\nx-amz-checksum-crc32:${crc.toString('base64')}\r\n\r\n`),
  ]);
  const order: Unsigned = {
    method: 'PUT',
    path: '/bucket/key',
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: {
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(data.length),
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-length': String(chunked.length),
    },
  };
  const pieces = Array.from(chunked, (byte) => Uint8Array.of(byte));
  const response = await bench.send({ ...order, source: bodyOf(...pieces) });
  equal(response.status, 200);
  equal(headerOf(response, 'x-amz-checksum-crc32'), crc.toString('base64'));
  const got = await bench.send({
    method: 'GET',
    path: '/bucket/key',
    headers: { 'x-amz-checksum-mode': 'ENABLED' },
  });
  equal(headerOf(got, 'content-encoding'), undefined);
  equal(headerOf(got, 'x-amz-checksum-crc32'), crc.toString('base64'));
  ok((await bodyBytes(got)).equals(data));
  const bad = Buffer.from(chunked);
  bad[100] = (bad[100] ?? 0) ^ 1;
  equal(await errorCode(await bench.send({ ...order, source: bodyOf(bad) })), 'BadDigest');
  const missing = Buffer.from(
    chunked.toString('latin1').replace(/x-amz-checksum-crc32:.*\r\n/, ''),
    'latin1',
  );
  equal(await errorCode(await bench.send({ ...order, source: bodyOf(missing) })), 'InvalidRequest');
});

test('signed chunks are verified before anything is committed', async () => {
  const bench = await start();
  const data = randomBytes(100_000);
  const order: Unsigned = {
    method: 'PUT',
    path: '/bucket/key',
    payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    headers: { 'x-amz-decoded-content-length': String(data.length) },
    wallMs: bench.wallMs,
    source: bodyOf(),
  };
  const context = signingContext(alice, bench.wallMs);
  const build = (tamper: boolean): ReturnType<typeof sign> => {
    const head = sign(order);
    let previous = head.signature;
    const chunks = [data.subarray(0, 65536), data.subarray(65536), Buffer.alloc(0)].map((chunk) => {
      previous = signText(
        context,
        `AWS4-HMAC-SHA256-PAYLOAD\n${context.amzDate}\n${context.scope}\n${previous}\n${sha256Hex('')}\n${sha256Hex(chunk)}`,
      );
      const bytes = Buffer.from(chunk);
      if (tamper && bytes.length > 40_000 && bytes.length < 65536) bytes[0] = (bytes[0] ?? 0) ^ 1;
      return Buffer.concat([
        Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`),
        tamper && chunk.length === 34_464 ? Buffer.from(chunk).reverse() : bytes,
        Buffer.from('\r\n'),
      ]);
    });
    return { ...head, body: bodyOf(...chunks) };
  };
  equal(await errorCode(await bench.handle(build(true))), 'SignatureDoesNotMatch');
  equal((await bench.get('key')).status, 404);
  equal((await bench.handle(build(false))).status, 200);
  ok((await bodyBytes(await bench.get('key'))).equals(data));
});

test('a slow copy keeps the connection alive and puts its failure into the answer', async () => {
  const bench = await start();
  await bench.put('source', randomBytes(mebibyte));
  let fail = (_error: Error): void => {};
  bench.cluster.fault = async (operation) => {
    if (operation === 'put-blob')
      await new Promise((_resolve, reject) => {
        fail = reject;
      });
  };
  const answer = bench.send({
    method: 'PUT',
    path: '/bucket/copy',
    headers: { 'x-amz-copy-source': '/bucket/source' },
  });
  await settle();
  await bench.clock.advance(6_000);
  const response = await answer;
  equal(response.status, 200);
  const { body } = response;
  if (body === undefined || body instanceof Uint8Array) throw new Error('not a stream');
  const first = Buffer.from((await body.next()) ?? []).toString();
  match(first, /^<\?xml/);
  const space = body.next();
  await bench.clock.advance(6_000);
  equal(Buffer.from((await space) ?? []).toString(), ' ');
  const rest = body.next();
  fail(new ClientError('no-space', 'full'));
  match(Buffer.from((await rest) ?? []).toString(), /^<Error><Code>InsufficientStorage</);
  equal(await body.next(), undefined);
});

test('no request, however malformed, is answered with a 500', async () => {
  const bench = await start();
  await bench.put('key', 'x');
  let state = 12345;
  const random = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const words = [
    'acl',
    'uploads',
    'uploadId',
    'partNumber',
    'delete',
    'tagging',
    'max-keys',
    'marker',
    'prefix',
    'list-type',
    'continuation-token',
    'versionId',
    'encoding-type',
    'key-marker',
    'location',
    'upload-id-marker',
    'max-parts',
    'response-content-type',
    'x',
    '__proto__',
    'constructor',
    '',
  ];
  const values = [
    '',
    '0',
    '-1',
    '1',
    '2',
    '99999999999999999999',
    'null',
    'url',
    '\r\nx: y',
    '\0',
    '\u{1f600}',
    'f'.repeat(32),
    'AAAA',
    '=',
    '<&>',
    'bytes=0-',
    '"',
    'Tue',
    'a'.repeat(300),
  ];
  const headerNames = [
    'range',
    'if-match',
    'if-none-match',
    'if-modified-since',
    'if-range',
    'content-md5',
    'x-amz-copy-source',
    'x-amz-copy-source-range',
    'x-amz-checksum-crc32',
    'x-amz-trailer',
    'x-amz-decoded-content-length',
    'x-amz-tagging',
    'x-amz-metadata-directive',
    'x-amz-acl',
    'x-amz-sdk-checksum-algorithm',
    'x-amz-checksum-algorithm',
    'x-amz-checksum-type',
    'x-amz-mp-object-size',
    'x-amz-meta-',
    'content-length',
    'expect',
    'x-amz-storage-class',
    'x-amz-object-ownership',
    'x-amz-expected-bucket-owner',
  ];
  const bodies = [
    '',
    'x',
    '<Delete/>',
    '<Delete><Object><Key>a</Key></Object></Delete>',
    '<Tagging><TagSet/></Tagging>',
    '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>',
    '<CreateBucketConfiguration/>',
    '<a><b></a>',
    '0\r\n\r\n',
    '5\r\nabc',
    '<!DOCTYPE a>',
    '<__proto__/>',
  ];
  const hashes = [
    undefined,
    undefined,
    undefined,
    'UNSIGNED-PAYLOAD',
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'nonsense',
  ];
  for (let i = 0; i < 3000; i++) {
    const query: Record<string, string> = {};
    for (let n = random(3); n > 0; n--) query[pick(words)] = pick(values);
    const headers: Record<string, string> = {};
    for (let n = random(3); n > 0; n--)
      headers[pick(headerNames)] = pick(values).replace(/[^ -~]/gu, '');
    const payloadHash = pick(hashes);
    const request = sign({
      method: pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS']),
      path: pick([
        '/',
        '/bucket',
        '/bucket/key',
        '/bucket/ä/..//',
        '/b',
        '/other/key',
        '/bucket/\0',
      ]),
      query,
      headers,
      body: pick(bodies),
      wallMs: bench.wallMs,
      ...(payloadHash === undefined ? {} : { payloadHash }),
    });
    const mangled =
      random(10) === 0
        ? { ...request, target: pick(['', '*', 'x', '/%', '/a?%', '//', '/?&&=', 'http://']) }
        : request;
    const response = await bench.handle(mangled);
    const text = await bodyText(response);
    ok(
      response.status < 500 || response.status === 501,
      `${i}: ${request.method} ${request.target} ${JSON.stringify(headers)}: ${text} ${bench.logged.at(-1)}`,
    );
    for (const [name, value] of response.headers)
      ok(!/[\r\n\0]/.test(name + value), `${name}: ${value}`);
    if (request.method === 'HEAD') equal(response.body, undefined);
    if (response.status === 204) equal(text, '');
  }
  deepEqual(bench.failures, []);
});
