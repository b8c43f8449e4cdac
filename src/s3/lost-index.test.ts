// An index whose rows were lost with their placement group: requests say so, it is opened again for exactly the keys
// it answered for, and what had data in a group is told by name.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import { BucketInspector } from './bucket-inspector.ts';
import type { IndexObjects } from './index/shard-split.ts';
import { type NamedLoss, nameLosses } from './named-losses.ts';
import { reopenLostShards } from './reopen-shards.ts';
import { sign, startTestGateway } from './testing/gateway-suite.ts';

async function start(options: Parameters<typeof startTestGateway>[0] = {}) {
  const bench = await startTestGateway({ time: 'manual', splitIntervalMs: 1000, ...options });
  const index: IndexObjects = {
    callObject: async (object, call, argument) =>
      decode(
        call.result,
        await bench.cluster.call('.index', object, call.name, encode(call.argument, argument)),
      ),
  };
  const send = async (
    method: string,
    path: string,
    body?: Buffer,
    query: Readonly<Record<string, string>> = {},
  ) => {
    const unsigned = { method, path, query, wallMs: bench.wallMs };
    return bench.handle(sign(body === undefined ? unsigned : { ...unsigned, body }));
  };
  return { bench, index, inspector: new BucketInspector(index), send };
}

function lose(bench: Awaited<ReturnType<typeof start>>['bench'], object: string): void {
  (bench.cluster.rows(object) as unknown[]).splice(0);
}

test('a shard that was lost says so, and is opened again for its own keys alone', async () => {
  const { bench, index, inspector, send } = await start({ shardEntriesMax: 10 });
  await send('PUT', '/bucket');
  for (let at = 100; at < 130; at++) await send('PUT', `/bucket/key-${at}`, Buffer.alloc(10));
  await bench.clock.advance(20_000);
  const before = await inspector.stats('bucket');
  const lost = before?.shards[1];
  ok(before !== undefined && lost !== undefined && before.shards.length >= 3);
  lose(bench, lost.object);
  const key = `/bucket/${lost.beginKey}`;
  const refused = await send('GET', key);
  equal(refused.status, 410);
  equal((await send('PUT', key, Buffer.alloc(5))).status, 410);
  equal((await send('GET', '/bucket/key-100')).status, 200);
  deepEqual(await reopenLostShards(index, 'bucket'), [lost.object]);
  deepEqual(await reopenLostShards(index, 'bucket'), [], 'once is enough');
  equal((await send('GET', key)).status, 404);
  equal((await send('PUT', key, Buffer.alloc(5))).status, 200);
  equal((await send('GET', key)).status, 200);
  const after = await inspector.stats('bucket');
  deepEqual(
    after?.shards.map(({ beginKey, entries, faults }) => [beginKey, entries, faults]),
    before.shards.map(({ beginKey, entries }, at) => [beginKey, at === 1 ? 1 : entries, []]),
  );
  equal(await reopenLostShards(index, 'nothing'), undefined);
  deepEqual(bench.failures, []);
});

test('a shard that was lost while it was split has what the other had not taken', async () => {
  for (const which of ['source', 'target'] as const) {
    const { bench, index, inspector, send } = await start({ shardEntriesMax: 1000 });
    await send('PUT', '/bucket');
    for (let at = 100; at < 140; at++) await send('PUT', `/bucket/key-${at}`, Buffer.alloc(10));
    equal(await inspector.reshard('bucket', 2), 1);
    let stats = await inspector.stats('bucket');
    const lost = stats?.shards[which === 'source' ? 0 : 1];
    ok(lost !== undefined);
    lose(bench, lost.object);
    deepEqual(await reopenLostShards(index, 'bucket'), [lost.object]);
    for (let at = 100; at < 140; at++)
      equal((await send('PUT', `/bucket/key-${at}`, Buffer.alloc(10))).status, 200, which);
    await bench.clock.advance(60_000);
    stats = await inspector.stats('bucket');
    equal(stats?.entries, 40, which);
    deepEqual(
      stats?.shards.flatMap(({ faults }) => faults),
      [],
    );
    const listed = await send('GET', '/bucket', undefined, { 'list-type': '2' });
    equal(listed.status, 200);
    deepEqual(bench.failures, []);
  }
});

test('what has data in a placement group is named, in bounded pieces', async () => {
  const { bench, index, send } = await start();
  await send('PUT', '/first');
  await send('PUT', '/second');
  for (let at = 0; at < 70; at++) await send('PUT', `/first/inline-${at}`, Buffer.alloc(10));
  for (let at = 0; at < 40; at++) await send('PUT', `/first/blob-${at}`, Buffer.alloc(20_000));
  await send('PUT', '/second/blob', Buffer.alloc(30_000));
  const second = bench.cluster.objectNames().filter((name) => name.includes('index/'));
  const places = {
    pgOfBlob: (_layout: unknown, { counter }: BlobId) => `2.1.${counter % 2}`,
    pgOfIndexObject: (object: string) =>
      object.endsWith(second.at(-1) ?? '?') ? '1.1.9' : '1.1.0',
  };
  const all = async (pgs: string[]): Promise<NamedLoss[]> => {
    const items: NamedLoss[] = [];
    let after: string | null = '';
    for (let pieces = 0; after !== null; pieces++) {
      ok(pieces < 50, 'it ends');
      const page: Awaited<ReturnType<typeof nameLosses>> = await nameLosses(
        { index, cluster: bench.cluster, places },
        new Set(pgs),
        after,
      );
      items.push(...page.items);
      after = page.next;
    }
    return items;
  };
  const even = await all(['2.1.0']);
  const odd = await all(['2.1.1']);
  equal(even.length + odd.length, 41);
  ok(
    even.every(
      ({ kind, bucket, versionId }) => kind === 'object' && bucket !== '' && versionId === 'null',
    ),
  );
  equal((await all(['2.1.0', '2.1.1'])).length, 41);
  equal(
    [...even, ...odd].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    40 * 20_000 + 30_000,
  );
  deepEqual(await all(['2.1.5']), []);
  // An index that is lost itself: its bucket is named, and the registry, behind which nobody can look.
  deepEqual(
    (await all(['1.1.0'])).map(({ kind }) => kind),
    ['registry'],
  );
  const inLost = await nameLosses(
    {
      index,
      cluster: bench.cluster,
      places: {
        ...places,
        pgOfIndexObject: (object) => (object === 'buckets' ? '1.1.0' : '1.1.9'),
      },
    },
    new Set(['1.1.9']),
    '',
  );
  deepEqual(
    inLost.items.map(({ kind, bucket }) => `${kind} ${bucket}`),
    ['shard first', 'shard second'],
  );
  match(JSON.stringify(even[0]), /"key":"blob/);
});
