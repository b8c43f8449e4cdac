// The cluster as a gateway uses it: finds the primary, asks, and asks again until the answer is known or
// time is up. A request keeps its id over all its attempts, which makes retries harmless.

import { DecodeError } from '../base/codec.ts';
import { crc32c } from '../base/crc32c.ts';
import { hashNumbers } from '../base/hash.ts';
import { type BlobId, formatPgId, type PgId, type PoolId, type Uuid } from '../base/ids.ts';
import type { SharedMemory } from '../base/shared-memory.ts';
import type { Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Address } from '../env/network.ts';
import {
  activeLayout,
  type ClusterMap,
  findLayout,
  findPool,
  isRetired,
  type Layout,
  type OsdEntry,
  type PgLoss,
} from '../map/cluster-map.ts';
import {
  type Directory,
  decodeDirectory,
  directoryBytesMax,
  directoryFault,
  emptyDirectory,
  encodeDirectory,
  plainUser,
} from '../map/directory.ts';
import { NetError } from '../net/errors.ts';
import type { Identity } from '../net/handshake.ts';
import { MonLink } from '../net/mon-link.ts';
import { describeError, type Incoming, type Outgoing, type Session } from '../net/session.ts';
import type { LiveRequest } from '../wire/entry.ts';
import {
  directorySince,
  type FailureCode,
  handoversSince,
  type MessageOf,
  notificationsSince,
} from '../wire/messages.ts';
import type {
  BlobCursor,
  BlobPage,
  BlobQuery,
  BlobRange,
  Cluster,
  LayoutRef,
  Migration,
  MigrationProgress,
  NotificationReport,
  WriterRange,
} from './cluster.ts';
import { readShardsDirectly } from './direct-read.ts';
import { ClientError } from './errors.ts';
import { OsdSessions } from './osd-sessions.ts';
import { type Attempts, Places } from './places.ts';
import { StuckGroups } from './stuck-groups.ts';

export interface ClusterClientOptions {
  readonly identity: Identity;
  readonly key: Uint8Array;
  readonly mon: { readonly address: Address; readonly uuid: Uuid };
}

/**
 * How long one call goes on asking. A failover takes up to five seconds, a wait for the write floor ten. Where nobody
 * can serve, less (stuck-groups.ts).
 */
const callMs = 15_000;

/** How long a write waits for enough in-sync slots. */
const floorMs = 10_000;

/**
 * How long a blob is tried where it was meant for, once the pool has another layout: a failover may be under
 * way, but where a disk is missing the other layout is there so that nobody waits.
 */
const supersededMs = 1000;

/** How often a call is sent on to another layout of its pool: twice while names go one way, more when that is turned back. */
const hopsMax = 20;

/** One attempt; then the primary may be another. */
const attemptMs = 6000;

/** Between attempts when nothing new is heard. */
const retryMs = 100;

/** How long a held job is believed before asking again: a third of its lease. */
const jobBeliefMs = 5000;

/** Blobs listed by one request; primaries give no more. */
const blobsPerPageMax = 1000;

/** What to do with a refusal; exhaustive over the wire's codes. */
const reactions: Readonly<Record<FailureCode, 'retry' | 'wait-floor' | ClientError['code']>> = {
  'not-primary': 'retry',
  // Until the map that says so is here; then the request is superseded.
  draining: 'retry',
  'below-floor': 'wait-floor',
  'no-space': 'no-space',
  'no-such-blob': 'no-such-blob',
  damaged: 'damaged',
  'bad-request': 'bad-request',
  'too-large': 'too-large',
  stale: 'retry',
  busy: 'retry',
  failed: 'retry',
};

export class ClusterClient implements Cluster {
  readonly #env: Env;
  readonly #mon: MonLink;
  readonly #sessions: OsdSessions;
  readonly #stuck: StuckGroups;
  readonly #places: Places;
  readonly #outstanding = new Set<number>();
  readonly #jobs = new Map<string, number>();
  #directory: Directory = emptyDirectory;
  #sessionsKey: Uint8Array = new Uint8Array(0);
  #incarnation: number | undefined;
  /** The incarnation that a new one was asked for in place of. */
  #renewing: number | undefined;
  #nextRequest = 1;
  #nextBlob = 1;
  #closed = false;
  #waiters: (() => void)[] = [];

