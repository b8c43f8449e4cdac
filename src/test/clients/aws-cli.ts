// The AWS command line, version 2 as in Debian: botocore's signatures, multipart from 8 MiB on.

import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Ready } from '../cluster-process.ts';
import { bytesOf, sha256 } from '../s3-session.ts';
import { awsEnvironment, ClientProgram, fetchPresigned, oddKeys } from './client-program.ts';

const largeBytes = 37 * 2 ** 20 + 12_345;
const smallBytes = 70_000;

export async function awsCli(t: TestContext, ready: Ready): Promise<void> {
  const aws = new ClientProgram(t, '/usr/bin/aws', 'awscli', awsEnvironment(ready));
  const s3 = (...args: string[]): Promise<string> =>
    aws.succeed('--endpoint-url', ready.s3, 's3', ...args);
  const api = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await aws.succeed('--endpoint-url', ready.s3, 's3api', ...args)) || '{}') as Record<
      string,
      unknown
    >;
  const file = (name: string): string => join(aws.folder, name);
  writeFileSync(file('large'), bytesOf('large', largeBytes));

  await t.test('make and list buckets', async () => {
    await s3('mb', 's3://first');
    await s3('mb', 's3://second');
    match(await s3('ls'), /first.*second/s);
  });

  await t.test('put, list and get keys of every kind', async () => {
    for (const key of oddKeys) {
      const path = file(`in/${key}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytesOf(key, smallBytes));
    }
    await s3('cp', '--recursive', file('in'), 's3://first/odd/');
    const listed = await api('list-objects-v2', '--bucket', 'first', '--prefix', 'odd/');
    const contents = listed.Contents as { readonly Key: string; readonly Size: number }[];
    deepEqual(contents.map(({ Key }) => Key).sort(), oddKeys.map((key) => `odd/${key}`).sort());
    equal(contents[0]?.Size, smallBytes);
    await s3('sync', 's3://first/odd/', file('out'));
    for (const key of oddKeys)
      equal(sha256(readFileSync(file(`out/${key}`))), sha256(bytesOf(key, smallBytes)), key);
    equal(await s3('sync', file('in'), 's3://first/odd/'), '', 'nothing left to do');
  });

  await t.test('list by folders', async () => {
    const listed = await s3('ls', 's3://first/odd/');
    match(listed, /PRE with space\//);
    match(listed, /\d+ plain\.txt/);
  });

  await t.test('multipart both ways', async () => {
    await s3('cp', file('large'), 's3://first/large');
    const head = await api('head-object', '--bucket', 'first', '--key', 'large');
    equal(head.ContentLength, largeBytes);
    match(String(head.ETag), /^"[0-9a-f]{32}-5"$/);
    await s3('cp', 's3://first/large', file('large.out'));
    equal(sha256(readFileSync(file('large.out'))), sha256(bytesOf('large', largeBytes)));
    await s3('cp', 's3://first/large', 's3://second/copied in parts');
    await s3('cp', 's3://second/copied in parts', file('copied.out'));
    equal(sha256(readFileSync(file('copied.out'))), sha256(bytesOf('large', largeBytes)));
  });

  await t.test('copy and move', async () => {
    const [, spaced = ''] = oddKeys;
    await s3('cp', `s3://first/odd/${spaced}`, 's3://second/ünï copy+%');
    await s3('mv', 's3://second/ünï copy+%', 's3://second/moved');
    await s3('cp', 's3://second/moved', file('moved.out'));
    equal(sha256(readFileSync(file('moved.out'))), sha256(bytesOf(spaced, smallBytes)));
  });

  await t.test('a presigned URL', async () => {
    for (const key of oddKeys) {
      const url = (await s3('presign', `s3://first/odd/${key}`)).trim();
      await fetchPresigned(url, key, smallBytes);
    }
  });

  await t.test('ranges, metadata, tags and conditions', async () => {
    await api(
      ...['put-object', '--bucket', 'second', '--key', 'tagged', '--body', file('large.out')],
      ...['--metadata', 'colour=green', '--tagging', 'a=1&b=two', '--content-type', 'text/x-test'],
    );
    const head = await api('head-object', '--bucket', 'second', '--key', 'tagged');
    deepEqual(head.Metadata, { colour: 'green' });
    equal(head.ContentType, 'text/x-test');
    const { TagSet } = await api('get-object-tagging', '--bucket', 'second', '--key', 'tagged');
    deepEqual(TagSet, [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: 'two' },
    ]);
    const range = ['--range', 'bytes=5000000-5000999'];
    const target = file('range.out');
    await api('get-object', '--bucket', 'second', '--key', 'tagged', ...range, target);
    deepEqual(readFileSync(target), bytesOf('large', largeBytes).subarray(5_000_000, 5_001_000));
    const stale = await aws.run(
      ...['--endpoint-url', ready.s3, 's3api', 'get-object', '--bucket', 'second'],
      ...['--key', 'tagged', '--if-match', '"00000000000000000000000000000000"', target],
    );
    notEqual(stale.code, 0);
    match(stale.stderr, /PreconditionFailed|412/);
  });

  await t.test('a checksum that is wrong is refused', async () => {
    const wrong = await aws.run(
      ...['--endpoint-url', ready.s3, 's3api', 'put-object', '--bucket', 'second'],
      ...['--key', 'wrong', '--body', file('in/plain.txt'), '--content-md5'],
      Buffer.alloc(16).toString('base64'),
    );
    notEqual(wrong.code, 0);
    match(wrong.stderr, /BadDigest/);
    const missing = await aws.run('--endpoint-url', ready.s3, 's3', 'ls', 's3://second/wrong');
    notEqual(missing.code, 0);
  });

  await t.test('delete objects and buckets', async () => {
    const kept = await aws.run('--endpoint-url', ready.s3, 's3', 'rb', 's3://first');
    notEqual(kept.code, 0);
    match(kept.stderr, /BucketNotEmpty/);
    await s3('rm', 's3://first/large');
    await s3('rm', '--recursive', 's3://first/odd/');
    equal(await s3('ls', '--recursive', 's3://first'), '');
    await s3('rb', 's3://first');
    await s3('rb', '--force', 's3://second');
    equal(await s3('ls'), '');
  });

  equal(readdirSync(join(aws.folder, 'home')).includes('.aws'), false, 'nothing was configured');
}
