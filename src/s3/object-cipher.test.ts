import { deepEqual, equal, notDeepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { cipherBytes, type ObjectCipher } from './object-cipher.ts';

const cipher: ObjectCipher = {
  key: new Uint8Array(32).fill(7),
  encryption: {
    kind: 'SSE-S3',
    keyId: 's3',
    wrappedKey: new Uint8Array(32),
    context: '',
    bucketKey: false,
  },
};

test('what is encrypted is plain bytes: a slice of it is a copy', () => {
  const plain = new Uint8Array(100).fill(1);
  const sealed = cipherBytes(cipher, plain);
  equal(Buffer.isBuffer(sealed), false);
  const kept = sealed.slice();
  sealed.fill(0);
  notDeepEqual(kept, sealed);
  deepEqual(cipherBytes(cipher, kept), plain);
});

test('a range is what it would be of the whole', () => {
  const whole = Uint8Array.from({ length: 100 }, (_, at) => at);
  const sealed = cipherBytes(cipher, whole);
  for (const from of [0, 1, 15, 16, 17, 99])
    deepEqual(cipherBytes(cipher, sealed.subarray(from), from), whole.subarray(from));
});
