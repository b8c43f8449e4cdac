// From a blob to the bytes of each slot and back: one shape for copies and for erasure.

import { assert } from '../base/assert.ts';
import { buffers } from '../base/buffer-pool.ts';
import { checksumChunkBytes, chunkChecksums, wholeChecksum } from '../base/chunk-checksums.ts';
import { crc32c } from '../base/crc32c.ts';
import { SharedMemory } from '../base/shared-memory.ts';
import {
  assembleRange,
  decodeBlob,
  encodeBlobInto,
  rangeToShards,
  rangeToWindow,
  rebuildShards,
  shardBytes,
} from '../erasure/stripes.ts';
import type { Geometry } from '../map/geometry.ts';
import type { BlobFacts } from '../wire/entry.ts';

export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Bytes of one slot's part of a blob. */
export function shardLength(facts: BlobFacts): number {
  return facts.geometry.kind === 'copies'
    ? facts.blobBytes
    : shardBytes(facts.geometry, facts.blobBytes);
}

/** Memory that the shards of one blob take together; copies are made of the blob itself. */
export function storedBytes(geometry: Geometry, blobBytes: number): number {
  return geometry.kind === 'copies'
    ? blobBytes
    : (geometry.k + geometry.m) * shardBytes(geometry, blobBytes);
}

/** Whoever gets a result gives it back to the pool. */
const fromPool = (bytes: number): Uint8Array => buffers.acquire(bytes);

/** What each slot stores of one blob. */
export interface ShardSet {
  /** For copies every slot stores the same. */
  of(index: number): Uint8Array;
  /** Of the chunks of what a slot stores. */
  checksumsOf(index: number): Uint32Array;
  /** Memory of all together. */
  readonly bytes: number;
  /** Gives the memory back; nobody may use a shard afterwards. */
  release(): void;
}

/** A set that several hold: a disk that writes its shard, frames on their way, and whoever may have to send one again. */
export class SharedShards {
  readonly #set: ShardSet;
  readonly #memory: SharedMemory;

  constructor(set: ShardSet) {
    this.#set = set;
    this.#memory = new SharedMemory(() => set.release());
  }

  get bytes(): number {
    return this.#set.bytes;
  }

