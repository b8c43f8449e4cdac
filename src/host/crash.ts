// The end of a process that found itself wrong: the reason goes to the log and to DATA/crash/, which
// `holdfast health` reads, and the process stops with its own exit code.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../env/log.ts';

/** EX_SOFTWARE of sysexits.h. */
export const crashExitCode = 70;

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
}

export function crash(site: CrashSite, task: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const report: CrashReport = {
    at: new Date().toISOString(),
    daemon: site.daemon,
    pid: process.pid,
    task,
    message,
    stack: describeStack(error),
  };
  site.log.write('error', 'daemon stops on a defect', { task, message, stack: report.stack });
  try {
    mkdirSync(site.folder, { recursive: true, mode: 0o700 });
    writeFileSync(
      join(site.folder, `${site.daemon}.json`),
      `${JSON.stringify(report, undefined, 2)}\n`,
    );
  } catch {
    // A full disk: the log line is all there is.
  }
  site.exit(crashExitCode);
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
