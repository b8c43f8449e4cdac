// A data directory in memory. `SimulatedFiles` is one daemon's view of it, until a crash: then the view
// is dead, and `crash` returns a new one of what survived, chosen by Random among all that the contract
// of `Files` allows.

import { assert } from '../base/assert.ts';
import type { BlockDevice } from '../env/block-device.ts';
import type { Clock } from '../env/clock.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import type { KeyValue } from '../env/key-value.ts';
import type { Random } from '../env/random.ts';
import type { PagePool } from './page-pool.ts';
import { SimulatedBlockDevice, SimulatedBlocks } from './simulated-block-device.ts';
import { SimulatedKeyValue, SimulatedRows } from './simulated-key-value.ts';
import {
  type ChangeMoment,
  type Medium,
  type SimulatedFault,
  type SimulatedOperation,
  SimulatedOperations,
} from './simulated-operations.ts';

export interface SimulatedFilesOptions {
  readonly random: Random;
  /** Without it, operations end within the microtasks of the same turn, in random order. */
  readonly clock?: Clock;
  /** Bounds of an operation's duration, with a clock. Default 0 to 1. */
  readonly delayMs?: { readonly min: number; readonly max: number };
  /** With a clock, instead of `delayMs`: one operation after the other, as fast as this. */
  readonly medium?: Medium;
  readonly totalBytes?: number;
  /** Where block devices keep pages that are alike once; default: each page is kept by itself. */
  readonly pages?: PagePool;
}

/** What lies at a path; folders exist only by what is in them. */
type Entry =
  | { readonly kind: 'file'; readonly content: Uint8Array }
  | { readonly kind: 'blocks'; readonly blocks: SimulatedBlocks }
  | { readonly kind: 'rows'; readonly rows: SimulatedRows };

const totalBytesDefault = 2 ** 40;

/** A change of the folder that has not resolved: a crash leaves the old or the new. */
interface FolderChange {
  readonly apply: () => void;
}

export class SimulatedFiles implements Files {
  readonly #options: SimulatedFilesOptions;
  readonly #entries: Map<string, Entry>;
  readonly #operations: SimulatedOperations;
  readonly #changes = new Set<FolderChange>();
  readonly #openRows = new Set<string>();
  /** Of the simulated file system; a test may lower it. */
  freeBytes: number;

  constructor(options: SimulatedFilesOptions, entries: Map<string, Entry> = new Map()) {
    this.#options = options;
    this.#entries = entries;
    this.#operations = new SimulatedOperations(options);
    this.freeBytes = options.totalBytes ?? totalBytesDefault;
  }

  // Faults.

  /** Asked as each operation begins; undefined: no fault. */
  set fault(fault: (operation: SimulatedOperation) => SimulatedFault | undefined) {
    this.#operations.fault = fault;
  }

  /** Every operation takes so many times as long; 1 at first. */
  set slowness(factor: number) {
    this.#operations.slowness = factor;
  }

  /** Writes, syncs and removals that ended well. */
  get changeCount(): number {
    return this.#operations.changeCount;
  }

  /** Operations that began, reads included. */
  get operationCount(): number {
    return this.#operations.beganCount;
  }

  /** Cuts the power when `count` more changes have begun or ended; what is under way never ends. */
  crashAfter(count: number, moment: ChangeMoment = 'ended'): void {
    this.#operations.cutAfter(count, moment);
  }

  /** Resolves when the power is cut. */
  get powerCut(): Promise<void> {
    return this.#operations.powerCut;
  }

