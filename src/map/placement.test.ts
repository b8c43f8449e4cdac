// Where placement groups go, over random machines: distinct failure domains, only disks that may have them, as evenly as
// weights and domains allow, and few moves when a disk goes.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, PgId, PoolId, Uuid } from '../base/ids.ts';
import { defaultPools, initialState, newDisk, poolOf } from '../mon/initial.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { type ClusterMap, type Layout, type OsdEntry, pgIdsOf } from './cluster-map.ts';
import { copies, erasure, formatGeometry, type Geometry, slotCount } from './geometry.ts';
import { computeTargets, type Targets } from './placement.ts';

const none: Targets = new Map();
const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;

interface Case {
  readonly map: ClusterMap;
  readonly layout: Layout;
  readonly pgs: readonly PgId[];
  readonly text: string;
}

const geometries = [copies(2, 1), copies(3, 2), erasure(2, 1), erasure(3, 2), erasure(4, 2)];

/** One to ten hosts of `disksOf` disks of `weightOf` GiB each. */
function draw(
  random: SeededRandom,
  of: { readonly disksOf: () => number; readonly weightOf: () => number },
): Case {
  const hostCount = 1 + random.below(10);
  const disks: OsdEntry[] = [];
  for (let host = 0; host < hostCount; host++)
    for (let count = of.disksOf(); count > 0; count--) {
      const id = disks.length as OsdId;
      const disk = {
        uuid: uuidOf(id),
        host: `host-${host}`,
        capacityBytes: of.weightOf() * 2 ** 30,
      };
      const deviceClass = random.below(3) === 0 ? 'hdd' : 'ssd';
      disks.push({ ...newDisk({ ...disk, deviceClass }, id), up: true });
    }
  const geometry = geometries[random.below(geometries.length)] as Geometry;
  const failureDomain = random.below(4) === 0 ? 'osd' : 'host';
  const pgCount = 1 << random.below(7);
  const state = initialState({
    ...{ fsid: uuidOf(999), storeId: uuidOf(998), users: [], pools: [], nonce: () => 'n' },
    disks: [{ uuid: uuidOf(0), host: 'host-0', capacityBytes: 2 ** 30 }],
  });
  const made = poolOf({ name: 'data', geometry, failureDomain, pgCount });
  const [layout] = made.layouts as [Layout];
  const pool = { ...made, id: 1 as PoolId };
  const map = { ...state.map, osds: disks, pools: [pool] };
  const hosts = disks.map((osd) => `${osd.host}:${osd.deviceClass}:${osd.weight}`).join(' ');
  const text = `${formatGeometry(geometry)} by ${failureDomain}, ${pgCount} PGs on ${hosts}`;
  return { map, layout, pgs: pgIdsOf(pool, layout), text };
}

/** Hosts of one to three disks, each of a size of its own. */
function drawUneven(random: SeededRandom): Case {
  return draw(random, { disksOf: () => 1 + random.below(3), weightOf: () => 1 + random.below(8) });
}

function domainOf(osd: OsdEntry, layout: Layout): string {
  return layout.rule.failureDomain === 'osd' ? `osd.${osd.id}` : osd.host;
}

function osdOf(map: ClusterMap, id: OsdId): OsdEntry {
  const found = map.osds.find((osd) => osd.id === id);
  ok(found !== undefined, `osd.${id} is in the map`);
  return found;
}

/** Everything that must hold of targets that nothing stood before. */
function check({ map, layout, pgs, text }: Case, targets: Targets): void {
  const usable = map.osds.filter((osd) => osd.in && !osd.destroyed);
  const domains = new Set(usable.map((osd) => domainOf(osd, layout)));
  const size = Math.min(slotCount(layout.geometry), domains.size);
  deepEqual([...targets.keys()], [...pgs], text);
  for (const [pg, osds] of targets) {
    equal(osds.length, size, `${pg}: as many as there are domains for: ${text}`);
    const used = osds.map((id) => domainOf(osdOf(map, id), layout));
    equal(new Set(used).size, osds.length, `${pg}: one of a domain: ${text}`);
    for (const id of osds) ok(usable.includes(osdOf(map, id)), `${pg}: osd.${id} may: ${text}`);
  }
}

function slotsOf(targets: Targets, map: ClusterMap): Map<OsdId, number> {
  const counts = new Map(map.osds.map(({ id }) => [id, 0]));
  for (const osds of targets.values())
    for (const id of osds) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

test('groups have distinct domains, and only disks that are in', () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 300; round++) {
    const drawn = drawUneven(random);
    const osds = drawn.map.osds.map((osd) => ({ ...osd, in: random.below(6) > 0 }));
    const given = { ...drawn, map: { ...drawn.map, osds } };
    check(given, computeTargets(given.map, given.layout, given.pgs, none));
  }
});

