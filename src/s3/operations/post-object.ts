// PostObject: a browser's form becomes a PutObject. What a header says there, a field says here; the form's policy is
// signed instead of the request, with a signature of either version.

import { createHash } from 'node:crypto';
import { concatBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import { bucketOf, emptyResponse, type OperationContext, xmlResponse } from '../context.ts';
import type { Requester } from '../iam/identities.ts';
import { refuseUnknownHeaders } from '../known-headers.ts';
import { refuseV2 } from '../protocol/authenticate.ts';
import {
  type ChecksumClaim,
  type ChecksumState,
  parseChecksumClaim,
  startChecksum,
} from '../protocol/checksums.ts';
import { parseAmzDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { boundaryOf, FormBody } from '../protocol/form.ts';
import { parseTaggingXml } from '../protocol/object-headers.ts';
import { Payload, type PayloadDigests } from '../protocol/payload.ts';
import { encodePercent } from '../protocol/percent.ts';
import {
  checkPostPolicy,
  checkPostSize,
  type PostPolicy,
  parsePostPolicy,
} from '../protocol/post-policy.ts';
import { checkKeyLength, headerValue } from '../protocol/request.ts';
import { signV2 } from '../protocol/sigv2.ts';
import { anonymous, deriveSigningKey, equalSecret } from '../protocol/sigv4.ts';
import { element, parseXml, textElement, xmlDeclaration } from '../protocol/xml.ts';
import { type ProvedBody, putBody } from './put-object.ts';

/**
 * A file up to this size is read before it is stored, so that fields may follow it. A longer one is stored as it comes, and must be
 * the last field, as browsers and libraries have it.
 */
const bufferedBytesMax = 1024 * 1024;

/** Fields that mean what a header of the same name does. */
const headerFields = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];

/** What the file's own name stands in for. */
const fileNamePlace = `$${'{filename}'}`;

type Fields = ReadonlyMap<string, string>;

function fieldOf(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined)
    throw new S3Error('InvalidArgument', `Bucket POST must contain a field named '${name}'.`);
  return value;
}

/** Who let the form be made. Throws for any flaw. */
function authenticateForm(context: OperationContext, fields: Fields, policy: string): Requester {
  const { identities, env } = context.parts;
  const token = fields.get('x-amz-security-token');
  const find = (accessKey: string): Requester => {
    const user = identities.byAccessKey(accessKey, token, env.wall.nowMs());
    if (user === undefined)
      throw new S3Error('InvalidAccessKeyId', undefined, { detail: { AWSAccessKeyId: accessKey } });
    return user;
  };
  const check = (expected: string, given: string): void => {
    if (!equalSecret(expected, given)) throw new S3Error('SignatureDoesNotMatch');
  };
  if (fields.has('x-amz-algorithm') || fields.has('x-amz-signature')) {
    if (fieldOf(fields, 'x-amz-algorithm') !== 'AWS4-HMAC-SHA256')
      throw new S3Error('InvalidArgument', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
    const [accessKey, date, region, service, end] = fieldOf(fields, 'x-amz-credential').split('/');
    const amzDate = fieldOf(fields, 'x-amz-date');
    if (
      accessKey === undefined ||
      date === undefined ||
      region === undefined ||
      service !== 's3' ||
      end !== 'aws4_request' ||
      parseAmzDate(amzDate) === undefined
    )
      throw new S3Error('InvalidArgument', 'X-Amz-Credential or X-Amz-Date is malformed');
    const user = find(accessKey);
    const key = deriveSigningKey(user.secretKey, date, region, service);
    check(key.sign(policy), fieldOf(fields, 'x-amz-signature'));
    return user;
  }
  const signature = fieldOf(fields, 'signature');
  if (!context.parts.signatureV2) throw refuseV2();
  const user = find(fieldOf(fields, 'awsaccesskeyid'));
  check(signV2(user, policy), signature);
  return user;
}

/** The fields as the headers of a PutObject: UTF-8 bytes, one character each. Throws on what would end a header. */
function headersOf(context: OperationContext, fields: Fields): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  const host = context.request.headers.get('host');
  if (host !== undefined) headers.set('host', host);
  for (const [name, value] of fields)
    if (headerFields.includes(name) || name.startsWith('x-amz-'))
      headers.set(name, headerValue(value));
  const acl = fields.get('acl');
  if (acl !== undefined) headers.set('x-amz-acl', acl);
  const tagging = fields.get('tagging');
  if (tagging !== undefined) {
    const tags = parseTaggingXml(parseXml(encodeUtf8(tagging), 'Tagging'));
    const pairs = tags.map(
      ({ name, value }) => `${encodePercent(name, 'encoded')}=${encodePercent(value, 'encoded')}`,
    );
    headers.set('x-amz-tagging', pairs.join('&'));
  }
  for (const name of ['x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'])
    headers.delete(name);
  return headers;
}

/** Proves the file's MD5, and the checksum that a field names. */
class FileDigests {
  readonly #md5 = createHash('md5');
  readonly #claim: ChecksumClaim | undefined;
  readonly #checksum: ChecksumState | undefined;

  constructor(headers: ReadonlyMap<string, string>) {
    this.#claim = parseChecksumClaim(headers);
    this.#checksum = this.#claim && startChecksum(this.#claim.algorithm);
  }

