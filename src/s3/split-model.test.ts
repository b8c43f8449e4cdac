// Shards that are split while requests go on, by gateways that die at any call: whatever was answered stays true,
// listings are whole and in order, and what is counted is what is there.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import type { HttpResponse } from '../env/http.ts';
import { bucketFormat, type Part, partFormat, shardsOf } from './index/format.ts';
import * as messages from './index/messages.ts';
import { rowsOf } from './index/rows.ts';
import {
  advanceSplit,
  beginSplit,
  bucketsObject,
  describeShard,
  type IndexObjects,
} from './index/shard-split.ts';
import {
  bodyBytes,
  bodyText,
  sign,
  startTestGateway,
  type TestGateway,
} from './testing/gateway-suite.ts';

const keys = ['a', 'a\u0001', 'b', 'b/1', 'b/2', 'b/3/x', 'c', 'd', 'ä', 'zz'];

function randomOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

interface Bench {
  readonly gateway: TestGateway;
  readonly index: IndexObjects;
  /** What was called for splits, to be called again. */
  readonly calls: (() => Promise<unknown>)[];
  send(
    method: string,
    key: string,
    options?: {
      readonly body?: Buffer | string;
      readonly query?: Readonly<Record<string, string>>;
    },
  ): Promise<HttpResponse>;
}

/** Time goes on while something waits for it. */
async function settled<T>(gateway: TestGateway, work: Promise<T>): Promise<T> {
  let ended = false;
  const mark = (): void => {
    ended = true;
  };
  work.then(mark, mark);
  for (let turn = 0; !ended && turn < 2000; turn++) await gateway.clock.advance(10);
  ok(ended, 'it ends');
  return work;
}

async function start(versioned: boolean): Promise<Bench> {
  const gateway = await startTestGateway({
    time: 'manual',
    garbageGraceMs: 1000,
    garbageIntervalMs: 1000,
    garbageBlobsPerSecond: 1_000_000,
  });
  // Shards made later lie in placement groups that are younger.
  gateway.cluster.tenureOf = (object) => (object.endsWith('/0') ? 50 : 1);
  const calls: Bench['calls'] = [];
  const index: IndexObjects = {
    callObject: async (object, call, argument) => {
      const encoded = encode(call.argument, argument);
      calls.push(() => gateway.cluster.call('.index', object, call.name, encoded));
      return decode(call.result, await gateway.cluster.call('.index', object, call.name, encoded));
    },
  };
  const bench: Bench = {
    gateway,
    index,
    calls,
    send: (method, key, options = {}) =>
      settled(
        gateway,
        gateway.handle(sign({ method, path: `/bucket${key}`, wallMs: gateway.wallMs, ...options })),
      ),
  };
  equal((await bench.send('PUT', '')).status, 200);
  if (versioned) {
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    equal((await bench.send('PUT', '', { body, query: { versioning: '' } })).status, 200);
  }
  return bench;
}

async function recordOf({ index }: Bench) {
  const { record } = await index.callObject(bucketsObject, messages.getBucket, { name: 'bucket' });
  ok(record !== undefined);
  return bucketFormat.decode(record);
}

/** A gateway that was slow: what it decided on long ago, or just now, comes once more. */
async function repeatOne({ calls }: Bench, random: (bound: number) => number): Promise<void> {
  const recent = Math.min(calls.length, random(2) === 0 ? 12 : 400);
  await calls[calls.length - 1 - random(Math.max(1, recent))]?.();
}

/** One step of a split by a gateway that may die at any of its calls. */
async function step(bench: Bench, random: (bound: number) => number): Promise<void> {
  const { cluster } = bench.gateway;
  const record = await recordOf(bench);
  const { bucketId } = record;
  const sources = record.ranges.map(({ object }) => object);
  const source = sources[random(sources.length)] ?? '';
  let callsLeft = random(3) === 0 ? random(6) : 1000;
  const dies = (): void => {
    if (callsLeft-- <= 0) throw new ClientError('unavailable', 'the gateway died');
  };
  const isBefore = random(2) === 0;
  if (isBefore) cluster.fault = dies;
  else cluster.lostAnswer = dies;
  try {
    const bucket = { name: 'bucket', bucketId };
    const facts = await describeShard(bench.index, source);
    if (facts?.state.split !== undefined || random(4) > 0)
      await advanceSplit(bench.index, bucket, source, 'split-end');
    else await beginSplit(bench.index, bucket, source);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
  } finally {
    cluster.fault = () => {};
    cluster.lostAnswer = () => {};
  }
}

async function finishSplits(bench: Bench): Promise<void> {
  const { bucketId, ranges } = await recordOf(bench);
  const bucket = { name: 'bucket', bucketId };
  for (const { object } of ranges)
    for (let count = 0; count < 500; count++)
      if ((await advanceSplit(bench.index, bucket, object, 'split-end')) !== 'again') break;
}

