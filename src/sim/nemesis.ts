// Breaks a cluster in every way its promises cover, as one seed chose: which faults this run knows, how
// often each comes, and how often any. What it may do is bounded by what promise P1 says:
//
// - crashes, power cuts, pauses, cuts and slowness may hit anybody at any time: nothing is lost by them
// - bytes of a disk are spoilt, or its writes lost, only while everything is clean, one disk at a time, and only where every
//   pool survives the loss of one; until all is repaired nobody else is hurt
// - disks are wiped as disk-losses.ts says
//
// Messages are not doubled within a connection: the network's contract is an ordered stream. Requests are
// doubled by clients that try again, and by streams that a cut held back and a heal delivers.

import type { PoolId } from '../base/ids.ts';
import type { Random } from '../env/random.ts';
import { domainOf, findOsd, findPool } from '../map/cluster-map.ts';
import { copies, erasure, slotCount } from '../map/geometry.ts';
import { MonError } from '../mon/errors.ts';
import { poolOf } from '../mon/initial.ts';
import { StoreError } from '../store/errors.ts';
import { handoversSince, wireVersionMax } from '../wire/messages.ts';
import { DiskFaults } from './disk-faults.ts';
import { DiskLosses } from './disk-losses.ts';
import { HandEdits } from './hand-edits.ts';
import { type MemoryPressure, pressures } from './memory-pressure.ts';
import { Operator } from './operator.ts';
import type { SimulatedCluster, SimulatedGateway, SimulatedOsd } from './simulated-cluster.ts';
import { Spoiling, type Spoilt } from './spoiling.ts';
import { Widespread } from './widespread.ts';

/**
 * `fault`: something breaks. `repair`: some of it ends. `change`: what an operator does to a cluster that is in use.
 * Counted apart, so that the number of faults is one of faults.
 */
export type StrikeKind = 'fault' | 'repair' | 'change';

/** What is done, what it weighs where a run has it, and how; false when it does not apply now. */
interface Fault {
  readonly name: string;
  /** Default: a fault. */
  readonly kind?: StrikeKind;
  readonly weight: number;
  apply(osd: SimulatedOsd): Promise<boolean> | boolean;
}

export interface NemesisOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  readonly memory: MemoryPressure;
  /** Every pool survives the loss of one disk. */
  readonly toleratesLoss: boolean;
  /** Ends a gateway in the middle of what it does and starts another. */
  killGateway(): boolean;
  /** The same for a client that puts blobs and swaps rows itself. */
  killClient(): boolean;
  readonly clients: () => readonly SimulatedGateway[];
  readonly gateways: () => readonly SimulatedGateway[];
  /** How many blobs of a pool were acknowledged before an instant, and that nobody has begun to delete. */
  acknowledgedIn(pool: number, before: number): number;
}

/** Layouts that a pool may have before it gets another from here. */
const layoutsMax = 3;

/** Disks that a run may have; each costs events. */
const osdsMax = 9;

/** Pools beside those of the beginning: at once, and in all. */
const extraPoolsMax = 2;
const extraPoolsMaxEver = 6;

/**
 * In which everything serves again after one OSD of a cluster that is well was frozen. Silence is told after 6 to 8
 * seconds; clients and disks of a run are busy, so that it may take longer than where nothing else is done.
 */
const servesWithinMs = 20_000;

/**
 * Gateways are away for less than garbage is kept at least: a read that takes longer may lose what it reads. Others
 * also for longer than their requests last.
 */
const gatewayAwayMsMax = 8000;
const clientAwayMsMax = 45_000;

/** For how long what ends a fault is asked for, and how often, in virtual milliseconds. */
const insistMs = 60_000;
const insistEveryMs = 500;

/** Most that whatever is under way may take to end before disks are hurt for good. */
const wholeWithinMs = 90_000;

/** Other strikes are drawn at once for one that can't be done. */
const strikeTries = 4;

export class Nemesis {
  /** How often each was done that came to something. */
  readonly counts: Readonly<Record<StrikeKind, Record<string, number>>> = {
    fault: {},
    repair: {},
    change: {},
  };
  /** What was seen to be wrong while something was broken. */
  readonly problems: string[] = [];
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;
  readonly #faults: readonly { fault: Fault; weight: number }[];
  readonly #weights: number;
  readonly #pauseMsMax: number;
  readonly #toleratesLoss: boolean;
  readonly #options: NemesisOptions;
  readonly #operator: Operator;
  readonly #hand: HandEdits;
  readonly #losses: DiskLosses;
  readonly #widespread: Widespread;
  readonly #disks: DiskFaults;
  readonly #spoiling: Spoiling;
  /** The fault that is being done. */
  #striking = { name: '', osd: -1 };
  /** Pools made here that are not in the trash. */
  readonly #extraPools = new Map<string, PoolId>();
  #extraPoolsEver = 0;
  readonly #gonePools = new Set<number>();
  /** What is to be undone: at an instant, or at the end. */
  #undo: { readonly at: number; readonly undo: () => void }[] = [];

