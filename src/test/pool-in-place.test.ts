// A cluster that begins with two disks grows: its index, which is made of rows, gets a third copy and other placement
// groups while clients write, and gives the copy up again.

import { equal, match } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const objectCount = 24;
/** Small enough to stand in the index. */
const objectBytes = 2000;

test('the index of a small cluster gets more copies and placement groups as it grows, while clients write', async (t) => {
  const cluster = await startCluster(t, ['--osds', '2'], join(temporaryFolder(t), 'data'));
  const session = await openBucket(t, cluster);
  const contents = new Map<string, string>();
  const put = async (key: string, content: string): Promise<void> => {
    await session.put(key, bytesOf(content, objectBytes));
    contents.set(key, content);
  };
  for (let at = 0; at < objectCount; at++) await put(`k${at}`, `k${at}`);
  let isOver = false;
  const load = (async (): Promise<number> => {
    let count = 0;
    for (; !isOver; count++) await put(`k${count % objectCount}`, `${count}`);
    return count;
  })();
  load.catch(() => {});

  const early = await cluster.run('pool', 'set', '.index', '--copies', '3/2');
  equal(early.code, 1);
  match(early.stderr, /copies 3\/2 needs 3 failure domains \(host\), there are 2/);
  await cluster.command('osd', 'add', '--wait');
  const set = (...words: readonly string[]): Promise<string> =>
    cluster.command('pool', 'set', '.index', ...words, '--wait');
  match(await set('--copies', '3/2'), /pool \.index: copies 3\/2 by host\n/);
  match(await cluster.command('pool', 'ls'), /\.index +copies 3\/2 +host/);
  await cluster.command('pool', 'pause', '.index');
  match(
    await cluster.command('pool', 'set', '.index', '--pgs', '24'),
    /to 24 placement groups: 0 of 16 have handed over/,
  );
  match(await cluster.command('health'), /POOL_HANDING_OVER/);
  const again = await cluster.run('pool', 'set', '.index', '--pgs', '8');
  match(again.stderr, /being handed over to 24 placement groups: wait until that is done, or turn/);
  await cluster.command('pool', 'resume', '.index');
  await cluster.command('pool', 'revert', '.index', '--wait');
  match(await set('--pgs', '24'), /pool \.index: copies 3\/2 by host\n/);
  match(await cluster.command('pool', 'ls'), /\.index +copies 3\/2 +host +any +24 /);
  const coded = await cluster.run('pool', 'set', '.index', '--erasure', '2+1');
  match(coded.stderr, /not erasure-coded/);
  match(await set('--copies', '2/1', '--failure-domain', 'osd'), /copies 2\/1 by osd\n/);

  isOver = true;
  equal((await load) > 0, true);
  for (const [key, content] of contents)
    equal(sha256(await session.get(key)), sha256(bytesOf(content, objectBytes)), key);
});
