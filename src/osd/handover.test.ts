// What of a hand-over is decided between two steps; that names arrive, whatever happens, is shown in the simulator.

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes, formatHex } from '../base/bytes.ts';
import type { Epoch } from '../base/ids.ts';
import { formatPgId, type PoolId } from '../base/ids.ts';
import type { MethodRow, RowEffect } from '../base/method.ts';
import type { Pool } from '../map/cluster-map.ts';
import { copies } from '../map/geometry.ts';
import { poolOf } from '../mon/initial.ts';
import { Scheduler } from '../testing/scheduler.ts';
import type { MessageOf } from '../wire/messages.ts';
import { Handover, type HandoverGroup } from './handover.ts';
import { groupsOwn, type PgDisk } from './pg-disk.ts';
import { ClientWork, Share } from './share.ts';
import type { Taken, World } from './world.ts';

const poolId = 1 as PoolId;
const pg = formatPgId(poolId, 1, 0);

/** Of two layouts, in a turn; names go to the one that is active. */
function poolIn(turn: number, active: 1 | 2): Pool {
  const made = poolOf({ name: '.index', geometry: copies(1, 1), failureDomain: 'osd', pgCount: 1 });
  const [layout] = made.layouts;
  if (layout === undefined) throw new Error('a pool has a layout');
  const draining = { ...layout, id: 3 - active, drainingSince: 1 as Epoch };
  return { ...made, id: poolId, turn, layouts: [draining, { ...layout, id: active }] };
}

/** A placement group of layout 1, in which everything is durable at once. */
class Group {
  readonly leads = true;
  readonly pg = pg;
  readonly rows = new Map<string, readonly MethodRow[]>();
  readonly scheduler = new Scheduler();
  pool = poolIn(1, 1);
  sequence = 0;
  /** Asked when rows are pushed from here. */
  onPush: (message: MessageOf<'push-rows'>) => void = () => {};

  readonly disk = {
    head: { tenure: 1, sequence: 0 },
    row: async (object: string, key: Uint8Array) =>
      this.#of(object).find(([each]) => compareBytes(each, key) === 0)?.[1],
    scanRows: async (object: string, { begin, end, limit }: Parameters<PgDisk['scanRows']>[1]) =>
      this.#of(object)
        .filter(
          ([key]) =>
            compareBytes(key, begin) >= 0 && (end === undefined || compareBytes(key, end) < 0),
        )
        .slice(0, limit),
    hasRows: async () => [...this.rows.keys()].some((name) => name !== groupsOwn),
    objectAfter: async (object = groupsOwn) =>
      [...this.rows.keys()].sort().find((name) => name > object),
  };

  readonly world = {
    env: { clock: this.scheduler, log: { write: () => {} } },
    recoveryShare: new Share(this.scheduler, new ClientWork(), () => 100),
    mon: this.#mon(),
    pushRows: async (message: MessageOf<'push-rows'>): Promise<Taken> => {
      this.onPush(message);
      return 'taken';
    },
  } as unknown as World;

  readonly handover = new Handover(this as unknown as HandoverGroup);

  #mon() {
    const group = this;
    return {
      get map() {
        return { pools: [group.pool] };
      },
    };
  }

  #of(object: string): readonly MethodRow[] {
    return this.rows.get(object) ?? [];
  }

  inOrderRepairing<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  requireWritable(): void {}

  async untilCommitted(): Promise<void> {}

  submitRows(object: string, effects: readonly RowEffect[]): number {
    const rows = new Map(this.#of(object).map((row) => [formatHex(row[0]), row]));
    for (const effect of effects)
      if (effect.kind === 'put') rows.set(formatHex(effect.key), [effect.key, effect.value]);
      else rows.delete(formatHex(effect.key));
    const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    if (sorted.length > 0) this.rows.set(object, sorted);
    else this.rows.delete(object);
    return ++this.sequence;
  }

  /** A name comes here with no rows. */
  take(object: string): Promise<Taken> {
    const { turn } = this.pool;
    const message = { pg, object, turn, first: true, last: true, rows: [] };
    return this.handover.take({ kind: 'push-rows', ...message });
  }
}

test('names that are to stay for now stay, also where nothing is left of them', async () => {
  const group = new Group();
  for (const name of ['x', 'y']) await group.take(name);
  group.pool = poolIn(2, 2);
  const gone: string[] = [];
  group.onPush = ({ object, last }) => {
    if (object === groupsOwn || !last) return;
    gone.push(object);
    group.pool = { ...group.pool, migration: 'paused' };
  };
  const run = (): Promise<void> => group.scheduler.settle(group.handover.run(), 'a run', 10_000);
  await run();
  deepEqual([gone, group.handover.isUnfinished], [['x'], true]);
  await run();
  deepEqual([gone, group.handover.isUnfinished], [['x'], true]);
  for (let runs = 0; runs < 2; runs++) {
    group.pool = { ...group.pool, migration: 'running' };
    await run();
  }
  deepEqual(gone, ['x', 'y']);
  group.pool = { ...group.pool, migration: 'running' };
  await run();
  deepEqual([gone, group.handover.isUnfinished], [['x', 'y'], false]);
});
