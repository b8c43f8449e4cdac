// The PG engine under a simulated cluster: what is acknowledged stays, whoever dies.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { OsdId } from '../base/ids.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { ClientError } from '../client/errors.ts';
import { copies, erasure } from '../map/geometry.ts';
import type { InitialPool } from '../mon/initial.ts';
import { pattern } from './pattern.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { workloadMethods } from './workload.ts';

const pools: readonly InitialPool[] = [
  { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 4 },
  { name: 'data', geometry: erasure(3, 2), failureDomain: 'host', pgCount: 4 },
];

async function started(
  seed: number,
): Promise<{ cluster: SimulatedCluster; client: ClusterClient }> {
  const cluster = new SimulatedCluster({ seed, osdCount: 5, pools, methods: workloadMethods });
  await cluster.start();
  return { cluster, client: await cluster.client() };
}

async function row(client: ClusterClient, object: string, argument: string): Promise<string> {
  return decodeUtf8(await client.call('.index', object, 'sim.swap', encodeUtf8(argument)));
}

test('rows and blobs that were written are read back', async () => {
  const { cluster, client } = await started(1);
  equal(await cluster.settle(row(client, 'a', 'k=v1'), 'a write'), '');
  equal(await cluster.settle(row(client, 'a', 'k=v2'), 'a write'), 'v1');
  equal(await cluster.settle(row(client, 'a', 'k'), 'a read'), 'v2');
  const layout = client.activeLayout('data');
  const blob = await client.allocateBlobs(1);
  const bytes = pattern(1, 700_000);
  await cluster.settle(
    client.putBlob(layout, blob, [bytes.subarray(0, 1000), bytes.subarray(1000)]),
    'a put',
  );
  const read = await cluster.settle(
    client.readBlob(layout, blob, { offsetBytes: 199_000, lengthBytes: 300_001 }),
    'a get',
  );
  deepEqual(read, bytes.slice(199_000, 499_001));
});

test('with one OSD killed everything written before and after is read back, and it comes back clean', async () => {
  for (const victim of [0, 1, 2, 3, 4]) {
    const { cluster, client } = await started(10 + victim);
    const layout = client.activeLayout('data');
    const blobs = await client.allocateBlobs(24);
    const put = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at++) {
        await row(client, `object-${at % 7}`, `key-${at}=value-${at}`);
        await client.putBlob(layout, { ...blobs, counter: blobs.counter + at }, [
          pattern(at, 5000 + at * 1000),
        ]);
      }
    };
    await cluster.settle(put(0, 8), 'writes before');
    cluster.killOsd(victim, { power: true });
    await cluster.settle(put(8, 16), 'writes with one down');
    const check = async (to: number): Promise<void> => {
      for (let at = 0; at < to; at++) {
        equal(await row(client, `object-${at % 7}`, `key-${at}`), `value-${at}`);
        const blob = { ...blobs, counter: blobs.counter + at };
        deepEqual(
          await client.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: 5000 + at * 1000 }),
          pattern(at, 5000 + at * 1000),
        );
      }
    };
    await cluster.settle(check(16), 'reads with one down');
    await cluster.startOsd(victim);
    await cluster.settle(put(16, 24), 'writes while it recovers');
    await cluster.untilClean();
    await cluster.settle(check(24), 'reads after recovery');
  }
});

test('an empty disk in place of a wiped one is rebuilt', async () => {
  const { cluster, client } = await started(30);
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(40);
  const put = async (): Promise<void> => {
    for (let at = 0; at < 40; at++) {
      await row(client, `object-${at % 7}`, `key-${at}=value-${at}`);
      await client.putBlob(layout, { ...blobs, counter: blobs.counter + at }, [
        pattern(at, 20_000),
      ]);
    }
  };
  await cluster.settle(put(), 'writes');
  cluster.killOsd(2);
  await cluster.until(
    'osd.2 to be marked down',
    () => cluster.monitor.map.osds[2]?.up === false,
    20_000,
  );
  await cluster.replaceDisk(2);
  await cluster.startOsd(2);
  await cluster.untilClean();
  // The rebuilt disk must carry its share: two others go, and 3+2 still reads.
  cluster.killOsd(0);
  cluster.killOsd(1);
  for (let at = 0; at < 40; at++) {
    const blob = { ...blobs, counter: blobs.counter + at };
    deepEqual(
      await cluster.settle(
        client.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: 20_000 }),
        'a read',
      ),
      pattern(at, 20_000),
    );
  }
});

