// Several gateways behind one address: what was changed at one holds at all others when it is answered, and one that
// dies takes none but its own connections with it.

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { refusalOf, S3Session } from './s3-session.ts';
import { atEnd, openBucket, startCluster } from './test-cluster.ts';

/** Connections are handed out in turn: with so many every gateway has some. */
const connections = 6;

const rounds = 8;

test('a bucket policy holds at every gateway when it is answered, and one dies without the others', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3', '--gateways', '3']);
  await cluster.untilRunning('s3.1');
  await cluster.untilRunning('s3.2');
  const first = await openBucket(t, cluster, { attemptsMax: 1 });
  await first.put('page', new Uint8Array([1]));
  // Each has a connection of its own, and each request of a session goes over the same.
  const sessions = Array.from({ length: connections }, () => {
    const session = new S3Session(cluster.ready, 'test', { attemptsMax: 1 });
    atEnd(t, () => session.close());
    return session;
  });
  const gateways = new Set<string>();
  for (const session of sessions) gateways.add(await gatewayOf(session));
  equal(gateways.size, 3);

  // Every gateway has looked the bucket up within the last second, and would remember it for another.
  for (let round = 0; round < rounds; round++) {
    const effect = round % 2 === 0 ? 'Deny' : 'Allow';
    await first.client.send(
      new PutBucketPolicyCommand({ Bucket: 'test', Policy: policyOf(effect) }),
    );
    const found = await Promise.all(
      sessions.map((session) =>
        session.get('page').then(
          () => 'Allow',
          (error: unknown) => (refusalOf(error)?.status === 403 ? 'Deny' : String(error)),
        ),
      ),
    );
    deepEqual(
      found,
      sessions.map(() => effect),
    );
  }

  const name = 's3.0';
  const pid = await cluster.pidOf(name);
  process.kill(pid, 'SIGKILL');
  // New connections are served by the others while it is away: nobody is refused.
  const fresh = new S3Session(cluster.ready, 'test', { attemptsMax: 1 });
  atEnd(t, () => fresh.close());
  equal((await fresh.get('page')).length, 1);
  await cluster.untilReplaced({ name, pid }, 15_000);
  await cluster.untilRunning(name);
});

async function gatewayOf(session: S3Session): Promise<string> {
  let id = '';
  session.client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers: Record<string, string> };
      id = headers['x-amz-id-2'] ?? '';
      return result;
    },
    { step: 'deserialize', name: 'gateway', override: true },
  );
  await session.get('page');
  return id;
}

function policyOf(effect: 'Allow' | 'Deny'): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: effect,
        Principal: '*',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::test/*',
      },
    ],
  });
}
