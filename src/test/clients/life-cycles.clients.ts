// Whole life cycles of other people's clients, each with its own verification, on one cluster that loses one OSD
// after another to SIGKILL while they run. None is told to try again more than it does by itself, and those that can
// be are told not to: what a client must not see, the gateway waits out.
//
// Two programs run at a time, since most of their time is their own start. Each has a user of its own, so that it
// lists its own buckets only.

import { deepEqual, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ClusterProcess, Ready } from '../cluster-process.ts';
import { OsdKiller } from '../osd-killer.ts';
import { startCluster } from '../test-cluster.ts';
import { awsCli } from './aws-cli.ts';
import { awsSdk } from './aws-sdk.ts';
import { boto3 } from './boto3.ts';
import { rcloneProgram } from './rclone.ts';
import { restic } from './restic.ts';
import { s3cmd } from './s3cmd.ts';
import { s3fs } from './s3fs.ts';

interface LifeCycle {
  readonly name: string;
  readonly run: (t: TestContext, ready: Ready) => Promise<void>;
  /** As the cluster's first user, who may use IAM. */
  readonly asAdmin?: boolean;
}

/** About as long as each other. */
const lanes: readonly (readonly LifeCycle[])[] = [
  [
    { name: 'aws s3 and s3api', run: awsCli },
    { name: 's3fs', run: s3fs },
  ],
  [
    { name: 'the AWS SDK for JavaScript', run: awsSdk },
    { name: 'boto3', run: boto3, asAdmin: true },
    { name: 'rclone', run: rcloneProgram },
    { name: 's3cmd', run: s3cmd },
    { name: 'restic', run: restic },
  ],
];

test('clients of a cluster that loses one OSD after another', { concurrency: 2 }, async (t) => {
  const cluster = await startCluster(t);
  const killer = new OsdKiller(cluster);
  const begin = async ({ name, run, asAdmin }: LifeCycle, index: number): Promise<void> => {
    const ready = asAdmin === true ? cluster.ready : await withUser(cluster, `client-${index}`);
    await t.test(name, { concurrency: 1 }, async (inner) => {
      await killer.nextKill();
      const before = killer.kills.length;
      await run(inner, ready);
      inner.diagnostic(`${killer.kills.length - before + 1} OSDs killed`);
    });
  };
  await Promise.all(
    lanes.map(async (programs, lane) => {
      for (const [index, program] of programs.entries()) await begin(program, lane * 10 + index);
    }),
  );
  const kills = await killer.stop();
  deepEqual((await cluster.health()).checks, []);
  for (const { name, cleanAfterMs = 0 } of kills)
    t.diagnostic(`${name} killed, all clean after ${(cleanAfterMs / 1000).toFixed(1)} s`);
  for (const { id } of cluster.ready.osds)
    ok(
      kills.some(({ name }) => name === `osd.${id}`),
      `osd.${id} was killed while clients ran`,
    );
});

async function withUser(cluster: ClusterProcess, name: string): Promise<Ready> {
  const made = JSON.parse(await cluster.command('user', 'create', name, '--json')) as Ready;
  return { ...cluster.ready, accessKey: made.accessKey, secretKey: made.secretKey };
}
