// The gateway through HTTP, as the AWS SDK sees it.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { alice, bob, startTestGateway, type TestGateway } from './testing/gateway-suite.ts';

let test1: TestGateway;
let client: S3Client;
let other: S3Client;

function clientOf(gateway: TestGateway, user: typeof alice): S3Client {
  return new S3Client({
    endpoint: `http://${gateway.gateway.address}`,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: user.accessKey, secretAccessKey: user.secretKey },
  });
}

before(async () => {
  test1 = await startTestGateway({ http: 'node' });
  client = clientOf(test1, alice);
  other = clientOf(test1, bob);
  await client.send(new CreateBucketCommand({ Bucket: 'shared' }));
});

after(async () => {
  client.destroy();
  other.destroy();
  await test1.gateway.close();
  deepEqual(test1.failures, []);
});

function named(name: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && error.name === name;
}

test('a small object comes back with its metadata', async () => {
  const put = await client.send(
    new PutObjectCommand({
      Bucket: 'shared',
      Key: 'small/ä b+c',
      Body: 'hello',
      ContentType: 'text/plain',
      CacheControl: 'no-cache',
      Metadata: { colour: 'blue' },
    }),
  );
  equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
  const got = await client.send(new GetObjectCommand({ Bucket: 'shared', Key: 'small/ä b+c' }));
  equal(await got.Body?.transformToString(), 'hello');
  equal(got.ContentType, 'text/plain');
  equal(got.CacheControl, 'no-cache');
  deepEqual(got.Metadata, { colour: 'blue' });
  equal(test1.cluster.blobs.size, 0, 'small objects need no blob');
});

for (const size of [0, 1, 16384, 16385, 4194304, 4194305, 9000000]) {
  test(`an object of ${size} bytes comes back whole and in ranges`, async () => {
    const body = randomBytes(size);
    await client.send(new PutObjectCommand({ Bucket: 'shared', Key: `size-${size}`, Body: body }));
    const got = await client.send(new GetObjectCommand({ Bucket: 'shared', Key: `size-${size}` }));
    equal(got.ContentLength, size);
    ok(body.equals(Buffer.from((await got.Body?.transformToByteArray()) ?? [])));
    if (size < 100) return;
    const part = await client.send(
      new GetObjectCommand({
        Bucket: 'shared',
        Key: `size-${size}`,
        Range: `bytes=10-${size - 7}`,
      }),
    );
    equal(part.ContentRange, `bytes 10-${size - 7}/${size}`);
    ok(
      body
        .subarray(10, size - 6)
        .equals(Buffer.from((await part.Body?.transformToByteArray()) ?? [])),
    );
    const head = await client.send(
      new HeadObjectCommand({ Bucket: 'shared', Key: `size-${size}` }),
    );
    equal(head.ContentLength, size);
  });
}

test('what is not there is said to be not there', async () => {
  await rejects(
    client.send(new GetObjectCommand({ Bucket: 'shared', Key: 'no' })),
    named('NoSuchKey'),
  );
  await rejects(
    client.send(new HeadObjectCommand({ Bucket: 'shared', Key: 'no' })),
    named('NotFound'),
  );
  await rejects(
    client.send(new GetObjectCommand({ Bucket: 'nobody', Key: 'no' })),
    named('NoSuchBucket'),
  );
  await client.send(new DeleteObjectCommand({ Bucket: 'shared', Key: 'no' }));
});

test('only the owner of a bucket gets in', async () => {
  await client.send(new PutObjectCommand({ Bucket: 'shared', Key: 'mine', Body: 'x' }));
  const denied = named('AccessDenied');
  await rejects(other.send(new GetObjectCommand({ Bucket: 'shared', Key: 'mine' })), denied);
  await rejects(other.send(new PutObjectCommand({ Bucket: 'shared', Key: 'x', Body: '' })), denied);
  await rejects(other.send(new ListObjectsV2Command({ Bucket: 'shared' })), denied);
  await rejects(other.send(new DeleteBucketCommand({ Bucket: 'shared' })), denied);
  await rejects(
    other.send(new CreateBucketCommand({ Bucket: 'shared' })),
    named('BucketAlreadyExists'),
  );
  const anonymous = await fetch(`http://${test1.gateway.address}/shared/mine`);
  equal(anonymous.status, 403);
});

