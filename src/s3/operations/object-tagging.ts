// Tags of an object or a version: replaced whole, without touching its bytes or its Last-Modified.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessVersion,
  emptyResponse,
  keyOf,
  type OperationContext,
  readXml,
  versionHeader,
  xmlResponse,
} from '../context.ts';
import { formatTagSet, type NamedValues, parseTaggingXml } from '../protocol/object-headers.ts';
import { xmlDocument } from '../protocol/xml.ts';
import { readEntry, wantedOf } from '../read-entry.ts';
import { updateObject } from '../update-object.ts';

async function replaceTags(
  context: OperationContext,
  tags: NamedValues,
  action: 's3:PutObjectTagging' | 's3:DeleteObjectTagging',
): Promise<[string, string][]> {
  const access = await accessVersion(context, action, { tags });
  const eventName = action === 's3:PutObjectTagging' ? 'ObjectTagging:Put' : 'ObjectTagging:Delete';
  const changed = await updateObject(context, access, { kind: 'tags', tags }, eventName);
  return versionHeader(access, changed);
}

export async function putObjectTagging(context: OperationContext): Promise<HttpResponse> {
  const tags = parseTaggingXml(await readXml(context, 'Tagging'));
  return emptyResponse(200, await replaceTags(context, tags, 's3:PutObjectTagging'));
}

export async function deleteObjectTagging(context: OperationContext): Promise<HttpResponse> {
  return emptyResponse(204, await replaceTags(context, [], 's3:DeleteObjectTagging'));
}

export async function getObjectTagging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessVersion(context, 's3:GetObjectTagging');
  const entry = await readEntry(context, access, wantedOf(context, keyOf(context)));
  return xmlResponse(
    xmlDocument('Tagging', formatTagSet(entry.tags)),
    versionHeader(access, entry),
  );
}
