// One OSD more while clients write, by a command, and by a number in holdfast.yaml: it takes its share, the geometry can
// follow, and a later start has it, too.

import { equal, match, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const objectCount = 24;
const objectBytes = 300_000;

test('a disk that is added takes its share, and stays', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const yaml = join(data, 'holdfast.yaml');
  const cluster = await startCluster(t, ['--osds', '3'], data);
  const session = await openBucket(t, cluster);
  for (let at = 0; at < objectCount; at++)
    await session.put(`k${at}`, bytesOf(`k${at}`, objectBytes));
  const readAll = async (): Promise<void> => {
    for (let at = 0; at < objectCount; at++)
      equal(sha256(await session.get(`k${at}`)), sha256(bytesOf(`k${at}`, objectBytes)));
  };

  writeFileSync(yaml, `${readFileSync(yaml, 'utf8')}# kept\nmemoryBudgetBytes: 268435456\n`);
  const said = await cluster.command('osd', 'add', '--class', 'hdd', '--wait');
  match(said, /^osd\.3 was added/);
  const added = (await cluster.osds()).find(({ id }) => id === 3);
  equal(added?.up, true);
  equal(added?.deviceClass, 'hdd');
  ok((added?.pgs ?? 0) > 0, 'it holds placement groups');
  await readAll();
  const text = readFileSync(yaml, 'utf8');
  match(text, /^osds: 4$/m);
  match(text, /^# kept\nmemoryBudgetBytes: 268435456$/m);

  // A folder that is not empty is nobody's new disk.
  mkdirSync(join(data, 'osd.4'));
  writeFileSync(join(data, 'osd.4', 'letter.txt'), 'mine');
  const refused = await cluster.run('osd', 'add');
  equal(refused.code, 1);
  match(refused.stderr, /osd\.4 is not empty/);
  match(readFileSync(yaml, 'utf8'), /^osds: 4$/m);

  await cluster.stop();
  const other = join(data, 'osd.4');
  writeFileSync(yaml, text.replace('osds: 4', 'osds: 6'));
  const again = await startCluster(t, [], data);
  // osd.4 is left alone, and osd.5 can't come before it.
  const failed = (await again.daemonStates()).filter(({ name }) => /osd\.[45]/.test(name));
  ok(failed.length === 2, 'both are asked for');
  equal(readFileSync(join(other, 'letter.txt'), 'utf8'), 'mine');
  equal((await again.osds()).length, 4);
});
