// AWS Signature Version 2 for S3's REST interface: HMAC-SHA1 over method, three headers, every `x-amz-*` header and
// the path with the subresources that change what it means. What old tools send, in the `Authorization` header or, presigned,
// in the query.
//
// It covers neither `Host`, nor other parameters of the query, nor the body: those are as good as the connection is.
// SigV4 covers them; `gateway.signatureV2: false` in holdfast.yaml leaves only that.

import { createHmac } from 'node:crypto';
import { concatBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { User } from '../../client/cluster.ts';
import { formatIsoDate, parseAmzDate, parseHttpDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { clockSkewMsMax } from './limits.ts';
import { parseCount, type S3Request } from './request.ts';

/** Parameters of the query that are signed, those that S3's documentation names and clients sign. */
const signedParameters = new Set([
  'accelerate',
  'acl',
  'analytics',
  'cors',
  'defaultObjectAcl',
  'delete',
  'inventory',
  'lifecycle',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'partNumber',
  'policy',
  'replication',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'select',
  'select-type',
  'storageClass',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]);

export type ClaimV2 = {
  readonly accessKey: string;
  /** Base64. */
  readonly signature: string;
} & (
  | { readonly kind: 'header' }
  /** Seconds since 1970 as they are in the query, which are signed in place of a date. */
  | { readonly kind: 'presigned'; readonly expires: string }
);

/** Whether it is signed this way; nothing else is said about it. */
export function isSignedV2({ headers, rawQuery, query }: S3Request): boolean {
  const authorization = headers.get('authorization');
  if (authorization !== undefined) return authorization.startsWith('AWS ');
  return rawQuery !== '' && query.has('Signature') && query.has('AWSAccessKeyId');
}

/** Of a request for which `isSignedV2` holds. Throws `InvalidArgument`, `AccessDenied`. */
export function parseClaimV2({ headers, query }: S3Request): ClaimV2 {
  const authorization = headers.get('authorization');
  if (authorization === undefined) {
    const expires = query.get('Expires');
    if (expires === undefined)
      throw new S3Error(
        'AccessDenied',
        'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters',
      );
    return {
      kind: 'presigned',
      accessKey: query.get('AWSAccessKeyId') ?? '',
      signature: query.get('Signature') ?? '',
      expires,
    };
  }
  if (query.has('Signature') || query.has('X-Amz-Signature'))
    throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed');
  const words = authorization.slice('AWS '.length).trim();
  const colon = words.lastIndexOf(':');
  if (colon < 1)
    throw new S3Error(
      'InvalidArgument',
      "AWS authorization header is invalid. Expected AwsAccessKeyId:signature, as in 'AWS AKID:c2lnbmF0dXJl'",
      { detail: { ArgumentName: 'Authorization' } },
    );
  return { kind: 'header', accessKey: words.slice(0, colon), signature: words.slice(colon + 1) };
}

/** Throws `AccessDenied`, `RequestTimeTooSkewed`. */
export function checkTimeV2(claim: ClaimV2, request: S3Request, nowMs: number): void {
  if (claim.kind === 'presigned') {
    const seconds = parseCount(claim.expires);
    if (seconds === undefined || seconds > 1e11)
      throw new S3Error('AccessDenied', 'Invalid date (should be seconds since epoch)');
    if (nowMs > seconds * 1000)
      throw new S3Error('AccessDenied', 'Request has expired', {
        detail: { Expires: formatIsoDate(seconds * 1000), ServerTime: formatIsoDate(nowMs) },
      });
    return;
  }
  const text = request.headers.get('x-amz-date') ?? request.headers.get('date');
  const ms = text === undefined ? undefined : (parseHttpDate(text) ?? parseAmzDate(text));
  if (text === undefined || ms === undefined || ms < 0)
    throw new S3Error(
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header',
    );
  if (Math.abs(nowMs - ms) > clockSkewMsMax)
    throw new S3Error('RequestTimeTooSkewed', undefined, {
      detail: {
        RequestTime: text.slice(0, 100),
        ServerTime: formatIsoDate(nowMs),
        MaxAllowedSkewMilliseconds: String(clockSkewMsMax),
      },
    });
}

function canonicalAmzHeaders(request: S3Request): string {
  const lines: string[] = [];
  for (const [name, value] of request.headers)
    if (name.startsWith('x-amz-')) lines.push(`${name}:${value}\n`);
  // In a presigned request the token of a session stands in the query, and is signed as the header it stands for.
  const token = request.rawQuery === '' ? undefined : request.query.get('x-amz-security-token');
  if (token !== undefined) lines.push(`x-amz-security-token:${token}\n`);
  return lines.sort().join('');
}

function canonicalParameters({ rawQuery, query }: S3Request): string {
  if (rawQuery === '') return '';
  const pairs: string[] = [];
  for (const [name, value] of query) {
    if (!signedParameters.has(name)) continue;
    // `?acl` and `?acl=` are not the same to all clients; S3 names the parameter alone in both.
    pairs.push(value === '' ? name : `${name}=${value}`);
  }
  return pairs.length === 0 ? '' : `?${pairs.sort().join('&')}`;
}

function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Clients sign the path as they send it; boto signs a slash after a bucket that it does not send. */
export function signedPathsV2({ rawPath, bucket, hostBucket }: S3Request): readonly string[] {
  const isBucketAlone = bucket !== undefined && hostBucket === undefined;
  return isBucketAlone && !rawPath.includes('/', 1) ? [rawPath, `${rawPath}/`] : [rawPath];
}

/** What is signed. Headers are the bytes that came, values of parameters are decoded. */
export function stringToSignV2(request: S3Request, claim: ClaimV2, path: string): Uint8Array {
  const { headers, hostBucket } = request;
  let date = claim.kind === 'presigned' ? claim.expires : (headers.get('date') ?? '');
  if (claim.kind === 'header' && headers.has('x-amz-date')) date = '';
  const lines = [
    request.method,
    headers.get('content-md5') ?? '',
    headers.get('content-type') ?? '',
    date,
  ];
  const bucket = hostBucket === undefined ? '' : `/${hostBucket}`;
  const head = `${lines.join('\n')}\n${canonicalAmzHeaders(request)}${bucket}${path}`;
  return concatBytes([latin1Bytes(head), encodeUtf8(canonicalParameters(request))]);
}

/** Base64, as it is sent. */
export function signV2(user: User, text: Uint8Array | string): string {
  return createHmac('sha1', user.secretKey).update(text).digest('base64');
}
