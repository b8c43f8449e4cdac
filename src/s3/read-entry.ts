// The entry of a key, or of one of its versions, as of now.

import { encodeUtf8 } from '../base/bytes.ts';
import { checkObjectAcl, isAllowed } from './authorization.ts';
import { type OperationContext, versionIdArgument } from './context.ts';
import { decodeEntry, type Entry } from './index/format.ts';
import { type BucketAccess, refusalError } from './index/index-client.ts';
import { getEntry } from './index/messages.ts';
import { versionIdOf } from './index/version-id.ts';
import { formatHttpDate } from './protocol/dates.ts';
import { S3Error } from './protocol/errors.ts';

export interface WantedEntry {
  readonly key: string;
  /** As the client gave it; undefined: the newest version. */
  readonly versionId: string | undefined;
}

/**
 * Throws `NoSuchKey`, `NoSuchVersion`, `NoSuchBucket`; for a delete marker `NoSuchKey` when it is only the newest version,
 * `MethodNotAllowed` when it is what was asked for.
 */
export async function readEntry(
  context: OperationContext,
  access: BucketAccess,
  wanted: WantedEntry,
): Promise<Entry> {
  const { key } = wanted;
  const versionId = versionIdArgument(wanted.versionId);
  const answer = await context.parts.index.callKey(access, key, getEntry, {
    key: encodeUtf8(key),
    versionId,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  if (answer.entry === undefined) {
    await checkMayMiss(context, access, key);
    if (versionId !== undefined) throw refusalError('no-version', access.name, key);
    throw new S3Error('NoSuchKey', undefined, {
      detail: { Key: key },
      headers: [['x-amz-delete-marker', 'false']],
    });
  }
  const entry = decodeEntry(answer.entry);
  if (entry.kind === 'delete-marker') {
    const headers: [string, string][] = [
      ['x-amz-delete-marker', 'true'],
      ['x-amz-version-id', versionIdOf(entry)],
    ];
    await checkMayMiss(context, access, key);
    if (versionId === undefined)
      throw new S3Error('NoSuchKey', undefined, { detail: { Key: key }, headers });
    headers.push(['last-modified', formatHttpDate(entry.wallMs)]);
    throw new S3Error('MethodNotAllowed', undefined, { headers });
  }
  checkObjectAcl(context, access, entry);
  return entry;
}

/** Only who may list a bucket is told that it lacks a key. Throws `AccessDenied`. */
async function checkMayMiss(
  context: OperationContext,
  access: BucketAccess,
  key: string,
): Promise<void> {
  if (access.record.owner === context.user.name) return;
  const question = { action: 's3:ListBucket', key: undefined, prefix: key } as const;
  if (!(await isAllowed(context, access, question))) throw new S3Error('AccessDenied');
}

/** What the request names in path and query. */
export function wantedOf(context: OperationContext, key: string): WantedEntry {
  return { key, versionId: context.request.query.get('versionId') };
}
