// AWS Signature Version 4: who sent a request, and how its body is to be checked.
//
// A request is signed in its `Authorization` header or, presigned, in its query. Verified here:
// the signature over method, path, query and signed headers; that `host` and every `x-amz-*` header is
// signed; the date's skew or the URL's expiry; the credential scope. The body's hash is only *named*
// here, `payload.ts` verifies it while the body streams.

import { hash } from 'node:crypto';
import type { User } from '../../client/cluster.ts';
import { formatAmzDate, formatIsoDate, parseAmzDate, parseHttpDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { clockSkewMsMax, presignedSecondsMax } from './limits.ts';
import { decodePercent, encodePercent } from './percent.ts';
import type { HeaderMap, S3Request } from './request.ts';

/** How the body proves itself. */
export type PayloadSignature =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'sha256'; readonly hex: string }
  /** aws-chunked; `chain` undefined when chunks are not signed. */
  | { readonly kind: 'chunked'; readonly chain: ChunkChain | undefined; readonly trailer: boolean };

/** Whoever sends a request without a signature. */
export const anonymous: User = { name: '', accessKey: '', secretKey: '' };

export interface Authenticated<U extends User = User> {
  readonly user: U | User;
  readonly payload: PayloadSignature;
}

/** Signs the chunks of a streaming body: each signature covers the one before it. */
export class ChunkChain {
  readonly #key: SigningKey;
  readonly #context: string;
  #previous: string;

  constructor(key: SigningKey, amzDate: string, scope: string, seed: string) {
    this.#key = key;
    this.#context = `${amzDate}\n${scope}`;
    this.#previous = seed;
  }

  /** The signature the next chunk must have. */
  signChunk(dataSha256Hex: string): string {
    this.#previous = this.#key.sign(
      `AWS4-HMAC-SHA256-PAYLOAD\n${this.#context}\n${this.#previous}\n${emptySha256Hex}\n${dataSha256Hex}`,
    );
    return this.#previous;
  }

  signTrailer(trailerSha256Hex: string): string {
    this.#previous = this.#key.sign(
      `AWS4-HMAC-SHA256-TRAILER\n${this.#context}\n${this.#previous}\n${trailerSha256Hex}`,
    );
    return this.#previous;
  }
}

export const emptySha256Hex = hash('sha256', '', 'hex');

const encoder = new TextEncoder();

const blockBytes = 64;
const digestBytes = 32;

/** What is signed is about 150 bytes; longer texts get memory of their own. */
const scratchBytes = 1024;

/**
 * HMAC-SHA256 over memory that already holds the key's padded blocks, each half one call of the hash function:
 * half of what a copied hash object costs, a quarter of `createHmac`.
 */
class SigningKey {
  readonly #inner: Uint8Array = new Uint8Array(scratchBytes);
  readonly #outer: Uint8Array = new Uint8Array(blockBytes + digestBytes);

