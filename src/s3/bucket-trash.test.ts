// A bucket that is removed with everything in it waits in the trash, comes back as it was, and is emptied when its time
// is over: in small steps, whoever dies on the way.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import { BucketInspector } from './bucket-inspector.ts';
import { listTrash, putIntoTrash, takeFromTrash } from './bucket-trash.ts';
import * as messages from './index/messages.ts';
import { advanceSplit, beginSplit, describeShard, type IndexObjects } from './index/shard-split.ts';
import { everyBucket, everyShard } from './index/shard-walk.ts';
import { sign, startTestGateway } from './testing/gateway-suite.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

async function start(options: Parameters<typeof startTestGateway>[0] = {}) {
  const bench = await startTestGateway({
    time: 'manual',
    splitIntervalMs: 1000,
    garbageGraceMs: 1000,
    garbageIntervalMs: 5000,
    garbageBlobsPerSecond: 1000,
    ...options,
  });
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
    const answer = await bench.handle(sign(body === undefined ? unsigned : { ...unsigned, body }));
    return answer.status;
  };
  const inspector = new BucketInspector(index);
  const remove = async (name: string, keepMs: number): Promise<void> => {
    const { bucketId } = (await inspector.stats(name)) ?? { bucketId: '' };
    equal(await putIntoTrash(index, { name, bucketId }, keepMs), 'done');
  };
  const restore = async (name: string, as?: string) => {
    let isDone = false;
    const restored = takeFromTrash({ index, clock: bench.clock }, name, as).finally(() => {
      isDone = true;
    });
    for (let looks = 0; looks < 20 && !isDone; looks++) await bench.clock.advance(200);
    return restored;
  };
  return { bench, index, inspector, send, remove, restore };
}

/** Inline objects, blobs, versions and an upload, in several shards. */
async function fill({ bench, send }: Awaited<ReturnType<typeof start>>): Promise<void> {
  equal(await send('PUT', '/bucket'), 200);
  const versioning = Buffer.from(
    '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>',
  );
  equal(await send('PUT', '/bucket', versioning, { versioning: '' }), 200);
  for (let at = 100; at < 140; at++)
    equal(await send('PUT', `/bucket/key-${at}`, Buffer.alloc(at % 4 === 0 ? 20_000 : 10)), 200);
  equal(await send('PUT', '/bucket/key-100', Buffer.alloc(30_000)), 200);
  equal(await send('DELETE', '/bucket/key-101'), 204);
  equal(await send('POST', '/bucket/upload', Buffer.alloc(0), { uploads: '' }), 200);
  await bench.clock.advance(20_000);
}

test('a removed bucket is gone, its name is free, and it comes back as it was', async () => {
  const all = await start({ shardEntriesMax: 10 });
  const { bench, index, inspector, send, remove, restore } = all;
  await fill(all);
  const before = await inspector.stats('bucket');
  ok(before !== undefined && before.shards.length >= 3);
  await remove('bucket', 24 * hourMs);
  for (const [method, path] of [
    ['GET', '/bucket/key-100'],
    ['PUT', '/bucket/key-100'],
    ['GET', '/bucket'],
    ['GET', `/~${before.bucketId}/key-100`],
    ['DELETE', `/~${before.bucketId}`],
  ] as const)
    ok([400, 404].includes(await send(method, path, Buffer.alloc(3))), `${method} ${path}`);
  deepEqual(await inspector.list(''), []);
  equal(await send('PUT', '/bucket'), 200, 'the name is free');
  equal(await send('PUT', '/bucket/other', Buffer.alloc(7)), 200);
  await bench.clock.advance(60_000);
  deepEqual(
    (await listTrash(index)).map(({ name, bucketId }) => [name, bucketId]),
    [['bucket', before.bucketId]],
  );
  equal((await restore('bucket')).kind, 'name-taken');
  equal((await restore('bucket', '~x')).kind, 'bad-name');
  equal((await restore('nothing')).kind, 'not-in-trash');
  equal((await restore('bucket', 'again')).kind, 'restored');
  const after = await inspector.stats('again');
  deepEqual(after?.shards, before.shards);
  equal(await send('GET', '/again/key-100'), 200);
  equal(await send('GET', '/again/key-101'), 404);
  equal(await send('GET', '/bucket/key-100'), 404, 'that is another bucket');
  equal(await send('PUT', '/again/new', Buffer.alloc(20_000)), 200);
  deepEqual(await listTrash(index), []);
  deepEqual(bench.failures, []);
});

