// CRC-32C (Castagnoli): the checksum of everything stored and sent. Short input goes through one
// table here; longer input through WebAssembly, where 16 KiB cost a microsecond or two.

import { checksumsKernel, tablesOf32 } from './checksums-kernel.ts';

/** 0x1edc6f41, reflected. */
const polynomial = 0x82f63b78;

/** Up to this many bytes the loop here is faster than a copy and a call. */
const shortBytesMax = 24;

const table = tablesOf32(polynomial, 1);

/** `previous` is the checksum of the bytes before these, if any. Returns 0 to 2^32 - 1. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  if (bytes.length > shortBytesMax)
    return ~checksumsKernel().advance32('crc32c', polynomial, ~previous, bytes) >>> 0;
  let register = ~previous;
  for (let i = 0; i < bytes.length; i++)
    register = (table[(register ^ (bytes[i] as number)) & 255] as number) ^ (register >>> 8);
  return ~register >>> 0;
}

/**
 * The checksum of two runs of bytes, one after the other, from theirs: the first is moved behind as many zeros as the
 * second is long, by a multiplication with x^(8n) modulo the polynomial (as zlib's crc32_combine does it).
 */
export function joinedCrc32c(first: number, second: number, secondBytes: number): number {
  return (multiplied(first, zeros(secondBytes)) ^ second) >>> 0;
}

/** Of two polynomials, reflected, modulo ours. */
function multiplied(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let left = a | 0; left !== 0; left <<= 1) {
    if (left < 0) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product;
}

/** x^(2^i) for i from 3 on: x^8 first. */
const squares: number[] = [1 << (31 - 8)];
let zerosBytes = 0;
let zerosFactor = 1 << 31;

/** x^(8n); the last is kept, because chunks have one length. */
function zeros(bytes: number): number {
  if (bytes === zerosBytes) return zerosFactor;
  let factor = 1 << 31;
  for (let i = 0; bytes >>> i > 0; i++) {
    const last = squares.at(-1) as number;
    if (squares.length === i) squares.push(multiplied(last, last));
    if ((bytes >>> i) & 1) factor = multiplied(factor, squares[i] as number);
  }
  zerosBytes = bytes;
  zerosFactor = factor;
  return factor;
}
