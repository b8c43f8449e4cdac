// Arithmetic over GF(2^8) with polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), of which 2 generates
// all nonzero elements. Used to prepare decoding; bulk data goes through kernel.ts.

import { assert } from '../base/assert.ts';

const exponentials = new Uint8Array(255);
const logarithms = new Uint8Array(256);
for (let exponent = 0, value = 1; exponent < 255; exponent++) {
  exponentials[exponent] = value;
  logarithms[value] = exponent;
  value = value < 128 ? value << 1 : (value << 1) ^ 0x11d;
}

/** 2 to the power of `exponent`, which is not negative. */
export function powerOfTwo(exponent: number): number {
  return exponentials[exponent % 255] as number;
}

export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powerOfTwo((logarithms[a] as number) + (logarithms[b] as number));
}

export function invert(a: number): number {
  assert(a !== 0, 'zero has no inverse');
  return powerOfTwo(255 - (logarithms[a] as number));
}

/** Returns undefined when the square matrix has no inverse. */
export function invertMatrix(matrix: readonly (readonly number[])[]): number[][] | undefined {
  const size = matrix.length;
  const rows = matrix.map((row, r) => [...row, ...row.map((_, c) => (c === r ? 1 : 0))]);
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, r) => r >= column && row[column] !== 0);
    if (pivot < 0) return undefined;
    const top = rows[pivot] as number[];
    rows[pivot] = rows[column] as number[];
    const scale = invert(top[column] as number);
    const pivotRow = top.map((value) => multiply(value, scale));
    rows[column] = pivotRow;
    for (let r = 0; r < size; r++) {
      const row = rows[r] as number[];
      const factor = row[column] as number;
      if (r === column || factor === 0) continue;
      rows[r] = row.map((value, c) => value ^ multiply(factor, pivotRow[c] as number));
    }
  }
  return rows.map((row) => row.slice(size));
}