/** Pages of three, by marker; each item on its way out. */
async function listAll(bench: Bench, query: Record<string, string>): Promise<string[]> {
  const found: string[] = [];
  let after: Record<string, string> = {};
  for (let page = 0; page < 200; page++) {
    const text = await bodyText(
      await bench.send('GET', '', {
        query: { 'max-keys': '3', 'encoding-type': 'url', ...query, ...after },
      }),
    );
    const unquote = (part: string | undefined): string => decodeURIComponent(part ?? '');
    for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) found.push(unquote(key));
    if (query.delimiter !== undefined)
      for (const [, prefix] of text.matchAll(/<Prefix>([^<]+)<\/Prefix><\/CommonPrefixes>/g))
        found.push(unquote(prefix));
    if (!text.includes('<IsTruncated>true')) return found;
    if (query.versions === undefined) {
      const token = /<NextContinuationToken>([^<]+)</.exec(text)?.[1] ?? '';
      after = { 'continuation-token': token };
    } else {
      after = {
        'key-marker': unquote(/<NextKeyMarker>([^<]+)</.exec(text)?.[1]),
        'version-id-marker': /<NextVersionIdMarker>([^<]+)</.exec(text)?.[1] ?? '',
      };
    }
  }
  throw new Error('the listing does not end');
}

