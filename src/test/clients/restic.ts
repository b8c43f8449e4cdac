// restic: backups of a tree that changes, by minio's client library; it keeps a digest of every pack.

import { equal, match } from 'node:assert/strict';
import { appendFileSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Ready } from '../cluster-process.ts';
import { bytesOf } from '../s3-session.ts';
import { awsEnvironment, ClientProgram } from './client-program.ts';
import { expectSameTree, writeTree } from './tree.ts';

interface Snapshot {
  readonly short_id: string;
}

export async function restic(t: TestContext, ready: Ready): Promise<void> {
  const program = new ClientProgram(t, '/usr/bin/restic', 'restic', {
    ...awsEnvironment(ready),
    RESTIC_REPOSITORY: `s3:${ready.s3}/restic/repository`,
    RESTIC_PASSWORD: 'a password of the test',
  });
  const run = (...args: string[]): Promise<string> => program.succeed(...args);
  const file = (name: string): string => join(program.folder, name);
  const snapshots = async (): Promise<readonly Snapshot[]> =>
    JSON.parse(await run('snapshots', '--json')) as Snapshot[];
  const restored = async (snapshot: string, name: string): Promise<void> => {
    await run('restore', snapshot, '--target', file(name), '--verify');
    await expectSameTree(t, file(`kept-${name}`), join(file(name), file('in')));
  };
  writeTree(file('in'), 60);

  await t.test('three backups of a tree that changes', async () => {
    await run('init');
    await run('backup', file('in'));
    cpSync(file('in'), file('kept-first'), { recursive: true });
    rmSync(file('in/many/1'), { recursive: true });
    writeFileSync(file('in/second'), bytesOf('second', 9_000_000));
    await run('backup', file('in'));
    appendFileSync(file('in/large'), 'more');
    await run('backup', file('in'));
    cpSync(file('in'), file('kept-last'), { recursive: true });
    equal((await snapshots()).length, 3);
  });

  await t.test('the first restored', async () => {
    const [first] = await snapshots();
    await restored(first?.short_id ?? '', 'first');
  });

  await t.test('all but the last forgotten and pruned', async () => {
    await run('forget', '--keep-last', '1');
    equal((await snapshots()).length, 1);
    match(await run('prune', '--max-unused', '0'), /done/);
  });

  await t.test('every byte checked, and the last restored', async () => {
    match(await run('check', '--read-data'), /no errors were found/);
    await restored('latest', 'last');
  });
}
