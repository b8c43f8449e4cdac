// One `holdfast up` a data directory. The lock names its holder by pid and start time, since pids come
// again; a lock whose holder is gone is taken over. It also lists the daemons, so that the next start
// can wait for those that a killed supervisor left behind.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../host/system-errors.ts';
import { lockName } from './data-dir.ts';
import { CliError, wordsOf } from './errors.ts';

interface Holder {
  readonly pid: number;
  /** In clock ticks since boot (/proc/PID/stat); 0 where the system does not say. */
  readonly startedTicks: number;
}

export interface LockContent extends Holder {
  readonly startedAt: string;
  /** Of the admin API, once it listens. */
  readonly admin: string | undefined;
  readonly daemons: readonly Holder[];
}

/** Orphans notice within a moment that their supervisor is gone, and then close their stores. */
const orphansMs = 6000;

export class DataLock {
  readonly #path: string;
  #content: LockContent;

  private constructor(path: string, content: LockContent) {
    this.#path = path;
    this.#content = content;
  }

  /** Throws `CliError` naming the holder. Makes the directory. */
  static async acquire(dataDir: string): Promise<DataLock> {
    makeFolder(dataDir);
    const path = join(dataDir, lockName);
    const content: LockContent = {
      ...holderOf(process.pid),
      startedAt: new Date().toISOString(),
      admin: undefined,
      daemons: [],
    };
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        writeFileSync(path, JSON.stringify(content), { flag: 'wx', mode: 0o600 });
        return new DataLock(path, content);
      } catch (error) {
        if (systemCode(error) !== 'EEXIST')
          throw new CliError(1, `${dataDir} can't be locked: ${String(error)}`, { cause: error });
      }
      await takeAway(path, dataDir);
    }
    throw new CliError(1, `${dataDir} is being started by several others at this moment`);
  }

  /** Rewrites it in place: the name must never be missing while it is held. */
  update(change: { readonly admin?: string; readonly pids?: readonly number[] }): void {
    this.#content = {
      ...this.#content,
      ...(change.admin === undefined ? {} : { admin: change.admin }),
      ...(change.pids === undefined ? {} : { daemons: change.pids.map(holderOf) }),
    };
    const temporary = `${this.#path}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(this.#content), { mode: 0o600 });
    renameSync(temporary, this.#path);
  }

  release(): void {
    rmSync(this.#path, { force: true });
  }
}

/** Folder by folder: Node's recursive form never ends where the system answers that a parent is missing. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST')
      throw new CliError(1, `${path} can't be made: ${wordsOf(error)}`, { cause: error });
  }
}

/** Undefined when nobody holds it now. */
export function readLock(dataDir: string): LockContent | undefined {
  const content = readContent(join(dataDir, lockName));
  return content !== undefined && isAlive(content) ? content : undefined;
}

async function takeAway(path: string, dataDir: string): Promise<void> {
  const found = readContent(path);
  if (found !== undefined && isAlive(found))
    throw new CliError(
      1,
      `${dataDir} is held by \`holdfast up\` with pid ${found.pid} since ${found.startedAt}${found.admin === undefined ? '' : `; its admin API is at ${found.admin}`}`,
    );
  const deadline = Date.now() + orphansMs;
  for (const daemon of found?.daemons ?? [])
    while (isAlive(daemon)) {
      if (Date.now() > deadline)
        throw new CliError(
          1,
          `${dataDir}: a daemon of an earlier start still runs with pid ${daemon.pid}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  // Moved before it is removed: of two who take over at once, only one finds it.
  const mine = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, mine);
    rmSync(mine, { force: true });
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

function readContent(path: string): LockContent | undefined {
  try {
    const parsed = JSON.parse(readFileSync(path, 'utf8'));
    return typeof parsed.pid === 'number' ? { daemons: [], startedTicks: 0, ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

function holderOf(pid: number): Holder {
  return { pid, startedTicks: startedTicksOf(pid) ?? 0 };
}

function isAlive({ pid, startedTicks }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return false;
  }
  const now = startedTicksOf(pid);
  return now === undefined || startedTicks === 0 || now === startedTicks;
}

/** Undefined when there is no such process, or no /proc. A dead one that nobody waited for counts as gone. */
function startedTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? -1 : Number(fields[19]);
  } catch {
    return undefined;
  }
}
