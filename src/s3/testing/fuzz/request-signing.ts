// A draft as it goes over the wire: encoded, signed in one of the ways that clients sign, cut into pieces; and
// some of it spoilt after it was signed.

import { createHash } from 'node:crypto';
import type { User } from '../../../client/cluster.ts';
import { BodyError, type BodySource, type HttpRequest } from '../../../env/http.ts';
import { startChecksum } from '../../protocol/checksums.ts';
import { parseRequest, type S3Request } from '../../protocol/request.ts';
import { parseClaimV2, signV2, stringToSignV2 } from '../../protocol/sigv2.ts';
import { canonicalRequest } from '../../protocol/sigv4.ts';
import { sha256Hex, signingContext, signText } from '../gateway-suite.ts';
import type { SessionUser } from '../iam-suite.ts';
import type { Choice } from './choice.ts';
import type { Draft } from './request-grammar.ts';
import * as values from './values.ts';

export const hostNames: readonly string[] = ['s3.test'];
export const websiteNames: readonly string[] = ['web.test'];

export type Signer = User | SessionUser;

type Pairs = (readonly [name: string, value: string])[];

interface Wire {
  method: string;
  target: string;
  headers: Pairs;
  body: Uint8Array;
}

const encoder = new TextEncoder();

function encodePart(c: Choice, text: string, keep: RegExp): string {
  let out = '';
  for (const byte of encoder.encode(text)) {
    const character = String.fromCharCode(byte);
    if (keep.test(character)) out += character;
    else {
      const hex = byte.toString(16).padStart(2, '0');
      out += `%${c.percent(97) ? hex.toUpperCase() : hex}`;
    }
  }
  return out;
}

/** Strictly, or only what would end the path; now and then no encoding at all. */
function encodePath(c: Choice, text: string): string {
  if (c.percent(1)) return values.headerText(text).replaceAll(' ', '');
  return encodePart(c, text, c.percent(90) ? /[A-Za-z0-9\-._~/]/ : /[!-$&->@-~]/);
}

function targetOf(c: Choice, draft: Draft): string {
  const inHost = draft.host !== 'localhost' || draft.bucket === '';
  const path = `${inHost ? '' : `/${encodePath(c, draft.bucket)}`}${
    draft.key === '' ? (inHost || c.percent(20) ? '/' : '') : `/${encodePath(c, draft.key)}`
  }`;
  const query = draft.query.map(([name, value]) => {
    const encoded = encodePart(c, name, /[A-Za-z0-9\-._~]/);
    if (value === '' && c.percent(70)) return encoded;
    const text = encodePart(c, value, /[A-Za-z0-9\-._~]/);
    return `${encoded}=${c.percent(3) ? text.replaceAll('%20', '+') : text}`;
  });
  const target = query.length === 0 ? path : `${path}?${query.join('&')}`;
  if (c.percent(1))
    return c.of([`http://localhost${target}`, `${target}&&=&`, `${target}%`, '*', '']);
  return target;
}

/** Undefined when no signature could be right. */
function parsed(wire: Wire): S3Request | undefined {
  try {
    return parseRequest({ ...wire, body: { next: async () => undefined }, remote: '' }, [
      ...websiteNames,
      ...hostNames,
    ]);
  } catch {
    return undefined;
  }
}

function canonicalPath(c: Choice, rawPath: string): string {
  if (c.percent(10)) return rawPath;
  try {
    const decoded = decodeURIComponent(rawPath);
    return encodeURIComponent(decoded)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  } catch {
    return rawPath;
  }
}

interface SignatureV4 {
  readonly signature: string;
  readonly context: ReturnType<typeof signingContext>;
}

