// The codec `rs-pow2-11d-v1`: systematic Reed-Solomon over GF(2^8), described in
// docs/formats/erasure.md. Any k of the k + m shards of a stripe give all of them. Pure and
// synchronous; what it does in WebAssembly is in kernel.ts and assembly/erasure.ts.

import { assert } from '../base/assert.ts';
import { ErasureError } from './errors.ts';
import { invert, invertMatrix, powerOfTwo } from './field.ts';
import {
  blockBytes,
  dataChunksMax,
  type ErasureKernel,
  erasureKernel,
  parityChunksMax,
  productTable,
} from './kernel.ts';

/** Stands in every shard; another construction gets another name. */
export const codecName = 'rs-pow2-11d-v1';

export type Shards = readonly (Uint8Array | undefined)[];

/** How to get lost data chunks back from the parity rows in `rowMask`; both lists ascend. */
interface Solution {
  readonly lost: readonly number[];
  readonly rows: readonly number[];
  readonly rowMask: number;
  /** The product tables of the constants that the rows' kernel multiplies by. */
  readonly tables: Uint8Array;
}

export class ErasureCodec {
  readonly k: number;
  readonly m: number;
  /** The last solution: shards of one PG are lost together, so the next stripe needs the same. */
  #solution: Solution | undefined;

  /** Throws `unsupported-geometry`. */
  constructor(k: number, m: number) {
    checkCounts(k, m);
    this.k = k;
    this.m = m;
  }

