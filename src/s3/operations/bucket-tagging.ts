// Tags of a bucket: kept and given back; nothing is decided by them.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readXml,
  xmlResponse,
} from '../context.ts';
import { S3Error } from '../protocol/errors.ts';
import { bucketTagsMax } from '../protocol/limits.ts';
import { formatTagSet, parseTaggingXml } from '../protocol/object-headers.ts';
import { xmlDocument } from '../protocol/xml.ts';

export async function putBucketTagging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketTagging', 'looked-up');
  const tags = parseTaggingXml(await readXml(context, 'Tagging'), bucketTagsMax);
  const document = xmlDocument('Tagging', formatTagSet(tags));
  await context.parts.index.putDocument(access, 'tagging', document);
  return emptyResponse(204);
}

export async function getBucketTagging(context: OperationContext): Promise<HttpResponse> {
  const { configuration, name } = await accessBucket(context, 's3:GetBucketTagging', 'looked-up');
  const document = configuration.get('tagging');
  if (document === undefined)
    throw new S3Error('NoSuchTagSet', undefined, { detail: { BucketName: name } });
  return xmlResponse(document);
}

export async function deleteBucketTagging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketTagging', 'looked-up');
  await context.parts.index.putDocument(access, 'tagging', undefined);
  return emptyResponse(204);
}
