// The post-mortem that Holdfast was made to survive, step by step (docs/the-story.md): a large copy, machines that stall
// under it, memory that runs out, two OSDs given up together, an erasure-code profile edited in place.
//
// What the load and the operator do is the same by either rules; what comes of it is not. By Holdfast's rules anything
// lost, any OOM kill and any read that is wrong is a problem of the run; by Ceph's it is what the story is about.

import { requireAccepted } from '../../admin/loss.ts';
import { nameOfDestroying } from '../../admin/what-if.ts';
import type { Epoch, OsdId, PgId } from '../../base/ids.ts';
import { copies, erasure, type Geometry } from '../../map/geometry.ts';
import { s3Methods } from '../../s3/index/methods.ts';
import { Invariants } from '../invariants.ts';
import { editMapStore } from '../map-store-edit.ts';
import { SimulatedCluster } from '../simulated-cluster.ts';
import { Answers, keysMax, S3Client, VmDisk } from './clients.ts';
import { type MachineShape, Machines } from './machines.ts';
import { rules } from './rules.ts';
import {
  cacheBytes,
  capacityBytes,
  controlPlaneBytes,
  copyBytes,
  copyPieceBytes,
  hdd,
  machineMemoryBytes,
  osdRestBytes,
  otherBytes,
  otherBytesOfController,
  pieceBytes,
  scale,
  ssd,
} from './scale.ts';
import type { Row, Sample, Story } from './timeline.ts';

const isCeph = rules === 'ceph';

/** Five nodes: three controllers that are workers too, a hard disk each, and a solid-state disk in three. */
const nodes: readonly MachineShape[] = [0, 1, 2, 3, 4].map((at) => ({
  name: `node-${at + 1}`,
  osds: (at < 3 ? [at, 5 + at] : [at]) as OsdId[],
  memoryBytes: machineMemoryBytes,
  otherBytes: at < 3 ? otherBytesOfController : otherBytes,
  controlPlaneBytes: at < 3 ? controlPlaneBytes : 0,
}));
const osdCount = 8;
const hosts = Array.from(
  { length: osdCount },
  (_, id) => nodes.find(({ osds }) => osds.includes(id as OsdId))?.name as string,
);

/** The one that the S3 pool was made with. */
const firstLayout = 1;

const vmPool = 'vms';
const s3Pool = 'data';

/** Between two points of the picture: a play is more than an hour. */
const sampleMs = 5000;

/** Between two looks of the checkers, in events: this run is long. */
const checkEvery = 32;

/** Writes of the copy under way at once. */
const copyDepth = 4;

/** So much of it is there when the first machine stalls. */
const copiedShare = 0.25;

/** Who reads everything, and how often a group may leave one of them without an answer before it is left alone. */
const readersAtOnce = 16;
const readsInVainMax = 16;
/** What is not there is said at once; who waits for so long has nobody to answer. */
const vainMs = 5000;

/** While the copy runs, one machine after another answers nothing for so long. */
const stallMs = 40_000;
const stallEveryMs = 55_000;
const stalling = ['node-4', 'node-5', 'node-1', 'node-4'];

interface Reading {
  readonly read: () => Promise<boolean>;
  readonly group: () => string | undefined;
}

export async function playPostMortem(onRow: (row: Row) => void = () => {}): Promise<Story> {
  const play = new PostMortem(onRow);
  return play.play();
}

class PostMortem {
  readonly #cluster: SimulatedCluster;
  readonly #machines: Machines;
  readonly #answers: Answers;
  readonly #invariants: Invariants;
  readonly #rows: Row[] = [];
  readonly #samples: Sample[] = [];
  readonly #onRow: (row: Row) => void;
  readonly #disks: VmDisk[] = [];
  readonly #s3: S3Client[] = [];
  #copy: VmDisk | undefined;
  #isOver = false;
  #pgs: readonly PgId[] = [];
  #markedLost = 0;
  #objects = 0;
  #lost = 0;
  readonly #problems: string[] = [];
  #sampled = { served: 0, failed: 0 };
  #unservedSeconds = 0;

