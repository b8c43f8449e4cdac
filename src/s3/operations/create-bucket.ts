// CreateBucket: the index shard is opened first, then the name is registered, so that a registered
// bucket always has its shard, and the shard refuses every writer that was declared dead before. A crash
// between the two leaves two rows nobody looks at.

import { equalBytes } from '../../base/bytes.ts';
import { formatBlobId } from '../../base/ids.ts';
import type { HttpResponse } from '../../env/http.ts';
import { type Action, checkIdentity } from '../authorization.ts';
import { shutNamesakes } from '../bucket-trash.ts';
import {
  bucketOf,
  emptyResponse,
  type OperationContext,
  readBody,
  wholeNowMs,
} from '../context.ts';
import type { BucketConfiguration, BucketDocument } from '../index/bucket-documents.ts';
import { type BucketRecord, bucketFormat } from '../index/format.ts';
import { bucketsObject, decodeConfiguration, firstRanges } from '../index/index-client.ts';
import * as messages from '../index/messages.ts';
import type { WriterSet } from '../index/writer-ranges.ts';
import { checkAclHeaders } from '../new-object.ts';
import { checkBucketName } from '../protocol/bucket-name.ts';
import { S3Error } from '../protocol/errors.ts';
import { bucketTagsMax } from '../protocol/limits.ts';
import { formatTagSet, parseTags } from '../protocol/object-headers.ts';
import { formatObjectLock } from '../protocol/object-lock.ts';
import { formatOwnershipControls, parseOwnershipName } from '../protocol/ownership.ts';
import { resourcePrefix } from '../protocol/policy.ts';
import { formatVersioning } from '../protocol/versioning.ts';
import { childText, only, onlyChild, parseXml, xmlDocument } from '../protocol/xml.ts';
import { newBucketAcl } from './bucket-acl.ts';

/** Writers are declared dead once an hour at most: the second attempt knows them all. */
const registrationsMax = 4;

