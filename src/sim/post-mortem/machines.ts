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
  /** Told what happened, in words. */
  onEvent: (what: string) => void = () => {};
  oomKills = 0;
  crashes = 0;
  /** Why each OSD crashed last. */
  readonly crashReasons = new Map<OsdId, string>();
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
      if (osd !== undefined) this.#crashed(osd, reason);
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

  oomKillsOf(osd: OsdId): number {
    return this.#fate(osd).oomKills;
  }

  /** Down now, and killed often of late: what an operator calls dead. */
  deathsOf(osd: OsdId): number {
    return this.#fate(osd).deaths;
  }

  /** Of the machine that uses most now. */
  get usedBytesNow(): number {
    return Math.max(...this.#machines.map((machine) => this.#usedBytes(machine)));
  }

  /** Of a machine now, as the story counts. */
  #usedBytes({ shape, hasControlPlane }: Machine): number {
    let used = shape.otherBytes + (hasControlPlane ? shape.controlPlaneBytes : 0);
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
      this.onEvent(
        'most controllers are gone, and with them the monitors: nobody restarts anything',
      );
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
      this.onEvent(`OOM on ${shape.name}: its control plane is killed`);
      return true;
    }
    if (largest === undefined) return false;
    this.oomKills++;
    this.#fate(largest.id).oomKills++;
    this.onEvent(`OOM on ${shape.name}: osd.${largest.id} is killed`);
    this.#died(largest);
    return true;
  }

  #crashed(osd: SimulatedOsd, reason: string): void {
    this.crashes++;
    this.crashReasons.set(osd.id, reason);
    this.onEvent(`osd.${osd.id} crashes`);
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
      (error: unknown) => {
        if (osd.process === process) this.#crashed(osd, String(error));
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
