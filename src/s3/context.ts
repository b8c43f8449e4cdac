// What every operation is given, and the answers they share.

import type { Version } from '../base/method.ts';
import type { Cluster } from '../client/cluster.ts';
import type { Clock, Instant } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { HttpResponse } from '../env/http.ts';
import type { AccessLog } from './access-log.ts';
import { type Action, actionOn, judgeOf, type Question } from './authorization.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { Identities, Requester } from './iam/identities.ts';
import type { BucketAccess, IndexClient } from './index/index-client.ts';
import { parseVersionId, versionIdOf } from './index/version-id.ts';
import type { MasterKeys } from './master-keys.ts';
import { checkBucketName } from './protocol/bucket-name.ts';
import { S3Error } from './protocol/errors.ts';
import { xmlBytesMax } from './protocol/limits.ts';
import { Payload, readWhole } from './protocol/payload.ts';
import type { S3Request } from './protocol/request.ts';
import type { PayloadSignature } from './protocol/sigv4.ts';
import { versioningOf } from './protocol/versioning.ts';
import { parseXml, type XmlNode } from './protocol/xml.ts';
import type { Quotas } from './quotas.ts';
import type { RequestTrace } from './request-trace.ts';
import type { TellSiblings } from './siblings.ts';

/** Reads under way in this gateway: garbage younger than the oldest of them is left alone. */
export class ActiveReads {
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #begunAt = new Map<symbol, Instant>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call what it returns when the read is over. */
  begin(): () => void {
    const read = Symbol('read');
    this.#begunAt.set(read, this.#clock.now());
    return () => this.#begunAt.delete(read);
  }

  get count(): number {
    return this.#begunAt.size;
  }

