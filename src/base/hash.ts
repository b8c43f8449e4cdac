// Small non-cryptographic hashing for placement: stable for ever, because stored data is found by it.

/** FNV-1a over the bytes, then an avalanche (murmur3's finaliser). 32 bits. */
export function hashBytes(bytes: Uint8Array, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix(hash);
}

/** Mixes whole numbers below 2^53 into 32 bits. */
export function hashNumbers(...numbers: readonly number[]): number {
  let hash = 0x9747b28c;
  for (const number of numbers) {
    hash = mix(hash ^ (number % 2 ** 32));
    hash = mix(hash ^ Math.floor(number / 2 ** 32));
  }
  return hash >>> 0;
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
