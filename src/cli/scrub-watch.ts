// Which of the scrubs that were asked for have ended. A scrub ends with who leads its placement group, so that one whose
// lead moved is asked for again; a placement group that left its pool meanwhile is waited for no longer.

import type { PgView, ScrubStarted } from '../admin/views.ts';

/** Of a scrub that nobody does: looks in a row before it is asked for again, since a word may be on its way. */
const idleLooks = 10;

export class ScrubWatch {
  readonly #deep: boolean;
  /** When each was last scrubbed as we asked; null: not known then. */
  readonly #left: Map<string, number | null>;
  readonly #idle = new Map<string, number>();
  readonly total: number;
  damaged = 0;

  constructor({ asked }: ScrubStarted, deep: boolean) {
    this.#deep = deep;
    this.#left = new Map(asked.map(({ pg, beforeMs }) => [pg, beforeMs]));
    this.total = asked.length;
  }

  get done(): number {
    return this.total - this.#left.size;
  }

  /** Takes what the placement groups are now; returns those whose scrub is to be asked for again. */
  look(pgs: readonly PgView[]): readonly string[] {
    const known = new Map(pgs.map((pg) => [pg.pg, pg]));
    const again: string[] = [];
    for (const [name, before] of this.#left) {
      const pg = known.get(name);
      const last = pg && (this.#deep ? pg.deepScrubbedMs : pg.scrubbedMs);
      if (pg === undefined || last === undefined) this.#left.delete(name);
      else if (last === null) continue;
      else if (before === null) {
        // Whether that is what we asked for can't be said.
        this.#left.set(name, last);
        again.push(name);
      } else if (last > before) {
        this.#left.delete(name);
        this.damaged += pg.damaged;
      } else if (this.#isIdle(pg)) again.push(name);
    }
    return again;
  }

  #isIdle({ pg, scrubbing }: PgView): boolean {
    const looks = scrubbing ? 0 : (this.#idle.get(pg) ?? 0) + 1;
    const isOver = looks === idleLooks;
    this.#idle.set(pg, isOver ? 0 : looks);
    return isOver;
  }
}
