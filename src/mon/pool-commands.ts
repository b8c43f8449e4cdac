// What the operator does to pools: made, given other layouts, removed and taken back. Looking and doing are one change.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import {
  activeLayout,
  type ClusterMap,
  findPool,
  type Layout,
  type Pool,
  pgIdsOf,
} from '../map/cluster-map.ts';
import { formatGeometry, geometryFault, overheadPermille, slotCount } from '../map/geometry.ts';
import { pgCountMax } from '../map/map-fault.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { domainCount } from '../map/placement.ts';
import type { OsdUsage, PgReport } from '../wire/messages.ts';
import { MonError } from './errors.ts';
import {
  activateLayout,
  addLayout,
  editPool,
  isSameWish,
  type LayoutWish,
  type PgEmptiness,
  previousLayout,
} from './layouts.ts';
import { newRecords, withPool } from './planner.ts';
import type { Command, MonState } from './state.ts';

/** Moving a pool may fill disks up to where health begins to warn. */
const roomShare = 0.85;

/**
 * Placement groups that an OSD may be given. Each takes some 18 KiB there and asks for promises twice a second: with
 * twice as many, five OSDs on two cores lost promises faster than they got them.
 */
const pgsPerOsdMax = 2100;

/** Throws `MonError` when the targets of the records put more on one disk than it can bear. */
function requireBearable(records: Iterable<PgRecord>): void {
  const counts = new Map<OsdId, number>();
  for (const { target } of records)
    for (const osd of target) counts.set(osd, (counts.get(osd) ?? 0) + 1);
  for (const [osd, count] of counts)
    if (count > pgsPerOsdMax)
      throw new MonError(
        'refused',
        `osd.${osd} would be in ${count} placement groups, and can bear ${pgsPerOsdMax}: take fewer; about 100 an OSD are usual`,
      );
}

function requirePool(state: MonState, name: string): Pool {
  const pool = findPool(state.map, name);
  if (pool === undefined) throw new MonError('not-found', `no pool ${name}`);
  return pool;
}

function tooFewDomains(map: ClusterMap, layout: Layout): string {
  return `${formatGeometry(layout.geometry)} needs ${slotCount(layout.geometry)} failure domains (${layout.rule.failureDomain}), there are ${domainCount(map, layout)}`;
}

/** What commands on pools need of the monitor. */
export interface PoolWorld {
  readonly env: Env;
  readonly command: Command;
  /** The state with the leader's elections and joining slots applied. */
  planned(state: MonState): MonState;
  nonce(): string;
  /** What a primary said of its PG last, however long ago. */
  reportOf(pg: PgId): PgReport | undefined;
  /** The word of the PG's present primary, when it is not old. */
  emptinessOf(pg: PgId): PgEmptiness | undefined;
  usageOf(disk: Uuid): OsdUsage | undefined;
}

/** Every command throws `MonError`, with nothing changed. */
export class PoolCommands {
  readonly #world: PoolWorld;

  constructor(world: PoolWorld) {
    this.#world = world;
  }

