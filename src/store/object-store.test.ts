import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import type { OsdId, Uuid } from '../base/ids.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { ObjectStore } from './object-store.ts';
import { Transaction } from './transaction.ts';

const superblock = {
  fsid: '0123456789abcdef0123456789abcdef' as Uuid,
  osdUuid: 'fedcba9876543210fedcba9876543210' as Uuid,
  osdId: 7 as OsdId,
  formatVersion: 1,
  createdWallMs: 1_700_000_000_000,
};
const b = encodeUtf8;
test('smoke', async () => {
  let files = new SimulatedFiles({ random: new SeededRandom(1) });
  await ObjectStore.format(files, superblock);
  let store = await ObjectStore.open(files, { capacityBytes: 1 << 30 });
  const t = new Transaction();
  t.put('a', b('k1'), b('v1'));
  t.put('a', b('k2'), b('v2'));
  const data = new Uint8Array(100_000).map((_, i) => i * 7);
  t.putObject('a', b('o1'), b('h'), [data.subarray(0, 3333), data.subarray(3333)]);
  t.cloneObject('a', b('o1'), b('o2'));
  const done = store.commit(t);
  deepEqual(await store.get('a', b('k1')), b('v1'));
  deepEqual(await store.readObject('a', b('o2'), 16000, 1000), data.slice(16000, 17000));
  await done;
  equal(store.sequence, 1);
  for (let i = 0; i < 2; i++) {
    deepEqual(await store.readObject('a', b('o2'), 16000, 80000), data.slice(16000, 96000));
    deepEqual(await store.scan('a', { begin: b(''), end: undefined, limit: 10, reverse: true }), [
      [b('k2'), b('v2')],
      [b('k1'), b('v1')],
    ]);
    deepEqual(await store.collections(), ['a']);
    equal((await store.listObjects('a', { begin: b(''), end: undefined, limit: 10 })).length, 2);
    await store.close();
    files = files.reopen();
    store = await ObjectStore.open(files, { capacityBytes: 1 << 30 });
    deepEqual(store.damaged, []);
    equal(store.usage().usedBytes, 25 * 4096);
  }
  const t2 = new Transaction();
  t2.removeObject('a', b('o1'));
  t2.delete('a', b('k1'));
  await store.commit(t2);
  await rejects(store.readObject('a', b('o1'), 0, 10), { code: 'no-such-object' });
  deepEqual(await store.readObject('a', b('o2'), 99_990, 80000), data.slice(99_990));
  const t3 = new Transaction();
  t3.removeObject('a', b('o2'));
  await store.commit(t3);
  equal(store.usage().usedBytes, 0);
});
