// Disks that are gone for good, as promise P1 allows it and as far as it allows it:
//
// - while everything is clean: one disk, or at once as many as every layout of every pool says that it survives, counted
//   by its failure domains
// - at any other time: one disk, where the records say that nothing is lost by it, judged by the function by which the
//   monitor judges `osd destroy`
//
// Each is followed by an empty disk under the same id, or, while everything is clean, by the disk as it was some time ago:
// a snapshot of a virtual machine, a backup put back. All that was acknowledged must be there at the end of the run.

import type { OsdId, Uuid } from '../base/ids.ts';
import type { Random } from '../env/random.ts';
import { type ClusterMap, domainOf, findOsd, type Layout } from '../map/cluster-map.ts';
import { fatesOf } from '../map/what-if.ts';
import type { SimulatedFiles } from '../testing/simulated-files.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

export interface DiskLossOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  readonly problems: string[];
  /** Ends every other fault and waits; whether all came out clean. */
  becomeWhole(): Promise<boolean>;
  /** Somebody has the map or a record in hand: what it says is not by the rules. */
  isEdited(): boolean;
}

/** In which the monitor calls disks down whose daemons were killed while all else was well. */
const calledDownMs = 30_000;

/** In which the monitor has heard how far every disk's transactions are durable. */
const beaconsMs = 2500;

/** In which the monitor knows that a disk is older than it was, if it is. */
const knownMs = 3000;

/** A disk as it was. */
interface KeptDisk {
  readonly uuid: Uuid;
  readonly files: SimulatedFiles;
  readonly hasNewerFormat: boolean;
}

/** Between two attempts at what the monitor refuses for the moment. */
const attemptMs = 500;
const attemptsMax = 60;

/** Failure domains that the layout survives the loss of once its placement groups are clean. */
function survivableDomains({ geometry }: Layout): number {
  return geometry.kind === 'copies' ? geometry.size - 1 : geometry.m;
}

/** Whether every layout, those that are drained or in the trash too, survives the loss of these disks at once. */
function survives(map: ClusterMap, lost: readonly OsdId[]): boolean {
  return map.pools.every(({ layouts }) =>
    layouts.every((layout) => {
      const domains = new Set(
        lost.map((id) => {
          const osd = findOsd(map, id);
          return osd === undefined ? String(id) : domainOf(osd, layout.rule.failureDomain);
        }),
      );
      return domains.size <= survivableDomains(layout);
    }),
  );
}

export class DiskLosses {
  readonly #options: DiskLossOptions;
  /** By the place of the disk; the newest. */
  readonly #kept = new Map<OsdId, KeptDisk>();

  constructor(options: DiskLossOptions) {
    this.#options = options;
  }

