// The WebAssembly side of the checksums: one instance a thread with a fixed memory of 192 KiB.
// Input passes through it in blocks, which the kernels (assembly/checksums.ts) overwrite.
// Its first 64 KiB are tables, made at first use; the rest is for input and what is folded from it.

import { assert } from './assert.ts';
import { memoryBytes, moduleBytes } from './checksums-wasm.generated.ts';
import { instantiate } from './wasm.ts';

/** Returns the register after the first `bytes` of the input. */
type Advance<Register> = (register: Register, bytes: number) => Register;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly crc32c: Advance<number>;
  readonly crc32: Advance<number>;
  readonly crc64: Advance<bigint>;
}

/** As in assembly/checksums.ts. */
const tablesAt = { crc32c: 0, crc32: 16 * 1024, crc64: 32 * 1024 };
const inputAt = 78 * 1024;

/** Larger blocks were no faster, smaller ones slower: each ends with what can't be folded. */
const inputBytesMax = 64 * 1024;

class ChecksumsKernel {
  readonly #exports: Exports;
  readonly #heap: Uint8Array;
  readonly #hasTables = new Set<string>();

  constructor() {
    this.#exports = instantiate<Exports>(moduleBytes());
    const buffer = this.#exports.memory.buffer;
    assert(buffer.byteLength === memoryBytes, 'the module has the memory it was built with');
    assert(inputAt + inputBytesMax <= memoryBytes, 'the input fits');
    this.#heap = new Uint8Array(buffer);
  }

  /** Advances a 32-bit register; `polynomial` is reflected. */
  advance32(
    name: 'crc32c' | 'crc32',
    polynomial: number,
    start: number,
    bytes: Uint8Array,
  ): number {
    if (!this.#hasTables.has(name)) {
      const entries = new Uint32Array(this.#heap.buffer, tablesAt[name], 16 * 256);
      entries.set(tablesOf32(polynomial, 16));
      this.#hasTables.add(name);
    }
    const advance = this.#exports[name];
    let register = start;
    for (let begin = 0; begin < bytes.length; begin += inputBytesMax)
      register = advance(register, this.#load(bytes, begin));
    return register >>> 0;
  }

  /** Advances a 64-bit register, taken and returned as signed; `polynomial` is reflected. */
  advance64(polynomial: bigint, start: bigint, bytes: Uint8Array): bigint {
    if (!this.#hasTables.has('crc64')) {
      new BigUint64Array(this.#heap.buffer, tablesAt.crc64, 16 * 256).set(tablesOf64(polynomial));
      this.#hasTables.add('crc64');
    }
    let register = start;
    for (let begin = 0; begin < bytes.length; begin += inputBytesMax)
      register = this.#exports.crc64(register, this.#load(bytes, begin));
    return register;
  }

  /** Returns how many bytes from `begin` on are now at the input. */
  #load(bytes: Uint8Array, begin: number): number {
    const isWhole = begin === 0 && bytes.length <= inputBytesMax;
    const block = isWhole ? bytes : bytes.subarray(begin, begin + inputBytesMax);
    this.#heap.set(block, inputAt);
    return block.length;
  }
}

let shared: ChecksumsKernel | undefined;

/** The thread's instance, made at first use. */
export function checksumsKernel(): ChecksumsKernel {
  shared ??= new ChecksumsKernel();
  return shared;
}

/**
 * The first `count` tables of a reflected polynomial: entry b of table t is the register that byte
 * b leaves when t bytes of zero follow it.
 */
export function tablesOf32(polynomial: number, count: number): Uint32Array {
  const tables = new Uint32Array(count * 256);
  for (let b = 0; b < 256; b++) {
    let register = b;
    for (let bit = 0; bit < 8; bit++)
      register = register & 1 ? (register >>> 1) ^ polynomial : register >>> 1;
    tables[b] = register;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] as number;
    tables[i] = (tables[before & 255] as number) ^ (before >>> 8);
  }
  return tables;
}

function tablesOf64(polynomial: bigint): BigUint64Array {
  const tables = new BigUint64Array(16 * 256);
  for (let b = 0; b < 256; b++) {
    let register = BigInt(b);
    for (let bit = 0; bit < 8; bit++)
      register = register & 1n ? (register >> 1n) ^ polynomial : register >> 1n;
    tables[b] = register;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] as bigint;
    tables[i] = (tables[Number(before & 255n)] as bigint) ^ (before >> 8n);
  }
  return tables;
}
