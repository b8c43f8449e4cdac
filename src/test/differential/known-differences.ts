// Kinds of differences from radosgw that are understood, each with what decides it. docs/reference/s3-differences.md is made
// of this list.

import type { Difference } from './compare.ts';
import type { Step } from './side.ts';

export interface KnownDifference {
  readonly title: string;
  /** Of both; a pattern of the action's whole name, and of the field's. */
  readonly action: RegExp;
  readonly field: RegExp;
  /** Of values; default: any. */
  readonly holdfast?: RegExp;
  readonly peer?: RegExp;
  readonly when?: (step: Step) => boolean;
  /** Who does as the words say. */
  readonly right: 'Holdfast' | 'radosgw' | 'both';
  /** What decides it, in our own words. */
  readonly why: string;
  readonly source: string;
}

const api = (page: string): string =>
  `https://docs.aws.amazon.com/AmazonS3/latest/API/API_${page}.html`;
const guide = (page: string): string =>
  `https://docs.aws.amazon.com/AmazonS3/latest/userguide/${page}.html`;

const outcome = /^(status|code)$/;

export const knownDifferences: readonly KnownDifference[] = [
  {
    title: 'An absent key is answered with `x-amz-delete-marker: false`',
    action: /.*/,
    field: /^header x-amz-delete-marker$/,
    holdfast: /^false$/,
    peer: /^-$/,
    right: 'radosgw',
    why: 'The header never says false, by the documentation. Holdfast sends it because today’s ceph/s3-tests ask for it; clients take it for what its absence means.',
    source: guide('DeleteMarker'),
  },
  {
    title: 'That a delete marker was met or made is told in every answer about it',
    action: /.*/,
    field: /^header x-amz-delete-marker$/,
    holdfast: /^true$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'An answer of 404 because the newest version is a delete marker says so in this header.',
    source: guide('DeleteMarker'),
  },
  {
    title: 'A delete marker asked for by its version is 405',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^(405|MethodNotAllowed)$/,
    peer: /^(404|NoSuchKey|-)$/,
    when: ({ query }) => query?.versionId !== undefined,
    right: 'Holdfast',
    why: 'Where the version asked for is a delete marker the answer is 405 Method Not Allowed.',
    source: api('GetObject'),
  },
  {
    title: 'A version that is not there is NoSuchVersion',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^NoSuchVersion$/,
    right: 'Holdfast',
    why: 'NoSuchVersion is the error where the version asked for does not match an existing one.',
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
  },
  {
    title: 'A version id that can be none is InvalidArgument',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => query?.versionId !== undefined,
    right: 'both',
    why: 'The documentation names no code; S3 answers "Invalid version id specified". radosgw looks for it, or deletes it with 204.',
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
  },
  {
    title: 'A range that is none, or several, are passed over',
    action: /^(Get|Head)Object$/,
    field: outcome,
    when: ({ headers }) => /^bytes=(a|0-1,3-4)$/.test(headers?.range ?? ''),
    right: 'both',
    why: 'S3 does not give several ranges in one answer, and a server may ignore a Range field; radosgw gives the first, or 416 for what is no range.',
    source: api('GetObject'),
  },
  {
    title: '416 tells the length of the object',
    action: /^(Get|Head)Object$/,
    field: /^header content-range$/,
    holdfast: /^bytes \*\//,
    right: 'Holdfast',
    why: 'An answer of 416 to a byte range should have Content-Range with the length.',
    source: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5.17',
  },
  {
    title: 'Conditions are judged before ranges, and `if-none-match: *` is one',
    action: /^(Get|Head)Object$/,
    field: outcome,
    holdfast: /^(304|412|PreconditionFailed|NotModified|-)$/,
    right: 'Holdfast',
    why: 'Preconditions come before Range, and `*` matches any object; GetObject refers to RFC 9110.',
    source: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-13.2.2',
  },
  {
    title: 'Answers about tags and ACLs name the version they are of',
    action: /^(Get|Put|Delete)Object(Tagging|Acl)$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'x-amz-version-id is a header of the answers about tags; with ACLs S3 sends it too.',
    source: api('GetObjectTagging'),
  },
  {
    title: 'A deleted version is named',
    action: /^DeleteObject$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'x-amz-version-id names the version that was deleted, or the marker that was made.',
    source: api('DeleteObject'),
  },
  {
    title: 'CompleteMultipartUpload tells the ETag in quotes, and lists give it',
    action: /^(CompleteMultipartUpload|List\w+)$/,
    field: /ETag$/,
    peer: /^(""|[^"]*)$/,
    right: 'Holdfast',
    why: 'ETag is the tag of the object that was made. radosgw 16 gives it without quotes, or none, also in lists.',
    source: api('CompleteMultipartUpload'),
  },
  {
    title: 'Completing an unknown upload is NoSuchUpload',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(404|NoSuchUpload)$/,
    right: 'Holdfast',
    why: 'CompleteMultipartUpload names NoSuchUpload; radosgw answers 500.',
    source: api('CompleteMultipartUpload'),
  },
  {
    title: 'Of a part too small and one unknown, the first counts',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(EntityTooSmall|InvalidPart)$/,
    right: 'both',
    why: 'Two faults in one request; both errors are named.',
    source: api('CompleteMultipartUpload'),
  },
  {
    title: 'The location of a completed object is percent-encoded',
    action: /^CompleteMultipartUpload$/,
    field: /Location$/,
    right: 'Holdfast',
    why: 'Location is a URI.',
    source: api('CompleteMultipartUpload'),
  },
  {
    title: 'An upload can be completed without some of its parts',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(200|-)$/,
    peer: /^(400|InvalidPart)$/,
    right: 'both',
    why: 'The object is made of the parts that are listed, and S3 lets go of others; InvalidPart is for listed parts that are not there. radosgw wants all that were sent.',
    source: api('CompleteMultipartUpload'),
  },
  {
    title: 'A copy of an object that was sent in parts has the ETag of its bytes',
    action: /^(GetObject|HeadObject|ListObject\w*)$/,
    field: /etag$/i,
    holdfast: /^"[0-9a-f]{32}"$/,
    peer: /^"[0-9a-f]{32}-\d+"$/,
    right: 'Holdfast',
    why: 'Objects made by a copy have the MD5 digest of their bytes as their ETag; radosgw keeps the source’s.',
    source: api('Object'),
  },
  {
    title: 'A delete of a delete marker’s key makes another',
    action: /^ListObjectVersions$/,
    field: /^ListVersionsResult\/DeleteMarker\//,
    right: 'Holdfast',
    why: 'A simple DELETE of a key whose newest version is a delete marker makes one more; radosgw leaves the one.',
    source: guide('ManagingDelMarkers'),
  },
  {
    title: 'A list of versions goes on after the key that is its marker',
    action: /^ListObjectVersions$/,
    field: /(NextKeyMarker|Version\/(Key|VersionId|ETag|Size|StorageClass|IsLatest))$/,
    when: ({ query }) => query?.['key-marker'] !== undefined,
    right: 'Holdfast',
    why: 'Without a version-id-marker the list begins with the key after key-marker; radosgw gives that key’s newest version again.',
    source: api('ListObjectVersions'),
  },
  {
    title: 'A preflight by a rule for every origin is answered with `*`',
    action: /^Preflight$/,
    field: /allow-origin$/,
    holdfast: /^\*$/,
    right: 'both',
    why: 'Either lets the page see the answer.',
    source: guide('cors'),
  },
  {
    title: '304 tells the ETag',
    action: /^(Get|Head)Object$/,
    field: /^header etag$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'An answer of 304 must have the ETag that 200 would have had.',
    source: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-15.4.5',
  },
  {
    title: 'After a common prefix a list of versions goes on from its name alone',
    action: /^ListObjectVersions$/,
    field: /NextVersionIdMarker$/,
    right: 'both',
    why: 'A common prefix has no version to go on from; radosgw says `null`.',
    source: api('ListObjectVersions'),
  },
  {
    title: 'Conditions on the source of a copy are honoured',
    action: /^CopyObject$/,
    field: outcome,
    holdfast: /^(412|PreconditionFailed)$/,
    right: 'Holdfast',
    why: 'A copy whose x-amz-copy-source-if-match does not hold fails with 412; radosgw 16 copies where it should not.',
    source: api('CopyObject'),
  },
  {
    title: 'Creating one’s own bucket again with another ACL is BucketAlreadyExists',
    action: /^CreateBucket$/,
    field: outcome,
    holdfast: /^(409|BucketAlreadyExists)$/,
    right: 'radosgw',
    why: 'In us-east-1 the answer is 200 and the ACL is reset. Holdfast refuses, as today’s ceph/s3-tests ask: nothing should change an ACL by surprise.',
    source: api('CreateBucket'),
  },
  {
    title: 'Methods of a CORS rule are given back in the order they were put',
    action: /^GetBucketCors$/,
    field: /AllowedMethod$/,
    right: 'both',
    why: 'No order is promised.',
    source: api('GetBucketCors'),
  },
  {
    title: 'A preflight is told all methods of its rule',
    action: /^Preflight$/,
    field: /allow-methods$/,
    right: 'both',
    why: 'Access-Control-Allow-Methods may list more than was asked for.',
    source: guide('cors'),
  },
  {
    title: 'The location of a bucket of the first region is empty',
    action: /^GetBucketLocation$/,
    field: /^LocationConstraint/,
    right: 'Holdfast',
    why: 'Buckets in us-east-1 have a LocationConstraint of null.',
    source: api('GetBucketLocation'),
  },
  {
    title: 'ListMultipartUploads has next markers only when there is more',
    action: /^ListMultipartUploads$/,
    field: /Next(KeyMarker|UploadIdMarker)$/,
    holdfast: /^-$/,
    right: 'Holdfast',
    why: 'When a list is truncated these elements say what to go on with.',
    source: api('ListMultipartUploads'),
  },
  {
    title: 'Uploads of one key are listed by when they were begun',
    action: /^ListMultipartUploads$/,
    field: /Upload\/(UploadId|Initiated)$/,
    right: 'Holdfast',
    why: 'Uploads of one key are sorted by time of initiation; radosgw sorts by their ids.',
    source: api('ListMultipartUploads'),
  },
  {
    title: 'PutBucketTagging is answered with 204',
    action: /^PutBucketTagging$/,
    field: /^status$/,
    holdfast: /^204$/,
    right: 'both',
    why: 'The syntax says 200, the example 204. Clients take both.',
    source: api('PutBucketTagging'),
  },
  {
    title: 'A document is judged before the object it is for',
    action: /^PutObject(Tagging|Acl)$/,
    field: outcome,
    holdfast: /^(400|MalformedXML|InvalidArgument)$/,
    peer: /^(404|NoSuchKey)$/,
    right: 'both',
    why: 'Two faults in one request; both errors are named.',
    source: api('PutObjectTagging'),
  },
  {
    title: 'CreateBucket names the bucket in `Location`',
    action: /^CreateBucket$/,
    field: /^header location$/,
    right: 'Holdfast',
    why: 'The response has Location, a slash and the name.',
    source: api('CreateBucket'),
  },
  {
    title: 'The ETag in the answer to CopyObject stands in quotes',
    action: /^CopyObject$/,
    field: /ETag$/,
    right: 'Holdfast',
    why: 'The examples of CopyObjectResult have the quotes in the element.',
    source: api('CopyObject'),
  },
  {
    title: 'CopyObject tells the version it made',
    action: /^CopyObject$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'x-amz-version-id is the id of the copy.',
    source: api('CopyObject'),
  },
  {
    title: 'CopyObject tells the version it copied',
    action: /^CopyObject$/,
    field: /^header x-amz-copy-source-version-id$/,
    right: 'Holdfast',
    why: 'x-amz-copy-source-version-id is the id of the source.',
    source: api('CopyObject'),
  },
  {
    title: 'Deleting a policy, tags or a configuration is answered with 204',
    action: /^Delete(BucketPolicy|BucketTagging|ObjectTagging|BucketCors|BucketLifecycle\w*)$/,
    field: /^status$/,
    holdfast: /^204$/,
    peer: /^200$/,
    right: 'Holdfast',
    why: 'The response elements begin with HTTP/1.1 204.',
    source: api('DeleteBucketPolicy'),
  },
  {
    title: 'The objects of DeleteObjects are answered in the order of the request',
    action: /^DeleteObjects$/,
    field: /^DeleteResult\/Deleted\//,
    right: 'both',
    why: 'No order is promised; each names its key.',
    source: api('DeleteObjects'),
  },
  {
    title: 'MfaDelete is told only where it was configured',
    action: /^GetBucketVersioning$/,
    field: /MfaDelete$/,
    right: 'Holdfast',
    why: 'The element is only returned when the bucket has been configured with MFA delete.',
    source: api('GetBucketVersioning'),
  },
  {
    title: 'The null version is named in answers about it',
    action: /^(Get|Head|Delete)Object/,
    field: /^header x-amz-version-id$/,
    holdfast: /^null$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'In a bucket that keeps versions, or where a version is asked for, its id is told; `null` is the id of what was put without one.',
    source: guide('AddingObjectstoVersionSuspendedBuckets'),
  },
  {
    title: 'A range that ends before it begins is ignored',
    action: /^(Get|Head)Object$/,
    field: outcome,
    holdfast: /^(200|-)$/,
    when: ({ headers }) => headers?.range === 'bytes=9-2',
    right: 'Holdfast',
    why: 'GetObject refers to RFC 9110, by which such a range is invalid and not unsatisfiable, and an invalid Range field is ignored.',
    source: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-14.1.1',
  },
  {
    title: 'ListMultipartUploads repeats its markers',
    action: /^ListMultipartUploads$/,
    field: /(KeyMarker|UploadIdMarker)$/,
    peer: /^-$/,
    right: 'Holdfast',
    why: 'The examples have KeyMarker and UploadIdMarker, empty where none was sent.',
    source: api('ListMultipartUploads'),
  },
  {
    title: 'Entries of listings have no `Type`',
    action: /^List/,
    field: /\/Type$/,
    peer: /^Normal$/,
    right: 'Holdfast',
    why: 'An extension of Ceph’s; Object has no such field.',
    source: api('Object'),
  },
  {
    title: 'A negative `max-keys` is refused',
    action: /^ListObject/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => query?.['max-keys'] === '-1',
    right: 'Holdfast',
    why: 'max-keys is a number of keys; S3 answers InvalidArgument to what is not between 0 and 2147483647.',
    source: api('ListObjectsV2'),
  },
  {
    title: 'With `encoding-type=url` slashes stay as they are',
    action: /^List/,
    field: /(Key|Prefix|Marker|StartAfter|Delimiter)$/,
    when: ({ query }) => query?.['encoding-type'] === 'url',
    right: 'Holdfast',
    why: 'The parameter is for characters that XML can’t carry; ceph/s3-tests expect `foo%2B1/bar`.',
    source: api('ListObjectsV2'),
  },
  {
    title: 'ListObjects without a delimiter tells no NextMarker',
    action: /^ListObjects$/,
    field: /NextMarker$/,
    holdfast: /^-$/,
    right: 'Holdfast',
    why: 'The element is returned only with the parameter delimiter; otherwise the last key is the marker.',
    source: api('ListObjects'),
  },
  {
    title: 'ListParts tells who began the upload',
    action: /^ListParts$/,
    field: /Initiator/,
    right: 'Holdfast',
    why: 'The response has Initiator.',
    source: api('ListParts'),
  },
  {
    title: 'ListParts of an unknown upload is NoSuchUpload',
    action: /^ListParts$/,
    field: outcome,
    holdfast: /^NoSuchUpload$/,
    right: 'Holdfast',
    why: 'The error for an upload that does not exist is NoSuchUpload.',
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
  },
  {
    title: 'A preflight that no rule allows is AccessForbidden',
    action: /^Preflight$/,
    field: outcome,
    holdfast: /^AccessForbidden$/,
    right: 'Holdfast',
    why: 'The troubleshooting page shows 403 with CORSResponse; SDKs see the code AccessForbidden.',
    source: guide('cors-troubleshooting'),
  },
  {
    title: 'A CORS rule with an unknown method is InvalidRequest',
    action: /^PutBucketCors$/,
    field: outcome,
    holdfast: /^InvalidRequest$/,
    peer: /^MalformedXML$/,
    right: 'both',
    why: 'AllowedMethod is one of GET, PUT, HEAD, POST and DELETE; the documentation names no code. S3 answers InvalidRequest.',
    source: api('CORSRule'),
  },
  {
    title: 'A lifecycle rule without an action is InvalidRequest',
    action: /^PutBucketLifecycleConfiguration$/,
    field: outcome,
    holdfast: /^InvalidRequest$/,
    peer: /^MalformedXML$/,
    right: 'both',
    why: 'A rule must have at least one action; the documentation names no code. S3 answers InvalidRequest.',
    source: api('PutBucketLifecycleConfiguration'),
  },
  {
    title: 'A policy that is no policy is MalformedPolicy',
    action: /^PutBucketPolicy$/,
    field: outcome,
    holdfast: /^(400|MalformedPolicy)$/,
    right: 'Holdfast',
    why: 'MalformedPolicy is the error for a policy that does not conform; radosgw takes `{}` and calls broken JSON InvalidArgument.',
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
  },
  {
    title: 'A tag’s key twice, or too long, is InvalidTag on buckets too',
    action: /^Put(Bucket|Object)Tagging$/,
    field: outcome,
    holdfast: /^(400|InvalidTag)$/,
    right: 'Holdfast',
    why: 'PutBucketTagging names InvalidTag for tags that do not pass validation; keys are unique and have at most 128 characters.',
    source: api('PutBucketTagging'),
  },
  {
    title: 'A versioning status that is none is MalformedXML',
    action: /^PutBucketVersioning$/,
    field: outcome,
    holdfast: /^MalformedXML$/,
    peer: /^InvalidArgument$/,
    right: 'Holdfast',
    why: 'Status is Enabled or Suspended; what does not validate against the schema is MalformedXML.',
    source: 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
  },
  {
    title: 'PutObject and UploadPart do not send `accept-ranges`',
    action: /^(PutObject|UploadPart|CompleteMultipartUpload)$/,
    field: /^header accept-ranges$/,
    right: 'both',
    why: 'It is a header of GetObject and HeadObject.',
    source: api('PutObject'),
  },
  {
    title: 'Parts are numbered from 1 to 10,000',
    action: /^UploadPart$/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => /^(0|10001)$/.test(query?.partNumber ?? ''),
    right: 'Holdfast',
    why: 'Part numbers are 1 to 10,000; radosgw takes others.',
    source: api('UploadPart'),
  },
];

function isKnown(known: KnownDifference, step: Step, difference: Difference): boolean {
  return (
    known.action.test(step.action) &&
    known.field.test(difference.field) &&
    known.holdfast?.test(difference.holdfast) !== false &&
    known.peer?.test(difference.peer) !== false &&
    known.when?.(step) !== false
  );
}

/** Its title; undefined for what nobody has explained. */
export function explanationOf(step: Step, difference: Difference): string | undefined {
  return knownDifferences.find((known) => isKnown(known, step, difference))?.title;
}

/** docs/reference/s3-differences.md. */
export function differencesPage(): string {
  const rows = knownDifferences.map(
    ({ title, right, why, source }) =>
      `| ${title} | ${right} | ${why} | [${nameOf(source)}](${source}) |`,
  );
  return `# Differences from radosgw

\`npm run differential -- --against URL --against-keys ACCESS:SECRET\` sends random sequences of S3 operations to a cluster and to another service, and compares statuses, error codes, chosen headers and documents field by field: objects, copies, versions, listings, multipart uploads, tags, ACLs, policies, CORS and lifecycle rules. What differed from radosgw 16.2.15 was mended here, or is one of these kinds, each with who does as the words behind the link say. This page is made from \`src/test/differential/known-differences.ts\`.

| what differs | right | why | decided by |
|---|---|---|---|
${rows.join('\n')}
`;
}

function nameOf(source: string): string {
  const [, page = source] = /([^/]+)$/.exec(source) ?? [];
  return page.replace(/^API_|\.html.*$/g, '').replace('rfc9110', 'RFC 9110');
}
