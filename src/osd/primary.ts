// One tenure of a PG's primary (PROTOCOL, "Writing and reading", "Taking over", "Membership").
//
//   starting   its tenure is being established by compare-and-swap (rule 13)
//   adopting   heads of all in-sync members are collected, and what they miss; the longest log is adopted,
//              puts that too few hold are given up in it, the others are brought forward and filled
//              (rules 19, 20), promises of earlier primaries are waited out (rule 8)
//   serving    orders writes, answers reads under valid promises (rule 7)
//   ended      a newer tenure, or the OSD stops; whatever waits is refused
//
// A link follows each other slot that is in-sync or joining: it collects, catches up from the log or
// backfills, and then is live: it gets every entry the moment it is ordered. An entry is committed when
// this disk and every link of the acknowledgement set have it durable.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import { concatBytes, emptyBytes, formatHex } from '../base/bytes.ts';
import { encode } from '../base/codec.ts';
import { type BlobId, formatBlobId, type PgId, parsePgId, type Uuid } from '../base/ids.ts';
import type { MethodOutcome, MethodView, RowEffect, Version } from '../base/method.ts';
import { SparseMap } from '../base/sparse-map.ts';
import { Turnstile } from '../base/turnstile.ts';
import { type Instant, sleep } from '../env/clock.ts';
import { type ClusterMap, findLayout, type Layout, turnMax } from '../map/cluster-map.ts';
import { formatGeometry, type Geometry } from '../map/geometry.ts';
import { recordFault } from '../map/map-fault.ts';
import {
  beginnerOf,
  begun,
  drop,
  establish,
  hasWriteFloor,
  isClean,
  type PgRecord,
  promote,
  retire,
  type Slot,
  type SlotState,
  slotOf,
  slotsIn,
} from '../map/pg-record.ts';
import { settingOf } from '../map/settings.ts';
import { NetError } from '../net/errors.ts';
import { describeError, type Incoming, type Outgoing, type Session } from '../net/session.ts';
import { StoreError } from '../store/errors.ts';
import {
  type BlobFacts,
  compareVersions,
  type Effect,
  equalVersions,
  type LiveRequest,
  type LogEntry,
  logEntryCodec,
  type Request,
} from '../wire/entry.ts';
import {
  type BlobListing,
  type MessageOf,
  type PgReport,
  scrubEndedSince,
} from '../wire/messages.ts';
import { OsdError } from './errors.ts';
import { Handover, type HandoverGroup, type Verdict } from './handover.ts';
import { Link, type LinkOwner, type Shard } from './link.ts';
import type { Member } from './member.ts';
import { factsOf, groupsOwn, isSameBlob, type PgDisk } from './pg-disk.ts';
import { clockStepMsMax, holderLeaseMs, wallAheadMs } from './promises.ts';
import { Rounds } from './rounds.ts';
import { canBeRead, findUnreadable } from './salvage.ts';
import { SequenceWaiters } from './sequence-waiters.ts';
import { ShardReader } from './shard-reader.ts';
import { type ShardSet, SharedShards, shardsNeeded, shardsOf, storedBytes } from './shards.ts';
import { fullPermille, spawnFor, usedPermille, type World } from './world.ts';

type Phase = 'starting' | 'adopting' | 'serving' | 'ended';

/** An in-sync member that the map says is up but that can't be reached or brought up is dropped after this. */
const dropAfterMs = 6000;

/** What an in-sync member has, as a takeover hears it; without a link, this disk. */
interface Told {
  readonly link: Link | undefined;
  readonly index: number;
  readonly head: Version;
  /** Blobs of which it has the put's entry and no shard. */
  readonly missing: ReadonlyMap<string, BlobListing>;
}

interface DoubtfulPut {
  readonly blob: BlobId;
  readonly geometry: Geometry;
  readonly version: Version;
  readonly request: Request | undefined;
}

interface PendingShards {
  readonly shards: SharedShards;
  readonly release: () => void;
}

/** Puts that one entry gives up: it must fit a frame and a log row, at some 40 bytes each. */
const abandonedAtOnce = 4096;

/** Entries with shards up to this size are gathered. */
const gatheredBytesMax = 32 * 1024;

/** Between attempts to repair this disk's own bad shards. */
const repairRestMs = 5000;

/** Between two looks whether a promise still holds. */
const promiseLookMs = 50;

/** How often a primary looks whether something is to be dropped, promoted, retired or restarted. */
export const reconcileMs = 200;

/** Rows repaired on the way of one read: a disk with more bad rows than these is past saving by bits. */
const rowRepairsMax = 256;

/** Limits of one method call (base/method.ts). */
const callBytesMax = 4 * 1024 * 1024;

export class Primary implements LinkOwner, HandoverGroup {
  readonly world: World;
  readonly member: Member;
  readonly disk: PgDisk;
  readonly pg: PgId;
  #layout: Layout;
  /** The map that the layout was last looked up in. */
  #layoutMap: ClusterMap | undefined;
  readonly #order = new Turnstile();
  readonly #proposals = new Turnstile();
  readonly #links = new Map<Uuid, Link>();
  readonly #shards: ShardReader;
  readonly #readers = new SequenceWaiters();
  readonly #writers = new SequenceWaiters();
  /** Objects and blobs with entries not yet stable, and the last such entry. */
  readonly #pendingObjects = new SparseMap<string, number>();
  /**
   * Shards of blobs that are not yet stable: until then this may be the only place that has enough of
   * them. Bounded by the requests that wait for them.
   */
  readonly #pendingShards = new SparseMap<number, PendingShards>();
  readonly #running = new SparseMap<string, Promise<Outgoing>>();
  readonly #handover: Handover;
  /** Made when a read is to be confirmed. */
  #confirmations: Rounds | undefined;
  /** In-sync members by whose word a put was judged to stand or not (rule 20). */
  #judges: readonly Uuid[] = [];
  readonly adopted: Promise<void>;
  #resolveAdopted: () => void = () => {};
  #phase: Phase = 'starting';
  #tenure = 0;
  #record: PgRecord;
  #durable = 0;
  #stable = 0;
  #begun = 0;
  #isBeginning = false;
  #committed = 0;
  /** The commit point that members were told while writes rested. */
  #keptCommit = -1;
  /** Not before this are bad shards of this disk tried again. */
  #repairAt: Instant = Number.NEGATIVE_INFINITY as Instant;
  /** How the PG was to begin again when this disk was made ready for it. */
  readonly #beginsAs: SlotState | undefined;
  #waiting = 'its tenure to be established';
  /** Whoever waits for something to happen looks again. */
  #wake: () => void = nothingWaits;
  #reconciling = false;
  /** The map and the record under which a look found nothing to do. */
  #restMap: ClusterMap | undefined;
  #restRecord: PgRecord | undefined;
  #endedReason = '';
  #isScrubbing = false;
  #rowsRepaired = 0;
  /** Whether there are rows or blobs here; undefined: to be looked up. */
  #hasRows: boolean | undefined;
  #hasBlobs: boolean | undefined;

