// A daemon's line to the monitor: kept open, subscribed, re-opened when it breaks. Holds the newest map
// and PG records; older ones are never taken (a monitor that came back with less is not believed), nor is
// a map or a record that contradicts itself or what stored bytes mean: the one before stays in force.

import type { PgId, Uuid } from '../base/ids.ts';
import { sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Address } from '../env/network.ts';
import { type ClusterMap, isRetired } from '../map/cluster-map.ts';
import { mapFault, recordFault, successorFault } from '../map/map-fault.ts';
import { isSameRecord, mayHaveBeenSaid, type PgRecord } from '../map/pg-record.ts';
import {
  type Message,
  type MessageKind,
  type MessageOf,
  recordWordSince,
} from '../wire/messages.ts';
import { NetError } from './errors.ts';
import { connectSession, type Identity } from './handshake.ts';
import type { Incoming, Outgoing, Session } from './session.ts';

export interface MonLinkOptions {
  readonly identity: Identity;
  readonly key: Uint8Array;
  readonly mon: { readonly address: Address; readonly uuid: Uuid };
  /** The map or some records became newer. */
  changed(change: { readonly map: boolean; readonly records: readonly PgRecord[] }): void;
  /** A new session is there; resolves when what the daemon says first was said. */
  connected?(session: Session): Promise<void>;
  /** What is not about map or records: a notice, or a request, which gets the message returned. */
  told?(message: Message): Message | undefined;
}

/** Between attempts to reach the monitor, in milliseconds. */
const retryMs = 300;

const askTimeoutMs = 5000;

/** Who asks what a record is waits with a takeover: a monitor that takes longer is away. */
const wordTimeoutMs = 1000;

/** Between looks whether the monitor still answers. */
const pingMs = 2000;

export class MonLink {
  readonly #env: Env;
  readonly #options: MonLinkOptions;
  readonly #records = new Map<PgId, PgRecord>();
  /** Groups whose newest record only a peer has said. */
  readonly #hearsay = new Set<PgId>();
  readonly #peerKeys = new Map<Uuid, Promise<Uint8Array>>();
  #map: ClusterMap | undefined;
  #refusedMap = '';
  #session: Session | undefined;
  #closed = false;

