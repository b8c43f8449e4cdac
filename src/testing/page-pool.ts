// Pages of simulated disks that are alike, kept once: a run that stores gigabytes of a few bodies, on three disks each,
// needs the memory of the bodies. What is read are the bytes that were written all the same: a page is shared only with
// one that was compared with it byte by byte, and no page that a pool knows is ever changed in place.

import { equalBytes } from '../base/bytes.ts';

export const pageBytes = 4096;

/**
 * Pages remembered, each in the one place that follows from its bytes: 64 MiB at most. Who is overwritten there is not
 * found again, and stays where it is.
 */
const placeCount = 16_384;

/** Of a page so many bytes at its begin, and every so many-th, choose its place. */
const headBytes = 16;
const strideBytes = 61;

export class PagePool {
  readonly #places: (Uint8Array | undefined)[] = new Array(placeCount);
  /** Pages that were there already. */
  shared = 0;

  /** A page with these bytes, that nobody may change. */
  take(bytes: Uint8Array): Uint8Array {
    const place = placeOf(bytes);
    const known = this.#places[place];
    if (known !== undefined && equalWords(known, bytes)) {
      this.shared++;
      return known;
    }
    const page = bytes.slice();
    this.#places[place] = page;
    return page;
  }
}

function placeOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  const add = (at: number): void => {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  };
  for (let at = 0; at < headBytes; at++) add(at);
  for (let at = headBytes; at < bytes.length; at += strideBytes) add(at);
  return (hash ^ (hash >>> 15)) & (placeCount - 1);
}

/** `equalBytes`, four bytes at a time where both lie so: for megabytes. */
export function equalWords(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const words = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0 ? Math.floor(a.length / 4) : 0;
  if (words > 0) {
    const wordsOfA = new Int32Array(a.buffer, a.byteOffset, words);
    const wordsOfB = new Int32Array(b.buffer, b.byteOffset, words);
    for (let at = 0; at < words; at++) if (wordsOfA[at] !== wordsOfB[at]) return false;
  }
  return equalBytes(a.subarray(words * 4), b.subarray(words * 4));
}
