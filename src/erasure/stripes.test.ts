import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ErasureError } from './errors.ts';
import {
  assembleRange,
  blobBytesMax,
  chunkBytesDefault,
  decodeBlob,
  encodeBlob,
  encodeBlobInto,
  rangeToShards,
  rangeToWindow,
  rebuildShards,
  type StripeGeometry,
  shardBytes,
} from './stripes.ts';

const kib = 1024;

function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function pattern(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, at) => (at * 31 + (at >> 8) * 7 + (at >> 16)) & 255);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function hasCode(code: string) {
  return (error: unknown) => error instanceof ErasureError && error.code === code;
}

test('the last stripe shrinks to the fewest 4 KiB that hold the rest', () => {
  const geometry = { k: 3, m: 2, chunkBytes: 64 * kib };
  const lengths = [1, 4096, 12288, 12289, 196608, 196609, 196608 + 12289, 4 * 1024 * kib];
  deepEqual(
    lengths.map((bytes) => shardBytes(geometry, bytes) / kib),
    [4, 4, 4, 8, 64, 68, 72, 1368],
  );
  equal(shardBytes({ k: 1, m: 1, chunkBytes: 4 * kib }, 4097), 8 * kib);
});

test('a blob is cut as the format says: chunk after chunk, zeros after the end', () => {
  const geometry = { k: 2, m: 1, chunkBytes: 4 * kib };
  const blob = pattern(3 * 4096 + 100);
  const [a, b, parity] = encodeBlob(geometry, [blob], blob.length);
  deepEqual(a, Uint8Array.from([...blob.subarray(0, 4096), ...blob.subarray(8192, 12288)]));
  deepEqual(
    b,
    Uint8Array.from([
      ...blob.subarray(4096, 8192),
      ...blob.subarray(12288),
      ...new Uint8Array(4096 - 100),
    ]),
  );
  deepEqual(
    parity,
    a?.map((byte, at) => byte ^ (b?.[at] ?? 0)),
  );
});

test('shards stay what they were: golden digests', () => {
  const digests = [
    [2, 1],
    [3, 2],
    [4, 2],
    [8, 3],
    [16, 4],
  ].map(([k = 0, m = 0]) => {
    const blob = pattern(1_000_003);
    const hash = createHash('sha256');
    for (const shard of encodeBlob({ k, m, chunkBytes: chunkBytesDefault }, [blob], blob.length))
      hash.update(shard);
    return `${k}+${m} ${hash.digest('hex')}`;
  });
  deepEqual(digests, [
    '2+1 1beb7e929505f95d97403a8718242a847a72d6025b638cda906ed7512831d98e',
    '3+2 d3081af41ac3df47f097ce88b56de5469d91e14761609abf413397d5d468876f',
    '4+2 fd5118a238131df7ab12d3dab4506642eddfd4fab85bf9803f9421c995006605',
    '8+3 997489e885ed46bb4fff5701087b800a44c4b1c591d30d825d5e61881810efad',
    '16+4 29ba652387c4ad26bc323acf09940965ca0d8e532762110742a80ee52c5743f9',
  ]);
});

/** Geometries and lengths where stripes are full, short, and one byte beyond. */
function cases(next: (below: number) => number): { geometry: StripeGeometry; bytes: number }[] {
  const geometries = [
    { k: 1, m: 1, chunkBytes: 4 * kib },
    { k: 1, m: 2, chunkBytes: 64 * kib },
    { k: 2, m: 1, chunkBytes: 64 * kib },
    { k: 3, m: 2, chunkBytes: 64 * kib },
    { k: 3, m: 2, chunkBytes: 12 * kib },
    { k: 4, m: 2, chunkBytes: 64 * kib },
    { k: 8, m: 3, chunkBytes: 16 * kib },
    { k: 16, m: 4, chunkBytes: 4 * kib },
  ];
  return geometries.flatMap((geometry) => {
    const stripe = geometry.k * geometry.chunkBytes;
    return [1, 4096, stripe - 1, stripe, stripe + 1, 2 * stripe, 1 + next(3 * stripe)].map(
      (bytes) => ({ geometry, bytes: Math.min(bytes, blobBytesMax) }),
    );
  });
}

