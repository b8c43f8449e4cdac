// Encryption of objects at rest. Each object has a key of its own, derived from a master key (kept in the registry), or the
// customer's, and a salt that is kept with the object. Bytes are AES-256 in counter mode: they keep their length and any
// range can be read. What proves that they are whole are the blobs' checksums and the object's digests, not the cipher.
//
// Always true: no two runs of bytes are encrypted with the same key and counter. A key belongs to one object; a nonce
// to one part of it, and is made anew when the part is put again.

import { createCipheriv, createHmac } from 'node:crypto';
import { concatBytes, encodeUtf8 } from '../base/bytes.ts';
import type { BodySource } from '../env/http.ts';
import type { GatewayParts } from './context.ts';
import type { Encryption, Extent } from './index/format.ts';
import { formatBase64 } from './protocol/base64.ts';
import type { CustomerKey, WantedEncryption } from './protocol/encryption.ts';
import { S3Error } from './protocol/errors.ts';
import { equalSecret } from './protocol/sigv4.ts';

const saltBytes = 32;

/** The upper half of the first counter block; the lower half counts blocks. */
export const nonceBytes = 8;
const blockBytes = 16;

/** Of what was put in one piece: its key is its own already. */
export const soleNonce: Uint8Array = new Uint8Array(nonceBytes);

/** The master key of SSE-S3; made when it is first needed. */
const s3KeyId = 's3';

/** An object's key, and what is kept of it. */
export interface ObjectCipher {
  readonly key: Uint8Array;
  readonly encryption: Encryption;
}

function deriveKey(base: Uint8Array, salt: Uint8Array): Uint8Array {
  return createHmac('sha256', base)
    .update(concatBytes([encodeUtf8('holdfast object key v1\0'), salt]))
    .digest();
}

/** Tells the customer's key from others without telling what it is. */
function fingerprint(base: Uint8Array, salt: Uint8Array): string {
  const hash = createHmac('sha256', base);
  return formatBase64(
    hash.update(concatBytes([encodeUtf8('holdfast key check v1\0'), salt])).digest(),
  );
}

/** For a new object, or an upload. Throws `InvalidArgument` when the key named is not there. */
export async function newCipher(
  parts: GatewayParts,
  wanted: WantedEncryption,
): Promise<ObjectCipher> {
  const salt = parts.env.secrets.bytes(saltBytes);
  const kept = { wrappedKey: salt, context: '', bucketKey: false };
  switch (wanted.kind) {
    case 'SSE-S3': {
      const base = await parts.masterKeys.s3(s3KeyId);
      const encryption: Encryption = { ...kept, kind: 'SSE-S3', keyId: s3KeyId };
      return { key: deriveKey(base, salt), encryption };
    }
    case 'SSE-KMS': {
      const { keyId, context, bucketKey } = wanted;
      if (keyId === undefined)
        throw new S3Error(
          'InvalidArgument',
          'aws:kms needs the id of a key: there is no default one',
        );
      const base = await parts.masterKeys.named(keyId);
      if (base === undefined)
        throw new S3Error('KMS.NotFoundException', `Key '${keyId.slice(0, 200)}' does not exist`);
      const encryption: Encryption = { ...kept, kind: 'SSE-KMS', keyId, context, bucketKey };
      return { key: deriveKey(base, salt), encryption };
    }
    case 'SSE-C': {
      const { key } = wanted.customer;
      const encryption: Encryption = { ...kept, kind: 'SSE-C', keyId: fingerprint(key, salt) };
      return { key: deriveKey(key, salt), encryption };
    }
  }
}

/** For an object that is there. Throws `InvalidRequest` unless the customer's key is the object's. */
export async function openCipher(
  parts: GatewayParts,
  encryption: Encryption | undefined,
  customer: CustomerKey | undefined,
): Promise<ObjectCipher | undefined> {
  if (encryption?.kind !== 'SSE-C' && customer !== undefined)
    throw new S3Error(
      'InvalidRequest',
      'The encryption parameters are not applicable to this object.',
    );
  if (encryption === undefined) return undefined;
  const { wrappedKey: salt, keyId } = encryption;
  if (encryption.kind === 'SSE-C') {
    if (customer === undefined)
      throw new S3Error(
        'InvalidRequest',
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
      );
    if (!equalSecret(fingerprint(customer.key, salt), keyId))
      throw new S3Error(
        'InvalidRequest',
        'The provided encryption key does not match the key of the object.',
      );
    return { key: deriveKey(customer.key, salt), encryption };
  }
  const base = await parts.masterKeys.find(encryption.kind, keyId);
  if (base === undefined) throw new S3Error('KMS.DisabledException', `Key '${keyId}' is gone`);
  return { key: deriveKey(base, salt), encryption };
}

/** A key stream from a byte of an extent on; the same in both directions. */
class KeyStream {
  readonly #cipher: ReturnType<typeof createCipheriv>;

  constructor(key: Uint8Array, nonce: Uint8Array, offsetBytes: number) {
    const counter = new Uint8Array(blockBytes);
    counter.set(nonce);
    const block = Math.floor(offsetBytes / blockBytes);
    const view = new DataView(counter.buffer);
    view.setUint32(8, Math.floor(block / 2 ** 32));
    view.setUint32(12, block % 2 ** 32);
    this.#cipher = createCipheriv('aes-256-ctr', key, counter);
    const skip = offsetBytes % blockBytes;
    if (skip > 0) this.#cipher.update(new Uint8Array(skip));
  }

  /** Without Node's Buffer, whose `slice` does not copy: whoever keeps a copy would keep the bytes themselves. */
  apply(bytes: Uint8Array): Uint8Array {
    const { buffer, byteOffset, length } = this.#cipher.update(bytes);
    return new Uint8Array(buffer, byteOffset, length);
  }
}

/** Encrypts or decrypts what is kept in one piece. */
export function cipherBytes(
  cipher: ObjectCipher | undefined,
  bytes: Uint8Array,
  offsetBytes = 0,
): Uint8Array {
  if (cipher === undefined || bytes.length === 0) return bytes;
  return new KeyStream(cipher.key, soleNonce, offsetBytes).apply(bytes);
}

/** A body, encrypted as it comes. */
export function encryptBody(
  source: BodySource,
  cipher: ObjectCipher | undefined,
  nonce: Uint8Array,
): BodySource {
  if (cipher === undefined) return source;
  const stream = new KeyStream(cipher.key, nonce, 0);
  return {
    next: async () => {
      const chunk = await source.next();
      return chunk === undefined ? undefined : stream.apply(chunk);
    },
  };
}

/**
 * Bytes of an object from `beginBytes` on, decrypted as they come. No chunk may cross the end of an extent.
 */
export function decryptBody<S extends BodySource>(
  source: S,
  cipher: ObjectCipher | undefined,
  extents: readonly Extent[],
  beginBytes: number,
): S | (BodySource & { close(): void }) {
  if (cipher === undefined) return source;
  let at = beginBytes;
  let index = 0;
  let extentBegin = 0;
  let stream: KeyStream | undefined;
  return {
    next: async () => {
      const chunk = await source.next();
      if (chunk === undefined) return undefined;
      let extent = extents[index];
      while (extent !== undefined && at >= extentBegin + extent.sizeBytes) {
        extentBegin += extent.sizeBytes;
        extent = extents[++index];
        stream = undefined;
      }
      if (extent === undefined) throw new S3Error('InternalError');
      stream ??= new KeyStream(cipher.key, extent.nonce, at - extentBegin);
      at += chunk.length;
      return stream.apply(chunk);
    },
    close: () => (source as { close?(): void }).close?.(),
  };
}
