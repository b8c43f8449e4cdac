// GetObjectAttributes: what is asked for, and nothing else.

import { deepEqual, equal } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { crc32 } from '../base/crc32.ts';
import { bodyText, errorCode, headerOf, startWithBucket } from './testing/gateway-suite.ts';

type Fields = Readonly<Record<string, string>>;

const all = 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize';

async function start(t: TestContext) {
  const { send } = await startWithBucket(t);
  const ask = async (key: string, attributes: string, headers: Fields = {}, query: Fields = {}) =>
    send('GET', `/bucket/${key}`, {
      query: { attributes: '', ...query },
      headers: { 'x-amz-object-attributes': attributes, ...headers },
    });
  const attributes = async (...asked: Parameters<typeof ask>) => {
    const answer = await ask(...asked);
    equal(answer.status, 200);
    const text = await bodyText(answer);
    return text
      .slice(text.indexOf('<GetObjectAttributesResponse'))
      .replace(/<\/?GetObjectAttributesResponse[^>]*>/g, '')
      .trim();
  };
  return { send, ask, attributes };
}

const last = Buffer.from('the end');
const first = Buffer.alloc(5 * 1024 * 1024, 'a');

function crcOf(...pieces: readonly Buffer[]): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(Buffer.concat(pieces)) >>> 0);
  return bytes.toString('base64');
}

/** Puts an object in two parts; gives its ETag, without quotes. */
async function upload(
  send: Awaited<ReturnType<typeof start>>['send'],
  key: string,
  headers: Fields = {},
): Promise<string> {
  const created = await bodyText(
    await send('POST', `/bucket/${key}`, { query: { uploads: '' }, headers }),
  );
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created)?.[1] ?? '';
  let listed = '';
  // The second part has the number 7: numbers need not be without gaps.
  for (const [number, body] of [
    [1, first],
    [7, last],
  ] as const) {
    const query = { uploadId, partNumber: String(number) };
    const put = await send('PUT', `/bucket/${key}`, { query, body });
    listed += `<Part><PartNumber>${number}</PartNumber><ETag>${headerOf(put, 'etag')}</ETag></Part>`;
  }
  const body = `<CompleteMultipartUpload>${listed}</CompleteMultipartUpload>`;
  const done = await send('POST', `/bucket/${key}`, { query: { uploadId }, body });
  return /<ETag>(?:"|&quot;)(.*)(?:"|&quot;)<\/ETag>/.exec(await bodyText(done))?.[1] ?? '';
}

test('of a plain object: each attribute when it is asked for, and no parts', async (t) => {
  const { send, attributes, ask } = await start(t);
  const sum = createHash('sha256').update('text').digest('base64');
  await send('PUT', '/bucket/k', { headers: { 'x-amz-checksum-sha256': sum }, body: 'text' });
  const etag = createHash('md5').update('text').digest('hex');
  const checksum = `<Checksum><ChecksumSHA256>${sum}</ChecksumSHA256><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>`;
  equal(await attributes('k', 'ETag'), `<ETag>${etag}</ETag>`);
  equal(await attributes('k', 'Checksum'), checksum);
  equal(await attributes('k', 'ObjectParts'), '');
  equal(
    await attributes('k', all.replaceAll(',', ' , ')),
    `<ETag>${etag}</ETag>${checksum}<StorageClass>STANDARD</StorageClass><ObjectSize>4</ObjectSize>`,
  );
  const head = await send('HEAD', '/bucket/k');
  equal(headerOf(await ask('k', 'ETag'), 'last-modified'), headerOf(head, 'last-modified'));
});

test('without its header, with a wrong name and without an object it is refused', async (t) => {
  const { send, ask } = await start(t);
  await send('PUT', '/bucket/k', { body: 'text' });
  const bare = await send('GET', '/bucket/k', { query: { attributes: '' } });
  equal(await errorCode(bare), 'InvalidArgument');
  for (const wrong of ['', ',', 'ETag,Size', 'etag'])
    equal(await errorCode(await ask('k', wrong)), 'InvalidArgument', wrong);
  equal(await errorCode(await ask('nothing', 'ETag')), 'NoSuchKey');
  const number = { 'x-amz-max-parts': 'many' };
  await upload(send, 'parts');
  equal(await errorCode(await ask('parts', 'ObjectParts', number)), 'InvalidArgument');
});

test('of an object in parts: a composite or a full checksum, and each part’s own', async (t) => {
  const { send, attributes } = await start(t);
  const crcs = [crcOf(first), crcOf(last)];
  const composite = `${crcOf(...crcs.map((crc) => Buffer.from(crc, 'base64')))}-2`;
  for (const [type, whole] of [
    ['COMPOSITE', composite],
    ['FULL_OBJECT', crcOf(first, last)],
  ] as const) {
    const headers = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': type };
    const etag = await upload(send, 'k', headers);
    const text = await attributes('k', all);
    deepEqual(text.split(/(?<=<\/ObjectParts>|<\/Checksum>|<\/ETag>)/), [
      `<ETag>${etag}</ETag>`,
      `<Checksum><ChecksumCRC32>${whole}</ChecksumCRC32><ChecksumType>${type}</ChecksumType></Checksum>`,
      '<ObjectParts><PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>7</NextPartNumberMarker><MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>' +
        `<Part><PartNumber>1</PartNumber><Size>${first.length}</Size><ChecksumCRC32>${crcs[0]}</ChecksumCRC32></Part>` +
        `<Part><PartNumber>7</PartNumber><Size>${last.length}</Size><ChecksumCRC32>${crcs[1]}</ChecksumCRC32></Part></ObjectParts>`,
      `<StorageClass>STANDARD</StorageClass><ObjectSize>${first.length + last.length}</ObjectSize>`,
    ]);
  }
});

test('parts come in pages', async (t) => {
  const { send, attributes } = await start(t);
  await upload(send, 'k');
  const page = async (marker: number, max: number) => {
    const headers = { 'x-amz-part-number-marker': String(marker), 'x-amz-max-parts': String(max) };
    const text = await attributes('k', 'ObjectParts', headers);
    const one = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(text)?.[1];
    return [
      [...text.matchAll(/<PartNumber>(\d+)</g)].map((match) => match[1]),
      one('NextPartNumberMarker'),
      one('IsTruncated'),
      one('PartsCount'),
    ];
  };
  deepEqual(await page(0, 1), [['1'], '1', 'true', '2']);
  deepEqual(await page(1, 1), [['7'], '7', 'false', '2']);
  deepEqual(await page(0, 2), [['1', '7'], '7', 'false', '2']);
  deepEqual(await page(7, 2), [[], '7', 'false', '2']);
});

test('a version is named, and an older one is told as it is', async (t) => {
  const { send, ask, attributes } = await start(t);
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await send('PUT', '/bucket', { query: { versioning: '' }, body });
  const old = headerOf(await send('PUT', '/bucket/k', { body: 'old' }), 'x-amz-version-id') ?? '';
  await send('PUT', '/bucket/k', { body: 'newer' });
  equal(await attributes('k', 'ObjectSize'), '<ObjectSize>5</ObjectSize>');
  equal(await attributes('k', 'ObjectSize', {}, { versionId: old }), '<ObjectSize>3</ObjectSize>');
  const answer = await ask('k', 'ObjectSize', {}, { versionId: old });
  equal(headerOf(answer, 'x-amz-version-id'), old);
  await send('DELETE', '/bucket/k');
  equal(await errorCode(await ask('k', 'ObjectSize')), 'NoSuchKey');
  equal((await ask('k', 'ObjectSize', {}, { versionId: old })).status, 200);
});
