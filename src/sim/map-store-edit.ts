// Edits of the map store by hand, as a person with the right tool would make them: nothing looks at them on the way.

import type { Epoch, OsdId, PgId, Uuid } from '../base/ids.ts';
import type { ClusterMap, Layout } from '../map/cluster-map.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { PgRecord, Slot } from '../map/pg-record.ts';
import { EmbeddedMapStore } from '../mon/map-store.ts';
import { loadState, type MonState, putsFor } from '../mon/state.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** Ends the monitor, where there is one, and edits its store. It is started again by whoever asked. */
export async function editMapStore(
  cluster: SimulatedCluster,
  edit: (before: MonState) => MonState,
): Promise<void> {
  if (cluster.hasMonitor) cluster.killMonitor({ power: false });
  const files = cluster.copyMapStore();
  const work = async (): Promise<void> => {
    const store = await EmbeddedMapStore.open(files, 'store');
    const before = await loadState(store, cluster.fsid, () => {
      throw new Error('the store has an id');
    });
    if (before === undefined) throw new Error('the map store is empty');
    await store.transact(putsFor(before, edit(before)));
    await store.close();
  };
  await cluster.settle(work(), 'the edit');
  cluster.putMapStore(files);
}

const stranger = 'f'.repeat(32) as Uuid;

/** What a person may write into the record of a placement group, and who must not act on it. */
export const wrongRecords: Readonly<Record<string, (record: PgRecord) => PgRecord>> = {
  'nobody holds it': (record) => ({ ...record, slots: [], primary: undefined }),
  'a stranger leads it': (record) => ({ ...record, primary: stranger }),
  'a disk has two slots': (record) => ({
    ...record,
    slots: [...record.slots, record.slots[0] as Slot],
  }),
  'a shard of no such index': (record) => ({
    ...record,
    slots: record.slots.map((slot, at) => (at === 0 ? { ...slot, index: 99 } : slot)),
  }),
  'a target too many': (record) => ({ ...record, target: [...record.target, 0 as OsdId] }),
  'a target that is no OSD': (record) => ({ ...record, target: [77, 78, 79] as OsdId[] }),
  'a slot of no OSD': (record) => ({
    ...record,
    slots: record.slots.map((slot, at) =>
      at === 0 ? { ...slot, osd: 77 as OsdId, uuid: stranger } : slot,
    ),
  }),
  'nobody leads it': (record) => ({ ...record, primary: undefined }),
  'all of it joins': (record) => ({
    ...record,
    slots: record.slots.map((slot) => ({ ...slot, state: 'joining' as const })),
  }),
  'a version of long ago': (record) => ({ ...record, version: 1 }),
  'a version and a tenure of the far future': (record) => ({
    ...record,
    version: record.version + 1_000_000,
    tenure: record.tenure + 1_000_000,
  }),
  'its group is one of none': (record) => ({ ...record, pg: '1.1.7' as PgId }),
};

/** And into a layout. */
export const wrongLayouts: Readonly<Record<string, Partial<Layout>>> = {
  'another geometry': { geometry: erasure(2, 1) },
  'fewer copies': { geometry: copies(2, 1) },
  'more copies than disks': { geometry: copies(5, 3) },
  'no parity': { geometry: { ...erasure(2, 1), m: 0 } as never },
  'another failure domain': { rule: { failureDomain: 'osd', deviceClass: undefined } },
  'a device class that nobody has': { rule: { failureDomain: 'host', deviceClass: 'ssd' } },
  'more groups': { pgCount: 9 },
  'no groups': { pgCount: 0 },
};

/** The state with one record edited; nothing else is, not even its version. */
export function withRecord(
  state: MonState,
  pg: PgId,
  edit: (record: PgRecord) => PgRecord,
): MonState {
  const records = new Map(state.records);
  const before = records.get(pg) as PgRecord;
  const after = edit(before);
  records.delete(pg);
  return { ...state, records: records.set(after.pg, after) };
}

/** A map of the next epoch with some layouts edited. */
export function withLayouts(
  map: ClusterMap,
  edit: (layout: Layout, pool: number) => Partial<Layout>,
): ClusterMap {
  const pools = map.pools.map((pool) => ({
    ...pool,
    layouts: pool.layouts.map((layout) => ({ ...layout, ...edit(layout, pool.id) })),
  }));
  return { ...map, epoch: (map.epoch + 1) as Epoch, pools };
}
