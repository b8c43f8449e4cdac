// One OSD's disk: ordered rows and immutable-until-replaced objects, changed by atomic transactions.
//
// The life of a transaction, and why it is durable when `commit` resolves:
//
//   1. accept   Synchronously in `commit`: it is judged (room, limits), units for its data are
//               allocated, its effects go into the overlay, where every later read sees them. Nothing
//               is refused after this. Its data is handed to the block file at once, and what its
//               objects were before is looked up, to know which extents it frees or shares.
//   2. gather   One loop takes all transactions that wait, in the order of their commits: a group. What
//               was submitted to be gathered waits for `begin`, or for a group that is written anyway.
//   3. data     It waits for the group's data writes, then syncs the block file, if there were any.
//   4. metadata Rows, onodes, extent records and the store sequence of the whole group go to the
//               key-value store in one synced batch. Only now does anything refer to the new data,
//               and the data survives power loss already.
//   5. answer   The group's commits resolve. So if a transaction is durable, so is every earlier one.
//   6. retire   When every read that began before step 5 has ended, the group's rows leave the overlay
//               and the extents it freed may be handed out again.
//
// While a group is in 3 or 4, the next one's data is being written. A failed write or sync at any point
// ends the store: nothing later resolves, and the daemon stops itself.
//
// Extents hold the data of one object, or of several clones of it. Each has an extent record with the
// number of onodes that refer to it, written in the same batch as they are. The allocator is rebuilt
// from the records alone, so an onode that can't be read never lets its space be handed out.
//
// Reads return views that the caller must not change: they may be shared with the cache.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import { afterKey } from '../base/bytes.ts';
import { checksumChunkBytes, chunkChecksums } from '../base/chunk-checksums.ts';
import { type Carried, DecodeError, encode } from '../base/codec.ts';
import { crc32c } from '../base/crc32c.ts';
import type { BlockDevice } from '../env/block-device.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import type { BatchOperation, KeyValue, Row } from '../env/key-value.ts';
import { StoreError } from './errors.ts';
import { ExtentAllocator, type UnitSet } from './extent-allocator.ts';
import {
  decodeOnode,
  type Extent,
  encodeOnode,
  extentKey,
  frameValue,
  headCodec,
  headKey,
  identityKey,
  inlineBytesMax,
  type Onode,
  paths,
  payloadOf,
  readFrame,
  referencesCodec,
  type Superblock,
  unitBytes,
} from './format.ts';
import {
  type KeyPrefix,
  keyPrefix,
  parseStoreKey,
  prefixEnd,
  type StoreKey,
  storeKey,
  textOfBytes,
  withPrefix,
} from './keys.ts';
import { absent, ObjectCell, type ObjectState, Overlay, type PendingRow } from './overlay.ts';
import { ReadEpochs } from './read-epochs.ts';
import { RowCache } from './row-cache.ts';
import {
  type Contents,
  type Damage,
  inspectContents,
  storedCollections,
} from './store-contents.ts';
import { readHead, type StoreHead } from './store-head.ts';
import {
  formatFolder,
  type Inspection,
  inspectFolder,
  mendSuperblock,
  readSuperblock,
} from './superblock.ts';
import type { Step, Transaction } from './transaction.ts';
import { copyRange, splitViews } from './views.ts';

export type { Superblock } from './format.ts';
export type { Damage } from './store-contents.ts';
export type { Inspection } from './superblock.ts';

export interface StoreOptions {
  /** What data and metadata may take together. A part is kept for metadata; see `reserveBytes`. */
  readonly capacityBytes: number;
  /** Rows and onodes kept in memory. */
  readonly cacheBytes?: number;
  /** Bytes accepted and not yet durable, or durable and still overlaid, beyond which commits are refused. */
  readonly pendingBytesMax?: number;
  /** Nothing is changed on disk beyond what opening the key-value store does itself. */
  readonly access?: 'read-write' | 'read-only';
}

export interface ObjectStat {
  readonly lengthBytes: number;
  readonly header: Uint8Array;
}

export interface ListedObject {
  readonly name: Uint8Array;
  /** Undefined when the object's description is damaged. */
  readonly stat: ObjectStat | undefined;
}

export interface ScanRange {
  readonly begin: Uint8Array;
  /** Exclusive; undefined: to the end of the collection. */
  readonly end: Uint8Array | undefined;
  readonly limit: number;
  readonly reverse?: boolean;
}

export interface Usage {
  /** Room for object data: the configured capacity without the reserve, or what the file system has. */
  readonly capacityBytes: number;
  /** Units taken by object data, freed ones that are still being read included. */
  readonly usedBytes: number;
  /** How much more object data would be accepted. */
  readonly availableBytes: number;
  /** Accepted and not yet durable. */
  readonly pendingBytes: number;
  /** Memory: what is pending, what is durable and may still be read, and the cache. */
  readonly heldBytes: number;
}

/** Hot rows: some thousands of small objects, for which the key-value store would be asked and unpack. */
const cacheBytesDefault = 16 * 1024 * 1024;

/** Two of the largest transactions: one on its way to the disk, one behind it. */
const pendingBytesMaxDefault = 64 * 1024 * 1024;

/** Metadata of one batch: as much as the key-value store buffers in memory at once. */
const groupBytesMax = 8 * 1024 * 1024;

