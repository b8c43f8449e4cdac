// DeleteBucket: its shards are sealed or closed, each if it is empty in one call with the check; from then on nothing
// can be put there. Then the name is given up. What the shards still hold (uploads, garbage) goes with the collector.

import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, emptyResponse, type OperationContext } from '../context.ts';

export async function deleteBucket(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:DeleteBucket', 'looked-up');
  await context.parts.index.removeBucket(access);
  return emptyResponse(204);
}
