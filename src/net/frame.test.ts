import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { buffers } from '../base/buffer-pool.ts';
import { concatBytes } from '../base/bytes.ts';
import { chunkChecksums } from '../base/chunk-checksums.ts';
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

test('the checksums of a payload’s chunks come with it where they are asked for, whatever its length', () => {
  const stream = encoded();
  for (const isAsked of [true, false]) {
    const reader = new FrameReader(1 << 24);
    reader.sumChunks((body) => isAsked && body.length !== 2);
    const got: Frame[] = [];
    reader.push(stream, (frame) => got.push(frame));
    const expected = chunkChecksums([bytesOf(300_000, 6)], 300_000);
    deepEqual(
      got.map(({ payloadChecksums }) => payloadChecksums),
      [undefined, undefined, undefined, isAsked ? expected : undefined, undefined],
    );
  }
});

test('a payload that is not what its checksum says is refused, and its memory goes back to the pool', () => {
  for (const isAsked of [true, false]) {
    const bad = concatBytes(encodeFrame(bytesOf(40, 5), [bytesOf(300_000, 6)]));
    bad[bad.length - 1] = (bad.at(-1) as number) ^ 1;
    const before = buffers.outCount;
    const reader = new FrameReader(1 << 24);
    reader.poolPayloads(() => true);
    reader.sumChunks(() => isAsked);
    throws(() => reader.push(bad, () => {}), /payload checksum/);
    equal(buffers.outCount, before);
  }
});

test('nor is a payload kept that nobody took, because its body made no sense', () => {
  const frame = concatBytes(encodeFrame(bytesOf(40, 5), [bytesOf(300_000, 6)]));
  const before = buffers.outCount;
  const reader = new FrameReader(1 << 24);
  reader.poolPayloads(() => true);
  const refuse = ({ payload }: Frame): void => {
    equal(buffers.outCount, before + 1);
    throw new Error(`${payload.length} bytes that nobody wants`);
  };
  throws(() => reader.push(frame, refuse), /300000 bytes that nobody wants/);
  equal(buffers.outCount, before);
});
