// A disk whose own files are damaged keeps its OSD down, with the reason in health; the rest serves. A
// disk of another cluster is left as it is.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HealthCheck } from '../admin/views.ts';
import type { ClusterProcess } from './cluster-process.ts';
import { bytesOf, S3Session, sha256 } from './s3-session.ts';
import { openBucket, startCluster, temporaryFolder } from './test-cluster.ts';

const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
const sizeOf = (key: string): number => (key.length % 2 === 0 ? 900 : 300_000);

interface Damage {
  readonly what: string;
  readonly apply: (folder: string) => void;
  readonly reason: RegExp;
}

const other = { folder: '' };

const damages: readonly Damage[] = [
  {
    what: 'both superblocks are garbage',
    apply: (folder) => {
      for (const name of ['superblock', 'superblock.copy'])
        writeFileSync(join(folder, name), bytesOf(name, 87));
    },
    reason: /superblock/,
  },
  {
    what: 'the key-value store’s files are garbage',
    apply: (folder) => {
      const meta = join(folder, 'meta');
      for (const name of readdirSync(meta)) {
        const path = join(meta, name);
        writeFileSync(path, bytesOf(name, readFileSync(path).length));
      }
    },
    reason: /meta|key-value|store/i,
  },
  {
    what: 'the key-value store’s list of files is gone',
    apply: (folder) => rmSync(join(folder, 'meta', 'CURRENT')),
    reason: /meta|key-value|store/i,
  },
  {
    what: 'it is the disk of another cluster',
    apply: (folder) => {
      rmSync(folder, { recursive: true });
      cpSync(other.folder, folder, { recursive: true });
    },
    reason: /belongs to cluster/,
  },
];

test('a damaged disk keeps its OSD down with the reason, and the rest serves', async (t) => {
  const folder = temporaryFolder(t);
  const stranger = await startCluster(t, ['--osds', '1'], join(folder, 'stranger'));
  await stranger.stop();
  other.folder = join(folder, 'stranger', 'osd.0');
  const data = join(folder, 'data');
  const first = await startCluster(t, [], data);
  const session = await openBucket(t, first);
  for (const key of keys) await session.put(key, bytesOf(key, sizeOf(key)));
  await first.stop();
  for (const [index, damage] of damages.entries())
    await t.test(damage.what, async (t) => {
      const id = index % 5;
      const disk = join(data, `osd.${id}`);
      const sound = join(folder, 'sound');
      cpSync(disk, sound, { recursive: true });
      damage.apply(disk);
      const damaged = new Map(namesBelow(disk).map((name) => [name, contentOf(disk, name)]));
      const cluster = await startCluster(t, [], data);
      const check = await untilFailed(cluster, id);
      match(check.detail.join('\n'), damage.reason);
      match(check.detail.join('\n'), new RegExp(`osd\\.${id}\\b`));
      await serves(cluster, `written with ${damage.what}`);
      equal((await cluster.osds()).find((osd) => osd.id === id)?.up, false);
      await cluster.stop();
      for (const [name, content] of damaged)
        if (name.startsWith('superblock') || name === 'block')
          equal(contentOf(disk, name), content, `${name} is as it was`);
      rmSync(disk, { recursive: true });
      renameSync(sound, disk);
    });
  await t.test('the disk’s return makes all of it clean again', async (t) => {
    const cluster = await startCluster(t, [], data);
    await cluster.untilClean(30_000);
    deepEqual((await cluster.health()).checks, []);
  });
});

async function untilFailed(cluster: ClusterProcess, id: number): Promise<HealthCheck> {
  const find = (checks: readonly HealthCheck[]): HealthCheck | undefined =>
    checks.find(
      ({ code, detail }) => code === 'DAEMON_FAILED' && detail.join().includes(`osd.${id}`),
    );
  const { health } = await cluster.until(
    `health says why osd.${id} does not run`,
    (status) => find(status.health.checks) !== undefined,
    15_000,
  );
  return find(health.checks) as HealthCheck;
}

async function serves(cluster: ClusterProcess, newKey: string): Promise<void> {
  const session = new S3Session(cluster.ready, 'test', { attemptsMax: 1 });
  for (const key of keys)
    equal(sha256(await session.get(key)), sha256(bytesOf(key, sizeOf(key))), key);
  await session.put(newKey, bytesOf(newKey, 200_000));
  equal(await session.digestOf(newKey), sha256(bytesOf(newKey, 200_000)));
  session.close();
}

function namesBelow(folder: string): string[] {
  const names = readdirSync(folder, { withFileTypes: true });
  ok(names.length > 0, `${folder} is not empty`);
  return names.filter((entry) => entry.isFile()).map(({ name }) => name);
}

function contentOf(folder: string, name: string): string {
  return sha256(readFileSync(join(folder, name)));
}