test('below the write floor a put is sent elsewhere in time, reads go on, and it comes back', async () => {
  const { cluster, client } = await started(40);
  const layout = client.activeLayout('data');
  const [blob, other] = [await client.allocateBlobs(1), await client.allocateBlobs(1)];
  await cluster.settle(client.putBlob(layout, blob, [pattern(1, 9000)]), 'a put');
  cluster.killOsd(3);
  cluster.killOsd(4);
  const refused = await cluster.settle(
    client.putBlob(layout, other, [pattern(2, 100)]).then(
      () => undefined,
      (error: unknown) => error,
    ),
    'a refusal',
    20_000,
  );
  // By then there is an interim layout, which takes it.
  equal(refused instanceof ClientError && refused.code, 'superseded');
  const interim = client.activeLayout('data');
  ok(interim.layout !== layout.layout);
  const third = await client.allocateBlobs(1);
  await cluster.settle(client.putBlob(interim, third, [pattern(2, 100)]), 'a put elsewhere');
  deepEqual(
    await cluster.settle(
      client.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: 9000 }),
      'a read',
    ),
    pattern(1, 9000),
  );
  await cluster.startOsd(3);
  await cluster.until(
    'the own layout to be active',
    () => client.activeLayout('data').layout === layout.layout,
    60_000,
  );
  await cluster.settle(client.putBlob(layout, other, [pattern(3, 100)]), 'a put');
  deepEqual(
    await cluster.settle(
      client.readBlob(interim, third, { offsetBytes: 0, lengthBytes: 100 }),
      'a read of what was written meanwhile',
    ),
    pattern(2, 100),
  );
});

test('a power cut of everything loses nothing acknowledged', async () => {
  for (let seed = 50; seed < 60; seed++) {
    const { cluster, client } = await started(seed);
    const layout = client.activeLayout('data');
    const blobs = await client.allocateBlobs(60);
    const done: number[] = [];
    const put = async (at: number): Promise<void> => {
      await row(client, `object-${at % 3}`, `key-${at}=value-${at}`);
      await client.putBlob(layout, { ...blobs, counter: blobs.counter + at }, [
        pattern(at, 3000 + at),
      ]);
      done.push(at);
    };
    for (let at = 0; at < 60; at++) put(at).catch(() => {});
    await cluster.until('some writes', () => done.length >= 5 + (seed % 20), 30_000);
    const acknowledged = [...done];
    for (const osd of cluster.osds) cluster.killOsd(osd.id, { power: true });
    cluster.killMonitor({ power: true });
    await cluster.startMonitor();
    for (const osd of cluster.osds) await cluster.startOsd(osd.id);
    await cluster.untilClean();
    const after = await cluster.client();
    for (const at of acknowledged) {
      equal(
        await cluster.settle(row(after, `object-${at % 3}`, `key-${at}`), 'a read'),
        `value-${at}`,
      );
      const blob = { ...blobs, counter: blobs.counter + at };
      deepEqual(
        await cluster.settle(
          after.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: 3000 + at }),
          'a read',
        ),
        pattern(at, 3000 + at),
      );
    }
  }
});

test('a shard that rots on disk is answered from the others and repaired by itself', async () => {
  const { cluster, client } = await started(70);
  const layout = client.activeLayout('data');
  const blob = await client.allocateBlobs(1);
  const bytes = pattern(3, 400_000);
  await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
  for (const rotten of cluster.osds) {
    for (let at = 0; at < 256 * 1024; at += 4096) rotten.files.flipBit('block', at + 100, 3);
    const range = { offsetBytes: 0, lengthBytes: bytes.length, blobBytes: bytes.length };
    deepEqual(await cluster.settle(client.readBlob(layout, blob, range), 'a read'), bytes);
    const damaged = (): number =>
      cluster.osds.reduce((sum, each) => {
        const record = [...cluster.monitor.records.values()].filter((pg) => pg.pg.startsWith('2.'));
        return (
          sum +
          record.reduce((all, pg) => all + (each.osd?.memberOf(pg.pg)?.disk.damagedCount ?? 0), 0)
        );
      }, 0);
    await cluster.until('the damage to be repaired', () => damaged() === 0, 60_000);
    for (const pg of cluster.monitor.records.keys()) cluster.monitor.scrub([pg], true);
    await cluster.scheduler.run(20_000);
    const found = cluster.log.filter(
      (line) => line.event === 'damaged shard' && line.process === `osd.${rotten.id}`,
    );
    equal(found.length, 1, `osd.${rotten.id} found its damage once`);
    equal(damaged(), 0);
  }
  deepEqual(
    await cluster.settle(
      client.readBlob(layout, blob, { offsetBytes: 0, lengthBytes: bytes.length }),
      'a read',
    ),
    bytes,
  );
});

