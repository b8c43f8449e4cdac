// Cutting a byte stream into frames and back.
//
//   offset  size  field
//        0     4  bodyBytes     1 .. bodyBytesMax
//        4     4  payloadBytes  0 .. payloadBytesMax
//        8     4  bodyCrc       CRC-32C of bytes 0..8 followed by the body
//       12     4  payloadCrc    CRC-32C of the payload, 0 when there is none
//       16        body, then payload
//
// Little-endian. A frame that does not check ends the connection: TCP's own checksum misses one error
// in 65,536, and behind a wrong length nothing can be trusted.

import { buffers, pooledBytesMin } from '../base/buffer-pool.ts';
import { concatBytes } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';

const headerBytes = 16;

/** Largest body: a full batch of backfilled rows (4 MiB) or ten thousand PG records, with room. */
export const bodyBytesMax = 16 * 1024 * 1024;

/** Largest payload: a whole blob of 4 MiB, and what rounding to chunks may add to a shard. */
export const payloadBytesMax = 4 * 1024 * 1024 + 64 * 1024;

export interface Frame {
  readonly body: Uint8Array;
  readonly payload: Uint8Array;
  /** CRC-32C of the payload, already checked. */
  readonly payloadCrc: number;
}

/** Header and body in one piece, then the payload's views as they are. */
export function encodeFrame(
  body: Uint8Array,
  payload: readonly Uint8Array[],
  knownPayloadCrc?: number,
): Uint8Array[] {
  let payloadBytes = 0;
  for (const view of payload) payloadBytes += view.length;
  if (body.length > bodyBytesMax || payloadBytes > payloadBytesMax)
    throw new RangeError(`frame of ${body.length} + ${payloadBytes} bytes`);
  const head = new Uint8Array(headerBytes + body.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, body.length, true);
  view.setUint32(4, payloadBytes, true);
  head.set(body, headerBytes);
  view.setUint32(8, crc32c(body, crc32c(head.subarray(0, 8))), true);
  let payloadCrc = knownPayloadCrc ?? 0;
  if (knownPayloadCrc === undefined)
    for (const each of payload) payloadCrc = crc32c(each, payloadCrc);
  view.setUint32(12, payloadCrc, true);
  return payloadBytes === 0 ? [head] : [head, ...payload];
}

/** Thrown by `FrameReader.push`; the connection can't go on. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Collects pieces of a stream and gives out whole frames. Holds at most one frame of `limit` bytes. */
export class FrameReader {
  readonly #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  /** The payload being filled, so that a large one is copied only once. */
  #filling:
    | { readonly head: Uint8Array; readonly payload: Uint8Array; at: number; readonly crc: number }
    | undefined;
  #limitBytes: number;
  #poolsPayload: (body: Uint8Array) => boolean = () => false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Payloads of these bodies are taken into buffers of the pool, which the receiver gives back. */
  poolPayloads(when: (body: Uint8Array) => boolean): void {
    this.#poolsPayload = when;
  }

  /** Raised once the peer is known. */
  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /** Gives back what a half-received frame holds; nothing may be pushed afterwards. */
  dispose(): void {
    if (this.#filling !== undefined) buffers.release(this.#filling.payload);
    this.#filling = undefined;
  }

  push(bytes: Uint8Array, deliver: (frame: Frame) => void): void {
    let rest = bytes;
    if (this.#filling !== undefined) rest = this.#fill(rest, deliver);
    if (rest.length === 0) return;
    this.#pieces.push(rest);
    this.#pieceBytes += rest.length;
    while (this.#pieceBytes >= headerBytes && this.#takeFrame(deliver));
  }

  #fill(bytes: Uint8Array, deliver: (frame: Frame) => void): Uint8Array {
    const filling = this.#filling;
    if (filling === undefined) return bytes;
    const wanted = Math.min(bytes.length, filling.payload.length - filling.at);
    filling.payload.set(wanted === bytes.length ? bytes : bytes.subarray(0, wanted), filling.at);
    filling.at += wanted;
    if (filling.at === filling.payload.length) {
      this.#filling = undefined;
      deliver(checkPayload(filling.head, filling.payload, filling.crc));
    }
    return bytes.subarray(wanted);
  }

  /** Returns whether another frame may be there. */
  #takeFrame(deliver: (frame: Frame) => void): boolean {
    const joined = this.#join(headerBytes);
    const view = new DataView(joined.buffer, joined.byteOffset, joined.byteLength);
    const bodyBytes = view.getUint32(0, true);
    const payloadBytes = view.getUint32(4, true);
    if (
      bodyBytes === 0 ||
      bodyBytes > bodyBytesMax ||
      payloadBytes > payloadBytesMax ||
      bodyBytes + payloadBytes > this.#limitBytes
    )
      throw new FrameError(`frame of ${bodyBytes} + ${payloadBytes} bytes`);
    if (this.#pieceBytes < headerBytes + bodyBytes) return false;
    const head = this.#join(headerBytes + bodyBytes);
    const body = head.subarray(headerBytes, headerBytes + bodyBytes);
    if (crc32c(body, crc32c(head.subarray(0, 8))) !== view.getUint32(8, true))
      throw new FrameError('body checksum');
    const payloadCrc = view.getUint32(12, true);
    const end = headerBytes + bodyBytes + payloadBytes;
    const isPooled = payloadBytes >= pooledBytesMin && this.#poolsPayload(body);
    if (!isPooled && this.#pieceBytes >= end && this.#pieces.length === 1) {
      // The whole frame came in one piece: hand out views of it.
      this.#drop(end);
      deliver(checkPayload(body, head.subarray(headerBytes + bodyBytes, end), payloadCrc));
      return true;
    }
    this.#drop(headerBytes + bodyBytes);
    const payload = isPooled ? buffers.acquire(payloadBytes) : new Uint8Array(payloadBytes);
    this.#filling = { head: body, payload, at: 0, crc: payloadCrc };
    while (this.#filling !== undefined && this.#pieces.length > 0) {
      const piece = this.#pieces[0] as Uint8Array;
      const rest = this.#fill(piece, deliver);
      this.#drop(piece.length - rest.length);
    }
    if (this.#filling !== undefined && payloadBytes === 0) this.#fill(new Uint8Array(0), deliver);
    return this.#filling === undefined;
  }

  /** Makes the first piece at least `bytes` long and returns it. */
  #join(bytes: number): Uint8Array {
    const first = this.#pieces[0] as Uint8Array;
    if (first.length >= bytes) return first;
    const joined = concatBytes(this.#pieces);
    this.#pieces.length = 0;
    this.#pieces.push(joined);
    return joined;
  }

  #drop(bytes: number): void {
    let rest = bytes;
    this.#pieceBytes -= bytes;
    while (rest > 0) {
      const first = this.#pieces[0] as Uint8Array;
      if (first.length > rest) {
        this.#pieces[0] = first.subarray(rest);
        return;
      }
      rest -= first.length;
      this.#pieces.shift();
    }
  }
}

function checkPayload(body: Uint8Array, payload: Uint8Array, expected: number): Frame {
  const actual = payload.length === 0 ? 0 : crc32c(payload);
  if (actual !== expected) throw new FrameError('payload checksum');
  return { body, payload, payloadCrc: actual };
}