  /** Cuts the power now; the surviving bytes belong to the view that is returned. */
  crash(random: Random = this.#options.random): SimulatedFiles {
    this.#operations.cut();
    for (const change of this.#changes) if (random.below(2) === 0) change.apply();
    this.#changes.clear();
    for (const entry of this.#entries.values()) {
      if (entry.kind === 'blocks') entry.blocks.crash(random);
      if (entry.kind === 'rows') entry.rows.crash(random);
    }
    return this.#successor();
  }

  /**
   * A view for the next start after the process ended, in order or not; this one is dead. What had
   * resolved stays, as the system keeps it; a batch that had not is gone.
   */
  reopen(): SimulatedFiles {
    this.#operations.cut();
    this.#changes.clear();
    for (const entry of this.#entries.values()) {
      if (entry.kind === 'blocks') entry.blocks.settle(this.#options.random);
      if (entry.kind === 'rows') entry.rows.abandon();
    }
    return this.#successor();
  }

  /** A disk of its own with what is durable, or at least readable, on this one now; this one goes on. */
  copy(): SimulatedFiles {
    const entries = new Map<string, Entry>();
    for (const [path, entry] of this.#entries)
      entries.set(
        path,
        entry.kind === 'blocks'
          ? { kind: 'blocks', blocks: entry.blocks.copy() }
          : entry.kind === 'rows'
            ? { kind: 'rows', rows: entry.rows.copy() }
            : entry,
      );
    return new SimulatedFiles(this.#options, entries);
  }

  #successor(): SimulatedFiles {
    const next = new SimulatedFiles(this.#options, this.#entries);
    next.freeBytes = this.freeBytes;
    return next;
  }

  /** Flips one bit of a file or block device. */
  flipBit(path: string, offsetBytes: number, bit: number): void {
    const entry = this.#entries.get(path);
    assert(entry !== undefined && entry.kind !== 'rows', `${path} is a file or block device`);
    if (entry.kind === 'blocks') {
      entry.blocks.flipBit(offsetBytes, bit);
      return;
    }
    const content = entry.content.slice();
    assert(offsetBytes < content.length, 'the file is that long');
    content[offsetBytes] = (content[offsetBytes] as number) ^ (1 << bit);
    this.#entries.set(path, { kind: 'file', content });
  }

  /** Places of a block device that ever were written, as offsets of pages of 4 KiB. */
  writtenPages(path: string): readonly number[] {
    const entry = this.#entries.get(path);
    return entry?.kind === 'blocks' ? entry.blocks.writtenPages() : [];
  }

  /** Flips one bit of a row's value; returns whether there was one. */
  flipRowBit(path: string, key: Uint8Array, offsetBytes: number, bit: number): boolean {
    return this.#rowsAt(path).flipBit(key, offsetBytes, bit);
  }

  /** The rows as they stand, without an operation. */
  rows(path: string): readonly (readonly [Uint8Array, Uint8Array])[] {
    const begin = new Uint8Array(0);
    const end = new Uint8Array(64).fill(0xff);
    return this.#rowsAt(path).scan({ begin, end, limit: Number.POSITIVE_INFINITY });
  }

  #rowsAt(path: string): SimulatedRows {
    const entry = this.#entries.get(path);
    assert(entry?.kind === 'rows', `${path} is a key-value store`);
    return entry.rows;
  }

  // Files.

  read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    checkPath(path);
    return this.#operations.run({ kind: 'read', path }, () => {
      const entry = this.#entries.get(path);
      if (entry === undefined) return undefined;
      if (entry.kind !== 'file') throw new EnvError('io', `${path} is not a plain file`);
      if (entry.content.length > bytesMax)
        throw new EnvError('too-large', `${path} has ${entry.content.length} bytes`);
      return entry.content.slice();
    });
  }

  writeAtomic(path: string, content: Uint8Array): Promise<void> {
    checkPath(path);
    const entry = { kind: 'file', content: content.slice() } as const;
    return this.#change({ kind: 'write-atomic', path }, () => this.#entries.set(path, entry));
  }

  list(path: string): Promise<readonly string[]> {
    if (path !== '') checkPath(path);
    return this.#operations.run({ kind: 'list', path }, () => {
      const prefix = path === '' ? '' : `${path}/`;
      const names = new Set<string>();
      for (const each of this.#entries.keys())
        if (each.startsWith(prefix))
          names.add(each.slice(prefix.length).split('/', 1)[0] as string);
      return [...names].sort();
    });
  }

  remove(path: string): Promise<void> {
    checkPath(path);
    return this.#change({ kind: 'remove', path }, () => {
      for (const each of [...this.#entries.keys()])
        if (each === path || each.startsWith(`${path}/`)) this.#entries.delete(each);
    });
  }

  async #change(operation: SimulatedOperation, apply: () => void): Promise<void> {
    if (this.#operations.isCut) return new Promise(() => undefined);
    const change = { apply };
    this.#changes.add(change);
    try {
      await this.#operations.run(operation, () => {
        apply();
        this.#changes.delete(change);
      });
    } catch (error) {
      this.#changes.delete(change);
      throw error;
    }
  }

  openBlockDevice(path: string): Promise<BlockDevice> {
    checkPath(path);
    return this.#operations.run({ kind: 'open', path }, () => {
      const entry = this.#entries.get(path) ?? {
        kind: 'blocks',
        blocks: new SimulatedBlocks(this.#options.pages),
      };
      if (entry.kind !== 'blocks') throw new EnvError('io', `${path} is not a block device`);
      this.#entries.set(path, entry);
      return new SimulatedBlockDevice(entry.blocks, this.#operations, path);
    });
  }

  openKeyValue(path: string): Promise<KeyValue> {
    checkPath(path);
    return this.#operations.run({ kind: 'open', path }, () => {
      const entry = this.#entries.get(path) ?? { kind: 'rows', rows: new SimulatedRows() };
      if (entry.kind !== 'rows') throw new EnvError('corrupt', `${path} is no key-value store`);
      if (this.#openRows.has(path)) throw new EnvError('io', `${path} is open already`);
      this.#openRows.add(path);
      this.#entries.set(path, entry);
      const closed = (): void => {
        this.#openRows.delete(path);
      };
      return new SimulatedKeyValue(entry.rows, this.#operations, path, closed);
    });
  }

  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
    return this.#operations.run({ kind: 'space', path: '' }, () => ({
      totalBytes: this.#options.totalBytes ?? totalBytesDefault,
      freeBytes: this.freeBytes,
    }));
  }
}

/** Relative, without empty, `.` or `..` parts. */
function checkPath(path: string): void {
  for (const part of path.split('/'))
    if (part === '' || part === '.' || part === '..' || part.includes('\0'))
      throw new EnvError('denied', `${path} is not a path inside the folder`);
}
