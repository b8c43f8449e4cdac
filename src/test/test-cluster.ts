// Clusters and folders that live as long as a test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ClusterProcess } from './cluster-process.ts';
import { S3Session, type SessionOptions } from './s3-session.ts';

type Work = () => unknown;

const undoOf = new WeakMap<TestContext, Work[]>();

/** Runs when the test ends, the last given first: a cluster stops before its folder goes. */
export function atEnd(t: TestContext, work: Work): void {
  const known = undoOf.get(t);
  if (known !== undefined) {
    known.push(work);
    return;
  }
  const undo = [work];
  undoOf.set(t, undo);
  t.after(async () => {
    for (const each of undo.reverse()) await each();
  });
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** In a folder of its own unless one is given, and stopped when the test ends. */
export async function startCluster(
  t: TestContext,
  args: readonly string[] = [],
  data: string = join(temporaryFolder(t), 'data'),
): Promise<ClusterProcess> {
  const cluster = await ClusterProcess.start(data, args);
  atEnd(t, () => cluster.stop());
  return cluster;
}

/** A client with a bucket; by default one that sees every answer of the server. */
export async function openBucket(
  t: TestContext,
  { ready }: Pick<ClusterProcess, 'ready'>,
  options: SessionOptions = { attemptsMax: 1 },
  bucket = 'test',
): Promise<S3Session> {
  const session = new S3Session(ready, bucket, options);
  atEnd(t, () => session.close());
  await session.createBucket();
  return session;
}
