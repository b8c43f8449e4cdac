// Random requests against a map in memory: after any sequence the bucket holds what the map holds, and
// the blobs are exactly those the bucket refers to, once garbage is collected.

import { deepEqual, equal } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { bodyBytes, bodyText, sign, startTestGateway } from './testing/gateway-suite.ts';

const keys = ['a', 'b/1', 'b/2', 'ä', 'z z'];
const sizes = [0, 10, 16_384, 16_385, 100_000, 4_194_305];

function randomOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

for (let seed = 1; seed <= 4; seed++) {
  test(`random requests, seed ${seed}`, async () => {
    const random = randomOf(seed);
    const bench = await startTestGateway({ time: 'manual', garbageBlobsPerSecond: 1_000_000 });
    const send = (
      method: string,
      key: string,
      options: {
        body?: Buffer | string;
        headers?: Record<string, string>;
        query?: Record<string, string>;
      } = {},
    ) => bench.handle(sign({ method, path: `/bucket/${key}`, wallMs: bench.wallMs, ...options }));
    await bench.handle(sign({ method: 'PUT', path: '/bucket', wallMs: bench.wallMs }));
    const model = new Map<string, Buffer>();
    const pick = (): string => keys[random(keys.length)] ?? '';
    const newBody = (): Buffer => Buffer.alloc(sizes[random(sizes.length)] ?? 0, random(256));
    for (let i = 0; i < 120; i++) {
      const key = pick();
      const old = model.get(key);
      switch (random(6)) {
        case 0:
        case 1: {
          const body = newBody();
          const ifAbsent = random(4) === 0;
          const response = await send('PUT', key, {
            body,
            headers: ifAbsent ? { 'if-none-match': '*' } : {},
          });
          const refused = ifAbsent && old !== undefined;
          equal(response.status, refused ? 412 : 200);
          if (!refused) model.set(key, body);
          break;
        }
        case 2: {
          equal((await send('DELETE', key)).status, 204);
          model.delete(key);
          break;
        }
        case 3: {
          const source = pick();
          const content = model.get(source);
          const response = await send('PUT', key, {
            headers: {
              'x-amz-copy-source': encodeURIComponent(`bucket/${source}`),
              'x-amz-metadata-directive': 'REPLACE',
            },
          });
          equal(response.status, content === undefined ? 404 : 200);
          if (content !== undefined) model.set(key, content);
          break;
        }
        case 4: {
          const created = await bodyText(
            await send('POST', key, { query: { uploads: '' }, body: '' }),
          );
          const uploadId = /<UploadId>([0-9a-f]+)</.exec(created)?.[1] ?? '';
          const body = newBody();
          await send('PUT', key, { query: { uploadId, partNumber: '3' }, body });
          const etag = createHash('md5').update(body).digest('hex');
          const parts = `<Part><PartNumber>3</PartNumber><ETag>${etag}</ETag></Part>`;
          const completes = random(3) > 0;
          const response = completes
            ? await send('POST', key, {
                query: { uploadId },
                body: `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`,
              })
            : await send('DELETE', key, { query: { uploadId } });
          equal(response.status, completes ? 200 : 204);
          if (completes) model.set(key, body);
          break;
        }
        default: {
          const response = await send('GET', key);
          equal(response.status, old === undefined ? 404 : 200);
          const body = await bodyBytes(response);
          if (old !== undefined) equal(body.compare(old), 0);
        }
      }
    }
    const listed = await bodyText(await send('GET', ''));
    deepEqual(
      [...listed.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]),
      [...model.keys()].sort(),
    );
    for (const [key, body] of model)
      equal((await bodyBytes(await send('GET', key))).compare(body), 0, key);
    await bench.clock.advance(20 * 60_000);
    let storedBytes = 0;
    for (const blob of bench.cluster.blobs.values()) storedBytes += blob.length;
    let expectedBytes = 0;
    for (const [key, { length }] of model) {
      const head = await send('HEAD', key);
      const isMultipart = head.headers.some(
        ([name, value]) => name === 'etag' && value.includes('-'),
      );
      if (length > 16_384 || isMultipart) expectedBytes += length;
    }
    equal(storedBytes, expectedBytes, 'no blob is missing and none is left over');
    deepEqual(bench.failures, []);
  });
}
