// The rights that a put needs beside `s3:PutObject`, by what its headers set: "To successfully change the objects ACL
// of your PutObject request, you must have the s3:PutObjectAcl", and so on for tags and locks (Amazon's reference).
//
// A list that opens the object to nobody but the bucket's owner needs none: Amazon's own example of a policy lets others in
// by `s3:PutObject` alone, on condition that they grant the owner full control.

import { type Action, actionOn, checkObjectAcl, isAllowed, judgeOf } from './authorization.ts';
import type { OperationContext } from './context.ts';
import type { CopySource } from './copy-source.ts';
import type { BucketAccess } from './index/index-client.ts';
import type { NewObject } from './new-object.ts';
import { S3Error } from './protocol/errors.ts';
import type { NamedValues } from './protocol/object-headers.ts';

function opens({ acl, owner }: NewObject, bucketOwner: string): boolean {
  if (acl === undefined) return false;
  const own = [owner, bucketOwner];
  return acl.some(({ grantee, granteeKind }) => granteeKind === 'group' || !own.includes(grantee));
}

function neededFor(
  context: OperationContext,
  access: BucketAccess,
  object: NewObject,
  tags: NamedValues,
): readonly Action[] {
  const { headers } = context.request;
  const needed: Action[] = [];
  if (opens(object, access.record.owner)) needed.push('s3:PutObjectAcl');
  if (tags.length > 0) needed.push('s3:PutObjectTagging');
  if (headers.has('x-amz-object-lock-mode')) needed.push('s3:PutObjectRetention');
  if (headers.has('x-amz-object-lock-legal-hold')) needed.push('s3:PutObjectLegalHold');
  return needed;
}

/** Of who may put the object. Throws `AccessDenied`. */
export async function checkPutRights(
  context: OperationContext,
  access: BucketAccess,
  object: NewObject,
  tags: NamedValues,
): Promise<void> {
  const { key } = context.request;
  for (const action of neededFor(context, access, object, tags)) {
    const question = { action, key, sets: { tags }, ofNew: true };
    if (!(await isAllowed(context, access, question))) throw new S3Error('AccessDenied');
  }
}

/** Whether who may read the source of a copy may take its tags along. Throws `AccessDenied`. */
export async function checkCopiedTags(
  context: OperationContext,
  { access, wanted, entry }: CopySource,
): Promise<void> {
  if (entry.tags.length === 0) return;
  const { key, versionId } = wanted;
  const action = actionOn('s3:GetObjectTagging', versionId);
  const judge = judgeOf(context, { action, key, versionId });
  const judgement = await judge.judge(access.name, access);
  checkObjectAcl(context, { ...access, judge, judgement }, entry);
}
