import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { type ClusterMap, newLayout, newPool, type Pool } from '../map/cluster-map.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { assess } from './assess.ts';
import type { MonitorKnowledge, NotificationWord } from './control.ts';
import { computeHealth } from './health.ts';
import { lossToken, requireAccepted } from './loss.ts';
import { formatMetrics } from './metrics.ts';
import type { MemoryView } from './views.ts';

const now = 100_000 as Instant;

function uuidOf(id: number): Uuid {
  return String(id).padStart(32, '0') as Uuid;
}

/** Five hosts, `.index` in three copies and `data` in 3+2, one PG each, everything well. */
class Cluster implements MonitorKnowledge {
  readonly untakenMap = undefined;
  map: ClusterMap;
  readonly records: Map<PgId, PgRecord>;
  reportedAt: number = now;
  handedOver = false;
  usedBytes = 10;
  /** Have mutable objects to hand over. */
  readonly named = new Set<PgId>();
  missing = 0;
  damaged = 0;
  failure = '';
  memory: MemoryView | undefined;
  frozen: string | undefined;
  waiting: string | undefined;
  awaitedWitnesses: readonly OsdId[] = [];
  heldIn: MonitorKnowledge['heldIn'] = [];
  flapping: MonitorKnowledge['flapping'] = [];
  notifications: MonitorKnowledge['notifications'] = [];

  constructor() {
    const rule = { failureDomain: 'host', deviceClass: undefined } as const;
    this.map = {
      fsid: uuidOf(99),
      epoch: 1 as ClusterMap['epoch'],
      osds: [0, 1, 2, 3, 4].map((id) => ({
        id: id as OsdId,
        uuid: uuidOf(id),
        host: `host-${id}`,
        rack: '',
        room: '',
        deviceClass: 'ssd',
        weight: 1,
        capacityBytes: 100,
        up: true,
        in: true,
        outByOperator: false,
        destroyed: false,
        wiped: false,
        address: 'a:1',
        upSince: 1 as ClusterMap['epoch'],
      })),
      pools: [
        { id: 1, name: '.index', geometry: copies(3, 2) },
        { id: 2, name: 'data', geometry: erasure(3, 2) },
      ].map(({ id, name, geometry }) => ({
        id: id as PoolId,
        name,
        layouts: [{ id: 1, geometry, rule, pgCount: 1, ...newLayout }],
        inlineBytesMax: 16384,
        ...newPool,
      })),
      settings: [],
      losses: [],
      nextOsdId: 5,
      nextPoolId: 3,
    };
    const record = (pg: string, ids: readonly number[]): [PgId, PgRecord] => [
      pg as PgId,
      {
        pg: pg as PgId,
        tenure: 1,
        version: 1,
        primary: uuidOf(0),
        nonce: '',
        slots: ids.map((id, index) => ({
          osd: id as OsdId,
          uuid: uuidOf(id),
          index,
          state: 'in-sync',
          asOf: 0,
        })),
        target: ids as readonly OsdId[],
      },
    ];
    this.records = new Map([record('1.1.0', [0, 1, 2]), record('2.1.0', [0, 1, 2, 3, 4])]);
  }

  editOsd(id: number, change: object): void {
    const osds = this.map.osds.map((osd) => (osd.id === id ? { ...osd, ...change } : osd));
    this.map = { ...this.map, osds };
  }

  reportOf(pg: PgId): ReturnType<MonitorKnowledge['reportOf']> {
    return {
      pg,
      serving: true,
      objects: 1,
      bytes: 2,
      waiting: '',
      rows: this.named.has(pg),
      missing: this.missing,
      damaged: this.damaged,
      scrubbedWallMs: 0,
      deepScrubbedWallMs: 0,
      scrubbing: false,
      osd: 0 as OsdId,
      at: this.reportedAt as Instant,
      epoch: this.map.epoch,
    };
  }

  isHandedOver(): boolean {
    return this.handedOver;
  }

  migrationOf(): undefined {
    return undefined;
  }

  sightOf(): ReturnType<MonitorKnowledge['sightOf']> {
    const usage = { capacityBytes: 100, usedBytes: this.usedBytes };
    return {
      usage,
      stopped: [],
      failure: this.failure,
      refusedMap: '',
      memory: this.memory,
      heard: true,
    };
  }

  health(): ReturnType<typeof computeHealth> {
    return computeHealth(this, assess(this, now), []);
  }

  codes(): readonly string[] {
    return this.health().checks.map(({ code }) => code);
  }
}

test('a whole cluster is healthy, with the margins its geometries promise', () => {
  const cluster = new Cluster();
  deepEqual(cluster.health(), { status: 'HEALTH_OK', checks: [] });
  const { pgs } = assess(cluster, now);
  deepEqual(
    pgs.map(({ state, margin }) => [state, margin.writes, margin.reads]),
    [
      ['active+clean', 1, 2],
      ['active+clean', 1, 2],
    ],
  );
});

