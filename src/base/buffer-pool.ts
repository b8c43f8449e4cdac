// Large buffers used again and again. Fresh memory is dear: each new page is a fault and must be zeroed
// (9 µs per 4 KiB on a small virtual machine, ten times the cost of copying it), and much of it drives
// the garbage collector. Buffers begin on page boundaries, which lets a disk write them without a copy.
//
// A buffer that is not given back is lost to the pool, whose memory stays as it is: what is asked for beyond it is
// ordinary memory. Giving back too early is a worse defect, which tests make visible by overwriting what is given back.

import { assert } from './assert.ts';
import { newMemory } from './wasm.ts';

/** Below this, ordinary memory is as good. */
const pooledBytesMin = 64 * 1024;

/** Classes rise by a quarter to a half, so that little of a buffer is wasted; the last holds a whole blob and its frame. */
const classes = [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1408, 2048, 2816, 4096, 4160].map(
  (kibibytes) => kibibytes * 1024,
);

/** Where misuse is to show, strings of all lengths are pooled. */
const strictClasses = [256, 1024, 4096, 16_384, ...classes];

/** One memory is cut into buffers of one class. Few memories: each reserves 10 GiB of addresses. */
const slabBytes = 8 * 1024 * 1024;
const wasmPageBytes = 64 * 1024;

interface Slab {
  readonly memory: ArrayBuffer;
  /** What it is cut into, in bytes. */
  size: number;
  /** Its buffers that nobody has. */
  free: Uint8Array[];
  /** Where those begin that somebody has. */
  readonly out: Set<number>;
}

export class BufferPool {
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  #slabsMax: number;
  #isStrict = false;

  /** Never has more memory than this, and never gives any back to the system. */
  constructor(bytesMax: number) {
    this.#slabsMax = Math.floor(bytesMax / slabBytes);
  }

  /** Before it is used: what it has already it keeps. */
  set bytesMax(bytes: number) {
    this.#slabsMax = Math.floor(bytes / slabBytes);
  }

  /** What it has of the system's memory. */
  get bytes(): number {
    return this.#slabs.size * slabBytes;
  }

  /** Buffers that somebody has and has yet to give back. */
  get outCount(): number {
    let count = 0;
    for (const { out } of this.#slabs.values()) count += out.size;
    return count;
  }

  /**
   * For tests: begins anew, forgetting what is out, and from now on shows misuse. What is given back is overwritten, and
   * short strings, too, are of the pool. No memory of it is aligned then.
   */
  showMisuse(): void {
    this.#isStrict = true;
    this.#slabs.clear();
  }

  /** Exactly `bytes`, with anything in them. */
  acquire(bytes: number): Uint8Array {
    return this.tryAcquire(bytes) ?? new Uint8Array(bytes);
  }

  /** Memory of the pool or nothing. */
  tryAcquire(bytes: number): Uint8Array | undefined {
    const size = this.#sizeFor(bytes);
    if (size === undefined) return undefined;
    const slab = this.#slabWith(size);
    const buffer = slab?.free.pop();
    if (slab === undefined || buffer === undefined) return undefined;
    slab.out.add(buffer.byteOffset);
    return buffer.subarray(0, bytes);
  }

  #sizeFor(bytes: number): number | undefined {
    if (this.#isStrict)
      return bytes === 0 ? undefined : strictClasses.find((each) => each >= bytes);
    return bytes < pooledBytesMin ? undefined : classes.find((each) => each >= bytes);
  }

  /**
   * A slab with a free buffer of a class: the fullest, so that others become empty. Failing that a new one, and
   * when there may be no more, one that is empty now: what is asked for changes with the load.
   */
  #slabWith(size: number): Slab | undefined {
    let best: Slab | undefined;
    let empty: Slab | undefined;
    for (const slab of this.#slabs.values()) {
      if (slab.size !== size) {
        if (slab.out.size === 0) empty = slab;
      } else if (
        slab.free.length > 0 &&
        (best === undefined || slab.free.length < best.free.length)
      ) {
        best = slab;
      }
    }
    if (best !== undefined) return best;
    const slab = this.#slabs.size < this.#slabsMax ? this.#newSlab() : empty;
    if (slab === undefined) return undefined;
    const { memory } = slab;
    slab.size = size;
    slab.free = Array.from(
      { length: buffersIn(size) },
      (_, at) => new Uint8Array(memory, at * size, size),
    );
    return slab;
  }

  #newSlab(): Slab {
    // What a test forgets ordinary memory leaves to the garbage collector; of the other kind there may be few.
    const memory = this.#isStrict
      ? new ArrayBuffer(slabBytes)
      : newMemory(Math.floor(slabBytes / wasmPageBytes));
    const slab: Slab = { memory, size: slabBytes, free: [], out: new Set() };
    this.#slabs.set(memory, slab);
    return slab;
  }

  /** Nobody may use the buffer afterwards. Memory of other origin is left alone. */
  release(view: Uint8Array): void {
    const slab = this.#slabs.get(view.buffer);
    if (slab === undefined) return;
    const begin = view.byteOffset - (view.byteOffset % slab.size);
    assert(slab.out.delete(begin), 'a buffer is given back once');
    const whole = new Uint8Array(slab.memory, begin, slab.size);
    if (this.#isStrict) whole.fill(0xdd);
    slab.free.push(whole);
  }

  /** Whether the view begins on a page boundary of memory that a disk can take it from directly. */
  isAligned(view: Uint8Array): boolean {
    return !this.#isStrict && view.byteOffset % 4096 === 0 && this.#slabs.has(view.buffer);
  }
}

function buffersIn(size: number): number {
  return Math.floor(slabBytes / size);
}

/** The daemon's pool: a dozen blobs in flight, in every shape they take; a quarter of the usual budget. */
export const buffers: BufferPool = new BufferPool(64 * 1024 * 1024);
