// A PG as a member keeps it: what the primary tells, in the order it tells it. The same class serves on
// the primary's own disk as the place where its entries go; a `Primary` beside it decides.
//
// Everything that changes the disk passes the turnstile in the order of arrival, because installing a
// backfilled slice reads before it writes.

import { buffers } from '../base/buffer-pool.ts';
import { compareBytes } from '../base/bytes.ts';
import { decode } from '../base/codec.ts';
import { crc32c } from '../base/crc32c.ts';
import { type BlobId, formatBlobId, type PgId, parsePgId, type Uuid } from '../base/ids.ts';
import { Turnstile } from '../base/turnstile.ts';
import { blobBytesMax } from '../erasure/stripes.ts';
import type { Layout } from '../map/cluster-map.ts';
import { findLayout } from '../map/cluster-map.ts';
import { geometryFault, slotCount } from '../map/geometry.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { isSameRecord, mayHaveBeenSaid, slotOf } from '../map/pg-record.ts';
import type { Incoming, Outgoing } from '../net/session.ts';
import { StoreError, type StoreErrorCode } from '../store/errors.ts';
import { type BlobFacts, equalVersions, type LogEntry, logEntryCodec } from '../wire/entry.ts';
import type { BlobListing, MessageOf } from '../wire/messages.ts';
import type { Belief } from './beliefs.ts';
import { OsdError } from './errors.ts';
import { factsOf, type OwnShard, type PgDisk } from './pg-disk.ts';
import { shardLength } from './shards.ts';
import type { World } from './world.ts';

/** Damaged shards told to a primary that begins; scrubs find the rest. */
const damageTold = 64;

/** Errors that say of a shard on this disk that it is not what was stored. */
export const shardFaults: ReadonlySet<StoreErrorCode> = new Set(['checksum-mismatch', 'too-short']);

/** What a peer says of a blob must be possible: whoever reads it later computes with it. */
function requirePossible({ blob, geometry, blobBytes }: BlobFacts): void {
  const isSized = blobBytes >= 1 && blobBytes <= blobBytesMax;
  const fault = geometryFault(geometry) ?? (isSized ? undefined : `${blobBytes} bytes`);
  if (fault !== undefined)
    throw new OsdError('bad-request', `${formatBlobId(blob)} is impossible: ${fault}`);
}

/** A shard, where there is one: stored with a wrong length it would be in the way of whoever reads the others. */
function requireShard(facts: BlobFacts, shard: OwnShard): void {
  requirePossible(facts);
  if (shard === undefined) return;
  const { geometry } = facts;
  const bytes = shard.views.reduce((sum, view) => sum + view.length, 0);
  const isIndex = geometry.kind === 'copies' || shard.index < slotCount(geometry);
  if (bytes === shardLength(facts) && isIndex) return;
  throw new OsdError(
    'bad-request',
    `shard ${shard.index} of ${formatBlobId(facts.blob)} has ${bytes} bytes, expected ${shardLength(facts)}`,
  );
}

export class Member {
  readonly pg: PgId;
  readonly disk: PgDisk;
  readonly #world: World;
  readonly #turn = new Turnstile();
  #hasToldDamage = false;
  /** Called when a newer tenure was accepted: whoever led under an older one must stop. */
  #onNewTenure: (pg: PgId, tenure: number) => void = () => {};

  constructor(world: World, disk: PgDisk) {
    this.#world = world;
    this.disk = disk;
    this.pg = disk.pg;
  }

  onNewTenure(listener: (pg: PgId, tenure: number) => void): void {
    this.#onNewTenure = listener;
  }

  layout(): Layout | undefined {
    const { pool, layout } = parsePgId(this.pg);
    const { map } = this.#world.mon;
    return map === undefined ? undefined : findLayout(map, pool, layout);
  }

  /** The newest record this OSD knows. */
  get record(): PgRecord {
    const known = this.#world.mon.records.get(this.pg);
    const { record } = this.disk;
    return known !== undefined && known.version >= record.version ? known : record;
  }

