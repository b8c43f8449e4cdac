// Buckets as websites: what a browser asks `bucket.NAME` for, NAME being one of the gateway's names for websites. It is
// nobody in particular who asks, whatever is signed: what is shown is what anybody may read.

import { encodeUtf8 } from '../base/bytes.ts';
import type { HttpRequest, HttpResponse } from '../env/http.ts';
import { type GatewayParts, type OperationContext, redirectResponse } from './context.ts';
import { showObject } from './operations/get-object.ts';
import { S3Error, s3ErrorOf } from './protocol/errors.ts';
import { bucketOfHost, type S3Request } from './protocol/request.ts';
import { payerOf } from './protocol/request-payment.ts';
import { anonymous } from './protocol/sigv4.ts';
import { parseWebsite, redirectOf, type Sent, type Website } from './protocol/website.ts';
import { escapeXml } from './protocol/xml.ts';

export interface WebsiteOptions {
  readonly parts: GatewayParts;
  readonly request: S3Request;
  readonly requestId: string;
}

/** `names` in lower case. */
export function isWebsiteRequest({ headers }: HttpRequest, names: readonly string[]): boolean {
  if (names.length === 0) return false;
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1];
  return bucketOfHost(host?.trim(), names) !== undefined;
}

/** A page's own parameters are for its scripts; to S3 they might be wrong. */
export function withoutQuery(http: HttpRequest): HttpRequest {
  const question = http.target.indexOf('?');
  return question < 0 ? http : { ...http, target: http.target.slice(0, question) };
}

function show({ parts, request, requestId }: WebsiteOptions, key: string): Promise<HttpResponse> {
  const context: OperationContext = {
    parts,
    request: { ...request, key, query: new Map(), rawQuery: '' },
    user: anonymous,
    payload: { kind: 'unsigned' },
    requestId,
  };
  return showObject(context);
}

function page(request: S3Request, status: number, words: string): HttpResponse {
  const title = escapeXml(words);
  const body = encodeUtf8(
    `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`,
  );
  const headers: HttpResponse['headers'] = [
    ['content-type', 'text/html; charset=utf-8'],
    ['content-length', String(body.length)],
  ];
  return request.method === 'HEAD' ? { status, headers } : { status, headers, body };
}

/** `a/b` is sent to `a/b/` when that is a directory with an index. */
async function directoryOf(
  options: WebsiteOptions,
  website: Website,
  key: string,
): Promise<Sent | undefined> {
  // A location that begins with two slashes would name a host.
  if (key === '' || key.endsWith('/') || key.startsWith('/')) return undefined;
  const { parts, request, requestId } = options;
  const head = { parts, request: { ...request, method: 'HEAD', headers: hostAlone(request) } };
  try {
    await show({ ...head, requestId }, `${key}/${website.indexSuffix}`);
  } catch (error) {
    if (s3ErrorOf(error).status < 500) return undefined;
    throw error;
  }
  return { status: 302, location: `${request.rawPath}/` };
}

/** Conditions and ranges are about what was asked for, not about what is shown instead. */
function hostAlone({ headers }: S3Request): S3Request['headers'] {
  return new Map([['host', headers.get('host') ?? '']]);
}

async function showError(
  options: WebsiteOptions,
  website: Website,
  key: string,
  error: S3Error,
): Promise<HttpResponse> {
  const { request } = options;
  if (error.status === 304 || error.status === 412 || error.status === 416) throw error;
  const host = request.headers.get('host') ?? '';
  if (error.status === 403 || error.status === 404) {
    const directory = await directoryOf(options, website, key);
    if (directory !== undefined) return redirectResponse(directory);
  }
  const redirect = redirectOf(website, host, key, error.status);
  if (redirect !== undefined) return redirectResponse(redirect);
  const words = `${error.status} ${error.code}`;
  if (website.errorKey === undefined || error.status >= 500)
    return page(request, error.status, words);
  try {
    const instead = { ...options, request: { ...request, headers: hostAlone(request) } };
    const shown = await show(instead, website.errorKey);
    return shown.status === 200 ? { ...shown, status: error.status } : shown;
  } catch (second) {
    // Nobody can say just now what its error document is; that it has none would be told as certain.
    if (s3ErrorOf(second).status >= 500) throw second;
    return page(request, error.status, words);
  }
}

/** Throws what is not a website's to show: the gateway answers that as it does everywhere. */
export async function answerWebsite(options: WebsiteOptions): Promise<HttpResponse> {
  const { parts, request } = options;
  const { bucket = '', key = '' } = request;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new S3Error('MethodNotAllowed');
  const { configuration } = await parts.index.find(bucket);
  // Nobody who looks at a website can be charged.
  if (payerOf(configuration) === 'Requester') throw new S3Error('AccessDenied');
  const website = configuration.parsed('website', parseWebsite);
  if (website === undefined)
    throw new S3Error('NoSuchWebsiteConfiguration', undefined, { detail: { BucketName: bucket } });
  const redirect = redirectOf(website, request.headers.get('host') ?? '', key);
  if (redirect !== undefined) return redirectResponse(redirect);
  try {
    const isDirectory = key === '' || key.endsWith('/');
    return await show(options, isDirectory ? key + website.indexSuffix : key);
  } catch (error) {
    const known = s3ErrorOf(error);
    if (known.code === 'InternalError') throw error;
    return showError(options, website, key, known);
  }
}
