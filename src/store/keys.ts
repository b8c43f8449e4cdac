// How the store's keys are laid out in the key-value store.
//
//   first byte 0     the store's own rows (see format.ts)
//   otherwise        collection (UTF-8, no 0 byte), 0, kind (1 byte), the caller's key or object name
//
// So a collection is one contiguous range, its objects before its rows. Inside the store a key is
// mostly handled as `text`: one character a byte, which orders exactly as the bytes do and serves as
// the key of a Map.

import { assert } from '../base/assert.ts';
import { concatBytes, decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { StoreError } from './errors.ts';

/** An S3 key is at most 1,024 bytes; four times that leaves room for versions and prefixes. */
export const keyBytesMax = 4096;

/** Collections are PGs and their parts: short names made by the program. */
export const collectionBytesMax = 255;

export const kinds = { object: 1, row: 2 } as const;
export type Kind = keyof typeof kinds;

export interface KeyPrefix {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface StoreKey {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly prefix: KeyPrefix;
}

export function textOfBytes(bytes: Uint8Array): string {
  assert(bytes.length <= 2 * keyBytesMax, 'a key is short enough for one call');
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** Prefixes kept between calls. A few dozen bytes each; beyond this many they are made anew. */
const prefixesMax = 4096;
const prefixes: Readonly<Record<Kind, Map<string, KeyPrefix>>> = {
  object: new Map(),
  row: new Map(),
};

export function keyPrefix(collection: string, kind: Kind): KeyPrefix {
  const known = prefixes[kind].get(collection);
  if (known !== undefined) return known;
  const name = encodeUtf8(collection);
  if (name.length > collectionBytesMax)
    throw new StoreError({
      code: 'too-large',
      what: 'collection name',
      actualBytes: name.length,
      limitBytes: collectionBytesMax,
    });
  assert(name.length > 0 && !name.includes(0), 'a collection has a name without a 0 byte');
  const bytes = new Uint8Array(name.length + 2);
  bytes.set(name);
  bytes[name.length + 1] = kinds[kind];
  const prefix = { bytes, text: textOfBytes(bytes) };
  if (prefixes[kind].size >= prefixesMax) prefixes[kind].clear();
  prefixes[kind].set(collection, prefix);
  return prefix;
}

export function storeKey(collection: string, kind: Kind, key: Uint8Array): StoreKey {
  if (key.length > keyBytesMax)
    throw new StoreError({
      code: 'too-large',
      what: kind === 'row' ? 'key' : 'object name',
      actualBytes: key.length,
      limitBytes: keyBytesMax,
    });
  const prefix = keyPrefix(collection, kind);
  const bytes = new Uint8Array(prefix.bytes.length + key.length);
  bytes.set(prefix.bytes);
  bytes.set(key, prefix.bytes.length);
  return { bytes, text: prefix.text + textOfBytes(key), prefix };
}

/** A bound of a range; it may be longer than a key, as the smallest key after the longest one is. */
export function withPrefix(prefix: KeyPrefix, key: Uint8Array): Uint8Array {
  if (key.length > keyBytesMax + 1)
    throw new StoreError({
      code: 'too-large',
      what: 'bound of a range',
      actualBytes: key.length,
      limitBytes: keyBytesMax + 1,
    });
  return concatBytes([prefix.bytes, key]);
}

/** The smallest key after everything of that kind in the collection. */
export function prefixEnd(prefix: KeyPrefix): Uint8Array {
  const end = prefix.bytes.slice();
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}

/** Undefined for bytes that are no key of a collection: a damaged one. */
export function parseStoreKey(
  bytes: Uint8Array,
): { readonly collection: string; readonly kind: Kind; readonly key: Uint8Array } | undefined {
  const zero = bytes.indexOf(0);
  if (zero < 1 || zero > collectionBytesMax || zero + 1 >= bytes.length) return undefined;
  const tag = bytes[zero + 1];
  const kind = tag === kinds.object ? 'object' : tag === kinds.row ? 'row' : undefined;
  if (kind === undefined) return undefined;
  return {
    collection: decodeUtf8(bytes.subarray(0, zero)),
    kind,
    key: bytes.subarray(zero + 2),
  };
}
