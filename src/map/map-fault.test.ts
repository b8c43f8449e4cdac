import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import type { Epoch, OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import {
  type ClusterMap,
  clusterMapCodec,
  isRetired,
  type Layout,
  newLayout,
  newPool,
  type Pool,
} from './cluster-map.ts';
import { copies, erasure } from './geometry.ts';
import { mapFault, recordFault, successorFault } from './map-fault.ts';
import type { PgRecord } from './pg-record.ts';

const rule = { failureDomain: 'host', deviceClass: undefined } as const;
const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;
const layout: Layout = { id: 1, geometry: erasure(2, 1), rule, pgCount: 4, ...newLayout };
const pool: Pool = {
  id: 1 as PoolId,
  name: 'data',
  layouts: [layout],
  inlineBytesMax: 0,
  ...newPool,
};
const map: ClusterMap = {
  fsid: uuidOf(99),
  epoch: 5 as Epoch,
  osds: [],
  pools: [pool],
  settings: [],
  losses: [],
  nextOsdId: 0,
  nextPoolId: 2,
};

const withPool = (edit: Partial<Pool>): ClusterMap => ({ ...map, pools: [{ ...pool, ...edit }] });
const withLayout = (edit: Partial<Layout>): ClusterMap =>
  withPool({ layouts: [{ ...layout, ...edit }] });

test('a map as the monitor makes it has no fault, and comes through its codec unchanged', () => {
  equal(mapFault(map), undefined);
  const again = decode(clusterMapCodec, encode(clusterMapCodec, map));
  deepEqual(again, map);
});

test('a map is written in the lowest version that says it, and each is read again', () => {
  const versionOf = (each: ClusterMap): number => encode(clusterMapCodec, each)[0] ?? 0;
  const inPlace = { geometry: copies(2, 1), revision: 1 };
  const changing = withLayout({ ...inPlace, next: { geometry: copies(3, 2), rule } });
  const loss = { pg: '1.1.0' as PgId, kind: 'mark-lost', wallMs: 1, acceptedBy: 'me' } as const;
  const maps = [map, { ...map, losses: [loss] }, withLayout(inPlace), changing];
  deepEqual(maps.map(versionOf), [2, 3, 4, 4]);
  for (const each of [...maps, { ...changing, losses: [loss] }])
    deepEqual(decode(clusterMapCodec, encode(clusterMapCodec, each)), each);
});

test('only copies change in place, to copies, and under a revision of their own', () => {
  const next = { geometry: copies(3, 2), rule };
  const changing = { geometry: copies(2, 1), next, revision: 1 };
  equal(mapFault(withLayout(changing)), undefined);
  match(mapFault(withLayout({ next, revision: 1 })) ?? '', /only copies change in place/);
  const coded = { geometry: erasure(2, 1), rule };
  match(mapFault(withLayout({ ...changing, next: coded })) ?? '', /only copies change in place/);
  match(mapFault(withLayout({ ...changing, revision: 0 })) ?? '', /revision 0/);
  const none = { geometry: copies(2, 3), rule };
  match(mapFault(withLayout({ ...changing, next: none })) ?? '', /min size 3/);

  const two = withLayout({ geometry: copies(2, 1), revision: 1 });
  const three = { geometry: copies(3, 2) };
  equal(successorFault(two, withLayout({ ...three, revision: 2 })), undefined);
  match(successorFault(two, withLayout({ ...three, revision: 1 })) ?? '', /a layout never changes/);
  match(successorFault(two, withLayout({ ...three, revision: 0 })) ?? '', /revision 1 .* 0/);
  const erased = withLayout({ geometry: erasure(2, 1), revision: 2 });
  match(successorFault(two, erased) ?? '', /a layout never changes/);
});

test('whatever was edited by hand is named', () => {
  match(mapFault(withLayout({ pgCount: 0 })) ?? '', /0 placement groups/);
  match(mapFault(withLayout({ geometry: { ...erasure(2, 1), m: 0 } as never })) ?? '', /m 0/);
  match(
    mapFault(withLayout({ geometry: { ...erasure(2, 1), codec: 'x' } as never })) ?? '',
    /codec x/,
  );
  match(mapFault(withLayout({ geometry: copies(2, 3) })) ?? '', /min size 3/);
  match(mapFault(withLayout({ drainingSince: 3 as Epoch })) ?? '', /active/);
  match(mapFault(withPool({ layouts: [] })) ?? '', /no layout/);
  const draining = { ...layout, drainingSince: 3 as Epoch };
  match(mapFault(withPool({ layouts: [draining, layout] })) ?? '', /twice/);
  match(mapFault(withPool({ nextLayoutId: 1 })) ?? '', /not below the next id/);
  match(mapFault({ ...map, pools: [pool, { ...pool, id: 0 as PoolId }] }) ?? '', /two pools/);
  match(mapFault({ ...map, nextPoolId: 1 }) ?? '', /not below the next/);
});

test('a profile edited in place is refused by whoever knows the layout', () => {
  const edited = { ...withLayout({ geometry: erasure(3, 2) }), epoch: 6 as Epoch };
  match(
    successorFault(map, edited) ?? '',
    /was erasure 2\+1 .* would be erasure 3\+2 .*a layout never changes/,
  );
  match(successorFault(map, withLayout({ pgCount: 8 })) ?? '', /had 4 placement groups/);
  match(successorFault(map, { ...map, fsid: uuidOf(98) }) ?? '', /another|of cluster/);
  equal(successorFault(map, { ...map, pools: [] }), undefined, 'a pool may go');
});

test('a record that is not one of the map is refused', () => {
  const record: PgRecord = {
    pg: '1.1.0' as PgId,
    tenure: 1,
    version: 1,
    primary: uuidOf(0),
    nonce: '',
    slots: [0, 1, 2].map((id) => ({
      osd: id as OsdId,
      uuid: uuidOf(id),
      index: id,
      state: 'in-sync',
      asOf: 0,
    })),
    target: [0, 1, 2] as unknown as PgRecord['target'],
  };
  equal(recordFault(record, map), undefined);
  const [first] = record.slots;
  match(recordFault({ ...record, pg: '1.1.9' as PgId }, map) ?? '', /4 placement groups/);
  match(recordFault({ ...record, primary: uuidOf(7) }, map) ?? '', /primary has no slot/);
  match(recordFault({ ...record, slots: [], primary: undefined }, map) ?? '', /nobody is in-sync/);
  if (first === undefined) throw new Error('three slots');
  match(recordFault({ ...record, slots: [...record.slots, first] }, map) ?? '', /two slots/);
  const wrong = record.slots.map((slot) => (slot === first ? { ...slot, index: 5 } : slot));
  match(recordFault({ ...record, slots: wrong }, map) ?? '', /shard 5/);
  // Of copies an index says nothing, and there may be more of them, or have been.
  equal(
    recordFault({ ...record, slots: wrong }, withLayout({ geometry: copies(2, 1) })),
    undefined,
  );
});

test('a layout is gone only by a map that knows that it was there', () => {
  equal(isRetired('1.1.0' as PgId, map), false);
  equal(isRetired('1.2.0' as PgId, map), false, 'not yet heard of');
  equal(isRetired('1.2.0' as PgId, withPool({ nextLayoutId: 3 })), true);
  equal(isRetired('7.1.0' as PgId, map), false);
  equal(isRetired('1.1.0' as PgId, { ...map, pools: [] }), true);
});
