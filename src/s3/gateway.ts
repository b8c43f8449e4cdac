// The S3 gateway: HTTP requests in, S3's answers out. It keeps no state but caches and buffers: any
// number of gateways serve the same buckets.
//
// Every request goes the same way: parse, authenticate, route, operate; whatever is thrown on the way
// becomes S3's error document in one place.

import { formatHex } from '../base/bytes.ts';
import { blobBytesMax, type Cluster } from '../client/cluster.ts';
import type { Env } from '../env/env.ts';
import type { HttpRequest, HttpResponse, NoRequest, NoRequestAnswer } from '../env/http.ts';
import type { Address } from '../env/network.ts';
import { AccessLog } from './access-log.ts';
import { ByteBudget } from './byte-budget.ts';
import { ActiveReads, type GatewayParts } from './context.ts';
import { errorDocument, errorResponse } from './error-response.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { Identities } from './iam/identities.ts';
import { answerQuery, isQueryRequest } from './iam/query-api.ts';
import { IndexClient } from './index/index-client.ts';
import { LifecycleJob } from './lifecycle-job.ts';
import { deliverLog } from './log-delivery.ts';
import { logRequest } from './logged-request.ts';
import { LongReads } from './long-reads.ts';
import { MasterKeys } from './master-keys.ts';
import { Migrator } from './migrator.ts';
import { Notifications } from './notifications.ts';
import { corsHeaders, preflight } from './operations/bucket-cors.ts';
import { OrphanCollector } from './orphan-collector.ts';
import { authenticate, sessionTokenOf } from './protocol/authenticate.ts';
import { formatHttpDate } from './protocol/dates.ts';
import { S3Error, s3ErrorOf } from './protocol/errors.ts';
import { withPresignedHeaders } from './protocol/presigned-headers.ts';
import { parseRequest, type S3Request } from './protocol/request.ts';
import { SigningKeyCache } from './protocol/sigv4.ts';
import type { WebhookReach } from './protocol/webhook.ts';
import { Quotas } from './quotas.ts';
import { RequestTrace } from './request-trace.ts';
import { route } from './router.ts';
import { hearSibling, noSiblings, type SiblingNews, type TellSiblings } from './siblings.ts';
import { SplitJob } from './split-job.ts';
import { answerWebsite, isWebsiteRequest, withoutQuery } from './website.ts';

export interface GatewayOptions {
  readonly address: Address;
  readonly cluster: Cluster;
  /** Tells the other gateways behind the same address of changes. Default: there are none. */
  readonly tellSiblings?: TellSiblings;
  /** Names under which `bucket.NAME` addresses a bucket. Default: none, buckets stand in the path. */
  readonly hostNames?: readonly string[];
  /** Names under which `bucket.NAME` is the bucket's website. Default: none. */
  readonly websiteNames?: readonly string[];
  /** Default `us-east-1`. Signatures for any region are accepted: there is one place only. */
  readonly region?: string;
  /** Whether signatures of version 2 are accepted beside those of version 4. Default true. */
  readonly signatureV2?: boolean;
  /** Names of storage classes to accept. Default `STANDARD` alone. */
  readonly storageClasses?: readonly string[];
  /** Ids of keys for SSE-KMS; each is made when it is first named. Default: none. */
  readonly kmsKeys?: readonly string[];
  /** What lifecycle rules take for a day. Default 86,400,000; less only to see rules work. */
  readonly lifecycleDayMs?: number;
  /** Between two rounds of lifecycle rules. Default one hour. */
  readonly lifecycleIntervalMs?: number;
  /** How long records of bucket logging wait for others where the bucket does not say. Default five minutes. */
  readonly loggingRollMs?: number;
  /** For all requests together. Default 80 MiB: ten 4 MiB streams each way. At least 16 MiB. */
  readonly budgetBytes?: number;
  /** How long replaced blobs wait at least for readers that began before. Default 15 minutes. */
  readonly garbageGraceMs?: number;
  /** Between two rounds of collection. Default one minute. */
  readonly garbageIntervalMs?: number;
  /** Of garbage and of orphans each. Default 200. */
  readonly garbageBlobsPerSecond?: number;
  /** Between two rounds of moving blobs out of layouts that a pool no longer uses. Default five seconds. */
  readonly migrateIntervalMs?: number;
  /** Between two looks for blobs that dead gateways left behind. Default one hour. */
  readonly orphansIntervalMs?: number;
  /** Which addresses webhooks may have. Default `private`: all but the gateway's own machine and link. */
  readonly webhooks?: WebhookReach;
  /** Until a webhook's answer is there. Default five seconds. */
  readonly webhookTimeoutMs?: number;
  /** How long an event is tried where its topic does not say. Default one day. */
  readonly notificationKeptMs?: number;
  /** Between two looks for events that were not delivered at once. Default five seconds. */
  readonly notificationIntervalMs?: number;
  /** Entries of an index shard from which on it is split. Default 100,000; less only to see splits. */
  readonly shardEntriesMax?: number;
  /** Between two looks for shards to split. Default ten seconds. */
  readonly splitIntervalMs?: number;
}

