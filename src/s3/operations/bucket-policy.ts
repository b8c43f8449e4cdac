// A bucket's policy: kept as it was put, understood whole or refused.

import type { HttpResponse } from '../../env/http.ts';
import { bucketAclOf } from '../authorization.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { isPublicAcl } from '../protocol/acl.ts';
import { S3Error } from '../protocol/errors.ts';
import { publicAccessBlockOf } from '../protocol/ownership.ts';
import { checkNewPolicy, parsePolicy } from '../protocol/policy.ts';
import { isPublicPolicy } from '../protocol/public-policy.ts';
import { textElement, xmlDocument } from '../protocol/xml.ts';

export async function putBucketPolicy(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketPolicy', 'looked-up');
  const body = await readBody(context);
  const policy = parsePolicy(body);
  checkNewPolicy(policy, 'bucket');
  if (publicAccessBlockOf(access.configuration).blockPublicPolicy && isPublicPolicy(policy))
    throw new S3Error('AccessDenied');
  await context.parts.index.putDocument(access, 'policy', body, ['public-access-block']);
  return emptyResponse(204);
}

export async function getBucketPolicy(context: OperationContext): Promise<HttpResponse> {
  const { configuration, name } = await accessBucket(context, 's3:GetBucketPolicy', 'looked-up');
  const body = configuration.get('policy');
  if (body === undefined)
    throw new S3Error('NoSuchBucketPolicy', undefined, { detail: { BucketName: name } });
  return {
    status: 200,
    headers: [
      ['content-type', 'application/json'],
      ['content-length', String(body.length)],
    ],
    body,
  };
}

export async function deleteBucketPolicy(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:DeleteBucketPolicy', 'looked-up');
  await context.parts.index.putDocument(access, 'policy', undefined);
  return emptyResponse(204);
}

/** Whether anybody gets in, by policy or by access list. */
export async function getBucketPolicyStatus(context: OperationContext): Promise<HttpResponse> {
  const { configuration } = await accessBucket(context, 's3:GetBucketPolicyStatus', 'looked-up');
  const policy = configuration.parsed('policy', parsePolicy);
  const isPublic =
    (policy !== undefined && isPublicPolicy(policy)) || isPublicAcl(bucketAclOf(configuration));
  return xmlResponse(xmlDocument('PolicyStatus', textElement('IsPublic', isPublic)));
}
