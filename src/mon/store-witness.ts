// Whether this map store is the newest that its cluster has seen (PROTOCOL rule 22). A monitor that was
// given an older copy of its directory would elect and promote by records that were overtaken. So it
// changes nothing before the OSDs have told what they saw, and nothing at all, but for its restoration, once one of
// them has seen more than the store has.

import type { Uuid } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** Which map store, and how far it was: travels from the monitor to the OSDs, which remember it. */
export interface StoreMark {
  readonly id: Uuid;
  readonly revision: number;
}

export class StoreWitness {
  /**
   * Resolves when all that are awaited were heard; after the grace, when half of them were: one that is
   * gone must not hold up the rest, but the few that missed what happened must not go on alone. Also when the monitor closes.
   */
  readonly opened: Promise<void>;
  /** Resolves when it opened, or the grace is over: who waits longer should be told for whom. */
  readonly judged: Promise<void>;
  #open: () => void = () => {};
  #judge: () => void = () => {};
  readonly #timer: Timer;
  readonly #awaited: Set<Uuid>;
  readonly #enough: number;
  #isGraceOver = false;
  #fault: string | undefined;
  #seenRevision = 0;
  #isOpen = false;

  /**
   * @param awaited who was up when this store was last written: their word is waited for
   * @param graceMs how long for all of them
   */
  constructor(clock: Clock, awaited: Iterable<Uuid>, graceMs: number) {
    this.#awaited = new Set(awaited);
    this.#enough = Math.floor(this.#awaited.size / 2);
    this.opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.judged = new Promise((resolve) => {
      this.#judge = resolve;
    });
    this.#timer = clock.after(graceMs, 'map store witnesses', () => {
      this.#isGraceOver = true;
      this.#judge();
      this.#look();
    });
    this.#look();
  }

  #look(): void {
    if (this.#awaited.size <= (this.#isGraceOver ? this.#enough : 0)) this.close();
  }

  /** Whose word is waited for. */
  get awaited(): ReadonlySet<Uuid> {
    return this.#awaited;
  }

  /** Why the store must not be changed; undefined while nothing speaks against it. */
  get fault(): string | undefined {
    return this.#fault;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** It opened, or the grace is over. */
  get isJudged(): boolean {
    return this.#isOpen || this.#isGraceOver;
  }

  /** The highest revision that anybody has seen. */
  get seenRevision(): number {
    return this.#seenRevision;
  }

  /** An OSD tells what it saw; undefined: nothing yet. */
  hear(
    osd: { readonly uuid: Uuid; readonly name: string },
    seen: StoreMark | undefined,
    own: StoreMark,
  ): void {
    if (seen !== undefined) {
      this.#seenRevision = Math.max(this.#seenRevision, seen.revision);
      if (seen.id !== own.id)
        this.#fault ??= `${osd.name} knows another map store of this cluster (${seen.id}, this is ${own.id})`;
      else if (seen.revision > own.revision)
        this.#fault ??= `${osd.name} has seen revision ${seen.revision} of the map store, which is at ${own.revision}: it is an older copy`;
    }
    this.#awaited.delete(osd.uuid);
    this.#look();
  }

  /** What was wrong was put right. */
  restored(): void {
    this.#fault = undefined;
  }

  /** Nobody is waited for any more. */
  close(): void {
    this.#timer.cancel();
    this.#isOpen = true;
    this.#open();
    this.#judge();
  }
}
