// ListObjectVersions: every version of every key, the newest first.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  countParameter,
  type OperationContext,
  versionIdArgument,
  xmlResponse,
} from '../context.ts';
import { type BucketAccess, nextListedKey, refusalError } from '../index/index-client.ts';
import { listVersions } from '../index/messages.ts';
import { formatVersion, versionIdOf } from '../index/version-id.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import { element, textElement, xmlDocument } from '../protocol/xml.ts';
import { commonPrefixes, decodeKey, encoder, itemBytes, ownerElement } from './list-objects.ts';

type Page = Extract<Carried<typeof listVersions.result>, { readonly kind: 'page' }>;
export type VersionItem = Page['items'][number];

export interface VersionsQuery {
  readonly prefix: Uint8Array;
  readonly delimiter: Uint8Array;
  readonly keyMarker: Uint8Array;
  readonly versionMarker: ReturnType<typeof versionIdArgument>;
  readonly limit: number;
}

async function listPage(
  context: OperationContext,
  access: BucketAccess,
  query: VersionsQuery,
): Promise<{ readonly items: readonly VersionItem[]; readonly truncated: boolean }> {
  if (query.limit === 0) return { items: [], truncated: false };
  const items: VersionItem[] = [];
  let { keyMarker, versionMarker } = query;
  let shardKey = keyMarker.length === 0 ? query.prefix : keyMarker;
  while (true) {
    const answer = await context.parts.index.callRange(access, shardKey, listVersions, {
      from: shardKey,
      prefix: query.prefix,
      delimiter: query.delimiter,
      limit: query.limit + 1 - items.length,
      keyMarker,
      versionMarker,
      withTags: false,
    });
    if (answer.kind === 'refused') throw refusalError(answer.reason, access.name);
    items.push(...answer.items);
    if (items.length > query.limit) return { items: items.slice(0, query.limit), truncated: true };
    const last = items.at(-1);
    if (last !== undefined) {
      keyMarker = itemBytes(last);
      versionMarker = last.kind === 'version' ? { ...last.version, kind: 'version' } : undefined;
    }
    if (!answer.ended) continue;
    const next = nextListedKey(answer.end, query.prefix, last);
    if (next === undefined) return { items, truncated: false };
    shardKey = next;
  }
}

function versionElement(
  item: Extract<VersionItem, { readonly kind: 'version' }>,
  encode: (text: string) => string,
  bucketOwner: string,
): string {
  const identity = [
    textElement('Key', encode(decodeKey(item.key))),
    textElement('VersionId', versionIdOf(item)),
    textElement('IsLatest', item.isLatest),
    textElement('LastModified', formatIsoDate(item.wallMs)),
  ];
  const owner = ownerElement(item.owner === '' ? bucketOwner : item.owner);
  if (item.isMarker) return element('DeleteMarker', ...identity, owner);
  return element(
    'Version',
    ...identity,
    textElement('ETag', quoteEtag(item.etag)),
    item.checksum === undefined
      ? ''
      : textElement('ChecksumAlgorithm', item.checksum.algorithm) +
          textElement('ChecksumType', item.checksum.type),
    textElement('Size', item.sizeBytes),
    textElement('StorageClass', item.storageClass),
    owner,
  );
}

export async function listObjectVersions(context: OperationContext): Promise<HttpResponse> {
  const { query } = context.request;
  const encode = encoder(context);
  const limit = countParameter(context, 'max-keys', keysPerRequestMax);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  const versionMarker = query.get('version-id-marker') ?? '';
  if (versionMarker !== '' && keyMarker === '')
    throw new S3Error(
      'InvalidArgument',
      'A version-id marker cannot be specified without a key marker.',
    );
  const access = await accessBucket(context, 's3:ListBucketVersions');
  const page = await listPage(context, access, {
    prefix: encodeUtf8(prefix),
    delimiter: encodeUtf8(delimiter),
    keyMarker: encodeUtf8(keyMarker),
    versionMarker: versionIdArgument(versionMarker),
    limit,
  });
  const last = page.truncated ? page.items.at(-1) : undefined;
  const { owner } = access.record;
  return xmlResponse(
    xmlDocument(
      'ListVersionsResult',
      textElement('Name', access.name),
      textElement('Prefix', encode(prefix)),
      textElement('KeyMarker', encode(keyMarker)),
      textElement('VersionIdMarker', versionMarker),
      last === undefined ? '' : textElement('NextKeyMarker', encode(decodeKey(itemBytes(last)))),
      // The place in the order, also of the version called `null`, which could be another by the next page.
      last?.kind === 'version'
        ? textElement('NextVersionIdMarker', formatVersion(last.version))
        : '',
      textElement('MaxKeys', limit),
      delimiter === '' ? '' : textElement('Delimiter', encode(delimiter)),
      textElement('EncodingType', query.get('encoding-type')),
      textElement('IsTruncated', page.truncated),
      ...page.items.map((item) =>
        item.kind === 'version' ? versionElement(item, encode, owner) : '',
      ),
      commonPrefixes(page.items, encode),
    ),
  );
}