/** Rows of one batch; keeps the synchronous part of a commit at a few milliseconds. */
const groupStepsMax = 2048;

/** How much may be written between two looks at the file system's free space. */
const spacePollBytes = 16 * 1024 * 1024;

/**
 * Kept free of object data for rows, logs and removals: 64 MiB is what the key-value store may need
 * to compact, 2 % is what 4 KiB of metadata for each 256 KiB of data comes to; an eighth on a small disk.
 */
export function reserveBytes(capacityBytes: number): number {
  const wanted = Math.max(64 * 1024 * 1024, Math.floor(capacityBytes / 50));
  return Math.min(wanted, Math.floor(capacityBytes / 8));
}

/** An object's change, kept until its group is written. `before` says what it replaces. */
interface ObjectChange {
  readonly row: PendingRow;
  readonly cell: ObjectCell;
  readonly before: ObjectCell;
  /** A new object owns its extents; a clone shares them. */
  readonly origin: 'new' | 'clone' | 'none';
}

interface Accepted {
  readonly sequence: number;
  readonly bytes: number;
  /** What it adds to the batch, about. */
  readonly metadataBytes: number;
  readonly rows: readonly PendingRow[];
  readonly changes: readonly ObjectChange[];
  /** Each resolves also when it failed; the store has failed then. */
  readonly waits: readonly Promise<void>[];
  readonly hasData: boolean;
  resolve(): void;
  reject(error: StoreError): void;
}

interface Batch {
  readonly operations: BatchOperation[];
  readonly freed: Extent[];
}

type StoreState = { kind: 'working' } | { kind: 'failed'; error: StoreError };

interface Found {
  readonly key: Uint8Array;
  /** From the key-value store; undefined when the overlay has the key. */
  readonly framed: Uint8Array | undefined;
  readonly pending: PendingRow | undefined;
}

export class ObjectStore {
  readonly superblock: Superblock;
  /** Copies of it that could not be read when the store was opened, and were written again from the other. */
  readonly superblockCopiesMended: number;
  /** What was found unreadable when the store was opened; the first thousand. */
  readonly damaged: readonly Damage[];
  /**
   * Groups of acknowledged transactions that the key-value store lost from the middle; more than zero
   * makes this yesterday's disk. Reported at each opening until the first commit, so that commit must
   * be the one that notes it.
   */
  readonly lostGroupCount: number;
  readonly #files: Files;
  readonly #keyValue: KeyValue;
  readonly #block: BlockDevice;
  readonly #allocator: ExtentAllocator;
  /** How many onodes refer to an extent, by its first unit, where it isn't one. Infinity: unknown. */
  readonly #references: Map<number, number>;
  readonly #unknownUnits: UnitSet;
  readonly #overlay = new Overlay();
  readonly #reads = new ReadEpochs();
  readonly #cache: RowCache;
  readonly #capacityBytes: number;
  readonly #dataUnitsMax: number;
  readonly #pendingBytesMax: number;
  readonly #access: 'read-write' | 'read-only';
  readonly #queue: Accepted[] = [];
  /** Extents nothing refers to, found at open; freed with the next group. */
  #orphans: readonly Extent[];
  /** Their heads are written again with the next group. */
  #lostGroups: readonly number[];
  /** The newest group written. */
  #group: number;
  #state: StoreState = { kind: 'working' };
  #closing = false;
  #loop: Promise<void> | undefined;
  /** Transactions up to this one are to become durable now; those behind it are being gathered. */
  #begun = 0;
  /** The newest accepted transaction. `#sequence <= #acceptedSequence`. */
  #acceptedSequence: number;
  #sequence: number;
  #pendingBytes = 0;
  /** Durable, kept for reads that began before. */
  #retiringBytes = 0;
  #diskFreeBytes: number;
  #bytesSinceSpacePoll = 0;
  #isLooking = false;

  private constructor(parts: {
    files: Files;
    superblock: Superblock;
    superblockCopiesMended: number;
    keyValue: KeyValue;
    block: BlockDevice;
    head: StoreHead;
    contents: Contents;
    allocator: ExtentAllocator;
    diskFreeBytes: number;
    options: StoreOptions;
  }) {
    const { contents, options } = parts;
    this.#files = parts.files;
    this.superblock = parts.superblock;
    this.superblockCopiesMended = parts.superblockCopiesMended;
    this.#keyValue = parts.keyValue;
    this.#block = parts.block;
    this.#sequence = parts.head.sequence;
    this.#acceptedSequence = parts.head.sequence;
    this.#group = parts.head.group;
    this.#lostGroups = parts.head.lostGroups;
    this.lostGroupCount = parts.head.lostGroups.length;
    this.#allocator = parts.allocator;
    this.#references = contents.references;
    this.#unknownUnits = contents.unknown;
    this.#orphans = contents.orphans;
    const identity = { kind: 'key', collection: '', key: identityKey, reason: 'damaged' } as const;
    this.damaged = parts.head.hasIdentity ? contents.damaged : [identity, ...contents.damaged];
    this.#cache = new RowCache(options.cacheBytes ?? cacheBytesDefault);
    this.#capacityBytes = options.capacityBytes;
    this.#dataUnitsMax = dataUnitsMax(options.capacityBytes);
    this.#pendingBytesMax = options.pendingBytesMax ?? pendingBytesMaxDefault;
    this.#access = options.access ?? 'read-write';
    this.#diskFreeBytes = parts.diskFreeBytes;
  }