/** What requests hold at a moment; nothing when none is under way. */
export interface GatewayLoad {
  readonly bufferedBytes: number;
  readonly readsUnderWay: number;
}

export interface Gateway {
  readonly address: Address;
  /** What another gateway behind the same address changed; resolves when this one acts on it. */
  hear(news: SiblingNews): Promise<void>;
  load(): GatewayLoad;
  /** Stops accepting and collecting, and delivers access logs for two seconds; requests under way end on their own. */
  close(): Promise<void>;
}

const defaults = {
  region: 'us-east-1',
  signatureV2: true,
  storageClasses: ['STANDARD'],
  kmsKeys: [],
  lifecycleDayMs: 24 * 60 * 60 * 1000,
  lifecycleIntervalMs: 60 * 60 * 1000,
  loggingRollMs: 5 * 60 * 1000,
  budgetBytes: 80 * 1024 * 1024,
  garbageGraceMs: 15 * 60 * 1000,
  garbageIntervalMs: 60_000,
  garbageBlobsPerSecond: 200,
  migrateIntervalMs: 5000,
  orphansIntervalMs: 60 * 60 * 1000,
  shardEntriesMax: 100_000,
  splitIntervalMs: 10_000,
  webhooks: 'private' as const,
  webhookTimeoutMs: 5000,
  notificationKeptMs: 24 * 60 * 60 * 1000,
  notificationIntervalMs: 5000,
};

/** An event is its own gateway's for as long as that may be sending it. */
const takeOverSlackMs = 10_000;

/** Two blobs each for one writer and one reader: with less, one large request stops all others. */
const budgetBytesMin = 4 * blobBytesMax;

class RequestIds {
  readonly #prefix: string;
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): string {
    this.#count = (this.#count + 1) % 0x100000000;
    return this.#prefix + this.#count.toString(16).toUpperCase().padStart(8, '0');
  }
}

const codeOfNoRequest = {
  'headers-too-large': 'RequestHeaderSectionTooLarge',
  'headers-too-slow': 'RequestTimeout',
  malformed: 'BadRequest',
} as const;

/** Of a request that was let in because its sender said that it would pay. */
function chargedHeader({ isCharged }: RequestTrace, { status }: HttpResponse): [string, string][] {
  return isCharged && status < 400 ? [['x-amz-request-charged', 'requester']] : [];
}

class S3Gateway {
  readonly #parts: GatewayParts;
  readonly #keys = new SigningKeyCache();
  readonly #hostNames: readonly string[];
  readonly #websiteNames: readonly string[];
  readonly #ids: RequestIds;

  constructor(parts: GatewayParts, hostNames: readonly string[], websiteNames: readonly string[]) {
    this.#parts = parts;
    this.#websiteNames = websiteNames.map((name) => name.toLowerCase());
    // First, since they may lie below the others.
    this.#hostNames = [...this.#websiteNames, ...hostNames.map((name) => name.toLowerCase())];
    this.#ids = new RequestIds(parts.hostId.slice(0, 8));
  }