test('never OK with less redundancy than promised: an in-sync disk that is down, wiped, or gone', () => {
  const down = new Cluster();
  down.editOsd(4, { up: false });
  deepEqual(down.codes(), ['OSD_DOWN', 'PG_DEGRADED']);
  // The record still calls the old disk in-sync.
  const wiped = new Cluster();
  wiped.editOsd(4, { uuid: uuidOf(44) });
  deepEqual(wiped.codes(), ['PG_DEGRADED']);
  equal(assess(wiped, now).pgs[1]?.margin.writes, 0);
});

test('too few in sync: writes wait, and the margin is below zero', () => {
  const cluster = new Cluster();
  for (const id of [3, 4]) cluster.editOsd(id, { up: false });
  const record = cluster.records.get('2.1.0' as PgId) as PgRecord;
  const slots = record.slots.map((slot) =>
    slot.osd >= 3 ? { ...slot, state: 'eligible' as const } : slot,
  );
  cluster.records.set(record.pg, { ...record, slots });
  equal(cluster.health().status, 'HEALTH_ERR');
  ok(cluster.codes().includes('PG_BELOW_FLOOR'));
  deepEqual(assess(cluster, now).pgs[1]?.margin, { writes: -1, reads: 0 });
});

test('no word from a primary is no service', () => {
  const cluster = new Cluster();
  cluster.reportedAt = now - 6000;
  deepEqual(cluster.codes(), ['PG_NOT_SERVING']);
  equal(cluster.health().status, 'HEALTH_ERR');
  // Whoever was asked to lead it a moment ago has yet to say so.
  cluster.handedOver = true;
  deepEqual(cluster.codes(), []);
});

test('full disks, damage and failed daemons are told', () => {
  const cluster = new Cluster();
  cluster.usedBytes = 86;
  deepEqual(cluster.codes(), ['OSD_NEARLY_FULL']);
  cluster.usedBytes = 95;
  deepEqual(cluster.codes(), ['OSD_FULL']);
  cluster.usedBytes = 1;
  cluster.damaged = 2;
  deepEqual(cluster.codes(), ['OBJECTS_DAMAGED']);
  cluster.damaged = 0;
  cluster.failure = 'superblock can’t be read';
  deepEqual(cluster.codes(), ['DAEMON_FAILED']);
});

test('an OSD near its memory budget is told, with what waits for it', () => {
  const cluster = new Cluster();
  const memory = { usedBytes: 200 * 2 ** 20, budgetBytes: 256 * 2 ** 20 };
  cluster.memory = { ...memory, recoveryWaits: false, putsWait: false };
  deepEqual(cluster.codes(), []);
  cluster.memory = { ...memory, recoveryWaits: true, putsWait: true };
  const [check] = cluster.health().checks;
  equal(check?.code, 'OSD_MEMORY');
  ok(check?.detail[0]?.includes('holds 200 of 256 MiB'));
  ok(check?.detail[0]?.includes('writes are slowed'));
});

test('metrics are in Prometheus’ format', () => {
  const cluster = new Cluster();
  const text = formatMetrics(assess(cluster, now), cluster.health(), []);
  ok(text.includes('# TYPE holdfast_health gauge\nholdfast_health 0\n'));
  ok(text.includes('holdfast_osd_up{osd="4",host="host-4"} 1\n'));
  ok(text.includes('holdfast_pgs{state="active+clean"} 2\n'));
});

test('a pool that changes in place is not well before all of it is there, and shows how far it is', () => {
  const cluster = new Cluster();
  const [index, data] = cluster.map.pools as [Pool, Pool];
  const next = {
    geometry: copies(4, 2),
    rule: { failureDomain: 'host', deviceClass: undefined },
  } as const;
  const layouts = index.layouts.map((layout) => ({ ...layout, next, revision: 1 }));
  cluster.map = { ...cluster.map, pools: [{ ...index, layouts }, data] };
  const record = cluster.records.get('1.1.0' as PgId) as PgRecord;
  const target = [0, 1, 2, 4] as unknown as PgRecord['target'];
  const slot = { osd: 4 as OsdId, uuid: uuidOf(4), index: 3, state: 'joining', asOf: 0 } as const;
  cluster.records.set(record.pg, { ...record, target, slots: [...record.slots, slot] });
  deepEqual(cluster.codes(), ['PG_DEGRADED', 'POOL_CHANGING']);
  const [pool] = assess(cluster, now).pools;
  equal(pool?.geometry, 'copies 3/2');
  const change = { geometry: 'copies 4/2', failureDomain: 'host', deviceClass: null, pgs: 1 };
  deepEqual(pool?.change, { ...change, pgsDone: 0 });
  equal(pool?.margin.writes, 1, 'what was promised before is there');

  const slots = [...record.slots, { ...slot, state: 'in-sync' as const }];
  cluster.records.set(record.pg, { ...record, target, slots });
  deepEqual(assess(cluster, now).pools[0]?.change, { ...change, pgsDone: 1 });
  deepEqual(cluster.health().checks, [
    {
      code: 'POOL_CHANGING',
      severity: 'WARN',
      summary: '1 pool changing in place; until then as promised before',
      detail: [
        'pool .index: from copies 3/2 by host to copies 4/2 by host, 1 of 1 placement group there',
      ],
    },
  ]);
  const text = formatMetrics(assess(cluster, now), cluster.health(), []);
  ok(text.includes('holdfast_pool_change_pgs{pool=".index"} 1\n'));
  ok(text.includes('holdfast_pool_change_pgs_done{pool=".index"} 1\n'));
});

