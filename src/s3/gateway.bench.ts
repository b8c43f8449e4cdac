// CPU a small request costs the gateway, without HTTP and with a cluster that answers at once. The
// index method runs in the same process here, so its time is measured alone and shown beside.
// Run: node dist/s3/gateway.bench.js

import { randomBytes } from 'node:crypto';
import { encode } from '../base/codec.ts';
import { encodeEntryDraft, plainAttributes, plainSummary } from './index/format.ts';
import * as messages from './index/messages.ts';
import { bodyOf, sign, startTestGateway } from './testing/gateway-suite.ts';

const rounds = 5;
const requestsPerRound = 10_000;

async function measure(name: string, work: () => Promise<unknown>): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < requestsPerRound; i++) await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / requestsPerRound);
  }
  process.stdout.write(`${name}: ${best.toFixed(1)} µs CPU\n`);
}

const bench = await startTestGateway({ time: 'manual' });
const body = new Uint8Array(randomBytes(4096));
const wallMs = bench.wallMs;
await bench.handle(sign({ method: 'PUT', path: '/bucket', wallMs }));
const put = sign({ method: 'PUT', path: '/bucket/some/key', body, wallMs });
const unsignedPut = sign({
  method: 'PUT',
  path: '/bucket/some/key',
  body,
  wallMs,
  payloadHash: 'UNSIGNED-PAYLOAD',
});
const get = sign({ method: 'GET', path: '/bucket/some/key', wallMs });
const draft = encodeEntryDraft({
  sizeBytes: 4096,
  etag: '0'.repeat(32),
  wallMs,
  checksum: undefined,
  ...plainSummary,
  ...plainAttributes,
  headers: [],
  metadata: [],
  tags: [],
  uploadId: undefined,
  partCount: 0,
  content: { kind: 'inline', bytes: body },
});
const [shard] = bench.cluster.objectNames().filter((name) => name.startsWith('.index/index/'));
const object = shard?.slice('.index/'.length) ?? '';
const conditions = { ifMatch: undefined, ifNoneMatch: undefined };
const key = new TextEncoder().encode('some/key');
const putArgument = encode(messages.putEntry.argument, {
  key,
  conditions,
  versioning: 'off',
  hasBlobs: false,
  entry: draft,
});
const getArgument = encode(messages.getEntry.argument, { key, versionId: undefined });
const status = (await bench.handle({ ...put, body: bodyOf(body) })).status;
if (status !== 200) throw new Error(`PUT answers ${status}`);

await measure('PUT 4 KiB, signed payload', () => bench.handle({ ...put, body: bodyOf(body) }));
await measure('PUT 4 KiB, unsigned payload', () =>
  bench.handle({ ...unsignedPut, body: bodyOf(body) }),
);
await measure('  of it the index method', () =>
  bench.cluster.call('.index', object, messages.putEntry.name, putArgument),
);
await measure('GET 4 KiB', () => bench.handle(get));
await measure('  of it the index method', () =>
  bench.cluster.call('.index', object, messages.getEntry.name, getArgument),
);
await bench.gateway.close();
