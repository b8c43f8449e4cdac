// A primary's line to one other slot of its PG, from the first collect to live replication, and again
// after each break. The primary decides; the link carries out and tells how far it is.
//
//   collecting   the member takes the tenure and tells its head
//   catching up  its log meets ours: the entries it lacks are sent in order (PROTOCOL rule 23)
//   reset        its log does not meet ours, and it is joining: it begins anew at our head
//   live         it gets each entry as it is ordered; a joining member is backfilled beside that, a
//                slice of the position space at a time, each read while nothing is ordered (rule 24)
//   complete     it misses nothing: what it had of an earlier primary without a shard was pushed (rule 20)

import { buffers } from '../base/buffer-pool.ts';
import { compareBytes } from '../base/bytes.ts';
import { encode } from '../base/codec.ts';
import type { BlobId, PgId } from '../base/ids.ts';
import { Permits } from '../base/turnstile.ts';
import { type Instant, sleep } from '../env/clock.ts';
import type { PgRecord, Slot } from '../map/pg-record.ts';
import { slotOf } from '../map/pg-record.ts';
import { NetError } from '../net/errors.ts';
import { describeError, type Outgoing, type Session, type SessionWatcher } from '../net/session.ts';
import { equalVersions, type LogEntry, logEntryCodec, zeroVersion } from '../wire/entry.ts';
import {
  type BlobListing,
  blobLostSince,
  type Message,
  type MessageKind,
  type MessageOf,
} from '../wire/messages.ts';
import { OsdError } from './errors.ts';
import { firstPosition, type PgDisk } from './pg-disk.ts';
import { spawnFor, type World } from './world.ts';

/**
 * A member's own bytes of an entry. `none`: there are none to store, because the entry has none or a later
 * one, which the member gets too, removes the blob.
 */
export type Shard =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'beside';
      readonly bytes: Uint8Array;
      /** CRC-32C of the bytes, where it is known. */
      readonly crc: number | undefined;
      /** Called when nobody needs the bytes for this any more: they have left, or never will. */
      readonly sent: () => void;
    };

/** An entry on its way to one member. */
interface HeldEntry {
  readonly sequence: number;
  readonly encoded: Uint8Array;
  readonly shard: Shard;
}

/** What a link needs of its primary. */
export interface LinkOwner {
  readonly world: World;
  readonly pg: PgId;
  readonly disk: PgDisk;
  readonly tenure: number;
  readonly record: PgRecord;
  readonly committed: number;
  readonly hasEnded: boolean;
  /** Resolves when the tenure's log is decided. */
  readonly adopted: Promise<void>;
  shardFor(entry: LogEntry, index: number): Promise<Shard>;
  shardToPush(
    blob: BlobId,
    slot: Slot,
  ): Promise<{ listing: BlobListing; bytes: Uint8Array } | undefined>;
  /**
   * Makes sure that too few shards of a blob are left; undefined when it is gone. Throws `OsdError` `failed` when it
   * can be read after all, or some disk did not say what it has.
   */
  confirmLost(blob: BlobId, slot: Slot): Promise<BlobListing | undefined>;
  /** Entries up to this one are on their way to durability; those behind it are being gathered. */
  readonly begun: number;
  inOrder<T>(work: () => Promise<T>): Promise<T>;
  /** Repairs what this disk holds and can't read, so that others can be given it. Throws where it can't. */
  repairUnreadable(blobs: readonly BlobId[]): Promise<void>;
  /** Runs with nothing being ordered; rows of this disk that do not verify are repaired on the way. */
  inOrderRepairing<T>(work: () => Promise<T>): Promise<T>;
  onLinkProgress(): void;
  /** Something else that it may wait for. */
  onLinkChange(): void;
}

/** One answer of a member may take this long; a slow disk is not a dead one. */
const answerMs = 10_000;

/** Entries resent at once; bounds what catching up holds in memory together with their shards. */
const catchUpEntries = 16;

