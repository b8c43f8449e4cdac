// The durable state of one PG on one disk, and the one place where a log entry becomes a transaction.
//
// All of a PG is one collection of the store. Its rows, by first byte:
//
//   01 sequence(8)          the log: what was decided, with the counts after it
//   02                      meta: tenure, record, where the log begins when it is empty, cursor
//   03 blob id(16)          a blob that should be here and is not: by a backfill, or by an entry that came without
//   04 blob id(16)          a blob whose shard here is known to be bad (rule 26)
//   10 client(8) counter(8) what a request was answered (rule 5)
//   11 client(8)            below which counter the client's requests have ended: version 1, counter (uint)
//   20 length(2) object key one row of a mutable object; those of the empty name are the PG's own (osd/handover.ts)
//
// Blobs are the store's objects, named by blob id. For recovery the requests, rows and blobs together
// are one sorted space of *positions* (blobs under 30): a joining member is right below its `cursor`
// and knows nothing at or beyond it; live entries change only what is below.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import { compareBytes, concatBytes, decodeUtf8, emptyBytes, encodeUtf8 } from '../base/bytes.ts';
import {
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  option,
  struct,
  uint,
  versioned,
} from '../base/codec.ts';
import type { BlobId, PgId } from '../base/ids.ts';
import type { MethodRow, Version } from '../base/method.ts';
import { SparseMap } from '../base/sparse-map.ts';
import { type PgRecord, pgRecordCodec } from '../map/pg-record.ts';
import { StoreError } from '../store/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { Transaction } from '../store/transaction.ts';
import {
  type BlobFacts,
  blobFactsCodec,
  type Effect,
  equalVersions,
  type LogEntry,
  logEntryCodec,
  type Request,
  versionCodec,
  zeroVersion,
} from '../wire/entry.ts';
import type { BlobListing } from '../wire/messages.ts';
import { OsdError } from './errors.ts';

const logPrefix = 0x01;
const metaKey = new Uint8Array([0x02]);
const missingPrefix = 0x03;
const damagedPrefix = 0x04;
const requestPrefix = 0x10;
const endedPrefix = 0x11;
const rowPrefix = 0x20;
const blobPrefix = 0x30;

/** The name under which a PG keeps rows of its own; no client's object has it. */
export const groupsOwn = '';

/** Where positions begin, and the first that is beyond all. */
export const firstPosition = new Uint8Array([requestPrefix]);
export const lastPosition = new Uint8Array([blobPrefix + 1]);
const firstBlobPosition = new Uint8Array([blobPrefix]);

/**
 * Entries kept for members that were away. At a thousand writes a second in one PG it is two seconds;
 * at the usual few it is minutes. Beyond it, a member is backfilled.
 */
const logEntriesMax = 2000;

/** Entries trimmed in one transaction, so that trimming costs little on each write. */
const logTrimBatch = 128;

/** Rows beside the log and the objects that are read with a group's meta. */
const loadedAtOnce = 128;

export interface PgCounts {
  readonly blobs: number;
  readonly bytes: number;
}

/** When a PG was last scrubbed as a whole, in milliseconds of the wall clock of who led it; 0: never. */
export interface ScrubTimes {
  readonly light: number;
  readonly deep: number;
}

interface Meta {
  readonly tenure: number;
  readonly record: PgRecord;
  /** The version the log begins after. */
  readonly base: Version;
  readonly committed: number;
  /** Undefined: everything is here. */
  readonly cursor: Uint8Array | undefined;
  readonly scrubbedWallMs: number;
  readonly deepScrubbedWallMs: number;
}

const metaCodec: Codec<Meta> = versioned(
  'placement group',
  1,
  struct({
    tenure: uint,
    record: pgRecordCodec,
    base: versionCodec,
    committed: uint,
    cursor: option(bytes),
    scrubbedWallMs: uint,
    deepScrubbedWallMs: uint,
  }),
);

const logRowCodec = struct({ committed: uint, blobs: uint, bytes: uint, entry: bytes });
/** What stands before the entry's own bytes. */
const logRowHeadCodec = struct({ committed: uint, blobs: uint, bytes: uint, entryBytes: uint });

function entryOf(row: { readonly entry: Uint8Array }): LogEntry {
  return decode(logEntryCodec, row.entry);
}
const shardHeaderCodec: Codec<BlobListing> = struct({
  facts: blobFactsCodec,
  version: versionCodec,
  index: uint,
});
const answerCodec = struct({ sequence: uint, result: bytes });

/** The row `11`. A disk from before it existed has none, and knows of no request that it ended. */
const endedCodec: Codec<number> = versioned('row of ended requests', 1, uint);

/**
 * Answers are forgotten so many counters at a time: the row that says up to which is written with them, and
 * costs a sixteenth of what it would cost with each.
 */
const forgottenTogether = 16;

function be64(target: Uint8Array, at: number, value: number): void {
  be32(target, at, Math.floor(value / 2 ** 32));
  be32(target, at + 4, value);
}

/** The lower 32 bits, byte by byte: a view for each would cost more. */
function be32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function logKey(sequence: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = logPrefix;
  be64(key, 1, sequence);
  return key;
}

function blobKey(prefix: number, blob: BlobId): Uint8Array {
  const key = new Uint8Array(17);
  key[0] = prefix;
  be64(key, 1, blob.incarnation);
  be64(key, 9, blob.counter);
  return key;
}

function blobName(blob: BlobId): Uint8Array {
  return blobKey(0, blob).subarray(1);
}

export function blobOfName(name: Uint8Array): BlobId {
  if (name.length !== 16) throw new DecodeError(`a blob name of ${name.length} bytes`);
  const view = new DataView(name.buffer, name.byteOffset, 16);
  const read = (at: number): number =>
    view.getUint32(at, false) * 2 ** 32 + view.getUint32(at + 4, false);
  return { incarnation: read(0), counter: read(8) };
}

