// How the bytes of a blob, or the copies of an object, are spread over slots. A geometry is an
// immutable value: it stands in every shard and manifest, and nothing ever edits one in place.

import { assert } from '../base/assert.ts';
import { type Codec, struct, text, uint, union } from '../base/codec.ts';

export type Geometry =
  | { readonly kind: 'copies'; readonly size: number; readonly minSize: number }
  | {
      readonly kind: 'erasure';
      readonly k: number;
      readonly m: number;
      readonly chunkBytes: number;
      readonly codec: string;
    };

export const geometryCodec: Codec<Geometry> = union({
  copies: [1, struct({ size: uint, minSize: uint }) as Codec<never>],
  erasure: [2, struct({ k: uint, m: uint, chunkBytes: uint, codec: text }) as Codec<never>],
}) as unknown as Codec<Geometry>;

/** The only codec there is; golden vectors pin it. */
export const erasureCodecName = 'rs-pow2-11d-v1';

/** 64 KiB: one disk read of a chunk is still cheap on HDD, and a 4 MiB blob makes many full stripes. */
export const defaultChunkBytes = 64 * 1024;

export function copies(size: number, minSize: number): Geometry {
  return { kind: 'copies', size, minSize };
}

export function erasure(k: number, m: number): Geometry {
  return { kind: 'erasure', k, m, chunkBytes: defaultChunkBytes, codec: erasureCodecName };
}

/** Most copies of one thing. */
export const copiesMax = 16;

/** Why this geometry can't be used, as a sentence; undefined when it can. */
export function geometryFault(geometry: Geometry): string | undefined {
  switch (geometry.kind) {
    case 'copies':
      if (geometry.size < 1 || geometry.size > copiesMax)
        return `size ${geometry.size} is not 1 to ${copiesMax}`;
      if (geometry.minSize < 1 || geometry.minSize > geometry.size)
        return `min size ${geometry.minSize} is not 1 to ${geometry.size}`;
      return undefined;
    case 'erasure':
      if (geometry.codec !== erasureCodecName) return `codec ${geometry.codec} is unknown`;
      if (geometry.k < 1 || geometry.k > 16) return `k ${geometry.k} is not 1 to 16`;
      if (geometry.m < 1 || geometry.m > 4) return `m ${geometry.m} is not 1 to 4`;
      if (
        geometry.chunkBytes % 4096 !== 0 ||
        geometry.chunkBytes < 4096 ||
        geometry.chunkBytes > 1 << 20
      )
        return `chunk of ${geometry.chunkBytes} bytes is not a multiple of 4 KiB up to 1 MiB`;
      return undefined;
  }
}

/** The same in everything, so that the same bytes mean the same under both. */
export function isSameGeometry(a: Geometry, b: Geometry): boolean {
  if (a.kind === 'copies')
    return b.kind === 'copies' && a.size === b.size && a.minSize === b.minSize;
  return (
    b.kind === 'erasure' &&
    a.k === b.k &&
    a.m === b.m &&
    a.chunkBytes === b.chunkBytes &&
    a.codec === b.codec
  );
}

/** Slots of a whole PG. */
export function slotCount(geometry: Geometry): number {
  return geometry.kind === 'copies' ? geometry.size : geometry.k + geometry.m;
}

/**
 * How many in-sync slots a write needs: enough to survive one more failure (PROTOCOL, "write floor").
 * One copy alone is what its owner asked for.
 */
export function writeFloor(geometry: Geometry): number {
  return geometry.kind === 'copies' ? geometry.minSize : geometry.k + 1;
}

/** In-sync never falls below this: the last that hold everything. */
export function recordFloor(geometry: Geometry): number {
  return geometry.kind === 'copies' ? 1 : geometry.k;
}

/** Raw bytes on disks for one byte stored, times 1000 (a whole number, for people). */
export function overheadPermille(geometry: Geometry): number {
  return geometry.kind === 'copies'
    ? geometry.size * 1000
    : Math.round(((geometry.k + geometry.m) * 1000) / geometry.k);
}

export function formatGeometry(geometry: Geometry): string {
  return geometry.kind === 'copies'
    ? `copies ${geometry.size}/${geometry.minSize}`
    : `erasure ${geometry.k}+${geometry.m}`;
}

/** `3+2` or `3/2`; undefined when it is neither. */
export function parseGeometry(words: string): Geometry | undefined {
  const match = /^(\d{1,2})([+/])(\d{1,2})$/.exec(words);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const second = Number(match[3]);
  const geometry = match[2] === '+' ? erasure(first, second) : copies(first, second);
  assert(slotCount(geometry) >= 0, 'a geometry has slots');
  return geometryFault(geometry) === undefined ? geometry : undefined;
}
