// Signed S3 requests to a simulated gateway, as a client library would make them.

import { createHash, createHmac } from 'node:crypto';
import { concatBytes, encodeUtf8, formatHex } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import type { BodySource, HttpRequest } from '../env/http.ts';
import { formatBase64 } from '../s3/protocol/base64.ts';
import { formatAmzDate } from '../s3/protocol/dates.ts';
import { encodePercent } from '../s3/protocol/percent.ts';

export interface S3Call {
  readonly method: string;
  /** `/bucket/key`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What the signature says of the body; default: nothing. */
  readonly digest?: string;
  /** Who signs; default: the cluster's first user. */
  readonly signer?: Signer;
}

export interface Signer {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of a session. */
  readonly token?: string;
}

export const firstUser: Signer = { accessKey: 'AK', secretKey: 'SK' };

/** A form posted to the gateway itself. */
export interface FormCall {
  readonly service: 'iam' | 'sts';
  readonly action: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly signer?: Signer;
}

function hmac(key: Uint8Array | string, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}

/** Keys that signed before, by secret, day and service. */
const signingKeys = new Map<string, Uint8Array>();
const signingKeysMax = 1000;

function signingKey(secretKey: string, date: string, service: string): Uint8Array {
  const name = `${secretKey} ${date} ${service}`;
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  let key = hmac(`AWS4${secretKey}`, date);
  for (const part of ['us-east-1', service, 'aws4_request']) key = hmac(key, part);
  if (signingKeys.size >= signingKeysMax) signingKeys.clear();
  signingKeys.set(name, key);
  return key;
}

/** A text that a form carries, and how it was signed: as requests are. */
export function signText(
  { accessKey, secretKey }: Signer,
  wallMs: number,
  text: string,
): { readonly credential: string; readonly amzDate: string; readonly signature: string } {
  const amzDate = formatAmzDate(wallMs);
  const date = amzDate.slice(0, 8);
  const signature = formatHex(hmac(signingKey(secretKey, date, 's3'), text));
  return {
    credential: `${accessKey}/${date}/us-east-1/s3/aws4_request`,
    amzDate,
    signature,
  };
}

export function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

export function md5Base64(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** As `x-amz-checksum-crc32c` has it. */
export function crc32cBase64(bytes: Uint8Array): string {
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, crc32c(bytes));
  return formatBase64(word);
}

const chunkBytes = 65_536;

/** A put as newer SDKs send it: in chunks, the checksum behind the last. */
export function inChunks(call: S3Call, body: Uint8Array, checksum: string): S3Call {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes);
    pieces.push(encodeUtf8(`${chunk.length.toString(16)}\r\n`), chunk, encodeUtf8('\r\n'));
  }
  pieces.push(encodeUtf8(`0\r\nx-amz-checksum-crc32c:${checksum}\r\n\r\n`));
  return {
    ...call,
    body: concatBytes(pieces),
    digest: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: {
      ...call.headers,
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(body.length),
      'x-amz-trailer': 'x-amz-checksum-crc32c',
    },
  };
}

/** As clients of IAM and STS send it: their signature covers the body. */
export function signedForm(form: FormCall, wallMs: number): HttpRequest {
  const text = Object.entries({ Action: form.action, Version: '2010-05-08', ...form.parameters })
    .map(([name, value]) => `${name}=${encodePercent(value, 'encoded')}`)
    .join('&');
  const body = encodeUtf8(text);
  const call = {
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
    ...(form.signer === undefined ? {} : { signer: form.signer }),
  };
  const digest = createHash('sha256').update(body).digest('hex');
  return signedRequest(call, wallMs, { service: form.service, digest });
}

interface Signed {
  readonly service: string;
  /** What the signature says of the body. */
  readonly digest: string;
}

export function signedRequest(
  call: S3Call,
  wallMs: number,
  signed: Signed = { service: 's3', digest: call.digest ?? 'UNSIGNED-PAYLOAD' },
): HttpRequest {
  const { accessKey, secretKey, token } = call.signer ?? firstUser;
  const amzDate = formatAmzDate(wallMs);
  const date = amzDate.slice(0, 8);
  const scope = `${date}/us-east-1/${signed.service}/aws4_request`;
  const headers: Record<string, string> = {
    host: 'localhost',
    'x-amz-date': amzDate,
    'x-amz-content-sha256': signed.digest,
    ...(token === undefined ? {} : { 'x-amz-security-token': token }),
    ...(call.body === undefined ? {} : { 'content-length': String(call.body.length) }),
    ...call.headers,
  };
  const names = Object.keys(headers).sort();
  const path = encodePercent(call.path, 'kept');
  const query = Object.entries(call.query ?? {})
    .map(([name, value]) => `${encodePercent(name, 'encoded')}=${encodePercent(value, 'encoded')}`)
    .sort()
    .join('&');
  const canonical = [
    call.method,
    path,
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    signed.digest,
  ].join('\n');
  const digest = createHash('sha256').update(encodeUtf8(canonical)).digest('hex');
  const key = signingKey(secretKey, date, signed.service);
  const signature = formatHex(hmac(key, `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${digest}`));
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const { body } = call;
  return {
    method: call.method,
    target: query === '' ? path : `${path}?${query}`,
    headers: [...Object.entries(headers), ['authorization', authorization]],
    body: sourceOf(body),
    remote: 'client:1',
  };
}

/** A body in one piece. */
export function sourceOf(body: Uint8Array | undefined): BodySource {
  let left = body === undefined || body.length === 0 ? [] : [body];
  return {
    next: async () => {
      const [next] = left;
      left = [];
      // The gateway may keep what it is given: never the workload's own memory.
      return next?.slice();
    },
  };
}
