// Composes one daemon on the real environment. The daemon process and `--single-process` both come here.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAdmin } from '../admin/admin-server.ts';
import type { Crash, SupervisorControl } from '../admin/control.ts';
import { AdminError } from '../admin/errors.ts';
import { parseHex } from '../base/bytes.ts';
import type { OsdId } from '../base/ids.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { EnvError } from '../env/errors.ts';
import { requireHostPort } from '../host/addresses.ts';
import type { CrashReport } from '../host/crash.ts';
import { createHostEnv, type HostEnv } from '../host/host-env.ts';
import { EmbeddedMapStore } from '../mon/map-store.ts';
import { Monitor } from '../mon/monitor.ts';
import { startOsd } from '../osd/osd.ts';
import { startS3 } from '../s3/gateway.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { StoreError, type StoreErrorCode } from '../store/errors.ts';
import {
  type DaemonFailure,
  type DaemonOptions,
  type DaemonReport,
  daemonName,
  type MonDaemonOptions,
  type OsdDaemonOptions,
  type S3DaemonOptions,
  type SupervisorAnswer,
  type SupervisorQuestion,
} from './daemon-options.ts';
import { wordsOf } from './data-dir.ts';
import { chooseLoopback, describeTrouble } from './ports.ts';
import { productVersion } from './version.ts';

export interface RunningDaemon {
  readonly report: DaemonReport;
  close(): Promise<void>;
}

export type AskSupervisor = (question: SupervisorQuestion) => Promise<SupervisorAnswer>;

/** The environment of a daemon; also where its last words go when it finds itself wrong. */
export function envOf(options: DaemonOptions, exit: (code: number) => void): HostEnv {
  const { dataDir, role } = options;
  const id = role === 'osd' ? options.osd : 0;
  const folder = role === 'osd' ? `osd.${id}` : role;
  return createHostEnv({ dataDir, role, id, folder, exit });
}

export function startDaemon(
  env: HostEnv,
  options: DaemonOptions,
  ask: AskSupervisor,
): Promise<RunningDaemon> {
  env.log.write('info', 'daemon starts', { version: productVersion(), pid: process.pid });
  switch (options.role) {
    case 'mon':
      return startMon(env, options, ask);
    case 'osd':
      return startOsdDaemon(env, options);
    case 's3':
      return startS3Daemon(env, options);
  }
}

async function startMon(
  env: HostEnv,
  options: MonDaemonOptions,
  ask: AskSupervisor,
): Promise<RunningDaemon> {
  const { fsid, uuid, listen, dataDir } = options;
  const store = await EmbeddedMapStore.open(env.files, 'store');
  const monitor = await Monitor.start(env, {
    identity: { fsid, role: 'mon', uuid },
    masterKey: bytesOf(options.masterKeyHex),
    listen,
    store,
  });
  const admin = await startAdmin(env, {
    address: options.admin,
    token: options.adminToken,
    version: productVersion(),
    monitor,
    supervisor: supervisorVia(ask),
    notes: options.notes,
    crashes: () => readCrashes(join(dataDir, 'crash')),
  });
  return {
    report: { address: monitor.address, admin: admin.address },
    close: async () => {
      await admin.close();
      await monitor.close();
    },
  };
}

async function startOsdDaemon(env: HostEnv, options: OsdDaemonOptions): Promise<RunningDaemon> {
  const { fsid, uuid, osd: id } = options;
  const { port } = requireHostPort(options.listen);
  const osd = await startOsd(env, {
    identity: { fsid, role: 'osd', uuid },
    osdId: id as OsdId,
    key: bytesOf(options.keyHex),
    mon: options.mon,
    listen: await chooseLoopback(port === 0 ? undefined : port),
    store: { capacityBytes: options.capacityBytes },
    methods: s3Methods,
  });
  return { report: { address: osd.address }, close: () => osd.close() };
}

async function startS3Daemon(env: HostEnv, options: S3DaemonOptions): Promise<RunningDaemon> {
  const { fsid, uuid } = options;
  const cluster = ClusterClient.start(env, {
    identity: { fsid, role: 's3', uuid },
    key: bytesOf(options.keyHex),
    mon: options.mon,
  });
  const gateway = await startS3(env, { address: options.listen, cluster });
  await cluster.ready();
  return {
    report: { address: gateway.address },
    close: async () => {
      await gateway.close();
      cluster.close();
    },
  };
}

function bytesOf(hex: string): Uint8Array {
  const bytes = parseHex(hex);
  if (bytes === undefined) throw new RangeError('a key is hexadecimal');
  return bytes;
}

function supervisorVia(ask: AskSupervisor): SupervisorControl {
  const insist = async (question: SupervisorQuestion) => {
    const answer = await ask(question);
    if (answer.kind === 'refused') throw new AdminError('refused', answer.reason);
    return answer.daemons;
  };
  return {
    startOsd: async (osd) => void (await insist({ kind: 'start-osd', osd })),
    stopOsd: async (osd) => void (await insist({ kind: 'stop-osd', osd })),
    daemons: () => insist({ kind: 'daemons' }),
  };
}

/** One file a daemon: its last crash. What can't be read is no reason to say nothing about the rest. */
async function readCrashes(folder: string): Promise<readonly Crash[]> {
  const names = await readdir(folder).catch(() => []);
  const crashes: Crash[] = [];
  for (const name of names.sort().slice(0, 100)) {
    const path = join(folder, name);
    try {
      const report: CrashReport = JSON.parse(await readFile(path, 'utf8'));
      crashes.push({ daemon: report.daemon, at: report.at, message: report.message, path });
    } catch {
      crashes.push({ daemon: name, at: '?', message: 'its report can’t be read', path });
    }
  }
  return crashes;
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
    const isAddress = error.code === 'address-in-use';
    const reason = isAddress ? describeTrouble(options.listen, error) : error.message;
    return { reason, isPermanent: error.code === 'corrupt' };
  }
  return { reason: `${daemonName(options)}: ${wordsOf(error)}`, isPermanent: false };
}
