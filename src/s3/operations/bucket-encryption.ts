// How objects of a bucket are encrypted when they name nothing themselves.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type Operation,
  type OperationContext,
  readBody,
} from '../context.ts';
import {
  checkNewDefaultEncryption,
  formatDefaultEncryption,
  parseDefaultEncryption,
} from '../protocol/encryption.ts';
import { answerDocument, removeDocument } from './bucket-ownership.ts';

export async function putBucketEncryption(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutEncryptionConfiguration', 'looked-up');
  const body = await readBody(context);
  checkNewDefaultEncryption(body);
  const document = formatDefaultEncryption(parseDefaultEncryption(body));
  await context.parts.index.putDocument(access, 'encryption', document);
  return emptyResponse(200);
}

export const getBucketEncryption: Operation = answerDocument(
  's3:GetEncryptionConfiguration',
  'encryption',
  'ServerSideEncryptionConfigurationNotFoundError',
);

export const deleteBucketEncryption: Operation = removeDocument(
  's3:PutEncryptionConfiguration',
  'encryption',
);
