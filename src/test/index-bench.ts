// `node dist/test/index-bench.js`: PUT rates and LIST latencies of buckets of very different sizes in one cluster, in
// turns, so that what else the machine does hits all alike. The large buckets are not filled over S3, which would
// take hours: rows like those of objects with blobs are installed into the shards a thousand a call, by the call
// that splits use. The shards are then split by the cluster itself, and what is measured goes over S3.
//
//   --entries N,N,…     sizes of the buckets (1000,100000,1000000); LIST pages have 1,000 keys
//   --seconds N         of each measurement (6)
//   --rounds N          how often each bucket is measured (3)
//   --data DIR          where the cluster's data goes

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { encodeUtf8, formatHex } from '../base/bytes.ts';
import { decode } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import { DataDir } from '../cli/data-dir.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { createHostEnv } from '../host/host-env.ts';
import { daemonKey } from '../net/keys.ts';
import {
  type BucketRecord,
  bucketFormat,
  encodeEntryDraft,
  plainAttributes,
  plainSummary,
  stampEntry,
} from '../s3/index/format.ts';
import { bucketsObject, indexPool } from '../s3/index/index-client.ts';
import * as messages from '../s3/index/messages.ts';
import { entryRow } from '../s3/index/rows.ts';
import { isInRange } from '../s3/index/shard.ts';
import { describeShard, type IndexObjects } from '../s3/index/shard-split.ts';
import { ClusterProcess } from './cluster-process.ts';
import { LoadConnection } from './s3-load.ts';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000,100000,1000000' },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    data: { type: 'string' },
  },
});

const durationMs = Number(values.seconds) * 1000;
const rowsPerCall = 1000;
const connectionCount = 8;
/** A page of a thousand keys and its answer. */
const bodyBytes = 4096;

/** Spread evenly over the keys that are to be, in an order that is none. */
function keyOf(number: number): string {
  const mixed = Math.imul(number + 1, 0x9e3779b1) >>> 0;
  return `objects/${mixed.toString(16).padStart(8, '0')}/${number}`;
}

const body = Buffer.alloc(bodyBytes, 7);
/** As long as that of an object whose bytes are blobs: a million with 4 KiB inside are 12 GB on the disks. */
const entry = stampEntry(
  encodeEntryDraft({
    sizeBytes: bodyBytes,
    etag: '0'.repeat(32),
    wallMs: Date.now(),
    checksum: undefined,
    ...plainSummary,
    ...plainAttributes,
    headers: [],
    metadata: [],
    tags: [],
    uploadId: undefined,
    partCount: 0,
    content: { kind: 'inline', bytes: body.subarray(0, 64) },
  }),
  { tenure: 1, sequence: 1 },
  { tenure: 1, sequence: 1 },
);

async function openIndex(data: string): Promise<IndexObjects & { close(): void }> {
  const dir = new DataDir(data);
  const { fsid } = dir.readConfig();
  const daemons = dir.readDaemons();
  const keys = dir.readKeys();
  const uuid = formatHex(crypto.getRandomValues(new Uint8Array(16))) as Uuid;
  const env = createHostEnv({ dataDir: data, role: 'bench', id: 0 });
  const client = ClusterClient.start(env, {
    identity: { fsid, role: 's3', uuid },
    key: daemonKey(keys.master, 's3', uuid),
    mon: { address: `127.0.0.1:${daemons.ports['mon.0']}`, uuid: daemons.mon },
  });
  await client.ready();
  return {
    callObject: async (object, call, argument) =>
      decode(
        call.result,
        await client.call(
          indexPool,
          object,
          call.name,
          messages.encodeMessage(call.argument, argument),
        ),
      ),
    close: () => client.close(),
  };
}

async function recordOf(index: IndexObjects, name: string): Promise<BucketRecord> {
  const { record } = await index.callObject(bucketsObject, messages.getBucket, { name });
  if (record === undefined) throw new Error(`no bucket ${name}`);
  return bucketFormat.decode(record);
}

/** Fills where nothing is on its way; the cluster splits what becomes too large. */
async function fill(index: IndexObjects, bucket: string, entries: number): Promise<void> {
  let left = Array.from({ length: entries }, (_, number) => encodeUtf8(keyOf(number)));
  while (left.length > 0) {
    for (const { object } of (await recordOf(index, bucket)).ranges) {
      const facts = await describeShard(index, object);
      const range = facts?.state.range;
      if (facts === undefined || range === undefined || facts.state.split !== undefined) continue;
      // Three times what a shard should hold is enough: the rest waits for the split.
      const room = 300_000 - facts.counts.entries;
      const own = left.filter((key) => isInRange(range, key)).slice(0, Math.max(0, room));
      const { generation } = facts.state;
      const gone = new Set<Uint8Array>();
      for (let at = 0; at < own.length; at += rowsPerCall) {
        const keys = own.slice(at, at + rowsPerCall);
        const rows = keys.map((key) => ({ row: entryRow(key), value: entry }));
        const answer = await index.callObject(object, messages.installRows, { generation, rows });
        if (answer.outcome !== 'done') break;
        for (const key of keys) gone.add(key);
      }
      left = left.filter((key) => !gone.has(key));
      process.stdout.write(`\r${bucket}: ${entries - left.length} of ${entries}   `);
    }
    if (left.length > 0) await delay(500);
  }
  process.stdout.write('\n');
}

