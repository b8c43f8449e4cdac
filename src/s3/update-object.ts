// Changes what is kept about a version: its tags, rights, locks. Its bytes and their date stay.

import { encodeUtf8 } from '../base/bytes.ts';
import type { Carried } from '../base/codec.ts';
import type { Version } from '../base/method.ts';
import { keyOf, type OperationContext, versionIdArgument } from './context.ts';
import { causeOf, noticesFor, withNotices } from './event-notices.ts';
import { type BucketAccess, refusalError } from './index/index-client.ts';
import { updateEntry } from './index/messages.ts';
import type { EventName } from './protocol/notification.ts';
import { readEntry, wantedOf } from './read-entry.ts';

export type ObjectChange = Carried<typeof updateEntry.argument>['change'];

/** Of the key and version that the request names; `eventName`: what is told of it. Throws as reading them does. */
export async function updateObject(
  context: OperationContext,
  access: BucketAccess,
  change: ObjectChange,
  eventName?: EventName,
): Promise<{ readonly version: Version; readonly isNull: boolean }> {
  const key = keyOf(context);
  // Where only the object's own list can let the request in, it is read first.
  if (access.judgement === 'by-object') await readEntry(context, access, wantedOf(context, key));
  const { parts } = context;
  const possible = eventName === undefined ? [] : [{ key, name: eventName }];
  const notices = await noticesFor(parts, access, { cause: causeOf(context), possible });
  const argument = {
    key: encodeUtf8(key),
    versionId: versionIdArgument(context.request.query.get('versionId')),
    change,
  };
  const answer = await withNotices(notices, updateEntry, argument, (call, argument) =>
    parts.index.callKey(access, key, call, argument),
  );
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  return answer;
}