  constructor(world: World, parts: { member: Member; layout: Layout; record: PgRecord }) {
    this.world = world;
    this.member = parts.member;
    this.disk = parts.member.disk;
    this.pg = parts.member.pg;
    this.#layout = parts.layout;
    this.#record = parts.record;
    this.#shards = new ShardReader(this);
    this.#handover = new Handover(this);
    this.#beginsAs = beginnerOf(parts.record)?.state;
    this.adopted = new Promise((resolve) => {
      this.#resolveAdopted = resolve;
    });
    spawnFor(world, this.pg, 'primary of', () => this.#run());
  }

  get record(): PgRecord {
    return this.#record;
  }

  /** As the newest map has it: how many copies there are, and where, may change in place. */
  get layout(): Layout {
    const { map } = this.world.mon;
    if (map !== this.#layoutMap) {
      this.#layoutMap = map;
      this.#layout = this.member.layout() ?? this.#layout;
    }
    return this.#layout;
  }

  get tenure(): number {
    return this.#tenure;
  }

  get hasEnded(): boolean {
    return this.#phase === 'ended';
  }

  get isServing(): boolean {
    return this.#phase === 'serving' && this.#hasPromises();
  }

  get committed(): number {
    return this.#committed;
  }

  get begun(): number {
    return this.#begun;
  }

  /** Memory of shards that are not stable yet. */
  get pendingShardBytes(): number {
    let bytes = 0;
    for (const { shards } of this.#pendingShards.values()) bytes += shards.bytes;
    return bytes;
  }

  get links(): ReadonlyMap<Uuid, Link> {
    return this.#links;
  }

  get mySlot(): Slot {
    const slot = slotOf(this.#record, this.world.self.uuid);
    assert(slot !== undefined, 'a primary has a slot');
    return slot;
  }

  end(reason: string): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    for (const pending of this.#pendingShards.values()) pending.release();
    this.#pendingShards.clear();
    this.#endedReason = reason;
    this.world.starts.ended(this.pg);
    this.#resolveAdopted();
    // What was being gathered is in the log like everything else.
    this.world.store.begin();
    this.#releasePromises();
    for (const link of this.#links.values()) link.end();
    this.#wake();
    const error = new OsdError('not-primary', `${this.pg}: ${reason}`);
    this.#readers.refuse(error);
    this.#writers.refuse(error);
  }

  /**
   * Nothing is served under this tenure any more, so nobody needs to wait until what was promised to it runs
   * out. Said behind all that was asked in the session; a member that does not hear it waits.
   */
  #releasePromises(): void {
    for (const { slot } of this.#links.values()) {
      const session = this.world.peers.openSession(slot.uuid);
      if (session === undefined || session.peer.version < 2) continue;
      session.notify({ message: { kind: 'release', pg: this.pg, tenure: this.#tenure } });
    }
  }

  /** A newer record came from the monitor, or as the answer to a proposal. */
  onRecord(record: PgRecord): void {
    if (this.#phase === 'ended' || record.version <= this.#record.version) return;
    const { map } = this.world.mon;
    // One that was edited by hand: nothing is decided by it, so that the one before can be put back.
    if (map !== undefined && recordFault(record, map) !== undefined) return;
    if (record.primary !== this.world.self.uuid) {
      this.end('another primary was elected');
      return;
    }
    const beginsAs = beginnerOf(record)?.state;
    if (beginsAs !== undefined && beginsAs !== this.#beginsAs) {
      this.end('it was lost, and begins again');
      return;
    }
    if (this.#phase !== 'starting' && record.tenure !== this.#tenure) {
      this.end('a newer tenure began');
      return;
    }
    this.#record = record;
    if (this.#phase === 'starting') return;
    spawnFor(this.world, this.pg, 'record of', () =>
      this.#ignoreClosing(this.disk.rememberRecord(record)),
    );
    this.#followSlots();
    this.#advance();
    this.#wake();
  }

  async #ignoreClosing(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'closed')) throw error;
    }
  }

  // ——— taking over ———

  async #run(): Promise<void> {
    try {
      await this.#takeOver();
    } catch (error) {
      if (this.hasEnded) return;
      if (error instanceof StoreError && error.code === 'failed') throw error;
      this.world.env.log.write('warn', 'primary could not start', {
        pg: this.pg,
        error: String(error),
      });
      await sleep(this.world.env.clock, 500, 'primary restart');
      this.end(`could not start: ${String(error)}`);
    }
  }

  async #takeOver(): Promise<void> {
    await this.#waitQuiet();
    await this.#establish();
    if (this.hasEnded) return;
    this.#phase = 'adopting';
    await this.member.alone(() => this.disk.accept(this.#tenure, this.#record));
    this.#durable = this.disk.head.sequence;
    this.#followSlots();
    await this.#until('the logs of all in-sync members', () => {
      const links = this.inSyncLinks();
      // It may have to wait for long: others can begin meanwhile.
      if (links.some((link) => this.#isDown(link))) this.world.starts.ended(this.pg);
      return links.every((link) => link.collected !== undefined);
    });
    if (this.hasEnded) return;
    if (beginnerOf(this.#record) === undefined) await this.#adopt();
    else await this.#beginAgain();
    if (this.hasEnded) return;
    this.#resolveAdopted();
    this.#resolveAdopted = nothingWaits;
    const head = this.disk.head.sequence;
    await this.#until('in-sync members to confirm the log', () => {
      this.#requireJudges();
      return this.inSyncLinks().every(
        (link) => link.isLive && link.isComplete && link.acked >= head,
      );
    });
    if (this.hasEnded) return;
    this.world.starts.ended(this.pg);
    assert(this.disk.missingCount === 0, 'who serves misses nothing');
    this.#phase = 'serving';
    // What was seen on the way is not what it begins with.
    this.#hasRows = undefined;
    this.#hasBlobs = undefined;
    this.#advance();
    await this.#until('promises of in-sync members', () => this.#hasPromises());
    if (this.hasEnded) return;
    this.#waiting = '';
    this.world.env.log.write('info', 'primary serving', {
      pg: this.pg,
      tenure: this.#tenure,
      head,
    });
  }

  /** Rule 8: nothing is led before every promise this process, or its earlier life, gave has run out. */
  async #waitQuiet(): Promise<void> {
    const { env, promises, quietUntil, self } = this.world;
    // Bounded: a promise lasts a lease and none is given to others while this OSD is the record's primary.
    for (let isFirst = true; ; isFirst = false) {
      const waitMs = Math.max(
        quietUntil - env.clock.now(),
        promises.remainingMs(this.pg, self.uuid),
      );
      if (waitMs <= 0 || this.hasEnded) {
        if (!isFirst) env.log.write('debug', 'earlier promises waited out', { pg: this.pg });
        return;
      }
      this.#waiting = 'earlier promises to run out';
      // In steps, because the one that was promised may say that it has ended.
      await sleep(env.clock, Math.min(waitMs, promiseLookMs), 'promise wait');
    }
  }

  /** Waits for a state, looking at it when anything happened, and with every reconcile; ends early when the tenure does. */
  async #until(what: string, isTrue: () => boolean): Promise<void> {
    this.#waiting = what;
    this.reconcile();
    while (!this.hasEnded && !isTrue())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = nothingWaits;
  }

  async #establish(): Promise<void> {
    while (!this.hasEnded) {
      this.#waiting = 'its tenure to be established';
      const nonce = this.#nonce();
      const outcome = await this.#propose((record) => establish(record, nonce));
      if (outcome.kind === 'accepted') {
        this.#tenure = outcome.proposed.tenure;
        if (this.#record.tenure !== this.#tenure) this.end('a newer tenure began');
        return;
      }
      await sleep(this.world.env.clock, 50, 'establish again');
    }
  }

  /**
   * Rules 19 and 20: the greatest log wins; in-sync members never roll back. When it returns, the log says of
   * each put in it whether it stands, and this disk has its own shard of those that do. Only then are others
   * brought forward, so that whoever takes over next finds the same, or has not heard of it.
   */
  async #adopt(): Promise<void> {
    this.#waiting = 'the longest log to be adopted';
    const told = await this.#hearMembers();
    await this.#adoptLongest(told);
    if (this.hasEnded) return;
    await this.#giveUpUnfinished(told);
    await this.#fillMine();
  }

  /** What this disk and all others in-sync have, before any of them is changed. */
  async #hearMembers(): Promise<Told[]> {
    // As they are now: a link that breaks meanwhile forgets what it collected.
    const links = this.inSyncLinks().map((link) => {
      if (link.collected === undefined)
        throw new OsdError('failed', `osd.${link.slot.osd} left while its log was looked at`);
      return { link, collected: link.collected };
    });
    const mine: Told = {
      link: undefined,
      index: this.mySlot.index,
      head: this.disk.head,
      missing: byName(this.disk.missing(this.disk.missingCount)),
    };
    const theirs = links.map(async ({ link, collected }): Promise<Told> => {
      const { head, missing: limit } = collected;
      // As many as were in flight when an earlier takeover ended: none is taken before they are all decided.
      const blobs =
        limit === 0
          ? []
          : (
              await link.ask(
                { kind: 'missing-blobs', pg: this.pg, tenure: this.#tenure, limit },
                'wanted',
              )
            ).blobs;
      return { link, index: link.slot.index, head, missing: byName(blobs) };
    });
    return [mine, ...(await Promise.all(theirs))];
  }

  async #adoptLongest(told: readonly Told[]): Promise<void> {
    let longest: Link | undefined;
    let target = this.disk.head;
    for (const { link, head } of told) {
      if (link === undefined || compareVersions(head, target) <= 0) continue;
      longest = link;
      target = head;
    }
    if (longest === undefined) return;
    this.world.env.log.write('debug', 'log of another member adopted', {
      pg: this.pg,
      osd: longest.slot.osd,
      from: this.disk.head.sequence,
      to: target.sequence,
    });
    while (!this.hasEnded && !equalVersions(this.disk.head, target)) {
      const answer = await longest.ask(
        { kind: 'fetch-log', pg: this.pg, tenure: this.#tenure, after: this.disk.head.sequence },
        'log',
      );
      if (answer.entries.length === 0) throw this.#cannotLead(longest);
      for (const entry of answer.entries) {
        if (!equalVersions(entry.previous, this.disk.head)) throw this.#cannotLead(longest);
        const stands =
          entry.effect.kind === 'put-blob' && isHeldByEnough(told, entry.effect, entry.version);
        const shard = stands
          ? await this.#shardToAdopt(entry.effect, entry.version, longest, target.sequence)
          : undefined;
        await this.#appendAdopted(entry, shard);
      }
    }
  }

  /** Not once a newer tenure was accepted: its primary has been told where this log ends. */
  async #appendAdopted(
    entry: LogEntry,
    shard?: { readonly index: number; readonly views: Uint8Array[] },
  ): Promise<void> {
    try {
      await this.member.alone(async () => {
        if (!this.hasEnded) await this.disk.append(entry, shard);
      });
    } finally {
      for (const view of shard?.views ?? []) buffers.release(view);
    }
    this.#noteEffect(entry.effect);
    this.#durable = this.disk.head.sequence;
  }

  /** What nobody asked for, before it serves. */
  #appendOwn(effect: Effect): Promise<void> {
    const { head } = this.disk;
    return this.#appendAdopted({
      version: { tenure: this.#tenure, sequence: head.sequence + 1 },
      previous: head,
      request: undefined,
      result: emptyBytes,
      effect,
    });
  }