  private constructor(env: Env, options: ClusterClientOptions) {
    this.#env = env;
    this.#mon = new MonLink(env, {
      identity: options.identity,
      key: options.key,
      mon: options.mon,
      changed: () => this.#changed(),
      connected: async (session) => {
        const incarnation = this.#incarnation;
        if (incarnation !== undefined)
          session.notify({ message: { kind: 'hold-incarnation', incarnation } });
      },
      told: (message) => {
        if (message.kind === 'directory') this.#takeDirectory(message);
        // From a monitor of before there was a directory.
        if (message.kind === 'users') {
          const users = message.users.map((user) => plainUser(user, 0, false));
          this.#directory = { ...emptyDirectory, users };
          this.#changed();
        }
        return undefined;
      },
    });
    this.#sessions = new OsdSessions(env, options.identity, this.#mon);
    this.#stuck = new StuckGroups(env.clock, this.#mon);
    this.#places = new Places(this.#mon);
  }

  static start(env: Env, options: ClusterClientOptions): ClusterClient {
    const client = new ClusterClient(env, options);
    client.#mon.start();
    env.tasks.spawn('lease incarnation', () => client.#lease(undefined));
    return client;
  }

  /** Resolves when the map, the users and an incarnation are there. */
  async ready(): Promise<void> {
    while (
      !this.#closed &&
      (this.#mon.map === undefined ||
        this.#directory.users.length === 0 ||
        this.#incarnation === undefined)
    )
      await this.#change();
  }

  close(): void {
    this.#closed = true;
    this.#mon.close();
    this.#sessions.close();
    this.#changed();
  }

  /** Gets an incarnation in place of `old`, which goes on being used until then. */
  async #lease(old: number | undefined): Promise<void> {
    while (!this.#closed && this.#incarnation === old) {
      try {
        this.#incarnation = (
          await this.#mon.ask({ kind: 'lease-incarnation' }, 'incarnation')
        ).incarnation;
        this.#changed();
      } catch {
        await this.#change();
      }
    }
  }

  /** Resolves at the next news from the monitor, or after `retryMs`. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const wake = (): void => {
        timer?.cancel();
        resolve();
      };
      this.#waiters.push(wake);
      timer = this.#env.clock.after(retryMs, 'client retry', () => {
        const at = this.#waiters.indexOf(wake);
        if (at >= 0) this.#waiters.splice(at, 1);
        resolve();
      });
    });
  }

  #changed(): void {
    this.#stuck.changed();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  // ——— Cluster ———

  directory(): Directory {
    return this.#directory;
  }

  sessionsKey(): Uint8Array {
    return this.#sessionsKey;
  }

  async changeDirectory(next: Directory): Promise<'done' | 'stale'> {
    const encoded = encodeDirectory(next);
    if (encoded.length > directoryBytesMax)
      throw new ClientError('too-large', 'the directory of users would be too large');
    try {
      const answer = await this.#mon.put(
        { kind: 'put-directory', directory: encoded },
        directorySince,
      );
      // The monitor showed it before it answered: this client has it, or a newer one.
      return answer === 'ok' ? 'done' : 'stale';
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      throw new ClientError('unavailable', `the monitor: ${error.message}`, { cause: error });
    }
  }

  /** One that does not decode or contradicts itself is not acted on: the one before stays in force. */
  #takeDirectory(message: MessageOf<'directory'>): void {
    let directory: Directory;
    try {
      directory = decodeDirectory(message.directory);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#env.log.write('error', 'directory refused', { reason: error.message });
      return;
    }
    const fault = directoryFault(directory);
    if (fault !== undefined) {
      this.#env.log.write('error', 'directory refused', { reason: fault });
      return;
    }
    this.#directory = directory;
    this.#sessionsKey = message.sessionsKey.slice();
    this.#changed();
  }

  activeLayout(pool: string): LayoutRef {
    const found = this.#mon.map === undefined ? undefined : findPool(this.#mon.map, pool);
    if (found === undefined) throw new ClientError('no-such-pool', `no pool ${pool}`);
    return { pool: found.id, layout: activeLayout(found).id };
  }

  inlineBytesMax(pool: string): number {
    const found = this.#mon.map === undefined ? undefined : findPool(this.#mon.map, pool);
    if (found === undefined) throw new ClientError('no-such-pool', `no pool ${pool}`);
    return found.inlineBytesMax;
  }

  migration(pool: string): Migration | undefined {
    const found = this.#mon.map === undefined ? undefined : findPool(this.#mon.map, pool);
    if (found === undefined || found.layouts.length < 2 || found.migration === 'paused')
      return undefined;
    const active = activeLayout(found);
    // What an interim layout holds goes to the pool's own; nothing comes to it but new blobs.
    if (active.purpose === 'interim') return undefined;
    return {
      from: found.layouts
        .filter((each) => each !== active)
        .map((each) => ({ pool: found.id, layout: each.id })),
      to: { pool: found.id, layout: active.id },
      bytesPerSecond: found.migrationBytesPerSecond,
    };
  }

  reportMigration(pool: string, progress: MigrationProgress): void {
    this.#mon.tell({ kind: 'report-migration', pool, ...progress });
  }

  reportNotifications(report: NotificationReport): void {
    this.#mon.tell({ kind: 'report-notifications', ...report }, notificationsSince);
  }

  async allocateBlobs(count: number): Promise<BlobId> {
    while (this.#incarnation === undefined) {
      if (this.#closed) throw new ClientError('unavailable', 'the gateway stops');
      await this.#change();
    }
    const counter = this.#nextBlob;
    this.#nextBlob += count;
    return { incarnation: this.#incarnation, counter };
  }

  async call(
    pool: string,
    object: string,
    method: string,
    argument: Uint8Array,
  ): Promise<Uint8Array> {
    const answer = await this.#withRequest(async (request) => {
      const route = this.#places.route(pool, object);
      for (let hop = 0; hop < hopsMax; hop++) {
        const incoming = await this.#ask(
          () => route.pg(),
          (pg) => ({
            message: callTo(pg, route.turn, { request: request(), object, method, argument }),
          }),
          { attempts: route },
        );
        if (incoming.message.kind !== 'moved') return incoming;
        route.movedIn(incoming.message.turn);
      }
      throw new ClientError('unavailable', `${object} was in none of ${hopsMax} places`);
    });
    if (answer.message.kind !== 'result')
      throw new ClientError('bad-request', `call got ${answer.message.kind}`);
    return answer.message.result;
  }

  async putBlob(
    layout: LayoutRef,
    blob: BlobId,
    views: readonly Uint8Array[],
    memory?: SharedMemory,
  ): Promise<void> {
    let blobCrc = 0;
    for (const view of views) blobCrc = crc32c(view, blobCrc);
    await this.#withRequest((request) =>
      this.#ask(
        () => this.#pgOfBlob(layout, blob),
        (pg) => ({
          message: { kind: 'put-blob', pg, request: request(), blob, blobCrc },
          payload: views,
          payloadCrc: blobCrc,
          // Until the attempt's connection has sent it or is gone.
          release: memory?.hold(),
        }),
        { isSuperseded: () => this.#isSuperseded(layout) },
      ),
    );
  }

  /** The pool has another active layout than this one. */
  #isSuperseded(ref: LayoutRef): boolean {
    const pool = this.#mon.map?.pools.find((each) => each.id === ref.pool);
    return pool !== undefined && activeLayout(pool).id !== ref.layout;
  }

  async readBlob(layout: LayoutRef, blob: BlobId, range: BlobRange): Promise<Uint8Array> {
    try {
      return await this.#readBlob(layout, blob, range);
    } catch (error) {
      const isAbsent = error instanceof ClientError && error.code === 'no-such-blob';
      const loss = isAbsent ? this.#lossOf(layout, blob) : undefined;
      if (loss === undefined) throw error;
      throw new ClientError('lost', `placement group ${loss.pg} lost it`, { cause: error, loss });
    }
  }

  /** What was lost where the blob was: of a layout that is gone, anywhere in it. */
  #lossOf(ref: LayoutRef, blob: BlobId): PgLoss | undefined {
    const losses = this.#mon.map?.losses ?? [];
    if (losses.length === 0) return undefined;
    const isThere = findLayout(this.#mon.map as ClusterMap, ref.pool, ref.layout) !== undefined;
    const pg = isThere ? this.#pgOfBlob(ref, blob) : undefined;
    return losses.find((loss) =>
      pg === undefined ? loss.pg.startsWith(`${ref.pool}.${ref.layout}.`) : loss.pg === pg,
    );
  }

  async #readBlob(layout: LayoutRef, blob: BlobId, range: BlobRange): Promise<Uint8Array> {
    const { offsetBytes, lengthBytes } = range;
    const direct = await readShardsDirectly(
      { map: this.#mon.map, records: this.#mon.records, sessions: this.#sessions },
      { layout, blob, pg: this.#pgOfBlob(layout, blob), range },
    );
    if (direct !== undefined) return direct;
    const answer = await this.#ask(
      () => this.#pgOfBlob(layout, blob),
      (pg) => ({ message: { kind: 'read-blob', pg, blob, offsetBytes, lengthBytes } }),
      range.pooled === true ? { pooled: true } : {},
    );
    if (answer.payload.length !== lengthBytes)
      throw new ClientError('damaged', `${answer.payload.length} bytes for ${lengthBytes}`);
    return answer.payload;
  }

  /** Where the blob would be, as the newest map has it; undefined: nobody knows, or its layout is gone. */
  pgOfBlob(layout: LayoutRef, blob: BlobId): PgId | undefined {
    const { map } = this.#mon;
    const isThere = map !== undefined && findLayout(map, layout.pool, layout.layout) !== undefined;
    return isThere ? this.#pgOfBlob(layout, blob) : undefined;
  }

  /** Where a mutable object would be; undefined: nobody knows, or there is no such pool. */
  pgOfObject(pool: string, object: string): PgId | undefined {
    const { map } = this.#mon;
    return map === undefined || findPool(map, pool) === undefined
      ? undefined
      : this.#places.route(pool, object).pg();
  }

  async deleteBlob(layout: LayoutRef, blob: BlobId): Promise<void> {
    const anyPg = formatPgId(layout.pool as PoolId, layout.layout, 0);
    // A layout that is gone took every blob with it.
    const isGone = (): boolean => this.#mon.map !== undefined && isRetired(anyPg, this.#mon.map);
    if (isGone()) return;
    try {
      await this.#withRequest((request) =>
        this.#ask(
          () => this.#pgOfBlob(layout, blob),
          (pg) => ({ message: { kind: 'delete-blob', pg, request: request(), blob } }),
        ),
      );
    } catch (error) {
      if (!isGone()) throw error;
    }
  }

  async listBlobs(pool: string, query: BlobQuery): Promise<BlobPage> {
    const found = this.#mon.map === undefined ? undefined : findPool(this.#mon.map, pool);
    if (found === undefined) throw new ClientError('no-such-pool', `no pool ${pool}`);
    const layouts = [...found.layouts].sort((a, b) => a.id - b.id);
    const { cursor, begin, end } = query;
    const layout = layouts.find((each) => cursor === undefined || each.id >= cursor.layout);
    // The layout that the cursor was in may be gone, with every blob in it.
    if (layout === undefined)
      return { layout: this.activeLayout(pool), blobs: [], next: undefined };
    const goesOn = cursor?.layout === layout.id;
    const pgIndex = goesOn ? cursor.pgIndex : 0;
    const limit = Math.max(1, Math.min(query.limit, blobsPerPageMax));
    const answer = await this.#ask(
      () => formatPgId(found.id, layout.id, pgIndex),
      (pg) => ({
        message: {
          kind: 'list-blobs',
          pg,
          after: (goesOn ? cursor.after : undefined) ?? blobBefore(begin),
          limit,
        },
      }),
    );
    if (answer.message.kind !== 'blobs')
      throw new ClientError('bad-request', `list-blobs got ${answer.message.kind}`);
    const listed = answer.message.blobs;
    const blobs = listed.filter((blob) => isBefore(blob, end));
    let next: BlobCursor | undefined;
    if (blobs.length === limit) next = { layout: layout.id, pgIndex, after: blobs.at(-1) };
    else if (pgIndex + 1 < layout.pgCount)
      next = { layout: layout.id, pgIndex: pgIndex + 1, after: undefined };
    else {
      const following = layouts.find((each) => each.id > layout.id);
      if (following !== undefined) next = { layout: following.id, pgIndex: 0, after: undefined };
    }
    return { layout: { pool: found.id, layout: layout.id }, blobs, next };
  }

  async deadWriters(): Promise<readonly WriterRange[]> {
    try {
      const { live, judgedBelow } = await this.#mon.ask(
        { kind: 'live-incarnations' },
        'incarnations',
      );
      return gapsBetween(live, judgedBelow);
    } catch (error) {
      if (error instanceof NetError)
        throw new ClientError('unavailable', `the monitor: ${error.message}`, { cause: error });
      throw error;
    }
  }

  renewWriter(incarnation: number): void {
    if (this.#incarnation !== incarnation || this.#renewing === incarnation) return;
    this.#renewing = incarnation;
    this.#env.log.write('warn', 'taken for dead: going on as another writer', { incarnation });
    this.#env.tasks.spawn('renew incarnation', () => this.#lease(incarnation));
  }

  async holdsJob(job: string): Promise<boolean> {
    const until = this.#jobs.get(job);
    if (until !== undefined && until > this.#env.clock.now()) return true;
    this.#jobs.delete(job);
    try {
      const { held } = await this.#mon.ask({ kind: 'hold-job', job }, 'job');
      if (held) this.#jobs.set(job, this.#env.clock.now() + jobBeliefMs);
      return held;
    } catch {
      return false;
    }
  }

  // ——— asking ———

  /** Gives the work one request id for all its attempts, with what this client has ended meanwhile. */
  async #withRequest<T>(work: (request: () => LiveRequest) => Promise<T>): Promise<T> {
    while (this.#incarnation === undefined) {
      if (this.#closed) throw new ClientError('unavailable', 'the gateway stops');
      await this.#change();
    }
    const client = this.#incarnation;
    const counter = this.#nextRequest++;
    this.#outstanding.add(counter);
    try {
      // Sets keep insertion order and counters rise, so the first is the lowest.
      return await work(() => ({
        client,
        counter,
        doneBefore: this.#outstanding.values().next().value ?? counter,
      }));
    } finally {
      this.#outstanding.delete(counter);
    }
  }

  #pgOfBlob(ref: LayoutRef, blob: BlobId): PgId | undefined {
    const { map } = this.#mon;
    if (map === undefined) return undefined;
    const layout: Layout | undefined = findLayout(map, ref.pool, ref.layout);
    if (layout === undefined) {
      // Whoever named it has a newer map, which will come.
      if (!isRetired(formatPgId(ref.pool as PoolId, ref.layout, 0), map)) return undefined;
      // A layout goes when nothing is left in it.
      throw new ClientError('no-such-blob', `no layout ${ref.pool}.${ref.layout}`);
    }
    return formatPgId(
      ref.pool as PoolId,
      ref.layout,
      hashNumbers(blob.incarnation, blob.counter) % layout.pgCount,
    );
  }

  #primaryOf(pg: PgId): OsdEntry | undefined {
    const record = this.#mon.records.get(pg);
    if (record?.primary === undefined) return undefined;
    return this.#mon.map?.osds.find((osd) => osd.uuid === record.primary);
  }

  /** Asks the primary of a PG until it answers. Throws `ClientError`. */
  async #ask(
    locate: () => PgId | undefined,
    build: (pg: PgId) => Outgoing,
    options: {
      readonly pooled?: true;
      readonly isSuperseded?: () => boolean;
      readonly attempts?: Attempts;
    } = {},
  ): Promise<Incoming> {
    const startedAt = this.#env.clock.now();
    let reason = 'no cluster map yet';
    for (;;) {
      const elapsedMs = this.#env.clock.now() - startedAt;
      if (this.#closed) throw new ClientError('unavailable', 'the gateway stops');
      if (elapsedMs > callMs) throw new ClientError('unavailable', reason);
      if (elapsedMs > supersededMs && options.isSuperseded?.() === true)
        throw new ClientError('superseded', reason);
      const pg = locate();
      const osd = pg === undefined ? undefined : this.#primaryOf(pg);
      if (pg !== undefined) {
        // By a map that may be old, it is asked all the same: with the monitor gone, primaries go on.
        const isUp = osd?.up === true || !this.#mon.isConnected;
        const vain = this.#stuck.reasonOf(pg, 'any');
        if (vain !== undefined && !isUp) throw new ClientError('unavailable', vain);
      }
      if (pg !== undefined && osd !== undefined) {
        let session: Session | undefined;
        try {
          session = await this.#sessions.session(osd);
          const outgoing = build(pg);
          const isTooNew =
            outgoing.message.kind === 'call-in-turn' && session.peer.version < handoversSince;
          if (isTooNew) throw new NetError('refused', 'it speaks an older version');
          options.attempts?.sent();
          const answer = await session.request(
            outgoing,
            Math.max(1000, Math.min(attemptMs, callMs - elapsedMs)),
            options.pooled === true ? { pooled: true } : {},
          );
          if (answer.message.kind !== 'failure') return answer;
          const { code, detail } = answer.message;
          if (code === 'stale' || code === 'draining') options.attempts?.notDone();
          const reaction = reactions[code];
          reason = detail;
          const isElsewhere = code === 'draining' || reaction === 'wait-floor';
          if (isElsewhere && options.isSuperseded?.() === true)
            throw new ClientError('superseded', detail);
          if (reaction === 'wait-floor') {
            const vain = this.#stuck.reasonOf(pg, 'write');
            if (vain !== undefined) throw new ClientError('unavailable', vain);
            if (elapsedMs > floorMs) throw new ClientError('unavailable', detail);
          } else if (reaction !== 'retry') throw new ClientError(reaction, detail);
        } catch (error) {
          if (error instanceof ClientError) throw error;
          reason = `${pg} at osd.${osd.id}: ${describeError(error)}`;
          // Perhaps only this connection is dead: the next attempt takes a new one.
          if (error instanceof NetError && error.code === 'deadline') session?.close('no answer');
          // The session ended under the request: the newest record may already name another primary.
          if (error instanceof NetError && error.code === 'closed' && this.#primaryOf(pg) !== osd)
            continue;
        }
      } else if (pg !== undefined) reason = `${pg} has no primary`;
      else if (this.#mon.map !== undefined) reason = 'the cluster map here is too old';
      const vain = pg === undefined ? undefined : this.#stuck.reasonOf(pg, 'any');
      if (vain !== undefined) throw new ClientError('unavailable', vain);
      await this.#change();
    }
  }
}

/** A call by somebody who was sent there in a turn; 0: who asks there first. */
function callTo(
  pg: PgId,
  turn: number,
  call: Omit<MessageOf<'call'>, 'kind' | 'pg'>,
): MessageOf<'call'> | MessageOf<'call-in-turn'> {
  return turn === 0 ? { kind: 'call', pg, ...call } : { kind: 'call-in-turn', pg, turn, ...call };
}

function isBefore(a: BlobId, b: BlobId): boolean {
  return (
    a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.counter < b.counter)
  );
}

/** The greatest id before this one: listings begin after an id. Undefined: there is none. */
function blobBefore({ incarnation, counter }: BlobId): BlobId | undefined {
  if (counter > 0) return { incarnation, counter: counter - 1 };
  if (incarnation === 0) return undefined;
  return { incarnation: incarnation - 1, counter: Number.MAX_SAFE_INTEGER };
}

/** What is below `end` and not among `live`, which rises. Incarnations begin at 1. */
function gapsBetween(live: readonly number[], end: number): WriterRange[] {
  const gaps: WriterRange[] = [];
  let first = 1;
  for (const each of [...live.filter((incarnation) => incarnation < end), end]) {
    if (each > first) gaps.push({ first, count: each - first });
    first = Math.max(first, each + 1);
  }
  return gaps;
}
