// How a blob is cut into shards, and put together again. Pure arithmetic and copies; the field
// arithmetic is the codec's.
//
// A blob is cut into stripes of k chunks of `chunkBytes`. Shard j is chunk j of each stripe, one
// after the other; parity shards follow the same shape. What is left for the last stripe may be
// less: its chunks shrink to the smallest multiple of 4 KiB of which k hold the rest, padded with
// zeros. So all shards of a blob have one length, and a byte of the blob is in exactly one data
// shard. A range of the blob is a range of each data shard (docs/formats/erasure.md).

import { assert } from '../base/assert.ts';
import { checkCounts, ErasureCodec, type Shards } from './erasure-codec.ts';
import { ErasureError } from './errors.ts';

/** Of the stripes; the full geometry of a pool has more in it. */
export interface StripeGeometry {
  readonly k: number;
  readonly m: number;
  /** A multiple of 4 KiB. */
  readonly chunkBytes: number;
}

/** `offsetBytes` to `offsetBytes + lengthBytes` of a blob or a shard. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The part of a data shard that a range of the blob needs. */
export interface ShardRange extends ByteRange {
  readonly shardIndex: number;
}

/** Longest blob: the unit that is placed, written and repaired whole. */
export const blobBytesMax = 4 * 1024 * 1024;

/** The chunk of a pool unless it says otherwise. */
export const chunkBytesDefault = 64 * 1024;

/** Shards are whole blocks of the store's allocator. */
const shardUnitBytes = 4 * 1024;

/** Bounds the padding of the last stripe and the memory that a stripe needs. */
const chunkBytesMax = 1024 * 1024;

/** Throws `unsupported-geometry`: shards come with their geometry, from disks and from peers. */
export function checkGeometry(geometry: StripeGeometry, blobBytes: number): void {
  const { k, m, chunkBytes } = geometry;
  checkCounts(k, m);
  if (!(chunkBytes >= shardUnitBytes && chunkBytes <= chunkBytesMax) || chunkBytes % shardUnitBytes)
    throw new ErasureError('unsupported-geometry', `a chunk of ${chunkBytes} bytes`);
  if (!Number.isInteger(blobBytes) || blobBytes < 1 || blobBytes > blobBytesMax)
    throw new ErasureError('unsupported-geometry', `a blob of ${blobBytes} bytes`);
}

/** The length of each shard of a blob. Throws `unsupported-geometry`. */
export function shardBytes(geometry: StripeGeometry, blobBytes: number): number {
  checkGeometry(geometry, blobBytes);
  const stripeBytes = geometry.k * geometry.chunkBytes;
  const fullCount = Math.floor(blobBytes / stripeBytes);
  const rest = blobBytes - fullCount * stripeBytes;
  const lastChunkBytes = Math.ceil(rest / (geometry.k * shardUnitBytes)) * shardUnitBytes;
  return fullCount * geometry.chunkBytes + lastChunkBytes;
}

/** Where each stripe's chunks are in shards of `wholeBytes`. */
function* stripesOf(
  geometry: StripeGeometry,
  wholeBytes: number,
): Generator<{ readonly begin: number; readonly end: number }> {
  for (let begin = 0; begin < wholeBytes; begin += geometry.chunkBytes)
    yield { begin, end: Math.min(begin + geometry.chunkBytes, wholeBytes) };
}

/**
 * Cuts a blob, given as views in order, into its k + m shards. Data is copied once (shards must be
 * contiguous, and padded). Throws `unsupported-geometry`.
 */
export function encodeBlob(
  geometry: StripeGeometry,
  views: readonly Uint8Array[],
  blobBytes: number,
): Uint8Array[] {
  const bytes = shardBytes(geometry, blobBytes);
  const shards = Array.from({ length: geometry.k + geometry.m }, () => new Uint8Array(bytes));
  encodeBlobInto(geometry, views, blobBytes, shards);
  return shards;
}

/**
 * `encodeBlob` into given shards of `shardBytes` each, whatever they held before. Fresh memory
 * costs more than its encoding, so who encodes many blobs keeps a pool.
 */
export function encodeBlobInto(
  geometry: StripeGeometry,
  views: readonly Uint8Array[],
  blobBytes: number,
  shards: readonly Uint8Array[],
): void {
  const { k, m } = geometry;
  const bytes = shardBytes(geometry, blobBytes);
  assert(shards.length === k + m, 'a target for each shard');
  for (const shard of shards) assert(shard.length === bytes, 'a target is a shard long');
  assert(views.reduce((sum, view) => sum + view.length, 0) === blobBytes, 'the views are the blob');
  const codec = new ErasureCodec(k, m);
  const source = new ViewReader(views);
  for (const stripe of stripesOf(geometry, bytes)) {
    const chunks = shards.map((shard) => shard.subarray(stripe.begin, stripe.end));
    for (let j = 0; j < k; j++) source.read(chunks[j] as Uint8Array);
    codec.encode(chunks.slice(0, k), chunks.slice(k));
  }
}