test('a pool whose objects go to other groups is not well before all have gone', () => {
  const cluster = new Cluster();
  const [index, data] = cluster.map.pools as [Pool, Pool];
  const [layout] = index.layouts as [Pool['layouts'][number]];
  const old = { ...layout, pgCount: 2, drainingSince: cluster.map.epoch };
  const other = { ...layout, id: 2, pgCount: 1 };
  const pool = { ...index, turn: 1, nextLayoutId: 3, layouts: [old, other] };
  cluster.map = { ...cluster.map, pools: [pool, data] };
  const record = cluster.records.get('1.1.0' as PgId) as PgRecord;
  for (const pg of ['1.1.1', '1.2.0'] as PgId[]) cluster.records.set(pg, { ...record, pg });
  cluster.named.add('1.1.0' as PgId);
  deepEqual(cluster.health().checks, [
    {
      code: 'POOL_HANDING_OVER',
      severity: 'WARN',
      summary: '1 pool going to another number of placement groups',
      detail: ['pool .index: 1 of 2 have handed over what they had to 1 placement group'],
    },
  ]);
  const view = { fromPgs: 2, toPgs: 1, pgsDone: 1, isPaused: false };
  deepEqual(assess(cluster, now).pools[0]?.handover, view);
  equal(assess(cluster, now).pools[0]?.migration, null);
  const text = formatMetrics(assess(cluster, now), cluster.health(), []);
  ok(text.includes('holdfast_pool_handover_pgs{pool=".index"} 2\n'));
  ok(text.includes('holdfast_pool_handover_pgs_done{pool=".index"} 1\n'));
  cluster.named.clear();
  equal(assess(cluster, now).pools[0]?.handover, null);
});

test('events that wait for long are a warning, and events are counted', () => {
  const cluster = new Cluster();
  const word = (id: number, oldestMs?: number): NotificationWord => ({
    gateway: uuidOf(id),
    told: 7,
    failed: 2,
    expired: 1,
    gone: 0,
    queue: oldestMs === undefined ? undefined : { count: 3, oldestMs, trouble: 'hook: 500' },
  });
  cluster.notifications = [word(1), word(2, 60_000)];
  equal(cluster.health().status, 'HEALTH_OK');
  cluster.notifications = [word(1), word(2, 6 * 60_000)];
  const [check] = cluster.health().checks;
  equal(check?.code, 'NOTIFICATIONS_LATE');
  deepEqual(check?.detail, ['3 events, the oldest for 6 min; hook: 500']);
  const text = formatMetrics(assess(cluster, now), cluster.health(), cluster.notifications);
  ok(text.includes('holdfast_notifications_queued 3\n'));
  ok(text.includes('holdfast_notifications_oldest_seconds 360\n'));
  ok(text.includes(`holdfast_notifications_delivered{gateway="${uuidOf(1)}"} 7\n`));
});

test('an older map store, and a disk that came back older, are errors with the way out', () => {
  const cluster = new Cluster();
  cluster.frozen = 'osd.1 has seen revision 9 of the map store, which is at 4: it is an older copy';
  cluster.awaitedWitnesses = [2 as OsdId];
  const [check] = cluster.health().checks;
  equal(check?.code, 'MON_STORE_OLD');
  ok(check?.detail.some((line) => line.includes('mon restore --without 2')));
  cluster.frozen = undefined;
  const [pg, record] = [...cluster.records][0] as [PgId, PgRecord];
  const slots = record.slots.map((slot, at) => ({
    ...slot,
    state: at === 0 ? ('rolled-back' as const) : ('stale' as const),
  }));
  cluster.records.set(pg, { ...record, primary: undefined, slots });
  ok(cluster.codes().includes('OSD_ROLLED_BACK'));
  ok(cluster.codes().includes('PG_NOT_SERVING'));
});

test('a loss is accepted only by the token of exactly that loss', () => {
  const refusal = (losses: readonly string[], token: string | undefined): string => {
    try {
      requireAccepted('destroying osd.3', losses, token);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  equal(refusal([], undefined), '');
  const token = lossToken('destroying osd.3', ['pg 1.1.0']);
  ok(refusal(['pg 1.1.0'], undefined).endsWith(`--accept-loss ${token}`));
  equal(refusal(['pg 1.1.0'], token), '');
  ok(refusal(['pg 1.1.0', 'pg 1.1.1'], token).includes('was for another list'));
});
