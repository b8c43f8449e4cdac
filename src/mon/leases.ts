// Who writes, and who holds which job, as the monitor hears of it. Nothing of it is durable: after a restart it is told
// again by whoever lives, and until the grace is over nobody is called dead.

import type { Uuid } from '../base/ids.ts';
import type { Clock, Instant } from '../env/clock.ts';
import type { Session } from '../net/session.ts';

/** A gateway that was not heard of for this long has lost its jobs. */
const jobLeaseMs = 15_000;

/**
 * How long a writer that is not heard of counts as alive, and how long after its start the monitor calls
 * nobody dead. A gateway that is cut off from the monitor goes on serving, and what it has under way is refused
 * once it was called dead. An hour outlasts a reboot and most repairs of a network; it costs no more than
 * that the blobs of a dead writer lie around for an hour longer.
 */
export const writerGraceMsDefault = 3_600_000;

/** A writer incarnation as the monitor hears of it. */
interface WriterSight {
  /** When its newest session ended; undefined while it lasts. */
  endedAt: Instant | undefined;
}

export class Leases {
  readonly #clock: Clock;
  readonly #startedAt: Instant;
  readonly #writerGraceMs: number;
  readonly #jobs = new Map<string, { holder: Uuid; until: Instant }>();
  readonly #writers = new Map<number, WriterSight>();

  constructor(clock: Clock, writerGraceMs: number) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#writerGraceMs = writerGraceMs;
  }

  /** The session's peer writes under it, and is alive while the session lasts. */
  holdIncarnation(session: Session, incarnation: number): void {
    const sight: WriterSight = { endedAt: undefined };
    this.#writers.set(incarnation, sight);
    session.onClose(() => {
      sight.endedAt = this.#clock.now();
    });
  }

  /** Those who lost this monitor when it stopped have had their time to come back. */
  get isWriterGraceOver(): boolean {
    return this.#clock.now() - this.#startedAt > this.#writerGraceMs;
  }

  /** Rising. Forgets the others. */
  liveIncarnations(): number[] {
    const now = this.#clock.now();
    for (const [incarnation, { endedAt }] of this.#writers)
      if (endedAt !== undefined && now - endedAt > this.#writerGraceMs)
        this.#writers.delete(incarnation);
    return [...this.#writers.keys()].sort((a, b) => a - b);
  }

  /** Whether it is the peer's from now on, for `jobLeaseMs`. */
  holdJob(session: Session, job: string): boolean {
    const now = this.#clock.now();
    const held = this.#jobs.get(job);
    if (held !== undefined && held.holder !== session.peer.uuid && held.until > now) return false;
    this.#jobs.set(job, { holder: session.peer.uuid, until: (now + jobLeaseMs) as Instant });
    return true;
  }
}
