// CRC-32 (zlib, gzip, PNG): one of the checksums S3 clients may ask for.

import { checksumsKernel } from './checksums-kernel.ts';

/** 0x04c11db7, reflected. */
const polynomial = 0xedb88320;

/** `previous` is the checksum of the bytes before these, if any. Returns 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return ~checksumsKernel().advance32('crc32', polynomial, ~previous, bytes) >>> 0;
}
