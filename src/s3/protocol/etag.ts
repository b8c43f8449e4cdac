// Entity tags: hexadecimal MD5, for multipart objects the MD5 of the parts' MD5s and `-COUNT`.

import { createHash } from 'node:crypto';
import { parseHex } from '../../base/bytes.ts';

export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

/** Without quotes and weakness mark, as clients send it in conditions and part lists. */
export function unquoteEtag(text: string): string {
  const strong = text.trim().replace(/^W\//, '');
  return strong.length >= 2 && strong.startsWith('"') && strong.endsWith('"')
    ? strong.slice(1, -1)
    : strong;
}

/** The tags of `If-Match` and `If-None-Match`; `*` stands for itself. */
export function parseEtags(header: string): readonly string[] {
  return header
    .split(',')
    .map(unquoteEtag)
    .filter((etag) => etag !== '');
}

export function multipartEtag(partEtags: readonly string[]): string {
  const hash = createHash('md5');
  for (const etag of partEtags) hash.update(parseHex(etag) ?? new Uint8Array(0));
  return `${hash.digest('hex')}-${partEtags.length}`;
}
