// An OSD's memory budget (promise P6). Everything it holds for others is bounded by itself; this looks at the
// sum, as the system sees it, and gives way before the system has to: recovery and scrubs stop first, then
// puts are slowed. Both go on by themselves, and health tells of it meanwhile.

import type { Permits } from '../base/turnstile.ts';
import { sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';

/** Shares of the budget in thousandths. Each ends where the level below it begins to be far away. */
const recoveryStopsPermille = 900;
const recoveryGoesOnPermille = 850;
const putsSlowPermille = 950;

/**
 * Recovery that waits for long is a danger of its own: a step is let through as often as this, however little memory
 * there is.
 */
const stepEveryMs = 5000;

/** Between two times that garbage is collected because there is little memory. */
const collectEveryMs = 10_000;

/** What a put waits above the last level: it drains what is under way, and nothing waits for ever. */
const putWaitMs = 100;

/** Work that stops, and how many permits are all of them. */
export interface Stoppable {
  readonly permits: Permits;
  readonly count: number;
}

export interface MemoryReport {
  readonly usedBytes: number;
  readonly budgetBytes: number;
  readonly recoveryWaits: boolean;
  readonly putsWait: boolean;
}

export class MemoryGuard {
  readonly #env: Env;
  readonly #budgetBytes: number;
  readonly #stoppable: readonly Stoppable[];
  #usedBytes = 0;
  #isStopped = false;
  #collectAt = 0;
  #stepAt = Number.POSITIVE_INFINITY;

  constructor(env: Env, budgetBytes: number, stoppable: readonly Stoppable[]) {
    this.#env = env;
    this.#budgetBytes = budgetBytes;
    this.#stoppable = stoppable;
  }

  get report(): MemoryReport {
    return {
      usedBytes: this.#usedBytes,
      budgetBytes: this.#budgetBytes,
      recoveryWaits: this.#isStopped,
      putsWait: this.#putsWait,
    };
  }

  get #permille(): number {
    return (this.#usedBytes * 1000) / this.#budgetBytes;
  }

  get #putsWait(): boolean {
    return this.#permille >= putsSlowPermille;
  }

  /** Called a few times a second. */
  look(): void {
    const { memory, clock } = this.#env;
    const now = clock.now();
    this.#usedBytes = memory.usedBytes();
    // An idle heap keeps its garbage: what is only that need hold nothing up.
    if (this.#permille >= recoveryGoesOnPermille && now >= this.#collectAt) {
      this.#collectAt = now + collectEveryMs;
      memory.collect();
      this.#usedBytes = memory.usedBytes();
    }
    const permille = this.#permille;
    if (!this.#isStopped && permille >= recoveryStopsPermille) {
      this.#isStopped = true;
      this.#stepAt = now + stepEveryMs;
      // What is under way ends; nothing else begins.
      for (const { permits, count } of this.#stoppable) permits.change(-count);
      this.#tell('recovery stops for want of memory');
    } else if (this.#isStopped && permille < recoveryGoesOnPermille) {
      this.#isStopped = false;
      for (const { permits, count } of this.#stoppable) permits.change(count);
      this.#tell('recovery goes on');
    } else if (this.#isStopped && now >= this.#stepAt) {
      this.#stepAt = now + stepEveryMs;
      for (const { permits } of this.#stoppable) {
        permits.change(1);
        permits.change(-1);
      }
    }
  }

  /** Before memory is taken for a put. */
  async admitPut(): Promise<void> {
    if (this.#putsWait) await sleep(this.#env.clock, putWaitMs, 'memory');
  }

  #tell(event: string): void {
    this.#env.log.write('warn', event, {
      usedBytes: this.#usedBytes,
      budgetBytes: this.#budgetBytes,
    });
  }
}
