// The WebAssembly side of the codec: one instance a thread, with a fixed memory of 448 KiB that
// every codec uses in turn (calls are synchronous). Shards of any length pass through in blocks.
//
//   offset        size                  field
//   0             512                   product tables: 32 bytes a constant, low and high nibbles
//   1024 + i * s  blockBytes            slot of shard i: data 0 to 15, then parity 0 to 3
//
// A slot's stride s is 64 bytes more than a block: blocks at a distance of a power of two would
// share their cache sets. The slack also takes what the kernels write beyond a length.

import { assert } from '../base/assert.ts';
import { instantiate } from '../base/wasm.ts';
import { memoryBytes, moduleBytes } from './erasure-wasm.generated.ts';
import { multiply } from './field.ts';

/** Most data and parity chunks of a stripe: the format's limit, and that of the memory. */
export const dataChunksMax = 16;
export const parityChunksMax = 4;

/**
 * Bytes of a shard that are in WebAssembly memory at a time. The blocks of a wide stripe (8+3)
 * stay within the first- and second-level cache, and the cost of a call stays far below theirs.
 */
export const blockBytes = 16 * 1024;

const strideBytes = blockBytes + 64;
const slotsAt = 1024;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  encode(
    rowMask: number,
    data: number,
    parity: number,
    k: number,
    stride: number,
    bytes: number,
  ): void;
  solve(
    rowMask: number,
    data: number,
    parity: number,
    k: number,
    stride: number,
    bytes: number,
    tables: number,
    ...lost: [number, number, number, number]
  ): void;
}

export class ErasureKernel {
  readonly #exports: Exports;
  readonly #heap: Uint8Array;
  /** A view of each whole slot. */
  readonly #slots: readonly Uint8Array[];

  constructor() {
    this.#exports = instantiate<Exports>(moduleBytes());
    const buffer = this.#exports.memory.buffer;
    assert(buffer.byteLength === memoryBytes, 'the module has the memory it was built with');
    assert(slotAt(dataChunksMax + parityChunksMax) <= memoryBytes, 'all slots fit');
    this.#heap = new Uint8Array(buffer);
    this.#slots = Array.from(
      { length: dataChunksMax + parityChunksMax },
      (_, slot) => new Uint8Array(buffer, slotAt(slot), blockBytes),
    );
    // Touched once now: the first touch of a page costs more than its encoding.
    this.#heap.fill(0);
  }

  /** Puts `source` bytes from `begin` to `end` into the slot. */
  load(slot: number, source: Uint8Array, begin: number, end: number): void {
    assert(end - begin <= blockBytes, 'at most a block');
    const whole = begin === 0 && end === source.length;
    this.#heap.set(whole ? source : source.subarray(begin, end), slotAt(slot));
  }

  /** Copies the slot's first bytes to `target`, from `begin` to `end`. */
  unload(slot: number, target: Uint8Array, begin: number, end: number): void {
    const view = this.#slots[slot] as Uint8Array;
    target.set(end - begin === blockBytes ? view : view.subarray(0, end - begin), begin);
  }

  clear(slot: number, bytes: number): void {
    this.#heap.fill(0, slotAt(slot), slotAt(slot) + bytes);
  }

  /** Sets the constants that `solve` multiplies by, row by row. */
  setConstants(tables: Uint8Array): void {
    this.#heap.set(tables, 0);
  }

  encode(rowMask: number, k: number, bytes: number): void {
    assert(bytes <= blockBytes, 'at most a block');
    this.#exports.encode(rowMask, slotAt(0), slotAt(dataChunksMax), k, strideBytes, bytes);
  }

  /**
   * Fills the slots of the lost data chunks, as many as `rowMask` has rows. They were cleared and
   * those rows' parity loaded; or, with row 0 alone, parity 0 was loaded into the lost slot.
   */
  solve(rowMask: number, k: number, bytes: number, lost: readonly number[]): void {
    assert(bytes <= blockBytes, 'at most a block');
    const [a = 0, b = 0, c = 0, d = 0] = lost;
    this.#exports.solve(
      rowMask,
      slotAt(0),
      slotAt(dataChunksMax),
      k,
      strideBytes,
      bytes,
      0,
      slotAt(a),
      slotAt(b),
      slotAt(c),
      slotAt(d),
    );
  }
}

function slotAt(slot: number): number {
  return slotsAt + slot * strideBytes;
}

/** The products of `constant` with 0x00 to 0x0f, then with 0x00 to 0xf0: what `solve` looks up. */
export function productTable(constant: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => multiply(constant, i < 16 ? i : (i - 16) << 4));
}

let shared: ErasureKernel | undefined;

/** The thread's instance, made at first use. */
export function erasureKernel(): ErasureKernel {
  shared ??= new ErasureKernel();
  return shared;
}
