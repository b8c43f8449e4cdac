// A disk whose own files are damaged keeps its OSD down, with the reason in health; the rest serves. A
// disk of another cluster is left as it is.

import { deepEqual, equal, match } from 'node:assert/strict';
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
  const cluster = await startCluster(t, [], data);
  const session = await openBucket(t, cluster);
  for (const key of keys) await session.put(key, bytesOf(key, sizeOf(key)));
  for (const [id, damage] of damages.entries())
    await t.test(damage.what, async () => {
      const disk = join(data, `osd.${id}`);
      await cluster.command('osd', 'stop', String(id));
      await cluster.until(`osd.${id} is down`, ({ osds }) => osds.up === 4, 15_000);
      const sound = join(folder, 'sound');
      cpSync(disk, sound, { recursive: true });
      damage.apply(disk);
      const damaged = digestsIn(disk);
      await cluster.command('osd', 'start', String(id));
      await checkFailed(cluster, id, damage.reason);
      await serves(cluster, `written with ${damage.what}`);
      deepEqual(digestsIn(disk), damaged, 'its files are as they were');
      rmSync(disk, { recursive: true });
      renameSync(sound, disk);
      await cluster.command('osd', 'start', String(id), '--wait', '--timeout', '60');
      deepEqual((await cluster.health()).checks, []);
    });
  await t.test('the cluster starts with a disk that can’t be read', async (t) => {
    await cluster.stop();
    damages[0]?.apply(join(data, 'osd.4'));
    const again = await startCluster(t, [], data);
    await checkFailed(again, 4, /superblock/);
    await serves(again, 'written after the start');
  });
});

async function checkFailed(cluster: ClusterProcess, id: number, reason: RegExp): Promise<void> {
  const { detail } = await untilFailed(cluster, id);
  match(detail.join('\n'), reason);
  match(detail.join('\n'), new RegExp(`osd\\.${id}\\b`));
  equal((await cluster.osds()).find((osd) => osd.id === id)?.up, false);
}

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

/** Of the files that are Holdfast's own; the key-value store writes its log when it is only opened. */
function digestsIn(disk: string): ReadonlyMap<string, string> {
  return new Map(
    readdirSync(disk, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, sha256(readFileSync(join(disk, name)))]),
  );
}
