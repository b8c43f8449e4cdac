// A bucket's lifecycle rules. The job `lifecycle` acts on them.

import { formatHex } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type Operation,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { S3Error } from '../protocol/errors.ts';
import {
  checkNewLifecycle,
  checkNewRules,
  formatKeptLifecycle,
  formatLifecycle,
  lifecycleOf,
  parseLifecycle,
  transitionMinimumHeader,
  transitionMinimumHeaders,
  withTransitionMinimum,
} from '../protocol/lifecycle.ts';
import { removeDocument } from './bucket-ownership.ts';

export async function putBucketLifecycle(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutLifecycleConfiguration', 'looked-up');
  const { env, storageClasses, index } = context.parts;
  const newId = (): string => formatHex(env.secrets.bytes(16));
  const body = await readBody(context);
  checkNewLifecycle(body);
  const rules = withTransitionMinimum(
    parseLifecycle(body, newId, storageClasses),
    context.request.headers.get(transitionMinimumHeader),
  );
  checkNewRules(rules);
  await index.putDocument(access, 'lifecycle', formatKeptLifecycle(rules));
  return emptyResponse(200, transitionMinimumHeaders(rules));
}

export async function getBucketLifecycle(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetLifecycleConfiguration', 'looked-up');
  const rules = lifecycleOf(access.configuration);
  if (rules === undefined)
    throw new S3Error('NoSuchLifecycleConfiguration', undefined, {
      detail: { BucketName: access.name },
    });
  return xmlResponse(formatLifecycle(rules), transitionMinimumHeaders(rules));
}

export const deleteBucketLifecycle: Operation = removeDocument(
  's3:PutLifecycleConfiguration',
  'lifecycle',
);
