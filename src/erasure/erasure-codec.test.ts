import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { formatHex } from '../base/bytes.ts';
import { codecName, ErasureCodec } from './erasure-codec.ts';
import { ErasureError } from './errors.ts';
import { invert, invertMatrix, multiply, powerOfTwo } from './field.ts';
import { blockBytes } from './kernel.ts';

/** The format's definition, byte by byte, with nothing of the codec in it. */
function encodePlainly(data: readonly Uint8Array[], m: number): Uint8Array[] {
  const product = (a: number, b: number): number => {
    let sum = 0;
    for (let shifted = a, rest = b; rest > 0; rest >>= 1) {
      if (rest & 1) sum ^= shifted;
      shifted = shifted & 0x80 ? (shifted << 1) ^ 0x11d : shifted << 1;
    }
    return sum;
  };
  return Array.from({ length: m }, (_, i) => {
    const parity = new Uint8Array(data[0]?.length ?? 0);
    let coefficient = 1;
    for (const chunk of data) {
      const factor = coefficient;
      chunk.forEach((byte, at) => {
        parity[at] = (parity[at] ?? 0) ^ product(byte, factor);
      });
      coefficient = product(coefficient, 2 ** i);
    }
    return parity;
  });
}

/** A fixed pseudo-random sequence (xorshift32). */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function chunks(count: number, bytes: number, next: (below: number) => number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(bytes).map(() => next(256)));
}

function encoded(k: number, m: number, data: readonly Uint8Array[]): Uint8Array[] {
  const parity = Array.from({ length: m }, () => new Uint8Array(data[0]?.length ?? 0).fill(0xee));
  new ErasureCodec(k, m).encode(data, parity);
  return [...data, ...parity];
}

function* subsets(count: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) yield [];
  else
    for (let first = from; first <= count - size; first++)
      for (const rest of subsets(count, size - 1, first + 1)) yield [first, ...rest];
}

test('the field has inverses and its matrices too', () => {
  for (let a = 1; a < 256; a++) equal(multiply(a, invert(a)), 1);
  equal(powerOfTwo(8), 0x1d);
  equal(multiply(0x80, 2), 0x1d);
  deepEqual(
    invertMatrix([
      [0, 1],
      [1, 0],
    ]),
    [
      [0, 1],
      [1, 0],
    ],
  );
  equal(
    invertMatrix([
      [2, 4],
      [1, 2],
    ]),
    undefined,
  );
});

test('any k of k + m shards determine the data, for each k up to 16 and m up to 4', () => {
  // Rows of the identity that survive cancel their columns: what is left to invert are the square
  // submatrices of the parity rows. Those of k = 16, m = 4 contain those of every smaller code.
  let count = 0;
  for (let size = 1; size <= 4; size++)
    for (const rows of subsets(4, size))
      for (const columns of subsets(16, size)) {
        const matrix = rows.map((i) => columns.map((j) => powerOfTwo(i * j)));
        ok(invertMatrix(matrix) !== undefined, `rows ${rows} columns ${columns}`);
        count += 1;
      }
  equal(count, 4844);
});

test('encoding is the format as it is written down, for each k and m and odd lengths', () => {
  const next = sequence(1);
  for (let k = 1; k <= 16; k++)
    for (let m = 1; m <= 4; m++) {
      const data = chunks(k, 1 + next(200), next);
      const parity = encoded(k, m, data).slice(k);
      deepEqual(parity, encodePlainly(data, m), `${k}+${m}`);
    }
});

test('encoding stays what it was: golden vectors', () => {
  equal(codecName, 'rs-pow2-11d-v1');
  const tiny = [1, 0x80, 0xff].map((byte) => Uint8Array.of(byte, 0, byte));
  deepEqual(encoded(3, 4, tiny).slice(3).map(formatHex), ['7e007e', 'c700c7', '700070', '440044']);
  const digests = [
    [2, 1],
    [3, 2],
    [4, 2],
    [8, 3],
    [16, 4],
  ].map(([k = 0, m = 0]) => {
    const data = Array.from({ length: k }, (_, j) =>
      new Uint8Array(70_000).map((_, at) => (at * 7 + (at >> 8) * 13 + j * 101) & 255),
    );
    const hash = createHash('sha256');
    for (const parity of encoded(k, m, data).slice(k)) hash.update(parity);
    return `${k}+${m} ${hash.digest('hex')}`;
  });
  deepEqual(digests, [
    '2+1 7eedcddc369618464c0ca62cac2636dc8f8efa8c720bcf2f83f7311e5247594a',
    '3+2 65f8529474b93f5faabd20cc325f30fa554ce8e6287046a40dccfe0972370157',
    '4+2 759bd8eb2d8a16b6b0a6e687488eaf0e7e8d4532b6bd05de1d57314752e1ce89',
    '8+3 a6c16e38b7c301e02ad4cf313097fe6baa73b886ae21b5ce37e4d1ac97755bdf',
    '16+4 b7db81a87e45ab8d8fa4c53c2703071bcda971c4db31b2aa5b462d7f8f2c8464',
  ]);
});

