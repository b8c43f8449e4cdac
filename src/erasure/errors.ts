/**
 * What can be wrong with shards and geometries, which come from disks and peers.
 *
 * - `unsupported-geometry`: k is not 1 to 16, m not 1 to 4, the chunk not a multiple of 4 KiB, or
 *   the blob empty or longer than 4 MiB. The bytes are of no version this program knows.
 * - `too-few-shards`: fewer than k shards are there. The blob is unreadable until some return.
 * - `shard-length`: a shard is not as long as its geometry says. It is to be treated as missing.
 */
export type ErasureErrorCode = 'unsupported-geometry' | 'too-few-shards' | 'shard-length';

export class ErasureError extends Error {
  override readonly name = 'ErasureError';
  readonly code: ErasureErrorCode;

  constructor(code: ErasureErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}
