// A stage on which mutable objects of the pool `.index` go to another number of placement groups.

import type { PgId } from '../base/ids.ts';
import { findPool, type Pool, pgOfName } from '../map/cluster-map.ts';
import { tell } from './recording.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';
import { Stage } from './stage.ts';

export async function askForGroups(cluster: SimulatedCluster, pgCount: number): Promise<void> {
  tell(cluster, `${pgCount} groups are asked for`);
  await cluster.settle(cluster.monitor.pools.setPoolLayout('.index', { pgCount }), 'the change');
}

export async function turnBackIndex(cluster: SimulatedCluster): Promise<void> {
  tell(cluster, 'it is turned back');
  await cluster.settle(cluster.monitor.pools.revertPool('.index'), 'turning it back');
}

export function indexOf({ monitor }: SimulatedCluster): Pool {
  const pool = findPool(monitor.map, '.index');
  if (pool === undefined) throw new Error('there is an index');
  return pool;
}

export class HandOverStage extends Stage {
  /** The group of an object, in one of the pool's layouts. */
  groupIn(layoutId: number, name: string): PgId {
    const layout = this.pool.layouts.find(({ id }) => id === layoutId);
    if (layout === undefined) throw new Error(`there is no layout ${layoutId}`);
    return pgOfName(this.pool.id, layout, name);
  }

  leadIn(layoutId: number, name: string): SimulatedOsd {
    return this.leadOf(this.groupIn(layoutId, name));
  }

  go(pgCount: number): Promise<void> {
    return askForGroups(this.cluster, pgCount);
  }

  turnBack(): Promise<void> {
    return turnBackIndex(this.cluster);
  }

  migrate(migration: 'paused' | 'running'): Promise<void> {
    tell(this.cluster, `hand-overs are ${migration}`);
    const change = this.cluster.monitor.pools.setMigration('.index', { migration });
    return this.cluster.settle(change, 'pausing');
  }

  /** Resolves when a line is logged; `then` is done at that very moment. */
  logged(event: string, then: () => void): Promise<void> {
    const { onLog } = this.cluster;
    const done = new Promise<void>((resolve) => {
      this.cluster.onLog = (line) => {
        onLog?.(line);
        if (line.event !== event) return;
        this.cluster.onLog = onLog;
        then();
        resolve();
      };
    });
    return this.cluster.settle(done, event, 60_000);
  }

  async untilOver(): Promise<void> {
    await this.untilHandedOver();
    await this.cluster.untilClean();
  }

  /** Some disks may be away yet. */
  untilHandedOver(): Promise<void> {
    const isOver = (): boolean => this.pool.layouts.length === 1;
    return this.cluster.until('the change to be over', isOver, 200_000);
  }

  get pool(): Pool {
    return indexOf(this.cluster);
  }

  /**
   * Asks for so many groups, and holds hand-overs until one leads where the object is to come to who does not lead where it
   * comes from; the answer is these two.
   */
  async apart(name: string, pgCount: number): Promise<{ here: SimulatedOsd; there: SimulatedOsd }> {
    await this.migrate('paused');
    await this.go(pgCount);
    await this.run(3000);
    const from = this.leadIn(1, name);
    if (this.leadIn(2, name) === from) await this.depose(from);
    await this.run(5000);
    const [here, there] = [this.leadIn(1, name), this.leadIn(2, name)];
    this.expect(here !== there, 'two lead');
    return { here, there };
  }

  /** All that hold a group are lost for good, and it begins again with nothing. */
  async beginAnew(pg: PgId): Promise<void> {
    const { cluster } = this;
    const { losses } = cluster.monitor;
    const holders = cluster.monitor.records.get(pg)?.slots ?? [];
    for (const { osd } of holders) cluster.killOsd(osd);
    for (const { osd } of holders)
      await cluster.settle(cluster.monitor.markDownByOperator(osd), `osd.${osd} down`);
    const ids = new Set(holders.map(({ osd }) => osd));
    await cluster.settle(
      losses.destroyOsds(ids, () => {}),
      'giving them up',
    );
    const how = { kind: 'force-create', acceptedBy: 'the operator' } as const;
    await cluster.settle(
      losses.beginAgain([pg], how, () => {}),
      'beginning again',
    );
  }
}
