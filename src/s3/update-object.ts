// Changes what is kept about a version: its tags, rights, locks. Its bytes and their date stay.

import { encodeUtf8 } from '../base/bytes.ts';
import type { Carried } from '../base/codec.ts';
import type { Version } from '../base/method.ts';
import { keyOf, type OperationContext, versionIdArgument } from './context.ts';
import { type BucketAccess, refusalError } from './index/index-client.ts';
import { updateEntry } from './index/messages.ts';
import { readEntry, wantedOf } from './read-entry.ts';

export type ObjectChange = Carried<typeof updateEntry.argument>['change'];

/** Of the key and version that the request names. Throws as reading them does. */
export async function updateObject(
  context: OperationContext,
  access: BucketAccess,
  change: ObjectChange,
): Promise<{ readonly version: Version; readonly isNull: boolean }> {
  const key = keyOf(context);
  // Where only the object's own list can let the request in, it is read first.
  if (access.judgement === 'by-object') await readEntry(context, access, wantedOf(context, key));
  const answer = await context.parts.index.callKey(access, key, updateEntry, {
    key: encodeUtf8(key),
    versionId: versionIdArgument(context.request.query.get('versionId')),
    change,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  return answer;
}
