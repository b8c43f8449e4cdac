// Blobs of a gateway that is killed during a PUT, in a whole cluster: they go, and nothing of a live writer
// does, though the monitor was restarted and knows it only from what it says itself.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type BlobId, formatBlobId } from '../base/ids.ts';
import type { BlobCursor } from '../client/cluster.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { copies, erasure } from '../map/geometry.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { type S3Call, signedRequest } from './s3-request.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';

const mebibyte = 1024 * 1024;
const minuteMs = 60_000;

function pattern(seed: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + seed * 17 + (at >> 8)) & 0xff);
}

/** Every blob of the data pool, page by page, at most two a page. */
async function listBlobs(client: ClusterClient, begin?: BlobId): Promise<string[]> {
  const names: string[] = [];
  let cursor: BlobCursor | undefined;
  for (let pages = 0; pages < 1000; pages++) {
    const page = await client.listBlobs('data', {
      begin: begin ?? { incarnation: 0, counter: 0 },
      end: { incarnation: 1000, counter: 0 },
      cursor,
      limit: 2,
    });
    names.push(...page.blobs.map(formatBlobId));
    cursor = page.next;
    if (cursor === undefined) return names.sort();
  }
  throw new Error('the listing does not end');
}

test('the blobs of a killed gateway go after the grace, those of live writers stay', async () => {
  const cluster = new SimulatedCluster({
    seed: 71,
    osdCount: 3,
    pools: [
      { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 2 },
      { name: 'data', geometry: erasure(2, 1), failureDomain: 'host', pgCount: 3 },
    ],
    methods: s3Methods,
  });
  await cluster.start();
  const options = { orphansIntervalMs: 10 * minuteMs };
  const doomed = await cluster.gateway(options);
  const other = await cluster.gateway(options);
  const send = (gateway: SimulatedGateway, call: S3Call) =>
    gateway.process.http.request(signedRequest(call, gateway.process.env.wall.nowMs()));
  const list = () => cluster.settle(listBlobs(other.client), 'a listing');
  const body = pattern(1, 5 * mebibyte);
  await cluster.settle(send(doomed, { method: 'PUT', path: '/bucket' }), 'a bucket');
  const put = await cluster.settle(
    send(doomed, { method: 'PUT', path: '/bucket/kept', body }),
    'a put',
  );
  equal(put.status, 200);
  const kept = await list();
  equal(kept.length, 2);

  // It dies when it has stored a blob and waits for the rest.
  const request = signedRequest(
    { method: 'PUT', path: '/bucket/lost', body: pattern(2, 9 * mebibyte) },
    doomed.process.env.wall.nowMs(),
  );
  const pieces = [pattern(2, 8 * mebibyte)];
  const unfinished = {
    next: () =>
      pieces.length > 0 ? Promise.resolve(pieces.shift()) : new Promise<undefined>(() => {}),
  };
  const broken = rejects(doomed.process.http.request({ ...request, body: unfinished }));
  await cluster.scheduler.run(2000);
  doomed.process.kill();
  await cluster.settle(broken, 'the request to break');
  equal((await list()).length, 4);

  // What a live writer has under way: no entry refers to it yet.
  const slow = await cluster.settle(other.client.allocateBlobs(1), 'an id');
  const layout = other.client.activeLayout('data');
  await cluster.settle(other.client.putBlob(layout, slow, [pattern(3, 1000)]), 'a put');
  cluster.killMonitor({ power: true });
  await cluster.scheduler.run(1000);
  await cluster.startMonitor();

  await cluster.scheduler.run(59 * minuteMs);
  deepEqual(await cluster.settle(other.client.deadWriters(), 'the dead'), []);
  equal((await list()).length, 5, 'nobody is dead before the grace is over');
  await cluster.scheduler.run(14 * minuteMs);
  deepEqual(await list(), [...kept, formatBlobId(slow)].sort());
  const dead = await cluster.settle(other.client.deadWriters(), 'the dead');
  ok(dead.every(({ first, count }) => first + count <= slow.incarnation));
  deepEqual(await cluster.settle(listBlobs(other.client, slow), 'a listing'), [formatBlobId(slow)]);
  const read = await cluster.settle(send(other, { method: 'GET', path: '/bucket/kept' }), 'a get');
  deepEqual(read.body, body);
  deepEqual(cluster.failures, []);
});

test('a client that was taken for dead goes on as another writer, once for each refusal', async () => {
  const cluster = new SimulatedCluster({
    seed: 72,
    osdCount: 3,
    pools: [{ name: 'data', geometry: erasure(2, 1), failureDomain: 'host', pgCount: 2 }],
    methods: s3Methods,
  });
  await cluster.start();
  const client = await cluster.client();
  const allocate = () => cluster.settle(client.allocateBlobs(1), 'an id');
  const before = await allocate();
  cluster.killMonitor({ power: false });
  client.renewWriter(before.incarnation);
  client.renewWriter(before.incarnation);
  await cluster.scheduler.run(5000);
  equal((await allocate()).incarnation, before.incarnation, 'nobody waits for the monitor');
  await cluster.startMonitor();
  await cluster.scheduler.run(5000);
  const after = await allocate();
  equal(after.incarnation, before.incarnation + 1);
  client.renewWriter(before.incarnation);
  await cluster.scheduler.run(1000);
  equal((await allocate()).incarnation, after.incarnation);
  const layout = client.activeLayout('data');
  await cluster.settle(client.putBlob(layout, after, [pattern(1, 100)]), 'a put');
  await cluster.settle(client.deleteBlob(layout, after), 'a delete');
  deepEqual(await cluster.settle(listBlobs(client), 'a listing'), []);
  deepEqual(cluster.failures, []);
});
