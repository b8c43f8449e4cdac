// Multipart uploads and copies through the AWS SDK.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetBucketAclCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from '../base/crc32.ts';
import { crc64nvme } from '../base/crc64nvme.ts';
import { alice, startTestGateway, type TestGateway } from './testing/gateway-suite.ts';

const Bucket = 'parts';
const mebibyte = 1024 * 1024;
let gateway: TestGateway;
let client: S3Client;

before(async () => {
  gateway = await startTestGateway({ http: 'node' });
  client = new S3Client({
    endpoint: `http://${gateway.gateway.address}`,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: alice.accessKey, secretAccessKey: alice.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket }));
});

after(async () => {
  client.destroy();
  await gateway.gateway.close();
  deepEqual(gateway.failures, []);
});

function named(name: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && error.name === name;
}

async function begin(Key: string, options = {}): Promise<string> {
  const upload = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...options }));
  return upload.UploadId ?? '';
}

async function send(
  Key: string,
  UploadId: string,
  PartNumber: number,
  Body: Buffer,
  options = {},
): Promise<CompletedPart> {
  const part = await client.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...options }),
  );
  return { PartNumber, ETag: part.ETag };
}

async function read(Key: string, options = {}): Promise<Buffer> {
  const got = await client.send(new GetObjectCommand({ Bucket, Key, ...options }));
  return Buffer.from((await got.Body?.transformToByteArray()) ?? []);
}

function crc64Base64(bytes: Uint8Array): string {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(crc64nvme(bytes));
  return out.toString('base64');
}

test('an upload in parts becomes one object, without moving a byte', async () => {
  const Key = 'big';
  const bodies = [randomBytes(5 * mebibyte), randomBytes(6 * mebibyte + 1), randomBytes(100)];
  const UploadId = await begin(Key, { ContentType: 'video/x', Metadata: { a: 'b' } });
  // Out of order, and one part twice: the later one counts.
  await send(Key, UploadId, 2, randomBytes(5 * mebibyte));
  const parts = [
    await send(Key, UploadId, 1, bodies[0] as Buffer),
    await send(Key, UploadId, 2, bodies[1] as Buffer),
    await send(Key, UploadId, 7, bodies[2] as Buffer),
  ];
  await send(Key, UploadId, 9, randomBytes(10));
  const listed = await client.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }));
  deepEqual(
    listed.Parts?.map((part) => part.PartNumber),
    [1, 2],
  );
  equal(listed.IsTruncated, true);
  equal(listed.NextPartNumberMarker, '2');
  const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  deepEqual(
    uploads.Uploads?.map((upload) => upload.UploadId),
    [UploadId],
  );
  const blobsBefore = gateway.cluster.blobs.size;
  const order = { Bucket, Key, UploadId, MultipartUpload: { Parts: parts } };
  const done = await client.send(new CompleteMultipartUploadCommand(order));
  equal(gateway.cluster.blobs.size, blobsBefore);
  const md5s = bodies.map((body) => createHash('md5').update(body).digest());
  const etag = `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-3"`;
  equal(done.ETag, etag);
  const whole = Buffer.concat(bodies);
  ok((await read(Key)).equals(whole));
  const begin1 = 5 * mebibyte - 3;
  ok(
    (await read(Key, { Range: `bytes=${begin1}-${begin1 + 9}` })).equals(
      whole.subarray(begin1, begin1 + 10),
    ),
  );
  const third = await client.send(new GetObjectCommand({ Bucket, Key, PartNumber: 3 }));
  equal(third.PartsCount, 3);
  ok(Buffer.from((await third.Body?.transformToByteArray()) ?? []).equals(bodies[2] as Buffer));
  const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
  equal(head.ContentType, 'video/x');
  deepEqual(head.Metadata, { a: 'b' });
  const again = await client.send(new CompleteMultipartUploadCommand(order));
  equal(again.ETag, etag, 'a repeated completion is answered as the first');
  await rejects(send(Key, UploadId, 1, Buffer.from('x')), named('NoSuchUpload'));
});

