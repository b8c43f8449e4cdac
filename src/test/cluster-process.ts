// The real program, started as a user starts it, for system tests, the demo and the benchmark. What it
// tells of the cluster comes from the admin API and from /proc, never from inside.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DaemonState } from '../admin/control.ts';
import type { Health, OsdView, PgView, Status } from '../admin/views.ts';

export const program = join(dirname(fileURLToPath(import.meta.url)), '..', 'bin', 'holdfast.js');

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

export interface Daemon {
  /** `osd.3`, `mon.0`, `s3.0`. */
  readonly name: string;
  readonly pid: number;
}

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest wait for a cluster to start, and for any state that a test waits for. */
const startMs = 60_000;

/** A stop promises five seconds; a test must end all the same. */
const stopMs = 15_000;

/** Runs `holdfast …` to its end, or kills it at the limit. */
export function runHoldfast(args: readonly string[], limitMs = startMs): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

export class ClusterProcess {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** From the spawn to the ready line, in milliseconds. */
  readonly startedMs: number;
  readonly #token: string;

  private constructor(child: ChildProcess, ready: Ready, startedMs: number) {
    this.child = child;
    this.ready = ready;
    this.startedMs = startedMs;
    this.#token = readFileSync(join(ready.data, 'keys', 'admin-token'), 'utf8').trim();
    // Whoever started it is gone for whatever reason: the daemons notice and stop as well.
    process.once('exit', () => child.kill('SIGKILL'));
  }

  /** Throws with what it printed when it does not become ready. */
  static async start(data: string, args: readonly string[] = []): Promise<ClusterProcess> {
    const begun = performance.now();
    const ports = ['--s3', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const child = spawn(
      process.execPath,
      [program, 'up', '--data', data, ...ports, '--json', ...args],
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

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Stops the cluster as Ctrl-C does; kills it when it does not end. Resolves with the time taken. */
  async stop(): Promise<number> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return 0;
    const begun = performance.now();
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(timer);
    return performance.now() - begun;
  }

  /** kill -9 of one daemon; resolves when the process is gone. */
  async kill(name: string): Promise<void> {
    const pid = await this.pidOf(name);
    process.kill(pid, 'SIGKILL');
    await untilGone([pid]);
  }

  /** kill -9 of the supervisor and every daemon at once; resolves when all are gone. */
  async killAll(): Promise<void> {
    const pids = [this.pid, ...(await this.daemons()).map(({ pid }) => pid)];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await untilGone(pids);
  }

  /** Runs `holdfast …` on this cluster; throws with what it printed when it fails. */
  async command(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`holdfast ${args.join(' ')}: exit ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** The same, whatever comes of it. */
  run(...args: string[]): Promise<Ended> {
    return runHoldfast([...args, '--data', this.ready.data], 300_000);
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.ready.admin}${path}`, {
      headers: { authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(15_000),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  status(): Promise<Status> {
    return this.#get<Status>('/v1/status');
  }

  health(): Promise<Health> {
    return this.#get<Health>('/v1/health');
  }

  async pgs(): Promise<readonly PgView[]> {
    return (await this.#get<{ pgs: PgView[] }>('/v1/pgs')).pgs;
  }

  async osds(): Promise<readonly OsdView[]> {
    return (await this.#get<{ osds: OsdView[] }>('/v1/osds')).osds;
  }

  /** Waits for a state of the cluster, looked at four times a second. */
  async until(
    what: string,
    condition: (status: Status) => boolean,
    limitMs = startMs,
  ): Promise<Status> {
    const deadline = performance.now() + limitMs;
    let last: Status | undefined;
    for (;;) {
      // The monitor may be one of those that are just being killed.
      last = (await this.status().catch(() => undefined)) ?? last;
      if (last !== undefined && condition(last)) return last;
      if (performance.now() > deadline) break;
      await delay(250);
    }
    throw new Error(
      `not within ${limitMs} ms: ${what}: ${JSON.stringify(last?.health)} ${JSON.stringify(last?.pgs)}`,
    );
  }

  async untilClean(limitMs = 120_000): Promise<void> {
    await this.until(
      'every PG active+clean, and every OSD up',
      ({ pgs, osds }) => pgs.clean === pgs.total && osds.up === osds.total,
      limitMs,
    );
  }

  async daemonStates(): Promise<readonly DaemonState[]> {
    return (await this.#get<{ daemons: readonly DaemonState[] }>('/v1/daemons')).daemons;
  }

  /** Every daemon that runs now, with its pid, as the supervisor knows them. */
  async daemons(): Promise<readonly Daemon[]> {
    const daemons = await this.daemonStates();
    return daemons.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  }

  async pidOf(name: string): Promise<number> {
    const found = (await this.daemons()).find((each) => each.name === name);
    if (found === undefined) throw new Error(`no daemon ${name}`);
    return found.pid;
  }

  /** Waits until the daemon has started and serves. */
  async untilRunning(name: string, limitMs = startMs): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const daemons = await this.daemonStates().catch(() => []);
      if (daemons.some((each) => each.name === name && each.state === 'running')) return;
      if (performance.now() > deadline) throw new Error(`${name} does not run`);
      await delay(50);
    }
  }

  /** Waits until a daemon that was killed runs as another process. */
  async untilReplaced({ name, pid }: Daemon, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const now = await this.pidOf(name).catch(() => pid);
      if (now !== pid) return;
      if (performance.now() > deadline) throw new Error(`${name} was not started again`);
      await delay(50);
    }
  }
}

/** Whether a process runs. One that ended and was not waited for does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

export async function untilGone(pids: readonly number[], limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (pids.some(isRunning)) {
    if (performance.now() > deadline)
      throw new Error(`still running: ${pids.filter(isRunning).join(' ')}`);
    await delay(10);
  }
}

export interface Memory {
  readonly peakBytes: number;
  readonly anonymousBytes: number;
}

/** Peak resident and present anonymous memory of a process, from /proc; undefined when it is gone. */
export function memoryOf(pid: number): Memory | undefined {
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
