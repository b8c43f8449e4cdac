// One daemon's simulated world: an env whose timers, connections and disk die with it. A process can be
// paused: whatever happens to it meanwhile, happens when it runs again, in the same order.

import type { Clock, Instant } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Log, LogFields, LogLevel } from '../env/log.ts';
import type { Random } from '../env/random.ts';
import type { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import type { SimulatedFiles } from './simulated-files.ts';
import { SimulatedHttp } from './simulated-http.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedWeb } from './simulated-web.ts';

export interface LogLine {
  readonly at: number;
  readonly process: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields | undefined;
}

/**
 * The shortest that a timer takes, unless it is for now, in virtual milliseconds. What is left of a wait can be less than
 * the rounding of instants, and whoever waited for that would do so for ever.
 */
const tickMs = 0.001;

/** What wall clocks show when a run begins. */
export const firstWallMs = 1_700_000_000_000;

export interface ProcessParts {
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly files: SimulatedFiles;
  readonly random: Random;
  /** Other people's servers; nobody's when absent. */
  readonly web?: SimulatedWeb;
  readonly log: (line: LogLine) => void;
  /** A task failed: the process would have stopped. */
  readonly failed: (process: SimulatedProcess, name: string, error: unknown) => void;
  /** Virtual milliseconds of this process's clock per millisecond of the world; 1 when absent. */
  readonly rate?: number;
  /** What this process's wall clock is wrong by now, in milliseconds; 0 when absent. */
  readonly wallOffsetMs?: () => number;
}

export class SimulatedProcess {
  readonly name: string;
  readonly env: Env;
  readonly files: SimulatedFiles;
  readonly #parts: ProcessParts;
  /** Requests to what this process serves over HTTP. */
  readonly http: SimulatedHttp;
  /** What it is made to believe that it holds; simulated processes share one real one. */
  memoryUsedBytes = 0;
  #alive = true;
  #isPaused = false;
  /** By how much its monotonic clock is behind: what it did not count. */
  #uncountedMs = 0;
  #suspendedAt: number | undefined;
  /** What happened to it while it was paused. */
  #held: (() => void)[] = [];
  readonly #eventNames = new Map<string, string>();

  constructor(name: string, parts: ProcessParts) {
    this.name = name;
    this.#parts = parts;
    this.http = new SimulatedHttp(parts.scheduler, this);
    this.files = parts.files;
    const { scheduler, random } = parts;
    const mine = new SeededRandom(random.below(2 ** 32));
    const secrets = new SeededRandom(random.below(2 ** 32));
    const clock = this.#clock();
    const log: Log = {
      write: (level, event, fields) => {
        if (this.#alive) parts.log({ at: scheduler.now(), process: name, level, event, fields });
      },
    };
    this.env = {
      clock,
      wall: {
        nowMs: () => Math.floor(firstWallMs + scheduler.now() + (parts.wallOffsetMs?.() ?? 0)),
      },
      random: mine,
      secrets: { bytes: (count) => Uint8Array.from({ length: count }, () => secrets.below(256)) },
      files: parts.files,
      network: parts.network.of(this),
      http: this.http,
      httpClient: (parts.web ?? new SimulatedWeb(scheduler)).of(this),
      tasks: {
        spawn: (task, work) => {
          work().catch((error: unknown) => {
            if (this.#alive) parts.failed(this, task, error);
          });
        },
      },
      log,
      memory: { usedBytes: () => this.memoryUsedBytes, collect: () => {} },
    };
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  /** Ends the process at once. Its disk is as it was left: crash the files for a power cut. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#held = [];
    this.#parts.network.killed(this);
    this.http.killed();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Stops it as SIGSTOP does: its clock goes on, nothing runs, nothing is lost. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Stops it as a machine that sleeps, under a system whose monotonic clock does not count that. */
  suspend(): void {
    if (this.#isPaused) return;
    this.#suspendedAt = this.#parts.scheduler.now();
    this.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#suspendedAt !== undefined)
      this.#uncountedMs += this.#parts.scheduler.now() - this.#suspendedAt;
    this.#suspendedAt = undefined;
    const held = this.#held;
    this.#held = [];
    for (const each of held)
      this.#parts.scheduler.after(0, `${this.name} resumed`, () => this.run(each));
  }

  /** Does it now, after the pause, or never when the process has ended. */
  run(action: () => void): void {
    if (!this.#alive) return;
    // Also behind what is still to be caught up with: nothing overtakes.
    if (this.#isPaused) this.#held.push(action);
    else action();
  }

  /** Of a timer; made once, for the same ones come again and again. */
  #eventName(timer: string): string {
    let name = this.#eventNames.get(timer);
    if (name === undefined) {
      name = `${this.name} ${timer}`;
      this.#eventNames.set(timer, name);
    }
    return name;
  }

  #clock(): Clock {
    const { scheduler } = this.#parts;
    const rate = this.#parts.rate ?? 1;
    return {
      now: () => (((this.#suspendedAt ?? scheduler.now()) - this.#uncountedMs) * rate) as Instant,
      after: (delayMs, name, callback) => {
        const virtualMs = delayMs > 0 ? Math.max(tickMs, delayMs / rate) : 0;
        return scheduler.after(virtualMs, this.#eventName(name), () => this.run(callback));
      },
    };
  }
}
