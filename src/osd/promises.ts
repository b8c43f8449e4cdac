// Leases between peers (PROTOCOL rules 6 to 10). A member that promises a primary will, for the length of
// a lease, neither become nor serve under a newer primary of that PG; a primary serves while it holds a
// valid promise of every other member it waits for.
//
// The primary counts a little less than the lease from when it *sent* its request, the member a little
// more from when it received it, so that clocks running at different rates never overlap.

import type { PgId, Uuid } from '../base/ids.ts';
import type { Clock, Instant, WallClock } from '../env/clock.ts';

/** L: long enough that one lost round does no harm, short enough for a failover in five seconds. */
export const leaseMs = 2000;

/** Most that two clocks may differ in rate: one per cent, far above any crystal. */
const driftShare = 0.01;

export const holderLeaseMs = Math.floor(leaseMs * (1 - driftShare));
export const giverLeaseMs = Math.ceil(leaseMs * (1 + driftShare));

/** Rounds of requests: four in a lease, so that three may be lost. */
export const leaseRoundMs = 450;

/**
 * Most that wall and monotonic clock may move against each other while a promise lasts. A machine that was
 * suspended, where the monotonic clock did not count, shows a larger step, and so does a wall clock that was
 * set; both end the promises held (rule 11). The fastest that a clock is slewed is a millisecond.
 */
export const clockStepMsMax = 250;

/** How far the wall clock is ahead; only its changes mean anything. */
export function wallAheadMs(clock: Clock, wall: WallClock): number {
  return wall.nowMs() - clock.now();
}

interface Given {
  readonly primary: Uuid;
  readonly tenure: number;
  readonly until: Instant;
}

/** What this OSD promised to others. Dies with the process, which is why a start waits (rule 8). */
export class GivenPromises {
  readonly #clock: Clock;
  readonly #given = new Map<PgId, Given>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False while a promise to another primary or tenure holds. */
  give(pg: PgId, primary: Uuid, tenure: number): boolean {
    const now = this.#clock.now();
    const held = this.#given.get(pg);
    if (
      held !== undefined &&
      held.until > now &&
      (held.primary !== primary || held.tenure !== tenure)
    )
      return false;
    this.#given.set(pg, { primary, tenure, until: (now + giverLeaseMs) as Instant });
    return true;
  }

  /** The primary ended that tenure for good and says so: nothing of it is to be waited for. */
  release(pg: PgId, primary: Uuid, tenure: number): void {
    const held = this.#given.get(pg);
    if (held?.primary === primary && held.tenure === tenure) this.#given.delete(pg);
  }

  /** Milliseconds until every promise for this PG, to whomever but `self`, has run out. */
  remainingMs(pg: PgId, self: Uuid): number {
    const held = this.#given.get(pg);
    if (held === undefined || held.primary === self) return 0;
    return Math.max(0, held.until - this.#clock.now());
  }
}
