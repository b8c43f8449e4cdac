// From a raw connection to a `Session`: the three greetings of wire/hello.ts, in at most five seconds
// and a few kilobytes, so that strangers cost little.

import { decode, encode } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import type { Address, Connection, Listener } from '../env/network.ts';
import { type Greeting, greetingCodec, type Hello, type Role } from '../wire/hello.ts';
import { wireVersionMax, wireVersionMin } from '../wire/messages.ts';
import { NetError } from './errors.ts';
import { encodeFrame, FrameReader } from './frame.ts';
import { proof, sameProof } from './keys.ts';
import { type Peer, Session, type SessionHandler } from './session.ts';

export interface Identity {
  readonly fsid: Uuid;
  readonly role: Role;
  readonly uuid: Uuid;
  /** The highest version of the messages that this daemon speaks; default: the newest there is. */
  readonly versionMax?: number;
}

const handshakeMs = 5000;
const greetingBytesMax = 4096;

function versionMaxOf(identity: Identity): number {
  return identity.versionMax ?? wireVersionMax;
}

function helloOf(env: Env, identity: Identity, target: Uuid): Hello {
  return {
    fsid: identity.fsid,
    role: identity.role,
    uuid: identity.uuid,
    target,
    versionMin: wireVersionMin,
    versionMax: versionMaxOf(identity),
    features: [],
    nonce: env.secrets.bytes(16),
  };
}

function sendGreeting(connection: Connection, greeting: Greeting): void {
  connection.send(encodeFrame(encode(greetingCodec, greeting), []));
}

/** Why a HELLO can't be answered; undefined when it can. */
function helloFault(hello: Hello, identity: Identity): string | undefined {
  if (hello.fsid !== identity.fsid)
    return `this daemon belongs to cluster ${identity.fsid}, not ${hello.fsid}`;
  if (hello.target !== identity.uuid) return `this daemon is ${identity.uuid}, not ${hello.target}`;
  const versionMax = versionMaxOf(identity);
  if (hello.versionMin > versionMax || hello.versionMax < wireVersionMin)
    return `this daemon speaks versions ${wireVersionMin} to ${versionMax}, the peer ${hello.versionMin} to ${hello.versionMax}`;
  return undefined;
}

/** Whom a HELLO names, and what can be said to it. */
function peerOf(hello: Hello, identity: Identity): Peer {
  const version = Math.min(hello.versionMax, versionMaxOf(identity));
  return { role: hello.role, uuid: hello.uuid, version };
}

/** Runs the greetings on one connection; calls `step` for each that comes until it returns a session. */
function converse(
  env: Env,
  connection: Connection,
  step: (greeting: Greeting, reader: FrameReader) => Session | undefined,
): Promise<Session> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(greetingBytesMax);
    let session: Session | undefined;
    let rejected = false;
    const fail = (detail: string, cause?: unknown): void => {
      if (rejected) return;
      rejected = true;
      timer.cancel();
      connection.close();
      reject(new NetError('refused', detail, { cause }));
    };
    const timer = env.clock.after(handshakeMs, 'handshake', () => fail('no greeting in time'));
    connection.start({
      received: (bytes) => {
        if (session !== undefined) {
          session.received(bytes);
          return;
        }
        if (rejected) return;
        try {
          reader.push(bytes, (frame) => {
            if (rejected) return;
            // The client's first requests may come right behind its proof.
            if (session !== undefined) session.take(frame);
            else session = step(decode(greetingCodec, frame.body), reader);
          });
        } catch (error) {
          endSession(session, String(error));
          fail(
            error instanceof NetError ? error.message : `bad greeting from ${connection.remote}`,
            error,
          );
          return;
        }
        if (session !== undefined) {
          timer.cancel();
          resolve(session);
        }
      },
      drained: () => {},
      closed: (reason) => {
        if (session !== undefined) session.ended(reason);
        else fail(`connection ended during the greeting: ${reason}`);
      },
    });
  });
}

function endSession(session: Session | undefined, reason: string): void {
  session?.close(reason);
}