  constructor(env: Env, options: MonLinkOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** Begins to connect; what the daemon remembers from before should be there by now. */
  start(): void {
    this.#env.tasks.spawn('monitor link', () => this.#run());
  }

  get map(): ClusterMap | undefined {
    return this.#map;
  }

  /** Why the newest map that came is not acted on; empty when it is. */
  get refusedMap(): string {
    return this.#refusedMap;
  }

  get records(): ReadonlyMap<PgId, PgRecord> {
    return this.#records;
  }

  get isConnected(): boolean {
    return this.#session?.isOpen === true;
  }

  /** Takes over what a daemon remembered from before; newer knowledge stays. */
  remember(map: ClusterMap | undefined, records: readonly PgRecord[]): void {
    if (map !== undefined) this.#takeMap(map);
    for (const record of records) this.#take(record);
  }

  /** One request to the monitor. Throws `NetError`; an answer of another kind is thrown as `refused`. */
  async ask<K extends MessageKind>(message: Message, expected: K): Promise<MessageOf<K>> {
    const session = this.#session;
    if (session === undefined) throw new NetError('closed', 'no monitor');
    const answer = (await session.request({ message }, askTimeoutMs)).message;
    if (answer.kind === expected) return answer as MessageOf<K>;
    throw new NetError(
      'refused',
      answer.kind === 'failure' ? answer.detail : `${message.kind} got ${answer.kind}`,
    );
  }

  /**
   * A change that is made only when nobody else made one. Throws `NetError`, also when the monitor speaks only
   * versions before `versionMin`.
   */
  async put(message: Message, versionMin: number): Promise<'ok' | 'stale'> {
    const session = this.#session;
    if (session === undefined) throw new NetError('closed', 'no monitor');
    if (session.peer.version < versionMin)
      throw new NetError('refused', `the monitor is too old for ${message.kind}`);
    const answer = (await session.request({ message }, askTimeoutMs)).message;
    if (answer.kind === 'ok') return 'ok';
    if (answer.kind === 'failure' && answer.code === 'stale') return 'stale';
    throw new NetError(
      'refused',
      answer.kind === 'failure' ? answer.detail : `${message.kind} got ${answer.kind}`,
    );
  }

  /** Whether the monitor can say of a record that it never gave it; older ones can't. Undefined: it is not there. */
  get isJudge(): boolean | undefined {
    const session = this.#session;
    return session?.isOpen === true ? session.peer.version >= recordWordSince : undefined;
  }

  /**
   * The record that the monitor has of a placement group now. Undefined: it does not answer, or what it has says nothing
   * of what it has said before, because its store may be an older copy, or somebody edited the record by hand.
   */
  async readRecord(pg: PgId): Promise<{ readonly record: PgRecord | undefined } | undefined> {
    const session = this.#session;
    if (session === undefined || this.isJudge !== true) return undefined;
    try {
      const outgoing = { message: { kind: 'read-record', pg } } as const;
      const { message } = await session.request(outgoing, wordTimeoutMs);
      if (message.kind !== 'records' || !message.complete) return undefined;
      const record = message.records.find((each) => each.pg === pg);
      const map = this.#map;
      const isEdited =
        record !== undefined && map !== undefined && recordFault(record, map) !== undefined;
      return isEdited ? undefined : { record };
    } catch (error) {
      if (error instanceof NetError) return undefined;
      throw error;
    }
  }

  /** @param versionMin a monitor that speaks only older versions is not told */
  tell(message: Message, versionMin = 1): void {
    const session = this.#session;
    if (session !== undefined && session.peer.version >= versionMin) session.notify({ message });
  }

  /** The key to talk to an OSD with; asked once and kept, so that a monitor gone later does no harm. */
  peerKey(target: Uuid): Promise<Uint8Array> {
    let key = this.#peerKeys.get(target);
    if (key === undefined) {
      key = this.ask({ kind: 'peer-key', target }, 'key').then((answer) => answer.key.slice());
      this.#peerKeys.set(target, key);
      key.catch(() => this.#peerKeys.delete(target));
    }
    return key;
  }

  /** Takes a record of the monitor's that was learnt elsewhere, if it is newer. */
  learn(record: PgRecord): void {
    if (this.#take(record)) this.#options.changed({ map: false, records: [record] });
  }

  /** Takes a record that only a peer says, if it is newer. */
  believe(record: PgRecord): void {
    if (!this.#take(record)) return;
    this.#hearsay.add(record.pg);
    this.#options.changed({ map: false, records: [record] });
  }

  /**
   * What a peer said, in this life or in an earlier one (`remembered`), is held against what the monitor says now: what
   * it can't have said once gives way. False where nothing did. Nobody is told.
   */
  overrule(remembered: PgRecord, word: PgRecord | undefined): boolean {
    const { pg } = remembered;
    const known = this.#records.get(pg);
    const isHearsay =
      this.#hearsay.has(pg) || (known !== undefined && isSameRecord(known, remembered));
    this.#hearsay.delete(pg);
    if (known === undefined || !isHearsay || mayHaveBeenSaid(known, word)) return false;
    this.#records.delete(pg);
    if (word !== undefined) this.#take(word);
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#session?.close('shutting down');
  }

  #takeMap(map: ClusterMap): boolean {
    const known = this.#map;
    if (known !== undefined && map.epoch <= known.epoch) return false;
    const fault = mapFault(map) ?? (known === undefined ? undefined : successorFault(known, map));
    if (fault !== undefined) {
      this.#refusedMap = `map ${map.epoch} is wrong: ${fault}`;
      this.#env.log.write('error', 'cluster map refused', { epoch: map.epoch, fault });
      return false;
    }
    this.#refusedMap = '';
    this.#map = map;
    for (const [pg, record] of this.#records) {
      // Its layout is gone for ever, or it came before the map by which it is wrong.
      const isWrong = known === undefined && recordFault(record, map) !== undefined;
      if (isWrong || isRetired(pg, map)) this.#records.delete(pg);
    }
    return true;
  }

  #take(record: PgRecord): boolean {
    const known = this.#records.get(record.pg);
    if (known !== undefined && known.version >= record.version) return false;
    if (this.#map !== undefined && isRetired(record.pg, this.#map)) return false;
    const fault = this.#map === undefined ? undefined : recordFault(record, this.#map);
    if (fault !== undefined) {
      this.#env.log.write('error', 'record refused', { pg: record.pg, fault });
      return false;
    }
    this.#records.set(record.pg, record);
    this.#hearsay.delete(record.pg);
    return true;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#converse();
      } catch (error) {
        this.#env.log.write('info', 'monitor not reached', { error: String(error) });
      }
      if (!this.#closed) await sleep(this.#env.clock, retryMs, 'monitor retry');
    }
  }

  async #converse(): Promise<void> {
    const session = await connectSession(this.#env, this.#options.identity, {
      address: this.#options.mon.address,
      target: this.#options.mon.uuid,
      targetRole: 'mon',
      key: this.#options.key,
      handle: (_, incoming) => this.#handle(incoming),
    });
    if (this.#closed) {
      session.close('shutting down');
      return;
    }
    const ended = new Promise<void>((resolve) => session.onClose(() => resolve()));
    this.#session = session;
    try {
      await session.request({ message: { kind: 'subscribe' } }, askTimeoutMs);
      await this.#options.connected?.(session);
      // A connection to a machine that lost power stays open for long: only an answer shows that it lives.
      while (session.isOpen && !this.#closed) {
        await Promise.race([ended, sleep(this.#env.clock, pingMs, 'monitor ping')]);
        if (session.isOpen) await session.request({ message: { kind: 'ping' } }, askTimeoutMs);
      }
    } finally {
      if (this.#session === session) this.#session = undefined;
      session.close('line given up');
    }
  }

  async #handle(incoming: Incoming): Promise<Outgoing | undefined> {
    const { message } = incoming;
    switch (message.kind) {
      case 'map': {
        if (this.#takeMap(message.map)) this.#options.changed({ map: true, records: [] });
        return undefined;
      }
      case 'records': {
        const newer = message.records.filter((record) => this.#take(record));
        if (message.complete) this.#forgetOthers(message.records);
        if (newer.length > 0 || message.complete)
          this.#options.changed({ map: false, records: newer });
        return undefined;
      }
      default: {
        const answer = this.#options.told?.(message);
        return answer === undefined ? undefined : { message: answer };
      }
    }
  }

  /** PGs of pools that were removed meanwhile. */
  #forgetOthers(records: readonly PgRecord[]): void {
    const known = new Set(records.map((record) => record.pg));
    for (const pg of [...this.#records.keys()]) if (!known.has(pg)) this.#records.delete(pg);
  }
}
