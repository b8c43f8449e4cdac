// OSDs near their memory budget in the runs of seeds (promise P6): each run has a budget, and what its daemons are seen
// to use comes near it now and then. Recovery stops first, puts are slowed above that, health says so, and all of it
// ends with the want of memory. Looked at now and then while the run goes on, and once at its end.

import { memoryBudgetBytesDefault, memoryBudgetBytesMin } from '../base/memory-budget.ts';
import type { Random } from '../env/random.ts';
import { checksOf } from './end-health.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

/** Two runs of three are as most clusters are. */
export function drawMemoryBudget(random: Random): number {
  if (random.below(3) > 0) return memoryBudgetBytesDefault;
  const spread = memoryBudgetBytesDefault - memoryBudgetBytesMin;
  return memoryBudgetBytesMin + random.below(spread);
}

/** In thousandths of the budget: recovery stops at 900, puts are slowed at 950; the last is above all of it. */
export const pressures = [920, 970, 1100] as const;

/** Below which nothing of it is left. */
const easePermille = 850;
const recoveryStopsPermille = 900;
const putsSlowPermille = 950;

/** An OSD looks four times a second and tells once; with slow clocks and busy events. */
const seenWithinMs = 1500;
const toldWithinMs = 4000;
const heardWithinMs = 60_000;

/** Since which wire version an OSD tells how its memory stands. */
const tellsSince = 3;

interface Pressed {
  readonly process: SimulatedOsd['process'];
  permille: number;
  sinceMs: number;
}

export class MemoryPressure {
  readonly problems: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #budgetBytes: number;
  readonly #pressed = new Map<number, Pressed>();

  constructor(cluster: SimulatedCluster, budgetBytes: number) {
    this.#cluster = cluster;
    this.#budgetBytes = budgetBytes;
  }

  /** False when it is down. Another process of the same OSD uses little. */
  press(osd: SimulatedOsd, permille: number): boolean {
    const { process } = osd;
    if (process === undefined) return false;
    process.memoryUsedBytes = Math.ceil((this.#budgetBytes * permille) / 1000);
    this.#pressed.set(osd.id, { process, permille, sinceMs: this.#cluster.scheduler.now() });
    return true;
  }

  ease(osd: SimulatedOsd): void {
    if (osd.process === this.#pressed.get(osd.id)?.process) this.press(osd, 0);
  }

  /** What daemons do about it, where they had the time to. Now and then during a run. */
  check(): void {
    const now = this.#cluster.scheduler.now();
    for (const [id, pressed] of this.#pressed) {
      const { osd, process } = this.#cluster.osds[id] as SimulatedOsd;
      if (process !== pressed.process || process?.isAlive !== true) {
        this.#pressed.delete(id);
        continue;
      }
      if (process.isPaused || osd === undefined) pressed.sinceMs = now;
      else if (now - pressed.sinceMs > seenWithinMs) this.#judge(id, pressed.permille, osd.memory);
    }
  }

  #judge(
    id: number,
    permille: number,
    { recoveryWaits, putsWait }: { readonly recoveryWaits: boolean; readonly putsWait: boolean },
  ): void {
    const shouldStop = permille >= recoveryStopsPermille;
    const isBetween = permille >= easePermille && !shouldStop;
    if (!isBetween && recoveryWaits !== shouldStop)
      this.#problem(id, permille, recoveryWaits ? 'still recovers nothing' : 'goes on recovering');
    if (putsWait !== permille >= putsSlowPermille)
      this.#problem(id, permille, putsWait ? 'still slows puts' : 'does not slow puts');
  }

  #problem(id: number, permille: number, what: string): void {
    this.#pressed.delete(id);
    const at = this.#cluster.scheduler.now().toFixed(1);
    this.problems.push(`at ${at} ms: osd.${id} uses ${permille / 10} % of its budget and ${what}`);
  }

  /** With all well: every OSD comes near its budget, health says so of each, and of none any more afterwards. */
  async checkHealth(): Promise<void> {
    const { scheduler, osds, monitor } = this.#cluster;
    // One that tried to connect through a cut may try for as long as its system lets it.
    const isHeard = (): boolean =>
      monitor.map.osds.every((osd) => osd.destroyed || monitor.sightOf(osd)?.heard === true);
    await this.#cluster.until('every OSD to be heard', isHeard, heardWithinMs);
    const telling = osds.filter(({ versionMax }) => versionMax >= tellsSince);
    // What it was told before all healed may have been the last that was heard.
    await scheduler.run(toldWithinMs);
    this.#expectTold(0, 'after all has healed');
    for (const osd of osds) this.press(osd, pressures[0]);
    await scheduler.run(toldWithinMs);
    this.check();
    this.#expectTold(telling.length, 'near its budget');
    for (const osd of osds) this.ease(osd);
    await scheduler.run(toldWithinMs);
    this.check();
    this.#expectTold(0, 'with memory again');
  }

  #expectTold(count: number, when: string): void {
    const told =
      checksOf(this.#cluster).find(({ code }) => code === 'OSD_MEMORY')?.detail.length ?? 0;
    if (told !== count)
      this.problems.push(`health tells of ${told} OSDs without memory ${when}, not of ${count}`);
  }
}
