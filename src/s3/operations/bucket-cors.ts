// A bucket's CORS rules, the browser's question before a request (preflight), and what any answer to a page
// of another origin must say so that the browser shows it.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type GatewayParts,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { checkBucketName } from '../protocol/bucket-name.ts';
import { answerCors, corsQuestion, formatCors, parseCors } from '../protocol/cors.ts';
import { S3Error } from '../protocol/errors.ts';
import type { S3Request } from '../protocol/request.ts';

export async function putBucketCors(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketCORS', 'looked-up');
  const rules = parseCors(await readBody(context));
  await context.parts.index.putDocument(access, 'cors', formatCors(rules));
  return emptyResponse(200);
}

export async function getBucketCors(context: OperationContext): Promise<HttpResponse> {
  const { configuration, name } = await accessBucket(context, 's3:GetBucketCORS', 'looked-up');
  const document = configuration.get('cors');
  if (document === undefined)
    throw new S3Error('NoSuchCORSConfiguration', undefined, { detail: { BucketName: name } });
  return xmlResponse(document);
}

export async function deleteBucketCors(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketCORS', 'looked-up');
  await context.parts.index.putDocument(access, 'cors', undefined);
  return emptyResponse(204);
}

/** Nobody signs an OPTIONS request: what it answers is the bucket's rules, to anybody. */
export async function preflight(parts: GatewayParts, request: S3Request): Promise<HttpResponse> {
  const { headers, bucket } = request;
  if (bucket === undefined) throw new S3Error('MethodNotAllowed');
  checkBucketName(bucket);
  if (!headers.has('origin'))
    throw new S3Error('BadRequest', 'Insufficient information. Origin request header needed.');
  const question = corsQuestion(headers, undefined);
  if (question === undefined)
    throw new S3Error('BadRequest', 'Invalid Access-Control-Request-Method: null');
  const { configuration } = await parts.index.find(bucket);
  const rules = configuration.parsed('cors', parseCors);
  if (rules === undefined)
    throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.');
  const answer = answerCors(rules, question);
  if (answer === undefined) throw new S3Error('AccessForbidden');
  return emptyResponse(200, answer);
}

/** Of a request with an `Origin`; none when no rule allows it. Throws as a look at the bucket does. */
export async function corsHeaders(
  parts: GatewayParts,
  request: S3Request,
): Promise<HttpResponse['headers']> {
  const { bucket, method, headers } = request;
  const question = corsQuestion(headers, method);
  // The preflight's answer has them already, or says why not.
  if (bucket === undefined || question === undefined || method === 'OPTIONS') return [];
  checkBucketName(bucket);
  const { configuration } = await parts.index.find(bucket);
  const rules = configuration.parsed('cors', parseCors);
  return (rules === undefined ? undefined : answerCors(rules, question)) ?? [];
}
