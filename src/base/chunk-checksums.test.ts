import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { checksumChunkBytes, chunkChecksums, wholeChecksum } from './chunk-checksums.ts';
import { crc32c, joinedCrc32c } from './crc32c.ts';

const bytes = Uint8Array.from(
  { length: 5 * checksumChunkBytes + 777 },
  (_, at) => (at * 131 + (at >> 7)) & 255,
);

test('the checksum of two runs follows from theirs, whatever their lengths', () => {
  for (const cut of [0, 1, 2, 3, 255, 4096, 20_001, bytes.length - 1, bytes.length]) {
    const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)];
    equal(
      joinedCrc32c(crc32c(first), crc32c(second), second.length),
      crc32c(bytes),
      `cut at ${cut}`,
    );
  }
});

test('the whole’s checksum is that of its chunks, whole and not', () => {
  for (const length of [
    0,
    1,
    checksumChunkBytes - 1,
    checksumChunkBytes,
    checksumChunkBytes + 1,
    2 * checksumChunkBytes,
    bytes.length,
  ]) {
    const part = bytes.subarray(0, length);
    equal(wholeChecksum(chunkChecksums([part], length), length), crc32c(part), `${length} bytes`);
  }
});

test('a chunk’s checksum does not depend on how its bytes are cut into views', () => {
  const [one, two] = [10_000, 3 * checksumChunkBytes + 5];
  const views = [bytes.subarray(0, one), bytes.subarray(one, two), bytes.subarray(two)];
  const expected = Uint32Array.from({ length: 6 }, (_, chunk) =>
    crc32c(bytes.subarray(chunk * checksumChunkBytes, (chunk + 1) * checksumChunkBytes)),
  );
  deepEqual(chunkChecksums(views, bytes.length), expected);
});
