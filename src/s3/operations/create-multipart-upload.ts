// CreateMultipartUpload: what the finished object will be described as is kept with the upload.

import { encodeUtf8, formatHex } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, keyOf, type OperationContext, wholeNowMs, xmlResponse } from '../context.ts';
import { uploadFormat } from '../index/format.ts';
import { refusalError } from '../index/index-client.ts';
import { createUpload } from '../index/messages.ts';
import { newObject, newObjectCipher } from '../new-object.ts';
import { multipartChecksumType, parseChecksumAlgorithm } from '../protocol/checksums.ts';
import { customerKeyPrefix, encryptionHeaders, parseCustomerKey } from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { abortHeaders, lifecycleOf } from '../protocol/lifecycle.ts';
import {
  collectContentHeaders,
  collectMetadata,
  parseTaggingHeader,
} from '../protocol/object-headers.ts';
import { lockOfHeaders } from '../protocol/object-lock.ts';
import type { HeaderMap } from '../protocol/request.ts';
import { textElement, xmlDocument } from '../protocol/xml.ts';
import { checkPutRights } from '../put-rights.ts';

function parseChecksum(headers: HeaderMap): {
  readonly checksumAlgorithm: ReturnType<typeof parseChecksumAlgorithm> | undefined;
  readonly checksumType: ReturnType<typeof multipartChecksumType>;
} {
  const name = headers.get('x-amz-checksum-algorithm');
  const type = headers.get('x-amz-checksum-type')?.toUpperCase();
  if (name === undefined) {
    if (type !== undefined)
      throw new S3Error(
        'InvalidRequest',
        'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
      );
    return { checksumAlgorithm: undefined, checksumType: undefined };
  }
  const checksumAlgorithm = parseChecksumAlgorithm(name);
  const checksumType = multipartChecksumType(checksumAlgorithm, type);
  if (checksumType === undefined)
    throw new S3Error(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${checksumAlgorithm.toLowerCase()} checksum algorithm.`,
    );
  return { checksumAlgorithm, checksumType };
}

/** Rises with time, so that uploads of one key list in the order they began; the rest is chance. */
function newUploadId(context: OperationContext): string {
  const { secrets } = context.parts.env;
  const time = wholeNowMs(context.parts).toString(16).padStart(12, '0').slice(-12);
  return time + formatHex(secrets.bytes(10));
}

export async function createMultipartUpload(context: OperationContext): Promise<HttpResponse> {
  const { parts, request } = context;
  const { headers } = request;
  const key = keyOf(context);
  const described = {
    wallMs: wholeNowMs(parts),
    headers: collectContentHeaders(headers),
    metadata: collectMetadata(headers),
    tags: parseTaggingHeader(headers.get('x-amz-tagging')),
    ...parseChecksum(headers),
  };
  const access = await accessBucket(context, 's3:PutObject');
  const object = newObject(context, access);
  await checkPutRights(context, access, object, described.tags);
  const cipher = await newObjectCipher(context, access);
  const upload = {
    ...described,
    ...object,
    // What is kept by default is so from when it is an object.
    ...lockOfHeaders(headers, access.configuration, wholeNowMs(parts)),
    encryption: cipher?.encryption,
  };
  const uploadId = newUploadId(context);
  const answer = await parts.index.callKey(access, key, createUpload, {
    key: encodeUtf8(key),
    uploadId,
    upload: uploadFormat.encode(upload),
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  const answerHeaders: [string, string][] = [
    ...encryptionHeaders(cipher?.encryption, parseCustomerKey(headers, customerKeyPrefix)),
    ...abortHeaders(lifecycleOf(access.configuration), { key, wallMs: described.wallMs }),
  ];
  if (upload.checksumAlgorithm !== undefined && upload.checksumType !== undefined)
    answerHeaders.push(
      ['x-amz-checksum-algorithm', upload.checksumAlgorithm],
      ['x-amz-checksum-type', upload.checksumType],
    );
  return xmlResponse(
    xmlDocument(
      'InitiateMultipartUploadResult',
      textElement('Bucket', access.name),
      textElement('Key', key),
      textElement('UploadId', uploadId),
    ),
    answerHeaders,
  );
}
