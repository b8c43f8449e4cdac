// The real program, started as a user starts it, for system tests, the demo and the benchmark.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { PgView, Status } from '../admin/views.ts';

const program = join(dirname(fileURLToPath(import.meta.url)), '..', 'bin', 'holdfast.js');

export interface Ready {
  readonly s3: string;
  readonly admin: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly data: string;
  readonly osds: readonly {
    readonly id: number;
    readonly pid: number;
    readonly host: string;
    readonly dir: string;
  }[];
}

/** Longest wait for a cluster to start, and for any state that a test waits for. */
const startMs = 60_000;

export class ClusterProcess {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** From the spawn to the ready line, in milliseconds. */
  readonly startedMs: number;

  private constructor(child: ChildProcess, ready: Ready, startedMs: number) {
    this.child = child;
    this.ready = ready;
    this.startedMs = startedMs;
  }

  static async start(data: string, args: readonly string[] = []): Promise<ClusterProcess> {
    const begun = performance.now();
    const child = spawn(
      process.execPath,
      [
        program,
        'up',
        '--data',
        data,
        '--s3',
        '127.0.0.1:0',
        '--admin',
        '127.0.0.1:0',
        '--json',
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let errors = '';
    child.stderr.on('data', (bytes) => {
      errors = (errors + bytes).slice(-20_000);
    });
    const line = await new Promise<string>((resolve, reject) => {
      let text = '';
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`no ready line in ${startMs} ms: ${text} ${errors}`));
      }, startMs);
      child.stdout.on('data', (bytes) => {
        text += bytes;
        if (!text.includes('\n')) return;
        clearTimeout(timer);
        resolve(text.slice(0, text.indexOf('\n')));
      });
      child.on('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`holdfast up ended with ${code}: ${errors}`));
      });
    });
    return new ClusterProcess(child, JSON.parse(line) as Ready, performance.now() - begun);
  }

  /** Stops the cluster as Ctrl-C does; kills it when it does not end in 10 s. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  /** Runs `holdfast …`; throws with what it printed when it fails. */
  command(...args: string[]): Promise<string> {
    const all = [program, ...args, '--admin', this.ready.admin, '--data', this.ready.data];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      let errors = '';
      child.stdout.on('data', (bytes) => {
        out += bytes;
      });
      child.stderr.on('data', (bytes) => {
        errors += bytes;
      });
      child.on('exit', (code) =>
        code === 0
          ? resolve(out)
          : reject(new Error(`holdfast ${args.join(' ')}: exit ${code}: ${out}${errors}`)),
      );
    });
  }

  async #get<T>(path: string): Promise<T> {
    const token = readFileSync(join(this.ready.data, 'keys', 'admin.token'), 'utf8').trim();
    const answer = await fetch(`${this.ready.admin}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async status(): Promise<Status> {
    return this.#get<Status>('/api/status');
  }

  async pgs(): Promise<readonly PgView[]> {
    return this.#get<readonly PgView[]>('/api/pgs');
  }

  /** Waits for a state of the cluster, looked at four times a second. */
  async until(
    what: string,
    condition: (status: Status) => boolean,
    limitMs = startMs,
  ): Promise<void> {
    const deadline = performance.now() + limitMs;
    let last: Status | undefined;
    while (performance.now() < deadline) {
      last = await this.status();
      if (condition(last)) return;
      await delay(250);
    }
    throw new Error(
      `not within ${limitMs} ms: ${what}: ${JSON.stringify(last?.health)} ${JSON.stringify(last?.pgs)}`,
    );
  }

  untilClean(limitMs = 120_000): Promise<void> {
    return this.until(
      'every PG active+clean',
      (status) => status.pgs.clean === status.pgs.total && status.pgs.serving === status.pgs.total,
      limitMs,
    );
  }

  /** Every daemon with its pid, as the supervisor knows them now. */
  async daemons(): Promise<readonly { readonly name: string; readonly pid: number }[]> {
    return this.#get<{ name: string; pid: number }[]>('/api/daemons');
  }

  async pidOf(name: string): Promise<number> {
    const found = (await this.daemons()).find((each) => each.name === name);
    if (found === undefined) throw new Error(`no daemon ${name}`);
    return found.pid;
  }
}

/** Peak and present resident memory of a process, in bytes, from /proc; undefined when it is gone. */
export function memoryOf(
  pid: number,
): { readonly peakBytes: number; readonly anonymousBytes: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return { peakBytes: field('VmHWM'), anonymousBytes: field('RssAnon') };
  } catch {
    return undefined;
  }
}

/** CPU seconds a process has used. */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
