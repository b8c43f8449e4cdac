// TCP between daemons. What one turn of the event loop sends over a connection goes out as one writev at
// the end of that turn: frames are small and come in groups, and a system call costs more than a frame.
// Received bytes are handed over in the pieces the kernel gave, from one buffer per connection that is used
// again and again: memory allocated for each piece would make the garbage collector run without end.

import {
  type AddressInfo,
  createServer,
  type Server,
  type Socket,
  connect as tcpConnect,
} from 'node:net';
import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import type { Address, Connection, ConnectionEvents, Listener, Network } from '../env/network.ts';
import { formatHostPort, requireHostPort } from './addresses.ts';
import { asSocketError } from './socket-errors.ts';

/** A machine that is switched off answers nothing: the kernel itself would try for two minutes. */
const connectTimeoutMs = 5000;

/** A closed connection gets this long to hand the last bytes to a peer that still reads. */
const lingerMs = 1000;

/** Each costs a descriptor and some kilobytes before it has said who it is. */
const connectionsMax = 4096;

/** Finds peers that vanished without a word, also when nothing is being sent. */
const keepAliveMs = 30_000;

export class HostNetwork implements Network {
  readonly #unflushed = new Set<HostConnection>();
  #flushScheduled = false;

  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    server.maxConnections = connectionsMax;
    server.on('connection', (socket) => accept(this.#wrap(socket)));
    return listenOn(server, address);
  }

  connect(address: Address): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { host, port } = requireHostPort(address);
      const socket = tcpConnect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveMs,
      });
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(asSocketError(`connecting to ${address}`, error));
      };
      const timer = setTimeout(() => fail(new Error('no answer')), connectTimeoutMs);
      socket.once('error', fail);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', fail);
        resolve(this.#wrap(socket));
      });
    });
  }

  #wrap(socket: Socket): HostConnection {
    return new HostConnection(socket, (connection) => {
      this.#unflushed.add(connection);
      if (this.#flushScheduled) return;
      this.#flushScheduled = true;
      // After everything that was ready in this turn was handled, before waiting for more.
      setImmediate(() => {
        this.#flushScheduled = false;
        const connections = [...this.#unflushed];
        this.#unflushed.clear();
        for (const each of connections) each.flush();
      });
    });
  }
}

/** What one read takes at most: a quarter of the kernel's default receive buffer. */
const readBufferBytes = 64 * 1024;

interface ReadBuffer {
  [key: symbol]: unknown;
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
}

/**
 * Node's `onread` option for a socket that is already there: `connect` takes the option, `accept` has no
 * place for it. False where this version of Node keeps it differently; then bytes come as 'data'.
 */
function readInto(
  socket: Socket,
  buffer: Uint8Array,
  receive: (bytes: Uint8Array) => void,
): boolean {
  const inside = socket as unknown as ReadBuffer;
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined =>
    symbols.find((symbol) => symbol.description === name);
  const bufferKey = named('kBuffer');
  const callbackKey = named('kBufferCb');
  const handle = inside._handle;
  if (bufferKey === undefined || callbackKey === undefined) return false;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  inside[bufferKey] = buffer;
  inside[callbackKey] = (count: number): boolean => {
    receive(buffer.subarray(0, count));
    return true;
  };
  handle.useUserBuffer(buffer);
  return true;
}

/**
 * Small frames are copied into one piece: cheaper than a request per view. Beyond what Node's own pool
 * gives, that piece is memory of ours which is used again.
 */
const joinedBytesMax = 64 * 1024;
const ownMemoryBytesMin = 4 * 1024;

function joined(views: readonly Uint8Array[], bytes: number): Uint8Array {
  const ours = bytes < ownMemoryBytesMin ? undefined : buffers.tryAcquire(joinedBytesMax);
  const whole = ours?.subarray(0, bytes) ?? Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const view of views) {
    whole.set(view, at);
    at += view.length;
  }
  return whole;
}

