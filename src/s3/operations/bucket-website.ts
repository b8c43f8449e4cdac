// A bucket's website configuration; `website.ts` of the folder above serves it.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { S3Error } from '../protocol/errors.ts';
import { parseWebsite } from '../protocol/website.ts';

export async function putBucketWebsite(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketWebsite', 'looked-up');
  const document = await readBody(context);
  parseWebsite(document);
  await context.parts.index.putDocument(access, 'website', document);
  return emptyResponse(200);
}

export async function getBucketWebsite(context: OperationContext): Promise<HttpResponse> {
  const { configuration, name } = await accessBucket(context, 's3:GetBucketWebsite', 'looked-up');
  const document = configuration.get('website');
  if (document === undefined)
    throw new S3Error('NoSuchWebsiteConfiguration', undefined, { detail: { BucketName: name } });
  return xmlResponse(document);
}

export async function deleteBucketWebsite(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:DeleteBucketWebsite', 'looked-up');
  await context.parts.index.putDocument(access, 'website', undefined);
  return emptyResponse(204);
}
