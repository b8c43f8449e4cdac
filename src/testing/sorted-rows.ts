// An ordered map of byte strings in memory: keys as text (one character a byte) in buckets of bounded
// size, so that inserting into a large map moves little.

const bucketKeysMax = 512;

export class SortedRows {
  readonly #values = new Map<string, Uint8Array>();
  /** Non-empty buckets of sorted keys, in order. */
  readonly #buckets: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: Uint8Array): void {
    const { size } = this.#values;
    this.#values.set(key, value);
    if (this.#values.size > size) this.#insert(key);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const bucketIndex = this.#bucketOf(key);
    const bucket = this.#buckets[bucketIndex] as string[];
    bucket.splice(lowerBound(bucket, key), 1);
    if (bucket.length === 0) this.#buckets.splice(bucketIndex, 1);
  }

  /** Keys with `begin <= key < end`, in order. */
  *keys(begin: string, end: string): Iterable<string> {
    for (let index = this.#bucketOf(begin); index < this.#buckets.length; index++) {
      const bucket = this.#buckets[index] as string[];
      for (let at = lowerBound(bucket, begin); at < bucket.length; at++) {
        const key = bucket[at] as string;
        if (key >= end) return;
        yield key;
      }
    }
  }

  /** The same from the end. */
  *keysReverse(begin: string, end: string): Iterable<string> {
    for (let index = this.#bucketOf(end); index >= 0; index--) {
      const bucket = this.#buckets[index];
      if (bucket === undefined) continue;
      for (let at = lowerBound(bucket, end) - 1; at >= 0; at--) {
        const key = bucket[at] as string;
        if (key < begin) return;
        yield key;
      }
    }
  }

  #insert(key: string): void {
    if (this.#buckets.length === 0) {
      this.#buckets.push([key]);
      return;
    }
    const bucketIndex = this.#bucketOf(key);
    const bucket = this.#buckets[bucketIndex] as string[];
    bucket.splice(lowerBound(bucket, key), 0, key);
    if (bucket.length > bucketKeysMax)
      this.#buckets.splice(bucketIndex + 1, 0, bucket.splice(bucketKeysMax / 2));
  }

  /** The last bucket that begins at or before the key; 0 when there is none. */
  #bucketOf(key: string): number {
    let low = 0;
    let high = this.#buckets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.#buckets[middle] as string[])[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function textOfKey(key: Uint8Array): string {
  if (key.length <= 8192) return String.fromCharCode.apply(null, key as unknown as number[]);
  let text = '';
  for (let at = 0; at < key.length; at += 8192)
    text += String.fromCharCode.apply(null, key.subarray(at, at + 8192) as unknown as number[]);
  return text;
}

export function keyOfText(text: string): Uint8Array {
  const key = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) key[i] = text.charCodeAt(i);
  return key;
}