test('a completion is refused for parts out of order, unknown, wrong or too small', async () => {
  const Key = 'refused';
  const UploadId = await begin(Key);
  const one = await send(Key, UploadId, 1, Buffer.from('small'));
  const two = await send(Key, UploadId, 2, Buffer.from('small too'));
  const complete = (Parts: CompletedPart[]) =>
    client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
  await rejects(complete([two, one]), named('InvalidPartOrder'));
  await rejects(complete([one, two]), named('EntityTooSmall'));
  await rejects(complete([{ PartNumber: 3, ETag: one.ETag }]), named('InvalidPart'));
  await rejects(complete([{ PartNumber: 1, ETag: two.ETag }]), named('InvalidPart'));
  await rejects(complete([]), named('MalformedXML'));
  await complete([two]);
  equal((await read(Key)).toString(), 'small too');
});

test('an aborted upload is gone, and its parts are garbage', async () => {
  const Key = 'aborted';
  const UploadId = await begin(Key);
  await send(Key, UploadId, 1, Buffer.from('x'));
  await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  await rejects(
    client.send(new ListPartsCommand({ Bucket, Key, UploadId })),
    named('NoSuchUpload'),
  );
  await rejects(
    client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
    named('NoSuchUpload'),
  );
});

test('checksums of parts join to the checksum of the object', async () => {
  const bodies = [randomBytes(5 * mebibyte + 7), randomBytes(5 * mebibyte), randomBytes(33)];
  const whole = Buffer.concat(bodies);
  const upload = async (Key: string, options: object): Promise<string | undefined> => {
    const UploadId = await begin(Key, options);
    const Parts: CompletedPart[] = [];
    for (const [i, body] of bodies.entries())
      Parts.push(await send(Key, UploadId, i + 1, body, options));
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    return head.ChecksumCRC64NVME ?? head.ChecksumCRC32 ?? head.ChecksumSHA256;
  };
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(whole));
  equal(await upload('crc64', { ChecksumAlgorithm: 'CRC64NVME' }), crc64Base64(whole));
  equal(
    await upload('crc32-full', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
    crc.toString('base64'),
  );
  const shas = bodies.map((body) => createHash('sha256').update(body).digest());
  equal(
    await upload('sha256', { ChecksumAlgorithm: 'SHA256' }),
    `${createHash('sha256').update(Buffer.concat(shas)).digest('base64')}-3`,
  );
});

test('objects are copied whole and in parts, with and without their metadata', async () => {
  const body = randomBytes(5 * mebibyte + 5);
  const source = { Bucket, Key: 'source ä', Metadata: { from: 'source' }, Tagging: 'a=1&b=2' };
  await client.send(new PutObjectCommand({ ...source, Body: body }));
  const CopySource = encodeURIComponent(`${Bucket}/source ä`);
  const copied = await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }));
  equal(copied.CopyObjectResult?.ETag, `"${createHash('md5').update(body).digest('hex')}"`);
  ok((await read('copy')).equals(body));
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'copy' }));
  deepEqual(head.Metadata, { from: 'source' });
  const tags = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'copy' }));
  deepEqual(tags.TagSet, [
    { Key: 'a', Value: '1' },
    { Key: 'b', Value: '2' },
  ]);
  const self = { Bucket, Key: 'source ä', CopySource };
  await rejects(client.send(new CopyObjectCommand(self)), named('InvalidRequest'));
  await client.send(
    new CopyObjectCommand({ ...self, MetadataDirective: 'REPLACE', Metadata: { now: 'new' } }),
  );
  const changed = await client.send(new HeadObjectCommand({ Bucket, Key: 'source ä' }));
  deepEqual(changed.Metadata, { now: 'new' });
  ok((await read('source ä')).equals(body));
  await rejects(
    client.send(new CopyObjectCommand({ Bucket, Key: 'x', CopySource, CopySourceIfMatch: 'no' })),
    named('PreconditionFailed'),
  );
  const Key = 'copied-parts';
  const UploadId = await begin(Key);
  const part = { Bucket, Key, UploadId, CopySource };
  const first = await client.send(new UploadPartCopyCommand({ ...part, PartNumber: 1 }));
  const second = await client.send(
    new UploadPartCopyCommand({ ...part, PartNumber: 2, CopySourceRange: 'bytes=4194300-4194309' }),
  );
  await rejects(
    client.send(
      new UploadPartCopyCommand({ ...part, PartNumber: 2, CopySourceRange: 'bytes=0-9999999' }),
    ),
    named('InvalidRange'),
  );
  await client.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: {
        Parts: [
          { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
          { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
        ],
      },
    }),
  );
  ok((await read(Key)).equals(Buffer.concat([body, body.subarray(4194300, 4194310)])));
});

