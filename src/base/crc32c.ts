// CRC-32C (Castagnoli): the checksum of everything stored and sent. Short input goes through one
// table here; longer input through WebAssembly, where 16 KiB cost a microsecond or two.

import { checksumsKernel, tablesOf32 } from './checksums-kernel.ts';

/** 0x1edc6f41, reflected. */
const polynomial = 0x82f63b78;

/** Up to this many bytes the loop here is faster than a copy and a call. */
const shortBytesMax = 24;

const table = tablesOf32(polynomial, 1);

/** `previous` is the checksum of the bytes before these, if any. Returns 0 to 2^32 - 1. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  if (bytes.length > shortBytesMax)
    return ~checksumsKernel().advance32('crc32c', polynomial, ~previous, bytes) >>> 0;
  let register = ~previous;
  for (let i = 0; i < bytes.length; i++)
    register = (table[(register ^ (bytes[i] as number)) & 255] as number) ^ (register >>> 8);
  return ~register >>> 0;
}