/** Connects as `identity` to the daemon `target`. Throws `NetError` `refused`, `EnvError`. */
export async function connectSession(
  env: Env,
  identity: Identity,
  options: {
    address: Address;
    target: Uuid;
    targetRole: Role;
    key: Uint8Array;
    handle: SessionHandler;
  },
): Promise<Session> {
  const connection = await env.network.connect(options.address);
  const mine = helloOf(env, identity, options.target);
  const done = converse(env, connection, (greeting, reader) => {
    if (greeting.kind === 'refused') throw new NetError('refused', greeting.reason);
    if (greeting.kind !== 'welcome') throw new NetError('refused', `unexpected ${greeting.kind}`);
    const fault = helloFault(greeting.hello, identity);
    if (fault !== undefined) throw new NetError('refused', fault);
    if (greeting.hello.uuid !== options.target || greeting.hello.role !== options.targetRole)
      throw new NetError(
        'refused',
        `${options.address} is ${greeting.hello.role} ${greeting.hello.uuid}`,
      );
    if (!sameProof(greeting.proof, proof(options.key, 'server', mine, greeting.hello)))
      throw new NetError('refused', 'the peer does not know the key');
    sendGreeting(connection, {
      kind: 'proof',
      proof: proof(options.key, 'client', mine, greeting.hello),
    });
    const peer = peerOf(greeting.hello, identity);
    const { handle } = options;
    return new Session(env.clock, env.log, { peer, challenge: 0, connection, reader, handle });
  });
  sendGreeting(connection, { kind: 'hello', hello: mine });
  return done;
}

export interface SessionServer {
  readonly listener: Listener;
  readonly sessions: ReadonlySet<Session>;
  close(): Promise<void>;
}

/**
 * Accepts sessions. `keyOf` gives the key for a peer, or a sentence why it is refused. `opened` is called
 * for each new session before its first message is handled.
 */
export async function serveSessions(
  env: Env,
  identity: Identity,
  options: {
    address: Address;
    keyOf: (role: Role, uuid: Uuid) => Uint8Array | string;
    handle: SessionHandler;
    opened?: (session: Session) => void;
  },
): Promise<SessionServer> {
  const sessions = new Set<Session>();
  let challenges = 0;
  const accept = (connection: Connection): void => {
    let theirs: Hello | undefined;
    let mine: Hello | undefined;
    let challenge = 0;
    const refuse = (reason: string): never => {
      sendGreeting(connection, { kind: 'refused', reason });
      throw new NetError('refused', reason);
    };
    converse(env, connection, (greeting, reader) => {
      if (greeting.kind === 'hello' && theirs === undefined) {
        const fault = helloFault(greeting.hello, identity);
        if (fault !== undefined) return refuse(fault);
        const key = options.keyOf(greeting.hello.role, greeting.hello.uuid);
        if (typeof key === 'string') return refuse(key);
        theirs = greeting.hello;
        mine = helloOf(env, identity, theirs.uuid);
        challenge = ++challenges;
        sendGreeting(connection, {
          kind: 'welcome',
          hello: mine,
          proof: proof(key, 'server', theirs, mine),
        });
        return undefined;
      }
      if (greeting.kind !== 'proof' || theirs === undefined || mine === undefined)
        return refuse(`unexpected ${greeting.kind}`);
      const key = options.keyOf(theirs.role, theirs.uuid);
      if (typeof key === 'string') return refuse(key);
      if (!sameProof(greeting.proof, proof(key, 'client', theirs, mine)))
        return refuse('the peer does not know the key');
      const peer = peerOf(theirs, identity);
      const session = new Session(env.clock, env.log, {
        peer,
        challenge,
        connection,
        reader,
        handle: options.handle,
      });
      sessions.add(session);
      session.onClose(() => sessions.delete(session));
      options.opened?.(session);
      return session;
    }).catch((error: unknown) => {
      env.log.write('info', 'connection refused', {
        remote: connection.remote,
        error: String(error),
      });
    });
  };
  const listener = await env.network.listen(options.address, accept);
  return {
    listener,
    sessions,
    close: async () => {
      await listener.close();
      for (const session of [...sessions]) session.close('shutting down');
    },
  };
}