test('ranges of the blob come back from data shards alone, and with up to m shards lost', () => {
  const next = sequence(5);
  for (const { geometry, bytes } of cases(next)) {
    const { k, m } = geometry;
    const blob = pattern(bytes);
    const cut = next(bytes + 1);
    const shards = encodeBlob(geometry, [blob.subarray(0, cut), blob.subarray(cut)], bytes);
    ok(isEqual(decodeBlob(geometry, bytes, shards), blob));
    for (let round = 0; round < 12; round++) {
      const offsetBytes = next(bytes + 1);
      const range = { offsetBytes, lengthBytes: next(bytes - offsetBytes + 1) };
      const expected = blob.subarray(offsetBytes, offsetBytes + range.lengthBytes);
      const lost = new Set(Array.from({ length: m }, () => next(k + m)));
      const rest = shards.map((shard, i) => (lost.has(i) ? undefined : shard));
      const at = `${k}+${m} of ${bytes}: ${offsetBytes} + ${range.lengthBytes}, lost ${[...lost]}`;

      const parts = rangeToShards(geometry, bytes, range).map((part) => {
        ok(part.shardIndex < k && part.lengthBytes > 0, at);
        return (shards[part.shardIndex] as Uint8Array).subarray(
          part.offsetBytes,
          part.offsetBytes + part.lengthBytes,
        );
      });
      ok(isEqual(assembleRange(geometry, bytes, range, parts), expected), at);
      ok(isEqual(decodeBlob(geometry, bytes, rest, range), expected), at);

      const window = rangeToWindow(geometry, bytes, range);
      const end = window.offsetBytes + window.lengthBytes;
      const windows = rest.map((shard) => shard?.subarray(window.offsetBytes, end));
      ok(isEqual(decodeBlob(geometry, bytes, windows, range, window.offsetBytes), expected), at);

      const rebuilt = rebuildShards(geometry, bytes, rest, [...lost]);
      for (const [i, index] of [...lost].entries())
        ok(isEqual(rebuilt[i] as Uint8Array, shards[index] as Uint8Array), at);
    }
  }
});

test('a range names no more than its own bytes where it lies in one chunk', () => {
  const geometry = { k: 3, m: 2, chunkBytes: 64 * kib };
  const range = { offsetBytes: 3 * 65536 + 65536 + 10, lengthBytes: 100 };
  deepEqual(rangeToShards(geometry, 2 ** 20, range), [
    { shardIndex: 1, offsetBytes: 65546, lengthBytes: 100 },
  ]);
  deepEqual(rangeToWindow(geometry, 2 ** 20, range), { offsetBytes: 65546, lengthBytes: 100 });
  deepEqual(rangeToShards(geometry, 2 ** 20, { offsetBytes: 5, lengthBytes: 0 }), []);
});

test('shards that were used before are overwritten, padding too', () => {
  const geometry = { k: 3, m: 2, chunkBytes: 64 * kib };
  const blob = pattern(200_001);
  const bytes = shardBytes(geometry, blob.length);
  const used = Array.from({ length: 5 }, () => new Uint8Array(bytes).fill(0xaa));
  encodeBlobInto(geometry, [blob], blob.length, used);
  deepEqual(used, encodeBlob(geometry, [blob], blob.length));
});

test('geometries and shards that cannot be are refused, not asserted', () => {
  const geometry = { k: 2, m: 1, chunkBytes: 64 * kib };
  for (const wrong of [
    { ...geometry, chunkBytes: 0 },
    { ...geometry, chunkBytes: 4097 },
    { ...geometry, chunkBytes: Number.NaN },
    { ...geometry, chunkBytes: 2 ** 30 },
    { ...geometry, k: 17 },
    { ...geometry, m: 0 },
  ])
    throws(() => shardBytes(wrong, 1), hasCode('unsupported-geometry'));
  for (const bytes of [0, -1, 1.5, blobBytesMax + 1])
    throws(() => shardBytes(geometry, bytes), hasCode('unsupported-geometry'));
  const shards = encodeBlob(geometry, [pattern(100)], 100);
  const short = [shards[0]?.subarray(1), undefined, shards[2]];
  throws(() => decodeBlob(geometry, 100, short), hasCode('shard-length'));
  throws(() => rebuildShards(geometry, 100, short, [1]), hasCode('shard-length'));
  const single = [undefined, undefined, shards[2]];
  throws(() => decodeBlob(geometry, 100, single), hasCode('too-few-shards'));
  throws(() => rebuildShards(geometry, 100, single, [0]), hasCode('too-few-shards'));
});
