// Random bytes, and requests that break off, on every port of every daemon: all of them go on serving.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ClusterProcess } from './cluster-process.ts';
import { bytesOf, sha256 } from './s3-session.ts';
import { openBucket, startCluster } from './test-cluster.ts';

const connectionsPerPort = 24;

/** What a peer that speaks something else, or nothing whole, may send first. */
const openings: readonly (string | Buffer)[] = [
  '',
  'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n',
  'PUT /test/%%% HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'POST /v1/scrub HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{',
  `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.alloc(64),
];

test('random bytes on every port stop no daemon', async (t) => {
  const cluster = await startCluster(t, ['--no-restart']);
  const session = await openBucket(t, cluster);
  await session.put('before', bytesOf('before', 100_000));
  const pidsBefore = await cluster.daemons();
  const ports = portsOf(cluster);
  equal(ports.length, 8, 'five OSDs, the monitor, S3 and admin');
  await Promise.all(
    ports.map(async (port) => {
      for (let index = 0; index < connectionsPerPort; index++) {
        const opening = openings[index % openings.length] ?? '';
        const noise = bytesOf(`noise ${index}`, [16, 300, 5000, 200_000][index % 4] ?? 0);
        await throwAt(port, Buffer.concat([Buffer.from(opening), noise]), index % 3 !== 0);
      }
    }),
  );
  deepEqual(await cluster.daemons(), pidsBefore);
  equal(sha256(await session.get('before')), sha256(bytesOf('before', 100_000)));
  for (let index = 0; index < 10; index++)
    await session.put(`after-${index}`, bytesOf('x', 50_000));
  const s3Port = Number(new URL(cluster.ready.s3).port);
  const long = await say(
    s3Port,
    `GET /test HTTP/1.1\r\nhost: h\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
  );
  match(long, /^HTTP\/1\.1 400 Bad Request\r\n.*\r\nx-amz-request-id: [0-9A-F]+\r\n/s);
  match(long, /<Error><Code>RequestHeaderSectionTooLarge<\/Code>.*<\/Error>$/);
  match(await say(s3Port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 .*<Code>BadRequest<\/Code>/s);
  const { health, osds, ready } = await cluster.status();
  deepEqual(health.checks, []);
  equal(osds.up, 5);
  ok(ready);
});

function portsOf({ ready }: ClusterProcess): number[] {
  const kept = JSON.parse(readFileSync(join(ready.data, 'daemons.json'), 'utf8'));
  const named = Object.values(kept.ports as Record<string, number>);
  const urls = [ready.s3, ready.admin].map((url) => Number(new URL(url).port));
  return [...new Set([...named, ...urls])];
}

/** What is answered until the other side hangs up. */
function say(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    connect(port, '127.0.0.1')
      .setEncoding('utf8')
      .setTimeout(10_000, () => reject(new Error(`the connection stays open after: ${answer}`)))
      .on('data', (piece: string) => {
        answer += piece;
      })
      .on('error', reject)
      .on('close', () => resolve(answer))
      .write(text);
  });
}

/** Sends it all; then ends politely, or breaks off. Resolves when the other side is done with it. */
function throwAt(port: number, bytes: Buffer, politely: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    // Who neither answers nor hangs up may think what he likes: it costs him a socket.
    socket.setTimeout(500, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.on('close', () => resolve());
    socket.write(bytes, () => (politely ? socket.end() : socket.resetAndDestroy()));
  });
}