/** What the headers configure the bucket to from its first moment. */
function documentsOf(context: OperationContext): readonly BucketDocument[] {
  const { headers } = context.request;
  const documents: BucketDocument[] = [];
  const asked = headers.get('x-amz-object-ownership');
  if (asked !== undefined) {
    const ownership = parseOwnershipName(asked);
    checkAclHeaders(headers, ownership);
    documents.push({ name: 'ownership-controls', body: formatOwnershipControls(ownership) });
  }
  const acl = newBucketAcl(context);
  if (acl !== undefined) documents.push({ name: 'acl', body: acl });
  if (headers.get('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true')
    documents.push(
      { name: 'versioning', body: formatVersioning('enabled') },
      { name: 'object-lock', body: formatObjectLock({ rule: undefined }) },
    );
  return documents;
}

/** What a bucket's first documents need beside the right to create it. */
const rights: Readonly<Record<string, Action>> = {
  acl: 's3:PutBucketAcl',
  'object-lock': 's3:PutBucketObjectLockConfiguration',
  'ownership-controls': 's3:PutBucketOwnershipControls',
  tagging: 's3:TagResource',
  versioning: 's3:PutBucketVersioning',
};

interface Asked {
  /** The constraint is remembered and given back; there is one place only. */
  readonly location: string;
  readonly documents: readonly BucketDocument[];
}

/** What the body asks for. Throws `MalformedXML`, `InvalidTag`, `NotImplemented` for buckets of other kinds. */
async function readConfiguration(context: OperationContext): Promise<Asked> {
  const nothing = { location: '', documents: [] };
  const { headers } = context.request;
  if (!headers.has('content-length') && !headers.has('transfer-encoding')) return nothing;
  const body = await readBody(context);
  if (body.length === 0) return nothing;
  const root = parseXml(body, 'CreateBucketConfiguration');
  only(root, ['LocationConstraint', 'Location', 'Bucket', 'Tags']);
  for (const name of ['Location', 'Bucket'])
    if (onlyChild(root, name) !== undefined)
      throw new S3Error('NotImplemented', `${name}: there are no directory buckets`);
  const location = childText(root, 'LocationConstraint')?.trim() ?? '';
  const set = onlyChild(root, 'Tags');
  const tags = set === undefined ? [] : parseTags(set, bucketTagsMax);
  if (tags.length === 0) return { location, documents: [] };
  return {
    location,
    documents: [{ name: 'tagging', body: xmlDocument('Tagging', formatTagSet(tags)) }],
  };
}

export async function createBucket(context: OperationContext): Promise<HttpResponse> {
  const { parts, user } = context;
  const name = bucketOf(context);
  checkBucketName(name);
  if (user.name === '') throw new S3Error('AccessDenied');
  checkIdentity(context, 's3:CreateBucket', `${resourcePrefix}${name}`, 'allow');
  const { location, documents: asked } = await readConfiguration(context);
  const documents = [...documentsOf(context), ...asked];
  for (const document of documents) {
    const action = rights[document.name];
    if (action !== undefined) checkIdentity(context, action, `${resourcePrefix}${name}`, 'allow');
  }
  // Most creations of an existing bucket end here, without an id and a shard.
  const known = await parts.index.callObject(bucketsObject, messages.getBucket, { name });
  if (known.record !== undefined) {
    const configuration = decodeConfiguration(known.configuration);
    return alreadyThere(context, known.record, { configuration, documents });
  }
  await shutNamesakes(parts.index, name);
  const bucketId = formatBlobId(await parts.cluster.allocateBlobs(1));
  const ranges = firstRanges(bucketId);
  for (const range of ranges) await parts.index.callObject(range.object, messages.openShard, {});
  const record = {
    bucketId,
    owner: user.name,
    createdWallMs: wholeNowMs(parts),
    location,
    ranges,
    nextShard: ranges.length,
    splits: [],
    removing: undefined,
  };
  const created = await register(context, record, documents);
  if (created.kind === 'exists') {
    // Somebody was faster; our shard is empty and nobody knows it.
    for (const range of ranges) {
      await parts.index.callObject(range.object, messages.sealShard, {});
      await parts.index.callObject(range.object, messages.sweepShard, {});
    }
    return alreadyThere(context, created.record);
  }
  return emptyResponse(200, [['location', `/${name}`]]);
}

async function register(
  context: OperationContext,
  bucket: BucketRecord,
  documents: readonly BucketDocument[],
): Promise<
  { readonly kind: 'created' } | { readonly kind: 'exists'; readonly record: Uint8Array }
> {
  const { index } = context.parts;
  const name = bucketOf(context);
  const record = bucketFormat.encode(bucket);
  let cancelled: WriterSet = [];
  for (let attempt = 0; attempt < registrationsMax; attempt++) {
    const call = { name, record, cancelled, documents };
    const answer = await index.callObject(bucketsObject, messages.createBucket, call);
    if (answer.kind !== 'behind') {
      await index.forget(name);
      return answer;
    }
    cancelled = answer.cancelled;
    for (const { object } of bucket.ranges)
      await index.callObject(object, messages.cancelWriters, { writers: cancelled });
  }
  throw new S3Error('ServiceUnavailable');
}

/** In us-east-1 AWS answers its owner's repetition with success, elsewhere with a conflict. */
function alreadyThere(
  context: OperationContext,
  record: Uint8Array,
  rights?: {
    readonly configuration: BucketConfiguration;
    readonly documents: readonly BucketDocument[];
  },
): HttpResponse {
  const name = bucketOf(context);
  const detail = { detail: { BucketName: name } };
  // Made again with other rights it would not be what was asked for.
  const asked = rights?.documents.find((each) => each.name === 'acl')?.body;
  const kept = rights?.configuration.get('acl');
  const isOther =
    rights !== undefined &&
    (asked === undefined || kept === undefined ? asked !== kept : !equalBytes(asked, kept));
  if (isOther) throw new S3Error('BucketAlreadyExists', undefined, detail);
  if (bucketFormat.decode(record).owner !== context.user.name)
    throw new S3Error('BucketAlreadyExists', undefined, detail);
  if (context.parts.region !== 'us-east-1')
    throw new S3Error('BucketAlreadyOwnedByYou', undefined, detail);
  return emptyResponse(200, [['location', `/${name}`]]);
}