/** PGs that bring one member forward at once; each holds at most 8 MiB of shards. */
const catchUpsAtOnce = 2;

/** And bytes of shards: beyond it the member's answers are waited for. */
const catchUpBytesMax = 4 * 1024 * 1024;

/** Rows or blobs in one backfilled slice, and its bytes. */
const sliceItems = 512;
const sliceBytes = 1024 * 1024;

/** Blobs pushed to one member at once. */
const pushesAtOnce = 2;

/** Entries of one message. A frame takes 4 MiB; this much is one write to the socket, and one sync. */
const batchBytesMax = 1024 * 1024;
const batchEntriesMax = 256;

/** Shards waiting here for one member that is joining; beyond that it catches up from the log. */
const heldShardBytesMax = 16 * 1024 * 1024;

function nothingWaits(): void {}

/** What a member is taken to have told that has everything and gets each entry: the same of all. */
const restingMember: MessageOf<'collected'> = {
  kind: 'collected',
  head: zeroVersion,
  tail: zeroVersion,
  committed: 0,
  complete: true,
  missing: 0,
};

/** After a failed attempt, in milliseconds. */
const retryMs = 150;
/** After the member said that it failed. */
const failedRetryMs = 1000;

export class Link implements SessionWatcher {
  readonly #owner: LinkOwner;
  slot: Slot;
  collected: MessageOf<'collected'> | undefined;
  /** Every entry up to this sequence is durable at the member. */
  acked = 0;
  promisedUntil: Instant = Number.NEGATIVE_INFINITY as Instant;
  /** By how much the wall clock was ahead when that promise was asked for. */
  promisedWallAheadMs = 0;
  usedPermille = 0;
  /** In the acknowledgement set though still joining. */
  isPromoting = false;
  /** It misses nothing: backfill has ended and no blob is missing. Found out anew with each attempt. */
  isComplete = false;
  /** Its log contradicts ours although it is in-sync: it is to be dropped (rule 21). */
  mustGo = false;
  missing = 0;
  damaged = 0;
  /** What it said to be bad is being sent to it. */
  isBeingRepaired = false;
  /** Since when it has not been live. */
  troubledSince: Instant;
  #session: Session | undefined;
  #isLive = false;
  #held: HeldEntry[] = [];
  #heldBytes = 0;
  #batchesInFlight = 0;
  #ended = false;
  #needsReset = false;
  #wake: () => void = nothingWaits;
  /** It is followed, and nothing of it runs: the next trouble begins it anew. */
  #isAtRest = false;

  constructor(owner: LinkOwner, slot: Slot) {
    this.#owner = owner;
    this.slot = slot;
    this.troubledSince = owner.world.env.clock.now();
    this.#begin();
  }

  #begin(): void {
    const { world, pg } = this.#owner;
    spawnFor(world, pg, `link to osd.${this.slot.osd} of`, () => this.#run());
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Of the messages that the member understands. */
  get version(): number {
    return this.#session?.peer.version ?? 0;
  }

  get isOpen(): boolean {
    return this.#session?.isOpen === true;
  }

  end(): void {
    this.#ended = true;
    this.#isLive = false;
    this.#dropHeld();
    this.#wake();
    this.#session?.unwatch(this);
  }

  onSessionEnd(reason: string): void {
    this.#fail(new NetError('closed', reason));
  }

  /** They are in the log, from which the next attempt sends them. */
  #dropHeld(): void {
    for (const { shard } of this.#held) if (shard.kind === 'beside') shard.sent();
    this.#held = [];
    this.#heldBytes = 0;
  }

  get #isOver(): boolean {
    return this.#ended || this.#owner.hasEnded;
  }

