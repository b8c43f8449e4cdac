// Access control lists: canned ones, those in headers, and the XML form. Grantees are users of the cluster by name,
// or by their e-mail addresses, accounts by their ids, or the groups of S3.

import { type Grant, permissions } from '../index/format.ts';
import { S3Error } from './errors.ts';
import type { HeaderMap } from './request.ts';
import { childrenOf, childText, element, parseXml, textElement, xmlDocument } from './xml.ts';
import { checkDocumentShape, text } from './xml-shape.ts';

export type Permission = Grant['permission'];
export type Acl = readonly Grant[];

/** S3's own limit. */
const grantsMax = 100;

const groupUris: Readonly<Record<string, string>> = {
  AllUsers: 'http://acs.amazonaws.com/groups/global/AllUsers',
  AuthenticatedUsers: 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
  LogDelivery: 'http://acs.amazonaws.com/groups/s3/LogDelivery',
};

/** Finds users; undefined: there is none of that name. */
export interface OwnerFinder {
  /** Whether anything can belong to the name. */
  isOwner(name: string): boolean;
  ownerByEmail(email: string): string | undefined;
}

export function userGrant(name: string, permission: Permission): Grant {
  return { grantee: name, granteeKind: 'user', permission };
}

function groupGrant(group: string, permission: Permission): Grant {
  return { grantee: group, granteeKind: 'group', permission };
}

export interface Owners {
  /** Of the bucket or object the list is for. */
  readonly owner: string;
  readonly bucketOwner: string;
}

/** Throws `InvalidArgument` for a name that is none. */
export function cannedAcl(name: string, { owner, bucketOwner }: Owners): Acl {
  const own = userGrant(owner, 'FULL_CONTROL');
  switch (name) {
    case 'private':
      return [own];
    case 'public-read':
      return [groupGrant('AllUsers', 'READ'), own];
    case 'public-read-write':
      return [groupGrant('AllUsers', 'READ'), groupGrant('AllUsers', 'WRITE'), own];
    case 'authenticated-read':
      return [groupGrant('AuthenticatedUsers', 'READ'), own];
    case 'log-delivery-write':
      return [groupGrant('LogDelivery', 'WRITE'), groupGrant('LogDelivery', 'READ_ACP'), own];
    case 'bucket-owner-read':
      return owner === bucketOwner ? [own] : [own, userGrant(bucketOwner, 'READ')];
    case 'bucket-owner-full-control':
      return owner === bucketOwner ? [own] : [own, userGrant(bucketOwner, 'FULL_CONTROL')];
    default:
      throw new S3Error('InvalidArgument', undefined, {
        detail: { ArgumentName: 'x-amz-acl', ArgumentValue: name.slice(0, 100) },
      });
  }
}

const grantHeaders: readonly (readonly [string, Permission])[] = [
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
];

function granteeOf(
  kind: string,
  value: string,
  owners: OwnerFinder,
): Pick<Grant, 'grantee' | 'granteeKind'> {
  switch (kind.toLowerCase()) {
    case 'id':
      if (!owners.isOwner(value))
        throw new S3Error('InvalidArgument', 'Invalid id', {
          detail: { ArgumentName: 'CanonicalUser/ID', ArgumentValue: value.slice(0, 100) },
        });
      return { grantee: value, granteeKind: 'user' };
    case 'uri': {
      const group = Object.entries(groupUris).find(([, uri]) => uri === value)?.[0];
      if (group === undefined) throw new S3Error('InvalidArgument', 'Invalid group uri');
      return { grantee: group, granteeKind: 'group' };
    }
    case 'emailaddress': {
      const grantee = owners.ownerByEmail(value);
      if (grantee === undefined) throw new S3Error('UnresolvableGrantByEmailAddress');
      return { grantee, granteeKind: 'user' };
    }
    default:
      throw new S3Error('InvalidArgument', 'Argument format not recognized');
  }
}

/** Undefined: the headers say nothing. */
export function aclOfHeaders(
  headers: HeaderMap,
  owners: Owners,
  finder: OwnerFinder,
): Acl | undefined {
  const canned = headers.get('x-amz-acl');
  const granted: Grant[] = [];
  let hasGrants = false;
  for (const [name, permission] of grantHeaders) {
    const value = headers.get(name);
    if (value === undefined) continue;
    hasGrants = true;
    for (const item of value.split(',')) {
      const match = /^\s*([A-Za-z]+)\s*=\s*"?([^"]*)"?\s*$/.exec(item);
      if (match === null) throw new S3Error('InvalidArgument', 'Argument format not recognized');
      granted.push({ ...granteeOf(match[1] ?? '', match[2] ?? '', finder), permission });
    }
  }
  if (granted.length > grantsMax) throw new S3Error('InvalidArgument', 'Too many grants');
  if (canned !== undefined && hasGrants)
    throw new S3Error(
      'InvalidRequest',
      'Specifying both Canned ACLs and Header Grants is not allowed',
    );
  if (hasGrants) return granted;
  return canned === undefined ? undefined : cannedAcl(canned, owners);
}

