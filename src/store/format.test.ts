// The bytes on disk, pinned: a test that fails here means stores in the field can't be read any more.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { formatHex, parseHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import {
  decodeOnode,
  decodeSuperblock,
  encodeOnode,
  encodeSuperblock,
  extentKey,
  frameValue,
  type Onode,
  parseExtentKey,
  readFrame,
} from './format.ts';
import { storeKey } from './keys.ts';
import { superblockForTests } from './store-suite.ts';

const inline: Onode = {
  lengthBytes: 3,
  header: new Uint8Array([9]),
  placement: { kind: 'inline', data: new Uint8Array([1, 2, 3]) },
};

const extents: Onode = {
  lengthBytes: 20_000,
  header: new Uint8Array(0),
  placement: {
    kind: 'extents',
    extents: [
      { firstUnit: 300, unitCount: 4 },
      { firstUnit: 7, unitCount: 1 },
    ],
    checksums: new Uint32Array([0x01020304, 0xfffefdfc]),
  },
};

function superblockHex(): string {
  return formatHex(encodeSuperblock(superblockForTests));
}

test('superblock', () => {
  equal(
    superblockHex(),
    '484653420100000080441aa6203031323334353637383961626364656630313233343536373839616263646566206665646362613938373635343332313066656463626139383736353433323130070068e5cf8b010000',
  );
  const read = decodeSuperblock(parseHex(superblockHex()) ?? new Uint8Array(0));
  deepEqual(read, { kind: 'valid', superblock: superblockForTests });
});

test('every flipped bit and every cut of a superblock is noticed', () => {
  const whole = encodeSuperblock(superblockForTests);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = whole.slice();
    flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
    equal(decodeSuperblock(flipped).kind, 'damaged', `bit ${bit}`);
  }
  for (let length = 0; length < whole.length; length++)
    equal(decodeSuperblock(whole.subarray(0, length)).kind, 'damaged');
});

test('onodes', () => {
  equal(formatHex(encodeOnode(inline)), '0103010900010203');
  equal(formatHex(encodeOnode(extents)), '01a09c01000102ac0204070104030201fcfdfeff');
  for (const onode of [inline, extents]) deepEqual(decodeOnode(encodeOnode(onode)), onode);
});

test('an onode that contradicts itself is refused', () => {
  const change = (fields: Partial<Onode>): Uint8Array => encodeOnode({ ...extents, ...fields });
  const bad = [
    new Uint8Array(0),
    new Uint8Array([2, 0, 0, 0]),
    new Uint8Array([1, 0, 0, 2]),
    change({ lengthBytes: 20_481 }),
    change({ lengthBytes: 2 ** 40 }),
    encodeOnode(extents).subarray(0, 18),
    new Uint8Array([...encodeOnode(inline), 0]),
    change({
      lengthBytes: 0,
      placement: {
        kind: 'extents',
        extents: [{ firstUnit: 1, unitCount: 0 }],
        checksums: new Uint32Array(0),
      },
    }),
  ];
  for (const [index, bytes] of bad.entries())
    throws(() => decodeOnode(bytes), DecodeError, `case ${index}`);
});

test('keys', () => {
  equal(formatHex(storeKey('1.2.3', 'row', new Uint8Array([7, 0])).bytes), '312e322e3300020700');
  equal(formatHex(storeKey('1.2.3', 'object', new Uint8Array([7])).bytes), '312e322e33000107');
  const extent = { firstUnit: 2 ** 32 + 5, unitCount: 258 };
  equal(formatHex(extentKey(extent)), '007800010000000500000102');
  deepEqual(parseExtentKey(extentKey(extent)), extent);
  equal(parseExtentKey(extentKey({ firstUnit: 1, unitCount: 0 })), undefined);
  equal(parseExtentKey(extentKey({ firstUnit: 1, unitCount: 4097 })), undefined);
  equal(parseExtentKey(new Uint8Array(5)), undefined);
});

test('a framed value belongs to its key', () => {
  const key = new Uint8Array([1, 2]);
  const framed = frameValue(key, new Uint8Array([3, 4]));
  equal(formatHex(framed), 'f48c30290304');
  deepEqual(readFrame(key, framed), { kind: 'whole', payload: new Uint8Array([3, 4]) });
  equal(readFrame(new Uint8Array([1, 3]), framed).kind, 'damaged');
  equal(readFrame(key, framed.subarray(0, 3)).kind, 'damaged');
  equal(readFrame(key, framed.subarray(0, 5)).kind, 'damaged');
});
