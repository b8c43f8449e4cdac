// Which `x-amz-*` headers each write knows. Another that S3 has, or that is called as if it guarded something, asks for what
// is not there, and is refused by its name: an object that was put without it would not be what was asked for. What means
// nothing to S3 means nothing here. Reads may say what they like.

import { checksumAlgorithms } from './protocol/checksum-names.ts';
import { checksumHeader } from './protocol/checksums.ts';
import { S3Error } from './protocol/errors.ts';
import type { HeaderMap } from './protocol/request.ts';

/** Of the signature, the body, and what clients say of themselves. */
const ofAll = [
  'x-amz-api-version',
  'x-amz-checksum-algorithm',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-expected-bucket-owner',
  'x-amz-request-payer',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-te',
  'x-amz-trailer',
  'x-amz-user-agent',
  ...checksumAlgorithms.map(checksumHeader),
];

const acl = [
  'x-amz-acl',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
];

const customerKey = [
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-server-side-encryption-customer-key-md5',
];

const encryption = [
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-bucket-key-enabled',
  'x-amz-server-side-encryption-context',
  ...customerKey,
];

const newObject = [
  ...acl,
  ...encryption,
  // Of a copy; s3fs sends it with every upload, where it means nothing.
  'x-amz-metadata-directive',
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
];

/** Known only where there is a source. */
const ofSource = [
  'x-amz-copy-source',
  'x-amz-copy-source-if-match',
  'x-amz-copy-source-if-modified-since',
  'x-amz-copy-source-if-none-match',
  'x-amz-copy-source-if-unmodified-since',
  'x-amz-copy-source-server-side-encryption-customer-algorithm',
  'x-amz-copy-source-server-side-encryption-customer-key',
  'x-amz-copy-source-server-side-encryption-customer-key-md5',
  'x-amz-source-expected-bucket-owner',
];

const governance = 'x-amz-bypass-governance-retention';

/** By what is written to and how, as the router has it; the reference page lists it. */
export const knownHeaders: Readonly<Record<string, readonly string[]>> = {
  'every write': ofAll,
  'bucket PUT': [...acl, 'x-amz-bucket-object-lock-enabled', 'x-amz-object-ownership'],
  'bucket PUT acl': acl,
  'bucket PUT lifecycle': ['x-amz-transition-default-minimum-object-size'],
  'bucket PUT policy': ['x-amz-confirm-remove-self-bucket-access'],
  'bucket PUT versioning': ['x-amz-mfa'],
  'bucket POST delete': [governance, 'x-amz-mfa'],
  'object PUT': newObject,
  'object PUT of a source': [...newObject, ...ofSource, 'x-amz-tagging-directive'],
  'object PUT acl': acl,
  'object PUT retention': [governance],
  'object PUT uploadId': encryption,
  'object PUT uploadId of a source': [...encryption, ...ofSource, 'x-amz-copy-source-range'],
  'object POST uploads': [...newObject, 'x-amz-checksum-type'],
  'object POST uploadId': [...encryption, 'x-amz-checksum-type', 'x-amz-mp-object-size'],
  'object DELETE': [
    governance,
    'x-amz-if-match-last-modified-time',
    'x-amz-if-match-size',
    'x-amz-mfa',
  ],
};

/** That S3 has and nothing here knows. */
const notThere = [
  'x-amz-bucket-namespace',
  'x-amz-bucket-object-lock-token',
  'x-amz-create-session-mode',
  'x-amz-skip-destination-validation',
  'x-amz-write-offset-bytes',
];

/** Whatever is called so guards an object, or says who may have it: a wrong one is not passed over. */
const families = [
  'x-amz-acl',
  'x-amz-checksum-',
  'x-amz-copy-source',
  'x-amz-grant-',
  'x-amz-if-',
  'x-amz-object-lock-',
  'x-amz-rename-source',
  'x-amz-server-side-encryption',
  'x-amz-source-',
];

const sets: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(knownHeaders).map(([name, headers]) => [name, new Set([...ofAll, ...headers])]),
);
const every: ReadonlySet<string> = new Set(ofAll);
const meaningful: ReadonlySet<string> = new Set([
  ...notThere,
  ...Object.values(knownHeaders).flat(),
]);

function hasMeaning(header: string): boolean {
  return meaningful.has(header) || families.some((family) => header.startsWith(family));
}

/** `name`: e.g. `object PUT tagging`; `copies`: whether a source that is named is copied. Throws `NotImplemented` by name. */
export function refuseUnknownHeaders(
  name: string,
  headers: HeaderMap,
  copies = headers.has('x-amz-copy-source'),
): void {
  const known = (copies ? sets.get(`${name} of a source`) : undefined) ?? sets.get(name) ?? every;
  for (const header of headers.keys())
    if (header.startsWith('x-amz-') && !known.has(header) && hasMeaning(header))
      throw new S3Error('NotImplemented', `${header.slice(0, 100)} is not implemented`);
}
