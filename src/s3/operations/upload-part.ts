// UploadPart and UploadPartCopy: bytes to blobs, then the part's row; a part put again replaces the old.

import { emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  keyOf,
  type OperationContext,
  wholeNowMs,
} from '../context.ts';
import { copyBytes, withCopySource } from '../copy-source.ts';
import { type Upload, uploadFormat } from '../index/format.ts';
import { type BucketAccess, refusalError } from '../index/index-client.ts';
import { getUpload, putPart } from '../index/messages.ts';
import { isUploadId } from '../index/rows.ts';
import { nonceBytes, openCipher } from '../object-cipher.ts';
import { checksumElement, checksumHeader } from '../protocol/checksums.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import {
  customerKeyPrefix,
  encryptionHeaders,
  parseCustomerKey,
  parseEncryptionHeaders,
} from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { partNumberMax, putBytesMax } from '../protocol/limits.ts';
import { Payload, type PayloadDigests } from '../protocol/payload.ts';
import { type HeaderMap, parseCount } from '../protocol/request.ts';
import { textElement, xmlDocument } from '../protocol/xml.ts';
import { answerWhenDone } from '../slow-response.ts';
import { type StoredBody, storeBody } from '../store-body.ts';
import { sourceVersionHeader } from './copy-object.ts';

/** Throws `NoSuchUpload` for what can't be an id. */
export function uploadIdOf(context: OperationContext): string {
  const uploadId = context.request.query.get('uploadId') ?? '';
  if (!isUploadId(uploadId)) throw new S3Error('NoSuchUpload');
  return uploadId;
}

function partNumberOf(context: OperationContext): number {
  const number = parseCount(context.request.query.get('partNumber') ?? '');
  if (number === undefined || number < 1 || number > partNumberMax)
    throw new S3Error(
      'InvalidArgument',
      'Part number must be an integer between 1 and 10000, inclusive',
      {
        detail: { ArgumentName: 'partNumber' },
      },
    );
  return number;
}

