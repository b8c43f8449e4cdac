// What the gateway's tests share: an environment with real or manual time, HTTP over node:http or by
// direct call, and a signer that is not the gateway's own code.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Cluster, User } from '../../client/cluster.ts';
import type { Clock, Instant } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import {
  BodyError,
  type BodySource,
  type HttpClient,
  HttpClientError,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type HttpServers,
} from '../../env/http.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { type Gateway, type GatewayOptions, startS3 } from '../gateway.ts';
import { s3Methods } from '../index/methods.ts';
import { MemoryCluster } from './memory-cluster.ts';

export const alice: User = { name: 'alice', accessKey: 'AKALICE', secretKey: 'alice-secret' };
export const bob: User = { name: 'bob', accessKey: 'AKBOB', secretKey: 'bob-secret' };

/** Time that moves only when told. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void; cancelled: boolean }[] = [];

  now(): Instant {
    return this.#nowMs as Instant;
  }

  after(delayMs: number, _name: string, callback: () => void): { cancel(): void } {
    const timer = { atMs: this.#nowMs + delayMs, callback, cancelled: false };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** Fires what is due, in order, letting promises run after each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (let fired = 0; fired < 100_000; fired++) {
      this.#timers = this.#timers.filter((timer) => !timer.cancelled);
      const [next] = this.#timers
        .filter((timer) => timer.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.splice(this.#timers.indexOf(next), 1);
      next.callback();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets every promise continuation that is ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const realClock: Clock = {
  now: () => performance.now() as Instant,
  after: (delayMs, _name, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

class NodeBody implements BodySource {
  readonly #iterator: AsyncIterator<Uint8Array>;

  constructor(message: IncomingMessage, response: ServerResponse) {
    const iterable = message as AsyncIterable<Uint8Array>;
    let iterator: AsyncIterator<Uint8Array> | undefined;
    this.#iterator = {
      next: () => {
        if (iterator === undefined) {
          if (message.headers.expect !== undefined) response.writeContinue();
          iterator = iterable[Symbol.asyncIterator]();
        }
        return iterator.next();
      },
    };
  }

  async next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#iterator.next();
      return done === true ? undefined : value;
    } catch (error) {
      throw new BodyError('the client went away', { cause: error });
    }
  }
}

async function respond(
  handler: HttpHandler,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2)
    headers.push([message.rawHeaders[i] ?? '', message.rawHeaders[i + 1] ?? '']);
  const answer = await handler({
    method: message.method ?? '',
    target: message.url ?? '',
    headers,
    body: new NodeBody(message, response),
    remote: '127.0.0.1:0',
  });
  response.sendDate = false;
  // The rest of an unread body would be taken for the next request.
  if (!message.complete) response.setHeader('connection', 'close');
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  response.writeHead(answer.status);
  const { body } = answer;
  if (body === undefined || body instanceof Uint8Array) {
    response.end(body);
  } else {
    try {
      for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next()) {
        if (response.destroyed) break;
        if (!response.write(chunk)) {
          await new Promise((resolve) => {
            response.once('drain', resolve).once('close', resolve);
          });
        }
      }
      response.end();
    } catch {
      response.destroy();
    } finally {
      body.close?.();
    }
  }
}

const nodeHttp: HttpServers = {
  serve: async (address, handler) => {
    const server = createServer((message, response) => {
      void respond(handler, message, response);
    });
    server.on('checkContinue', (message, response) => {
      void respond(handler, message, response);
    });
    const port = Number(address.split(':')[1]);
    await new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', resolve);
    });
    return {
      address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: async () => {
        server.closeAllConnections();
        await new Promise((resolve) => {
          server.close(resolve);
        });
      },
    };
  },
};

const unused = new Proxy(
  {},
  {
    get: () => {
      throw new Error('the gateway has no files and no network of its own');
    },
  },
);

export interface TestGateway {
  readonly env: Env;
  readonly cluster: MemoryCluster;
  readonly gateway: Gateway;
  readonly clock: ManualClock;
  /** What tasks failed with, which would stop the daemon. */
  readonly failures: unknown[];
  readonly logged: string[];
  /** Sends a request past HTTP, as it is. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  wallMs: number;
}

export interface TestOptions extends Partial<GatewayOptions> {
  readonly http?: 'node' | 'direct';
  readonly time?: 'real' | 'manual';
  /** Of all chance, so that the same requests get the same answers. Default: none, chance is real. */
  readonly seed?: number;
  /** What manual time begins with. Default now. */
  readonly wallMs?: number;
  /** In place of a new one: several gateways of one cluster. */
  readonly sharing?: TestGateway;
  /** Whether jobs are this gateway's, where several share a cluster. Default: as `cluster.holdsJobs` says. */
  readonly holdsJobs?: () => boolean;
  /** Answers what the gateway posts to webhooks; throws `HttpClientError`. Default: nobody is there. */
  readonly webhook?: HttpClient['post'];
}

