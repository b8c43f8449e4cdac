// Runs the daemons of one machine: starts them side by side, starts again what died, and tells the monitor
// what it knows that nobody else can: that a process is gone, that a disk is new, that one can't be read.
//
// A daemon's life: starting → running → (ended) → waiting → starting …; `stopped` when it was asked to
// stop, `failed` when trying again would end the same way or restarts are off.

import { mkdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { DaemonState } from '../admin/control.ts';
import type { OsdView, Status } from '../admin/views.ts';
import { formatHex } from '../base/bytes.ts';
import type { PgId, Uuid } from '../base/ids.ts';
import type { Log } from '../env/log.ts';
import { requireHostPort } from '../host/addresses.ts';
import { letIn } from '../host/crash.ts';
import { HostFiles } from '../host/host-files.ts';
import type { DeviceClass } from '../map/cluster-map.ts';
import { daemonKey } from '../net/keys.ts';
import type { SiblingNews } from '../s3/siblings.ts';
import { ObjectStore } from '../store/object-store.ts';
import { AdminClient } from './admin-client.ts';
import { Backoff } from './backoff.ts';
import type { DaemonHandle, Launch } from './daemon-handle.ts';
import type { DaemonOptions, SupervisorAnswer, SupervisorQuestion } from './daemon-options.ts';
import {
  type Config,
  type Daemons,
  type DataDir,
  type Keys,
  osdCapacityBytesMin,
  osdsMax,
} from './data-dir.ts';
import { CliError, wordsOf } from './errors.ts';
import { chooseLoopback, urlOf } from './free-port.ts';
import { formatDisk, hostOf, newUuid, useablePercent } from './initialise.ts';

export interface SupervisorParts {
  readonly dir: DataDir;
  readonly config: Config;
  readonly daemons: Daemons;
  readonly keys: Keys;
  readonly launch: Launch;
  readonly log: Log;
  readonly restart: boolean;
  /** Standing warnings, shown with every status. */
  readonly notes: readonly string[];
  /** Called when the set of processes changes. */
  readonly pidsChanged: (pids: readonly number[]) => void;
}

export interface RunningOsd {
  readonly id: number;
  readonly pid: number;
  readonly host: string;
  readonly dir: string;
}

/** How often readiness is asked for while starting. */
const pollMs = 25;

/** A gateway that does not answer within this finds out by itself, a second later. */
const siblingMsMax = 1000;

/** A daemon that ends so soon after somebody asked to start it had ended when they asked. */
const startAskedMs = 3000;

/** A clean stop within this; then the rest is killed. The promise is five seconds. */
const stopMs = 4000;

interface Daemon {
  readonly name: string;
  readonly build: () => Promise<DaemonOptions>;
  state: DaemonState['state'];
  reason: string;
  restarts: number;
  readonly backoff: Backoff;
  handle: DaemonHandle | undefined;
  timer: NodeJS.Timeout | undefined;
  /** When somebody last asked to start it though it ran, in milliseconds. */
  startAskedAt: number;
}

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #daemons = new Map<string, Daemon>();
  #kept: Daemons;
  #monAddress = '';
  #s3Address: string;
  /** As bound: kept over restarts of the monitor within this run, also when port 0 was asked for. */
  #adminAddress: string;
  #admin: AdminClient | undefined;
  #stopping = false;
  /** On this machine; ids count from 0. */
  #osdCount: number;
  /** The class that a disk is to have, until the monitor knows. */
  readonly #classes = new Map<number, DeviceClass>();
  #adding = false;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#kept = parts.daemons;
    this.#osdCount = parts.config.osds;
    this.#s3Address = parts.config.s3;
    this.#adminAddress = parts.config.admin;
  }

  get s3Url(): string {
    return urlOf(this.#s3Address);
  }

  get admin(): AdminClient {
    if (this.#admin === undefined) throw new CliError(1, 'the monitor does not run');
    return this.#admin;
  }

  osds(): readonly RunningOsd[] {
    return Array.from({ length: this.#osdCount }, (_, id) => ({
      id,
      pid: this.#daemons.get(`osd.${id}`)?.handle?.pid ?? 0,
      host: hostOf(id),
      dir: this.#parts.dir.osdPath(id),
    }));
  }

  /** Starts everything; resolves when every PG serves and the gateway listens. Throws `CliError`. */
  async start(waitingFor: (words: string) => void): Promise<void> {
    const { config } = this.#parts;
    // Everybody is told where the monitor will be, so that all can start at once.
    this.#monAddress = await chooseLoopback(this.#keptAddress('mon.0'));
    this.#keepPort('mon.0', this.#monAddress);
    // Gateways share the address, so that port 0 must mean the same to all.
    if (requireHostPort(this.#s3Address).port === 0)
      this.#s3Address = await chooseLoopback(this.#s3Address);
    // The OSDs first: they must wait for old promises to run out, counted from the start of each.
    for (let id = 0; id < this.#osdCount; id++) this.#add(`osd.${id}`, () => this.#osdOptions(id));
    const mon = this.#add('mon.0', async () => this.#monOptions());
    const s3 = this.#addGateway(0);
    for (const daemon of this.#daemons.values()) this.#launch(daemon);
    await this.#require(mon);
    await this.#require(s3);
    await this.#untilReady(waitingFor);
    // One gateway is enough to serve; the others take their share when they are there.
    for (let id = 1; id < config.gateways; id++) this.#launch(this.#addGateway(id));
  }

  /** The first start of these must succeed: without them there is nothing to talk to. */
  async #require(daemon: Daemon): Promise<void> {
    const outcome = await daemon.handle?.outcome;
    if (outcome?.kind === 'failed')
      throw new CliError(1, `${daemon.name} could not start: ${outcome.failure.reason}`);
  }

  async #untilReady(waitingFor: (words: string) => void): Promise<void> {
    while (!this.#stopping) {
      const begun = performance.now();
      const status = await this.admin.get<Status>('/v1/status').catch(() => undefined);
      if (status?.ready === true) return;
      waitingFor(status === undefined ? 'the monitor' : describeWaiting(status));
      // With thousands of placement groups an answer costs the monitor what it needs for their start.
      await sleep(Math.max(pollMs, 5 * (performance.now() - begun)));
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const deadline = Date.now() + stopMs;
    // Those who ask before those who answer, so that nothing fails on the way down.
    for (const role of ['s3', 'osd', 'mon']) {
      const going = [...this.#daemons.values()].filter(({ name }) => name.startsWith(role));
      for (const daemon of going) this.#end(daemon, 'stopped', 'the cluster stops');
      const ends = going.map(({ handle }) => handle?.ended);
      await within(Math.max(0, deadline - Date.now()), Promise.all(ends));
    }
    for (const { handle } of this.#daemons.values()) handle?.kill();
    this.#admin?.close();
  }

  // ——— asked by the monitor's admin API ———

  async answer(question: SupervisorQuestion, asker: string): Promise<SupervisorAnswer> {
    if (question.kind === 'tell-gateways') {
      await within(siblingMsMax, this.#tellGateways(question.news, asker));
      return { kind: 'done', daemons: [] };
    }
    if (question.kind === 'add-osd') {
      if (this.#adding) return { kind: 'refused', reason: 'another OSD is just being added' };
      this.#adding = true;
      try {
        return await this.#addOsd(question.deviceClass);
      } finally {
        this.#adding = false;
      }
    }
    if (question.kind !== 'daemons') {
      const daemon = this.#daemons.get(`osd.${question.osd}`);
      if (daemon === undefined)
        return { kind: 'refused', reason: `osd.${question.osd} does not run on this machine` };
      if (question.kind === 'start-osd') this.#startAgain(daemon);
      else if (question.kind === 'let-in') return this.#letIn(daemon, question.pg);
      else if (question.kind === 'wipe-osd') {
        if (!(await this.#untilEnded(daemon)))
          return { kind: 'refused', reason: `${daemon.name} still runs: stop it first` };
        await rm(this.#parts.dir.osdPath(question.osd), { recursive: true, force: true });
        daemon.reason = 'its disk was wiped; start it to begin with an empty one';
      } else this.#end(daemon, 'stopped', 'stopped by the operator');
    }
    return { kind: 'done', daemons: this.#states() };
  }

  /**
   * First the number of OSDs is made durable. Whatever happens then, its next start finds an empty folder under an id that
   * the monitor does not know, and goes on from there.
   */
  async #addOsd(deviceClass: DeviceClass | undefined): Promise<SupervisorAnswer> {
    const { dir } = this.#parts;
    const id = this.#osdCount;
    const path = dir.osdPath(id);
    if (id >= osdsMax)
      return { kind: 'refused', reason: `${osdsMax} OSDs a machine are the limit` };
    const files = new HostFiles(path);
    const found = await ObjectStore.inspect(files);
    if (found.kind !== 'empty')
      return {
        kind: 'refused',
        reason: `${path} is not empty: a new disk begins in an empty folder`,
      };
    const capacityBytes = this.#parts.config.osdCapacityBytes ?? (await this.#roomIn(id));
    if (capacityBytes < osdCapacityBytesMin)
      return { kind: 'refused', reason: `${path} has no room: ${capacityBytes} bytes are free` };
    const name = `osd.${id}`;
    const capacities = { ...this.#kept.capacities, [name]: capacityBytes };
    this.#kept = { ...this.#kept, capacities };
    await dir.writeDaemons(this.#kept);
    await dir.writeOsdCount(id + 1);
    this.#osdCount = id + 1;
    if (deviceClass !== undefined) this.#classes.set(id, deviceClass);
    const daemon = this.#add(name, () => this.#osdOptions(id));
    this.#launch(daemon);
    const outcome = await daemon.handle?.outcome;
    if (outcome?.kind !== 'failed') return { kind: 'added', osd: id };
    const { reason } = outcome.failure;
    return { kind: 'refused', reason: `${name} was added and could not start: ${reason}` };
  }

  /** What is free in the folder's file system, less what is left to everybody else; no more than others have beside it. */
  async #roomIn(id: number): Promise<number> {
    const { dir } = this.#parts;
    mkdirSync(dir.osdPath(id), { recursive: true, mode: 0o700 });
    const { freeBytes } = await new HostFiles(dir.osdPath(id)).space();
    const usableBytes = Math.floor((freeBytes * useablePercent) / 100);
    const isShared = statSync(dir.osdPath(id)).dev === statSync(dir.path).dev;
    return isShared ? Math.min(usableBytes, this.#kept.osdCapacityBytes) : usableBytes;
  }

  /** One that was stopped by its operator stays so. */
  async #letIn(daemon: Daemon, pg: PgId): Promise<SupervisorAnswer> {
    const { name } = daemon;
    if (!letIn(this.#parts.dir.crashPath, name, pg))
      return { kind: 'refused', reason: `pg ${pg} is not left out on ${name}` };
    if (daemon.handle !== undefined) {
      this.#end(daemon, 'stopped', `starts again with pg ${pg}`);
      if (!(await this.#untilEnded(daemon)))
        return { kind: 'refused', reason: `${name} still runs: start it again when it has ended` };
      this.#startAgain(daemon);
    }
    return { kind: 'done', daemons: this.#states() };
  }

  /** Waits for a daemon that was told to stop; false when it runs on. */
  async #untilEnded(daemon: Daemon): Promise<boolean> {
    for (const deadline = Date.now() + stopMs; daemon.handle !== undefined; ) {
      if (daemon.state !== 'stopped' || Date.now() > deadline) return false;
      await sleep(pollMs);
    }
    return true;
  }

  async #tellGateways(news: SiblingNews, asker: string): Promise<void> {
    const others = [...this.#daemons.values()].filter(
      ({ name }) => name.startsWith('s3.') && name !== asker,
    );
    await Promise.all(others.map(({ handle }) => handle?.hear(news)));
  }

  #states(): readonly DaemonState[] {
    return [...this.#daemons.values()].map(({ name, handle, state, restarts, reason }) => ({
      name,
      pid: handle?.pid,
      state,
      restarts,
      reason,
    }));
  }

  #startAgain(daemon: Daemon): void {
    if (this.#stopping) return;
    if (daemon.handle !== undefined) {
      // It may have died a moment ago, which is not known here yet.
      daemon.startAskedAt = Date.now();
      return;
    }
    daemon.backoff.forgive();
    this.#launch(daemon);
  }

  // ——— one daemon's life ———

  #add(name: string, build: () => Promise<DaemonOptions>): Daemon {
    const daemon: Daemon = {
      name,
      build,
      state: 'starting',
      reason: '',
      restarts: 0,
      backoff: new Backoff(),
      handle: undefined,
      timer: undefined,
      startAskedAt: 0,
    };
    this.#daemons.set(name, daemon);
    return daemon;
  }

  /** What a gateway writes goes by its incarnation, never by its uuid: only the first one's is kept. */
  #addGateway(id: number): Daemon {
    const uuid = id === 0 ? this.#kept.s3 : newUuid();
    return this.#add(`s3.${id}`, async () => this.#s3Options(id, uuid));
  }

  #launch(daemon: Daemon): void {
    clearTimeout(daemon.timer);
    daemon.timer = undefined;
    daemon.state = 'starting';
    daemon.reason = '';
    const options = daemon.build();
    // What stands in the way of starting it is told like a failure of the daemon itself.
    let obstacle: string | undefined;
    options.catch((error: unknown) => {
      obstacle = wordsOf(error);
    });
    const handle = this.#parts.launch(daemon.name, options, (question) =>
      this.answer(question, daemon.name),
    );
    daemon.handle = handle;
    const startedAt = Date.now();
    const watch = async (): Promise<void> => {
      const outcome = await handle.outcome;
      if (outcome.kind === 'started') this.#onStarted(daemon, outcome.report);
      const how = await handle.ended;
      const failure = outcome.kind === 'failed' ? outcome.failure : undefined;
      this.#onEnded(daemon, {
        reason: obstacle ?? failure?.reason ?? how,
        isPermanent: obstacle !== undefined || failure?.isPermanent === true,
        livedMs: Date.now() - startedAt,
        neverRan: failure !== undefined,
      });
    };
    watch().catch((error: unknown) => {
      this.#parts.log.write('error', 'daemon lost from sight', {
        daemon: daemon.name,
        error: wordsOf(error),
      });
    });
    this.#tellPids();
  }

  #onStarted(daemon: Daemon, report: { readonly address: string; readonly admin?: string }): void {
    if (daemon.state === 'starting') daemon.state = 'running';
    this.#parts.log.write('info', 'daemon runs', { daemon: daemon.name, address: report.address });
    if (!daemon.name.startsWith('s3.')) this.#keepPort(daemon.name, report.address);
    if (report.admin === undefined) return;
    this.#adminAddress = report.admin;
    this.#admin?.close();
    this.#admin = new AdminClient({
      url: urlOf(report.admin),
      token: this.#parts.keys.adminToken,
    });
    // A monitor that was started again knows nothing of those that could not run.
    for (const each of this.#daemons.values()) if (each.state === 'failed') this.#tellFailed(each);
  }

  #onEnded(
    daemon: Daemon,
    end: { reason: string; isPermanent: boolean; livedMs: number; neverRan: boolean },
  ): void {
    daemon.handle = undefined;
    this.#tellPids();
    const isAsked = Date.now() - daemon.startAskedAt < startAskedMs;
    daemon.startAskedAt = 0;
    if (this.#stopping || (daemon.state === 'stopped' && !isAsked)) return;
    daemon.reason = end.reason;
    this.#parts.log.write('warn', 'daemon ended', { daemon: daemon.name, reason: end.reason });
    const again = isAsked || (!end.isPermanent && this.#parts.restart);
    daemon.state = again ? 'waiting' : 'failed';
    if (end.neverRan) this.#tellFailed(daemon);
    else this.#tellGone(daemon);
    if (!again) return;
    daemon.timer = setTimeout(() => {
      if (this.#stopping) return;
      daemon.restarts++;
      this.#launch(daemon);
    }, daemon.backoff.after(end.livedMs));
  }

  #end(daemon: Daemon, state: 'stopped' | 'failed', reason: string): void {
    clearTimeout(daemon.timer);
    daemon.timer = undefined;
    daemon.state = state;
    daemon.reason = reason;
    daemon.handle?.stop();
  }

  /** Sure knowledge, and quicker than any detector: its place can be taken at once. */
  #tellGone(daemon: Daemon): void {
    const id = osdOf(daemon);
    if (id !== undefined) this.#tell('/v1/osds/down', { osds: [id], evenIfUnavailable: true });
  }

  #tellFailed(daemon: Daemon): void {
    this.#tellGone(daemon);
    const id = osdOf(daemon);
    if (id !== undefined) this.#tell('/v1/osds/failed', { osd: id, reason: daemon.reason });
  }

  #tell(path: string, fields: object): void {
    this.#admin?.post(path, fields).catch((error: unknown) => {
      this.#parts.log.write('warn', 'monitor could not be told', { path, error: wordsOf(error) });
    });
  }

  #tellPids(): void {
    const pids = [...this.#daemons.values()].flatMap(({ handle }) => handle?.pid ?? []);
    this.#parts.pidsChanged(pids.filter((pid) => pid !== process.pid));
  }

  // ——— options ———

  #monOptions(): DaemonOptions {
    const { dir, config, keys, notes } = this.#parts;
    return {
      role: 'mon',
      dataDir: dir.path,
      fsid: config.fsid,
      uuid: this.#kept.mon,
      listen: this.#monAddress,
      masterKeyHex: formatHex(keys.master),
      admin: this.#adminAddress,
      adminToken: keys.adminToken,
      notes,
    };
  }

  #s3Options(id: number, uuid: Uuid): DaemonOptions {
    const { dir, config, keys } = this.#parts;
    return {
      role: 's3',
      id,
      dataDir: dir.path,
      fsid: config.fsid,
      uuid,
      listen: this.#s3Address,
      keyHex: formatHex(daemonKey(keys.master, 's3', uuid)),
      mon: { address: this.#monAddress, uuid: this.#kept.mon },
      memoryBudgetBytes: config.memoryBudgetBytes,
      settings: config.gateway,
    };
  }

  /** Looks at the disk before its daemon does. Throws what makes it unfit. */
  async #osdOptions(id: number): Promise<DaemonOptions> {
    const { dir, config, keys } = this.#parts;
    const uuid = await this.#diskOf(id);
    return {
      role: 'osd',
      dataDir: dir.path,
      fsid: config.fsid,
      uuid,
      osd: id,
      listen: this.#keptAddress(`osd.${id}`),
      keyHex: formatHex(daemonKey(keys.master, 'osd', uuid)),
      mon: { address: this.#monAddress, uuid: this.#kept.mon },
      capacityBytes: this.#capacityOf(id),
      memoryBudgetBytes: config.memoryBudgetBytes,
    };
  }

  #capacityOf(id: number): number {
    const { osdCapacityBytes, capacities } = this.#kept;
    return this.#parts.config.osdCapacityBytes ?? capacities[`osd.${id}`] ?? osdCapacityBytes;
  }

  /**
   * The uuid of the disk in the OSD's folder. An empty folder is a new disk, of an OSD that the monitor knows or of one
   * more (`osds` in holdfast.yaml was raised): the monitor is told before it is formatted, so that a crash in between leaves an empty folder again. Anything that is neither
   * empty nor ours is left alone.
   */
  async #diskOf(id: number): Promise<Uuid> {
    const { dir, config } = this.#parts;
    const found = await ObjectStore.inspect(new HostFiles(dir.osdPath(id)));
    if (found.kind === 'unreadable')
      throw new CliError(1, `${dir.osdPath(id)} can't be read: ${found.reason}`);
    if (found.kind === 'formatted') {
      const { fsid, osdId, osdUuid } = found.superblock;
      if (fsid !== config.fsid)
        throw new CliError(1, `${dir.osdPath(id)} belongs to cluster ${fsid}, not ${config.fsid}`);
      if (osdId !== id) throw new CliError(1, `${dir.osdPath(id)} is the disk of osd.${osdId}`);
      return osdUuid;
    }
    const admin = await this.#untilAdmin();
    const uuid = newUuid();
    const { osds } = await admin.get<{ osds: readonly OsdView[] }>('/v1/osds');
    const known = osds.find((osd) => osd.id === id);
    if (known === undefined)
      await admin.post('/v1/osds/register', {
        osd: id,
        uuid,
        host: hostOf(id),
        capacityBytes: this.#capacityOf(id),
        deviceClass: this.#classes.get(id),
      });
    else {
      if (known.up) await admin.post('/v1/osds/down', { osds: [id], evenIfUnavailable: true });
      await admin.post('/v1/osds/replace', { osd: id, uuid });
    }
    await formatDisk(dir, config.fsid, id, uuid);
    this.#parts.log.write('warn', 'new disk', { osd: id, uuid });
    return uuid;
  }

  async #untilAdmin(): Promise<AdminClient> {
    while (this.#admin === undefined) {
      if (this.#stopping) throw new CliError(1, 'the cluster stops');
      await sleep(pollMs);
    }
    return this.#admin;
  }

  #keptAddress(name: string): string {
    return `127.0.0.1:${this.#kept.ports[name] ?? 0}`;
  }

  #keepPort(name: string, address: string): void {
    const { port } = requireHostPort(address);
    if (this.#kept.ports[name] === port) return;
    this.#kept = { ...this.#kept, ports: { ...this.#kept.ports, [name]: port } };
    this.#parts.dir.writeDaemons(this.#kept).catch((error: unknown) => {
      this.#parts.log.write('warn', 'port not kept', { daemon: name, error: wordsOf(error) });
    });
  }
}

function osdOf({ name }: Daemon): number | undefined {
  return name.startsWith('osd.') ? Number(name.slice(4)) : undefined;
}

function describeWaiting({ osds, pgs }: Status): string {
  return `${osds.up} of ${osds.total} OSDs up, ${pgs.serving} of ${pgs.total} placement groups serving`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Resolves with the work, or without it when time is up. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
