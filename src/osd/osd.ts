// One OSD: a disk, the PGs on it, and the talk about them. Starts what the newest records say is here and
// leads what they say it leads; a PG whose bytes can't be understood is stopped alone, with its reason
// (promise P5).

import { encodeUtf8 } from '../base/bytes.ts';
import { type Carried, decode, encode, option, struct, uint, versioned } from '../base/codec.ts';
import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import { isPgId, uuid } from '../base/ids.ts';
import { memoryBudgetBytesDefault, memoryShares } from '../base/memory-budget.ts';
import type { Methods } from '../base/method.ts';
import { Permits } from '../base/turnstile.ts';
import type { Instant, Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import { EnvError } from '../env/errors.ts';
import type { Address } from '../env/network.ts';
import { type ClusterMap, clusterMapCodec, isRetired } from '../map/cluster-map.ts';
import {
  isBeginner,
  leadsBy,
  mayHaveBeenSaid,
  type PgRecord,
  type SlotState,
  slotOf,
} from '../map/pg-record.ts';
import { type SettingName, settingOf } from '../map/settings.ts';
import { NetError } from '../net/errors.ts';
import { type Identity, type SessionServer, serveSessions } from '../net/handshake.ts';
import { pairKey } from '../net/keys.ts';
import { MonLink } from '../net/mon-link.ts';
import { describeError, type Incoming, type Outgoing, type Session } from '../net/session.ts';
import { ObjectStore, type StoreOptions } from '../store/object-store.ts';
import { Transaction } from '../store/transaction.ts';
import { zeroVersion } from '../wire/entry.ts';
import {
  handoversSince,
  type Message,
  type MessageOf,
  type PgReport,
  stoppedWords,
} from '../wire/messages.ts';
import { type Belief, Beliefs } from './beliefs.ts';
import { CommitStarter } from './commit-starter.ts';
import { OsdError } from './errors.ts';
import { removeLeftOver } from './leftovers.ts';
import { Member } from './member.ts';
import { MemoryGuard, type MemoryReport } from './memory-guard.ts';
import { Peers } from './peers.ts';
import { PgDisk } from './pg-disk.ts';
import { Primary, reconcileMs } from './primary.ts';
import {
  GivenPromises,
  giverLeaseMs,
  holderLeaseMs,
  leaseRoundMs,
  wallAheadMs,
} from './promises.ts';
import { scrubPg } from './scrub.ts';
import { ClientWork, Share } from './share.ts';
import { Starts } from './starts.ts';
import { Trash } from './trash.ts';
import { spawnFor, type Taken, usedPermille, type World } from './world.ts';

export interface OsdOptions {
  readonly identity: Identity;
  readonly osdId: OsdId;
  /** This daemon's own key (net/keys.ts). */
  readonly key: Uint8Array;
  readonly mon: { readonly address: Address; readonly uuid: Uuid };
  readonly listen: Address;
  /** Another address, where that one was taken by the time the disk was read. Default: the OSD does not start. */
  readonly listenElse?: () => Promise<Address>;
  readonly store: StoreOptions;
  readonly methods: Methods;
  /** PGs that are not to be started, and why: the daemon crashed by them. Default: none. */
  readonly leftOut?: ReadonlyMap<PgId, string>;
  /** Default 256 MiB; 128 MiB at least. */
  readonly memoryBudgetBytes?: number;
  /**
   * When this process began, where that is known and the disk was another process's before: promises of
   * an earlier life were given before it. Default: now.
   */
  readonly bornAt?: Instant;
}

const beaconMs = 1000;

/** Between two times that primaries are told of what is bad here, as a primary tries to repair what is bad at its own. */
const damageMs = 5000;

/** PGs asked for their reports at once, and reports of one beacon. */
const reportsAtOnce = 16;
const beaconReportsMax = 1024;

/** PGs read at once when the OSD starts: a disk answers several questions in the time of one, and each holds little. */
const loadsAtOnce = 16;

/** With more PGs than these, a change of how many serve is told when it is over, or with the next beacon. */
const toldAtOnce = 256;

/** A PG is compared once a day and read whole once a week, as is usual. */
const lightScrubMs = 24 * 3600 * 1000;
const deepScrubMs = 7 * lightScrubMs;

/** Between two looks for an overdue PG: spreads them, and a new cluster's first scrubs too. */
const scrubLookMs = 60_000;

/** Blobs pushed or slices backfilled at once by one OSD: recovery in bounded steps beside clients. */
const recoveriesAtOnce = 4;
const scrubsAtOnce = 1;

/** Collection of the OSD's own rows. */
const ownCollection = 'osd';
const mapKey = encodeUtf8('map');
/** The map store it heard of last, and whether the monitor has yet to hear that groups were lost. */
const marksKey = encodeUtf8('marks');
const marksCodec = versioned(
  'marks of a disk',
  1,
  struct({ lostGroups: uint, seen: option(struct({ id: uuid, revision: uint })) }),
);
type Marks = Carried<typeof marksCodec>;
const noMarks: Marks = { lostGroups: 0, seen: undefined };

interface Stopped {
  /**
   * `unreadable`: its rows do not verify, and are no use to anybody. `left-out`: it may be as it should, but the daemon
   * crashed by it again and again.
   */
  readonly kind: 'unreadable' | 'left-out';
  readonly reason: string;
}

/** For rows that are handed over to be committed elsewhere: a write may wait for a member to be dropped. */
const pushAnswerMs = 10_000;

/** The monitor answers when it has heard the others that were up, or after its grace. */
const bootAnswerMs = 15_000;

export async function startOsd(env: Env, options: OsdOptions): Promise<Osd> {
  const store = await ObjectStore.open(env.files, options.store);
  const osd = new Osd(env, options, store);
  await osd.load();
  await osd.listen();
  return osd;
}

/** Why a group can't be led from here that is not stopped. */
const incompleteWords = 'this disk lost what it held, and is filled again once another leads';

export class Osd {
  readonly #env: Env;
  readonly #options: OsdOptions;
  readonly #store: ObjectStore;
  readonly #world: World;
  readonly #members = new Map<PgId, Member>();
  readonly #primaries = new Map<PgId, Primary>();
  /** PGs that can't be started here, and why. */
  readonly #stopped = new Map<PgId, Stopped>();
  /** Stopped PGs that are being removed, to be filled again. */
  readonly #clearing = new Map<PgId, Promise<void>>();
  readonly #trash: Trash;
  /** What peers said while no monitor answered. */
  readonly #beliefs: Beliefs;
  #isJudging = false;
  readonly #clientWork = new ClientWork();
  /** Lost PGs whose disk is being made ready to begin again. */
  readonly #beginning = new Set<PgId>();
  /** PGs that come back from the trash. */
  readonly #reviving = new Map<PgId, Promise<void>>();
  #server: SessionServer | undefined;
  #scrubTimer: Timer | undefined;
  #closed = false;
  /** PGs that served when the last beacon was sent. */
  #servingTold = 0;
  /** And when it was looked at last. */
  #servingSeen = 0;
  #marks: Marks = noMarks;
  #isKeepingMarks = false;
  #isRemovingLeftOver = false;
  #isReporting = false;
  #damageToldAt = Number.NEGATIVE_INFINITY;
  #hasHeard = false;
  #keptMap: ClusterMap | undefined;

  constructor(env: Env, options: OsdOptions, store: ObjectStore) {
    this.#env = env;
    this.#options = options;
    this.#store = store;
    this.#trash = new Trash(env, store, ownCollection);
    this.#beliefs = new Beliefs(store, ownCollection);
    for (const [pg, reason] of options.leftOut ?? [])
      this.#stopped.set(pg, { kind: 'left-out', reason });
    const mon = new MonLink(env, {
      identity: options.identity,
      key: options.key,
      mon: options.mon,
      changed: (change) => this.#onChange(change),
      connected: (session) => this.#boot(session),
      told: (message) => this.#onTold(message),
    });
    const budgetBytes = options.memoryBudgetBytes ?? memoryBudgetBytesDefault;
    const recoveries = new Permits(recoveriesAtOnce);
    const scrubs = new Permits(scrubsAtOnce);
    const shareOf = (name: SettingName): Share =>
      new Share(env.clock, this.#clientWork, () => settingOf(mon.map, name));
    this.#world = {
      env,
      self: { uuid: options.identity.uuid, id: options.osdId },
      store,
      commits: new CommitStarter(env.clock, store),
      mon,
      peers: new Peers(env, {
        identity: options.identity,
        mon,
        handle: (session, incoming) => this.#handle(session, incoming),
      }),
      promises: new GivenPromises(env.clock),
      methods: options.methods,
      quietUntil: env.clock.now(),
      ingest: new Permits(memoryShares(budgetBytes).ingestBytes),
      recoveries,
      catchUps: new Map(),
      starts: new Starts(env.clock, (pg) => this.#beginWaiting(pg)),
      scrubs,
      recoveryShare: shareOf('recovery_share_percent'),
      scrubShare: shareOf('scrub_share_percent'),
      memory: new MemoryGuard(env, budgetBytes, [
        { permits: recoveries, count: recoveriesAtOnce },
        { permits: scrubs, count: scrubsAtOnce },
      ]),
      pushRows: (message) => this.#pushRows(message),
    };
  }

  get address(): Address {
    return this.#server?.listener.address ?? '';
  }

  get store(): ObjectStore {
    return this.#store;
  }

  /** How it stands with its budget, as it last looked. */
  get memory(): MemoryReport {
    return this.#world.memory.report;
  }

  /** What is held in memory for others: by the store, for requests under way, and as shards not yet stable. */
  get heldBytes(): { readonly store: number; readonly requests: number; readonly shards: number } {
    let requests = 0;
    const sessions = [...(this.#server?.sessions ?? []), ...this.#world.peers.sessions];
    for (const session of sessions) requests += session.handlingBytes + session.unsentBytes;
    let shards = 0;
    for (const primary of this.#primaries.values()) shards += primary.pendingShardBytes;
    return { store: this.#store.usage().heldBytes, requests, shards };
  }

  /** Of each PG it leads now; for tests and the simulator's checkers. */
  primaryOf(pg: PgId): Primary | undefined {
    return this.#primaries.get(pg);
  }

  /** Of all PGs that it leads now; for the simulator's checkers. */
  get primaries(): Iterable<Primary> {
    return this.#primaries.values();
  }

  /** What it would go by if it started again; for the simulator's edits by hand. */
  get keptMap(): ClusterMap | undefined {
    return this.#keptMap;
  }

  /** PGs that this disk has something of. */
  get pgs(): readonly PgId[] {
    return [...this.#members.keys()];
  }

  memberOf(pg: PgId): Member | undefined {
    return this.#members.get(pg);
  }

  /** Removes what left this disk and was kept. */
  emptyTrash(): Promise<void> {
    return this.#trash.empty();
  }

  /** Reads what the disk knows of its PGs. */
  async load(): Promise<void> {
    if (this.#store.superblockCopiesMended > 0)
      this.#env.log.write('warn', 'superblock read from its copy');
    const collections = await this.#store.collections();
    const pgs = collections.filter((name) => name.startsWith('pg/')).map((name) => name.slice(3));
    await this.#trash.load();
    await this.#beliefs.load();
    const here = pgs.filter(
      (pg): pg is PgId => isPgId(pg) && !this.#trash.has(pg) && !this.#stopped.has(pg),
    );
    for (let at = 0; at < here.length; at += loadsAtOnce)
      await this.#loadPgs(here.slice(at, at + loadsAtOnce));
    // Not to be read is like never written: the next mark is kept in its place.
    const marks = await this.#store.get(ownCollection, marksKey).catch(() => undefined);
    if (marks !== undefined) this.#marks = decode(marksCodec, marks);
    if (this.#store.lostGroupCount > 0) await this.#noteLostGroups();
    // A disk that never was in a PG never promised anything.
    if (pgs.length > 0)
      this.#world.quietUntil = ((this.#options.bornAt ?? this.#env.clock.now()) +
        giverLeaseMs) as Instant;
    const map = await this.#store.get(ownCollection, mapKey).catch(() => undefined);
    this.#keptMap = map === undefined ? undefined : decode(clusterMapCodec, map);
    const records = [...this.#members.values()].map((member) => member.disk.record);
    this.#world.mon.remember(this.#keptMap, records);
  }

  /**
   * Nobody knows what was in the groups that are gone (rule 21): every PG here begins anew, beside what can
   * still be read. In the store's first transaction, which also notes that they are gone.
   */
  async #noteLostGroups(): Promise<void> {
    const transaction = new Transaction();
    for (const member of this.#members.values()) member.disk.forgetCompleteness(transaction);
    this.#marks = { ...this.#marks, lostGroups: this.#store.lostGroupCount };
    transaction.put(ownCollection, marksKey, encode(marksCodec, this.#marks));
    await this.#store.commit(transaction);
    this.#env.log.write('error', 'groups of transactions were lost', {
      count: this.#store.lostGroupCount,
    });
  }

  /** Those that can't be understood are stopped; the order is that of `pgs`, whatever is read first. */
  async #loadPgs(pgs: readonly PgId[]): Promise<void> {
    const load = async (pg: PgId): Promise<PgDisk | Stopped | undefined> => {
      try {
        return await PgDisk.load(this.#store, pg);
      } catch (error) {
        return { kind: 'unreadable', reason: describeError(error) };
      }
    };
    const loaded = await Promise.all(pgs.map(load));
    for (const [at, pg] of pgs.entries()) {
      const disk = loaded[at];
      if (disk instanceof PgDisk) this.#addMember(disk);
      else if (disk !== undefined) {
        this.#stopped.set(pg, disk);
        this.#env.log.write('error', 'placement group stopped', { pg, error: disk.reason });
      }
    }
  }

  async listen(): Promise<void> {
    const { listen, listenElse } = this.#options;
    this.#server = await this.#serve(listen).catch(async (error: unknown) => {
      if (!(error instanceof EnvError && error.code === 'address-in-use' && listenElse))
        throw error;
      return this.#serve(await listenElse());
    });
    // Only now: a record that came before the disk was read would make known PGs look new.
    this.#world.mon.start();
    this.#env.clock.after(leaseRoundMs, 'lease round', () => this.#leaseRound());
    this.#env.clock.after(reconcileMs, 'reconcile', () => this.#tick());
    this.#env.clock.after(beaconMs, 'beacon', () => this.#beacon());
    this.#scrubTimer = this.#env.clock.after(scrubLookMs, 'scrub look', () => this.#scrubOverdue());
  }

  #serve(address: Address): Promise<SessionServer> {
    return serveSessions(this.#env, this.#options.identity, {
      address,
      keyOf: (role, uuid) => {
        if (role !== 'osd' && role !== 's3' && role !== 'nbd')
          return `role ${role} does not talk to an OSD`;
        const destroyed =
          this.#world.mon.map?.osds.some((osd) => osd.uuid === uuid && osd.destroyed) === true;
        return destroyed ? `osd ${uuid} was destroyed` : pairKey(this.#options.key, role, uuid);
      },
      handle: (session, incoming) => this.#handle(session, incoming),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    // The other timers end by themselves within moments.
    this.#scrubTimer?.cancel();
    for (const primary of this.#primaries.values()) primary.end('the OSD stops');
    this.#world.mon.close();
    this.#world.peers.close();
    await this.#server?.close();
    await this.#store.close();
  }

  // ——— the monitor ———

  async #boot(session: Session): Promise<void> {
    const { capacityBytes, usedBytes } = this.#store.usage();
    const usage = { capacityBytes, usedBytes };
    const { sequence } = this.#store;
    const { lostGroups, seen } = this.#marks;
    // Before its boot, so that the monitor knows by then whether the map that it has just shown was taken.
    session.notify({ message: this.#beaconOf([]) });
    const { message } = await session.request(
      { message: { kind: 'boot', address: this.address, usage, sequence, lostGroups, seen } },
      bootAnswerMs,
    );
    if (message.kind === 'failure') throw new NetError('refused', message.detail);
    if (lostGroups > 0) this.#keepMarks({ lostGroups: 0 });
  }

  /** Written one after the other, the newest only; what a crash takes back is told or heard again. */
  #keepMarks(edit: Partial<Marks>): void {
    this.#marks = { ...this.#marks, ...edit };
    if (this.#isKeepingMarks || this.#closed) return;
    this.#isKeepingMarks = true;
    this.#env.tasks.spawn('keep marks', async () => {
      try {
        let kept: Marks | undefined;
        while (kept !== this.#marks && !this.#closed) {
          kept = this.#marks;
          const transaction = new Transaction();
          transaction.put(ownCollection, marksKey, encode(marksCodec, kept));
          await this.#store.commit(transaction);
        }
      } catch (error) {
        this.#env.log.write('warn', 'marks not kept', { error: describeError(error) });
      } finally {
        this.#isKeepingMarks = false;
      }
    });
  }

  #onChange(change: { map: boolean; records: readonly PgRecord[] }): void {
    if (this.#closed) return;
    if (change.map) this.#env.tasks.spawn('keep map', () => this.#keepMap());
    // The first word after a start may be of the map that this disk remembers.
    if (change.map || !this.#hasHeard) this.#removeLeftOver();
    this.#hasHeard = true;
    const records = change.map ? [...this.#world.mon.records.values()] : change.records;
    for (const record of records) this.#follow(record);
    // Who is down by it is dropped now, not with the next look.
    if (change.map) for (const primary of this.#primaries.values()) primary.reconcile();
  }

  /** PGs whose layout the map has no more are led by nobody; what they held goes (osd/leftovers.ts). */
  #removeLeftOver(): void {
    const { map } = this.#world.mon;
    if (map === undefined || this.#isRemovingLeftOver) return;
    // Nobody knows whether they are empty.
    for (const pg of this.#unreadable())
      if (isRetired(pg, map)) this.#putInTrash(pg, 0, Promise.resolve());
    const left = [...this.#members.values()].filter(({ pg }) => isRetired(pg, map));
    if (left.length === 0) return;
    for (const { pg } of left) {
      this.#primaries.get(pg)?.end('its layout is gone');
      this.#primaries.delete(pg);
    }
    this.#isRemovingLeftOver = true;
    this.#env.tasks.spawn('leftovers', async () => {
      try {
        for (const member of left) {
          if (this.#closed) return;
          const wallMs = this.#env.wall.nowMs();
          if (await removeLeftOver(this.#store, ownCollection, member, wallMs))
            this.#members.delete(member.pg);
        }
      } catch (error) {
        // Tried again at the next look.
        this.#env.log.write('warn', 'leftovers not removed', { error: describeError(error) });
      } finally {
        this.#isRemovingLeftOver = false;
      }
    });
  }

  async #keepMap(): Promise<void> {
    const { map } = this.#world.mon;
    if (map === undefined || this.#closed) return;
    const transaction = new Transaction();
    transaction.put(ownCollection, mapKey, encode(clusterMapCodec, map));
    try {
      await this.#store.commit(transaction);
      this.#keptMap = map;
    } catch (error) {
      this.#env.log.write('warn', 'map not kept', { error: describeError(error) });
    }
  }

  #onTold(message: Message): Message | undefined {
    switch (message.kind) {
      case 'scrub-pg':
        this.#scrub(message.pg, message.deep);
        return undefined;
      case 'map-store':
        this.#keepMarks({ seen: { id: message.id, revision: message.revision } });
        return undefined;
      case 'tell-known':
        return this.#tellKnown();
      default:
        return undefined;
    }
  }

  #tellKnown(): MessageOf<'known'> {
    const { map, records } = this.#world.mon;
    const newest = new Map(records);
    for (const { pg, record } of this.#members.values())
      if ((newest.get(pg)?.version ?? 0) < record.version) newest.set(pg, record);
    return { kind: 'known', map, records: [...newest.values()] };
  }

  #scrub(pg: PgId, deep: boolean): void {
    const primary = this.#primaries.get(pg);
    if (primary === undefined || primary.isScrubbing) return;
    primary.isScrubbing = true;
    spawnFor(this.#world, pg, 'scrub', async () => {
      try {
        await scrubPg(primary, deep);
      } catch (error) {
        this.#env.log.write('warn', 'scrub failed', { pg, error: describeError(error) });
      } finally {
        primary.isScrubbing = false;
      }
    });
  }

  /** One overdue PG at a time, the longest unscrubbed first: never more than one scrub by itself an OSD. */
  #scrubOverdue(): void {
    if (this.#closed) return;
    this.#scrubTimer = this.#env.clock.after(scrubLookMs, 'scrub look', () => this.#scrubOverdue());
    this.#removeLeftOver();
    const now = this.#env.wall.nowMs();
    const idle = [...this.#primaries.values()].filter((primary) => primary.isServing);
    if (idle.some((primary) => primary.isScrubbing)) return;
    const oldest = (kind: 'light' | 'deep'): Primary | undefined =>
      idle.reduce<Primary | undefined>(
        (best, each) =>
          best === undefined || each.disk.scrubs[kind] < best.disk.scrubs[kind] ? each : best,
        undefined,
      );
    const deep = oldest('deep');
    const light = oldest('light');
    if (deep !== undefined && Math.abs(now - deep.disk.scrubs.deep) > deepScrubMs)
      this.#scrub(deep.pg, true);
    else if (light !== undefined && Math.abs(now - light.disk.scrubs.light) > lightScrubMs)
      this.#scrub(light.pg, false);
  }

  #beacon(): void {
    if (this.#closed) return;
    this.#env.clock.after(beaconMs, 'beacon', () => this.#beacon());
    this.#report(this.#servingCount());
    this.#tellLeftOvers();
    this.#tellDamage();
    this.#judgeBeliefs();
    this.#env.tasks.spawn('look for space', async () => {
      try {
        if (this.#closed) return;
        await this.#store.lookForSpace();
        await this.#trash.tidy();
      } catch (error) {
        this.#env.log.write('warn', 'trash not removed', { error: describeError(error) });
      }
    });
  }

  /** What a record no longer names stays until its primary says that it is not needed (rule 16). */
  #tellLeftOvers(): void {
    for (const pg of [...this.#pgsUnnamed(), ...this.#unreadable()]) {
      const record = this.#world.mon.records.get(pg);
      if (record?.primary === undefined || slotOf(record, this.#world.self.uuid) !== undefined)
        continue;
      const session = this.#world.peers.openSession(record.primary);
      if (session !== undefined && session.peer.version >= 2)
        session.notify({ message: { kind: 'left-over', pg } });
      else this.#world.peers.session(record.primary).catch(() => {});
    }
  }

  #tellDamage(): void {
    const now = this.#env.clock.now();
    if (now < this.#damageToldAt + damageMs) return;
    this.#damageToldAt = now;
    for (const member of this.#members.values()) member.tellDamageAgain();
  }

  /** PGs here whose record does not name this disk. */
  #pgsUnnamed(): readonly PgId[] {
    const { mon, self } = this.#world;
    const unnamed: PgId[] = [];
    for (const pg of this.#members.keys()) {
      const record = mon.records.get(pg);
      if (record !== undefined && slotOf(record, self.uuid) === undefined) unnamed.push(pg);
    }
    return unnamed;
  }

  /** One at a time: what a PG that has just begun holds is looked up on the disk, which takes its time. */
  #report(serving: number): void {
    if (this.#isReporting) {
      // A sign of life all the same.
      this.#world.mon.tell(this.#beaconOf([]));
      return;
    }
    this.#isReporting = true;
    this.#servingTold = serving;
    this.#env.tasks.spawn('beacon', async () => {
      try {
        await this.#tellReports();
      } finally {
        this.#isReporting = false;
      }
    });
  }

  async #tellReports(): Promise<void> {
    const primaries = [...this.#primaries.values()];
    // What is said on the way is said under this map, whichever comes meanwhile.
    const epoch = this.#epoch;
    let reports: PgReport[] = [];
    for (let at = 0; at < primaries.length; at += reportsAtOnce) {
      const some = primaries.slice(at, at + reportsAtOnce).filter(({ hasEnded }) => !hasEnded);
      const told = await Promise.all(some.map((each) => each.report().catch(() => undefined)));
      reports.push(...told.filter((report) => report !== undefined));
      if (this.#closed) return;
      if (reports.length < beaconReportsMax) continue;
      this.#world.mon.tell(this.#beaconOf(reports, epoch));
      reports = [];
    }
    this.#world.mon.tell(this.#beaconOf(reports, epoch));
    this.#world.mon.tell({ kind: 'memory', ...this.#world.memory.report }, 3);
  }

  get #epoch(): Epoch {
    return this.#world.mon.map?.epoch ?? (0 as Epoch);
  }

  #beaconOf(reports: readonly PgReport[], epoch = this.#epoch): MessageOf<'beacon'> {
    const { capacityBytes, usedBytes } = this.#store.usage();
    return {
      kind: 'beacon',
      usage: { capacityBytes, usedBytes },
      sequence: this.#store.sequence,
      epoch,
      refusedMap: this.#world.mon.refusedMap,
      reports,
      stopped: [
        ...[...this.#stopped].map(([pg, { reason }]) => stoppedWords(pg, reason)),
        ...this.#incomplete().map((pg) => stoppedWords(pg, incompleteWords)),
      ],
    };
  }

  /** Groups of which this disk has lost something, while the record still counts on it: it must not be asked to lead. */
  #incomplete(): PgId[] {
    const { self, mon } = this.#world;
    const found: PgId[] = [];
    for (const { pg, isWhole, record } of this.#members.values()) {
      if (isWhole || slotOf(record, self.uuid)?.state !== 'in-sync') continue;
      // What is left over of a layout that is gone is kept for a time, and led by nobody.
      if (mon.map === undefined || !isRetired(pg, mon.map)) found.push(pg);
    }
    return found;
  }

  #servingCount(): number {
    const now = this.#env.clock.now();
    const aheadMs = wallAheadMs(this.#env.clock, this.#env.wall);
    let count = 0;
    for (const primary of this.#primaries.values()) if (primary.isServingAt(now, aheadMs)) count++;
    return count;
  }

  // ——— placement groups ———

  /** Starts, feeds or ends what a record says about this OSD. */
  #follow(record: PgRecord): void {
    const { self } = this.#world;
    const primary = this.#primaries.get(record.pg);
    primary?.onRecord(record);
    if (primary?.hasEnded === true) this.#primaries.delete(record.pg);
    if (record.primary !== self.uuid || this.#primaries.has(record.pg)) return;
    // This disk may have accepted a tenure that nobody was given.
    if (this.#beliefs.of(record.pg) !== undefined) return;
    const slot = slotOf(record, self.uuid);
    if (slot !== undefined && isBeginner(slot)) {
      this.#beginAgain(record, slot.state);
      return;
    }
    if (slot?.state !== 'in-sync') return;
    const { starts } = this.#world;
    if (!starts.may(record.pg)) return;
    const member = this.#member(record);
    if (member?.isWhole !== true) this.#leaveLead(record);
    const layout = member?.layout();
    if (member === undefined || layout === undefined || !member.isWhole) starts.ended(record.pg);
    else this.#primaries.set(record.pg, new Primary(this.#world, { member, layout, record }));
  }

  /** It is the PG's turn, if it is still to be led from here. */
  #beginWaiting(pg: PgId): boolean {
    const record = this.#world.mon.records.get(pg);
    if (record !== undefined && !this.#closed) this.#follow(record);
    return this.#primaries.has(pg);
  }

  /** What is stopped here, or incomplete, can still be led from another disk; asked for again with each look. */
  #leaveLead({ pg, tenure }: PgRecord): void {
    this.#world.mon.tell({ kind: 'cannot-lead', pg, tenure }, 2);
  }

  /**
   * A lost PG begins again from this disk: with what is here, taken for all there is, or with nothing. Done again
   * after a crash, since nothing is served before the record says that it has begun.
   */
  #beginAgain(record: PgRecord, state: SlotState): void {
    const { pg } = record;
    if (this.#beginning.has(pg)) return;
    this.#beginning.add(pg);
    spawnFor(this.#world, pg, 'begin again', async () => {
      try {
        await this.#revive(pg);
        if (state === 'founding') await this.#erase(pg);
        const member = this.#member(record);
        await member?.alone(() => member.disk.takeForWhole());
        const layout = member?.layout();
        const now = this.#world.mon.records.get(pg);
        const slot = now === undefined ? undefined : slotOf(now, this.#world.self.uuid);
        const isStill = slot?.state === state && now?.primary === this.#world.self.uuid;
        if (this.#closed || !isStill || member === undefined || layout === undefined) return;
        this.#primaries.set(pg, new Primary(this.#world, { member, layout, record: now }));
      } catch (error) {
        // Tried again with the next look.
        this.#env.log.write('warn', 'lost pg can not begin', { pg, error: describeError(error) });
      } finally {
        this.#beginning.delete(pg);
      }
    });
  }

  /** Everything of the PG on this disk, also where it can't be understood. */
  async #erase(pg: PgId): Promise<void> {
    const member = this.#members.get(pg);
    const work = (): Promise<void> => {
      member?.disk.leave();
      return PgDisk.discard(this.#store, pg);
    };
    await (member === undefined ? work() : member.alone(work));
    this.#members.delete(pg);
    this.#stopped.delete(pg);
  }

  /**
   * A PG that can't be understood here is filled again like one of an empty disk, once its primary has let this disk
   * go and asks it to join: then nothing that was acknowledged depends on what is here (rule 15). Only by the monitor's
   * word, and by that of now: a primary that was deposed may ask long after this disk has become in-sync again.
   */
  #clearStopped(pg: PgId): Promise<void> {
    const underWay = this.#clearing.get(pg);
    if (underWay !== undefined) return underWay;
    if (this.#stopped.get(pg)?.kind !== 'unreadable' || this.#joining(pg) === undefined)
      return Promise.resolve();
    const done = this.#beginJoining(pg).finally(() => this.#clearing.delete(pg));
    this.#clearing.set(pg, done);
    return done;
  }

  async #beginJoining(pg: PgId): Promise<void> {
    await PgDisk.discard(this.#store, pg);
    this.#env.log.write('warn', 'unreadable placement group removed', { pg });
    const record = this.#joining(pg);
    // It stays stopped where it is not asked to join any more: found empty, it would be taken for a new one.
    if (record === undefined || this.#closed) return;
    this.#stopped.delete(pg);
    this.#addMember(PgDisk.create(this.#store, record, false));
  }

  /** The newest record known, where this disk is asked to join by it. */
  #joining(pg: PgId): PgRecord | undefined {
    if (this.#beliefs.of(pg) !== undefined) return undefined;
    const record = this.#world.mon.records.get(pg);
    const state = record && slotOf(record, this.#world.self.uuid)?.state;
    return state === 'joining' ? record : undefined;
  }

  /** The PG's member here, made when the record names this disk; undefined when it is stopped. */
  #member(record: PgRecord): Member | undefined {
    const known = this.#members.get(record.pg);
    if (known !== undefined) return known;
    if (this.#stopped.has(record.pg)) return undefined;
    // A slot that is in-sync and unknown here is one of a new PG; a joining one starts with nothing.
    const slot = slotOf(record, this.#world.self.uuid);
    const isComplete = slot !== undefined && (slot.state === 'in-sync' || isBeginner(slot));
    return this.#addMember(PgDisk.create(this.#store, record, isComplete));
  }

  /** One function for all of them. */
  readonly #endOlder = (pg: PgId, tenure: number): void => {
    const primary = this.#primaries.get(pg);
    if (primary !== undefined && primary.tenure < tenure) primary.end('a newer tenure began');
  };

  #addMember(disk: PgDisk): Member {
    const member = new Member(this.#world, disk);
    member.onNewTenure(this.#endOlder);
    this.#members.set(disk.pg, member);
    return member;
  }

  #tick(): void {
    if (this.#closed) return;
    this.#env.clock.after(reconcileMs, 'reconcile', () => this.#tick());
    if (this.#store.failed !== undefined) this.#stopForFailedDisk();
    this.#world.memory.look();
    for (const [pg, primary] of this.#primaries) {
      if (!primary.hasEnded) {
        primary.reconcile();
        continue;
      }
      this.#primaries.delete(pg);
      const record = this.#world.mon.records.get(pg);
      if (record !== undefined) this.#follow(record);
    }
    for (const record of this.#world.mon.records.values())
      if (record.primary === this.#world.self.uuid && !this.#primaries.has(record.pg))
        this.#follow(record);
    // Whoever waits for the cluster to serve should not wait for the next beacon, too: it is told when no more come.
    const serving = this.#servingCount();
    if (serving !== this.#servingTold && (serving === this.#servingSeen || serving <= toldAtOnce))
      this.#report(serving);
    this.#servingSeen = serving;
  }

  #leaseRound(): void {
    if (this.#closed) return;
    this.#env.clock.after(leaseRoundMs, 'lease round', () => this.#leaseRound());
    const asks = new Map<Uuid, { pg: PgId; tenure: number }[]>();
    for (const primary of this.#primaries.values())
      for (const uuid of primary.leaseTargets()) {
        const items = asks.get(uuid) ?? [];
        items.push({ pg: primary.pg, tenure: primary.tenure });
        asks.set(uuid, items);
      }
    for (const [uuid, items] of asks) this.askPromises(uuid, items);
  }

  /** Rule 6: a promise answers a request, and counts from when the request was sent. */
  askPromises(uuid: Uuid, items: readonly { pg: PgId; tenure: number }[]): void {
    const session = this.#world.peers.openSession(uuid);
    if (session === undefined) return;
    const until = (this.#env.clock.now() + holderLeaseMs) as Instant;
    const aheadMs = wallAheadMs(this.#env.clock, this.#env.wall);
    session
      .request({ message: { kind: 'promise', items } }, holderLeaseMs)
      .then((answer) => {
        if (answer.message.kind !== 'promised' || !session.isOpen) return;
        for (const { pg, tenure } of answer.message.items) {
          const primary = this.#primaries.get(pg);
          if (primary !== undefined && primary.tenure === tenure)
            primary.promised(uuid, { until, aheadMs, usedPermille: answer.message.usedPermille });
        }
      })
      .catch(() => {});
  }

  #promise(session: Session, message: MessageOf<'promise'>): Outgoing {
    const items = message.items.filter(({ pg, tenure }) => {
      const member = this.#members.get(pg);
      if (member === undefined || member.disk.tenure !== tenure || member.record.tenure > tenure)
        return false;
      if (member.record.primary !== session.peer.uuid) return false;
      return this.#world.promises.give(pg, session.peer.uuid, tenure);
    });
    return { message: { kind: 'promised', items, usedPermille: usedPermille(this.#store) } };
  }

  #discard(session: Session, message: MessageOf<'discard'>): void {
    const record = this.#world.mon.records.get(message.pg);
    const member = this.#members.get(message.pg);
    const isHere = member !== undefined || this.#unreadable().includes(message.pg);
    if (record === undefined || !isHere || record.version < message.version) return;
    if (this.#beliefs.of(message.pg) !== undefined) return;
    if (record.primary !== session.peer.uuid || slotOf(record, this.#world.self.uuid) !== undefined)
      return;
    // On disk behind what it still writes.
    const settled = member?.alone(() => member.disk.flushed()) ?? Promise.resolve();
    this.#putInTrash(message.pg, message.version, settled);
  }

  /** Marked at once, so that a record that brings it back finds it. */
  #putInTrash(pg: PgId, recordVersion: number, settled: Promise<void>): void {
    this.#members.delete(pg);
    this.#stopped.delete(pg);
    this.#env.log.write('debug', 'placement group in the trash', { pg });
    const put = this.#trash.put(pg, recordVersion, settled);
    spawnFor(this.#world, pg, 'discard', () =>
      put.catch((error: unknown) =>
        this.#env.log.write('warn', 'discard failed', { pg, error: describeError(error) }),
      ),
    );
  }

  /** Groups whose rows this disk can't read. */
  #unreadable(): readonly PgId[] {
    return [...this.#stopped].filter(([, { kind }]) => kind === 'unreadable').map(([pg]) => pg);
  }

  /** The PG is on this disk again: what is in the trash of it is used. */
  #revive(pg: PgId): Promise<void> | undefined {
    const underWay = this.#reviving.get(pg);
    if (underWay !== undefined || !this.#trash.has(pg)) return underWay;
    const done = this.#trash
      .take(pg)
      .then(async (isThere) => {
        if (!isThere) return;
        this.#env.log.write('debug', 'placement group out of the trash', { pg });
        await this.#loadPgs([pg]);
      })
      .finally(() => this.#reviving.delete(pg));
    this.#reviving.set(pg, done);
    return done;
  }

  // ——— what peers say of who leads ———

  /**
   * Who leads is the monitor's to say. It is asked where it has not been heard to say so: a peer may have heard it
   * first. Where it does not answer, the peer is believed for now, because the group has to go on without a monitor.
   */
  async #requireSaid(from: Uuid, record: PgRecord): Promise<void> {
    const { pg } = record;
    const { mon } = this.#world;
    if (record.primary !== from)
      throw new OsdError('bad-request', `${pg}: record of another primary`);
    const known = mon.records.get(pg);
    const isBelief = this.#beliefs.of(pg) !== undefined;
    if (!isBelief && known !== undefined && leadsBy(known, record)) return;
    const word = await mon.readRecord(pg);
    if (word === undefined) {
      if (mon.isJudge === false) return;
      if (!isBelief && mayHaveBeenSaid(record, known)) return;
      await this.#beliefs.note(record, () => this.#members.get(pg)?.disk.head ?? zeroVersion);
      mon.believe(record);
      return;
    }
    if (word.record !== undefined) mon.learn(word.record);
    if (word.record !== undefined && leadsBy(word.record, record)) return;
    const { version, tenure } = record;
    this.#env.log.write('warn', 'record that the monitor does not say', { pg, version, tenure });
    throw new OsdError('stale', `${pg}: by the monitor's word ${from} does not lead in ${tenure}`);
  }

  #judgeBeliefs(): void {
    if (this.#isJudging || !this.#world.mon.isConnected || this.#beliefs.pgs.length === 0) return;
    this.#isJudging = true;
    this.#env.tasks.spawn('beliefs', async () => {
      try {
        for (const pg of this.#beliefs.pgs) await this.#judge(pg);
      } catch (error) {
        // Tried again in a moment.
        this.#env.log.write('warn', 'beliefs not judged', { error: describeError(error) });
      } finally {
        this.#isJudging = false;
      }
    });
  }

  /** What the monitor has not said by the end of a round trip that began later, it never said. */
  async #judge(pg: PgId): Promise<void> {
    const { mon } = this.#world;
    const belief = this.#beliefs.of(pg);
    const word = await mon.readRecord(pg);
    if (this.#closed || belief === undefined || this.#beliefs.of(pg) !== belief) return;
    // A monitor of an earlier build will never say so.
    if (word === undefined && mon.isJudge !== false) return;
    if (word !== undefined) await this.#holdAgainst(belief, word.record);
    if (this.#closed) return;
    await this.#beliefs.forget(belief);
    const record = mon.records.get(pg);
    if (record !== undefined) this.#follow(record);
  }

  async #holdAgainst(belief: Belief, word: PgRecord | undefined): Promise<void> {
    const { pg, version, tenure } = belief.record;
    // Before anything is waited for: what the monitor says meanwhile is newer than its answer.
    const isOverruled = this.#world.mon.overrule(belief.record, word);
    if (isOverruled)
      this.#env.log.write('error', 'record of a peer overruled', { pg, version, tenure });
    const member = this.#members.get(pg);
    if (member === undefined || word === undefined || (await member.overrule(belief, word))) return;
    const reason = 'entries came by a record that the monitor never gave';
    this.#env.log.write('error', 'placement group stopped', { pg, error: reason });
    await member.alone(async () => member.disk.leave());
    this.#primaries.get(pg)?.end(reason);
    this.#primaries.delete(pg);
    this.#members.delete(pg);
    this.#stopped.set(pg, { kind: 'unreadable', reason });
  }

  // ——— messages ———

  async #handle(session: Session, incoming: Incoming): Promise<Outgoing | undefined> {
    try {
      return await this.#dispatch(session, incoming);
    } catch (error) {
      if (error instanceof OsdError)
        return { message: { kind: 'failure', code: error.code, detail: error.detail } };
      if (this.#store.failed !== undefined) this.#stopForFailedDisk();
      throw error;
    }
  }

  #stopForFailedDisk(): void {
    this.#env.tasks.spawn('disk', async () => {
      if (!this.#closed && this.#store.failed !== undefined) throw this.#store.failed;
    });
  }

  #dispatch(
    session: Session,
    incoming: Incoming,
  ): Promise<Outgoing | undefined> | Outgoing | undefined {
    const { message } = incoming;
    if (isForClients(session, message)) this.#clientWork.count++;
    switch (message.kind) {
      case 'append':
        return this.#known(message.pg).append(session.peer.uuid, incoming).then(answer);
      case 'append-batch':
        return this.#known(message.pg).appendBatch(session.peer.uuid, incoming).then(answer);
      case 'call':
        return this.#leading(message.pg)
          .call({ ...message, turn: 0 })
          .then((outgoing) => sayMoved(session, outgoing));
      case 'call-in-turn':
        return this.#leading(message.pg).call(message);
      case 'put-blob':
        return this.#leading(message.pg).putBlob(incoming);
      case 'read-blob':
        return this.#leading(message.pg).readBlob(message);
      case 'delete-blob':
        return this.#leading(message.pg).deleteBlob(message);
      case 'list-blobs':
        return this.#leading(message.pg).listBlobs(message);
      case 'read-shard':
        return this.#known(message.pg).readShard(message);
      case 'promise':
        return this.#promise(session, message);
      case 'ping':
        return undefined;
      default:
        if (session.peer.role !== 'osd')
          throw new OsdError('bad-request', `a ${session.peer.role} does not send ${message.kind}`);
        return this.#dispatchPeer(session, incoming);
    }
  }

  async #dispatchPeer(session: Session, incoming: Incoming): Promise<Outgoing | undefined> {
    const { message } = incoming;
    const from = session.peer.uuid;
    switch (message.kind) {
      case 'collect': {
        const { record } = message;
        await this.#requireSaid(from, record);
        await this.#revive(record.pg);
        if (this.#stopped.has(record.pg)) await this.#clearStopped(record.pg);
        const member = this.#members.get(record.pg) ?? this.#member(record);
        if (member === undefined)
          throw new OsdError(
            'failed',
            `${record.pg} is stopped here: ${this.#stopped.get(record.pg)?.reason}`,
          );
        return answer(await member.collect(from, record));
      }
      case 'commit':
        await this.#known(message.pg).committed(from, message);
        return undefined;
      case 'fetch-log':
        return answer(await this.#known(message.pg).fetchLog(from, message));
      case 'reset':
        await this.#known(message.pg).reset(from, message);
        return undefined;
      case 'backfill':
        await this.#known(message.pg).backfill(from, message);
        return undefined;
      case 'missing-blobs':
        return answer({ kind: 'wanted', ...this.#known(message.pg).missingBlobs(from, message) });
      case 'push-blob':
        await this.#known(message.pg).pushBlob(from, incoming);
        return undefined;
      case 'scrub-range':
        return answer(await this.#known(message.pg).scrubRange(from, message));
      case 'blob-lost':
        await this.#known(message.pg).blobLost(from, message);
        return undefined;
      case 'scrub-ended':
        await this.#known(message.pg).scrubEnded(from, message);
        return undefined;
      case 'push-rows':
        return this.#leading(message.pg).takeRows(message);
      case 'repair-rows':
        await this.#known(message.pg).repairRows(from, message);
        return undefined;
      case 'read-rows':
        return answer(await this.#known(message.pg).readRows(from, message));
      case 'release':
        this.#world.promises.release(message.pg, from, message.tenure);
        return undefined;
      case 'discard':
        this.#discard(session, message);
        return undefined;
      case 'left-over':
        this.#leading(message.pg).discardLeftOver(session);
        return undefined;
      case 'report-damage':
        this.#leading(message.pg).repairMember(from, message.blobs);
        return undefined;
      default:
        throw new OsdError('bad-request', `an OSD does not take ${message.kind}`);
    }
  }

  #known(pg: PgId): Member {
    const member = this.#members.get(pg);
    if (member !== undefined) return member;
    // What it holds may be as it should, and `stale` would say that it holds nothing.
    const stopped = this.#stopped.get(pg);
    if (stopped?.kind === 'left-out')
      throw new OsdError('failed', `${pg} is stopped here: ${stopped.reason}`);
    throw new OsdError('stale', `${pg} is not on osd.${this.#options.osdId}`);
  }

  async #pushRows(message: MessageOf<'push-rows'>): Promise<Taken> {
    const { pg } = message;
    const primary = this.#world.mon.records.get(pg)?.primary;
    if (primary === undefined) throw new OsdError('not-primary', `${pg} has no primary`);
    const takenBy = ({ message: said }: { readonly message: Message }): Taken => {
      if (said.kind === 'failure') throw new OsdError(said.code, said.detail);
      return said.kind === 'moved' ? 'ours' : 'taken';
    };
    if (primary === this.#world.self.uuid)
      return takenBy(await this.#leading(pg).takeRows(message));
    const session = await this.#world.peers.session(primary);
    if (session.peer.version < handoversSince)
      throw new OsdError('failed', `${pg} is led by an OSD of an older version`);
    return takenBy(await session.request({ message }, pushAnswerMs));
  }

  #leading(pg: PgId): Primary {
    const primary = this.#primaries.get(pg);
    if (primary === undefined || primary.hasEnded)
      // Nothing was done: it may be asked for elsewhere.
      throw new OsdError('stale', `osd.${this.#options.osdId} does not lead ${pg}`);
    return primary;
  }
}

/**
 * Entries are ordered for clients; whatever a gateway asks is for one. Not the monitor's words and signs of life: an OSD
 * that only has those has nobody to make way for.
 */
function isForClients(session: Session, { kind }: Message): boolean {
  const { role } = session.peer;
  if (role === 'osd') return kind === 'append' || kind === 'append-batch';
  return role !== 'mon' && kind !== 'ping';
}

/** Who speaks an older version has an older map, and asks again until it hears of the newer. */
function sayMoved(session: Session, outgoing: Outgoing): Outgoing {
  if (outgoing.message.kind !== 'moved' || session.peer.version >= handoversSince) return outgoing;
  throw new OsdError('stale', 'the object is in another layout');
}

function answer(message: Message): Outgoing {
  return { message };
}
