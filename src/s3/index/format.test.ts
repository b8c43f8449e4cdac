// Stored bytes stay readable for ever: each format is pinned by bytes written once.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError } from '../../base/codec.ts';
import {
  bucketFormat,
  configurationFormat,
  countsFormat,
  decodeEntry,
  decodeEntrySummary,
  decodeManifest,
  type EntryBody,
  encodeEntryDraft,
  encodeManifest,
  garbageFormat,
  nullVersionFormat,
  partFormat,
  plainAttributes,
  plainSummary,
  type ShardState,
  shardStateFormat,
  stampEntry,
  uploadFormat,
  wholeShard,
} from './format.ts';

const run = {
  layout: { pool: 2, layout: 3 },
  first: { incarnation: 7, counter: 2 ** 40 },
  count: 3,
  blobBytes: 4194304,
  lastBytes: 17,
};
const version = { tenure: 5, sequence: 2 ** 33 };

const body: EntryBody = {
  sizeBytes: 8388625,
  etag: 'abc-1',
  wallMs: 1700000000000,
  checksum: { algorithm: 'CRC32C', type: 'COMPOSITE', value: 'AAAAAA==-1' },
  ...plainSummary,
  ...plainAttributes,
  headers: [{ name: 'content-type', value: 'a/b' }],
  metadata: [{ name: 'm', value: '\u00e4' }],
  tags: [{ name: 't', value: '' }],
  uploadId: 'u',
  partCount: 1,
  content: {
    kind: 'direct',
    extents: [
      {
        sizeBytes: 8388625,
        runs: [run],
        checksum: 'AAAAAA==',
        partNumber: 1,
        nonce: new Uint8Array(0),
      },
    ],
  },
};

const upload = {
  wallMs: 1,
  headers: [],
  metadata: [],
  tags: [],
  checksumAlgorithm: 'SHA256',
  checksumType: 'COMPOSITE',
  owner: '',
  storageClass: 'STANDARD',
  ...plainAttributes,
} as const;
const part = {
  wallMs: 1,
  sizeBytes: 8388625,
  etag: 'e',
  checksum: undefined,
  runs: [run],
  version,
  nonce: new Uint8Array(0),
};
const garbage = { kind: 'manifest', manifestBytes: 9, runs: [run] } as const;
const oneRange = {
  bucketId: '7.1',
  owner: 'alice',
  createdWallMs: 1,
  location: '',
  ranges: [{ beginKey: new Uint8Array(0), object: 'index/7.1/0' }],
};
const bucket = {
  ...oneRange,
  ranges: [...oneRange.ranges, { beginKey: new Uint8Array([107]), object: 'index/7.1/1' }],
  nextShard: 3,
  splits: [{ source: 'index/7.1/1', object: 'index/7.1/2' }],
  removing: { tenure: 6, sequence: 1 },
};
const shard: ShardState = {
  state: 'closing',
  versioned: true,
  generation: 4,
  tenureOffset: 9,
  range: { begin: new Uint8Array([97]), end: new Uint8Array([122]) },
  split: {
    object: 'index/7.1/2',
    phase: 'released',
    chunk: { begin: new Uint8Array([122]), end: undefined },
    tenure: 14,
  },
  closing: version,
};
const counts = { entries: 5, sizeBytes: 70_000, after: new Uint8Array([107, 97]) };

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Written by releases before: read for ever, written no more. */
const older = {
  entry:
    '450105000000000000000000000002000000050000000000000009000000000000004e329bd791808004056162632d3180d095ffbc310101010a4141414141413d3d2d31010c636f6e74656e742d7479706503612f6201016d02c3a401017400010175010201918080040102030700000000000000000000000001000003808080021101084141414141413d3d',
  upload: '55017bda46670100000001040101',
  part: '5001f651779c01918080040165000102030700000000000000000000000001000003808080021105000000000000000000000002000000',
  shard: '4d0152d016a001',
  versionedShard: '4d02a66ca8100101',
  bucket: '42015e32fedf03372e3105616c696365010001000b696e6465782f372e312f30',
};

const golden = {
  entry:
    '45020500000000000000000000000200000005000000000000000900000000000000ca4c5b5191808004056162632d3180d095ffbc310101010a4141414141413d3d2d31000003626f6204434f4c44010c636f6e74656e742d7479706503612f6201016d02c3a40101740001017501010108416c6c5573657273010101010501010101016b020102000001062f746865726501056c6174657201030201918080040102030700000000000000000000000001000003808080021101084141414141413d3d0100',
  upload: '5502ee9af0b4010000000104010100085354414e44415244000000000000',
  part: '50029dac2e870191808004016500010203070000000000000000000000000100000380808002110500000000000000000000000200000000',
  garbage: '4701a44bcd1f010901020307000000000000000000000000010000038080800211',
  bucket:
    '4202e376188f03372e3105616c696365010002000b696e6465782f372e312f30016b0b696e6465782f372e312f3103010b696e6465782f372e312f310b696e6465782f372e312f320106000000000000000100000000000000',
  configuration: '43013aa2caa60104636f727303010203',
  shard:
    '4d03e11d5095020104090000000000000001016101017a010b696e6465782f372e312f3202017a000e000000000000000105000000000000000000000002000000',
  counts: '23018e240d4005f0a20401026b61',
  nullVersion: '4e017e181fc905000000000000000000000002000000',
};

