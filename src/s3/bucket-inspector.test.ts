import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import { BucketInspector } from './bucket-inspector.ts';
import { countsFormat } from './index/format.ts';
import { countsRow } from './index/rows.ts';
import type { IndexObjects } from './index/shard-split.ts';
import { sign, startTestGateway } from './testing/gateway-suite.ts';

async function start(shardEntriesMax: number, keys = 40) {
  const bench = await startTestGateway({ time: 'manual', shardEntriesMax, splitIntervalMs: 1000 });
  const index: IndexObjects = {
    callObject: async (object, call, argument) =>
      decode(
        call.result,
        await bench.cluster.call('.index', object, call.name, encode(call.argument, argument)),
      ),
  };
  const send = async (method: string, path: string, body?: Buffer): Promise<void> => {
    const unsigned = { method, path, wallMs: bench.wallMs };
    const answer = await bench.handle(sign(body === undefined ? unsigned : { ...unsigned, body }));
    ok(answer.status < 300, `${method} ${path}: ${answer.status}`);
  };
  await send('PUT', '/bucket');
  for (let at = 0; at < keys; at++)
    await send('PUT', `/bucket/key-${at}`, Buffer.alloc(at === 0 ? 20_000 : 10));
  return { bench, inspector: new BucketInspector(index), send };
}

/** Every piece of a shard's check. */
async function checkShard(inspector: BucketInspector, object: string) {
  const sum = { rows: 0, sizeBytes: 0, blobs: 0, unreadable: 0, outside: 0 };
  for (let after: string | null = ''; after !== null; ) {
    const { next, ...piece } = await inspector.check(object, after);
    for (const [name, value] of Object.entries(piece)) sum[name as keyof typeof sum] += value;
    after = next;
  }
  return sum;
}

test('shards are split when there are too many entries, and hold what they count', async () => {
  const { bench, inspector, send } = await start(10);
  equal((await inspector.stats('bucket'))?.shards.length, 1);
  await bench.clock.advance(20_000);
  const stats = await inspector.stats('bucket');
  ok(stats !== undefined && stats.shards.length >= 4, `${stats?.shards.length} shards`);
  deepEqual([stats.entries, stats.sizeBytes], [40, 20_000 + 39 * 10]);
  deepEqual(
    (await inspector.list('')).map(({ name, shards }) => [name, shards]),
    [['bucket', stats.shards.length]],
  );
  deepEqual(await inspector.list('bucket'), []);
  let blobs = 0;
  for (const { object, entries, sizeBytes, counted, splitsInto, faults } of stats.shards) {
    deepEqual([counted, splitsInto, faults], [true, null, []]);
    ok(entries < 10);
    const found = await checkShard(inspector, object);
    deepEqual(found, { rows: entries, sizeBytes, blobs: found.blobs, unreadable: 0, outside: 0 });
    blobs += found.blobs;
  }
  equal(blobs, 1);
  for (let at = 0; at < 40; at++) await send('DELETE', `/bucket/key-${at}`);
  equal((await inspector.stats('bucket'))?.entries, 0);
  await send('DELETE', '/bucket');
  equal(await inspector.stats('bucket'), undefined);
  deepEqual(bench.failures, []);
});

test('an operator may have smaller shards split, and is told what does not agree', async () => {
  const { bench, inspector } = await start(1000, 300);
  await bench.clock.advance(20_000);
  equal(await inspector.reshard('bucket', 301), 0);
  equal(await inspector.reshard('nothing', 2), undefined);
  equal(await inspector.reshard('bucket', 300), 1);
  await bench.clock.advance(20_000);
  const stats = await inspector.stats('bucket');
  deepEqual(
    stats?.shards.map(({ entries, splitsInto }) => [entries, splitsInto]),
    [
      [150, null],
      [150, null],
    ],
  );
  const object = stats?.shards[0]?.object ?? '';
  const row = bench.cluster.rows(object).find(([key]) => key[0] === countsRow[0]);
  ok(row !== undefined);
  const sizeBytes = stats?.shards[0]?.sizeBytes ?? 0;
  row[1].set(countsFormat.encode({ entries: 149, sizeBytes, after: undefined }));
  const wrong = (await inspector.stats('bucket'))?.shards[0];
  equal(wrong?.entries, 149);
  equal((await checkShard(inspector, object)).rows, 150);
});

test('a shard of a former release is counted, and split', async () => {
  const { bench, inspector } = await start(10);
  const object = (await inspector.stats('bucket'))?.shards[0]?.object ?? '';
  // As it was: no counts, and a state without a range.
  const rows = bench.cluster.rows(object) as [Uint8Array, Uint8Array][];
  rows.splice(
    rows.findIndex(([key]) => key[0] === countsRow[0]),
    1,
  );
  const state = rows.find(([key]) => key[0] === 0x6d);
  ok(state !== undefined);
  state[1] = Buffer.from('4d02d27761f10000', 'hex');
  await bench.clock.advance(30_000);
  const stats = await inspector.stats('bucket');
  ok(stats !== undefined && stats.shards.length >= 4, `${stats?.shards.length} shards`);
  equal(stats.entries, 40);
  deepEqual(bench.failures, []);
});
