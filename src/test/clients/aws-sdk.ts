// The AWS SDK for JavaScript: streams whose checksum follows the body, and all five checksums.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { Ready } from '../cluster-process.ts';
import { bytesOf, refusedBy, type S3Session, sha256 } from '../s3-session.ts';
import { openBucket } from '../test-cluster.ts';
import { fetchPresigned, oddKeys } from './client-program.ts';

const smallBytes = 70_000;
const partBytes = 5 * 2 ** 20;
const algorithms: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

export async function awsSdk(t: TestContext, ready: Ready): Promise<void> {
  const session = await openBucket(t, { ready }, { attemptsMax: 1 }, 'sdk');
  const { client } = session;
  const Bucket = session.bucket;

  await t.test('put, get and list keys of every kind', async () => {
    for (const key of oddKeys) {
      await session.put(key, bytesOf(key, smallBytes));
      equal(await session.digestOf(key), sha256(bytesOf(key, smallBytes)), key);
    }
    deepEqual(await keysOf(session), [...oddKeys].sort(byBytes));
  });

  for (const ChecksumAlgorithm of algorithms)
    await t.test(`a stream with a trailing ${ChecksumAlgorithm}`, async () => {
      const Key = `streamed with ${ChecksumAlgorithm}`;
      const bytes = bytesOf(Key, 3_000_001);
      const put = await client.send(
        new PutObjectCommand({
          Bucket,
          Key,
          Body: Readable.from(piecesOf(bytes, 50_000)),
          ContentLength: bytes.length,
          ChecksumAlgorithm,
        }),
      );
      const field = `Checksum${ChecksumAlgorithm}` as const;
      ok(put[field] !== undefined, 'the server tells the checksum');
      const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
      equal(got[field], put[field]);
      // The SDK compares what it reads with it, and throws when they differ.
      equal(sha256((await got.Body?.transformToByteArray()) ?? bytes), sha256(bytes));
    });

  await t.test('a checksum that is wrong is refused, and nothing is stored', async () => {
    const { status, code } = await refusedBy(
      client.send(
        new PutObjectCommand({
          Bucket,
          Key: 'wrong',
          Body: bytesOf('wrong', smallBytes),
          ChecksumCRC32: 'AAAAAA==',
        }),
      ),
    );
    equal(status, 400);
    equal(code, 'BadDigest');
    equal(await session.digestOf('wrong'), undefined);
  });

  await t.test('multipart, with a part that is copied', async () => {
    const Key = 'in parts/ü+%.bin';
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const upload = { Bucket, Key, UploadId };
    const bodies = [bytesOf('part 1', partBytes), bytesOf('part 2', partBytes + 99)];
    const etags: (string | undefined)[] = [];
    for (const [index, Body] of bodies.entries()) {
      const part = { ...upload, PartNumber: index + 1, Body };
      etags.push((await client.send(new UploadPartCommand(part))).ETag);
    }
    const [firstKey = ''] = oddKeys;
    const copied = await client.send(
      new UploadPartCopyCommand({
        ...upload,
        PartNumber: 3,
        CopySource: `${Bucket}/${encodeURIComponent(firstKey)}`,
        CopySourceRange: 'bytes=100-60099',
      }),
    );
    etags.push(copied.CopyPartResult?.ETag);
    const listed = await client.send(new ListPartsCommand(upload));
    deepEqual(
      listed.Parts?.map(({ Size }) => Size),
      [partBytes, partBytes + 99, 60_000],
    );
    const Parts = etags.map((ETag, index) => ({ PartNumber: index + 1, ETag }));
    await client.send(
      new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }),
    );
    const whole = Buffer.concat([...bodies, bytesOf(firstKey, smallBytes).subarray(100, 60_100)]);
    equal(await session.digestOf(Key), sha256(whole));
    const second = await client.send(
      new GetObjectCommand({ Bucket, Key, Range: `bytes=${partBytes - 5}-${partBytes + 4}` }),
    );
    deepEqual(
      Buffer.from((await second.Body?.transformToByteArray()) ?? []),
      whole.subarray(partBytes - 5, partBytes + 5),
    );
  });

  await t.test('multipart given up leaves nothing', async () => {
    const Key = 'given up';
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const upload = { Bucket, Key, UploadId };
    const Body = bytesOf(Key, partBytes);
    await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body }));
    await client.send(new AbortMultipartUploadCommand(upload));
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    deepEqual(Uploads ?? [], []);
    equal(await session.digestOf(Key), undefined);
  });

  await t.test('copy, with new metadata', async () => {
    for (const key of oddKeys) {
      const CopySource = `${Bucket}/${encodeURIComponent(key)}`;
      const Key = `copies/${key}`;
      await client.send(
        new CopyObjectCommand({
          ...{ Bucket, Key, CopySource, MetadataDirective: 'REPLACE' },
          Metadata: { origin: 'copied' },
        }),
      );
      const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
      deepEqual(head.Metadata, { origin: 'copied' });
      equal(await session.digestOf(Key), sha256(bytesOf(key, smallBytes)), key);
    }
  });

  await t.test('a put on condition', async () => {
    const once = { Bucket, Key: 'once', IfNoneMatch: '*' };
    const { ETag } = await client.send(new PutObjectCommand({ ...once, Body: 'one' }));
    const again = await refusedBy(client.send(new PutObjectCommand({ ...once, Body: 'two' })));
    equal(again.status, 412);
    const next = { Bucket, Key: 'once', IfMatch: ETag };
    await client.send(new PutObjectCommand({ ...next, Body: 'three' }));
    const stale = await refusedBy(client.send(new PutObjectCommand({ ...next, Body: 'four' })));
    equal(stale.status, 412);
    equal(new TextDecoder().decode(await session.get('once')), 'three');
  });

  await t.test('a presigned URL', async () => {
    for (const key of oddKeys)
      await fetchPresigned(await presign(session, ready.s3, { key }), key, smallBytes);
  });

  await t.test('a presigned put and a presigned copy do what their headers say', async () => {
    const [source = ''] = oddKeys;
    const put = { method: 'PUT', key: 'presigned/put', headers: { 'x-amz-meta-origin': 'link' } };
    const body = bytesOf(put.key, smallBytes);
    const answer = await fetch(await presign(session, ready.s3, put), { method: 'PUT', body });
    equal(answer.status, 200, await answer.text());
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: put.key }));
    deepEqual(head.Metadata, { origin: 'link' });
    const headers = { 'x-amz-copy-source': `${Bucket}/${encodeURIComponent(source)}` };
    const copy = await presign(session, ready.s3, { ...put, headers });
    const copied = await fetch(copy, { method: 'PUT' });
    ok((await copied.text()).includes('CopyObjectResult'));
    equal(await session.digestOf(put.key), sha256(bytesOf(source, smallBytes)));
    await session.delete(put.key);
  });

  await t.test('delete objects and the bucket', async () => {
    const keys = await keysOf(session);
    equal(
      (await refusedBy(client.send(new DeleteBucketCommand({ Bucket })))).code,
      'BucketNotEmpty',
    );
    const [first = '', ...others] = keys;
    await session.delete(first);
    const { Deleted, Errors } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: others.map((Key) => ({ Key })) } }),
    );
    deepEqual(Errors ?? [], []);
    equal(Deleted?.length, others.length);
    deepEqual(await keysOf(session), []);
    await client.send(new DeleteBucketCommand({ Bucket }));
    deepEqual((await client.send(new ListBucketsCommand({}))).Buckets ?? [], []);
  });
}