/** Of what is there already, the names given. */
function signature(
  c: Choice,
  wire: Wire,
  signer: Signer,
  names: readonly string[],
  payloadHash: string,
  wallMs: number,
  service: string,
): SignatureV4 {
  const context = signingContext(signer, wallMs, service);
  const request = parsed(wire);
  if (request === undefined) return { signature: '0'.repeat(64), context };
  const path = canonicalPath(c, request.rawPath);
  const canonical = canonicalRequest(request, path, names, payloadHash);
  const hash = createHash('sha256').update(Buffer.from(canonical, 'latin1')).digest('hex');
  const text = `AWS4-HMAC-SHA256\n${context.amzDate}\n${context.scope}\n${hash}`;
  return { signature: signText(context, text), context };
}

function namesToSign(c: Choice, wire: Wire): string[] {
  const names = new Set(wire.headers.map(([name]) => name.toLowerCase()));
  return [...names]
    .filter((name) => name === 'host' || name.startsWith('x-amz-') || c.percent(70))
    .sort();
}

/** Signed or not, cut as a client would not cut it, and spoilt now and then. */
function chunkedBody(
  c: Choice,
  body: Uint8Array,
  sign: ((text: string) => string) | undefined,
  seed: string,
  trailer: { readonly name: string; readonly value: string } | undefined,
  context: SignatureV4['context'],
): Uint8Array {
  const pieces: Uint8Array[] = [];
  let previous = seed;
  const scope = `${context.amzDate}\n${context.scope}`;
  const chunk = (data: Uint8Array): void => {
    let line = data.length.toString(16);
    if (sign !== undefined) {
      previous = sign(
        `AWS4-HMAC-SHA256-PAYLOAD\n${scope}\n${previous}\n${sha256Hex('')}\n${sha256Hex(data)}`,
      );
      line += `;chunk-signature=${previous}`;
    }
    pieces.push(encoder.encode(`${line}\r\n`), data);
    if (data.length > 0) pieces.push(encoder.encode('\r\n'));
  };
  for (let at = 0; at < body.length; ) {
    const length = Math.min(body.length - at, c.of([1, 100, 8192, 65_536, 1 << 20]));
    // A great many chunks of one byte each take longer than they teach.
    const taken = length === 1 && body.length - at > 50 ? 37 : length;
    chunk(body.subarray(at, at + taken));
    at += taken;
  }
  chunk(new Uint8Array(0));
  if (trailer !== undefined) {
    pieces.push(encoder.encode(`${trailer.name}:${trailer.value}\r\n`));
    if (sign !== undefined) {
      const hash = sha256Hex(`${trailer.name}:${trailer.value}\n`);
      previous = sign(`AWS4-HMAC-SHA256-TRAILER\n${scope}\n${previous}\n${hash}`);
      pieces.push(encoder.encode(`x-amz-trailer-signature:${previous}\r\n`));
    }
  }
  pieces.push(encoder.encode('\r\n'));
  const whole = Buffer.concat(pieces);
  if (!c.spoils(20)) return whole;
  const at = c.below(whole.length);
  switch (c.below(5)) {
    case 0:
      return whole.subarray(0, at);
    case 1:
      whole[at] = c.below(256);
      return whole;
    case 2:
      return Buffer.concat([whole.subarray(0, at), c.bytes(c.between(1, 9)), whole.subarray(at)]);
    case 3:
      return Buffer.concat([whole, whole]);
    default:
      return Buffer.from(
        c.of(['', '\r\n', '0', '0\r\n', 'ffffffffffff\r\n', `${'0'.repeat(300)}`, '-1\r\n']),
      );
  }
}

const algorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;

function trailerOf(c: Choice, body: Uint8Array): { name: string; value: string } {
  const algorithm = c.of(algorithms);
  const state = startChecksum(algorithm);
  state.update(body);
  const value = c.percent(92) ? state.digest() : c.of(['', 'x', 'AAAAAA==']);
  return { name: `x-amz-checksum-${algorithm.toLowerCase()}`, value };
}

function addToken(wire: Wire, signer: Signer): void {
  if ('token' in signer) wire.headers.push(['x-amz-security-token', signer.token]);
}