  async createPool(pool: Omit<Pool, 'id'>): Promise<Pool> {
    const layout = activeLayout(pool as Pool);
    const fault = geometryFault(layout.geometry);
    if (fault !== undefined) throw new MonError('invalid', fault);
    if (layout.pgCount < 1 || layout.pgCount > pgCountMax)
      throw new MonError('invalid', `${layout.pgCount} placement groups: 1 to ${pgCountMax}`);
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(pool.name))
      throw new MonError('invalid', `pool name ${pool.name}: 1 to 64 letters, digits, . _ -`);
    let created: Pool | undefined;
    await this.#world.command((state) => {
      if (findPool(state.map, pool.name) !== undefined)
        throw new MonError('refused', `pool ${pool.name} exists`);
      const added = withPool(state.map, pool);
      const map = { ...added.map, epoch: (state.map.epoch + 1) as Epoch };
      const records = newRecords(map, added.pool, () => this.#world.nonce());
      if (records === undefined) throw new MonError('refused', tooFewDomains(map, layout));
      created = added.pool;
      const all = new Map([
        ...state.records,
        ...records.map((record) => [record.pg, record] as const),
      ]);
      requireBearable(all.values());
      return { ...state, map, records: all };
    });
    return created as Pool;
  }

  /**
   * Gives a pool another layout: new blobs go there from now on, and what the others hold is moved there. What
   * is not named stays as it is. Done when it is decided; `pool ls` shows how far the move is.
   */
  async setPoolLayout(name: string, wish: Partial<LayoutWish>): Promise<void> {
    await this.#world.command((state) => {
      const pool = requirePool(state, name);
      const own = pool.layouts.findLast((layout) => layout.purpose === 'own');
      const active = activeLayout(pool);
      const full: LayoutWish = { ...(own ?? active), ...wish, purpose: 'own' };
      const fault = this.#layoutWishFault(state, pool, full);
      if (fault !== undefined) throw fault;
      if (own !== undefined && isSameWish(own, full))
        throw new MonError('refused', `pool ${name} is ${formatGeometry(own.geometry)} already`);
      const back = pool.layouts.find(
        (layout) => layout.purpose === 'own' && isSameWish(layout, full),
      );
      const next =
        back === undefined
          ? addLayout(state, pool, full, () => this.#world.nonce())
          : activateLayout(state, pool, back);
      if (next === undefined)
        throw new MonError('refused', tooFewDomains(state.map, { ...active, ...full }));
      if (back === undefined) requireBearable(next.records.values());
      return this.#world.planned(next);
    });
  }

  #layoutWishFault(state: MonState, pool: Pool, wish: LayoutWish): MonError | undefined {
    const fault = geometryFault(wish.geometry);
    if (fault !== undefined) return new MonError('invalid', fault);
    if (wish.pgCount < 1 || wish.pgCount > pgCountMax)
      return new MonError('invalid', `${wish.pgCount} placement groups: 1 to ${pgCountMax}`);
    const reports = pool.layouts.flatMap((layout) =>
      pgIdsOf(pool, layout).map((pg) => ({ pg, report: this.#world.reportOf(pg) })),
    );
    const unknown = reports.find(({ report }) => report === undefined);
    if (unknown !== undefined)
      return new MonError(
        'refused',
        `${unknown.pg} does not serve, so that nobody knows how much there is to move: see \`holdfast health\``,
      );
    if (reports.some(({ report }) => report?.rows === true))
      return new MonError(
        'refused',
        `pool ${pool.name} holds mutable objects (rows): only pools of blobs can change their layout yet`,
      );
    const storedBytes = reports.reduce((sum, { report }) => sum + (report?.bytes ?? 0), 0);
    return this.#roomFault(state.map, wish, storedBytes);
  }

  /** During a move both the old and the new copy are there. */
  #roomFault(map: ClusterMap, wish: LayoutWish, storedBytes: number): MonError | undefined {
    const neededBytes = Math.ceil((storedBytes * overheadPermille(wish.geometry)) / 1000);
    let freeBytes = 0;
    for (const osd of map.osds) {
      if (!osd.in || osd.destroyed) continue;
      if ((wish.rule.deviceClass ?? osd.deviceClass) !== osd.deviceClass) continue;
      const usage = this.#world.usageOf(osd.uuid);
      if (usage === undefined) continue;
      freeBytes += Math.max(0, usage.capacityBytes * roomShare - usage.usedBytes);
    }
    if (neededBytes <= freeBytes) return undefined;
    return new MonError(
      'refused',
      `${formatGeometry(wish.geometry)} needs room for ${neededBytes} bytes beside what is there while they are moved; the disks have ${Math.floor(freeBytes)} bytes below 85 %: ${neededBytes - Math.floor(freeBytes)} bytes are missing`,
    );
  }

  /** Turns the last change of a pool's layout back. */
  async revertPool(name: string): Promise<void> {
    await this.#world.command((state) => {
      const pool = requirePool(state, name);
      const previous = previousLayout(pool);
      if (previous === undefined)
        throw new MonError('refused', `pool ${name} is in no change that could be turned back`);
      return this.#world.planned(activateLayout(state, pool, previous));
    });
  }

  /** Pauses or resumes moving, or bounds its rate. */
  async setMigration(
    name: string,
    edit: Partial<Pick<Pool, 'migration' | 'migrationBytesPerSecond'>>,
  ): Promise<void> {
    await this.#world.command((state) => editPool(state, requirePool(state, name), edit));
  }

  /**
   * Puts a pool into the trash, if `accept` does not throw at what would be lost once that is emptied. One that is
   * called empty waits there too: its primaries' words are some seconds old, and writes may have come since.
   */
  async removePool(name: string, accept: (losses: readonly string[]) => void): Promise<void> {
    await this.#world.command((state) => {
      const pool = requirePool(state, name);
      const losses = this.#contentsOf(pool);
      if (losses.length > 0) accept(losses);
      const removedWallMs = Math.max(1, Math.floor(this.#world.env.wall.nowMs()));
      return editPool(state, pool, { removedWallMs });
    });
  }

  /** A line for each PG that is not known to be empty; none: nothing is in the pool. */
  #contentsOf(pool: Pool): readonly string[] {
    return pool.layouts
      .flatMap((layout) => pgIdsOf(pool, layout))
      .flatMap((pg) => {
        const word = this.#world.emptinessOf(pg);
        if (word === undefined || !word.serving)
          return [`pg ${pg}: not serving, so that nobody knows what is in it`];
        return word.objects > 0 ? [`pg ${pg}: everything in it`] : [];
      });
  }

  /** Takes a pool out of the trash. */
  async restorePool(name: string): Promise<void> {
    await this.#world.command((state) => {
      const removed = state.map.pools.findLast(
        (pool) => pool.name === name && pool.removedWallMs > 0,
      );
      if (removed === undefined) throw new MonError('not-found', `no pool ${name} in the trash`);
      if (findPool(state.map, name) !== undefined)
        throw new MonError('refused', `there is another pool ${name} by now`);
      return editPool(state, removed, { removedWallMs: 0 });
    });
  }
}