  constructor(key: Uint8Array) {
    const short = key.length > blockBytes ? hash('sha256', key, 'buffer') : key;
    this.#inner.fill(0x36, 0, blockBytes);
    this.#outer.fill(0x5c, 0, blockBytes);
    for (const [i, byte] of short.entries()) {
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  digest(text: string): Uint8Array {
    this.#hashInner(text);
    return hash('sha256', this.#outer, 'buffer');
  }

  sign(text: string): string {
    this.#hashInner(text);
    return hash('sha256', this.#outer, 'hex');
  }

  #hashInner(text: string): void {
    let input: Uint8Array;
    // A UTF-16 unit is at most three bytes.
    if (text.length * 3 <= scratchBytes - blockBytes) {
      const { written } = encoder.encodeInto(text, this.#inner.subarray(blockBytes));
      input = this.#inner.subarray(0, blockBytes + written);
    } else {
      const bytes = encoder.encode(text);
      input = new Uint8Array(blockBytes + bytes.length);
      input.set(this.#inner.subarray(0, blockBytes));
      input.set(bytes, blockBytes);
    }
    this.#outer.set(hash('sha256', input, 'buffer'), blockBytes);
  }
}

export function deriveSigningKey(
  secretKey: string,
  date: string,
  region: string,
  service: string,
): SigningKey {
  let key: Uint8Array = encoder.encode(`AWS4${secretKey}`);
  for (const part of [date, region, service, 'aws4_request'])
    key = new SigningKey(key).digest(part);
  return new SigningKey(key);
}

export type { SigningKey };

/**
 * Signing keys last a day per user and region. A few thousand entries of about 1 kB; beyond that,
 * somebody is making up regions, and starting over costs 20 µs a request.
 */
const signingKeysMax = 4096;

/** Derived signing keys by credential. A changed secret is noticed: the entry remembers it. */
export class SigningKeyCache {
  readonly #keys = new Map<string, { readonly secretKey: string; readonly key: SigningKey }>();

  get(user: User, scope: Scope): SigningKey {
    const name = `${user.accessKey}/${scope.text}`;
    const cached = this.#keys.get(name);
    if (cached !== undefined && cached.secretKey === user.secretKey) return cached.key;
    const key = deriveSigningKey(user.secretKey, scope.date, scope.region, scope.service);
    if (this.#keys.size >= signingKeysMax) this.#keys.clear();
    this.#keys.set(name, { secretKey: user.secretKey, key });
    return key;
  }
}

interface Scope {
  /** `YYYYMMDD` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** `date/region/service/aws4_request` */
  readonly text: string;
}

interface Credential {
  readonly accessKey: string;
  readonly scope: Scope;
}

/** An access key may hold slashes; the scope is the last four parts. A client without a region signs for none. */
function parseCredential(text: string): Credential | undefined {
  const parts = text.split('/');
  if (parts.length < 5) return undefined;
  const [date, region, service, end] = parts.slice(-4) as [string, string, string, string];
  if (!/^\d{8}$/.test(date) || service === '' || end !== 'aws4_request') return undefined;
  const scope = { date, region, service, text: `${date}/${region}/${service}/${end}` };
  return { accessKey: parts.slice(0, -4).join('/'), scope };
}

/** What an `Authorization` header says before its signature. */
interface Terms {
  readonly credential: Credential;
  readonly signedHeaders: readonly string[];
  readonly signedHeadersText: string;
}

/**
 * Terms by the header's text up to the signature: a client says the same all day. About 500 bytes each;
 * beyond this many they are read anew.
 */
const rememberedTermsMax = 1024;
const rememberedTerms = new Map<string, Terms>();

interface Claim {
  readonly credential: Credential;
  /** Names in lower case, in the order given, joined as sent. */
  readonly signedHeaders: readonly string[];
  readonly signedHeadersText: string;
  readonly signature: string;
  readonly amzDate: string;
  /** What stands in the last line of the canonical request. */
  readonly payloadHash: string;
  readonly presigned: boolean;
}

function parseSignedHeaders(text: string, presigned: boolean): readonly string[] {
  const names = text.split(';');
  const code = presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
  for (const name of names)
    if (name === '' || name !== name.toLowerCase())
      throw new S3Error(code, 'SignedHeaders must be names in lower case separated by ";".');
  return names;
}

function parseAuthorization(
  request: S3Request,
  authorization: string,
  bodySha256: string | undefined,
): Claim {
  const beforeSignature = authorization.slice(0, authorization.lastIndexOf('=') + 1);
  const signature = authorization.slice(beforeSignature.length);
  const known = rememberedTerms.get(beforeSignature);
  if (known !== undefined && /^[0-9a-f]{64}$/.test(signature))
    return claimOfHeaders(request, known, signature, bodySha256);
  const { terms, signature: found } = parseTerms(authorization);
  if (found === signature && beforeSignature.endsWith('Signature=')) {
    if (rememberedTerms.size >= rememberedTermsMax) rememberedTerms.clear();
    rememberedTerms.set(beforeSignature, terms);
  }
  return claimOfHeaders(request, terms, found, bodySha256);
}

/** Throws what is wrong with the header. */
function parseTerms(authorization: string): {
  readonly terms: Terms;
  readonly signature: string;
} {
  const algorithm = 'AWS4-HMAC-SHA256';
  if (!authorization.startsWith(`${algorithm} `)) {
    if (authorization.startsWith('AWS4-'))
      throw new S3Error('InvalidRequest', 'Only AWS4-HMAC-SHA256 signatures are supported.');
    throw new S3Error('InvalidArgument', 'Unsupported Authorization Type', {
      detail: { ArgumentName: 'Authorization' },
    });
  }
  let credentialText: string | undefined;
  let signedHeadersText: string | undefined;
  let signature: string | undefined;
  for (const part of authorization.slice(algorithm.length + 1).split(',')) {
    const equals = part.indexOf('=');
    const value = part.slice(equals + 1).trim();
    switch (part.slice(0, equals).trim()) {
      case 'Credential':
        credentialText = value;
        break;
      case 'SignedHeaders':
        signedHeadersText = value;
        break;
      case 'Signature':
        signature = value;
        break;
      default:
        throw new S3Error('AuthorizationHeaderMalformed');
    }
  }
  const credential = credentialText === undefined ? undefined : parseCredential(credentialText);
  if (credential === undefined || signedHeadersText === undefined || signature === undefined)
    throw new S3Error('AuthorizationHeaderMalformed');
  const signedHeaders = parseSignedHeaders(signedHeadersText, false);
  return { terms: { credential, signedHeaders, signedHeadersText }, signature };
}

function claimOfHeaders(
  request: S3Request,
  terms: Terms,
  signature: string,
  bodySha256: string | undefined,
): Claim {
  // A body that was read is signed as it is, whatever a header says.
  const payloadHash = bodySha256 ?? request.headers.get('x-amz-content-sha256');
  if (payloadHash === undefined)
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    );
  const { credential, signedHeaders, signedHeadersText } = terms;
  return {
    credential,
    signedHeaders,
    signedHeadersText,
    signature,
    amzDate: dateOfHeaders(request.headers),
    payloadHash,
    presigned: false,
  };
}

/** `x-amz-date`, else `Date`, in SigV4's form. */
function dateOfHeaders(headers: HeaderMap): string {
  const amzDate = headers.get('x-amz-date');
  if (amzDate !== undefined && parseAmzDate(amzDate) !== undefined) return amzDate;
  const date = amzDate ?? headers.get('date');
  const ms = date === undefined ? undefined : (parseHttpDate(date) ?? parseAmzDate(date));
  if (ms === undefined)
    throw new S3Error(
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header',
    );
  return formatAmzDate(ms);
}

function parsePresigned(request: S3Request): Claim {
  const malformed = (words: string): S3Error =>
    new S3Error('AuthorizationQueryParametersError', words);
  const { query } = request;
  if (query.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
    throw malformed('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  const credential = parseCredential(query.get('X-Amz-Credential') ?? '');
  if (credential === undefined) throw malformed('X-Amz-Credential is malformed.');
  const amzDate = query.get('X-Amz-Date');
  if (amzDate === undefined || parseAmzDate(amzDate) === undefined)
    throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  const signedHeadersText = query.get('X-Amz-SignedHeaders');
  const signature = query.get('X-Amz-Signature');
  if (signedHeadersText === undefined || signature === undefined)
    throw malformed(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  const signedHeaders = parseSignedHeaders(signedHeadersText, true);
  // An unsigned hash header proves nothing and must not change how the body is read.
  const payloadHash =
    query.get('X-Amz-Content-Sha256') ??
    (signedHeaders.includes('x-amz-content-sha256')
      ? request.headers.get('x-amz-content-sha256')
      : undefined) ??
    'UNSIGNED-PAYLOAD';
  return {
    credential,
    signedHeaders,
    signedHeadersText,
    signature,
    amzDate,
    payloadHash,
    presigned: true,
  };
}

function checkTime(claim: Claim, request: S3Request, nowMs: number): void {
  const signedMs = parseAmzDate(claim.amzDate) ?? 0;
  if (!claim.amzDate.startsWith(claim.credential.scope.date))
    throw new S3Error(
      claim.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed',
      'The date of the credential scope is not the date of the request.',
    );
  const skewed = (): S3Error =>
    new S3Error('RequestTimeTooSkewed', undefined, {
      detail: {
        RequestTime: claim.amzDate,
        ServerTime: formatIsoDate(nowMs),
        MaxAllowedSkewMilliseconds: String(clockSkewMsMax),
      },
    });
  if (!claim.presigned) {
    if (Math.abs(nowMs - signedMs) > clockSkewMsMax) throw skewed();
    return;
  }
  const expires = request.query.get('X-Amz-Expires') ?? '';
  const seconds = /^\d{1,9}$/.test(expires) ? Number(expires) : 0;
  if (seconds < 1 || seconds > presignedSecondsMax)
    throw new S3Error(
      'AccessDenied',
      `X-Amz-Expires must be a number of seconds from 1 to ${presignedSecondsMax}`,
    );
  if (signedMs - nowMs > clockSkewMsMax)
    throw new S3Error('AccessDenied', 'Request is not valid yet');
  if (nowMs > signedMs + seconds * 1000)
    throw new S3Error('AccessDenied', 'Request has expired', {
      detail: { Expires: formatIsoDate(signedMs + seconds * 1000) },
    });
}

function checkSignedHeaders(claim: Claim, headers: HeaderMap): void {
  const signed = claim.signedHeaders;
  if (!signed.includes('host')) throw new S3Error('AccessDenied', 'The header host must be signed');
  for (const name of headers.keys()) {
    if (!name.startsWith('x-amz-') || signed.includes(name)) continue;
    if (claim.presigned && name === 'x-amz-content-sha256') continue;
    throw new S3Error(
      'AccessDenied',
      'There were headers present in the request which were not signed',
      {
        detail: { HeadersNotSigned: name },
      },
    );
  }
}

function canonicalHeaders(names: readonly string[], headers: HeaderMap): string {
  let text = '';
  for (const name of names) {
    const value = headers.get(name) ?? '';
    text += `${name}:${value.includes('  ') ? value.replace(/ {2,}/g, ' ') : value}\n`;
  }
  return text;
}

function canonicalQuery(request: S3Request): string {
  if (request.rawQuery === '') return '';
  const pairs: (readonly [string, string])[] = [];
  for (const [name, value] of request.query) {
    if (name === 'X-Amz-Signature') continue;
    pairs.push([encodePercent(name, 'encoded'), encodePercent(value, 'encoded')]);
  }
  pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

/** Clients agree on encoding the decoded path; a few sign the path as they send it. */
function canonicalPaths(rawPath: string): readonly string[] {
  const decoded = decodePercent(rawPath);
  if (decoded === undefined) return [rawPath];
  const encoded = encodePercent(decoded, 'kept');
  return encoded === rawPath ? [encoded] : [encoded, rawPath];
}

/** Takes as long for any two texts of the same length. */
export function equalSecret(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** The canonical request of SigV4, step 1. */
export function canonicalRequest(
  request: Pick<S3Request, 'method' | 'rawQuery' | 'query' | 'headers'>,
  path: string,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  return `${request.method}\n${path}\n${canonicalQuery(request as S3Request)}\n${canonicalHeaders(signedHeaders, request.headers)}\n${signedHeaders.join(';')}\n${payloadHash}`;
}

/** Headers go on the wire as latin-1, and are signed as the bytes they are. */
function hashText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is asked.
  if (/^[\x00-\x7f]*$/.test(text)) return hash('sha256', text, 'hex');
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return hash('sha256', bytes, 'hex');
}

function payloadSignature(claim: Claim, key: SigningKey, signature: string): PayloadSignature {
  const hash = claim.payloadHash;
  const chain = (): ChunkChain =>
    new ChunkChain(key, claim.amzDate, claim.credential.scope.text, signature);
  switch (hash) {
    case 'UNSIGNED-PAYLOAD':
      return { kind: 'unsigned' };
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'chunked', chain: undefined, trailer: true };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { kind: 'chunked', chain: chain(), trailer: false };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { kind: 'chunked', chain: chain(), trailer: true };
    default:
  }
  if (/^[0-9a-f]{64}$/i.test(hash)) return { kind: 'sha256', hex: hash.toLowerCase() };
  if (hash.startsWith('STREAMING-'))
    throw new S3Error('NotImplemented', `x-amz-content-sha256: ${hash} is not implemented`);
  throw new S3Error(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.',
    {
      detail: { ArgumentName: 'x-amz-content-sha256', ArgumentValue: hash.slice(0, 100) },
    },
  );
}

export interface Authenticator<U extends User = User> {
  readonly keys: SigningKeyCache;
  readonly nowMs: number;
  /** What must be signed for. Default `s3`. */
  readonly service?: string;
  /** Of a body that was read already: what is signed when no header names a hash. */
  readonly bodySha256?: string;
  userByAccessKey(accessKey: string): U | undefined;
}

/** Throws `InvalidAccessKeyId`. */
export function findUser<U extends User>(authenticator: Authenticator<U>, accessKey: string): U {
  const user = authenticator.userByAccessKey(accessKey);
  if (user === undefined)
    throw new S3Error('InvalidAccessKeyId', undefined, { detail: { AWSAccessKeyId: accessKey } });
  return user;
}

/** How a body proves itself that nobody signed. */
export function unsignedPayload(headers: HeaderMap): PayloadSignature {
  const hash = headers.get('x-amz-content-sha256') ?? '';
  if (hash === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    return { kind: 'chunked', chain: undefined, trailer: true };
  if (/^[0-9a-f]{64}$/i.test(hash)) return { kind: 'sha256', hex: hash.toLowerCase() };
  return { kind: 'unsigned' };
}

/** A request without any signature is anonymous. Throws the proper error for any flaw. */
export function authenticateV4<U extends User>(
  request: S3Request,
  authenticator: Authenticator<U>,
): Authenticated<U> {
  const authorization = request.headers.get('authorization');
  let claim: Claim;
  if (authorization !== undefined) {
    if (request.query.has('X-Amz-Signature'))
      throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed');
    claim = parseAuthorization(request, authorization, authenticator.bodySha256);
  } else if (request.query.has('X-Amz-Algorithm') || request.query.has('X-Amz-Signature')) {
    claim = parsePresigned(request);
  } else {
    return { user: anonymous, payload: unsignedPayload(request.headers) };
  }
  const { scope, accessKey } = claim.credential;
  if (scope.service !== (authenticator.service ?? 's3'))
    throw new S3Error(
      claim.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed',
      'The credential is scoped to another service',
    );
  const user = findUser(authenticator, accessKey);
  checkTime(claim, request, authenticator.nowMs);
  checkSignedHeaders(claim, request.headers);
  const key = authenticator.keys.get(user, scope);
  for (const path of canonicalPaths(request.rawPath)) {
    const canonical = canonicalRequest(request, path, claim.signedHeaders, claim.payloadHash);
    const expected = key.sign(
      `AWS4-HMAC-SHA256\n${claim.amzDate}\n${scope.text}\n${hashText(canonical)}`,
    );
    if (equalSecret(expected, claim.signature))
      return { user, payload: payloadSignature(claim, key, expected) };
  }
  throw new S3Error('SignatureDoesNotMatch', undefined, { detail: { AWSAccessKeyId: accessKey } });
}