  /** Whether `from` may command under `tenure`; throws `stale` when not. */
  #requirePrimary(from: Uuid, tenure: number): void {
    if (tenure !== this.disk.tenure)
      throw new OsdError('stale', `${this.pg}: tenure ${tenure}, accepted ${this.disk.tenure}`);
    if (this.disk.record.primary !== from)
      throw new OsdError('stale', `${this.pg}: ${from} is not the primary of tenure ${tenure}`);
  }

  /** False when the disk lost what the PG needs of it: it must be filled anew before it counts again. */
  get isWhole(): boolean {
    return this.disk.cursor === undefined;
  }

  /** A primary begins or goes on: takes its tenure durably, then tells what is here (rule 19). */
  async collect(from: Uuid, record: PgRecord): Promise<MessageOf<'collected'>> {
    if (record.primary !== from)
      throw new OsdError('bad-request', `${this.pg}: record of another primary`);
    if (record.tenure < this.disk.tenure)
      throw new OsdError(
        'stale',
        `${this.pg}: tenure ${record.tenure} is older than ${this.disk.tenure}`,
      );
    this.#world.mon.learn(record);
    const known = this.#world.mon.records.get(record.pg);
    // The same in memory, where it is the same.
    const isKnown = known?.version === record.version && isSameRecord(known, record);
    const kept = isKnown ? known : record;
    if (slotOf(record, this.#world.self.uuid) === undefined)
      throw new OsdError('stale', `${this.pg}: not a slot of this disk`);
    if (!this.isWhole && slotOf(record, this.#world.self.uuid)?.state === 'in-sync')
      throw new OsdError('failed', `${this.pg}: this disk lost what it held`);
    // The primary takes the head for what is durable here; entries of a session that broke may still be
    // on their way to the disk.
    const head = await this.#turn.run(async () => {
      if (record.tenure < this.disk.tenure)
        throw new OsdError('stale', `${this.pg}: tenure ${record.tenure} was overtaken`);
      const isNewer = record.tenure > this.disk.tenure;
      const { head } = this.disk;
      if (!isNewer && record.version <= this.disk.record.version) {
        await this.disk.flushed();
        return head;
      }
      if (isNewer) this.#onNewTenure(this.pg, record.tenure);
      const holdsOtherShard = this.#holdsOtherShard(record);
      if (holdsOtherShard)
        this.#world.env.log.write('debug', 'data of another shard set aside', { pg: this.pg });
      await this.disk.accept(record.tenure, kept, holdsOtherShard);
      return head;
    });
    if (record.tenure !== this.disk.tenure)
      throw new OsdError('stale', `${this.pg}: tenure ${record.tenure} was overtaken`);
    this.#tellDamage(this.disk.damaged(damageTold));
    return {
      kind: 'collected',
      head,
      tail: this.disk.tail,
      committed: this.disk.committed,
      complete: this.disk.cursor === undefined,
      missing: this.disk.missingCount,
    };
  }

  /**
   * What was believed here is held against what the monitor says: what it can't have said once gives way. False:
   * entries came by that, and which of them are true nobody knows.
   */
  async overrule(belief: Belief, word: PgRecord): Promise<boolean> {
    return this.#turn.run(async () => {
      const { record, tenure, head } = this.disk;
      if (mayHaveBeenSaid(record, word) && tenure <= word.tenure) return true;
      if (!equalVersions(head, belief.head)) return false;
      await this.disk.takeBack(word, slotOf(word, this.#world.self.uuid) !== undefined);
      return true;
    });
  }

  /** It left the PG and came back in another place: what it still has are shards of the old one. */
  #holdsOtherShard(record: PgRecord): boolean {
    const before = slotOf(this.disk.record, this.#world.self.uuid);
    const after = slotOf(record, this.#world.self.uuid);
    return (
      this.layout()?.geometry.kind === 'erasure' &&
      before !== undefined &&
      before.index !== after?.index &&
      after?.state !== 'in-sync'
    );
  }

  /** An entry of the primary's log: acknowledged when durable. Resent entries are acknowledged again. */
  async append(from: Uuid, incoming: Incoming): Promise<MessageOf<'appended'>> {
    const message = incoming.message as MessageOf<'append'>;
    const entry = decode(logEntryCodec, message.entry);
    if (!this.#turn.tryAcquire()) await this.#turn.acquire();
    let durable: Promise<void>;
    try {
      this.#requirePrimary(from, message.tenure);
      durable = this.#append(message, entry, incoming);
    } finally {
      this.#turn.release();
    }
    await durable;
    return { kind: 'appended', head: entry.version.sequence };
  }

  /** Several entries without shards, acknowledged together. */
  async appendBatch(from: Uuid, incoming: Incoming): Promise<MessageOf<'appended'>> {
    const message = incoming.message as MessageOf<'append-batch'>;
    const entries = splitEntries(incoming.payload, message.entryBytes);
    if (!this.#turn.tryAcquire()) await this.#turn.acquire();
    const durable: Promise<void>[] = [];
    try {
      this.#requirePrimary(from, message.tenure);
      for (const { entry, encoded } of entries)
        durable.push(this.#appendNext(message.committed, entry, undefined, encoded));
    } finally {
      this.#turn.release();
    }
    await Promise.all(durable);
    return { kind: 'appended', head: entries.at(-1)?.entry.version.sequence ?? 0 };
  }

  #append(message: MessageOf<'append'>, entry: LogEntry, incoming: Incoming): Promise<void> {
    if (message.shard === 'beside' && entry.effect.kind !== 'put-blob')
      throw new OsdError('bad-request', `${this.pg}: a shard beside ${entry.effect.kind}`);
    const { payload, payloadChecksums } = incoming;
    const shard =
      message.shard === 'beside'
        ? { index: message.index, views: [payload], checksums: payloadChecksums }
        : undefined;
    return this.#appendNext(message.committed, entry, shard, message.entry);
  }

  #appendNext(
    committed: number,
    entry: LogEntry,
    shard: OwnShard,
    encoded: Uint8Array,
  ): Promise<void> {
    const { head } = this.disk;
    if (entry.effect.kind === 'put-blob') requireShard(factsOf(entry.effect), shard);
    this.disk.noteCommitted(committed);
    if (entry.version.sequence <= head.sequence) {
      // Already here: durable once everything before this moment is, which an empty wait of the queue shows.
      return this.disk.flushed();
    }
    if (!equalVersions(entry.previous, head))
      throw new OsdError(
        'stale',
        `${this.pg}: entry ${entry.version.sequence} follows ${entry.previous.tenure}.${entry.previous.sequence}, head is ${head.tenure}.${head.sequence}`,
      );
    this.#world.commits.beginSoon();
    return this.disk.append(entry, shard, encoded, 'gathered');
  }

  async committed(from: Uuid, message: MessageOf<'commit'>): Promise<void> {
    this.#requirePrimary(from, message.tenure);
    this.disk.noteCommitted(message.committed);
    await this.disk.keepCommitted();
  }

  /** The times of scrubs, as who leads knows them. */
  async scrubEnded(from: Uuid, message: MessageOf<'scrub-ended'>): Promise<void> {
    await this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      await this.disk.noteScrubs({ light: message.lightWallMs, deep: message.deepWallMs });
    });
  }

  async fetchLog(from: Uuid, message: MessageOf<'fetch-log'>): Promise<MessageOf<'log'>> {
    this.#requirePrimary(from, message.tenure);
    return { kind: 'log', entries: await this.disk.readLog(message.after, 256) };
  }

  /**
   * Part of this disk's shard, in whatever state the slot is: facts, index and checksum make it valid
   * (rule 25). A length of zero asks for the whole shard.
   */
  async readShard(message: MessageOf<'read-shard'>): Promise<Outgoing> {
    const listing = await this.#listing(message.blob);
    if (listing === undefined || this.disk.isMissing(message.blob))
      throw new OsdError('no-such-blob', `${this.pg}: no shard here`);
    if (this.disk.isDamaged(message.blob))
      throw new OsdError('damaged', `${this.pg}: the shard here is damaged`);
    const whole = shardLength(listing.facts);
    const lengthBytes = message.lengthBytes === 0 ? whole : message.lengthBytes;
    if (message.offsetBytes + lengthBytes > whole)
      throw new OsdError('bad-request', `${this.pg}: beyond a shard of ${whole} bytes`);
    try {
      const bytes = await this.disk.readShard(message.blob, message.offsetBytes, lengthBytes);
      return {
        message: { kind: 'shard', facts: listing.facts, index: listing.index },
        payload: [bytes],
        release: () => buffers.release(bytes),
      };
    } catch (error) {
      throw await this.noteReadError(message.blob, error);
    }
  }

  async #listing(blob: BlobId): Promise<BlobListing | undefined> {
    try {
      return await this.disk.listing(blob);
    } catch (error) {
      throw await this.noteReadError(blob, error);
    }
  }

  /** A shard that does not verify is marked, so that nobody relies on it before it was repaired. */
  async noteReadError(blob: BlobId, error: unknown): Promise<OsdError> {
    if (error instanceof StoreError && shardFaults.has(error.code)) {
      this.#world.env.log.write('warn', 'damaged shard', { pg: this.pg, error: error.message });
      await this.disk.markDamaged(blob);
      this.#tellDamage([blob]);
      return new OsdError('damaged', `${this.pg}: ${error.message}`, { cause: error });
    }
    if (error instanceof StoreError && error.code === 'no-such-object')
      return new OsdError('no-such-blob', `${this.pg}: gone`);
    return new OsdError('failed', `${this.pg}: ${String(error)}`, { cause: error });
  }

  /**
   * Now and then, all that is bad here: those that it is to be computed from may have been away when it was told first. And
   * once that there is nothing any more.
   */
  tellDamageAgain(): void {
    const { damagedCount } = this.disk;
    if (damagedCount === 0 && !this.#hasToldDamage) return;
    this.#hasToldDamage = damagedCount > 0;
    this.#sendDamage(this.disk.damaged(damageTold));
  }

  /** The primary has, or can compute, what this disk lost (promise P2: served from the others and repaired). */
  #tellDamage(blobs: readonly BlobId[]): void {
    if (blobs.length === 0) return;
    this.#hasToldDamage = true;
    this.#sendDamage(blobs);
  }

  #sendDamage(blobs: readonly BlobId[]): void {
    const { primary } = this.record;
    if (primary === undefined || primary === this.#world.self.uuid) return;
    const message = { kind: 'report-damage', pg: this.pg, blobs } as const;
    this.#world.peers.session(primary).then(
      (session) => session.notify({ message }),
      // Told again in a moment.
      () => {},
    );
  }

  async reset(from: Uuid, message: MessageOf<'reset'>): Promise<void> {
    await this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      if (slotOf(this.record, this.#world.self.uuid)?.state === 'in-sync')
        throw new OsdError('stale', `${this.pg}: an in-sync member never rolls back`);
      await this.disk.reset(message.tenure, message.head);
    });
  }

  async backfill(from: Uuid, message: MessageOf<'backfill'>): Promise<void> {
    await this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      const { cursor } = this.disk;
      if (cursor === undefined || compareBytes(cursor, message.begin) !== 0)
        throw new OsdError('stale', `${this.pg}: the backfill is elsewhere`);
      for (const { facts } of message.blobs) requirePossible(facts);
      await this.disk.install(message.begin, message, message.index);
    });
  }

  missingBlobs(
    from: Uuid,
    message: MessageOf<'missing-blobs'>,
  ): { blobs: readonly BlobListing[]; cursor: Uint8Array | undefined } {
    this.#requirePrimary(from, message.tenure);
    return { blobs: this.disk.missing(message.limit), cursor: this.disk.cursor };
  }

  async pushBlob(from: Uuid, incoming: Incoming): Promise<void> {
    const message = incoming.message as MessageOf<'push-blob'>;
    await this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      const { blob } = message.listing.facts;
      const wanted =
        message.reason === 'missing'
          ? this.disk.isMissing(blob)
          : (await this.#exists(blob)) || this.disk.isMissing(blob);
      // Deleted meanwhile: the delete came in the same order and wins (rule 24).
      if (!wanted) return;
      const { facts, index } = message.listing;
      requireShard(facts, { index, views: [incoming.payload] });
      await this.disk.storePushed(message.listing, [incoming.payload], incoming.payloadChecksums);
    });
  }

  /** Where it was deleted, or pushed, meanwhile, that came in the same order and wins. */
  async blobLost(from: Uuid, { tenure, listing }: MessageOf<'blob-lost'>): Promise<void> {
    await this.#turn.run(async () => {
      this.#requirePrimary(from, tenure);
      requirePossible(listing.facts);
      if (this.disk.isMissing(listing.facts.blob)) await this.disk.storeLost(listing);
    });
  }

  async #exists(blob: BlobId): Promise<boolean> {
    try {
      return (await this.disk.listing(blob)) !== undefined;
    } catch {
      return true;
    }
  }

  /** What is in a range, for the primary to compare: a digest over rows, the blobs one by one. */
  async scrubRange(from: Uuid, message: MessageOf<'scrub-range'>): Promise<MessageOf<'scrubbed'>> {
    this.#requirePrimary(from, message.tenure);
    return this.#turn.run(() => this.scrub(message.begin, message.end, message.deep));
  }

  async scrub(
    begin: Uint8Array,
    end: Uint8Array | undefined,
    deep: boolean,
  ): Promise<MessageOf<'scrubbed'>> {
    let rows: readonly (readonly [Uint8Array, Uint8Array])[] = [];
    let badRows = 0;
    const found = await this.disk.range(begin, end).catch((error: unknown) => {
      this.#world.env.log.write('warn', 'scrub found rows that do not verify', {
        pg: this.pg,
        error: String(error),
      });
      badRows = 1;
      return undefined;
    });
    rows = found?.rows ?? [];
    let digest = 0;
    for (const [key, value] of rows) digest = crc32c(value, crc32c(key, digest));
    const blobs: BlobListing[] = [];
    const badBlobs: BlobId[] = [];
    for (const { blob, listing } of found?.blobs ?? []) {
      if (listing === undefined || this.disk.isDamaged(blob)) {
        badBlobs.push(blob);
        continue;
      }
      if (deep && !(await this.#verify(listing))) {
        badBlobs.push(blob);
        continue;
      }
      blobs.push(listing);
    }
    return {
      kind: 'scrubbed',
      rowsDigest: digest,
      rowsCount: rows.length,
      badRows,
      blobs,
      badBlobs,
    };
  }

  async #verify(listing: BlobListing): Promise<boolean> {
    const { blob } = listing.facts;
    try {
      buffers.release(await this.disk.readShard(blob, 0, shardLength(listing.facts)));
      return true;
    } catch (error) {
      await this.noteReadError(blob, error);
      return error instanceof StoreError && error.code === 'no-such-object';
    }
  }

  /** Rows as they are behind everything that the primary sent before. */
  async readRows(from: Uuid, message: MessageOf<'read-rows'>): Promise<MessageOf<'rows'>> {
    return this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      const { rows } = await this.disk.range(message.begin, message.end);
      return { kind: 'rows', rows: rows.map(([key, value]) => ({ key, value })) };
    });
  }

  async repairRows(from: Uuid, message: MessageOf<'repair-rows'>): Promise<void> {
    await this.#turn.run(async () => {
      this.#requirePrimary(from, message.tenure);
      await this.disk.repairRows(message.begin, message.end, message.rows);
    });
  }

  /** Runs alone among everything that changes the disk. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.run(work);
  }
}

/** Throws `OsdError` when the lengths are not those of the payload. */
function splitEntries(
  payload: Uint8Array,
  lengths: readonly number[],
): { readonly entry: LogEntry; readonly encoded: Uint8Array }[] {
  let at = 0;
  const entries = lengths.map((length) => {
    const encoded = payload.subarray(at, at + length);
    at += length;
    if (at > payload.length) throw new OsdError('bad-request', 'a batch shorter than its entries');
    return { entry: decode(logEntryCodec, encoded), encoded };
  });
  if (at !== payload.length) throw new OsdError('bad-request', 'a batch longer than its entries');
  return entries;
}
