// DeleteObjects: up to 1,000 keys, a call on each index shard they are on, an answer for each key.

import { compareBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import { ClientError } from '../../client/errors.ts';
import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, type OperationContext, readXml, xmlResponse } from '../context.ts';
import { type BucketAccess, nextRangeKey, refusalError } from '../index/index-client.ts';
import { deleteEntries, type deleteOutcome } from '../index/messages.ts';
import { S3Error, type S3ErrorCode, s3ErrorOf } from '../protocol/errors.ts';
import { parseEtags } from '../protocol/etag.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import { checkKeyLength } from '../protocol/request.ts';
import {
  childrenOf,
  childText,
  element,
  textElement,
  type XmlNode,
  xmlDocument,
} from '../protocol/xml.ts';

interface Item {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly ifMatch: readonly string[] | undefined;
}

function parseItem(node: XmlNode): Item | { readonly key: string; readonly error: S3Error } {
  const key = childText(node, 'Key');
  if (key === undefined || key === '') throw new S3Error('MalformedXML');
  const versionId = childText(node, 'VersionId');
  if (versionId !== undefined && versionId !== 'null')
    return { key, error: new S3Error('InvalidArgument', 'Invalid version id specified') };
  try {
    checkKeyLength(key);
  } catch (error) {
    return { key, error: s3ErrorOf(error) };
  }
  const etag = childText(node, 'ETag');
  return {
    key,
    bytes: encodeUtf8(key),
    ifMatch: etag === undefined ? undefined : parseEtags(etag),
  };
}

function errorElement(key: string, code: S3ErrorCode, message: string): string {
  return element(
    'Error',
    textElement('Key', key),
    textElement('Code', code),
    textElement('Message', message),
  );
}

type Outcome = Carried<typeof deleteOutcome>;

/**
 * One call when it can be: the runs of a thousand objects of many parts each may be more garbage than a
 * call may write, and then the batch goes in halves.
 */
async function deleteBatch(
  context: OperationContext,
  access: BucketAccess,
  items: readonly Item[],
): Promise<readonly Outcome[]> {
  const [first] = items;
  if (first === undefined) return [];
  try {
    const answer = await context.parts.index.callRange(access, first.bytes, deleteEntries, {
      items: items.map(({ bytes, ifMatch }) => ({ key: bytes, ifMatch })),
    });
    if (answer.kind === 'refused') throw refusalError(answer.reason, access.name);
    return answer.outcomes;
  } catch (error) {
    const tooLarge = error instanceof ClientError && error.code === 'too-large';
    if (!tooLarge || items.length === 1) throw error;
    const middle = items.length >> 1;
    const before = await deleteBatch(context, access, items.slice(0, middle));
    return [...before, ...(await deleteBatch(context, access, items.slice(middle)))];
  }
}

export async function deleteObjects(context: OperationContext): Promise<HttpResponse> {
  const root = await readXml(context, 'Delete');
  const quiet = childText(root, 'Quiet')?.trim().toLowerCase() === 'true';
  const nodes = childrenOf(root, 'Object');
  if (nodes.length === 0 || nodes.length > keysPerRequestMax) throw new S3Error('MalformedXML');
  const access = await accessBucket(context);
  const output: string[] = [];
  const items: Item[] = [];
  for (const node of nodes) {
    const item = parseItem(node);
    if ('error' in item) output.push(errorElement(item.key, item.error.code, item.error.message));
    else items.push(item);
  }
  items.sort((a, b) => compareBytes(a.bytes, b.bytes));
  for (let first = items[0]; first !== undefined; first = items[0]) {
    const end = nextRangeKey(access.record, first.bytes);
    const count = items.findIndex(
      (item) => end !== undefined && compareBytes(item.bytes, end) >= 0,
    );
    const shardItems = items.splice(0, count < 0 ? items.length : count);
    try {
      const outcomes = await deleteBatch(context, access, shardItems);
      for (const [i, { key, ifMatch }] of shardItems.entries()) {
        const outcome = outcomes[i];
        const missed = outcome === 'absent' && ifMatch !== undefined;
        if (outcome === 'precondition' || missed) {
          const error = refusalError(missed ? 'no-key' : 'precondition', access.name);
          output.push(errorElement(key, error.code, error.message));
        } else if (!quiet) output.push(element('Deleted', textElement('Key', key)));
      }
    } catch (error) {
      const { code, message } = s3ErrorOf(error);
      if (code === 'NoSuchBucket' || code === 'AccessDenied') throw error;
      for (const { key } of shardItems) output.push(errorElement(key, code, message));
    }
  }
  return xmlResponse(xmlDocument('DeleteResult', ...output));
}