test('when its time is over it is emptied, blobs and all, and nothing of it is left', async () => {
  const all = await start({ shardEntriesMax: 10 });
  const { bench, index, send, remove } = all;
  equal(await send('PUT', '/kept'), 200);
  equal(await send('PUT', '/kept/blob', Buffer.alloc(25_000)), 200);
  await fill(all);
  ok(bench.cluster.blobs.size > 10);
  await remove('bucket', 10 * minuteMs);
  await bench.clock.advance(9 * minuteMs);
  ok(bench.cluster.blobs.size > 10, 'nothing goes before');
  // The gateway loses every third call from here on.
  let calls = 0;
  bench.cluster.fault = (operation) => {
    if (operation !== 'call' || calls++ % 3 !== 2) return;
    throw new ClientError('unavailable', 'the gateway died here');
  };
  await bench.clock.advance(4 * minuteMs);
  bench.cluster.fault = () => {};
  await bench.clock.advance(5 * minuteMs);
  equal(bench.cluster.blobs.size, 1, 'the other bucket has its own');
  deepEqual(await listTrash(index), []);
  const walked = [];
  for await (const { name } of everyBucket(index)) walked.push(name);
  deepEqual(walked, ['kept']);
  deepEqual(
    bench.cluster.objectNames().filter((name) => name.startsWith('.index/index/')).length,
    1,
    'no shard of it has a row',
  );
  equal(await send('GET', '/kept/blob'), 200);
  deepEqual(bench.failures, []);
});

test('an empty period empties at once; what was not yet fenced off is not purged', async () => {
  const all = await start();
  const { bench, index, inspector, send } = all;
  await fill(all);
  const { bucketId = '' } = (await inspector.stats('bucket')) ?? {};
  const call = { name: 'bucket', bucketId, keepMs: 0 };
  // Whoever removes it dies before the shards know.
  await index.callObject('buckets', messages.trashBucket, call);
  await bench.clock.advance(120_000);
  equal(bench.cluster.blobs.size, 0);
  equal(await send('PUT', '/bucket'), 200);
  deepEqual(bench.failures, []);
});

test('no walk over all buckets misses one that goes into the trash and comes back meanwhile', async () => {
  const { index, inspector, send, remove, restore } = await start();
  for (let at = 0; at < 130; at++) equal(await send('PUT', `/bucket-${at + 100}`), 200);
  const { shards = [] } = (await inspector.stats('bucket-100')) ?? {};
  const wanted = shards[0]?.object ?? '';
  await remove('bucket-100', hourMs);
  const seen = new Set<string>();
  let visited = 0;
  for await (const { object } of everyShard(index)) {
    seen.add(object);
    // Names are walked a hundred at a time: behind the first page its name is past.
    if (++visited === 120) equal((await restore('bucket-100')).kind, 'restored');
  }
  ok(seen.has(wanted), 'a restored one');
  seen.clear();
  visited = 0;
  for await (const { object } of everyShard(index)) {
    if (++visited === 1) await remove('bucket-100', hourMs);
    if (visited > 1) seen.add(object);
  }
  ok(seen.has(wanted), 'a removed one');
  equal((await restore('bucket-100')).kind, 'restored');
  equal(await send('GET', '/bucket-100'), 200);
});

test('a bucket that comes back under another name is not found under the one it had', async () => {
  const { send, remove, restore } = await start();
  equal(await send('PUT', '/bucket'), 200);
  equal(await send('PUT', '/bucket/key', Buffer.alloc(3)), 200);
  await remove('bucket', hourMs);
  // The gateway remembers it, and its shards serve again.
  equal((await restore('bucket', 'again')).kind, 'restored');
  equal(await send('PUT', '/bucket/key', Buffer.alloc(4)), 404);
  equal(await send('GET', '/again/key'), 200);
});

