// CreateBucket: the index shard is opened first, then the name is registered, so that a registered
// bucket always has its shard, and the shard refuses every writer that was declared dead before. A crash
// between the two leaves two rows nobody looks at.

import { formatBlobId } from '../../base/ids.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  bucketOf,
  emptyResponse,
  type OperationContext,
  readBody,
  wholeNowMs,
} from '../context.ts';
import { type BucketRecord, bucketFormat } from '../index/format.ts';
import { bucketsObject, firstRanges } from '../index/index-client.ts';
import * as messages from '../index/messages.ts';
import type { WriterSet } from '../index/writer-ranges.ts';
import { checkBucketName } from '../protocol/bucket-name.ts';
import { S3Error } from '../protocol/errors.ts';
import { refuseUnsupportedHeaders } from '../protocol/object-headers.ts';
import type { HeaderMap } from '../protocol/request.ts';
import { childText, parseXml } from '../protocol/xml.ts';

/** Writers are declared dead once an hour at most: the second attempt knows them all. */
const registrationsMax = 4;

function refuseBucketOptions(headers: HeaderMap): void {
  refuseUnsupportedHeaders(headers);
  if (headers.get('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true')
    throw new S3Error('NotImplemented', 'x-amz-bucket-object-lock-enabled is not implemented');
  const ownership = headers.get('x-amz-object-ownership');
  if (ownership !== undefined && ownership !== 'BucketOwnerEnforced')
    throw new S3Error('NotImplemented', `x-amz-object-ownership: ${ownership} is not implemented`);
}

/** The constraint is remembered and given back; there is one place only. */
async function readLocation(context: OperationContext): Promise<string> {
  const { headers } = context.request;
  if (!headers.has('content-length') && !headers.has('transfer-encoding')) return '';
  const body = await readBody(context);
  if (body.length === 0) return '';
  return childText(parseXml(body, 'CreateBucketConfiguration'), 'LocationConstraint')?.trim() ?? '';
}

export async function createBucket(context: OperationContext): Promise<HttpResponse> {
  const { parts, user } = context;
  const name = bucketOf(context);
  checkBucketName(name);
  refuseBucketOptions(context.request.headers);
  const location = await readLocation(context);
  // Most creations of an existing bucket end here, without an id and a shard.
  const { record } = await parts.index.callObject(bucketsObject, messages.getBucket, { name });
  if (record !== undefined) return alreadyThere(context, record);
  const bucketId = formatBlobId(await parts.cluster.allocateBlobs(1));
  const ranges = firstRanges(bucketId);
  for (const range of ranges) await parts.index.callObject(range.object, messages.openShard, {});
  const created = await register(context, {
    bucketId,
    owner: user.name,
    createdWallMs: wholeNowMs(parts),
    location,
    ranges,
  });
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
): Promise<
  { readonly kind: 'created' } | { readonly kind: 'exists'; readonly record: Uint8Array }
> {
  const { index } = context.parts;
  const name = bucketOf(context);
  const record = bucketFormat.encode(bucket);
  let cancelled: WriterSet = [];
  for (let attempt = 0; attempt < registrationsMax; attempt++) {
    const call = { name, record, cancelled, documents: [] };
    const answer = await index.callObject(bucketsObject, messages.createBucket, call);
    if (answer.kind !== 'behind') {
      index.forget(name);
      return answer;
    }
    cancelled = answer.cancelled;
    for (const { object } of bucket.ranges)
      await index.callObject(object, messages.cancelWriters, { writers: cancelled });
  }
  throw new S3Error('ServiceUnavailable');
}

/** In us-east-1 AWS answers its owner's repetition with success, elsewhere with a conflict. */
function alreadyThere(context: OperationContext, record: Uint8Array): HttpResponse {
  const name = bucketOf(context);
  const detail = { detail: { BucketName: name } };
  if (bucketFormat.decode(record).owner !== context.user.name)
    throw new S3Error('BucketAlreadyExists', undefined, detail);
  if (context.parts.region !== 'us-east-1')
    throw new S3Error('BucketAlreadyOwnedByYou', undefined, detail);
  return emptyResponse(200, [['location', `/${name}`]]);
}