/** S3 lists in the order of UTF-8 bytes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function keysOf({ client, bucket }: S3Session): Promise<string[]> {
  const keys: string[] = [];
  const pages = paginateListObjectsV2({ client, pageSize: 3 }, { Bucket: bucket });
  for await (const { Contents } of pages)
    keys.push(...(Contents ?? []).map(({ Key }) => Key ?? ''));
  return keys;
}

function* piecesOf(bytes: Buffer, pieceBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** What the SDK's presigner package asks of the client's signer; the signer's type tells less. */
interface Presigner {
  presign(
    request: object,
    options: { readonly expiresIn: number },
  ): Promise<{ readonly query: Record<string, string> }>;
}

interface Wanted {
  readonly key: string;
  /** Default `GET`. */
  readonly method?: string;
  /** Those that begin with `x-amz-` the signer puts into the query. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** As that package does it: by the client's own signer, for a body that is not signed. */
async function presign(
  { client, bucket }: S3Session,
  s3: string,
  { key, method = 'GET', headers: wanted }: Wanted,
): Promise<string> {
  const { hostname, port, host } = new URL(s3);
  const path = `/${[bucket, ...key.split('/')].map(encodeFully).join('/')}`;
  const signer = (await client.config.signer()) as unknown as Presigner;
  const headers = { ...wanted, host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const place = { protocol: 'http:', hostname, port: Number(port), path };
  const { query } = await signer.presign(
    { method, ...place, query: {}, headers },
    { expiresIn: 60 },
  );
  return `${s3}${path}?${new URLSearchParams(query)}`;
}

function encodeFully(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