  /** Makes a store. Throws `already-formatted` where there is one or its remains. */
  static format(files: Files, superblock: Superblock): Promise<void> {
    return formatFolder(files, superblock);
  }

  /** Says what a folder holds and changes nothing. */
  static inspect(files: Files): Promise<Inspection> {
    return inspectFolder(files);
  }

  /**
   * Throws `not-formatted`, `superblock-corrupt`, `newer-format`, `corrupt`, and `EnvError` when the
   * file system fails. Single damaged rows don't stop it: see `damaged`.
   */
  static async open(files: Files, options: StoreOptions): Promise<ObjectStore> {
    const superblock = await readSuperblock(files);
    const names = await files.list('');
    for (const path of [paths.meta, paths.block])
      if (!names.includes(path))
        throw new StoreError({ code: 'corrupt', reason: `"${path}" is missing` });
    const superblockCopiesMended = options.access === 'read-only' ? 0 : await mendSuperblock(files);
    const keyValue = await openKeyValue(files);
    try {
      const head = await readHead(keyValue, superblock);
      const allocator = new ExtentAllocator(dataUnitsMax(options.capacityBytes));
      const contents = await inspectContents(keyValue, allocator);
      const { freeBytes } = await files.space();
      const block = await files.openBlockDevice(paths.block);
      return new ObjectStore({
        files,
        superblock,
        superblockCopiesMended,
        keyValue,
        block,
        head,
        contents,
        allocator,
        diskFreeBytes: freeBytes,
        options,
      });
    } catch (error) {
      await keyValue.close();
      throw asStoreError(error, 'opening the store');
    }
  }

  /** Raised by each transaction; this many are durable. Never lower after a crash than it was before. */
  get sequence(): number {
    return this.#sequence;
  }

  usage(): Usage {
    const usedBytes = this.#allocator.takenUnits * unitBytes;
    const availableBytes = this.#availableBytes();
    return {
      capacityBytes: usedBytes + availableBytes,
      usedBytes,
      availableBytes,
      pendingBytes: this.#pendingBytes,
      heldBytes: this.#pendingBytes + this.#retiringBytes + this.#cache.bytes,
    };
  }

  #diskFree(): number {
    return Math.max(0, this.#diskFreeBytes - this.#bytesSinceSpacePoll);
  }

  #availableBytes(): number {
    const inCapacity = (this.#dataUnitsMax - this.#allocator.takenUnits) * unitBytes;
    const onDisk = this.#diskFree() - reserveBytes(this.#capacityBytes);
    return Math.max(0, Math.min(inCapacity, onDisk));
  }

  // Reading.

  /** Throws `checksum-mismatch`. */
  async get(collection: string, key: Uint8Array): Promise<Uint8Array | undefined> {
    const [value] = await this.getMany(collection, [key]);
    return value;
  }

