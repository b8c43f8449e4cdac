// Where scenarios are played: a small cluster whose invariants are looked at after every event, and words for
// what is done to it.

import { decodeUtf8, encodeUtf8, equalBytes } from '../base/bytes.ts';
import type { BlobId, PgId } from '../base/ids.ts';
import type { Methods } from '../base/method.ts';
import type { LayoutRef } from '../client/cluster.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import type { DomainLevel } from '../map/cluster-map.ts';
import type { Geometry } from '../map/geometry.ts';
import { slotsIn } from '../map/pg-record.ts';
import { compareMembers } from './end-state.ts';
import { Invariants } from './invariants.ts';
import { follow, tell } from './recording.ts';
import { SimulatedCluster, type SimulatedOsd } from './simulated-cluster.ts';
import { workloadMethods } from './workload.ts';

/** How often each thing was logged in all scenarios that ran; marks are counted in it. */
export const loggedInScenarios: Record<string, number> = {};

export class Stage {
  readonly cluster: SimulatedCluster;
  readonly #invariants: Invariants;
  /** Of the story that is told of it, once it has started. */
  #look: () => void = () => {};

  constructor(
    osdCount: number,
    geometry: Geometry,
    clocksDiffer = false,
    data?: Geometry,
    pgCount = 1,
    methods: Methods = workloadMethods,
    place: { readonly hosts?: readonly string[]; readonly failureDomain?: DomainLevel } = {},
  ) {
    const { hosts, failureDomain = 'host' } = place;
    this.cluster = new SimulatedCluster({
      seed: 7,
      osdCount,
      ...(hosts === undefined ? {} : { hosts }),
      pools: [
        { name: '.index', geometry, failureDomain, pgCount },
        ...(data === undefined
          ? []
          : [{ name: 'data', geometry: data, failureDomain, pgCount } as const]),
      ],
      methods,
      clocksDiffer,
    });
    this.cluster.onLog = ({ event }) => {
      loggedInScenarios[event] = (loggedInScenarios[event] ?? 0) + 1;
    };
    this.#invariants = new Invariants(this.cluster);
    this.cluster.scheduler.afterEach = () => {
      this.#invariants.check();
      this.#look();
    };
  }

  async start(): Promise<ClusterClient> {
    await this.cluster.start();
    await this.cluster.untilClean();
    this.#look = follow(this.cluster);
    return this.cluster.client();
  }

  /** Sets, or reads, a row; the answer is what was there before. */
  async row(client: ClusterClient, argument: string): Promise<string> {
    return decodeUtf8(await client.call('.index', 'object', 'sim.swap', encodeUtf8(argument)));
  }

  async set(client: ClusterClient, argument: string): Promise<string> {
    const before = await this.cluster.settle(this.row(client, argument), argument);
    const isRead = !argument.includes('=');
    tell(this.cluster, isRead ? `read ${argument}: ${before}` : `set ${argument}`);
    return before;
  }

  get pg(): PgId {
    return [...this.cluster.monitor.records.keys()][0] as PgId;
  }

  get primary(): SimulatedOsd {
    const record = this.cluster.monitor.records.get(this.pg);
    return this.cluster.osdOf(record?.primary) as SimulatedOsd;
  }

  get members(): readonly SimulatedOsd[] {
    const record = this.cluster.monitor.records.get(this.pg);
    if (record === undefined) return [];
    return slotsIn(record, 'in-sync')
      .filter((slot) => slot.uuid !== record.primary)
      .map((slot) => this.cluster.osdOf(slot.uuid) as SimulatedOsd);
  }

  /** Cuts the primary off from everybody but clients. */
  cutOff(): SimulatedOsd {
    const old = this.primary;
    this.part(`osd.${old.id}`, ['mon', ...this.members.map(({ id }) => `osd.${id}`)]);
    return old;
  }

  /** Has the monitor take it for dead, now. */
  depose(osd: SimulatedOsd): Promise<void> {
    tell(this.cluster, `call osd.${osd.id} down`);
    return this.cluster.settle(
      this.cluster.monitor.markDownByOperator(osd.id),
      `marking osd.${osd.id} down`,
    );
  }

  run(ms: number): Promise<void> {
    return this.cluster.scheduler.run(ms);
  }

  /** Cuts one process off from others, both ways. */
  part(name: string, others: readonly string[]): void {
    for (const other of others) {
      this.cluster.network.cut(name, other);
      this.cluster.network.cut(other, name);
    }
  }

  /** Of the last pool: `data` where there is one. */
  get dataPg(): PgId {
    return [...this.cluster.monitor.records.keys()].at(-1) as PgId;
  }

  leadOf(pg: PgId): SimulatedOsd {
    return this.cluster.osdOf(this.cluster.monitor.records.get(pg)?.primary) as SimulatedOsd;
  }

  /** Puts a blob into `data`; `check` sees that it is there as it was written. */
  async keepBlob(client: ClusterClient): Promise<{
    readonly layout: LayoutRef;
    readonly blob: BlobId;
    readonly check: () => Promise<void>;
  }> {
    const { cluster } = this;
    const layout = client.activeLayout('data');
    const blob = await client.allocateBlobs(1);
    const bytes = new Uint8Array(5000).fill(3);
    await cluster.settle(client.putBlob(layout, blob, [bytes]), 'a put');
    const check = async (): Promise<void> => {
      const range = { offsetBytes: 0, lengthBytes: bytes.length };
      const read = await cluster.settle(client.readBlob(layout, blob, range), 'a read');
      this.expect(equalBytes(read, bytes), 'the blob is there as it was written');
    };
    return { layout, blob, check };
  }

  /** Who has a slot of the group and does not lead it. */
  othersOf(pg: PgId): readonly SimulatedOsd[] {
    const { slots = [], primary } = this.cluster.monitor.records.get(pg) ?? {};
    return slots.flatMap(({ uuid }) => {
      const osd = uuid === primary ? undefined : this.cluster.osdOf(uuid);
      return osd === undefined ? [] : [osd];
    });
  }

  /** Has the monitor take every other leader for dead until this one leads. */
  async makeLead(pg: PgId, osd: SimulatedOsd): Promise<void> {
    for (let attempt = 0; attempt < 12 && this.leadOf(pg) !== osd; attempt++) {
      await this.depose(this.leadOf(pg));
      await this.run(5000);
    }
    this.expect(this.leadOf(pg) === osd, `osd.${osd.id} leads ${pg}`);
  }

  /** All members hold the same, each byte verified. */
  async compare(): Promise<void> {
    const problems: string[] = [];
    await compareMembers(this.cluster, problems);
    this.expect(problems.length === 0, problems.join('\n'));
  }

  /** Starts a daemon again, with nothing in its memory. */
  async restart(osd: SimulatedOsd): Promise<void> {
    this.cluster.killOsd(osd.id);
    await this.cluster.startOsd(osd.id);
  }

  end(): void {
    this.expect(this.cluster.failures.length === 0, this.cluster.failures.join('\n'));
    this.expect(this.#invariants.problems.length === 0, this.#invariants.problems.join('\n'));
  }

  expect(isTrue: boolean, what: string): void {
    if (!isTrue) throw new Error(what);
  }
}

/** Where a promise has settled yet. */
export function watched<T>(work: Promise<T>): { isDone: () => boolean; isRefused: () => boolean } {
  let state: 'open' | 'done' | 'refused' = 'open';
  work.then(
    () => {
      state = 'done';
    },
    () => {
      state = 'refused';
    },
  );
  return { isDone: () => state === 'done', isRefused: () => state === 'refused' };
}
