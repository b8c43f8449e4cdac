// What is kept of a story as it is played: a row at each turn of it, and samples in between for its picture.

import type { ClientCounts } from './clients.ts';
import type { Rules } from './rules.ts';
import { inGibibytes, scaleWords } from './scale.ts';

/** The cluster as somebody who walks around would find it. */
export interface Sight {
  readonly osdsUp: number;
  readonly pgsServing: number;
  /** How many there are; interim layouts bring their own. */
  readonly pgs: number;
  /** Control planes that run. */
  readonly controlled: boolean;
}

export interface Row extends Sight, ClientCounts {
  readonly atMs: number;
  /** A step of the story: the same by either rules where the operator or the load does it. */
  readonly what: string;
  /** What came of it; how much differs with every change of the product. */
  readonly outcome: string;
  readonly memoryBytesMost: number;
}

export interface Sample extends Sight {
  readonly atMs: number;
  readonly served: number;
  readonly failed: number;
  /** Of the machine that used most. */
  readonly memoryBytes: number;
}

export interface Verdict {
  readonly objects: number;
  readonly objectsLost: number;
  readonly pgsLost: number;
  readonly oomKills: number;
  readonly controlPlanesLost: number;
  readonly crashes: number;
  /** Seconds in which clients asked and nobody was served. */
  readonly unservedSeconds: number;
  readonly storageHalted: boolean;
  readonly served: number;
  readonly failed: number;
  readonly waitedMsMost: number;
  /** What the checkers found: wrong bytes, a broken invariant, a map that was believed. */
  readonly problems: readonly string[];
}

export interface Story {
  readonly rules: Rules;
  readonly osds: number;
  readonly machineMemoryBytes: number;
  readonly rows: readonly Row[];
  readonly samples: readonly Sample[];
  readonly verdict: Verdict;
}

const columns = [
  'time',
  'what happened',
  'served',
  'failed',
  'p99',
  'longest',
  'OSDs up',
  'PGs served',
  'memory',
] as const;

export function cellsOf(story: Story, row: Row): readonly string[] {
  return [
    formatTime(row.atMs),
    row.outcome === '' ? row.what : `${row.what}: ${row.outcome}`,
    String(row.served),
    String(row.failed),
    formatSeconds(row.p99Ms),
    formatSeconds(row.waitedMsMost),
    `${row.osdsUp}/${story.osds}${row.controlled ? '' : ', no control'}`,
    `${row.pgsServing}/${row.pgs}`,
    inGibibytes(row.memoryBytesMost),
  ];
}

export function formatTime(atMs: number): string {
  const seconds = Math.floor(atMs / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function verdictWords({ verdict }: Story): string {
  const { objects, objectsLost, pgsLost, oomKills, controlPlanesLost, crashes } = verdict;
  return [
    `${objectsLost} of ${objects} objects and pieces lost, ${pgsLost} placement groups marked lost`,
    `${oomKills} OOM kills, ${controlPlanesLost} control planes among them; ${crashes} crashes`,
    `clients: ${verdict.served} operations served, ${verdict.failed} failed, ${verdict.unservedSeconds} s in which nobody was served, the longest wait ${formatSeconds(verdict.waitedMsMost)}`,
    verdict.storageHalted ? 'all storage halted' : 'served to the end',
  ].join('\n');
}

/** As it is printed. */
export function formatStory(story: Story): string {
  const table = [columns, ...story.rows.map((row) => cellsOf(story, row))];
  const widths = columns.map((_, at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0)));
  const lines = table.map((cells) =>
    cells
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return at < 2 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return [
    `the post-mortem by ${story.rules === 'ceph' ? "Ceph's" : "Holdfast's"} rules (${scaleWords})`,
    '',
    ...lines,
    '',
    verdictWords(story),
  ].join('\n');
}

/** For documents. */
export function markdownOf(story: Story): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    line(columns),
    line(columns.map((_, at) => (at < 2 ? '---' : '---:'))),
    ...story.rows.map((row) => line(cellsOf(story, row))),
  ].join('\n');
}

/** What did not come out as it has to by these rules; undefined: all did. */
export function verdictFault({ rules, rows, verdict }: Story): string | undefined {
  const wrong: string[] = [];
  const expect = (isTrue: boolean, what: string): void => {
    if (!isTrue) wrong.push(what);
  };
  expect(verdict.problems.length === 0, verdict.problems.slice(0, 10).join('; '));
  if (rules === 'holdfast') {
    expect(verdict.objectsLost === 0, `${verdict.objectsLost} objects lost`);
    expect(verdict.pgsLost === 0, `${verdict.pgsLost} placement groups lost`);
    expect(verdict.oomKills === 0, `${verdict.oomKills} OOM kills`);
    expect(verdict.crashes === 0, `${verdict.crashes} crashes`);
    expect(!verdict.storageHalted, 'storage halted');
    expect(verdict.failed * 100 < verdict.served, `${verdict.failed} operations failed`);
    expect(
      rows.every(({ served, atMs }, at) => served > 0 || atMs - (rows[at - 1]?.atMs ?? 0) < 5000),
      'a part of the story in which nobody was served',
    );
  } else {
    expect(verdict.objectsLost > 0, 'no object lost');
    expect(verdict.oomKills > 0, 'no OOM kill');
    expect(verdict.storageHalted, 'storage did not halt');
  }
  return wrong.length === 0 ? undefined : wrong.join('; ');
}

/** Where a story is not told as it was recorded; undefined: the same steps in the same order. */
export function stepsFault(recorded: Story, story: Story): string | undefined {
  const before = recorded.rows.map(({ what }) => what);
  const now = story.rows.map(({ what }) => what);
  const at = before.findIndex((what, index) => what !== now[index]);
  if (at < 0 && before.length === now.length) return undefined;
  const place = at < 0 ? before.length : at;
  return `step ${place + 1} was recorded as '${before[place]}' and is '${now[place]}': npm run sim:story -- --renew records it anew`;
}