  /**
   * This disk is behind what the others still have in their logs: it can only be filled again, by one of
   * them. In-sync members never roll back, so the primaryship has to move.
   */
  #cannotLead(longest: Link): OsdError {
    const { head } = this.disk;
    this.world.env.log.write('warn', 'log too old to lead', { pg: this.pg, head: head.sequence });
    this.world.mon.tell({ kind: 'cannot-lead', pg: this.pg, tenure: this.#tenure }, 2);
    return new OsdError(
      'failed',
      `the log of osd.${longest.slot.osd} does not follow ours, which ends at ${head.sequence}`,
    );
  }

  /**
   * Our own shard of an adopted put; undefined: a later entry removes it. A put that enough members hold was
   * perhaps acknowledged: when their shards can't be read just now, taking over has to be tried again.
   */
  async #shardToAdopt(
    facts: BlobFacts,
    version: Version,
    source: Link,
    lastSequence: number,
  ): Promise<{ index: number; views: Uint8Array[] } | undefined> {
    const { index } = this.mySlot;
    const bytes = await this.#shards.rebuildShard(facts, index);
    if (bytes !== undefined) return { index, views: [bytes] };
    for (let after = version.sequence; after < lastSequence; ) {
      const { entries } = await source.ask(
        { kind: 'fetch-log', pg: this.pg, tenure: this.#tenure, after },
        'log',
      );
      if (entries.some(({ effect }) => removes(effect, facts.blob))) return undefined;
      after = entries.at(-1)?.version.sequence ?? lastSequence;
    }
    throw this.#shards.tooFewShards(facts.blob);
  }

  /**
   * Puts that some in-sync member does not hold, that no later entry removes, and that fewer hold than are
   * needed to read them: nobody was told that they were done. They are removed by entries of this log.
   */
  async #giveUpUnfinished(told: readonly Told[]): Promise<void> {
    const doubtful = await this.#doubtfulPuts(told);
    if (doubtful.size === 0) return;
    this.#judges = told.flatMap(({ link }) => link?.slot.uuid ?? []);
    const given = [...doubtful.values()].filter((put) => !isHeldByEnough(told, put, put.version));
    for (let at = 0; at < given.length && !this.hasEnded; at += abandonedAtOnce) {
      const some = given.slice(at, at + abandonedAtOnce);
      await this.#appendOwn({
        kind: 'abandon',
        blobs: some.map(({ blob }) => blob),
        requests: some.flatMap(({ request }) => request ?? []),
      });
    }
    const stands = doubtful.size - given.length;
    const note = (event: string, count: number): void => {
      if (count > 0) this.world.env.log.write('debug', event, { pg: this.pg, count });
    };
    note('unfinished puts given up', given.length);
    note('unfinished puts completed', stands);
  }

  async #doubtfulPuts(told: readonly Told[]): Promise<Map<string, DoubtfulPut>> {
    const missed = new Map<string, BlobListing>();
    for (const { missing } of told)
      for (const [name, listing] of missing) missed.set(name, listing);
    const doubtful = new Map<string, DoubtfulPut>();
    for (const [name, { facts, version }] of missed)
      doubtful.set(name, { ...facts, version, request: undefined });
    const lowest = Math.min(...told.map(({ head }) => head.sequence));
    const begin = Math.min(
      lowest,
      ...[...missed.values()].map((each) => each.version.sequence - 1),
    );
    const { head } = this.disk;
    for (let after = Math.max(begin, this.disk.firstSequence - 1); after < head.sequence; ) {
      const entries = await this.disk.readLog(after, 256);
      for (const { effect, version, request } of entries) {
        if (effect.kind === 'rows') continue;
        const names = namesOf(effect);
        if (effect.kind !== 'put-blob') for (const name of names) doubtful.delete(name);
        else if (version.sequence > lowest || names.some((name) => missed.has(name)))
          for (const name of names)
            doubtful.set(name, {
              blob: effect.blob,
              geometry: effect.geometry,
              version,
              request: request && { client: request.client, counter: request.counter },
            });
      }
      after = entries.at(-1)?.version.sequence ?? head.sequence;
    }
    return doubtful;
  }

  /** Alone on this disk; the bytes are given back also when it refuses them, as a full one does again and again. */
  async #storeRebuilt(bytes: Uint8Array, store: () => Promise<void>): Promise<void> {
    try {
      await this.member.alone(store);
    } finally {
      buffers.release(bytes);
    }
  }

  /** What stands and is missing on this disk: an earlier takeover by it got no further. */
  async #fillMine(): Promise<void> {
    const { index } = this.mySlot;
    for (const listing of this.disk.missing(this.disk.missingCount)) {
      const { blob } = listing.facts;
      const bytes = await this.#shards.rebuildShard(listing.facts, index);
      if (bytes === undefined) throw this.#shards.tooFewShards(blob);
      await this.#storeRebuilt(bytes, async () => {
        if (!this.hasEnded) await this.disk.storePushed({ ...listing, index }, [bytes]);
      });
    }
  }

  /**
   * A put stands by what all in-sync members hold, so the same members must serve. One that was dropped since may be the
   * only other one that has it: who is left has to judge again.
   */
  #requireJudges(): void {
    const dropped = this.#judges.find((uuid) => slotOf(this.#record, uuid)?.state !== 'in-sync');
    if (dropped !== undefined)
      throw new OsdError(
        'failed',
        `${this.pg}: ${dropped} left after puts were judged by its word`,
      );
  }

  /**
   * The operator took this disk for the best that is left of a PG that was lost. First it is written down, in this
   * disk's log, what of it can't be read and is given up; then this disk is in-sync, alone, and others are filled
   * from it. Nobody hears of anything before both are durable, so that a crash on the way repeats it.
   */
  async #beginAgain(): Promise<void> {
    const beginner = beginnerOf(this.#record);
    if (beginner === undefined) return;
    if (beginner.uuid !== this.world.self.uuid)
      throw new OsdError('failed', `${this.pg} begins again from osd.${beginner.osd}`);
    if (beginner.state === 'salvaging') {
      // What they left behind when they were taken off the record comes out of their trash with this.
      await this.#until('others to look what they have', () =>
        [...this.#links.values()].every(
          (link) => link.collected !== undefined || this.#isDown(link),
        ),
      );
      if (this.hasEnded) return;
      const lost = await findUnreadable(this);
      await this.#giveUp(lost);
      await this.#fillMine();
      this.world.env.log.write('warn', 'lost pg salvaged', { pg: this.pg, lost: lost.length });
    }
    await this.#doubtHandovers();
    while (!this.hasEnded && beginnerOf(this.#record) !== undefined) {
      this.#waiting = 'a monitor';
      const nonce = this.#nonce();
      await this.#propose((record) => begun(record, this.world.self.uuid, nonce));
      if (beginnerOf(this.#record) !== undefined)
        await sleep(this.world.env.clock, 200, 'begin again');
    }
  }

  async #doubtHandovers(): Promise<void> {
    const effects = this.hasEnded ? undefined : await this.#handover.doubt();
    if (effects === undefined || this.hasEnded) return;
    await this.#appendOwn({ kind: 'rows', object: groupsOwn, effects });
  }

  #isDown({ slot }: Link): boolean {
    return this.world.mon.map?.osds.find(({ uuid }) => uuid === slot.uuid)?.up !== true;
  }

  /** For `findUnreadable`: what is done, for a person. */
  set waiting(words: string) {
    this.#waiting = words;
  }

  async #giveUp(blobs: readonly BlobId[]): Promise<void> {
    for (let at = 0; at < blobs.length && !this.hasEnded; at += abandonedAtOnce) {
      const some = blobs.slice(at, at + abandonedAtOnce);
      await this.#appendOwn({ kind: 'abandon', blobs: some, requests: [] });
    }
  }

  // ——— members ———

  inSyncLinks(): Link[] {
    return slotsIn(this.#record, 'in-sync').flatMap((slot) => this.#links.get(slot.uuid) ?? []);
  }

  /** A link for each other slot that is in-sync or joining, and no others. */
  #followSlots(): void {
    for (const [uuid, link] of this.#links) {
      const slot = slotOf(this.#record, uuid);
      const isSame =
        slot?.state === link.slot.state ||
        (slot?.state === 'in-sync' && link.slot.state === 'joining');
      if (slot !== undefined && isSame) {
        link.slot = slot;
        continue;
      }
      // Gone, or dropped and let in again in one step: what it has is to be found out anew.
      link.end();
      this.#links.delete(uuid);
    }
    for (const slot of this.#record.slots) {
      if (slot.uuid === this.world.self.uuid || this.#links.has(slot.uuid)) continue;
      if (slot.state === 'in-sync' || slot.state === 'joining')
        this.#links.set(slot.uuid, new Link(this, slot));
    }
  }

  /** Everyone whose durable copy a commit waits for, but ourselves. */
  #acknowledgementSet(): Link[] {
    return [...this.#links.values()].filter(isAwaited);
  }

  #hasPromises(): boolean {
    const { clock, wall } = this.world.env;
    return this.hasPromisesAt(clock.now(), wallAheadMs(clock, wall));
  }

  /** As `isServing`, for whoever looks at many in one moment. */
  isServingAt(now: Instant, aheadMs: number): boolean {
    return this.#phase === 'serving' && this.hasPromisesAt(now, aheadMs);
  }

  hasPromisesAt(now: Instant, aheadMs: number): boolean {
    for (const link of this.#links.values()) {
      if (!isAwaited(link)) continue;
      if (link.promisedUntil <= now) return false;
      if (Math.abs(link.promisedWallAheadMs - aheadMs) >= clockStepMsMax) return false;
    }
    return true;
  }

  /**
   * Looks after slots: restarts, drops, promotes, retires. An OSD asks it of thousands of groups five times a second:
   * one at rest is known by a few comparisons.
   */
  reconcile(): void {
    if (this.#reconciling || this.#phase === 'ended' || this.#phase === 'starting') return;
    if (this.#isAtRest()) return;
    this.#wake();
    this.#reconciling = true;
    spawnFor(this.world, this.pg, 'reconcile', async () => {
      try {
        await this.#reconcileOnce();
      } catch (error) {
        this.world.env.log.write('info', 'reconcile failed', { pg: this.pg, error: String(error) });
      } finally {
        this.#reconciling = false;
      }
    });
  }

  async #reconcileOnce(): Promise<void> {
    await this.#dropSilent();
    if (this.#phase !== 'serving') return;
    await this.#keepCommitPoint();
    const now = this.world.env.clock.now();
    if (this.disk.damagedCount > 0 && now >= this.#repairAt) {
      this.#repairAt = (now + repairRestMs) as Instant;
      await this.repairMine();
    }
    if (this.#handover.isDue)
      spawnFor(this.world, this.pg, 'hand over', () => this.#handover.run());
    for (const link of [...this.#links.values()]) await this.#promoteIfReady(link);
    const removed = this.#record.slots;
    const { map } = this.world.mon;
    const outcome = await this.#propose((record) =>
      map === undefined ? undefined : retire(record, this.layout, map, this.#nonce()),
    );
    if (outcome.kind === 'accepted') this.#discardRetired(removed);
    const isMade = outcome.kind === 'nothing' && map === this.world.mon.map;
    this.#restMap = isMade ? map : undefined;
    this.#restRecord = isMade && removed === this.#record.slots ? this.#record : undefined;
  }

  /** Nothing of what a look sees has changed since one found nothing to do: nobody to drop, promote, retire or repair. */
  #isAtRest(): boolean {
    if (this.#phase !== 'serving' || this.#restRecord !== this.#record) return false;
    if (this.#restMap !== this.world.mon.map || this.disk.damagedCount > 0) return false;
    if (this.#handover.isDue) return false;
    if (this.#keptCommit !== this.#committed && this.#committed === this.disk.head.sequence)
      return false;
    for (const link of this.#links.values())
      if (!link.isLive || link.slot.state !== 'in-sync' || link.mustGo) return false;
    return true;
  }

  /** When writes rest, the commit point is made durable everywhere: a later start then knows it. */
  async #keepCommitPoint(): Promise<void> {
    if (this.#keptCommit === this.#committed || this.#committed !== this.disk.head.sequence) return;
    const committed = this.#committed;
    for (const link of this.#acknowledgementSet())
      if (link.isLive) link.tell({ kind: 'commit', pg: this.pg, tenure: this.#tenure, committed });
    await this.disk.keepCommitted();
    this.#keptCommit = committed;
  }

  async #dropSilent(): Promise<void> {
    const { map } = this.world.mon;
    if (map === undefined) return;
    const now = this.world.env.clock.now();
    const victims = new Set<Uuid>();
    for (const link of this.inSyncLinks()) {
      if (
        link.isLive ||
        (link.collected !== undefined && this.#phase === 'adopting' && link.isOpen)
      )
        continue;
      const osd = map.osds.find((each) => each.uuid === link.slot.uuid);
      const isGone = osd === undefined || !osd.up || osd.destroyed;
      if (isGone || link.mustGo || now - link.troubledSince > dropAfterMs)
        victims.add(link.slot.uuid);
    }
    if (victims.size === 0) return;
    const outcome = await this.#propose((record) =>
      drop(record, victims, this.layout, map, this.#nonce()),
    );
    if (outcome.kind === 'accepted')
      this.world.env.log.write('warn', 'members dropped', { pg: this.pg, count: victims.size });
  }

  async #promoteIfReady(link: Link): Promise<void> {
    if (link.slot.state !== 'joining' || !link.isComplete || !link.isLive || this.hasEnded) return;
    const { map } = this.world.mon;
    if (map === undefined) return;
    // Rule 17: from here on every commit waits for it; it is promoted when it has what came before.
    link.isPromoting = true;
    const head = this.disk.head.sequence;
    const deadline = this.world.env.clock.now() + dropAfterMs;
    while (
      link.isLive &&
      !this.hasEnded &&
      (link.acked < head || link.promisedUntil <= this.world.env.clock.now())
    ) {
      if (this.world.env.clock.now() > deadline) break;
      await sleep(this.world.env.clock, 5, 'promotion');
    }
    const isReady =
      link.isLive &&
      link.isComplete &&
      link.acked >= head &&
      link.promisedUntil > this.world.env.clock.now();
    if (isReady && !this.hasEnded) {
      const outcome = await this.#propose((record) =>
        promote(record, link.slot.uuid, this.layout, map, this.#nonce()),
      );
      if (outcome.kind === 'accepted') this.#tellScrubs(link);
    }
    link.isPromoting = false;
    this.#advance();
  }

  #discardRetired(before: readonly Slot[]): void {
    for (const slot of before) {
      if (slotOf(this.#record, slot.uuid) !== undefined) continue;
      this.world.peers
        .session(slot.uuid)
        .then((session) =>
          session.notify({
            message: { kind: 'discard', pg: this.pg, version: this.#record.version },
          }),
        )
        .catch(() => {});
    }
  }

  /** A disk holds data of this PG and is not on its record: all that counts is on others once it is clean. */
  discardLeftOver(session: Session): void {
    if (!this.isServing || !isClean(this.#record, this.layout)) return;
    if (slotOf(this.#record, session.peer.uuid) !== undefined) return;
    session.notify({ message: { kind: 'discard', pg: this.pg, version: this.#record.version } });
  }

  /**
   * One change of the record. A proposal whose answer was lost is proposed again as it is: its nonce and
   * version make that harmless, and its fate is known only from an answer (rule 12).
   */
  #propose(
    build: (record: PgRecord) => PgRecord | undefined,
  ): Promise<{ kind: 'accepted'; proposed: PgRecord } | { kind: 'nothing' | 'refused' }> {
    return this.#proposals.run(async () => {
      const proposed = this.hasEnded ? undefined : build(this.#record);
      if (proposed === undefined) return { kind: 'nothing' };
      while (!this.hasEnded) {
        try {
          const answer = await this.world.mon.ask(
            { kind: 'propose', record: proposed },
            'proposed',
          );
          const isOurs =
            answer.accepted ||
            (answer.current.version === proposed.version &&
              answer.current.nonce === proposed.nonce);
          if (isOurs && this.#phase === 'starting') this.#tenure = proposed.tenure;
          this.world.mon.learn(answer.current);
          this.onRecord(answer.current);
          if (isOurs) return { kind: 'accepted', proposed };
          this.world.env.log.write('debug', 'proposal refused', {
            pg: this.pg,
            reason: answer.reason,
          });
          return { kind: 'refused' };
        } catch (error) {
          if (!(error instanceof NetError)) throw error;
          this.#waiting = this.#phase === 'serving' ? this.#waiting : 'a monitor';
          await sleep(this.world.env.clock, 200, 'proposal again');
        }
      }
      return { kind: 'refused' };
    });
  }

  #nonce(): string {
    return formatHex(this.world.env.secrets.bytes(8));
  }

  // ——— ordering and committing ———

  /** Orders an effect: the one place where entries are made. The caller holds the order turnstile. */
  #submit(
    effect: Effect,
    request: LiveRequest | undefined,
    result: Uint8Array,
    set: ShardSet | undefined,
  ): number {
    const sequence = this.disk.head.sequence + 1;
    const version: Version = { tenure: this.#tenure, sequence };
    const entry: LogEntry = { version, previous: this.disk.head, request, result, effect };
    const { index } = this.mySlot;
    const encoded = encode(logEntryCodec, entry);
    let durable: Promise<void>;
    try {
      durable = this.disk.append(
        entry,
        set === undefined
          ? undefined
          : { index, views: [set.of(index)], checksums: set.checksumsOf(index) },
        encoded,
        'gathered',
      );
    } catch (error) {
      throw storeRefusal(error);
    }
    this.#noteEffect(effect);
    const shards = set === undefined ? undefined : new SharedShards(set);
    // The disk may still be writing from it when everybody else is done.
    const written = shards?.hold();
    if (written !== undefined) durable.then(written, written);
    if (shards !== undefined) this.#pendingShards.set(sequence, { shards, release: shards.hold() });
    for (const link of this.#links.values()) {
      if (!link.isLive) continue;
      link.send(
        sequence,
        encoded,
        shards === undefined ? { kind: 'none' } : sharedShard(shards, link.slot.index),
      );
    }
    for (const name of namesOf(effect)) this.#pendingObjects.set(name, sequence);
    durable.then(
      () => {
        this.#durable = Math.max(this.#durable, sequence);
        this.#advance();
      },
      (error: unknown) => {
        this.end(`the disk failed: ${String(error)}`);
      },
    );
    // A large shard is worth a write and a sync of its own.
    if (set !== undefined && set.of(index).length > gatheredBytesMax) this.#begin();
    else this.#beginSoon();
    return sequence;
  }

  /**
   * At the end of this turn, or when what began before is stable: until then entries are gathered, so that
   * one sync of each disk and one message to each member serve them all.
   */
  #beginSoon(): void {
    if (this.#isBeginning || this.#stable < this.#begun) return;
    this.#isBeginning = true;
    this.world.env.clock.after(0, 'begin entries', () => {
      this.#isBeginning = false;
      if (!this.hasEnded && this.#stable >= this.#begun) this.#begin();
    });
  }

  #begin(): void {
    this.#begun = this.disk.head.sequence;
    this.world.store.begin();
    for (const link of this.#links.values()) link.sendBegun();
  }

  /**
   * Looks how far everybody in the acknowledgement set is. Called after anything that may raise it.
   *
   * An entry that all of them have is *stable*: in-sync members never roll back and only they are
   * elected, so it can be read. It is *committed*, and its writer told, only while they are enough to
   * survive a further failure: below the write floor nothing is acknowledged, which is what makes a
   * dropped slot eligible (rule 14).
   */
  #advance(): void {
    if (this.#phase !== 'serving') return;
    let stable = this.#durable;
    for (const link of this.#acknowledgementSet()) stable = Math.min(stable, link.acked);
    if (stable > this.#stable) {
      this.#stable = stable;
      for (const [name, sequence] of this.#pendingObjects)
        if (sequence <= stable) this.#pendingObjects.delete(name);
      for (const [sequence, pending] of this.#pendingShards) {
        if (sequence > stable) continue;
        this.#pendingShards.delete(sequence);
        pending.release();
      }
      this.#readers.reached(stable);
      if (this.disk.head.sequence > this.#begun) this.#beginSoon();
    }
    const floorFault = this.#floorFault();
    if (floorFault !== undefined) {
      this.#writers.refuse(floorFault);
      return;
    }
    if (this.#stable <= this.#committed) return;
    this.#committed = this.#stable;
    this.disk.noteCommitted(this.#committed);
    this.#writers.reached(this.#committed);
  }

  onLinkProgress(): void {
    this.#advance();
    this.#wake();
  }

  onLinkChange(): void {
    this.#wake();
  }

  /** Resolves when the entry may be acknowledged; rejects when the tenure, or the write floor, ends first. */
  #untilCommitted(sequence: number): Promise<void> {
    if (sequence <= this.#committed) return Promise.resolve();
    const fault = this.#endedFault() ?? this.#floorFault();
    return fault === undefined ? this.#writers.wait(sequence) : Promise.reject(fault);
  }

  /** Resolves when what the entry did may be read. */
  #untilStable(sequence: number): Promise<void> {
    if (sequence <= this.#stable) return Promise.resolve();
    const fault = this.#endedFault();
    return fault === undefined ? this.#readers.wait(sequence) : Promise.reject(fault);
  }

  #endedFault(): OsdError | undefined {
    return this.hasEnded
      ? new OsdError('not-primary', `${this.pg}: ${this.#endedReason}`)
      : undefined;
  }

  #requireServing(): void {
    if (this.#phase === 'ended')
      throw new OsdError('not-primary', `${this.pg}: ${this.#endedReason}`);
    if (this.#phase !== 'serving')
      throw new OsdError('not-primary', `${this.pg} waits for ${this.#waiting}`);
  }

  /**
   * Before what was read is told (rule 7). No clock counts while a virtual machine is paused with all of them; where that may
   * be, every member is asked after the value was read (rule 11): whoever serves or served since is one of them, and refuses.
   */
  async #confirmRead(): Promise<void> {
    this.#requirePromises();
    if (settingOf(this.world.mon.map, 'confirm_reads') === 0) return;
    this.#confirmations ??= new Rounds(() => this.#askMembers());
    await this.#confirmations.join();
    this.#requirePromises();
  }

  async #askMembers(): Promise<void> {
    const items = [{ pg: this.pg, tenure: this.#tenure }];
    await Promise.all(
      this.#acknowledgementSet().map(async ({ slot }) => {
        const session = this.world.peers.openSession(slot.uuid);
        const answer = await session
          ?.request({ message: { kind: 'promise', items } }, holderLeaseMs)
          .catch(() => undefined);
        if (answer?.message.kind !== 'promised' || answer.message.items.length === 0)
          throw new OsdError('not-primary', `${this.pg}: osd.${slot.osd} confirms no reads`);
      }),
    );
  }

  /** After the last await. */
  #requirePromises(): void {
    this.#requireServing();
    if (!this.#hasPromises())
      throw new OsdError('not-primary', `${this.pg} waits for promises of its in-sync members`);
  }

  #requireWritable(dataBytes: number): void {
    this.#requireServing();
    const floorFault = this.#floorFault();
    if (floorFault !== undefined) {
      this.world.env.log.write('debug', 'write refused below the floor', { pg: this.pg });
      throw floorFault;
    }
    if (dataBytes === 0) return;
    const fullest = Math.max(
      usedPermille(this.world.store),
      ...this.#acknowledgementSet().map((link) => link.usedPermille),
    );
    if (fullest >= fullPermille)
      throw new OsdError('no-space', `${this.pg}: a disk is ${Math.floor(fullest / 10)} % full`);
  }

  /** A draining layout takes no blobs: what is put there would have to be moved at once (rule 31). */
  #requireActiveLayout(): void {
    const { map } = this.world.mon;
    const { pool, layout } = parsePgId(this.pg);
    const now = map === undefined ? undefined : findLayout(map, pool, layout);
    if (now?.drainingSince !== undefined)
      throw new OsdError(
        'draining',
        `${this.pg}: its pool has another layout since epoch ${now.drainingSince}`,
      );
  }

  /** Why nothing can be acknowledged now; undefined when enough slots are in-sync. */
  #floorFault(): OsdError | undefined {
    const { map } = this.world.mon;
    if (map !== undefined && hasWriteFloor(this.#record, this.layout, map)) return undefined;
    const inSync = slotsIn(this.#record, 'in-sync').map((slot) => `osd.${slot.osd}`);
    const away = this.#record.slots
      .filter((slot) => slot.state !== 'in-sync')
      .map((slot) => `osd.${slot.osd} ${slot.state}`);
    return new OsdError(
      'below-floor',
      `${this.pg} has only ${inSync.join(' ')} in-sync (${away.join(', ')}): too few to write safely`,
    );
  }

  /** Runs a request once, however often it comes (rule 5). */
  #once(request: Request, work: () => Promise<Outgoing>): Promise<Outgoing> {
    const name = `${request.client}.${request.counter}`;
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const done = work().finally(() => this.#running.delete(name));
    this.#running.set(name, done);
    return done;
  }

  /** The answer that the request was given before, once it is committed; undefined when it is new. */
  async #answered(request: Request): Promise<Uint8Array | undefined> {
    const answer = await this.disk.answerOf(request).catch((error: unknown) => {
      if (this.disk.damagedRow(error) === undefined) throw error;
      return this.inOrderRepairing(() => this.disk.answerOf(request));
    });
    if (answer === undefined) return undefined;
    if (answer === 'forgotten') throw new OsdError('bad-request', 'the request ended long ago');
    await this.#untilCommitted(answer.sequence);
    await this.#confirmRead();
    this.world.env.log.write('debug', 'request answered again', { pg: this.pg });
    return answer.result;
  }

  // ——— clients ———

  call(message: Omit<MessageOf<'call-in-turn'>, 'kind'>): Promise<Outgoing> {
    return this.#once(message.request, () => this.#call(message));
  }

  async #call(message: Omit<MessageOf<'call-in-turn'>, 'kind'>): Promise<Outgoing> {
    this.#requireServing();
    this.#requireCopies();
    if (message.object === groupsOwn) throw new OsdError('bad-request', 'an object has a name');
    if (message.turn > turnMax) throw new OsdError('bad-request', `turn ${message.turn}`);
    const method = this.world.methods.get(message.method);
    if (method === undefined) throw new OsdError('bad-request', `no method ${message.method}`);
    const before = await this.#answered(message.request);
    if (before !== undefined) return { message: { kind: 'result', result: before } };
    await this.#order.acquire();
    let outcome: MethodOutcome | undefined;
    let verdict: Verdict;
    let sequence: number;
    try {
      this.#requireServing();
      verdict = await this.#repairing(() => this.#handover.judge(message.object, message.turn));
      this.#requireServing();
      if (verdict.kind === 'moved') sequence = this.#pendingObjects.get(objectName(groupsOwn)) ?? 0;
      else {
        const next = { tenure: this.#tenure, sequence: this.disk.head.sequence + 1 };
        const context = {
          version: this.#handover.versionIn(message.turn, next),
          wallMs: this.world.env.wall.nowMs(),
        };
        outcome = await this.#repairing(() =>
          method(this.#viewOf(message.object), message.argument, context),
        );
        this.#requireServing();
        sequence = this.#pendingObjects.get(objectName(message.object)) ?? 0;
      }
      if (outcome !== undefined && outcome.effects.length > 0) {
        if (verdict.kind === 'read')
          throw new OsdError('busy', `${this.pg}: ${message.object} is being handed over`);
        checkOutcome(outcome);
        // What removes a row may note, in another, what is to be collected: a full disk must take that.
        const frees =
          outcome.reclaims === true || outcome.effects.some((effect) => effect.kind === 'delete');
        this.#requireWritable(frees ? 0 : 1);
        sequence = this.#submit(
          { kind: 'rows', object: message.object, effects: outcome.effects },
          message.request,
          outcome.result,
          undefined,
        );
      }
    } finally {
      this.#order.release();
    }
    if (outcome !== undefined && outcome.effects.length > 0) await this.#untilCommitted(sequence);
    else {
      await this.#untilStable(sequence);
      await this.#confirmRead();
    }
    if (verdict.kind === 'moved') return { message: verdict };
    assert(outcome !== undefined, 'what is not moved was called');
    return { message: { kind: 'result', result: outcome.result } };
  }

  /**
   * Objects are in copies. A map that was edited by hand may have got its pool a layout of another kind, and whoever
   * asks there must not take it for empty.
   */
  #requireCopies(): void {
    const { geometry } = this.layout;
    if (geometry.kind === 'copies') return;
    throw new OsdError(
      'draining',
      `${this.pg} is of ${formatGeometry(geometry)}, which keeps no objects: those of its pool are in another layout`,
    );
  }

  /** Rows of an object that comes here from another layout (osd/handover.ts). */
  async takeRows(message: MessageOf<'push-rows'>): Promise<Outgoing> {
    this.#requireServing();
    this.#requireCopies();
    const taken = await this.#handover.take(message);
    return { message: taken === 'taken' ? { kind: 'ok' } : { kind: 'moved', turn: message.turn } };
  }

  get leads(): boolean {
    return this.#phase === 'serving';
  }

  requireWritable(dataBytes: number): void {
    this.#requireWritable(dataBytes);
  }

  submitRows(object: string, effects: readonly RowEffect[]): number {
    return this.#submit({ kind: 'rows', object, effects }, undefined, emptyBytes, undefined);
  }

  untilCommitted(sequence: number): Promise<void> {
    return this.#untilCommitted(sequence);
  }

  #viewOf(object: string): MethodView {
    const { disk } = this;
    return {
      get: (key) => disk.row(object, key),
      getMany: (keys) => disk.rows(object, keys),
      scan: (range) => disk.scanRows(object, range),
    };
  }

  putBlob(incoming: Incoming): Promise<Outgoing> {
    const message = incoming.message as MessageOf<'put-blob'>;
    return this.#once(message.request, () => this.#putBlob(message, incoming));
  }

  async #putBlob(message: MessageOf<'put-blob'>, incoming: Incoming): Promise<Outgoing> {
    const { payload } = incoming;
    if (payload.length === 0) throw new OsdError('bad-request', 'a blob has bytes');
    if (incoming.payloadCrc !== message.blobCrc)
      throw new OsdError('bad-request', 'the blob is not what its checksum says');
    this.#requireActiveLayout();
    this.#requireServing();
    // First: what was done must not be answered as if a full disk had refused it.
    if ((await this.#answered(message.request)) !== undefined) return { message: { kind: 'ok' } };
    this.#requireWritable(payload.length);
    const { geometry } = this.layout;
    const facts: BlobFacts = {
      blob: message.blob,
      geometry,
      blobBytes: payload.length,
      blobCrc: message.blobCrc,
    };
    // Copies are made of the payload itself.
    if (geometry.kind === 'copies') incoming.keepsPayload = true;
    const shards = await this.#admit(geometry, incoming);
    const sequence = await this.#order.run(async () => {
      try {
        this.#requireActiveLayout();
        this.#requireWritable(payload.length);
        return this.#submit({ kind: 'put-blob', ...facts }, message.request, emptyBytes, shards);
      } catch (error) {
        shards.release();
        throw error;
      }
    });
    await this.#untilCommitted(sequence);
    return { message: { kind: 'ok' } };
  }

  /** The shards of a blob, once there is room for them; given back with their memory. */
  async #admit(geometry: Geometry, incoming: Incoming): Promise<ShardSet> {
    const { payload, payloadChecksums } = incoming;
    const { ingest } = this.world;
    const bytes = storedBytes(geometry, payload.length);
    await this.world.memory.admitPut();
    await ingest.acquire(bytes);
    const set = shardsOf(geometry, payload, payloadChecksums);
    return {
      of: (index) => set.of(index),
      checksumsOf: (index) => set.checksumsOf(index),
      bytes: set.bytes,
      release: () => {
        set.release();
        ingest.release(bytes);
      },
    };
  }

  deleteBlob(message: MessageOf<'delete-blob'>): Promise<Outgoing> {
    return this.#once(message.request, async () => {
      this.#requireServing();
      if ((await this.#answered(message.request)) !== undefined) return { message: { kind: 'ok' } };
      this.#requireWritable(0);
      const sequence = await this.#order.run(async () => {
        this.#requireWritable(0);
        return this.#submit(
          { kind: 'delete-blob', blob: message.blob },
          message.request,
          emptyBytes,
          undefined,
        );
      });
      await this.#untilCommitted(sequence);
      return { message: { kind: 'ok' } };
    });
  }

  async listBlobs(message: MessageOf<'list-blobs'>): Promise<Outgoing> {
    this.#requireServing();
    const blobs = await this.disk.listBlobs(message.after, Math.min(message.limit, 1000));
    await this.#untilStable(this.disk.head.sequence);
    await this.#confirmRead();
    return { message: { kind: 'blobs', blobs } };
  }

  async readBlob(message: MessageOf<'read-blob'>): Promise<Outgoing> {
    this.#requireServing();
    const listing = await this.#shards.listingOf(message.blob);
    // After the look: it may have met what was ordered beside it, which others have yet to store (rule 3).
    await this.#untilSettled(message.blob);
    if (listing === undefined) {
      await this.#confirmRead();
      throw new OsdError('no-such-blob', `${this.pg}: no blob ${formatBlobId(message.blob)}`);
    }
    const { facts } = listing;
    const range = { offsetBytes: message.offsetBytes, lengthBytes: message.lengthBytes };
    if (range.lengthBytes < 1 || range.offsetBytes + range.lengthBytes > facts.blobBytes)
      throw new OsdError(
        'bad-request',
        `bytes ${range.offsetBytes} + ${range.lengthBytes} of a blob of ${facts.blobBytes}`,
      );
    const bytes =
      (await this.#shards.readDirect(listing, range)) ??
      (await this.#shards.readDecoded(facts, range));
    if (bytes === undefined) {
      const left = await this.disk.listing(message.blob);
      await this.#untilSettled(message.blob);
      if (left !== undefined) throw this.#shards.tooFewShards(message.blob);
      await this.#confirmRead();
      throw new OsdError('no-such-blob', `${this.pg}: deleted meanwhile`);
    }
    const release = (): void => buffers.release(bytes);
    try {
      await this.#confirmRead();
    } catch (error) {
      release();
      throw error;
    }
    return { message: { kind: 'bytes' }, payload: [bytes], release };
  }

  /** Resolves when what was last ordered of the blob may be read. */
  async #untilSettled(blob: BlobId): Promise<void> {
    const pending = this.#pendingObjects.get(formatBlobId(blob));
    if (pending !== undefined) await this.#untilStable(pending);
  }

  /** What a member gets beside an entry that is sent again. */
  async shardFor(entry: LogEntry, index: number): Promise<Shard> {
    if (entry.effect.kind !== 'put-blob') return { kind: 'none' };
    const { blob } = entry.effect;
    const pending = this.#pendingShards.get(entry.version.sequence);
    if (pending !== undefined) {
      if (pending.shards.isIntact(index)) return sharedShard(pending.shards, index);
      // The member would refuse it for ever: what is here is not what came.
      const reason = `the shard ${index} of ${formatBlobId(blob)} has changed in memory`;
      this.end(reason);
      throw new OsdError('failed', `${this.pg}: ${reason}`);
    }
    const facts = factsOf(entry.effect);
    // Removed, or removed and put again in another way: then the later put's own entry brings it.
    const isRemoved = async (): Promise<boolean> => {
      const listing = await this.disk.listing(blob);
      return listing === undefined || !isSameBlob(listing.facts, facts);
    };
    if (await isRemoved()) return { kind: 'none' };
    const bytes = await this.#shards.rebuildShard(facts, index);
    if (bytes !== undefined)
      return { kind: 'beside', bytes, crc: undefined, sent: () => buffers.release(bytes) };
    if (await isRemoved()) return { kind: 'none' };
    throw this.#shards.tooFewShards(blob);
  }

  /** A shard to push to a member that misses it or holds it damaged; undefined when the blob is gone. */
  async shardToPush(
    blob: BlobId,
    slot: Slot,
  ): Promise<{ listing: BlobListing; bytes: Uint8Array } | undefined> {
    const listing = await this.disk.listing(blob);
    if (listing === undefined) return undefined;
    const bytes = await this.#shards.rebuildShard(listing.facts, slot.index, slot.uuid);
    if (bytes !== undefined) return { listing: { ...listing, index: slot.index }, bytes };
    if ((await this.disk.listing(blob)) === undefined) return undefined;
    throw this.#shards.tooFewShards(blob);
  }

  async confirmLost(blob: BlobId, slot: Slot): Promise<BlobListing | undefined> {
    const listing = await this.disk.listing(blob);
    if (listing === undefined) return undefined;
    // Others that are in sync may have yet to be sent theirs. (Below the write floor nothing is committed, and still lost.)
    if (listing.version.sequence > this.#stable)
      throw new OsdError('failed', `${this.pg}: ${formatBlobId(blob)} is still being put`);
    if (await canBeRead(this, listing))
      throw new OsdError('failed', `${this.pg}: ${formatBlobId(blob)} can be read after all`);
    if ((await this.disk.listing(blob)) === undefined) return undefined;
    this.world.env.log.write('warn', 'object lost', { pg: this.pg, blob: formatBlobId(blob) });
    return { ...listing, index: slot.index };
  }

  /** Repairs this disk's own bad shards from the others; returns how many stay bad. */
  async repairMine(blobs: readonly BlobId[] = this.disk.damaged(64)): Promise<number> {
    for (const blob of blobs) {
      const listing = await this.#shards.listingOf(blob).catch(() => undefined);
      if (listing === undefined) continue;
      const bytes = await this.#shards.rebuildShard(
        listing.facts,
        this.mySlot.index,
        this.world.self.uuid,
      );
      if (bytes === undefined) continue;
      await this.#storeRebuilt(bytes, async () => {
        const here = await this.disk.listing(blob).catch(() => listing);
        if (here !== undefined) await this.disk.storePushed(listing, [bytes]);
      });
      this.world.env.log.write('info', 'shard repaired', { pg: this.pg, osd: this.world.self.id });
    }
    return this.disk.damagedCount;
  }

  /** A member found shards of its own that do not verify; none: it has no such any more. Said again until they do. */
  repairMember(uuid: Uuid, blobs: readonly BlobId[]): void {
    const link = this.#links.get(uuid);
    if (link === undefined || !link.isLive || link.isBeingRepaired) return;
    link.damaged = blobs.length;
    if (blobs.length === 0) return;
    link.isBeingRepaired = true;
    spawnFor(this.world, this.pg, 'repair', () =>
      this.#pushGoodShards(link, blobs).finally(() => {
        link.isBeingRepaired = false;
      }),
    );
  }

  async #pushGoodShards(link: Link, blobs: readonly BlobId[]): Promise<void> {
    for (const blob of blobs) {
      await this.world.recoveries.acquire();
      const turn = this.world.recoveryShare.begin();
      try {
        await link.pushBlob(blob, 'replace');
        link.damaged = Math.max(0, link.damaged - 1);
        this.world.env.log.write('info', 'shard repaired', {
          pg: this.pg,
          osd: link.slot.osd,
          blob: formatBlobId(blob),
        });
        await turn.rest();
      } catch (error) {
        this.world.env.log.write('warn', 'shard not repaired', {
          pg: this.pg,
          osd: link.slot.osd,
          error: describeError(error),
        });
      } finally {
        this.world.recoveries.release();
      }
    }
  }

  /** Runs with nothing being ordered: what is read then is at the head. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    return this.#order.run(work);
  }

  inOrderRepairing<T>(work: () => Promise<T>): Promise<T> {
    return this.#order.run(() => this.#repairing(work));
  }

  /** Repairs this disk's own rows in a range; answers how many it repaired. */
  async repairMyRows(read: () => Promise<unknown>): Promise<number> {
    const before = this.#rowsRepaired;
    await this.inOrderRepairing(read).catch(() => {});
    return this.#rowsRepaired - before;
  }

  /**
   * Reads rows. One that does not verify is replaced by a member's, and then it reads again (rule 26). The caller holds the
   * order turnstile: what the member has behind all that was sent is then what is wanted here.
   */
  async #repairing<T>(read: () => Promise<T>): Promise<T> {
    for (let repairs = 0; ; repairs++) {
      try {
        return await read();
      } catch (error) {
        const key = this.disk.damagedRow(error);
        if (key === undefined || repairs === rowRepairsMax || !(await this.#repairMyRow(key)))
          throw error;
      }
    }
  }

  async #repairMyRow(key: Uint8Array): Promise<boolean> {
    const { pg } = this;
    for (const link of this.inSyncLinks()) {
      if (!link.isLive || this.hasEnded || link.version < 2) continue;
      const end = concatBytes([key, new Uint8Array(1)]);
      const question = { kind: 'read-rows', pg, tenure: this.#tenure, begin: key, end } as const;
      const answer = await link.ask(question, 'rows').catch(() => undefined);
      // Theirs is bad too, or they are gone.
      if (answer === undefined) continue;
      await this.member.alone(() => this.disk.repairRow(key, answer.rows[0]?.value));
      this.#rowsRepaired++;
      this.world.env.log.write('info', 'row repaired', { pg, osd: this.world.self.id });
      return true;
    }
    return false;
  }

  async repairUnreadable(blobs: readonly BlobId[]): Promise<void> {
    for (const blob of blobs) await this.disk.markDamaged(blob);
    await this.repairMine(blobs);
    const bad = blobs.find((blob) => this.disk.isDamaged(blob));
    if (bad !== undefined) throw this.#shards.tooFewShards(bad);
  }

  /** A scrub of the whole PG has ended. Every member keeps when, since each may lead next. */
  async noteScrubbed(deep: boolean): Promise<void> {
    const now = this.world.env.wall.nowMs();
    await this.disk.noteScrubs({ light: now, deep: deep ? now : this.disk.scrubs.deep });
    for (const link of this.inSyncLinks()) this.#tellScrubs(link);
  }

  #tellScrubs(link: Link): void {
    if (!link.isLive || link.version < scrubEndedSince) return;
    const { light, deep } = this.disk.scrubs;
    const { pg, tenure } = this;
    link.tell({ kind: 'scrub-ended', pg, tenure, lightWallMs: light, deepWallMs: deep });
  }

  set isScrubbing(value: boolean) {
    this.#isScrubbing = value;
  }

  get isScrubbing(): boolean {
    return this.#isScrubbing;
  }

  async report(): Promise<PgReport> {
    const missing = [...this.#links.values()].reduce((sum, link) => sum + link.missing, 0);
    const { counts, scrubs } = this.disk;
    const rows = this.#hasRows ?? (await this.#look('rows'));
    const hasBlobs = this.#hasBlobs ?? (await this.#look('blobs'));
    const blobs = hasBlobs ? Math.max(1, counts.blobs) : 0;
    // Until it is sealed, names may come to it that nobody would look for in the other layout.
    const isHeld = rows || this.#handover.isUnfinished;
    return {
      pg: this.pg,
      serving: this.isServing,
      objects: blobs + (isHeld ? 1 : 0),
      bytes: counts.bytes,
      waiting: this.#waiting === '' ? this.#handover.waiting : this.#waiting,
      rows: isHeld,
      missing,
      damaged:
        this.disk.damagedCount +
        [...this.#links.values()].reduce((sum, link) => sum + link.damaged, 0),
      scrubbedWallMs: scrubs.light,
      deepScrubbedWallMs: scrubs.deep,
      scrubbing: this.#isScrubbing,
    };
  }

  /**
   * A delete of what is not there counts as well, so that only the listing says whether nothing is here: a layout is
   * removed by this word (rule 31). What was seen is remembered until an entry may have changed it, and looked at once
   * more when it begins to serve: a primary at rest, or one that waits, reads nothing each second.
   */
  async #look(kind: 'rows' | 'blobs'): Promise<boolean> {
    const { head } = this.disk;
    const phase = this.#phase;
    const isHere =
      kind === 'rows'
        ? await this.disk.hasRows()
        : (await this.disk.listBlobs(undefined, 1)).length > 0;
    if (phase === this.#phase && head === this.disk.head) {
      if (kind === 'rows') this.#hasRows = isHere;
      else this.#hasBlobs = isHere;
    }
    return isHere;
  }

  /** An entry that puts leaves something here; after one that removes nobody knows. */
  #noteEffect(effect: Effect): void {
    if (effect.kind === 'put-blob') this.#hasBlobs = true;
    else if (effect.kind !== 'rows') this.#hasBlobs = undefined;
    else if (effect.object === groupsOwn) this.#hasRows = undefined;
    else if (effect.effects.length > 0)
      this.#hasRows = effect.effects.every(({ kind }) => kind === 'put') ? true : undefined;
  }

  /** Words for a person who wants to know what it does. */
  describe(): string {
    const now = this.world.env.clock.now();
    const links = [...this.#links.values()].map(
      (link) =>
        `osd.${link.slot.osd} ${link.slot.state} ${link.isLive ? 'live' : 'not live'}${link.isOpen ? '' : ' closed'}${link.collected === undefined ? ' uncollected' : ''} acked ${link.acked} promise ${Math.max(-1, Math.floor(link.promisedUntil - now))} ms`,
    );
    return `${this.#phase} tenure ${this.#tenure} head ${this.disk.head.sequence} stable ${this.#stable} committed ${this.#committed} waits for: ${this.#waiting}; ${links.join('; ')}`;
  }

  /** For the round of leases: whom to ask, and what they are asked for. */
  leaseTargets(): Uuid[] {
    if (this.#phase !== 'adopting' && this.#phase !== 'serving') return [];
    return [...this.#links.values()]
      .filter((link) => link.collected !== undefined && link.isOpen)
      .map((link) => link.slot.uuid);
  }

  promised(
    uuid: Uuid,
    promise: {
      readonly until: Instant;
      readonly aheadMs: number;
      readonly usedPermille: number;
    },
  ): void {
    const link = this.#links.get(uuid);
    if (link === undefined || link.collected === undefined) return;
    if (promise.until > link.promisedUntil) {
      link.promisedUntil = promise.until;
      link.promisedWallAheadMs = promise.aheadMs;
    }
    link.usedPermille = promise.usedPermille;
    this.#wake();
  }
}

function nothingWaits(): void {}

/** A commit waits for its durable copy. */
function isAwaited({ slot, isPromoting }: Link): boolean {
  return slot.state === 'in-sync' || isPromoting;
}

function byName(listings: readonly BlobListing[]): Map<string, BlobListing> {
  return new Map(listings.map((listing) => [formatBlobId(listing.facts.blob), listing]));
}

/** An entry in a member's log is no shard: it may have come without one (rule 20). */
function isHeldByEnough(
  told: readonly Told[],
  put: { readonly blob: BlobId; readonly geometry: Geometry },
  { sequence }: Version,
): boolean {
  const name = formatBlobId(put.blob);
  const holders = told.filter(
    ({ head, missing }) => head.sequence >= sequence && !missing.has(name),
  );
  return new Set(holders.map(({ index }) => index)).size >= shardsNeeded(put.geometry);
}

function objectName(object: string): string {
  return `object ${object}`;
}

function removes(effect: Effect, blob: BlobId): boolean {
  const isIt = (each: BlobId): boolean => formatBlobId(each) === formatBlobId(blob);
  return (
    (effect.kind === 'delete-blob' && isIt(effect.blob)) ||
    (effect.kind === 'abandon' && effect.blobs.some(isIt))
  );
}

function namesOf(effect: Effect): string[] {
  switch (effect.kind) {
    case 'rows':
      return [objectName(effect.object)];
    case 'put-blob':
    case 'delete-blob':
      return [formatBlobId(effect.blob)];
    case 'abandon':
      return effect.blobs.map(formatBlobId);
  }
}

function checkOutcome(outcome: MethodOutcome): void {
  let bytes = outcome.result.length;
  for (const effect of outcome.effects) {
    if (effect.key.length < 1 || effect.key.length > 3072)
      throw new OsdError('too-large', `a row key of ${effect.key.length} bytes`);
    bytes += effect.key.length + (effect.kind === 'put' ? effect.value.length : 0);
  }
  if (bytes > callBytesMax)
    throw new OsdError('too-large', `a call with ${bytes} bytes of effects and result`);
}

function storeRefusal(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  if (error.code === 'no-space') return new OsdError('no-space', error.message, { cause: error });
  if (error.code === 'overloaded') return new OsdError('busy', error.message, { cause: error });
  if (error.code === 'too-large') return new OsdError('too-large', error.message, { cause: error });
  return error;
}

/** What a member gets of a set that others hold, too. */
function sharedShard(shards: SharedShards, index: number): Shard {
  return {
    kind: 'beside',
    bytes: shards.of(index),
    crc: shards.crcOf(index),
    sent: shards.hold(),
  };
}
