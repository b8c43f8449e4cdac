// One seed, one run: a cluster, clients and faults drawn from the seed; then everything heals, and what was
// promised is checked. The same seed gives the same run.

import { formatBlobId } from '../base/ids.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { type Clock, sleep } from '../env/clock.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { InitialPool } from '../mon/initial.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import type { LogLine } from '../testing/simulated-process.ts';
import { compareMembers } from './end-state.ts';
import { Invariants } from './invariants.ts';
import { isLinearizable } from './linearizability.ts';
import { Nemesis } from './nemesis.ts';
import { S3Workload } from './s3-workload.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';
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
  readonly faults: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  /** How often each thing was logged. */
  readonly logged: Readonly<Record<string, number>>;
  /** Equal for equal seeds, as is the next random number. */
  readonly trace: number;
  readonly nextRandom: number;
}

/** How long a healed cluster may take to become clean, in virtual milliseconds. */
const convergeMs = 180_000;

function poolsFor(osdCount: number, random: SeededRandom): readonly InitialPool[] {
  const index = osdCount >= 3 ? copies(3, 2) : osdCount === 2 ? copies(2, 1) : copies(1, 1);
  const choices = [index];
  if (osdCount >= 3) choices.push(erasure(2, 1), erasure(2, 1));
  if (osdCount >= 5) choices.push(erasure(3, 2), erasure(2, 2));
  const data = choices[random.below(choices.length)] ?? index;
  return [
    { name: '.index', geometry: index, failureDomain: 'host', pgCount: 1 + random.below(4) },
    { name: 'data', geometry: data, failureDomain: 'host', pgCount: 1 + random.below(4) },
  ];
}

/** Virtual time in which whatever was under way when the faults ended has its answer. */
const answersMs = 120_000;

/** Longer than any answer may take, and several rounds of collection beyond. */
const collectMs = 60_000;

const gatewayOptions = {
  garbageGraceMs: 20_000,
  garbageIntervalMs: 5000,
  garbageBlobsPerSecond: 10_000,
} as const;

