// A whole cluster in one process on virtual time: the same monitor, OSDs and clients as the real program,
// each in a simulated process of its own.

import { buffers } from '../base/buffer-pool.ts';
import { formatHex } from '../base/bytes.ts';
import type { OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Methods } from '../base/method.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { EnvError } from '../env/errors.ts';
import type { Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import { findOsd } from '../map/cluster-map.ts';
import { plainUser } from '../map/directory.ts';
import { isClean } from '../map/pg-record.ts';
import { MonError } from '../mon/errors.ts';
import { type InitialPool, initialState } from '../mon/initial.ts';
import { EmbeddedMapStore } from '../mon/map-store.ts';
import { Monitor } from '../mon/monitor.ts';
import { layoutOf } from '../mon/planner.ts';
import { putsFor } from '../mon/state.ts';
import { daemonKey } from '../net/keys.ts';
import { type Osd, startOsd } from '../osd/osd.ts';
import { type GatewayLoad, type GatewayOptions, startS3 } from '../s3/gateway.ts';
import { StoreError } from '../store/errors.ts';
import { ObjectStore } from '../store/object-store.ts';
import { PagePool } from '../testing/page-pool.ts';
import { Scheduler } from '../testing/scheduler.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { SimulatedNetwork } from '../testing/simulated-network.ts';
import type { Medium } from '../testing/simulated-operations.ts';
import { firstWallMs, type LogLine, SimulatedProcess } from '../testing/simulated-process.ts';
import { SimulatedWeb } from '../testing/simulated-web.ts';
import { wireVersionMax } from '../wire/messages.ts';
import { migrateDisk, newerBuildsFiles } from './newer-build.ts';

export interface ClusterShape {
  readonly seed: number;
  readonly osdCount: number;
  /** Of each disk; default: a host of its own. */
  readonly hosts?: readonly string[];
  readonly pools: readonly InitialPool[];
  readonly methods: Methods;
  readonly capacityBytes?: number;
  /** Of the messages, that the disks' daemons speak at first; default: the newest. */
  readonly versionMax?: number;
  /** Each daemon's clock runs up to 0.5 % fast or slow; default: all run alike. */
  readonly clocksDiffer?: boolean;
  /** How long a gateway that is not heard of counts as alive; default: the monitor's. */
  readonly writerGraceMs?: number;
  /** How long a disk has to be up before it is asked to lead again. */
  readonly steadyMs?: number;
  /** How fast each disk is; default: any operation takes up to a millisecond, whatever else is asked. */
  readonly mediumOf?: (id: OsdId) => Medium;
  /** Its disks keep pages that are alike once, for a run that stores gigabytes of a few bodies. */
  readonly sharesPages?: boolean;
  /** Of an OSD's store; default: the store's. */
  readonly cacheBytes?: number;
  /** Of each OSD; default: the daemon's. */
  readonly memoryBudgetBytes?: number;
}

export interface SimulatedGateway {
  readonly name: string;
  readonly client: ClusterClient;
  readonly process: SimulatedProcess;
  /** Under which it names its blobs. */
  readonly incarnation: number;
  /** Of one that serves S3: what its requests hold at the moment. */
  readonly load?: () => GatewayLoad;
}

export interface SimulatedOsd {
  readonly id: OsdId;
  uuid: Uuid;
  /** Its disk was told to fail writes: the daemon is expected to stop. */
  mayFail: boolean;
  /** The highest version of the messages that its build speaks. */
  versionMax: number;
  /** Its build knows a newer format of the disk, and writes it (newer-build.ts). */
  hasNewerFormat: boolean;
  /** Not to be started with the daemon, and why. */
  leftOut: ReadonlyMap<PgId, string>;
  /** Comes between the daemon and its network. */
  wrapNetwork: ((network: Network) => Network) | undefined;
  files: SimulatedFiles;
  process: SimulatedProcess | undefined;
  osd: Osd | undefined;
}

/** Log lines kept for the report of a failure, and of what was done to the cluster. */
const logLinesKept = 400;
const toldLinesKept = 40;
/** Those that a report shows. */
const logLinesShown = 60;

/** How often a disk that is refused for being up is called down, and replaced anew. */
const replacingsMax = 8;
/** Between two of these. */
const replacingMs = 500;

/** Of what a power cut may keep, nothing. */
const losesAll: Random = { below: () => 0 };

export class SimulatedCluster {
  readonly scheduler = new Scheduler();
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  /** Other people's servers. */
  readonly web = new SimulatedWeb(this.scheduler);
  readonly osds: SimulatedOsd[] = [];
  readonly log: LogLine[] = [];
  /** What was done to it from outside, apart: daemons log much. */
  readonly #told: LogLine[] = [];
  readonly failures: string[] = [];
  /** A record that a person has in hand: what becomes of it is not by the rules. */
  recordInHand: PgId | undefined;
  /** What the monitor's map says of layouts is what a person made of it. */
  hasEditedLayout = false;
  /** Was put back as it was some time ago: until the monitor knows, it does not hold what the record says. */
  oldDisk: Uuid | undefined;
  /** The monitor's disk hangs or fails writes: the daemon is expected to stop, and keeps no change. */
  isMonitorSick = false;
  /** How often each thing was written to a log, by its fixed phrase. */
  readonly logged = new Map<string, number>();
  /** Told each log line, for a person who watches one seed. */
  onLog: ((line: LogLine) => void) | undefined;
  /** Told the end of each scrub of a PG. */
  onScrub: ((pg: PgId, errors: number) => void) | undefined;
  /** Told that a daemon stopped on a defect; without it the run fails with that. */
  onCrash: ((process: SimulatedProcess, reason: string) => void) | undefined;
  readonly #rates = new Map<string, number>();
  readonly #wallOffsets = new Map<string, number>();
  /** Each wall clock that was set, and when. */
  readonly #wallJumps: { readonly name: string; readonly at: number; readonly offsetMs: number }[] =
    [];
  #passedMs = 0;
  readonly #shape: ClusterShape;
  readonly #pages: PagePool | undefined;
  #gateways: readonly SimulatedGateway[] = [];
  readonly #fsid: Uuid;
  readonly #masterKey: Uint8Array;
  readonly #monUuid: Uuid;
  #monFiles: SimulatedFiles;
  #monProcess: SimulatedProcess | undefined;
  #monitor: Monitor | undefined;
  #clients = 0;

  constructor(shape: ClusterShape) {
    this.#shape = shape;
    this.#pages = shape.sharesPages === true ? new PagePool() : undefined;
    // A buffer used after it was given back shows as wrong bytes, and whoever gives it back twice ends the run.
    buffers.showMisuse();
    this.random = new SeededRandom(shape.seed);
    this.network = new SimulatedNetwork(
      this.scheduler,
      new SeededRandom(this.random.below(2 ** 32)),
    );
    this.#fsid = this.#newUuid();
    this.#monUuid = this.#newUuid();
    this.#masterKey = Uint8Array.from({ length: 32 }, () => this.random.below(256));
    this.#monFiles = this.#newFiles();
  }

  get fsid(): Uuid {
    return this.#fsid;
  }

  get hasMonitor(): boolean {
    return this.#monitor !== undefined;
  }

  /** What a command of the monitor changes is kept, or refused with a reason. */
  get takesCommands(): boolean {
    return this.hasMonitor && !this.isMonitorSick;
  }

  get monitor(): Monitor {
    if (this.#monitor === undefined) throw new Error('the monitor is down');
    return this.#monitor;
  }

  #newUuid(): Uuid {
    return formatHex(Uint8Array.from({ length: 16 }, () => this.random.below(256))) as Uuid;
  }

  /** `user`: the process that waits for the disk now; while it is paused it learns nothing. */
  #newFiles(
    user: () => SimulatedProcess | undefined = () => undefined,
    medium?: Medium,
  ): SimulatedFiles {
    const random = new SeededRandom(this.random.below(2 ** 32));
    const { scheduler } = this;
    // The disk's own clock: it goes on whatever daemon uses it.
    const clock = {
      now: () => scheduler.now(),
      after: (delayMs: number, name: string, callback: () => void) =>
        scheduler.after(delayMs, `disk ${name}`, () => {
          const daemon = user();
          if (daemon === undefined) callback();
          else daemon.run(callback);
        }),
    };
    return new SimulatedFiles({
      random,
      clock,
      ...(medium === undefined ? {} : { medium }),
      ...(this.#pages === undefined ? {} : { pages: this.#pages }),
    });
  }

  /** The same daemon has the same crystal for life. */
  #rateOf(name: string): number {
    if (this.#shape.clocksDiffer !== true) return 1;
    let rate = this.#rates.get(name);
    if (rate === undefined) {
      rate = 1 + (this.random.below(10_001) - 5000) / 1_000_000;
      this.#rates.set(name, rate);
    }
    return rate;
  }

  /** Sets a daemon's wall clock wrong by so much. */
  setWallOffset(name: string, offsetMs: number): void {
    this.#wallOffsets.set(name, offsetMs);
    this.#wallJumps.push({ name, at: this.scheduler.now(), offsetMs });
  }

  /** So much time goes by on everybody's wall clock, in which nothing happens. */
  passTime(ms: number): void {
    this.#passedMs += ms;
  }

  /** What a wall clock that is right shows. */
  get wallMs(): number {
    return firstWallMs + this.scheduler.now() + this.#passedMs;
  }

  /** What the wall clocks of OSDs showed between two instants, between which and now no time has gone by. */
  osdWalls(from: number, until: number): { readonly leastMs: number; readonly mostMs: number } {
    let least = from;
    let most = until;
    for (const [index, { name, at, offsetMs }] of this.#wallJumps.entries()) {
      if (!name.startsWith('osd.') || at > until) continue;
      const next = this.#wallJumps.find((each, place) => place > index && each.name === name);
      const end = next?.at ?? Number.POSITIVE_INFINITY;
      if (end < from) continue;
      least = Math.min(least, Math.max(from, at) + offsetMs);
      most = Math.max(most, Math.min(until, end) + offsetMs);
    }
    const base = firstWallMs + this.#passedMs;
    // They show whole milliseconds.
    return { leastMs: base + least - 1, mostMs: base + most };
  }

  #newProcess(name: string, files: SimulatedFiles): SimulatedProcess {
    return new SimulatedProcess(name, {
      scheduler: this.scheduler,
      network: this.network,
      web: this.web,
      files,
      random: this.random,
      rate: this.#rateOf(name),
      wallOffsetMs: () => this.#passedMs + (this.#wallOffsets.get(name) ?? 0),
      log: (line) => {
        this.log.push(line);
        this.onLog?.(line);
        this.logged.set(line.event, (this.logged.get(line.event) ?? 0) + 1);
        if (this.log.length > logLinesKept) this.log.shift();
        if (line.event === 'scrub ended')
          this.onScrub?.(line.fields?.pg as PgId, Number(line.fields?.errors));
      },
      failed: (daemon, task, error) => {
        const osd = this.osds.find((each) => each.process === daemon);
        if (osd?.mayFail === true && error instanceof StoreError && error.code === 'failed') {
          this.killOsd(osd.id);
          return;
        }
        if (daemon === this.#monProcess && this.isMonitorSick && error instanceof EnvError) {
          this.killMonitor({ power: false });
          return;
        }
        daemon.kill();
        if (this.onCrash !== undefined) {
          this.onCrash(daemon, `${task}: ${String(error)}`);
          return;
        }
        this.failures.push(
          `${daemon.name}: ${task}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
    });
  }

  /** Formats disks and map store, starts everything, and waits until every PG serves. */
  async start(): Promise<void> {
    const capacityBytes = this.#shape.capacityBytes ?? 1024 ** 3;
    for (let index = 0; index < this.#shape.osdCount; index++)
      this.osds.push(this.#newOsd(index as OsdId, this.#newUuid()));
    const disks = this.osds.map((osd) => ({
      uuid: osd.uuid,
      host: this.#shape.hosts?.[osd.id] ?? `host-${osd.id}`,
      capacityBytes,
    }));
    let nonces = 0;
    const state = initialState({
      fsid: this.#fsid,
      disks,
      pools: this.#shape.pools,
      users: [plainUser({ name: 'admin', accessKey: 'AK', secretKey: 'SK' }, 0, true)],
      nonce: () => `initial-${nonces++}`,
      storeId: this.#newUuid(),
    });
    await this.settle(this.#format(state), 'formatting', 10_000);
    await this.startMonitor();
    for (const osd of this.osds) await this.startOsd(osd.id);
    await this.untilServing();
  }

  async #format(state: Parameters<typeof putsFor>[1]): Promise<void> {
    const store = await EmbeddedMapStore.open(this.#monFiles, 'store');
    await store.transact(putsFor(undefined, state));
    await store.close();
    for (const osd of this.osds) await this.#formatOsd(osd);
  }

  #formatOsd(osd: SimulatedOsd): Promise<void> {
    return ObjectStore.format(osd.files, {
      fsid: this.#fsid,
      osdUuid: osd.uuid,
      osdId: osd.id,
      formatVersion: 1,
      createdWallMs: 0,
    });
  }

  async startMonitor(
    options: { readonly writerGraceMs?: number; readonly steadyMs?: number } = {},
  ): Promise<void> {
    await this.settle(this.monitorOnceReady(options), 'the monitor to start', 10_000);
  }

  /** The same, for who runs the time meanwhile. */
  async monitorOnceReady(
    options: { readonly writerGraceMs?: number; readonly steadyMs?: number } = {},
  ): Promise<void> {
    const daemon = this.#newProcess('mon', this.#monFiles);
    this.#monProcess = daemon;
    this.#monitor = await Monitor.start(daemon.env, {
      identity: { fsid: this.#fsid, role: 'mon', uuid: this.#monUuid },
      masterKey: this.#masterKey,
      listen: 'mon:6789',
      store: await EmbeddedMapStore.open(daemon.files, 'store'),
      ...(this.#shape.writerGraceMs === undefined
        ? {}
        : { writerGraceMs: this.#shape.writerGraceMs }),
      ...(this.#shape.steadyMs === undefined ? {} : { steadyMs: this.#shape.steadyMs }),
      ...options,
    });
  }

  /** The monitor's disk, until its daemon ends. */
  get monitorFiles(): SimulatedFiles {
    return this.#monFiles;
  }

  /** Writes and syncs of the map store so far, on this disk of the monitor. */
  get mapStoreChanges(): number {
    return this.#monFiles.changeCount;
  }

  /** The map store as it is on the monitor's disk now. */
  copyMapStore(): SimulatedFiles {
    return this.#monFiles.copy();
  }

  /** Puts a map store that was copied before in place of the present one; the monitor must be down. */
  putMapStore(files: SimulatedFiles): void {
    if (this.hasMonitor) throw new Error('stop it first');
    this.#monFiles = files;
  }

  /** `power`: its unsynced writes are lost as the disk pleases. */
  killMonitor(options: { readonly power: boolean }): void {
    this.#monProcess?.kill();
    this.#monFiles = options.power ? this.#monFiles.crash() : this.#monFiles.reopen();
    this.isMonitorSick = false;
    this.#monProcess = undefined;
    this.#monitor = undefined;
  }

  startOsd(id: number): Promise<void> {
    return this.settle(this.osdOnceReady(id), `osd.${id} to start`, 20_000);
  }

  /** The same, for who runs the time meanwhile. */
  async osdOnceReady(id: number): Promise<void> {
    const osd = this.#osd(id);
    const daemon = this.#newProcess(`osd.${id}`, osd.files);
    osd.process = daemon;
    const { env } = daemon;
    const network = osd.wrapNetwork?.(env.network) ?? env.network;
    if (osd.hasNewerFormat) await migrateDisk(env.files);
    const files = osd.hasNewerFormat ? newerBuildsFiles(env.files) : env.files;
    const started = await startOsd(
      { ...env, network, files },
      {
        identity: { fsid: this.#fsid, role: 'osd', uuid: osd.uuid, versionMax: osd.versionMax },
        osdId: osd.id,
        key: daemonKey(this.#masterKey, 'osd', osd.uuid),
        mon: { address: 'mon:6789', uuid: this.#monUuid },
        listen: `osd-${id}:0`,
        leftOut: osd.leftOut,
        store: {
          capacityBytes: this.#shape.capacityBytes ?? 1024 ** 3,
          ...(this.#shape.cacheBytes === undefined ? {} : { cacheBytes: this.#shape.cacheBytes }),
        },
        methods: this.#shape.methods,
        ...(this.#shape.memoryBudgetBytes === undefined
          ? {}
          : { memoryBudgetBytes: this.#shape.memoryBudgetBytes }),
      },
    );
    // It may have been killed, or its disk may have failed, just when it had started.
    if (osd.process === daemon && daemon.isAlive) osd.osd = started;
  }

  /** Every slot that the monitor's map names has its daemon. */
  osdOf(uuid: Uuid | undefined): SimulatedOsd | undefined {
    for (const each of this.osds) if (each.uuid === uuid) return each;
    return undefined;
  }

  /** `power`: its unsynced writes are lost as the disk pleases, or all of them. */
  killOsd(id: number, options: { readonly power: boolean | 'loses-all' } = { power: false }): void {
    const osd = this.#osd(id);
    osd.process?.kill();
    osd.process = undefined;
    osd.osd = undefined;
    osd.mayFail = false;
    const { files } = osd;
    if (options.power === 'loses-all') osd.files = files.crash(losesAll);
    else osd.files = options.power ? files.crash() : files.reopen();
  }

  /** A new, empty disk under the same OSD id. */
  async replaceDisk(id: number): Promise<void> {
    const osd = this.#osd(id);
    if (osd.process !== undefined) throw new Error('stop it first');
    osd.files = this.#newFiles(() => osd.process, this.#shape.mediumOf?.(osd.id));
    osd.uuid = this.#newUuid();
    await this.settle(this.#formatOsd(osd), 'formatting', 10_000);
    for (let attempt = 1; ; attempt++)
      try {
        const replacing = this.monitor.replaceDisk(osd.id, osd.uuid);
        await this.settle(replacing, 'replacing the disk', 10_000);
        return;
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        const isRefused = cause instanceof MonError && cause.code === 'refused';
        if (!isRefused || attempt === replacingsMax) throw error;
        // What its last process sent over a slow link came now, and has it up until all of that has come.
        await this.scheduler.run(replacingMs);
        await this.settle(this.monitor.markDownByOperator(osd.id), 'calling it down', 10_000);
      }
  }

  /** A disk that the cluster did not have, and its daemon. Throws what the monitor refuses it for. */
  async addOsd(host: string): Promise<void> {
    const uuid = this.#newUuid();
    const capacityBytes = this.#shape.capacityBytes ?? 1024 ** 3;
    const adding = this.monitor.addDisk({ uuid, host, capacityBytes });
    const id = await this.settle(adding, 'adding a disk', 10_000);
    if (id !== this.osds.length) throw new Error(`osd.${id} is not the next`);
    const osd = this.#newOsd(id, uuid);
    this.osds.push(osd);
    await this.settle(this.#formatOsd(osd), 'formatting', 10_000);
    await this.startOsd(id);
  }

  #newOsd(id: OsdId, uuid: Uuid): SimulatedOsd {
    return {
      id,
      uuid,
      files: this.#newFiles(() => this.osds[id]?.process, this.#shape.mediumOf?.(id)),
      process: undefined,
      osd: undefined,
      mayFail: false,
      versionMax: this.#shape.versionMax ?? wireVersionMax,
      hasNewerFormat: false,
      leftOut: new Map(),
      wrapNetwork: undefined,
    };
  }

  /** Names of all daemons and clients that there are, running or not. */
  processNames(): readonly string[] {
    const clients = Array.from({ length: this.#clients }, (_, index) => `client.${index}`);
    return [...this.osds.map((osd) => `osd.${osd.id}`), 'mon', ...clients.slice(-6)];
  }

  #osd(id: number): SimulatedOsd {
    const osd = this.osds[id];
    if (osd === undefined) throw new Error(`no osd.${id}`);
    return osd;
  }

  /** A client in a process of its own. */
  async client(): Promise<ClusterClient> {
    return (await this.clientProcess()).client;
  }

  /** The same, for who means to do something to the process. */
  clientProcess(): Promise<SimulatedGateway> {
    return this.settle(this.clientOnceReady(), 'the client to be ready', 40_000);
  }

  /** The same, for who runs the time meanwhile: it is ready when the cluster lets it. */
  clientOnceReady(): Promise<SimulatedGateway> {
    return this.#newClient();
  }

  /** A gateway process: a client that serves S3 too. */
  gateway(options: Partial<GatewayOptions> = {}): Promise<SimulatedGateway> {
    return this.settle(this.gatewayOnceReady(options), 'the gateway to be ready', 40_000);
  }

  /** The same, for who runs the time meanwhile: it is ready when the cluster lets it. */
  async gatewayOnceReady(options: Partial<GatewayOptions> = {}): Promise<SimulatedGateway> {
    const client = await this.#newClient();
    const s3 = await startS3(client.process.env, {
      address: 's3:80',
      cluster: client.client,
      ...options,
    });
    const gateway = { ...client, load: () => s3.load() };
    this.#gateways = [...this.#gateways.filter(({ process }) => process.isAlive), gateway];
    return gateway;
  }

  async #newClient(): Promise<SimulatedGateway> {
    const name = `client.${this.#clients++}`;
    const uuid = this.#newUuid();
    const daemon = this.#newProcess(name, this.#newFiles());
    const client = ClusterClient.start(daemon.env, {
      identity: { fsid: this.#fsid, role: 's3', uuid },
      key: daemonKey(this.#masterKey, 's3', uuid),
      mon: { address: 'mon:6789', uuid: this.#monUuid },
    });
    await client.ready();
    const { incarnation } = await client.allocateBlobs(1);
    return { name, client, process: daemon, incarnation };
  }

  /** Those that serve S3, and some that have died. */
  get gateways(): readonly SimulatedGateway[] {
    return this.#gateways;
  }

  // ——— waiting ———

  settle<T>(work: Promise<T>, what: string, limitMs = 60_000): Promise<T> {
    return this.#explained(this.scheduler.settle(work, what, limitMs));
  }

  async until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
    await this.#explained(
      this.scheduler.runUntil(what, () => this.failures.length > 0 || condition(), limitMs),
    );
    if (this.failures.length > 0) throw new Error('a daemon failed');
  }

  async #explained<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw new Error(`seed ${this.#shape.seed}: ${String(error)}\n${this.describe()}`, {
        cause: error,
      });
    }
  }

  /** What somebody does to the cluster, as a line of its log; no daemon's line, so that no mark counts it. */
  tell(process: string, event: string, fields: LogLine['fields']): void {
    const line: LogLine = { at: this.scheduler.now(), process, level: 'info', event, fields };
    this.#told.push(line);
    if (this.#told.length > toldLinesKept) this.#told.shift();
    this.onLog?.(line);
  }

  /** The last lines that the daemons logged, among what was done to them then and some time before. */
  recentLog(): readonly string[] {
    const logged = folded(this.log.filter((line) => line.level !== 'debug')).slice(-logLinesShown);
    return [...this.#told, ...logged].sort((a, b) => a.at - b.at).map(formatLine);
  }

  /** Every PG is led by an OSD that serves it. */
  isServing(): boolean {
    for (const record of this.monitor.records.values()) {
      const lead = this.osdOf(record.primary)?.osd;
      if (lead?.primaryOf(record.pg)?.isServing !== true) return false;
    }
    return true;
  }

  untilServing(limitMs = 30_000): Promise<void> {
    return this.until('every PG to serve', () => this.isServing(), limitMs);
  }

  /** No pool is changing in place, and every PG has what it should have and nothing else. */
  isClean(): boolean {
    const { map, records } = this.monitor;
    const isChanging = map.pools.some(
      ({ layouts, removedWallMs }) =>
        removedWallMs === 0 && layouts.some(({ next }) => next !== undefined),
    );
    if (isChanging) return false;
    return [...records.values()].every((record) => {
      const layout = layoutOf(map, record.pg);
      // A record that still calls a disk in-sync that was replaced fools nobody.
      const isThere = record.slots.every(({ osd, uuid }) => findOsd(map, osd)?.uuid === uuid);
      return layout !== undefined && isThere && isClean(record, layout);
    });
  }

  untilClean(limitMs = 120_000): Promise<void> {
    return this.until(
      'every PG to be active and clean',
      () => this.isServing() && this.isClean(),
      limitMs,
    );
  }

  /** One line a PG that is not serving and clean. */
  describe(): string {
    if (this.#monitor === undefined) return 'the monitor is down';
    const lines: string[] = [];
    for (const record of this.#monitor.records.values()) {
      const lead = this.osds.find((osd) => osd.uuid === record.primary);
      const primary = lead?.osd?.primaryOf(record.pg as PgId);
      const layout = layoutOf(this.#monitor.map, record.pg);
      if (primary?.isServing === true && layout !== undefined && isClean(record, layout)) continue;
      const slots = record.slots.map((slot) => `${slot.osd}/${slot.index}:${slot.state}`).join(' ');
      lines.push(
        `${record.pg} v${record.version} t${record.tenure} osd.${lead?.id} target=[${record.target}] ${slots}`,
        `   ${primary?.describe()}`,
      );
    }
    const osds = this.#monitor.map.osds.map(
      (osd) => `osd.${osd.id} ${osd.up ? 'up' : 'down'} ${osd.in ? 'in' : 'out'}`,
    );
    return [...osds, ...lines.slice(0, 12)].join('\n');
  }
}

/** What daemons log again and again stands once, where it came last. */
function folded(lines: readonly LogLine[]): readonly LogLine[] {
  const last = new Map<string, LogLine>();
  for (const line of lines) {
    const key = `${line.process} ${line.event} ${JSON.stringify(line.fields)}`;
    last.delete(key);
    last.set(key, line);
  }
  return [...last.values()];
}

function formatLine({ at, process, event, fields }: LogLine): string {
  return `${at.toFixed(1)} ${process} ${event} ${JSON.stringify(fields ?? {})}`;
}
