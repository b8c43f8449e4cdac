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

import { buffers } from '../base/buffer-pool.ts';
import { emptyBytes } from '../base/bytes.ts';
import { checksumChunkBytes, chunkChecksums, wholeChecksum } from '../base/chunk-checksums.ts';
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
  /** Of its chunks (base/chunk-checksums.ts), where they were asked for and are more than one. */
  readonly payloadChecksums: Uint32Array | undefined;
}

// Byte by byte: a view for four numbers costs more than they do, and every message has them.

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function u32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  return (low | (high << 16)) >>> 0;
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
  putU32(head, 0, body.length);
  putU32(head, 4, payloadBytes);
  head.set(body, headerBytes);
  putU32(head, 8, crc32c(body, crc32c(head.subarray(0, 8))));
  let payloadCrc = knownPayloadCrc ?? 0;
  if (knownPayloadCrc === undefined)
    for (const each of payload) payloadCrc = crc32c(each, payloadCrc);
  putU32(head, 12, payloadCrc);
  return payloadBytes === 0 ? [head] : [head, ...payload];
}

/** Thrown by `FrameReader.push`; the connection can't go on. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Frames up to this size that came whole in one piece share one copy of it. */
const smallFrameBytes = 16 * 1024;

type State =
  | { readonly kind: 'header'; readonly bytes: Uint8Array; at: number }
  | { readonly kind: 'body'; readonly header: Header; readonly bytes: Uint8Array; at: number }
  | {
      readonly kind: 'payload';
      readonly header: Header;
      readonly body: Uint8Array;
      readonly bytes: Uint8Array;
      at: number;
    };

interface Header {
  readonly bodyBytes: number;
  readonly payloadBytes: number;
  readonly bodyCrc: number;
  readonly payloadCrc: number;
  /** Of the two lengths: the body's checksum goes on from it. */
  readonly lengthsCrc: number;
}

/**
 * Collects pieces of a stream and gives out whole frames. Holds at most one frame of `limit` bytes. The
 * pieces are the caller's again when `push` returns.
 */
export class FrameReader {
  /** Where headers are collected that don't come with all of a small frame. */
  readonly #header = new Uint8Array(headerBytes);
  #state: State = { kind: 'header', bytes: this.#header, at: 0 };
  #limitBytes: number;
  #poolsPayload: (body: Uint8Array) => boolean = () => false;
  #sumsChunks: (body: Uint8Array) => boolean = () => false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Payloads of these bodies are taken into buffers of the pool, which the receiver gives back. */
  poolPayloads(when: (body: Uint8Array) => boolean): void {
    this.#poolsPayload = when;
  }

  /** Payloads of these bodies come with the checksums of their chunks: a little slower than one of the whole. */
  sumChunks(when: (body: Uint8Array) => boolean): void {
    this.#sumsChunks = when;
  }

  /** Raised once the peer is known. */
  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /** Gives back what a half-received frame holds; nothing may be pushed afterwards. */
  dispose(): void {
    if (this.#state.kind === 'payload') buffers.release(this.#state.bytes);
    this.#begin();
  }

  /** Throws `FrameError`, and whatever `deliver` throws, who has not taken the payload then; nothing more may be pushed. */
  push(bytes: Uint8Array, deliver: (frame: Frame) => void): void {
    let at = 0;
    let own: Uint8Array | undefined;
    while (at < bytes.length) {
      const state = this.#state;
      if (state.kind === 'header' && state.at === 0) {
        const whole = this.#wholeFrameAt(bytes, at);
        if (whole !== undefined) {
          own ??= bytes.slice();
          deliver(this.#cut(own, at, whole));
          at += headerBytes + whole.bodyBytes + whole.payloadBytes;
          continue;
        }
      }
      const count = Math.min(bytes.length - at, state.bytes.length - state.at);
      state.bytes.set(bytes.subarray(at, at + count), state.at);
      state.at += count;
      at += count;
      if (state.at === state.bytes.length) this.#complete(state, deliver);
    }
  }

  /** The header of a small frame that is there from head to end. */
  #wholeFrameAt(bytes: Uint8Array, at: number): Header | undefined {
    if (bytes.length - at < headerBytes) return undefined;
    const header = this.#readHeader(bytes, at);
    const size = headerBytes + header.bodyBytes + header.payloadBytes;
    return size <= smallFrameBytes && size <= bytes.length - at ? header : undefined;
  }

  #cut(own: Uint8Array, at: number, header: Header): Frame {
    const bodyEnd = at + headerBytes + header.bodyBytes;
    const body = own.subarray(at + headerBytes, bodyEnd);
    checkBody(header, body);
    return this.#checkPayload(
      body,
      own.subarray(bodyEnd, bodyEnd + header.payloadBytes),
      header.payloadCrc,
    );
  }

  #readHeader(bytes: Uint8Array, at: number): Header {
    const bodyBytes = u32At(bytes, at);
    const payloadBytes = u32At(bytes, at + 4);
    if (
      bodyBytes === 0 ||
      bodyBytes > bodyBytesMax ||
      payloadBytes > payloadBytesMax ||
      bodyBytes + payloadBytes > this.#limitBytes
    )
      throw new FrameError(`frame of ${bodyBytes} + ${payloadBytes} bytes`);
    return {
      bodyBytes,
      payloadBytes,
      bodyCrc: u32At(bytes, at + 8),
      payloadCrc: u32At(bytes, at + 12),
      lengthsCrc: crc32c(bytes.subarray(at, at + 8)),
    };
  }

  #complete(state: State, deliver: (frame: Frame) => void): void {
    if (state.kind === 'header') {
      const header = this.#readHeader(state.bytes, 0);
      this.#state = { kind: 'body', header, bytes: new Uint8Array(header.bodyBytes), at: 0 };
      return;
    }
    if (state.kind === 'payload') {
      this.#begin();
      try {
        deliver(this.#checkPayload(state.body, state.bytes, state.header.payloadCrc));
      } catch (error) {
        buffers.release(state.bytes);
        throw error;
      }
      return;
    }
    const { header, bytes: body } = state;
    checkBody(header, body);
    if (header.payloadBytes === 0) {
      this.#begin();
      deliver(this.#checkPayload(body, emptyBytes, header.payloadCrc));
      return;
    }
    const bytes = this.#poolsPayload(body)
      ? buffers.acquire(header.payloadBytes)
      : new Uint8Array(header.payloadBytes);
    this.#state = { kind: 'payload', header, body, bytes, at: 0 };
  }

  #checkPayload(body: Uint8Array, payload: Uint8Array, expected: number): Frame {
    const payloadChecksums =
      payload.length > checksumChunkBytes && this.#sumsChunks(body)
        ? chunkChecksums([payload], payload.length)
        : undefined;
    const actual =
      payloadChecksums === undefined
        ? crc32c(payload)
        : wholeChecksum(payloadChecksums, payload.length);
    if (actual !== expected) throw new FrameError('payload checksum');
    return { body, payload, payloadCrc: actual, payloadChecksums };
  }

  #begin(): void {
    this.#state = { kind: 'header', bytes: this.#header, at: 0 };
  }
}

function checkBody(header: Header, body: Uint8Array): void {
  if (crc32c(body, header.lengthsCrc) !== header.bodyCrc) throw new FrameError('body checksum');
}
