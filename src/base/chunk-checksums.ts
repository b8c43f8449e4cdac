// CRC-32C by chunks: what the store keeps of an object, so that a read verifies only what it touches. The checksum of
// the whole follows from those of its chunks, so that bytes which are both sent and stored are gone through once.

import { crc32c, joinedCrc32c } from './crc32c.ts';

/** 16 KiB keeps a small read small and a 4 MiB object's list at 1 KiB. */
export const checksumChunkBytes = 16384;

/** Of each run of `checksumChunkBytes` of the views together; the last run may be shorter. */
export function chunkChecksums(views: readonly Uint8Array[], lengthBytes: number): Uint32Array {
  const checksums = new Uint32Array(Math.ceil(lengthBytes / checksumChunkBytes));
  let at = 0;
  for (const view of views) {
    for (let begin = 0; begin < view.length; ) {
      const chunk = Math.floor(at / checksumChunkBytes);
      const count = Math.min(view.length - begin, (chunk + 1) * checksumChunkBytes - at);
      const piece = view.subarray(begin, begin + count);
      checksums[chunk] = crc32c(piece, checksums[chunk] as number);
      begin += count;
      at += count;
    }
  }
  return checksums;
}

/** CRC-32C of all `lengthBytes` of which these are the chunks' checksums. */
export function wholeChecksum(checksums: Uint32Array, lengthBytes: number): number {
  let whole = 0;
  let left = lengthBytes;
  for (const checksum of checksums) {
    whole = joinedCrc32c(whole, checksum, Math.min(left, checksumChunkBytes));
    left -= checksumChunkBytes;
  }
  return whole;
}
