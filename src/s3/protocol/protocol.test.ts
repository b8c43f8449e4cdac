// Tables for the small parts of the protocol.

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from '../../base/crc32.ts';
import { crc32c } from '../../base/crc32c.ts';
import { crc64nvme } from '../../base/crc64nvme.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { isBucketName } from './bucket-name.ts';
import { parseChecksumClaim, startChecksum } from './checksums.ts';
import { judgeIfRange, judgeRead, readConditionNames } from './conditions.ts';
import {
  CrcCombiner,
  crc32cPolynomial,
  crc32Polynomial,
  crc64nvmePolynomial,
} from './crc-combine.ts';
import {
  formatAmzDate,
  formatHttpDate,
  formatIsoDate,
  parseAmzDate,
  parseHttpDate,
} from './dates.ts';
import { S3Error } from './errors.ts';
import { collectContentHeaders, collectMetadata, parseTaggingHeader } from './object-headers.ts';
import { decodePercent, encodePercent } from './percent.ts';
import { resolveRange } from './ranges.ts';
import { parseRequest } from './request.ts';
import { childrenOf, childText, escapeXml, parseXml } from './xml.ts';

test('ranges', () => {
  const part = (beginBytes: number, endBytes: number) => ({ kind: 'part', beginBytes, endBytes });
  const whole = { kind: 'whole' };
  const unsatisfiable = { kind: 'unsatisfiable' };
  const cases: readonly [string | undefined, number, object][] = [
    [undefined, 10, whole],
    ['bytes=0-0', 10, part(0, 1)],
    ['bytes=2-', 10, part(2, 10)],
    ['bytes=2-99', 10, part(2, 10)],
    ['bytes=-3', 10, part(7, 10)],
    ['bytes=-30', 10, part(0, 10)],
    ['bytes=-0', 10, unsatisfiable],
    ['bytes=10-', 10, unsatisfiable],
    ['bytes=0-', 0, unsatisfiable],
    ['bytes=-1', 0, unsatisfiable],
    ['bytes=5-4', 10, whole],
    ['bytes=0-1,3-4', 10, whole],
    ['bytes=-', 10, whole],
    ['lines=0-1', 10, whole],
    ['bytes=99999999999999999999-', 10, whole],
  ];
  for (const [header, size, expected] of cases)
    deepEqual(resolveRange(header, size), expected, `${header} of ${size}`);
});

test('read conditions', () => {
  const wallMs = Date.UTC(2024, 0, 2, 3, 4, 5) + 678;
  const entry = { etag: 'abc', wallMs };
  const same = 'Tue, 02 Jan 2024 03:04:05 GMT';
  const earlier = 'Tue, 02 Jan 2024 03:04:04 GMT';
  const cases: readonly [Record<string, string>, string][] = [
    [{}, 'serve'],
    [{ 'if-match': '"abc"' }, 'serve'],
    [{ 'if-match': 'abc' }, 'serve'],
    [{ 'if-match': '"x", "abc"' }, 'serve'],
    [{ 'if-match': '*' }, 'serve'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'serve'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': earlier }, 'serve'],
    [{ 'if-modified-since': 'nonsense' }, 'serve'],
    [{ 'if-unmodified-since': same }, 'serve'],
    [{ 'if-unmodified-since': earlier }, 'failed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': earlier }, 'serve'],
    [{ 'if-none-match': '"x"', 'if-modified-since': same }, 'serve'],
  ];
  for (const [headers, expected] of cases)
    equal(
      judgeRead(new Map(Object.entries(headers)), readConditionNames, entry),
      expected,
      JSON.stringify(headers),
    );
  ok(judgeIfRange('"abc"', entry));
  ok(judgeIfRange(same, entry));
  ok(!judgeIfRange('"x"', entry));
  ok(!judgeIfRange(earlier, entry));
});

