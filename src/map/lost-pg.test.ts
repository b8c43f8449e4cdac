import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Epoch, OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import { type ClusterMap, newLayout, newPool, type OsdEntry } from './cluster-map.ts';
import { copies, erasure, type Geometry } from './geometry.ts';
import { judgeLost } from './lost-pg.ts';
import { recordFault } from './map-fault.ts';
import { begun, establish, type PgRecord, proposalFault, type SlotState } from './pg-record.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;

type Fate = 'up' | 'down' | 'destroyed' | 'wiped' | 'replaced';

function mapOf(geometry: Geometry, fates: readonly Fate[]): ClusterMap {
  return {
    fsid: uuidOf(99),
    epoch: 1 as Epoch,
    osds: fates.map(
      (fate, id): OsdEntry => ({
        id: id as OsdId,
        uuid: fate === 'replaced' ? uuidOf(id + 50) : uuidOf(id),
        host: `host-${id}`,
        rack: '',
        room: '',
        deviceClass: 'ssd',
        weight: 1,
        capacityBytes: 100,
        up: fate === 'up' || fate === 'replaced',
        in: true,
        outByOperator: false,
        destroyed: fate === 'destroyed' || fate === 'wiped',
        wiped: fate === 'wiped',
        address: 'a:1',
        upSince: 1 as Epoch,
      }),
    ),
    pools: [
      {
        id: 1 as PoolId,
        name: 'data',
        layouts: [
          {
            id: 1,
            geometry,
            rule: { failureDomain: 'host', deviceClass: undefined },
            pgCount: 1,
            ...newLayout,
          },
        ],
        inlineBytesMax: 0,
        ...newPool,
      },
    ],
    settings: [],
    losses: [],
    nextOsdId: fates.length,
    nextPoolId: 2,
  };
}

function recordOf(states: readonly (SlotState | readonly [SlotState, number])[]): PgRecord {
  return {
    pg: '1.1.0' as PgId,
    tenure: 4,
    version: 10,
    primary: uuidOf(0),
    nonce: '',
    slots: states.map((each, id) => {
      const [state, asOf] = typeof each === 'string' ? [each, 0] : each;
      return { osd: id as OsdId, uuid: uuidOf(id), index: id, state, asOf };
    }),
    target: states.map((_, id) => id as OsdId),
  };
}

function lost(map: ClusterMap, record: PgRecord, kind: 'mark-lost' | 'force-create') {
  const verdict = judgeLost(map, record, kind);
  if (verdict.kind !== 'lost') throw new Error(verdict.reason);
  return verdict;
}

function refusal(map: ClusterMap, record: PgRecord, kind: 'mark-lost' | 'force-create'): string {
  const verdict = judgeLost(map, record, kind);
  return verdict.kind === 'refused' ? verdict.reason : '';
}

test('what can be read, or may come back, is not lost', () => {
  const record = recordOf(['in-sync', 'in-sync', 'in-sync']);
  const k2 = erasure(2, 1);
  for (const kind of ['mark-lost', 'force-create'] as const) {
    match(refusal(mapOf(k2, ['up', 'up', 'wiped']), record, kind), /nothing of it is lost/);
    match(refusal(mapOf(k2, ['up', 'down', 'wiped']), record, kind), /osd start 1.*osd destroy 1/);
    // Also where it would not suffice: it may have served what nobody else knows (rule 18).
    match(refusal(mapOf(k2, ['wiped', 'wiped', 'down']), record, kind), /osd destroy 2/);
    equal(refusal(mapOf(k2, ['up', 'wiped', 'replaced']), record, kind), '');
  }
  const dropped = recordOf(['in-sync', 'in-sync', 'eligible']);
  match(refusal(mapOf(k2, ['up', 'wiped', 'down']), dropped, 'mark-lost'), /osd start 2/);
  match(
    refusal(mapOf(k2, ['wiped', 'wiped', 'wiped']), record, 'mark-lost'),
    /pg force-create begins it anew/,
  );
  match(
    refusal(mapOf(k2, ['wiped', 'wiped', 'wiped']), record, 'force-create'),
    /belongs on is up/,
  );
});

test('better ways come first: disks that were not erased, older copies, what keeps more', () => {
  const record = recordOf(['in-sync', 'in-sync', ['stale', 3]]);
  const { advice } = lost(
    mapOf(copies(3, 2), ['destroyed', 'wiped', 'up']),
    record,
    'force-create',
  );
  deepEqual(
    advice.map((each) => each.split(':')[0]),
    ['holdfast osd undestroy 0', 'holdfast pg mark-lost 1.1.0'],
  );
  const away = lost(mapOf(erasure(2, 1), ['up', 'wiped', 'down']), record, 'mark-lost');
  match(away.advice.join(), /osd start 2: down, and it has an older copy/);
});

test('it goes on from who knows most, and the last of those that know less', () => {
  const beginner = (
    states: readonly (SlotState | readonly [SlotState, number])[],
    fates: readonly Fate[],
  ): string => {
    const verdict = lost(mapOf(erasure(3, 2), fates), recordOf(states), 'mark-lost');
    return `${verdict.beginner} ${verdict
      .after('n')
      .slots.map(({ osd, state, asOf }) => `${osd}:${state}:${asOf}`)
      .join(' ')}`;
  };
  const all = 'in-sync' as const;
  equal(
    beginner([all, all, all, all, all], ['wiped', 'up', 'wiped', 'wiped', 'up']),
    '1 1:salvaging:0 4:stale:10',
  );
  equal(
    beginner(
      [all, ['stale', 3], ['stale', 7], ['joining', 9], all],
      ['wiped', 'up', 'up', 'up', 'wiped'],
    ),
    '2 1:stale:3 2:salvaging:7 3:joining:9',
  );
});

test('only the one that begins again becomes in-sync by itself, and alone', () => {
  const geometry = erasure(2, 1);
  const map = mapOf(geometry, ['up', 'wiped', 'replaced']);
  const layout = map.pools[0]?.layouts[0];
  ok(layout !== undefined);
  const record = recordOf(['in-sync', 'in-sync', 'in-sync']);
  const after = lost(map, record, 'mark-lost').after('n');
  equal(recordFault(after, map), undefined);
  const me = uuidOf(0);
  const joined: PgRecord = {
    ...after,
    slots: [
      ...after.slots,
      { osd: 2 as OsdId, uuid: uuidOf(52), index: 2, state: 'joining', asOf: 0 },
    ],
  };
  const led = establish(joined, 'a');
  equal(proposalFault(joined, led, me, layout, map), undefined);
  const alone = begun(led, me, 'b');
  ok(alone !== undefined);
  equal(proposalFault(led, alone, me, layout, map), undefined);
  equal(begun(led, uuidOf(52), 'b'), undefined);
  const both = {
    ...alone,
    slots: alone.slots.map((slot) => ({ ...slot, state: 'in-sync' as const })),
  };
  equal(proposalFault(led, both, me, layout, map), undefined, 'a joining one with it');
  const other = { ...led, version: led.version + 1, slots: led.slots.slice(1) };
  match(proposalFault(led, other, me, layout, map) ?? '', /primary would leave/);
  // Once there are enough again, in-sync never falls below the floor.
  const next = { ...alone, version: both.version + 1 };
  match(proposalFault(both, next, me, layout, map) ?? '', /record floor/);
  // And no other record may do without it.
  const dropped = {
    ...record,
    version: 11,
    slots: record.slots.map((slot, at) => (at === 0 ? slot : { ...slot, state: 'stale' as const })),
  };
  match(proposalFault(record, dropped, me, layout, map) ?? '', /record floor/);
});
