// Tags of an object: replaced whole, without touching its bytes or its Last-Modified.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  checkVersionId,
  emptyResponse,
  keyOf,
  type OperationContext,
  readXml,
  xmlResponse,
} from '../context.ts';
import { refusalError } from '../index/index-client.ts';
import { putTags } from '../index/messages.ts';
import { formatTagSet, type NamedValues, parseTaggingXml } from '../protocol/object-headers.ts';
import { xmlDocument } from '../protocol/xml.ts';
import { readEntry } from '../read-entry.ts';
import { aclDocument } from './bucket-properties.ts';

async function replaceTags(context: OperationContext, tags: NamedValues): Promise<void> {
  const key = keyOf(context);
  checkVersionId(context.request.query.get('versionId'));
  const access = await accessBucket(context);
  const answer = await context.parts.index.callKey(access, key, putTags, {
    key: encodeUtf8(key),
    tags,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
}

export async function putObjectTagging(context: OperationContext): Promise<HttpResponse> {
  await replaceTags(context, parseTaggingXml(await readXml(context, 'Tagging')));
  return emptyResponse(200);
}

export async function deleteObjectTagging(context: OperationContext): Promise<HttpResponse> {
  await replaceTags(context, []);
  return emptyResponse(204);
}

export async function getObjectTagging(context: OperationContext): Promise<HttpResponse> {
  const key = keyOf(context);
  checkVersionId(context.request.query.get('versionId'));
  const access = await accessBucket(context);
  const entry = await readEntry(context.parts, access, key);
  return xmlResponse(xmlDocument('Tagging', formatTagSet(entry.tags)));
}

/** Objects belong to their bucket's owner. */
export async function getObjectAcl(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context);
  await readEntry(context.parts, access, keyOf(context));
  return xmlResponse(aclDocument(access.record.owner));
}
