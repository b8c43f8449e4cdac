// Time that counts suspension. Node's monotonic clock stands still while the machine sleeps, and a
// promise that outlived its two seconds that way would let two primaries serve (PROTOCOL rule 11).
// Reading the kernel's boot-time clock (/proc/uptime) costs 10 µs and ticks in 10 ms, too slow and too
// coarse for `now()`: so the fast clock runs, and is corrected forward by what it missed. A sleep is
// noticed in the first `now()` after it, because wall time went on.

import { openSync, readSync } from 'node:fs';
import type { Clock, Instant, Timer, WallClock } from '../env/clock.ts';

/** Wall and monotonic time may drift apart by this much within a second (500 ppm of slewing is 0.5 ms). */
const jumpMs = 20;

/** Two ticks of /proc/uptime and the time between reading two clocks. */
const uptimeToleranceMs = 25;

/** Without any jump the boot-time clock is compared this often. */
const compareEveryMs = 1000;

/** What setTimeout takes at most; longer waits are cut into such. */
const timeoutMsMax = 2 ** 31 - 1;

/** Where the clock gets its readings; replaced in its test. */
export interface ClockSources {
  /** Monotonic milliseconds, standing still in suspension. */
  monotonicMs(): number;
  wallMs(): number;
  /** Milliseconds since boot, suspension included; undefined where the system does not say. */
  uptimeMs(): number | undefined;
}

export class HostClock implements Clock {
  readonly #sources: ClockSources;
  readonly #uptimeLead: number | undefined;
  /** Suspended so far, in milliseconds; only grows. */
  #suspendedMs = 0;
  #wallLead: number;
  #comparedAt: number;

  constructor(sources: ClockSources = systemSources()) {
    this.#sources = sources;
    const monotonic = sources.monotonicMs();
    const uptime = sources.uptimeMs();
    this.#uptimeLead = uptime === undefined ? undefined : uptime - monotonic;
    this.#wallLead = sources.wallMs() - monotonic;
    this.#comparedAt = monotonic;
  }

  now(): Instant {
    const monotonic = this.#sources.monotonicMs();
    const wallLead = this.#sources.wallMs() - monotonic;
    const jump = wallLead - this.#wallLead;
    if (jump > jumpMs || jump < -jumpMs || monotonic - this.#comparedAt > compareEveryMs)
      this.#compare(monotonic, wallLead, jump);
    return (monotonic + this.#suspendedMs) as Instant;
  }

  #compare(monotonic: number, wallLead: number, jump: number): void {
    this.#comparedAt = monotonic;
    this.#wallLead = wallLead;
    const uptime = this.#sources.uptimeMs();
    if (uptime === undefined || this.#uptimeLead === undefined) {
      // Nobody tells a sleep from a set clock. Time taken as passed only makes promises end early.
      if (jump > jumpMs) this.#suspendedMs += jump;
      return;
    }
    const missed = uptime - monotonic - this.#uptimeLead - this.#suspendedMs;
    if (missed > uptimeToleranceMs) this.#suspendedMs += missed;
  }

  after(delayMs: number, _name: string, callback: () => void): Timer {
    if (delayMs === 0) {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    }
    const due = this.now() + delayMs;
    let timer: NodeJS.Timeout;
    const wait = (restMs: number): void => {
      timer = setTimeout(
        () => {
          // Node's timers round and may be early by up to a millisecond.
          const rest = due - this.now();
          if (rest > 0) wait(rest);
          else callback();
        },
        Math.min(Math.ceil(restMs), timeoutMsMax),
      );
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(timer) };
  }
}

export class HostWallClock implements WallClock {
  nowMs(): number {
    return Date.now();
  }
}

export function systemSources(): ClockSources {
  const uptime = openUptime();
  const text = Buffer.alloc(64);
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    uptimeMs: () => {
      if (uptime === undefined) return undefined;
      const count = readSync(uptime, text, 0, text.length, 0);
      const seconds = Number.parseFloat(text.toString('latin1', 0, count));
      return Number.isFinite(seconds) ? seconds * 1000 : undefined;
    },
  };
}

let uptimeDescriptor: number | undefined;

/** One descriptor a process, kept open: opening costs more than reading. Linux only. */
function openUptime(): number | undefined {
  try {
    uptimeDescriptor ??= openSync('/proc/uptime', 'r');
    return uptimeDescriptor;
  } catch {
    return undefined;
  }
}
