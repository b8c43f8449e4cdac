// CopyObject: bytes are rewritten, metadata and tags copied or replaced as the directives say.

import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  keyOf,
  newVersionHeader,
  type OperationContext,
  versionHeader,
  wholeNowMs,
} from '../context.ts';
import { type CopySource, copyBytes, withCopySource } from '../copy-source.ts';
import { causeOf } from '../event-notices.ts';
import type { EntryBody } from '../index/format.ts';
import type { BucketAccess } from '../index/index-client.ts';
import { newObject, newObjectCipher } from '../new-object.ts';
import { checksumElement, parseChecksumAlgorithm } from '../protocol/checksums.ts';
import { parseWriteConditions } from '../protocol/conditions.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { customerKeyPrefix, encryptionHeaders, parseCustomerKey } from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { expirationHeader, lifecycleOf } from '../protocol/lifecycle.ts';
import {
  collectContentHeaders,
  collectMetadata,
  parseTaggingHeader,
  redirectHeader,
} from '../protocol/object-headers.ts';
import type { HeaderMap } from '../protocol/request.ts';
import { textElement, xmlDocument } from '../protocol/xml.ts';
import { checkCopiedTags, checkPutRights } from '../put-rights.ts';
import { answerWhenDone, type SlowAnswer } from '../slow-response.ts';
import { commitEntry, contentOf } from './put-object.ts';

type Directive = 'COPY' | 'REPLACE';

function directive(context: OperationContext, header: string): Directive {
  const value = context.request.headers.get(header)?.toUpperCase() ?? 'COPY';
  if (value !== 'COPY' && value !== 'REPLACE')
    throw new S3Error('InvalidArgument', `Unknown directive in ${header}.`, {
      detail: { ArgumentName: header, ArgumentValue: value.slice(0, 100) },
    });
  return value;
}

/** What an object may be copied to itself for, beside its metadata. */
function changesAttributes(headers: HeaderMap): boolean {
  return (
    headers.has(redirectHeader) ||
    headers.has('x-amz-storage-class') ||
    headers.has('x-amz-server-side-encryption') ||
    headers.has('x-amz-server-side-encryption-customer-algorithm')
  );
}

export async function copyObject(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutObject');
  return answerWhenDone(
    context,
    withCopySource(context, (source) => copy(context, access, source)),
  );
}

async function copy(
  context: OperationContext,
  access: BucketAccess,
  source: CopySource,
): Promise<SlowAnswer> {
  const { headers } = context.request;
  const { parts } = context;
  const key = keyOf(context);
  const metadataDirective = directive(context, 'x-amz-metadata-directive');
  const taggingDirective = directive(context, 'x-amz-tagging-directive');
  const { entry } = source;
  const isSelf =
    source.access.record.bucketId === access.record.bucketId &&
    source.wanted.key === key &&
    source.wanted.versionId === undefined;
  if (isSelf && metadataDirective === 'COPY' && !changesAttributes(headers))
    throw new S3Error(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  const asked = headers.get('x-amz-checksum-algorithm');
  const algorithm = asked === undefined ? entry.checksum?.algorithm : parseChecksumAlgorithm(asked);
  const described =
    metadataDirective === 'COPY'
      ? { headers: entry.headers, metadata: entry.metadata }
      : { headers: collectContentHeaders(headers), metadata: collectMetadata(headers) };
  const tags =
    taggingDirective === 'COPY' ? entry.tags : parseTaggingHeader(headers.get('x-amz-tagging'));
  if (taggingDirective === 'COPY') await checkCopiedTags(context, source);
  const object = newObject(context, access);
  await checkPutRights(context, access, object, tags);
  await parts.quotas.check(access, { bytes: entry.sizeBytes, objects: 1 }, 'reserve');
  const cipher = await newObjectCipher(context, access);
  const stored = await copyBytes(context, source, {
    cipher,
    access,
    key,
    small: 'inline',
    beginBytes: 0,
    endBytes: entry.sizeBytes,
    algorithm,
  });
  const { md5, checksum } = stored.proof;
  const wallMs = wholeNowMs(parts);
  const made: EntryBody = {
    sizeBytes: entry.sizeBytes,
    etag: md5,
    wallMs,
    checksum: checksum === undefined ? undefined : { ...checksum, type: 'FULL_OBJECT' },
    ...described,
    ...object,
    encryption: cipher?.encryption,
    tags,
    uploadId: undefined,
    partCount: 0,
    content: contentOf(stored, source.entry.sizeBytes),
  };
  const committed = await commitEntry(parts, access, {
    key,
    conditions: parseWriteConditions(headers),
    entry: made,
    eventName: 'ObjectCreated:Copy',
    cause: causeOf(context),
  });
  const document = xmlDocument(
    'CopyObjectResult',
    textElement('LastModified', formatIsoDate(wallMs)),
    textElement('ETag', quoteEtag(md5)),
    checksum === undefined
      ? ''
      : textElement(checksumElement(checksum.algorithm), checksum.value) +
          textElement('ChecksumType', 'FULL_OBJECT'),
  );
  return {
    document,
    headers: [
      ...newVersionHeader(committed),
      ...sourceVersionHeader(source),
      ...encryptionHeaders(cipher?.encryption, parseCustomerKey(headers, customerKeyPrefix)),
      ...expirationHeader(lifecycleOf(access.configuration), { ...made, key }),
    ],
  };
}

/** Which version was copied, where the source keeps any. */
export function sourceVersionHeader(source: CopySource): [string, string][] {
  const [header] = versionHeader(source.access, source.entry);
  return header === undefined ? [] : [['x-amz-copy-source-version-id', header[1]]];
}
