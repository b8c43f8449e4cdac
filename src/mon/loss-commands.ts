// What the operator gives up for good, and takes back while it can be: disks (rule 27), and placement groups that are lost.
// Looking and doing are one change: what would be lost is worked out from the state that it is decided on.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import type { LossKind, OsdEntry } from '../map/cluster-map.ts';
import { judgeLost } from '../map/lost-pg.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { lossesOfDestroying } from '../map/what-if.ts';
import { namedBy, withDestroyed, withoutOsds, withUndestroyed, withWiped } from './destroy.ts';
import { MonError } from './errors.ts';
import type { PgEmptiness } from './layouts.ts';
import type { Command, MonState } from './state.ts';

/** What would be lost if placement groups began again, and how they could be had back better. */
export interface PgLosses {
  readonly lines: readonly string[];
  readonly advice: readonly string[];
}

function requireRecord(state: MonState, pg: PgId): PgRecord {
  const record = state.records.get(pg);
  if (record === undefined) throw new MonError('not-found', `no placement group ${pg}`);
  return record;
}

/** What giving up needs of the monitor. */
export interface LossWorld {
  readonly env: Env;
  readonly command: Command;
  /** The newest. */
  state(): MonState;
  /** With the leader's elections and joining slots applied. */
  planned(state: MonState): MonState;
  nonce(): string;
  /** Throws `MonError` `not-found`. */
  requireOsd(id: OsdId): OsdEntry;
  /** The word of the PG's present primary, when it is not old. */
  emptinessOf(pg: PgId): PgEmptiness | undefined;
  /** Throws `MonError` while OSDs don't act on the map by which losses are judged. */
  requireTakenMap(): void;
  /** Ends what is open to a disk's daemon. */
  dismiss(disk: Uuid, why: string): void;
}

/** Every command throws `MonError`, with nothing changed. */
export class LossCommands {
  readonly #world: LossWorld;

  constructor(world: LossWorld) {
    this.#world = world;
  }

  /** Gives disks up for good, unless `accept` throws at what would be lost. Looking and doing are one change. */
  async destroyOsds(
    ids: ReadonlySet<OsdId>,
    accept: (losses: readonly string[]) => void,
  ): Promise<void> {
    for (const id of ids) this.#world.requireOsd(id);
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
      accept(lossesOfDestroying(state, ids));
      return this.#world.planned(withDestroyed(state, ids, () => this.#world.nonce()));
    });
    for (const osd of this.#world.state().map.osds)
      if (ids.has(osd.id)) this.#world.dismiss(osd.uuid, 'this disk was destroyed');
  }

  /** Takes destroyed disks back, with all that is on them. */
  async undestroyOsds(ids: ReadonlySet<OsdId>): Promise<void> {
    await this.#world.command((state) => {
      for (const id of ids) {
        const osd = this.#world.requireOsd(id);
        if (!osd.destroyed) throw new MonError('refused', `osd.${id} is not destroyed`);
        if (osd.wiped)
          throw new MonError('refused', `osd.${id} was wiped: nothing of it could be taken back`);
      }
      return this.#world.planned(withUndestroyed(state, ids));
    });
  }

  /** From now on the disk may be erased; `accept` throws at PGs that still need it to come back. */
  async wipeOsd(id: OsdId, accept: (losses: readonly string[]) => void): Promise<void> {
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
      this.#requireDestroyed(id);
      const ids = new Set([id]);
      accept(namedBy(state, ids).map((pg) => `pg ${pg}: LOST: everything that only this disk has`));
      return withWiped(state, ids);
    });
  }

  /** Takes a disk that is destroyed, and that no record names, out of the map for ever. */
  async purgeOsd(id: OsdId): Promise<void> {
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
      this.#requireDestroyed(id);
      const [pg, ...more] = namedBy(state, new Set([id]));
      if (pg !== undefined)
        throw new MonError(
          'refused',
          `osd.${id} is still named by pg ${pg}${more.length > 0 ? ` and ${more.length} more` : ''}: what it holds may be all there is`,
        );
      return withoutOsds(state, new Set([id]));
    });
  }

  /** Why each may not begin again, or what would be lost by it and how it could be had better. Changes nothing. */
  lossesOfPgs(pgs: readonly PgId[], kind: LossKind): PgLosses {
    return this.#lossesOf(this.#world.state(), pgs, kind);
  }

  #lossesOf(state: MonState, pgs: readonly PgId[], kind: LossKind): PgLosses {
    this.#world.requireTakenMap();
    const lines: string[] = [];
    const advice: string[] = [];
    for (const pg of pgs) {
      const verdict = judgeLost(state.map, requireRecord(state, pg), kind);
      if (verdict.kind === 'refused') throw new MonError('refused', verdict.reason);
      // It was lost before, and has what it has until others are filled from it.
      if (this.#world.emptinessOf(pg)?.serving === true)
        throw new MonError('refused', `pg ${pg} is served: it is not lost`);
      lines.push(...verdict.lines);
      for (const each of verdict.advice) if (!advice.includes(each)) advice.push(each);
    }
    return { lines, advice };
  }

  /**
   * Placement groups that are lost begin again, unless `accept` throws at what is lost by it. Done when that is
   * decided; what can be read of them is found out then, and they serve when that has ended. Looking and doing
   * are one change.
   */
  async beginAgain(
    pgs: readonly PgId[],
    how: { readonly kind: LossKind; readonly acceptedBy: string },
    accept: (losses: PgLosses) => void,
  ): Promise<void> {
    await this.#world.command((state) => {
      accept(this.#lossesOf(state, pgs, how.kind));
      const records = new Map(state.records);
      const wallMs = Math.floor(this.#world.env.wall.nowMs());
      for (const pg of pgs) {
        const verdict = judgeLost(state.map, requireRecord(state, pg), how.kind);
        if (verdict.kind === 'lost') records.set(pg, verdict.after(this.#world.nonce()));
      }
      const named = new Set(pgs);
      const losses = [
        ...state.map.losses.filter(({ pg }) => !named.has(pg)),
        ...[...named].map((pg) => ({ pg, ...how, wallMs })),
      ];
      const epoch = (state.map.epoch + 1) as Epoch;
      return this.#world.planned({ ...state, records, map: { ...state.map, epoch, losses } });
    });
    for (const pg of pgs) this.#world.env.log.write('warn', 'lost pg begins again', { pg, ...how });
  }

  /** From now on nobody is told of these losses: what they took is deleted, or written anew. */
  async forgetLosses(pgs: readonly PgId[]): Promise<void> {
    await this.#world.command((state) => {
      const { map } = state;
      const unknown = pgs.find((pg) => !map.losses.some((loss) => loss.pg === pg));
      if (unknown !== undefined) throw new MonError('not-found', `pg ${unknown} has lost nothing`);
      const losses = map.losses.filter(({ pg }) => !pgs.includes(pg));
      return { ...state, map: { ...map, epoch: (map.epoch + 1) as Epoch, losses } };
    });
  }

  #requireDestroyed(id: OsdId): void {
    if (!this.#world.requireOsd(id).destroyed)
      throw new MonError('refused', `osd.${id} is not destroyed: holdfast osd destroy ${id} first`);
  }
}
