// A daemon as its supervisor holds it: a process of its own, or a part of this one.

import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memoryShares } from '../base/memory-budget.ts';
import type { SiblingNews } from '../s3/siblings.ts';
import type {
  DaemonFailure,
  DaemonOptions,
  DaemonReport,
  MessageToDaemon,
  MessageToSupervisor,
} from './daemon-options.ts';
import { daemonName } from './daemon-options.ts';
import {
  type DaemonSurroundings,
  envOf,
  failureOf,
  type RunningDaemon,
  startDaemon,
} from './start-daemon.ts';

export type StartOutcome =
  | { readonly kind: 'started'; readonly report: DaemonReport }
  | { readonly kind: 'failed'; readonly failure: DaemonFailure };

export interface DaemonHandle {
  readonly pid: number;
  /** A daemon that ends before it started has failed. Never rejects. */
  readonly outcome: Promise<StartOutcome>;
  /** Resolves when it runs no more, with words how it ended. Never rejects. */
  readonly ended: Promise<string>;
  /** Tells a gateway what another one changed; resolves when it acts on it, has ended or hears nothing. Never rejects. */
  hear(news: SiblingNews): Promise<void>;
  stop(): void;
  kill(): void;
}

/** Starts a daemon; its options may still be on their way, so that the process starts meanwhile. */
export type Launch = (
  name: string,
  options: Promise<DaemonOptions>,
  ask: DaemonSurroundings['ask'],
) => DaemonHandle;

/**
 * How far the old generation grows between two full collections, in per cent of what survived the last.
 * V8 takes a tenth as enough for a heap that may be no larger than ours, and then collects ten megabytes three times a
 * second: a tenth of a busy OSD's time.
 */
const heapGrowingPercent = 200;

/** News that a gateway has not answered. */
const hearingMax = 1000;

const daemonFile = fileURLToPath(new URL('../bin/daemon.js', import.meta.url));

export function launchProcess(dataDir: string, memoryBudgetBytes: number): Launch {
  const { heapBytes, youngBytes } = memoryShares(memoryBudgetBytes);
  return (name, options, ask) => {
    mkdirSync(join(dataDir, 'log'), { recursive: true, mode: 0o700 });
    // What Node itself says when it dies of memory.
    const output = openSync(join(dataDir, 'log', `${name}.stderr`), 'a', 0o600);
    const child = forkDaemon(name, {
      stdio: ['ignore', output, output, 'ipc'],
      // The C library gives large buffers back when they are freed, and keeps few heaps of its own; by itself it
      // learns from large ones to keep them. Told so it would also give back the end of its heap with each free, to fault
      // it in again with the next request: it keeps 8 MiB. Other C libraries ignore this, and who sets it otherwise knows why.
      env: {
        MALLOC_MMAP_THRESHOLD_: '1048576',
        MALLOC_TRIM_THRESHOLD_: '8388608',
        MALLOC_ARENA_MAX: '2',
        ...process.env,
      },
      execArgv: [
        `--max-old-space-size=${Math.floor(heapBytes / 2 ** 20)}`,
        `--max-semi-space-size=${Math.floor(youngBytes / 2 ** 20)}`,
        `--heap-growing-percent=${heapGrowingPercent}`,
        // Heaps are small and daemons are many: helper threads cost more than they save.
        '--single-threaded-gc',
      ],
    });
    closeSync(output);
    const tell = (message: MessageToDaemon): void => {
      if (child.connected) child.send(message, () => undefined);
    };
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) =>
        resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`),
      );
    });
    const hearing = new Map<number, () => void>();
    let nextNews = 1;
    const outcome = new Promise<StartOutcome>((resolve) => {
      child.on('message', (message: MessageToSupervisor) => {
        switch (message.kind) {
          case 'started':
          case 'failed':
            resolve(message);
            return;
          case 'listens':
            options.then(
              (value) => tell({ kind: 'start', options: value }),
              () => child.kill('SIGKILL'),
            );
            return;
          case 'heard':
            hearing.get(message.id)?.();
            hearing.delete(message.id);
            return;
          case 'ask':
            ask(message.question).then(
              (answer) => tell({ kind: 'answer', id: message.id, answer }),
              (error: unknown) =>
                tell({
                  kind: 'answer',
                  id: message.id,
                  answer: { kind: 'refused', reason: String(error) },
                }),
            );
            return;
        }
      });
      ended
        .then((reason) => resolve({ kind: 'failed', failure: { reason, isPermanent: false } }))
        .catch(() => undefined);
    });
    return {
      pid: child.pid ?? 0,
      outcome,
      ended,
      hear: async (news) => {
        // Frozen: what it remembers is older than it may act on by the time it goes on.
        if (hearing.size >= hearingMax) return;
        const id = nextNews++;
        const heard = new Promise<void>((resolve) => {
          hearing.set(id, resolve);
        });
        tell({ kind: 'hear', id, news });
        await Promise.race([heard, ended]);
      },
      stop: () => child.kill('SIGTERM'),
      kill: () => child.kill('SIGKILL'),
    };
  };
}

interface DaemonFork extends ForkOptions {
  readonly stdio: ('ignore' | 'ipc' | number)[];
  readonly execArgv: string[];
}

/**
 * Gateways share one address: connections are accepted here and handed to them in turn (`node:cluster`), so that
 * a gateway that dies takes only its own connections with it, and one that starts again finds the address held.
 */
function forkDaemon(name: string, options: DaemonFork): ChildProcess {
  if (!name.startsWith('s3.')) return fork(daemonFile, [name], options);
  const { stdio, execArgv, env } = options;
  cluster.setupPrimary({ exec: daemonFile, args: [name], stdio, execArgv });
  return cluster.fork(env).process;
}

/** All daemons in this process: less memory and no isolation, for small machines and for debugging. */
export function launchHere(exit: (code: number) => void): Launch {
  return (_name, options, ask) => {
    let markEnded: (words: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => {
      markEnded = resolve;
    });
    let running: Promise<RunningDaemon> | undefined;
    const begin = async (): Promise<StartOutcome> => {
      const value = await options;
      // What each takes of the one process can't be told apart: the bounds of the parts have to do.
      const env = { ...envOf(value, exit), memory: { usedBytes: () => 0, collect: () => {} } };
      running = startDaemon({ env, ask, bornAt: undefined }, value);
      try {
        const { report } = await running;
        return { kind: 'started', report };
      } catch (error) {
        const failure = failureOf(value, error);
        markEnded(`${daemonName(value)} could not start`);
        return { kind: 'failed', failure };
      }
    };
    const outcome = begin();
    const stop = (): void => {
      const closed = outcome.then(() => running?.then((daemon) => daemon.close()));
      closed.catch(() => undefined).finally(() => markEnded('stopped'));
    };
    // One gateway is all that runs here.
    const hear = async (): Promise<void> => {};
    return { pid: process.pid, outcome, ended, hear, stop, kill: stop };
  };
}
