// What an operator does to a cluster that is in use, by the calls that the commands make: disks are emptied and given
// up (`osd drain`, then `osd destroy`), or kept after all; placement groups are asked to be marked lost, which they are
// not. What each promises is looked at as it happens (promise P3).

import { poolsWithoutRoom } from '../admin/what-if.ts';
import type { PgId } from '../base/ids.ts';
import type { Random } from '../env/random.ts';
import { findOsd } from '../map/cluster-map.ts';
import { MonError } from '../mon/errors.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

export interface OperatorOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  readonly problems: string[];
  /** Has the monitor do it; false when it refuses. */
  command(work: Promise<unknown>, what: string): Promise<boolean>;
}

export class Operator {
  readonly #options: OperatorOptions;
  /** Being emptied; whether each is to be given up once it is. */
  readonly #draining = new Map<SimulatedOsd, 'destroy' | 'keep'>();

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  get #cluster(): SimulatedCluster {
    return this.#options.cluster;
  }

  #isNeeded({ uuid }: SimulatedOsd): boolean {
    const { records } = this.#cluster.monitor;
    return [...records.values()].some(({ slots }) => slots.some((slot) => slot.uuid === uuid));
  }

  /** Refused, as by the command, where the others could not place all of a pool. */
  async drain(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands || this.#draining.has(osd)) return false;
    const { monitor } = cluster;
    if (findOsd(monitor.map, osd.id)?.destroyed !== false) return false;
    if (poolsWithoutRoom(monitor.map, new Set([osd.id])).length > 0) return false;
    if (!(await this.#options.command(monitor.markOut(osd.id), `draining osd.${osd.id}`)))
      return false;
    this.#draining.set(osd, this.#options.random.below(3) === 0 ? 'keep' : 'destroy');
    return true;
  }

  /**
   * Ends one drain: a disk that nothing needs any more can be given up, and nobody has to name a loss for it; one that
   * is needed still, or is to be kept, goes on as before. False when there is none to end.
   */
  async endDrain(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    for (const [osd, end] of this.#draining) {
      if (end === 'keep') return this.#keep(osd);
      if (!this.#isNeeded(osd)) return this.#destroy(osd);
    }
    return false;
  }

  async #keep(osd: SimulatedOsd): Promise<boolean> {
    this.#draining.delete(osd);
    return this.#options.command(this.#cluster.monitor.markIn(osd.id), `keeping osd.${osd.id}`);
  }

  async #destroy(osd: SimulatedOsd): Promise<boolean> {
    this.#draining.delete(osd);
    const accept = (losses: readonly string[]): void => {
      if (losses.length === 0) return;
      // Where it is needed, it was put in again meanwhile, or a group moved there.
      if (!this.#isNeeded(osd))
        this.#options.problems.push(
          `osd.${osd.id} is empty, and giving it up would lose:\n${losses[0]}`,
        );
      throw new MonError('refused', losses.join('\n'));
    };
    const work = this.#cluster.monitor.losses.destroyOsds(new Set([osd.id]), accept);
    return this.#options.command(work, `giving up osd.${osd.id} when it is empty`);
  }

  /** As at the end: whatever was begun is undone by whoever puts all disks in again. */
  forget(): void {
    this.#draining.clear();
  }

  /** Of any group, however it is: no disk was given up that counts, so that it is refused, or a loss has to be named. */
  async markLost(): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return false;
    // A record that somebody has in hand may say that nobody has anything, and whoever believes it can give all up.
    const pgs = [...cluster.monitor.records.keys()].filter((pg) => pg !== cluster.recordInHand);
    const pg = pgs[this.#options.random.below(Math.max(1, pgs.length))] as PgId | undefined;
    if (pg === undefined) return false;
    let named: readonly string[] | undefined;
    const work = cluster.monitor.losses.beginAgain(
      [pg],
      { kind: 'mark-lost', acceptedBy: 'nobody' },
      ({ lines }) => {
        named = lines;
        throw new MonError('refused', lines.join('\n'));
      },
    );
    if (await this.#options.command(work, `marking ${pg} lost`))
      this.#options.problems.push(`${pg} begins again though nobody named what is lost by it`);
    // Every disk that was given up was so without a loss.
    if (named !== undefined)
      this.#options.problems.push(
        `${pg} may be marked lost, though nothing is: ${named.join('; ')}`,
      );
    return true;
  }
}