const configuration = {
  documents: [{ name: 'cors', body: new Uint8Array([1, 2, 3]) }],
};

/** With everything that an entry can have. */
const full: EntryBody = {
  ...body,
  isNull: false,
  owner: 'bob',
  storageClass: 'COLD',
  acl: [{ grantee: 'AllUsers', granteeKind: 'group', permission: 'READ' }],
  retention: { mode: 'COMPLIANCE', untilMs: 5 },
  legalHold: true,
  encryption: {
    kind: 'SSE-KMS',
    keyId: 'k',
    wrappedKey: new Uint8Array([1, 2]),
    context: '',
    bucketKey: false,
  },
  redirect: '/there',
  properties: [{ name: 'later', value: new Uint8Array([3]) }],
};

const stamped = stampEntry(encodeEntryDraft(full), version, { tenure: 5, sequence: 9 });

test('every format writes the bytes it always wrote', () => {
  deepEqual(
    {
      entry: hex(stamped),
      upload: hex(uploadFormat.encode(upload)),
      part: hex(partFormat.encode(part)),
      garbage: hex(garbageFormat.encode(garbage)),
      bucket: hex(bucketFormat.encode(bucket)),
      configuration: hex(configurationFormat.encode(configuration)),
      shard: hex(shardStateFormat.encode(shard)),
      counts: hex(countsFormat.encode(counts)),
      nullVersion: hex(nullVersionFormat.encode({ version })),
    },
    golden,
  );
});

test('and reads them back', () => {
  const bytes = (name: keyof typeof golden) => new Uint8Array(Buffer.from(golden[name], 'hex'));
  deepEqual(decodeEntry(bytes('entry')), {
    ...full,
    version,
    generation: { tenure: 5, sequence: 9 },
  });
  const { sizeBytes, etag, wallMs, checksum } = body;
  deepEqual(decodeEntrySummary(bytes('entry')), {
    sizeBytes,
    etag,
    wallMs,
    checksum,
    kind: 'object',
    isNull: false,
    owner: 'bob',
    storageClass: 'COLD',
  });
  deepEqual(uploadFormat.decode(bytes('upload')), upload);
  deepEqual(partFormat.decode(bytes('part')), part);
  deepEqual(garbageFormat.decode(bytes('garbage')), garbage);
  deepEqual(bucketFormat.decode(bytes('bucket')), bucket);
  deepEqual(configurationFormat.decode(bytes('configuration')), configuration);
  deepEqual(shardStateFormat.decode(bytes('shard')), shard);
  deepEqual(countsFormat.decode(bytes('counts')), counts);
  deepEqual(nullVersionFormat.decode(bytes('nullVersion')), { version });
});

test('what older releases wrote is read as what it meant', () => {
  const bytes = (name: keyof typeof older) => new Uint8Array(Buffer.from(older[name], 'hex'));
  deepEqual(decodeEntry(bytes('entry')), {
    ...body,
    version,
    generation: { tenure: 5, sequence: 9 },
  });
  equal(decodeEntrySummary(bytes('entry')).isNull, true);
  deepEqual(uploadFormat.decode(bytes('upload')), upload);
  deepEqual(partFormat.decode(bytes('part')), part);
  const sealed = { ...wholeShard, state: 'sealed' };
  deepEqual(shardStateFormat.decode(bytes('shard')), sealed);
  deepEqual(shardStateFormat.decode(bytes('versionedShard')), { ...sealed, versioned: true });
  deepEqual(bucketFormat.decode(bytes('bucket')), {
    ...oneRange,
    nextShard: 1,
    splits: [],
    removing: undefined,
  });
  const { content } = body;
  const extents = content.kind === 'direct' ? content.extents : [];
  // A manifest of version 1: a list without part numbers.
  const listed = bytes('entry').subarray(-40);
  deepEqual(decodeManifest(listed), extents);
  deepEqual(decodeManifest(encodeManifest(extents)), extents);
});

test('a flipped bit, a cut and a newer version are noticed', () => {
  for (let at = 0; at < stamped.length; at++) {
    // Version and generation are stamped after the checksum, which covers the body alone.
    if (at >= 2 && at < 34) continue;
    const flipped = stamped.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 4;
    throws(() => decodeEntry(flipped), DecodeError, `byte ${at}`);
  }
  for (let length = 0; length < stamped.length; length++)
    throws(() => decodeEntry(stamped.subarray(0, length)), DecodeError);
  const newer = shardStateFormat.encode(wholeShard);
  newer[1] = 4;
  throws(() => shardStateFormat.decode(newer), DecodeError);
  equal(shardStateFormat.decode(shardStateFormat.encode(wholeShard)).state, 'open');
});
