// Sessions to other OSDs: one to each that we talk to, opened when first asked for, found dead by the
// ping of each second, and told to the monitor when nobody answers there.

import type { OsdId, Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import { EnvError } from '../env/errors.ts';
import { findOsd, type OsdEntry } from '../map/cluster-map.ts';
import { NetError } from '../net/errors.ts';
import { connectSession, type Identity } from '../net/handshake.ts';
import type { MonLink } from '../net/mon-link.ts';
import type { Session, SessionHandler } from '../net/session.ts';
import { Grace, silentMsMax } from './grace.ts';

/** Between pings of a peer. */
const pingMs = 1000;

/** At least this long between two attempts to connect to one peer. */
const reconnectMs = 100;

interface PeerState {
  session: Session | undefined;
  connecting: Promise<Session> | undefined;
  triedAt: Instant | undefined;
  heardAt: Instant;
  /** How long it may be silent. */
  readonly grace: Grace;
}

export class Peers {
  readonly #env: Env;
  readonly #identity: Identity;
  readonly #mon: MonLink;
  readonly #handle: SessionHandler;
  readonly #peers = new Map<Uuid, PeerState>();
  #closed = false;
  #tickedAt: Instant;

  constructor(env: Env, parts: { identity: Identity; mon: MonLink; handle: SessionHandler }) {
    this.#env = env;
    this.#identity = parts.identity;
    this.#mon = parts.mon;
    this.#handle = parts.handle;
    this.#tickedAt = env.clock.now();
    env.clock.after(pingMs, 'peer pings', () => this.#tick());
  }

  /** The open session to a disk, if there is one. */
  openSession(uuid: Uuid): Session | undefined {
    const session = this.#peers.get(uuid)?.session;
    return session?.isOpen === true ? session : undefined;
  }

  /** Every session that is open. */
  get sessions(): readonly Session[] {
    return [...this.#peers.values()].flatMap(({ session }) =>
      session?.isOpen === true ? [session] : [],
    );
  }

  /** A session to the disk `uuid`, opening one if need be. Throws `NetError`, `EnvError`. */
  async session(uuid: Uuid): Promise<Session> {
    const open = this.openSession(uuid);
    if (open !== undefined) return open;
    const peer = this.#stateOf(uuid);
    if (peer.connecting !== undefined) return peer.connecting;
    const osd = this.#osdOf(uuid);
    if (osd === undefined) throw new NetError('refused', `disk ${uuid} is not in the map`);
    const now = this.#env.clock.now();
    if (peer.triedAt !== undefined && now - peer.triedAt < reconnectMs)
      throw new NetError('refused', `osd.${osd.id} did not answer just now`);
    peer.triedAt = now;
    const connecting = this.#connect(osd, peer).finally(() => {
      peer.connecting = undefined;
    });
    peer.connecting = connecting;
    return connecting;
  }

  close(): void {
    this.#closed = true;
    for (const peer of this.#peers.values()) peer.session?.close('shutting down');
  }

  #osdOf(uuid: Uuid): OsdEntry | undefined {
    return this.#mon.map?.osds.find((osd) => osd.uuid === uuid && !osd.destroyed);
  }

  #stateOf(uuid: Uuid): PeerState {
    let peer = this.#peers.get(uuid);
    if (peer === undefined) {
      peer = {
        session: undefined,
        connecting: undefined,
        triedAt: undefined,
        heardAt: this.#env.clock.now(),
        grace: new Grace(),
      };
      this.#peers.set(uuid, peer);
    }
    return peer;
  }

  async #connect(osd: OsdEntry, peer: PeerState): Promise<Session> {
    const key = await this.#mon.peerKey(osd.uuid);
    try {
      const session = await connectSession(this.#env, this.#identity, {
        address: osd.address,
        target: osd.uuid,
        targetRole: 'osd',
        key,
        handle: this.#handle,
      });
      if (this.#closed) session.close('shutting down');
      peer.session = session;
      peer.heardAt = this.#env.clock.now();
      // An end of a session is no verdict, but a refusal right after it is told at once.
      session.onClose(() => {
        if (peer.session === session) peer.session = undefined;
        if (!this.#closed)
          this.#env.clock.after(reconnectMs, 'peer reconnect', () => this.#reach(osd.uuid));
      });
      return session;
    } catch (error) {
      const refused = error instanceof EnvError && error.code === 'refused';
      if (refused)
        this.#report(osd.id, { refused, silentForMs: this.#env.clock.now() - peer.heardAt });
      throw error;
    }
  }

  #reach(uuid: Uuid): void {
    if (this.#closed || this.#osdOf(uuid)?.up !== true) return;
    this.session(uuid).catch(() => {});
  }

  #report(id: OsdId, facts: { refused: boolean; silentForMs: number }): void {
    const map = this.#mon.map;
    const osd = map === undefined ? undefined : findOsd(map, id);
    if (osd?.up !== true) return;
    this.#mon.tell({
      kind: 'report-failure',
      osd: id,
      upSince: osd.upSince,
      refused: facts.refused,
      silentMs: Math.floor(facts.silentForMs),
    });
  }

  #tick(): void {
    if (this.#closed) return;
    this.#env.clock.after(pingMs, 'peer pings', () => this.#tick());
    const now = this.#env.clock.now();
    const sleptMs = Math.max(0, now - this.#tickedAt - pingMs);
    this.#tickedAt = now;
    for (const [uuid, peer] of this.#peers) {
      // Nobody could be heard meanwhile.
      peer.heardAt = Math.min(now, peer.heardAt + sleptMs) as Instant;
      const osd = this.#osdOf(uuid);
      const { session } = peer;
      const isExpected = osd?.up === true && osd.uuid !== this.#identity.uuid;
      // One that is down in the map and has a session is asked on: that session may be to a process that
      // is frozen, and whoever waits for it has to learn that it is dead.
      if (session?.isOpen === true) {
        session
          .request({ message: { kind: 'ping' } }, silentMsMax)
          .then(() => {
            peer.heardAt = this.#env.clock.now();
            peer.grace.answered(peer.heardAt - now);
          })
          .catch(() => {});
      } else if (isExpected) {
        this.#reach(uuid);
      } else {
        peer.heardAt = now;
        continue;
      }
      if (now - peer.heardAt <= peer.grace.ms) continue;
      if (osd !== undefined)
        this.#report(osd.id, { refused: false, silentForMs: now - peer.heardAt });
      // Perhaps only this connection is dead (the peer's machine lost power): a new one will tell.
      session?.close('no answer to pings');
    }
  }
}