function authorize(
  c: Choice,
  wire: Wire,
  signer: Signer,
  payloadHash: string,
  wallMs: number,
  service = 's3',
): SignatureV4 {
  const { amzDate } = signingContext(signer, wallMs);
  wire.headers.push(['x-amz-date', amzDate], ['x-amz-content-sha256', payloadHash]);
  addToken(wire, signer);
  const names = namesToSign(c, wire);
  const made = signature(c, wire, signer, names, payloadHash, wallMs, service);
  const credential = `${signer.accessKey}/${made.context.scope}`;
  wire.headers.push([
    'authorization',
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${made.signature}`,
  ]);
  return made;
}

type Way = (c: Choice, wire: Wire, signer: Signer, wallMs: number) => void;

const inHeaders: Way = (c, wire, signer, wallMs) => {
  const hash = c.percent(80)
    ? sha256Hex(wire.body)
    : c.of(['UNSIGNED-PAYLOAD', 'UNSIGNED-PAYLOAD', '0'.repeat(64), 'x', 'STREAMING-X']);
  authorize(c, wire, signer, hash, wallMs);
};

const inChunks: Way = (c, wire, signer, wallMs) => {
  const { body } = wire;
  const isSigned = c.percent(70);
  const trailer = !isSigned || c.percent(50) ? trailerOf(c, body) : undefined;
  const hash = isSigned
    ? `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`
    : 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  const length = c.percent(95) ? String(body.length) : values.count(c);
  wire.headers.push(['x-amz-decoded-content-length', values.headerText(length)]);
  if (c.percent(80)) wire.headers.push(['content-encoding', 'aws-chunked']);
  if (trailer !== undefined && c.percent(97)) wire.headers.push(['x-amz-trailer', trailer.name]);
  const { signature: seed, context } = authorize(c, wire, signer, hash, wallMs);
  const sign = isSigned ? (text: string) => signText(context, text) : undefined;
  wire.body = chunkedBody(c, body, sign, seed, trailer, context);
};

const inQuery: Way = (c, wire, signer, wallMs) => {
  const { amzDate, scope } = signingContext(signer, wallMs);
  const names = ['host', ...namesToSign(c, wire).filter((name) => name.startsWith('x-amz-'))];
  const pairs: Pairs = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${signer.accessKey}/${scope}`],
    ['X-Amz-Date', amzDate],
    ['X-Amz-Expires', c.percent(92) ? '3600' : values.headerText(values.count(c))],
    ['X-Amz-SignedHeaders', names.join(';')],
  ];
  if ('token' in signer) pairs.push(['X-Amz-Security-Token', signer.token]);
  const query = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  wire.target += `${wire.target.includes('?') ? '&' : '?'}${query}`;
  const made = signature(c, wire, signer, names, 'UNSIGNED-PAYLOAD', wallMs, 's3');
  wire.target += `&X-Amz-Signature=${made.signature}`;
};

const asOfOld: Way = (c, wire, signer, wallMs) => {
  addToken(wire, signer);
  const isHeader = c.percent(60);
  const { accessKey } = signer;
  if (isHeader) wire.headers.push(['date', new Date(wallMs).toUTCString()]);
  else {
    const expires = c.percent(92) ? String(Math.floor(wallMs / 1000) + 600) : values.count(c);
    const query = `AWSAccessKeyId=${accessKey}&Expires=${encodeURIComponent(expires)}`;
    wire.target += `${wire.target.includes('?') ? '&' : '?'}${query}`;
  }
  const request = parsed({
    ...wire,
    headers: isHeader ? [...wire.headers, ['authorization', `AWS ${accessKey}:x`]] : wire.headers,
  });
  let made = 'x';
  if (request !== undefined)
    made = signV2(signer, stringToSignV2(request, parseClaimV2(request), request.rawPath));
  if (isHeader) wire.headers.push(['authorization', `AWS ${accessKey}:${made}`]);
  else wire.target += `&Signature=${encodeURIComponent(made)}`;
};

const byNobody: Way = () => {};

const ways: readonly (readonly [number, Way])[] = [
  [56, inHeaders],
  [14, inQuery],
  [12, asOfOld],
  [3, byNobody],
];

