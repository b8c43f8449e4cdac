// CompleteMultipartUpload: no data moves. The gateway reads the parts, judges the client's list, builds the
// entry, and the index method commits it if the parts are still the ones that were read.
//
// Completing again what this upload made is answered as the first time: clients repeat it when the
// first answer got lost.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  keyOf,
  newVersionHeader,
  type OperationContext,
  readXml,
  wholeNowMs,
} from '../context.ts';
import { causeOf, noticesFor, withNotices } from '../event-notices.ts';
import {
  type Content,
  decodeEntry,
  directExtentsBytesMax,
  type Entry,
  type EntryBody,
  type Extent,
  encodeEntryDraft,
  encodeManifest,
  type Part,
  partFormat,
  type Upload,
  uploadFormat,
} from '../index/format.ts';
import { type BucketAccess, refusalError } from '../index/index-client.ts';
import { completeUpload, getEntry, listParts } from '../index/messages.ts';
import { openCipher } from '../object-cipher.ts';
import { checksumAlgorithms } from '../protocol/checksum-names.ts';
import { checksumElement, checksumHeader, combineChecksums } from '../protocol/checksums.ts';
import { parseWriteConditions } from '../protocol/conditions.ts';
import { customerKeyPrefix, encryptionHeaders, parseCustomerKey } from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { multipartEtag, quoteEtag, unquoteEtag } from '../protocol/etag.ts';
import { expirationHeader, lifecycleOf } from '../protocol/lifecycle.ts';
import {
  keysPerRequestMax,
  objectBytesMax,
  partBytesMin,
  partNumberMax,
} from '../protocol/limits.ts';
import { defaultRetention } from '../protocol/object-lock.ts';
import { type HeaderMap, parseCount } from '../protocol/request.ts';
import { versioningOf } from '../protocol/versioning.ts';
import { childrenOf, childText, textElement, type XmlNode, xmlDocument } from '../protocol/xml.ts';
import { answerWhenDone, type SlowAnswer } from '../slow-response.ts';
import { storeBody } from '../store-body.ts';
import { checkSameEncryption, uploadIdOf } from './upload-part.ts';

/** Parts change under a completion only when a client uploads and completes at once. */
const attemptsMax = 3;

interface WantedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** By element name, e.g. `ChecksumCRC32`. */
  readonly checksums: ReadonlyMap<string, string>;
}

function parseWanted(root: XmlNode): readonly WantedPart[] {
  const wanted: WantedPart[] = [];
  for (const node of childrenOf(root, 'Part')) {
    const partNumber = parseCount(childText(node, 'PartNumber')?.trim() ?? '');
    const etag = childText(node, 'ETag');
    if (partNumber === undefined || etag === undefined) throw new S3Error('MalformedXML');
    if (partNumber < 1 || partNumber > partNumberMax)
      throw new S3Error('InvalidArgument', 'PartNumber must be an integer between 1 and 10000');
    const previous = wanted.at(-1);
    if (previous !== undefined && partNumber < previous.partNumber)
      throw new S3Error('InvalidPartOrder');
    // A client that sent a part twice may name both; the later one counts.
    if (partNumber === previous?.partNumber) wanted.pop();
    const checksums = new Map<string, string>();
    for (const algorithm of checksumAlgorithms) {
      const value = childText(node, checksumElement(algorithm));
      if (value !== undefined) checksums.set(checksumElement(algorithm), value.trim());
    }
    wanted.push({ partNumber, etag: unquoteEtag(etag), checksums });
  }
  if (wanted.length === 0) throw new S3Error('MalformedXML');
  return wanted;
}

async function readParts(
  context: OperationContext,
  access: BucketAccess,
  uploadId: string,
): Promise<{ readonly upload: Upload; readonly parts: ReadonlyMap<number, Part> } | undefined> {
  const key = keyOf(context);
  const parts = new Map<number, Part>();
  let after = 0;
  while (true) {
    const answer = await context.parts.index.callKey(access, key, listParts, {
      key: encodeUtf8(key),
      uploadId,
      after,
      limit: keysPerRequestMax,
    });
    if (answer.kind === 'refused') {
      if (answer.reason === 'no-upload') return undefined;
      throw refusalError(answer.reason, access.name, key);
    }
    for (const { partNumber, part } of answer.parts) {
      parts.set(partNumber, partFormat.decode(part));
      after = partNumber;
    }
    if (answer.ended) return { upload: uploadFormat.decode(answer.upload), parts };
  }
}

interface ChosenPart {
  readonly partNumber: number;
  readonly part: Part;
}

