// What a request says about the object it is about to make, whatever its bytes: whose it is, who may read it, what keeps it.

import { checkAclAllowed } from './authorization.ts';
import { type OperationContext, wholeNowMs } from './context.ts';
import { type Attributes, type EntrySummary, plainAttributes } from './index/format.ts';
import type { BucketAccess } from './index/index-client.ts';
import { newCipher, type ObjectCipher } from './object-cipher.ts';
import { type Acl, aclGrants, aclOfHeaders } from './protocol/acl.ts';
import { defaultEncryptionOf, parseEncryptionHeaders } from './protocol/encryption.ts';
import { S3Error } from './protocol/errors.ts';
import { parseRedirect } from './protocol/object-headers.ts';
import { lockOfNew } from './protocol/object-lock.ts';
import { type Ownership, ownershipOf } from './protocol/ownership.ts';
import type { HeaderMap } from './protocol/request.ts';
import { versioningOf } from './protocol/versioning.ts';

export type NewObject = Attributes &
  Pick<EntrySummary, 'kind' | 'isNull' | 'owner' | 'storageClass'>;

const aclHeaders = [
  'x-amz-acl',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-write',
  'x-amz-grant-read-acp',
  'x-amz-grant-write-acp',
];

/** Where access lists are off, only what changes nothing may be asked for. */
export function checkAclHeaders(headers: HeaderMap, ownership: Ownership): void {
  if (ownership !== 'BucketOwnerEnforced') return;
  const asked = aclHeaders.filter((name) => headers.has(name));
  if (asked.length === 0) return;
  const harmless = headers.get('x-amz-acl') === 'bucket-owner-full-control';
  if (asked.length > 1 || !harmless) throw new S3Error('AccessControlListNotSupported');
}

function ownerOf(context: OperationContext, access: BucketAccess, ownership: Ownership): string {
  const { name } = context.user;
  const bucketOwner = access.record.owner;
  if (name === '' || ownership === 'BucketOwnerEnforced') return bucketOwner;
  const given = context.request.headers.get('x-amz-acl') === 'bucket-owner-full-control';
  return ownership === 'BucketOwnerPreferred' && given ? bucketOwner : name;
}

/** How the request, or else the bucket, wants it encrypted. Undefined: not at all. */
export async function newObjectCipher(
  context: OperationContext,
  access: BucketAccess,
): Promise<ObjectCipher | undefined> {
  const wanted =
    parseEncryptionHeaders(context.request.headers) ?? defaultEncryptionOf(access.configuration);
  return wanted === undefined ? undefined : newCipher(context.parts, wanted);
}

/** Throws `NotImplemented` by name, `InvalidArgument`, `InvalidStorageClass`, `InvalidRedirectLocation`, `AccessDenied`. */
export function newObject(context: OperationContext, access: BucketAccess): NewObject {
  const { headers } = context.request;
  const { configuration, record } = access;
  const ownership = ownershipOf(configuration);
  checkAclHeaders(headers, ownership);
  const owner = ownerOf(context, access, ownership);
  let acl: Acl | undefined;
  if (ownership !== 'BucketOwnerEnforced') {
    const owners = { owner, bucketOwner: record.owner };
    acl = aclOfHeaders(headers, owners, context.parts.identities);
    checkAclAllowed(configuration, acl);
  }
  const isPlain =
    acl === undefined || (acl.length === 1 && aclGrants(acl, owner, 'FULL_CONTROL', 'ignored'));
  const storageClass = headers.get('x-amz-storage-class') ?? 'STANDARD';
  if (!context.parts.storageClasses.includes(storageClass))
    throw new S3Error('InvalidStorageClass');
  return {
    ...plainAttributes,
    kind: 'object',
    isNull: versioningOf(configuration) !== 'enabled',
    owner: owner === record.owner ? '' : owner,
    storageClass,
    redirect: parseRedirect(headers),
    acl: isPlain ? undefined : acl,
    ...lockOfNew(headers, configuration, wholeNowMs(context.parts)),
  };
}