function sorted(found: Iterable<string>): string[] {
  return [...found].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function checkCounts(bench: Bench): Promise<void> {
  for (const object of shardsOf(await recordOf(bench))) {
    const rows = bench.gateway.cluster.rows(object);
    const tags = [rowsOf('key').begin[0], rowsOf('older').begin[0]];
    const entries = rows.filter(([row]) => tags.includes(row[0])).length;
    equal((await describeShard(bench.index, object))?.counts.entries, entries, object);
  }
}

for (const versioned of [false, true])
  for (let seed = 1; seed <= 5; seed++)
    test(`splits under requests, ${versioned ? 'with' : 'without'} versions, seed ${seed}`, async () => {
      const random = randomOf(seed + (versioned ? 100 : 0));
      const bench = await start(versioned);
      const { gateway } = bench;
      const model = new Map<string, Buffer>();
      let versions = 0;
      const uploads = new Map<string, { readonly key: string; readonly etag: string }>();
      const pick = (): string => `${keys[random(keys.length)]}${random(4)}`;
      for (let i = 0; i < 400; i++) {
        await step(bench, random);
        await repeatOne(bench, random);
        const key = pick();
        switch (random(9)) {
          case 0:
          case 1:
          case 2: {
            const body = Buffer.alloc([0, 10, 20_000][random(3)] ?? 0, random(256));
            const answer = await bench.send('PUT', `/${key}`, { body });
            equal(answer.status, 200);
            model.set(key, body);
            versions++;
            break;
          }
          case 3: {
            equal((await bench.send('DELETE', `/${key}`)).status, 204);
            model.delete(key);
            versions++;
            break;
          }
          case 4: {
            const named = new Set([key, pick(), pick(), pick()]);
            const items = [...named].map((each) => `<Object><Key>${each}</Key></Object>`);
            // A control character stands as a reference in XML 1.1 only: such keys are deleted alone.
            if ([...named].some((each) => each.includes('\u0001'))) break;
            const answer = await bench.send('POST', '', {
              body: `<Delete>${items.join('')}</Delete>`,
              query: { delete: '' },
            });
            equal((await bodyText(answer)).match(/<Deleted>/g)?.length, named.size);
            for (const each of named) model.delete(each);
            versions += named.size;
            break;
          }
          case 5: {
            const answer = await bench.send('GET', `/${key}`);
            const body = model.get(key);
            equal(answer.status, body === undefined ? 404 : 200, key);
            if (body !== undefined) ok((await bodyBytes(answer)).equals(body));
            break;
          }
          case 6: {
            deepEqual(await listAll(bench, { 'list-type': '2' }), sorted(model.keys()));
            const delimiter = '/';
            const items = [...model.keys()].map((each) =>
              each.includes('/') ? each.slice(0, each.indexOf('/') + 1) : each,
            );
            const listed = await listAll(bench, { 'list-type': '2', delimiter });
            deepEqual(sorted(listed), sorted(new Set(items)));
            const inB = [...model.keys()].filter((each) => each.startsWith('b'));
            deepEqual(await listAll(bench, { 'list-type': '2', prefix: 'b' }), sorted(inB));
            break;
          }
          case 7: {
            const created = await bodyText(
              await bench.send('POST', `/${key}`, { query: { uploads: '' }, body: '' }),
            );
            const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
            const body = Buffer.alloc(20_000, random(256));
            const part = await bench.send('PUT', `/${key}`, {
              query: { uploadId, partNumber: '1' },
              body,
            });
            const etag = part.headers.find(([name]) => name === 'etag')?.[1] ?? '';
            uploads.set(uploadId, { key, etag });
            break;
          }
          default: {
            const [first] = uploads;
            if (first === undefined) break;
            const [uploadId, upload] = first;
            uploads.delete(uploadId);
            if (random(3) === 0) {
              const answer = await bench.send('DELETE', `/${upload.key}`, { query: { uploadId } });
              equal(answer.status, 204);
              break;
            }
            const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${upload.etag}</ETag></Part></CompleteMultipartUpload>`;
            const path = `/${upload.key}`;
            const answer = await bench.send('POST', path, { query: { uploadId }, body });
            equal(answer.status, 200);
            const read = await bodyBytes(await bench.send('GET', path));
            equal(read.length, 20_000);
            model.set(upload.key, read);
            versions++;
          }
        }
        await checkCounts(bench);
      }
      const listed = await bodyText(await bench.send('GET', '', { query: { uploads: '' } }));
      equal(listed.match(/<UploadId>/g)?.length ?? 0, uploads.size);
      await finishSplits(bench);
      const record = await recordOf(bench);
      ok(record.ranges.length > 1, 'a shard was split');
      // What is left waits for more keys, and was handed none.
      for (const { object } of record.splits)
        equal((await describeShard(bench.index, object))?.state.range, undefined);
      deepEqual(await listAll(bench, { 'list-type': '2' }), sorted(model.keys()));
      for (const [key, body] of model)
        ok((await bodyBytes(await bench.send('GET', `/${key}`))).equals(body), key);
      if (versioned) {
        equal((await listAll(bench, { versions: '' })).length, versions);
        return;
      }
      equal((await bench.send('DELETE', '')).status, model.size === 0 ? 204 : 409);
      for (const key of model.keys()) equal((await bench.send('DELETE', `/${key}`)).status, 204);
      equal((await bench.send('DELETE', '')).status, 204);
      equal((await bench.send('GET', '')).status, 404);
      await gateway.clock.advance(10_000);
      deepEqual([...gateway.cluster.blobs.keys()], []);
      deepEqual(gateway.cluster.objectNames(), []);
      deepEqual(gateway.failures, []);
    });

test('rows that a dead gateway left behind in the source are neither read nor listed', async () => {
  const bench = await start(false);
  const { cluster } = bench.gateway;
  for (const key of ['a', 'b', 'c', 'd']) await bench.send('PUT', `/${key}`, { body: key });
  const { bucketId, ranges } = await recordOf(bench);
  const bucket = { name: 'bucket', bucketId };
  const source = ranges[0]?.object ?? '';
  equal(await beginSplit(bench.index, bucket, source), 'begun');
  cluster.fault = (_operation, name) => {
    if (name === 's3.trim-keys') throw new ClientError('unavailable', 'the gateway died');
  };
  for (let left = 20, died = false; left > 0 && !died; left--)
    await advanceSplit(bench.index, bucket, source, 'split-end').catch(() => {
      died = true;
    });
  const state = (await describeShard(bench.index, source))?.state;
  equal(state?.split?.phase, 'released');
  equal(Buffer.from(state.range?.end ?? []).toString(), 'c');
  // In the target, where the keys are now; the source still has their rows.
  equal((await bench.send('DELETE', '/c')).status, 204);
  equal((await bench.send('PUT', '/d', { body: 'changed' })).status, 200);
  equal((await bench.send('GET', '/c')).status, 404);
  equal(await bodyText(await bench.send('GET', '/d')), 'changed');
  deepEqual(await listAll(bench, { 'list-type': '2' }), ['a', 'b', 'd']);
  deepEqual(await listAll(bench, { versions: '' }), ['a', 'b', 'd']);
  cluster.fault = () => {};
  await finishSplits(bench);
  deepEqual(await listAll(bench, { 'list-type': '2' }), ['a', 'b', 'd']);
  await checkCounts(bench);
});

/** An upload with one part of 20,000 bytes; answers how it is completed. */
async function beginUpload(bench: Bench, key: string): Promise<() => Promise<HttpResponse>> {
  const path = `/${key}`;
  const created = await bodyText(
    await bench.send('POST', path, { query: { uploads: '' }, body: '' }),
  );
  const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
  const query = { uploadId, partNumber: '1' };
  const put = await bench.send('PUT', path, { query, body: Buffer.alloc(20_000, key) });
  const etag = put.headers.find(([name]) => name === 'etag')?.[1] ?? '';
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
  return () => bench.send('POST', path, { query: { uploadId }, body });
}

interface FoundPart {
  readonly row: Uint8Array;
  readonly part: Part;
}

/** The only part in a shard. */
async function partIn({ gateway, index }: Bench, object: string): Promise<FoundPart> {
  const { rows } = await index.callObject(object, messages.listLocated, {
    section: 'parts',
    layouts: [gateway.cluster.layout],
    after: new Uint8Array(0),
  });
  const [found] = rows;
  ok(found !== undefined && rows.length === 1);
  return { row: found.row, part: partFormat.decode(found.value) };
}

/** As the migrator does it: its bytes are written anew, and the row refers to them. */
async function movePart({ gateway, index }: Bench, object: string, { row, part }: FoundPart) {
  const { cluster } = gateway;
  const [run] = part.runs;
  ok(run !== undefined && part.runs.length === 1);
  const range = { offsetBytes: 0, lengthBytes: run.blobBytes };
  const first = await cluster.allocateBlobs(1);
  await cluster.putBlob(run.layout, first, [await cluster.readBlob(run.layout, run.first, range)]);
  const runs = [{ ...run, first }];
  const { version } = part;
  const call = { row, version, runs, placed: runs, dropped: [run] };
  return index.callObject(object, messages.relocatePart, call);
}

test('parts are moved to another layout while a split waits for keys to hand on, and not while some are on their way', async () => {
  const bench = await start(false);
  await bench.send('PUT', '/a', { body: 'a' });
  const complete = await beginUpload(bench, 'b');
  const { bucketId, ranges } = await recordOf(bench);
  const bucket = { name: 'bucket', bucketId };
  const source = ranges[0]?.object ?? '';
  equal(await beginSplit(bench.index, bucket, source), 'begun');
  equal(await advanceSplit(bench.index, bucket, source, 'split-end'), 'idle');
  equal((await movePart(bench, source, await partIn(bench, source))).kind, 'done');
  for (const key of ['a1', 'a2', 'a3']) await bench.send('PUT', `/${key}`, { body: key });
  equal(await advanceSplit(bench.index, bucket, source, 'split-end'), 'again');
  equal((await describeShard(bench.index, source))?.state.split?.phase, 'frozen');
  const refused = await movePart(bench, source, await partIn(bench, source));
  deepEqual(refused, { kind: 'refused', reason: 'moving', writer: undefined });
  await finishSplits(bench);
  await bench.gateway.clock.advance(10_000);
  equal((await complete()).status, 200);
  deepEqual(await bodyBytes(await bench.send('GET', '/b')), Buffer.alloc(20_000, 'b'));
});

test('a part that was moved in the target is not what it was when its rows are installed once more', async () => {
  const bench = await start(false);
  for (const key of ['a', 'b', 'c', 'd']) await bench.send('PUT', `/${key}`, { body: key });
  const { bucketId, ranges } = await recordOf(bench);
  const bucket = { name: 'bucket', bucketId };
  const source = ranges[0]?.object ?? '';
  equal(await beginSplit(bench.index, bucket, source), 'begun');
  const phase = async () => (await describeShard(bench.index, source))?.state.split?.phase;
  const advanceTo = async (wanted: string) => {
    for (let left = 10; left > 0; left--) {
      await advanceSplit(bench.index, bucket, source, 'split-end');
      if ((await phase()) === wanted) return;
    }
    throw new Error(`the split is never ${wanted}`);
  };
  await advanceTo('frozen');
  await advanceTo('steady');
  // A second chunk, with an upload, for a target that answers for keys already.
  const complete = await beginUpload(bench, 'b9');
  for (const key of ['b1', 'b2', 'b3', 'b4', 'b5'])
    await bench.send('PUT', `/${key}`, { body: key });
  await advanceTo('frozen');
  const from = await describeShard(bench.index, source);
  const target = from?.state.split?.object ?? '';
  const into = await describeShard(bench.index, target);
  ok(from !== undefined && into?.state.range !== undefined);
  const { generation } = from.state;
  const list = { generation, cursor: undefined };
  const page = await bench.index.callObject(source, messages.listFrozen, list);
  ok(page.kind === 'page' && page.next === undefined);
  const install = { generation: into.state.generation, rows: page.rows };
  await bench.index.callObject(target, messages.installRows, install);
  equal((await movePart(bench, target, await partIn(bench, target))).kind, 'done');
  const moved = (await partIn(bench, target)).part.runs;
  // By a gateway that takes the same step.
  await bench.index.callObject(target, messages.installRows, install);
  deepEqual((await partIn(bench, target)).part.runs, moved);
  await finishSplits(bench);
  // What the part was moved from is collected.
  await bench.gateway.clock.advance(10_000);
  equal((await complete()).status, 200);
  deepEqual(await bodyBytes(await bench.send('GET', '/b9')), Buffer.alloc(20_000, 'b9'));
  await checkCounts(bench);
});
