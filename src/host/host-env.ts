// The real world for one daemon.

import { join } from 'node:path';
import type { Env } from '../env/env.ts';
import type { HttpClient } from '../env/http.ts';
import { type CrashSite, crash } from './crash.ts';
import { HostClock, HostWallClock } from './host-clock.ts';
import { HostFiles } from './host-files.ts';
import { HostLog } from './host-log.ts';
import { HostMemory } from './host-memory.ts';
import { HostNetwork } from './host-network.ts';
import { HostRandom, HostSecrets } from './host-random.ts';
import { HostTasks } from './host-tasks.ts';

export interface HostEnvOptions {
  /** The cluster's directory on this machine; `log/` and `crash/` are in it. */
  readonly dataDir: string;
  readonly role: string;
  readonly id: number;
  /** The daemon's own folder in `dataDir`; default `ROLE.ID`. */
  readonly folder?: string;
  /** Shows log lines on a terminal. */
  readonly echo?: (line: string) => void;
  /** Ends the process when a task failed; default `process.exit`. */
  readonly exit?: (code: number) => void;
}

export interface HostEnv extends Env {
  readonly crashSite: CrashSite;
}

export function createHostEnv(options: HostEnvOptions): HostEnv {
  const daemon = `${options.role}.${options.id}`;
  const log = new HostLog({
    path: join(options.dataDir, 'log', `${daemon}.jsonl`),
    daemon,
    ...(options.echo === undefined ? {} : { echo: options.echo }),
  });
  const crashSite: CrashSite = {
    folder: join(options.dataDir, 'crash'),
    daemon,
    log,
    exit: options.exit ?? ((code) => process.exit(code)),
  };
  let client: HttpClient | undefined;
  return {
    clock: new HostClock(),
    wall: new HostWallClock(),
    random: new HostRandom(),
    secrets: new HostSecrets(),
    files: new HostFiles(join(options.dataDir, options.folder ?? daemon)),
    network: new HostNetwork(),
    http: {
      // Loaded where it is used: an OSD has no need for it, and it takes 20 ms of its start.
      serve: async (address, handler, refuse) => {
        const { HostHttpServers } = await import('./host-http.ts');
        return new HostHttpServers({ log }).serve(address, handler, refuse);
      },
    },
    httpClient: {
      post: async (request) => {
        const { HostHttpClient } = await import('./host-http-client.ts');
        client ??= new HostHttpClient();
        return client.post(request);
      },
    },
    tasks: new HostTasks((name, error) => crash(crashSite, name, error)),
    log,
    memory: new HostMemory(),
    crashSite,
  };
}
