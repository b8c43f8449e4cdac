import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from './buffer-pool.ts';

const mebibyte = 1024 * 1024;
const slabs = 2;

const pool = (): BufferPool => new BufferPool(slabs * 8 * mebibyte);

/** Takes all that the pool has of a size. */
function drain(from: BufferPool, bytes: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  for (let view = from.tryAcquire(bytes); view !== undefined; view = from.tryAcquire(bytes))
    taken.push(view);
  return taken;
}

test('buffers that are out never share memory, and are of the length asked for', () => {
  const taken = drain(pool(), 100_000);
  ok(taken.length > 100);
  for (const [at, view] of taken.entries()) {
    equal(view.length, 100_000);
    view.fill(at);
  }
  for (const [at, view] of taken.entries()) equal(view[99_999], at % 256);
});

test('what is small, or beyond the pool, is ordinary memory that need not be given back', () => {
  const full = pool();
  equal(full.tryAcquire(1000), undefined);
  drain(full, mebibyte);
  const beyond = full.acquire(mebibyte);
  equal(beyond.length, mebibyte);
  full.release(beyond);
  equal(full.tryAcquire(mebibyte), undefined);
});

test('the memory of one size serves another when all of a slab is back', () => {
  const mixed = pool();
  const large = drain(mixed, mebibyte);
  equal(large.length, slabs * 8);
  equal(mixed.tryAcquire(100_000), undefined);
  const [first] = large;
  ok(first !== undefined);
  for (const view of large) if (view.buffer === first.buffer) mixed.release(view);
  const small = mixed.tryAcquire(100_000);
  equal(small?.buffer, first.buffer);
  // The other slab is still out.
  for (const view of drain(mixed, 100_000)) equal(view.buffer, first.buffer);
});

test('a slab that is in use is preferred to an empty one', () => {
  const two = pool();
  const all = drain(two, mebibyte);
  const [kept] = all;
  ok(kept !== undefined);
  for (const view of all) if (view !== kept) two.release(view);
  equal(two.acquire(mebibyte).buffer, kept.buffer);
  const other = two.tryAcquire(100_000);
  notEqual(other, undefined);
  notEqual(other?.buffer, kept.buffer);
});

test('a buffer that is given back twice is our own mistake', () => {
  const strict = pool();
  const view = strict.acquire(mebibyte);
  strict.release(view);
  throws(() => strict.release(view), /given back once/);
});

test('where misuse is to show, short strings are pooled, and wrong bytes once they are given back', () => {
  const strict = pool();
  const before = strict.acquire(mebibyte);
  strict.showMisuse();
  equal(strict.outCount, 0);
  strict.release(before);
  const short = strict.acquire(10).fill(7);
  equal(short.length, 10);
  equal(strict.outCount, 1);
  strict.release(short);
  deepEqual([...short], Array(10).fill(0xdd));
  equal(strict.outCount, 0);
  throws(() => strict.release(short), /given back once/);
  equal(strict.tryAcquire(0), undefined);
});
