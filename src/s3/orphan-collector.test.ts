// What a dead gateway stored and nobody refers to is deleted; whatever somebody refers to, and whatever a live
// writer may still commit, stays.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decode, encode } from '../base/codec.ts';
import { type BlobId, formatBlobId } from '../base/ids.ts';
import type { MethodRow } from '../base/method.ts';
import { ClientError } from '../client/errors.ts';
import type { BodySource, HttpResponse } from '../env/http.ts';
import { AccessLog } from './access-log.ts';
import { ByteBudget } from './byte-budget.ts';
import { ActiveReads } from './context.ts';
import { Identities } from './iam/identities.ts';
import {
  type Content,
  encodeEntryDraft,
  encodeManifest,
  plainAttributes,
  plainSummary,
} from './index/format.ts';
import { IndexClient } from './index/index-client.ts';
import type { Call } from './index/messages.ts';
import * as messages from './index/messages.ts';
import { MasterKeys } from './master-keys.ts';
import { OrphanCollector } from './orphan-collector.ts';
import { Quotas } from './quotas.ts';
import { noSiblings } from './siblings.ts';
import {
  bodyBytes,
  bodyText,
  errorCode,
  headerOf,
  settle,
  sign,
  startTestGateway,
  type TestGateway,
  type TestOptions,
  type Unsigned,
} from './testing/gateway-suite.ts';

const mebibyte = 1024 * 1024;
const hourMs = 60 * 60_000;
const layout = { pool: 2, layout: 1 };

interface Bench extends TestGateway {
  send(unsigned: Unsigned): Promise<HttpResponse>;
  put(path: string, body: Uint8Array | string): Promise<HttpResponse>;
  get(path: string): Promise<HttpResponse>;
  /** Stores an object and dies before its entry is committed. */
  putAndDie(path: string, body: Uint8Array): Promise<void>;
  call<A, R>(object: string, call: Call<A, R>, argument: A): Promise<R>;
  shard(): string;
  /** Lets the next look for orphans pass. */
  sweep(): Promise<void>;
  blobNames(incarnation: number): readonly string[];
}

async function start(options: TestOptions = {}): Promise<Bench> {
  const gateway = await startTestGateway({ time: 'manual', ...options });
  const { cluster } = gateway;
  const send = (unsigned: Unsigned): Promise<HttpResponse> =>
    gateway.handle(sign({ wallMs: gateway.wallMs, ...unsigned }));
  const put = (path: string, body: Uint8Array | string): Promise<HttpResponse> =>
    send({ method: 'PUT', path, body });
  const bench: Bench = Object.assign(gateway, {
    send,
    put,
    get: (path: string) => send({ method: 'GET', path }),
    putAndDie: async (path: string, body: Uint8Array) => {
      cluster.fault = (_operation, name) => {
        if (name === 's3.put-version') throw new ClientError('unavailable', 'the gateway is gone');
      };
      equal((await put(path, body)).status, 503);
      cluster.fault = () => {};
    },
    call: async <A, R>(object: string, call: Call<A, R>, argument: A): Promise<R> =>
      decode(
        call.result,
        await cluster.call('.index', object, call.name, encode(call.argument, argument)),
      ),
    shard: () =>
      cluster
        .objectNames()
        .find((name) => name.startsWith('.index/index/'))
        ?.slice('.index/'.length) ?? '',
    sweep: () => gateway.clock.advance(hourMs + 60_000),
    blobNames: (incarnation: number) =>
      [...cluster.blobs.keys()].filter((name) =>
        name.startsWith(`2.1/${incarnation.toString(16)}.`),
      ),
  });
  equal((await send({ method: 'PUT', path: '/bucket' })).status, 200);
  return bench;
}

/** The gateway comes back as another writer, and the monitor calls the one before dead. */
function restart(bench: Bench): void {
  const { incarnation } = bench.cluster;
  bench.cluster.incarnation = incarnation + 1;
  bench.cluster.dead = [{ first: 1, count: incarnation }];
}

