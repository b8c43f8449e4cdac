// The store's small parts: keys, views, the row cache, and which reads keep what alive.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from '../base/bytes.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { keyPrefix, parseStoreKey, prefixEnd, storeKey } from './keys.ts';
import { ReadEpochs } from './read-epochs.ts';
import { RowCache } from './row-cache.ts';
import { copyRange, splitViews } from './views.ts';

test('keys order as collection, kind, key, and can be parsed back', () => {
  const wanted = [
    storeKey('a', 'object', new Uint8Array([255])),
    storeKey('a', 'row', new Uint8Array(0)),
    storeKey('a', 'row', new Uint8Array([0])),
    storeKey('a', 'row', new Uint8Array([200])),
    storeKey('a.', 'object', new Uint8Array(0)),
    storeKey('b', 'object', new Uint8Array([1])),
  ];
  const byBytes = [...wanted].sort((a, b) => compareBytes(a.bytes, b.bytes));
  const byText = [...wanted].sort((a, b) => (a.text < b.text ? -1 : 1));
  deepEqual(byBytes, wanted);
  deepEqual(byText, wanted);
  deepEqual(parseStoreKey(wanted[3]?.bytes ?? new Uint8Array(0)), {
    collection: 'a',
    kind: 'row',
    key: new Uint8Array([200]),
  });
  const prefix = keyPrefix('a', 'row');
  equal(
    compareBytes(prefixEnd(prefix), storeKey('a', 'row', new Uint8Array(4096).fill(255)).bytes) > 0,
    true,
  );
  for (const bytes of [[], [0], [97], [97, 0], [97, 0, 9, 1], [0, 97, 1]])
    equal(parseStoreKey(new Uint8Array(bytes)), undefined);
  throws(() => keyPrefix('a\0b', 'row'), { name: 'AssertionError' });
});

test('views are cut and copied at any place', () => {
  const random = new SeededRandom(2);
  for (let i = 0; i < 200; i++) {
    const views = Array.from({ length: random.below(6) }, () =>
      new Uint8Array(random.below(9)).map(() => random.below(256)),
    );
    const whole = new Uint8Array(Buffer.concat(views));
    const begin = random.below(whole.length + 1);
    const end = begin + random.below(whole.length - begin + 1);
    deepEqual(copyRange(views, begin, end), whole.slice(begin, end));
    const lengths = [random.below(5), random.below(9), 1000];
    const pieces = splitViews(views, lengths).map((piece) => new Uint8Array(Buffer.concat(piece)));
    let at = 0;
    for (const [index, piece] of pieces.entries()) {
      deepEqual(piece, whole.slice(at, at + (lengths[index] as number)));
      at += piece.length;
    }
    equal(at, whole.length);
  }
});

test('the row cache forgets the least recently used first and stays within its bound', () => {
  const cache = new RowCache(10_000);
  const row = (bytes: number) => ({ kind: 'row', value: new Uint8Array(bytes) }) as const;
  for (let i = 0; i < 100; i++) {
    cache.put(`k${i}`, row(500));
    cache.get('k0');
    equal(cache.bytes <= 10_000, true);
  }
  equal(cache.get('k0')?.kind, 'row');
  equal(cache.get('k50'), undefined);
  equal(cache.get('k99')?.kind, 'row');
  cache.put('k0', row(5000));
  equal(cache.get('k0'), undefined, 'one row does not take all the room, nor stays as it was');
  for (let i = 0; i < 100; i++) cache.delete(`k${i}`);
  equal(cache.bytes, 0);
});

test('what is retired goes when every earlier read has ended, in order', () => {
  const reads = new ReadEpochs();
  const gone: string[] = [];
  reads.afterReads(() => gone.push('at once'));
  deepEqual(gone, ['at once']);
  const first = reads.begin();
  const second = reads.begin();
  reads.afterReads(() => gone.push('a'));
  const third = reads.begin();
  reads.afterReads(() => gone.push('b'));
  reads.end(first);
  deepEqual(gone, ['at once']);
  reads.end(second);
  deepEqual(gone, ['at once', 'a']);
  reads.begin();
  reads.end(third);
  deepEqual(gone, ['at once', 'a', 'b']);
  throws(() => reads.end(third), { name: 'AssertionError' });
});