test('what many placement groups propose at once is stored together', async () => {
  const pgCount = 300;
  const cluster = new SimulatedCluster({
    seed: 31,
    osdCount: 3,
    pools: [{ name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount }],
    methods: workloadMethods,
  });
  await cluster.start();
  // Each was proposed to be led, by three OSDs that began together.
  for (const { tenure } of cluster.monitor.records.values()) ok(tenure > 0);
  ok(cluster.mapStoreChanges < pgCount / 3, `${cluster.mapStoreChanges} changes of the store`);
});

test('when a group was scrubbed is known to whoever leads it next', async () => {
  const { cluster } = await started(60);
  const { monitor } = cluster;
  const pgs = [...monitor.records.keys()];
  const scrubbedAt = (): readonly (number | undefined)[] =>
    pgs.map((pg) => monitor.reportOf(pg)?.deepScrubbedWallMs);
  await cluster.scheduler.run(3000);
  equal(monitor.scrub(pgs, true).length, pgs.length);
  await cluster.until(
    'scrubs',
    () => scrubbedAt().every((at) => at !== undefined && at > 0),
    30_000,
  );
  const before = scrubbedAt();
  const leadBefore = pgs.map((pg) => monitor.records.get(pg)?.primary);
  // One that joined after the scrub may lead as well.
  for (const osd of [0, 1, 2]) {
    cluster.killOsd(osd);
    await cluster.until('it to be down', () => monitor.map.osds[osd]?.up === false, 20_000);
    await cluster.startOsd(osd);
    await cluster.untilClean();
  }
  await cluster.scheduler.run(3000);
  ok(pgs.some((pg, at) => monitor.records.get(pg)?.primary !== leadBefore[at]));
  deepEqual(scrubbedAt(), before);
});

test('a monitor ends with the first change that its full disk refuses, and takes it when there is room again', async () => {
  const { cluster, client } = await started(40);
  await cluster.settle(row(client, 'a', 'k=v1'), 'a write');
  const crashes: string[] = [];
  cluster.onCrash = (daemon, what) => crashes.push(`${daemon.name}: ${what}`);
  cluster.monitorFiles.fault = ({ kind }) => (kind === 'rows-sync' ? 'no-space' : undefined);
  const refused = await cluster.settle(
    cluster.monitor.markOut(0 as OsdId).then(
      () => '',
      (error: unknown) => String(error),
    ),
    'a command',
  );
  match(refused, /no-space/);
  await cluster.scheduler.run(100);
  equal(crashes.length, 1);
  match(crashes[0] ?? '', /^mon: map store: .*no-space/);
  equal(await cluster.settle(row(client, 'a', 'k=v2'), 'a write without a monitor'), 'v1');
  cluster.killMonitor({ power: false });
  await cluster.startMonitor();
  await cluster.settle(cluster.monitor.markOut(0 as OsdId), 'the command again');
  equal(cluster.monitor.map.osds[0]?.in, false);
});

test('what wall clocks of disks showed between two instants counts each that was wrong then', () => {
  const cluster = new SimulatedCluster({ seed: 1, osdCount: 2, pools: [], methods: new Map() });
  const begunMs = cluster.wallMs;
  const shown = (from: number, until: number): readonly [number, number] => {
    const { leastMs, mostMs } = cluster.osdWalls(from, until);
    return [leastMs - begunMs, mostMs - begunMs];
  };
  // They show whole milliseconds.
  deepEqual(shown(5, 9), [4, 9]);
  cluster.setWallOffset('osd.1', 1000);
  cluster.setWallOffset('mon', 5000);
  deepEqual(shown(5, 9), [4, 1009]);
  cluster.setWallOffset('osd.0', -1000);
  deepEqual(shown(5, 9), [-996, 1009]);
  cluster.passTime(10_000);
  deepEqual(shown(5, 9), [9004, 11_009]);
});
