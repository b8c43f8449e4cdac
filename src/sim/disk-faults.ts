// Disks that are slow, hang, fail, or are full, without having lost anything: those of the OSDs, and the monitor's.

import type { Random } from '../env/random.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

export interface DiskFaultOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  /** Has the fault end after so long, or when all heals. */
  later(minMs: number, spreadMs: number, undo: () => void): void;
}

export class DiskFaults {
  /** Some disk has failed a read. */
  hasFailedReads = false;
  /** Some disk was full. */
  hasFilledDisks = false;
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;
  readonly #options: DiskFaultOptions;

  constructor(options: DiskFaultOptions) {
    this.#random = options.random;
    this.#cluster = options.cluster;
    this.#options = options;
  }

  slow(osd: SimulatedOsd): boolean {
    const { files } = osd;
    if (osd.process === undefined) return false;
    files.slowness = [20, 200, 3000][this.#random.below(3)] as number;
    this.#options.later(2000, 10_000, () => {
      files.slowness = 1;
    });
    return true;
  }

  slowOfMonitor(): boolean {
    const cluster = this.#cluster;
    if (!cluster.hasMonitor) return false;
    const { monitorFiles } = cluster;
    // Commands are waited for.
    monitorFiles.slowness = [20, 200][this.#random.below(2)] as number;
    this.#options.later(2000, 10_000, () => {
      monitorFiles.slowness = 1;
    });
    return true;
  }

  /** What hangs never ends: only another process gets an answer from the disk. */
  hang(osd: SimulatedOsd): boolean {
    const { process, files } = osd;
    if (process === undefined) return false;
    files.fault = () => 'hang';
    this.#options.later(3000, 20_000, () => {
      if (osd.process === process) this.#cluster.killOsd(osd.id);
    });
    return true;
  }

  hangOfMonitor(): boolean {
    const cluster = this.#cluster;
    if (!cluster.hasMonitor) return false;
    const { monitorFiles } = cluster;
    cluster.isMonitorSick = true;
    monitorFiles.fault = () => 'hang';
    this.#options.later(3000, 20_000, () => {
      if (cluster.monitorFiles === monitorFiles) cluster.killMonitor({ power: false });
    });
    return true;
  }

  failReads(osd: SimulatedOsd): boolean {
    const { files } = osd;
    this.hasFailedReads = true;
    files.fault = ({ kind }) =>
      kind === 'block-read' && this.#random.below(3) === 0 ? 'io' : undefined;
    this.#options.later(3000, 10_000, () => {
      files.fault = () => undefined;
    });
    return true;
  }

  /** The daemon stops, as it must: nothing more can be promised after a write was lost. */
  failWrites(osd: SimulatedOsd): boolean {
    const { files } = osd;
    if (osd.process === undefined) return false;
    osd.mayFail = true;
    const code = this.#random.below(2) === 0 ? 'io' : 'no-space';
    const only = (['block-write', 'block-sync', 'rows-commit', 'rows-sync'] as const)[
      this.#random.below(4)
    ];
    files.fault = ({ kind }) => (kind === only ? code : undefined);
    return true;
  }

  /** The monitor stops with the first change that it can't keep. */
  failWritesOfMonitor(): boolean {
    const cluster = this.#cluster;
    if (!cluster.hasMonitor) return false;
    cluster.isMonitorSick = true;
    const code = this.#random.below(2) === 0 ? 'io' : 'no-space';
    cluster.monitorFiles.fault = ({ kind }) => (kind === 'rows-sync' ? code : undefined);
    return true;
  }

  /** Somebody else fills the file system that the disk is on. */
  fill(osd: SimulatedOsd): boolean {
    const { files } = osd;
    if (osd.process === undefined || files.freeBytes < 2 ** 30) return false;
    const free = files.freeBytes;
    this.hasFilledDisks = true;
    files.freeBytes = this.#random.below(20_000_000);
    this.#options.later(2000, 10_000, () => {
      osd.files.freeBytes = free;
    });
    return true;
  }
}
