// What the operator does to pools: made, given other layouts, removed and taken back. Looking and doing are one change.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import {
  activeLayout,
  type ClusterMap,
  findOsd,
  findPool,
  inlineBytesLimit,
  type Layout,
  type Pool,
  pgIdsOf,
  placementOf,
  turnMax,
} from '../map/cluster-map.ts';
import { formatGeometry, geometryFault, overheadPermille, slotCount } from '../map/geometry.ts';
import { pgCountMax } from '../map/map-fault.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { domainCount } from '../map/placement.ts';
import {
  changesInPlaceSince,
  handoversSince,
  type OsdUsage,
  type PgReport,
} from '../wire/messages.ts';
import { MonError } from './errors.ts';
import { arrivals, beginChange, revertChange } from './in-place.ts';
import {
  activateLayout,
  addLayout,
  editPool,
  isSamePlacement,
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
 * Placement groups that an OSD may be given: ten thousand, and room for the few that every cluster has. At rest each takes
 * some 2.5 KiB of memory there, and the start of them all what is left of the smallest usual budget (decision 8).
 */
const pgsPerOsdMax = 10_240;

/** Throws `MonError` when the targets of the records put more on one disk than it can bear. */
export function requireBearable(records: Iterable<PgRecord>): void {
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

/** Whether the pool has one layout, of copies, and copies are what is wished for. */
function isOfCopies(pool: Pool, wish: LayoutWish): boolean {
  return (
    pool.layouts.length === 1 &&
    activeLayout(pool).geometry.kind === 'copies' &&
    wish.geometry.kind === 'copies'
  );
}

/** Whether what the pool is and what is wished for differ in nothing but how many copies there are, and where. */
function canChangeInPlace(pool: Pool, wish: LayoutWish): boolean {
  return isOfCopies(pool, wish) && activeLayout(pool).pgCount === wish.pgCount;
}

/** Each time that objects begin to be handed over, or turn back, is counted. */
function requireTurnsLeft({ name, turn }: Pool): void {
  if (turn >= turnMax)
    throw new MonError('refused', `pool ${name} was handed over and turned back ${turnMax} times`);
}

/** Whether mutable objects are on their way from one layout of the pool to another. */
function isHandingOver(pool: Pool): boolean {
  return pool.turn > 0 && pool.layouts.length > 1;
}

function whyNotInPlace(pool: Pool, wish: LayoutWish): string {
  const holds = `pool ${pool.name} holds mutable objects (rows)`;
  if (wish.geometry.kind !== 'copies')
    return `${holds}, which are not erasure-coded: give it a number of copies (--copies N/MIN)`;
  return `${holds} and is being moved to another layout: wait until it has one`;
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
  /** Throws `MonError` while OSDs don't act on the map by which changes are judged. */
  requireTakenMap(): void;
  /** The word of the PG's present primary, when it is not old. */
  emptinessOf(pg: PgId): PgEmptiness | undefined;
  usageOf(disk: Uuid): OsdUsage | undefined;
  /** Daemons that are there and speak only wire versions below this one. */
  tooOldFor(version: number): readonly string[];
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
   * Gives a pool another layout: new blobs go there from now on, and what the others hold is moved there. A pool of
   * copies that holds no blobs changes in place (docs/decisions/0024-changes-in-place.md), or, for another number of
   * placement groups, hands its mutable objects over. What is not named stays as it
   * is, or as it was asked for last. Done when it is decided; `pool ls` shows how far it is.
   */
  async setPoolLayout(name: string, wish: Partial<LayoutWish>): Promise<void> {
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
      const pool = requirePool(state, name);
      const own = pool.layouts.findLast((layout) => layout.purpose === 'own');
      const active = activeLayout(pool);
      const base = own ?? active;
      const full: LayoutWish = { ...base, ...placementOf(base), ...wish, purpose: 'own' };
      // New groups may have yet to say that they are empty.
      if (isHandingOver(pool) && !this.#isHeardOf(pool)) return this.#handOver(state, pool, full);
      const reports = this.#reportsOf(pool, full);
      const hasRows = reports.some(({ report }) => report.rows);
      const isEmpty = reports.every(({ report }) => report.objects === 0);
      const mayHoldRows = hasRows || (isEmpty && (isHandingOver(pool) || isOfCopies(pool, full)));
      if (mayHoldRows && (isHandingOver(pool) || active.pgCount !== full.pgCount))
        return this.#handOver(state, pool, full);
      if (mayHoldRows) return this.#changeInPlace(state, pool, full);
      if (active.next !== undefined)
        throw new MonError(
          'refused',
          `pool ${name} is changing in place: wait for it, or turn it back (holdfast pool revert ${name})`,
        );
      const storedBytes = reports.reduce((sum, { report }) => sum + report.bytes, 0);
      const fault = this.#roomFault(state.map, full, storedBytes);
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

  #isHeardOf(pool: Pool): boolean {
    return pool.layouts
      .flatMap((layout) => pgIdsOf(pool, layout))
      .every((pg) => this.#world.reportOf(pg) !== undefined);
  }

  /** What primaries say of all that the pool holds, if it may be given what is wished for at all. */
  #reportsOf(
    pool: Pool,
    wish: LayoutWish,
  ): readonly { readonly pg: PgId; readonly report: PgReport }[] {
    const fault = geometryFault(wish.geometry);
    if (fault !== undefined) throw new MonError('invalid', fault);
    if (wish.pgCount < 1 || wish.pgCount > pgCountMax)
      throw new MonError('invalid', `${wish.pgCount} placement groups: 1 to ${pgCountMax}`);
    return pool.layouts
      .flatMap((layout) => pgIdsOf(pool, layout))
      .map((pg) => {
        const report = this.#world.reportOf(pg);
        if (report !== undefined) return { pg, report };
        throw new MonError(
          'refused',
          `${pg} does not serve, so that nobody knows how much there is to move: see \`holdfast health\``,
        );
      });
  }

  #changeInPlace(state: MonState, pool: Pool, wish: LayoutWish): MonState {
    const { name } = pool;
    const layout = activeLayout(pool);
    if (!canChangeInPlace(pool, wish)) throw new MonError('refused', whyNotInPlace(pool, wish));
    const nonce = (): string => this.#world.nonce();
    const is = formatGeometry(wish.geometry);
    if (isSamePlacement(layout, wish)) {
      if (layout.next === undefined) throw new MonError('refused', `pool ${name} is ${is} already`);
      return this.#world.planned(revertChange(state, pool, layout, nonce));
    }
    if (layout.next !== undefined && isSamePlacement(layout.next, wish))
      throw new MonError('refused', `pool ${name} is changing to ${is} already`);
    this.#requireNewEnough(changesInPlaceSince);
    const wished: Layout = { ...layout, ...wish, next: undefined };
    if (domainCount(state.map, wished) < slotCount(wish.geometry))
      throw new MonError('refused', tooFewDomains(state.map, wished));
    const begun = beginChange(state, pool, { layout, next: wish }, nonce);
    this.#requireRoomToArrive(begun, pool);
    requireBearable(begun.records.values());
    return this.#world.planned(begun);
  }

  /**
   * Another number of placement groups for mutable objects: they are handed over, one name after the other, to those of
   * another layout (docs/decisions/0028-handing-over-names.md).
   */
  #handOver(state: MonState, pool: Pool, wish: LayoutWish): MonState {
    const { name } = pool;
    requireTurnsLeft(pool);
    const previous = isHandingOver(pool) ? previousLayout(pool) : undefined;
    if (previous !== undefined && isSameWish(previous, wish))
      return this.#world.planned(activateLayout(state, pool, previous));
    if (isHandingOver(pool))
      throw new MonError(
        'refused',
        `pool ${name} is being handed over to ${activeLayout(pool).pgCount} placement groups: wait until that is done, or turn it back (holdfast pool revert ${name})`,
      );
    if (!isOfCopies(pool, wish)) throw new MonError('refused', whyNotInPlace(pool, wish));
    if (activeLayout(pool).next !== undefined)
      throw new MonError(
        'refused',
        `pool ${name} is changing in place: wait for it, or turn it back (holdfast pool revert ${name})`,
      );
    this.#requireNewEnough(handoversSince);
    const begun = addLayout(state, pool, wish, () => this.#world.nonce(), 'names');
    if (begun === undefined)
      throw new MonError('refused', tooFewDomains(state.map, { ...activeLayout(pool), ...wish }));
    requireBearable(begun.records.values());
    this.#requireUnfilled(begun, pool);
    return this.#world.planned(begun);
  }

  /** How many bytes rows have is not known: no disk that they come to may be where health begins to warn. */
  #requireUnfilled(begun: MonState, before: Pool): void {
    const pool = begun.map.pools.find(({ id }) => id === before.id) ?? before;
    const targets = new Set(
      pgIdsOf(pool, activeLayout(pool)).flatMap((pg) => begun.records.get(pg)?.target ?? []),
    );
    for (const id of targets) {
      const osd = findOsd(begun.map, id);
      const usage = osd === undefined ? undefined : this.#world.usageOf(osd.uuid);
      if (usage === undefined || usage.usedBytes < usage.capacityBytes * roomShare) continue;
      throw new MonError(
        'refused',
        `osd.${id} is to take placement groups of pool ${pool.name}, and is 85 % full: make room there, or add disks (holdfast osd add)`,
      );
    }
  }

  #requireNewEnough(version: number): void {
    const old = this.#world.tooOldFor(version);
    if (old.length > 0)
      throw new MonError(
        'refused',
        `${old.join(', ')} would not understand it: run the same version of holdfast everywhere first`,
      );
  }

  /** What leaves a disk leaves it late, so that only what comes counts. */
  #requireRoomToArrive(begun: MonState, before: Pool): void {
    const pool = begun.map.pools.find(({ id }) => id === before.id) ?? before;
    for (const [id, pgs] of arrivals(begun.records, pool, activeLayout(pool))) {
      const osd = findOsd(begun.map, id);
      const usage = osd === undefined ? undefined : this.#world.usageOf(osd.uuid);
      if (usage === undefined) continue;
      const bytes = pgs.reduce((sum, pg) => sum + (this.#world.reportOf(pg)?.bytes ?? 0), 0);
      const room = Math.floor(usage.capacityBytes * roomShare - usage.usedBytes);
      if (bytes <= room) continue;
      throw new MonError(
        'refused',
        `${pgs.length} placement groups with ${bytes} bytes beside their rows would come to osd.${id}, which has ${Math.max(0, room)} bytes below 85 %: make room there, or add disks (holdfast osd add)`,
      );
    }
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

  /** Turns the last change of a pool's layout back, while it is under way. */
  async revertPool(name: string): Promise<void> {
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
      const pool = requirePool(state, name);
      const active = activeLayout(pool);
      if (active.next !== undefined)
        return this.#world.planned(revertChange(state, pool, active, () => this.#world.nonce()));
      const previous = previousLayout(pool);
      if (previous === undefined)
        throw new MonError('refused', `pool ${name} is in no change that could be turned back`);
      requireTurnsLeft(pool);
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

  /** New objects up to this many bytes live in the index from now on; those that there are stay as they are. */
  async setInline(name: string, bytesMax: number): Promise<void> {
    if (bytesMax < 0 || bytesMax > inlineBytesLimit)
      throw new MonError('invalid', `${bytesMax} bytes in the index: 0 to ${inlineBytesLimit}`);
    await this.#world.command((state) =>
      editPool(state, requirePool(state, name), { inlineBytesMax: bytesMax }),
    );
  }

  /**
   * Puts a pool into the trash, if `accept` does not throw at what would be lost once that is emptied. One that is
   * called empty waits there too: its primaries' words are some seconds old, and writes may have come since.
   */
  async removePool(name: string, accept: (losses: readonly string[]) => void): Promise<void> {
    await this.#world.command((state) => {
      this.#world.requireTakenMap();
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
