// The entry of a key, as of now.

import { encodeUtf8 } from '../base/bytes.ts';
import type { GatewayParts } from './context.ts';
import { decodeEntry, type Entry } from './index/format.ts';
import { type BucketAccess, refusalError } from './index/index-client.ts';
import { getEntry } from './index/messages.ts';

/** Throws `NoSuchKey`, `NoSuchBucket`. */
export async function readEntry(
  parts: GatewayParts,
  access: BucketAccess,
  key: string,
): Promise<Entry> {
  const answer = await parts.index.callKey(access, key, getEntry, { key: encodeUtf8(key) });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  if (answer.entry === undefined) throw refusalError('no-key', access.name, key);
  return decodeEntry(answer.entry);
}
