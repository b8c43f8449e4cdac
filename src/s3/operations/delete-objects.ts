// DeleteObjects: up to 1,000 keys, a call on each index shard they are on, an answer for each key.

import { compareBytes, encodeUtf8 } from '../../base/bytes.ts';
import { ClientError } from '../../client/errors.ts';
import type { HttpResponse } from '../../env/http.ts';
import { checkPayer, isAllowed } from '../authorization.ts';
import {
  bucketOf,
  checkExpectedOwner,
  type OperationContext,
  readXml,
  versionIdArgument,
  xmlResponse,
} from '../context.ts';
import { causeOf, deleteEvents, noticesFor, withNotices } from '../event-notices.ts';
import { eventsPerCallMax } from '../index/event-format.ts';
import { type BucketAccess, nextRangeKey, refusalError } from '../index/index-client.ts';
import { deleteEntries } from '../index/messages.ts';
import { versionIdOf } from '../index/version-id.ts';
import { checkBucketName } from '../protocol/bucket-name.ts';
import { refuseConditions } from '../protocol/conditions.ts';
import { parseHttpDate, parseIsoDate } from '../protocol/dates.ts';
import { S3Error, s3ErrorOf } from '../protocol/errors.ts';
import { parseEtags } from '../protocol/etag.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import { checkKeyLength, parseCount } from '../protocol/request.ts';
import { versioningOf } from '../protocol/versioning.ts';
import {
  childrenOf,
  childText,
  element,
  only,
  textElement,
  type XmlNode,
  xmlDocument,
} from '../protocol/xml.ts';
import {
  type DeleteItem,
  type DeleteOutcome,
  deleteError,
  deletesUnknown,
} from './delete-object.ts';
import { bypassesGovernance } from './object-lock.ts';

interface Item {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly call: DeleteItem;
}

interface Refused {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly error: S3Error;
}

/** A condition that can't be read is none that may be left out: the document is refused whole. */
function conditionOf<T>(text: string | undefined, parse: (text: string) => T | undefined) {
  if (text === undefined) return undefined;
  const value = parse(text.trim());
  if (value === undefined) throw new S3Error('MalformedXML');
  return value;
}

/** Throws `MalformedXML`; what is wrong with the key alone is the item's own error. */
function parseItem(node: XmlNode): Item | Refused {
  only(node, ['Key', 'VersionId', 'ETag', 'Size', 'LastModifiedTime']);
  const key = childText(node, 'Key');
  if (key === undefined || key === '') throw new S3Error('MalformedXML');
  const versionId = childText(node, 'VersionId');
  const conditions = {
    ifMatch: conditionOf(childText(node, 'ETag'), parseEtags),
    ifSizeBytes: conditionOf(childText(node, 'Size'), parseCount),
    ifModifiedMs: conditionOf(childText(node, 'LastModifiedTime'), (text) => {
      const ms = parseHttpDate(text) ?? parseIsoDate(text);
      return ms === undefined || ms < 0 ? undefined : ms;
    }),
  };
  try {
    checkKeyLength(key);
    const call: DeleteItem = {
      key: encodeUtf8(key),
      versionId: versionIdArgument(versionId),
      ...conditions,
      ifVersion: undefined,
      bypassGovernance: false,
    };
    return { key, versionId, call };
  } catch (error) {
    return { key, versionId, error: s3ErrorOf(error) };
  }
}

function parseQuiet(root: XmlNode): boolean {
  const text = childText(root, 'Quiet')?.trim().toLowerCase() ?? 'false';
  if (text !== 'true' && text !== 'false') throw new S3Error('MalformedXML');
  return text === 'true';
}

function errorElement(item: Item | Refused, error: S3Error): string {
  return element(
    'Error',
    textElement('Key', item.key),
    textElement('VersionId', item.versionId),
    textElement('Code', error.code),
    textElement('Message', error.message),
  );
}

function deletedElement(item: Item, outcome: DeleteOutcome): string {
  const { marker } = outcome;
  return element(
    'Deleted',
    textElement('Key', item.key),
    textElement('VersionId', item.versionId),
    marker === undefined
      ? ''
      : textElement('DeleteMarker', true) +
          textElement('DeleteMarkerVersionId', versionIdOf(marker)),
  );
}

/**
 * One call when it can be: the runs of a thousand objects of many parts each may be more garbage than a
 * call may write, and so may be what is to be told of them; and some keys may be on their way to another shard. Then
 * the batch goes in halves.
 */