/** The parts the client named, checked against what is there. */
function chooseParts(
  wanted: readonly WantedPart[],
  parts: ReadonlyMap<number, Part>,
  upload: Upload,
): readonly ChosenPart[] {
  return wanted.map(({ partNumber, etag, checksums }, i) => {
    const part = parts.get(partNumber);
    const detail = { detail: { PartNumber: String(partNumber), ETag: etag.slice(0, 100) } };
    if (part === undefined || part.etag !== etag.toLowerCase())
      throw new S3Error('InvalidPart', undefined, detail);
    if (upload.checksumAlgorithm !== undefined) {
      const claimed = checksums.get(checksumElement(upload.checksumAlgorithm));
      if (claimed !== undefined && claimed !== part.checksum)
        throw new S3Error('InvalidPart', undefined, detail);
    }
    if (i < wanted.length - 1 && part.sizeBytes < partBytesMin)
      throw new S3Error('EntityTooSmall', undefined, {
        detail: {
          ...detail.detail,
          ProposedSize: String(part.sizeBytes),
          MinSizeAllowed: String(partBytesMin),
        },
      });
    return { partNumber, part };
  });
}

function joinChecksums(
  headers: HeaderMap,
  upload: Upload,
  chosen: readonly ChosenPart[],
): EntryBody['checksum'] {
  const { checksumAlgorithm: algorithm, checksumType: type } = upload;
  const askedType = headers.get('x-amz-checksum-type')?.toUpperCase();
  if (askedType !== undefined && askedType !== type)
    throw new S3Error(
      'InvalidRequest',
      'The checksum type of the upload is not the one of the request.',
    );
  for (const other of checksumAlgorithms)
    if (other !== algorithm && headers.has(checksumHeader(other)))
      throw new S3Error(
        'InvalidRequest',
        `Checksum Type mismatch occurred, expected checksum Type: ${algorithm?.toLowerCase() ?? 'null'}, actual checksum Type: ${other.toLowerCase()}`,
      );
  if (algorithm === undefined || type === undefined) return undefined;
  const parts: { value: string; sizeBytes: number }[] = [];
  for (const { part } of chosen) {
    if (part.checksum === undefined) throw new S3Error('InvalidPart');
    parts.push({ value: part.checksum, sizeBytes: part.sizeBytes });
  }
  const value = combineChecksums(algorithm, type, parts);
  const claimed = headers.get(checksumHeader(algorithm));
  if (claimed !== undefined && claimed !== value && `${claimed}-${parts.length}` !== value)
    throw new S3Error(
      'BadDigest',
      `The ${algorithm} you specified did not match the calculated checksum.`,
    );
  return { algorithm, type, value };
}

/** Many parts do not fit the entry; their list goes into blobs of its own. */
async function placeExtents(
  context: OperationContext,
  access: BucketAccess,
  extents: readonly Extent[],
): Promise<Content> {
  const encoded = encodeManifest(extents);
  if (encoded.length <= directExtentsBytesMax) return { kind: 'direct', extents };
  const views = [encoded];
  const stored = await storeBody(context.parts, {
    access,
    key: keyOf(context),
    source: { next: async () => views.pop() },
    sizeBytes: encoded.length,
    small: 'in-blobs',
    prove: async () => undefined,
  });
  const runs = stored.kind === 'blobs' ? stored.runs : [];
  return { kind: 'indirect', manifestBytes: encoded.length, runs };
}

function answerOf(
  context: OperationContext,
  access: BucketAccess,
  entry: EntryBody & Pick<Entry, 'version'>,
): SlowAnswer {
  return {
    document: resultDocument(context, entry),
    headers: [
      ...newVersionHeader(entry),
      ...encryptionHeaders(
        entry.encryption,
        parseCustomerKey(context.request.headers, customerKeyPrefix),
      ),
      ...expirationHeader(lifecycleOf(access.configuration), { ...entry, key: keyOf(context) }),
    ],
  };
}

function resultDocument(
  context: OperationContext,
  entry: Pick<Entry, 'etag' | 'checksum'>,
): Uint8Array {
  const { request } = context;
  const host = request.headers.get('host') ?? '';
  return xmlDocument(
    'CompleteMultipartUploadResult',
    textElement('Location', `http://${host}${request.rawPath}`),
    textElement('Bucket', request.bucket),
    textElement('Key', request.key),
    textElement('ETag', quoteEtag(entry.etag)),
    entry.checksum === undefined
      ? ''
      : textElement(checksumElement(entry.checksum.algorithm), entry.checksum.value) +
          textElement('ChecksumType', entry.checksum.type),
  );
}

