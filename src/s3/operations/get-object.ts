// GetObject and HeadObject: the entry decides everything but the bytes, which stream from their blobs.

import { isBlobGone } from '../../client/errors.ts';
import type { HttpResponse } from '../../env/http.ts';
import { BlobStream, loadExtents, PieceCursor } from '../blob-reader.ts';
import {
  accessVersion,
  type GatewayParts,
  keyOf,
  type OperationContext,
  redirectResponse,
  versionHeader,
} from '../context.ts';
import type { Entry } from '../index/format.ts';
import { cipherBytes, decryptBody, type ObjectCipher, openCipher } from '../object-cipher.ts';
import { checksumHeader } from '../protocol/checksums.ts';
import { judgeIfRange, judgeRead, readConditionNames } from '../protocol/conditions.ts';
import { formatHttpDate } from '../protocol/dates.ts';
import {
  customerKeyPrefix,
  encryptionHeaders,
  parseCustomerKey,
  refuseEncryptionHeaders,
} from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { expirationHeader, lifecycleOf } from '../protocol/lifecycle.ts';
import { partNumberMax } from '../protocol/limits.ts';
import { defaultContentType, metadataHeader, redirectHeader } from '../protocol/object-headers.ts';
import { lockHeaders } from '../protocol/object-lock.ts';
import { resolveRange } from '../protocol/ranges.ts';
import { headerValue, parseCount, type Query } from '../protocol/request.ts';
import { readEntry, wantedOf } from '../read-entry.ts';

interface Part {
  readonly beginBytes: number;
  readonly endBytes: number;
  readonly status: 200 | 206;
  /** Of a part that was asked for by its number, in the object's algorithm. */
  readonly checksum?: string | undefined;
}

const overridable = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const;

function contentHeaders(entry: Entry, query: Query): [string, string][] {
  const headers: [string, string][] = [];
  if (query.size === 0) {
    let typed = false;
    for (const { name, value } of entry.headers) {
      typed ||= name === 'content-type';
      headers.push([name, value]);
    }
    if (!typed) headers.push(['content-type', defaultContentType]);
    return headers;
  }
  for (const name of overridable) {
    const override = query.get(`response-${name}`);
    const stored = entry.headers.find((header) => header.name === name)?.value;
    const fallback = name === 'content-type' ? defaultContentType : undefined;
    const value = override === undefined ? (stored ?? fallback) : headerValue(override);
    if (value !== undefined) headers.push([name, value]);
  }
  return headers;
}

function validators(entry: Entry): [string, string][] {
  return [
    ['etag', quoteEtag(entry.etag)],
    ['last-modified', formatHttpDate(entry.wallMs)],
  ];
}

/** The part of a multipart object that `partNumber` names. */
async function partRange(parts: GatewayParts, entry: Entry, text: string): Promise<Part> {
  const number = parseCount(text);
  if (number === undefined || number < 1 || number > partNumberMax)
    throw new S3Error(
      'InvalidArgument',
      'Part number must be an integer between 1 and 10000, inclusive',
    );
  if (number > Math.max(1, entry.partCount)) throw new S3Error('InvalidPartNumber');
  if (entry.partCount === 0) return { beginBytes: 0, endBytes: entry.sizeBytes, status: 206 };
  const extents = await loadExtents(parts.cluster, entry.content);
  let beginBytes = 0;
  for (const extent of extents.slice(0, number - 1)) beginBytes += extent.sizeBytes;
  const extent = extents[number - 1];
  const endBytes = beginBytes + (extent?.sizeBytes ?? 0);
  return { beginBytes, endBytes, status: 206, checksum: extent?.checksum };
}

/** Or a link to what is for everybody could show it as anything. */
function refuseOverrides({ user, request }: OperationContext): void {
  if (user.name !== '' || ![...request.query.keys()].some((name) => name.startsWith('response-')))
    return;
  throw new S3Error(
    'InvalidRequest',
    'Request specific response headers cannot be used for anonymous GET requests.',
  );
}

async function choosePart(context: OperationContext, entry: Entry): Promise<Part> {
  const { headers, query } = context.request;
  const whole: Part = { beginBytes: 0, endBytes: entry.sizeBytes, status: 200 };
  const range = headers.get('range');
  const partNumber = query.get('partNumber');
  if (partNumber !== undefined) {
    if (range !== undefined)
      throw new S3Error(
        'InvalidRequest',
        'Cannot specify both Range header and partNumber query parameter',
      );
    return partRange(context.parts, entry, partNumber);
  }
  if (range === undefined || !judgeIfRange(headers.get('if-range'), entry)) return whole;
  const answer = resolveRange(range, entry.sizeBytes);
  switch (answer.kind) {
    case 'whole':
      return whole;
    case 'part':
      return { beginBytes: answer.beginBytes, endBytes: answer.endBytes, status: 206 };
    case 'unsatisfiable':
      throw new S3Error('InvalidRange', undefined, {
        detail: { RangeRequested: range.slice(0, 100), ActualObjectSize: String(entry.sizeBytes) },
        headers: [['content-range', `bytes */${entry.sizeBytes}`]],
      });
  }
}