test('buckets are made, listed, emptied and removed', async () => {
  await client.send(new CreateBucketCommand({ Bucket: 'second' }));
  await client.send(new CreateBucketCommand({ Bucket: 'second' }));
  await other.send(new CreateBucketCommand({ Bucket: 'of-bob' }));
  const mine = await client.send(new ListBucketsCommand({}));
  deepEqual(
    mine.Buckets?.map((bucket) => bucket.Name),
    ['second', 'shared'],
  );
  await client.send(new HeadBucketCommand({ Bucket: 'second' }));
  const location = await client.send(new GetBucketLocationCommand({ Bucket: 'second' }));
  equal(location.LocationConstraint, undefined);
  await client.send(new PutObjectCommand({ Bucket: 'second', Key: 'a', Body: 'x' }));
  await rejects(
    client.send(new DeleteBucketCommand({ Bucket: 'second' })),
    named('BucketNotEmpty'),
  );
  await client.send(new DeleteObjectCommand({ Bucket: 'second', Key: 'a' }));
  await client.send(new DeleteBucketCommand({ Bucket: 'second' }));
  await rejects(client.send(new HeadBucketCommand({ Bucket: 'second' })), named('NotFound'));
  await rejects(
    client.send(new PutObjectCommand({ Bucket: 'second', Key: 'a', Body: 'x' })),
    named('NoSuchBucket'),
  );
  await other.send(new CreateBucketCommand({ Bucket: 'second' }));
  await rejects(
    client.send(new PutObjectCommand({ Bucket: 'second', Key: 'a', Body: 'x' })),
    named('AccessDenied'),
  );
});

test('listing pages through keys and common prefixes', async () => {
  await client.send(new CreateBucketCommand({ Bucket: 'listed' }));
  const keys = ['a/1', 'a/2', 'b', 'c/d/1', 'c/e', 'z'];
  for (const Key of keys)
    await client.send(new PutObjectCommand({ Bucket: 'listed', Key, Body: Key }));
  const all = await client.send(new ListObjectsV2Command({ Bucket: 'listed' }));
  deepEqual(
    all.Contents?.map((item) => item.Key),
    keys,
  );
  equal(all.IsTruncated, false);
  const seen: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < 10; page++) {
    const answer: ListObjectsV2CommandOutput = await client.send(
      new ListObjectsV2Command({
        Bucket: 'listed',
        Delimiter: '/',
        MaxKeys: 1,
        ContinuationToken: token,
      }),
    );
    for (const item of answer.Contents ?? []) seen.push(item.Key ?? '');
    for (const item of answer.CommonPrefixes ?? []) seen.push(item.Prefix ?? '');
    token = answer.NextContinuationToken;
    if (token === undefined) break;
  }
  deepEqual(seen, ['a/', 'b', 'c/', 'z']);
  const first = await client.send(
    new ListObjectsCommand({ Bucket: 'listed', Prefix: 'c/', Delimiter: '/', MaxKeys: 1 }),
  );
  deepEqual(first.CommonPrefixes, [{ Prefix: 'c/d/' }]);
  equal(first.NextMarker, 'c/d/');
  const deleted = await client.send(
    new DeleteObjectsCommand({
      Bucket: 'listed',
      Delete: { Objects: [...keys, 'absent'].map((Key) => ({ Key })) },
    }),
  );
  equal(deleted.Deleted?.length, 7);
  const none = await client.send(new ListObjectsV2Command({ Bucket: 'listed' }));
  equal(none.KeyCount, 0);
});