class HostConnection implements Connection {
  readonly remote: Address;
  readonly #socket: Socket;
  readonly #requestFlush: (connection: HostConnection) => void;
  #events: ConnectionEvents | undefined;
  #unflushed: Uint8Array[] = [];
  #unflushedBytes = 0;
  /** Who wants to know that what is unflushed has left. */
  #unflushedSent: (() => void)[] = [];
  /** Given to the socket and not yet to the kernel. */
  #writingBytes = 0;
  #closing = false;
  #error: Error | undefined;
  #ended = false;

  constructor(socket: Socket, requestFlush: (connection: HostConnection) => void) {
    this.#socket = socket;
    this.#requestFlush = requestFlush;
    this.remote = formatHostPort({
      host: socket.remoteAddress ?? '?',
      port: socket.remotePort ?? 0,
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#unflushed = [];
      for (const each of this.#unflushedSent.splice(0)) each();
      this.#events?.closed(this.#closeReason());
    });
  }

  start(events: ConnectionEvents): void {
    assert(this.#events === undefined, 'a connection is started once');
    this.#events = events;
    if (this.#ended) {
      setImmediate(() => events.closed(this.#closeReason()));
      return;
    }
    const receive = (bytes: Uint8Array): void => {
      if (!this.#closing) events.received(bytes);
    };
    if (readInto(this.#socket, new Uint8Array(readBufferBytes), receive)) this.#socket.resume();
    else
      this.#socket.on('data', (bytes) => {
        // Without Node's Buffer, whose `slice` does not copy.
        receive(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      });
  }

  send(views: readonly Uint8Array[], sent?: () => void): void {
    if (this.#ended || this.#closing) {
      sent?.();
      return;
    }
    if (sent !== undefined) this.#unflushedSent.push(sent);
    const wasEmpty = this.#unflushed.length === 0;
    for (const view of views) {
      if (view.length === 0) continue;
      this.#unflushed.push(view);
      this.#unflushedBytes += view.length;
    }
    if (wasEmpty && this.#unflushed.length > 0) this.#requestFlush(this);
  }

  get unsentBytes(): number {
    return this.#unflushedBytes + this.#writingBytes;
  }

  flush(): void {
    const views = this.#unflushed;
    if (views.length === 0 || this.#ended) return;
    const bytes = this.#unflushedBytes;
    const sent = this.#unflushedSent;
    this.#unflushed = [];
    this.#unflushedBytes = 0;
    this.#unflushedSent = [];
    this.#writingBytes += bytes;
    const socket = this.#socket;
    const last = views.length - 1;
    if (last > 0 && bytes <= joinedBytesMax) {
      const whole = joined(views, bytes);
      socket.write(whole, () => {
        buffers.release(whole);
        this.#wrote(bytes, sent);
      });
      return;
    }
    socket.cork();
    for (let index = 0; index < last; index++) socket.write(views[index] as Uint8Array);
    socket.write(views[last] as Uint8Array, () => this.#wrote(bytes, sent));
    socket.uncork();
  }

  #wrote(bytes: number, sent: readonly (() => void)[]): void {
    for (const each of sent) each();
    this.#writingBytes -= bytes;
    if (this.unsentBytes === 0 && !this.#closing && !this.#ended) this.#events?.drained();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#closing || this.#ended) return;
    this.flush();
    this.#closing = true;
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.destroySoon();
  }

  #closeReason(): string {
    if (this.#closing) return 'closed here';
    return this.#error === undefined ? 'closed by the peer' : this.#error.message;
  }
}

/** For every kind of server: resolves when it listens. Throws `EnvError`. */
export function listenOn(server: Server, address: Address): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const { host, port } = requireHostPort(address);
    const fail = (error: unknown): void => reject(asSocketError(`listening on ${address}`, error));
    server.once('error', fail);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', fail);
      // Out of descriptors while accepting: that connection is lost, the server is not.
      server.on('error', () => undefined);
      const bound = server.address() as AddressInfo;
      resolve({
        address: formatHostPort({ host: bound.address, port: bound.port }),
        close: () => closeServer(server),
      });
    });
  });
}

/** The server's own callback waits for open connections to end; the listening socket is gone earlier. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close();
    setImmediate(resolve);
  });
}
