import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { checksumChunkBytes, chunkChecksums } from '../base/chunk-checksums.ts';
import { crc32c } from '../base/crc32c.ts';
import { copies, erasure, type Geometry } from '../map/geometry.ts';
import { SharedShards, shardsOf } from './shards.ts';

const bytes = Uint8Array.from({ length: 700_001 }, (_, at) => (at * 37 + (at >> 9)) & 255);

const geometries: readonly (readonly [string, Geometry])[] = [
  ['copies', copies(3, 2)],
  ...[2, 3, 5].flatMap((k) =>
    [4, 12, 16, 32, 64].map((kibibytes): readonly [string, Geometry] => [
      `${k}+2 in chunks of ${kibibytes} KiB`,
      { ...erasure(k, 2), chunkBytes: kibibytes * 1024 } as Geometry,
    ]),
  ),
];

for (const [name, geometry] of geometries)
  test(`${name}: what follows from the blob’s checksums is what each shard’s bytes say`, () => {
    const slots = geometry.kind === 'copies' ? 1 : geometry.k + geometry.m;
    for (const length of [
      1,
      4096,
      checksumChunkBytes + 1,
      131_072,
      393_216,
      500_000,
      bytes.length,
    ]) {
      const blob = bytes.slice(0, length);
      const set = shardsOf(geometry, blob, chunkChecksums([blob], length));
      const unknowing = shardsOf(geometry, blob);
      for (let index = 0; index < slots; index++) {
        const shard = set.of(index);
        const expected = chunkChecksums([shard], shard.length);
        deepEqual(set.checksumsOf(index), expected, `${length} bytes, slot ${index}`);
        deepEqual(unknowing.checksumsOf(index), expected);
      }
    }
  });

test('bytes that are spoilt behind the blob’s checksums are not given a right one', () => {
  const blob = bytes.slice(0, 4 * 65_536);
  const checksums = chunkChecksums([blob], blob.length);
  blob.fill(0, 9 * checksumChunkBytes, 10 * checksumChunkBytes);
  const set = shardsOf(erasure(2, 1), blob, checksums);
  // The blob's third piece of 64 KiB is the second of slot 0.
  equal(set.checksumsOf(0)[5], checksums[9]);
});

test('a shard that changes in memory is not what it was, and its sum stays what that was', () => {
  for (const geometry of [copies(3, 2), erasure(2, 1)]) {
    const blob = bytes.slice();
    const shards = new SharedShards(shardsOf(geometry, blob, chunkChecksums([blob], blob.length)));
    const done = shards.hold();
    for (const index of geometry.kind === 'copies' ? [0] : [0, 1, 2]) {
      const shard = shards.of(index);
      const before = crc32c(shard);
      equal(shards.crcOf(index), before);
      equal(shards.isIntact(index), true);
      shard[70_000] = (shard[70_000] as number) ^ 4;
      equal(shards.isIntact(index), false);
      equal(shards.crcOf(index), before);
    }
    done();
  }
});
