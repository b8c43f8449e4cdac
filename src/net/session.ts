// One authenticated conversation between two daemons: requests with answers, and notices without.
// Frames arrive in the order they were sent; `handle` is called in that order, and answers go out as
// they are ready. Bytes taken in and not yet answered are bounded: above the bound the session stops
// reading, and the sender's queue fills instead of our memory.

import { buffers } from '../base/buffer-pool.ts';
import { Reader, uint, Writer } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import type { Clock, Instant, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Connection } from '../env/network.ts';
import type { Role } from '../wire/hello.ts';
import { type Message, messageCodec } from '../wire/messages.ts';
import { NetError } from './errors.ts';
import {
  bodyBytesMax,
  encodeFrame,
  type Frame,
  type FrameReader,
  payloadBytesMax,
} from './frame.ts';

export interface Peer {
  readonly role: Role;
  readonly uuid: Uuid;
  /** The highest version of the messages that both sides speak. */
  readonly version: number;
}

export interface Incoming {
  readonly message: Message;
  readonly payload: Uint8Array;
  /** CRC-32C of the payload, already checked. */
  readonly payloadCrc: number;
  /** Of its chunks (base/chunk-checksums.ts), when it is a request's and they are more than one. */
  readonly payloadChecksums: Uint32Array | undefined;
  /**
   * The payload's memory is used again once the handler has settled; a handler that needs it longer
   * sets this.
   */
  keepsPayload: boolean;
}

export interface Outgoing {
  readonly message: Message;
  readonly payload?: readonly Uint8Array[];
  /** CRC-32C of the payload where the sender knows it already. */
  readonly payloadCrc?: number | undefined;
  /** Called once when the payload's memory is no longer needed. */
  readonly release?: (() => void) | undefined;
}

/**
 * Answers a request; for a notice the result is ignored. A throw is answered with `failed` and logged.
 * It is called in the order of arrival and must take what order it needs before its first await.
 */
export type SessionHandler = (
  session: Session,
  incoming: Incoming,
) => Promise<Outgoing | undefined>;

/** Of whom there may be thousands for one session: without a closure for each. */
export interface SessionWatcher {
  onSessionEnd(reason: string): void;
}

interface Waiting {
  readonly resolve: (incoming: Incoming) => void;
  readonly reject: (error: NetError) => void;
  readonly deadline: Instant;
  readonly kind: string;
  readonly pooled: boolean;
}

const frameNotice = 0;
const frameRequest = 1;
const frameReply = 2;

/** Bytes of requests being handled for one peer. Two whole blobs and the acknowledgements around them. */
const handlingBytesMax = 12 * 1024 * 1024;

/** How often deadlines are looked at: a request may wait this much longer than it asked for. */
const sweepMs = 250;

export class Session {
  readonly peer: Peer;
  /**
   * Where this daemon accepted it: which of its challenges, counted from 1, the peer has answered. Of two sessions of one
   * disk the one with the higher number is of the later life, in whatever order their messages come. 0: the peer
   * accepted it.
   */
  readonly challenge: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #connection: Connection;
  readonly #handle: SessionHandler;
  readonly #reader: FrameReader;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closeListeners: ((reason: string) => void)[] = [];
  readonly #watchers = new Set<SessionWatcher>();
  readonly #writer = new Writer(8 * 1024);
  #nextRequest = 1;
  #handlingBytes = 0;
  #paused = false;
  #closedReason: string | undefined;
  #sweep: Timer | undefined;

  constructor(
    clock: Clock,
    log: Log,
    parts: {
      peer: Peer;
      challenge: number;
      connection: Connection;
      reader: FrameReader;
      handle: SessionHandler;
    },
  ) {
    this.#clock = clock;
    this.#log = log;
    this.peer = parts.peer;
    this.challenge = parts.challenge;
    this.#connection = parts.connection;
    this.#reader = parts.reader;
    this.#handle = parts.handle;
    this.#reader.setLimit(bodyBytesMax + payloadBytesMax);
    // Answers are not stored.
    this.#reader.sumChunks((body) => body[0] !== frameReply);
    // They go to callers that keep them for as long as they like, unless they said otherwise.
    this.#reader.poolPayloads((body) => body[0] !== frameReply || this.#wantsPooled(body));
  }

  get isOpen(): boolean {
    return this.#closedReason === undefined;
  }

  get remote(): string {
    return this.#connection.remote;
  }

  /** Bytes of requests that came and are not answered yet. */
  get handlingBytes(): number {
    return this.#handlingBytes;
  }

