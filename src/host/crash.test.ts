import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PgId } from '../base/ids.ts';
import { PgFault } from '../base/pg-fault.ts';
import { type CrashSite, crash, crashExitCode, leftOutOf, letIn } from './crash.ts';

const pg = '2.1.4' as PgId;

function siteIn(folder: string, exits: number[] = []): CrashSite {
  return {
    folder,
    daemon: 'osd.3',
    log: { write: () => {} },
    exit: (code) => exits.push(code),
  };
}

test('a group by which a daemon crashes three times in a row is left out', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const exits: number[] = [];
  const site = siteIn(folder, exits);
  const crashAt = (sequence: number, livedMs: number): void =>
    crash(site, `link of ${pg}`, new PgFault(pg, new Error(`entry ${sequence} is bad`)), livedMs);
  crashAt(17, 1000);
  crashAt(18, 1000);
  // It lived for long: the row begins anew.
  crashAt(19, 3_600_000);
  crashAt(20, 1000);
  deepEqual([...leftOutOf(folder, 'osd.3')], []);
  crashAt(21, 1000);
  deepEqual([...leftOutOf(folder, 'osd.3').keys()], [pg]);
  match(
    leftOutOf(folder, 'osd.3').get(pg) ?? '',
    /3 times in a row \(entry 21 is bad\).*let-in 2\.1\.4 osd\.3/,
  );
  deepEqual([...leftOutOf(folder, 'osd.4')], []);
  deepEqual(
    exits,
    [1, 2, 3, 4, 5].map(() => crashExitCode),
  );
  const report = JSON.parse(readFileSync(join(folder, 'osd.3.json'), 'utf8'));
  equal(report.pg, pg);
  equal(report.times, 3);
  match(report.stack, /PgFault.*caused by Error: entry 21/s);
  equal(letIn(folder, 'osd.3', '2.1.5' as PgId), false);
  equal(letIn(folder, 'osd.3', pg), true);
  deepEqual([...leftOutOf(folder, 'osd.3')], []);
  crashAt(22, 1000);
  deepEqual([...leftOutOf(folder, 'osd.3').keys()], [pg]);
});

test('crashes by different groups, and by none, leave nothing out', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const site = siteIn(folder);
  for (const each of ['2.1.4', '2.1.5', '2.1.4', '2.1.5', '2.1.4'])
    crash(site, 'link', new PgFault(each as PgId, new Error('bad')), 1000);
  for (let times = 0; times < 5; times++) crash(site, 'beacon', new Error('bad'), 1000);
  deepEqual([...leftOutOf(folder, 'osd.3')], []);
});
