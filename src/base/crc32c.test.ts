import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from './crc32.ts';
import { crc32c } from './crc32c.ts';
import { crc64nvme } from './crc64nvme.ts';

/** Bit by bit, as the definitions say; `polynomial` is reflected. */
function crcPlainly(polynomial: bigint, bits: number, bytes: Uint8Array): bigint {
  const ones = (1n << BigInt(bits)) - 1n;
  let register = ones;
  for (const byte of bytes) {
    register ^= BigInt(byte);
    for (let i = 0; i < 8; i++)
      register = register & 1n ? (register >> 1n) ^ polynomial : register >> 1n;
  }
  return register ^ ones;
}

const checksums = [
  {
    name: 'crc32c',
    compute: (bytes: Uint8Array, previous?: bigint) =>
      BigInt(crc32c(bytes, previous === undefined ? undefined : Number(previous))),
    plainly: (bytes: Uint8Array) => crcPlainly(0x82f63b78n, 32, bytes),
    check: 0xe3069283n,
  },
  {
    name: 'crc32',
    compute: (bytes: Uint8Array, previous?: bigint) =>
      BigInt(crc32(bytes, previous === undefined ? undefined : Number(previous))),
    plainly: (bytes: Uint8Array) => crcPlainly(0xedb88320n, 32, bytes),
    check: 0xcbf43926n,
  },
  {
    name: 'crc64nvme',
    compute: crc64nvme,
    plainly: (bytes: Uint8Array) => crcPlainly(0x9a6c9329ac4bc9b5n, 64, bytes),
    check: 0xae8b14860a799888n,
  },
];

function pattern(bytes: number, seed: number): Uint8Array {
  let state = seed;
  return new Uint8Array(bytes).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

for (const { name, compute, plainly, check } of checksums) {
  test(`${name} of "123456789" is the published check value, and of nothing zero`, () => {
    equal(compute(new TextEncoder().encode('123456789')), check);
    equal(compute(new Uint8Array(0)), 0n);
    equal(compute(new Uint8Array(0), 5n), 5n);
  });

  test(`${name} is what its definition says at every length where the method changes`, () => {
    const lengths = [0, 64, 1536, 2048, 8192, 16384, 65536].flatMap((at) =>
      [-17, -1, 0, 1, 15, 16, 61].map((extra) => at + extra),
    );
    for (let bytes = 1; bytes < 64; bytes++) lengths.push(bytes);
    for (const bytes of lengths.filter((length) => length >= 0)) {
      const input = pattern(bytes, bytes + 1);
      equal(compute(input), plainly(input), `${bytes} bytes`);
    }
  });

  test(`${name} of parts, one after the other, is that of the whole`, () => {
    const whole = pattern(200_000, 9);
    const expected = compute(whole);
    for (const cut of [1, 20, 1535, 1600, 9000, 65_536, 100_001, 199_999]) {
      const first = compute(whole.subarray(0, cut));
      equal(compute(whole.subarray(cut), first), expected, `cut at ${cut}`);
    }
    equal(expected, plainly(whole));
  });

  test(`${name} changes when a bit does`, () => {
    const input = pattern(20_000, 3);
    const before = compute(input);
    for (let at = 0; at < input.length; at += 997) {
      input[at] = (input[at] as number) ^ 1;
      equal(compute(input) === before, false);
      input[at] = (input[at] as number) ^ 1;
    }
    equal(compute(input), before);
  });
}

test('crc32c vectors of RFC 3720', () => {
  const hex = (bytes: Uint8Array) => crc32c(bytes).toString(16);
  equal(hex(new Uint8Array(32)), '8a9136aa');
  equal(hex(new Uint8Array(32).fill(0xff)), '62a8ab43');
  equal(hex(new Uint8Array(32).map((_, i) => i)), '46dd794e');
});
