// Edits of the map store by hand in the runs of seeds: one at a time, of a layout or of the record of a placement group,
// and taken back after a while as by a person who remembers what was there. No daemon may end by one, and all is well
// when it is taken back.

import type { PgId, Uuid } from '../base/ids.ts';
import type { Random } from '../env/random.ts';
import { type Layout, type Pool, pgIdsOf } from '../map/cluster-map.ts';
import { recordFault } from '../map/map-fault.ts';
import { isWhole, type PgRecord, slotsIn } from '../map/pg-record.ts';
import { layoutOf } from '../mon/planner.ts';
import type { MonState } from '../mon/state.ts';
import type { SimulatedFiles } from '../testing/simulated-files.ts';
import {
  editMapStore,
  withLayouts,
  withRecord,
  wrongLayouts,
  wrongRecords,
} from './map-store-edit.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** Longest that an edit stays. */
const stayMsMax = 12_000;

/** What takes an edit back, given the state of then. */
type Undo = (state: MonState) => MonState;

export class HandEdits {
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;
  /** In force; `refused`: the monitor does not start with it, and this is its store of before. */
  #edit:
    | { readonly undo: Undo; readonly refused: SimulatedFiles | undefined; readonly dueAt: number }
    | undefined;

  /**
   * The layouts that each disk has kept, as of when it was last seen to run. A disk that has not kept one, and starts
   * while it is edited, takes the wrong one, knowing no other (decision 25): that is known, and not looked for here.
   */
  readonly #kept = new Map<Uuid, ReadonlySet<string>>();

  constructor(random: Random, cluster: SimulatedCluster) {
    this.#random = random;
    this.#cluster = cluster;
  }

  get isEditing(): boolean {
    return this.#edit !== undefined;
  }

  /** Remembers what each disk that runs has kept. */
  look(): void {
    if (this.#edit !== undefined) return;
    for (const { uuid, osd } of this.#cluster.osds) {
      if (osd === undefined) continue;
      const pools = osd.keptMap?.pools ?? [];
      const names = pools.flatMap((pool) => pool.layouts.map((layout) => nameOf(pool, layout)));
      this.#kept.set(uuid, new Set(names));
    }
  }

  /** Somebody has seen what is wrong. */
  get isDue(): boolean {
    return this.#edit !== undefined && this.#edit.dueAt <= this.#cluster.scheduler.now();
  }

  /** False when there is one already, or nobody to be edited. */
  async edit(): Promise<boolean> {
    const cluster = this.#cluster;
    if (this.#edit !== undefined || !cluster.hasMonitor) return false;
    const chosen = this.#random.below(2) === 0 ? this.#ofLayout() : this.#ofRecord();
    if (chosen === undefined) return false;
    const { change, undo } = chosen;
    const good = cluster.copyMapStore();
    await editMapStore(cluster, change);
    const dueAt = cluster.scheduler.now() + 500 + this.#random.below(stayMsMax);
    this.#edit = { undo, refused: undefined, dueAt };
    // A monitor whose own map is wrong says so and stays down: nothing is changed until the edit is taken back.
    if (!(await this.#startMonitor())) this.#edit = { undo, refused: good, dueAt };
    return true;
  }

  /** Starts the monitor if it can be; false when the edit keeps it down. */
  async startMonitor(): Promise<boolean> {
    return this.#edit?.refused === undefined && (await this.#startMonitor());
  }

  async takeBack(): Promise<boolean> {
    const edit = this.#edit;
    if (edit === undefined) return false;
    const cluster = this.#cluster;
    if (edit.refused === undefined) await editMapStore(cluster, edit.undo);
    else cluster.putMapStore(edit.refused);
    this.#edit = undefined;
    await cluster.startMonitor();
    cluster.recordInHand = undefined;
    cluster.hasEditedLayout = false;
    return true;
  }

  async #startMonitor(): Promise<boolean> {
    const cluster = this.#cluster;
    if (this.#edit === undefined) {
      await cluster.startMonitor();
      return true;
    }
    const refusal = await cluster.startMonitor().then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (refusal === undefined) return true;
    if (!refusal.includes('the cluster map in the map store is wrong')) throw new Error(refusal);
    cluster.killMonitor({ power: false });
    return false;
  }

  #choose<T>(items: readonly T[]): T | undefined {
    return items[this.#random.below(Math.max(1, items.length))];
  }

  #ofLayout(): { readonly change: Undo; readonly undo: Undo } | undefined {
    const edit = this.#choose(Object.values(wrongLayouts)) as Partial<Layout>;
    const pool = this.#choose(this.#cluster.monitor.map.pools);
    const layout = pool === undefined ? undefined : this.#choose(pool.layouts);
    if (pool === undefined || layout === undefined) return undefined;
    this.look();
    const name = nameOf(pool, layout);
    if (!this.#cluster.osds.every(({ uuid }) => this.#kept.get(uuid)?.has(name))) return undefined;
    const { geometry, rule, pgCount, revision } = layout;
    const as = (fields: Partial<Layout>, state: MonState): MonState => ({
      ...state,
      map: withLayouts(state.map, (each, id) =>
        // A change in place that came to its end meanwhile stands.
        id === pool.id && each.id === layout.id && each.revision === revision ? fields : {},
      ),
    });
    this.#cluster.hasEditedLayout = true;
    return {
      change: (state) => as(edit, state),
      undo: (state) => as({ geometry, rule, pgCount }, state),
    };
  }

  #ofRecord(): { readonly change: Undo; readonly undo: Undo } | undefined {
    const { map, records } = this.#cluster.monitor;
    // What a record says of who holds everything is believed: one is edited whose loss of a slot loses nothing.
    const whole = [...records.values()].filter((record) => {
      const layout = layoutOf(map, record.pg);
      return layout !== undefined && isWhole(record, layout);
    });
    const pg = this.#choose(whole)?.pg;
    const edit = this.#choose(Object.values(wrongRecords));
    if (pg === undefined || edit === undefined) return undefined;
    let before: PgRecord | undefined;
    this.#cluster.recordInHand = pg;
    return {
      change: (state) => {
        before = state.records.get(pg);
        return before === undefined ? state : withRecord(state, pg, edit);
      },
      undo: (state) => (before === undefined ? state : this.#withPutBack(state, before)),
    };
  }

  /** As it was, unless the monitor has made something of it that can be acted on. */
  #withPutBack(state: MonState, before: PgRecord): MonState {
    const { pg } = before;
    const layout = layoutOf(state.map, pg);
    if (layout === undefined) return state;
    const records = new Map(state.records);
    for (const stray of strayRecords(state)) records.delete(stray);
    const now = records.get(pg);
    const isDecided =
      now !== undefined &&
      now.version > before.version &&
      recordFault(now, state.map) === undefined &&
      slotsIn(now, 'in-sync').some(({ uuid }) => state.map.osds.some((osd) => osd.uuid === uuid));
    if (!isDecided)
      records.set(pg, {
        ...before,
        version: Math.max(before.version, now?.version ?? 0) + 1,
        nonce: `by hand ${this.#random.below(2 ** 32)}`,
      });
    return { ...state, records };
  }
}

function nameOf(pool: Pool, layout: Layout): string {
  return `${pool.id}.${layout.id} revision ${layout.revision}`;
}

/** Records of groups that no pool has. */
function strayRecords(state: MonState): PgId[] {
  const known = new Set(
    state.map.pools.flatMap((pool) => pool.layouts.flatMap((layout) => pgIdsOf(pool, layout))),
  );
  return [...state.records.keys()].filter((pg) => !known.has(pg));
}
