import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { Epoch, OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import type { Clock, Instant } from '../env/clock.ts';
import { type ClusterMap, newLayout, newPool, type OsdEntry } from '../map/cluster-map.ts';
import { copies, erasure, type Geometry } from '../map/geometry.ts';
import type { PgRecord, SlotState } from '../map/pg-record.ts';
import { StuckGroups, stuckMs } from './stuck-groups.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;
const pg = '1.1.0' as PgId;

/** A cluster as a client knows it, with a clock of its own. */
function knowing(geometry: Geometry, states: readonly SlotState[]) {
  const osds = states.map(
    (_, id): OsdEntry => ({
      id: id as OsdId,
      uuid: uuidOf(id),
      host: `host-${id}`,
      rack: '',
      room: '',
      deviceClass: 'ssd',
      weight: 1,
      capacityBytes: 1,
      up: true,
      in: true,
      outByOperator: false,
      destroyed: false,
      wiped: false,
      address: 'a:1',
      upSince: 1 as Epoch,
    }),
  );
  const rule = { failureDomain: 'host', deviceClass: undefined } as const;
  const record: PgRecord = {
    pg,
    tenure: 1,
    version: 1,
    primary: uuidOf(0),
    nonce: '',
    slots: states.map((state, id) => ({
      osd: id as OsdId,
      uuid: uuidOf(id),
      index: id,
      state,
      asOf: 0,
    })),
    target: states.map((_, id) => id as OsdId),
  };
  const layouts = [{ id: 1, geometry, rule, pgCount: 1, ...newLayout }];
  const knowledge = {
    map: {
      fsid: uuidOf(99),
      epoch: 1 as Epoch,
      osds,
      pools: [{ id: 1 as PoolId, name: 'pool', layouts, inlineBytesMax: 0, ...newPool }],
      settings: [],
      losses: [],
      nextOsdId: osds.length,
      nextPoolId: 2,
    } as ClusterMap,
    records: new Map([[pg, record]]),
  };
  const time = { now: 0 };
  const clock = { now: () => time.now as Instant } as unknown as Clock;
  const groups = new StuckGroups(clock, knowledge);
  const set = (id: number, edit: Partial<OsdEntry>): void => {
    const { map } = knowledge;
    const changed = map.osds.map((osd) => (osd.id === id ? { ...osd, ...edit } : osd));
    knowledge.map = { ...map, osds: changed };
    groups.changed();
  };
  return { groups, set, time };
}

test('a group is given its time, and then called stuck by name until enough are back', () => {
  const { groups, set, time } = knowing(erasure(2, 1), ['in-sync', 'in-sync', 'in-sync']);
  set(1, { up: false });
  time.now = 60_000;
  equal(groups.reasonOf(pg, 'any'), undefined, 'two of three are enough: a failover at most');
  set(2, { up: false });
  equal(groups.reasonOf(pg, 'any'), undefined);
  time.now += stuckMs - 1;
  equal(groups.reasonOf(pg, 'any'), undefined);
  time.now += 1;
  match(groups.reasonOf(pg, 'any') ?? '', /1 of the 2 disks up.*osd\.1, osd\.2$/);
  set(2, { up: true });
  equal(groups.reasonOf(pg, 'any'), undefined);
  // It was back: its time begins anew.
  set(2, { up: false });
  time.now += stuckMs - 1;
  equal(groups.reasonOf(pg, 'any'), undefined);
  time.now += 1;
  match(groups.reasonOf(pg, 'any') ?? '', /waits for/);
  // An empty disk in its place does not bring it back.
  set(2, { up: true, uuid: uuidOf(52) });
  match(groups.reasonOf(pg, 'any') ?? '', /osd\.1, the former disk of osd\.2$/);
});

test('a group that was lost serves with what it has; one that begins again does not yet', () => {
  const begun = knowing(erasure(2, 1), ['in-sync', 'joining', 'joining']);
  equal(begun.groups.reasonOf(pg, 'any'), undefined);
  const begins = knowing(copies(3, 2), ['salvaging', 'joining', 'joining']);
  match(begins.groups.reasonOf(pg, 'any') ?? '', /was lost, and begins again from osd\.0/);
});

test('a write waits as long as somebody is on the way', () => {
  const { groups, set, time } = knowing(copies(3, 2), ['in-sync', 'joining', 'stale']);
  equal(groups.reasonOf(pg, 'write'), undefined);
  set(1, { up: false });
  time.now += stuckMs;
  equal(groups.reasonOf(pg, 'write'), undefined, 'the older copy is up, and will join');
  set(2, { up: false });
  equal(groups.reasonOf(pg, 'write'), undefined);
  time.now += stuckMs;
  match(groups.reasonOf(pg, 'write') ?? '', /has 1 disks up and needs 2.*osd\.1, osd\.2$/);
  equal(groups.reasonOf(pg, 'any'), undefined, 'it is read');
});