test('dates agree with the language, over centuries', () => {
  for (let i = 0; i < 2000; i++) {
    const ms = Math.floor((i * 7_919_317_123) % (400 * 365.25 * 86_400_000)) + i * 1001;
    const date = new Date(ms);
    equal(formatIsoDate(ms), date.toISOString());
    equal(formatHttpDate(ms), date.toUTCString());
    const second = Math.floor(ms / 1000) * 1000;
    equal(parseAmzDate(formatAmzDate(ms)), second);
    equal(parseHttpDate(formatHttpDate(ms)), second);
  }
  for (const text of ['20240230T000000Z', '20241301T000000Z', '20240101T240000Z', '2024', ''])
    equal(parseAmzDate(text), undefined, text);
});

test('percent-encoding', () => {
  equal(encodePercent('a b/ä*~', 'kept'), 'a%20b/%C3%A4%2A~');
  equal(encodePercent('a/b', 'encoded'), 'a%2Fb');
  equal(decodePercent('a%20b%2F%C3%A4+'), 'a b/ä+');
  equal(decodePercent('a+b', 'is-space'), 'a b');
  equal(decodePercent('\u00c3\u00a4'), 'ä', 'raw bytes are UTF-8');
  equal(decodePercent('%EF%BB%BFx'), '\ufeffx', 'a byte order mark is kept');
  for (const bad of ['%', '%2', '%zz', '%ff', '%C3']) equal(decodePercent(bad), undefined, bad);
});

test('base64 agrees with the language and refuses everything else', () => {
  for (let length = 0; length < 40; length++) {
    const bytes = randomBytes(length);
    equal(formatBase64(bytes), bytes.toString('base64'));
    deepEqual(parseBase64(bytes.toString('base64')), new Uint8Array(bytes));
  }
  for (const bad of ['a', 'ab', 'abc', 'a===', '====', 'ab c', 'ab\n='])
    equal(parseBase64(bad), undefined, bad);
});

test('joined CRCs are the CRC of the whole', () => {
  const sizes = [0, 1, 5, 4096, 70_001, 3];
  const parts = sizes.map((size) => randomBytes(size));
  const whole = Buffer.concat(parts);
  const cases = [
    [crc32Polynomial, (bytes: Uint8Array) => BigInt(crc32(bytes))],
    [crc32cPolynomial, (bytes: Uint8Array) => BigInt(crc32c(bytes))],
    [crc64nvmePolynomial, (bytes: Uint8Array) => crc64nvme(bytes)],
  ] as const;
  for (const [polynomial, compute] of cases) {
    const combiner = new CrcCombiner(polynomial);
    for (const part of parts) combiner.append(compute(part), part.length);
    equal(combiner.crc, compute(whole));
  }
});

test('checksums of "123456789", in S3\'s form', () => {
  const digest = (algorithm: Parameters<typeof startChecksum>[0]): string => {
    const state = startChecksum(algorithm);
    state.update(Buffer.from('1234'));
    state.update(Buffer.from('56789'));
    return Buffer.from(state.digest(), 'base64').toString('hex');
  };
  equal(digest('CRC32'), 'cbf43926');
  equal(digest('CRC32C'), 'e3069283');
  equal(digest('CRC64NVME'), 'ae8b14860a799888');
  equal(digest('SHA1'), 'f7c3bc1d808e04732adf679965ccc34ca7ae3441');
});

