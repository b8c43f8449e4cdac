// The monitor: owner of the cluster map and the PG records. One change at a time, each durable in the map
// store before anybody is told. It is not on the data path: with it gone, primaries that run go on.
//
// It elects and lets join; it never makes anyone in-sync (rule 17 is the primary's), and it checks every
// proposal against `proposalFault`.

import { assert } from '../base/assert.ts';
import { formatHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import type { Epoch, OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import { isUuid } from '../base/ids.ts';
import type { Instant, Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Address } from '../env/network.ts';
import {
  type ClusterMap,
  domainOf,
  findOsd,
  findPool,
  type OsdEntry,
  type Pool,
} from '../map/cluster-map.ts';
import {
  type Directory,
  decodeDirectory,
  directoryBytesMax,
  directoryFault,
  encodeDirectory,
} from '../map/directory.ts';
import { formatGeometry, writeFloor } from '../map/geometry.ts';
import { mapFault } from '../map/map-fault.ts';
import {
  acceptRolledBack,
  distinctCount,
  distrust,
  hasWriteFloor,
  isSameSlots,
  nextRecord,
  type PgRecord,
  proposalFault,
  slotOf,
  slotsIn,
} from '../map/pg-record.ts';
import { factsOfSetting, settingFault, settingOf } from '../map/settings.ts';
import { NetError } from '../net/errors.ts';
import { type Identity, type SessionServer, serveSessions } from '../net/handshake.ts';
import { daemonKey, pairKey, sessionsKeyOf } from '../net/keys.ts';
import type { Incoming, Outgoing, Session } from '../net/session.ts';
import {
  directorySince,
  type FailureCode,
  type Message,
  type MessageOf,
  type OsdUsage,
  type PgReport,
  stoppedPg,
} from '../wire/messages.ts';
import { DirectoryCommands } from './directory-commands.ts';
import { MonError } from './errors.ts';
import { LeadEvener, steadyMsDefault } from './even-leads.ts';
import { FailureReports, silenceMs } from './failures.ts';
import { FlapDamper } from './flaps.ts';
import { type InitialDisk, newDisk } from './initial.ts';
import { LayoutTender, type MigrationWord } from './layout-tender.ts';
import { type PgEmptiness, withoutPool } from './layouts.ts';
import { Leases, writerGraceMsDefault } from './leases.ts';
import { LossCommands } from './loss-commands.ts';
import type { MapStore } from './map-store.ts';
import { type NotificationWord, NotificationWords } from './notification-words.ts';
import { judgeOut, type OutVerdict } from './out-policy.ts';
import { layoutOf, otherLead, plan, retarget, withStandInTargets } from './planner.ts';
import { PoolCommands } from './pool-commands.ts';
import { RecordTable } from './record-table.ts';
import { mergeKnown } from './restore.ts';
import { loadState, type MonState, putsFor } from './state.ts';
import { type StoreMark, StoreWitness } from './store-witness.ts';

export interface MonOptions {
  readonly identity: Identity;
  readonly masterKey: Uint8Array;
  readonly listen: Address;
  readonly store: MapStore;
  /** How long a writer that is not heard of counts as alive. Default one hour. */
  readonly writerGraceMs?: number;
  /** How long a disk has to be up before it is asked to lead again. Default one minute. */
  readonly steadyMs?: number;
}

/** What the monitor remembers of one OSD since it started; nothing here is needed after a restart. */
interface OsdSight {
  session: Session | undefined;
  /** Of the session on which it booted last. */
  challenge: number;
  /** Its last sign of life: a boot, a beacon, a ping. */
  heardAt: Instant;
  /** How far its disk's transactions are durable. */
  sequence: number;
  /** Where it listens, as it said when it booted; empty before that. */
  address: Address;
  /** What had to be found out about it before it may be called up is done. */
  hasBooted: boolean;
  usage: OsdUsage;
  stopped: readonly string[];
  /** Of the map it acts on. */
  epoch: Epoch;
  /** Why it does not act on a newer map that it was shown. */
  refusedMap: string;
  /** Why its daemon could not run, as its supervisor told. */
  failure: string;
  /** Undefined: it does not tell. */
  memory: OsdMemory | undefined;
}

/** How an OSD stands with its memory budget (osd/memory-guard.ts). */
export type OsdMemory = Omit<MessageOf<'memory'>, 'kind'>;

/** A change that waits for its turn. */
interface AskedChange {
  readonly decide: (state: MonState) => MonState;
  /** It may be made while the map store is frozen. */
  readonly restores: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

type HeardPgReport = PgReport & {
  readonly osd: OsdId;
  readonly at: Instant;
  /** Of the map that its primary acted on. */
  readonly epoch: Epoch;
};

/** A primary's word that is older than this says nothing about now. */
const reportLifeMs = 5000;

/** How long nobody is dropped or marked down after the monitor started (rule 14's boot grace). */
const bootGraceMs = 5000;
/** And for each thousand PGs that a disk is in, which it reads before it says a word. */
const bootGraceMsPerThousand = 1000;

const tickMs = 500;

/** A tick that comes so late: this process did not run, and can't say of others that they were silent. */
const oversleptMs = 2000;

/** After its start, the monitor waits so long for disks before it works around those that are not there. */
const settleMs = 15_000;

/**
 * Changes that are stored and shown together. A disk that boots asks for thousands at once: between two batches whatever
 * else has come is read, so that nobody's signs of life wait behind all of them.
 */
const changesAtOnce = 512;

/** How often it is made durable how far each disk is (rule 21). */
const keepSequencesMs = 60_000;

/** A disk's weight is its GiB by default; draws by weight are made in 2^20 steps, and this leaves them fine enough. */
const weightMax = 65_536;

export class Monitor {
  readonly users: DirectoryCommands;
  readonly pools: PoolCommands;
  readonly losses: LossCommands;
  readonly #env: Env;
  readonly #options: MonOptions;
  readonly #startedAt: Instant;
  readonly #bootGraceMs: number;
  /** When the last tick was, and since when they come on time. */
  #tickedAt: Instant;
  #awakeSince: Instant;
  #state: MonState;
  #server: SessionServer | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #asked: AskedChange[] = [];
  #closed = false;
  readonly #subscribers = new Set<Session>();
  /** Of them, who was not shown the map yet: see `#mayShowMap`. */
  readonly #waitingForMap = new Set<Session>();
  /** What OSDs said of the map before they booted. */
  readonly #firstWords = new WeakMap<Session, Pick<MessageOf<'beacon'>, 'epoch' | 'refusedMap'>>();
  readonly #sights = new Map<Uuid, OsdSight>();
  readonly #reports = new FailureReports();
  readonly #pgReports = new Map<PgId, HeardPgReport>();
  readonly #layouts = new LayoutTender();
  readonly #leads: LeadEvener;
  readonly #notifications = new NotificationWords();
  readonly #flaps = new FlapDamper();
  /** Waiting before they take part again. */
  readonly #isDamped = new Set<OsdId>();
  #heldIn: OutVerdict['held'] = [];
  #hasSettled = false;
  /** This monitor has just begun, and not all disks have come yet. */
  #awaitsFirst = true;
  /** Slots changed since targets were looked at for all PGs. */
  #isRoundDue = false;
  /** Every disk that should be there was up at once, since this monitor began. */
  #wasComplete = false;
  readonly #leases: Leases;
  readonly #downSince = new Map<OsdId, Instant>();
  readonly #witness: StoreWitness;
  /** Of the map that was in the store: nothing but what a monitor made of it came since. */
  readonly #startedEpoch: Epoch;
  #keepTimer: Timer | undefined;
  /** What OSDs told they know, while this store is an older copy. */
  readonly #known = new Map<Uuid, MessageOf<'known'>>();

  private constructor(env: Env, options: MonOptions, state: MonState) {
    this.#env = env;
    this.#options = options;
    const command = (decide: (state: MonState) => MonState): Promise<void> => this.#command(decide);
    const world = {
      env,
      command,
      state: () => this.#state,
      planned: (before: MonState) => this.#planned(before),
      nonce: () => this.#nonce(),
      requireOsd: (id: OsdId) => this.#requireOsd(id),
      emptinessOf: (pg: PgId) => this.#emptinessOf(pg),
      reportOf: (pg: PgId) => this.#pgReports.get(pg),
      usageOf: (disk: Uuid) => this.#sights.get(disk)?.usage,
      tooOldFor: (version: number) => this.#tooOldFor(version),
      dismiss: (disk: Uuid, why: string) => this.#sights.get(disk)?.session?.close(why),
      requireTakenMap: () => this.#requireTakenMap(),
    };
    this.users = new DirectoryCommands(env, command);
    this.pools = new PoolCommands(world);
    this.losses = new LossCommands(world);
    this.#leases = new Leases(env.clock, options.writerGraceMs ?? writerGraceMsDefault);
    this.#leads = new LeadEvener(options.steadyMs ?? steadyMsDefault);
    this.#state = state;
    this.#startedEpoch = state.map.epoch;
    this.#startedAt = env.clock.now();
    this.#tickedAt = this.#startedAt;
    this.#awakeSince = this.#startedAt;
    const up = state.map.osds.filter((osd) => osd.up && !osd.destroyed);
    this.#bootGraceMs =
      bootGraceMs + bootGraceMsPerThousand * Math.floor(mostSlots(state.records.values()) / 1000);
    this.#witness = new StoreWitness(
      env.clock,
      up.map(({ uuid }) => uuid),
      this.#bootGraceMs,
    );
    this.#last = this.#witness.opened;
  }

  static async start(env: Env, options: MonOptions): Promise<Monitor> {
    const newId = (): Uuid => formatHex(env.secrets.bytes(16)) as Uuid;
    const state = await loadState(options.store, options.identity.fsid, newId);
    if (state === undefined)
      throw new MonError(
        'invalid',
        'the map store is empty, and the cluster is not new: put back the folder that it had',
      );
    const monitor = new Monitor(env, options, state);
    monitor.#server = await serveSessions(env, options.identity, {
      address: options.listen,
      keyOf: (role, uuid) => monitor.#keyOf(role, uuid),
      handle: (session, incoming) => monitor.#handle(session, incoming),
    });
    env.clock.after(tickMs, 'monitor tick', () => monitor.#tick());
    env.tasks.spawn('map store witnessed', async () => {
      await monitor.#witness.judged;
      monitor.#showWaiting();
      await monitor.#witness.opened;
      if (monitor.#closed || monitor.frozen !== undefined) return;
      for (const session of monitor.#subscribers) monitor.#showRecords(session, true);
    });
    monitor.#keepSequencesLater();
    return monitor;
  }

  get address(): Address {
    return this.#server?.listener.address ?? '';
  }

  get map(): ClusterMap {
    return this.#state.map;
  }

  get records(): ReadonlyMap<PgId, PgRecord> {
    return this.#state.records;
  }

  get directory(): Directory {
    return this.#state.directory;
  }

  /** Why nothing is changed: this map store is an older copy (rule 22); undefined when it is not. */
  get frozen(): string | undefined {
    return this.#witness.fault;
  }

  /** The store is no older copy, as far as OSDs know: what it has not got was never said. */
  get #isNewest(): boolean {
    return this.#witness.isOpen && this.frozen === undefined;
  }

  /** Why nothing is changed yet: too few have told what they saw; undefined when enough have. */
  get waiting(): string | undefined {
    if (this.#witness.isOpen) return undefined;
    const names = this.awaitedWitnesses.map((id) => `osd.${id}`).join(', ');
    return `too few OSDs have told what they know since the monitor started: start ${names}, or name them as missing with \`holdfast mon restore\``;
  }

  /** OSDs whose word is needed before anything is changed, or that are to be named as missing. */
  get awaitedWitnesses(): readonly OsdId[] {
    const { isOpen, awaited } = this.#witness;
    if (this.frozen === undefined)
      return isOpen
        ? []
        : this.#state.map.osds.filter((osd) => awaited.has(osd.uuid)).map(({ id }) => id);
    const { map } = mergeKnown(this.#state, this.#known.values());
    return map.osds
      .filter((osd) => !osd.destroyed && !this.#known.has(osd.uuid))
      .map(({ id }) => id);
  }

  /**
   * Why nothing is judged by this map, as a sentence; undefined when the OSDs that are connected act on it, and none
   * that was has refused it. What was edited by hand is shown by those that know better: what a layout is decides what
   * is lost.
   */
  get untakenMap(): string | undefined {
    for (const { id, uuid, destroyed } of this.#state.map.osds) {
      const sight = this.#sights.get(uuid);
      const isOpen = sight?.session?.isOpen === true;
      // It has gone, and what it knew has not become wrong by that.
      if (sight !== undefined && !isOpen && !destroyed && sight.refusedMap !== '')
        return `osd.${id} refused the cluster map before it was lost from sight, so that nobody can say what would be lost: ${sight.refusedMap}. Put the map right first; if osd.${id} was wrong and is gone for good, start the monitor anew`;
      if (sight === undefined || !isOpen) continue;
      if (sight.refusedMap !== '')
        return `osd.${id} refuses the cluster map, so that nobody can say what would be lost: ${sight.refusedMap}. Put the map right first, or restart osd.${id} if it is the one that is wrong`;
      if (sight.epoch < this.#startedEpoch)
        return `osd.${id} has not told yet whether it takes the cluster map: try again in some seconds`;
    }
    return undefined;
  }

  #requireTakenMap(): void {
    const fault = this.untakenMap;
    if (fault !== undefined) throw new MonError('refused', fault);
  }

  isHandedOver(pg: PgId): boolean {
    return this.#leads.isMoving(pg, this.#env.clock.now());
  }

  reportOf(pg: PgId): HeardPgReport | undefined {
    return this.#pgReports.get(pg);
  }

  /** Disks down for long that are not marked out, and why. */
  get heldIn(): OutVerdict['held'] {
    return this.#heldIn;
  }

  /** Disks that flap: how often each went down lately, and how long it waits before it takes part again. */
  get flapping(): readonly { osd: OsdId; downs: number; waitMs: number }[] {
    const now = this.#env.clock.now();
    return [...this.#isDamped].map((osd) => ({
      osd,
      downs: this.#flaps.downCount(osd, now),
      waitMs: Math.max(0, (this.#flaps.mayReturnAt(osd, now) ?? now) - now),
    }));
  }

  sightOf(osd: OsdEntry):
    | {
        usage: OsdUsage;
        stopped: readonly string[];
        failure: string;
        epoch: Epoch;
        refusedMap: string;
        memory: OsdMemory | undefined;
        heard: boolean;
      }
    | undefined {
    const sight = this.#sights.get(osd.uuid);
    return sight === undefined ? undefined : { ...sight, heard: sight.session?.isOpen === true };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#keepTimer?.cancel();
    this.#witness.close();
    await this.#server?.close();
    await this.#last.catch(() => {});
    await this.#options.store.close();
  }

  // ——— changes, one at a time ———

  /** Runs `decide` alone on the newest state; stores, then shows what it returns. */
  #change(
    decide: (state: MonState) => MonState,
    options: { readonly restores: boolean } = { restores: false },
  ): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#asked.push({ decide, restores: options.restores, resolve, reject });
    });
    if (this.#asked.length === 1)
      // One refused command must not refuse the next.
      this.#last = this.#last.then(() => this.#changeAsked()).catch(() => {});
    return done;
  }

  /** What was asked for meanwhile is stored and shown together: a primary that begins asks for all its PGs at once. */
  async #changeAsked(): Promise<void> {
    // Bounded: each turn takes some, and nothing is asked again by itself.
    while (this.#asked.length > 0) {
      const batch = this.#asked.splice(0, changesAtOnce);
      const before = this.#state;
      let after = before;
      const decided: AskedChange[] = [];
      for (const asked of batch) {
        try {
          const { fault } = this.#witness;
          if (fault !== undefined && !asked.restores)
            throw new MonError('refused', `the map store is frozen: ${fault}`);
          const next = asked.decide(after);
          // Each by itself: one that goes wrong must not take the others with it.
          const wrong = next.map === after.map ? undefined : mapFault(next.map);
          assert(wrong === undefined, `a map that may be shown: ${wrong}`);
          after = next;
          decided.push(asked);
        } catch (error) {
          asked.reject(error);
        }
      }
      try {
        if (after !== before) await this.#store(before, after);
        for (const { resolve } of decided) resolve();
      } catch (error) {
        for (const { reject } of decided) reject(error);
        // Nothing can be kept any more: the daemon ends, and looks at the disk anew when it is started again.
        if (!(error instanceof MonError || this.#closed))
          this.#env.tasks.spawn('map store', () => Promise.reject(error));
      }
    }
  }

  async #store(before: MonState, after: MonState): Promise<void> {
    const revision = await this.#options.store.transact(putsFor(before, after));
    if (revision === undefined)
      throw new MonError('refused', 'another monitor changed the map store');
    this.#state = after;
    this.#show(before, after);
  }

  /** A change that somebody asked for: refused, with the reason, where it would have to wait for long. */
  async #command(decide: (state: MonState) => MonState): Promise<void> {
    await this.#witness.judged;
    const { waiting } = this;
    if (waiting !== undefined) throw new MonError('refused', waiting);
    await this.#change(decide);
  }

  #editOsd(id: OsdId, edit: (osd: OsdEntry, epoch: Epoch) => OsdEntry): Promise<void> {
    return this.#change((state) => this.#withOsd(state, id, edit));
  }

  /** The state with one OSD changed, under the next epoch, and what follows from it. */
  #withOsd(state: MonState, id: OsdId, edit: (osd: OsdEntry, epoch: Epoch) => OsdEntry): MonState {
    const epoch = (state.map.epoch + 1) as Epoch;
    const osds = state.map.osds.map((osd) => (osd.id === id ? edit(osd, epoch) : osd));
    return this.#planned({ ...state, map: { ...state.map, epoch, osds } });
  }

  /** The state with the leader's elections and joining slots applied. */
  #planned(state: MonState): MonState {
    const nonce = (): string => this.#nonce();
    const standIns = this.#isSettled();
    let records = retarget(state.map, state.records, nonce, { standIns });
    const changed = plan(state.map, records, nonce, { awaitsFirst: this.#awaitsFirst });
    if (changed.length > 0) {
      const next = new Map(records);
      for (const record of changed) next.set(record.pg, record);
      records = next;
    }
    const table = RecordTable.of(state.records);
    const different = [...records.values()].filter((record) => table.get(record.pg) !== record);
    return different.length === 0 ? state : { ...state, records: table.with(different) };
  }

  /**
   * The state with one record changed and what the leader wants of it beyond: a new election, joining slots, a stand-in.
   * A primary that begins proposes for each of its PGs, so that this must not cost a round over all; what the change
   * means for the targets of others is looked at with the next tick.
   */
  #plannedFor(state: MonState, changed: PgRecord): MonState {
    const { map } = state;
    const nonce = (): string => this.#nonce();
    const table = RecordTable.of(state.records);
    const layout = layoutOf(map, changed.pg);
    const record =
      layout === undefined || !this.#isSettled()
        ? changed
        : withStandInTargets(map, layout, changed, nonce);
    const options = { which: [record], awaitsFirst: this.#awaitsFirst };
    const [next] = plan(map, table.with([changed]), nonce, options);
    const before = table.get(changed.pg)?.slots ?? [];
    if (!isSameSlots(changed.slots, before)) this.#isRoundDue = true;
    return { ...state, records: table.with([next ?? record]) };
  }

  #nonce(): string {
    return formatHex(this.#env.secrets.bytes(8));
  }

  #show(before: MonState, after: MonState): void {
    const messages: Message[] = [];
    if (after.map !== before.map) messages.push({ kind: 'map', map: after.map });
    const records = RecordTable.of(after.records).changedSince(RecordTable.of(before.records));
    if (records.length > 0) messages.push({ kind: 'records', records, complete: false });
    messages.push({ kind: 'map-store', ...this.#mark });
    for (const session of this.#subscribers) {
      for (const message of messages)
        if (message.kind !== 'map' || !this.#waitingForMap.has(session))
          session.notify({ message });
      if (after.directory !== before.directory) this.#showDirectory(session);
    }
  }

  // ——— messages ———

  #keyOf(role: string, uuid: Uuid): Uint8Array | string {
    if (role === 'osd') {
      const osd = this.#state.map.osds.find((each) => each.uuid === uuid);
      if (osd === undefined) return `osd ${uuid} is not in the cluster map`;
      if (osd.destroyed) return `osd.${osd.id} was destroyed`;
      return daemonKey(this.#options.masterKey, 'osd', uuid);
    }
    if (role === 's3') return daemonKey(this.#options.masterKey, 's3', uuid);
    return `role ${role} does not talk to the monitor`;
  }

  async #handle(session: Session, incoming: Incoming): Promise<Outgoing | undefined> {
    const { message } = incoming;
    switch (message.kind) {
      case 'ping':
        this.#noteAlive(session);
        return undefined;
      case 'subscribe':
        this.#subscribe(session);
        return undefined;
      case 'boot':
        await this.#boot(session, message);
        return undefined;
      case 'beacon':
        this.#beacon(session, message);
        return undefined;
      case 'memory': {
        const osd = this.#osdOf(session);
        const sight = osd === undefined ? undefined : this.#sights.get(osd.uuid);
        const { kind: _, ...memory } = message;
        if (sight?.session === session) sight.memory = memory;
        return undefined;
      }
      case 'propose':
        return { message: await this.#propose(session, message.record) };
      case 'cannot-lead':
        await this.#moveLead(session, message);
        return undefined;
      case 'read-record':
        return this.#readRecord(message.pg);
      case 'report-failure':
        this.#reportFailure(session, message);
        return undefined;
      case 'peer-key':
        return this.#peerKey(session, message.target);
      case 'lease-incarnation':
        return {
          message: { kind: 'incarnation', incarnation: await this.#leaseIncarnation(session) },
        };
      case 'live-incarnations':
        return {
          message: {
            kind: 'incarnations',
            live: this.#leases.liveIncarnations(),
            judgedBelow: this.#leases.isWriterGraceOver ? this.#state.nextIncarnation : 0,
          },
        };
      case 'hold-incarnation':
        if (session.peer.role === 's3' && message.incarnation < this.#state.nextIncarnation)
          this.#leases.holdIncarnation(session, message.incarnation);
        return undefined;
      case 'report-migration': {
        const { kind: _, pool: name, ...word } = message;
        const pool = findPool(this.#state.map, name);
        if (pool !== undefined && session.peer.role === 's3')
          this.#layouts.heard(pool.id, { ...word, at: this.#env.clock.now() });
        return undefined;
      }
      case 'report-notifications': {
        const { kind: _, ...word } = message;
        const { role, uuid: gateway } = session.peer;
        if (role === 's3') this.#notifications.heard({ ...word, gateway }, this.#env.clock.now());
        return undefined;
      }
      case 'put-directory':
        return { message: await this.#putDirectory(session, message.directory) };
      case 'hold-job':
        return { message: { kind: 'job', held: this.#leases.holdJob(session, message.job) } };
      default:
        return {
          message: {
            kind: 'failure',
            code: 'bad-request',
            detail: `the monitor does not take ${message.kind}`,
          },
        };
    }
  }

  get #mark(): StoreMark {
    return { id: this.#state.storeId, revision: this.#options.store.revision };
  }

  #subscribe(session: Session): void {
    this.#subscribers.add(session);
    session.onClose(() => {
      this.#subscribers.delete(session);
      this.#waitingForMap.delete(session);
    });
    if (this.#mayShowMap(session)) this.#showMap(session);
    else this.#waitingForMap.add(session);
    // Who knows more than a store that may be an older copy must not forget it.
    this.#showRecords(session, this.#isNewest);
    this.#showDirectory(session);
  }

  /**
   * A map that was edited by hand is refused by those that know an earlier one. Who may know none would take it, and
   * refuse the right one later: it is not shown it before OSDs have said what they think of the map, and while no more
   * of them take it than refuse it. In a cluster of which no disk has ever run nobody knows an earlier one.
   */
  #mayShowMap(session: Session): boolean {
    const osd = this.#osdOf(session);
    if (osd !== undefined && osd.address !== '') return true;
    if (!this.#witness.isJudged) return false;
    const { taking, refusing } = this.#opinionsOfMap();
    const hasRun = this.#state.map.osds.some(
      ({ address, destroyed }) => address !== '' && !destroyed,
    );
    return taking > refusing || (refusing === 0 && !hasRun);
  }

  /** How many of the OSDs that are connected act on the map that the monitor has, and how many refuse it. */
  #opinionsOfMap(): { readonly taking: number; readonly refusing: number } {
    let [taking, refusing] = [0, 0];
    for (const { session, refusedMap, epoch } of this.#sights.values()) {
      if (session?.isOpen !== true) continue;
      if (refusedMap !== '') refusing++;
      else if (epoch >= this.#startedEpoch) taking++;
    }
    return { taking, refusing };
  }

  #showWaiting(): void {
    for (const session of [...this.#waitingForMap])
      if (this.#mayShowMap(session)) {
        this.#waitingForMap.delete(session);
        this.#showMap(session);
      }
  }

  #showMap(session: Session): void {
    session.notify({ message: { kind: 'map', map: this.#state.map } });
  }

  /** A gateway of before there was a directory is told of users without account only. */
  #showDirectory(session: Session): void {
    if (session.peer.role !== 's3') return;
    const { directory } = this.#state;
    if (session.peer.version >= directorySince) {
      const sessionsKey = sessionsKeyOf(this.#options.masterKey);
      const encoded = encodeDirectory(directory);
      session.notify({ message: { kind: 'directory', directory: encoded, sessionsKey } });
      return;
    }
    const users = directory.users.flatMap(({ account, name, keys }) =>
      keys
        .filter(({ active }) => active && account === '')
        .map(({ id, secret }) => ({ name, accessKey: id, secretKey: secret })),
    );
    session.notify({ message: { kind: 'users', users } });
  }

  /** What a gateway made of the directory that it knew, if that is still the newest. */
  async #putDirectory(session: Session, encoded: Uint8Array): Promise<Message> {
    const refused = (code: FailureCode, detail: string): Message => ({
      kind: 'failure',
      code,
      detail,
    });
    if (session.peer.role !== 's3') return refused('bad-request', 'only gateways change users');
    if (encoded.length > directoryBytesMax)
      return refused('too-large', 'the directory would be too large');
    let next: Directory;
    try {
      next = decodeDirectory(encoded);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return refused('bad-request', error.message);
    }
    const fault = directoryFault(next);
    if (fault !== undefined) return refused('bad-request', fault);
    let isStale = false;
    await this.#command((state) => {
      isStale = state.directory.revision + 1 !== next.revision;
      return isStale ? state : { ...state, directory: next };
    });
    return isStale ? refused('stale', 'the directory was changed meanwhile') : { kind: 'ok' };
  }

  #showRecords(session: Session, complete: boolean): void {
    session.notify({
      message: { kind: 'records', records: [...this.#state.records.values()], complete },
    });
  }

  #osdOf(session: Session): OsdEntry | undefined {
    if (session.peer.role !== 'osd') return undefined;
    return this.#state.map.osds.find((osd) => osd.uuid === session.peer.uuid);
  }

  async #boot(session: Session, message: MessageOf<'boot'>): Promise<void> {
    const osd = this.#osdOf(session);
    if (osd === undefined) return;
    // Its words were on their way when it died, and its next life was faster: they say nothing of the disk as it is.
    if (session.challenge < (this.#sights.get(osd.uuid)?.challenge ?? 0)) {
      this.#env.log.write('info', 'boot of an earlier life', { osd: osd.id });
      session.close('a later life of this disk has booted');
      return;
    }
    this.#witness.hear({ uuid: osd.uuid, name: `osd.${osd.id}` }, message.seen, this.#mark);
    // What it said as it was last heard; longer ago, what was made durable of it.
    const reached = Math.max(
      this.#state.sequences.get(osd.uuid) ?? 0,
      this.#sights.get(osd.uuid)?.sequence ?? 0,
    );
    const sight: OsdSight = {
      session,
      challenge: session.challenge,
      heardAt: this.#env.clock.now(),
      // Not less than before, until what it lost was acted on.
      sequence: Math.max(reached, message.sequence),
      address: message.address,
      hasBooted: false,
      usage: message.usage,
      stopped: [],
      epoch: this.#firstWords.get(session)?.epoch ?? (0 as Epoch),
      refusedMap: this.#firstWords.get(session)?.refusedMap ?? '',
      failure: '',
      memory: undefined,
    };
    this.#sights.set(osd.uuid, sight);
    if (this.frozen !== undefined) await this.#learnKnown();
    session.onClose(() => {
      if (sight.session === session) sight.session = undefined;
      this.#judge(osd.id);
    });
    this.#reports.clear(osd.id);
    this.#downSince.delete(osd.id);
    await this.#witness.opened;
    if (this.frozen !== undefined || !session.isOpen) return;
    if (message.sequence < reached || message.lostGroups > 0)
      await this.#distrust(osd, message, reached);
    sight.sequence = message.sequence;
    sight.hasBooted = true;
    // Its beacons call it up once it has a map.
    if (!this.#waitingForMap.has(session)) await this.#callUp(osd, sight, 'boot');
  }

  /** It runs, and takes part from now on; or, when it flaps, once it has waited. */
  async #callUp(osd: OsdEntry, sight: OsdSight, reason: 'boot' | 'beacon'): Promise<void> {
    const now = this.#env.clock.now();
    const until = this.#flaps.mayReturnAt(osd.id, now);
    // Who comes back before it was missed is up in the map, under the address it had: others wait for it.
    const isMissed = findOsd(this.#state.map, osd.id)?.up !== true;
    if (until !== undefined && isMissed && !this.#isNeeded(osd)) {
      if (!this.#isDamped.has(osd.id))
        this.#env.log.write('warn', 'flapping osd waits', { osd: osd.id, waitMs: until - now });
      this.#isDamped.add(osd.id);
      return;
    }
    this.#isDamped.delete(osd.id);
    await this.#editOsd(osd.id, (entry, epoch) =>
      entry.destroyed || (entry.up && reason === 'beacon')
        ? entry
        : {
            ...entry,
            up: true,
            in: entry.in || !entry.outByOperator,
            address: sight.address,
            capacityBytes: sight.usage.capacityBytes,
            upSince: epoch,
          },
    );
    // What came since it said that it had booted was of the life that the map told of until now.
    this.#reports.clear(osd.id);
    this.#env.log.write('info', 'osd up', { osd: osd.id, address: sight.address });
  }

  /** Some PG can't be written without it: then it is let in at once, however often it was away. */
  #isNeeded(osd: OsdEntry): boolean {
    const { map, records } = this.#state;
    const up = new Set(
      map.osds.filter((each) => each.up && !each.destroyed).map(({ uuid }) => uuid),
    );
    for (const record of records.values()) {
      const slot = slotOf(record, osd.uuid);
      const layout = slot === undefined ? undefined : layoutOf(map, record.pg);
      if (slot === undefined || layout === undefined || slot.state === 'joining') continue;
      const live = slotsIn(record, 'in-sync').filter((each) => up.has(each.uuid));
      if (distinctCount(live, layout, map) < writeFloor(layout.geometry)) return true;
    }
    return false;
  }

  #noteAlive(session: Session): void {
    const osd = this.#osdOf(session);
    const sight = osd === undefined ? undefined : this.#sights.get(osd.uuid);
    if (sight?.session === session) sight.heardAt = this.#env.clock.now();
  }

  #beacon(session: Session, message: MessageOf<'beacon'>): void {
    const osd = this.#osdOf(session);
    const sight = osd === undefined ? undefined : this.#sights.get(osd.uuid);
    if (osd === undefined) return;
    if (sight?.session !== session) {
      const { epoch, refusedMap } = message;
      this.#firstWords.set(session, { epoch, refusedMap });
      return;
    }
    sight.heardAt = this.#env.clock.now();
    sight.sequence = Math.max(sight.sequence, message.sequence);
    sight.usage = message.usage;
    sight.stopped = message.stopped;
    sight.epoch = message.epoch;
    sight.refusedMap = message.refusedMap;
    if (this.#waitingForMap.size > 0) this.#showWaiting();
    for (const report of message.reports) {
      if (this.#state.records.get(report.pg)?.primary === osd.uuid)
        this.#pgReports.set(report.pg, {
          ...report,
          osd: osd.id,
          at: sight.heardAt,
          epoch: message.epoch,
        });
    }
    // It runs, whatever was said of it before: a verdict made while it was cut off is taken back.
    const mayBeUp = sight.hasBooted && !this.#waitingForMap.has(session);
    if (!osd.up && this.#witness.isOpen && mayBeUp)
      this.#spawn('osd back', () => this.#callUp(osd, sight, 'beacon'));
  }

  async #propose(session: Session, proposed: PgRecord): Promise<MessageOf<'proposed'>> {
    let reason = '';
    await this.#command((state) => {
      const current = state.records.get(proposed.pg);
      const layout = layoutOf(state.map, proposed.pg);
      if (current === undefined || layout === undefined) {
        reason = `no placement group ${proposed.pg}`;
        return state;
      }
      reason = this.#proposalRefusal(state, current, proposed, session.peer.uuid) ?? '';
      if (reason !== '') return state;
      return this.#plannedFor(state, proposed);
    });
    const current = this.#state.records.get(proposed.pg);
    if (current === undefined) throw new MonError('not-found', reason);
    return { kind: 'proposed', accepted: reason === '', current, reason };
  }

  #proposalRefusal(
    state: MonState,
    current: PgRecord,
    proposed: PgRecord,
    proposer: Uuid,
  ): string | undefined {
    const layout = layoutOf(state.map, proposed.pg);
    if (layout === undefined) return `no placement group ${proposed.pg}`;
    const fault = proposalFault(current, proposed, proposer, layout, state.map);
    if (fault !== undefined) return fault;
    if (hasWriteFloor(proposed, layout, state.map)) return undefined;
    // Below the write floor a slot is dropped only if the monitor does not hear it either (rule 14).
    for (const slot of current.slots) {
      if (slot.state !== 'in-sync' || slotOf(proposed, slot.uuid)?.state === 'in-sync') continue;
      if (this.#env.clock.now() - this.#startedAt < this.#bootGraceMs)
        return 'boot grace: nobody is dropped below the write floor yet';
      const osd = findOsd(state.map, slot.osd);
      const sight = this.#sights.get(slot.uuid);
      // What it says of itself needs no second witness.
      if (this.#isStopped(slot.uuid, proposed.pg)) continue;
      // A disk that has another in its place can't be: its connection may seem open for long.
      if (osd?.uuid === slot.uuid && osd.up && sight?.session?.isOpen === true)
        return `osd.${slot.osd} is heard by the monitor and would be dropped below the write floor`;
    }
    return undefined;
  }

  /** The disk says of itself that it could not start the group. */
  #isStopped(disk: Uuid, pg: PgId): boolean {
    const stopped = this.#sights.get(disk)?.stopped ?? [];
    return stopped.some((words) => stoppedPg(words) === pg);
  }

  // ——— older than it was: a disk, or this store ———

  /**
   * A disk came back with less than it had made durable, or with groups lost from the middle (rule 21). It
   * is nowhere counted as holding everything any more, and fills up again like one that was away.
   */
  async #distrust(osd: OsdEntry, boot: MessageOf<'boot'>, reached: number): Promise<void> {
    this.#env.log.write('error', 'disk older than it was', {
      osd: osd.id,
      sequence: boot.sequence,
      reached,
      lostGroups: boot.lostGroups,
    });
    await this.#change((state) => {
      const records = new Map(state.records);
      for (const record of state.records.values()) {
        const layout = layoutOf(state.map, record.pg);
        if (layout === undefined) continue;
        const next = distrust(record, osd.uuid, layout, this.#nonce());
        if (next !== undefined) records.set(record.pg, next);
      }
      // From here on its present state is what it has to be compared with.
      const sequences = new Map(state.sequences).set(osd.uuid, boot.sequence);
      return this.#planned({ ...state, records, sequences });
    });
  }

  #keepSequencesLater(): void {
    this.#keepTimer = this.#env.clock.after(keepSequencesMs, 'keep sequences', () =>
      this.#keepSequences(),
    );
  }

  /** A disk that goes on is at most this old in the map store. */
  #keepSequences(): void {
    if (this.#closed) return;
    this.#keepSequencesLater();
    this.#spawn('keep sequences', () =>
      this.#change((state) => {
        const sequences = new Map<Uuid, number>();
        for (const { uuid } of state.map.osds) {
          const heard = this.#sights.get(uuid)?.sequence ?? 0;
          const highest = Math.max(heard, state.sequences.get(uuid) ?? 0);
          if (highest > 0) sequences.set(uuid, highest);
        }
        const isSame =
          sequences.size === state.sequences.size &&
          [...sequences].every(([uuid, sequence]) => state.sequences.get(uuid) === sequence);
        return isSame ? state : { ...state, sequences };
      }),
    );
  }

  /** Asks every OSD that is there and was not asked; goes on by itself once all have answered. */
  async #learnKnown(): Promise<void> {
    for (const [uuid, { session }] of this.#sights) {
      if (session?.isOpen !== true || this.#known.has(uuid)) continue;
      try {
        const { message } = await session.request({ message: { kind: 'tell-known' } }, 10_000);
        if (message.kind === 'known') this.#known.set(uuid, message);
      } catch (error) {
        // Asked again when it comes back.
        if (!(error instanceof NetError)) throw error;
      }
    }
    if (this.frozen === undefined) return;
    if (this.awaitedWitnesses.length === 0) await this.restoreStore([]);
  }

  /**
   * Takes for each PG the newest record that anybody knows, and goes on (rule 22).
   *
   * @param missing exactly those whose word is not there, named by the operator: a record that only they
   * know is not taken, so that what was acknowledged under it may be lost
   */
  async restoreStore(missing: readonly OsdId[]): Promise<void> {
    const { fault } = this.#witness;
    if (fault === undefined && this.#witness.isOpen)
      throw new MonError('refused', 'the map store is in use: there is nothing to restore');
    const unheard = this.awaitedWitnesses;
    const isNamed =
      missing.length === unheard.length && unheard.every((id) => missing.includes(id));
    if (!isNamed)
      throw new MonError(
        'refused',
        `${unheard.map((id) => `osd.${id}`).join(', ') || 'no OSD'} did not tell what it knows: start it, or name exactly these as missing`,
      );
    this.#witness.close();
    if (fault === undefined) return;
    this.#options.store.skipTo(this.#witness.seenRevision);
    await this.#change((state) => this.#planned(mergeKnown(state, this.#known.values())), {
      restores: true,
    });
    this.#witness.restored();
    this.#known.clear();
    // They come back, are shown everything, and those that run are up.
    for (const session of [...this.#subscribers]) session.close('the map store was restored');
    this.#env.log.write('warn', 'map store restored from what the OSDs know', { reason: fault });
  }

  /** The primary says that its log is too old: another in-sync member leads, and fills it again. */
  async #moveLead(session: Session, { pg, tenure }: MessageOf<'cannot-lead'>): Promise<void> {
    await this.#command((state) => {
      const record = state.records.get(pg);
      const isCurrent = record?.primary === session.peer.uuid && record.tenure === tenure;
      const isStopped = (disk: Uuid): boolean => this.#isStopped(disk, pg);
      const next = isCurrent ? otherLead(state.map, record, isStopped) : undefined;
      if (record === undefined || next === undefined) return state;
      const moved = nextRecord(record, { primary: next }, this.#nonce());
      return this.#plannedFor(state, moved);
    });
  }

  #readRecord(pg: PgId): Outgoing {
    const record = this.#state.records.get(pg);
    const records = record === undefined ? [] : [record];
    return { message: { kind: 'records', records, complete: this.#isNewest } };
  }

  #peerKey(session: Session, target: Uuid): Outgoing {
    const osd = this.#state.map.osds.find((each) => each.uuid === target);
    if (osd === undefined || osd.destroyed)
      return { message: { kind: 'failure', code: 'failed', detail: `no osd ${target}` } };
    const listenerKey = daemonKey(this.#options.masterKey, 'osd', target);
    return {
      message: { kind: 'key', key: pairKey(listenerKey, session.peer.role, session.peer.uuid) },
    };
  }

  async #leaseIncarnation(session: Session): Promise<number> {
    let incarnation = 0;
    await this.#command((state) => {
      incarnation = state.nextIncarnation;
      // Before anybody can see that it was given: it is never below `next` without being alive.
      this.#leases.holdIncarnation(session, incarnation);
      return { ...state, nextIncarnation: incarnation + 1 };
    });
    return incarnation;
  }

  // ——— failures ———

  #reportFailure(session: Session, message: MessageOf<'report-failure'>): void {
    const reporter = this.#osdOf(session);
    const target = findOsd(this.#state.map, message.osd);
    if (reporter === undefined || target === undefined || reporter.id === target.id) return;
    if (!reporter.up || !target.up || target.upSince !== message.upSince) return;
    const domain = domainOf(reporter, 'host');
    this.#reports.add({
      target: target.id,
      reporter: reporter.id,
      domain,
      at: this.#env.clock.now(),
    });
    this.#judge(target.id);
  }

  #judge(id: OsdId): void {
    const osd = findOsd(this.#state.map, id);
    if (this.#closed || !this.#witness.isOpen || osd === undefined || !osd.up) return;
    const now = this.#env.clock.now();
    if (now - this.#startedAt < this.#bootGraceMs) return;
    const sight = this.#sights.get(osd.uuid);
    // A session to a process that is frozen stays open; nothing comes through it. What came while this process did
    // not run itself is still to be read.
    const heardAt = Math.max(sight?.heardAt ?? this.#startedAt, this.#awakeSince);
    const isQuiet = now - heardAt > silenceMs;
    const lostTouch = sight?.session?.isOpen !== true || isQuiet;
    const others = this.#state.map.osds.filter((each) => each.up && each.id !== id);
    const otherDomains = new Set(others.map((each) => domainOf(each, 'host'))).size;
    // Nobody may be there to report it: it is alone, or leads whatever it shares with others, who then have nothing
    // to ask it. Six seconds without a word decide.
    if (!isQuiet && !this.#reports.isDown(id, now, { lostTouch, otherDomains })) return;
    this.#reports.clear(id);
    this.#spawn('osd down', () => this.#markDown(id));
  }

  async #markDown(id: OsdId): Promise<void> {
    const now = this.#env.clock.now();
    this.#downSince.set(id, now);
    let wasUp = false;
    await this.#editOsd(id, (entry) => {
      wasUp = entry.up;
      return entry.up ? { ...entry, up: false } : entry;
    });
    // Only what was done: while the store is frozen it is tried again and again.
    if (wasUp) this.#flaps.wentDown(id, now);
    this.#env.log.write('warn', 'osd down', { osd: id });
  }

  #tick(): void {
    if (this.#closed) return;
    this.#env.clock.after(tickMs, 'monitor tick', () => this.#tick());
    if (this.#env.clock.now() - this.#tickedAt > oversleptMs)
      this.#awakeSince = this.#env.clock.now();
    this.#tickedAt = this.#env.clock.now();
    if (!this.#witness.isOpen) return;
    const now = this.#env.clock.now();
    this.#wasComplete ||= this.#state.map.osds.every(
      (osd) => !osd.in || osd.destroyed || this.#sights.get(osd.uuid)?.hasBooted === true,
    );
    if (this.#awaitsFirst && (this.#wasComplete || now - this.#startedAt >= this.#bootGraceMs)) {
      this.#awaitsFirst = false;
      this.#isRoundDue = true;
    }
    for (const osd of this.#state.map.osds) {
      this.#judge(osd.id);
      if (!osd.up && !this.#downSince.has(osd.id)) this.#downSince.set(osd.id, now);
    }
    this.#tendLayouts(now);
    const outAfterMs = settingOf(this.#state.map, 'osd_out_after_seconds') * 1000;
    const overdue = this.#state.map.osds.filter(
      (osd) =>
        !osd.up &&
        osd.in &&
        !osd.destroyed &&
        now - (this.#downSince.get(osd.id) ?? now) > outAfterMs,
    );
    const { map, records } = this.#state;
    const { out, held } = judgeOut({
      map,
      records,
      overdue,
      usageOf: (osd) => this.#sights.get(osd.uuid)?.usage,
    });
    this.#heldIn = held;
    for (const id of out)
      this.#spawn('osd out', async () => {
        await this.#editOsd(id, (entry) => (entry.up ? entry : { ...entry, in: false }));
        this.#env.log.write('warn', 'osd out', { osd: id });
      });
    this.#emptyTrash();
    this.#evenLeads(now);
  }

  #evenLeads(now: Instant): void {
    if (!this.#isSettled() || this.#isRoundDue) return;
    const step = this.#leads.look(this.#state, now, {
      nonce: () => this.#nonce(),
      isStopped: (disk, pg) => this.#isStopped(disk, pg),
    });
    if (step !== undefined) this.#spawn('even leads', () => this.#change(step));
  }

  /** Pools that were removed long enough ago go from the map; the OSDs then remove what they held. */
  #emptyTrash(): void {
    const nowMs = this.#env.wall.nowMs();
    const graceMs = settingOf(this.#state.map, 'pool_trash_hours') * 3_600_000;
    const due = this.#state.map.pools.filter(
      (pool) => pool.removedWallMs > 0 && nowMs - pool.removedWallMs > graceMs,
    );
    for (const pool of due)
      this.#spawn('empty trash', () =>
        this.#change((state) => {
          const still = state.map.pools.find((each) => each.id === pool.id);
          return still?.removedWallMs === pool.removedWallMs ? withoutPool(state, pool) : state;
        }),
      );
  }

  /** Disks of a cluster that has just been started are all there, or not coming any more. */
  #isSettled(): boolean {
    const settledMs = Math.max(settleMs, this.#bootGraceMs);
    return this.#wasComplete || this.#env.clock.now() - this.#startedAt >= settledMs;
  }

  #tendLayouts(now: Instant): void {
    if (this.#isRoundDue || (this.#isSettled() && !this.#hasSettled)) {
      this.#isRoundDue = false;
      this.#hasSettled = this.#isSettled();
      this.#spawn('round', () => this.#change((state) => this.#planned(state)));
    }
    if (!this.#isSettled()) return;
    // What a layout is, nobody can say by a map that was edited by hand, and what is made by it stays.
    const { taking, refusing } = this.#opinionsOfMap();
    if (taking <= refusing) return;
    const world = {
      wordOf: (pg: PgId) => this.#emptinessOf(pg),
      askScrub: (pgs: readonly PgId[]) => void this.scrub(pgs, false),
    };
    for (const pool of this.#state.map.pools) {
      // Nothing is written to what waits in the trash.
      if (pool.removedWallMs > 0) continue;
      const step = this.#layouts.look(this.#state, pool, now, world);
      if (step === undefined) continue;
      this.#spawn('pool layouts', () =>
        this.#change((state) => {
          const next = step(state, () => this.#nonce());
          if (next === state) return state;
          const before = this.#describeLayouts(state, pool.id);
          const after = this.#describeLayouts(next, pool.id);
          this.#env.log.write('warn', 'pool has other layouts', { pool: pool.name, before, after });
          return this.#planned(next);
        }),
      );
    }
  }

  #describeLayouts({ map }: MonState, id: PoolId): string {
    const layouts = map.pools.find((each) => each.id === id)?.layouts ?? [];
    return layouts
      .map(({ id: layout, geometry, rule, purpose }) => {
        return `${layout}: ${formatGeometry(geometry)} ${rule.failureDomain} ${purpose}`;
      })
      .join(', ');
  }

  /** The word of the PG's present primary, when it is not old. */
  #emptinessOf(pg: PgId): PgEmptiness | undefined {
    const report = this.#pgReports.get(pg);
    const primary = this.#state.records.get(pg)?.primary;
    if (report === undefined || this.#env.clock.now() - report.at > reportLifeMs) return undefined;
    const isItsPrimary = findOsd(this.#state.map, report.osd)?.uuid === primary;
    return isItsPrimary ? report : undefined;
  }

  #spawn(name: string, work: () => Promise<void>): void {
    this.#env.tasks.spawn(name, async () => {
      try {
        await work();
      } catch (error) {
        if (this.#closed || (error instanceof MonError && this.frozen !== undefined)) return;
        throw error;
      }
    });
  }

  // ——— the operator's commands ———

  /** Takes data off the disk; it comes back with `markIn`. */
  async markOut(id: OsdId): Promise<void> {
    this.#requireOsd(id);
    await this.#command((state) =>
      this.#withOsd(state, id, (osd) => ({ ...osd, in: false, outByOperator: true })),
    );
  }

  async markIn(id: OsdId): Promise<void> {
    this.#requireOsd(id);
    await this.#command((state) =>
      this.#withOsd(state, id, (osd) => ({ ...osd, in: true, outByOperator: false })),
    );
  }

  /** Marks it down now; if it runs, it comes back by itself with its next beacon. */
  async markDownByOperator(id: OsdId): Promise<void> {
    this.#requireOsd(id);
    await this.#command((state) => state);
    await this.#markDown(id);
  }

  /** Takes what a rolled-back disk has for all there is: what it acknowledged later, and nobody else has, is given up. */
  async acceptRollback(id: OsdId): Promise<readonly PgId[]> {
    const osd = this.#requireOsd(id);
    const accepted: PgId[] = [];
    await this.#command((state) => {
      const records = new Map(state.records);
      for (const record of state.records.values()) {
        const next = acceptRolledBack(record, osd.uuid, this.#nonce());
        if (next === undefined) continue;
        records.set(record.pg, next);
        accepted.push(record.pg);
      }
      return accepted.length === 0 ? state : this.#planned({ ...state, records });
    });
    if (accepted.length === 0)
      throw new MonError('refused', `osd.${id} is rolled back in no placement group`);
    return accepted;
  }

  /** What its supervisor knows of a daemon that could not start. */
  daemonFailed(id: OsdId, reason: string): void {
    const osd = findOsd(this.#state.map, id);
    if (osd === undefined) return;
    const sight = this.#sights.get(osd.uuid);
    if (sight !== undefined) sight.failure = reason;
    else
      this.#sights.set(osd.uuid, {
        session: undefined,
        challenge: 0,
        heardAt: this.#startedAt,
        sequence: 0,
        address: '',
        hasBooted: false,
        usage: { capacityBytes: osd.capacityBytes, usedBytes: 0 },
        stopped: [],
        epoch: 0 as Epoch,
        refusedMap: '',
        failure: reason,
        memory: undefined,
      });
  }

  /**
   * A new disk under a known id: a new uuid, joining wherever the old one was (DESIGN, "PG record"). The old
   * uuid is forgotten only where others hold everything (planner.ts), or the floor holds without it, which retiring decides.
   */
  async replaceDisk(id: OsdId, uuid: Uuid): Promise<void> {
    const osd = this.#requireOsd(id);
    if (!isUuid(uuid)) throw new MonError('invalid', `${uuid} is not a uuid`);
    if (osd.up) throw new MonError('refused', `osd.${id} is up: its disk can't be replaced now`);
    await this.#command((state) => {
      const map: ClusterMap = {
        ...state.map,
        epoch: (state.map.epoch + 1) as Epoch,
        osds: state.map.osds.map((each) =>
          each.id === id
            ? {
                ...each,
                uuid,
                up: false,
                destroyed: false,
                wiped: false,
                in: !each.outByOperator,
                address: '',
              }
            : each,
        ),
      };
      return this.#planned({ ...state, map });
    });
  }

  /**
   * A disk that the cluster did not have, under the next id, which was never used; with `expected` under that one or not
   * at all. It takes its share once it runs.
   */
  async addDisk(disk: InitialDisk, expected?: number): Promise<OsdId> {
    if (!isUuid(disk.uuid)) throw new MonError('invalid', `${disk.uuid} is not a uuid`);
    let id = 0 as OsdId;
    await this.#command((state) => {
      const { map } = state;
      const known = map.osds.find(({ uuid }) => uuid === disk.uuid);
      if (known !== undefined) throw new MonError('refused', `this disk is osd.${known.id}`);
      id = map.nextOsdId as OsdId;
      if (expected !== undefined && expected < id)
        throw new MonError('refused', `osd.${expected} was here before: an id is not used again`);
      if (expected !== undefined && expected > id)
        throw new MonError('refused', `the next disk is osd.${id}, not osd.${expected}`);
      const osds = [...map.osds, { ...newDisk(disk, id), in: false }];
      const epoch = (map.epoch + 1) as Epoch;
      return { ...state, map: { ...map, epoch, osds, nextOsdId: map.nextOsdId + 1 } };
    });
    return id;
  }

  /** How much of the data a disk takes beside others. */
  async setWeight(id: OsdId, weight: number): Promise<void> {
    this.#requireOsd(id);
    if (!Number.isInteger(weight) || weight < 1 || weight > weightMax)
      throw new MonError('invalid', `weight ${weight}: an integer from 1 to ${weightMax}`);
    await this.#command((state) => this.#withOsd(state, id, (osd) => ({ ...osd, weight })));
  }

  /** What gateways have said of events on their way to topics. */
  get notifications(): readonly NotificationWord[] {
    return this.#notifications.known(this.#env.clock.now());
  }

  /** What moves a pool's blobs has said; undefined: nothing yet. */
  migrationOf(pool: Pool): MigrationWord | undefined {
    return this.#layouts.wordOf(pool);
  }

  /** Sets a cluster-wide setting; undefined: back to its default. */
  async setSetting(name: string, value: number | undefined): Promise<void> {
    const facts = factsOfSetting(name);
    if (facts === undefined) throw new MonError('not-found', `no setting ${name}`);
    const fault = value === undefined ? undefined : settingFault(facts, value);
    if (fault !== undefined) throw new MonError('invalid', fault);
    await this.#command((state) => {
      const others = state.map.settings.filter((each) => each.name !== name);
      const settings = value === undefined ? others : [...others, { name, value: String(value) }];
      return { ...state, map: { ...state.map, epoch: (state.map.epoch + 1) as Epoch, settings } };
    });
  }

  /** Asks the primaries of the PGs to scrub them now; returns those that were asked. */
  scrub(pgs: readonly PgId[], deep: boolean): readonly PgId[] {
    const asked: PgId[] = [];
    for (const pg of pgs) {
      const primary = this.#state.records.get(pg)?.primary;
      const session = primary === undefined ? undefined : this.#sights.get(primary)?.session;
      if (session?.isOpen !== true) continue;
      session.notify({ message: { kind: 'scrub-pg', pg, deep } });
      asked.push(pg);
    }
    return asked;
  }

  /** Daemons that are connected and speak only versions below this one. */
  #tooOldFor(version: number): readonly string[] {
    const names = [...this.#subscribers]
      .filter(({ peer }) => peer.version < version)
      .map((session) => {
        const osd = this.#osdOf(session);
        return osd === undefined ? `gateway ${session.peer.uuid}` : `osd.${osd.id}`;
      });
    return [...new Set(names)].sort();
  }

  #requireOsd(id: OsdId): OsdEntry {
    const osd = findOsd(this.#state.map, id);
    if (osd === undefined) throw new MonError('not-found', `no osd.${id}`);
    return osd;
  }
}

/** Records that name the disk that most of them name. */
function mostSlots(records: Iterable<PgRecord>): number {
  const counts = new Map<Uuid, number>();
  for (const { slots } of records)
    for (const { uuid } of slots) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
