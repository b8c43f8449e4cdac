// s3cmd: its own signatures, multipart and sync by MD5; what it gets it compares with the ETag.

import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Ready } from '../cluster-process.ts';
import { bytesOf, sha256 } from '../s3-session.ts';
import { ClientProgram, fetchPresigned } from './client-program.ts';
import { expectSameTree, largeBytes, writeTree } from './tree.ts';

export async function s3cmd(t: TestContext, ready: Ready): Promise<void> {
  const { host } = new URL(ready.s3);
  const program = new ClientProgram(t, '/usr/bin/s3cmd', 's3cmd', {});
  const file = (name: string): string => join(program.folder, name);
  const configuration = {
    ...{ access_key: ready.accessKey, secret_key: ready.secretKey },
    ...{ host_base: host, host_bucket: host, use_https: 'False' },
    ...{ check_ssl_certificate: 'False', multipart_chunk_size_mb: '5' },
  };
  const lines = Object.entries(configuration).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(file('configuration'), `[default]\n${lines.join('')}`);
  const run = (...args: string[]): Promise<string> =>
    program.succeed('--config', file('configuration'), '--no-progress', ...args);
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await program.run('--config', file('configuration'), ...args);
    notEqual(code, 0);
    return stderr;
  };
  writeTree(file('in'), 12);

  await t.test('make a bucket and sync a tree to it, in parts where large', async () => {
    await run('mb', 's3://s3cmd');
    match(await run('ls'), /s3:\/\/s3cmd$/m);
    await run('sync', `${file('in')}/`, 's3://s3cmd/tree/');
    equal(await run('sync', '--check-md5', `${file('in')}/`, 's3://s3cmd/tree/'), '');
    match(await run('ls', 's3://s3cmd/tree/'), /DIR\s+s3:\/\/s3cmd\/tree\/many\//);
  });

  await t.test('get the tree back', async () => {
    await run('sync', 's3://s3cmd/tree/', `${file('out')}/`);
    await expectSameTree(t, file('in'), file('out'));
    await run('get', 's3://s3cmd/tree/large', file('large.out'));
    equal(sha256(readFileSync(file('large.out'))), sha256(bytesOf('large', largeBytes)));
  });

  await t.test('sync what was changed and deleted', async () => {
    for (const name of readdirSync(file('in/many/0'))) rmSync(file(`in/many/0/${name}`));
    writeFileSync(file('in/plain.txt'), bytesOf('changed', 71_000));
    await run('sync', '--delete-removed', `${file('in')}/`, 's3://s3cmd/tree/');
    await run('sync', '--delete-removed', 's3://s3cmd/tree/', `${file('out')}/`);
    await expectSameTree(t, file('in'), file('out'));
  });

  await t.test('headers, copies and moves', async () => {
    await run('put', '--add-header=x-amz-meta-colour:green', file('in/empty'), 's3://s3cmd/e');
    await run('modify', '--add-header=content-type:text/x-test', 's3://s3cmd/e');
    const about = await run('info', 's3://s3cmd/e');
    match(about, /x-amz-meta-colour: green/);
    match(about, /MIME type:\s+text\/x-test/);
    await run('cp', 's3://s3cmd/tree/large', 's3://s3cmd/copy of large');
    await run('mv', 's3://s3cmd/copy of large', 's3://s3cmd/moved+ü');
    await run('get', 's3://s3cmd/moved+ü', file('moved.out'));
    equal(sha256(readFileSync(file('moved.out'))), sha256(bytesOf('large', largeBytes)));
  });

  await t.test('a signed URL, and an object for everybody', async () => {
    const url = await run('signurl', 's3://s3cmd/tree/many/1/file-1', '+60');
    await fetchPresigned(url.trim(), 'small 1', 998);
    const open = `${ready.s3}/s3cmd/tree/many/1/file-1`;
    equal((await fetch(open)).status, 403);
    await run('setacl', '--acl-public', 's3://s3cmd/tree/many/1/file-1');
    await fetchPresigned(open, 'small 1', 998);
    await run('setacl', '--acl-private', 's3://s3cmd/tree/many/1/file-1');
    equal((await fetch(open)).status, 403);
  });

  await t.test('policies, rules and uploads of a bucket', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          ...{ Sid: 'everybody', Effect: 'Allow', Principal: { AWS: ['*'] } },
          ...{ Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::s3cmd/tree/*'] },
        },
      ],
    };
    writeFileSync(file('policy'), JSON.stringify(policy));
    await run('setpolicy', file('policy'), 's3://s3cmd');
    await fetchPresigned(`${ready.s3}/s3cmd/tree/many/1/file-1`, 'small 1', 998);
    await run('delpolicy', 's3://s3cmd');
    await run('expire', '--expiry-days=7', '--expiry-prefix=old/', 's3://s3cmd');
    match(await run('getlifecycle', 's3://s3cmd'), /<Days>7<\/Days>/);
    await run('dellifecycle', 's3://s3cmd');
    deepEqual((await run('multipart', 's3://s3cmd')).trim().split('\n').slice(2), []);
    match(await run('du', 's3://s3cmd/tree/'), /^\s*\d{8}\s/);
  });

  await t.test('delete objects and the bucket', async () => {
    match(await refused('get', 's3://s3cmd/missing', file('missing')), /404|does not exist/);
    match(await refused('rb', 's3://s3cmd'), /BucketNotEmpty/);
    await run('del', 's3://s3cmd/e');
    await run('del', '--recursive', '--force', 's3://s3cmd/tree/');
    deepEqual((await run('ls', '--recursive', 's3://s3cmd')).trim().split('\n').length, 1);
    await run('rb', '--force', '--recursive', 's3://s3cmd');
    equal(await run('ls'), '');
  });

  deepEqual(readdirSync(file('home')), [], 'nothing was configured');
}