  /** In whole milliseconds; undefined: there is none. */
  oldestAgeMs(): number | undefined {
    const [begunAt] = this.#begunAt.values();
    return begunAt === undefined ? undefined : Math.ceil(this.#clock.now() - begunAt);
  }
}

/** The gateway's parts, one of each for all requests. */
export interface GatewayParts {
  readonly env: Env;
  readonly cluster: Cluster;
  readonly index: IndexClient;
  readonly identities: Identities;
  readonly quotas: Quotas;
  readonly masterKeys: MasterKeys;
  readonly budget: ByteBudget;
  readonly reads: ActiveReads;
  readonly accessLog: AccessLog;
  readonly tellSiblings: TellSiblings;
  /** What GetBucketLocation and bucket creation go by. */
  readonly region: string;
  /** Whether signatures of version 2 are accepted. */
  readonly signatureV2: boolean;
  /** Names of storage classes that are accepted and given back; all mean the same here. */
  readonly storageClasses: readonly string[];
  /** Names this gateway in its answers. */
  readonly hostId: string;
}

/** The wall clock in whole milliseconds, as formats keep it. */
export function wholeNowMs(parts: GatewayParts): number {
  return Math.floor(parts.env.wall.nowMs());
}

export interface OperationContext {
  readonly parts: GatewayParts;
  readonly request: S3Request;
  readonly user: Requester;
  readonly payload: PayloadSignature;
  readonly requestId: string;
  readonly trace?: RequestTrace;
}

export type Operation = (context: OperationContext) => Promise<HttpResponse>;

export function bucketOf(context: OperationContext): string {
  const { bucket } = context.request;
  if (bucket === undefined) throw new S3Error('InvalidBucketName');
  return bucket;
}

export function keyOf(context: OperationContext): string {
  const { key } = context.request;
  if (key === undefined) throw new S3Error('InvalidArgument', 'The request names no key');
  return key;
}

/** The same on the version that the request names, for who may do that. */
export function accessVersion(
  context: OperationContext,
  action: Action,
  sets?: Question['sets'],
): Promise<BucketAccess> {
  const onVersion = actionOn(action, context.request.query.get('versionId'));
  return accessBucket(context, onVersion, 'remembered', sets);
}

/** The bucket of the request, for who may do the action; `sets`: what the body says that headers do not. */
export async function accessBucket(
  context: OperationContext,
  action: Action,
  freshness: 'remembered' | 'looked-up' = 'remembered',
  sets?: Question['sets'],
): Promise<BucketAccess> {
  const name = bucketOf(context);
  checkBucketName(name);
  const question = { action, key: context.request.key, ...(sets === undefined ? {} : { sets }) };
  const access = await context.parts.index.access(name, judgeOf(context, question), freshness);
  if (context.trace !== undefined) context.trace.access = access;
  checkExpectedOwner(context, 'x-amz-expected-bucket-owner', access);
  return access;
}

export function checkExpectedOwner(
  context: OperationContext,
  header: string,
  access: BucketAccess,
): void {
  const expected = context.request.headers.get(header);
  if (expected !== undefined && expected !== access.record.owner) throw new S3Error('AccessDenied');
}

/** As index calls want it. Undefined: the newest version. Throws `InvalidArgument`. */
export function versionIdArgument(
  text: string | undefined,
): { readonly kind: 'null' } | ({ readonly kind: 'version' } & Version) | undefined {
  if (text === undefined || text === '') return undefined;
  const id = parseVersionId(text);
  if (id === undefined)
    throw new S3Error('InvalidArgument', 'Invalid version id specified', {
      detail: { ArgumentName: 'versionId', ArgumentValue: text.slice(0, 200) },
    });
  return id === 'null' ? { kind: 'null' } : { kind: 'version', ...id };
}

/** Of an answer to what made a version. One called `null` is not named, as S3 has it. */
export function newVersionHeader(committed: {
  readonly version: Version;
  readonly isNull: boolean;
}): [string, string][] {
  return committed.isNull ? [] : [['x-amz-version-id', versionIdOf(committed)]];
}

/** Of an answer about a version, while the bucket keeps any. */
export function versionHeader(
  access: BucketAccess,
  entry: { readonly version: Version; readonly isNull: boolean },
): [string, string][] {
  if (versioningOf(access.configuration) === 'off') return [];
  return [['x-amz-version-id', versionIdOf(entry)]];
}

/** The request's body as XML, proved against its digests. Charged to the budget while it is parsed. */
export async function readXml(
  context: OperationContext,
  root: string,
  checksumHeaders: 'of-body' | 'of-object' = 'of-body',
): Promise<XmlNode> {
  const body = await readBody(context, checksumHeaders);
  if (body.length === 0) throw new S3Error('MalformedXML');
  return parseXml(body, root);
}

/** A body of at most `xmlBytesMax`, proved. */
export async function readBody(
  context: OperationContext,
  checksumHeaders: 'of-body' | 'of-object' = 'of-body',
): Promise<Uint8Array> {
  const { env, budget } = context.parts;
  const payload = new Payload(context.request, context.payload, {
    clock: env.clock,
    computeMd5: false,
    checksumHeaders,
  });
  if (payload.sizeBytes > xmlBytesMax) throw new S3Error('MalformedXML', 'The body is too long');
  await budget.acquire(payload.sizeBytes);
  try {
    const body = await readWhole(payload, xmlBytesMax);
    await payload.finish();
    return body;
  } finally {
    budget.release(payload.sizeBytes);
  }
}

type Headers = HttpResponse['headers'];

export function emptyResponse(status: number, headers: Headers = []): HttpResponse {
  return { status, headers: status === 200 ? [...headers, ['content-length', '0']] : headers };
}

export function redirectResponse(to: {
  readonly status: number;
  readonly location: string;
}): HttpResponse {
  const headers: Headers = [
    ['location', to.location],
    ['content-length', '0'],
  ];
  return { status: to.status, headers };
}

export function xmlResponse(body: Uint8Array, headers: Headers = [], status = 200): HttpResponse {
  return {
    status,
    headers: [
      ['content-type', 'application/xml'],
      ['content-length', String(body.length)],
      ...headers,
    ],
    body,
  };
}

/** A query parameter that is a whole number up to `max`; larger values count as `max`. */
export function countParameter(context: OperationContext, name: string, max: number): number {
  const text = context.request.query.get(name);
  if (text === undefined || text === '') return max;
  const value = /^-?\d{1,18}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 0x7fffffff))
    throw new S3Error(
      'InvalidArgument',
      `Argument ${name} must be an integer between 0 and 2147483647`,
      {
        detail: { ArgumentName: name, ArgumentValue: text.slice(0, 100) },
      },
    );
  return Math.min(value, max);
}
