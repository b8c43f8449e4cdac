// Ownership controls, and the block of public access.

import type { HttpResponse } from '../../env/http.ts';
import { type Action, bucketAclOf } from '../authorization.ts';
import {
  accessBucket,
  emptyResponse,
  type Operation,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import type { DocumentName } from '../index/bucket-documents.ts';
import { S3Error, type S3ErrorCode } from '../protocol/errors.ts';
import {
  checkNewOwnershipControls,
  checkNewPublicAccessBlock,
  formatOwnershipControls,
  formatPublicAccessBlock,
  parseOwnershipControls,
  parsePublicAccessBlock,
} from '../protocol/ownership.ts';

/** Answers a document, or that there is none. */
export function answerDocument(action: Action, name: DocumentName, none: S3ErrorCode): Operation {
  return async (context) => {
    const access = await accessBucket(context, action, 'looked-up');
    const document = access.configuration.get(name);
    if (document === undefined)
      throw new S3Error(none, undefined, { detail: { BucketName: access.name } });
    return xmlResponse(document);
  };
}

export function removeDocument(action: Action, name: DocumentName): Operation {
  return async (context) => {
    const access = await accessBucket(context, action, 'looked-up');
    await context.parts.index.putDocument(access, name, undefined);
    return emptyResponse(204);
  };
}

export async function putBucketOwnershipControls(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketOwnershipControls', 'looked-up');
  const body = await readBody(context);
  checkNewOwnershipControls(body);
  const ownership = parseOwnershipControls(body);
  const { index } = context.parts;
  const { owner } = access.record;
  // What the list grants others would end without a word.
  const grantsOthers = bucketAclOf(access.configuration).some(({ grantee }) => grantee !== owner);
  if (ownership === 'BucketOwnerEnforced' && grantsOthers)
    throw new S3Error('InvalidBucketAclWithObjectOwnership');
  const document = formatOwnershipControls(ownership);
  await index.putDocument(access, 'ownership-controls', document, ['acl']);
  return emptyResponse(200);
}

export const getBucketOwnershipControls: Operation = answerDocument(
  's3:GetBucketOwnershipControls',
  'ownership-controls',
  'OwnershipControlsNotFoundError',
);

export const deleteBucketOwnershipControls: Operation = removeDocument(
  's3:PutBucketOwnershipControls',
  'ownership-controls',
);

export async function putPublicAccessBlock(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketPublicAccessBlock', 'looked-up');
  const body = await readBody(context);
  checkNewPublicAccessBlock(body);
  const block = parsePublicAccessBlock(body);
  const document = formatPublicAccessBlock(block);
  await context.parts.index.putDocument(access, 'public-access-block', document);
  return emptyResponse(200);
}

export const getPublicAccessBlock: Operation = answerDocument(
  's3:GetBucketPublicAccessBlock',
  'public-access-block',
  'NoSuchPublicAccessBlockConfiguration',
);

export const deletePublicAccessBlock: Operation = removeDocument(
  's3:PutBucketPublicAccessBlock',
  'public-access-block',
);
