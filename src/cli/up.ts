// `holdfast up`: a whole cluster on this machine, in the foreground.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { S3User } from '../admin/control.ts';
import { memoryBudgetBytesDefault } from '../base/memory-budget.ts';
import { HostLog } from '../host/host-log.ts';
import { launchHere, launchProcess } from './daemon-handle.ts';
import { type Config, DataDir, defaults, gatewaysDefault } from './data-dir.ts';
import { DataLock } from './data-lock.ts';
import { CliError } from './errors.ts';
import { initialise } from './initialise.ts';
import { requireFree } from './port-holder.ts';
import { Supervisor } from './supervisor.ts';
import { paint } from './text.ts';

export interface UpOptions {
  readonly data: string;
  readonly osds: number | undefined;
  readonly gateways: number | undefined;
  readonly s3: string | undefined;
  readonly admin: string | undefined;
  readonly singleProcess: boolean;
  readonly restart: boolean;
  readonly json: boolean;
}

/** Longer than a start takes; then the terminal is told what is being waited for, again and again. */
const tellWaitingAfterMs = 5000;

/** Resolves with the exit code when the cluster was stopped. Throws `CliError`. */
export async function runUp(options: UpOptions): Promise<number> {
  // From the start: a first start that is interrupted is finished, then stopped.
  const stop = new StopSignal();
  const dir = new DataDir(options.data);
  const state = dir.inspect();
  if (state.kind === 'refused') throw new CliError(1, state.reason);
  if (state.kind === 'cluster') requireSameSize(options, state.config, dir);
  if (options.singleProcess && (options.gateways ?? 1) > 1)
    throw new CliError(2, '--single-process runs one gateway: leave out one of the two flags');
  const lock = await DataLock.acquire(dir.path);
  try {
    const wanted = effectiveConfig(options, state.kind === 'cluster' ? state.config : undefined);
    await requireFree('the S3 address', '--s3', wanted.s3);
    await requireFree('the admin address', '--admin', wanted.admin);
    const config =
      state.kind === 'cluster' ? { ...state.config, ...wanted } : await initialise(dir, wanted);
    return await runCluster(options, { dir, config, lock, stop });
  } finally {
    lock.release();
  }
}

function requireSameSize({ osds }: UpOptions, config: Config, dir: DataDir): void {
  if (osds !== undefined && osds !== config.osds)
    throw new CliError(
      2,
      `--osds ${osds}: the cluster in ${dir.path} has ${config.osds} OSDs; \`holdfast osd add\` adds one, \`holdfast osd drain\` empties one`,
    );
}

/** Flags over file over defaults. */
function effectiveConfig(options: UpOptions, config: Config | undefined): Omit<Config, 'fsid'> {
  return {
    osds: config?.osds ?? options.osds ?? defaults.osds,
    s3: options.s3 ?? config?.s3 ?? defaults.s3,
    admin: options.admin ?? config?.admin ?? defaults.admin,
    osdCapacityBytes: config?.osdCapacityBytes,
    memoryBudgetBytes: config?.memoryBudgetBytes ?? memoryBudgetBytesDefault,
    gateways: options.singleProcess
      ? 1
      : (options.gateways ?? config?.gateways ?? gatewaysDefault()),
    gateway: config?.gateway ?? {},
  };
}

interface Cluster {
  readonly dir: DataDir;
  readonly config: Config;
  readonly lock: DataLock;
  readonly stop: StopSignal;
}

async function runCluster(options: UpOptions, cluster: Cluster): Promise<number> {
  const { dir, config, lock, stop } = cluster;
  const notes = standingNotes(dir, config);
  const supervisor = new Supervisor({
    dir,
    config,
    daemons: dir.readDaemons(),
    keys: dir.readKeys(),
    launch: options.singleProcess
      ? launchHere((code) => process.exit(code))
      : launchProcess(dir.path, config.memoryBudgetBytes),
    log: supervisorLog(dir),
    restart: options.restart,
    notes,
    pidsChanged: (pids) => lock.update({ pids }),
  });
  try {
    const begin = Date.now();
    let told = begin;
    const started = supervisor.start((words) => {
      if (Date.now() - told < tellWaitingAfterMs) return;
      told = Date.now();
      process.stderr.write(`waiting: ${words}\n`);
    });
    // A start that was given up may still fail.
    started.catch(() => undefined);
    await Promise.race([started, stop.asked]);
    if (!stop.isAsked) {
      lock.update({ admin: supervisor.admin.url });
      await announce(options, { dir, supervisor, notes, startMs: Date.now() - begin });
    }
    await stop.asked;
    if (!options.json) process.stderr.write('\nstopping\n');
    return 0;
  } finally {
    await supervisor.stop();
  }
}

