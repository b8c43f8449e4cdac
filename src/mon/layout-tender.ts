// When a pool gets an interim layout, goes back to its own, loses one that is empty, and has changed in place: the memory
// and the waiting around the pure steps of `layouts.ts` and `in-place.ts`. Nothing here is needed after a restart of the monitor; it
// then waits again.

import type { OsdId, PgId, PoolId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { activeLayout, type Pool, pgIdsOf } from '../map/cluster-map.ts';
import { changedLayout, keepChange } from './in-place.ts';
import {
  activateLayout,
  addLayout,
  type InterimStep,
  interimStep,
  type PgEmptiness,
  removeLayout,
  unemptied,
} from './layouts.ts';
import type { MonState } from './state.ts';

/**
 * How long an active layout must have been unable to take writes before an interim one is made: a restart is over
 * by then, and a write waits for ten seconds.
 */
const blockedMs = 4000;

/** How long the pool's own layout must have been able to take writes again before they go back to it. */
const steadyMs = 10_000;

/** How far a gateway that moves a pool's blobs says it is. */
export interface MigrationWord {
  /** The layout that was active then: of another, the word says nothing. */
  readonly toLayout: number;
  readonly movedBytes: number;
  readonly movedBlobs: number;
  readonly cleanPasses: number;
  readonly trouble: string;
  readonly at: Instant;
  /** When the first word of this pool's present migration came, and what had been moved by then. */
  readonly firstAt: Instant;
  readonly firstMovedBytes: number;
}

interface Waiting {
  readonly kind: InterimStep['kind'];
  readonly since: Instant;
}

/**
 * A PG that was empty when its scrub was asked for: of whom, and when that had last scrubbed it until then. A scrub
 * ends with who leads, and another one's earlier scrub is not what was asked for.
 */
interface AskedScrub {
  readonly osd: OsdId | undefined;
  readonly before: number;
}

export interface TenderWorld {
  wordOf(pg: PgId): PgEmptiness | undefined;
  askScrub(pgs: readonly PgId[]): void;
}

/** A step to take in the next change; it is decided anew on the state of that moment. */
export type TenderStep = (state: MonState, nonce: () => string) => MonState;

export class LayoutTender {
  readonly #waiting = new Map<PoolId, Waiting>();
  readonly #scrubs = new Map<PgId, AskedScrub>();
  readonly #words = new Map<PoolId, MigrationWord>();

  heard(pool: PoolId, word: Omit<MigrationWord, 'firstAt' | 'firstMovedBytes'>): void {
    const before = this.#words.get(pool);
    // Another gateway counts anew.
    const goesOn =
      before !== undefined &&
      word.toLayout === before.toLayout &&
      word.movedBytes >= before.movedBytes;
    this.#words.set(pool, {
      ...word,
      firstAt: goesOn ? before.firstAt : word.at,
      firstMovedBytes: goesOn ? before.firstMovedBytes : word.movedBytes,
    });
  }

  wordOf(pool: Pool): MigrationWord | undefined {
    const word = this.#words.get(pool.id);
    return word?.toLayout === activeLayout(pool).id ? word : undefined;
  }

  /** What should be done now for this pool; undefined: nothing. */
  look(state: MonState, pool: Pool, now: Instant, world: TenderWorld): TenderStep | undefined {
    if (pool.layouts.length === 1) this.#words.delete(pool.id);
    return (
      this.#lookInterim(state, pool, now) ??
      this.#lookChanged(state, pool) ??
      this.#lookEmpty(pool, world)
    );
  }

  #lookChanged(state: MonState, pool: Pool): TenderStep | undefined {
    if (changedLayout(state, pool) === undefined) return undefined;
    return (current) => {
      const again = current.map.pools.find((each) => each.id === pool.id);
      const done = again === undefined ? undefined : changedLayout(current, again);
      return again === undefined || done === undefined ? current : keepChange(current, again, done);
    };
  }

  #lookInterim(state: MonState, pool: Pool, now: Instant): TenderStep | undefined {
    const step = interimStep(state, pool);
    const waiting = this.#waiting.get(pool.id);
    if (step === undefined) {
      this.#waiting.delete(pool.id);
      return undefined;
    }
    if (waiting?.kind !== step.kind) {
      this.#waiting.set(pool.id, { kind: step.kind, since: now });
      return undefined;
    }
    const isReturn = step.kind === 'activate' && step.layout.purpose === 'own';
    if (now - waiting.since < (isReturn ? steadyMs : blockedMs)) return undefined;
    this.#waiting.delete(pool.id);
    return (current, nonce) => {
      const again = current.map.pools.find((each) => each.id === pool.id);
      const now = again === undefined ? undefined : interimStep(current, again);
      if (again === undefined || now === undefined) return current;
      return now.kind === 'activate'
        ? activateLayout(current, again, now.layout)
        : (addLayout(current, again, now.wish, nonce) ?? current);
    };
  }

  /**
   * Rule 31: a layout goes when its PGs list nothing, and a scrub that began after that agrees. While an interim
   * one is active none goes: the pool's own is to become the active one again, however little is in it.
   */
  #lookEmpty(pool: Pool, { wordOf, askScrub }: TenderWorld): TenderStep | undefined {
    if (activeLayout(pool).purpose === 'interim') return undefined;
    for (const layout of pool.layouts) {
      if (layout.drainingSince === undefined) continue;
      const pgs = pgIdsOf(pool, layout);
      if (unemptied(pool, layout, wordOf).length > 0) {
        for (const pg of pgs) this.#scrubs.delete(pg);
        continue;
      }
      const unscrubbed = pgs.filter((pg) => {
        const word = wordOf(pg);
        const asked = this.#scrubs.get(pg);
        if (asked !== undefined && asked.osd === word?.osd)
          return asked.before === word?.scrubbedWallMs;
        this.#scrubs.set(pg, { osd: word?.osd, before: word?.scrubbedWallMs ?? 0 });
        return true;
      });
      if (unscrubbed.length > 0) {
        askScrub(unscrubbed);
        continue;
      }
      for (const pg of pgs) this.#scrubs.delete(pg);
      return (current) => {
        const again = current.map.pools.find((each) => each.id === pool.id);
        const still = again?.layouts.find((each) => each.id === layout.id);
        // It may have become the active one again.
        if (again === undefined || still === undefined) return current;
        if (activeLayout(again).purpose === 'interim') return current;
        if (still.drainingSince !== layout.drainingSince) return current;
        if (unemptied(again, still, wordOf).length > 0) return current;
        return removeLayout(current, again, still);
      };
    }
    return undefined;
  }
}
