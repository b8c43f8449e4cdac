// A map store that was put back to an older state, brought forward by what the OSDs know (PROTOCOL rule 22):
// of the map the newest epoch, of each PG the record with the highest tenure and version.

import type { Epoch, PgId } from '../base/ids.ts';
import type { ClusterMap } from '../map/cluster-map.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { layoutOf } from './planner.ts';
import type { MonState } from './state.ts';

/** More gateways than ever started since any copy was made: a writer's number is never given twice. */
const incarnationsSkipped = 2 ** 20;

export interface Known {
  readonly map: ClusterMap | undefined;
  readonly records: readonly PgRecord[];
}

/** Pure. Users and settings that only the lost part of the store had are not among what OSDs know. */
export function mergeKnown(state: MonState, known: Iterable<Known>): MonState {
  let { map } = state;
  const records = new Map<PgId, PgRecord>(state.records);
  for (const each of known) {
    if (each.map !== undefined && each.map.fsid === map.fsid && each.map.epoch > map.epoch)
      map = each.map;
    for (const record of each.records) {
      const held = records.get(record.pg);
      if (held === undefined || isNewer(record, held)) records.set(record.pg, record);
    }
  }
  for (const pg of records.keys()) if (layoutOf(map, pg) === undefined) records.delete(pg);
  return {
    ...state,
    map: { ...map, epoch: (map.epoch + 1) as Epoch },
    records,
    nextIncarnation: state.nextIncarnation + incarnationsSkipped,
  };
}

function isNewer(a: PgRecord, b: PgRecord): boolean {
  return a.tenure !== b.tenure ? a.tenure > b.tenure : a.version > b.version;
}
