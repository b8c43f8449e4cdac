// The source of CopyObject and UploadPartCopy: found, judged by the copy conditions, and read through the
// same digests a body from a client goes through. A blob has one owner, so copies rewrite bytes.

import { createHash } from 'node:crypto';
import { isBlobGone } from '../client/errors.ts';
import type { BodySource } from '../env/http.ts';
import { judgeOf } from './authorization.ts';
import { BlobStream, loadExtents, PieceCursor } from './blob-reader.ts';
import { checkExpectedOwner, type OperationContext } from './context.ts';
import type { Entry } from './index/format.ts';
import type { BucketAccess } from './index/index-client.ts';
import { cipherBytes, decryptBody, openCipher } from './object-cipher.ts';
import { checkBucketName } from './protocol/bucket-name.ts';
import type { ChecksumAlgorithm } from './protocol/checksum-names.ts';
import { startChecksum } from './protocol/checksums.ts';
import { copyConditionNames, judgeRead } from './protocol/conditions.ts';
import { copySourceKeyPrefix, parseCustomerKey } from './protocol/encryption.ts';
import { S3Error } from './protocol/errors.ts';
import { putBytesMax } from './protocol/limits.ts';
import type { PayloadDigests } from './protocol/payload.ts';
import { decodePercent } from './protocol/percent.ts';
import { checkKeyLength } from './protocol/request.ts';
import { readEntry, type WantedEntry } from './read-entry.ts';
import { type StoredBody, type StoreOrder, storeBody } from './store-body.ts';

export interface CopySource {
  readonly access: BucketAccess;
  readonly wanted: WantedEntry;
  readonly entry: Entry;
}

function parseCopySource(header: string): WantedEntry & { readonly bucket: string } {
  const question = header.indexOf('?versionId=');
  const raw = question < 0 ? header : header.slice(0, question);
  const versionId = question < 0 ? undefined : decodePercent(header.slice(question + 11));
  const path = decodePercent(raw.startsWith('/') ? raw.slice(1) : raw);
  const slash = path?.indexOf('/') ?? -1;
  if (path === undefined || slash < 1 || slash === path.length - 1)
    throw new S3Error(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      {
        detail: { ArgumentName: 'x-amz-copy-source' },
      },
    );
  const key = path.slice(slash + 1);
  checkKeyLength(key);
  return { bucket: path.slice(0, slash), key, versionId };
}

/** Throws `NoSuchBucket`, `NoSuchKey`, `AccessDenied`, `PreconditionFailed`. */
export async function findCopySource(context: OperationContext): Promise<CopySource> {
  const { parts, request } = context;
  const { bucket, ...wanted } = parseCopySource(request.headers.get('x-amz-copy-source') ?? '');
  checkBucketName(bucket);
  const action = wanted.versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  const access = await parts.index.access(bucket, judgeOf(context, { action, key: wanted.key }));
  checkExpectedOwner(context, 'x-amz-source-expected-bucket-owner', access);
  const entry = await readEntry(context, access, wanted);
  if (judgeRead(request.headers, copyConditionNames, entry) !== 'serve')
    throw new S3Error('PreconditionFailed');
  return { access, wanted, entry };
}

export interface CopyOrder
  extends Pick<StoreOrder<unknown>, 'access' | 'key' | 'small' | 'cipher' | 'nonce'> {
  readonly beginBytes: number;
  readonly endBytes: number;
  readonly algorithm: ChecksumAlgorithm | undefined;
}

/** Copies a range of the source's bytes. Throws what reading and storing throw. */
export async function copyBytes(
  context: OperationContext,
  source: CopySource,
  order: CopyOrder,
): Promise<StoredBody<PayloadDigests>> {
  const { parts } = context;
  const sizeBytes = order.endBytes - order.beginBytes;
  if (sizeBytes > putBytesMax)
    throw new S3Error(
      'InvalidRequest',
      'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
    );
  const endRead = parts.reads.begin();
  try {
    const body = await openSource(context, source.entry, order);
    const md5 = createHash('md5');
    const checksum = order.algorithm === undefined ? undefined : startChecksum(order.algorithm);
    const digesting: BodySource = {
      next: async () => {
        const chunk = await body.next();
        if (chunk !== undefined) {
          md5.update(chunk);
          checksum?.update(chunk);
        }
        return chunk;
      },
    };
    return await storeBody(parts, {
      ...order,
      source: digesting,
      sizeBytes,
      prove: async () => ({
        md5: md5.digest('hex'),
        checksum:
          checksum === undefined || order.algorithm === undefined
            ? undefined
            : { algorithm: order.algorithm, value: checksum.digest() },
      }),
    });
  } finally {
    endRead();
  }
}

/** The writer has charged the blob it fills, so reading charges nothing and reads nothing ahead. */
async function openSource(
  context: OperationContext,
  entry: Entry,
  range: { readonly beginBytes: number; readonly endBytes: number },
): Promise<BodySource> {
  const { cluster, env } = context.parts;
  const customer = parseCustomerKey(context.request.headers, copySourceKeyPrefix);
  const cipher = await openCipher(context.parts, entry.encryption, customer);
  if (entry.content.kind === 'inline') {
    const bytes = entry.content.bytes.subarray(range.beginBytes, range.endBytes);
    const views = [cipherBytes(cipher, bytes, range.beginBytes)];
    return { next: async () => views.pop() };
  }
  const extents = await loadExtents(cluster, entry.content);
  const runs = extents.flatMap((extent) => extent.runs);
  const stream = new BlobStream(
    { cluster, clock: env.clock, budget: undefined },
    new PieceCursor(runs, range.beginBytes, range.endBytes),
  );
  return decryptBody(stream, cipher, extents, range.beginBytes);
}

/**
 * Runs a copy; when a blob of the source is gone, because it was replaced and collected, once more from what is
 * there now.
 */
export async function withCopySource<T>(
  context: OperationContext,
  copy: (source: CopySource) => Promise<T>,
): Promise<T> {
  const source = await findCopySource(context);
  try {
    return await copy(source);
  } catch (error) {
    if (!isBlobGone(error)) throw error;
    const again = await findCopySource(context);
    const { tenure, sequence } = source.entry.generation;
    if (again.entry.generation.tenure === tenure && again.entry.generation.sequence === sequence)
      throw error;
    return copy(again);
  }
}
