// Who pays for requests to a bucket: its owner, unless it says otherwise.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { formatRequestPayment, parseRequestPayment, payerOf } from '../protocol/request-payment.ts';

export async function putBucketRequestPayment(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketRequestPayment', 'looked-up');
  const payer = parseRequestPayment(await readBody(context));
  const document = payer === 'Requester' ? formatRequestPayment(payer) : undefined;
  await context.parts.index.putDocument(access, 'request-payment', document);
  return emptyResponse(200);
}

export async function getBucketRequestPayment(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketRequestPayment', 'looked-up');
  return xmlResponse(formatRequestPayment(payerOf(access.configuration)));
}
