// Primaries begin a few at a time. An OSD that boots may have thousands to start: each asks the monitor and two or more
// peers, who write for it, and all at once they would fill memory with what waits, and keep promises from being asked for.

import type { PgId } from '../base/ids.ts';
import type { Clock, Instant } from '../env/clock.ts';

/**
 * Primaries on their way at once. Each takes some 10 KiB until it is there; and a member that several disks ask together
 * has to answer in seconds, also on a machine that has a tenth of its time for it, or all are asked again.
 */
const startsAtOnce = 128;

/**
 * When none of them has got there for so long, they wait for somebody who is away, and stand in nobody's way any more. On a
 * machine that is only slow some get there.
 */
const stuckMs = 4000;

/** Nor does one that takes so long, while others get there. */
const holdMs = 10_000;

/** Between two looks for those, while somebody waits. */
const lookMs = 100;

export class Starts {
  readonly #clock: Clock;
  readonly #begin: (pg: PgId) => boolean;
  /** PGs on their way, and since when; in the order of beginning. */
  readonly #running = new Map<PgId, Instant>();
  /** Those whose turn will come. Nothing else is kept of them. */
  readonly #waiting = new Set<PgId>();
  #isLooking = false;
  #isLettingIn = false;
  /** When one got there last, or others were let in for those that were stuck. */
  #movedAt: Instant;

  /** @param begin called when it is the turn of one that waited; answers whether it has begun */
  constructor(clock: Clock, begin: (pg: PgId) => boolean) {
    this.#clock = clock;
    this.#begin = begin;
    this.#movedAt = clock.now();
  }

  /** Whether its primary may begin now; else it is called when it may, first come first served. */
  may(pg: PgId): boolean {
    if (this.#running.has(pg)) return true;
    if (this.#waiting.size === 0 && this.#running.size < startsAtOnce) {
      this.#running.set(pg, this.#clock.now());
      return true;
    }
    this.#waiting.add(pg);
    this.#lookLater();
    return false;
  }

  /** It is there, or it will never be. May be called twice, and of one that never began. */
  ended(pg: PgId): void {
    if (!this.#running.delete(pg)) return;
    this.#movedAt = this.#clock.now();
    this.#letIn();
  }

  /** One that is let in may end at once, and others with it: they are seen by the loop that is under way. */
  #letIn(): void {
    if (this.#isLettingIn) return;
    this.#isLettingIn = true;
    for (const pg of this.#waiting) {
      if (this.#running.size >= startsAtOnce) break;
      this.#waiting.delete(pg);
      this.#running.set(pg, this.#clock.now());
      if (!this.#begin(pg)) this.#running.delete(pg);
    }
    this.#isLettingIn = false;
  }

  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#clock.after(lookMs, 'slow starts', () => {
      this.#isLooking = false;
      const now = this.#clock.now();
      const isStuck = now - this.#movedAt >= stuckMs;
      if (isStuck) this.#movedAt = now;
      for (const [pg, since] of this.#running) {
        if (now - since < (isStuck ? stuckMs : holdMs)) break;
        this.#running.delete(pg);
      }
      this.#letIn();
      if (this.#waiting.size > 0) this.#lookLater();
    });
  }
}
