// Found by seed 17: what left a disk stayed on it for ever when one of its rows was rotten, because the rows were read
// before they were removed.

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import type { PgId } from '../base/ids.ts';
import { ObjectStore } from '../store/object-store.ts';
import { superblockForTests } from '../store/store-suite.ts';
import { Transaction } from '../store/transaction.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { PgDisk } from './pg-disk.ts';

const options = { capacityBytes: 64 * 1024 * 1024 };

test('a placement group is removed whole though one of its rows is rotten', async () => {
  const files = new SimulatedFiles({ random: new SeededRandom(1) });
  await ObjectStore.format(files, superblockForTests);
  let store = await ObjectStore.open(files, options);
  const pg = '1.1.1' as PgId;
  const rows = new Transaction();
  for (let at = 0; at < 1200; at++)
    rows.put(PgDisk.collectionOf(pg), encodeUtf8(`row ${at}`), encodeUtf8(`value ${at}`));
  rows.put('other', encodeUtf8('kept'), encodeUtf8('as it is'));
  await store.commit(rows);
  await store.close();
  const victims = files
    .rows('meta')
    .filter(([key]) => new TextDecoder().decode(key).includes('row 7'));
  for (const [key] of [victims[0], victims.at(-1)] as typeof victims)
    equal(files.flipRowBit('meta', key, 3, 2), true);
  store = await ObjectStore.open(files, options);
  const range = { begin: new Uint8Array(0), end: undefined, limit: 10_000 };
  await rejects(store.scan(PgDisk.collectionOf(pg), range), /checksum-mismatch/);
  await PgDisk.discard(store, pg);
  deepEqual(await store.scan(PgDisk.collectionOf(pg), range), []);
  deepEqual(await store.collections(), ['other']);
  await store.close();
});