test('a request may name one checksum, and a possible one', () => {
  const claim = (headers: Record<string, string>) =>
    parseChecksumClaim(new Map(Object.entries(headers)));
  equal(claim({}), undefined);
  equal(claim({ 'x-amz-checksum-crc32': 'AAAAAA==' })?.algorithm, 'CRC32');
  equal(claim({ 'x-amz-trailer': 'x-amz-checksum-sha1' })?.inTrailer, true);
  throws(() => claim({ 'x-amz-checksum-crc32': 'AAAA' }), S3Error);
  throws(() => claim({ 'x-amz-trailer': 'x-amz-meta-a' }), S3Error);
  throws(
    () => claim({ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' }),
    S3Error,
  );
});

test('buckets stand in the path or in the host name', () => {
  const parse = (host: string, target: string) => {
    const request = parseRequest(
      {
        method: 'GET',
        target,
        headers: [['Host', host]],
        body: { next: async () => undefined },
        remote: '',
      },
      ['s3.test'],
    );
    return [request.bucket, request.key];
  };
  deepEqual(parse('s3.test', '/b/k/x?y'), ['b', 'k/x']);
  deepEqual(parse('s3.test:80', '/b/'), ['b', undefined]);
  deepEqual(parse('s3.test', '/'), [undefined, undefined]);
  deepEqual(parse('B.s3.test:80', '/k'), ['b', 'k']);
  deepEqual(parse('a.b.s3.test', '//k'), ['a.b', '/k']);
  deepEqual(parse('xs3.test', '/b'), ['b', undefined]);
  deepEqual(parse('127.0.0.1', 'http://127.0.0.1/b/k'), ['b', 'k']);
  deepEqual(parse('s3.test', '/b/%2F/..'), ['b', '//..']);
  throws(() => parse('s3.test', '/b/%ff'), S3Error);
  throws(() => parse('s3.test', `/b/${'k'.repeat(1025)}`), S3Error);
  deepEqual(parse('s3.test', `/b/${'k'.repeat(1024)}`)[1]?.length, 1024);
  throws(() => parse('s3.test', '/b/?a=1&a=2'), S3Error);
});

test('bucket names', () => {
  for (const good of ['abc', 'a-b.c', '1ab', 'a'.repeat(63)]) ok(isBucketName(good), good);
  for (const bad of [
    'ab',
    'A12',
    'a_b',
    '-ab',
    'ab-',
    'a..b',
    '1.2.3.4',
    'a'.repeat(64),
    'xn--a',
    '',
  ])
    ok(!isBucketName(bad), bad);
});

test('headers that an object keeps', () => {
  const headers = new Map([
    ['content-encoding', 'aws-chunked, gzip'],
    ['content-type', 'a/b'],
    ['x-amz-meta-a', '1'],
    ['x-amz-date', '2'],
  ]);
  deepEqual(collectContentHeaders(headers), [
    { name: 'content-type', value: 'a/b' },
    { name: 'content-encoding', value: 'gzip' },
  ]);
  deepEqual(collectContentHeaders(new Map([['content-encoding', 'aws-chunked']])), []);
  deepEqual(collectMetadata(headers), [{ name: 'a', value: '1' }]);
  throws(() => collectMetadata(new Map([['x-amz-meta-a', 'x'.repeat(2048)]])), S3Error);
  deepEqual(parseTaggingHeader('a=b&c%20d='), [
    { name: 'a', value: 'b' },
    { name: 'c d', value: '' },
  ]);
  throws(() => parseTaggingHeader(`a=${'x'.repeat(257)}`), S3Error);
});

test('XML is read with its references and nothing that expands', () => {
  const parse = (text: string) => parseXml(Buffer.from(text), 'A');
  const node = parse(
    '\ufeff<?xml version="1.0"?>\n<s:A xmlns:s="x"> <B>1 &lt;&#x41;&#66;<![CDATA[&amp;]]></B><B/><C> x </C></s:A>',
  );
  deepEqual(
    childrenOf(node, 'B').map((child) => child.text),
    ['1 <AB&amp;', ''],
  );
  equal(childText(node, 'C'), ' x ');
  equal(childText(node, 'D'), undefined);
  const bad = [
    '',
    'x',
    '<A>',
    '<B/>',
    '<A/><A/>',
    '<A>&nbsp;</A>',
    '<A>&amp</A>',
    '<A>&#xD800;</A>',
    '<!DOCTYPE A [<!ENTITY e "x">]><A>&e;</A>',
    `${'<A>'.repeat(200)}${'</A>'.repeat(200)}`,
    '<A>\u0000</A>',
    '<A>\u000b</A>',
    '<A>\uffff</A>',
  ];
  equal(parse('<A>&#x1;\t\r\n</A>').text, '\u0001\t\n');
  for (const text of bad)
    throws(
      () => parse(text),
      (error) => error instanceof S3Error && error.code === 'MalformedXML',
      text.slice(0, 40),
    );
  throws(() => parseXml(Uint8Array.of(0x3c, 0x41, 0xff), 'A'), S3Error);
  equal(escapeXml('a<&>"\'\u0001\r\uffff'), 'a&lt;&amp;&gt;&quot;&#39;&#x1;&#xD;&#xFFFF;');
});
