// DeleteBucket: the shard is sealed, if empty, in one call with the check; from then on nothing can be
// put there. Then the name is given up. What the shard still holds (uploads, garbage) goes with the collector.

import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, emptyResponse, type OperationContext } from '../context.ts';
import * as messages from '../index/messages.ts';
import { S3Error } from '../protocol/errors.ts';

export async function deleteBucket(context: OperationContext): Promise<HttpResponse> {
  const { index } = context.parts;
  const access = await accessBucket(context, 'looked-up');
  for (const { object } of access.record.ranges) {
    const { outcome } = await index.callObject(object, messages.sealShard, {});
    if (outcome === 'not-empty')
      throw new S3Error('BucketNotEmpty', undefined, { detail: { BucketName: access.name } });
  }
  await index.unregister(access.name, access.record.bucketId);
  return emptyResponse(204);
}
