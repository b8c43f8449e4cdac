// A disk in memory that keeps apart what survives a power cut and what may not.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import { concatBytes, equalBytes } from '../base/bytes.ts';
import type { BlockDevice } from '../env/block-device.ts';
import type { Random } from '../env/random.ts';
import { type PagePool, pageBytes } from './page-pool.ts';
import type { SimulatedOperations } from './simulated-operations.ts';

/** What a real disk writes whole or not at all. */
const sectorBytes = 512;
/** How far off a misdirected write lands. */
const misdirectedBytes = 16 * pageBytes;

interface UnsyncedWrite {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
  /** Readable. An unresolved write may survive a crash too. */
  resolved: boolean;
}

/** The medium: survives crashes and closing. */
export class SimulatedBlocks {
  readonly #pages = new Map<number, Uint8Array>();
  /** In the order they were begun; those that resolved are in the order they resolved. */
  #unsynced: UnsyncedWrite[] = [];
  readonly #pool: PagePool | undefined;

  /** With a pool, pages that are alike are kept once. */
  constructor(pool?: PagePool) {
    this.#pool = pool;
  }

  read(offsetBytes: number, lengthBytes: number): Uint8Array {
    const target = new Uint8Array(lengthBytes);
    this.#forPages(offsetBytes, lengthBytes, (index, from, count, at) => {
      const page = this.#pages.get(index);
      if (page !== undefined) target.set(page.subarray(from, from + count), at);
    });
    for (const write of this.#unsynced) {
      if (!write.resolved) continue;
      const begin = Math.max(offsetBytes, write.offsetBytes);
      const end = Math.min(offsetBytes + lengthBytes, write.offsetBytes + write.bytes.length);
      if (begin < end)
        target.set(
          write.bytes.subarray(begin - write.offsetBytes, end - write.offsetBytes),
          begin - offsetBytes,
        );
    }
    return target;
  }

  begin(offsetBytes: number, views: readonly Uint8Array[]): UnsyncedWrite {
    let length = 0;
    for (const view of views) length += view.length;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const view of views) {
      bytes.set(view, at);
      at += view.length;
    }
    const write = { offsetBytes, bytes, resolved: false };
    this.#unsynced.push(write);
    return write;
  }

  resolve(write: UnsyncedWrite): void {
    this.#unsynced.splice(this.#unsynced.indexOf(write), 1);
    this.#unsynced.push(write);
    write.resolved = true;
  }

  /**
   * The process that wrote is gone: each write it had under way happened or did not, before the next process begins. Nothing
   * of it comes later, over what that one wrote: a process whose write hangs in the kernel has not ended yet.
   */
  settle(random: Random): void {
    for (const write of this.#unsynced.filter(({ resolved }) => !resolved))
      if (random.below(2) === 0) this.resolve(write);
      else this.abandon(write);
  }

  abandon(write: UnsyncedWrite): void {
    this.#unsynced.splice(this.#unsynced.indexOf(write), 1);
  }

  resolved(): ReadonlySet<UnsyncedWrite> {
    return new Set(this.#unsynced.filter(({ resolved }) => resolved));
  }

  sync(covered: ReadonlySet<UnsyncedWrite>): void {
    for (const write of this.#unsynced)
      if (covered.has(write)) this.#store(write.offsetBytes, write.bytes);
    this.#unsynced = this.#unsynced.filter((write) => !covered.has(write));
  }

  /** Each unsynced write is lost, kept or torn at sectors, and they reach the medium in any order. */
  crash(random: Random): void {
    const writes = this.#unsynced;
    this.#unsynced = [];
    while (writes.length > 0) {
      const [write] = writes.splice(random.below(writes.length), 1);
      assert(write !== undefined, 'a write was chosen');
      const fate = random.below(3);
      if (fate === 0) continue;
      for (let at = 0; at < write.bytes.length; ) {
        const sectorEnd =
          (Math.floor((write.offsetBytes + at) / sectorBytes) + 1) * sectorBytes -
          write.offsetBytes;
        const end = Math.min(write.bytes.length, sectorEnd);
        if (fate === 1 || random.below(2) === 0)
          this.#store(write.offsetBytes + at, write.bytes.subarray(at, end));
        at = end;
      }
    }
  }

  copy(): SimulatedBlocks {
    const copy = new SimulatedBlocks(this.#pool);
    for (const [index, page] of this.#pages)
      copy.#pages.set(index, this.#pool === undefined ? page.slice() : page);
    return copy;
  }

  writtenPages(): readonly number[] {
    return [...this.#pages.keys()].sort((a, b) => a - b).map((index) => index * pageBytes);
  }

  flipBit(offsetBytes: number, bit: number): void {
    const [byte] = this.read(offsetBytes, 1);
    this.sync(this.resolved());
    this.#store(offsetBytes, new Uint8Array([(byte as number) ^ (1 << bit)]));
  }

  #store(offsetBytes: number, bytes: Uint8Array): void {
    this.#forPages(offsetBytes, bytes.length, (index, from, count, at) => {
      const part = bytes.subarray(at, at + count);
      const pool = this.#pool;
      if (pool !== undefined && count === pageBytes) {
        this.#pages.set(index, pool.take(part));
        return;
      }
      const before = this.#pages.get(index);
      // Others may share what is there.
      const page = pool === undefined ? before : before?.slice();
      const changed = page ?? new Uint8Array(pageBytes);
      changed.set(part, from);
      if (changed !== before) this.#pages.set(index, changed);
    });
  }

  #forPages(
    offsetBytes: number,
    lengthBytes: number,
    visit: (index: number, from: number, count: number, at: number) => void,
  ): void {
    for (let at = 0; at < lengthBytes; ) {
      const index = Math.floor((offsetBytes + at) / pageBytes);
      const from = offsetBytes + at - index * pageBytes;
      const count = Math.min(pageBytes - from, lengthBytes - at);
      visit(index, from, count, at);
      at += count;
    }
  }
}

export class SimulatedBlockDevice implements BlockDevice {
  readonly #blocks: SimulatedBlocks;
  readonly #operations: SimulatedOperations;
  readonly #path: string;
  #open = true;

  constructor(blocks: SimulatedBlocks, operations: SimulatedOperations, path: string) {
    this.#blocks = blocks;
    this.#operations = operations;
    this.#path = path;
  }

  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    assert(this.#open, 'the device is open');
    const operation = { kind: 'block-read', path: this.#path, offsetBytes, lengthBytes } as const;
    return this.#operations.run(operation, () => {
      const target = buffers.acquire(lengthBytes);
      target.set(this.#blocks.read(offsetBytes, lengthBytes));
      return target;
    });
  }

  async write(offsetBytes: number, views: readonly Uint8Array[]): Promise<void> {
    assert(this.#open, 'the device is open');
    // After the power is cut nothing reaches the medium.
    if (this.#operations.isCut) return new Promise(() => undefined);
    const write = this.#blocks.begin(offsetBytes, views);
    const lengthBytes = write.bytes.length;
    const operation = { kind: 'block-write', path: this.#path, offsetBytes, lengthBytes } as const;
    try {
      await this.#operations.run(operation, (fate) => {
        assert(equalBytes(concatBytes(views), write.bytes), 'what is being written stays as it is');
        if (fate === 'stored') this.#blocks.resolve(write);
        else this.#blocks.abandon(write);
        // As a disk does whose firmware wrote to another place: what was there before is gone.
        if (fate === 'misdirected')
          this.#blocks.resolve(this.#blocks.begin(offsetBytes + misdirectedBytes, views));
      });
    } catch (error) {
      this.#blocks.abandon(write);
      throw error;
    }
  }

  sync(): Promise<void> {
    assert(this.#open, 'the device is open');
    const covered = this.#blocks.resolved();
    return this.#operations.run({ kind: 'block-sync', path: this.#path }, () =>
      this.#blocks.sync(covered),
    );
  }

  async close(): Promise<void> {
    this.#open = false;
  }
}
