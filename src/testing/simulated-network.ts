// Connections between simulated processes: bytes arrive in order and after a delay, in pieces; links can be
// cut in one direction or both, slowed, reset, and processes can die. A dead process refuses new
// connections, and its old ones end at the peer after a delay; a cut link only stays silent. What a cut
// holds back arrives once it heals, as a retransmission would. Bytes are neither lost nor doubled within a
// connection, because the network's contract (TCP) rules that out; requests are doubled by those who retry.

import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { EnvError } from '../env/errors.ts';
import type { Address, Connection, ConnectionEvents, Listener, Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { Scheduler } from './scheduler.ts';
import { copySmall } from './small-copies.ts';

export interface NetworkProcess {
  readonly name: string;
  readonly isAlive: boolean;
  /** Does it at once, or when the process runs again. */
  run(action: () => void): void;
}

interface OpenListener {
  readonly owner: NetworkProcess;
  readonly accept: (connection: Connection) => void;
}

/** When a system sends the first word of a connection again that nobody answered, in milliseconds. */
const connectAgainMs = [1000, 3000] as const;
/** A connection that nobody answers is given up after this, as by the real network (host/host-network.ts). */
const connectTimeoutMs = 5000;

export class SimulatedNetwork {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #listeners = new Map<Address, OpenListener>();
  readonly #ends = new Set<End>();
  readonly #cuts = new Set<string>();
  /** When each cut that was mended was, in virtual milliseconds. */
  readonly #mendedAt = new Map<string, number>();
  #nextPort = 10_000;
  readonly #slow = new Map<string, { readonly leastMs: number; readonly mostMs: number }>();
  /** Told what is done to links, for people who read it. */
  onDeed: (what: string) => void = () => undefined;
  /** Bounds of a message's travel, in milliseconds. */
  delayMs = { min: 0.05, max: 0.4 };

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** The network as one process sees it. */
  of(process: NetworkProcess): Network {
    return {
      listen: (address, accept) => this.#listen(process, address, accept),
      connect: (address) => this.#connect(process, address),
    };
  }

  /** Bytes from one process no longer reach the other; cut both ways for a partition. */
  cut(from: string, to: string): void {
    if (!this.isCut(from, to)) this.onDeed(`cut ${from} → ${to}`);
    this.#cuts.add(`${from}→${to}`);
  }

  /** Undoes one cut; what it held back arrives now. */
  mend(from: string, to: string): void {
    if (this.#cuts.delete(`${from}→${to}`)) {
      this.onDeed(`mend ${from} → ${to}`);
      this.#mendedAt.set(`${from}→${to}`, this.#scheduler.now());
    }
    for (const end of this.#ends)
      if (end.owner.name === from && end.peer?.owner.name === to) end.flushHeld();
  }

  /** Everything from this process takes up to so much longer, and `leastMs` at least; 0 for the usual. */
  slow(from: string, mostMs: number, leastMs = 0): void {
    this.onDeed(mostMs === 0 ? `${from} is as fast as ever` : `slow ${from} by ${mostMs} ms`);
    if (mostMs === 0) this.#slow.delete(from);
    else this.#slow.set(from, { leastMs, mostMs });
  }

  /** Breaks every connection between two processes; answers how many there were. */
  reset(a: string, b: string): number {
    const broken = [...this.#ends].filter(
      (end) => end.owner.name === a && end.peer?.owner.name === b,
    );
    this.onDeed(`reset connections ${a} – ${b}`);
    for (const end of broken) {
      const { peer } = end;
      end.over('reset');
      peer?.over('reset');
    }
    return broken.length;
  }

  heal(): void {
    this.onDeed('heal the network');
    this.#slow.clear();
    for (const cut of this.#cuts) this.#mendedAt.set(cut, this.#scheduler.now());
    this.#cuts.clear();
    for (const end of this.#ends) end.flushHeld();
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}→${to}`);
  }

  /** The last instant at which the two could not reach each other in both directions; -Infinity: they always could. */
  lastApart(a: string, b: string): number {
    if (this.isCut(a, b) || this.isCut(b, a)) return this.#scheduler.now();
    const mendedAt = [`${a}→${b}`, `${b}→${a}`].map((cut) => this.#mendedAt.get(cut));
    return Math.max(...mendedAt.map((at) => at ?? Number.NEGATIVE_INFINITY));
  }

  /** Ends what a process had open; its peers notice shortly after. */
  killed(process: NetworkProcess): void {
    for (const [address, listener] of this.#listeners)
      if (listener.owner === process) this.#listeners.delete(address);
    for (const end of [...this.#ends]) if (end.owner === process) end.die();
  }

  #delay(from: string): number {
    const { min, max } = this.delayMs;
    const usual = min + ((max - min) * this.#random.below(1000)) / 1000;
    const slow = this.#slow.get(from);
    if (slow === undefined) return usual;
    const { leastMs, mostMs } = slow;
    return usual + leastMs + ((mostMs - leastMs) * this.#random.below(1000)) / 1000;
  }

  async #listen(
    owner: NetworkProcess,
    address: Address,
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    const [host, port] = address.split(':');
    const bound = port === '0' ? `${host}:${this.#nextPort++}` : address;
    if (this.#listeners.has(bound)) throw new EnvError('address-in-use', bound);
    this.#listeners.set(bound, { owner, accept });
    return {
      address: bound,
      close: async () => {
        this.#listeners.delete(bound);
      },
    };
  }

  #connect(owner: NetworkProcess, address: Address): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const begunAt = this.#scheduler.now();
      const attempt = (again: readonly number[]): void => {
        const listener = this.#listeners.get(address);
        if (!owner.isAlive) return;
        if (listener === undefined || !listener.owner.isAlive) {
          owner.run(() => reject(new EnvError('refused', address)));
          return;
        }
        if (
          this.isCut(owner.name, listener.owner.name) ||
          this.isCut(listener.owner.name, owner.name)
        ) {
          const [nextMs, ...later] = again;
          // Over a slow link the first word may take longer than that.
          const dueAt = begunAt + (nextMs ?? connectTimeoutMs);
          const leftMs = Math.max(0, dueAt - this.#scheduler.now());
          if (nextMs !== undefined)
            this.#scheduler.after(leftMs, 'connect again', () => attempt(later));
          else
            this.#scheduler.after(leftMs, 'connect unanswered', () =>
              owner.run(() => reject(new EnvError('unreachable', address))),
            );
          return;
        }
        const near = new End(this, owner, address);
        const far = new End(this, listener.owner, `${owner.name}:0`);
        near.peer = far;
        far.peer = near;
        this.#ends.add(near);
        this.#ends.add(far);
        listener.owner.run(() => listener.accept(far));
        owner.run(() => resolve(near));
      };
      this.#scheduler.after(this.#delay(owner.name), 'connect', () => attempt(connectAgainMs));
    });
  }

  /** For the ends. */
  travel(from: End, deliver: () => void): void {
    const at = Math.max(this.#scheduler.now() + this.#delay(from.owner.name), from.lastArrival);
    from.lastArrival = at;
    this.#scheduler.after(at - this.#scheduler.now(), from.eventName, deliver);
  }

  forget(end: End): void {
    this.#ends.delete(end);
  }

  later(delayMs: number, name: string, action: () => void): void {
    this.#scheduler.after(delayMs, name, action);
  }
}

/** What was given to `send`. */
interface Parcel {
  readonly views: readonly Uint8Array[];
  /** What the views were then. */
  readonly copies: readonly Uint8Array[];
  readonly sent: (() => void) | undefined;
}

/** How long after its arrival a sender is told that its bytes have left: what the peer says to them may come first. */
const sentMs = 0.5;

class End implements Connection {
  readonly owner: NetworkProcess;
  readonly remote: Address;
  /** Of each arrival of its bytes; made once, for there are many. */
  readonly eventName: string;
  readonly #sentName: string;
  readonly #network: SimulatedNetwork;
  peer: End | undefined;
  lastArrival = 0;
  unsentBytes = 0;
  #events: ConnectionEvents | undefined;
  #isOver = false;
  #isPaused = false;
  /** What arrived and was not delivered: before `start`, or while paused. */
  readonly #inbox: Uint8Array[] = [];
  readonly #deliver = (): void => this.#drain();
  /** What is the sender's memory still, as far as the sender knows. */
  readonly #leaving = new Set<Parcel>();
  /** What a cut holds back. */
  readonly #held: (() => void)[] = [];

  constructor(network: SimulatedNetwork, owner: NetworkProcess, remote: Address) {
    this.#network = network;
    this.owner = owner;
    this.remote = remote;
    this.eventName = `bytes ${owner.name}`;
    this.#sentName = `sent ${owner.name}`;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    this.#drain();
  }

  send(views: readonly Uint8Array[], sent?: () => void): void {
    if (this.#isOver || !this.owner.isAlive) {
      sent?.();
      return;
    }
    const parcel = { views, copies: views.map(copySmall), sent };
    let bytes = 0;
    for (const copy of parcel.copies) bytes += copy.length;
    this.unsentBytes += bytes;
    this.#leaving.add(parcel);
    this.#towardsPeer(() => {
      const wasFull = this.unsentBytes > 0;
      this.unsentBytes -= bytes;
      if (wasFull && this.unsentBytes === 0 && !this.#isOver && this.owner.isAlive)
        this.owner.run(() => this.#events?.drained());
      if (this.#leaving.delete(parcel)) this.#left(parcel, sentMs);
      for (const copy of parcel.copies) this.peer?.arrive(copy);
    });
  }

  /** Until now a socket may have needed the sender's memory, who is told after `delayMs`. */
  #left({ views, copies, sent }: Parcel, delayMs: number): void {
    for (const [at, view] of views.entries())
      assert(
        equalBytes(view, copies[at] as Uint8Array),
        `${this.owner.name} leaves what it sends as it is until that is sent`,
      );
    if (sent === undefined) return;
    const tell = (): void => this.owner.run(sent);
    if (delayMs === 0) tell();
    else this.#network.later(delayMs, this.#sentName, tell);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#drain();
  }

  close(): void {
    if (this.#isOver) return;
    this.#towardsPeer(() => this.peer?.over('closed by the peer'));
    this.over('closed');
  }

  /** The process is gone: nothing more is delivered here, and the peer hears of it unless it is cut off. */
  die(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#network.forget(this);
    // The peer may keep this end for long, and must not keep with it all that the process had in memory.
    this.#events = undefined;
    this.#inbox.length = 0;
    this.#leaving.clear();
    // Behind a cut the news never comes: the peer keeps a connection to nobody.
    const isHeard =
      this.peer !== undefined && !this.#network.isCut(this.owner.name, this.peer.owner.name);
    if (isHeard) this.#towardsPeer(() => this.peer?.over('reset'));
  }

  arrive(bytes: Uint8Array): void {
    if (this.#isOver || !this.owner.isAlive) return;
    this.#inbox.push(bytes);
    this.owner.run(this.#deliver);
  }

  over(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // What was sent before the end is the system's by now, and arrives when it can.
    if (this.#held.length === 0) this.#network.forget(this);
    for (const parcel of this.#leaving) this.#left(parcel, 0);
    this.#leaving.clear();
    this.owner.run(() => this.#events?.closed(reason));
  }

  flushHeld(): void {
    for (const each of this.#held.splice(0)) this.#network.travel(this, each);
    if (this.#isOver) this.#network.forget(this);
  }

  #towardsPeer(deliver: () => void): void {
    const { peer } = this;
    if (peer !== undefined && this.#network.isCut(this.owner.name, peer.owner.name))
      this.#held.push(deliver);
    else this.#network.travel(this, deliver);
  }

  #drain(): void {
    while (this.#events !== undefined && !this.#isPaused && !this.#isOver) {
      const next = this.#inbox.shift();
      if (next === undefined) return;
      this.#events.received(next);
      // The view was valid during the call only.
      next.fill(0xdd);
    }
  }
}
