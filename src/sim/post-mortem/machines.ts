// The machines of the story: their memory, the kernel that kills when it runs out, and the control plane that restarts
// what died, for as long as most of it is alive.
//
// What a daemon takes is what it takes at rest and what it is seen to hold, each held byte counted for as many as the
// scale says. When the sum on a machine exceeds its memory the largest process there is killed, as the kernel's OOM
// killer does. The one simulated monitor stands for three, one on each controller: it runs while two of them do.

import type { OsdId } from '../../base/ids.ts';
import type { SimulatedCluster, SimulatedOsd } from '../simulated-cluster.ts';

export interface MachineShape {
  readonly name: string;
  readonly osds: readonly OsdId[];
  readonly memoryBytes: number;
  /** Of what runs beside the OSDs and is never the largest. */
  readonly otherBytes: number;
  /** 0: no controller. */
  readonly controlPlaneBytes: number;
}

export interface MachinesOptions {
  readonly shapes: readonly MachineShape[];
  readonly memoryScale: number;
  readonly osdRestBytes: number;
}

interface Machine {
  readonly shape: MachineShape;
  hasControlPlane: boolean;
}

interface Fate {
  /** In a row; a daemon that runs for `steadyMs` begins anew. */
  deaths: number;
  startedAt: number;
  restartAt: number;
  isStarting: boolean;
  /** The operator wants it to stay down. */
  isStopped: boolean;
  oomKills: number;
}

/** Between two looks at memory, in milliseconds: what grows faster is killed a moment late, as in life. */
const lookMs = 50;

/** Of a machine on which nothing else runs. */
const systemBytes = 2 ** 30;

/** The control plane restarts after this, and twice as long each further time. */
const restartMs = 5000;
const restartMsMax = 40_000;
const steadyMs = 60_000;

export class Machines {
  readonly #cluster: SimulatedCluster;
  readonly #options: MachinesOptions;
  readonly #machines: readonly Machine[];
  readonly #fates = new Map<OsdId, Fate>();
  #isMonitorStarting = false;
  #othersBytes = Number.POSITIVE_INFINITY;
  /** Since they were taken last: who was killed for want of memory, and who crashed. */
  readonly #killed: string[] = [];
  readonly #crashedNow = new Set<string>();
  #monitorsWent = false;
  oomKills = 0;
  crashes = 0;
  /** The most that any machine used since it was set to 0. */
  usedBytesMost = 0;
  /** Controllers whose control plane was killed. */
  controlPlanesLost = 0;

