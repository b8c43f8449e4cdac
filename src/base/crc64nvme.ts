// CRC-64/NVME: the checksum newer S3 clients send unless told otherwise.

import { checksumsKernel } from './checksums-kernel.ts';

/** 0xad93d23594c93659, reflected. */
const polynomial = 0x9a6c9329ac4bc9b5n;

/** `previous` is the checksum of the bytes before these, if any. Returns 0 to 2^64 - 1. */
export function crc64nvme(bytes: Uint8Array, previous = 0n): bigint {
  return BigInt.asUintN(64, ~checksumsKernel().advance64(polynomial, ~previous, bytes));
}
