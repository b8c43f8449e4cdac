// How a placement group's mutable objects come to the groups of another layout, one name after the other, while both
// serve (PROTOCOL rule 32, docs/decisions/0028-handing-over-names.md).
//
// Nobody but the old group says that a name is not its own any more, so it is asked first: the group of the pool's oldest
// layout, then whichever it names. Of each name that was touched a group keeps a marker, durable like any row:
//
//   frozen    it is about to go: its rows are read and do not change
//   moved     it went: whoever asks is sent to the other layout, and what rows are left here are garbage
//   arriving  rows of it come here
//   arrived   all of them are here: it is this group's for whoever was told by the other one that it went
//   here      this group answers for it
//
// The old primary commits `frozen`, pushes the rows, the new one commits them with `arrived`, and only then the old one
// commits `moved`: until it has, the name is the old group's, and turned back it stays there. A group that has nothing
// left is *sealed*: what it has no marker of was moved too. Each step may be done again, by any later primary: frozen
// rows are the same for all of them.
//
// Which way names go is said by the pool's *turn*, which rises each time that it begins or is turned back. A marker of
// a later turn refuses whatever comes of an earlier one, and a caller brings the turn in which it was sent here.

import { concatBytes, decodeUtf8, emptyBytes, encodeUtf8 } from '../base/bytes.ts';
import { type Codec, decode, encode, oneOf, struct, uint, versioned } from '../base/codec.ts';
import { type PgId, parsePgId } from '../base/ids.ts';
import type { MethodRow, RowEffect, Version } from '../base/method.ts';
import { sleep } from '../env/clock.ts';
import { activeLayout, homeLayout, type Pool, pgOfName } from '../map/cluster-map.ts';
import { describeError } from '../net/session.ts';
import type { MessageOf } from '../wire/messages.ts';
import { OsdError } from './errors.ts';
import { groupsOwn, type PgDisk } from './pg-disk.ts';
import type { Taken, World } from './world.ts';

/** Rows that travel in one message: so many bytes, or one row. */
const pushBytesMax = 256 * 1024;
const pushRowsMax = 1000;

/** Garbage rows removed by one entry. */
const removedTogether = 500;

/** Between attempts when the other side can't take something now. */
const againMs = 200;

/** Markers kept in memory. */
const markersMax = 4096;

/**
 * Versions that methods are given rise over hand-overs though each placement group counts its own: what a group gives once it has
 * heard of a turn is above all that was given in earlier ones. A group is taken over less often than this.
 */
const tenuresInTurn = 2 ** 20;

const markerStates = ['frozen', 'moved', 'arriving', 'arrived', 'here'] as const;

interface Marker {
  readonly state: (typeof markerStates)[number];
  /** 1 at least. */
  readonly turn: number;
}

/** Of the group as a whole; its row is there before any marker is. */
interface Whole {
  /** The highest turn that somebody who was sent here brought along: versions are of this one. */
  readonly base: number;
  /** What has no marker went in this turn; 0: it did not. */
  readonly sealed: number;
  /** It was lost and began again in this turn, so that markers may be missing; 0: it was not. */
  readonly doubted: number;
}

const markerCodec: Codec<Marker> = versioned(
  'hand-over of a name',
  1,
  struct({ state: oneOf(...markerStates), turn: uint }),
);
const wholeCodec: Codec<Whole> = versioned(
  'hand-over of a group',
  1,
  struct({ base: uint, sealed: uint, doubted: uint }),
);

/** Rows of the group's own: of the whole, and behind this prefix the markers, by name. */
const wholeRow = new Uint8Array([1]);
const markerPrefix = 2;

/** Markers read at once. */
const markersAtOnce = 1000;

function markerRow(name: string): Uint8Array {
  return concatBytes([new Uint8Array([markerPrefix]), encodeUtf8(name)]);
}

function mayAnswerFor({ state }: Marker): boolean {
  return state === 'here' || state === 'frozen' || state === 'arrived';
}

const unused: Whole = { base: 0, sealed: 0, doubted: 0 };

/** How the newest map known here has the group's pool. `alone`: there is no other layout. */
interface Role {
  readonly kind: 'source' | 'destination' | 'alone';
  readonly turn: number;
  readonly pool: Pool;
}

