// Sessions: keys that end. Nothing is kept of one: the token, which every request of the session carries, says whom it
// acts for and until when, under a keyed hash that only the cluster's gateways can make; the secret key is made
// from the access key in the same way. What is signed is not secret from who holds the token.

import { createHmac } from 'node:crypto';
import { formatHex } from '../../base/bytes.ts';
import {
  type Codec,
  DecodeError,
  decode,
  encode,
  oneOf,
  struct,
  text,
  uint,
} from '../../base/codec.ts';
import { formatBase64, parseBase64 } from '../protocol/base64.ts';
import { equalSecret } from '../protocol/sigv4.ts';

export interface Session {
  /** A role, or a user in its own name. */
  readonly kind: 'role' | 'user';
  /** Of the role or user: one of the same name that is made later is another. */
  readonly entityId: string;
  /** Whose what it makes is. */
  readonly owner: string;
  readonly name: string;
  /** JSON that narrows what the session may do; empty: nothing does. */
  readonly policy: string;
  readonly expiresMs: number;
}

export interface SessionKeys {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly token: string;
}

const keyPrefix = 'HFS';
const keyPattern = /^HFS[0-9A-F]{16}$/;

/** No key of a user looks so: theirs have hexadecimal digits after `HF`. */
export function isSessionKey(accessKey: string): boolean {
  return keyPattern.test(accessKey);
}

/** Version 1: the fields in order, then HMAC-SHA-256 over the access key and them. Base64. */
const tokenVersion = 1;
const macBytes = 32;

/** A policy takes 2,048 characters, names 64 each; headers of a request share 8 KiB. */
const tokenCharactersMax = 6 * 1024;

const sessionCodec: Codec<Session & { readonly version: number }> = struct({
  version: uint,
  kind: oneOf('role', 'user'),
  entityId: text,
  owner: text,
  name: text,
  policy: text,
  expiresMs: uint,
});

function hmac(key: Uint8Array, purpose: string, accessKey: string, body?: Uint8Array): Uint8Array {
  const mac = createHmac('sha256', key).update(`${purpose} ${accessKey}\n`);
  if (body !== undefined) mac.update(body);
  return mac.digest();
}

function secretOf(key: Uint8Array, accessKey: string): string {
  return formatHex(hmac(key, 'secret', accessKey)).slice(0, 40);
}

/** `random`: 8 bytes nobody can guess. */
export function beginSession(key: Uint8Array, session: Session, random: Uint8Array): SessionKeys {
  const accessKey = `${keyPrefix}${formatHex(random).toUpperCase()}`;
  const body = encode(sessionCodec, { ...session, version: tokenVersion });
  const token = new Uint8Array(body.length + macBytes);
  token.set(body);
  token.set(hmac(key, 'token', accessKey, body), body.length);
  return { accessKey, secretKey: secretOf(key, accessKey), token: formatBase64(token) };
}

/** Undefined: not a token of ours for that key. Whether it has ended is the caller's to see. */
export function openSession(
  key: Uint8Array,
  accessKey: string,
  token: string,
): (Session & { readonly secretKey: string }) | undefined {
  // A key with a line's end in it could take a part of the hashed body for its own.
  if (!isSessionKey(accessKey)) return undefined;
  // A gateway that the monitor never told the key would take tokens that anybody can make.
  if (key.length < macBytes || token.length > tokenCharactersMax) return undefined;
  const bytes = parseBase64(token);
  if (bytes === undefined || bytes.length <= macBytes) return undefined;
  const body = bytes.subarray(0, bytes.length - macBytes);
  const given = formatHex(bytes.subarray(bytes.length - macBytes));
  if (!equalSecret(formatHex(hmac(key, 'token', accessKey, body)), given)) return undefined;
  try {
    const { version, ...session } = decode(sessionCodec, body);
    if (version !== tokenVersion) return undefined;
    return { ...session, secretKey: secretOf(key, accessKey) };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
