import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { formatPgId, type PoolId, type Uuid } from '../base/ids.ts';
import type { PgRecord } from '../map/pg-record.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type Belief, Beliefs } from './beliefs.ts';

const pg = formatPgId(1 as PoolId, 1, 0);

function recordOf(tenure: number): PgRecord {
  const primary = '1'.repeat(32) as Uuid;
  return { pg, tenure, version: tenure, primary, nonce: '', slots: [], target: [] };
}

const headAt = (sequence: number) => () => ({ tenure: 1, sequence });

/** A disk whose commits end when they are told to. */
function begin() {
  const commits: { resolve(): void; reject(error: Error): void }[] = [];
  const commit = (): Promise<void> =>
    new Promise((resolve, reject) => {
      commits.push({ resolve, reject });
    });
  return { beliefs: new Beliefs({ commit } as unknown as ObjectStore, 'osd'), commits };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who says the same again waits until the first word is durable, or writes it after a failure', async () => {
  const { beliefs, commits } = begin();
  const done: string[] = [];
  const first = beliefs.note(recordOf(2), headAt(5));
  void beliefs.note(recordOf(2), headAt(6)).then(() => done.push('second'));
  await settled();
  deepEqual([done, commits.length, beliefs.of(pg)], [[], 1, undefined]);
  commits[0]?.reject(new Error('no room'));
  await rejects(first, /no room/);
  await settled();
  deepEqual([done, commits.length, beliefs.of(pg)], [[], 2, undefined]);
  commits[1]?.resolve();
  await settled();
  deepEqual([done, beliefs.of(pg)?.head.sequence], [['second'], 6]);
});

test('a word that came while an earlier one was judged is not forgotten with it', async () => {
  const { beliefs, commits } = begin();
  const noted = beliefs.note(recordOf(2), headAt(5));
  await settled();
  commits[0]?.resolve();
  await noted;
  const judged = beliefs.of(pg) as Belief;
  const next = beliefs.note(recordOf(3), headAt(9));
  const forgotten = beliefs.forget(judged);
  await settled();
  commits[1]?.resolve();
  await Promise.all([next, forgotten]);
  const { record, head } = beliefs.of(pg) as Belief;
  deepEqual(
    [record.tenure, head.sequence],
    [3, 5],
    'what came by the first counts from where it did',
  );
  const end = beliefs.forget(beliefs.of(pg) as Belief);
  await settled();
  commits[2]?.resolve();
  await end;
  equal(beliefs.of(pg), undefined);
});