test('a client that was removing a bucket opens, and closes, none that went into the trash meanwhile', async () => {
  const all = await start({ shardEntriesMax: 10 });
  const { bench, index, inspector, send, remove, restore } = all;
  await fill(all);
  equal(await send('PUT', '/empty'), 200);
  const whole = (await inspector.stats('empty'))?.shards[0]?.object ?? '';
  const { bucketId = '', shards = [] } = (await inspector.stats('bucket')) ?? {};
  const call = { name: 'bucket', bucketId };
  const { removal } = await index.callObject('buckets', messages.markRemoving, call);
  if (removal === undefined) throw new Error('it is there');
  await remove('bucket', hourMs);
  await remove('empty', hourMs);
  const stateOf = async (object: string) => (await describeShard(index, object))?.state.state;
  equal((await index.callObject(whole, messages.closeShard, { removal })).outcome, 'no-shard');
  equal((await index.callObject(whole, messages.sealShard, {})).outcome, 'no-shard');
  for (const { object } of shards) {
    await index.callObject(object, messages.closeShard, { removal });
    await index.callObject(object, messages.reopenShard, { removal });
    equal(await stateOf(object), 'trashed');
  }
  equal(await stateOf(whole), 'trashed');
  const gone = await index.callObject('buckets', messages.removeMarked, { ...call, removal });
  equal(gone.outcome, 'changed');
  equal((await restore('empty')).kind, 'restored');
  equal((await restore('bucket')).kind, 'restored');
  equal(await send('GET', '/empty'), 200);
  equal(await send('PUT', '/empty/key', Buffer.alloc(3)), 200);
  equal(await send('GET', '/bucket/key-100'), 200);
  deepEqual(bench.failures, []);
});

test('a bucket that came back without its shards knowing is not empty, and not removed by a client', async () => {
  for (const shardEntriesMax of [10, 1000]) {
    const all = await start({ shardEntriesMax });
    const { bench, index, inspector, send, remove, restore } = all;
    await fill(all);
    const { bucketId = '', shards = [] } = (await inspector.stats('bucket')) ?? {};
    equal(shards.length > 1, shardEntriesMax === 10);
    await remove('bucket', hourMs);
    // Whoever brings it back dies before its shards know.
    const call = { bucketId, name: 'bucket' };
    const { outcome } = await index.callObject('buckets', messages.restoreBucket, call);
    equal(outcome, 'restored');
    equal(await send('DELETE', '/bucket'), 409);
    await bench.clock.advance(60_000);
    equal((await inspector.stats('bucket'))?.bucketId, bucketId);
    for (let at = 102; at < 140; at++) equal(await send('GET', `/bucket/key-${at}`), 200);
    // An empty one goes all the same.
    equal(await send('PUT', '/empty'), 200);
    const { bucketId: emptyId = '' } = (await inspector.stats('empty')) ?? {};
    await remove('empty', hourMs);
    await index.callObject('buckets', messages.restoreBucket, { bucketId: emptyId, name: 'empty' });
    equal(await send('DELETE', '/empty'), 204);
    equal((await restore('empty')).kind, 'not-in-trash');
    deepEqual(bench.failures, []);
  }
});

