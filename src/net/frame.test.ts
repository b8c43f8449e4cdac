import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../base/bytes.ts';
import { encodeFrame, type Frame, FrameError, FrameReader } from './frame.ts';

function bytesOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + seed) & 0xff);
}

const frames = [
  { body: bytesOf(1, 1), payload: bytesOf(0, 0) },
  { body: bytesOf(300, 2), payload: bytesOf(5, 3) },
  { body: bytesOf(20_000, 4), payload: bytesOf(0, 0) },
  { body: bytesOf(40, 5), payload: bytesOf(300_000, 6) },
  { body: bytesOf(2, 7), payload: bytesOf(70_000, 8) },
];

function encoded(): Uint8Array {
  return concatBytes(
    frames.flatMap(({ body, payload }) => encodeFrame(body, payload.length === 0 ? [] : [payload])),
  );
}

test('frames come out whole, however the stream was cut and whatever becomes of its pieces', () => {
  const stream = encoded();
  for (const pieceBytes of [1, 7, 16, 17, 1000, 65_536, stream.length]) {
    if (pieceBytes === 1 && stream.length > 1_000_000) continue;
    const got: Frame[] = [];
    const reader = new FrameReader(1 << 24);
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const piece = stream.slice(at, at + pieceBytes);
      reader.push(piece, (frame) => got.push(frame));
      piece.fill(0xee);
    }
    equal(got.length, frames.length);
    for (const [at, frame] of got.entries()) {
      deepEqual(frame.body, frames[at]?.body);
      deepEqual(frame.payload, frames[at]?.payload);
    }
  }
});

test('a flipped bit anywhere, or a length beyond the limit, ends the stream', () => {
  const frame = concatBytes(encodeFrame(bytesOf(30, 1), [bytesOf(50, 2)]));
  for (let at = 0; at < frame.length; at++) {
    const bad = frame.slice();
    bad[at] = (bad[at] as number) ^ 0x10;
    const reader = new FrameReader(4096);
    let delivered = 0;
    try {
      reader.push(bad, () => delivered++);
    } catch (error) {
      equal(error instanceof FrameError, true);
    }
    equal(delivered, 0, `byte ${at}`);
  }
  throws(() => new FrameReader(60).push(frame, () => {}), FrameError);
});
