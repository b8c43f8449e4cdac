// How a primary reads what a group's disks hold of a blob, and makes again what one of them has lost: the data shards where
// they answer well, else any that are enough, each compared with what is written down of it (rules 25 and 26).

import { buffers } from '../base/buffer-pool.ts';
import { type BlobId, formatBlobId, type PgId, type Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { isSameGeometry } from '../map/geometry.ts';
import { type PgRecord, type Slot, slotsIn } from '../map/pg-record.ts';
import type { BlobFacts } from '../wire/entry.ts';
import type { BlobListing } from '../wire/messages.ts';
import { OsdError } from './errors.ts';
import type { Link } from './link.ts';
import type { Member } from './member.ts';
import type { PgDisk } from './pg-disk.ts';
import { hasNothing } from './salvage.ts';
import {
  assemble,
  type ByteRange,
  decodeRange,
  directReads,
  rebuild,
  shardLength,
  shardsNeeded,
  windowOf,
} from './shards.ts';
import type { World } from './world.ts';

const readTimeoutMs = 5000;

/** What is read for: a primary. */
export interface ReadGroup {
  readonly world: World;
  readonly pg: PgId;
  readonly member: Member;
  readonly disk: PgDisk;
  readonly record: PgRecord;
  readonly mySlot: Slot;
  inSyncLinks(): readonly Link[];
}

export class ShardReader {
  readonly #group: ReadGroup;
  /** When a disk last failed a read for another reason than what it holds. */
  #readFailedAt: Instant = Number.NEGATIVE_INFINITY as Instant;

  constructor(group: ReadGroup) {
    this.#group = group;
  }

  /** What there is of a blob: as this disk has it written down, or a member, where that does not verify here. */
  async listingOf(blob: BlobId): Promise<BlobListing | undefined> {
    try {
      return await this.#group.disk.listing(blob);
    } catch (error) {
      const refusal = await this.#group.member.noteReadError(blob, error);
      const listing = refusal.code === 'damaged' ? await this.#listingOfOthers(blob) : undefined;
      if (listing === undefined) throw refusal;
      return listing;
    }
  }

  async #listingOfOthers(blob: BlobId): Promise<BlobListing | undefined> {
    for (const { uuid } of slotsIn(this.#group.record, 'in-sync')) {
      if (uuid === this.#group.world.self.uuid) continue;
      const message = {
        kind: 'read-shard',
        pg: this.#group.pg,
        blob,
        offsetBytes: 0,
        lengthBytes: 1,
      } as const;
      const answer = await this.#group.world.peers
        .session(uuid)
        .then((session) => session.request({ message }, readTimeoutMs))
        .catch(() => undefined);
      if (answer?.message.kind !== 'shard') continue;
      const { facts } = answer.message;
      return { facts, version: this.#group.disk.head, index: this.#group.mySlot.index };
    }
    return undefined;
  }

  /** Exactly the bytes needed, from the data shards; undefined when any of them does not answer well. */
  async readDirect(listing: BlobListing, range: ByteRange): Promise<Uint8Array | undefined> {
    const { facts } = listing;
    const mine = this.#group.mySlot.index;
    const parts = await Promise.all(
      directReads(facts, range).map(async (read) => {
        if (facts.geometry.kind === 'copies' || read.shardIndex === mine)
          return this.#readMine(facts.blob, read);
        const link = this.#group.inSyncLinks().find((each) => each.slot.index === read.shardIndex);
        return link === undefined ? undefined : this.#readTheirs(link.slot, facts, read);
      }),
    );
    if (parts.some((part) => part === undefined)) {
      for (const part of parts) if (part !== undefined) buffers.release(part);
      return undefined;
    }
    const whole = assemble(facts, range, parts as Uint8Array[]);
    for (const part of parts) if (part !== undefined && part !== whole) buffers.release(part);
    return whole;
  }

  async readDecoded(facts: BlobFacts, range: ByteRange): Promise<Uint8Array | undefined> {
    const windows = await this.#gather(facts, windowOf(facts, range), undefined);
    if (windows === undefined) return undefined;
    const bytes = decodeRange(facts, range, windows);
    releaseOthers(windows, bytes);
    return bytes;
  }

  async #readMine(blob: BlobId, range: ByteRange): Promise<Uint8Array | undefined> {
    if (this.#group.disk.isDamaged(blob)) return undefined;
    try {
      return await this.#group.disk.readShard(blob, range.offsetBytes, range.lengthBytes);
    } catch (error) {
      const refusal = await this.#group.member.noteReadError(blob, error);
      if (refusal.code === 'failed') this.#readFailedAt = this.#group.world.env.clock.now();
      return undefined;
    }
  }

  async #readTheirs(
    slot: Slot,
    facts: BlobFacts,
    range: ByteRange,
  ): Promise<Uint8Array | undefined> {
    try {
      const session = await this.#group.world.peers.session(slot.uuid);
      const answer = await session.request(
        { message: { kind: 'read-shard', pg: this.#group.pg, blob: facts.blob, ...range } },
        readTimeoutMs,
        { pooled: true },
      );
      const isRight =
        answer.message.kind === 'shard' &&
        answer.payload.length === range.lengthBytes &&
        (facts.geometry.kind === 'copies' || answer.message.index === slot.index) &&
        answer.message.facts.blobCrc === facts.blobCrc &&
        answer.message.facts.blobBytes === facts.blobBytes &&
        isSameGeometry(answer.message.facts.geometry, facts.geometry);
      if (!isRight) {
        const { message } = answer;
        if (message.kind === 'failure' && message.code === 'failed')
          this.#readFailedAt = this.#group.world.env.clock.now();
        buffers.release(answer.payload);
        return undefined;
      }
      return answer.payload;
    } catch {
      // No answer says nothing about what is there.
      this.#readFailedAt = this.#group.world.env.clock.now();
      return undefined;
    }
  }

  /**
   * The same window of enough shards, of different indexes, from whoever has them, in-sync members first
   * (rule 25). Undefined when there are too few.
   */
  async #gather(
    facts: BlobFacts,
    window: ByteRange,
    without: Uuid | undefined,
  ): Promise<Map<number, Uint8Array> | undefined> {
    const needed = shardsNeeded(facts.geometry);
    const found = new Map<number, Uint8Array>();
    const mine =
      without === this.#group.world.self.uuid
        ? undefined
        : await this.#readMine(facts.blob, window);
    if (mine !== undefined) found.set(this.#group.mySlot.index, mine);
    const rank = {
      'in-sync': 0,
      salvaging: 0,
      founding: 0,
      eligible: 1,
      'rolled-back': 2,
      stale: 3,
      joining: 4,
    };
    const others = this.#group.record.slots
      .filter(
        (slot) =>
          slot.uuid !== this.#group.world.self.uuid &&
          slot.uuid !== without &&
          !hasNothing(this.#group.world.mon.map, slot),
      )
      .sort((a, b) => rank[a.state] - rank[b.state] || a.index - b.index);
    const tried = new Set<Uuid>();
    while (found.size < needed) {
      const batch: Slot[] = [];
      for (const slot of others) {
        if (found.size + batch.length === needed) break;
        if (
          tried.has(slot.uuid) ||
          found.has(slot.index) ||
          batch.some((each) => each.index === slot.index)
        )
          continue;
        batch.push(slot);
      }
      if (batch.length === 0) break;
      const parts = await Promise.all(batch.map((slot) => this.#readTheirs(slot, facts, window)));
      for (const [at, slot] of batch.entries()) {
        tried.add(slot.uuid);
        const part = parts[at];
        if (part !== undefined) found.set(slot.index, part);
      }
    }
    if (found.size >= needed) return found;
    releaseOthers(found, undefined);
    return undefined;
  }

  /** Final only when every slot was heard: a member that is away may bring the shards that are wanting. */
  tooFewShards(blob: BlobId): OsdError {
    const { self, peers, mon } = this.#group.world;
    // Where a disk that counts is gone, what that means is for the operator to say (`pg mark-lost`).
    const silent = this.#group.record.slots.filter(
      (slot) =>
        slot.uuid !== self.uuid &&
        peers.openSession(slot.uuid) === undefined &&
        (slot.state === 'in-sync' || !hasNothing(mon.map, slot)),
    );
    const detail = `${this.#group.pg}: too few shards of ${formatBlobId(blob)} can be read`;
    if (silent.length > 0)
      return new OsdError(
        'failed',
        `${detail} while ${silent.map((slot) => `osd.${slot.osd}`).join(', ')} is away`,
      );
    // A disk that could not be read just now says nothing about what is on it.
    if (this.#group.world.env.clock.now() - this.#readFailedAt < readTimeoutMs)
      return new OsdError('failed', `${detail} while a disk fails to read`);
    return new OsdError('damaged', detail);
  }

  /** The whole shard of an index; undefined when too few others can be read. */
  async rebuildShard(
    facts: BlobFacts,
    index: number,
    without?: Uuid,
  ): Promise<Uint8Array | undefined> {
    const whole = { offsetBytes: 0, lengthBytes: shardLength(facts) };
    const shards = await this.#gather(facts, whole, without);
    if (shards === undefined) return undefined;
    const bytes = rebuild(facts, index, shards);
    releaseOthers(shards, bytes);
    return bytes;
  }
}

function releaseOthers(
  gathered: ReadonlyMap<number, Uint8Array>,
  result: Uint8Array | undefined,
): void {
  for (const bytes of gathered.values()) if (bytes !== result) buffers.release(bytes);
}
