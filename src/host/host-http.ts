// HTTP/1.1 over node:http. Node parses and frames; everything a request may mean is the handler's. What is
// decided here: bodies are pulled with a bound on what waits in memory, a peer that moves no byte for
// half a minute is given up, and whatever a stranger sends costs at most its own connection.

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { buffers } from '../base/buffer-pool.ts';
import { emptyBytes } from '../base/bytes.ts';
import {
  BodyError,
  type BodySource,
  type HttpHandler,
  type HttpResponse,
  type HttpServers,
  type NoRequest,
  type NoRequestAnswer,
} from '../env/http.ts';
import type { Log } from '../env/log.ts';
import type { Address, Listener } from '../env/network.ts';
import { formatHostPort } from './addresses.ts';
import { listenOn } from './host-network.ts';

export interface HttpOptions {
  readonly log: Log;
  /** How long a peer may move no byte, reading or writing, while it is waited for. */
  readonly stallMs?: number;
}

/** As long as S3 itself waits before it answers RequestTimeout. */
const stallMsDefault = 30_000;

/** A key of 1,024 bytes percent-encoded, 2 KiB of metadata, a session token of 8 KiB, and room. */
const headerBytesMax = 32 * 1024;

/** All headers must be there in this time; slower is an attack. */
const headersTimeoutMs = 20_000;

/** Longer than the idle time of common clients' pools, so that they close first and no request is lost. */
const keepAliveTimeoutMs = 75_000;

/** Read ahead of the handler: hides the way to the kernel, and is what a slow handler costs in memory. */
const aheadBytesMax = 256 * 1024;

/** Written and not yet taken by the kernel: keeps the socket busy while the next piece is fetched. */
const unsentBytesMax = 512 * 1024;

/** Progress is seen only between pieces: with these a client slower than 17 kB/s is given up. */
const pieceBytesMax = 256 * 1024;

/** After an early answer this much of the request's body is read and thrown away, for so long. */
const discardBytesMax = 4 * 1024 * 1024;
const discardMsMax = 2000;

/** Each costs a descriptor and a parser. */
const connectionsMax = 4096;

export class HostHttpServers implements HttpServers {
  readonly #log: Log;
  readonly #stallMs: number;

  constructor({ log, stallMs = stallMsDefault }: HttpOptions) {
    this.#log = log;
    this.#stallMs = stallMs;
  }

  async serve(
    address: Address,
    handler: HttpHandler,
    refuse: (what: NoRequest) => NoRequestAnswer = emptyAnswer,
  ): Promise<Listener> {
    const stalls = new StallWatch(this.#stallMs);
    const server = createServer({
      // An upload of 5 GiB takes as long as it takes: what counts is that bytes come.
      requestTimeout: 0,
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 5000,
      keepAlive: true,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: headerBytesMax,
      noDelay: true,
      // S3 has its own words for a missing Host header.
      requireHostHeader: false,
    });
    server.maxConnections = connectionsMax;
    const underWay = new UnderWay();
    const serve = (
      request: IncomingMessage,
      response: ServerResponse,
      expectsContinue: boolean,
    ) => {
      const exchange = new Exchange({ request, response, expectsContinue, stalls, log: this.#log });
      const done = exchange.run(handler).catch((error: unknown) => {
        this.#log.write('error', 'http exchange failed', { error: String(error) });
        request.socket.destroy();
      });
      underWay.add(request, done);
    };
    server.on('request', (request, response) => serve(request, response, false));
    server.on('checkContinue', (request, response) => serve(request, response, true));
    // Expectations that nobody knows are passed over, as S3 does, instead of answered 417.
    server.on('checkExpectation', (request, response) => serve(request, response, false));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      void answerNoRequest(error, socket, { refuse, underWay });
    });
    const listener = await listenOn(server, address);
    stalls.start();
    return { address: listener.address, close: () => closeHttp(server, listener, stalls) };
  }
}

async function closeHttp(server: Server, listener: Listener, stalls: StallWatch): Promise<void> {
  await listener.close();
  server.closeIdleConnections();
  // Exchanges under way go on and keep their watch until the last has ended.
  server.once('close', () => stalls.stop());
}

const emptyStatus: Readonly<Record<NoRequest, number>> = {
  'headers-too-large': 431,
  'headers-too-slow': 408,
  malformed: 400,
};

function emptyAnswer(what: NoRequest): NoRequestAnswer {
  return { status: emptyStatus[what], headers: [], body: emptyBytes };
}

/** The requests of each connection that wait for their answers. */
class UnderWay {
  readonly #requests = new WeakMap<Socket, Map<IncomingMessage, Promise<void>>>();

  /** `done` resolves, and never fails, when the answer is out or can't be. */
  add(request: IncomingMessage, done: Promise<void>): void {
    const { socket } = request;
    const requests = this.#requests.get(socket) ?? new Map<IncomingMessage, Promise<void>>();
    this.#requests.set(socket, requests);
    requests.set(request, done);
    void done.then(() => requests.delete(request));
  }