  async ask<K extends MessageKind>(
    message: Message,
    expected: K,
    carried: Omit<Outgoing, 'message'> = {},
  ): Promise<MessageOf<K>> {
    const session = this.#session;
    if (session === undefined) {
      carried.release?.();
      throw new NetError('closed', `no session to osd.${this.slot.osd}`);
    }
    // Whatever else is asked is asked behind the entries ordered before.
    if (message.kind !== 'append' && message.kind !== 'append-batch')
      this.#sendHeld(Number.POSITIVE_INFINITY);
    const answer = await session.request({ message, ...carried }, answerMs);
    if (answer.message.kind === expected) return answer.message as MessageOf<K>;
    if (answer.message.kind === 'failure')
      throw new OsdError(answer.message.code, answer.message.detail);
    throw new OsdError('failed', `${message.kind} got ${answer.message.kind}`);
  }

  /** A notice behind everything that was sent. */
  tell(message: Message): void {
    this.#sendHeld(Number.POSITIVE_INFINITY);
    this.#session?.notify({ message });
  }

  /** An entry just ordered, while live. It goes with those that begin with it. */
  send(sequence: number, encoded: Uint8Array, shard: Shard): void {
    this.#held.push({ sequence, encoded, shard });
    if (shard.kind !== 'beside') return;
    this.#heldBytes += shard.bytes.length;
    // Nobody waits for a member that is joining: what it is behind is kept in the log, not here.
    if (this.slot.state === 'joining' && !this.isPromoting && this.#heldBytes > heldShardBytesMax)
      this.#fail(new OsdError('busy', `osd.${this.slot.osd} is too far behind`));
  }

  /** Sends what has begun, unless the member has yet to answer for what was sent before. */
  sendBegun(): void {
    if (this.#isLive && this.#batchesInFlight === 0) this.#sendHeld(this.#owner.begun);
  }

  /** Entries up to `last`: one write to the socket, one sync at the member and one answer serve them all. */
  #sendHeld(last: number): void {
    let count = 0;
    while (count < this.#held.length && (this.#held[count] as HeldEntry).sequence <= last) count++;
    if (count === 0) return;
    const held = this.#held.splice(0, count);
    for (const { shard } of held)
      if (shard.kind === 'beside') this.#heldBytes -= shard.bytes.length;
    this.#batchesInFlight++;
    const batches = batchesOf(held);
    let left = batches.length;
    const session = this.#session;
    for (const batch of batches)
      this.#append(batch).then(
        () => {
          left--;
          if (left > 0 || this.#session !== session || !this.#isLive) return;
          this.#batchesInFlight--;
          this.sendBegun();
        },
        (error: unknown) => this.#fail(error),
      );
  }

  /** Several entries without shards, or one with what belongs to it. */
  async #append(batch: readonly HeldEntry[]): Promise<void> {
    const { pg, tenure, committed } = this.#owner;
    const [first] = batch as readonly [HeldEntry];
    const { shard } = first;
    const answer =
      shard.kind === 'none'
        ? await this.ask(
            {
              kind: 'append-batch',
              pg,
              tenure,
              committed,
              entryBytes: batch.map(({ encoded }) => encoded.length),
            },
            'appended',
            { payload: batch.map(({ encoded }) => encoded) },
          )
        : await this.ask(
            {
              kind: 'append',
              pg,
              tenure,
              committed,
              entry: first.encoded,
              shard: shard.kind,
              index: this.slot.index,
            },
            'appended',
            shard.kind === 'beside'
              ? { payload: [shard.bytes], payloadCrc: shard.crc, release: shard.sent }
              : {},
          );
    if (answer.head <= this.acked || this.#isOver) return;
    this.acked = answer.head;
    this.#owner.onLinkProgress();
  }

  /** Ends the present attempt; another follows. */
  #fail(error: unknown): void {
    if (this.#isLive) {
      this.troubledSince = this.#owner.world.env.clock.now();
      this.#owner.world.env.log.write('info', 'link broke', {
        pg: this.#owner.pg,
        osd: this.slot.osd,
        error: describeError(error),
      });
    }
    this.#isLive = false;
    this.#dropHeld();
    this.#batchesInFlight = 0;
    this.promisedUntil = Number.NEGATIVE_INFINITY as Instant;
    this.#wake();
    this.#owner.onLinkChange();
    if (!this.#isAtRest) return;
    this.#isAtRest = false;
    this.#session?.unwatch(this);
    this.collected = undefined;
    this.#owner.world.env.clock.after(retryMs, 'link retry', () => {
      if (!this.#isOver) this.#begin();
    });
  }

  /** Ends when the member is followed: of thousands of groups at rest none has anything that waits in memory. */
  async #run(): Promise<void> {
    while (!this.#isOver) {
      let pauseMs = retryMs;
      try {
        await this.#follow();
        if (this.#isAtRest) {
          this.#wake = nothingWaits;
          return;
        }
      } catch (error) {
        const isRetired = error instanceof OsdError && error.code === 'stale';
        this.#owner.world.env.log.write(isRetired ? 'debug' : 'info', 'link attempt ended', {
          pg: this.#owner.pg,
          osd: this.slot.osd,
          error: describeError(error),
        });
        this.#fail(error);
        // It has looked, and could not: it will look no better in a moment.
        if (error instanceof OsdError && error.code === 'failed') pauseMs = failedRetryMs;
      }
      this.#wake = nothingWaits;
      this.#session?.unwatch(this);
      this.collected = undefined;
      if (!this.#isOver) await sleep(this.#owner.world.env.clock, pauseMs, 'link retry');
    }
  }

  async #follow(): Promise<void> {
    const session = await this.#owner.world.peers.session(this.slot.uuid);
    if (this.#isOver) return;
    this.#session = session;
    session.watch(this);
    this.collected = await this.ask({ kind: 'collect', record: this.#owner.record }, 'collected');
    this.#owner.onLinkChange();
    // A connection that ends meanwhile is made anew: to wait for the log here would make a member that is
    // well look as if it did not answer.
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#owner.adopted.then(resolve, resolve);
    });
    if (this.#isOver || !session.isOpen) return;
    this.isComplete = false;
    await this.#bringForward(this.collected);
    if (this.#isOver) return;
    this.#owner.onLinkProgress();
    if (this.slot.state === 'joining') await this.#fill(this.collected);
    else await this.#fillMissed(this.collected);
    // Only that it was collected counts from here on.
    this.collected = restingMember;
    this.#isAtRest = this.#isLive && session.isOpen && !this.#isOver;
    this.#owner.onLinkChange();
  }

  /** By the log where it meets ours, else by starting over. Live when it returns. */
  async #bringForward(collected: MessageOf<'collected'>): Promise<void> {
    const { disk } = this.#owner;
    const { head } = collected;
    const ours = await disk.versionAt(head.sequence).catch((error: unknown) => {
      if (disk.damagedRow(error) === undefined) throw error;
      return undefined;
    });
    const meets =
      ours !== undefined &&
      equalVersions(ours, head) &&
      disk.firstSequence <= head.sequence + 1 &&
      !this.#needsReset;
    const isInSync = slotOf(this.#owner.record, this.slot.uuid)?.state === 'in-sync';
    if (meets) {
      try {
        await this.#catchUp(head.sequence);
      } catch (error) {
        // Our log has an entry that does not verify: nobody is brought forward by it.
        this.#needsReset = disk.damagedRow(error) !== undefined;
        throw error;
      }
      this.#needsReset = false;
      return;
    }
    if (isInSync) {
      this.mustGo = true;
      this.#needsReset = true;
      throw new OsdError(
        'failed',
        `osd.${this.slot.osd} is in-sync but its log ${head.tenure}.${head.sequence} is not ours`,
      );
    }
    this.mustGo = false;
    await this.#reset();
  }

  async #catchUp(from: number): Promise<void> {
    const { disk } = this.#owner;
    let sent = from;
    this.acked = Math.min(this.acked, from);
    while (!this.#isOver) {
      if (sent === disk.head.sequence) {
        // No await between the look at the head and this: nothing is ordered in between.
        this.acked = sent;
        if (sent > from) this.#debug('member caught up by log');
        this.#goLive();
        return;
      }
      const permits = this.#catchUpPermits();
      await permits.acquire();
      try {
        if (!this.#isOver) sent = await this.#resend(sent);
      } finally {
        permits.release();
      }
    }
  }

  #catchUpPermits(): Permits {
    const { catchUps } = this.#owner.world;
    let permits = catchUps.get(this.slot.uuid);
    if (permits === undefined) {
      permits = new Permits(catchUpsAtOnce);
      catchUps.set(this.slot.uuid, permits);
    }
    return permits;
  }

  /** A bounded number of entries, and of bytes, behind `after`; answers the last of them. */
  async #resend(after: number): Promise<number> {
    const { disk } = this.#owner;
    const entries = await disk.readLog(after, catchUpEntries);
    if (entries[0]?.version.sequence !== after + 1)
      throw new OsdError('failed', `the log no longer has ${after + 1}`);
    const replies: Promise<void>[] = [];
    let last = after;
    let shardBytes = 0;
    for (const entry of entries) {
      if (shardBytes > catchUpBytesMax) break;
      const shard = await this.#shardFor(entry);
      if (shard.kind === 'beside') shardBytes += shard.bytes.length;
      if (this.#isOver) {
        if (shard.kind === 'beside') shard.sent();
        break;
      }
      const { sequence } = entry.version;
      const reply = this.#append([{ sequence, encoded: encode(logEntryCodec, entry), shard }]);
      reply.catch(() => {});
      replies.push(reply);
      last = sequence;
    }
    await Promise.all(replies);
    return last;
  }

  /** Without its shard a member that joins goes on missing the blob, and what becomes of that is seen to later. */
  async #shardFor(entry: LogEntry): Promise<Shard> {
    try {
      return await this.#owner.shardFor(entry, this.slot.index);
    } catch (error) {
      const isLost = error instanceof OsdError && error.code === 'damaged';
      if (!isLost || this.slot.state !== 'joining') throw error;
      return { kind: 'none' };
    }
  }

  async #reset(): Promise<void> {
    const { pg, disk } = this.#owner;
    // The member starts at our head of this moment; what is ordered from here on goes to it live, behind
    // the reset in the same session.
    const { head } = disk;
    this.#debug('member begins anew');
    this.acked = head.sequence;
    this.#goLive();
    await this.ask({ kind: 'reset', pg, tenure: this.#owner.tenure, head }, 'ok');
    this.#needsReset = false;
    this.collected = { ...(this.collected as MessageOf<'collected'>), complete: false };
  }

  #debug(event: string): void {
    const { world, pg } = this.#owner;
    world.env.log.write('debug', event, { pg, osd: this.slot.osd });
  }

  #goLive(): void {
    this.#isLive = true;
    this.troubledSince = this.#owner.world.env.clock.now();
  }

  /** Backfills from where the member is, then pushes the blobs it misses. */
  async #fill(collected: MessageOf<'collected'>): Promise<void> {
    const { world } = this.#owner;
    let isFilled = this.collected?.complete ?? collected.complete;
    let isFirst = true;
    while (this.#isLive && !this.#isOver) {
      await world.recoveries.acquire();
      const turn = world.recoveryShare.begin();
      try {
        if (!isFilled) isFilled = await this.#fillSlice(isFirst);
        else if (await this.#pushMissing()) {
          this.isComplete = true;
          return;
        }
        isFirst = false;
        await turn.rest();
      } finally {
        world.recoveries.release();
      }
    }
  }

  /**
   * An in-sync member may have entries of puts without their shards, of a primary that died before it could tell
   * why. Behind our log it misses only those that stand.
   */
  async #fillMissed(collected: MessageOf<'collected'>): Promise<void> {
    let isFilled = collected.missing === 0;
    while (this.#isLive && !this.#isOver && !isFilled) isFilled = await this.#pushMissing();
    this.isComplete = isFilled;
  }

  /** One slice; true when it was the last. `isFirst`: of this attempt. */
  async #fillSlice(isFirst: boolean): Promise<boolean> {
    const { pg, tenure, disk } = this.#owner;
    const state = await this.ask({ kind: 'missing-blobs', pg, tenure, limit: 0 }, 'wanted');
    const begin = state.cursor;
    if (begin === undefined) return true;
    if (isFirst && compareBytes(begin, firstPosition) > 0)
      this.#debug('backfill goes on where it was');
    let reply: Promise<unknown> | undefined;
    let unreadable: readonly BlobId[] = [];
    const end = await this.#owner.inOrderRepairing(async () => {
      const slice = await disk.slice(begin, sliceItems, sliceBytes);
      unreadable = slice.unreadable;
      // A slice without them would tell the member that there are no such blobs.
      if (unreadable.length > 0) return slice.end;
      if (!this.#isLive) throw new NetError('closed', 'the link broke');
      const rows = slice.rows.map(([key, value]) => ({ key, value }));
      const { blobs } = slice;
      reply = this.ask(
        {
          kind: 'backfill',
          pg,
          tenure,
          begin,
          end: slice.end,
          rows,
          blobs,
          index: this.slot.index,
        },
        'ok',
      );
      reply.catch(() => {});
      return slice.end;
    });
    if (unreadable.length > 0) {
      await this.#owner.repairUnreadable(unreadable);
      return false;
    }
    await reply;
    return end === undefined;
  }

  /** Pushes some of what is missing; true when nothing is. */
  async #pushMissing(): Promise<boolean> {
    const { pg, tenure } = this.#owner;
    const { blobs } = await this.ask({ kind: 'missing-blobs', pg, tenure, limit: 32 }, 'wanted');
    this.missing = blobs.length;
    if (blobs.length === 0) return true;
    const queue = [...blobs];
    const push = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined && this.#isLive; next = queue.shift())
        await this.#pushOrGiveUp(next.facts.blob);
    };
    await Promise.all(Array.from({ length: pushesAtOnce }, push));
    return false;
  }

  /** An object that can't be read any more does not keep the others from their redundancy (promise P5). */
  async #pushOrGiveUp(blob: BlobId): Promise<void> {
    try {
      await this.pushBlob(blob, 'missing');
    } catch (error) {
      const isLost = error instanceof OsdError && error.code === 'damaged';
      if (!isLost || this.version < blobLostSince) throw error;
      const listing = await this.#owner.confirmLost(blob, this.slot);
      if (listing === undefined) return;
      const { pg, tenure } = this.#owner;
      await this.ask({ kind: 'blob-lost', pg, tenure, listing }, 'ok');
      this.damaged++;
    }
  }

  /** Sends the member its shard of a blob again. */
  async pushBlob(blob: BlobId, reason: 'missing' | 'replace'): Promise<void> {
    const { pg, tenure } = this.#owner;
    const found = await this.#owner.shardToPush(blob, this.slot);
    // Deleted meanwhile; the member has been told, or will be, in order.
    if (found === undefined) return;
    this.#debug('blob pushed');
    const { listing, bytes } = found;
    await this.ask({ kind: 'push-blob', pg, tenure, listing, reason }, 'ok', {
      payload: [bytes],
      release: () => buffers.release(bytes),
    });
  }
}

/** Neighbours without shards go together, others alone; a message has a bound. */
function batchesOf(held: readonly HeldEntry[]): HeldEntry[][] {
  const batches: HeldEntry[][] = [];
  let open: HeldEntry[] | undefined;
  let openBytes = 0;
  for (const entry of held) {
    const isFull =
      openBytes + entry.encoded.length > batchBytesMax || open?.length === batchEntriesMax;
    if (entry.shard.kind !== 'none' || open === undefined || isFull) {
      openBytes = 0;
      const batch = [entry];
      batches.push(batch);
      open = entry.shard.kind === 'none' ? batch : undefined;
    } else open.push(entry);
    openBytes += entry.encoded.length;
  }
  return batches;
}
