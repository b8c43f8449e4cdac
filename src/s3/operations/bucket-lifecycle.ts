// A bucket's lifecycle rules. The job `lifecycle` acts on them.

import { formatHex } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type Operation,
  type OperationContext,
  readBody,
} from '../context.ts';
import {
  checkNewLifecycle,
  checkNewRules,
  formatLifecycle,
  parseLifecycle,
} from '../protocol/lifecycle.ts';
import { answerDocument, removeDocument } from './bucket-ownership.ts';

export async function putBucketLifecycle(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutLifecycleConfiguration', 'looked-up');
  const { env, storageClasses, index } = context.parts;
  const newId = (): string => formatHex(env.secrets.bytes(16));
  const body = await readBody(context);
  checkNewLifecycle(body);
  const rules = parseLifecycle(body, newId, storageClasses);
  checkNewRules(rules);
  await index.putDocument(access, 'lifecycle', formatLifecycle(rules));
  return emptyResponse(200);
}

export const getBucketLifecycle: Operation = answerDocument(
  's3:GetLifecycleConfiguration',
  'lifecycle',
  'NoSuchLifecycleConfiguration',
);

export const deleteBucketLifecycle: Operation = removeDocument(
  's3:PutLifecycleConfiguration',
  'lifecycle',
);
