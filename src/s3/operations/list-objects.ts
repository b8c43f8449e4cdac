// ListObjects, version 1 and 2. Items (keys, and common prefixes up to the delimiter) are in the order of their
// UTF-8 bytes; an item is listed when it is greater than the marker. A page asks for one
// item more than it shows, and so knows whether it is the last.

import { compareBytes, decodeUtf8, emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { Carried } from '../../base/codec.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  countParameter,
  type GatewayParts,
  type OperationContext,
  xmlResponse,
} from '../context.ts';
import { type BucketAccess, nextListedKey, refusalError } from '../index/index-client.ts';
import { listEntries } from '../index/messages.ts';
import { formatBase64, parseBase64 } from '../protocol/base64.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import { decodeStrictUtf8, encodePercent } from '../protocol/percent.ts';
import type { Query } from '../protocol/request.ts';
import { element, escapeXml, textElement, xmlDocument } from '../protocol/xml.ts';

type ListedItem = Extract<
  Carried<typeof listEntries.result>,
  { readonly kind: 'page' }
>['items'][number];

interface ListRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: Uint8Array;
  readonly limit: number;
}

interface Page {
  readonly items: readonly ListedItem[];
  readonly truncated: boolean;
}

export function itemBytes(item: {
  readonly kind: string;
  readonly key?: Uint8Array;
  readonly prefix?: Uint8Array;
}): Uint8Array {
  return item.key ?? item.prefix ?? emptyBytes;
}

async function listPage(
  parts: GatewayParts,
  access: BucketAccess,
  list: ListRequest,
): Promise<Page> {
  if (list.limit === 0) return { items: [], truncated: false };
  const prefix = encodeUtf8(list.prefix);
  const delimiter = encodeUtf8(list.delimiter);
  const items: ListedItem[] = [];
  let { after } = list;
  // Which shard: the one where the prefix begins, or the marker when that is further.
  let shardKey = compareBytes(after, prefix) > 0 ? after : prefix;
  while (true) {
    const answer = await parts.index.callRange(access, shardKey, listEntries, {
      from: shardKey,
      prefix,
      delimiter,
      after,
      limit: list.limit + 1 - items.length,
    });
    if (answer.kind === 'refused') throw refusalError(answer.reason, access.name);
    items.push(...answer.items);
    if (items.length > list.limit) return { items: items.slice(0, list.limit), truncated: true };
    const last = items.at(-1);
    if (last !== undefined) after = itemBytes(last);
    if (!answer.ended) continue;
    const next = nextListedKey(answer.end, prefix, last);
    if (next === undefined) return { items, truncated: false };
    shardKey = next;
  }
}

type Encode = (text: string) => string;

export function encoder(context: OperationContext): Encode {
  const type = context.request.query.get('encoding-type');
  if (type === undefined || type === '') return (text) => text;
  if (type.toLowerCase() === 'url') return (text) => encodePercent(text, 'kept');
  throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', {
    detail: { ArgumentName: 'encoding-type', ArgumentValue: type.slice(0, 100) },
  });
}

export function ownerElement(owner: string, tag = 'Owner'): string {
  return element(tag, textElement('ID', owner), textElement('DisplayName', owner));
}

function contents(items: readonly ListedItem[], encode: Encode, owner: string | undefined): string {
  const byOwner = owner === undefined ? '' : ownerElement(owner);
  let text = '';
  // Written out rather than composed: a page is a thousand of these.
  for (const item of items) {
    if (item.kind !== 'entry') continue;
    const checksum =
      item.checksum === undefined
        ? ''
        : textElement('ChecksumAlgorithm', item.checksum.algorithm) +
          textElement('ChecksumType', item.checksum.type);
    const ownedBy = owner === undefined || item.owner === '' ? byOwner : ownerElement(item.owner);
    text += `<Contents><Key>${escapeXml(encode(decodeKey(item.key)))}</Key><LastModified>${formatIsoDate(item.wallMs)}</LastModified><ETag>&quot;${escapeXml(item.etag)}&quot;</ETag>${checksum}<Size>${item.sizeBytes}</Size><StorageClass>${item.storageClass}</StorageClass>${ownedBy}</Contents>`;
  }
  return text;
}

