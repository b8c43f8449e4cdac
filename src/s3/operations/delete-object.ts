// DeleteObject: deleting what is not there succeeds. Where versions are kept, a delete marker becomes the newest
// version; only who names a version takes it away.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  keyOf,
  type OperationContext,
  versionIdArgument,
} from '../context.ts';
import { causeOf, deleteEvents, noticesFor, withNotices } from '../event-notices.ts';
import { type BucketAccess, refusalError } from '../index/index-client.ts';
import { deleteEntries, type deleteOutcome } from '../index/messages.ts';
import { versionIdOf } from '../index/version-id.ts';
import { refuseConditions } from '../protocol/conditions.ts';
import { parseHttpDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { parseEtags } from '../protocol/etag.ts';
import { type HeaderMap, parseCount } from '../protocol/request.ts';
import { versioningOf } from '../protocol/versioning.ts';
import { bypassesGovernance } from './object-lock.ts';

export type DeleteItem = Carried<typeof deleteEntries.argument>['items'][number];
export type DeleteOutcome = Carried<typeof deleteOutcome>;

/** What a delete is refused with; undefined: it was done. */
export function deleteError(
  outcome: DeleteOutcome,
  access: BucketAccess,
  key: string,
): S3Error | undefined {
  switch (outcome.kind) {
    case 'deleted':
    case 'absent':
      return undefined;
    case 'no-key':
    case 'precondition':
    case 'locked':
    case 'changed':
      return refusalError(outcome.kind, access.name, key);
  }
}

/** Conditions that a delete does not know: without them it would remove what they were to spare. */
export const deletesUnknown: readonly string[] = [
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
];

function sizeCondition(headers: HeaderMap): number | undefined {
  const text = headers.get('x-amz-if-match-size');
  if (text === undefined) return undefined;
  const size = parseCount(text);
  if (size === undefined) throw new S3Error('InvalidArgument', 'x-amz-if-match-size is no size');
  return size;
}

function timeCondition(headers: HeaderMap): number | undefined {
  const text = headers.get('x-amz-if-match-last-modified-time');
  if (text === undefined) return undefined;
  const ms = parseHttpDate(text);
  if (ms === undefined || ms < 0)
    throw new S3Error('InvalidArgument', 'x-amz-if-match-last-modified-time is no date');
  return ms;
}

export async function deleteObject(context: OperationContext): Promise<HttpResponse> {
  const { request, parts } = context;
  const { headers, query } = request;
  refuseConditions(headers, deletesUnknown);
  const key = keyOf(context);
  const versionId = versionIdArgument(query.get('versionId'));
  const match = headers.get('if-match');
  const access = await accessBucket(
    context,
    versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
  );
  const item: DeleteItem = {
    key: encodeUtf8(key),
    versionId,
    ifMatch: match === undefined ? undefined : parseEtags(match),
    ifSizeBytes: sizeCondition(headers),
    ifModifiedMs: timeCondition(headers),
    ifVersion: undefined,
    bypassGovernance: await bypassesGovernance(context, access, { key }),
  };
  const argument = {
    versioning: versioningOf(access.configuration),
    owner: context.user.name,
    items: [item],
  };
  const notices = await noticesFor(parts, access, {
    cause: causeOf(context),
    possible: deleteEvents(key, 0, 'ObjectRemoved'),
  });
  const answer = await withNotices(notices, deleteEntries, argument, (call, argument) =>
    parts.index.callKey(access, key, call, argument),
  );
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  const [outcome] = answer.outcomes;
  const error = outcome === undefined ? undefined : deleteError(outcome, access, key);
  if (error !== undefined) throw error;
  const marker = outcome?.marker;
  const answerHeaders: [string, string][] = [];
  if (marker !== undefined) answerHeaders.push(['x-amz-delete-marker', 'true']);
  const shownVersion = query.get('versionId') ?? (marker && versionIdOf(marker));
  if (shownVersion !== undefined && shownVersion !== '')
    answerHeaders.push(['x-amz-version-id', shownVersion]);
  return emptyResponse(204, answerHeaders);
}
