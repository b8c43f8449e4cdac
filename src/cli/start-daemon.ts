// Starts one daemon on the real environment. The daemon process and `--single-process` both come here. Each
// role's code is loaded only where it runs: an OSD that read the gateway's modules too would start a tenth
// of a second later and keep them in memory.

import type { Instant } from '../env/clock.ts';
import { EnvError } from '../env/errors.ts';
import { createHostEnv, type HostEnv } from '../host/host-env.ts';
import type { SiblingNews } from '../s3/siblings.ts';
import { StoreError, type StoreErrorCode } from '../store/errors.ts';
import {
  type DaemonFailure,
  type DaemonOptions,
  type DaemonReport,
  daemonName,
  type SupervisorAnswer,
  type SupervisorQuestion,
} from './daemon-options.ts';
import { wordsOf } from './errors.ts';
import { productVersion } from './version.ts';

export interface RunningDaemon {
  readonly report: DaemonReport;
  /** Gateways only. */
  hear?(news: SiblingNews): Promise<void>;
  close(): Promise<void>;
}

export interface DaemonSurroundings {
  readonly env: HostEnv;
  readonly ask: (question: SupervisorQuestion) => Promise<SupervisorAnswer>;
  /** When the process began, if the daemon is all it ever runs. */
  readonly bornAt: Instant | undefined;
}

/** The environment of a daemon; also where its last words go when it finds itself wrong. */
export function envOf(options: DaemonOptions, exit: (code: number) => void): HostEnv {
  const { dataDir, role } = options;
  const id = role === 'osd' ? options.osd : role === 's3' ? options.id : 0;
  const folder = role === 'mon' ? role : daemonName(options);
  return createHostEnv({ dataDir, role, id, folder, exit });
}

export async function startDaemon(
  surroundings: DaemonSurroundings,
  options: DaemonOptions,
): Promise<RunningDaemon> {
  const { env } = surroundings;
  env.log.write('info', 'daemon starts', { version: productVersion(), pid: process.pid });
  switch (options.role) {
    case 'mon':
      return (await import('./start-mon.ts')).startMonDaemon(surroundings, options);
    case 'osd':
      return (await import('./start-osd.ts')).startOsdDaemon(surroundings, options);
    case 's3':
      return (await import('./start-s3.ts')).startS3Daemon(surroundings, options);
  }
}

/** Codes after which a new attempt would end the same way. */
const permanentCodes: ReadonlySet<StoreErrorCode> = new Set([
  'not-formatted',
  'already-formatted',
  'superblock-corrupt',
  'newer-format',
  'corrupt',
]);

export function failureOf(options: DaemonOptions, error: unknown): DaemonFailure {
  if (error instanceof StoreError)
    return { reason: error.message, isPermanent: permanentCodes.has(error.code) };
  if (error instanceof EnvError) {
    return { reason: error.message, isPermanent: error.code === 'corrupt' };
  }
  return { reason: `${daemonName(options)}: ${wordsOf(error)}`, isPermanent: false };
}