  constructor(cluster: SimulatedCluster, options: MachinesOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#machines = options.shapes.map((shape) => ({
      shape,
      hasControlPlane: shape.controlPlaneBytes > 0,
    }));
    cluster.onCrash = (process, reason) => {
      const osd = cluster.osds.find((each) => each.process === process);
      if (osd !== undefined) this.#crashed(osd);
      else cluster.failures.push(`${process.name}: ${reason}`);
    };
  }

  /** From now on, for ever. */
  start(): void {
    this.#look();
    this.#cluster.scheduler.after(lookMs, 'machines', () => this.start());
  }

  get isControlled(): boolean {
    const controllers = this.#machines.filter(({ shape }) => shape.controlPlaneBytes > 0);
    const alive = controllers.filter(({ hasControlPlane }) => hasControlPlane);
    return alive.length * 2 > controllers.length;
  }

  /** In words; what is told is not told again. */
  takeDeaths(): readonly string[] {
    const killed = this.#killed.splice(0);
    const crashed = [...this.#crashedNow].sort();
    this.#crashedNow.clear();
    const went = this.#monitorsWent;
    this.#monitorsWent = false;
    return [
      ...(killed.length === 0 ? [] : [`out of memory, killed: ${countedNames(killed)}`]),
      ...(went ? ['the monitors are gone with two controllers, and nobody restarts anything'] : []),
      ...(crashed.length === 0 ? [] : [`${countedNames(crashed)} crash`]),
    ];
  }

  oomKillsOf(osd: OsdId): number {
    return this.#fate(osd).oomKills;
  }

  /** Of the machine that uses most now. */
  get usedBytesNow(): number {
    return Math.max(...this.#machines.map((machine) => this.#usedBytes(machine)));
  }

  /** Of a machine now, as the story counts. */
  #usedBytes({ shape, hasControlPlane }: Machine): number {
    let used =
      Math.min(shape.otherBytes, this.#othersBytes) +
      (hasControlPlane ? shape.controlPlaneBytes : 0);
    for (const id of shape.osds) used += this.#osdBytes(this.#osd(id));
    return used;
  }

  #osdBytes({ process, osd }: SimulatedOsd): number {
    if (process === undefined) return 0;
    const { store, requests, shards } = osd?.heldBytes ?? { store: 0, requests: 0, shards: 0 };
    return this.#options.osdRestBytes + (store + requests + shards) * this.#options.memoryScale;
  }

  #osd(id: OsdId): SimulatedOsd {
    return this.#cluster.osds[id] as SimulatedOsd;
  }

  #fate(id: OsdId): Fate {
    let fate = this.#fates.get(id);
    if (fate === undefined) {
      fate = {
        deaths: 0,
        startedAt: 0,
        restartAt: 0,
        isStarting: false,
        isStopped: false,
        oomKills: 0,
      };
      this.#fates.set(id, fate);
    }
    return fate;
  }

  #look(): void {
    for (const machine of this.#machines) {
      for (const id of machine.shape.osds) {
        const osd = this.#osd(id);
        if (osd.process !== undefined) osd.process.memoryUsedBytes = this.#osdBytes(osd);
      }
      // Each round kills one process of a few.
      for (let used = this.#usedBytes(machine); ; used = this.#usedBytes(machine)) {
        this.usedBytesMost = Math.max(this.usedBytesMost, used);
        if (used <= machine.shape.memoryBytes || !this.#killLargest(machine)) break;
      }
    }
    if (!this.isControlled && this.#cluster.hasMonitor) {
      this.#cluster.killMonitor({ power: false });
      this.#monitorsWent = true;
    }
    if (this.isControlled) this.#restartDead();
  }

  #killLargest(machine: Machine): boolean {
    const { shape } = machine;
    const running = shape.osds
      .map((id) => this.#osd(id))
      .filter(({ process }) => process !== undefined)
      .sort((a, b) => this.#osdBytes(b) - this.#osdBytes(a));
    const [largest] = running;
    if (
      machine.hasControlPlane &&
      (largest === undefined || shape.controlPlaneBytes >= this.#osdBytes(largest))
    ) {
      machine.hasControlPlane = false;
      this.controlPlanesLost++;
      this.oomKills++;
      this.#killed.push(`the control plane of ${shape.name}`);
      return true;
    }
    if (largest === undefined) return false;
    this.oomKills++;
    this.#fate(largest.id).oomKills++;
    this.#killed.push(`osd.${largest.id}`);
    this.#died(largest);
    return true;
  }

  #crashed(osd: SimulatedOsd): void {
    this.crashes++;
    this.#crashedNow.add(`osd.${osd.id}`);
    this.#died(osd);
  }

  #died(osd: SimulatedOsd): void {
    const now = this.#cluster.scheduler.now();
    const fate = this.#fate(osd.id);
    if (now - fate.startedAt > steadyMs) fate.deaths = 0;
    fate.restartAt = now + Math.min(restartMsMax, restartMs * 2 ** fate.deaths);
    fate.deaths++;
    fate.isStarting = false;
    this.#cluster.killOsd(osd.id);
  }

  #restartDead(): void {
    const now = this.#cluster.scheduler.now();
    for (const osd of this.#cluster.osds) {
      const fate = this.#fate(osd.id);
      if (osd.process !== undefined || fate.isStarting || fate.isStopped) continue;
      if (now >= fate.restartAt) this.#startOsd(osd, fate);
    }
  }

  #startOsd(osd: SimulatedOsd, fate: Fate): void {
    fate.isStarting = true;
    fate.startedAt = this.#cluster.scheduler.now();
    const started = this.#cluster.osdOnceReady(osd.id);
    const { process } = osd;
    started.then(
      () => {
        if (osd.process === process) fate.isStarting = false;
      },
      () => {
        if (osd.process === process) this.#crashed(osd);
      },
    );
  }

  /** The operator keeps it down, or no longer. */
  setStopped(id: OsdId, isStopped: boolean): void {
    const fate = this.#fate(id);
    fate.isStopped = isStopped;
    fate.deaths = 0;
    fate.restartAt = 0;
    if (isStopped) {
      fate.isStarting = false;
      this.#cluster.killOsd(id);
    }
  }

  /** What else ran on the machines is stopped, to make room for the OSDs. */
  stopOthers(): void {
    this.#othersBytes = Math.min(this.#othersBytes, systemBytes);
  }

  /** Somebody goes to the machines: control planes run again, and with them everything else. */
  async restoreControl(): Promise<void> {
    for (const machine of this.#machines)
      machine.hasControlPlane = machine.shape.controlPlaneBytes > 0;
    for (const fate of this.#fates.values()) {
      fate.deaths = 0;
      fate.restartAt = 0;
    }
    if (this.#cluster.hasMonitor || this.#isMonitorStarting) return;
    this.#isMonitorStarting = true;
    await this.#cluster.startMonitor();
    this.#isMonitorStarting = false;
  }

  /** The machine swaps, or its disks do not keep up: nothing on it answers for so long. */
  stall(name: string, forMs: number): void {
    const machine = this.#machines.find(({ shape }) => shape.name === name);
    for (const id of machine?.shape.osds ?? []) {
      const { process } = this.#osd(id);
      if (process === undefined || process.isPaused) continue;
      process.pause();
      this.#cluster.scheduler.after(forMs, 'stall ends', () => process.resume());
    }
  }
}

/** Each name once, with how often where that is more. */
function countedNames(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, times]) => (times === 1 ? name : `${name} (${times} times)`))
    .join(', ');
}