/** Hands out the bytes of a list of views in order. */
class ViewReader {
  readonly #views: readonly Uint8Array[];
  #index = 0;
  #offset = 0;

  constructor(views: readonly Uint8Array[]) {
    this.#views = views;
  }

  /** Fills the target; past the last view with zeros. */
  read(target: Uint8Array): void {
    let filled = 0;
    while (filled < target.length) {
      const view = this.#views[this.#index];
      if (view === undefined) {
        target.fill(0, filled);
        return;
      }
      const count = Math.min(view.length - this.#offset, target.length - filled);
      target.set(view.subarray(this.#offset, this.#offset + count), filled);
      filled += count;
      this.#offset += count;
      if (this.#offset < view.length) continue;
      this.#index += 1;
      this.#offset = 0;
    }
  }
}

/** A run of the wanted range that lies in one chunk. */
interface Piece {
  readonly shardIndex: number;
  /** In the shard. */
  readonly shardBegin: number;
  readonly lengthBytes: number;
  /** In the wanted range. */
  readonly targetBegin: number;
}

/** The pieces of a range in the order of the blob. */
function* piecesOf(
  geometry: StripeGeometry,
  blobBytes: number,
  range: ByteRange,
): Generator<Piece> {
  assert(range.offsetBytes >= 0 && range.lengthBytes >= 0, 'a range is not negative');
  assert(range.offsetBytes + range.lengthBytes <= blobBytes, 'a range is inside the blob');
  const { k, chunkBytes } = geometry;
  const wholeBytes = shardBytes(geometry, blobBytes);
  const end = range.offsetBytes + range.lengthBytes;
  for (let at = range.offsetBytes; at < end; ) {
    const stripeIndex = Math.floor(at / (k * chunkBytes));
    const stripeBegin = stripeIndex * k * chunkBytes;
    const stripeChunkBytes = Math.min(chunkBytes, wholeBytes - stripeIndex * chunkBytes);
    const shardIndex = Math.floor((at - stripeBegin) / stripeChunkBytes);
    const inChunk = at - stripeBegin - shardIndex * stripeChunkBytes;
    const lengthBytes = Math.min(stripeChunkBytes - inChunk, end - at);
    yield {
      shardIndex,
      shardBegin: stripeIndex * chunkBytes + inChunk,
      lengthBytes,
      targetBegin: at - range.offsetBytes,
    };
    at += lengthBytes;
  }
}

/**
 * What to read of which data shards for a range of the blob: at most one range a shard, by shard
 * index. Where all of them can be read, `assembleRange` makes the range of them.
 */
export function rangeToShards(
  geometry: StripeGeometry,
  blobBytes: number,
  range: ByteRange,
): ShardRange[] {
  const bounds = new Map<number, { begin: number; end: number }>();
  for (const piece of piecesOf(geometry, blobBytes, range)) {
    const end = piece.shardBegin + piece.lengthBytes;
    const known = bounds.get(piece.shardIndex);
    if (known === undefined) bounds.set(piece.shardIndex, { begin: piece.shardBegin, end });
    else known.end = end;
  }
  return [...bounds]
    .sort(([a], [b]) => a - b)
    .map(([shardIndex, { begin, end }]) => ({
      shardIndex,
      offsetBytes: begin,
      lengthBytes: end - begin,
    }));
}

/** Joins what was read of the ranges that `rangeToShards` named, in its order. */
export function assembleRange(
  geometry: StripeGeometry,
  blobBytes: number,
  range: ByteRange,
  parts: readonly Uint8Array[],
  newTarget: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const ranges = rangeToShards(geometry, blobBytes, range);
  assert(parts.length === ranges.length, 'a part for each shard range');
  const byShard = new Map<number, { begin: number; bytes: Uint8Array }>();
  for (const [i, { shardIndex, offsetBytes, lengthBytes }] of ranges.entries()) {
    const bytes = parts[i] as Uint8Array;
    if (bytes.length !== lengthBytes)
      throw new ErasureError('shard-length', `${bytes.length} bytes for a part of ${lengthBytes}`);
    byShard.set(shardIndex, { begin: offsetBytes, bytes });
  }
  const [only] = parts;
  // One chunk, or one shard's: the part is the range.
  if (parts.length === 1 && only !== undefined && only.length === range.lengthBytes) return only;
  const target = newTarget(range.lengthBytes);
  for (const piece of piecesOf(geometry, blobBytes, range)) {
    const part = byShard.get(piece.shardIndex);
    assert(part !== undefined, 'each piece lies in a named range');
    const begin = piece.shardBegin - part.begin;
    target.set(part.bytes.subarray(begin, begin + piece.lengthBytes), piece.targetBegin);
  }
  return target;
}

/**
 * What to read of any k shards for a range of the blob when a data shard is missing: the same
 * range of each, then `decodeBlob` with its offset.
 */
export function rangeToWindow(
  geometry: StripeGeometry,
  blobBytes: number,
  range: ByteRange,
): ByteRange {
  let begin = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const piece of piecesOf(geometry, blobBytes, range)) {
    begin = Math.min(begin, piece.shardBegin);
    end = Math.max(end, piece.shardBegin + piece.lengthBytes);
  }
  return end === 0
    ? { offsetBytes: 0, lengthBytes: 0 }
    : { offsetBytes: begin, lengthBytes: end - begin };
}

/**
 * Returns a range of the blob from any k shards. The shards are whole, or the window of each that
 * `rangeToWindow` named (`windowOffsetBytes` is then its offset). Only what the range needs is
 * reconstructed. Throws `too-few-shards`, `shard-length` and `unsupported-geometry`.
 */
export function decodeBlob(
  geometry: StripeGeometry,
  blobBytes: number,
  shards: Shards,
  range: ByteRange = { offsetBytes: 0, lengthBytes: blobBytes },
  windowOffsetBytes?: number,
  newTarget: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const window =
    windowOffsetBytes === undefined
      ? { offsetBytes: 0, lengthBytes: shardBytes(geometry, blobBytes) }
      : rangeToWindow(geometry, blobBytes, range);
  assert(window.offsetBytes === (windowOffsetBytes ?? 0), 'the window is that of the range');
  checkShardLengths(geometry, shards, window.lengthBytes);
  const codec = new ErasureCodec(geometry.k, geometry.m);
  const target = newTarget(range.lengthBytes);
  let lost: LostPieces | undefined;
  for (const piece of piecesOf(geometry, blobBytes, range)) {
    const begin = piece.shardBegin - window.offsetBytes;
    const end = begin + piece.lengthBytes;
    const output = target.subarray(piece.targetBegin, piece.targetBegin + piece.lengthBytes);
    const shard = shards[piece.shardIndex];
    if (shard !== undefined) output.set(shard.subarray(begin, end));
    else if (lost !== undefined && lost.begin === begin && lost.end === end) {
      lost.wanted.push(piece.shardIndex);
      lost.outputs.push(output);
    } else {
      if (lost !== undefined) reconstructPieces(codec, shards, lost);
      lost = { begin, end, wanted: [piece.shardIndex], outputs: [output] };
    }
  }
  if (lost !== undefined) reconstructPieces(codec, shards, lost);
  return target;
}

/** Pieces of one stripe, at the same place of their chunks, that are computed in one go. */
interface LostPieces {
  readonly begin: number;
  readonly end: number;
  readonly wanted: number[];
  readonly outputs: Uint8Array[];
}

function reconstructPieces(codec: ErasureCodec, shards: Shards, lost: LostPieces): void {
  const columns = shards.map((shard) => shard?.subarray(lost.begin, lost.end));
  codec.reconstructInto(columns, lost.wanted, lost.outputs);
}

/**
 * Returns whole shards, data or parity, from any k whole ones: missing ones are computed, others
 * are the views given. Throws `too-few-shards`, `shard-length` and `unsupported-geometry`.
 */
export function rebuildShards(
  geometry: StripeGeometry,
  blobBytes: number,
  shards: Shards,
  wanted: readonly number[],
  newTarget?: (bytes: number) => Uint8Array,
): Uint8Array[] {
  checkShardLengths(geometry, shards, shardBytes(geometry, blobBytes));
  // A shard is a chunk after the other, and the code treats each byte of a chunk alike: whole
  // shards can be computed as if they were one chunk.
  return new ErasureCodec(geometry.k, geometry.m).reconstruct(shards, wanted, newTarget);
}

function checkShardLengths(geometry: StripeGeometry, shards: Shards, bytes: number): void {
  assert(shards.length === geometry.k + geometry.m, 'a place for each shard');
  for (const shard of shards)
    if (shard !== undefined && shard.length !== bytes)
      throw new ErasureError('shard-length', `${shard.length} bytes, expected ${bytes}`);
}