function answerHeaders(context: OperationContext, entry: Entry, part: Part): [string, string][] {
  const { headers, query } = context.request;
  const answer = contentHeaders(entry, query);
  answer.push(...validators(entry), ['accept-ranges', 'bytes']);
  answer.push(['content-length', String(part.endBytes - part.beginBytes)]);
  for (const { name, value } of entry.metadata) answer.push([metadataHeader(name), value]);
  if (entry.redirect !== undefined) answer.push([redirectHeader, entry.redirect]);
  if (entry.tags.length > 0) answer.push(['x-amz-tagging-count', String(entry.tags.length)]);
  if (part.status === 206 && part.endBytes > part.beginBytes)
    answer.push([
      'content-range',
      `bytes ${part.beginBytes}-${part.endBytes - 1}/${entry.sizeBytes}`,
    ]);
  if (entry.partCount > 0 && query.has('partNumber'))
    answer.push(['x-amz-mp-parts-count', String(entry.partCount)]);
  const isWhole = part.endBytes - part.beginBytes === entry.sizeBytes;
  const checksum = part.checksum ?? (isWhole ? entry.checksum?.value : undefined);
  if (
    entry.checksum !== undefined &&
    checksum !== undefined &&
    headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED'
  )
    answer.push(
      [checksumHeader(entry.checksum.algorithm), checksum],
      ['x-amz-checksum-type', entry.checksum.type],
    );
  return answer;
}

function checkConditions(context: OperationContext, entry: Entry): void {
  switch (judgeRead(context.request.headers, readConditionNames, entry)) {
    case 'serve':
      return;
    case 'not-modified':
      throw new S3Error('NotModified', undefined, { headers: validators(entry) });
    case 'failed':
      throw new S3Error('PreconditionFailed');
  }
}

async function openBody(
  parts: GatewayParts,
  entry: Entry,
  part: Part,
  cipher: ObjectCipher | undefined,
): Promise<NonNullable<HttpResponse['body']>> {
  const { content } = entry;
  if (content.kind === 'inline') {
    const bytes = content.bytes.subarray(part.beginBytes, part.endBytes);
    return cipherBytes(cipher, bytes, part.beginBytes);
  }
  if (part.beginBytes === part.endBytes) return new Uint8Array(0);
  const endRead = parts.reads.begin();
  let stream: BlobStream | undefined;
  try {
    const extents = await loadExtents(parts.cluster, content);
    const runs = extents.flatMap((extent) => extent.runs);
    stream = new BlobStream(
      {
        cluster: parts.cluster,
        clock: parts.env.clock,
        budget: parts.budget,
        // What is decrypted is a copy, and nobody would give the piece back.
        ...(cipher === undefined ? { memory: 'pooled' as const } : {}),
        onClose: endRead,
      },
      new PieceCursor(runs, part.beginBytes, part.endBytes),
    );
    await stream.start();
    return decryptBody(stream, cipher, extents, part.beginBytes);
  } catch (error) {
    if (stream === undefined) endRead();
    else stream.close();
    throw error;
  }
}

/** `shown` to a website's reader, who is sent on where the object says so; else `told` of it. */
async function serve(
  context: OperationContext,
  body: 'with-body' | 'without-body',
  redirect: 'told' | 'shown' = 'told',
): Promise<HttpResponse> {
  const { parts, request } = context;
  const wanted = wantedOf(context, keyOf(context));
  const access = await accessVersion(context, 's3:GetObject');
  refuseOverrides(context);
  refuseEncryptionHeaders(request.headers);
  const customer = parseCustomerKey(request.headers, customerKeyPrefix);
  let entry = await readEntry(context, access, wanted);
  while (true) {
    if (redirect === 'shown' && entry.redirect !== undefined)
      return redirectResponse({ status: 301, location: entry.redirect });
    try {
      const cipher = await openCipher(parts, entry.encryption, customer);
      checkConditions(context, entry);
      const part = await choosePart(context, entry);
      const headers = answerHeaders(context, entry, part);
      headers.push(...versionHeader(access, entry));
      if (entry.storageClass !== 'STANDARD')
        headers.push(['x-amz-storage-class', entry.storageClass]);
      headers.push(...lockHeaders(entry));
      if (wanted.versionId === undefined)
        headers.push(
          ...expirationHeader(lifecycleOf(access.configuration), { ...entry, key: wanted.key }),
        );
      headers.push(...encryptionHeaders(entry.encryption, customer));
      if (body === 'without-body') return { status: part.status, headers };
      return { status: part.status, headers, body: await openBody(parts, entry, part, cipher) };
    } catch (error) {
      // Replaced and collected between our two looks: the new entry is the answer. The same entry without
      // its blobs is a loss, and said so.
      if (!isBlobGone(error)) throw error;
      const again = await readEntry(context, access, wanted);
      const { tenure, sequence } = entry.generation;
      if (again.generation.tenure === tenure && again.generation.sequence === sequence) throw error;
      entry = again;
    }
  }
}

export function getObject(context: OperationContext): Promise<HttpResponse> {
  return serve(context, 'with-body');
}

export function headObject(context: OperationContext): Promise<HttpResponse> {
  return serve(context, 'without-body');
}

/** For the reader of a website: an object that says where to go instead sends there (301). */
export function showObject(context: OperationContext): Promise<HttpResponse> {
  const isHead = context.request.method === 'HEAD';
  return serve(context, isHead ? 'without-body' : 'with-body', 'shown');
}
