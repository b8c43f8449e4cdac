// Faults that strike several daemons at one instant: a power line, a machine with several disks, a switch that falls in
// two.

import type { Random } from '../env/random.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

export interface WidespreadOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  /** Starts the monitor if it can be; false when something keeps it down. */
  startMonitor(): Promise<boolean>;
}

export class Widespread {
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;
  readonly #options: WidespreadOptions;

  constructor(options: WidespreadOptions) {
    this.#random = options.random;
    this.#cluster = options.cluster;
    this.#options = options;
  }

  /** The whole house, which comes back at once. */
  async cutAll(): Promise<boolean> {
    const cluster = this.#cluster;
    return this.#cut(cluster.osds, cluster.hasMonitor, true);
  }

  /** Some of the disks, wherever they are, with the monitor or without. */
  async cutSome(): Promise<boolean> {
    const running = this.#cluster.osds.filter(({ process }) => process !== undefined);
    return this.#cutOf(running.filter(() => this.#random.below(2) === 0));
  }

  /** All disks of the machine that this one is in. */
  async cutHost(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.hasMonitor) return false;
    const { osds } = cluster.monitor.map;
    const hostOf = ({ uuid }: SimulatedOsd): string | undefined =>
      osds.find((each) => each.uuid === uuid)?.host;
    const host = hostOf(osd);
    return this.#cutOf(
      cluster.osds.filter((each) => each.process !== undefined && hostOf(each) === host),
    );
  }

  /** Every daemon and client is on one of two sides, between which nothing passes, or nothing in one direction. */
  split(): boolean {
    const names = this.#cluster.processNames();
    const here = names.filter(() => this.#random.below(2) === 0);
    const there = names.filter((name) => !here.includes(name));
    const isOneWay = this.#random.below(4) === 0;
    for (const one of here)
      for (const other of there) {
        this.#cluster.network.cut(one, other);
        if (!isOneWay) this.#cluster.network.cut(other, one);
      }
    return here.length > 0 && there.length > 0;
  }

  /** Less than two are one: that fault is there by itself. */
  async #cutOf(osds: readonly SimulatedOsd[]): Promise<boolean> {
    if (osds.length < 2) return false;
    const withMonitor = this.#cluster.hasMonitor && this.#random.below(3) === 0;
    return this.#cut(osds, withMonitor, this.#random.below(2) === 0);
  }

  async #cut(
    osds: readonly SimulatedOsd[],
    withMonitor: boolean,
    comesBack: boolean,
  ): Promise<boolean> {
    const cluster = this.#cluster;
    for (const { id, process } of osds)
      if (process !== undefined) cluster.killOsd(id, { power: true });
    if (withMonitor) cluster.killMonitor({ power: true });
    if (!comesBack) return true;
    if (withMonitor) await this.#options.startMonitor();
    for (const { id, process } of osds) if (process === undefined) await cluster.startOsd(id);
    return true;
  }
}
