// The additional checksums of S3 (`x-amz-checksum-*`): five algorithms, each computed while bytes stream,
// given in base64 by the client and kept with the object. Of several parts a checksum is either COMPOSITE
// (the hash of the parts' hashes, with `-COUNT`) or, for CRCs, of the FULL_OBJECT.

import { createHash } from 'node:crypto';
import { crc32 } from '../../base/crc32.ts';
import { crc32c } from '../../base/crc32c.ts';
import { crc64nvme } from '../../base/crc64nvme.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { type ChecksumAlgorithm, type ChecksumType, checksumAlgorithms } from './checksum-names.ts';
import {
  CrcCombiner,
  type CrcPolynomial,
  crc32cPolynomial,
  crc32Polynomial,
  crc64nvmePolynomial,
} from './crc-combine.ts';
import { S3Error } from './errors.ts';
import type { HeaderMap } from './request.ts';

export interface ChecksumState {
  update(bytes: Uint8Array): void;
  /** Base64. */
  digest(): string;
}

const digestBytes: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

const headerNames: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: 'x-amz-checksum-crc32',
  CRC32C: 'x-amz-checksum-crc32c',
  CRC64NVME: 'x-amz-checksum-crc64nvme',
  SHA1: 'x-amz-checksum-sha1',
  SHA256: 'x-amz-checksum-sha256',
};

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return headerNames[algorithm];
}

/** The element of an XML document that holds the value. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm {
  const upper = text.toUpperCase();
  const algorithm = checksumAlgorithms.find((each) => each === upper);
  if (algorithm === undefined)
    throw new S3Error(
      'InvalidRequest',
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${checksumAlgorithms.join(', ')}]`,
    );
  return algorithm;
}

/** Big-endian, as S3 writes CRCs. */
function crcBytes(crc: bigint, bytes: number): Uint8Array {
  const result = new Uint8Array(bytes);
  let rest = crc;
  for (let i = bytes - 1; i >= 0; i--) {
    result[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return result;
}

function startCrc32(compute: (bytes: Uint8Array, previous?: number) => number): ChecksumState {
  let crc = 0;
  return {
    update: (bytes) => {
      crc = compute(bytes, crc);
    },
    digest: () => formatBase64(crcBytes(BigInt(crc >>> 0), 4)),
  };
}

function startCrc64(): ChecksumState {
  let crc = 0n;
  return {
    update: (bytes) => {
      crc = crc64nvme(bytes, crc);
    },
    digest: () => formatBase64(crcBytes(crc, 8)),
  };
}

function startHash(algorithm: 'sha1' | 'sha256'): ChecksumState {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('base64') };
}

export function startChecksum(algorithm: ChecksumAlgorithm): ChecksumState {
  switch (algorithm) {
    case 'CRC32':
      return startCrc32(crc32);
    case 'CRC32C':
      return startCrc32(crc32c);
    case 'CRC64NVME':
      return startCrc64();
    case 'SHA1':
      return startHash('sha1');
    case 'SHA256':
      return startHash('sha256');
  }
}

/** Whether a text can be a digest of the algorithm at all. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean {
  return parseBase64(value)?.length === digestBytes[algorithm];
}

/** What the client says about the body: a value in the headers, or one to come in the trailer. */
export interface ChecksumClaim {
  readonly algorithm: ChecksumAlgorithm;
  /** Undefined: it comes in the trailer, or is only to be computed. */
  readonly value: string | undefined;
  readonly inTrailer: boolean;
}

/** Undefined when the request names no checksum. Throws `InvalidRequest` for more than one or a wrong one. */
export function parseChecksumClaim(headers: HeaderMap): ChecksumClaim | undefined {
  let claim: ChecksumClaim | undefined;
  for (const algorithm of checksumAlgorithms) {
    const value = headers.get(headerNames[algorithm]);
    if (value === undefined) continue;
    if (claim !== undefined)
      throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header');
    if (!isChecksumValue(algorithm, value))
      throw new S3Error('BadDigest', `Value for ${headerNames[algorithm]} header is invalid.`);
    claim = { algorithm, value, inTrailer: false };
  }
  const trailer = headers.get('x-amz-trailer');
  if (trailer !== undefined) {
    const name = trailer.trim().toLowerCase();
    const algorithm = checksumAlgorithms.find((each) => headerNames[each] === name);
    if (algorithm === undefined)
      throw new S3Error(
        'InvalidRequest',
        'The value specified in the x-amz-trailer header is not supported',
      );
    if (claim !== undefined)
      throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header');
    claim = { algorithm, value: undefined, inTrailer: true };
  }
  const named =
    headers.get('x-amz-sdk-checksum-algorithm') ?? headers.get('x-amz-checksum-algorithm');
  if (named !== undefined) {
    const algorithm = parseChecksumAlgorithm(named);
    if (claim !== undefined && claim.algorithm !== algorithm)
      throw new S3Error(
        'InvalidRequest',
        'Value for x-amz-sdk-checksum-algorithm header is invalid.',
      );
    claim ??= { algorithm, value: undefined, inTrailer: false };
  }
  return claim;
}

const polynomials: Readonly<Partial<Record<ChecksumAlgorithm, CrcPolynomial>>> = {
  CRC32: crc32Polynomial,
  CRC32C: crc32cPolynomial,
  CRC64NVME: crc64nvmePolynomial,
};

/** The type a multipart upload has when it names none, or `undefined` when what it names can't be. */
export function multipartChecksumType(
  algorithm: ChecksumAlgorithm,
  asked: string | undefined,
): ChecksumType | undefined {
  if (asked === undefined) return algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE';
  if (asked === 'COMPOSITE') return algorithm === 'CRC64NVME' ? undefined : 'COMPOSITE';
  if (asked === 'FULL_OBJECT') return polynomials[algorithm] && 'FULL_OBJECT';
  return undefined;
}

/** The checksum of a whole multipart object from its parts', in order. */
export function combineChecksums(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly { readonly value: string; readonly sizeBytes: number }[],
): string {
  if (type === 'COMPOSITE') {
    const state = startChecksum(algorithm);
    for (const part of parts) state.update(parseBase64(part.value) ?? new Uint8Array(0));
    return `${state.digest()}-${parts.length}`;
  }
  const polynomial = polynomials[algorithm];
  if (polynomial === undefined) throw new S3Error('InvalidRequest');
  const combiner = new CrcCombiner(polynomial);
  for (const part of parts) {
    let crc = 0n;
    for (const byte of parseBase64(part.value) ?? []) crc = (crc << 8n) | BigInt(byte);
    combiner.append(crc, part.sizeBytes);
  }
  return formatBase64(crcBytes(combiner.crc, digestBytes[algorithm]));
}