/** Of a list that a client puts. Throws `MalformedXML`. */
export function checkNewAcl(body: Uint8Array): void {
  checkDocumentShape(body, 'AccessControlPolicy', {
    Owner: { ID: text, DisplayName: text },
    AccessControlList: {
      'Grant*': {
        Grantee: { ID: text, DisplayName: text, URI: text, EmailAddress: text, Type: text },
        Permission: text,
      },
    },
  });
}

/** The owner named must be the owner: it can't be changed so. */
export function parseAcl(body: Uint8Array, owner: string, finder: OwnerFinder): Acl {
  const root = parseXml(body, 'AccessControlPolicy');
  const [ownerNode] = childrenOf(root, 'Owner');
  const named = ownerNode === undefined ? undefined : childText(ownerNode, 'ID');
  if (named === undefined) throw new S3Error('MalformedACLError');
  if (named !== owner) throw new S3Error('AccessDenied');
  const [list] = childrenOf(root, 'AccessControlList');
  if (list === undefined) throw new S3Error('MalformedACLError');
  const grants = childrenOf(list, 'Grant');
  if (grants.length > grantsMax) throw new S3Error('MalformedACLError');
  return grants.map((node): Grant => {
    const [grantee] = childrenOf(node, 'Grantee');
    const named = childText(node, 'Permission')?.trim();
    const permission = permissions.find((each) => each === named);
    if (grantee === undefined || permission === undefined) throw new S3Error('MalformedACLError');
    for (const [name, kind] of [
      ['ID', 'id'],
      ['URI', 'uri'],
      ['EmailAddress', 'emailaddress'],
    ] as const) {
      const value = childText(grantee, name)?.trim();
      if (value !== undefined) return { ...granteeOf(kind, value, finder), permission };
    }
    throw new S3Error('MalformedACLError');
  });
}

/** A list that was kept: its grantees were found when it was put. */
export function parseKeptAcl(body: Uint8Array): Acl {
  const root = parseXml(body, 'AccessControlPolicy');
  const [owner] = childrenOf(root, 'Owner');
  const anybody: OwnerFinder = { isOwner: () => true, ownerByEmail: () => undefined };
  return parseAcl(body, (owner && childText(owner, 'ID')) ?? '', anybody);
}

function grantElement({ grantee, granteeKind, permission }: Grant): string {
  const type = granteeKind === 'user' ? 'CanonicalUser' : 'Group';
  const who =
    granteeKind === 'user'
      ? textElement('ID', grantee) + textElement('DisplayName', grantee)
      : textElement('URI', groupUris[grantee] ?? grantee);
  return element(
    'Grant',
    `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${who}</Grantee>`,
    textElement('Permission', permission),
  );
}

export function formatAcl(owner: string, acl: Acl): Uint8Array {
  return xmlDocument(
    'AccessControlPolicy',
    element('Owner', textElement('ID', owner), textElement('DisplayName', owner)),
    // Groups come first, as other servers have it.
    element(
      'AccessControlList',
      ...acl.filter(({ granteeKind }) => granteeKind === 'group').map(grantElement),
      ...acl.filter(({ granteeKind }) => granteeKind === 'user').map(grantElement),
    ),
  );
}

export function isPublicAcl(acl: Acl): boolean {
  return acl.some(
    ({ grantee, granteeKind }) => granteeKind === 'group' && grantee !== 'LogDelivery',
  );
}

/** Whether the list grants it to a user; the empty name is nobody in particular. */
export function aclGrants(
  acl: Acl,
  userName: string,
  permission: Permission,
  groups: 'all' | 'ignored' = 'all',
): boolean {
  return acl.some((grant) => {
    if (grant.permission !== permission && grant.permission !== 'FULL_CONTROL') return false;
    if (grant.granteeKind === 'user') return userName !== '' && grant.grantee === userName;
    if (groups === 'ignored') return false;
    if (grant.grantee === 'AllUsers') return true;
    return grant.grantee === 'AuthenticatedUsers' && userName !== '';
  });
}