/** Ceph's parameter: keys may come in any order, which ours is one of; groups can't be made then. */
function checkUnordered(query: Query, delimiter: string): void {
  if (query.get('allow-unordered') === 'true' && delimiter !== '')
    throw new S3Error('InvalidArgument', 'allow-unordered can not be used with a delimiter');
}

/** Keys were checked as UTF-8 when stored; a group's prefix may end inside a character only if the delimiter did. */
export function decodeKey(bytes: Uint8Array): string {
  return decodeStrictUtf8(bytes) ?? decodeUtf8(bytes);
}

export function commonPrefixes(
  items: readonly { readonly kind: string; readonly prefix?: Uint8Array }[],
  encode: Encode,
): string {
  let text = '';
  for (const { prefix } of items)
    if (prefix !== undefined)
      text += element('CommonPrefixes', textElement('Prefix', encode(decodeKey(prefix))));
  return text;
}

export async function listObjects(context: OperationContext): Promise<HttpResponse> {
  const { query } = context.request;
  const encode = encoder(context);
  const maxKeys = countParameter(context, 'max-keys', keysPerRequestMax);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  checkUnordered(query, delimiter);
  const marker = query.get('marker') ?? '';
  const access = await accessBucket(context, 's3:ListBucket');
  const page = await listPage(context.parts, access, {
    prefix,
    delimiter,
    after: encodeUtf8(marker),
    limit: maxKeys,
  });
  const last = page.items.at(-1);
  const nextMarker =
    page.truncated && delimiter !== '' && last !== undefined
      ? encode(decodeKey(itemBytes(last)))
      : undefined;
  return xmlResponse(
    xmlDocument(
      'ListBucketResult',
      textElement('Name', access.name),
      // As it was sent: clients of version 1 decode keys and markers, and not this.
      textElement('Prefix', prefix),
      textElement('Marker', encode(marker)),
      textElement('NextMarker', nextMarker),
      textElement('MaxKeys', maxKeys),
      delimiter === '' ? '' : textElement('Delimiter', encode(delimiter)),
      textElement('EncodingType', query.get('encoding-type')),
      textElement('IsTruncated', page.truncated),
      contents(page.items, encode, access.record.owner),
      commonPrefixes(page.items, encode),
    ),
  );
}

/** Opaque to clients: base64 of the last item shown. */
function parseToken(token: string): Uint8Array {
  const bytes = parseBase64(token);
  if (bytes === undefined || bytes.length === 0)
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect', {
      detail: { ArgumentName: 'continuation-token' },
    });
  return bytes;
}

export async function listObjectsV2(context: OperationContext): Promise<HttpResponse> {
  const { query } = context.request;
  const encode = encoder(context);
  const maxKeys = countParameter(context, 'max-keys', keysPerRequestMax);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  checkUnordered(query, delimiter);
  const startAfter = query.get('start-after') ?? '';
  const token = query.get('continuation-token');
  // An empty token is none, as S3 has it.
  const after = token === undefined || token === '' ? encodeUtf8(startAfter) : parseToken(token);
  const access = await accessBucket(context, 's3:ListBucket');
  const page = await listPage(context.parts, access, { prefix, delimiter, after, limit: maxKeys });
  const last = page.items.at(-1);
  const nextToken =
    page.truncated && last !== undefined ? formatBase64(itemBytes(last)) : undefined;
  const owner = query.get('fetch-owner') === 'true' ? access.record.owner : undefined;
  return xmlResponse(
    xmlDocument(
      'ListBucketResult',
      textElement('Name', access.name),
      textElement('Prefix', encode(prefix)),
      startAfter === '' ? '' : textElement('StartAfter', encode(startAfter)),
      textElement('ContinuationToken', token),
      textElement('NextContinuationToken', nextToken),
      textElement('KeyCount', page.items.length),
      textElement('MaxKeys', maxKeys),
      delimiter === '' ? '' : textElement('Delimiter', encode(delimiter)),
      textElement('EncodingType', query.get('encoding-type')),
      textElement('IsTruncated', page.truncated),
      contents(page.items, encode, owner),
      commonPrefixes(page.items, encode),
    ),
  );
}