  /** Answers whatever comes; throws nothing. */
  async handle(http: HttpRequest): Promise<HttpResponse> {
    const requestId = this.#ids.next();
    const { clock, wall } = this.#parts.env;
    const trace = new RequestTrace(clock.now(), wall.nowMs());
    const isWebsite = isWebsiteRequest(http, this.#websiteNames);
    let request: S3Request | undefined;
    let response: HttpResponse;
    try {
      request = parseRequest(isWebsite ? withoutQuery(http) : http, this.#hostNames);
      response = isWebsite
        ? await answerWebsite({ parts: this.#parts, request, requestId })
        : await this.#operate(request, requestId, trace);
    } catch (error) {
      response = this.#errorResponse(error, http, requestId);
      trace.errorCode = s3ErrorOf(error).code;
    }
    const ofOrigin =
      request?.headers.has('origin') === true ? await this.#corsHeaders(request, requestId) : [];
    const answer = {
      ...response,
      headers: [
        ...response.headers,
        ...ofOrigin,
        ...chargedHeader(trace, response),
        ['x-amz-request-id', requestId],
        ['x-amz-id-2', this.#parts.hostId],
        ['date', formatHttpDate(this.#parts.env.wall.nowMs())],
        ['server', 'Holdfast'],
      ] as const,
    };
    if (request?.bucket === undefined) return answer;
    return logRequest(this.#parts, { http, request, requestId, trace, answer, isWebsite });
  }

  /** What never became a request, in S3's words. */
  refuse(what: NoRequest): NoRequestAnswer {
    const error = new S3Error(codeOfNoRequest[what]);
    const requestId = this.#ids.next();
    const { hostId } = this.#parts;
    const place = { method: '', resource: '', requestId, hostId };
    return {
      status: error.status,
      headers: [
        ['content-type', 'application/xml'],
        ['x-amz-request-id', requestId],
        ['x-amz-id-2', hostId],
      ],
      body: errorDocument(error, place),
    };
  }

  /** Without them a browser hides the answer from its page, which is right when the bucket can't be seen. */
  async #corsHeaders(request: S3Request, requestId: string): Promise<HttpResponse['headers']> {
    try {
      return await corsHeaders(this.#parts, request);
    } catch (error) {
      if (s3ErrorOf(error).code === 'InternalError') this.#report(error, request.method, requestId);
      return [];
    }
  }

  #operate(request: S3Request, requestId: string, trace: RequestTrace): Promise<HttpResponse> {
    if (isQueryRequest(request))
      return answerQuery({ parts: this.#parts, keys: this.#keys, request, requestId });
    const { identities, env } = this.#parts;
    if (request.method === 'OPTIONS') return preflight(this.#parts, request);
    const nowMs = env.wall.nowMs();
    const { user, payload } = authenticate(request, {
      keys: this.#keys,
      signatureV2: this.#parts.signatureV2,
      nowMs,
      userByAccessKey: (accessKey) =>
        identities.byAccessKey(accessKey, sessionTokenOf(request), nowMs),
    });
    trace.user = user;
    const whole = withPresignedHeaders(request);
    const operation = route(whole);
    return operation({ parts: this.#parts, request: whole, user, payload, requestId, trace });
  }

  #report(thrown: unknown, method: string, requestId: string): void {
    this.#parts.env.log.write('error', 's3 request failed', {
      requestId,
      method,
      reason: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown),
      stack: thrown instanceof Error ? thrown.stack : undefined,
    });
  }

  #errorResponse(thrown: unknown, http: HttpRequest, requestId: string): HttpResponse {
    const error = s3ErrorOf(thrown);
    if (error.code === 'InternalError') this.#report(thrown, http.method, requestId);
    const question = http.target.indexOf('?');
    return errorResponse(error, {
      method: http.method,
      resource: (question < 0 ? http.target : http.target.slice(0, question)).slice(0, 2048),
      requestId,
      hostId: this.#parts.hostId,
    });
  }
}

/** Serves S3 until closed. Throws `EnvError` when the address can't be had. */
export async function startS3(env: Env, options: GatewayOptions): Promise<Gateway> {
  const { cluster } = options;
  const settings = { ...defaults, ...options };
  const tellSiblings = options.tellSiblings ?? noSiblings;
  const index = new IndexClient(env, cluster, tellSiblings);
  const hostId = formatHex(env.secrets.bytes(8)).toUpperCase();
  const accessLog = new AccessLog(env, {
    rollMs: settings.loggingRollMs,
    gatewayId: hostId,
    deliver: (delivery) => deliverLog(parts, delivery),
  });
  const parts: GatewayParts = {
    env,
    cluster,
    index,
    identities: new Identities(cluster),
    quotas: new Quotas(env, cluster, index),
    masterKeys: new MasterKeys(env, index, settings.kmsKeys),
    budget: new ByteBudget(Math.max(budgetBytesMin, settings.budgetBytes)),
    reads: new ActiveReads(env.clock),
    accessLog,
    tellSiblings,
    region: settings.region,
    signatureV2: settings.signatureV2,
    storageClasses: settings.storageClasses,
    hostId,
  };
  const gateway = new S3Gateway(parts, options.hostNames ?? [], options.websiteNames ?? []);
  const listener = await env.http.serve(
    options.address,
    (request) => gateway.handle(request),
    (what) => gateway.refuse(what),
  );
  const longReads = new LongReads(parts, settings.garbageGraceMs);
  longReads.start();
  const collector = new GarbageCollector(parts, longReads, {
    intervalMs: settings.garbageIntervalMs,
    blobsPerSecond: settings.garbageBlobsPerSecond,
  });
  collector.start();
  const orphans = new OrphanCollector(parts, {
    intervalMs: settings.orphansIntervalMs,
    blobsPerSecond: settings.garbageBlobsPerSecond,
  });
  orphans.start();
  const lifecycle = new LifecycleJob(parts, {
    intervalMs: settings.lifecycleIntervalMs,
    dayMs: settings.lifecycleDayMs,
  });
  lifecycle.start();
  const migrator = new Migrator(parts, { intervalMs: settings.migrateIntervalMs });
  migrator.start();
  const splits = new SplitJob(parts, {
    intervalMs: settings.splitIntervalMs,
    shardEntriesMax: settings.shardEntriesMax,
  });
  splits.start();
  const notifications = new Notifications(parts, {
    reach: settings.webhooks,
    timeoutMs: settings.webhookTimeoutMs,
    keptMs: settings.notificationKeptMs,
    intervalMs: settings.notificationIntervalMs,
    takeOverMs: settings.webhookTimeoutMs + takeOverSlackMs,
  });
  notifications.start();
  return {
    address: listener.address,
    hear: (news) =>
      hearSibling(news, {
        clock: env.clock,
        cluster,
        dropBucket: (name) => index.drop(name),
      }),
    load: () => ({
      bufferedBytes: parts.budget.usedBytes,
      readsUnderWay: parts.reads.count,
    }),
    close: async () => {
      longReads.stop();
      collector.stop();
      orphans.stop();
      lifecycle.stop();
      migrator.stop();
      splits.stop();
      notifications.stop();
      await listener.close();
      await accessLog.close();
    },
  };
}
