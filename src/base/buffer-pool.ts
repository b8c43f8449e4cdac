// Large buffers used again and again. Fresh memory is dear: each new page is a fault and must be zeroed
// (9 µs per 4 KiB on a small virtual machine, ten times the cost of copying it), and much of it drives
// the garbage collector. Buffers begin on page boundaries, which lets a disk write them without a copy.
//
// A buffer that is not given back is simply lost to the pool and collected as any other memory: giving
// back is an economy, never a duty. Giving back too early is a defect, which tests make visible by
// overwriting what is given back.

import { newMemory } from './wasm.ts';

/** Below this, ordinary memory is as good. */
export const pooledBytesMin = 64 * 1024;

/** Classes rise by a quarter to a half, so that little of a buffer is wasted; the last holds a whole blob and its frame. */
const classes = [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1408, 2048, 2816, 4096, 4160].map(
  (kibibytes) => kibibytes * 1024,
);

/** One memory is cut into buffers of one class. Few memories: each reserves 10 GiB of addresses. */
const slabBytes = 8 * 1024 * 1024;
const wasmPageBytes = 64 * 1024;

export class BufferPool {
  readonly #free = new Map<number, Uint8Array[]>();
  /** Which class each slab was cut into. */
  readonly #slabs = new Map<ArrayBufferLike, number>();
  readonly #slabsMax: number;
  #poison = false;

  /** Never has more memory than this, and never gives any back to the system. */
  constructor(bytesMax: number) {
    this.#slabsMax = Math.floor(bytesMax / slabBytes);
  }

  /** For tests: what is given back is overwritten, so that a use after it shows. */
  poisonReleased(): void {
    this.#poison = true;
  }

  /** Exactly `bytes`, with anything in them. */
  acquire(bytes: number): Uint8Array {
    return this.tryAcquire(bytes) ?? new Uint8Array(bytes);
  }

  /** Memory of the pool or nothing. */
  tryAcquire(bytes: number): Uint8Array | undefined {
    const size = bytes < pooledBytesMin ? undefined : classes.find((each) => each >= bytes);
    if (size === undefined) return undefined;
    const free = this.#free.get(size)?.pop() ?? this.#cut(size);
    return free?.subarray(0, bytes);
  }

  /** A buffer of a new slab; undefined when there may be no more. */
  #cut(size: number): Uint8Array | undefined {
    if (this.#slabs.size >= this.#slabsMax) return undefined;
    const buffer = newMemory(Math.floor(slabBytes / wasmPageBytes));
    this.#slabs.set(buffer, size);
    const made: Uint8Array[] = [];
    for (let at = 0; at + size <= slabBytes; at += size)
      made.push(new Uint8Array(buffer, at, size));
    const first = made.shift();
    this.#free.set(size, [...(this.#free.get(size) ?? []), ...made]);
    return first;
  }

  /** Nobody may use the buffer afterwards. Memory of other origin is left alone. */
  release(view: Uint8Array): void {
    const size = this.#slabs.get(view.buffer);
    if (size === undefined) return;
    const begin = view.byteOffset - (view.byteOffset % size);
    const whole = new Uint8Array(view.buffer, begin, size);
    if (this.#poison) whole.fill(0xdd);
    this.#free.get(size)?.push(whole);
  }

  /** Whether the view begins on a page boundary of memory that a disk can take it from directly. */
  isAligned(view: Uint8Array): boolean {
    return view.byteOffset % 4096 === 0 && this.#slabs.has(view.buffer);
  }
}

/** The daemon's pool: a dozen blobs in flight, in every shape they take, within a budget of 256 MiB. */
export const buffers: BufferPool = new BufferPool(64 * 1024 * 1024);
