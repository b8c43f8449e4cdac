// s3fs: a bucket as a file system. Each file's mode, owner and time are metadata, renames are copies, and a file
// that is changed in its middle is put together from copied parts and new ones. Nothing here waits for the mounted
// folder on the thread that also watches the cluster.

import { deepEqual, equal } from 'node:assert/strict';
import {
  appendFile,
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { Ready } from '../cluster-process.ts';
import { S3Session } from '../s3-session.ts';
import { atEnd } from '../test-cluster.ts';
import { ClientProgram } from './client-program.ts';
import { expectSameTree, largeBytes, writeTree } from './tree.ts';

const bucket = 's3fs';

export async function s3fs(t: TestContext, ready: Ready): Promise<void> {
  const program = new ClientProgram(t, '/usr/bin/s3fs', 's3fs', {});
  const unmounter = new ClientProgram(t, '/usr/bin/fusermount', 'fuse', {});
  const tar = new ClientProgram(t, '/usr/bin/tar', 'tar', {});
  const file = (name: string): string => join(program.folder, name);
  const mounted = file('mounted');
  await mkdir(mounted);
  const session = new S3Session(ready, bucket, { attemptsMax: 3 });
  await session.client.send(new CreateBucketCommand({ Bucket: bucket }));
  session.close();
  await writeFile(file('keys'), `${ready.accessKey}:${ready.secretKey}\n`, { mode: 0o600 });
  const options = [
    ...[`passwd_file=${file('keys')}`, `url=${ready.s3}`, 'use_path_request_style', 'sigv4'],
    ...['multipart_size=5', 'multireq_max=5', 'parallel_count=3', `tmpdir=${program.folder}`],
  ].join(',');
  // Resolves when it is mounted: the program goes on by itself, and ends when it is unmounted.
  const mount = (): Promise<string> => program.succeed(bucket, mounted, '-o', options);
  const unmount = (): Promise<string> => unmounter.succeed('-u', mounted);
  const within = (name: string): string => join(mounted, 'tree', name);
  const kept = (name: string): string => join(file('kept'), name);

  /** The same change to the mounted tree and to a plain one. */
  const both = async (change: (path: (name: string) => string) => Promise<void>): Promise<void> => {
    await change(within);
    await change(kept);
  };

  writeTree(file('kept'), 16);
  await symlink('../plain.txt', kept('many/link'));
  await chmod(kept('many/0/file-0'), 0o751);
  await tar.succeed('-C', file('kept'), '-cf', file('tree.tar'), '.');
  atEnd(t, () => unmounter.run('-u', '-z', mounted));

  await t.test('untar into the mounted bucket', async () => {
    await mount();
    await mkdir(join(mounted, 'tree'));
    await tar.succeed('-C', join(mounted, 'tree'), '-xf', file('tree.tar'));
    await expectSameTree(t, file('kept'), join(mounted, 'tree'));
  });

  await t.test('the same when mounted again, with its modes', async () => {
    await unmount();
    deepEqual(await readdir(mounted), []);
    await mount();
    await expectSameTree(t, file('kept'), join(mounted, 'tree'));
    equal((await stat(within('many/0/file-0'))).mode & 0o777, 0o751);
    equal((await stat(within('large'))).size, largeBytes);
  });

  await t.test('append, change, cut, rename and remove', async () => {
    await both(async (path) => {
      await appendFile(path('plain.txt'), 'more');
      const large = await open(path('large'), 'r+');
      await large.write(new TextEncoder().encode('in the middle'), 0, 13, 6_000_000);
      await large.close();
      await truncate(path('many/2/file-2'), 100);
      await rename(path('large'), path('many/renamed'));
      await rename(path('many/3'), path('many/moved folder'));
      await rm(path('many/1'), { recursive: true });
    });
    await unmount();
    await mount();
    await expectSameTree(t, file('kept'), join(mounted, 'tree'));
    equal(
      (await readFile(within('many/renamed'))).toString('latin1', 6e6, 6e6 + 13),
      'in the middle',
    );
  });

  await t.test('remove everything', async () => {
    await rm(join(mounted, 'tree'), { recursive: true });
    deepEqual(await readdir(mounted), []);
    await unmount();
  });
}