  constructor(options: NemesisOptions) {
    this.#random = options.random;
    this.#cluster = options.cluster;
    this.#toleratesLoss = options.toleratesLoss;
    this.#options = options;
    this.#hand = new HandEdits(this.#random, this.#cluster);
    this.#losses = new DiskLosses({
      random: this.#random,
      cluster: this.#cluster,
      becomeWhole: () => this.#becomeWhole(),
      problems: this.problems,
      isEdited: () => this.#hand.isEditing,
    });
    this.#widespread = new Widespread({
      random: this.#random,
      cluster: this.#cluster,
      startMonitor: () => this.#hand.startMonitor(),
    });
    this.#disks = new DiskFaults({
      random: this.#random,
      cluster: this.#cluster,
      later: (minMs, spreadMs, undo) => this.#later(minMs, spreadMs, undo),
    });
    this.#spoiling = new Spoiling({
      random: this.#random,
      cluster: this.#cluster,
      problems: this.problems,
      becomeWhole: () => this.#becomeWhole(),
      bounce: (osd) => this.#bounce(osd),
    });
    this.#operator = new Operator({
      random: this.#random,
      cluster: this.#cluster,
      problems: this.problems,
      command: (work, what) => this.#command(work, what),
    });
    const chosen = this.#all()
      // A third of the faults is unknown to a run: what only shows without the others shows, too.
      .filter(() => this.#random.below(3) > 0)
      .map((fault) => ({ fault, weight: fault.weight * (1 + this.#random.below(4)) }));
    this.#faults = chosen;
    this.#weights = chosen.reduce((sum, each) => sum + each.weight, 0);
    this.#pauseMsMax = [200, 600, 1500, 4000][this.#random.below(4)] as number;
  }

  /** Disturbs for a time; `isOver` ends it early. */
  async run(durationMs: number, isOver: () => boolean): Promise<void> {
    const { scheduler } = this.#cluster;
    const end = scheduler.now() + durationMs;
    while (scheduler.now() < end && !isOver()) {
      await scheduler.run(this.#random.below(this.#pauseMsMax));
      this.#hand.look();
      await this.#upgradeWhoCannotRead();
      for (const due of this.#undo.filter((each) => each.at <= scheduler.now())) due.undo();
      this.#undo = this.#undo.filter((each) => each.at > scheduler.now());
      if (this.#hand.isDue) await this.#hand.takeBack();
      if (isOver() || this.#weights === 0) continue;
      for (let tries = 0; tries < strikeTries && !(await this.#strike()); tries++)
        if (scheduler.now() >= end || isOver()) break;
    }
  }

  /** False when what was drawn can't be done now. */
  async #strike(): Promise<boolean> {
    const { osds } = this.#cluster;
    const osd = osds[this.#random.below(osds.length)] as SimulatedOsd;
    let at = this.#random.below(this.#weights);
    for (const { fault, weight } of this.#faults) {
      at -= weight;
      if (at >= 0) continue;
      const { name, kind = 'fault' } = fault;
      this.#striking = { name, osd: osd.id };
      this.#cluster.tell('nemesis', name, { osd: osd.id });
      const isDone = await fault.apply(osd);
      if (isDone) this.counts[kind][name] = (this.counts[kind][name] ?? 0) + 1;
      else this.#cluster.tell('nemesis', `came to nothing: ${name}`, { osd: osd.id });
      return isDone;
    }
    return false;
  }

  /** Ends every fault and starts whatever is down. */
  async heal(): Promise<void> {
    const cluster = this.#cluster;
    cluster.tell('nemesis', 'heals all', {});
    for (const { undo } of this.#undo) undo();
    this.#undo = [];
    this.#operator.forget();
    cluster.network.heal();
    for (const name of cluster.processNames()) cluster.setWallOffset(name, 0);
    await this.#hand.takeBack();
    if (cluster.isMonitorSick) cluster.killMonitor({ power: false });
    if (!cluster.hasMonitor) await cluster.startMonitor();
    for (const osd of cluster.osds) {
      if (osd.mayFail) cluster.killOsd(osd.id);
      await this.#restart(osd);
    }
    await this.#upgradeWhoCannotRead();
    for (const osd of cluster.osds) {
      const isGivenUp = (): boolean => findOsd(cluster.monitor.map, osd.id)?.destroyed === true;
      await this.#insist(
        `taking osd.${osd.id} back`,
        async () => !isGivenUp() || (await this.#takeBack(osd)),
      );
      await this.#insist(`marking osd.${osd.id} in`, () => this.#mark(osd, 'in'));
    }
    await this.#insist('taking pools back', async () => {
      if (this.#trashedPools().length > 0) await this.#restorePool();
      return this.#trashedPools().length === 0;
    });
    for (const pool of ['.index', 'data'])
      await this.#insist('letting a pool move', () =>
        this.#command(
          cluster.monitor.pools.setMigration(pool, { migration: 'running' }),
          'going on',
        ),
      );
  }

  /** The monitor may refuse until it has heard OSDs, whose word may wait for as long as their system tries a cut link. */
  async #insist(what: string, isDone: () => Promise<boolean>): Promise<void> {
    for (let attempt = 0; attempt < insistMs / insistEveryMs; attempt++) {
      if (await isDone()) return;
      await this.#cluster.scheduler.run(insistEveryMs);
    }
    this.problems.push(`${what} is refused for ${insistMs} ms, though all has healed`);
  }

  #later(minMs: number, spreadMs: number, undo: () => void): void {
    const at = this.#cluster.scheduler.now() + minMs + this.#random.below(spreadMs);
    const { name, osd } = this.#striking;
    this.#undo.push({
      at,
      undo: () => {
        this.#cluster.tell('nemesis', `ends: ${name}`, { osd });
        undo();
      },
    });
  }

  async #restart(osd: SimulatedOsd): Promise<boolean> {
    if (osd.process !== undefined) return false;
    await this.#cluster.startOsd(osd.id);
    return true;
  }

  #kill(osd: SimulatedOsd, power: boolean): boolean {
    if (osd.process === undefined) return false;
    this.#cluster.killOsd(osd.id, { power });
    return true;
  }

  /** Another daemon: an OSD, the monitor or a gateway. */
  #someoneElse(osd: SimulatedOsd): string {
    const names = this.#cluster.processNames().filter((name) => name !== `osd.${osd.id}`);
    return names[this.#random.below(names.length)] as string;
  }

  #all(): Fault[] {
    const cluster = this.#cluster;
    return [
      { name: 'crash', weight: 8, apply: (osd) => this.#kill(osd, false) },
      { name: 'power cut', weight: 6, apply: (osd) => this.#kill(osd, true) },
      { name: 'restart', kind: 'repair', weight: 16, apply: (osd) => this.#restart(osd) },
      { name: 'crash and restart at once', weight: 4, apply: (osd) => this.#bounce(osd) },
      {
        name: 'one-way cut',
        weight: 5,
        apply: (osd) => {
          const other = this.#someoneElse(osd);
          if (this.#random.below(2) === 0) cluster.network.cut(`osd.${osd.id}`, other);
          else cluster.network.cut(other, `osd.${osd.id}`);
          return true;
        },
      },
      {
        name: 'partition',
        weight: 5,
        apply: (osd) => {
          const other = this.#someoneElse(osd);
          cluster.network.cut(`osd.${osd.id}`, other);
          cluster.network.cut(other, `osd.${osd.id}`);
          return true;
        },
      },
      { name: 'isolation', weight: 2, apply: (osd) => this.#isolate(osd) },
      {
        name: 'network heals',
        kind: 'repair',
        weight: 12,
        apply: () => {
          cluster.network.heal();
          return true;
        },
      },
      {
        name: 'connection reset',
        weight: 4,
        apply: (osd) => cluster.network.reset(`osd.${osd.id}`, this.#someoneElse(osd)) > 0,
      },
      {
        name: 'slow link',
        weight: 3,
        apply: (osd) => {
          const name = `osd.${osd.id}`;
          cluster.network.slow(name, [20, 300, 2500][this.#random.below(3)] as number);
          this.#later(2000, 10_000, () => cluster.network.slow(name, 0));
          return true;
        },
      },
      { name: 'pause', weight: 6, apply: (osd) => this.#pause(osd) },
      { name: 'slow disk', weight: 3, apply: (osd) => this.#disks.slow(osd) },
      { name: 'hung disk', weight: 2, apply: (osd) => this.#disks.hang(osd) },
      { name: 'read errors', weight: 2, apply: (osd) => this.#disks.failReads(osd) },
      { name: 'write errors', weight: 2, apply: (osd) => this.#disks.failWrites(osd) },
      { name: 'slow disk of the monitor', weight: 2, apply: () => this.#disks.slowOfMonitor() },
      { name: 'hung disk of the monitor', weight: 1, apply: () => this.#disks.hangOfMonitor() },
      {
        name: 'write errors of the monitor',
        weight: 2,
        apply: () => this.#disks.failWritesOfMonitor(),
      },
      { name: 'monitor crash', weight: 4, apply: () => this.#crashMonitor() },
      { name: 'monitor restart', kind: 'repair', weight: 6, apply: () => this.#restartMonitor() },
      { name: 'wall clock jump', weight: 2, apply: (osd) => this.#jump(osd) },
      { name: 'power cut of all', weight: 1, apply: () => this.#widespread.cutAll() },
      { name: 'power cut of some', weight: 3, apply: () => this.#widespread.cutSome() },
      { name: 'power cut of a host', weight: 3, apply: (osd) => this.#widespread.cutHost(osd) },
      { name: 'network split in two', weight: 3, apply: () => this.#widespread.split() },
      { name: 'osd out', kind: 'change', weight: 2, apply: (osd) => this.#mark(osd, 'out') },
      { name: 'osd in', kind: 'repair', weight: 3, apply: (osd) => this.#mark(osd, 'in') },
      {
        name: 'osd marked down',
        kind: 'change',
        weight: 1,
        apply: (osd) => this.#mark(osd, 'down'),
      },
      { name: 'pool change', kind: 'change', weight: 3, apply: () => this.#changePool() },
      {
        name: 'pool turned back or paused',
        kind: 'change',
        weight: 2,
        apply: () => this.#turnPool(),
      },
      { name: 'disk given up', kind: 'change', weight: 2, apply: (osd) => this.#giveUp(osd) },
      { name: 'disk taken back', kind: 'repair', weight: 4, apply: (osd) => this.#takeBack(osd) },
      { name: 'gateway death', weight: 3, apply: () => this.#options.killGateway() },
      { name: 'client death', weight: 3, apply: () => this.#options.killClient() },
      { name: 'client vanishes for a while', weight: 4, apply: () => this.#pauseClient() },
      { name: 'frozen osd', weight: 2, apply: (osd) => this.#freeze(osd) },
      { name: 'disk added', kind: 'change', weight: 2, apply: () => this.#addDisk() },
      { name: 'weight change', kind: 'change', weight: 2, apply: (osd) => this.#changeWeight(osd) },
      { name: 'pool made', kind: 'change', weight: 6, apply: () => this.#makePool() },
      { name: 'pool removed', kind: 'change', weight: 4, apply: () => this.#removePool() },
      { name: 'pool taken back', kind: 'repair', weight: 3, apply: () => this.#restorePool() },
      {
        name: 'trash of pools emptied',
        kind: 'change',
        weight: 3,
        apply: () => this.#emptyPoolTrash(),
      },
      {
        name: 'scrub',
        kind: 'change',
        weight: 3,
        apply: () => this.#scrub(this.#random.below(2) === 0),
      },
      { name: 'wiped disk', weight: 3, apply: (osd) => this.#losses.loseOne(osd) },
      { name: 'several disks lost', weight: 3, apply: () => this.#losses.loseSeveral() },
      {
        name: 'disk lost while not clean',
        weight: 6,
        apply: (osd) => this.#losses.loseWhileUnclean(osd),
      },
      {
        name: 'copy of a disk kept',
        kind: 'change',
        weight: 6,
        apply: (osd) => this.#losses.keep(osd),
      },
      { name: "yesterday's disk", weight: 8, apply: (osd) => this.#losses.putBack(osd) },
      { name: 'bit flips in data', weight: 3, apply: (osd) => this.#spoil(osd, 'data') },
      { name: 'bit flips in rows', weight: 3, apply: (osd) => this.#spoil(osd, 'rows') },
      { name: 'bit flips in groups', weight: 3, apply: (osd) => this.#spoil(osd, 'groups') },
      { name: 'lost writes', weight: 2, apply: (osd) => this.#spoil(osd, 'lost') },
      { name: 'misdirected writes', weight: 2, apply: (osd) => this.#spoil(osd, 'misdirected') },
      { name: 'full disk', weight: 3, apply: (osd) => this.#disks.fill(osd) },
      { name: 'suspended machine', weight: 4, apply: (osd) => this.#suspend(osd) },
      {
        name: 'other version',
        weight: 4,
        apply: (osd) => this.#changeVersion(osd),
      },
      {
        name: 'newer disk format',
        weight: 2,
        apply: (osd) => this.#upgradeDisk(osd),
      },
      { name: 'little memory', weight: 4, apply: (osd) => this.#press(osd) },
      {
        name: 'disk drained',
        kind: 'change',
        weight: 3,
        apply: (osd) => this.#operator.drain(osd),
      },
      {
        name: 'index changed in place',
        kind: 'change',
        weight: 8,
        apply: () => this.#changeIndex(),
      },
      {
        name: 'index handed over',
        kind: 'change',
        weight: 8,
        apply: () => this.#handIndexOver(),
      },
      { name: 'end of a drain', kind: 'change', weight: 6, apply: () => this.#operator.endDrain() },
      { name: 'map edited by hand', weight: 3, apply: () => this.#hand.edit() },
      {
        name: 'marked lost in vain',
        kind: 'change',
        weight: 4,
        apply: () => this.#operator.markLost(),
      },
    ];
  }

  /** Only where every pool survives the loss of one disk, also of what is written meanwhile. */
  #spoil(osd: SimulatedOsd, what: Spoilt): Promise<boolean> | boolean {
    return this.#toleratesLoss && this.#spoiling.spoil(osd, what);
  }

  /** Ahead by less than garbage is given to be collected at the end; signatures allow a quarter of an hour. */
  #jump(osd: SimulatedOsd): boolean {
    const ofOsd = this.#random.below(2) === 0;
    const isBack = this.#random.below(2) === 0;
    const name = ofOsd ? `osd.${osd.id}` : this.#someoneElse(osd);
    const offsetMs = this.#random.below(10_000);
    const backMs = name.startsWith('osd.') ? 3_600_000 : offsetMs;
    this.#cluster.setWallOffset(name, isBack ? -backMs : offsetMs);
    return true;
  }

  async #bounce(osd: SimulatedOsd): Promise<boolean> {
    if (!this.#kill(osd, this.#random.below(2) === 0)) return false;
    return this.#restart(osd);
  }

  #isolate(osd: SimulatedOsd): boolean {
    const name = `osd.${osd.id}`;
    for (const other of this.#cluster.processNames()) {
      if (other === name) continue;
      this.#cluster.network.cut(name, other);
      this.#cluster.network.cut(other, name);
    }
    return true;
  }

  /** Often longer than a promise, sometimes longer than the patience of its peers. */
  #pause(osd: SimulatedOsd): boolean {
    const { process } = osd;
    if (process === undefined || process.isPaused) return false;
    process.pause();
    this.#later(100, [1500, 4000, 20_000][this.#random.below(3)] as number, () => process.resume());
    return true;
  }

  /** Its monotonic clock does not count what it slept. */
  #suspend(osd: SimulatedOsd): boolean {
    const { process } = osd;
    if (process === undefined || process.isPaused) return false;
    process.suspend();
    this.#later(500, [1500, 4000, 20_000][this.#random.below(3)] as number, () => process.resume());
    return true;
  }

  /** Comes back as a build of the version before or after, with the same disk. */
  async #changeVersion(osd: SimulatedOsd): Promise<boolean> {
    // Only the build after this one can have it then.
    if (osd.hasNewerFormat) return false;
    this.#kill(osd, false);
    osd.versionMax = 1 + this.#random.below(wireVersionMax + 1);
    if (this.#hasTurned) osd.versionMax = Math.max(handoversSince, osd.versionMax);
    return this.#restart(osd);
  }

  /** A build from before names were handed over can't read the map any more. */
  get #hasTurned(): boolean {
    const cluster = this.#cluster;
    return cluster.hasMonitor && cluster.monitor.map.pools.some(({ turn }) => turn > 0);
  }

  async #upgradeWhoCannotRead(): Promise<void> {
    if (!this.#hasTurned) return;
    for (const osd of this.#cluster.osds) {
      if (osd.versionMax >= handoversSince) continue;
      osd.versionMax = wireVersionMax;
      if (this.#kill(osd, false)) await this.#restart(osd);
    }
  }

  /** The build after this one takes the disk over; the older one, tried again, is kept off it. */
  async #upgradeDisk(osd: SimulatedOsd): Promise<boolean> {
    this.#kill(osd, false);
    osd.versionMax = wireVersionMax + 1;
    osd.hasNewerFormat = true;
    await this.#restart(osd);
    await this.#cluster.scheduler.run(this.#random.below(3000));
    this.#kill(osd, this.#random.below(2) === 0);
    await this.#startOlderBuild(osd);
    return this.#restart(osd);
  }

  /** On a disk of a newer format: it says so, and leaves everything as it is. */
  async #startOlderBuild(osd: SimulatedOsd): Promise<void> {
    const { files } = osd;
    const changes = files.changeCount;
    osd.hasNewerFormat = false;
    const answer = await this.#cluster.startOsd(osd.id).then(
      () => 'it started',
      (error: unknown) => (isNewerFormat(error) ? '' : String(error)),
    );
    osd.hasNewerFormat = true;
    if (answer !== '') this.problems.push(`an older build on the disk of osd.${osd.id}: ${answer}`);
    if (files.changeCount !== changes)
      this.problems.push(`an older build wrote to the disk of osd.${osd.id}`);
    this.#cluster.killOsd(osd.id);
  }

  /** Near its budget, or above it, for a time. */
  #press(osd: SimulatedOsd): boolean {
    const { memory } = this.#options;
    const permille = pressures[this.#random.below(pressures.length)] as number;
    if (!memory.press(osd, permille)) return false;
    this.#later(2000, 15_000, () => memory.ease(osd));
    return true;
  }

  #crashMonitor(): boolean {
    if (!this.#cluster.hasMonitor) return false;
    this.#cluster.killMonitor({ power: this.#random.below(2) === 0 });
    return true;
  }

  async #restartMonitor(): Promise<boolean> {
    return !this.#cluster.hasMonitor && this.#hand.startMonitor();
  }

  async #mark(osd: SimulatedOsd, how: 'out' | 'in' | 'down'): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const { monitor } = cluster;
    const work =
      how === 'out'
        ? monitor.markOut(osd.id)
        : how === 'in'
          ? monitor.markIn(osd.id)
          : monitor.markDownByOperator(osd.id);
    return this.#command(work, `marking osd.${osd.id} ${how}`);
  }

  /** False when the monitor refuses it: it has heard too few since it started, or it must not be done. */
  #command(work: Promise<unknown>, what: string): Promise<boolean> {
    const done = work.then(
      () => true,
      (error: unknown) => {
        if (error instanceof MonError) return false;
        throw error;
      },
    );
    return this.#cluster.settle(done, what, 10_000);
  }

  /** Another geometry, or another number of placement groups, for a pool of blobs that is in use. */
  async #changePool(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const pool = findPool(cluster.monitor.map, 'data');
    // What clients put beside the gateways is moved by nobody, so that its layouts stay: a few are enough.
    if (pool === undefined || pool.layouts.length >= layoutsMax) return false;
    const wishes = [
      { geometry: erasure(2, 1) },
      { geometry: erasure(3, 2) },
      { geometry: erasure(1, 2) },
      { geometry: copies(2, 1) },
      { geometry: copies(3, 2) },
      { pgCount: 1 + this.#random.below(5) },
    ];
    const wish = wishes[this.#random.below(wishes.length)] as (typeof wishes)[number];
    return this.#command(cluster.monitor.pools.setPoolLayout('data', wish), 'changing a pool');
  }

  /** Another number of placement groups, or back to what it had. */
  async #handIndexOver(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const { pools } = cluster.monitor;
    if (this.#random.below(3) === 0)
      return this.#command(pools.revertPool('.index'), 'turning the index back');
    if (this.#random.below(4) === 0) {
      const migration = this.#random.below(2) === 0 ? 'paused' : 'running';
      return this.#command(pools.setMigration('.index', { migration }), 'pausing the index');
    }
    const pgCount = 1 + this.#random.below(6);
    return this.#command(pools.setPoolLayout('.index', { pgCount }), 'handing the index over');
  }

  /** Other copies of the rows, or elsewhere: in place, or back where such a change has not ended. */
  async #changeIndex(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const { pools } = cluster.monitor;
    if (this.#random.below(4) === 0)
      return this.#command(pools.revertPool('.index'), 'turning the index back');
    const fitting = [copies(2, 1), copies(2, 2), copies(3, 2), copies(3, 3), copies(4, 2)];
    if (!this.#toleratesLoss) fitting.push(copies(1, 1));
    const geometry = fitting[this.#random.below(fitting.length)] as (typeof fitting)[number];
    const failureDomain = this.#random.below(2) === 0 ? 'host' : 'osd';
    const wish = { geometry, rule: { failureDomain, deviceClass: undefined } } as const;
    return this.#command(pools.setPoolLayout('.index', wish), 'changing the index');
  }

  /** Some disk has failed a read without having lost anything. */
  get hasFailedReads(): boolean {
    return this.#disks.hasFailedReads;
  }

  /** Some disk was full. */
  get hasFilledDisks(): boolean {
    return this.#disks.hasFilledDisks;
  }

  /** Where clients may put blobs. */
  get names(): readonly string[] {
    return ['data', ...this.#extraPools.keys()];
  }

  isGone(pool: number): boolean {
    return this.#gonePools.has(pool);
  }

  async #makePool(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands || this.#extraPoolsEver === extraPoolsMaxEver) return false;
    if (this.#extraPools.size + this.#trashedPools().length >= extraPoolsMax) return false;
    const failureDomain = this.#random.below(2) === 0 ? 'host' : 'osd';
    const domains = new Set(cluster.monitor.map.osds.map((osd) => domainOf(osd, failureDomain)));
    const fitting = [
      copies(2, 1),
      copies(3, 2),
      erasure(2, 1),
      erasure(1, 2),
      erasure(3, 2),
    ].filter((geometry) => slotCount(geometry) <= domains.size);
    const geometry = fitting[this.#random.below(Math.max(1, fitting.length))];
    if (geometry === undefined) return false;
    const name = `extra-${this.#extraPoolsEver++}`;
    const pool = poolOf({
      name,
      geometry,
      failureDomain,
      pgCount: 1 + this.#random.below(3),
    });
    if (!(await this.#command(cluster.monitor.pools.createPool(pool), 'making a pool')))
      return false;
    const made = findPool(cluster.monitor.map, name);
    if (made !== undefined) this.#extraPools.set(name, made.id);
    return true;
  }

  /** Whatever is in it, if its operator was told that something is. */
  async #removePool(): Promise<boolean> {
    const cluster = this.#cluster;
    const names = [...this.#extraPools.keys()];
    const name = names[this.#random.below(Math.max(1, names.length))];
    if (!cluster.takesCommands || name === undefined) return false;
    const id = this.#extraPools.get(name) as PoolId;
    const calledAt = cluster.scheduler.now();
    let isNamed = false;
    const removal = cluster.monitor.pools.removePool(name, () => {
      isNamed = true;
    });
    if (!(await this.#command(removal, 'removing a pool'))) return false;
    this.#extraPools.delete(name);
    if (this.#trashedPools().some((pool) => pool.id === id)) return true;
    this.#gonePools.add(id);
    const lost = this.#options.acknowledgedIn(id, calledAt);
    if (!isNamed && lost > 0)
      this.problems.push(`pool ${name} was called empty and removed with ${lost} blobs`);
    return true;
  }

  #trashedPools(): readonly { readonly id: PoolId; readonly name: string }[] {
    if (!this.#cluster.takesCommands) return [];
    return this.#cluster.monitor.map.pools.filter((pool) => pool.removedWallMs > 0);
  }

  async #restorePool(): Promise<boolean> {
    const cluster = this.#cluster;
    const [pool] = this.#trashedPools();
    if (pool === undefined) return false;
    if (!(await this.#command(cluster.monitor.pools.restorePool(pool.name), 'taking a pool back')))
      return false;
    this.#extraPools.set(pool.name, pool.id);
    return true;
  }

  /** For good: a day is longer than a run. */
  async #emptyPoolTrash(): Promise<boolean> {
    const cluster = this.#cluster;
    const pools = this.#trashedPools();
    if (pools.length === 0) return false;
    for (const { id } of pools) this.#gonePools.add(id);
    const set = (hours: number | undefined): Promise<boolean> =>
      this.#command(cluster.monitor.setSetting('pool_trash_hours', hours), 'emptying the trash');
    const isSet = await set(0);
    for (let looks = 0; isSet && looks < 20 && this.#trashedPools().length > 0; looks++)
      await cluster.scheduler.run(200);
    for (const { id } of this.#trashedPools()) this.#gonePools.delete(id);
    // Refused: the monitor has heard too few OSDs since it started, and does nothing else either.
    if (isSet)
      await this.#insist('setting back how long removed pools are kept', () => set(undefined));
    return isSet;
  }

  async #addDisk(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands || cluster.osds.length >= osdsMax) return false;
    const { osds } = cluster.monitor.map;
    const host =
      this.#random.below(2) === 0
        ? `host-${cluster.osds.length}`
        : (osds[this.#random.below(osds.length)]?.host ?? 'host-0');
    return cluster.addOsd(host).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Error && error.cause instanceof MonError) return false;
        throw error;
      },
    );
  }

  async #changeWeight(osd: SimulatedOsd): Promise<boolean> {
    if (!this.#cluster.takesCommands) return false;
    const weight = 1 + this.#random.below(4);
    return this.#command(this.#cluster.monitor.setWeight(osd.id, weight), 'changing a weight');
  }

  /** It comes back in the middle of what it did, perhaps after its requests have ended without it. */
  #pauseClient(): boolean {
    const clients = this.#options.clients();
    const all = [...clients, ...this.#options.gateways()];
    const at = this.#random.below(Math.max(1, all.length));
    const process = all[at]?.process;
    if (process?.isAlive !== true || process.isPaused) return false;
    process.pause();
    const most = at < clients.length ? clientAwayMsMax : gatewayAwayMsMax;
    const awayMs = 500 + this.#random.below(most - 500);
    const resume = (): void => process.resume();
    // Also while another fault takes its time.
    this.#cluster.scheduler.after(awayMs, 'a client comes back', resume);
    this.#later(awayMs, 1, resume);
    return true;
  }

  /** While all else is well: others serve without it, and not only once it runs again. */
  async #freeze(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (cluster.osds.length < 2 || !this.#toleratesLoss || !(await this.#becomeWhole()))
      return false;
    const { process } = osd;
    if (process === undefined) return false;
    process.pause();
    const { scheduler } = cluster;
    const end = scheduler.now() + servesWithinMs;
    while (scheduler.now() < end) await scheduler.run(200);
    // A lead that moves just now is between two for some milliseconds; with a member that is too old to be told that its
    // promise is over, for as long as a promise lasts.
    for (let looks = 0; looks < 50 && !cluster.isServing(); looks++) await scheduler.run(100);
    if (!cluster.isServing())
      this.problems.push(
        `not everything serves ${servesWithinMs} ms after osd.${osd.id} froze:\n${cluster.describe()}`,
      );
    this.#later(0, 40_000, () => process.resume());
    return true;
  }

  async #turnPool(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands || findPool(cluster.monitor.map, 'data') === undefined) return false;
    const { monitor } = cluster;
    switch (this.#random.below(3)) {
      case 0:
        return this.#command(monitor.pools.revertPool('data'), 'turning a pool back');
      case 1:
        return this.#command(
          monitor.pools.setMigration('data', { migration: 'paused' }),
          'pausing',
        );
      default:
        return this.#command(
          monitor.pools.setMigration('data', { migration: 'running' }),
          'going on',
        );
    }
  }

  /** Only what loses nothing; with its redundancy gone, and its disk untouched. */
  async #giveUp(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const accept = (losses: readonly string[]): void => {
      if (losses.length > 0) throw new MonError('refused', losses.join('\n'));
    };
    const work = cluster.monitor.losses.destroyOsds(new Set([osd.id]), accept);
    return this.#command(work, `giving up osd.${osd.id}`);
  }

  async #takeBack(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    const work = cluster.monitor.losses.undestroyOsds(new Set([osd.id]));
    return this.#command(work, `taking osd.${osd.id} back`);
  }

  #scrub(deep: boolean): boolean {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    return cluster.monitor.scrub([...cluster.monitor.records.keys()], deep).length > 0;
  }

  /** All disks hold all they should, and nothing is broken or about to be. */
  #isWhole(): boolean {
    const cluster = this.#cluster;
    return (
      cluster.takesCommands &&
      cluster.osds.every((each) => each.osd !== undefined) &&
      // One that was called down a moment ago holds all it should, and does not count before it is called up.
      cluster.monitor.map.osds.every(({ up, destroyed }) => up || destroyed) &&
      cluster.isServing() &&
      cluster.isClean()
    );
  }

  /** Undoes what is under way, so that the loss that follows is the only one; whether it came out whole. */
  async #becomeWhole(): Promise<boolean> {
    await this.heal();
    const { scheduler } = this.#cluster;
    const deadline = scheduler.now() + wholeWithinMs;
    while (!this.#isWhole() && scheduler.now() < deadline) await scheduler.run(200);
    return this.#isWhole();
  }
}

/** Whatever waited for it says so in words of its own. */
function isNewerFormat(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === 'newer-format';
  return error instanceof Error && isNewerFormat(error.cause);
}