class Run {
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  readonly #workload: Workload;
  readonly #nemesis: Nemesis;
  readonly #invariants: Invariants;
  readonly #s3: S3Workload;
  readonly #deadGateways = new Set<number>();
  /** Of those that live; the workload chooses among them at each request. */
  readonly #gateways: SimulatedGateway[] = [];
  readonly #options: RunOptions;
  #isOver = false;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const osdCount = 1 + this.#random.below(7);
    const pools = poolsFor(osdCount, this.#random);
    this.#cluster = new SimulatedCluster({
      seed: options.seed,
      osdCount,
      pools,
      methods: new Map([...workloadMethods, ...s3Methods]),
      clocksDiffer: this.#random.below(4) > 0,
    });
    this.#cluster.onLog = options.onLog;
    this.#cluster.scheduler.onEvent = options.onEvent;
    this.#workload = new Workload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
    this.#s3 = new S3Workload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
    this.#nemesis = new Nemesis({
      random: new SeededRandom(this.#random.below(2 ** 32)),
      cluster: this.#cluster,
      toleratesLoss: pools.every(({ geometry }) =>
        geometry.kind === 'copies' ? geometry.minSize > 1 : geometry.m > 0,
      ),
      killGateway: () => this.#replaceGateway(),
    });
    this.#invariants = new Invariants(this.#cluster);
    this.#cluster.scheduler.afterEach = () => this.#invariants.check();
  }

  get #isBroken(): boolean {
    return this.#cluster.failures.length > 0 || this.#invariants.problems.length > 0;
  }

  async run(): Promise<RunResult> {
    const problems: string[] = [];
    const cluster = this.#cluster;
    try {
      await this.#story(problems);
    } catch (error) {
      // A defect found earlier explains whatever failed after it.
      if (!this.#isBroken) problems.push(error instanceof Error ? error.message : String(error));
    }
    problems.unshift(...cluster.failures, ...this.#invariants.problems);
    problems.push(...this.#workload.problems, ...this.#checkRegisters());
    problems.push(...this.#s3.problems, ...this.#s3.checkHistories());
    if (problems.length > 0) problems.push(cluster.recentLog());
    return {
      seed: this.#options.seed,
      problems,
      events: cluster.scheduler.events,
      operations: this.#workload.operations + this.#s3.operations,
      refused: this.#workload.refused + this.#s3.refused,
      faults: this.#nemesis.counts,
      logged: Object.fromEntries(cluster.logged),
      virtualMs: cluster.scheduler.now(),
      trace: cluster.scheduler.trace,
      nextRandom: cluster.random.below(2 ** 32),
    };
  }

  async #story(problems: string[]): Promise<void> {
    const cluster = this.#cluster;
    await cluster.start();
    const clients: ClusterClient[] = [];
    for (let count = 1 + this.#random.below(4); count > 0; count--)
      clients.push(await cluster.client());
    const gatewayCount = this.#random.below(4);
    for (let count = 0; count < gatewayCount; count++)
      this.#gateways.push(await cluster.gateway(gatewayOptions));
    const [first] = this.#gateways;
    if (first !== undefined) await cluster.settle(this.#s3.prepare(first), 'a bucket', answersMs);
    const work = [
      ...clients.map((client) => this.#work(client)),
      ...this.#gateways.map((_, index) => this.#workS3(index)),
    ];
    await this.#nemesis.run(this.#options.durationMs, () => this.#isBroken);
    this.#isOver = true;
    await this.#nemesis.heal();
    await cluster.settle(Promise.all(work), 'the clients to end', answersMs);
    await cluster.untilClean(convergeMs);
    this.#workload.mayBeDamaged = false;
    await cluster.settle(
      this.#workload.verify(await cluster.client()),
      'the last reads',
      answersMs,
    );
    await this.#endS3();
    const contents = await compareMembers(cluster, problems);
    const gateways = new Map(this.#gateways.map((each) => [each.incarnation, each]));
    const left = contents.flatMap(({ blobs }) => blobs);
    // Blobs of a gateway that died wait for a sweep of dead incarnations, which is on the roadmap.
    problems.push(
      ...this.#workload.strayBlobs(left, (id) => this.#deadGateways.has(id) || gateways.has(id)),
    );
    for (const { facts } of left) {
      const gateway = gateways.get(facts.blob.incarnation);
      if (gateway !== undefined && !this.#s3.unclear.has(gateway.name))
        problems.push(
          `blob ${formatBlobId(facts.blob)} is on disk though all its bucket held was deleted`,
        );
    }
  }

  /** Everything is read before and after a collection, then deleted and collected. */
  async #endS3(): Promise<void> {
    const cluster = this.#cluster;
    const [gateway] = this.#gateways;
    if (gateway === undefined) return;
    this.#s3.mayBeDamaged = false;
    await cluster.settle(this.#s3.readAll(gateway), 'the last S3 reads', answersMs);
    await cluster.scheduler.run(collectMs);
    await cluster.settle(this.#s3.readAll(gateway), 'S3 reads after collection', answersMs);
    await cluster.settle(this.#s3.removeAll(gateway), 'the last S3 deletes', answersMs);
    await cluster.scheduler.run(collectMs);
  }

  async #replaceGateway(): Promise<boolean> {
    const at = this.#random.below(Math.max(1, this.#gateways.length));
    const gateway = this.#gateways[at];
    if (gateway === undefined || !this.#cluster.hasMonitor) return false;
    gateway.process.kill();
    this.#deadGateways.add(gateway.incarnation);
    this.#gateways[at] = await this.#cluster.gateway(gatewayOptions);
    return true;
  }

  async #workS3(index: number): Promise<void> {
    while (!this.#isOver) {
      this.#s3.mayBeDamaged = this.#nemesis.hasFailedReads;
      await this.#s3.step(this.#gateways[index] as SimulatedGateway);
      await sleep(this.#clock, this.#random.below(300), 's3 client pause');
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
      if (verdict === 'no')
        wrong.push(`register ${name} is not linearizable: ${JSON.stringify(history)}`);
    }
    return wrong;
  }

  async #work(client: ClusterClient): Promise<void> {
    while (!this.#isOver) {
      this.#workload.mayBeDamaged = this.#nemesis.hasFailedReads;
      await this.#workload.step(client);
      await sleep(this.#clock, this.#random.below(120), 'client pause');
    }
  }
}

export function runSeed(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
