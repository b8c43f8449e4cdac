// Who may talk to whom, with hashes alone. The monitors hold one master key. Every daemon has a key of
// its own, made from it by `daemonKey`; two daemons that are not monitors share `pairKey`, which the one
// that listens computes from its own key and the other is told by the monitor.

import { createHmac } from 'node:crypto';
import { encodeUtf8 } from '../base/bytes.ts';
import { encode } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import { type Hello, helloCodec, type Role } from '../wire/hello.ts';

export const keyBytes = 32;

/** The key of one daemon, from the cluster's master key. */
export function daemonKey(master: Uint8Array, role: Role, uuid: Uuid): Uint8Array {
  return createHmac('sha256', master)
    .update(encodeUtf8(`holdfast daemon ${role} ${uuid}`))
    .digest();
}

/** The key between a listener (whose own key is given) and the daemon that connects to it. */
export function pairKey(listenerKey: Uint8Array, role: Role, uuid: Uuid): Uint8Array {
  return createHmac('sha256', listenerKey)
    .update(encodeUtf8(`holdfast pair ${role} ${uuid}`))
    .digest();
}

/** What tokens of S3 sessions are signed with. It opens nothing between daemons; every gateway is told it. */
export function sessionsKeyOf(master: Uint8Array): Uint8Array {
  return createHmac('sha256', master).update(encodeUtf8('holdfast s3 sessions')).digest();
}

/** What each side proves: that it knows the key and saw the same two HELLOs. */
export function proof(
  key: Uint8Array,
  side: 'client' | 'server',
  client: Hello,
  server: Hello,
): Uint8Array {
  return createHmac('sha256', key)
    .update(encodeUtf8(`holdfast ${side}`))
    .update(encode(helloCodec, client))
    .update(encode(helloCodec, server))
    .digest();
}

/** Compares in time that depends on the lengths only. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
