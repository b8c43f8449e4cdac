// ListMultipartUploads: by key, then in the order they began.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import type { HttpResponse } from '../../env/http.ts';
import { accessBucket, countParameter, type OperationContext, xmlResponse } from '../context.ts';
import { uploadFormat } from '../index/format.ts';
import { type BucketAccess, nextListedKey, refusalError } from '../index/index-client.ts';
import { listUploads } from '../index/messages.ts';
import { isUploadId } from '../index/rows.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import { element, textElement, xmlDocument } from '../protocol/xml.ts';
import { commonPrefixes, decodeKey, encoder, itemBytes, ownerElement } from './list-objects.ts';

type UploadItem = Extract<
  Carried<typeof listUploads.result>,
  { readonly kind: 'page' }
>['items'][number];

interface Query {
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly limit: number;
}

async function listPage(
  context: OperationContext,
  access: BucketAccess,
  query: Query,
): Promise<{ readonly items: readonly UploadItem[]; readonly truncated: boolean }> {
  if (query.limit === 0) return { items: [], truncated: false };
  const prefix = encodeUtf8(query.prefix);
  const items: UploadItem[] = [];
  let keyMarker = encodeUtf8(query.keyMarker);
  let { uploadIdMarker } = query;
  let shardKey = query.keyMarker === '' ? prefix : keyMarker;
  while (true) {
    const answer = await context.parts.index.callRange(access, shardKey, listUploads, {
      from: shardKey,
      prefix,
      delimiter: encodeUtf8(query.delimiter),
      limit: query.limit + 1 - items.length,
      keyMarker,
      uploadIdMarker,
    });
    if (answer.kind === 'refused') throw refusalError(answer.reason, access.name);
    items.push(...answer.items);
    if (items.length > query.limit) return { items: items.slice(0, query.limit), truncated: true };
    const last = items.at(-1);
    if (last !== undefined) {
      keyMarker = itemBytes(last);
      uploadIdMarker = last.kind === 'upload' ? last.uploadId : '';
    }
    if (!answer.ended) continue;
    const next = nextListedKey(answer.end, prefix, last);
    if (next === undefined) return { items, truncated: false };
    shardKey = next;
  }
}

export async function listMultipartUploads(context: OperationContext): Promise<HttpResponse> {
  const { query } = context.request;
  const encode = encoder(context);
  const limit = countParameter(context, 'max-uploads', keysPerRequestMax);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  // Without a key it means nothing, and is ignored.
  const uploadIdMarker = keyMarker === '' ? '' : (query.get('upload-id-marker') ?? '');
  if (uploadIdMarker !== '' && !isUploadId(uploadIdMarker))
    throw new S3Error('InvalidArgument', 'Invalid uploadId marker');
  const access = await accessBucket(context, 's3:ListBucketMultipartUploads');
  const page = await listPage(context, access, {
    prefix,
    delimiter,
    keyMarker,
    uploadIdMarker,
    limit,
  });
  const last = page.truncated ? page.items.at(-1) : undefined;
  return xmlResponse(
    xmlDocument(
      'ListMultipartUploadsResult',
      textElement('Bucket', access.name),
      textElement('KeyMarker', encode(keyMarker)),
      textElement('UploadIdMarker', uploadIdMarker),
      last === undefined ? '' : textElement('NextKeyMarker', encode(decodeKey(itemBytes(last)))),
      last?.kind === 'upload' ? textElement('NextUploadIdMarker', last.uploadId) : '',
      prefix === '' ? '' : textElement('Prefix', encode(prefix)),
      delimiter === '' ? '' : textElement('Delimiter', encode(delimiter)),
      textElement('MaxUploads', limit),
      textElement('EncodingType', query.get('encoding-type')),
      textElement('IsTruncated', page.truncated),
      ...page.items.map((item) => {
        if (item.kind !== 'upload') return '';
        const upload = uploadFormat.decode(item.upload);
        const owner = upload.owner === '' ? access.record.owner : upload.owner;
        return element(
          'Upload',
          textElement('Key', encode(decodeKey(item.key))),
          textElement('UploadId', item.uploadId),
          ownerElement(owner, 'Initiator'),
          ownerElement(owner),
          textElement('StorageClass', upload.storageClass),
          textElement('Initiated', formatIsoDate(upload.wallMs)),
          textElement('ChecksumAlgorithm', upload.checksumAlgorithm),
          textElement('ChecksumType', upload.checksumType),
        );
      }),
      commonPrefixes(page.items, encode),
    ),
  );
}