test('every loss of up to m shards is repaired, data and parity', () => {
  const next = sequence(2);
  const geometries: (readonly [number, number])[] = [];
  for (let k = 1; k <= 8; k++) for (let m = 1; m <= 3; m++) geometries.push([k, m]);
  geometries.push([3, 4], [10, 4], [16, 4]);
  for (const [k, m] of geometries) {
    const shards = encoded(k, m, chunks(k, 97, next));
    const codec = new ErasureCodec(k, m);
    for (let lostCount = 0; lostCount <= m; lostCount++)
      for (const lost of subsets(k + m, lostCount)) {
        const rest = shards.map((shard, i) => (lost.includes(i) ? undefined : shard));
        const repaired = codec.reconstruct(rest, lost);
        for (const [i, index] of lost.entries())
          equal(
            Buffer.compare(repaired[i] as Uint8Array, shards[index] as Uint8Array),
            0,
            `${k}+${m} without ${lost}: shard ${index}`,
          );
      }
  }
});

test('lengths around vectors and blocks, one wanted shard of several lost', () => {
  const next = sequence(3);
  const lengths = [0, 1, 15, 16, 31, 33, 63, 64, 65, 4096];
  for (const extra of [-65, -1, 0, 1, 100])
    lengths.push(blockBytes + extra, 2 * blockBytes + extra);
  for (let i = 0; i < 30; i++) lengths.push(next(3 * blockBytes));
  for (const [round, bytes] of lengths.entries()) {
    const k = 1 + next(16);
    const m = 1 + next(4);
    const shards = encoded(k, m, chunks(k, bytes, next));
    const lost = new Set(Array.from({ length: m }, () => next(k + m)));
    const rest = shards.map((shard, i) => (lost.has(i) ? undefined : shard));
    const wanted = [...lost].slice(0, 1 + next(lost.size));
    const repaired = new ErasureCodec(k, m).reconstruct(rest, wanted);
    for (const [i, index] of wanted.entries())
      equal(
        Buffer.compare(repaired[i] as Uint8Array, shards[index] as Uint8Array),
        0,
        `round ${round}: ${k}+${m}, ${bytes} bytes, lost ${[...lost]}, shard ${index}`,
      );
  }
});

test('a wanted shard that is there is returned as it is, and targets keep their neighbours', () => {
  const shards = encoded(3, 2, chunks(3, 100, sequence(4)));
  const codec = new ErasureCodec(3, 2);
  const [first, second] = codec.reconstruct(
    shards.map((shard, i) => (i === 1 ? undefined : shard)),
    [0, 1],
  );
  equal(first, shards[0]);
  deepEqual(second, shards[1]);

  const page = new Uint8Array(300).fill(7);
  codec.reconstructInto(
    shards.map((shard, i) => (i === 1 ? undefined : shard)),
    [1],
    [page.subarray(100, 200)],
  );
  deepEqual(page.subarray(100, 200), shards[1]);
  ok(page.subarray(0, 100).every((byte) => byte === 7));
  ok(page.subarray(200).every((byte) => byte === 7));
});

test('too few shards, unequal ones and impossible geometries are refused by name', () => {
  const hasCode = (code: string) => (error: unknown) =>
    error instanceof ErasureError && error.code === code;
  const codec = new ErasureCodec(2, 1);
  const chunk = new Uint8Array(8);
  throws(() => codec.reconstruct([chunk, undefined, undefined], [1]), hasCode('too-few-shards'));
  throws(
    () => codec.reconstruct([chunk, undefined, new Uint8Array(9)], [1]),
    hasCode('shard-length'),
  );
  throws(() => codec.encode([chunk, new Uint8Array(7)], [chunk]), hasCode('shard-length'));
  for (const [k, m] of [
    [0, 1],
    [17, 1],
    [1, 0],
    [1, 5],
    [1.5, 1],
    [2, Number.NaN],
  ] as const)
    throws(() => new ErasureCodec(k, m), hasCode('unsupported-geometry'));
});
