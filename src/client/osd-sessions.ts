// Sessions from a client to OSDs: one each, opened when needed.

import type { Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { OsdEntry } from '../map/cluster-map.ts';
import { NetError } from '../net/errors.ts';
import { connectSession, type Identity } from '../net/handshake.ts';
import type { MonLink } from '../net/mon-link.ts';
import type { Session } from '../net/session.ts';

/** At least this long between two attempts to reach one OSD. */
const reconnectMs = 50;

interface Line {
  session: Session | undefined;
  connecting: Promise<Session> | undefined;
  triedAt: Instant | undefined;
}

export class OsdSessions {
  readonly #env: Env;
  readonly #identity: Identity;
  readonly #mon: MonLink;
  readonly #lines = new Map<Uuid, Line>();

  constructor(env: Env, identity: Identity, mon: MonLink) {
    this.#env = env;
    this.#identity = identity;
    this.#mon = mon;
  }

  /** Throws `NetError`, `EnvError`. */
  session(osd: OsdEntry): Promise<Session> {
    let line = this.#lines.get(osd.uuid);
    if (line === undefined) {
      line = { session: undefined, connecting: undefined, triedAt: undefined };
      this.#lines.set(osd.uuid, line);
    }
    if (line.session?.isOpen === true) return Promise.resolve(line.session);
    if (line.connecting !== undefined) return line.connecting;
    const now = this.#env.clock.now();
    if (line.triedAt !== undefined && now - line.triedAt < reconnectMs)
      return Promise.reject(new NetError('refused', `osd.${osd.id} did not answer just now`));
    line.triedAt = now;
    const mine = line;
    const connecting = this.#connect(osd, mine).finally(() => {
      mine.connecting = undefined;
    });
    line.connecting = connecting;
    return connecting;
  }

  close(): void {
    for (const line of this.#lines.values()) line.session?.close('shutting down');
  }

  async #connect(osd: OsdEntry, line: Line): Promise<Session> {
    const key = await this.#mon.peerKey(osd.uuid);
    const session = await connectSession(this.#env, this.#identity, {
      address: osd.address,
      target: osd.uuid,
      targetRole: 'osd',
      key,
      handle: () => Promise.resolve(undefined),
    });
    line.session = session;
    return session;
  }
}