test('tags change without touching the object', async () => {
  const Key = 'tagged';
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', Tagging: 'k=v' }));
  await client.send(
    new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: [{ Key: 'ü<&', Value: 'w' }] } }),
  );
  const tags = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
  deepEqual(tags.TagSet, [{ Key: 'ü<&', Value: 'w' }]);
  await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
  deepEqual((await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet, []);
  equal((await read(Key)).toString(), 'x');
});

test('conditions on writes and reads hold', async () => {
  const Key = 'conditional';
  const put = (Body: string, options = {}) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body, ...options }));
  await rejects(put('x', { IfMatch: 'anything' }), named('NoSuchKey'));
  const { ETag } = await put('one', { IfNoneMatch: '*' });
  await rejects(put('two', { IfNoneMatch: '*' }), named('PreconditionFailed'));
  await rejects(put('two', { IfMatch: '"0"' }), named('PreconditionFailed'));
  await put('two', { IfMatch: ETag });
  await rejects(read(Key, { IfMatch: ETag }), named('PreconditionFailed'));
  const now = await client.send(new HeadObjectCommand({ Bucket, Key }));
  await rejects(
    read(Key, { IfNoneMatch: now.ETag }),
    (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode === 304,
  );
  await rejects(
    client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: ETag })),
    named('PreconditionFailed'),
  );
  await client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: now.ETag }));
});

test('what is not there is refused by name, and minimal answers are true', async () => {
  const policy = new PutBucketPolicyCommand({ Bucket, Policy: '{}' });
  await rejects(client.send(policy), named('MalformedPolicy'));
  await rejects(client.send(new GetBucketPolicyCommand({ Bucket })), named('NoSuchBucketPolicy'));
  const versioning = await client.send(new GetBucketVersioningCommand({ Bucket }));
  equal(versioning.Status, undefined);
  const acl = await client.send(new GetBucketAclCommand({ Bucket }));
  equal(acl.Owner?.ID, 'alice');
  deepEqual(
    acl.Grants?.map((grant) => grant.Permission),
    ['FULL_CONTROL'],
  );
});

test('streams of known length are sent in signed chunks or with trailers', async () => {
  const body = randomBytes(300_000);
  const { Readable } = await import('node:stream');
  await client.send(
    new PutObjectCommand({
      Bucket,
      Key: 'streamed',
      Body: Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]),
      ContentLength: body.length,
      ChecksumAlgorithm: 'CRC32C',
    }),
  );
  const got = await client.send(
    new GetObjectCommand({ Bucket, Key: 'streamed', ChecksumMode: 'ENABLED' }),
  );
  ok(body.equals(Buffer.from((await got.Body?.transformToByteArray()) ?? [])));
  ok(got.ChecksumCRC32C !== undefined);
  equal(got.ContentEncoding, undefined, 'aws-chunked is not part of the object');
});
