// The monitor's daemon: the map store in its own directory, and the admin API beside it.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAdmin } from '../admin/admin-server.ts';
import type { Crash, SupervisorControl } from '../admin/control.ts';
import { AdminError } from '../admin/errors.ts';
import { type CrashReport, leftOutSuffix } from '../host/crash.ts';
import { EmbeddedMapStore } from '../mon/map-store.ts';
import { Monitor } from '../mon/monitor.ts';
import { LazyBucketControl } from './bucket-control.ts';
import {
  keyFromHex,
  type MonDaemonOptions,
  type SupervisorAnswer,
  type SupervisorQuestion,
} from './daemon-options.ts';
import type { DaemonSurroundings, RunningDaemon } from './start-daemon.ts';
import { productVersion } from './version.ts';

export async function startMonDaemon(
  { env, ask }: DaemonSurroundings,
  options: MonDaemonOptions,
): Promise<RunningDaemon> {
  const { fsid, uuid, listen, dataDir } = options;
  const monitor = await Monitor.start(env, {
    identity: { fsid, role: 'mon', uuid },
    masterKey: keyFromHex(options.masterKeyHex),
    listen,
    store: await EmbeddedMapStore.open(env.files, 'store'),
  });
  const buckets = new LazyBucketControl(env, {
    fsid,
    masterKey: keyFromHex(options.masterKeyHex),
    mon: { address: monitor.address, uuid },
  });
  const admin = await startAdmin(env, {
    address: options.admin,
    token: options.adminToken,
    version: productVersion(),
    monitor,
    supervisor: supervisorVia(ask),
    buckets,
    notes: options.notes,
    crashes: () => readCrashes(join(dataDir, 'crash')),
  });
  return {
    report: { address: monitor.address, admin: admin.address },
    close: async () => {
      await admin.close();
      buckets.close();
      await monitor.close();
    },
  };
}

function supervisorVia(
  ask: (question: SupervisorQuestion) => Promise<SupervisorAnswer>,
): SupervisorControl {
  const insist = async (question: SupervisorQuestion) => {
    const answer = await ask(question);
    if (answer.kind === 'refused') throw new AdminError('refused', answer.reason);
    return answer.kind === 'done' ? answer.daemons : [];
  };
  return {
    startOsd: async (osd) => void (await insist({ kind: 'start-osd', osd })),
    stopOsd: async (osd) => void (await insist({ kind: 'stop-osd', osd })),
    letIn: async (osd, pg) => void (await insist({ kind: 'let-in', osd, pg })),
    addOsd: async (deviceClass) => {
      const answer = await ask({ kind: 'add-osd', deviceClass });
      if (answer.kind === 'added') return answer.osd;
      throw new AdminError('refused', answer.kind === 'refused' ? answer.reason : 'no answer');
    },
    wipeOsd: async (osd) => void (await insist({ kind: 'wipe-osd', osd })),
    daemons: () => insist({ kind: 'daemons' }),
  };
}

/** A list longer than this is not read by anybody. */
const crashesMax = 100;

/** One file a daemon: its last crash. What can't be read is no reason to say nothing about the rest. */
async function readCrashes(folder: string): Promise<readonly Crash[]> {
  const names = await readdir(folder).catch(() => []);
  const crashes: Crash[] = [];
  const reports = names.filter((name) => !name.endsWith(leftOutSuffix));
  for (const name of reports.sort().slice(0, crashesMax)) {
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
