// Events reach a real webhook over real sockets: while gateways are killed in the middle of writes, an OSD dies, and the
// webhook is away, every acknowledged write is told at least once, and nothing is told that did not happen.

import { equal, ok } from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PutBucketNotificationConfigurationCommand } from '@aws-sdk/client-s3';
import { sign } from '../s3/testing/gateway-suite.ts';
import type { ClusterProcess } from './cluster-process.ts';
import { inParallel } from './s3-session.ts';
import { atEnd, openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const keys = Array.from({ length: 240 }, (_, i) => `k${String(i).padStart(3, '0')}`);

/** The takeover, a round of the job and its pause, and room for a busy machine. */
const toldMsMax = 120_000;

interface Hook {
  readonly url: string;
  /** How often each key was told. */
  readonly told: Map<string, number>;
  status: number;
}

async function startHook(t: TestContext): Promise<Hook> {
  const told = new Map<string, number>();
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      if (hook.status === 200) {
        const { Records: records } = JSON.parse(text) as {
          Records: { eventName: string; s3: { object: { key: string } } }[];
        };
        for (const { eventName, s3 } of records) {
          equal(eventName, 'ObjectCreated:Put');
          told.set(s3.object.key, (told.get(s3.object.key) ?? 0) + 1);
        }
      }
      response.writeHead(hook.status).end('x'.repeat(1000));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const hook: Hook = { url: `http://127.0.0.1:${port}/events`, told, status: 200 };
  return hook;
}

/** The SDK that the tests have is for S3 alone. */
async function createTopic({ ready }: ClusterProcess, url: string): Promise<void> {
  const { accessKey, secretKey, s3 } = ready;
  const parameters = { Action: 'CreateTopic', Name: 'events', 'push-endpoint': url };
  const body = new URLSearchParams(parameters).toString();
  const signed = sign({
    method: 'POST',
    path: '/',
    headers: {
      host: new URL(s3).host,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body,
    user: { name: '', accessKey, secretKey },
    service: 'sns',
  });
  const headers = signed.headers.filter(([name]) => name !== 'content-length' && name !== 'host');
  const answer = await fetch(s3, {
    method: 'POST',
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    body,
  });
  const text = await answer.text();
  equal(answer.status, 200, text);
}

async function metric(cluster: ClusterProcess, name: string): Promise<number | undefined> {
  const { admin, data } = cluster.ready;
  const token = readFileSync(join(data, 'keys', 'admin-token'), 'utf8').trim();
  const answer = await fetch(`${admin}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const text = await answer.text();
  equal(answer.status, 200, text);
  const values = [...text.matchAll(new RegExp(`^holdfast_${name}(?:{[^}]*})? (\\d+)$`, 'gm'))];
  return values.length === 0 ? undefined : values.reduce((sum, [, n]) => sum + Number(n), 0);
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + toldMsMax;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${toldMsMax} ms: ${what}`);
    await delay(200);
  }
}

/** kill -9; resolves when the supervisor has started it again and it serves. */
async function killAndWait(cluster: ClusterProcess, name: string): Promise<void> {
  const pid = await cluster.pidOf(name);
  await cluster.kill(name);
  await cluster.untilReplaced({ name, pid }, 60_000);
  await cluster.untilRunning(name);
}

test('every acknowledged write is told, whatever is killed meanwhile', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const first = await startCluster(t, ['--osds', '3', '--gateways', '2'], data);
  await first.stop();
  appendFileSync(join(data, 'holdfast.yaml'), '\ngateway:\n  webhooks: "any"\n');
  const cluster = await startCluster(t, [], data);
  await cluster.untilRunning('s3.1');
  const hook = await startHook(t);
  await createTopic(cluster, hook.url);
  const session = await openBucket(t, cluster, { attemptsMax: 8 });
  await session.client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: session.bucket,
      NotificationConfiguration: {
        TopicConfigurations: [
          {
            TopicArn: 'arn:aws:sns:us-east-1:admin:events',
            Events: ['s3:ObjectCreated:*'],
            Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'k' }] } },
          },
        ],
      },
    }),
  );
  // The other gateway goes by the rules two seconds later at the latest.
  await delay(2500);

  const acknowledged: string[] = [];
  const write = (part: readonly string[]): Promise<void> =>
    inParallel(part, 8, async (key) => {
      await session.put(key, new TextEncoder().encode(key));
      acknowledged.push(key);
    });
  await session.put('other', new Uint8Array(1));
  await write(keys.slice(0, 60));
  await until('the first events are told', () => hook.told.size === 60);

  const killed = write(keys.slice(60, 120));
  await killAndWait(cluster, 's3.0');
  await killAndWait(cluster, 's3.1');
  await killed;

  hook.status = 500;
  const away = write(keys.slice(120, 180));
  await cluster.kill('osd.1');
  await away;
  // Its own gateways are gone with all that they had in memory.
  await killAndWait(cluster, 's3.0');
  await killAndWait(cluster, 's3.1');
  ok(hook.told.size < 180);
  hook.status = 200;
  await write(keys.slice(180));

  equal(acknowledged.length, keys.length);
  await until('every write is told', () => keys.every((key) => hook.told.has(key)));
  equal(hook.told.size, keys.length, 'and nothing that no rule asks for');
  const times = [...hook.told.values()].reduce((sum, each) => sum + each, 0);
  t.diagnostic(`${keys.length} writes were told ${times} times`);
  await until('nothing waits', async () => (await metric(cluster, 'notifications_queued')) === 0);
  ok(((await metric(cluster, 'notifications_delivered')) ?? 0) > 0);
});
