// Arithmetic over data that is a list of views, so that large data is never joined.

import { assert } from '../base/assert.ts';

/** A copy of the bytes `begin <= at < end` of the views' concatenation. */
export function copyRange(views: readonly Uint8Array[], begin: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - begin);
  let at = 0;
  for (const view of views) {
    const from = Math.max(begin - at, 0);
    const to = Math.min(end - at, view.length);
    if (from < to) copy.set(view.subarray(from, to), at + from - begin);
    at += view.length;
  }
  assert(at >= end, 'the range is inside the views');
  return copy;
}

/** Cuts the views' concatenation into pieces of these lengths; the last piece may be shorter. */
export function splitViews(
  views: readonly Uint8Array[],
  lengths: readonly number[],
): Uint8Array[][] {
  const pieces: Uint8Array[][] = [];
  let index = 0;
  let offset = 0;
  for (const length of lengths) {
    const piece: Uint8Array[] = [];
    for (let missing = length; missing > 0 && index < views.length; ) {
      const view = views[index] as Uint8Array;
      const count = Math.min(missing, view.length - offset);
      if (count > 0) piece.push(view.subarray(offset, offset + count));
      missing -= count;
      offset += count;
      if (offset === view.length) {
        index++;
        offset = 0;
      }
    }
    pieces.push(piece);
  }
  return pieces;
}