export function blobPosition(blob: BlobId): Uint8Array {
  return blobKey(blobPrefix, blob);
}

function requestKey(request: Request): Uint8Array {
  const key = new Uint8Array(17);
  key[0] = requestPrefix;
  be64(key, 1, request.client);
  be64(key, 9, request.counter);
  return key;
}

function endedKey(client: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = endedPrefix;
  be64(key, 1, client);
  return key;
}

function rowKey(object: string, key: Uint8Array): Uint8Array {
  const name = encodeUtf8(object);
  const joined = new Uint8Array(3 + name.length + key.length);
  joined[0] = rowPrefix;
  joined[1] = name.length >> 8;
  joined[2] = name.length & 0xff;
  joined.set(name, 3);
  joined.set(key, 3 + name.length);
  return joined;
}

/** Which object a row position belongs to; undefined for other positions. */
export function objectOfPosition(position: Uint8Array): string | undefined {
  if (position[0] !== rowPrefix || position.length < 3) return undefined;
  const length = ((position[1] as number) << 8) | (position[2] as number);
  return decodeUtf8(position.subarray(3, 3 + length));
}

/** What a client's requests were answered, in memory: which counters have a row, and below which all have ended. */
interface ClientMemory {
  readonly counters: Map<number, number>;
  /** What the row `11` says: answers below it are forgotten, for ever. */
  forgotten: number;
}

/** To be given back when the store refuses a change. */
interface Memory {
  readonly meta: Meta;
  readonly head: Version;
  readonly first: number;
  readonly counts: PgCounts;
  /** Undefined: the change does not touch it. */
  readonly missing: ReadonlyMap<string, BlobListing> | undefined;
}

/** A slice of the position space, as backfill and scrub read it. */
export interface Slice {
  readonly rows: readonly MethodRow[];
  readonly blobs: readonly BlobListing[];
  /** Blobs that are here, and nothing that is written of them can be read. */
  readonly unreadable: readonly BlobId[];
  /** Undefined: the slice goes to the end. */
  readonly end: Uint8Array | undefined;
}

/**
 * This member's bytes of a put blob. Undefined: there are none to store, because the sender has the entry that
 * removes the blob. Until that has come too, the blob is missing here: the sender may die before.
 */
export type OwnShard =
  | {
      readonly index: number;
      readonly views: readonly Uint8Array[];
      /** Of the chunks of the views together, where they are known. */
      readonly checksums?: Uint32Array | undefined;
    }
  | undefined;

const noCounts: PgCounts = { blobs: 0, bytes: 0 };
const nothingAppended = Promise.resolve();

export class PgDisk {
  readonly pg: PgId;
  readonly #store: ObjectStore;
  readonly #clients = new SparseMap<number, ClientMemory>();
  readonly #missing = new SparseMap<string, BlobListing>();
  readonly #damaged = new SparseMap<string, BlobId>();
  #meta: Meta;
  #head: Version;
  /** Sequence of the first entry of the log; head + 1 when it is empty. */
  #first: number;
  #counts: PgCounts = noCounts;
  #lastAppend: Promise<void> = nothingAppended;
  #hasLeft = false;

  private constructor(store: ObjectStore, meta: Meta) {
    this.pg = meta.record.pg;
    this.#store = store;
    this.#meta = meta;
    this.#head = meta.base;
    this.#first = meta.base.sequence + 1;
  }

  static collectionOf(pg: PgId): string {
    return `pg/${pg}`;
  }

  /** A PG that this disk has nothing of. Durable with the first `accept`. */
  static create(store: ObjectStore, record: PgRecord, isComplete: boolean): PgDisk {
    return new PgDisk(store, {
      tenure: 0,
      record,
      base: zeroVersion,
      committed: 0,
      cursor: isComplete ? undefined : firstPosition,
      scrubbedWallMs: 0,
      deepScrubbedWallMs: 0,
    });
  }

  /** Undefined when the disk has nothing of the PG. Throws `DecodeError`, `StoreError` when it can't be read. */
  static async load(store: ObjectStore, pg: PgId): Promise<PgDisk | undefined> {
    const collection = PgDisk.collectionOf(pg);
    // Of a group at rest these are all, and a disk has thousands of groups to read before it can serve.
    const range = { begin: metaKey, end: new Uint8Array([endedPrefix + 1]), limit: loadedAtOnce };
    const rows = await store.scan(collection, range).catch(() => undefined);
    const isAll = rows !== undefined && rows.length < loadedAtOnce;
    const meta = isAll
      ? rows.find(([key]) => key[0] === metaKey[0])?.[1]
      : await store.get(collection, metaKey);
    if (meta === undefined) return undefined;
    const disk = new PgDisk(store, decode(metaCodec, meta));
    await disk.#loadLog();
    if (isAll) for (const row of rows) disk.#loadRow(row);
    else await disk.#loadAllReadable();
    return disk;
  }

