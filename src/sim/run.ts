// One seed, one run: a cluster, clients and faults drawn from the seed; then everything heals, and what was
// promised is checked. The same seed gives the same run.

import { emptyBytes } from '../base/bytes.ts';
import { memoryShares } from '../base/memory-budget.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { type Clock, sleep } from '../env/clock.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { SettingName } from '../map/settings.ts';
import type { InitialPool } from '../mon/initial.ts';
import { indexObjectsOf } from '../s3/bucket-control.ts';
import { listTrash } from '../s3/bucket-trash.ts';
import type { GatewayOptions } from '../s3/gateway.ts';
import { bucketsObject } from '../s3/index/index-client.ts';
import { listShards } from '../s3/index/messages.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import type { LogLine } from '../testing/simulated-process.ts';
import { AccessSettingsWorkload } from './access-settings-workload.ts';
import { DefaultEncryptionWorkload } from './default-encryption-workload.ts';
import { EncryptionWorkload, kmsKey } from './encryption-workload.ts';
import { healthLeft } from './end-health.ts';
import { compareMembers, leftAtGateways, leftInMemory, leftOnDisks } from './end-state.ts';
import { Invariants } from './invariants.ts';
import { isLinearizable } from './linearizability.ts';
import { LoggingWorkload, loggingOptions } from './logging-workload.ts';
import { drawMemoryBudget, MemoryPressure } from './memory-pressure.ts';
import { Nemesis } from './nemesis.ts';
import { QuotasWorkload } from './quotas-workload.ts';
import { RetentionWorkload, storageClasses } from './retention-workload.ts';
import { RolesWorkload } from './roles-workload.ts';
import type { S3Load } from './s3-bucket.ts';
import { S3Workload } from './s3-workload.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';
import { TagsWorkload } from './tags-workload.ts';
import { TrashWorkload } from './trash-workload.ts';
import { UsersWorkload } from './users-workload.ts';
import { lifecycleOptions, VersionsWorkload } from './versions-workload.ts';
import { WebsiteWorkload, websiteName } from './website-workload.ts';
import { registerModel, Workload, workloadMethods } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  /** Virtual time of workload and faults, in milliseconds. */
  readonly durationMs: number;
  /** For a person who watches one seed. */
  readonly onLog?: (line: LogLine) => void;
  readonly onEvent?: (at: number, name: string) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly events: number;
  readonly operations: number;
  readonly refused: number;
  /** Histories that were too tangled to be checked to the end. */
  readonly undecided: number;
  /** What the nemesis did, by kind and name. */
  readonly strikes: Nemesis['counts'];
  /** The last lines of the log, and what was done then, where there are problems. */
  readonly recentLog: readonly string[];
  readonly virtualMs: number;
  /** The most that any disk's daemon held in memory for others at once. */
  readonly heldBytesMost: number;
  /** How often each thing was logged. */
  readonly logged: Readonly<Record<string, number>>;
  /** Equal for equal seeds, as is the next random number. */
  readonly trace: number;
  readonly nextRandom: number;
}

/** Between two operations of a client: some thousands of them in the half minute of a run. */
const pauseMsMax = 40;
const s3PauseMsMax = 120;

/**
 * How long a healed cluster may take to become clean, in virtual milliseconds: disks that were killed often wait
 * up to two minutes before they take part again.
 */
const convergeMs = 300_000;

/** Seven disks at most in two runs of three: more of them cost more and show little that fewer do not. */
function drawOsdCount(random: SeededRandom): number {
  return 1 + random.below(random.below(3) === 0 ? 9 : 6);
}

/** A disk a host in half of the runs, else one to five hosts that share the disks. */
function drawHosts(osdCount: number, random: SeededRandom): readonly string[] {
  const hostCount = random.below(2) === 0 ? osdCount : 1 + random.below(Math.min(5, osdCount));
  return Array.from({ length: osdCount }, (_, index) => `host-${index % hostCount}`);
}

/** Geometries that the failure domains allow: hosts where there are enough, else disks. */
function drawPools(hosts: readonly string[], random: SeededRandom): readonly InitialPool[] {
  const hostCount = new Set(hosts).size;
  const failureDomain = hostCount >= 3 || random.below(2) === 0 ? 'host' : 'osd';
  const domains = failureDomain === 'host' ? hostCount : hosts.length;
  const index = domains >= 3 ? copies(3, 2) : domains === 2 ? copies(2, 1) : copies(1, 1);
  const choices = [index];
  if (domains >= 3) choices.push(erasure(2, 1), erasure(2, 1));
  if (domains >= 4) choices.push(erasure(2, 2));
  if (domains >= 5) choices.push(erasure(3, 2), erasure(3, 2));
  const data = choices[random.below(choices.length)] ?? index;
  return [
    { name: '.index', geometry: index, failureDomain, pgCount: 1 + random.below(4) },
    { name: 'data', geometry: data, failureDomain, pgCount: 1 + random.below(4) },
  ];
}