/** The cluster as one of its gateways sees it. */
function withJobs(cluster: MemoryCluster, holdsJobs: () => boolean): Cluster {
  return new Proxy(cluster, {
    get: (target, name) => {
      if (name === 'holdsJob') return async () => holdsJobs();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A gateway until the test ends, with a bucket of Alice's named `bucket`; `send` signs as she does unless told otherwise. */
export async function startWithBucket(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = async (method: string, path: string, call: Partial<Unsigned> = {}) =>
    gateway.handle(sign({ method, path, ...call }));
  const made = await send('PUT', '/bucket');
  if (made.status !== 200) throw new Error(`the bucket was answered ${made.status}`);
  return { ...gateway, send };
}

export async function startTestGateway(options: TestOptions = {}): Promise<TestGateway> {
  const { sharing } = options;
  const cluster = sharing?.cluster ?? new MemoryCluster(s3Methods, [alice, bob]);
  const clock = sharing?.clock ?? new ManualClock();
  const failures: unknown[] = [];
  const seeded = options.seed === undefined ? undefined : new SeededRandom(options.seed);
  const logged: string[] = [];
  let direct: HttpHandler | undefined;
  const manual = options.time === 'manual';
  const begunMs = options.wallMs ?? Date.now();
  const state = { wallMs: sharing === undefined ? begunMs : sharing.wallMs - clock.now() };
  const wall = { nowMs: () => (manual ? state.wallMs + clock.now() : Date.now()) };
  cluster.wallMs = wall.nowMs;
  const env: Env = {
    clock: manual ? clock : realClock,
    wall,
    random: seeded ?? { below: (bound) => Math.floor(Math.random() * bound) },
    secrets: {
      bytes: (count) =>
        seeded === undefined
          ? randomBytes(count)
          : Uint8Array.from({ length: count }, () => seeded.below(256)),
    },
    files: unused as Env['files'],
    memory: { usedBytes: () => 0, collect: () => {} },
    network: unused as Env['network'],
    http: {
      serve: (address, handler) => {
        direct = handler;
        if (options.http === 'node') return nodeHttp.serve(address, handler);
        return Promise.resolve({ address, close: async () => {} });
      },
    },
    httpClient: {
      post:
        options.webhook ??
        (async ({ host }) => {
          throw new HttpClientError(`${host} is not known`);
        }),
    },
    tasks: {
      spawn: (_name, work) => {
        work().catch((error: unknown) => failures.push(error));
      },
    },
    log: {
      write: (level, event, fields) => logged.push(JSON.stringify({ level, event, ...fields })),
    },
  };
  const { holdsJobs } = options;
  const seen = holdsJobs === undefined ? cluster : withJobs(cluster, holdsJobs);
  const gateway = await startS3(env, { address: '127.0.0.1:0', cluster: seen, ...options });
  return {
    env,
    cluster,
    gateway,
    clock,
    failures,
    logged,
    handle: (request) => {
      if (direct === undefined) throw new Error('not serving');
      return direct(request);
    },
    get wallMs() {
      return wall.nowMs();
    },
    set wallMs(value) {
      state.wallMs = value - clock.now();
    },
  };
}

export function bodyOf(...chunks: readonly Uint8Array[]): BodySource {
  const left = chunks.filter((chunk) => chunk.length > 0);
  return { next: async () => left.shift() };
}

export interface Unsigned {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sent instead of `body`, which still names length and hash. */
  readonly source?: BodySource;
  /** Overrides `x-amz-content-sha256`. */
  readonly payloadHash?: string;
  readonly user?: User;
  /** Default `s3`. */
  readonly service?: string;
  readonly wallMs?: number;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface SigningContext {
  readonly key: Buffer;
  readonly scope: string;
  readonly amzDate: string;
}

export function signingContext(user: User, wallMs: number, service = 's3'): SigningContext {
  const amzDate = new Date(wallMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = amzDate.slice(0, 8);
  const key = [date, 'us-east-1', service, 'aws4_request'].reduce<Buffer | string>(
    (previous, part) => hmac(previous, part),
    `AWS4${user.secretKey}`,
  ) as Buffer;
  return { key, scope: `${date}/us-east-1/${service}/aws4_request`, amzDate };
}

export function signText(context: SigningContext, text: string): string {
  return hmac(context.key, text).toString('hex');
}

function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Sorted by name: `quota` comes before `quota-type`, though `quota=` does not. */
function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** A signed request, ready for `handle`. */
export function sign(unsigned: Unsigned): HttpRequest & { readonly signature: string } {
  const user = unsigned.user ?? alice;
  const context = signingContext(user, unsigned.wallMs ?? Date.now(), unsigned.service);
  const body =
    typeof unsigned.body === 'string'
      ? Buffer.from(unsigned.body)
      : (unsigned.body ?? new Uint8Array(0));
  const payloadHash = unsigned.payloadHash ?? sha256Hex(body);
  const headers: Record<string, string> = {
    host: 'localhost',
    'x-amz-date': context.amzDate,
    'x-amz-content-sha256': payloadHash,
    ...(unsigned.body === undefined && unsigned.source === undefined
      ? {}
      : { 'content-length': String(body.length) }),
    ...unsigned.headers,
  };
  const names = Object.keys(headers).sort();
  const path = unsigned.path.split('/').map(encodeUri).join('/');
  const query = canonicalQuery(unsigned.query ?? {});
  const canonical = [
    unsigned.method,
    path,
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    payloadHash,
  ].join('\n');
  const signature = signText(
    context,
    `AWS4-HMAC-SHA256\n${context.amzDate}\n${context.scope}\n${sha256Hex(canonical)}`,
  );
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${user.accessKey}/${context.scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return {
    method: unsigned.method,
    target: query === '' ? path : `${path}?${query}`,
    headers: Object.entries(headers),
    body: unsigned.source ?? bodyOf(body),
    remote: '127.0.0.1:1',
    signature,
  };
}

/** A request whose signature stands in its query, with whatever else is in there; `headers` are sent and not signed. */
export function presign(unsigned: Unsigned): HttpRequest {
  const user = unsigned.user ?? alice;
  const context = signingContext(user, unsigned.wallMs ?? Date.now());
  const path = unsigned.path.split('/').map(encodeUri).join('/');
  const fields = {
    ...unsigned.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${user.accessKey}/${context.scope}`,
    'X-Amz-Date': context.amzDate,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
  };
  const query = canonicalQuery(fields);
  const canonical = `${unsigned.method}\n${path}\n${query}\nhost:localhost\n\nhost\nUNSIGNED-PAYLOAD`;
  const signature = signText(
    context,
    `AWS4-HMAC-SHA256\n${context.amzDate}\n${context.scope}\n${sha256Hex(canonical)}`,
  );
  const body = Buffer.from(unsigned.body ?? '');
  const headers = { host: 'localhost', 'content-length': String(body.length), ...unsigned.headers };
  return {
    method: unsigned.method,
    target: `${path}?${query}&X-Amz-Signature=${signature}`,
    headers: Object.entries(headers),
    body: bodyOf(body),
    remote: '127.0.0.1:1',
  };
}

/** The whole body of an answer. */
export async function bodyBytes(response: HttpResponse): Promise<Buffer> {
  const { body } = response;
  if (body === undefined) return Buffer.alloc(0);
  if (body instanceof Uint8Array) return Buffer.from(body);
  const chunks: Uint8Array[] = [];
  try {
    for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next())
      chunks.push(chunk);
  } finally {
    body.close?.();
  }
  return Buffer.concat(chunks);
}

export async function bodyText(response: HttpResponse): Promise<string> {
  return (await bodyBytes(response)).toString('utf8');
}

export function headerOf(response: HttpResponse, name: string): string | undefined {
  return response.headers.find(([each]) => each === name)?.[1];
}

/** The `Code` of an error document. */
export async function errorCode(response: HttpResponse): Promise<string | undefined> {
  return /<Code>([^<]*)<\/Code>/.exec(await bodyText(response))?.[1];
}
