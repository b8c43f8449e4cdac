// DeleteObject: deleting what is not there succeeds.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  checkVersionId,
  emptyResponse,
  keyOf,
  type OperationContext,
} from '../context.ts';
import { refusalError } from '../index/index-client.ts';
import { deleteEntries } from '../index/messages.ts';
import { parseEtags } from '../protocol/etag.ts';

export async function deleteObject(context: OperationContext): Promise<HttpResponse> {
  const { request, parts } = context;
  const key = keyOf(context);
  checkVersionId(request.query.get('versionId'));
  const match = request.headers.get('if-match');
  const ifMatch = match === undefined ? undefined : parseEtags(match);
  const access = await accessBucket(context);
  const answer = await parts.index.callKey(access, key, deleteEntries, {
    items: [{ key: encodeUtf8(key), ifMatch }],
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  const [outcome] = answer.outcomes;
  if (outcome === 'precondition') throw refusalError('precondition', access.name, key);
  if (outcome === 'absent' && ifMatch !== undefined) throw refusalError('no-key', access.name, key);
  return emptyResponse(204);
}