/** The entry this upload made, when it was completed before. Throws `NoSuchUpload`. */
async function completedBefore(
  context: OperationContext,
  access: BucketAccess,
  uploadId: string,
): Promise<SlowAnswer> {
  const key = keyOf(context);
  const answer = await context.parts.index.callKey(access, key, getEntry, {
    key: encodeUtf8(key),
    versionId: undefined,
  });
  if (answer.kind === 'read' && answer.entry !== undefined) {
    const entry = decodeEntry(answer.entry);
    if (entry.uploadId === uploadId) return answerOf(context, access, entry);
  }
  throw new S3Error('NoSuchUpload');
}

async function complete(
  context: OperationContext,
  access: BucketAccess,
  uploadId: string,
  wanted: readonly WantedPart[],
): Promise<SlowAnswer> {
  const { parts: gateway, request } = context;
  const key = keyOf(context);
  const conditions = parseWriteConditions(request.headers);
  const versioning = versioningOf(access.configuration);
  const customer = parseCustomerKey(request.headers, customerKeyPrefix);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await readParts(context, access, uploadId);
    if (found === undefined) return completedBefore(context, access, uploadId);
    const { upload } = found;
    checkSameEncryption(request.headers, upload);
    const chosen = chooseParts(wanted, found.parts, upload);
    // A customer's key that is shown must be the upload's. S3 wants to see it where the object was sent with checksums; clients
    // without those, rclone among them, do not show it.
    const isSummed =
      upload.checksumAlgorithm !== undefined ||
      chosen.some(({ part }) => part.checksum !== undefined);
    if (customer !== undefined || isSummed) await openCipher(gateway, upload.encryption, customer);
    let sizeBytes = 0;
    for (const { part } of chosen) sizeBytes += part.sizeBytes;
    if (sizeBytes > objectBytesMax) throw new S3Error('EntityTooLarge');
    const announced = request.headers.get('x-amz-mp-object-size');
    if (announced !== undefined && parseCount(announced) !== sizeBytes)
      throw new S3Error(
        'InvalidRequest',
        `The provided 'x-amz-mp-object-size' header does not match what was computed: ${sizeBytes}`,
      );
    if (attempt === 0)
      await gateway.quotas.check(access, { bytes: sizeBytes, objects: 1 }, 'reserve');
    const entry: EntryBody = {
      sizeBytes,
      etag: multipartEtag(chosen.map(({ part }) => part.etag)),
      wallMs: wholeNowMs(gateway),
      checksum: joinChecksums(request.headers, upload, chosen),
      kind: 'object',
      isNull: versioning !== 'enabled',
      owner: upload.owner,
      storageClass: upload.storageClass,
      headers: upload.headers,
      metadata: upload.metadata,
      tags: upload.tags,
      acl: upload.acl,
      retention: upload.retention ?? defaultRetention(access.configuration, wholeNowMs(gateway)),
      legalHold: upload.legalHold,
      encryption: upload.encryption,
      redirect: upload.redirect,
      properties: upload.properties,
      uploadId,
      partCount: chosen.length,
      content: await placeExtents(
        context,
        access,
        chosen.map(({ partNumber, part }) => ({
          sizeBytes: part.sizeBytes,
          runs: part.runs,
          checksum: upload.checksumAlgorithm === undefined ? undefined : part.checksum,
          partNumber,
          nonce: part.nonce,
        })),
      ),
    };
    const argument = {
      key: encodeUtf8(key),
      uploadId,
      conditions,
      versioning,
      parts: chosen.map(({ partNumber, part }) => ({ partNumber, version: part.version })),
      entry: encodeEntryDraft(entry),
    };
    const notices = await noticesFor(gateway, access, {
      cause: causeOf(context),
      possible: [{ key, name: 'ObjectCreated:CompleteMultipartUpload' }],
    });
    const answer = await withNotices(notices, completeUpload, argument, (call, argument) =>
      gateway.index.callKey(access, key, call, argument),
    );
    if (answer.kind === 'committed')
      return answerOf(context, access, { ...entry, version: answer.version });
    if (answer.kind === 'already') return answerOf(context, access, decodeEntry(answer.entry));
    if (answer.reason !== 'parts-changed') throw refusalError(answer.reason, access.name, key);
  }
  throw new S3Error('InvalidPart');
}

export async function completeMultipartUpload(context: OperationContext): Promise<HttpResponse> {
  const uploadId = uploadIdOf(context);
  const wanted = parseWanted(await readXml(context, 'CompleteMultipartUpload', 'of-object'));
  const access = await accessBucket(context, 's3:PutObject');
  return answerWhenDone(context, complete(context, access, uploadId, wanted));
}