  of(index: number): Uint8Array {
    assert(this.#memory.isHeld, 'shards are used while somebody holds them');
    return this.#set.of(index);
  }

  /** CRC-32C of what a slot stores, by the checksums that the blob came with, or else as it was when first asked for. */
  crcOf(index: number): number {
    return wholeChecksum(this.#set.checksumsOf(index), this.of(index).length);
  }

  /** Whether memory still has what a slot stores as it was. */
  isIntact(index: number): boolean {
    return crc32c(this.of(index)) === this.crcOf(index);
  }

  /** One more holds the set; call what it returns when that one is done. */
  hold(): () => void {
    return this.#memory.hold();
  }
}

/**
 * The blob's own bytes are what copies are made of: they must live as long as the set. `checksums` are those of the
 * blob's chunks where they are known; most of its data shards' follow from them.
 */
export function shardsOf(geometry: Geometry, blob: Uint8Array, checksums?: Uint32Array): ShardSet {
  if (geometry.kind === 'copies') {
    let known = checksums;
    return {
      of: () => blob,
      checksumsOf: () => {
        known ??= chunkChecksums([blob], blob.length);
        return known;
      },
      bytes: blob.length,
      release: () => buffers.release(blob),
    };
  }
  const bytes = shardBytes(geometry, blob.length);
  const shards = Array.from({ length: geometry.k + geometry.m }, () => fromPool(bytes));
  encodeBlobInto(geometry, [blob], blob.length, shards);
  const known: (Uint32Array | undefined)[] = [];
  return {
    of: (index) => shards[index] as Uint8Array,
    checksumsOf: (index) => {
      const shard = shards[index] as Uint8Array;
      known[index] ??= shardChecksums({
        geometry,
        index,
        shard,
        blobBytes: blob.length,
        checksums,
      });
      return known[index];
    },
    bytes: bytes * shards.length,
    release: () => {
      for (const shard of shards) buffers.release(shard);
    },
  };
}

/** Chunks of the blob that are chunks of a data shard, too, are not gone through again: those of whole stripes. */
function shardChecksums(parts: {
  readonly geometry: Geometry & { kind: 'erasure' };
  readonly index: number;
  readonly shard: Uint8Array;
  readonly blobBytes: number;
  readonly checksums: Uint32Array | undefined;
}): Uint32Array {
  const { geometry, index, shard, blobBytes, checksums } = parts;
  const { k } = geometry;
  const perStripe = geometry.chunkBytes / checksumChunkBytes;
  if (checksums === undefined || index >= k || !Number.isInteger(perStripe))
    return chunkChecksums([shard], shard.length);
  const stripes = Math.floor(blobBytes / (k * geometry.chunkBytes));
  const own = new Uint32Array(Math.ceil(shard.length / checksumChunkBytes));
  for (let stripe = 0; stripe < stripes; stripe++) {
    const from = (stripe * k + index) * perStripe;
    own.set(checksums.subarray(from, from + perStripe), stripe * perStripe);
  }
  const rest = shard.subarray(stripes * geometry.chunkBytes);
  own.set(chunkChecksums([rest], rest.length), stripes * perStripe);
  return own;
}

/** Shards needed to read anything without the others. */
export function shardsNeeded(geometry: Geometry): number {
  return geometry.kind === 'copies' ? 1 : geometry.k;
}

/** The part of each data shard that a range needs; for copies, of the only one. */
export function directReads(
  facts: BlobFacts,
  range: ByteRange,
): readonly ({ readonly shardIndex: number } & ByteRange)[] {
  if (facts.geometry.kind === 'copies') return [{ shardIndex: -1, ...range }];
  return rangeToShards(facts.geometry, facts.blobBytes, range);
}

/** The bytes of a range from exactly its `directReads`. */
export function assemble(
  facts: BlobFacts,
  range: ByteRange,
  parts: readonly Uint8Array[],
): Uint8Array {
  if (facts.geometry.kind === 'copies') return parts[0] as Uint8Array;
  return assembleRange(facts.geometry, facts.blobBytes, range, parts, fromPool);
}

/** The part of every shard from which a range can be computed with any k of them. */
export function windowOf(facts: BlobFacts, range: ByteRange): ByteRange {
  return facts.geometry.kind === 'copies'
    ? range
    : rangeToWindow(facts.geometry, facts.blobBytes, range);
}

/** The bytes of a range from the windows of any k shards. */
export function decodeRange(
  facts: BlobFacts,
  range: ByteRange,
  windows: ReadonlyMap<number, Uint8Array>,
): Uint8Array {
  if (facts.geometry.kind === 'copies') return [...windows.values()][0] as Uint8Array;
  const { k, m } = facts.geometry;
  const shards = Array.from({ length: k + m }, (_, index) => windows.get(index));
  return decodeBlob(
    facts.geometry,
    facts.blobBytes,
    shards,
    range,
    windowOf(facts, range).offsetBytes,
    fromPool,
  );
}

/** One whole shard from any k whole shards. */
export function rebuild(
  facts: BlobFacts,
  index: number,
  whole: ReadonlyMap<number, Uint8Array>,
): Uint8Array {
  if (facts.geometry.kind === 'copies') return [...whole.values()][0] as Uint8Array;
  const known = whole.get(index);
  if (known !== undefined) return known;
  const { k, m } = facts.geometry;
  const shards = Array.from({ length: k + m }, (_, each) => whole.get(each));
  const rebuilt = rebuildShards(facts.geometry, facts.blobBytes, shards, [index], fromPool);
  return rebuilt[0] as Uint8Array;
}