  get #cluster(): SimulatedCluster {
    return this.#options.cluster;
  }

  /** One disk of a clean cluster. */
  async loseOne(osd: SimulatedOsd): Promise<boolean> {
    const victims = (): readonly SimulatedOsd[] => this.#survivable([osd]);
    return this.#loseWhileClean(victims, 1);
  }

  /** As many disks of a clean cluster as its layouts survive, drawn anew each time. */
  async loseSeveral(): Promise<boolean> {
    const { osds } = this.#cluster;
    const order = [...osds];
    for (let at = order.length - 1; at > 0; at--) {
      const other = this.#options.random.below(at + 1);
      [order[at], order[other]] = [order[other] as SimulatedOsd, order[at] as SimulatedOsd];
    }
    return this.#loseWhileClean(() => this.#survivable(order), 2);
  }

  /** Copies a disk as it is, for `putBack`. */
  keep({ id, uuid, files, hasNewerFormat, process }: SimulatedOsd): boolean {
    if (process === undefined) return false;
    this.#kept.set(id, { uuid, files: files.copy(), hasNewerFormat });
    return true;
  }

  /** The disk is again what it was when it was copied, and its daemon starts as if nothing were the matter. */
  async putBack(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    const kept = this.#kept.get(osd.id);
    const mayGo = (): boolean => kept?.uuid === osd.uuid && this.#survivable([osd]).length === 1;
    if (kept === undefined || !mayGo() || !(await this.#options.becomeWhole()) || !mayGo())
      return false;
    await cluster.scheduler.run(beaconsMs);
    this.#kept.delete(osd.id);
    cluster.killOsd(osd.id);
    osd.files = kept.files;
    osd.hasNewerFormat = kept.hasNewerFormat;
    cluster.oldDisk = osd.uuid;
    const known = (): number => cluster.logged.get('disk older than it was') ?? 0;
    const before = known();
    await cluster.startOsd(osd.id);
    const deadline = cluster.scheduler.now() + knownMs;
    while (known() === before && cluster.scheduler.now() < deadline)
      await cluster.scheduler.run(100);
    cluster.oldDisk = undefined;
    return true;
  }

  /** The first of these that may go, and of the others whatever may go with them. */
  #survivable(order: readonly SimulatedOsd[]): readonly SimulatedOsd[] {
    const cluster = this.#cluster;
    if (!cluster.takesCommands) return [];
    const { map } = cluster.monitor;
    const chosen: SimulatedOsd[] = [];
    for (const osd of order)
      if (
        survives(
          map,
          [...chosen, osd].map(({ id }) => id),
        )
      )
        chosen.push(osd);
    return chosen;
  }

  async #loseWhileClean(choose: () => readonly SimulatedOsd[], countMin: number): Promise<boolean> {
    const cluster = this.#cluster;
    // Not healed for nothing; what there is to survive may be another thing by then.
    if (choose().length < countMin || !(await this.#options.becomeWhole())) return false;
    const victims = choose();
    if (victims.length < countMin) return false;
    const ids = new Set(victims.map(({ id }) => id));
    const { map, records } = cluster.monitor;
    const names = victims.map(({ id }) => `osd.${id}`).join(', ');
    for (const { pg, fate } of fatesOf(map, records.values(), ids, 'destroyed'))
      if (fate === 'lost' || fate === 'unproven')
        this.#options.problems.push(`${pg} is clean, and said to be ${fate} with ${names}`);
    for (const { id } of victims) cluster.killOsd(id);
    const isDown = ({ id }: SimulatedOsd): boolean =>
      findOsd(cluster.monitor.map, id)?.up === false;
    const deadline = cluster.scheduler.now() + calledDownMs;
    while (!victims.every(isDown) && cluster.scheduler.now() < deadline)
      await cluster.scheduler.run(100);
    if (!victims.every(isDown)) {
      this.#options.problems.push(
        `${names} were killed ${calledDownMs} ms ago, and are not called down`,
      );
      return false;
    }
    for (const { id } of victims) await cluster.replaceDisk(id);
    for (const { id } of victims) await cluster.startOsd(id);
    return true;
  }

  /** A disk of a cluster that is not clean, where the monitor would let its operator destroy it. */
  async loseWhileUnclean(osd: SimulatedOsd): Promise<boolean> {
    const cluster = this.#cluster;
    if (!cluster.takesCommands || this.#options.isEdited()) return false;
    const { monitor } = cluster;
    if (monitor.frozen !== undefined || monitor.waiting !== undefined) return false;
    if (findOsd(monitor.map, osd.id)?.destroyed !== false || cluster.isClean()) return false;
    const fates = fatesOf(monitor.map, monitor.records.values(), new Set([osd.id]), 'destroyed');
    if (fates.some(({ fate }) => fate === 'lost' || fate === 'unproven')) return false;
    cluster.killOsd(osd.id);
    // Others may be paused or cut off: the operator says that it is down, who has the disk in hand.
    const isDown = (): boolean => findOsd(monitor.map, osd.id)?.up === false;
    for (let attempt = 0; attempt < attemptsMax && !isDown(); attempt++) {
      await cluster.settle(
        monitor.markDownByOperator(osd.id).catch(() => undefined),
        `calling osd.${osd.id} down`,
      );
      if (!isDown()) await cluster.scheduler.run(attemptMs);
    }
    if (!isDown()) {
      this.#options.problems.push(`osd.${osd.id} was killed, and can not be called down`);
      return false;
    }
    await cluster.replaceDisk(osd.id);
    await cluster.startOsd(osd.id);
    return true;
  }
}
