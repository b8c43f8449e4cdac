// Changes what is kept about a version: its tags, rights, locks. Its bytes and their date stay.

import { encodeUtf8 } from '../base/bytes.ts';
import type { Carried } from '../base/codec.ts';
import type { Version } from '../base/method.ts';
import { keyOf, type OperationContext, versionIdArgument } from './context.ts';
import { causeOf, noticesFor, withNotices } from './event-notices.ts';
import type { Entry } from './index/format.ts';
import { type BucketAccess, refusalError } from './index/index-client.ts';
import { updateEntry, updateSeenEntry } from './index/messages.ts';
import type { EventName } from './protocol/notification.ts';
import { readEntry, wantedOf } from './read-entry.ts';

export type ObjectChange = Carried<typeof updateEntry.argument>['change'];

/**
 * How often a version is read again that was replaced, or changed by somebody else, between being read and being changed:
 * whoever loses that often has met a key that is written all the time.
 */
const attemptsMax = 10;

/**
 * Of the key and version that the request names; `eventName`: what is told of it. A change that depends on what there is, or
 * that nothing but the object's own list allows, is made to what was read and judged, and to nothing that has taken its
 * place. Throws as reading them does, and `OperationAborted`.
 */
export async function updateObject(
  context: OperationContext,
  access: BucketAccess,
  change: ObjectChange | ((entry: Entry) => Promise<ObjectChange>),
  eventName?: EventName,
): Promise<{ readonly version: Version; readonly isNull: boolean }> {
  const key = keyOf(context);
  const { parts } = context;
  const possible = eventName === undefined ? [] : [{ key, name: eventName }];
  const versionId = versionIdArgument(context.request.query.get('versionId'));
  const bytes = encodeUtf8(key);
  const notices = () => noticesFor(parts, access, { cause: causeOf(context), possible });
  if (typeof change !== 'function' && access.judgement !== 'by-object') {
    const argument = { key: bytes, versionId, change };
    const answer = await withNotices(await notices(), updateEntry, argument, (call, argument) =>
      parts.index.callKey(access, key, call, argument),
    );
    if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
    return answer;
  }
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const entry = await readEntry(context, access, wantedOf(context, key));
    const argument = {
      key: bytes,
      versionId,
      change: typeof change === 'function' ? await change(entry) : change,
      ifGeneration: entry.generation,
    };
    const answer = await withNotices(await notices(), updateSeenEntry, argument, (call, argument) =>
      parts.index.callKey(access, key, call, argument),
    );
    if (answer.kind === 'done') return answer;
    if (answer.reason !== 'changed') throw refusalError(answer.reason, access.name, key);
  }
  throw refusalError('changed', access.name, key);
}