  /** All answers are of one moment. Throws `checksum-mismatch` when any of the rows is damaged. */
  async getMany(
    collection: string,
    keys: readonly Uint8Array[],
  ): Promise<(Uint8Array | undefined)[]> {
    const wanted = keys.map((key) => storeKey(collection, 'row', key));
    return this.#reading('reading rows', async () => {
      const stored = wanted.map((key) => this.#cachedRow(key));
      const looked = new Set<number>();
      // Again: what was in the overlay may leave it during a read, where it was durable before this one began.
      for (;;) {
        const missing: number[] = [];
        for (const [index, key] of wanted.entries())
          if (
            stored[index] === undefined &&
            !looked.has(index) &&
            this.#overlay.get(key) === undefined
          )
            missing.push(index);
        if (missing.length === 0) break;
        for (const index of missing) looked.add(index);
        const rows = await this.#keyValue.getMany(
          missing.map((index) => (wanted[index] as StoreKey).bytes),
        );
        for (const [at, index] of missing.entries()) {
          const key = wanted[index] as StoreKey;
          const framed = rows[at];
          if (framed === undefined || this.#overlay.get(key) !== undefined) continue;
          const value = unframe(key.bytes, framed);
          stored[index] = value;
          this.#cache.put(key.text, { kind: 'row', value });
        }
      }
      return wanted.map((key, index) => {
        const pending = this.#overlay.get(key);
        if (pending === undefined) return stored[index];
        return pending.framed === undefined ? undefined : payloadOf(pending.framed);
      });
    });
  }

  #cachedRow(key: StoreKey): Uint8Array | undefined {
    const cached = this.#cache.get(key.text);
    return cached?.kind === 'row' ? cached.value : undefined;
  }

  /**
   * Rows of one moment in key order, from the end with `reverse`; all there are in the range if fewer
   * than `limit`. Throws `checksum-mismatch` naming the first damaged row.
   */
  async scan(collection: string, range: ScanRange): Promise<Row[]> {
    const prefix = keyPrefix(collection, 'row');
    return this.#reading('scanning rows', async () => {
      const found = await this.#scan(prefix, range);
      return found.map(({ key, framed, pending }) => {
        const value =
          pending === undefined
            ? unframe(key, framed as Uint8Array)
            : payloadOf(pending.framed as Uint8Array);
        return [key.subarray(prefix.bytes.length), value];
      });
    });
  }

  /** Names of the collections that hold anything, in byte order. */
  async collections(): Promise<string[]> {
    return this.#reading('listing collections', async () => {
      const names = new Set<string>();
      const report = ({ kind, reason }: Damage): void => {
        if (kind === 'unreadable') throw new StoreError({ code: 'corrupt', reason });
      };
      for await (const collection of storedCollections(this.#keyValue, report))
        names.add(collection);
      const touched = new Set<string>();
      for (const row of this.#overlay.samples()) {
        const parsed = parseStoreKey(row.key.bytes);
        assert(parsed !== undefined, 'an accepted key can be parsed');
        touched.add(parsed.collection);
      }
      for (const collection of touched) {
        names.delete(collection);
        const all = { begin: new Uint8Array(0), end: undefined, limit: 1 };
        for (const kind of ['object', 'row'] as const) {
          const found = await this.#scan(keyPrefix(collection, kind), all);
          if (found.length > 0) names.add(collection);
        }
      }
      return [...names].sort();
    });
  }

  /** Undefined when there is no such object. Throws `checksum-mismatch`. */
  async statObject(collection: string, name: Uint8Array): Promise<ObjectStat | undefined> {
    const key = storeKey(collection, 'object', name);
    return this.#reading('reading an object', async () => {
      const state = await this.#objectState(key);
      if (state.kind === 'damaged') throw damagedKey(key.bytes, state);
      return state.kind === 'absent' ? undefined : statOf(state.onode);
    });
  }

  /**
   * Verified bytes of one moment; fewer than asked for where the object ends. Throws `no-such-object`
   * and `checksum-mismatch`, whose `offsetBytes` is the damaged chunk's.
   */
  async readObject(
    collection: string,
    name: Uint8Array,
    offsetBytes: number,
    lengthBytes: number,
  ): Promise<Uint8Array> {
    assert(offsetBytes >= 0 && lengthBytes >= 0, 'a range of an object is not negative');
    const key = storeKey(collection, 'object', name);
    return this.#reading('reading an object', async () => {
      const state = await this.#objectState(key);
      if (state.kind === 'damaged') throw damagedKey(key.bytes, state);
      if (state.kind === 'absent')
        throw new StoreError({ code: 'no-such-object', collection, name });
      const begin = Math.min(offsetBytes, state.onode.lengthBytes);
      const end = Math.min(begin + lengthBytes, state.onode.lengthBytes);
      if (state.views !== undefined) return copyRange(state.views, begin, end);
      const { placement } = state.onode;
      if (placement.kind === 'inline') return placement.data.slice(begin, end);
      if (begin === end) return new Uint8Array(0);
      return this.#readExtents({ collection, name }, state.onode, begin, end);
    });
  }

  /** At most `limit` objects in the order of their names. */
  async listObjects(
    collection: string,
    range: Omit<ScanRange, 'reverse'>,
  ): Promise<ListedObject[]> {
    const prefix = keyPrefix(collection, 'object');
    return this.#reading('listing objects', async () => {
      const found = await this.#scan(prefix, range);
      return found.map(({ key, framed, pending }) => {
        const state = pending?.object?.state ?? objectStateOf(key, framed);
        const stat = state.kind === 'present' ? statOf(state.onode) : undefined;
        return { name: key.subarray(prefix.bytes.length), stat };
      });
    });
  }

  async #reading<T>(operation: string, read: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new StoreError({ code: 'closed' });
    const token = this.#reads.begin();
    try {
      return await read();
    } catch (error) {
      throw asStoreError(error, operation);
    } finally {
      this.#reads.end(token);
    }
  }

  /** Only within `#reading`. */
  async #objectState(key: StoreKey): Promise<ObjectState> {
    const accepted = await this.#pendingState(key);
    if (accepted !== undefined) return accepted;
    const cached = this.#cache.get(key.text);
    if (cached?.kind === 'onode') return { kind: 'present', onode: cached.onode, views: undefined };
    const [framed] = await this.#keyValue.getMany([key.bytes]);
    const state = objectStateOf(key.bytes, framed);
    // The state is of a moment during the read. It may be old by now, so that it must not be cached.
    if (state.kind === 'present' && this.#overlay.get(key) === undefined)
      this.#cache.put(key.text, { kind: 'onode', onode: state.onode });
    return state;
  }

  async #pendingState(key: StoreKey): Promise<ObjectState | undefined> {
    const cell = this.#overlay.get(key)?.object;
    if (cell === undefined) return undefined;
    if (cell.state === undefined) await cell.known;
    if (cell.state === undefined) throw this.#failure();
    return cell.state;
  }

  /**
   * Keys of one kind in a collection, overlay and key-value store merged as they are at the moment of
   * return. Only within `#reading`, which keeps in the overlay whatever is written meanwhile.
   */
  async #scan(prefix: KeyPrefix, range: ScanRange): Promise<Found[]> {
    assert(range.limit >= 1, 'a scan asks for at least one row');
    const reverse = range.reverse ?? false;
    let begin = withPrefix(prefix, range.begin);
    let end = range.end === undefined ? prefixEnd(prefix) : withPrefix(prefix, range.end);
    const stored: Row[] = [];
    const bounds = { begin: textOfBytes(begin), end: textOfBytes(end) };
    if (bounds.begin >= bounds.end) return [];
    for (;;) {
      const hidden = this.#overlay.range(prefix.text, textOfBytes(begin), textOfBytes(end));
      // Rows the overlay deletes take places in the answer; asking for more saves another round.
      const limit = range.limit + Math.min(hidden.length, 1024);
      const page = await this.#keyValue.scan({ begin, end, limit, reverse });
      for (const row of page) stored.push(row);
      await this.#settleClones(prefix, bounds);
      const last = page.length < limit ? undefined : page.at(-1)?.[0];
      const merged = this.#merge(prefix, bounds, stored, last, reverse);
      if (merged.length >= range.limit) return merged.slice(0, range.limit);
      if (last === undefined) return merged;
      if (reverse) end = last;
      else begin = afterKey(last);
    }
  }

  /** Waits until every clone in the range is known: only then is it clear whether there is one. */
  async #settleClones(prefix: KeyPrefix, bounds: { begin: string; end: string }): Promise<void> {
    for (;;) {
      const unknown = this.#overlay
        .range(prefix.text, bounds.begin, bounds.end)
        .find(({ object }) => object !== undefined && object.state === undefined);
      if (unknown?.object === undefined) return;
      await unknown.object.known;
      if (unknown.object.state === undefined) throw this.#failure();
    }
  }

  /** `last`: the key up to which `stored` is complete; undefined when it is complete. */
  #merge(
    prefix: KeyPrefix,
    bounds: { begin: string; end: string },
    stored: readonly Row[],
    last: Uint8Array | undefined,
    reverse: boolean,
  ): Found[] {
    let pendingRows = this.#overlay.range(prefix.text, bounds.begin, bounds.end);
    if (pendingRows.length === 0)
      return stored.map(([key, framed]) => ({ key, framed, pending: undefined }));
    if (last !== undefined) {
      const edge = textOfBytes(last);
      pendingRows = pendingRows.filter(({ key }) =>
        reverse ? key.text >= edge : key.text <= edge,
      );
    }
    if (reverse) pendingRows.reverse();
    const merged: Found[] = [];
    let at = 0;
    for (const [key, framed] of stored) {
      const text = textOfBytes(key);
      let covered = false;
      for (; at < pendingRows.length; at++) {
        const pending = pendingRows[at] as PendingRow;
        if (pending.key.text !== text && pending.key.text < text === reverse) break;
        if (pending.key.text === text) covered = true;
        pushIfPresent(merged, pending);
      }
      if (!covered) merged.push({ key, framed, pending: undefined });
    }
    for (; at < pendingRows.length; at++) pushIfPresent(merged, pendingRows[at] as PendingRow);
    return merged;
  }

  async #readExtents(
    of: { collection: string; name: Uint8Array },
    onode: Onode,
    begin: number,
    end: number,
  ): Promise<Uint8Array> {
    assert(onode.placement.kind === 'extents', 'inline data needs no read');
    const { extents, checksums } = onode.placement;
    const firstChunk = Math.floor(begin / checksumChunkBytes);
    const chunksEnd = Math.ceil(end / checksumChunkBytes);
    const from = firstChunk * checksumChunkBytes;
    const to = Math.min(chunksEnd * checksumChunkBytes, onode.lengthBytes);
    const pieces: Promise<Uint8Array>[] = [];
    let extentBegin = 0;
    for (const { firstUnit, unitCount } of extents) {
      const extentEnd = extentBegin + unitCount * unitBytes;
      const pieceBegin = Math.max(from, extentBegin);
      const pieceEnd = Math.min(to, extentEnd);
      if (pieceBegin < pieceEnd)
        pieces.push(
          this.#block.read(firstUnit * unitBytes + pieceBegin - extentBegin, pieceEnd - pieceBegin),
        );
      extentBegin = extentEnd;
    }
    const read = await Promise.all(pieces);
    const data = read.length === 1 ? (read[0] as Uint8Array) : copyRange(read, 0, to - from);
    if (read.length > 1) for (const piece of read) buffers.release(piece);
    for (let chunk = firstChunk; chunk < chunksEnd; chunk++) {
      const at = chunk * checksumChunkBytes - from;
      const actual = crc32c(data.subarray(at, at + checksumChunkBytes));
      const expected = checksums[chunk] as number;
      if (actual === expected) continue;
      buffers.release(data);
      throw new StoreError({
        code: 'checksum-mismatch',
        collection: of.collection,
        key: of.name,
        offsetBytes: chunk * checksumChunkBytes,
        expected,
        actual,
      });
    }
    return data.subarray(begin - from, end - from);
  }

  /** Why nothing more can be promised; undefined while all is well. */
  get failed(): StoreError | undefined {
    return this.#state.kind === 'failed' ? this.#state.error : undefined;
  }

  // Writing.

  /**
   * Readers see the transaction when this returns; it is durable, with all before it, when the promise
   * resolves. Rejects with `no-space`, `overloaded`, `read-only`, `closed` and `failed` before anything
   * is visible, and with `failed` when the disk fails later, which ends the store.
   */
  commit(transaction: Transaction): Promise<void> {
    try {
      return this.#accept(transaction);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * `commit`, but what is refused before anything is visible is thrown at once, not a rejection. `gathered`:
   * the caller calls `begin` when no more is to come soon.
   */
  submit(transaction: Transaction, start: 'now' | 'gathered' = 'now'): Promise<void> {
    return this.#accept(transaction, start);
  }

  /** Whatever was submitted so far becomes durable now. */
  begin(): void {
    this.#begun = this.#acceptedSequence;
    if (this.#queue.length > 0) this.#loop ??= this.#run();
  }

  #accept(transaction: Transaction, start: 'now' | 'gathered' = 'now'): Promise<void> {
    if (this.#state.kind === 'failed') throw this.#failure();
    if (this.#closing) throw new StoreError({ code: 'closed' });
    if (this.#access === 'read-only') throw new StoreError({ code: 'read-only' });
    const waitingBytes = this.#pendingBytes + this.#retiringBytes;
    if (waitingBytes + transaction.bytes > this.#pendingBytesMax)
      throw new StoreError({
        code: 'overloaded',
        pendingBytes: waitingBytes,
        limitBytes: this.#pendingBytesMax,
      });
    const allocations = this.#allocateAll(transaction.steps);

    // From here on nothing may fail.
    const rows: PendingRow[] = [];
    const changes: ObjectChange[] = [];
    const waits: Promise<void>[] = [];
    let dataBytes = 0;
    const befores = this.#lookUp(transaction.steps);
    for (const [index, step] of transaction.steps.entries()) {
      if (step.kind === 'put' || step.kind === 'delete') {
        const framed = step.kind === 'put' ? step.framed : undefined;
        rows.push({ key: step.key, framed, object: undefined });
        this.#show(rows.at(-1) as PendingRow);
        continue;
      }
      const before = this.#overlay.get(step.key)?.object ?? befores.get(step.key.text);
      assert(before !== undefined, 'what a step changes was looked up');
      let cell = new ObjectCell(absent);
      if (step.kind === 'put-object') {
        const extents = allocations[index];
        cell = new ObjectCell(newObject(step, extents));
        if (extents !== undefined) {
          dataBytes += step.lengthBytes;
          for (const write of this.#writeData(step.views, extents)) waits.push(write);
        }
      } else if (step.kind === 'clone-object') {
        if (step.from.text === step.key.text) continue;
        const source = this.#overlay.get(step.from)?.object ?? befores.get(step.from.text);
        assert(source !== undefined, 'what a step clones was looked up');
        cell = source;
      }
      const row = { key: step.key, framed: undefined, object: cell };
      const origin =
        step.kind === 'put-object' ? 'new' : step.kind === 'clone-object' ? 'clone' : 'none';
      changes.push({ row, cell, before, origin });
      this.#show(row);
      for (const { known } of [cell, before]) if (known !== undefined) waits.push(known);
    }
    this.#acceptedSequence++;
    this.#pendingBytes += transaction.bytes;
    this.#bytesSinceSpacePoll += transaction.bytes;
    const sequence = this.#acceptedSequence;
    return new Promise((resolve, reject) => {
      this.#queue.push({
        sequence,
        bytes: transaction.bytes,
        metadataBytes: transaction.bytes - dataBytes,
        rows,
        changes,
        waits,
        hasData: dataBytes > 0,
        resolve,
        reject,
      });
      if (start === 'now') this.begin();
    });
  }

  /** Extents for each step that stores data in the block file. Throws `no-space`, taking nothing. */
  #allocateAll(steps: readonly Step[]): (readonly Extent[] | undefined)[] {
    let wantedBytes = 0;
    for (const step of steps)
      if (step.kind === 'put-object') wantedBytes += unitsOf(step.lengthBytes) * unitBytes;
    if (wantedBytes === 0) return [];
    const freeBytes = this.#availableBytes();
    if (wantedBytes > freeBytes) throw new StoreError({ code: 'no-space', wantedBytes, freeBytes });
    return steps.map((step) => {
      if (step.kind !== 'put-object' || step.lengthBytes <= inlineBytesMax) return undefined;
      const extents = this.#allocator.allocate(unitsOf(step.lengthBytes));
      assert(extents !== undefined, 'what was counted as free can be allocated');
      return extents;
    });
  }

  /**
   * What the transaction's objects are before it, where the overlay does not know. The key-value store
   * can't change there before this transaction's own group, which waits for the answers.
   */
  #lookUp(steps: readonly Step[]): Map<string, ObjectCell> {
    const cells = new Map<string, ObjectCell>();
    const missing = new Map<string, StoreKey>();
    for (const step of steps) {
      if (step.kind === 'put' || step.kind === 'delete') continue;
      for (const key of step.kind === 'clone-object' ? [step.from, step.key] : [step.key]) {
        if (cells.has(key.text) || this.#overlay.get(key) !== undefined) continue;
        const cached = this.#cache.get(key.text);
        if (cached?.kind === 'onode')
          cells.set(
            key.text,
            new ObjectCell({ kind: 'present', onode: cached.onode, views: undefined }),
          );
        else missing.set(key.text, key);
      }
    }
    if (missing.size === 0) return cells;
    const keys = [...missing.values()];
    const reading = this.#keyValue.getMany(keys.map(({ bytes }) => bytes));
    for (const [index, key] of keys.entries()) {
      const state = reading.then(
        (found) => objectStateOf(key.bytes, found[index]),
        (error: unknown) => {
          // One unreadable place ends no store: the object is replaced, its space stays taken.
          if (error instanceof EnvError && error.code === 'corrupt') return unreadable;
          throw error;
        },
      );
      state.catch((error: unknown) => this.#fail('reading what a transaction replaces', error));
      cells.set(key.text, new ObjectCell(state));
    }
    return cells;
  }

  #show(row: PendingRow): void {
    this.#cache.delete(row.key.text);
    this.#overlay.set(row);
  }

  #writeData(views: readonly Uint8Array[], extents: readonly Extent[]): Promise<void>[] {
    const pieces = splitViews(
      views,
      extents.map(({ unitCount }) => unitCount * unitBytes),
    );
    return extents.map(({ firstUnit }, index) =>
      this.#block
        .write(firstUnit * unitBytes, pieces[index] as readonly Uint8Array[])
        .catch((error: unknown) => this.#fail('writing object data', error)),
    );
  }

  /** Steps 2 to 6 of the life of a transaction, group after group, until none waits. */
  async #run(): Promise<void> {
    try {
      // Whoever commits in this same turn joins the first group.
      await undefined;
      while (this.#hasBegun() && this.#state.kind === 'working') await this.#writeGroup();
    } catch (error) {
      this.#fail('writing transactions', error);
    }
    this.#loop = undefined;
  }

  #hasBegun(): boolean {
    const first = this.#queue[0];
    return first !== undefined && first.sequence <= this.#begun;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    try {
      await Promise.all(group.flatMap(({ waits }) => waits));
      if (this.#state.kind === 'failed') throw this.#state.error;
      if (group.some(({ hasData }) => hasData)) await this.#block.sync();
      const { operations, freed } = this.#buildBatch(group);
      await this.#keyValue.commit(operations, { sync: true });
      this.#finish(group, freed);
    } catch (error) {
      this.#fail('writing transactions', error);
      for (const { reject } of group) reject(this.#failure());
      return;
    }
    if (this.#bytesSinceSpacePoll >= spacePollBytes) await this.#pollSpace();
  }

  #takeGroup(): Accepted[] {
    let count = 0;
    let bytes = 0;
    let steps = 0;
    for (const { metadataBytes, rows, changes } of this.#queue) {
      bytes += metadataBytes;
      steps += rows.length + changes.length;
      if (count > 0 && (bytes > groupBytesMax || steps > groupStepsMax)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #buildBatch(group: readonly Accepted[]): Batch {
    const batch: Batch = { operations: [], freed: [...this.#orphans] };
    for (const extent of this.#orphans)
      batch.operations.push({ kind: 'delete', key: extentKey(extent) });
    this.#orphans = [];
    for (const { rows, changes } of group) {
      for (const { key, framed } of rows) {
        if (framed === undefined) batch.operations.push({ kind: 'delete', key: key.bytes });
        else batch.operations.push({ kind: 'put', key: key.bytes, value: framed });
      }
      for (const change of changes) this.#addChange(batch, change);
    }
    for (const lost of this.#lostGroups) pushHead(batch, { group: lost, sequence: 0 });
    this.#lostGroups = [];
    this.#group++;
    pushHead(batch, { group: this.#group, sequence: (group.at(-1) as Accepted).sequence });
    return batch;
  }

  #addChange(batch: Batch, { row, cell, before, origin }: ObjectChange): void {
    assert(
      cell.state !== undefined && before.state !== undefined,
      'the group waited for its reads',
    );
    const key = row.key.bytes;
    // The new reference first: a clone over its own clone must not free what they share.
    for (const extent of extentsOf(cell.state)) {
      const count = origin === 'new' ? 1 : this.#referencesOf(extent) + 1;
      this.#setReferences(batch, extent, count);
    }
    for (const extent of extentsOf(before.state)) {
      const count = this.#referencesOf(extent) - 1;
      this.#setReferences(batch, extent, count);
      if (count === 0) batch.freed.push(extent);
    }
    switch (cell.state.kind) {
      case 'absent':
        batch.operations.push({ kind: 'delete', key });
        break;
      case 'present': {
        const value = frameValue(key, encodeOnode(cell.state.onode));
        batch.operations.push({ kind: 'put', key, value });
        break;
      }
      case 'damaged':
        // The clone of a damaged object is a damaged object: no value passes the check of its frame.
        batch.operations.push({ kind: 'put', key, value: new Uint8Array(0) });
    }
  }

  #referencesOf(extent: Extent): number {
    if (this.#unknownUnits.has(extent.firstUnit)) return Number.POSITIVE_INFINITY;
    return this.#references.get(extent.firstUnit) ?? 1;
  }

  #setReferences(batch: Batch, extent: Extent, count: number): void {
    // A record whose count was lost keeps its extent for good.
    if (count === Number.POSITIVE_INFINITY) return;
    const key = extentKey(extent);
    if (count === 0) batch.operations.push({ kind: 'delete', key });
    else {
      const value = frameValue(key, encode(referencesCodec, count));
      batch.operations.push({ kind: 'put', key, value });
    }
    if (count > 1) this.#references.set(extent.firstUnit, count);
    else this.#references.delete(extent.firstUnit);
  }

  #finish(group: readonly Accepted[], freed: readonly Extent[]): void {
    this.#sequence = (group.at(-1) as Accepted).sequence;
    let bytes = 0;
    for (const accepted of group) bytes += accepted.bytes;
    this.#pendingBytes -= bytes;
    this.#retiringBytes += bytes;
    // Whoever gave the data may use its memory again as soon as it hears that all is durable.
    for (const { changes } of group) for (const { cell } of changes) cell.forgetViews();
    for (const { resolve } of group) resolve();
    this.#reads.afterReads(() => {
      this.#retiringBytes -= bytes;
      for (const { rows, changes } of group) {
        for (const row of rows) this.#overlay.drop(row);
        for (const { row, cell } of changes)
          if (this.#overlay.drop(row) && cell.state?.kind === 'present')
            this.#cache.put(row.key.text, { kind: 'onode', onode: cell.state.onode });
      }
      for (const extent of freed) this.#allocator.release(extent);
    });
  }

  /** Looks how much the file system has left: others may have filled it. Once at a time. */
  async lookForSpace(): Promise<void> {
    if (this.#isLooking || this.#closing || this.#state.kind === 'failed') return;
    this.#isLooking = true;
    await this.#pollSpace();
    this.#isLooking = false;
  }

  async #pollSpace(): Promise<void> {
    this.#bytesSinceSpacePoll = 0;
    try {
      this.#diskFreeBytes = (await this.#files.space()).freeBytes;
    } catch (error) {
      this.#fail('asking for free space', error);
    }
  }

  #failure(): StoreError {
    assert(this.#state.kind === 'failed', 'the store has failed');
    const { failure, cause } = this.#state.error;
    return new StoreError(failure, { cause });
  }

  #fail(operation: string, cause: unknown): void {
    if (this.#state.kind !== 'working') return;
    const reason = `${operation}: ${cause instanceof Error ? cause.message : String(cause)}`;
    this.#state = { kind: 'failed', error: new StoreError({ code: 'failed', reason }, { cause }) };
    for (const { reject } of this.#queue.splice(0)) reject(this.#failure());
  }

  /** Waits for what was accepted and for reads under way, then lets go of the files. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.begin();
    while (this.#loop !== undefined) await this.#loop;
    await new Promise<void>((resolve) => this.#reads.afterReads(resolve));
    await this.#block.close();
    await this.#keyValue.close();
  }
}

function pushHead({ operations }: Batch, head: Carried<typeof headCodec>): void {
  const key = headKey(head.group);
  operations.push({ kind: 'put', key, value: frameValue(key, encode(headCodec, head)) });
}

function dataUnitsMax(capacityBytes: number): number {
  return Math.floor((capacityBytes - reserveBytes(capacityBytes)) / unitBytes);
}

function unitsOf(lengthBytes: number): number {
  return Math.ceil(lengthBytes / unitBytes);
}

async function openKeyValue(files: Files): Promise<KeyValue> {
  try {
    return await files.openKeyValue(paths.meta);
  } catch (error) {
    throw asStoreError(error, 'opening the key-value store');
  }
}

function newObject(
  step: Step & { kind: 'put-object' },
  extents: readonly Extent[] | undefined,
): ObjectState {
  const { header, views, lengthBytes } = step;
  if (extents === undefined) {
    const data = copyRange(views, 0, lengthBytes);
    return {
      kind: 'present',
      onode: { lengthBytes, header, placement: { kind: 'inline', data } },
      views: undefined,
    };
  }
  const placement = {
    kind: 'extents',
    extents,
    checksums: step.checksums ?? chunkChecksums(views, lengthBytes),
  } as const;
  return { kind: 'present', onode: { lengthBytes, header, placement }, views };
}

function extentsOf(state: ObjectState): readonly Extent[] {
  if (state.kind !== 'present' || state.onode.placement.kind !== 'extents') return [];
  return state.onode.placement.extents;
}

function statOf(onode: Onode): ObjectStat {
  return { lengthBytes: onode.lengthBytes, header: onode.header };
}

const unreadable: ObjectState = { kind: 'damaged', expected: 0, actual: 0 };

function objectStateOf(key: Uint8Array, framed: Uint8Array | undefined): ObjectState {
  if (framed === undefined) return absent;
  const read = readFrame(key, framed);
  if (read.kind === 'damaged') return read;
  try {
    return { kind: 'present', onode: decodeOnode(read.payload), views: undefined };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return unreadable;
  }
}

/** Deleted rows and absent objects are in the overlay only to hide what is stored. */
function pushIfPresent(merged: Found[], pending: PendingRow): void {
  const present =
    pending.object === undefined
      ? pending.framed !== undefined
      : pending.object.state?.kind !== 'absent';
  if (present) merged.push({ key: pending.key.bytes, framed: undefined, pending });
}

function unframe(key: Uint8Array, framed: Uint8Array): Uint8Array {
  const read = readFrame(key, framed);
  if (read.kind === 'damaged') throw damagedKey(key, read);
  return read.payload;
}

function damagedKey(bytes: Uint8Array, facts: { expected: number; actual: number }): StoreError {
  const parsed = parseStoreKey(bytes);
  return new StoreError({
    code: 'checksum-mismatch',
    collection: parsed?.collection ?? '',
    key: parsed?.key ?? bytes,
    offsetBytes: 0,
    expected: facts.expected,
    actual: facts.actual,
  });
}

function asStoreError(error: unknown, operation: string): unknown {
  if (!(error instanceof EnvError)) return error;
  if (error.code === 'corrupt')
    return new StoreError({ code: 'corrupt', reason: error.message }, { cause: error });
  return new StoreError({ code: 'io', operation }, { cause: error });
}
