// GetObjectAttributes: what HeadObject says and which parts an object was made of, without its bytes.

import type { HttpResponse } from '../../env/http.ts';
import { loadExtents } from '../blob-reader.ts';
import {
  accessVersion,
  keyOf,
  type OperationContext,
  versionHeader,
  xmlResponse,
} from '../context.ts';
import type { Entry } from '../index/format.ts';
import { openCipher } from '../object-cipher.ts';
import { checksumElement } from '../protocol/checksums.ts';
import { formatHttpDate } from '../protocol/dates.ts';
import { customerKeyPrefix, parseCustomerKey } from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { keysPerRequestMax, partNumberMax } from '../protocol/limits.ts';
import { type HeaderMap, parseCount } from '../protocol/request.ts';
import { element, textElement, xmlDocument } from '../protocol/xml.ts';
import { readEntry, wantedOf } from '../read-entry.ts';

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'];

function wantedAttributes(headers: HeaderMap): ReadonlySet<string> {
  const names = (headers.get('x-amz-object-attributes') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0 || names.some((name) => !attributeNames.includes(name)))
    throw new S3Error('InvalidArgument', 'Invalid attribute name specified.', {
      detail: { ArgumentName: 'x-amz-object-attributes' },
    });
  return new Set(names);
}

function numberHeader(headers: HeaderMap, name: string, fallback: number, max: number): number {
  const text = headers.get(name);
  if (text === undefined) return fallback;
  const value = parseCount(text);
  if (value === undefined) throw new S3Error('InvalidArgument', `${name} must be a number`);
  return Math.min(value, max);
}

/** Parts are shown one by one, as radosgw has it; S3 only counts those without checksums. */
async function partsElement(context: OperationContext, entry: Entry): Promise<string> {
  if (entry.partCount === 0) return '';
  const { headers } = context.request;
  const limit = numberHeader(headers, 'x-amz-max-parts', keysPerRequestMax, keysPerRequestMax);
  const marker = numberHeader(headers, 'x-amz-part-number-marker', 0, partNumberMax);
  const extents = await loadExtents(context.parts.cluster, entry.content);
  const after = extents.filter(({ partNumber }) => partNumber > marker);
  const shown = after.slice(0, limit);
  const { checksum } = entry;
  return element(
    'ObjectParts',
    textElement('PartsCount', entry.partCount),
    textElement('PartNumberMarker', marker),
    textElement('NextPartNumberMarker', shown.at(-1)?.partNumber ?? marker),
    textElement('MaxParts', limit),
    textElement('IsTruncated', after.length > shown.length),
    ...shown.map((extent) =>
      element(
        'Part',
        textElement('PartNumber', extent.partNumber),
        textElement('Size', extent.sizeBytes),
        checksum === undefined
          ? ''
          : textElement(checksumElement(checksum.algorithm), extent.checksum),
      ),
    ),
  );
}

export async function getObjectAttributes(context: OperationContext): Promise<HttpResponse> {
  const { request, parts } = context;
  const wanted = wantedAttributes(request.headers);
  const access = await accessVersion(context, 's3:GetObjectAttributes');
  const entry = await readEntry(context, access, wantedOf(context, keyOf(context)));
  await openCipher(parts, entry.encryption, parseCustomerKey(request.headers, customerKeyPrefix));
  const { checksum } = entry;
  const document = xmlDocument(
    'GetObjectAttributesResponse',
    wanted.has('ETag') ? textElement('ETag', entry.etag) : '',
    wanted.has('Checksum') && checksum !== undefined
      ? element(
          'Checksum',
          textElement(checksumElement(checksum.algorithm), checksum.value),
          textElement('ChecksumType', checksum.type),
        )
      : '',
    wanted.has('ObjectParts') ? await partsElement(context, entry) : '',
    wanted.has('StorageClass') ? textElement('StorageClass', entry.storageClass) : '',
    wanted.has('ObjectSize') ? textElement('ObjectSize', entry.sizeBytes) : '',
  );
  return xmlResponse(document, [
    ['last-modified', formatHttpDate(entry.wallMs)],
    ...versionHeader(access, entry),
  ]);
}
