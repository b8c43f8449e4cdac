// A bucket removed by the operator with everything in it, by the command line: refused until the loss is named, gone for
// clients then, and back as it was.

import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, refusedBy, S3Session, sha256 } from './s3-session.ts';
import { atEnd, openBucket, startCluster } from './test-cluster.ts';

test('bucket rm names what is lost, and bucket restore brings it back', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3']);
  const session = await openBucket(t, cluster);
  const keys = ['inline', 'blob'];
  const bodyOf = (key: string): Buffer => bytesOf(key, key === 'blob' ? 100_000 : 1000);
  for (const key of keys) await session.put(key, bodyOf(key));

  const plain = await cluster.run('bucket', 'rm', 'test');
  equal(plain.code, 1);
  match(plain.stderr, /holds 2 objects and versions, 101000 bytes: with --force/);
  const refused = await cluster.run('bucket', 'rm', 'test', '--force');
  equal(refused.code, 3);
  match(refused.stderr, /2 objects and versions, 101000 bytes: LOST when .* for 24 hours/);
  const [, token = ''] = /--accept-loss ([0-9a-f]{12})/.exec(refused.stderr) ?? [];
  await session.put('more', bodyOf('more'));
  const other = await cluster.run('bucket', 'rm', 'test', '--force', '--accept-loss', token);
  equal(other.code, 3, 'it was for another list');
  await session.delete('more');
  await cluster.command('bucket', 'rm', 'test', '--force', '--accept-loss', token);

  equal((await refusedBy(session.get('blob'))).code, 'NoSuchBucket');
  equal((await refusedBy(session.put('new', bodyOf('new')))).code, 'NoSuchBucket');
  match(await cluster.command('bucket', 'trash'), /^test +~\S+ +20/m);
  await session.createBucket();
  await session.put('other', bodyOf('other'));
  const taken = await cluster.run('bucket', 'restore', 'test');
  equal(taken.code, 1);
  match(taken.stderr, /another bucket test by now: give it another name, with --as/);
  await cluster.command('bucket', 'restore', 'test', '--as', 'former');
  const former = new S3Session(cluster.ready, 'former', { attemptsMax: 1 });
  atEnd(t, () => former.close());
  for (const key of keys) equal(await former.digestOf(key), sha256(bodyOf(key)), key);
  equal(await former.digestOf('other'), undefined);

  // Without a trash it is emptied at once.
  await cluster.command('config', 'set', 'bucket_trash_hours', '0');
  await session.delete('other');
  await cluster.command('bucket', 'rm', 'test');
  equal((await refusedBy(session.get('other'))).code, 'NoSuchBucket');
  ok(!(await cluster.command('bucket', 'ls')).includes('test '));
});