/** The first signal stops the cluster cleanly; a third one has lost patience. */
class StopSignal {
  readonly asked: Promise<void>;
  isAsked = false;

  constructor() {
    let count = 0;
    this.asked = new Promise((resolve) => {
      const onSignal = (): void => {
        this.isAsked = true;
        if (++count >= 3) process.exit(130);
        resolve();
      };
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      process.on('SIGHUP', onSignal);
    });
  }
}

function supervisorLog(dir: DataDir): HostLog {
  return new HostLog({ path: join(dir.path, 'log', 'supervisor.0.jsonl'), daemon: 'supervisor.0' });
}

/** What is easily forgotten while everything is green. */
function standingNotes(dir: DataDir, config: Config): readonly string[] {
  const count = config.osds;
  const notes = [
    `${count === 1 ? 'the host is' : `the ${count} hosts are`} simulated on one machine: the data survives ${count === 1 ? 'the loss of neither disk nor machine' : 'lost disks, not the loss of the machine'}`,
  ];
  const devices = new Set(
    Array.from({ length: count }, (_, id) => {
      const found = statSync(dir.osdPath(id), { throwIfNoEntry: false });
      return (found ?? statSync(dir.path)).dev;
    }),
  );
  if (count > 1 && devices.size === 1)
    notes.push('all OSDs are on one file system, which is one disk: mount others at DATA/osd.N');
  return notes;
}

interface Ready {
  readonly dir: DataDir;
  readonly supervisor: Supervisor;
  readonly notes: readonly string[];
  readonly startMs: number;
}

async function announce(options: UpOptions, ready: Ready): Promise<void> {
  const { dir, supervisor, notes, startMs } = ready;
  const { users } = await supervisor.admin.get<{ users: readonly S3User[] }>('/v1/users');
  const user = users.find(({ name }) => name === 'admin') ?? users[0];
  const accessKey = user?.accessKey ?? '';
  const secretKey = user?.secretKey ?? '';
  const s3 = supervisor.s3Url;
  const admin = supervisor.admin.url;
  if (options.json) {
    const osds = supervisor.osds();
    const line = { ready: true, s3, admin, accessKey, secretKey, data: dir.path, osds };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const { bold, dim, green, yellow } = paint(process.stdout);
  const flag = options.data === defaults.dataDir ? '' : ` --data ${options.data}`;
  const processes = options.singleProcess
    ? `pid ${process.pid}`
    : `pids ${supervisor
        .osds()
        .map((osd) => osd.pid)
        .join(' ')}`;
  const lines = [
    `${green('●')} ${bold('Holdfast is running')} ${dim(`(ready after ${(startMs / 1000).toFixed(1)} s; Ctrl-C stops it)`)}`,
    '',
    `  S3      ${bold(s3)}`,
    `  admin   ${admin}`,
    `  data    ${dir.path}`,
    `  osds    ${supervisor.osds().length} (${processes})`,
    ...notes.map((note) => `  ${yellow('note')}    ${note}`),
    '',
    `export AWS_ACCESS_KEY_ID=${accessKey}`,
    `export AWS_SECRET_ACCESS_KEY=${secretKey}`,
    `export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=${s3}`,
    '',
    dim('Try, in another terminal:'),
    `  aws --endpoint-url ${s3} s3 mb s3://photos`,
    `  aws --endpoint-url ${s3} s3 cp package.json s3://photos/`,
    `  npx holdfast status${flag}`,
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
