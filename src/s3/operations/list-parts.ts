// ListParts: the parts of an upload in progress, by number.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  countParameter,
  keyOf,
  type OperationContext,
  xmlResponse,
} from '../context.ts';
import { partFormat, uploadFormat } from '../index/format.ts';
import { refusalError } from '../index/index-client.ts';
import { listParts as listPartsCall } from '../index/messages.ts';
import { checksumElement } from '../protocol/checksums.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { abortHeaders, lifecycleOf } from '../protocol/lifecycle.ts';
import { keysPerRequestMax, partNumberMax } from '../protocol/limits.ts';
import { element, textElement, xmlDocument } from '../protocol/xml.ts';
import { ownerElement } from './list-objects.ts';
import { uploadIdOf } from './upload-part.ts';

export async function listParts(context: OperationContext): Promise<HttpResponse> {
  const key = keyOf(context);
  const uploadId = uploadIdOf(context);
  const maxParts = countParameter(context, 'max-parts', keysPerRequestMax);
  const marker = context.request.query.has('part-number-marker')
    ? countParameter(context, 'part-number-marker', partNumberMax)
    : 0;
  const access = await accessBucket(context, 's3:ListMultipartUploadParts');
  const answer = await context.parts.index.callKey(access, key, listPartsCall, {
    key: encodeUtf8(key),
    uploadId,
    after: marker,
    limit: maxParts + 1,
  });
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  const { checksumAlgorithm, checksumType, ...upload } = uploadFormat.decode(answer.upload);
  const shown = answer.parts.slice(0, maxParts);
  const truncated = maxParts > 0 && answer.parts.length > maxParts;
  const owner = upload.owner === '' ? access.record.owner : upload.owner;
  return xmlResponse(
    xmlDocument(
      'ListPartsResult',
      textElement('Bucket', access.name),
      textElement('Key', key),
      textElement('UploadId', uploadId),
      ownerElement(owner, 'Initiator'),
      ownerElement(owner),
      textElement('StorageClass', upload.storageClass),
      textElement('PartNumberMarker', marker),
      textElement('NextPartNumberMarker', shown.at(-1)?.partNumber ?? marker),
      textElement('MaxParts', maxParts),
      textElement('IsTruncated', truncated),
      textElement('ChecksumAlgorithm', checksumAlgorithm),
      textElement('ChecksumType', checksumType),
      ...shown.map(({ partNumber, part }) => {
        const { wallMs, etag, sizeBytes, checksum } = partFormat.decode(part);
        return element(
          'Part',
          textElement('PartNumber', partNumber),
          textElement('LastModified', formatIsoDate(wallMs)),
          textElement('ETag', quoteEtag(etag)),
          textElement('Size', sizeBytes),
          checksumAlgorithm === undefined
            ? ''
            : textElement(checksumElement(checksumAlgorithm), checksum),
        );
      }),
    ),
    abortHeaders(lifecycleOf(access.configuration), { key, wallMs: upload.wallMs }),
  );
}