  /** Writes the m parity chunks of k data chunks; all have one length. */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    assert(data.length === this.k, 'k data chunks');
    assert(parity.length === this.m, 'm parity chunks');
    const bytes = (data[0] as Uint8Array).length;
    for (const chunk of data) checkLength(chunk, bytes);
    for (const chunk of parity) assert(chunk.length === bytes, 'parity is as long as the data');
    const kernel = erasureKernel();
    for (let begin = 0; begin < bytes; begin += blockBytes) {
      const end = Math.min(begin + blockBytes, bytes);
      for (let j = 0; j < this.k; j++) kernel.load(j, data[j] as Uint8Array, begin, end);
      kernel.encode(2 ** this.m - 1, this.k, end - begin);
      for (let i = 0; i < this.m; i++)
        kernel.unload(dataChunksMax + i, parity[i] as Uint8Array, begin, end);
    }
  }

  /**
   * Returns the wanted shards: computed if missing (undefined), else the very view given.
   * Throws `too-few-shards` and `shard-length`.
   */
  reconstruct(
    shards: Shards,
    wanted: readonly number[],
    newTarget: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
  ): Uint8Array[] {
    const bytes = shards.find((shard) => shard !== undefined)?.length ?? 0;
    const results = wanted.map((index) => shards[index] ?? newTarget(bytes));
    const missing = wanted.flatMap((index, i) => (shards[index] === undefined ? [i] : []));
    this.reconstructInto(
      shards,
      missing.map((i) => wanted[i] as number),
      missing.map((i) => results[i] as Uint8Array),
    );
    return results;
  }

  /**
   * Writes the wanted shards, each of which is missing, to the targets. All have one length.
   * Throws `too-few-shards` and `shard-length`, and has then written nothing.
   */
  reconstructInto(shards: Shards, wanted: readonly number[], targets: readonly Uint8Array[]): void {
    const bytes = this.#check(shards, wanted, targets);
    if (wanted.length === 0) return;
    const solution = this.#solve(shards);
    let parityMask = 0;
    for (const index of wanted) if (index >= this.k) parityMask |= 1 << (index - this.k);

    const kernel = erasureKernel();
    kernel.setConstants(solution.tables);
    for (let begin = 0; begin < bytes; begin += blockBytes) {
      const end = Math.min(begin + blockBytes, bytes);
      this.#load(kernel, shards, solution, begin, end);
      if (solution.rowMask !== 0)
        kernel.solve(solution.rowMask, this.k, end - begin, solution.lost);
      if (parityMask !== 0) kernel.encode(parityMask, this.k, end - begin);
      for (let i = 0; i < wanted.length; i++) {
        const index = wanted[i] as number;
        const slot = index < this.k ? index : dataChunksMax + index - this.k;
        kernel.unload(slot, targets[i] as Uint8Array, begin, end);
      }
    }
  }

  #load(
    kernel: ErasureKernel,
    shards: Shards,
    solution: Solution,
    begin: number,
    end: number,
  ): void {
    for (let j = 0; j < this.k; j++) {
      const shard = shards[j];
      if (shard !== undefined) kernel.load(j, shard, begin, end);
      else if (solution.rowMask !== 1) kernel.clear(j, end - begin);
    }
    if (solution.rowMask === 1) {
      kernel.load(solution.lost[0] as number, shards[this.k] as Uint8Array, begin, end);
      return;
    }
    for (const row of solution.rows)
      kernel.load(dataChunksMax + row, shards[this.k + row] as Uint8Array, begin, end);
  }

  #check(shards: Shards, wanted: readonly number[], targets: readonly Uint8Array[]): number {
    assert(shards.length === this.k + this.m, 'a place for each shard');
    assert(targets.length === wanted.length, 'a target for each wanted shard');
    const present = shards.filter((shard) => shard !== undefined);
    if (present.length < this.k)
      throw new ErasureError('too-few-shards', `${present.length} of ${this.k} needed`);
    const bytes = (present[0] as Uint8Array).length;
    for (const shard of present) checkLength(shard, bytes);
    for (const target of targets) assert(target.length === bytes, 'a target is a shard long');
    for (const index of wanted) {
      assert(index >= 0 && index < shards.length, 'the wanted shard exists');
      assert(shards[index] === undefined, 'the wanted shard is missing');
    }
    return bytes;
  }

  #solve(shards: Shards): Solution {
    const lost = missingIndexes(shards.slice(0, this.k));
    const rows: number[] = [];
    for (let i = 0; i < this.m && rows.length < lost.length; i++)
      if (shards[this.k + i] !== undefined) rows.push(i);
    const cached = this.#solution;
    if (cached !== undefined && isSame(cached.lost, lost) && isSame(cached.rows, rows))
      return cached;

    const constants = constantsOf(rows, lost);
    const tables = new Uint8Array(32 * constants.length);
    for (const [i, constant] of constants.entries()) tables.set(productTable(constant), 32 * i);
    const rowMask = rows.reduce((mask, row) => mask | (1 << row), 0);
    this.#solution = { lost, rows, rowMask, tables };
    return this.#solution;
  }
}

/** What the kernel of these rows (assembly/erasure.ts) multiplies by to find the lost chunks. */
function constantsOf(rows: readonly number[], lost: readonly number[]): number[] {
  const [a = 0, b = 0] = lost;
  if (isSame(rows, [0])) return [];
  if (isSame(rows, [0, 1])) return [invert(powerOfTwo(a) ^ powerOfTwo(b))];
  const inverse = invertMatrix(rows.map((i) => lost.map((j) => powerOfTwo(i * j))));
  assert(inverse !== undefined, 'the code is MDS: every such submatrix has an inverse');
  return inverse.flat();
}

/** Throws `unsupported-geometry`. */
export function checkCounts(k: number, m: number): void {
  const isAllowed = (count: number, most: number) =>
    Number.isInteger(count) && count >= 1 && count <= most;
  if (!isAllowed(k, dataChunksMax) || !isAllowed(m, parityChunksMax))
    throw new ErasureError(
      'unsupported-geometry',
      `k=${k} m=${m}, but k must be 1 to ${dataChunksMax} and m 1 to ${parityChunksMax}`,
    );
}

function checkLength(shard: Uint8Array, bytes: number): void {
  if (shard.length !== bytes)
    throw new ErasureError('shard-length', `${shard.length} bytes beside one of ${bytes}`);
}

function missingIndexes(shards: Shards): number[] {
  return shards.flatMap((shard, index) => (shard === undefined ? [index] : []));
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
