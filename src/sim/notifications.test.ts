// Events in a whole cluster: gateways die between a write and its delivery, primaries lose power while they queue, the webhook
// fails every other request and is away for a while, and keys go to other shards. Whatever was acknowledged is told.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { BodyError } from '../env/http.ts';
import { copies, erasure } from '../map/geometry.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { type S3Call, signedRequest } from './s3-request.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';

const pools = [
  { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 2 },
  { name: 'data', geometry: erasure(2, 1), failureDomain: 'host', pgCount: 2 },
] as const;

const topic = {
  owner: 'admin',
  name: 'events',
  createdMs: 0,
  endpoint: 'http://hook.test/',
  verifyTls: true,
  opaque: '',
  policy: '',
  keptSeconds: undefined,
};

const configuration = encodeUtf8(
  '<NotificationConfiguration><TopicConfiguration><Id>all</Id><Topic>arn:aws:sns:us-east-1:admin:events</Topic><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event></TopicConfiguration></NotificationConfiguration>',
);

for (const seed of [81, 82])
  test(`what was acknowledged is told, whoever dies (seed ${seed})`, async () => {
    const cluster = new SimulatedCluster({ seed, osdCount: 4, pools, methods: s3Methods });
    const { random, scheduler } = cluster;
    const told = new Map<string, number>();
    let isAway = false;
    cluster.web.serve('hook.test', '192.0.2.1', ({ body }) => {
      // Now and then it has the event, and its answer is lost.
      const fate = random.below(6);
      if (isAway || fate === 0) return isAway ? 500 : undefined;
      const { Records: records } = JSON.parse(decodeUtf8(body)) as {
        Records: { eventName: string; s3: { object: { key: string } } }[];
      };
      for (const { eventName, s3 } of records) {
        const event = `${eventName} ${s3.object.key}`;
        told.set(event, (told.get(event) ?? 0) + 1);
      }
      return fate === 1 ? undefined : 200;
    });
    await cluster.start();
    const options = { shardEntriesMax: 30, splitIntervalMs: 1000 };
    const gateways = [await cluster.gateway(options), await cluster.gateway(options)];
    const one = (): SimulatedGateway => gateways[random.below(2)] as SimulatedGateway;
    /** The status; undefined: nobody knows what became of it. */
    const send = async (call: S3Call): Promise<number | undefined> => {
      const { process } = one();
      const request = process.http.request(signedRequest(call, process.env.wall.nowMs()));
      const answer = request.catch((error: unknown) => {
        if (error instanceof BodyError) return undefined;
        throw error;
      });
      return (await cluster.settle(answer, call.path))?.status;
    };
    const { client } = one();
    const before = client.directory();
    const next = { ...before, revision: before.revision + 1, topics: [topic] };
    equal(await cluster.settle(client.changeDirectory(next), 'a topic'), 'done');
    equal(await send({ method: 'PUT', path: '/bucket' }), 200);
    const query = { notification: '' };
    equal(await send({ method: 'PUT', path: '/bucket', query, body: configuration }), 200);
    await scheduler.run(2500);

    const acknowledged: string[] = [];
    const asked = new Set<string>();
    for (let step = 0; step < 120; step++) {
      const key = `k${random.below(1000)}-${step}`;
      const isLate = step % 40 === 39;
      if (step % 30 === 10) {
        const osd = random.below(4);
        cluster.killOsd(osd, { power: true });
        await cluster.startOsd(osd);
      }
      if (isLate) {
        const index = random.below(2);
        gateways[index]?.process.kill();
        gateways[index] = await cluster.gateway(options);
      }
      if (step % 50 === 20) isAway = !isAway;
      const path = `/bucket/${key}`;
      asked.add(`ObjectCreated:Put ${key}`);
      if ((await send({ method: 'PUT', path, body: encodeUtf8(key) })) === 200)
        acknowledged.push(`ObjectCreated:Put ${key}`);
      if (step % 3 !== 0) continue;
      asked.add(`ObjectRemoved:Delete ${key}`);
      if ((await send({ method: 'DELETE', path })) === 204)
        acknowledged.push(`ObjectRemoved:Delete ${key}`);
    }
    isAway = false;
    await scheduler.run(10 * 60_000);
    ok(acknowledged.length > 100, `${acknowledged.length} were acknowledged`);
    deepEqual(
      acknowledged.filter((event) => !told.has(event)),
      [],
    );
    deepEqual(
      [...told.keys()].filter((event) => !asked.has(event)),
      [],
    );
    ok(
      [...told.values()].some((times) => times > 1),
      'an answer that was lost was told again',
    );
    deepEqual(cluster.failures, []);
  });