/** What is to be done with a call. `read`: it may not change anything. */
export type Verdict =
  | { readonly kind: 'serve' | 'read' }
  | { readonly kind: 'moved'; readonly turn: number };

/** What it needs of the primary whose tenure it shares. */
export interface HandoverGroup {
  readonly world: World;
  readonly pg: PgId;
  readonly disk: PgDisk;
  /** It serves, and has not ended. */
  readonly leads: boolean;
  /** Runs with nothing being ordered beside it; rows that do not verify are repaired on the way. */
  inOrderRepairing<T>(work: () => Promise<T>): Promise<T>;
  /** Throws `OsdError` when no write can be acknowledged, or none of so many bytes. */
  requireWritable(dataBytes: number): void;
  /** In order: an entry of rows. The answer is its sequence. */
  submitRows(object: string, effects: readonly RowEffect[]): number;
  untilCommitted(sequence: number): Promise<void>;
}

export class Handover {
  readonly #group: HandoverGroup;
  /** Undefined: there is no row of it, and no marker either. */
  #whole: Whole | undefined;
  #isLoaded = false;
  /** Read or written by this primary; undefined: none yet. */
  #markers: Map<string, Marker | undefined> | undefined;
  /** Markers made of names that this group may answer for. */
  #kept = 0;
  #isRunning = false;
  #waiting = '';

  constructor(group: HandoverGroup) {
    this.#group = group;
  }

