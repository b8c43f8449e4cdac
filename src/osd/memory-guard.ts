// An OSD's memory budget (promise P6). Everything it holds for others is bounded by itself; this looks at the
// sum, as the system sees it, and gives way before the system has to: recovery and scrubs stop first, then
// puts are slowed. Both go on by themselves, and health tells of it meanwhile.

import type { Permits } from '../base/turnstile.ts';
import { type Clock, sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';

/** Shares of the budget in thousandths. Each ends where the level below it begins to be far away. */
const recoveryStopsPermille = 900;
const recoveryGoesOnPermille = 850;
const putsSlowPermille = 950;

/** What a put waits above the last level: it drains what is under way, and nothing waits for ever. */
const putWaitMs = 100;

/** Work that stops, and how many permits are all of them. */
export interface Stoppable {
  readonly permits: Permits;
  readonly count: number;
}

/** Keeps all permits of some work, once the steps under way have ended. */
class Stop {
  readonly #work: Stoppable;
  #taken: Promise<void> | undefined;

  constructor(work: Stoppable) {
    this.#work = work;
  }

  begin(): void {
    this.#taken ??= this.#work.permits.acquire(this.#work.count);
  }

  end(): void {
    const { permits, count } = this.#work;
    // Not before they are there: they may have been asked for a moment ago.
    void this.#taken?.then(() => permits.release(count));
    this.#taken = undefined;
  }
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
  readonly #stops: readonly Stop[];
  #usedBytes = 0;
  #isStopped = false;

  constructor(env: Env, budgetBytes: number, stoppable: readonly Stoppable[]) {
    this.#env = env;
    this.#budgetBytes = budgetBytes;
    this.#stops = stoppable.map((work) => new Stop(work));
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
    this.#usedBytes = this.#env.memory.usedBytes();
    const permille = this.#permille;
    if (!this.#isStopped && permille >= recoveryStopsPermille) {
      this.#isStopped = true;
      for (const stop of this.#stops) stop.begin();
      this.#tell('recovery stops for want of memory');
    } else if (this.#isStopped && permille < recoveryGoesOnPermille) {
      this.#isStopped = false;
      for (const stop of this.#stops) stop.end();
      this.#tell('recovery goes on');
    }
  }

  /** Before memory is taken for a put. */
  async admitPut(clock: Clock): Promise<void> {
    if (this.#putsWait) await sleep(clock, putWaitMs, 'memory');
  }

  #tell(event: string): void {
    this.#env.log.write('warn', event, {
      usedBytes: this.#usedBytes,
      budgetBytes: this.#budgetBytes,
    });
  }
}