test('a device class is kept to', () => {
  const random = new SeededRandom(2);
  let placed = 0;
  for (let round = 0; round < 200; round++) {
    const drawn = draw(random, { disksOf: () => 1 + random.below(3), weightOf: () => 4 });
    const rule = { ...drawn.layout.rule, deviceClass: 'hdd' as const };
    const targets = computeTargets(drawn.map, { ...drawn.layout, rule }, drawn.pgs, none);
    for (const osds of targets.values())
      for (const id of osds) {
        equal(osdOf(drawn.map, id).deviceClass, 'hdd', drawn.text);
        placed++;
      }
  }
  ok(placed > 1000, `${placed} slots`);
});

test('equal disks have equal numbers of slots, to within one', () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 300; round++) {
    const disksEach = 1 + random.below(3);
    const drawn = draw(random, { disksOf: () => disksEach, weightOf: () => 4 });
    const counts = [
      ...slotsOf(computeTargets(drawn.map, drawn.layout, drawn.pgs, none), drawn.map).values(),
    ];
    const spread = Math.max(...counts) - Math.min(...counts);
    ok(spread <= 1, `${counts.join(' ')}: ${drawn.text}`);
  }
});

test('no single move would bring two unequal disks closer', () => {
  const random = new SeededRandom(4);
  for (let round = 0; round < 200; round++) {
    const drawn = drawUneven(random);
    const { map, layout } = drawn;
    const targets = computeTargets(map, layout, drawn.pgs, none);
    const counts = slotsOf(targets, map);
    for (const osds of targets.values())
      for (const [index, from] of osds.entries())
        for (const to of map.osds) {
          const elsewhere = osds.filter((_, at) => at !== index);
          const taken = elsewhere.map((id) => domainOf(osdOf(map, id), layout));
          if (elsewhere.includes(to.id) || taken.includes(domainOf(to, layout))) continue;
          const giver = (counts.get(from) as number) / osdOf(map, from).weight;
          const receiver = ((counts.get(to.id) as number) + 1) / to.weight;
          ok(receiver >= giver, `osd.${from} to osd.${to.id}: ${drawn.text}`);
        }
  }
});

test('when a disk goes out little else moves, and with it back all is as even as before', () => {
  const random = new SeededRandom(5);
  let lost = 0;
  let moved = 0;
  for (let round = 0; round < 200; round++) {
    const drawn = draw(random, { disksOf: () => 1 + random.below(2), weightOf: () => 4 });
    const { map, layout, pgs } = drawn;
    const before = computeTargets(map, layout, pgs, none);
    const gone = map.osds[random.below(map.osds.length)] as OsdEntry;
    const osds = map.osds.map((osd) => (osd.id === gone.id ? { ...osd, in: false } : osd));
    const after = computeTargets({ ...map, osds }, layout, pgs, before);
    for (const [pg, now] of after)
      for (const [index, id] of (before.get(pg) ?? []).entries()) {
        if (id === gone.id) lost++;
        else if (now[index] !== id) moved++;
      }
    const spreadOf = (targets: Targets): number => {
      const counts = [...slotsOf(targets, map).values()];
      return Math.max(...counts) - Math.min(...counts);
    };
    const again = computeTargets(map, layout, pgs, after);
    ok(spreadOf(again) <= Math.max(1, spreadOf(before)), drawn.text);
  }
  ok(lost > 1000, `${lost} slots were on disks that went`);
  ok(moved < lost / 2, `${moved} others moved for ${lost}`);
});

test('the same machines and groups have the same targets', () => {
  const random = new SeededRandom(6);
  const drawn = draw(random, { disksOf: () => 2, weightOf: () => 1 + random.below(8) });
  const { map, layout, pgs } = drawn;
  const first = computeTargets(map, layout, pgs, none);
  const osds = [...map.osds].reverse();
  deepEqual(computeTargets({ ...map, osds }, layout, pgs, none), first);
  deepEqual(computeTargets(map, layout, pgs, first), first, 'nothing moves for nothing');
});

test('what a number of hosts allows by default', () => {
  const table = [1, 2, 3, 4, 5, 9].map((hosts) =>
    [hosts, ...defaultPools(hosts).map(({ geometry }) => formatGeometry(geometry))].join(' '),
  );
  deepEqual(table, [
    '1 copies 1/1 copies 1/1',
    '2 copies 2/1 copies 2/1',
    '3 copies 3/2 erasure 2+1',
    '4 copies 3/2 erasure 2+1',
    '5 copies 3/2 erasure 3+2',
    '9 copies 3/2 erasure 3+2',
  ]);
});
