// Stores a body: small ones to travel inside their index entry, the rest as blobs. Nothing refers to the
// blobs yet; the caller's one call on the index does that.
//
// When the body turns out bad (wrong digest, client gone), no such call has been sent and none will be: the
// blobs are listed as garbage. After a call was sent nothing is: its outcome may be unknown (rule 28).

import { encodeUtf8 } from '../base/bytes.ts';
import { ClientError } from '../client/errors.ts';
import type { BodySource } from '../env/http.ts';
import { BlobWriter, dataPool } from './blob-writer.ts';
import type { GatewayParts } from './context.ts';
import type { BlobRun } from './index/format.ts';
import type { BucketAccess } from './index/index-client.ts';
import { addGarbage } from './index/messages.ts';
import { cipherBytes, encryptBody, type ObjectCipher, soleNonce } from './object-cipher.ts';
import { S3Error } from './protocol/errors.ts';

export interface StoreOrder<T> {
  readonly access: BucketAccess;
  readonly key: string;
  readonly source: BodySource;
  readonly sizeBytes: number;
  readonly small: 'inline' | 'in-blobs';
  readonly cipher?: ObjectCipher | undefined;
  /** Of the cipher's key stream. Default: that of what is put in one piece. */
  readonly nonce?: Uint8Array;
  /** Called when the source has ended; throws when the body is not what was announced. */
  readonly prove: () => Promise<T>;
}

export type StoredBody<T> = { readonly proof: T } & (
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'blobs'; readonly runs: readonly BlobRun[] }
);

export async function storeBody<T>(
  parts: GatewayParts,
  order: StoreOrder<T>,
): Promise<StoredBody<T>> {
  const { source, sizeBytes } = order;
  const isInline = order.small === 'inline' && sizeBytes <= parts.cluster.inlineBytesMax(dataPool);
  if (sizeBytes === 0 || isInline) {
    const bytes = await readInline(parts, source, sizeBytes);
    const proof = await order.prove();
    return sizeBytes === 0 && order.small === 'in-blobs'
      ? { kind: 'blobs', runs: [], proof }
      : { kind: 'inline', bytes: cipherBytes(order.cipher, bytes), proof };
  }
  const { cluster, budget, env } = parts;
  const writer = new BlobWriter({ cluster, budget, clock: env.clock }, sizeBytes);
  try {
    const runs = await writer.write(encryptBody(source, order.cipher, order.nonce ?? soleNonce));
    const proof = await order.prove();
    abandon(parts, order, writer.leftRuns);
    return { kind: 'blobs', runs, proof };
  } catch (error) {
    abandon(parts, order, writer.startedRuns);
    throw error;
  }
}

/** One piece, as it came, when it came as one. */
async function readInline(
  parts: GatewayParts,
  source: BodySource,
  sizeBytes: number,
): Promise<Uint8Array> {
  if (sizeBytes === 0) return new Uint8Array(0);
  await parts.budget.acquire(sizeBytes);
  try {
    const first = await source.next();
    if (first?.length === sizeBytes) return first;
    const whole = new Uint8Array(sizeBytes);
    let at = 0;
    for (let chunk = first; chunk !== undefined; chunk = await source.next()) {
      if (at + chunk.length > sizeBytes) throw new S3Error('IncompleteBody');
      whole.set(chunk, at);
      at += chunk.length;
    }
    if (at !== sizeBytes) throw new S3Error('IncompleteBody');
    return whole;
  } finally {
    parts.budget.release(sizeBytes);
  }
}

/** In the background: the client's answer does not wait for it, and a failure only leaves the blobs to a later sweep. */
function abandon(
  parts: GatewayParts,
  order: { readonly access: BucketAccess; readonly key: string },
  runs: readonly BlobRun[],
): void {
  if (runs.length === 0) return;
  const { env, index } = parts;
  env.tasks.spawn('s3-abandon', async () => {
    try {
      await index.callRange(order.access, encodeUtf8(order.key), addGarbage, { runs });
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof S3Error)) throw error;
      env.log.write('warn', 'blobs of a failed put are not listed as garbage', {
        bucket: order.access.name,
        reason: error.message,
      });
    }
  });
}