  /** Resolves when every request that is there whole has its answer. */
  async answered(socket: Socket): Promise<void> {
    const whole = [...this.#of(socket)].filter(([request]) => request.complete);
    await Promise.all(whole.map(([, done]) => done));
  }

  has(socket: Socket): boolean {
    return this.#of(socket).size > 0;
  }

  #of(socket: Socket): ReadonlyMap<IncomingMessage, Promise<void>> {
    return this.#requests.get(socket) ?? new Map();
  }
}

interface NoRequestParts {
  readonly refuse: (what: NoRequest) => NoRequestAnswer;
  readonly underWay: UnderWay;
}

/** Connections whose parser refused something: whatever else they bring is refused again, and passed over. */
const refused = new WeakSet<Socket>();

/**
 * What the parser refused never becomes a request. Those that came whole before it (a body that is longer than
 * its client announced is one) are answered first: what they did must not be told as refused.
 */
async function answerNoRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  { refuse, underWay }: NoRequestParts,
): Promise<void> {
  if (refused.has(socket)) return;
  refused.add(socket);
  if (error.code !== 'ECONNRESET') await underWay.answered(socket);
  // A request whose body is what the parser refused may have its answer already, or a part of one.
  const isBegun = underWay.has(socket) && socket.bytesWritten > 0;
  if (error.code === 'ECONNRESET' || !socket.writable || isBegun) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = refuse(
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'headers-too-slow'
        : 'malformed',
  );
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `connection: close`,
    `content-length: ${body.length}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.end(body);
  socket.destroySoon();
}

/** Something that waits for the peer. */
interface Waiter {
  /** When the wait for the peer began (performance.now()); undefined while nobody waits. */
  waitingSince: number | undefined;
  stalled(): void;
}

/** One timer for all waits: a timer for each piece of each body would cost more than the piece. */
class StallWatch {
  readonly #stallMs: number;
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), Math.min(1000, this.#stallMs / 4));
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  delete(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  #look(): void {
    const latest = performance.now() - this.#stallMs;
    for (const waiter of this.#waiters)
      if (waiter.waitingSince !== undefined && waiter.waitingSince < latest) waiter.stalled();
  }
}

/** The request's body, read ahead by a bounded amount once it was first pulled. */
class RequestBody implements BodySource, Waiter {
  waitingSince: number | undefined;
  readonly #request: IncomingMessage;
  readonly #begin: () => void;
  readonly #ahead: Uint8Array[] = [];
  #aheadBytes = 0;
  #begun = false;
  #ended = false;
  #failure: BodyError | undefined;
  #wake: (() => void) | undefined;

  /** `begin` is called before the first byte is asked for. */
  constructor(request: IncomingMessage, begin: () => void) {
    this.#request = request;
    this.#begin = begin;
    // Listened to from the start: a client may go away before the body is pulled.
    request.on('error', () => this.#fail('the client went away'));
    request.on('close', () => {
      if (!request.complete) this.#fail('the client went away');
    });
  }

  async next(): Promise<Uint8Array | undefined> {
    if (!this.#begun) this.#start();
    while (this.#ahead.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      this.waitingSince = performance.now();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.waitingSince = undefined;
    }
    const bytes = this.#ahead.shift() as Uint8Array;
    const wasFull = this.#aheadBytes >= aheadBytesMax;
    this.#aheadBytes -= bytes.length;
    if (wasFull && this.#aheadBytes < aheadBytesMax) this.#request.resume();
    return bytes;
  }

  stalled(): void {
    this.#fail('the client sent nothing for too long');
  }

  /**
   * The answer is out and the client may still be sending: reads and throws away, so that the client
   * comes to read the answer. Resolves when nothing more comes, or enough came.
   */
  discard(): Promise<void> {
    this.#ahead.length = 0;
    this.#failure ??= new BodyError('the answer was given already');
    const request = this.#request;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, discardMsMax);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      let rest = discardBytesMax;
      request.removeAllListeners('data');
      request.on('data', (bytes: Uint8Array) => {
        rest -= bytes.length;
        if (rest < 0) done();
      });
      request.once('end', done);
      request.once('close', done);
      request.resume();
    });
  }

  #start(): void {
    this.#begun = true;
    if (this.#failure !== undefined) return;
    this.#begin();
    this.#request.on('end', () => {
      this.#ended = true;
      this.#signal();
    });
    this.#request.on('data', (bytes: Buffer) => {
      // Without Node's Buffer, whose `slice` does not copy.
      this.#ahead.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      this.#aheadBytes += bytes.length;
      if (this.#aheadBytes >= aheadBytesMax) this.#request.pause();
      this.#signal();
    });
  }

  #fail(words: string): void {
    if (this.#ended) return;
    this.#failure ??= new BodyError(words);
    this.#signal();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly expectsContinue: boolean;
  readonly stalls: StallWatch;
  readonly log: Log;
}

/** One request and its response. */
class Exchange implements Waiter {
  waitingSince: number | undefined;
  readonly #parts: ExchangeParts;
  #unsentBytes = 0;
  #gone = false;
  #wake: (() => void) | undefined;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    parts.response.on('close', () => {
      this.#gone = true;
      this.#signal();
    });
    // Writing to a client that left is its business; 'close' follows.
    parts.response.on('error', () => undefined);
  }

  async run(handler: HttpHandler): Promise<void> {
    const { request, response, expectsContinue, stalls } = this.#parts;
    const hasBody = bodyIsAnnounced(request);
    const body = new RequestBody(request, () => {
      if (expectsContinue) response.writeContinue();
    });
    stalls.add(this);
    stalls.add(body);
    try {
      const answer = await this.#ask(handler, hasBody ? body : emptyBody);
      await this.#send(answer, body);
    } finally {
      stalls.delete(this);
      stalls.delete(body);
    }
  }

  async #ask(handler: HttpHandler, body: BodySource): Promise<HttpResponse> {
    const { request, log } = this.#parts;
    const { socket, rawHeaders } = request;
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < rawHeaders.length; index += 2)
      headers.push([rawHeaders[index] as string, rawHeaders[index + 1] as string]);
    try {
      return await handler({
        method: request.method ?? '',
        target: request.url ?? '',
        headers,
        body,
        remote: formatHostPort({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 }),
      });
    } catch (error) {
      log.write('error', 'http handler failed', {
        method: request.method,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return { status: 500, headers: [] };
    }
  }

  async #send(answer: HttpResponse, requestBody: RequestBody): Promise<void> {
    const { request } = this.#parts;
    const { body } = answer;
    const source = body === undefined || body instanceof Uint8Array ? undefined : body;
    try {
      if (this.#gone) return;
      const isEarly = bodyIsAnnounced(request) && !request.complete;
      this.#writeHead(answer, isEarly);
      if (body instanceof Uint8Array && body.length > 0) this.#write(body);
      else if (source !== undefined && request.method !== 'HEAD')
        await this.#stream(source, announcedBytes(answer));
      if (isEarly && !this.#gone) {
        // Ending the response closes the connection, and closing with unread bytes makes the kernel
        // send a reset, which may overtake the answer.
        this.#parts.response.flushHeaders();
        await requestBody.discard();
      }
      await this.#end();
    } catch (error) {
      // The status is out: a broken connection is the only way left to say that this is not all.
      this.#parts.log.write('info', 'response broken off', { error: String(error) });
      request.socket.destroy();
    } finally {
      source?.close?.();
    }
  }

  #writeHead(answer: HttpResponse, isEarly: boolean): void {
    const { response } = this.#parts;
    const headers = answer.headers.flat();
    if (answer.body === undefined || answer.body instanceof Uint8Array) {
      const bodyless = answer.status < 200 || answer.status === 204 || answer.status === 304;
      if (!bodyless && announcedBytes(answer) === undefined)
        headers.push('Content-Length', String(answer.body?.length ?? 0));
    }
    // Whether the client goes on sending can't be known, so nothing may follow on this connection.
    if (isEarly) headers.push('Connection', 'close');
    response.writeHead(answer.status, headers);
  }

  async #stream(source: BodySource, announced: number | undefined): Promise<void> {
    let sent = 0;
    for (;;) {
      const bytes = await source.next();
      if (bytes === undefined) break;
      if (this.#gone) {
        buffers.release(bytes);
        return;
      }
      sent += bytes.length;
      if (announced !== undefined && sent > announced)
        throw new BodyError(`body longer than the announced ${announced} bytes`);
      for (let at = 0; at < bytes.length; at += pieceBytesMax) {
        const isLast = at + pieceBytesMax >= bytes.length;
        this.#write(bytes.subarray(at, at + pieceBytesMax), isLast ? bytes : undefined);
        while (this.#unsentBytes >= unsentBytesMax && !this.#gone) await this.#wait();
        if (!this.#gone) continue;
        // The last piece gives it back itself, and nothing of a connection that is gone is still read.
        if (!isLast) buffers.release(bytes);
        return;
      }
    }
    if (announced !== undefined && sent !== announced)
      throw new BodyError(`body of ${sent} bytes, announced were ${announced}`);
  }

  /** `whole` is given back to the pool when these, its last bytes, have left. */
  #write(bytes: Uint8Array, whole?: Uint8Array): void {
    this.#unsentBytes += bytes.length;
    this.#parts.response.write(bytes, () => {
      if (whole !== undefined) buffers.release(whole);
      this.#unsentBytes -= bytes.length;
      if (this.waitingSince !== undefined) this.waitingSince = performance.now();
      if (this.#unsentBytes < unsentBytesMax) this.#signal();
    });
  }

  /** Resolves when the kernel has everything, or the client is gone. */
  async #end(): Promise<void> {
    let finished = false;
    this.#parts.response.end(() => {
      finished = true;
      this.#signal();
    });
    while (!finished && !this.#gone) await this.#wait();
  }

  stalled(): void {
    this.#parts.request.socket.destroy();
  }

  async #wait(): Promise<void> {
    this.waitingSince = performance.now();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.waitingSince = undefined;
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

const emptyBody: BodySource = { next: async () => undefined };

function bodyIsAnnounced({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

function announcedBytes({ headers }: HttpResponse): number | undefined {
  const found = headers.find(([name]) => name.toLowerCase() === 'content-length');
  return found === undefined ? undefined : Number(found[1]);
}