  /** Requests and marks. One that does not verify is gone, and with it the knowledge that all is here. */
  async #loadAllReadable(): Promise<void> {
    let isWhole = true;
    // Bounded by the rows there are: each time round one is gone.
    for (;;) {
      try {
        await this.#loadRequests();
        await this.#loadMarks();
        break;
      } catch (error) {
        const key = this.damagedRow(error);
        if (key === undefined) throw error;
        await this.repairRow(key, undefined);
        isWhole = false;
      }
    }
    if (isWhole) return;
    const transaction = new Transaction();
    this.forgetCompleteness(transaction);
    await this.#submit(transaction);
  }

  async #loadMarks(): Promise<void> {
    for (const row of await this.#scanAll(missingPrefix, damagedPrefix)) this.#loadRow(row);
  }

  #loadRow([key, value]: MethodRow): void {
    if (key[0] === endedPrefix) {
      this.#memoryOf(clientOfEnded(key)).forgotten = decode(endedCodec, value);
    } else if (key[0] === requestPrefix) {
      const { incarnation, counter } = blobOfName(key.subarray(1));
      this.#memoryOf(incarnation).counters.set(counter, decode(answerCodec, value).sequence);
    } else if (key[0] === missingPrefix || key[0] === damagedPrefix) {
      const blob = blobOfName(key.subarray(1));
      const name = nameOf(blobKey(0, blob));
      if (key[0] === missingPrefix) this.#missing.set(name, decode(shardHeaderCodec, value));
      else this.#damaged.set(name, blob);
    }
  }

  async #loadLog(): Promise<void> {
    const range = { begin: logKey(0), end: new Uint8Array([logPrefix + 1]), limit: 1 };
    const [first] = await this.#store.scan(this.#collection, range);
    if (first === undefined) return;
    const [last] = await this.#store.scan(this.#collection, { ...range, reverse: true });
    if (last === undefined) return;
    const oldest = entryOf(decode(logRowCodec, first[1]));
    const newest = decode(logRowCodec, last[1]);
    this.#first = oldest.version.sequence;
    this.#head = entryOf(newest).version;
    this.#counts = { blobs: newest.blobs, bytes: newest.bytes };
    this.#meta = {
      ...this.#meta,
      base: oldest.previous,
      committed: Math.max(this.#meta.committed, newest.committed),
    };
  }

  async #loadRequests(): Promise<void> {
    for (const row of await this.#scanAll(requestPrefix, endedPrefix)) this.#loadRow(row);
  }

  /** All rows under the one-byte prefixes from `first` to `last`; only for small kinds. */
  async #scanAll(first: number, last: number): Promise<MethodRow[]> {
    const rows: MethodRow[] = [];
    let begin: Uint8Array = new Uint8Array([first]);
    const end = new Uint8Array([last + 1]);
    for (;;) {
      const page = await this.#store.scan(this.#collection, { begin, end, limit: 1000 });
      rows.push(...page);
      const newest = page.at(-1);
      if (newest === undefined || page.length < 1000) return rows;
      begin = concatBytes([newest[0], new Uint8Array(1)]);
    }
  }

  get #collection(): string {
    return PgDisk.collectionOf(this.pg);
  }

  get tenure(): number {
    return this.#meta.tenure;
  }

  get record(): PgRecord {
    return this.#meta.record;
  }

  get head(): Version {
    return this.#head;
  }

  /** The entry before the first of the log. */
  get tail(): Version {
    return this.#meta.base;
  }

  get committed(): number {
    return this.#meta.committed;
  }

  get cursor(): Uint8Array | undefined {
    return this.#meta.cursor;
  }

  get counts(): PgCounts {
    return this.#counts;
  }

  get missingCount(): number {
    return this.#missing.size;
  }

  get damagedCount(): number {
    return this.#damaged.size;
  }

  get scrubs(): ScrubTimes {
    return { light: this.#meta.scrubbedWallMs, deep: this.#meta.deepScrubbedWallMs };
  }

  /** Everything acknowledged up to `head` is here. */
  get isComplete(): boolean {
    return this.#meta.cursor === undefined && this.#missing.size === 0;
  }

  // ——— meta ———

  /** What is in memory of what a change may touch. */
  #memory(withMissing: 'with-missing' | 'without-missing'): Memory {
    return {
      meta: this.#meta,
      head: this.#head,
      first: this.#first,
      counts: this.#counts,
      missing: withMissing === 'with-missing' ? new Map(this.#missing) : undefined,
    };
  }

  /** From here on nothing is written of it: what is removed would be there again, and look like a group with nothing. */
  leave(): void {
    this.#hasLeft = true;
  }

  /** Throws `OsdError` `stale` for what has left, `StoreError` before anything is visible. */
  #submit(transaction: Transaction, start: 'now' | 'gathered' = 'now'): Promise<void> {
    if (this.#hasLeft) throw new OsdError('stale', `${this.pg} has left this disk`);
    return this.#store.submit(transaction, start);
  }

  /**
   * Commits what memory was changed to already; resolves when durable. Where the store refuses it, before anything
   * is visible, memory becomes what it was: a disk that was full or busy for a moment would else be taken for one
   * that has what it was sent.
   */
  #commit(transaction: Transaction, before: Memory): Promise<void> {
    try {
      return this.#submit(transaction);
    } catch (error) {
      this.#meta = before.meta;
      this.#head = before.head;
      this.#first = before.first;
      this.#counts = before.counts;
      if (before.missing !== undefined) {
        this.#missing.clear();
        for (const [name, listing] of before.missing) this.#missing.set(name, listing);
      }
      return Promise.reject(error);
    }
  }

  #putMeta(transaction: Transaction, edit: Partial<Meta>): void {
    this.#meta = { ...this.#meta, ...edit };
    transaction.put(this.#collection, metaKey, encode(metaCodec, this.#meta));
  }

  /**
   * Takes a tenure and its record; resolves when durable. After it no entry of an older tenure is taken.
   * `otherShard`: the slot has another shard index than the data here was stored for, so nothing counts
   * as here until a backfill has looked at it.
   */
  accept(tenure: number, record: PgRecord, otherShard = false): Promise<void> {
    assert(tenure >= this.#meta.tenure, 'a tenure is never taken back');
    const before = this.#memory(otherShard ? 'with-missing' : 'without-missing');
    const transaction = new Transaction();
    if (otherShard) this.forgetCompleteness(transaction);
    this.#putMeta(transaction, { tenure, record });
    return this.#commit(transaction, before);
  }

  /**
   * The monitor never said what was accepted: back to its word, and to the tenure that it has, which no true one
   * exceeds. Where that does not name this disk, nobody knows for which place what is here was stored.
   */
  takeBack(word: PgRecord, isNamed: boolean): Promise<void> {
    const before = this.#memory(isNamed ? 'without-missing' : 'with-missing');
    const transaction = new Transaction();
    if (!isNamed) this.forgetCompleteness(transaction);
    const tenure = Math.min(this.#meta.tenure, word.tenure);
    this.#putMeta(transaction, { tenure, record: word });
    return this.#commit(transaction, before);
  }

  /** What is here is no longer known to be everything; durable with the transaction. */
  forgetCompleteness(transaction: Transaction): void {
    for (const missing of this.#missing.values())
      transaction.delete(this.#collection, blobKey(missingPrefix, missing.facts.blob));
    this.#missing.clear();
    this.#counts = { blobs: 0, bytes: 0 };
    this.#putMeta(transaction, { cursor: firstPosition });
  }

  /** What is here is all there is, also where more was on its way; durable when it resolves. */
  takeForWhole(): Promise<void> {
    if (this.#meta.cursor === undefined) return Promise.resolve();
    const before = this.#memory('without-missing');
    const transaction = new Transaction();
    this.#putMeta(transaction, { cursor: undefined });
    return this.#commit(transaction, before);
  }

  /** Remembers a newer record of the same tenure. */
  rememberRecord(record: PgRecord): Promise<void> {
    const before = this.#memory('without-missing');
    const transaction = new Transaction();
    this.#putMeta(transaction, { record });
    return this.#commit(transaction, before);
  }

  /** Durable with the next entry. */
  noteCommitted(committed: number): void {
    if (committed > this.#meta.committed)
      this.#meta = { ...this.#meta, committed: Math.min(committed, this.#head.sequence) };
  }

  /** Makes the commit point durable by itself. */
  async keepCommitted(): Promise<void> {
    const transaction = new Transaction();
    this.#putMeta(transaction, {});
    return this.#submit(transaction);
  }

  /** Durable when it resolves. */
  noteScrubs({ light, deep }: ScrubTimes): Promise<void> {
    const before = this.#memory('without-missing');
    const transaction = new Transaction();
    this.#putMeta(transaction, { scrubbedWallMs: light, deepScrubbedWallMs: deep });
    return this.#commit(transaction, before);
  }

  // ——— entries ———

  /**
   * Appends the entry that follows `head` and applies its effect, as one transaction; visible at once,
   * durable when the promise resolves. `encoded` is the entry as bytes, where the caller has them;
   * `gathered` is as for the store. Throws `StoreError` before anything changed.
   */
  append(
    entry: LogEntry,
    shard: OwnShard,
    encoded: Uint8Array = encode(logEntryCodec, entry),
    start: 'now' | 'gathered' = 'now',
  ): Promise<void> {
    assert(equalVersions(entry.previous, this.#head), 'an entry follows the head');
    assert(entry.version.sequence === this.#head.sequence + 1, 'sequences have no gaps');
    const transaction = new Transaction();
    const undo = { head: this.#head, first: this.#first, counts: this.#counts, meta: this.#meta };
    const after: (() => void)[] = [];
    this.#applyEffect(transaction, entry, shard, after);
    this.#applyRequest(transaction, entry, after);
    transaction.put(
      this.#collection,
      logKey(entry.version.sequence),
      encode(logRowHeadCodec, {
        committed: this.#meta.committed,
        ...this.#counts,
        entryBytes: encoded.length,
      }),
      encoded,
    );
    this.#trim(transaction, entry.version.sequence);
    this.#head = entry.version;
    let done: Promise<void>;
    try {
      done = this.#submit(transaction, start);
    } catch (error) {
      this.#head = undo.head;
      this.#first = undo.first;
      this.#counts = undo.counts;
      this.#meta = undo.meta;
      throw error;
    }
    for (const each of after) each();
    this.#lastAppend = done;
    return done;
  }

  /** Resolves when everything appended so far is durable. */
  flushed(): Promise<void> {
    this.#store.begin();
    return this.#lastAppend;
  }

  #covers(position: Uint8Array): boolean {
    return this.#meta.cursor === undefined || compareBytes(position, this.#meta.cursor) < 0;
  }

  #applyEffect(
    transaction: Transaction,
    entry: LogEntry,
    shard: OwnShard,
    after: (() => void)[],
  ): void {
    const { effect } = entry;
    switch (effect.kind) {
      case 'rows':
        this.#applyRows(transaction, effect);
        return;
      case 'put-blob': {
        const { blob, blobBytes } = effect;
        if (!this.#covers(blobPosition(blob))) return;
        // Which shard is missing, the slot says.
        const index = shard?.index ?? 0;
        const listing = { facts: factsOf(effect), version: entry.version, index };
        const header = encode(shardHeaderCodec, listing);
        this.#counts = { blobs: this.#counts.blobs + 1, bytes: this.#counts.bytes + blobBytes };
        if (shard === undefined) {
          const key = blobKey(missingPrefix, blob);
          transaction.put(this.#collection, key, header);
          after.push(() => this.#missing.set(nameOf(blobKey(0, blob)), listing));
          return;
        }
        const { views, checksums } = shard;
        transaction.putObject(this.#collection, blobName(blob), header, views, checksums);
        this.#forgetMarks(transaction, blob, after);
        return;
      }
      case 'delete-blob':
        this.#removeBlob(transaction, effect.blob, after);
        return;
      case 'abandon':
        for (const blob of effect.blobs) this.#removeBlob(transaction, blob, after);
        for (const request of effect.requests) {
          transaction.delete(this.#collection, requestKey(request));
          after.push(() => this.#clients.get(request.client)?.counters.delete(request.counter));
        }
        return;
    }
  }

  #applyRows(transaction: Transaction, effect: Extract<Effect, { kind: 'rows' }>): void {
    for (const row of effect.effects) {
      const key = rowKey(effect.object, row.key);
      if (!this.#covers(key)) continue;
      if (row.kind === 'put') transaction.put(this.#collection, key, row.value);
      else transaction.delete(this.#collection, key);
    }
  }

  #removeBlob(transaction: Transaction, blob: BlobId, after: (() => void)[]): void {
    if (!this.#covers(blobPosition(blob))) return;
    transaction.removeObject(this.#collection, blobName(blob));
    this.#counts = { blobs: Math.max(0, this.#counts.blobs - 1), bytes: this.#counts.bytes };
    this.#forgetMarks(transaction, blob, after);
  }

  #forgetMarks(transaction: Transaction, blob: BlobId, after: (() => void)[]): void {
    const name = nameOf(blobKey(0, blob));
    if (this.#missing.has(name)) {
      transaction.delete(this.#collection, blobKey(missingPrefix, blob));
      after.push(() => this.#missing.delete(name));
    }
    if (this.#damaged.has(name)) {
      transaction.delete(this.#collection, blobKey(damagedPrefix, blob));
      after.push(() => this.#damaged.delete(name));
    }
  }

  #applyRequest(transaction: Transaction, entry: LogEntry, after: (() => void)[]): void {
    const { request } = entry;
    if (request === undefined) return;
    const memory = this.#memoryOf(request.client);
    // The same for every member, whatever it remembers: members are compared row by row.
    const forgotten = request.doneBefore - (request.doneBefore % forgottenTogether);
    if (forgotten > memory.forgotten) {
      for (const counter of memory.counters.keys())
        if (counter < forgotten) {
          transaction.delete(this.#collection, requestKey({ client: request.client, counter }));
          after.push(() => memory.counters.delete(counter));
        }
      transaction.put(this.#collection, endedKey(request.client), encode(endedCodec, forgotten));
    }
    const { sequence } = entry.version;
    const answer = encode(answerCodec, { sequence, result: entry.result });
    transaction.put(this.#collection, requestKey(request), answer);
    after.push(() => {
      const mine = this.#memoryOf(request.client);
      mine.counters.set(request.counter, sequence);
      mine.forgotten = Math.max(mine.forgotten, forgotten);
    });
  }

  #memoryOf(client: number): ClientMemory {
    let memory = this.#clients.get(client);
    if (memory === undefined) {
      memory = { counters: new Map(), forgotten: 0 };
      this.#clients.set(client, memory);
    }
    return memory;
  }

  /** Old entries go once committed; a batch at a time. */
  #trim(transaction: Transaction, head: number): void {
    if (head - this.#first < logEntriesMax + logTrimBatch) return;
    const end = Math.min(head - logEntriesMax, this.#meta.committed);
    for (let sequence = this.#first; sequence < end; sequence++)
      transaction.delete(this.#collection, logKey(sequence));
    this.#first = Math.max(this.#first, end);
  }

  /** Sequence of the oldest entry that the log still has. */
  get firstSequence(): number {
    return this.#first;
  }

  /** Entries after `after`, at most `limit` and about 4 MiB. */
  async readLog(after: number, limit: number): Promise<LogEntry[]> {
    const rows = await this.#store.scan(this.#collection, {
      begin: logKey(after + 1),
      end: new Uint8Array([logPrefix + 1]),
      limit,
    });
    const entries: LogEntry[] = [];
    let bytesTaken = 0;
    for (const [, value] of rows) {
      bytesTaken += value.length;
      if (entries.length > 0 && bytesTaken > 4 * 1024 * 1024) break;
      entries.push(entryOf(decode(logRowCodec, value)));
    }
    return entries;
  }

  /** The version of the entry at a sequence: of the log, or the one before it; undefined when trimmed or unknown. */
  async versionAt(sequence: number): Promise<Version | undefined> {
    if (sequence === this.#head.sequence) return this.#head;
    if (sequence === 0) return this.#first === 1 ? zeroVersion : undefined;
    const value = await this.#store.get(this.#collection, logKey(sequence));
    if (value !== undefined) return entryOf(decode(logRowCodec, value)).version;
    const next = await this.#store.get(this.#collection, logKey(sequence + 1));
    return next === undefined ? undefined : entryOf(decode(logRowCodec, next)).previous;
  }

  /** What a request was answered: with the sequence of its entry; `forgotten` when it has ended long ago. */
  async answerOf(
    request: Request,
  ): Promise<{ readonly sequence: number; readonly result: Uint8Array } | 'forgotten' | undefined> {
    const memory = this.#clients.get(request.client);
    if (memory === undefined) return undefined;
    if (!memory.counters.has(request.counter))
      return request.counter < memory.forgotten ? 'forgotten' : undefined;
    const value = await this.#store.get(this.#collection, requestKey(request));
    return value === undefined ? undefined : decode(answerCodec, value);
  }

  // ——— reading ———

  async row(object: string, key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#store.get(this.#collection, rowKey(object, key));
  }

  async rows(
    object: string,
    keys: readonly Uint8Array[],
  ): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#store.getMany(
      this.#collection,
      keys.map((key) => rowKey(object, key)),
    );
  }

  async scanRows(
    object: string,
    range: { begin: Uint8Array; end: Uint8Array | undefined; limit: number; reverse?: boolean },
  ): Promise<MethodRow[]> {
    const prefix = rowKey(object, emptyBytes);
    const after = prefix.slice();
    // The next object's prefix: names of one length sort together, so this never runs into another object.
    incrementLast(after);
    const rows = await this.#store.scan(this.#collection, {
      begin: rowKey(object, range.begin),
      end: range.end === undefined ? after : rowKey(object, range.end),
      limit: range.limit,
      ...(range.reverse === true ? { reverse: true } : {}),
    });
    return rows.map(([key, value]) => [key.subarray(prefix.length), value]);
  }

  /** Of mutable objects. */
  async hasRows(): Promise<boolean> {
    return (await this.objectAfter(undefined)) !== undefined;
  }

  /** The next mutable object that has rows, in the order of positions; undefined: there is none. */
  async objectAfter(object: string | undefined): Promise<string | undefined> {
    // Behind what is the PG's own.
    const begin = rowKey(object ?? groupsOwn, emptyBytes);
    incrementLast(begin);
    const range = { begin, end: new Uint8Array([rowPrefix + 1]), limit: 1 };
    const [row] = await this.#store.scan(this.#collection, range);
    return row === undefined ? undefined : objectOfPosition(row[0]);
  }

  /** What this disk has of a blob; undefined when nothing, or not yet. */
  async listing(blob: BlobId): Promise<BlobListing | undefined> {
    const stat = await this.#store.statObject(this.#collection, blobName(blob));
    return stat === undefined ? undefined : decode(shardHeaderCodec, stat.header);
  }

  /** Bytes of this disk's shard, verified. Throws `StoreError` `checksum-mismatch`, `too-short`, `no-such-object`. */
  async readShard(blob: BlobId, offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const name = blobName(blob);
    const collection = this.#collection;
    const bytes = await this.#store.readObject(collection, name, offsetBytes, lengthBytes);
    if (bytes.length === lengthBytes) return bytes;
    buffers.release(bytes);
    const wantedBytes = offsetBytes + lengthBytes;
    const actualBytes = offsetBytes + bytes.length;
    throw new StoreError({ code: 'too-short', collection, name, wantedBytes, actualBytes });
  }

  async listBlobs(after: BlobId | undefined, limit: number): Promise<BlobId[]> {
    const begin =
      after === undefined ? emptyBytes : concatBytes([blobName(after), new Uint8Array(1)]);
    const found = await this.#store.listObjects(this.#collection, { begin, end: undefined, limit });
    return found.map(({ name }) => blobOfName(name));
  }

  // ——— recovery ———

  /**
   * A joining member whose log does not meet the primary's begins anew: no log, nothing covered. What is
   * stored stays until the backfill reaches it, so that shards can still be read for repair (rule 25).
   */
  async reset(tenure: number, head: Version): Promise<void> {
    const before = this.#memory('with-missing');
    const clients = new Map(this.#clients);
    const transaction = new Transaction();
    for (let sequence = this.#first; sequence <= this.#head.sequence; sequence++)
      transaction.delete(this.#collection, logKey(sequence));
    for (const missing of this.#missing.values())
      transaction.delete(this.#collection, blobKey(missingPrefix, missing.facts.blob));
    for (const [client, memory] of this.#clients)
      for (const counter of memory.counters.keys())
        transaction.delete(this.#collection, requestKey({ client, counter }));
    this.#missing.clear();
    this.#clients.clear();
    this.#head = head;
    this.#first = head.sequence + 1;
    this.#counts = { blobs: 0, bytes: 0 };
    this.#putMeta(transaction, { tenure, base: head, committed: 0, cursor: firstPosition });
    try {
      await this.#commit(transaction, before);
    } catch (error) {
      // Refused at once, or the disk failed: then nobody asks any more.
      for (const [client, memory] of clients)
        if (!this.#clients.has(client)) this.#clients.set(client, memory);
      throw error;
    }
  }

  /** Positions from `begin`, at most `limit` rows or blobs and about `bytesMax`. */
  async slice(begin: Uint8Array, limit: number, bytesMax: number): Promise<Slice> {
    if (compareBytes(begin, firstBlobPosition) < 0) {
      const rows = await this.#store.scan(this.#collection, {
        begin,
        end: firstBlobPosition,
        limit,
      });
      let bytesTaken = 0;
      for (const [index, [key, value]] of rows.entries()) {
        bytesTaken += key.length + value.length;
        const more = index + 1 < rows.length || rows.length === limit;
        if (more && (bytesTaken >= bytesMax || index + 1 === rows.length))
          return {
            rows: rows.slice(0, index + 1),
            blobs: [],
            unreadable: [],
            end: concatBytes([key, new Uint8Array(1)]),
          };
      }
      return { rows, blobs: [], unreadable: [], end: firstBlobPosition };
    }
    const found = await this.#store.listObjects(this.#collection, {
      begin: begin.subarray(1),
      end: undefined,
      limit,
    });
    const blobs: BlobListing[] = [];
    const unreadable: BlobId[] = [];
    for (const { name, stat } of found) {
      const listing = stat === undefined ? undefined : tryListing(stat.header);
      if (listing === undefined) unreadable.push(blobOfName(name));
      else blobs.push(listing);
    }
    const last = found.at(-1);
    const end =
      last === undefined || found.length < limit
        ? undefined
        : concatBytes([firstBlobPosition, last.name, new Uint8Array(1)]);
    return { rows: [], blobs, unreadable, end };
  }

  /** The rows and blobs in [begin, end). Bounded by the caller's choice of a slice of the primary's. */
  async range(
    begin: Uint8Array,
    end: Uint8Array | undefined,
  ): Promise<{ rows: MethodRow[]; blobs: { blob: BlobId; listing: BlobListing | undefined }[] }> {
    const stop = end ?? lastPosition;
    const rows: MethodRow[] = [];
    if (compareBytes(begin, firstBlobPosition) < 0) {
      const rowEnd = compareBytes(stop, firstBlobPosition) < 0 ? stop : firstBlobPosition;
      let from = begin;
      for (;;) {
        const page = await this.#store.scan(this.#collection, {
          begin: from,
          end: rowEnd,
          limit: 1000,
        });
        rows.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < 1000) break;
        from = concatBytes([last[0], new Uint8Array(1)]);
      }
    }
    const blobs: { blob: BlobId; listing: BlobListing | undefined }[] = [];
    if (compareBytes(stop, firstBlobPosition) > 0) {
      let from: Uint8Array =
        compareBytes(begin, firstBlobPosition) <= 0 ? emptyBytes : begin.subarray(1);
      const blobEnd = end === undefined ? undefined : end.subarray(1);
      for (;;) {
        const page = await this.#store.listObjects(this.#collection, {
          begin: from,
          end: blobEnd,
          limit: 1000,
        });
        for (const { name, stat } of page)
          blobs.push({
            blob: blobOfName(name),
            listing: stat === undefined ? undefined : tryListing(stat.header),
          });
        const last = page.at(-1);
        if (last === undefined || page.length < 1000) break;
        from = concatBytes([last.name, new Uint8Array(1)]);
      }
    }
    return { rows, blobs };
  }

  /**
   * Makes [cursor, end) what the primary says it is: rows are given whole, blobs that are not here with
   * the right facts and index become missing. Answers the missing ones; resolves when durable. The
   * caller has seen to it that no entry was applied since the primary read the slice.
   */
  async install(
    begin: Uint8Array,
    slice: {
      readonly end: Uint8Array | undefined;
      readonly rows: readonly { key: Uint8Array; value: Uint8Array }[];
      readonly blobs: readonly BlobListing[];
    },
    index: number,
  ): Promise<void> {
    const mine = await this.#readableRange(begin, slice.end);
    const before = this.#memory('with-missing');
    const transaction = new Transaction();
    const wantedRows = new Set(slice.rows.map((row) => nameOf(row.key)));
    for (const [key] of mine.rows)
      if (!wantedRows.has(nameOf(key))) this.#removeRow(transaction, key);
    for (const row of slice.rows) this.#installRow(transaction, row);
    const have = new Map(
      mine.blobs.map(({ blob, listing }) => [nameOf(blobKey(0, blob)), listing]),
    );
    const wantedBlobs = new Set(slice.blobs.map((each) => nameOf(blobKey(0, each.facts.blob))));
    for (const { blob } of mine.blobs)
      if (!wantedBlobs.has(nameOf(blobKey(0, blob))))
        transaction.removeObject(this.#collection, blobName(blob));
    let { blobs, bytes: blobBytes } = this.#counts;
    for (const wanted of slice.blobs) {
      const name = nameOf(blobKey(0, wanted.facts.blob));
      blobs++;
      blobBytes += wanted.facts.blobBytes;
      if (isSameShard(have.get(name), wanted, index) && !this.#damaged.has(name)) continue;
      const listing = { ...wanted, index };
      this.#missing.set(name, listing);
      transaction.put(
        this.#collection,
        blobKey(missingPrefix, wanted.facts.blob),
        encode(shardHeaderCodec, listing),
      );
    }
    this.#counts = { blobs, bytes: blobBytes };
    this.#putMeta(transaction, { cursor: slice.end });
    await this.#commit(transaction, before);
  }

  /** The same as `range`; rows that do not verify are removed, because others take their place. */
  async #readableRange(
    begin: Uint8Array,
    end: Uint8Array | undefined,
  ): ReturnType<PgDisk['range']> {
    // Bounded by the rows of the range: each time round one is gone.
    for (;;) {
      try {
        return await this.range(begin, end);
      } catch (error) {
        const key = this.damagedRow(error);
        if (key === undefined) throw error;
        await this.repairRow(key, undefined);
      }
    }
  }

  /** The row that an error of this PG's collection is about; undefined when it is about something else. */
  damagedRow(error: unknown): Uint8Array | undefined {
    return damagedRowIn(this.#collection, error);
  }

  #removeRow(transaction: Transaction, key: Uint8Array): void {
    transaction.delete(this.#collection, key);
    if (key[0] === endedPrefix) this.#memoryOf(clientOfEnded(key)).forgotten = 0;
    if (key[0] !== requestPrefix) return;
    const { incarnation, counter } = blobOfName(key.subarray(1));
    this.#clients.get(incarnation)?.counters.delete(counter);
  }

  #installRow(
    transaction: Transaction,
    row: { readonly key: Uint8Array; readonly value: Uint8Array },
  ): void {
    transaction.put(this.#collection, row.key, row.value);
    if (row.key[0] === endedPrefix)
      this.#memoryOf(clientOfEnded(row.key)).forgotten = decode(endedCodec, row.value);
    if (row.key[0] !== requestPrefix) return;
    const name = blobOfName(row.key.subarray(1));
    this.#memoryOf(name.incarnation).counters.set(
      name.counter,
      decode(answerCodec, row.value).sequence,
    );
  }

  /** Blobs this member still misses, at most `limit`. */
  missing(limit: number): BlobListing[] {
    const found: BlobListing[] = [];
    for (const listing of this.#missing.values()) {
      if (found.length === limit) break;
      found.push(listing);
    }
    return found;
  }

  isMissing(blob: BlobId): boolean {
    return this.#missing.has(nameOf(blobKey(0, blob)));
  }

  isDamaged(blob: BlobId): boolean {
    return this.#damaged.has(nameOf(blobKey(0, blob)));
  }

  /** A shard known to be bad: durable, so that a restart does not trust it (rule 26). */
  async markDamaged(blob: BlobId): Promise<void> {
    if (this.isDamaged(blob)) return;
    this.#damaged.set(nameOf(blobKey(0, blob)), blob);
    const transaction = new Transaction();
    transaction.put(this.#collection, blobKey(damagedPrefix, blob), new Uint8Array([1]));
    await this.#submit(transaction);
  }

  damaged(limit: number): BlobId[] {
    return [...this.#damaged.values()].slice(0, limit);
  }

  /** Stores a shard that was pushed, in place of what is missing or bad. `checksums` are its chunks', where known. */
  async storePushed(
    listing: BlobListing,
    views: readonly Uint8Array[],
    checksums?: Uint32Array,
  ): Promise<void> {
    const transaction = new Transaction();
    const after: (() => void)[] = [];
    transaction.putObject(
      this.#collection,
      blobName(listing.facts.blob),
      encode(shardHeaderCodec, listing),
      views,
      checksums,
    );
    this.#forgetMarks(transaction, listing.facts.blob, after);
    // Refused, it is thrown here: the blob goes on being missing, or bad.
    const done = this.#submit(transaction);
    for (const each of after) each();
    await done;
  }

  /** A shard that nobody can make: listed, without its bytes, and known to be bad. */
  async storeLost(listing: BlobListing): Promise<void> {
    const { blob } = listing.facts;
    const transaction = new Transaction();
    const after: (() => void)[] = [];
    this.#forgetMarks(transaction, blob, after);
    const header = encode(shardHeaderCodec, listing);
    transaction.putObject(this.#collection, blobName(blob), header, []);
    transaction.put(this.#collection, blobKey(damagedPrefix, blob), new Uint8Array([1]));
    const done = this.#submit(transaction);
    for (const each of after) each();
    this.#damaged.set(nameOf(blobKey(0, blob)), blob);
    await done;
  }

  /** One row made what a member has; undefined: there is none. */
  async repairRow(key: Uint8Array, value: Uint8Array | undefined): Promise<void> {
    const transaction = new Transaction();
    if (value === undefined) transaction.delete(this.#collection, key);
    else transaction.put(this.#collection, key, value);
    await this.#submit(transaction);
  }

  /** Rows of [begin, end) made what the primary has. */
  async repairRows(
    begin: Uint8Array,
    end: Uint8Array | undefined,
    rows: readonly { key: Uint8Array; value: Uint8Array }[],
  ): Promise<void> {
    const transaction = new Transaction();
    const keep = new Set(rows.map((row) => nameOf(row.key)));
    let mine: MethodRow[] = [];
    try {
      mine = (await this.range(begin, end)).rows;
    } catch {
      // Rows that can't be read are overwritten below; those that should not exist stay for the next scrub.
    }
    for (const [key] of mine) if (!keep.has(nameOf(key))) transaction.delete(this.#collection, key);
    for (const row of rows) transaction.put(this.#collection, row.key, row.value);
    await this.#submit(transaction);
  }

  /** Removes everything of the PG, a bounded step at a time; meta goes last. */
  static async discard(store: ObjectStore, pg: PgId): Promise<void> {
    const collection = PgDisk.collectionOf(pg);
    for (;;) {
      const transaction = new Transaction();
      const blobs = await store.listObjects(collection, {
        begin: emptyBytes,
        end: undefined,
        limit: 500,
      });
      for (const { name } of blobs) transaction.removeObject(collection, name);
      const range = { begin: emptyBytes, end: undefined, limit: 500 };
      let damaged: Uint8Array | undefined;
      const rows = await store.scan(collection, range).catch((error: unknown) => {
        // A row that does not verify goes by itself, and the rest after it.
        damaged = damagedRowIn(collection, error);
        if (damaged === undefined) throw error;
        return [];
      });
      if (damaged !== undefined) transaction.delete(collection, damaged);
      const isLast = damaged === undefined && blobs.length < 500 && rows.length < 500;
      for (const [key] of rows)
        if (isLast || compareBytes(key, metaKey) !== 0) transaction.delete(collection, key);
      await store.commit(transaction);
      if (isLast) return;
    }
  }
}

function clientOfEnded(key: Uint8Array): number {
  if (key.length !== 9) throw new DecodeError(`a key of ended requests of ${key.length} bytes`);
  const view = new DataView(key.buffer, key.byteOffset, 9);
  return view.getUint32(1, false) * 2 ** 32 + view.getUint32(5, false);
}

function damagedRowIn(collection: string, error: unknown): Uint8Array | undefined {
  if (!(error instanceof StoreError) || error.failure.code !== 'checksum-mismatch')
    return undefined;
  return error.failure.collection === collection ? error.failure.key.slice() : undefined;
}

function incrementLast(key: Uint8Array): void {
  for (let at = key.length - 1; at >= 0; at--) {
    const byte = key[at] as number;
    if (byte < 0xff) {
      key[at] = byte + 1;
      return;
    }
    key[at] = 0;
  }
}

function tryListing(header: Uint8Array): BlobListing | undefined {
  try {
    return decode(shardHeaderCodec, header);
  } catch {
    return undefined;
  }
}

/** Blob id, geometry, length, checksum and index agree: whatever wrote it, it is the same shard (rule 25). */
export function isSameShard(
  have: BlobListing | undefined,
  wanted: BlobListing,
  index: number,
): boolean {
  if (have === undefined) return false;
  if (wanted.facts.geometry.kind === 'erasure' && have.index !== index) return false;
  return isSameBlob(have.facts, wanted.facts);
}

export function isSameBlob(a: BlobFacts, b: BlobFacts): boolean {
  return compareBytes(encode(blobFactsCodec, a), encode(blobFactsCodec, b)) === 0;
}

export function factsOf(effect: Extract<Effect, { kind: 'put-blob' }>): BlobFacts {
  return {
    blob: effect.blob,
    geometry: effect.geometry,
    blobBytes: effect.blobBytes,
    blobCrc: effect.blobCrc,
  };
}

function nameOf(key: Uint8Array): string {
  let name = '';
  for (const byte of key) name += String.fromCharCode(byte);
  return name;
}
