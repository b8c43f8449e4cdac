// AbortMultipartUpload: the upload's parts become garbage in the same call.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, emptyResponse, keyOf, type OperationContext } from '../context.ts';
import { refusalError } from '../index/index-client.ts';
import { abortUpload } from '../index/messages.ts';
import { uploadIdOf } from './upload-part.ts';

export async function abortMultipartUpload(context: OperationContext): Promise<HttpResponse> {
  const key = keyOf(context);
  const uploadId = uploadIdOf(context);
  const access = await accessBucket(context, 's3:AbortMultipartUpload');
  const answer = await context.parts.index.callKey(access, key, abortUpload, {
    key: encodeUtf8(key),
    uploadId,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  return emptyResponse(204);
}