  /** In order, before anything else here. */
  async #load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#whole = await this.#readWhole();
    this.#isLoaded = true;
  }

  async #readWhole(): Promise<Whole | undefined> {
    const row = await this.#group.disk.row(groupsOwn, wholeRow);
    return row === undefined ? undefined : decode(wholeCodec, row);
  }

  /** Why names don't go, for a person; empty when they do, or have nowhere to go. */
  get waiting(): string {
    return this.isUnfinished ? this.#waiting : '';
  }

  /** There may be something for `run` to do. */
  get isDue(): boolean {
    const role = this.#role();
    if (role === undefined || this.#isRunning) return false;
    const { sealed, doubted } = this.#whole ?? unused;
    if (role.kind === 'source') return sealed < role.turn;
    return role.kind === 'alone' && (!this.#isLoaded || doubted > 0);
  }

  /** Names that there are, or may come to be, are still to go to the other layout. */
  get isUnfinished(): boolean {
    const role = this.#role();
    return role?.kind === 'source' && (this.#whole?.sealed ?? 0) < role.turn;
  }

  /** The context version of a call that was sent here in `turn` (0: it was not). */
  versionIn(turn: number, version: Version): Version {
    const base = Math.max(turn, this.#whole?.base ?? 0);
    return base === 0 ? version : { ...version, tenure: version.tenure + base * tenuresInTurn };
  }

  #role(): Role | undefined {
    const { world, pg } = this.#group;
    const { pool: poolId, layout } = parsePgId(pg);
    const pool = world.mon.map?.pools.find(({ id }) => id === poolId);
    if (pool === undefined || pool.turn === 0) return undefined;
    const { turn } = pool;
    if (pool.layouts.length === 1) return { kind: 'alone', turn, pool };
    const isActive = activeLayout(pool).id === layout;
    return { kind: isActive ? 'destination' : 'source', turn, pool };
  }

  // ——— in order ———

  /**
   * Whose the object is, for somebody who was sent here in `turn` (0: nobody sent them). In order; may make entries. Throws
   * `OsdError` `busy` while nobody can answer for it.
   */
  async judge(name: string, turn: number): Promise<Verdict> {
    await this.#load();
    if (this.#whole === undefined && turn === 0) return { kind: 'serve' };
    const marker = await this.#standing(name);
    const verdict = await this.#judgeBy(marker, name, turn);
    if (verdict.kind === 'serve' && turn > (this.#whole?.base ?? 0) && this.#isWritable())
      this.#putWhole({ base: turn });
    return verdict;
  }

  #isWritable(): boolean {
    try {
      this.#group.requireWritable(0);
      return true;
    } catch (error) {
      if (error instanceof OsdError) return false;
      throw error;
    }
  }

  async #judgeBy(marker: Marker | undefined, name: string, turn: number): Promise<Verdict> {
    switch (marker?.state) {
      case undefined: {
        const { sealed } = this.#whole ?? unused;
        if (turn < sealed) return { kind: 'moved', turn: sealed };
        if (this.#isDoubtful())
          throw this.#busy(name, 'was perhaps handed over before it was lost');
        return { kind: 'serve' };
      }
      case 'here':
        return { kind: 'serve' };
      case 'arrived':
        if (this.#isOurs(marker) || turn >= marker.turn) {
          if (this.#isWritable()) this.#putMarker(name, { ...marker, state: 'here' });
          return { kind: 'serve' };
        }
        // The other one says whether it went.
        if (marker.turn > 1) return { kind: 'moved', turn: marker.turn - 1 };
        throw this.#busy(name, 'is on its way here');
      case 'frozen': {
        // Turned back meanwhile, it stays. A primary that goes by an older map must not go on with it.
        const role = this.#role();
        const stays = role !== undefined && role.kind !== 'source' && role.turn > marker.turn;
        if (!stays || !this.#isWritable()) return { kind: 'read' };
        this.#putMarker(name, { state: 'here', turn: role.turn });
        this.#note('frozen name stays', name);
        return { kind: 'serve' };
      }
      case 'moved':
      case 'arriving':
        if (turn <= marker.turn) {
          if (marker.state === 'moved') return { kind: 'moved', turn: marker.turn };
          throw this.#busy(name, 'is on its way here');
        }
        // It went and came back with nothing in it, or did not exist.
        this.#group.requireWritable(0);
        await this.#clear(name);
        this.#putMarker(name, { state: 'here', turn });
        this.#note('moved name served again', name);
        return { kind: 'serve' };
    }
  }

  #note(event: string, name: string): void {
    this.#group.world.env.log.write('debug', event, { pg: this.#group.pg, name });
  }

  #busy(name: string, why: string): OsdError {
    return new OsdError('busy', `${this.#group.pg}: ${name} ${why}`);
  }

  /** Markers may be missing: whoever has no other place to be asked for waits until all is handed over. */
  #isDoubtful(): boolean {
    const role = this.#role();
    if (role === undefined || role.kind === 'alone' || (this.#whole?.doubted ?? 0) === 0)
      return false;
    return homeLayout(role.pool).id === parsePgId(this.#group.pg).layout;
  }

  /** Its marker, unless all that had none of that turn went since: then it says nothing any more. */
  async #standing(name: string): Promise<Marker | undefined> {
    if (this.#whole === undefined) return undefined;
    const marker = await this.#marker(name);
    return marker === undefined || marker.turn < this.#whole.sealed ? undefined : marker;
  }

  async #marker(name: string): Promise<Marker | undefined> {
    if (this.#markers?.has(name) === true) return this.#markers.get(name);
    const row = await this.#group.disk.row(groupsOwn, markerRow(name));
    const marker = row === undefined ? undefined : decode(markerCodec, row);
    this.#remember(name, marker);
    return marker;
  }

  #remember(name: string, marker: Marker | undefined): void {
    if (this.#markers === undefined || this.#markers.size >= markersMax) this.#markers = new Map();
    this.#markers.set(name, marker);
  }

  #putMarker(name: string, marker: Marker): number {
    if (this.#whole === undefined) this.#putWhole({});
    const value = encode(markerCodec, marker);
    const sequence = this.#group.submitRows(groupsOwn, [
      { kind: 'put', key: markerRow(name), value },
    ]);
    this.#remember(name, marker);
    if (mayAnswerFor(marker)) this.#kept++;
    return sequence;
  }

  #putWhole(edit: Partial<Whole>): number {
    const whole = { ...(this.#whole ?? unused), ...edit };
    const value = encode(wholeCodec, whole);
    const sequence = this.#group.submitRows(groupsOwn, [{ kind: 'put', key: wholeRow, value }]);
    this.#whole = whole;
    return sequence;
  }

  /** What a group that was lost begins again with, as an effect on its own rows; undefined: nothing need be said. */
  async doubt(): Promise<readonly RowEffect[] | undefined> {
    const role = this.#role();
    if (role === undefined) return undefined;
    // Not kept: what it begins with is written only after this.
    const before = (await this.#readWhole()) ?? unused;
    // What it hands over must not seem younger than what the other layout gives.
    const base = role.kind === 'source' ? role.turn - 1 : role.turn;
    const doubted = role.kind === 'alone' ? 0 : role.turn;
    const whole = { ...before, base: Math.max(before.base, base), doubted };
    return [{ kind: 'put', key: wholeRow, value: encode(wholeCodec, whole) }];
  }

  /** Removes the rows of an object, whoever's they were. In order. */
  async #clear(name: string): Promise<void> {
    for (;;) {
      const rows = await this.#rowsFrom(name, emptyBytes, removedTogether);
      if (rows.length === 0) return;
      this.#group.submitRows(
        name,
        rows.map(([key]) => ({ kind: 'delete', key })),
      );
    }
  }

  #rowsFrom(name: string, begin: Uint8Array, limit: number): Promise<readonly MethodRow[]> {
    return this.#group.disk.scanRows(name, { begin, end: undefined, limit });
  }

  // ——— the new side ———

  /** Takes rows of an object that comes here. Resolves when they are committed. */
  async take(message: MessageOf<'push-rows'>): Promise<Taken> {
    const { object: name, turn, first, last, rows } = message;
    const group = this.#group;
    const { sequence, taken } = await group.inOrderRepairing(async () => {
      if (!group.leads) throw new OsdError('not-primary', `${group.pg}: not led here any more`);
      group.requireWritable(1);
      await this.#load();
      const done = (taken: Taken, sequence = group.disk.head.sequence) => ({ sequence, taken });
      if (name === groupsOwn) return done('taken');
      const marker = await this.#standing(name);
      const seen = Math.max(marker?.turn ?? 0, (this.#whole?.sealed ?? 0) + 1);
      if (seen > turn)
        throw new OsdError('stale', `${group.pg}: ${name} is of turn ${seen}, not ${turn}`);
      if (marker?.turn === turn && marker.state !== 'arriving')
        return done(marker.state === 'arrived' ? 'taken' : 'ours');
      if (marker === undefined || marker.turn < turn) {
        if (!first) throw new OsdError('failed', `${group.pg}: ${name} is to be pushed anew`);
        if (await this.#answersFor(name, marker))
          return done('ours', this.#putMarker(name, { state: 'here', turn }));
        await this.#clear(name);
        if (turn > (this.#whole?.base ?? 0)) this.#putWhole({ base: turn });
        this.#putMarker(name, { state: 'arriving', turn });
      }
      if (rows.length > 0)
        group.submitRows(
          name,
          rows.map(({ key, value }) => ({ kind: 'put', key, value })),
        );
      if (!last) return done('taken');
      const arrived = this.#putMarker(name, { state: 'arrived', turn });
      this.#note('name arrived', name);
      return done('taken', arrived);
    });
    await group.untilCommitted(sequence);
    return taken;
  }

  /** Everything of the layout that it came from has gone, which is not there any more. */
  #isOurs({ state, turn }: Marker): boolean {
    return state === 'arrived' && turn <= (this.#role()?.pool.settledTurn ?? 0);
  }

  /**
   * Somebody pushes what this group answers for already: a group that was lost, and has forgotten that it handed it over; or
   * one to which it was on its way when it was turned back. Unless it is this one that has forgotten.
   */
  async #answersFor(name: string, marker: Marker | undefined): Promise<boolean> {
    if (marker !== undefined)
      return marker.state === 'here' || marker.state === 'frozen' || this.#isOurs(marker);
    if (this.#isDoubtful()) return false;
    return (await this.#rowsFrom(name, emptyBytes, 1)).length > 0;
  }

  // ——— the old side ———

  /** Hands over what there is, until something is in the way. */
  async run(): Promise<void> {
    if (!this.isDue) return;
    this.#isRunning = true;
    try {
      const role = await this.#begin();
      if (role?.kind === 'source') await this.#handOver(role.turn);
      this.#waiting = '';
    } catch (error) {
      this.#waiting = `to hand over: ${describeError(error)}`;
      await sleep(this.#group.world.env.clock, againMs, 'hand over again');
    } finally {
      this.#isRunning = false;
    }
  }

  /** What is known to be here when a change is over needs no doubt any more. */
  #begin(): Promise<Role | undefined> {
    return this.#group.inOrderRepairing(async () => {
      await this.#load();
      const role = this.#role();
      const isOver = role?.kind === 'alone' && (this.#whole?.doubted ?? 0) > 0;
      if (isOver && this.#group.leads && this.#isWritable()) this.#putWhole({ doubted: 0 });
      return role;
    });
  }

  /** The map says still that names go from here in this turn, and this is still the group's primary. */
  #goesOn(turn: number): boolean {
    const role = this.#role();
    return this.#group.leads && role?.kind === 'source' && role.turn === turn;
  }

  /** Nor has anybody said that names are to stay for now. */
  #mayGo(turn: number): boolean {
    return this.#goesOn(turn) && this.#role()?.pool.migration !== 'paused';
  }

  async #handOver(turn: number): Promise<void> {
    const { disk, world } = this.#group;
    for (let name: string | undefined; ; ) {
      name = await disk.objectAfter(name);
      const role = this.#role();
      if (role === undefined || !this.#mayGo(turn)) return;
      if (name === undefined) break;
      const share = world.recoveryShare.begin();
      const bytes = await this.#handOverName(name, turn);
      await share.rest();
      const { migrationBytesPerSecond: rate } = role.pool;
      if (rate > 0) await sleep(world.env.clock, (bytes * 1000) / rate, 'hand-over rate');
    }
    const kept = this.#kept;
    // Those that were handed over now are counted: then it is looked once more.
    if (await this.#handOverEmpty(turn)) await this.#seal(turn, kept);
  }

  /**
   * Names that have a marker and no rows any more: the other side may have rows of an earlier turn under them, and is told
   * that there are none. False when it was held up.
   */
  async #handOverEmpty(turn: number): Promise<boolean> {
    const { disk } = this.#group;
    const end = new Uint8Array([markerPrefix + 1]);
    for (let begin: Uint8Array = new Uint8Array([markerPrefix]); ; ) {
      const range = { begin, end, limit: markersAtOnce };
      const rows = await this.#group.inOrderRepairing(() => disk.scanRows(groupsOwn, range));
      for (const [key, value] of rows) {
        if (!this.#mayGo(turn)) return false;
        const marker = decode(markerCodec, value);
        // Of turns that are over the other layout has nothing.
        const isOver = marker.turn <= (this.#role()?.pool.settledTurn ?? 0);
        if (!isOver && mayAnswerFor(marker))
          await this.#handOverName(decodeUtf8(key.subarray(1)), turn);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < markersAtOnce) return true;
      begin = concatBytes([last[0], new Uint8Array(1)]);
    }
  }

  async #handOverName(name: string, turn: number): Promise<number> {
    const before = await this.#group.inOrderRepairing(() => this.#standing(name));
    if ((before?.turn ?? 0) > turn)
      throw new OsdError('stale', `${name} is of turn ${before?.turn}, and the map of ${turn}`);
    if (before?.state === 'moved' || before?.state === 'arriving') {
      await this.#dropGarbage(name, turn, before);
      return 0;
    }
    const isFrozen = before?.state === 'frozen' && before.turn === turn;
    if (!isFrozen && !(await this.#freeze(name, turn, before))) return 0;
    const bytes = await this.#push(name, turn);
    const isMoved = await this.#mark(name, turn, 'frozen', { state: 'moved', turn });
    if (!isMoved) return bytes;
    this.#note('name handed over', name);
    await this.#dropGarbage(name, turn, { state: 'moved', turn });
    return bytes;
  }

  /** False when the name is not this group's, or does not go any more. */
  async #freeze(name: string, turn: number, before: Marker | undefined): Promise<boolean> {
    // What can't be taken there now is not kept from being written here.
    await this.#group.world.pushRows({
      ...this.#pushOf(groupsOwn, turn, name),
      first: false,
      last: false,
    });
    const isClaimed = before?.state === 'arrived' && !this.#isOurs(before);
    if (isClaimed) {
      // Turned back when it had come: who it came from says whether it went.
      const answer = await this.#group.world.pushRows({
        ...this.#pushOf(name, turn, name),
        last: false,
      });
      const mark: Marker =
        answer === 'ours' ? { state: 'moved', turn } : { ...before, state: 'here' };
      if (!(await this.#mark(name, turn, 'arrived', mark)) || answer === 'ours') return false;
    }
    const state = isClaimed ? 'here' : before?.state;
    if (!(await this.#mark(name, turn, state, { state: 'frozen', turn }))) return false;
    this.#note('name frozen', name);
    return true;
  }

  /** Marks a name that goes from here, if it is still in that state; false when it is not, or has been turned back. */
  async #mark(
    name: string,
    turn: number,
    from: Marker['state'] | undefined,
    marker: Marker,
  ): Promise<boolean> {
    const group = this.#group;
    const sequence = await group.inOrderRepairing(async () => {
      if (!this.#goesOn(turn) || (await this.#standing(name))?.state !== from) return undefined;
      group.requireWritable(0);
      return this.#putMarker(name, marker);
    });
    if (sequence === undefined) return false;
    await group.untilCommitted(sequence);
    return true;
  }

  /** For the group that the name goes to in this turn: in the next one the active layout is this group's own. */
  #pushOf(object: string, turn: number, name: string): MessageOf<'push-rows'> {
    const role = this.#role();
    if (role?.kind !== 'source' || role.turn !== turn) throw new OsdError('failed', 'turned back');
    const pg = pgOfName(role.pool.id, activeLayout(role.pool), name);
    return { kind: 'push-rows', pg, object, turn, first: true, last: true, rows: [] };
  }

  /**
   * Sends all rows, which do not change while it is frozen, unless the name is the other group's already; answers with how
   * many bytes they had.
   */
  async #push(name: string, turn: number): Promise<number> {
    let begin: Uint8Array = emptyBytes;
    let total = 0;
    for (let first = true; ; first = false) {
      if (!this.#goesOn(turn)) throw new OsdError('failed', 'turned back, or led elsewhere');
      const rows = await this.#group.inOrderRepairing(() =>
        this.#rowsFrom(name, begin, pushRowsMax),
      );
      const { chunk, bytes } = chunkOf(rows);
      const last = chunk.length === rows.length && rows.length < pushRowsMax;
      const carried = chunk.map(([key, value]) => ({ key, value }));
      const answer = await this.#group.world.pushRows({
        ...this.#pushOf(name, turn, name),
        first,
        last,
        rows: carried,
      });
      total += bytes;
      const end = chunk.at(-1);
      if (answer === 'ours' || last || end === undefined) return total;
      begin = concatBytes([end[0], new Uint8Array(1)]);
    }
  }

  /** Rows that are another group's by now, or never became this one's. */
  async #dropGarbage(name: string, turn: number, marker: Marker): Promise<void> {
    const group = this.#group;
    // First so that nothing of an earlier turn comes to it any more.
    if (marker.state === 'arriving')
      await this.#mark(name, turn, 'arriving', { state: 'moved', turn });
    for (;;) {
      const sequence = await group.inOrderRepairing(async () => {
        if (!this.#goesOn(turn) || (await this.#standing(name))?.state !== 'moved')
          return undefined;
        const rows = await this.#rowsFrom(name, emptyBytes, removedTogether);
        if (rows.length === 0) return undefined;
        group.requireWritable(0);
        return group.submitRows(
          name,
          rows.map(([key]) => ({ kind: 'delete', key })),
        );
      });
      if (sequence === undefined) return;
      await group.untilCommitted(sequence);
    }
  }

  /** With nothing left, and nothing being ordered beside it: from here on whatever has no marker is the other layout's. */
  async #seal(turn: number, kept: number): Promise<void> {
    const group = this.#group;
    if ((this.#whole?.sealed ?? 0) >= turn) return;
    const sequence = await group.inOrderRepairing(async () => {
      // What came to be meanwhile is looked for anew.
      if (kept !== this.#kept) return undefined;
      if (!this.#mayGo(turn) || (await group.disk.hasRows())) return undefined;
      group.requireWritable(0);
      return this.#putWhole({ sealed: turn });
    });
    if (sequence === undefined) return;
    await group.untilCommitted(sequence);
    group.world.env.log.write('info', 'names handed over', { pg: group.pg, turn });
  }
}

function chunkOf(rows: readonly MethodRow[]): {
  readonly chunk: readonly MethodRow[];
  readonly bytes: number;
} {
  let bytes = 0;
  let count = 0;
  for (const [key, value] of rows) {
    if (count > 0 && bytes + key.length + value.length > pushBytesMax) break;
    bytes += key.length + value.length;
    count++;
  }
  return { chunk: rows.slice(0, count), bytes };
}
