// What the log of a bucket says about a request, once it was answered. For a bucket that is not logged it is one look at
// a configuration that is known already.

import type { HttpRequest, HttpResponse } from '../env/http.ts';
import type { GatewayParts } from './context.ts';
import type { Requester } from './iam/identities.ts';
import type { KnownBucket } from './index/index-client.ts';
import { type AccessRecord, formatAccessRecord, operationName } from './protocol/access-record.ts';
import { bucketLoggingOf, type KeptLogging } from './protocol/bucket-logging.ts';
import { S3Error } from './protocol/errors.ts';
import { parseCount, type S3Request } from './protocol/request.ts';
import { isSignedV2 } from './protocol/sigv2.ts';
import type { RequestTrace } from './request-trace.ts';
import { subresourceOf } from './router.ts';

export interface Exchange {
  readonly http: HttpRequest;
  readonly request: S3Request;
  readonly requestId: string;
  readonly trace: RequestTrace;
  readonly answer: HttpResponse;
  readonly isWebsite: boolean;
}

/** A configuration that a newer gateway put, and that is not understood, is for that gateway to act on. */
function loggingOf(bucket: KnownBucket): KeptLogging | undefined {
  try {
    return bucketLoggingOf(bucket.configuration);
  } catch (error) {
    if (error instanceof S3Error) return undefined;
    throw error;
  }
}

/** The answer to send: its end, if it is still to be read, is when the record is made. */
export function logRequest(parts: GatewayParts, exchange: Exchange): HttpResponse {
  const { request, trace, answer } = exchange;
  const name = request.bucket ?? '';
  // A request that was kept out knows no more of the bucket than the gateway remembers.
  const bucket = trace.access ?? parts.index.remembered(name);
  const logging = bucket && loggingOf(bucket);
  if (bucket === undefined || logging === undefined) return answer;
  const { clock } = parts.env;
  const turnAroundMs = clock.now() - trace.beganAt;
  const record = (bytesSent: number): void => {
    const { owner, location } = bucket.record;
    const region = location === '' ? parts.region : location;
    const source = { bucket: name, owner, region };
    const timing = { bytesSent, turnAroundMs, totalMs: clock.now() - trace.beganAt };
    for (const each of recordsOf(parts, exchange, owner, timing))
      parts.accessLog.add(source, logging, trace.wallMs, formatAccessRecord(each));
  };
  const { body } = answer;
  if (body === undefined || body instanceof Uint8Array) {
    record(body?.length ?? 0);
    return answer;
  }
  let sentBytes = 0;
  return {
    ...answer,
    body: {
      next: async () => {
        const chunk = await body.next();
        sentBytes += chunk?.length ?? 0;
        return chunk;
      },
      close: () => {
        body.close?.();
        record(sentBytes);
      },
    },
  };
}

type Timing = Pick<AccessRecord, 'bytesSent' | 'totalMs'> & { readonly turnAroundMs: number };

function recordsOf(
  parts: GatewayParts,
  exchange: Exchange,
  bucketOwner: string,
  timing: Timing,
): readonly AccessRecord[] {
  const { http, request, requestId, trace, answer } = exchange;
  const { headers } = request;
  const signed = authenticationOf(request, trace.user);
  // A body's arrival is no part of the time that the gateway took; when it ended is not known here.
  const hasBody = (requestBytes(request) ?? 0) > 0;
  const record: AccessRecord = {
    ...timing,
    ...signed,
    turnAroundMs: hasBody ? undefined : timing.turnAroundMs,
    bucketOwner,
    bucket: request.bucket ?? '',
    wallMs: trace.wallMs,
    remoteIp: request.remote.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''),
    requester: requesterName(trace.user),
    requestId,
    operation: operationOf(exchange),
    key: request.key ?? trace.key,
    method: http.method,
    target: http.target,
    status: answer.status,
    errorCode: trace.errorCode,
    objectBytes: objectBytesOf(exchange),
    referer: headers.get('referer'),
    userAgent: headers.get('user-agent'),
    versionId: answerHeader(answer, 'x-amz-version-id') ?? request.query.get('versionId'),
    hostId: parts.hostId,
    hostHeader: headers.get('host'),
    aclRequired: trace.aclRequired,
  };
  if (trace.deleted.length === 0) return [record];
  return trace.deleted.map(({ key, versionId, error }) => ({
    ...record,
    key,
    versionId,
    status: error?.status ?? record.status,
    errorCode: error?.code ?? record.errorCode,
  }));
}

function operationOf({ http, request, isWebsite }: Exchange): string {
  const about = request.key === undefined ? 'bucket' : 'object';
  if (isWebsite) return `WEBSITE.${http.method === 'HEAD' ? 'HEAD' : 'GET'}.OBJECT`;
  return operationName(http.method, subresourceOf(request), about);
}

function requesterName(user: Requester | undefined): string | undefined {
  if (user === undefined || user.name === '') return undefined;
  const { identity } = user;
  return identity === undefined || identity.account === '' ? user.name : identity.arn;
}

function authenticationOf(
  request: S3Request,
  user: Requester | undefined,
): Pick<AccessRecord, 'signatureVersion' | 'authentication'> {
  const isInHeader = request.headers.has('authorization');
  const isInQuery = request.query.has('X-Amz-Signature') || request.query.has('Signature');
  // A form that is signed by its own fields is signed in neither.
  if (user === undefined || user.name === '' || !(isInHeader || isInQuery))
    return { signatureVersion: undefined, authentication: undefined };
  return {
    signatureVersion: isSignedV2(request) ? 'SigV2' : 'SigV4',
    authentication: isInHeader ? 'AuthHeader' : 'QueryString',
  };
}

function answerHeader(answer: HttpResponse, name: string): string | undefined {
  return answer.headers.find(([each]) => each === name)?.[1];
}

function requestBytes({ headers }: S3Request): number | undefined {
  const text = headers.get('x-amz-decoded-content-length') ?? headers.get('content-length');
  return text === undefined ? undefined : parseCount(text);
}

/** Of the whole object, or of a part that is put. */
function objectBytesOf({ request, answer }: Exchange): number | undefined {
  if (request.key === undefined || answer.status >= 300) return undefined;
  const subresource = subresourceOf(request);
  if (request.method === 'PUT' && (subresource === undefined || subresource === 'uploadId'))
    return request.headers.has('x-amz-copy-source') ? undefined : requestBytes(request);
  if ((request.method !== 'GET' && request.method !== 'HEAD') || subresource !== undefined)
    return undefined;
  const range = answerHeader(answer, 'content-range');
  const text = range === undefined ? answerHeader(answer, 'content-length') : range.split('/')[1];
  return text === undefined ? undefined : parseCount(text);
}