async function readUpload(
  context: OperationContext,
  access: BucketAccess,
  uploadId: string,
): Promise<Upload> {
  const key = keyOf(context);
  const answer = await context.parts.index.callKey(access, key, getUpload, {
    key: encodeUtf8(key),
    uploadId,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  return uploadFormat.decode(answer.upload);
}

interface PartPlace {
  readonly access: BucketAccess;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly upload: Upload;
}

async function commitPart(
  context: OperationContext,
  place: PartPlace,
  sizeBytes: number,
  stored: StoredBody<PayloadDigests>,
  nonce: Uint8Array,
): Promise<number> {
  const key = keyOf(context);
  const { checksum, md5 } = stored.proof;
  const wallMs = wholeNowMs(context.parts);
  const own = place.upload.checksumAlgorithm;
  const answer = await context.parts.index.callKey(place.access, key, putPart, {
    key: encodeUtf8(key),
    uploadId: place.uploadId,
    partNumber: place.partNumber,
    sizeBytes,
    etag: md5,
    wallMs,
    // Only in the upload's own algorithm can parts be joined. Where it has none, the value means nothing, and only that there
    // is one is asked when the upload is completed.
    checksum: own === undefined || checksum?.algorithm === own ? checksum?.value : undefined,
    nonce,
    runs: stored.kind === 'blobs' ? stored.runs : [],
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, place.access.name, key);
  return wallMs;
}

/**
 * Parts are encrypted as their upload is, with its key, whatever key they name, as in radosgw; who asks for another kind of
 * encryption is refused.
 */
export function checkSameEncryption(headers: HeaderMap, { encryption }: Upload): void {
  const asked = parseEncryptionHeaders(headers);
  if (asked === undefined || asked.kind === 'SSE-C' || asked.kind === encryption?.kind) return;
  throw new S3Error(
    'InvalidRequest',
    'The multipart upload initiate requested another encryption. Subsequent part requests must be consistent with it.',
  );
}

/** The upload's cipher, and a nonce of this part's own. */
async function partCipher(context: OperationContext, upload: Upload) {
  const { parts, request } = context;
  const customer = parseCustomerKey(request.headers, customerKeyPrefix);
  checkSameEncryption(request.headers, upload);
  const cipher = await openCipher(parts, upload.encryption, customer);
  return {
    cipher,
    nonce: cipher === undefined ? emptyBytes : parts.env.secrets.bytes(nonceBytes),
    headers: encryptionHeaders(upload.encryption, customer),
  };
}

export async function uploadPart(context: OperationContext): Promise<HttpResponse> {
  const { parts, request } = context;
  const uploadId = uploadIdOf(context);
  const partNumber = partNumberOf(context);
  const access = await accessBucket(context, 's3:PutObject');
  const upload = await readUpload(context, access, uploadId);
  const payload = new Payload(request, context.payload, {
    clock: parts.env.clock,
    computeChecksum: upload.checksumAlgorithm,
  });
  if (payload.sizeBytes > putBytesMax) throw new S3Error('EntityTooLarge');
  const claimed = payload.claimedAlgorithm;
  if (
    claimed !== undefined &&
    upload.checksumAlgorithm !== undefined &&
    claimed !== upload.checksumAlgorithm
  )
    throw new S3Error(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${upload.checksumAlgorithm.toLowerCase()}, actual checksum Type: ${claimed.toLowerCase()}`,
    );
  // Counted once the upload is completed; here only what could not be completed is refused.
  await parts.quotas.check(access, { bytes: payload.sizeBytes, objects: 0 }, 'ask');
  const { cipher, nonce, headers: cipherHeaders } = await partCipher(context, upload);
  const stored = await storeBody(parts, {
    cipher,
    nonce,
    access,
    key: keyOf(context),
    source: payload,
    sizeBytes: payload.sizeBytes,
    small: 'in-blobs',
    prove: () => payload.finish(),
  });
  await commitPart(
    context,
    { access, uploadId, partNumber, upload },
    payload.sizeBytes,
    stored,
    nonce,
  );
  const { md5, checksum } = stored.proof;
  const headers: [string, string][] = [['etag', quoteEtag(md5)], ...cipherHeaders];
  if (checksum !== undefined) headers.push([checksumHeader(checksum.algorithm), checksum.value]);
  return emptyResponse(200, headers);
}

/** Both ends must lie inside the source. */
function copyRange(
  header: string | undefined,
  sizeBytes: number,
): { readonly beginBytes: number; readonly endBytes: number } {
  if (header === undefined) return { beginBytes: 0, endBytes: sizeBytes };
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (match === null || last < first)
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      { detail: { ArgumentName: 'x-amz-copy-source-range' } },
    );
  if (last >= sizeBytes)
    throw new S3Error(
      'InvalidRange',
      `Range specified is not valid for source object of size: ${sizeBytes}`,
    );
  return { beginBytes: first, endBytes: last + 1 };
}

export async function uploadPartCopy(context: OperationContext): Promise<HttpResponse> {
  const uploadId = uploadIdOf(context);
  const partNumber = partNumberOf(context);
  const access = await accessBucket(context, 's3:PutObject');
  const upload = await readUpload(context, access, uploadId);
  const place = { access, uploadId, partNumber, upload };
  const work = withCopySource(context, async (source) => {
    const { headers } = context.request;
    const range = copyRange(headers.get('x-amz-copy-source-range'), source.entry.sizeBytes);
    const bytes = range.endBytes - range.beginBytes;
    await context.parts.quotas.check(access, { bytes, objects: 0 }, 'ask');
    const { cipher, nonce, headers: cipherHeaders } = await partCipher(context, upload);
    const stored = await copyBytes(context, source, {
      cipher,
      nonce,
      access,
      key: keyOf(context),
      small: 'in-blobs',
      ...range,
      algorithm: upload.checksumAlgorithm,
    });
    const wallMs = await commitPart(
      context,
      place,
      range.endBytes - range.beginBytes,
      stored,
      nonce,
    );
    const { md5, checksum } = stored.proof;
    const document = xmlDocument(
      'CopyPartResult',
      textElement('LastModified', formatIsoDate(wallMs)),
      textElement('ETag', quoteEtag(md5)),
      checksum === undefined
        ? ''
        : textElement(checksumElement(checksum.algorithm), checksum.value),
    );
    return { document, headers: [...sourceVersionHeader(source), ...cipherHeaders] };
  });
  return answerWhenDone(context, work);
}