async function deleteBatch(
  context: OperationContext,
  access: BucketAccess,
  items: readonly Item[],
): Promise<readonly DeleteOutcome[]> {
  const [first] = items;
  if (first === undefined) return [];
  const call = {
    versioning: versioningOf(access.configuration),
    owner: context.user.name,
    items: items.map((item) => item.call),
  };
  const spread = items.length > 1 ? 'spread' : 'one';
  try {
    const { index } = context.parts;
    const notices = await noticesFor(context.parts, access, {
      cause: causeOf(context),
      possible: items.flatMap(({ key }, i) => deleteEvents(key, i, 'ObjectRemoved')),
    });
    if (items.length === 1 || (notices?.wanted.length ?? 0) <= eventsPerCallMax) {
      const answer = await withNotices(notices, deleteEntries, call, (call, argument) =>
        index.callRange(access, first.call.key, call, argument, spread),
      );
      if (answer.kind === 'done') return answer.outcomes;
      if (answer.reason !== 'moved') throw refusalError(answer.reason, access.name);
    }
  } catch (error) {
    const tooLarge = error instanceof ClientError && error.code === 'too-large';
    if (!tooLarge || items.length === 1) throw error;
  }
  const middle = items.length >> 1;
  const before = await deleteBatch(context, access, items.slice(0, middle));
  return [...before, ...(await deleteBatch(context, access, items.slice(middle)))];
}

/** Each key is judged by itself: a policy may name some of them. */
async function accessForItems(context: OperationContext): Promise<BucketAccess> {
  const name = bucketOf(context);
  checkBucketName(name);
  const access = await context.parts.index.access(name, {
    action: 's3:DeleteObject',
    judge: async (_, bucket) => {
      checkPayer(context, bucket);
      return 'granted';
    },
  });
  checkExpectedOwner(context, 'x-amz-expected-bucket-owner', access);
  return access;
}

function mayDelete(context: OperationContext, access: BucketAccess, item: Item): Promise<boolean> {
  const { key, versionId } = item;
  const action = versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion';
  return isAllowed(context, access, { action, key, versionId });
}

export async function deleteObjects(context: OperationContext): Promise<HttpResponse> {
  refuseConditions(context.request.headers, ['if-match', ...deletesUnknown]);
  const root = await readXml(context, 'Delete');
  only(root, ['Quiet'], ['Object']);
  const quiet = parseQuiet(root);
  const nodes = childrenOf(root, 'Object');
  if (nodes.length === 0 || nodes.length > keysPerRequestMax) throw new S3Error('MalformedXML');
  const parsed = nodes.map(parseItem);
  const access = await accessForItems(context);
  const { trace } = context;
  if (trace !== undefined) trace.access = access;
  const output: string[] = [];
  const refuse = (item: Item | Refused, error: S3Error): void => {
    output.push(errorElement(item, error));
    const { key, versionId } = item;
    trace?.deleted.push({ key, versionId, error });
  };
  const items: Item[] = [];
  for (const item of parsed) {
    if ('error' in item) refuse(item, item.error);
    else if (await mayDelete(context, access, item)) {
      const bypassGovernance = await bypassesGovernance(context, access, item);
      items.push({ ...item, call: { ...item.call, bypassGovernance } });
    } else refuse(item, new S3Error('AccessDenied'));
  }
  items.sort((a, b) => compareBytes(a.call.key, b.call.key));
  for (let first = items[0]; first !== undefined; first = items[0]) {
    const end = nextRangeKey(access.record, first.call.key);
    const count = items.findIndex(
      (item) => end !== undefined && compareBytes(item.call.key, end) >= 0,
    );
    const shardItems = items.splice(0, count < 0 ? items.length : count);
    try {
      const outcomes = await deleteBatch(context, access, shardItems);
      for (const [i, item] of shardItems.entries()) {
        const outcome = outcomes[i];
        const error = outcome && deleteError(outcome, access, item.key);
        if (error !== undefined) {
          refuse(item, error);
          continue;
        }
        const { key, versionId } = item;
        trace?.deleted.push({ key, versionId, error: undefined });
        if (!quiet && outcome !== undefined) output.push(deletedElement(item, outcome));
      }
    } catch (thrown) {
      const error = s3ErrorOf(thrown);
      if (error.code === 'NoSuchBucket' || error.code === 'AccessDenied') throw thrown;
      for (const item of shardItems) refuse(item, error);
    }
  }
  return xmlResponse(xmlDocument('DeleteResult', ...output));
}
