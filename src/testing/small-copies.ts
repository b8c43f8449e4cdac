// Memory for the short byte strings of the simulated world: what is on its links, and on its disks. Each typed array of
// more than 64 bytes has memory of its own from the system, and the garbage collector keeps an account of it: 0.9 µs for a
// few hundred bytes, and 0.15 µs when they share one piece.
//
// A piece lives as long as any string in it. That is well where a test's process pays for all; a real daemon counts what
// it holds in bytes (promise P6), and 40 bytes that wait for a slow peer would keep a hundred times as much.

/** At most so much is kept alive by one string: a page. */
const pieceBytes = 4096;

/** Longer ones have memory of their own: a piece holds four of them at least. */
const smallBytesMax = pieceBytes / 4;

let piece = new Uint8Array(pieceBytes);
let usedBytes = 0;

export function copySmall(source: Uint8Array): Uint8Array {
  const bytes = source.length;
  if (bytes > smallBytesMax) return new Uint8Array(source);
  if (usedBytes + bytes > pieceBytes) {
    piece = new Uint8Array(pieceBytes);
    usedBytes = 0;
  }
  const copy = new Uint8Array(piece.buffer, usedBytes, bytes);
  usedBytes += bytes;
  copy.set(source);
  return copy;
}
