// Where events may be sent: the URLs that a topic may have, and the addresses that a gateway reaches for them.
//
// A gateway stands where users of S3 do not: beside the cluster's daemons, and what else listens on its machine. So what a
// webhook may reach is the operator's to say, and it is judged by the address that is connected to, after the name was looked
// up; nothing is followed from there.

import { addressBytes } from './addresses.ts';
import { S3Error } from './errors.ts';

/**
 * Which addresses a webhook may have.
 *
 * - `none`: no events are sent anywhere.
 * - `public`: what is routed in the internet.
 * - `private`: also networks of one's own (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7).
 * - `any`: also the gateway's own machine and link (127/8, 169.254/16, ::1, fe80::/10), where services that trust their
 *   neighbours listen.
 */
export const webhookReaches = ['none', 'public', 'private', 'any'] as const;
export type WebhookReach = (typeof webhookReaches)[number];

export interface Webhook {
  readonly isTls: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly target: string;
}

/** As long as S3's own targets; it stands in the directory of users. */
const urlBytesMax = 2048;

function invalid(words: string): S3Error {
  return new S3Error('InvalidArgument', words);
}

/** Throws `NotImplemented` by name for what is no webhook, `InvalidArgument`. */
export function parseWebhook(url: string): Webhook {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) throw invalid('push-endpoint is a URL: http://… or https://…');
  if (scheme !== 'http' && scheme !== 'https')
    throw new S3Error(
      'NotImplemented',
      `push-endpoint ${scheme.slice(0, 20)} is not implemented: http and https are`,
    );
  if (!/^[\x21-\x7e]+$/.test(url) || url.length > urlBytesMax || url.includes('#'))
    throw invalid(`push-endpoint has at most ${urlBytesMax} printable ASCII characters and no "#"`);
  const match = /^[a-z]+:\/\/([^/?]*)(\/[^?]*)?(\?.*)?$/i.exec(url);
  const authority = match?.[1] ?? '';
  if (authority.includes('@'))
    throw invalid(
      'push-endpoint names no user: put what the webhook goes by into its path or query',
    );
  const place = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(authority);
  const host = place?.[1] ?? place?.[2];
  const port = place?.[3] === undefined ? (scheme === 'https' ? 443 : 80) : Number(place[3]);
  if (host === undefined || port < 1 || port > 65_535)
    throw invalid('push-endpoint needs a host, and a port from 1 to 65535 if any');
  return {
    isTls: scheme === 'https',
    host,
    port,
    target: `${match?.[2] ?? '/'}${match?.[3] ?? ''}`,
  };
}

type Kind = 'never' | 'own' | 'private' | 'public';

function kindOfV4(bytes: readonly number[]): Kind {
  const [a = 0, b = 0] = bytes;
  if (a === 127 || (a === 169 && b === 254)) return 'own';
  // This network, multicast, reserved, everybody.
  if (a === 0 || a >= 224) return 'never';
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private';
  if (a === 100 && b >= 64 && b < 128) return 'private';
  return 'public';
}

function kindOf(address: string): Kind {
  const bytes = addressBytes(address);
  if (bytes === undefined) return 'never';
  if (bytes.length === 4) return kindOfV4(bytes);
  const [a = 0, b = 0] = bytes;
  const isZero = (begin: number, end: number): boolean =>
    bytes.slice(begin, end).every((byte) => byte === 0);
  if (isZero(0, 15)) return bytes[15] === 1 ? 'own' : 'never';
  // Of version 4, mapped, compatible, or behind a translator (64:ff9b::/96).
  const isMapped = isZero(0, 10) && bytes[10] === 0xff && bytes[11] === 0xff;
  const isTranslated = a === 0 && b === 0x64 && bytes[2] === 0xff && bytes[3] === 0x9b;
  if (isMapped || isZero(0, 12) || isTranslated) return kindOfV4(bytes.slice(12));
  // 6to4 carries an address of version 4.
  if (a === 0x20 && b === 0x02) return kindOfV4(bytes.slice(2, 6));
  if (a === 0xff) return 'never';
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'own';
  if ((a & 0xfe) === 0xfc) return 'private';
  return 'public';
}

/** Whether a gateway with this setting connects to the address (`1.2.3.4`, `fe80::1`). What is no address it does not. */
export function mayReach(reach: WebhookReach, address: string): boolean {
  switch (kindOf(address)) {
    case 'never':
      return false;
    case 'own':
      return reach === 'any';
    case 'private':
      return reach === 'any' || reach === 'private';
    case 'public':
      return reach !== 'none';
  }
}