async function untilSplit(index: IndexObjects, bucket: string): Promise<number> {
  while (true) {
    const { ranges, splits } = await recordOf(index, bucket);
    const facts = await Promise.all(ranges.map(({ object }) => describeShard(index, object)));
    const largest = Math.max(...facts.map((each) => each?.counts.entries ?? 0));
    process.stdout.write(`\r${bucket}: ${ranges.length} shards, the largest ${largest}    `);
    if (splits.length === 0 && largest < 100_000) {
      process.stdout.write('\n');
      return ranges.length;
    }
    await delay(1000);
  }
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

interface Measured {
  readonly bucket: string;
  readonly entries: number;
  readonly rates: number[];
  readonly putMs: number[];
  readonly listMs: number[];
}

async function ask(work: Promise<{ status: number }>): Promise<void> {
  const { status } = await work;
  if (status !== 200) throw new Error(`status ${status}`);
}

function open(cluster: ClusterProcess): Promise<LoadConnection> {
  return LoadConnection.open(cluster.ready.s3, cluster.ready);
}

async function measurePuts(
  cluster: ClusterProcess,
  measured: Measured,
  round: number,
): Promise<void> {
  const { bucket, entries } = measured;
  const connections = await Promise.all(
    Array.from({ length: connectionCount }, () => open(cluster)),
  );
  let next = entries + round * 1_000_000;
  let count = 0;
  const begun = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() - begun < durationMs) {
        const started = performance.now();
        await ask(connection.request('PUT', `/${bucket}/${keyOf(next++)}`, body));
        measured.putMs.push(performance.now() - started);
        count++;
      }
    }),
  );
  measured.rates.push(count / ((performance.now() - begun) / 1000));
  for (const each of connections) each.close();
}

async function measureLists(cluster: ClusterProcess, measured: Measured): Promise<void> {
  const { bucket, entries } = measured;
  const connection = await open(cluster);
  const begun = performance.now();
  for (let at = 0; performance.now() - begun < durationMs; at++) {
    // Somewhere, and not among the last thousand keys, where a page is short.
    const somewhere = ((at * 37) % 200).toString(16).padStart(2, '0');
    const after = `list-type=2&start-after=objects%2F${somewhere}`;
    const query = entries <= rowsPerCall ? 'list-type=2' : after;
    const started = performance.now();
    await ask(connection.request('GET', `/${bucket}`, undefined, query));
    measured.listMs.push(performance.now() - started);
  }
  connection.close();
}

const folder = mkdtempSync(join(values.data ?? tmpdir(), 'holdfast-index-bench-'));
const cluster = await ClusterProcess.start(join(folder, 'data'));
try {
  const connection = await LoadConnection.open(cluster.ready.s3, cluster.ready);
  const index = await openIndex(cluster.ready.data);
  const sizes = values.entries.split(',').map(Number);
  const all: Measured[] = [];
  for (const entries of sizes) {
    const bucket = `bucket-${entries}`;
    await connection.request('PUT', `/${bucket}`);
    const began = performance.now();
    await fill(index, bucket, entries);
    await untilSplit(index, bucket);
    console.log(
      `${bucket} filled and split in ${Math.round((performance.now() - began) / 1000)} s`,
    );
    all.push({ bucket, entries, rates: [], putMs: [], listMs: [] });
  }
  const rounds = Number(values.rounds);
  // Before any PUT: its larger rows would make the pages of the smallest bucket dearer than those of the others.
  for (let round = 0; round < rounds; round++)
    for (const measured of all) await measureLists(cluster, measured);
  for (let round = 0; round < rounds; round++)
    for (const measured of all) await measurePuts(cluster, measured, round);
  const [first] = all;
  for (const { bucket, rates, putMs, listMs } of all) {
    const rate = median(rates);
    const listed = median(listMs);
    console.log(
      `${bucket.padEnd(16)} PUT ${rate.toFixed(0)}/s (${(rate / median(first?.rates ?? [])).toFixed(2)} of the smallest) p50 ${median(putMs).toFixed(2)} ms   LIST of 1,000 p50 ${listed.toFixed(2)} ms (${(listed / median(first?.listMs ?? [])).toFixed(2)})   rates ${rates.map((each) => each.toFixed(0)).join(' ')}`,
    );
  }
  index.close();
  connection.close();
} finally {
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}
