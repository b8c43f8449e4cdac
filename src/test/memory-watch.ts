// Looks at the memory of every daemon of a cluster again and again, and keeps the most it saw of each.
// Anonymous memory is what a daemon holds; the page cache of its files comes and goes with the machine.

import { type ClusterProcess, type Memory, memoryOf } from './cluster-process.ts';

/** What an OSD and a gateway may hold (promise P6). */
export const budgetBytes = 256 * 2 ** 20;

/** Between two looks: what is held for a shorter time than this is not held in any sense that matters. */
const lookMs = 100;

/** Pids change when a daemon is started again. */
const pidsMs = 1000;

export class MemoryWatch {
  readonly #cluster: ClusterProcess;
  readonly #most = new Map<string, Memory>();
  readonly #timers: readonly NodeJS.Timeout[];
  #pids: readonly { readonly name: string; readonly pid: number }[] = [];

  private constructor(cluster: ClusterProcess) {
    this.#cluster = cluster;
    this.#timers = [
      setInterval(() => this.#look(), lookMs),
      setInterval(() => {
        this.#refresh().catch(() => undefined);
      }, pidsMs),
    ];
  }

  static async begin(cluster: ClusterProcess): Promise<MemoryWatch> {
    const watch = new MemoryWatch(cluster);
    await watch.#refresh();
    return watch;
  }

  async #refresh(): Promise<void> {
    this.#pids = [...(await this.#cluster.daemons()), { name: 'up', pid: this.#cluster.pid }];
  }

  #look(): void {
    for (const { name, pid } of this.#pids) {
      const now = memoryOf(pid);
      if (now === undefined) continue;
      const before = this.#most.get(name);
      this.#most.set(name, {
        peakBytes: Math.max(before?.peakBytes ?? 0, now.peakBytes),
        anonymousBytes: Math.max(before?.anonymousBytes ?? 0, now.anonymousBytes),
      });
    }
  }

  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#look();
  }

  /** The most seen of each daemon, by name; all lives of one name together. */
  most(): ReadonlyMap<string, Memory> {
    return new Map([...this.#most].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Those that held more than they may: `osd.3 held 301 MiB`. */
  excesses(): readonly string[] {
    return [...this.most()]
      .filter(([name, memory]) => name !== 'up' && memory.anonymousBytes > budgetBytes)
      .map(([name, memory]) => `${name} held ${formatMiB(memory.anonymousBytes)}`);
  }
}

export function formatMiB(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
