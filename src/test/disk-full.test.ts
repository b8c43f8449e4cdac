// Full disks: writes are refused before anything of them is stored; what is there stays readable and
// can be deleted; health warns before and says it when it is so.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, refusalOf, refusedBy, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const capacityBytes = 96 * 2 ** 20;
const objectBytes = 6 * 2 ** 20;
/** 88 % of the room for data on five such disks at 3+2; an eighth of a disk is kept for metadata. */
const objectsBeforeWarning = Math.floor(
  (0.88 * 5 * 0.875 * capacityBytes) / ((objectBytes * 5) / 3),
);
/** Twice what five such disks could hold at 3+2. */
const objectsMax = 100;

test('full disks refuse writes whole, and serve reads and deletes', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const first = await startCluster(t, [], data);
  await first.stop();
  appendFileSync(join(data, 'holdfast.yaml'), `osdCapacityBytes: ${capacityBytes}\n`);
  const cluster = await startCluster(t, [], data);
  const before = await cluster.daemons();
  const session = await openBucket(t, cluster);
  const stored: string[] = [];
  let refusedKey = '';
  for (let index = 0; index < objectsMax && refusedKey === ''; index++) {
    const key = `object-${index}`;
    try {
      await session.put(key, bytesOf(key, objectBytes));
      stored.push(key);
    } catch (error) {
      equal(refusalOf(error)?.status, 507, String(error));
      refusedKey = key;
    }
    if (stored.length === objectsBeforeWarning)
      await cluster.until('health warns of nearly full OSDs', ({ health }) =>
        health.checks.some(({ code }) => code === 'OSD_NEARLY_FULL'),
      );
  }
  t.diagnostic(`${stored.length} objects stored, then ${refusedKey} was refused`);
  ok(refusedKey !== '', 'a write is refused in the end');
  ok(stored.length > objectsBeforeWarning, `only ${stored.length} objects had room`);
  await cluster.until('health says that OSDs are full', ({ health }) =>
    health.checks.some(({ code }) => code === 'OSD_FULL'),
  );

  equal((await refusedBy(session.put(refusedKey, bytesOf('again', objectBytes)))).status, 507);
  equal(await session.digestOf(refusedKey), undefined, 'nothing of it is there');
  // One that would live in the index.
  equal((await refusedBy(session.put('small', bytesOf('small', 4096)))).status, 507);
  equal(await session.digestOf('small'), undefined, 'nothing of it is there');
  const used = (await cluster.osds()).map((osd) => osd.usedBytes);
  ok(
    used.every((bytes) => bytes <= capacityBytes),
    `within capacity: ${used}`,
  );
  const wrong: string[] = [];
  for (const key of stored)
    if ((await session.digestOf(key)) !== sha256(bytesOf(key, objectBytes))) wrong.push(key);
  deepEqual(wrong, []);

  const [deleted = ''] = stored;
  await session.delete(deleted);
  equal(await session.digestOf(deleted), undefined);
  deepEqual(await cluster.daemons(), before, 'no daemon ended');
  const { osds } = await cluster.status();
  equal(osds.up, 5);
});