/** Virtual time in which whatever was under way when the faults ended has its answer. */
const answersMs = 120_000;

/** In which what a process had under way when it was killed has ended. */
const restMs = 3000;

/** Between two looks at what daemons do about their memory. */
const memoryLookMs = 500;

/** Longer than a GET may take, and several rounds of collection beyond. */
const collectMs = 25_000;

const gatewayOptions = {
  garbageGraceMs: 10_000,
  garbageIntervalMs: 3000,
  garbageBlobsPerSecond: 10_000,
  kmsKeys: [kmsKey],
  websiteNames: [websiteName],
  storageClasses,
  ...lifecycleOptions,
  ...loggingOptions,
} as const;

/** Splits in ordinary runs: a dozen keys are several shards then. */
function drawSplits(seed: number): {
  readonly shardEntriesMax: number;
  readonly splitIntervalMs: number;
} {
  // Of its own, so that what else a seed draws stays what it was.
  const random = new SeededRandom(seed ^ 0x51175);
  return { shardEntriesMax: 2 + random.below(5), splitIntervalMs: 200 + random.below(1500) };
}

/** At the end, when every gateway that served was killed: soon called dead, and what it left swept. */
const writerGraceMs = 5000;
const sweepingOptions = { orphansIntervalMs: 5000 } as const;

const loadsPerRun = 3;

