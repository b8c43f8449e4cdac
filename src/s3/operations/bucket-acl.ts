// Access lists of buckets and objects. A bucket's is a document of its configuration, an object's stands in its entry.

import type { HttpResponse } from '../../env/http.ts';
import { bucketAclOf, checkAclAllowed } from '../authorization.ts';
import {
  accessBucket,
  accessVersion,
  emptyResponse,
  keyOf,
  type OperationContext,
  readBody,
  versionHeader,
  xmlResponse,
} from '../context.ts';
import type { Entry } from '../index/format.ts';
import type { BucketAccess } from '../index/index-client.ts';
import {
  type Acl,
  aclOfHeaders,
  cannedAcl,
  checkNewAcl,
  formatAcl,
  type Owners,
  parseAcl,
  userGrant,
} from '../protocol/acl.ts';
import { S3Error } from '../protocol/errors.ts';
import { ownershipOf } from '../protocol/ownership.ts';
import { readEntry, wantedOf } from '../read-entry.ts';
import { updateObject } from '../update-object.ts';

function ownAcl(owner: string, acl: Acl | undefined): Acl {
  return acl === undefined || acl.length === 0 ? [userGrant(owner, 'FULL_CONTROL')] : acl;
}

/** Throws `AccessControlListNotSupported`. */
function checkListsCount(access: BucketAccess): void {
  if (ownershipOf(access.configuration) === 'BucketOwnerEnforced')
    throw new S3Error('AccessControlListNotSupported');
}

async function bodyOf(context: OperationContext): Promise<Uint8Array> {
  return context.request.headers.has('content-length') ? readBody(context) : new Uint8Array(0);
}

/** What headers or body ask for. */
function askedAcl(
  context: OperationContext,
  access: BucketAccess,
  owners: Owners,
  body: Uint8Array,
): Acl {
  const { identities } = context.parts;
  const ofHeaders = aclOfHeaders(context.request.headers, owners, identities);
  if (ofHeaders !== undefined && body.length > 0)
    throw new S3Error('UnexpectedContent', 'This request does not support content');
  if (ofHeaders === undefined && body.length === 0)
    throw new S3Error(
      'MissingSecurityHeader',
      'Your request was missing a required header: x-amz-acl',
    );
  if (ofHeaders === undefined) checkNewAcl(body);
  const acl = ofHeaders ?? parseAcl(body, owners.owner, identities);
  checkAclAllowed(access.configuration, acl);
  return acl;
}

export async function getBucketAcl(context: OperationContext): Promise<HttpResponse> {
  const { configuration, record } = await accessBucket(context, 's3:GetBucketAcl', 'looked-up');
  const isOff = ownershipOf(configuration) === 'BucketOwnerEnforced';
  const acl = isOff ? undefined : bucketAclOf(configuration);
  return xmlResponse(formatAcl(record.owner, ownAclOrNone(record.owner, acl, configuration)));
}

/** A list that was emptied is shown empty; one that never was put shows its owner. */
function ownAclOrNone(
  owner: string,
  acl: Acl | undefined,
  configuration: BucketAccess['configuration'],
): Acl {
  return acl !== undefined && configuration.get('acl') !== undefined
    ? acl
    : ownAcl(owner, undefined);
}

export async function putBucketAcl(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketAcl', 'looked-up');
  const { owner } = access.record;
  checkListsCount(access);
  const acl = askedAcl(context, access, { owner, bucketOwner: owner }, await bodyOf(context));
  await context.parts.index.putDocument(access, 'acl', formatAcl(owner, acl), [
    'ownership-controls',
    'public-access-block',
  ]);
  return emptyResponse(200);
}

export async function getObjectAcl(context: OperationContext): Promise<HttpResponse> {
  const access = await accessVersion(context, 's3:GetObjectAcl');
  const entry = await readEntry(context, access, wantedOf(context, keyOf(context)));
  const isOff = ownershipOf(access.configuration) === 'BucketOwnerEnforced';
  const owner = entry.owner === '' || isOff ? access.record.owner : entry.owner;
  const acl = isOff || entry.acl === undefined ? ownAcl(owner, undefined) : entry.acl;
  return xmlResponse(formatAcl(owner, acl), versionHeader(access, entry));
}

export async function putObjectAcl(context: OperationContext): Promise<HttpResponse> {
  const access = await accessVersion(context, 's3:PutObjectAcl');
  const bucketOwner = access.record.owner;
  let body: Uint8Array | undefined;
  // Of whose the object is that it will be the list of: what has taken its place may be somebody else's.
  const listFor = async (entry: Entry) => {
    const owner = entry.owner === '' ? bucketOwner : entry.owner;
    checkListsCount(access);
    body ??= await bodyOf(context);
    return { kind: 'acl', acl: askedAcl(context, access, { owner, bucketOwner }, body) } as const;
  };
  const changed = await updateObject(context, access, listFor, 'ObjectAcl:Put');
  return emptyResponse(200, versionHeader(access, changed));
}

/** Of a bucket about to be made. Undefined: its owner's alone. */
export function newBucketAcl(context: OperationContext): Uint8Array | undefined {
  const owner = context.user.name;
  const owners = { owner, bucketOwner: owner };
  const acl = aclOfHeaders(context.request.headers, owners, context.parts.identities);
  const own = cannedAcl('private', owners);
  const isOwn = acl !== undefined && acl.length === 1 && acl[0]?.grantee === own[0]?.grantee;
  return acl === undefined || isOwn ? undefined : formatAcl(owner, acl);
}