  constructor(onRow: (row: Row) => void) {
    this.#onRow = onRow;
    this.#cluster = new SimulatedCluster({
      seed: 14433,
      osdCount,
      hosts,
      pools: [
        { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 2 },
        { name: s3Pool, geometry: erasure(2, 1), failureDomain: 'host', pgCount: 8 },
        { name: vmPool, geometry: copies(3, 2), failureDomain: 'host', pgCount: 8 },
      ],
      methods: s3Methods,
      mediumOf: (id) => (id < 5 ? hdd : ssd),
      cacheBytes,
      capacityBytes,
      sharesPages: true,
    });
    this.#machines = new Machines(this.#cluster, {
      shapes: nodes,
      memoryScale: scale,
      osdRestBytes,
    });
    this.#answers = new Answers(this.#cluster.scheduler);
    this.#invariants = new Invariants(this.#cluster);
  }

  async play(): Promise<Story> {
    await this.#evening();
    await this.#copyIn();
    await this.#night();
    await this.#morning();
    await this.#giveUpTwo();
    await this.#readEverything();
    await this.#editProfile();
    await this.#end();
    return this.#story();
  }

  // ——— the story ———

  async #evening(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.start();
    this.#pgs = [...cluster.monitor.records.keys()];
    if (!isCeph) this.#checkNowAndThen();
    this.#machines.start();
    const gateway = await cluster.gateway({
      garbageGraceMs: 10_000,
      garbageIntervalMs: 3000,
      migrateIntervalMs: 1000,
    });
    const { client } = await cluster.clientProcess();
    const answers = this.#answers;
    for (let at = 0; at < 3; at++) {
      this.#disks.push(
        new VmDisk({ client, answers, pool: vmPool, pieceBytes, seed: 1_000_000 * (at + 1) }),
      );
      this.#s3.push(
        new S3Client({ gateway, answers, prefix: `album-${at}`, seed: 1_000_000 * (at + 5) }),
      );
    }
    const [bucket] = this.#s3;
    if (bucket !== undefined) await cluster.settle(bucket.makeBucket(), 'a bucket');
    for (const disk of this.#disks)
      for (let count = 0; count < 10; count++) await cluster.settle(disk.write(), 'a write');
    for (const s3 of this.#s3)
      for (let at = 0; at < keysMax; at++) await cluster.settle(s3.put(at), 'a put');
    this.#sample();
    this.#countSecond();
    for (const user of [...this.#disks, ...this.#s3]) void user.use(() => this.#isOver);
    await cluster.scheduler.run(10_000);
    this.#row('five nodes serve VMs (three copies) and S3 (2+1)');
  }

  /** 300 GiB come in, and machines stall under it in turn. */
  async #copyIn(): Promise<void> {
    const { scheduler } = this.#cluster;
    const { client } = await this.#cluster.clientProcess();
    const copy = new VmDisk({
      client,
      answers: this.#answers,
      pool: vmPool,
      pieceBytes: copyPieceBytes,
      seed: 9_000_000,
    });
    this.#copy = copy;
    let left = Math.ceil(copyBytes / copyPieceBytes);
    let failures = 0;
    const write = async (): Promise<void> => {
      while (left > 0 && failures < 3 * copyDepth) {
        if (await copy.write()) {
          left--;
          failures = 0;
        } else failures++;
      }
    };
    let isDone = false;
    const done = Promise.all(Array.from({ length: copyDepth }, write)).then(() => {
      isDone = true;
    });
    const stallAt = left * (1 - copiedShare);
    const isFarEnough = (): boolean => left <= stallAt;
    await this.#cluster.until('a part of the copy', isFarEnough, 4_000_000);
    this.#row('a disk of 300 GiB is copied in');
    for (const name of stalling) {
      this.#machines.stall(name, stallMs);
      await scheduler.run(stallEveryMs);
      this.#row(`${name} stalls under the load`);
    }
    if (!isDone) await this.#cluster.settle(done, 'the copy to end', 4_000_000);
    this.#row('the copy ends', left > 0 ? 'given up' : 'complete');
  }

  async #night(): Promise<void> {
    await this.#cluster.scheduler.run(30_000);
    const out = this.#cluster.hasMonitor
      ? this.#cluster.monitor.map.osds.filter((osd) => !osd.in).length
      : 0;
    this.#row('night', out > 0 ? `${out} OSDs are out` : '');
  }

  /** Somebody comes and starts what is dead. */
  async #morning(): Promise<void> {
    await this.#machines.restoreControl();
    await this.#cluster.scheduler.run(30_000);
    this.#row('morning: what is dead is started');
  }

  /** The two that look worst: killed most often or, where none was, those that together hold the most alone. */
  #worstPair(): readonly [OsdId, OsdId] {
    const { records } = this.#cluster.monitor;
    const pool = this.#cluster.monitor.map.pools.find(({ name }) => name === s3Pool);
    let best: readonly [OsdId, OsdId] = [0 as OsdId, 1 as OsdId];
    let bestScore = -1;
    for (let a = 0; a < osdCount; a++)
      for (let b = a + 1; b < osdCount; b++) {
        if (hosts[a] === hosts[b]) continue;
        const shared = [...records.values()].filter(
          ({ pg, slots }) =>
            pg.startsWith(`${pool?.id}.`) &&
            [a, b].every((id) => slots.some(({ osd, state }) => osd === id && state === 'in-sync')),
        ).length;
        const kills = this.#machines.oomKillsOf(a as OsdId) + this.#machines.oomKillsOf(b as OsdId);
        const score = kills * 1000 + shared;
        if (score <= bestScore) continue;
        bestScore = score;
        best = [a as OsdId, b as OsdId];
      }
    return best;
  }

  async #giveUpTwo(): Promise<void> {
    const cluster = this.#cluster;
    const pair = this.#worstPair();
    const ids = new Set(pair);
    const names = pair.map((id) => `osd.${id}`).join(' and ');
    const what = 'the operator wants two OSDs destroyed and wiped';
    const refusal = await cluster.settle(
      cluster.monitor.losses
        .destroyOsds(ids, (losses) =>
          requireAccepted(nameOfDestroying(ids), losses, undefined, ['holdfast osd drain']),
        )
        .then(
          () => '',
          (error: unknown) => String(error),
        ),
      'destroying two',
    );
    if (refusal !== '') {
      const lost = refusal.match(/LOST/g)?.length ?? 0;
      await cluster.scheduler.run(10_000);
      this.#row(
        what,
        `refused for ${names}, ${lost} placement groups would be lost; they stay, and serve`,
      );
      return;
    }
    for (const id of pair) {
      this.#machines.setStopped(id, true);
      await cluster.settle(
        cluster.monitor.losses.wipeOsd(id, () => {}),
        'wiping',
      );
      const osd = cluster.osds[id];
      await cluster.settle(
        cluster.monitor.losses.undestroyOsds(new Set([id])).catch(() => {}),
        'again',
      );
      if (osd !== undefined) await cluster.replaceDisk(id);
      this.#machines.setStopped(id, false);
    }
    this.#machines.stopOthers();
    await cluster.scheduler.run(40_000);
    this.#row(
      what,
      `done, ${names}; they come back empty, and other pods are stopped to make room for what heals`,
    );
    await this.#markLost();
  }

  async #markLost(): Promise<void> {
    const cluster = this.#cluster;
    await this.#machines.restoreControl();
    const { monitor } = cluster;
    const dead = [...monitor.records.values()].filter(
      (record) => cluster.osdOf(record.primary)?.osd?.primaryOf(record.pg)?.isServing !== true,
    );
    for (const { pg } of dead) {
      const how = { kind: 'force-create', acceptedBy: 'the operator' } as const;
      const done = monitor.losses
        .beginAgain([pg], how, () => {})
        .then(
          () => true,
          () => false,
        );
      if (await cluster.settle(done, 'marking lost')) this.#markedLost++;
    }
    await cluster.scheduler.run(40_000);
    this.#row(
      'placement groups that nobody serves are given up, and begin empty',
      `${this.#markedLost} of ${dead.length}`,
    );
  }

  /** Everything that was ever acknowledged; what is not there, once more. */
  async #readEverything(): Promise<void> {
    const reads: Reading[] = [];
    for (const disk of [...this.#disks, ...(this.#copy === undefined ? [] : [this.#copy])])
      for (let at = 0; at < disk.pieces.length; at++)
        reads.push({ read: () => disk.read(at), group: () => disk.groupOf(at) });
    for (const s3 of this.#s3)
      for (const key of s3.keys.keys()) reads.push({ read: () => s3.get(key), group: () => key });
    const missing = await this.#readAll(await this.#readAll(reads));
    this.#lost = Math.max(this.#lost, missing.length);
    this.#objects = reads.length;
    const there = reads.length - missing.length;
    this.#row('everything is read', `${there} of ${reads.length} are there`);
  }

  /** Those that were not there, and those of groups that nobody answers for. */
  async #readAll(all: readonly Reading[]): Promise<readonly Reading[]> {
    const { scheduler } = this.#cluster;
    const left = [...all];
    const missing: Reading[] = [];
    const inVain = new Map<string | undefined, number>();
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const group = next.group();
        const begunAt = scheduler.now();
        const isAsked = (inVain.get(group) ?? 0) < readsInVainMax;
        if (isAsked && (await next.read())) continue;
        missing.push(next);
        if (scheduler.now() - begunAt >= vainMs) inVain.set(group, (inVain.get(group) ?? 0) + 1);
      }
    };
    const readers = Array.from({ length: readersAtOnce }, work);
    await this.#cluster.settle(Promise.all(readers), 'everything to be read', 3_000_000);
    return missing;
  }

  /** 2+1 is to be 3+2, and the profile is edited as it stands in the map. */
  async #editProfile(): Promise<void> {
    await this.#machines.restoreControl();
    const { scheduler, monitor } = this.#cluster;
    const pool = monitor.map.pools.find(({ name }) => name === s3Pool);
    for (const { pg } of monitor.records.values())
      if (pg.startsWith(`${pool?.id}.`)) monitor.scrub([pg], true);
    await scheduler.run(10_000);
    this.#row('a deep scrub of the S3 pool');
    await this.#editMap(erasure(3, 2));
    await scheduler.run(30_000);
    const refusing = this.#osdsRefusing();
    if (!isCeph && refusing < osdCount)
      this.#problems.push(`${osdCount - refusing} OSDs did not refuse the edited map`);
    this.#row(
      'the profile is edited in place, 2+1 to 3+2',
      isCeph ? '' : `${refusing} OSDs serve on by the map before, and say so`,
    );
    if (!isCeph) {
      await this.#editMap(erasure(2, 1));
      await scheduler.run(10_000);
      this.#row('the edit is taken back');
      await this.#cluster.settle(
        this.#cluster.monitor.pools.setPoolLayout(s3Pool, { geometry: erasure(3, 2) }),
        'the change',
      );
      const now = () => this.#cluster.monitor.map.pools.find(({ name }) => name === s3Pool);
      await this.#cluster.until(
        'the pool to have one layout',
        () => now()?.layouts.length === 1,
        3_000_000,
      );
      this.#row('holdfast pool set data --erasure 3+2', 'moved, while clients went on');
      return;
    }
    const restart = async (what: string, ids: readonly number[]): Promise<void> => {
      for (const id of ids)
        if (this.#cluster.osds[id]?.process !== undefined) this.#cluster.killOsd(id);
      await scheduler.run(20_000);
      this.#row(what);
    };
    await restart('an OSD is restarted', [3]);
    await restart(
      'and those that still run',
      this.#osdsAlive().map(({ id }) => id),
    );
  }

  /** Those that say to the monitor that they don't act on its map. */
  #osdsRefusing(): number {
    const { monitor } = this.#cluster;
    return monitor.map.osds.filter((osd) => (monitor.sightOf(osd)?.refusedMap ?? '') !== '').length;
  }

  #osdsAlive() {
    return this.#cluster.osds.filter(({ process }) => process?.isAlive === true);
  }

  async #editMap(geometry: Geometry): Promise<void> {
    const cluster = this.#cluster;
    await editMapStore(cluster, (before) => {
      const pools = before.map.pools.map((pool) =>
        pool.name === s3Pool
          ? {
              ...pool,
              layouts: pool.layouts.map((layout) =>
                layout.id === firstLayout ? { ...layout, geometry } : layout,
              ),
            }
          : pool,
      );
      return { ...before, map: { ...before.map, epoch: (before.map.epoch + 1) as Epoch, pools } };
    });
    await cluster.startMonitor();
  }

  async #end(): Promise<void> {
    await this.#cluster.scheduler.run(20_000);
    if (!isCeph) {
      await this.#cluster.untilClean(300_000);
      await this.#readEverything();
    }
    this.#isOver = true;
    this.#row('the end');
  }

  // ——— what is kept of it ———

  #checkNowAndThen(): void {
    let events = 0;
    this.#cluster.scheduler.afterEach = () => {
      if (++events % checkEvery === 0) this.#invariants.check();
    };
  }

  #pgsServing(): number {
    const current = this.#cluster.hasMonitor ? this.#cluster.monitor.records : undefined;
    if (current !== undefined) this.#pgs = [...current.keys()];
    return this.#pgs.filter((pg) =>
      this.#cluster.osds.some(
        ({ osd, process }) => process?.isPaused !== true && osd?.primaryOf(pg)?.isServing === true,
      ),
    ).length;
  }

  #sight() {
    return {
      osdsUp: this.#osdsAlive().filter(({ osd }) => osd !== undefined).length,
      pgsServing: this.#pgsServing(),
      pgs: this.#pgs.length,
      controlled: this.#machines.isControlled,
    };
  }

  #sample(): void {
    const { servedInAll, failedInAll } = this.#answers;
    const { scheduler } = this.#cluster;
    this.#samples.push({
      atMs: Math.round(scheduler.now()),
      ...this.#sight(),
      served: servedInAll - this.#sampled.served,
      failed: failedInAll - this.#sampled.failed,
      memoryBytes: Math.round(this.#machines.usedBytesNow),
    });
    this.#sampled = { served: servedInAll, failed: failedInAll };
    if (!this.#isOver) scheduler.after(sampleMs, 'sample', () => this.#sample());
  }

  #countSecond(): void {
    const { servedInAll } = this.#answers;
    if (this.#isOver) return;
    this.#cluster.scheduler.after(1000, 'second', () => {
      if (this.#answers.servedInAll === servedInAll) this.#unservedSeconds++;
      this.#countSecond();
    });
  }

  #row(what: string, outcome = ''): void {
    const row: Row = {
      atMs: Math.round(this.#cluster.scheduler.now()),
      what,
      outcome: [outcome, ...this.#machines.takeDeaths()].filter((each) => each !== '').join('; '),
      ...this.#answers.take(),
      ...this.#sight(),
      memoryBytesMost: Math.round(this.#machines.usedBytesMost),
    };
    this.#machines.usedBytesMost = 0;
    this.#rows.push(row);
    this.#onRow(row);
  }

  #story(): Story {
    const machines = this.#machines;
    const answers = this.#answers;
    return {
      rules,
      osds: osdCount,
      machineMemoryBytes,
      rows: this.#rows,
      samples: this.#samples,
      verdict: {
        objects: this.#objects,
        objectsLost: this.#lost,
        pgsLost: this.#markedLost,
        oomKills: machines.oomKills,
        controlPlanesLost: machines.controlPlanesLost,
        crashes: machines.crashes,
        unservedSeconds: this.#unservedSeconds,
        storageHalted: this.#pgsServing() === 0,
        served: answers.servedInAll,
        failed: answers.failedInAll,
        waitedMsMost: Math.round(answers.waitedMsMostOfAll),
        problems: [
          ...this.#problems,
          ...this.#cluster.failures,
          ...this.#invariants.problems,
          ...[
            ...this.#disks,
            ...this.#s3,
            ...(this.#copy === undefined ? [] : [this.#copy]),
          ].flatMap(({ problems }) => problems),
        ],
      },
    };
  }
}