class Run {
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  readonly #workload: Workload;
  readonly #nemesis: Nemesis;
  readonly #invariants: Invariants;
  readonly #memory: MemoryPressure;
  readonly #s3: S3Workload;
  readonly #versions: VersionsWorkload;
  /** What else gateways are asked in this run. */
  readonly #loads: readonly S3Load[];
  /** Which kind of request is next. */
  readonly #turns: SeededRandom;
  /** Replacements of gateways that died, which start when the cluster lets them. */
  readonly #starting = new Set<Promise<void>>();
  /** Of those that live; the workload chooses among them at each request. */
  readonly #gateways: SimulatedGateway[] = [];
  readonly #clients: SimulatedGateway[] = [];
  /** Called when a client dies: whoever waits for its answers waits in vain. */
  readonly #mourners = new Map<SimulatedGateway, () => void>();
  readonly #options: RunOptions;
  readonly #gatewayOptions: Partial<GatewayOptions>;
  /** Lists that whoever finds something wrong adds to. */
  readonly #problemLists: readonly (readonly string[])[];
  #undecided = 0;
  #isOver = false;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const osdCount = drawOsdCount(this.#random);
    const hosts = drawHosts(osdCount, this.#random);
    const pools = drawPools(hosts, this.#random);
    // Of its own, so that what else a seed draws stays what it was.
    const memoryBudgetBytes = drawMemoryBudget(new SeededRandom(options.seed ^ 0x6d656d));
    this.#gatewayOptions = {
      ...gatewayOptions,
      ...drawSplits(options.seed),
      budgetBytes: memoryShares(memoryBudgetBytes).bodiesBytes,
    };
    this.#cluster = new SimulatedCluster({
      memoryBudgetBytes,
      seed: options.seed,
      osdCount,
      hosts,
      pools,
      methods: new Map([...workloadMethods, ...s3Methods]),
      clocksDiffer: this.#random.below(4) > 0,
      steadyMs: 1000 + this.#random.below(15_000),
    });
    this.#cluster.onLog = options.onLog;
    this.#cluster.scheduler.onEvent = options.onEvent;
    this.#workload = new Workload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
    this.#s3 = new S3Workload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
    this.#versions = new VersionsWorkload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
    this.#memory = new MemoryPressure(this.#cluster, memoryBudgetBytes);
    this.#nemesis = new Nemesis({
      memory: this.#memory,
      random: new SeededRandom(this.#random.below(2 ** 32)),
      cluster: this.#cluster,
      toleratesLoss: pools.every(({ geometry }) =>
        geometry.kind === 'copies' ? geometry.minSize > 1 : geometry.m > 0,
      ),
      killGateway: () => this.#replaceGateway(),
      killClient: () => this.#replaceClient(),
      clients: () => this.#clients,
      gateways: () => this.#gateways,
      acknowledgedIn: (pool, before) => this.#workload.acknowledgedIn(pool, before),
    });
    this.#workload.pools = this.#nemesis;
    this.#workload.excuses = this.#nemesis;
    this.#s3.asker.excuses = this.#nemesis;
    this.#versions.asker.excuses = this.#nemesis;
    this.#s3.gateways = () => this.#gateways;
    // Of their own, so that what else a seed draws stays what it was.
    this.#turns = new SeededRandom(options.seed ^ 0x70617373);
    this.#loads = this.#drawLoads(new SeededRandom(this.#turns.below(2 ** 32)));
    for (const load of this.#loads) load.asker.excuses = this.#nemesis;
    this.#invariants = new Invariants(this.#cluster, memoryBudgetBytes);
    this.#problemLists = [
      this.#cluster.failures,
      this.#invariants.problems,
      this.#nemesis.problems,
      this.#memory.problems,
      ...[this.#workload, this.#s3, this.#versions, ...this.#loads].map(({ problems }) => problems),
    ];
    this.#cluster.scheduler.afterEach = () => {
      this.#invariants.check();
      // Nothing that follows is worth looking at: the last lines of the log are those of the moment.
      if (this.#isBroken) throw new Error('something is wrong');
    };
    this.#lookAtMemory();
  }

  /** Three of eleven in each run: each has a bucket, which costs something. */
  #drawLoads(random: SeededRandom): readonly S3Load[] {
    const now = (): number => this.#cluster.scheduler.now();
    const newRandom = (): SeededRandom => new SeededRandom(random.below(2 ** 32));
    const tags = new TagsWorkload(newRandom(), now);
    const encryption = new EncryptionWorkload(newRandom(), now);
    encryption.gateways = () => this.#gateways;
    const users = new UsersWorkload(newRandom(), now);
    users.gateways = () => this.#gateways;
    users.monitor = () => {
      if (!this.#cluster.hasMonitor) return undefined;
      const { monitor } = this.#cluster;
      const lastApart = (name: string): number => this.#cluster.network.lastApart(name, 'mon');
      return { identity: monitor, revision: monitor.directory.revision, lastApart };
    };
    const monitor = () => (this.#cluster.hasMonitor ? this.#cluster.monitor : undefined);
    const defaults = new DefaultEncryptionWorkload(newRandom(), now);
    defaults.gateways = () => this.#gateways;
    const quotas = new QuotasWorkload(newRandom(), now);
    quotas.monitor = monitor;
    quotas.gateways = () => this.#gateways;
    const roles = new RolesWorkload(newRandom(), now);
    roles.gateways = () => this.#gateways;
    roles.monitor = monitor;
    const trash = new TrashWorkload(newRandom(), now);
    const website = new WebsiteWorkload(newRandom(), now);
    const retention = new RetentionWorkload(newRandom(), now, () => this.#cluster.wallMs);
    retention.gateways = () => this.#gateways;
    retention.osdWalls = (from, until) => this.#cluster.osdWalls(from, until);
    retention.passTime = (ms) => this.#cluster.passTime(ms);
    const logging = new LoggingWorkload(newRandom(), now);
    logging.gateways = () => this.#gateways;
    logging.pause = (ms) => sleep(this.#clock, ms, 'records of requests are waited for');
    logging.hasLost = () => this.#cluster.logged.has('records of access logs are lost');
    const others: S3Load[] = [tags, encryption, users, defaults, quotas, roles, trash, website];
    // Days go by when the last one is removed: nobody else is to live through them.
    const all = [...others, logging, retention];
    while (all.length > loadsPerRun) all.splice(random.below(all.length), 1);
    // In place of one of them, by chance of its own, so that the runs without it draw what they always drew.
    const ofAccess = new SeededRandom(this.#options.seed ^ 0x616363);
    if (ofAccess.below(11) < loadsPerRun) {
      const access = new AccessSettingsWorkload(new SeededRandom(ofAccess.below(2 ** 32)), now);
      access.gateways = () => this.#gateways;
      all[ofAccess.below(all.length)] = access;
    }
    return all;
  }

  #lookAtMemory(): void {
    if (this.#isOver) return;
    this.#memory.check();
    this.#cluster.scheduler.after(memoryLookMs, 'a look at memory', () => this.#lookAtMemory());
  }

  get #isBroken(): boolean {
    return this.#problemLists.some(({ length }) => length > 0);
  }

  async run(): Promise<RunResult> {
    const problems: string[] = [];
    const cluster = this.#cluster;
    try {
      await this.#story(problems);
    } catch (error) {
      // What was found earlier explains whatever failed after it.
      if (!this.#isBroken) problems.push(error instanceof Error ? error.message : String(error));
    }
    problems.unshift(...cluster.failures, ...this.#invariants.problems);
    problems.push(...this.#nemesis.problems, ...this.#memory.problems);
    problems.push(...this.#workload.problems, ...this.#checkRegisters());
    const s3Loads = [this.#s3, this.#versions, ...this.#loads];
    for (const s3 of s3Loads) problems.push(...s3.problems, ...s3.checkHistories());
    return {
      seed: this.#options.seed,
      problems,
      events: cluster.scheduler.events,
      operations: this.#workload.operations + sumOf(s3Loads, (s3) => s3.operations),
      refused: this.#workload.refused + sumOf(s3Loads, (s3) => s3.asker.refused),
      undecided:
        this.#undecided +
        this.#s3.undecided +
        this.#versions.undecided +
        sumOf(this.#loads, ({ histories }) => histories.undecided),
      strikes: this.#nemesis.counts,
      recentLog: problems.length > 0 ? cluster.recentLog() : [],
      logged: Object.fromEntries(cluster.logged),
      virtualMs: cluster.scheduler.now(),
      heldBytesMost: this.#invariants.heldBytesMost,
      trace: cluster.scheduler.trace,
      nextRandom: cluster.random.below(2 ** 32),
    };
  }

  /** In some runs as an operator may have them: disks are out soon, so that it happens at all; reads are confirmed. */
  async #drawSettings(): Promise<void> {
    const set = (name: SettingName, value: number): Promise<void> =>
      this.#cluster.settle(this.#cluster.monitor.setSetting(name, value), name);
    if (this.#random.below(3) === 0)
      await set('osd_out_after_seconds', 10 + this.#random.below(10));
    if (this.#random.below(4) === 0) await set('confirm_reads', 1);
  }

  async #story(problems: string[]): Promise<void> {
    const cluster = this.#cluster;
    await cluster.start();
    await this.#drawSettings();
    for (let count = 1 + this.#random.below(4); count > 0; count--)
      this.#clients.push(await cluster.clientProcess());
    const gatewayCount = this.#random.below(4);
    for (let count = 0; count < gatewayCount; count++)
      this.#gateways.push(await cluster.gateway(this.#gatewayOptions));
    const [first] = this.#gateways;
    if (first !== undefined) {
      await cluster.settle(this.#s3.prepare(first), 'a bucket', answersMs);
      await cluster.settle(this.#versions.prepare(first), 'a bucket of versions', answersMs);
      for (const load of this.#loads)
        await cluster.settle(load.prepare(first), 'what other requests need', answersMs);
    }
    const work = [
      ...this.#clients.map((_, index) => this.#work(index)),
      ...this.#gateways.map((_, index) => this.#workS3(index)),
    ];
    await this.#nemesis.run(this.#options.durationMs, () => this.#isBroken);
    this.#isOver = true;
    await this.#nemesis.heal();
    await cluster.settle(Promise.all(this.#starting), 'gateways to start', answersMs);
    await cluster.settle(Promise.all(work), 'the clients to end', answersMs);
    await cluster.untilClean(convergeMs);
    problems.push(...(await healthLeft(cluster, { hasGateways: this.#gateways.length > 0 })));
    await this.#memory.checkHealth();
    this.#workload.excuses = undefined;
    await cluster.settle(
      this.#workload.verify(await cluster.client()),
      'the last reads',
      answersMs,
    );
    await this.#endS3(problems);
    const contents = await compareMembers(cluster, problems);
    problems.push(...(await leftInMemory(cluster)), ...(await leftOnDisks(cluster)));
    const left = contents.flatMap(({ blobs }) => blobs);
    problems.push(...this.#workload.strayBlobs(left));
  }

  /**
   * Everything is read, by a gateway that served and, when all of those were killed and what they left was
   * swept, by a new one; then it is deleted and collected. No blob of S3 may be left.
   */
  async #endS3(problems: string[]): Promise<void> {
    const cluster = this.#cluster;
    const [gateway] = this.#gateways;
    if (gateway === undefined) return;
    this.#s3.asker.excuses = undefined;
    this.#versions.asker.excuses = undefined;
    await cluster.settle(this.#s3.readAll(gateway), 'the last S3 reads', answersMs);
    for (const load of this.#loads) {
      load.asker.excuses = undefined;
      await cluster.settle(load.readAll(gateway), 'the last reads of the others', answersMs);
    }
    problems.push(...(await leftAtGateways(cluster)));
    for (const each of this.#gateways) each.process.kill();
    cluster.killMonitor({ power: false });
    await cluster.startMonitor({ writerGraceMs });
    const last = await cluster.gateway({ ...this.#gatewayOptions, ...sweepingOptions });
    await cluster.scheduler.run(collectMs);
    await cluster.settle(this.#s3.readAll(last), 'S3 reads after collection', answersMs);
    await cluster.settle(this.#versions.readAll(last), 'reads of versions', answersMs);
    for (const load of this.#loads) {
      await cluster.settle(load.readAll(last), 'reads of the others', answersMs);
      await cluster.settle(load.removeAll(last), 'deletes of the others', answersMs);
    }
    await cluster.settle(this.#s3.removeAll(last), 'the last S3 deletes', answersMs);
    await cluster.settle(this.#versions.removeAll(last), 'deletes of versions', answersMs);
    await cluster.settle(this.#s3.removeBucket(last), 'the removal of the bucket', answersMs);
    await cluster.scheduler.run(collectMs);
    const left = await cluster.settle(this.#bucketsLeft(last.client), 'the last look', answersMs);
    if (left > 0) problems.push(`${left} buckets are not swept: rows are left in their shards`);
    // Its jobs change rows and blobs at any time; what follows looks at one member after the other.
    last.process.kill();
    await cluster.scheduler.run(restMs);
  }

  /** A removed bucket is forgotten when nothing is left in any of its shards, one in the trash when its time is over too. */
  async #bucketsLeft(client: ClusterClient): Promise<number> {
    const index = indexObjectsOf(client);
    const call = { after: emptyBytes, limit: 10 };
    const { buckets } = await index.callObject(bucketsObject, listShards, call);
    return buckets.length + (await listTrash(index)).length;
  }

  #replaceGateway(): boolean {
    const at = this.#random.below(Math.max(1, this.#gateways.length));
    const gateway = this.#gateways[at];
    if (gateway?.process.isAlive !== true) return false;
    gateway.process.kill();
    const started = this.#cluster.gatewayOnceReady(this.#gatewayOptions).then((next) => {
      this.#gateways[at] = next;
      this.#starting.delete(started);
    });
    this.#starting.add(started);
    return true;
  }

  #replaceClient(): boolean {
    const at = this.#random.below(this.#clients.length);
    const client = this.#clients[at];
    if (client?.process.isAlive !== true) return false;
    client.process.kill();
    this.#mourners.get(client)?.();
    const started = this.#cluster.clientOnceReady().then((next) => {
      this.#clients[at] = next;
      this.#starting.delete(started);
    });
    this.#starting.add(started);
    return true;
  }

  /** Objects alone two of five times, the others once each. */
  #nextLoad(): Pick<S3Load, 'step'> {
    const turn = this.#turns.below(3 + this.#loads.length);
    if (turn < 2) return this.#s3;
    return this.#loads[turn - 3] ?? this.#versions;
  }

  async #workS3(index: number): Promise<void> {
    while (!this.#isOver) {
      await this.#nextLoad().step(this.#gateways[index] as SimulatedGateway);
      await sleep(this.#clock, this.#random.below(s3PauseMsMax), 's3 client pause');
    }
  }

  get #clock(): Clock {
    const { scheduler } = this.#cluster;
    return {
      now: () => scheduler.now(),
      after: (delayMs, name, action) => scheduler.after(delayMs, name, action),
    };
  }

  #checkRegisters(): string[] {
    const wrong: string[] = [];
    for (const [name, history] of this.#workload.registers) {
      const verdict = isLinearizable(history, '', registerModel);
      if (verdict === 'undecided') this.#undecided++;
      if (verdict === 'no')
        wrong.push(`register ${name} is not linearizable: ${JSON.stringify(history)}`);
    }
    return wrong;
  }

  async #work(index: number): Promise<void> {
    while (!this.#isOver) {
      const client = this.#clients[index] as SimulatedGateway;
      const death = new Promise<void>((resolve) => this.#mourners.set(client, resolve));
      if (client.process.isAlive) await Promise.race([this.#workload.step(client.client), death]);
      this.#mourners.delete(client);
      await sleep(this.#clock, this.#random.below(pauseMsMax), 'client pause');
    }
  }
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

export function runSeed(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
