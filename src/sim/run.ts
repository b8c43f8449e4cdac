// One seed, one run: a cluster, clients and faults drawn from the seed; then everything heals, and what was
// promised is checked. The same seed gives the same run.

import type { ClusterClient } from '../client/cluster-client.ts';
import { sleep } from '../env/clock.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { InitialPool } from '../mon/initial.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { isLinearizable } from './linearizability.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { registerModel, Workload, workloadMethods } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  /** Virtual time of workload and faults, in milliseconds. */
  readonly durationMs: number;
}

export interface RunResult {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly events: number;
  readonly operations: number;
  readonly refused: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  /** Equal for equal seeds. */
  readonly trace: number;
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

class Run {
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  readonly #workload: Workload;
  readonly #options: RunOptions;
  readonly #faults: Record<string, number> = {};
  readonly #osdCount: number;
  #isOver = false;
  #monitorIsUp = true;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#osdCount = 1 + this.#random.below(7);
    const pools = poolsFor(this.#osdCount, this.#random);
    this.#cluster = new SimulatedCluster({
      seed: options.seed,
      osdCount: this.#osdCount,
      pools,
      methods: workloadMethods,
    });
    this.#workload = new Workload(new SeededRandom(this.#random.below(2 ** 32)), () =>
      this.#cluster.scheduler.now(),
    );
  }

  async run(): Promise<RunResult> {
    const problems: string[] = [];
    const cluster = this.#cluster;
    try {
      await cluster.start();
      const clients: ClusterClient[] = [];
      for (let count = 1 + this.#random.below(4); count > 0; count--)
        clients.push(await cluster.client());
      const work = clients.map((client) => this.#work(client));
      await this.#disturb();
      this.#isOver = true;
      await this.#heal();
      await cluster.settle(Promise.all(work), 'the clients to end', 120_000);
      await cluster.untilClean(convergeMs);
      await cluster.settle(
        this.#workload.verify(await cluster.client()),
        'the last reads',
        120_000,
      );
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    problems.push(...cluster.failures, ...this.#workload.problems, ...this.#checkRegisters());
    return {
      seed: this.#options.seed,
      problems,
      events: cluster.scheduler.events,
      operations: this.#workload.operations,
      refused: this.#workload.refused,
      faults: this.#faults,
      virtualMs: cluster.scheduler.now(),
      trace: cluster.scheduler.trace,
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
    const clock = {
      now: () => this.#cluster.scheduler.now(),
      after: (delayMs: number, name: string, action: () => void) =>
        this.#cluster.scheduler.after(delayMs, name, action),
    };
    while (!this.#isOver) {
      await this.#workload.step(client);
      await sleep(clock, this.#random.below(120), 'client pause');
    }
  }

  #note(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  async #disturb(): Promise<void> {
    const { scheduler } = this.#cluster;
    const end = scheduler.now() + this.#options.durationMs;
    while (scheduler.now() < end) {
      await scheduler.run(this.#random.below(3000));
      if (this.#cluster.failures.length > 0) return;
      await this.#fault();
    }
  }

  async #fault(): Promise<void> {
    const cluster = this.#cluster;
    const osd = cluster.osds[this.#random.below(this.#osdCount)];
    if (osd === undefined) return;
    switch (this.#random.below(9)) {
      case 0:
      case 1:
        if (osd.process === undefined) return this.#restart(osd.id);
        this.#note('crash');
        cluster.killOsd(osd.id);
        return;
      case 2:
        if (osd.process === undefined) return this.#restart(osd.id);
        this.#note('power cut');
        cluster.killOsd(osd.id, { power: true });
        return;
      case 3:
        return this.#restart(osd.id);
      case 4: {
        const other = this.#someProcess();
        this.#note('one-way cut');
        cluster.network.cut(`osd.${osd.id}`, other);
        return;
      }
      case 5: {
        const other = this.#someProcess();
        this.#note('partition');
        cluster.network.cut(`osd.${osd.id}`, other);
        cluster.network.cut(other, `osd.${osd.id}`);
        return;
      }
      case 6:
        cluster.network.heal();
        return;
      case 7:
        return this.#toggleMonitor();
      default:
        if (this.#random.below(6) > 0) return;
        this.#note('power cut of all');
        for (const each of cluster.osds)
          if (each.process !== undefined) cluster.killOsd(each.id, { power: true });
        if (this.#monitorIsUp) {
          cluster.killMonitor({ power: true });
          await cluster.startMonitor();
        }
        for (const each of cluster.osds) await cluster.startOsd(each.id);
    }
  }

  #someProcess(): string {
    const at = this.#random.below(this.#osdCount + 1);
    return at === this.#osdCount ? 'mon' : `osd.${at}`;
  }

  async #restart(id: number): Promise<void> {
    const osd = this.#cluster.osds[id];
    if (osd !== undefined && osd.process === undefined) await this.#cluster.startOsd(id);
  }

  async #toggleMonitor(): Promise<void> {
    if (this.#monitorIsUp) {
      this.#note('monitor crash');
      this.#cluster.killMonitor({ power: this.#random.below(2) === 0 });
      this.#monitorIsUp = false;
    } else {
      await this.#cluster.startMonitor();
      this.#monitorIsUp = true;
    }
  }

  async #heal(): Promise<void> {
    this.#cluster.network.heal();
    if (!this.#monitorIsUp) await this.#toggleMonitor();
    for (const osd of this.#cluster.osds) await this.#restart(osd.id);
  }
}

export function runSeed(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
