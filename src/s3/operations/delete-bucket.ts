// DeleteBucket: the shard is sealed, if empty, in one call with the check; from then on nothing can be
// put there. Then the name is given up. What the shard still holds (uploads, garbage) goes with the collector.

import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, emptyResponse, type OperationContext } from '../context.ts';
import * as messages from '../index/messages.ts';
import { S3Error } from '../protocol/errors.ts';

export async function deleteBucket(context: OperationContext): Promise<HttpResponse> {
  const { index } = context.parts;
  const access = await accessBucket(context, 's3:DeleteBucket', 'looked-up');
  const [range, ...others] = access.record.ranges;
  // Sealing one of several shards before knowing that all are empty would lock half a bucket.
  if (range === undefined || others.length > 0)
    throw new S3Error('NotImplemented', 'Removing a bucket with a split index is not implemented');
  const { outcome } = await index.callObject(range.object, messages.sealShard, {});
  if (outcome === 'not-empty')
    throw new S3Error('BucketNotEmpty', undefined, { detail: { BucketName: access.name } });
  await index.unregister(access.name, access.record.bucketId);
  return emptyResponse(204);
}