  /** Bytes queued towards the peer. */
  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  /** Called once when the session ends; at once when it has. */
  onClose(listener: (reason: string) => void): void {
    if (this.#closedReason === undefined) this.#closeListeners.push(listener);
    else listener(this.#closedReason);
  }

  /** Tells the watcher once when the session ends, at once when it has, unless it watches no more. */
  watch(watcher: SessionWatcher): void {
    if (this.#closedReason === undefined) this.#watchers.add(watcher);
    else watcher.onSessionEnd(this.#closedReason);
  }

  unwatch(watcher: SessionWatcher): void {
    this.#watchers.delete(watcher);
  }

  /**
   * Throws `NetError` `closed` or `deadline`. An answer `failure` is an answer, not a throw. With `pooled`
   * the answer's payload may be memory of the pool: whoever is done with it gives it back.
   */
  request(
    outgoing: Outgoing,
    timeoutMs: number,
    options: { readonly pooled?: true } = {},
  ): Promise<Incoming> {
    return new Promise((resolve, reject) => {
      if (this.#closedReason !== undefined) {
        outgoing.release?.();
        reject(new NetError('closed', this.#closedReason));
        return;
      }
      const id = this.#nextRequest++;
      const deadline = (this.#clock.now() + timeoutMs) as Instant;
      this.#waiting.set(id, {
        resolve,
        reject,
        deadline,
        kind: outgoing.message.kind,
        pooled: options.pooled === true,
      });
      this.#sweep ??= this.#clock.after(sweepMs, 'session deadlines', () => this.#expire());
      this.#send(frameRequest, id, outgoing);
    });
  }

  notify(outgoing: Outgoing): void {
    if (this.#closedReason === undefined) this.#send(frameNotice, 0, outgoing);
    else outgoing.release?.();
  }

  close(reason: string): void {
    if (this.#closedReason !== undefined) return;
    this.#connection.close();
    this.ended(reason);
  }

  /** The connection ended, or is about to. */
  ended(reason: string): void {
    if (this.#closedReason !== undefined) return;
    this.#closedReason = reason;
    this.#sweep?.cancel();
    this.#reader.dispose();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.reject(new NetError('closed', `${each.kind}: ${reason}`));
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.onSessionEnd(reason);
  }

  /** Bytes of the connection after the handshake. */
  received(bytes: Uint8Array): void {
    if (this.#closedReason !== undefined) return;
    try {
      this.#reader.push(bytes, (frame) => this.take(frame));
    } catch (error) {
      this.#log.write('warn', 'session ended by bad bytes', {
        peer: this.#connection.remote,
        error: String(error),
      });
      this.close(`bad bytes: ${String(error)}`);
    }
  }

  #wantsPooled(body: Uint8Array): boolean {
    const reader = new Reader(body);
    reader.u8();
    return this.#waiting.get(uint.read(reader))?.pooled === true;
  }

  #send(type: number, id: number, outgoing: Outgoing): void {
    // Nothing here waits, and the frame copies the body: one writer serves all messages.
    const writer = this.#writer;
    writer.reset();
    writer.u8(type);
    writer.uint(id);
    messageCodec.write(writer, outgoing.message);
    this.#connection.send(
      encodeFrame(writer.finish(), outgoing.payload ?? [], outgoing.payloadCrc),
      outgoing.release,
    );
  }

  /** One frame that came with the end of the handshake, or later. */
  take(frame: Frame): void {
    if (this.#closedReason !== undefined) {
      buffers.release(frame.payload);
      return;
    }
    const reader = new Reader(frame.body);
    const type = reader.u8();
    const id = uint.read(reader);
    const message = messageCodec.read(reader);
    const incoming = {
      message,
      payload: frame.payload,
      payloadCrc: frame.payloadCrc,
      payloadChecksums: frame.payloadChecksums,
      keepsPayload: false,
    };
    if (type === frameReply) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (waiting === undefined) buffers.release(incoming.payload);
      waiting?.resolve(incoming);
      return;
    }
    const bytes = frame.body.length + frame.payload.length;
    this.#handlingBytes += bytes;
    if (this.#handlingBytes > handlingBytesMax && !this.#paused) {
      this.#paused = true;
      this.#connection.pause();
    }
    this.#answer(type === frameRequest ? id : undefined, incoming, bytes);
  }

  #answer(id: number | undefined, incoming: Incoming, bytes: number): void {
    this.#handle(this, incoming)
      .catch((error: unknown): Outgoing => {
        this.#log.write('warn', 'request failed', {
          kind: incoming.message.kind,
          error: describeError(error),
        });
        return { message: { kind: 'failure', code: 'failed', detail: describeError(error) } };
      })
      .then((reply) => {
        if (!incoming.keepsPayload) buffers.release(incoming.payload);
        this.#handlingBytes -= bytes;
        if (this.#paused && this.#handlingBytes <= handlingBytesMax / 2) {
          this.#paused = false;
          this.#connection.resume();
        }
        if (id !== undefined && this.#closedReason === undefined)
          this.#send(frameReply, id, reply ?? { message: { kind: 'ok' } });
        else reply?.release?.();
      })
      .catch((error: unknown) => this.close(`answer could not be sent: ${String(error)}`));
  }

  #expire(): void {
    this.#sweep = undefined;
    const now = this.#clock.now();
    for (const [id, waiting] of this.#waiting) {
      if (waiting.deadline > now) continue;
      this.#waiting.delete(id);
      waiting.reject(new NetError('deadline', `${waiting.kind} to ${this.#connection.remote}`));
    }
    if (this.#waiting.size > 0)
      this.#sweep = this.#clock.after(sweepMs, 'session deadlines', () => this.#expire());
  }
}

/** Words of whatever was thrown, with its cause. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeError(error.cause)}`;
}
