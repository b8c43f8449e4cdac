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
  readonly page: Page;
  /** The line of the page that decides; without one, none does. */
  readonly quote?: string;
  /** What else is to be said, in our own words; may be empty. */
  readonly why: string;
}

interface Page {
  readonly title: string;
  readonly address: string;
}

const documents = 'https://docs.aws.amazon.com/AmazonS3/latest';

function apiPage(name: string): Page {
  return { title: name.replace(/^API_/, ''), address: `${documents}/API/${name}.html` };
}

function api(name: string): Page {
  return apiPage(`API_${name}`);
}

function guide(name: string): Page {
  return { title: name, address: `${documents}/userguide/${name}.html` };
}

function rfc9110(section: string): Page {
  const title = `RFC 9110, ${section.replace('-', ' ')}`;
  return { title, address: `https://www.rfc-editor.org/rfc/rfc9110.html#${section}` };
}

const outcome = /^(status|code)$/;

export const knownDifferences: readonly KnownDifference[] = [
  {
    title: 'An absent key is answered with `x-amz-delete-marker: false`',
    action: /.*/,
    field: /^header x-amz-delete-marker$/,
    holdfast: /^false$/,
    peer: /^-$/,
    right: 'radosgw',
    page: guide('DeleteMarker'),
    quote:
      'This response header never returns false; if the value is false, Amazon S3 does not include this response header in the response.',
    why: 'Holdfast sends it because today’s ceph/s3-tests ask for it; clients take it for what its absence means.',
  },
  {
    title: 'That a delete marker was met or made is told in every answer about it',
    action: /.*/,
    field: /^header x-amz-delete-marker$/,
    holdfast: /^true$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: guide('DeleteMarker'),
    quote:
      'If you try to get an object and its current version is a delete marker, Amazon S3 responds with: A 404 (Object not found) error; A response header, x-amz-delete-marker: true',
    why: 'radosgw leaves the header out of some of them.',
  },
  {
    title: 'A delete marker asked for by its version is 405',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^(405|MethodNotAllowed)$/,
    peer: /^(404|NoSuchKey|-)$/,
    when: ({ query }) => query?.versionId !== undefined,
    right: 'Holdfast',
    page: api('GetObject'),
    quote:
      'If the specified version in the request is a delete marker, the response returns a 405 Method Not Allowed error and the Last-Modified: timestamp response header.',
    why: 'radosgw answers 404.',
  },
  {
    title: 'A version that is not there is NoSuchVersion',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^NoSuchVersion$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'NoSuchVersion: The version ID specified in the request does not match an existing version.',
    why: '',
  },
  {
    title: 'A version id that can be none is InvalidArgument',
    action: /Object(Tagging|Acl)?$/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => query?.versionId !== undefined,
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'InvalidArgument is for an argument “in the wrong format”, NoSuchVersion for one that “does not match an existing version”; which of them is meant is not said. radosgw looks for it, or deletes it with 204.',
  },
  {
    title: 'A range that is none, or several, are passed over',
    action: /^(Get|Head)Object$/,
    field: outcome,
    when: ({ headers }) => /^bytes=(a|0-1,3-4)$/.test(headers?.range ?? ''),
    right: 'both',
    page: api('GetObject'),
    quote: "Amazon S3 doesn't support retrieving multiple ranges of data per GET request.",
    why: 'What is answered is not said, and by RFC 9110 a server may ignore the field. radosgw gives the first range, or 416 for what is no range.',
  },
  {
    title: '416 tells the length of the object',
    action: /^(Get|Head)Object$/,
    field: /^header content-range$/,
    holdfast: /^bytes \*\//,
    right: 'Holdfast',
    page: rfc9110('section-15.5.17'),
    quote:
      'A server that generates a 416 response to a byte-range request SHOULD generate a Content-Range header field specifying the current length of the selected representation.',
    why: 'GetObject refers to this RFC for ranges.',
  },
  {
    title: 'Conditions are judged before ranges, and `if-none-match: *` is one',
    action: /^(Get|Head)Object$/,
    field: outcome,
    holdfast: /^(304|412|PreconditionFailed|NotModified|-)$/,
    right: 'Holdfast',
    page: rfc9110('section-13.1.2'),
    quote:
      'If the field value is "*", the condition is false if the origin server has a current representation for the target resource.',
    why: 'By section 14.2 the Range field counts only “if all of the preconditions are true”.',
  },
  {
    title: 'Answers about tags and ACLs name the version they are of',
    action: /^(Get|Put|Delete)Object(Tagging|Acl)$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: api('GetObjectTagging'),
    quote:
      'x-amz-version-id: The versionId of the object for which you got the tagging information.',
    why: 'So do PutObjectTagging and DeleteObjectTagging. Of ACLs no line says it: Holdfast treats them alike.',
  },
  {
    title: 'A deleted version is named',
    action: /^DeleteObject$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: guide('ManagingDelMarkers'),
    quote:
      'When you delete a delete marker, Amazon S3 includes in the response: 204 NoContent, x-amz-version-id: versionID, x-amz-delete-marker: true',
    why: 'API_DeleteObject says of the header only that it names the delete marker that was made.',
  },
  {
    title: 'CompleteMultipartUpload tells the ETag in quotes, and lists give it',
    action: /^(CompleteMultipartUpload|List\w+)$/,
    field: /ETag$/,
    peer: /^(""|[^"]*)$/,
    right: 'Holdfast',
    page: api('CompleteMultipartUpload'),
    quote: "Entity tag that identifies the newly created object's data.",
    why: 'The examples have it in quotes. radosgw 16 gives it without, or none, also in lists.',
  },
  {
    title: 'Completing an unknown upload is NoSuchUpload',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(404|NoSuchUpload)$/,
    right: 'Holdfast',
    page: api('CompleteMultipartUpload'),
    quote:
      'NoSuchUpload: The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed. HTTP Status Code: 404 Not Found',
    why: 'radosgw answers 500.',
  },
  {
    title: 'Of a part too small and one unknown, the first counts',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(EntityTooSmall|InvalidPart)$/,
    right: 'both',
    page: api('CompleteMultipartUpload'),
    why: 'Two faults in one request: EntityTooSmall and InvalidPart are both listed, in no order of precedence.',
  },
  {
    title: 'The location of a completed object is percent-encoded',
    action: /^CompleteMultipartUpload$/,
    field: /Location$/,
    right: 'Holdfast',
    page: api('CompleteMultipartUpload'),
    quote: 'Location: The URI that identifies the newly created object.',
    why: 'A URI has no characters beyond ASCII.',
  },
  {
    title: 'An upload can be completed without some of its parts',
    action: /^CompleteMultipartUpload$/,
    field: outcome,
    holdfast: /^(200|-)$/,
    peer: /^(400|InvalidPart)$/,
    right: 'Holdfast',
    page: api('CompleteMultipartUpload'),
    quote:
      'The CompleteMultipartUpload API operation concatenates the parts that you provide in the list.',
    why: 'InvalidPart is for “specified parts” that “could not be found”. The same page asks clients to “ensure that the parts list is complete”; radosgw refuses a list that lacks one.',
  },
  {
    title: 'A copy of an object that was sent in parts has the ETag of its bytes',
    action: /^(GetObject|HeadObject|ListObject\w*)$/,
    field: /etag$/i,
    holdfast: /^"[0-9a-f]{32}"$/,
    peer: /^"[0-9a-f]{32}-\d+"$/,
    right: 'Holdfast',
    page: api('Object'),
    quote:
      'Objects created by the PUT Object, POST Object, or Copy operation, … and are encrypted by SSE-S3 or plaintext, have ETags that are an MD5 digest of their object data.',
    why: 'radosgw keeps the source’s.',
  },
  {
    title: 'A delete of a delete marker’s key makes another',
    action: /^ListObjectVersions$/,
    field: /^ListVersionsResult\/DeleteMarker\//,
    right: 'Holdfast',
    page: guide('ManagingDelMarkers'),
    quote:
      'If you use a DELETE request to delete a delete marker (without specifying the version ID of the delete marker), Amazon S3 does not delete the delete marker, but instead, inserts another delete marker.',
    why: 'radosgw leaves the one.',
  },
  {
    title: 'A list of versions goes on after the key that is its marker',
    action: /^ListObjectVersions$/,
    field: /(NextKeyMarker|Version\/(Key|VersionId|ETag|Size|StorageClass|IsLatest))$/,
    when: ({ query }) => query?.['key-marker'] !== undefined,
    right: 'Holdfast',
    page: api('ListObjectVersions'),
    quote:
      'GET /?versions&key-marker=key2 … <KeyMarker>key2</KeyMarker><VersionIdMarker/> … <Version><Key>key3</Key>',
    why: 'So the example; the parameter’s own text, “the key to start with”, could be read either way. radosgw gives that key’s newest version again.',
  },
  {
    title: '304 tells the ETag',
    action: /^(Get|Head)Object$/,
    field: /^header etag$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: rfc9110('section-15.4.5'),
    quote:
      'The server generating a 304 response MUST generate any of the following header fields that would have been sent in a 200 (OK) response to the same request: Content-Location, Date, ETag, and Vary',
    why: '',
  },
  {
    title: 'After a common prefix a list of versions goes on from its name alone',
    action: /^ListObjectVersions$/,
    field: /NextVersionIdMarker$/,
    right: 'both',
    page: api('ListObjectVersions'),
    why: 'NextVersionIdMarker is told of versions only; a common prefix has none. radosgw says `null`.',
  },
  {
    title: 'Conditions on the source of a copy are honoured',
    action: /^CopyObject$/,
    field: outcome,
    holdfast: /^(412|PreconditionFailed)$/,
    right: 'Holdfast',
    page: api('CopyObject'),
    quote:
      'x-amz-copy-source-if-match: Copies the object if its entity tag (ETag) matches the specified tag.',
    why: 'PreconditionFailed is “At least one of the preconditions that you specified did not hold”, 412. radosgw 16 copies where it should not.',
  },
  {
    title: 'Creating one’s own bucket again with another ACL is BucketAlreadyExists',
    action: /^CreateBucket$/,
    field: outcome,
    holdfast: /^(409|BucketAlreadyExists)$/,
    right: 'radosgw',
    page: api('CreateBucket'),
    quote:
      'For legacy compatibility, if you re-create an existing bucket that you already own in the North Virginia Region, Amazon S3 returns 200 OK and resets the bucket access control lists (ACLs).',
    why: 'Elsewhere, it says, the answer is BucketAlreadyOwnedByYou. Holdfast refuses another ACL, as today’s ceph/s3-tests ask: nothing should change an ACL by surprise.',
  },
  {
    title: 'Methods of a CORS rule are given back in the order they were put',
    action: /^GetBucketCors$/,
    field: /AllowedMethod$/,
    right: 'both',
    page: api('GetBucketCors'),
    why: 'No order is promised.',
  },
  {
    title: 'The location of a bucket of the first region is empty',
    action: /^GetBucketLocation$/,
    field: /^LocationConstraint/,
    right: 'Holdfast',
    page: api('GetBucketLocation'),
    quote: 'Buckets in Region us-east-1 have a LocationConstraint of null.',
    why: '',
  },
  {
    title: 'ListMultipartUploads has next markers only when there is more',
    action: /^ListMultipartUploads$/,
    field: /Next(KeyMarker|UploadIdMarker)$/,
    holdfast: /^-$/,
    right: 'both',
    page: api('ListMultipartUploads'),
    quote:
      'When a list is truncated, this element specifies the value that should be used for the key-marker request parameter in a subsequent request.',
    why: 'Of other lists nothing is said; two of the examples have the elements there too, one of them empty.',
  },
  {
    title: 'Uploads of one key are listed by when they were begun',
    action: /^ListMultipartUploads$/,
    field: /Upload\/(UploadId|Initiated)$/,
    right: 'Holdfast',
    page: api('ListMultipartUploads'),
    quote:
      'Time-based sorting - For uploads that share the same object key, they are further sorted in ascending order based on the upload initiation time.',
    why: 'radosgw sorts by their ids.',
  },
  {
    title: 'PutBucketTagging is answered with 204',
    action: /^PutBucketTagging$/,
    field: /^status$/,
    holdfast: /^204$/,
    right: 'both',
    page: api('PutBucketTagging'),
    why: 'The text says “the service sends back an HTTP 200 response”, the sample response on the same page “HTTP/1.1 204 No Content”. Clients take both.',
  },
  {
    title: 'A document is judged before the object it is for',
    action: /^PutObject(Tagging|Acl)$/,
    field: outcome,
    holdfast: /^(400|MalformedXML|InvalidArgument)$/,
    peer: /^(404|NoSuchKey)$/,
    right: 'both',
    page: api('PutObjectTagging'),
    why: 'Two faults in one request: the errors of both are listed, in no order of precedence.',
  },
  {
    title: 'CreateBucket names the bucket in `Location`',
    action: /^CreateBucket$/,
    field: /^header location$/,
    right: 'Holdfast',
    page: api('CreateBucket'),
    quote: 'Location: A forward slash followed by the name of the bucket',
    why: '',
  },
  {
    title: 'The ETag in the answer to CopyObject stands in quotes',
    action: /^CopyObject$/,
    field: /ETag$/,
    right: 'Holdfast',
    page: api('CopyObject'),
    quote: 'Returns the ETag of the new object.',
    why: 'The examples have the quotes in the element.',
  },
  {
    title: 'CopyObject tells the version it made',
    action: /^CopyObject$/,
    field: /^header x-amz-version-id$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: api('CopyObject'),
    quote: 'x-amz-version-id: Version ID of the newly created copy.',
    why: '',
  },
  {
    title: 'CopyObject tells the version it copied',
    action: /^CopyObject$/,
    field: /^header x-amz-copy-source-version-id$/,
    right: 'Holdfast',
    page: api('CopyObject'),
    quote: 'x-amz-copy-source-version-id: Version ID of the source object that was copied.',
    why: '',
  },
  {
    title: 'Deleting a policy, tags or a configuration is answered with 204',
    action: /^Delete(BucketPolicy|BucketTagging|ObjectTagging|BucketCors|BucketLifecycle\w*)$/,
    field: /^status$/,
    holdfast: /^204$/,
    peer: /^200$/,
    right: 'Holdfast',
    page: api('DeleteBucketPolicy'),
    quote:
      'If the action is successful, the service sends back an HTTP 204 response with an empty HTTP body.',
    why: 'DeleteBucketTagging’s page has the same sentence, and Amazon’s model of the API, from which its SDKs are made, 204 for all of them.',
  },
  {
    title: 'The objects of DeleteObjects are answered in the order of the request',
    action: /^DeleteObjects$/,
    field: /^DeleteResult\/Deleted\//,
    right: 'both',
    page: api('DeleteObjects'),
    why: '“The response includes the result of deletion of each key in your request”; no order is promised.',
  },
  {
    title: 'MfaDelete is told only where it was configured',
    action: /^GetBucketVersioning$/,
    field: /MfaDelete$/,
    right: 'Holdfast',
    page: api('GetBucketVersioning'),
    quote:
      'This element is only returned if the bucket has been configured with MFA delete. If the bucket has never been so configured, this element is not returned.',
    why: '',
  },
  {
    title: 'The null version is named in answers about it',
    action: /^(Get|Head|Delete)Object/,
    field: /^header x-amz-version-id$/,
    holdfast: /^null$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: guide('AddingObjectstoVersionSuspendedBuckets'),
    quote:
      'Once you suspend versioning on a bucket, Amazon S3 automatically adds a null version ID to every subsequent object stored thereafter',
    why: 'GetObject has x-amz-version-id as the “Version ID of the object”, and makes no exception of that one.',
  },
  {
    title: 'A range that ends before it begins is ignored',
    action: /^(Get|Head)Object$/,
    field: outcome,
    holdfast: /^(200|-)$/,
    when: ({ headers }) => headers?.range === 'bytes=9-2',
    right: 'both',
    page: rfc9110('section-14.2'),
    quote:
      'A server that supports range requests MAY ignore or reject a Range header field that contains an invalid ranges-specifier',
    why: 'Such a range is invalid by section 14.1.1. radosgw rejects it, Holdfast ignores it.',
  },
  {
    title: 'ListMultipartUploads repeats its markers',
    action: /^ListMultipartUploads$/,
    field: /(KeyMarker|UploadIdMarker)$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: api('ListMultipartUploads'),
    quote: 'KeyMarker: The key at or after which the listing began.',
    why: 'The examples have it and UploadIdMarker, empty where none was sent.',
  },
  {
    title: 'Entries of listings have no `Type`',
    action: /^List/,
    field: /\/Type$/,
    peer: /^Normal$/,
    right: 'Holdfast',
    page: api('Object'),
    why: 'An extension of Ceph’s; the page lists the fields of an entry, and this is none of them.',
  },
  {
    title: 'A negative `max-keys` is refused',
    action: /^ListObject/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => query?.['max-keys'] === '-1',
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'InvalidArgument is for when “the specified argument was not valid”; no line says which numbers are.',
  },
  {
    title: 'With `encoding-type=url` slashes stay as they are',
    action: /^List/,
    field: /(Key|Prefix|Marker|StartAfter|Delimiter)$/,
    when: ({ query }) => query?.['encoding-type'] === 'url',
    right: 'both',
    page: api('ListObjectsV2'),
    why: '“An object key can contain any Unicode character”, and the parameter is for those that XML 1.0 can’t carry; the example encodes parentheses, none has a slash. ceph/s3-tests expect `foo%2B1/bar`.',
  },
  {
    title: 'ListObjects without a delimiter tells no NextMarker',
    action: /^ListObjects$/,
    field: /NextMarker$/,
    holdfast: /^-$/,
    right: 'Holdfast',
    page: api('ListObjects'),
    quote: 'This element is returned only if you have the delimiter request parameter specified.',
    why: '',
  },
  {
    title: 'ListParts tells who began the upload',
    action: /^ListParts$/,
    field: /Initiator/,
    right: 'Holdfast',
    page: api('ListParts'),
    quote: 'Initiator: Container element that identifies who initiated the multipart upload.',
    why: '',
  },
  {
    title: 'ListParts of an unknown upload is NoSuchUpload',
    action: /^ListParts$/,
    field: outcome,
    holdfast: /^NoSuchUpload$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'NoSuchUpload: The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed.',
    why: '',
  },
  {
    title: 'A preflight that no rule allows is AccessForbidden',
    action: /^Preflight$/,
    field: outcome,
    holdfast: /^AccessForbidden$/,
    right: 'Holdfast',
    page: guide('cors-troubleshooting'),
    quote: 'HTTP/1.1 403 Forbidden CORS Response: This CORS request is not allowed.',
    why: 'Of the code no line says anything; SDKs see AccessForbidden.',
  },
  {
    title: 'A CORS rule with an unknown method is InvalidRequest',
    action: /^PutBucketCors$/,
    field: outcome,
    holdfast: /^InvalidRequest$/,
    peer: /^MalformedXML$/,
    right: 'both',
    page: api('CORSRule'),
    why: '“Valid values are GET, PUT, HEAD, POST, and DELETE”; the code for another is not named. radosgw answers MalformedXML.',
  },
  {
    title: 'A lifecycle rule without an action is InvalidRequest',
    action: /^PutBucketLifecycleConfiguration$/,
    field: outcome,
    holdfast: /^InvalidRequest$/,
    peer: /^MalformedXML$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote: 'InvalidRequest: … At least one action must be specified in a lifecycle rule.',
    why: 'radosgw answers MalformedXML.',
  },
  {
    title: 'A policy that is no policy is MalformedPolicy',
    action: /^PutBucketPolicy$/,
    field: outcome,
    holdfast: /^(400|MalformedPolicy)$/,
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'MalformedPolicy is explained as “Your policy contains a principal that is not valid”, InvalidPolicyDocument as being about forms; nothing else fits. radosgw takes `{}` and calls broken JSON InvalidArgument.',
  },
  {
    title: 'A tag’s key twice, or too long, is InvalidTag on buckets too',
    action: /^Put(Bucket|Object)Tagging$/,
    field: outcome,
    holdfast: /^(400|InvalidTag)$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'InvalidTag: Your request contains tag input that is not valid. For example, your request might contain duplicate keys, keys or values that are too long, or system tags.',
    why: '',
  },
  {
    title: 'A versioning status that is none is MalformedXML',
    action: /^PutBucketVersioning$/,
    field: outcome,
    holdfast: /^MalformedXML$/,
    peer: /^InvalidArgument$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'MalformedXML: The XML that you provided was not well formed or did not validate against our published schema.',
    why: 'Status is Enabled or Suspended there. IllegalVersioningConfigurationException would fit as well; radosgw’s InvalidArgument is about arguments.',
  },
  {
    title: 'PutObject and UploadPart do not send `accept-ranges`',
    action: /^(PutObject|UploadPart|CompleteMultipartUpload)$/,
    field: /^header accept-ranges$/,
    right: 'both',
    page: api('PutObject'),
    why: 'The page does not list the header; GetObject’s does.',
  },
  {
    title: 'Parts are numbered from 1 to 10,000',
    action: /^UploadPart$/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ query }) => /^(0|10001)$/.test(query?.partNumber ?? ''),
    right: 'Holdfast',
    page: api('UploadPart'),
    quote: 'Part numbers can be any number from 1 to 10,000, inclusive.',
    why: 'radosgw takes others.',
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
  const rows = knownDifferences.map(({ title, right, quote, why, page }) => {
    const words = quote === undefined ? 'No line decides.' : `“${inCell(quote)}”`;
    const link = `[${page.title}](${page.address})`;
    return `| ${title} | ${right} | ${words} ${link} | ${why} |`;
  });
  return `# Differences from radosgw

\`npm run differential -- --against URL --against-keys ACCESS:SECRET\` sends random sequences of S3 operations to a cluster and to another service, and compares statuses, error codes, chosen headers and documents field by field: objects, copies, versions, listings, multipart uploads, tags, ACLs, policies, CORS and lifecycle rules. What differed from radosgw 16.2.15 was mended here, or is one of these kinds, each with the line of Amazon’s documentation, or of the standard that it refers to, and who does as it says. Where no line decides, either may be right, and the page named is the nearest. This page is made from \`src/test/differential/known-differences.ts\`.

| what differs | right | the line | beside it |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** As text of a table's cell: what looks like markup is shown. */
function inCell(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('|', '\\|').replaceAll('*', '\\*');
}
