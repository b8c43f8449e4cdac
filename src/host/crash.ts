// The end of a process that found itself wrong: the reason goes to the log and to DATA/crash/, which
// `holdfast health` reads, and the process stops with its own exit code.
//
// A placement group by which the same daemon crashes the same way three times in a row is written into
// DATA/crash/DAEMON.left-out.json, and not started any more until `holdfast pg let-in` takes it out of there (promise P5).

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PgId } from '../base/ids.ts';
import { isPgId } from '../base/ids.ts';
import { PgFault } from '../base/pg-fault.ts';
import type { Log } from '../env/log.ts';

/** EX_SOFTWARE of sysexits.h. */
export const crashExitCode = 70;

/** So many times in a row. */
const leftOutAfter = 3;

/** A daemon that lived longer than this did not crash in a row with the time before. */
const inARowMs = 10 * 60 * 1000;

export interface CrashSite {
  /** `DATA/crash`. */
  readonly folder: string;
  /** `ROLE.ID`. */
  readonly daemon: string;
  readonly log: Log;
  /** Ends the process; replaced in tests. */
  readonly exit: (code: number) => void;
}

export interface CrashReport {
  readonly at: string;
  readonly daemon: string;
  readonly pid: number;
  /** The task that failed, or where else the error came from. */
  readonly task: string;
  readonly message: string;
  readonly stack: string;
  /** In whose work it was, where that is known. */
  readonly pg?: string | undefined;
  /** How often in a row, this time included. */
  readonly times?: number;
}

export function crash(site: CrashSite, task: string, error: unknown, livedMs?: number): void {
  const message = error instanceof Error ? error.message : String(error);
  const report: CrashReport = {
    at: new Date().toISOString(),
    daemon: site.daemon,
    pid: process.pid,
    task,
    message,
    stack: describeStack(error),
    pg: error instanceof PgFault ? error.pg : undefined,
  };
  site.log.write('error', 'daemon stops on a defect', { task, message, stack: report.stack });
  try {
    mkdirSync(site.folder, { recursive: true, mode: 0o700 });
    keepReport(site, report, livedMs ?? process.uptime() * 1000);
  } catch {
    // A full disk: the log line is all there is.
  }
  site.exit(crashExitCode);
}

function keepReport({ folder, daemon }: CrashSite, report: CrashReport, livedMs: number): void {
  const path = join(folder, `${daemon}.json`);
  const last = readJson(path) as Partial<CrashReport> | undefined;
  const isAgain =
    last !== undefined && livedMs < inARowMs && signatureOf(last) === signatureOf(report);
  const times = (isAgain ? (last.times ?? 1) : 0) + 1;
  writeJson(path, { ...report, times });
  const { pg } = report;
  if (pg === undefined || times < leftOutAfter) return;
  const reason = `left out because ${daemon} crashed by it ${times} times in a row (${report.message}); what happened stands in ${path}. To let it in again: holdfast pg let-in ${pg} ${daemon}`;
  writeJson(leftOutPath(folder, daemon), {
    ...Object.fromEntries(leftOutOf(folder, daemon)),
    [pg]: reason,
  });
}

/** The same crash has the same words but for numbers. */
function signatureOf({ pg, task, message }: Partial<CrashReport>): string {
  return `${pg} ${task} ${message}`.replace(/\d+/g, '#') + pg;
}

/** What is not to be started, and why, in words for health. */
export function leftOutOf(folder: string, daemon: string): ReadonlyMap<PgId, string> {
  const found = readJson(leftOutPath(folder, daemon));
  const leftOut = new Map<PgId, string>();
  if (typeof found !== 'object' || found === null) return leftOut;
  for (const [pg, reason] of Object.entries(found)) if (isPgId(pg)) leftOut.set(pg, String(reason));
  return leftOut;
}

/** The next start has the group again; false: it was not left out. One more crash of that kind leaves it out again. */
export function letIn(folder: string, daemon: string, pg: PgId): boolean {
  const left = new Map(leftOutOf(folder, daemon));
  if (!left.delete(pg)) return false;
  writeJson(leftOutPath(folder, daemon), Object.fromEntries(left));
  return true;
}

export const leftOutSuffix = '.left-out.json';

function leftOutPath(folder: string, daemon: string): string {
  return join(folder, `${daemon}${leftOutSuffix}`);
}

/** Undefined where there is none, or none that can be read: then nothing is known of the time before. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Errors that nobody caught end the process the same way. */
export function crashOnUncaught(site: CrashSite): void {
  process.on('uncaughtException', (error) => crash(site, 'uncaught exception', error));
  process.on('unhandledRejection', (error) => crash(site, 'unhandled rejection', error));
}

function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const own = error.stack ?? '';
  return error.cause === undefined ? own : `${own}\ncaused by ${describeStack(error.cause)}`;
}