async function beginUpload(bench: Bench, path: string): Promise<string> {
  const created = await bench.send({ method: 'POST', path, query: { uploads: '' }, body: '' });
  return /<UploadId>([0-9a-f]+)</.exec(await bodyText(created))?.[1] ?? '';
}

async function putPart(
  bench: Bench,
  path: string,
  uploadId: string,
  body: Uint8Array,
): Promise<string> {
  const query = { uploadId, partNumber: '1' };
  const response = await bench.send({ method: 'PUT', path, query, body });
  return headerOf(response, 'etag') ?? '';
}

function complete(
  bench: Bench,
  path: string,
  uploadId: string,
  etag: string,
): Promise<HttpResponse> {
  return bench.send({
    method: 'POST',
    path,
    query: { uploadId },
    body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`,
  });
}

test('the blobs of a killed gateway go, its objects and parts and all of a live one stay', async () => {
  const bench = await start();
  const [object, part] = [randomBytes(9 * mebibyte), randomBytes(mebibyte)];
  await bench.put('/bucket/object', object);
  const uploadId = await beginUpload(bench, '/bucket/parts');
  const etag = await putPart(bench, '/bucket/parts', uploadId, part);
  const referred = bench.blobNames(7);
  equal(referred.length, 4);
  await bench.putAndDie('/bucket/lost', randomBytes(6 * mebibyte));
  equal(bench.blobNames(7).length, 6);
  restart(bench);
  await bench.putAndDie('/bucket/under-way', randomBytes(mebibyte));
  await bench.sweep();
  deepEqual(bench.blobNames(7), referred);
  equal(bench.blobNames(8).length, 1, 'its writer lives');
  equal((await complete(bench, '/bucket/parts', uploadId, etag)).status, 200);
  ok((await bodyBytes(await bench.get('/bucket/object'))).equals(object));
  ok((await bodyBytes(await bench.get('/bucket/parts'))).equals(part));
  equal((await bench.get('/bucket/lost')).status, 404);
  ok(bench.logged.some((line) => line.includes('"orphanCount":2')));

  let listings = 0;
  bench.cluster.fault = (operation) => {
    if (operation === 'list-blobs') listings++;
  };
  await bench.sweep();
  equal(listings, 0, 'who was swept is not looked at again');
  restart(bench);
  await bench.sweep();
  ok(listings > 0);
  deepEqual(bench.blobNames(8), []);
  deepEqual(bench.failures, []);
});

test('while its writer is not called dead nothing is collected, however long it takes', async () => {
  const bench = await start();
  await bench.putAndDie('/bucket/lost', randomBytes(6 * mebibyte));
  for (let hour = 0; hour < 5; hour++) await bench.sweep();
  equal(bench.blobNames(7).length, 2);
  restart(bench);
  bench.cluster.holdsJobs = false;
  await bench.sweep();
  equal(bench.blobNames(7).length, 2, 'another gateway holds the job');
  bench.cluster.holdsJobs = true;
  await bench.sweep();
  equal(bench.blobNames(7).length, 0);
});

test('a writer that was called dead and lives is refused once, and goes on as another', async () => {
  const bench = await start();
  const body = randomBytes(6 * mebibyte);
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const chunks = [body.subarray(0, 5 * mebibyte), body.subarray(5 * mebibyte)];
  let pulls = 0;
  const source: BodySource = {
    next: async () => {
      if (pulls++ === 1) await held;
      return chunks.shift();
    },
  };
  // A blob takes no longer than a minute to fill, so the sweep comes meanwhile.
  await bench.clock.advance(hourMs - 10_000);
  const slow = bench.send({ method: 'PUT', path: '/bucket/slow', body, source });
  await settle();
  equal(bench.blobNames(7).length, 1);
  bench.cluster.dead = [{ first: 7, count: 1 }];
  await bench.clock.advance(12_000);
  equal(bench.blobNames(7).length, 0, 'the blob was taken for an orphan');
  release();
  const answer = await slow;
  equal(answer.status, 503);
  equal(await errorCode(answer), 'ServiceUnavailable');
  equal((await bench.get('/bucket/slow')).status, 404);
  equal(bench.cluster.incarnation, 8);
  equal((await bench.put('/bucket/slow', body)).status, 200);
  ok((await bodyBytes(await bench.get('/bucket/slow'))).equals(body));
  await bench.clock.advance(3 * hourMs);
  deepEqual(bench.blobNames(7), [], 'what was stored too late is garbage since the refusal');
  deepEqual(bench.failures, []);
});

test('a bucket made after the sweep refuses the writer too', async () => {
  const bench = await start();
  bench.cluster.dead = [{ first: 1, count: 7 }];
  await bench.sweep();
  equal((await bench.send({ method: 'PUT', path: '/later' })).status, 200);
  bench.cluster.renewWriter = () => {};
  equal((await bench.put('/later/key', randomBytes(mebibyte))).status, 503);
  equal((await bench.put('/later/key', 'inline')).status, 200);
  // The bucket of a gateway that opened its shard before the sweep and registers it now.
  await bench.call('index/late/0', messages.openShard, {});
  const { record } = await bench.call('buckets', messages.getBucket, { name: 'later' });
  ok(record !== undefined);
  const name = 'opened-before';
  const registration = { name, record, cancelled: [{ first: 1, count: 6 }], documents: [] };
  deepEqual(await bench.call('buckets', messages.createBucket, registration), {
    kind: 'behind',
    cancelled: [{ first: 1, count: 7 }],
  });
  equal((await bench.call('buckets', messages.getBucket, { name })).record, undefined);
});

test('a reference that moves while the index is read is seen where it was or where it is', async () => {
  // After each of the three sections of the one shard.
  for (let moment = 0; moment < 3; moment++) {
    const bench = await start({ garbageGraceMs: 10 * hourMs });
    const part = randomBytes(mebibyte);
    const uploadId = await beginUpload(bench, '/bucket/moving');
    const etag = await putPart(bench, '/bucket/moving', uploadId, part);
    await bench.put('/bucket/deleted', randomBytes(mebibyte));
    restart(bench);
    let pages = 0;
    let moved: Promise<HttpResponse[]> | undefined;
    bench.cluster.lostAnswer = (_operation, name) => {
      if (name !== 's3.list-references' || pages++ !== moment) return;
      moved = Promise.all([
        complete(bench, '/bucket/moving', uploadId, etag),
        bench.send({ method: 'DELETE', path: '/bucket/deleted' }),
      ]);
    };
    await bench.sweep();
    deepEqual(
      (await moved)?.map((response) => response.status),
      [200, 204],
    );
    equal(pages, 3);
    ok((await bodyBytes(await bench.get('/bucket/moving'))).equals(part));
    equal(bench.cluster.blobs.size, 2, 'what was deleted just now waits for slow readers');
  }
});

test('a bucket that is removed while buckets are listed comes up once more', async () => {
  const bench = await start();
  await bench.send({ method: 'PUT', path: '/second' });
  const namesAfter = async (after: Uint8Array) => {
    const page = await bench.call('buckets', messages.listShards, { after, limit: 1 });
    return page.buckets.map(({ row, removed }) => ({ row, removed }));
  };
  const [first] = await namesAfter(new Uint8Array(0));
  deepEqual(Buffer.from(first?.row ?? []).toString(), 'bucket');
  await bench.send({ method: 'DELETE', path: '/second' });
  const [second] = await namesAfter(first?.row ?? new Uint8Array(0));
  equal(second?.removed, true);
  deepEqual(await namesAfter(second?.row ?? new Uint8Array(0)), []);
});

/** Puts an entry as a gateway does that wrote these blobs. */
async function putEntryOf(bench: Bench, key: string, content: Content): Promise<void> {
  const answer = await bench.call(bench.shard(), messages.putEntry, {
    key: Buffer.from(key),
    conditions: { ifMatch: undefined, ifNoneMatch: undefined },
    versioning: 'off',
    hasBlobs: true,
    entry: encodeEntryDraft({
      sizeBytes: 4,
      etag: 'e',
      wallMs: 1,
      checksum: undefined,
      ...plainSummary,
      ...plainAttributes,
      headers: [],
      metadata: [],
      tags: [],
      uploadId: undefined,
      partCount: 1,
      content,
    }),
  });
  equal(answer.kind, 'committed');
}

function runOf(first: BlobId, lengthBytes: number, count = 1) {
  return { layout, first, count, blobBytes: lengthBytes, lastBytes: lengthBytes };
}

test('what a manifest in blobs lists is referred to, also when the manifest is garbage', async () => {
  const bench = await start({ garbageGraceMs: 10 * hourMs });
  const { cluster } = bench;
  const [data, manifest, orphan] = [1, 2, 3].map((counter) => ({ incarnation: 7, counter }));
  ok(data !== undefined && manifest !== undefined && orphan !== undefined);
  const extents = [
    {
      sizeBytes: 4,
      runs: [runOf(data, 4)],
      checksum: undefined,
      partNumber: 1,
      nonce: new Uint8Array(0),
    },
  ];
  const listed = encodeManifest(extents);
  await cluster.putBlob(layout, data, [Buffer.from('data')]);
  await cluster.putBlob(layout, manifest, [listed]);
  await cluster.putBlob(layout, orphan, [Buffer.from('orphan')]);
  await putEntryOf(bench, 'indirect', {
    kind: 'indirect',
    manifestBytes: listed.length,
    runs: [runOf(manifest, listed.length)],
  });
  restart(bench);
  await bench.sweep();
  deepEqual(bench.blobNames(7), ['2.1/7.1', '2.1/7.2']);
  equal(await bodyText(await bench.get('/bucket/indirect')), 'data');

  const second = { incarnation: 8, counter: 9 };
  await cluster.putBlob(layout, second, [listed]);
  await putEntryOf(bench, 'again', {
    kind: 'indirect',
    manifestBytes: listed.length,
    runs: [runOf(second, listed.length)],
  });
  await bench.send({ method: 'DELETE', path: '/bucket/again' });
  restart(bench);
  await bench.sweep();
  deepEqual(bench.blobNames(8), ['2.1/8.9'], 'a slow reader may still need it');
});

test('a bucket that is being removed still has references', async () => {
  const bench = await start({ garbageGraceMs: 10 * hourMs });
  await bench.put('/bucket/key', randomBytes(mebibyte));
  await bench.send({ method: 'DELETE', path: '/bucket/key' });
  equal((await bench.send({ method: 'DELETE', path: '/bucket' })).status, 204);
  restart(bench);
  await bench.sweep();
  equal(bench.blobNames(7).length, 1, 'garbage waits for its grace');
  await bench.clock.advance(12 * hourMs);
  equal(bench.blobNames(7).length, 0);
});

test('when a row or a manifest can not be read, nothing is deleted until it can', async () => {
  const bench = await start();
  await bench.put('/bucket/key', randomBytes(mebibyte));
  await bench.putAndDie('/bucket/lost', randomBytes(mebibyte));
  restart(bench);
  const row = bench.cluster.rows(bench.shard()).find(([key]) => key[0] === 0x6b);
  ok(row !== undefined);
  row[1][60] = (row[1][60] as number) ^ 1;
  await bench.sweep();
  equal(bench.blobNames(7).length, 2);
  match(bench.logged.join('\n'), /"job":"orphans".*a row of entries can't be read.*key/);
  row[1][60] = (row[1][60] as number) ^ 1;
  const manifest = { incarnation: 8, counter: 1000 };
  await putEntryOf(bench, 'gone', {
    kind: 'indirect',
    manifestBytes: 9,
    runs: [runOf(manifest, 9)],
  });
  await bench.sweep();
  equal(bench.blobNames(7).length, 2, 'nobody knows what the manifest that is gone lists');
  await bench.send({ method: 'DELETE', path: '/bucket/gone' });
  await bench.sweep();
  equal(bench.blobNames(7).length, 1);
  equal((await bench.get('/bucket/key')).status, 200);
});

test('when an index or the registry of buckets is lost, blobs are not taken for orphans', async () => {
  for (const lost of ['shard', 'registry'] as const) {
    const bench = await start();
    await bench.put('/bucket/key', randomBytes(mebibyte));
    restart(bench);
    const object = lost === 'shard' ? bench.shard() : 'buckets';
    const rows = bench.cluster.rows(object) as MethodRow[];
    const saved = rows.splice(0);
    await bench.sweep();
    equal(bench.blobNames(7).length, 1);
    rows.splice(0, rows.length, ...saved);
    await bench.sweep();
    equal((await bench.get('/bucket/key')).status, 200);
  }
});

test('a round that was interrupted at any step is taken up by the next', async () => {
  // Nothing but the orphans' job calls anybody.
  const never = 10_000 * hourMs;
  const bench = await start({
    garbageIntervalMs: never,
    splitIntervalMs: never,
    notificationIntervalMs: never,
  });
  await bench.put('/bucket/key', randomBytes(5 * mebibyte));
  let wasInterrupted = true;
  let step = 0;
  for (; wasInterrupted && step < 40; step++) {
    await bench.putAndDie(`/bucket/lost-${step}`, randomBytes(5 * mebibyte));
    restart(bench);
    let left = step;
    wasInterrupted = false;
    bench.cluster.fault = () => {
      if (left-- > 0) return;
      wasInterrupted = true;
      throw new ClientError('unavailable', 'no primary');
    };
    await bench.sweep();
    bench.cluster.fault = () => {};
    await bench.sweep();
    equal(bench.cluster.blobs.size, 2);
    equal((await bench.get('/bucket/key')).status, 200);
  }
  ok(step > 10, `${step} steps`);
  equal(wasInterrupted, false);
  deepEqual(bench.failures, []);
});

test('two gateways at once, and more blobs than fit in memory, come to the same end', async () => {
  const bench = await start({ orphansIntervalMs: 1000 * hourMs });
  const { cluster, env } = bench;
  const put = (incarnation: number, counter: number): Promise<void> =>
    cluster.putBlob(layout, { incarnation, counter }, [Buffer.from('blob')]);
  const counters = [0, 1, 32_767, 32_768, 100_000, 1_000_000];
  for (const incarnation of [2, 3, 7, 8])
    for (const counter of counters) await put(incarnation, counter);
  await putEntryOf(bench, 'kept', {
    kind: 'direct',
    extents: [
      {
        sizeBytes: 8,
        runs: [runOf({ incarnation: 3, counter: 32_767 }, 4, 2)],
        checksum: undefined,
        partNumber: 1,
        nonce: new Uint8Array(0),
      },
    ],
  });
  cluster.dead = [
    { first: 1, count: 3 },
    { first: 7, count: 1 },
  ];
  const collectors = [1, 2].map(() => {
    const index = new IndexClient(env, cluster);
    const parts = {
      env,
      cluster,
      index,
      identities: new Identities(cluster),
      quotas: new Quotas(env, cluster, index),
      budget: new ByteBudget(16 * mebibyte),
      reads: new ActiveReads(env.clock),
      accessLog: new AccessLog(env, {
        rollMs: hourMs,
        gatewayId: '',
        deliver: () => Promise.reject(new Error('no request is logged')),
      }),
      tellSiblings: noSiblings,
      region: 'here',
      signatureV2: true,
      storageClasses: [],
      masterKeys: new MasterKeys(env, index, []),
      hostId: 'host',
    };
    return new OrphanCollector(parts, { intervalMs: hourMs, blobsPerSecond: 1000, pagesMax: 1 });
  });
  for (const collector of collectors) collector.start();
  await bench.sweep();
  for (const collector of collectors) collector.stop();
  const kept = [
    { incarnation: 3, counter: 32_767 },
    { incarnation: 3, counter: 32_768 },
    ...counters.map((counter) => ({ incarnation: 8, counter })),
  ];
  deepEqual(
    [...cluster.blobs.keys()],
    kept.map((blob) => `2.1/${formatBlobId(blob)}`),
  );
  deepEqual(bench.failures, []);
});
