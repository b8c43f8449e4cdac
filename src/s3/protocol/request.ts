// The request as S3 sees it: bucket and key out of path or host name, query and headers to look up by
// name. Nothing is believed yet; `sigv4.ts` says who sent it.

import type { BodySource, HttpRequest } from '../../env/http.ts';
import { S3Error } from './errors.ts';
import { headerBytesMax, keyBytesMax, targetBytesMax } from './limits.ts';
import { decodePercent } from './percent.ts';

export type HeaderMap = ReadonlyMap<string, string>;
export type Query = ReadonlyMap<string, string>;

export interface S3Request {
  readonly method: string;
  /** As sent, without the query. */
  readonly rawPath: string;
  /** As sent, without the `?`. */
  readonly rawQuery: string;
  readonly bucket: string | undefined;
  /** The bucket, where the host's name has it and not the path. */
  readonly hostBucket: string | undefined;
  /** Never empty. */
  readonly key: string | undefined;
  readonly query: Query;
  /** Names in lower case; values trimmed, repeated ones joined with commas, one character a byte. */
  readonly headers: HeaderMap;
  readonly body: BodySource;
  /** The client's address and port. */
  readonly remote: string;
}

export function parseHeaders(pairs: HttpRequest['headers']): HeaderMap {
  const headers = new Map<string, string>();
  let bytes = 0;
  for (const [name, value] of pairs) {
    bytes += name.length + value.length + 4;
    const lower = name.toLowerCase();
    const earlier = headers.get(lower);
    const trimmed = value.trim();
    headers.set(lower, earlier === undefined ? trimmed : `${earlier},${trimmed}`);
  }
  if (bytes > headerBytesMax) throw new S3Error('RequestHeaderSectionTooLarge');
  return headers;
}

export function parseQuery(rawQuery: string): Query {
  const query = new Map<string, string>();
  if (rawQuery === '') return query;
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodePercent(equals < 0 ? pair : pair.slice(0, equals), 'is-space');
    const value = equals < 0 ? '' : decodePercent(pair.slice(equals + 1), 'is-space');
    if (name === undefined || value === undefined) throw new S3Error('InvalidURI');
    // A repeated parameter could be signed in one meaning and read in the other.
    if (query.has(name)) throw new S3Error('InvalidArgument', `Repeated parameter: ${name}`);
    query.set(name, value);
  }
  return query;
}

/** Text as a header's value: UTF-8 bytes, one character each. Throws on what would end the header. */
export function headerValue(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text))
    throw new S3Error('InvalidArgument', 'Control characters in a header value');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is asked.
  if (/^[\u0000-\u007f]*$/.test(text)) return text;
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** `bucket` when the host is `bucket.NAME` for one of our names, whatever the port. */
export function bucketOfHost(
  host: string | undefined,
  hostNames: readonly string[],
): string | undefined {
  if (host === undefined || hostNames.length === 0) return undefined;
  const colon = host.lastIndexOf(':');
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  for (const ours of hostNames) {
    if (name.length > ours.length + 1 && name.endsWith(ours) && name.at(-ours.length - 1) === '.')
      return name.slice(0, -ours.length - 1);
  }
  return undefined;
}

/** `hostNames` in lower case. Throws `InvalidURI`, `KeyTooLongError`, and what headers and query throw. */
export function parseRequest(http: HttpRequest, hostNames: readonly string[]): S3Request {
  const headers = parseHeaders(http.headers);
  let target = http.target;
  if (target.length > targetBytesMax) throw new S3Error('InvalidURI');
  // The absolute form, which proxies send.
  const absolute = target.startsWith('http://') || target.startsWith('https://');
  if (absolute) target = target.slice(Math.max(0, target.indexOf('/', 8)));
  if (!target.startsWith('/')) throw new S3Error('InvalidURI');
  const question = target.indexOf('?');
  const rawPath = question < 0 ? target : target.slice(0, question);
  const rawQuery = question < 0 ? '' : target.slice(question + 1);
  const hostBucket = bucketOfHost(headers.get('host'), hostNames);
  let rawBucket = '';
  let rawKey = rawPath.slice(1);
  if (hostBucket === undefined) {
    const slash = rawPath.indexOf('/', 1);
    rawBucket = slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash);
    rawKey = slash < 0 ? '' : rawPath.slice(slash + 1);
  }
  const bucket = hostBucket ?? decodePercent(rawBucket);
  const key = decodePercent(rawKey);
  if (bucket === undefined || key === undefined) throw new S3Error('InvalidURI');
  if (bucket === '' && key !== '') throw new S3Error('InvalidBucketName');
  checkKeyLength(key);
  return {
    method: http.method,
    rawPath,
    rawQuery,
    bucket: bucket === '' ? undefined : bucket,
    hostBucket,
    key: key === '' ? undefined : key,
    query: parseQuery(rawQuery),
    headers,
    body: http.body,
    remote: http.remote,
  };
}

/** A UTF-16 unit is at most three bytes, so short keys need no counting. */
export function checkKeyLength(key: string): void {
  if (key.length * 3 <= keyBytesMax) return;
  let bytes = 0;
  for (const character of key) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  if (bytes > keyBytesMax)
    throw new S3Error('KeyTooLongError', undefined, {
      detail: { Size: String(bytes), MaxSizeAllowed: String(keyBytesMax) },
    });
}

/** A decimal without sign; undefined for anything else, also beyond 2^53. */
export function parseCount(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