  update(chunk: Uint8Array): void {
    this.#md5.update(chunk);
    this.#checksum?.update(chunk);
  }

  finish(): PayloadDigests {
    const md5 = this.#md5.digest('hex');
    if (this.#claim === undefined || this.#checksum === undefined)
      return { md5, checksum: undefined };
    const { algorithm, value: claimed } = this.#claim;
    const value = this.#checksum.digest();
    if (claimed !== undefined && claimed !== value) throw new S3Error('BadDigest');
    return { md5, checksum: { algorithm, value } };
  }
}

/** The file, small enough to be read whole, or streamed at the size it must have. */
async function fileOf(
  form: FormBody,
  bodyBytes: number,
  headers: ReadonlyMap<string, string>,
): Promise<ProvedBody> {
  const digests = new FileDigests(headers);
  const expected = form.expectedBytes(bodyBytes);
  const next = async (): Promise<Uint8Array | undefined> => {
    const chunk = await form.next();
    if (chunk !== undefined) digests.update(chunk);
    return chunk;
  };
  const finish = async (): Promise<PayloadDigests> => digests.finish();
  if (expected > bufferedBytesMax) return { sizeBytes: expected, next, finish };
  const chunks: Uint8Array[] = [];
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) chunks.push(chunk);
  const whole = concatBytes(chunks);
  const left = whole.length > 0 ? [whole] : [];
  return { sizeBytes: whole.length, next: async () => left.pop(), finish };
}

function redirectOf(target: string, bucket: string, key: string, etag: string): string | undefined {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(target)) return undefined;
  const query = [
    ['bucket', bucket],
    ['key', key],
    ['etag', etag],
  ].map(([name, value]) => `${name}=${encodePercent(value ?? '', 'encoded')}`);
  return `${target}${target.includes('?') ? '&' : '?'}${query.join('&')}`;
}

function answerOf(
  context: OperationContext,
  fields: Fields,
  key: string,
  put: HttpResponse,
): HttpResponse {
  const bucket = bucketOf(context);
  const etag = put.headers.find(([name]) => name === 'etag')?.[1] ?? '';
  const target = fields.get('success_action_redirect') ?? fields.get('redirect');
  const redirect = target === undefined ? undefined : redirectOf(target, bucket, key, etag);
  const location = `http://${context.request.headers.get('host') ?? ''}/${bucket}/${encodePercent(key, 'kept')}`;
  const headers = [...put.headers.filter(([name]) => name !== 'content-length')];
  if (redirect !== undefined)
    return { status: 303, headers: [...headers, ['location', redirect], ['content-length', '0']] };
  headers.push(['location', location]);
  switch (fields.get('success_action_status')) {
    case '200':
      return emptyResponse(200, headers);
    case '201':
      return xmlResponse(
        // Without a namespace, as S3 has it.
        encodeUtf8(
          xmlDeclaration +
            element(
              'PostResponse',
              textElement('Location', location),
              textElement('Bucket', bucket),
              textElement('Key', key),
              textElement('ETag', etag),
            ),
        ),
        headers,
        201,
      );
    default:
      return emptyResponse(204, headers);
  }
}

export async function postObject(context: OperationContext): Promise<HttpResponse> {
  const { request, parts } = context;
  const boundary = boundaryOf(request.headers.get('content-type'));
  if (boundary === undefined)
    throw new S3Error(
      'PreconditionFailed',
      'Bucket POST must be of the enclosure-type multipart/form-data',
    );
  const { clock, wall } = parts.env;
  const payload = new Payload(request, context.payload, { clock, computeMd5: false });
  const form = new FormBody(payload, boundary);
  const { fields: sent, fileName } = await form.readFields();
  const key = fieldOf(sent, 'key').replaceAll(fileNamePlace, fileName);
  if (key === '')
    throw new S3Error('InvalidArgument', 'User key must have a length greater than 0.');
  checkKeyLength(key);
  const fields = new Map(sent);
  let user: Requester = anonymous;
  let policy: PostPolicy | undefined;
  const policyText = fields.get('policy');
  if (policyText !== undefined) {
    user = authenticateForm(context, fields, policyText);
    policy = parsePostPolicy(policyText);
    const judged = new Map([...fields, ['key', key], ['bucket', bucketOf(context)]]);
    const named = fields.get('bucket');
    if (named !== undefined && named !== bucketOf(context)) throw new S3Error('AccessDenied');
    checkPostPolicy(policy, judged, wall.nowMs());
  } else if (fields.has('signature') || fields.has('x-amz-signature')) {
    throw new S3Error('InvalidArgument', "Bucket POST must contain a field named 'policy'.");
  }
  if (context.trace !== undefined) {
    context.trace.key = key;
    context.trace.user = user;
  }
  const headers = headersOf(context, fields);
  refuseUnknownHeaders('object PUT', headers, false);
  const file = await fileOf(form, payload.sizeBytes, headers);
  if (policy !== undefined) checkPostSize(policy, file.sizeBytes);
  const put = {
    ...context,
    user,
    request: { ...request, key, headers },
  };
  return answerOf(context, fields, key, await putBody(put, file, 'ObjectCreated:Post'));
}
