// rclone: Go's S3 client, its own listings and checks.

import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Ready } from '../cluster-process.ts';
import { bytesOf, sha256 } from '../s3-session.ts';
import { ClientProgram, fetchPresigned, oddKeys } from './client-program.ts';
import { expectSameTree } from './tree.ts';

const largeBytes = 23 * 2 ** 20 + 1;
const smallBytes = 70_000;

export async function rcloneProgram(t: TestContext, ready: Ready): Promise<void> {
  const rclone = new ClientProgram(t, '/usr/bin/rclone', 'rclone', {
    RCLONE_CONFIG_HF_TYPE: 's3',
    RCLONE_CONFIG_HF_PROVIDER: 'Other',
    RCLONE_CONFIG_HF_ENDPOINT: ready.s3,
    RCLONE_CONFIG_HF_ACCESS_KEY_ID: ready.accessKey,
    RCLONE_CONFIG_HF_SECRET_ACCESS_KEY: ready.secretKey,
    RCLONE_CONFIG_HF_REGION: 'us-east-1',
    RCLONE_RETRIES: '1',
    RCLONE_S3_CHUNK_SIZE: '5Mi',
    RCLONE_S3_UPLOAD_CUTOFF: '6Mi',
    RCLONE_S3_COPY_CUTOFF: '10Mi',
  });
  const run = (...args: string[]): Promise<string> => rclone.succeed(...args);
  const folder = join(rclone.folder, 'in');
  for (const key of oddKeys) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), bytesOf(key, smallBytes));
  }
  writeFileSync(join(folder, 'large'), bytesOf('large', largeBytes));

  await t.test('copy a tree, with multipart, and list it', async () => {
    await run('mkdir', 'hf:bucket');
    await run('copy', folder, 'hf:bucket/tree');
    const listed = await run('lsf', '--recursive', '--files-only', 'hf:bucket/tree');
    deepEqual(listed.trimEnd().split('\n').sort(), [...oddKeys, 'large'].sort());
    match(await run('lsd', 'hf:'), /bucket/);
  });

  await t.test('compare all bytes, and times kept as metadata', async () => {
    await run('check', '--download', folder, 'hf:bucket/tree');
    await run('check', folder, 'hf:bucket/tree');
    match(
      await run('sync', '--dry-run', '-v', folder, 'hf:bucket/tree').then(() => 'same'),
      /same/,
    );
  });

  await t.test('get the tree back', async () => {
    const back = join(rclone.folder, 'out');
    await run('copy', 'hf:bucket/tree', back);
    for (const key of oddKeys)
      equal(sha256(readFileSync(join(back, key))), sha256(bytesOf(key, smallBytes)), key);
    equal(sha256(readFileSync(join(back, 'large'))), sha256(bytesOf('large', largeBytes)));
  });

  await t.test('digests that the server keeps', async () => {
    const sums = await run('md5sum', 'hf:bucket/tree');
    const plain = createHash('md5').update(bytesOf('plain.txt', smallBytes)).digest('hex');
    match(sums, new RegExp(`^${plain} {2}plain\\.txt$`, 'm'));
  });

  await t.test('copy at the server, whole and in parts', async () => {
    for (const key of oddKeys) {
      await run('copyto', `hf:bucket/tree/${key}`, `hf:bucket/copies/${key}`);
      equal(await digestOf(key), sha256(bytesOf(key, smallBytes)), key);
    }
    await run('copyto', 'hf:bucket/tree/large', 'hf:bucket/copies/large');
    equal(await digestOf('large'), sha256(bytesOf('large', largeBytes)));
  });

  async function digestOf(key: string): Promise<string> {
    const target = join(rclone.folder, 'copied');
    await run('copyto', '--ignore-times', `hf:bucket/copies/${key}`, target);
    return sha256(readFileSync(target));
  }

  await t.test('a presigned URL', async () => {
    for (const key of oddKeys)
      await fetchPresigned((await run('link', `hf:bucket/tree/${key}`)).trim(), key, smallBytes);
  });

  await t.test('an upload of unknown length', async () => {
    const script = join(rclone.folder, 'stream.sh');
    writeFileSync(script, 'cat in/large | /usr/bin/rclone rcat hf:bucket/copies/large');
    const shell = new ClientProgram(t, '/bin/sh', 'dash', rclone.environment);
    await shell.succeed('-c', `cd '${rclone.folder}' && sh '${script}'`);
    equal(await digestOf('large'), sha256(bytesOf('large', largeBytes)));
  });

  await t.test('sync both ways', async () => {
    const there = join(rclone.folder, 'there');
    await run('sync', folder, 'hf:bucket/synced');
    await run('sync', 'hf:bucket/synced', there);
    await expectSameTree(t, folder, there);
    rmSync(join(there, 'a'), { recursive: true });
    writeFileSync(join(there, 'plain.txt'), bytesOf('changed', smallBytes + 1));
    writeFileSync(join(there, 'new'), bytesOf('new', largeBytes));
    await run('sync', there, 'hf:bucket/synced');
    await run('check', '--download', there, 'hf:bucket/synced');
    await run('sync', 'hf:bucket/synced', join(rclone.folder, 'back'));
    await expectSameTree(t, there, join(rclone.folder, 'back'));
    const { code } = await rclone.run('check', folder, 'hf:bucket/synced');
    notEqual(code, 0, 'a check that finds what was changed');
    await run('purge', 'hf:bucket/synced');
  });

  await t.test('serve the bucket over WebDAV, for reading and writing', async () => {
    const args = ['serve', 'webdav', 'hf:bucket/tree', '--addr', '127.0.0.1:0'];
    const [, url = ''] = await rclone.serve(/(http:\/\/127\.0\.0\.1:\d+)\//, ...args);
    for (const key of oddKeys) {
      const path = key.split('/').map(encodeURIComponent).join('/');
      await fetchPresigned(`${url}/${path}`, key, smallBytes);
    }
    const part = await fetch(`${url}/large`, { headers: { range: 'bytes=7000000-7000999' } });
    equal(part.status, 206);
    deepEqual(
      Buffer.from(await part.arrayBuffer()),
      bytesOf('large', largeBytes).subarray(7_000_000, 7_001_000),
    );
    const body = bytesOf('written', largeBytes);
    equal((await fetch(`${url}/written`, { method: 'PUT', body })).status, 201);
    await run('copyto', 'hf:bucket/tree/written', join(rclone.folder, 'written'));
    equal(sha256(readFileSync(join(rclone.folder, 'written'))), sha256(body));
    equal((await fetch(`${url}/written`, { method: 'DELETE' })).status, 204);
    equal((await run('lsf', 'hf:bucket/tree')).includes('written'), false);
  });

  await t.test('delete objects and the bucket', async () => {
    await run('deletefile', 'hf:bucket/tree/plain.txt');
    await run('delete', 'hf:bucket/copies');
    const left = await run('lsf', '--recursive', '--files-only', 'hf:bucket');
    deepEqual(left.trimEnd().split('\n').length, oddKeys.length, 'all but one, and the large one');
    await run('purge', 'hf:bucket');
    equal(await run('lsd', 'hf:'), '');
  });
}