function spoil(c: Choice, wire: Wire): void {
  const at = c.below(Math.max(1, wire.headers.length));
  const victim = wire.headers[at];
  if (victim === undefined) return;
  const [name, value] = victim;
  const cut = c.below(Math.max(1, value.length));
  switch (c.below(5)) {
    case 0:
      wire.headers.splice(at, 1);
      return;
    case 1:
      wire.headers[at] = [name, value.slice(0, cut)];
      return;
    case 2:
      wire.headers[at] = [name, values.headerText(values.text(c))];
      return;
    case 3:
      wire.headers[at] = [
        name,
        value.slice(0, cut) +
          c.of(['=', ',', ';', '/', ' ', '\t', '\u00ff', 'a', '%']) +
          value.slice(cut),
      ];
      return;
    default:
      wire.target = wire.target.slice(0, c.below(wire.target.length + 1));
  }
}

/** Its pieces, and how it ends. */
function sourceOf(c: Choice, body: Uint8Array): BodySource {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const length = c.percent(70) ? 65_536 : c.between(1, 3000);
    pieces.push(body.subarray(at, at + length));
    at += length;
  }
  const ending = c.weighted<'whole' | 'breaks' | 'stalls'>([
    [980, 'whole'],
    [15, 'breaks'],
    [2, 'stalls'],
  ]);
  const kept = ending === 'whole' ? pieces.length : c.below(pieces.length + 1);
  let next = 0;
  return {
    next: () => {
      if (next < kept) return Promise.resolve(pieces[next++]);
      if (ending === 'breaks') return Promise.reject(new BodyError('the client went away'));
      if (ending === 'stalls') return new Promise(() => {});
      return Promise.resolve(undefined);
    },
  };
}

function withLength(c: Choice, wire: Wire, hasBody: boolean): void {
  if (!hasBody || c.percent(1)) return;
  const length = c.percent(98)
    ? String(wire.body.length)
    : c.of([
        String(wire.body.length + 1),
        String(Math.max(0, wire.body.length - 1)),
        values.count(c),
      ]);
  wire.headers.push(['content-length', values.headerText(length)]);
}

function finish(c: Choice, wire: Wire): HttpRequest {
  if (c.spoils(12)) spoil(c, wire);
  return { ...wire, body: sourceOf(c, wire.body), remote: '127.0.0.1:1' };
}

/** Any draft, by any of the ways. */
export function signDraft(c: Choice, draft: Draft, signer: Signer, wallMs: number): HttpRequest {
  const wire: Wire = {
    method: draft.method,
    target: targetOf(c, draft),
    headers: [['host', draft.host], ...draft.headers],
    body: draft.body,
  };
  const skewMs = c.percent(99) ? 0 : c.of([-1_000_000, 1_000_000, 1e11]);
  const way = draft.hasBody && c.percent(15) ? inChunks : c.weighted(ways);
  way(c, wire, signer, wallMs + skewMs);
  withLength(c, wire, draft.hasBody);
  return finish(c, wire);
}

/** As it is: a form's own fields carry its signature. */
export function unsignedRequest(
  c: Choice,
  method: string,
  target: string,
  contentType: string,
  body: Uint8Array,
): HttpRequest {
  const wire: Wire = {
    method,
    target,
    headers: [
      ['host', 'localhost'],
      ['content-type', contentType],
    ],
    body,
  };
  withLength(c, wire, true);
  return finish(c, wire);
}

/** A form posted to the gateway itself, signed for IAM or STS. */
export function signQuery(
  c: Choice,
  service: string,
  body: string,
  signer: Signer,
  wallMs: number,
): HttpRequest {
  const wire: Wire = {
    method: 'POST',
    target: '/',
    headers: [
      ['host', 'localhost'],
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
    ],
    body: encoder.encode(body),
  };
  authorize(c, wire, signer, sha256Hex(wire.body), wallMs, service);
  withLength(c, wire, true);
  return finish(c, wire);
}