test('a bucket that came back in the middle of a split is opened to its last shard', async () => {
  const all = await start({ shardEntriesMax: 1000 });
  const { bench, index, inspector, send, remove } = all;
  await fill(all);
  const { bucketId = '', shards = [] } = (await inspector.stats('bucket')) ?? {};
  const source = shards[0]?.object ?? '';
  const bucket = { name: 'bucket', bucketId };
  equal(await beginSplit(index, bucket, source), 'begun');
  const isOneChunkThere = async (): Promise<boolean> => {
    const state = (await describeShard(index, source))?.state;
    return state?.split?.phase === 'steady' && state.range?.end !== undefined;
  };
  while (!(await isOneChunkThere()))
    equal(await advanceSplit(index, bucket, source, 'split-end'), 'again');
  await remove('bucket', hourMs);
  // Whoever brings it back dies when one of two knows.
  const call = { bucketId, name: 'bucket' };
  const { removal } = await index.callObject('buckets', messages.restoreBucket, call);
  if (removal === undefined) throw new Error('it is in the trash');
  await index.callObject(source, messages.untrashShard, { removal });
  for (let at = 102; at < 140; at++) equal(await send('GET', `/bucket/key-${at}`), 200);
  await bench.clock.advance(60_000);
  equal((await inspector.stats('bucket'))?.shards.length, 2);
  deepEqual(bench.failures, []);
});

/** A bucket with a key that is registered again, and whose only shard has not heard of it. */
async function halfRestored({ index, inspector, send, remove }: Awaited<ReturnType<typeof start>>) {
  equal(await send('PUT', '/bucket'), 200);
  equal(await send('PUT', '/bucket/key', Buffer.alloc(3)), 200);
  const { bucketId = '', shards = [] } = (await inspector.stats('bucket')) ?? {};
  const object = shards[0]?.object ?? '';
  await remove('bucket', hourMs);
  const call = { bucketId, name: 'bucket' };
  const { removal } = await index.callObject('buckets', messages.restoreBucket, call);
  if (removal === undefined) throw new Error('it is in the trash');
  return { object, removal };
}

test('what still ends a removal that was taken back opens no shard of the next one', async () => {
  const started = await start();
  const { index, send, remove, restore } = started;
  const { object, removal } = await halfRestored(started);
  await remove('bucket', hourMs);
  await index.callObject(object, messages.untrashShard, { removal });
  equal((await describeShard(index, object))?.state.state, 'trashed');
  equal((await restore('bucket')).kind, 'restored');
  equal((await describeShard(index, object))?.state.state, 'open');
  equal(await send('GET', '/bucket/key'), 200);
});

test('a shard that somebody else takes out of the trash meanwhile does not make the bucket gone', async () => {
  const started = await start();
  const { bench, index, send } = started;
  const { object, removal } = await halfRestored(started);
  const { cluster } = bench;
  const ask = cluster.call.bind(cluster);
  let described = 0;
  cluster.call = async (pool, name, method, argument) => {
    if (method === messages.describeShard.name && described++ === 0)
      await index.callObject(object, messages.untrashShard, { removal });
    return ask(pool, name, method, argument);
  };
  equal(await send('GET', '/bucket/key'), 200);
  equal(described, 1);
  deepEqual(bench.failures, []);
});

test('who makes a name anew before a removal is told everywhere finds there what is put by that name', async () => {
  const { bench, index, inspector, send, restore } = await start();
  const other = await startTestGateway({ time: 'manual', sharing: bench });
  const sendToOther = async (method: string, path: string, body?: Buffer) => {
    const unsigned = { method, path, wallMs: bench.wallMs };
    return (await other.handle(sign(body === undefined ? unsigned : { ...unsigned, body }))).status;
  };
  // Its operator dies before the shards know, and the other gateway remembers it.
  const removeHalf = async () => {
    equal(await sendToOther('GET', '/bucket'), 200);
    const { bucketId = '' } = (await inspector.stats('bucket')) ?? {};
    const call = { name: 'bucket', bucketId, keepMs: hourMs };
    await index.callObject('buckets', messages.trashBucket, call);
    return bucketId;
  };
  equal(await send('PUT', '/bucket'), 200);
  const first = await removeHalf();
  equal(await send('PUT', '/bucket'), 200);
  equal(await sendToOther('PUT', '/bucket/key', Buffer.alloc(3)), 200);
  equal(await send('GET', '/bucket/key'), 200, 'it is in the new one');
  await removeHalf();
  equal((await restore(`~${first}`)).kind, 'restored');
  equal(await sendToOther('GET', '/bucket/key'), 404, 'that is in the other one');
  deepEqual(bench.failures, []);
});
