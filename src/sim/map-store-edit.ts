// Edits of the map store by hand, as a person with the right tool would make them: nothing looks at them on the way.

import { EmbeddedMapStore } from '../mon/map-store.ts';
import { loadState, type MonState, putsFor } from '../mon/state.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** Ends the monitor and edits its store. It is started again by whoever asked. */
export async function editMapStore(
  cluster: SimulatedCluster,
  edit: (before: MonState) => MonState,
): Promise<void> {
  const { fsid } = cluster.monitor.map;
  cluster.killMonitor({ power: false });
  const files = cluster.copyMapStore();
  const work = async (): Promise<void> => {
    const store = await EmbeddedMapStore.open(files, 'store');
    const before = await loadState(store, fsid, () => {
      throw new Error('the store has an id');
    });
    if (before === undefined) throw new Error('the map store is empty');
    await store.transact(putsFor(before, edit(before)));
    await store.close();
  };
  await cluster.settle(work(), 'the edit');
  cluster.putMapStore(files);
}
