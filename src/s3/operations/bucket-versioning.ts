// Whether a bucket keeps versions. Once it did, it can be suspended but never be as if it had not.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { S3Error } from '../protocol/errors.ts';
import {
  checkNewVersioning,
  formatVersioning,
  parseVersioning,
  versioningOf,
} from '../protocol/versioning.ts';

export async function getBucketVersioning(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketVersioning', 'looked-up');
  return xmlResponse(formatVersioning(versioningOf(access.configuration)));
}

export async function putBucketVersioning(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketVersioning', 'looked-up');
  const body = await readBody(context);
  checkNewVersioning(body);
  const versioning = parseVersioning(body);
  if (versioning === 'suspended' && access.configuration.get('object-lock') !== undefined)
    throw new S3Error(
      'InvalidBucketState',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    );
  await context.parts.index.putDocument(access, 'versioning', formatVersioning(versioning), [
    'object-lock',
  ]);
  return emptyResponse(200);
}
