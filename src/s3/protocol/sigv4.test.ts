// The examples AWS publishes for Signature Version 4 in S3.

import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import type { User } from '../../client/cluster.ts';
import { S3Error, type S3ErrorCode } from './errors.ts';
import { parseRequest, type S3Request } from './request.ts';
import { type Authenticated, authenticateV4, SigningKeyCache } from './sigv4.ts';
import { ChunkedBody } from './streaming-body.ts';

const user: User = {
  name: 'example',
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const nowMs = Date.UTC(2013, 4, 24);
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const host = 'examplebucket.s3.amazonaws.com';

function requestOf(
  method: string,
  target: string,
  headers: Record<string, string>,
  chunks: readonly Uint8Array[] = [],
): S3Request {
  const left = [...chunks];
  return parseRequest(
    {
      method,
      target,
      headers: Object.entries(headers),
      body: { next: async () => left.shift() },
      remote: '127.0.0.1:1',
    },
    ['s3.amazonaws.com'],
  );
}

function signed(names: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${signature}`;
}

function verify(request: S3Request, atMs = nowMs): Authenticated {
  return authenticateV4(request, {
    keys: new SigningKeyCache(),
    nowMs: atMs,
    userByAccessKey: (key) => (key === user.accessKey ? user : undefined),
  });
}

function fails(code: S3ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof S3Error && error.code === code;
}

const getObject = {
  host,
  range: 'bytes=0-9',
  'x-amz-content-sha256': emptyHash,
  'x-amz-date': '20130524T000000Z',
};
const getObjectSigned = signed(
  'host;range;x-amz-content-sha256;x-amz-date',
  'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
);

test('GET Object', () => {
  const request = requestOf('GET', '/test.txt', { ...getObject, Authorization: getObjectSigned });
  equal(verify(request).user, user);
  equal(request.bucket, 'examplebucket');
  equal(request.key, 'test.txt');
});

test('PUT Object, with a character that must be encoded', () => {
  const hash = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072';
  const request = requestOf('PUT', '/test$file.text', {
    Host: host,
    Date: 'Fri, 24 May 2013 00:00:00 GMT',
    'x-amz-date': '20130524T000000Z',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'x-amz-content-sha256': hash,
    Authorization: signed(
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ),
  });
  deepEqual(verify(request).payload, { kind: 'sha256', hex: hash });
});

test('GET Bucket Lifecycle and List Objects, with queries', () => {
  const headers = {
    host,
    'x-amz-date': '20130524T000000Z',
    'x-amz-content-sha256': emptyHash,
  };
  const names = 'host;x-amz-content-sha256;x-amz-date';
  verify(
    requestOf('GET', '/?lifecycle', {
      ...headers,
      authorization: signed(
        names,
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
    }),
  );
  const list = signed(names, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7');
  verify(requestOf('GET', '/?max-keys=2&prefix=J', { ...headers, authorization: list }));
  verify(requestOf('GET', '/?prefix=J&max-keys=2', { ...headers, authorization: list }));
});

const presigned =
  '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';

test('a presigned URL holds until it expires', () => {
  equal(verify(requestOf('GET', presigned, { host })).payload.kind, 'unsigned');
  verify(requestOf('GET', presigned, { host }), nowMs + 86_400_000);
  throws(
    () => verify(requestOf('GET', presigned, { host }), nowMs + 86_401_000),
    fails('AccessDenied'),
  );
  throws(
    () => verify(requestOf('GET', presigned, { host }), nowMs - 901_000),
    fails('AccessDenied'),
  );
  throws(
    () => verify(requestOf('GET', presigned.replace('=86400', '=604801'), { host })),
    fails('AccessDenied'),
  );
  throws(
    () => verify(requestOf('GET', presigned.replace('test.txt', 'other'), { host })),
    fails('SignatureDoesNotMatch'),
  );
});

const chunks = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
];

function chunkedBody(signatures: readonly string[]): Buffer {
  const sizes = [65536, 1024, 0];
  return Buffer.concat(
    sizes.map((size, i) =>
      Buffer.from(
        `${size.toString(16)};chunk-signature=${signatures[i]}\r\n${'a'.repeat(size)}\r\n`,
      ),
    ),
  );
}

async function readChunked(body: Buffer, pieceBytes: number): Promise<number> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += pieceBytes)
    pieces.push(body.subarray(at, at + pieceBytes));
  const request = requestOf(
    'PUT',
    '/examplebucket/chunkObject.txt',
    {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
      authorization: signed(
        'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
        '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      ),
    },
    pieces,
  );
  const { payload } = verify(request);
  if (payload.kind !== 'chunked') throw new Error(`payload is ${payload.kind}`);
  const decoded = new ChunkedBody(request.body, { ...payload, decodedBytes: 66560 });
  let bytes = 0;
  for (let chunk = await decoded.next(); chunk !== undefined; chunk = await decoded.next())
    bytes += chunk.length;
  return bytes;
}

test('signed chunks, however they are cut on the way', async () => {
  for (const pieceBytes of [100_000, 65_536, 1000, 7]) {
    equal(await readChunked(chunkedBody(chunks), pieceBytes), 66560);
  }
});

test('chunks with a wrong signature, in another order or cut short are refused', async () => {
  const [first, second, last] = chunks as [string, string, string];
  await rejects(
    readChunked(chunkedBody([first, first, last]), 5000),
    fails('SignatureDoesNotMatch'),
  );
  await rejects(
    readChunked(chunkedBody([second, first, last]), 5000),
    fails('SignatureDoesNotMatch'),
  );
  const body = chunkedBody(chunks);
  await rejects(readChunked(body.subarray(0, 66000), 5000), fails('IncompleteBody'));
  await rejects(readChunked(body.subarray(0, body.length - 2), 5000), fails('IncompleteBody'));
  await rejects(
    readChunked(Buffer.concat([body, Buffer.from('x')]), 5000),
    fails('InvalidRequest'),
  );
  const flipped = Buffer.from(body);
  flipped[300] = 98;
  await rejects(readChunked(flipped, 5000), fails('SignatureDoesNotMatch'));
});

test('a signed trailer is verified', async () => {
  const signatures = [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ];
  const read = async (trailerSignature: string): Promise<string | undefined> => {
    const data = chunkedBody(signatures).subarray(0, -2);
    const trailer = `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${trailerSignature}\r\n\r\n`;
    const request = requestOf(
      'PUT',
      '/examplebucket/chunkObject.txt',
      {
        host: 's3.amazonaws.com',
        'x-amz-date': '20130524T000000Z',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': '66560',
        'x-amz-trailer': 'x-amz-checksum-crc32c',
        authorization: signed(
          'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
          '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
        ),
      },
      [data, Buffer.from(trailer)],
    );
    const { payload } = verify(request);
    if (payload.kind !== 'chunked') throw new Error(`payload is ${payload.kind}`);
    const decoded = new ChunkedBody(request.body, { ...payload, decodedBytes: 66560 });
    while ((await decoded.next()) !== undefined);
    return decoded.trailers.get('x-amz-checksum-crc32c');
  };
  equal(await read('d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435'), 'sOO8/Q==');
  await rejects(read('0'.repeat(64)), fails('SignatureDoesNotMatch'));
});

test('flaws are told apart', () => {
  equal(verify(requestOf('GET', '/test.txt', { host })).user.name, '', 'nobody signed it');
  const cases: readonly [Record<string, string>, S3ErrorCode, number?][] = [
    [{ host, authorization: 'Basic abc' }, 'InvalidArgument'],
    [
      { ...getObject, authorization: 'AWS4-HMAC-SHA256 Credential=a/b' },
      'AuthorizationHeaderMalformed',
    ],
    [
      { ...getObject, authorization: getObjectSigned.replace('AKIA', 'AKIB') },
      'InvalidAccessKeyId',
    ],
    [{ ...getObject, authorization: getObjectSigned }, 'RequestTimeTooSkewed', 901_000],
    [{ ...getObject, authorization: getObjectSigned }, 'RequestTimeTooSkewed', -901_000],
    [{ ...getObject, range: 'bytes=0-8', authorization: getObjectSigned }, 'SignatureDoesNotMatch'],
    [{ ...getObject, 'x-amz-meta-added': 'x', authorization: getObjectSigned }, 'AccessDenied'],
    [{ ...getObject, authorization: getObjectSigned.replace('host;', '') }, 'AccessDenied'],
    [
      { ...getObject, 'x-amz-date': '20130523T235959Z', authorization: getObjectSigned },
      'AuthorizationHeaderMalformed',
    ],
  ];
  for (const [headers, code, skewMs] of cases)
    throws(
      () => verify(requestOf('GET', '/test.txt', headers), nowMs + (skewMs ?? 0)),
      fails(code),
      code,
    );
});

test('a changed secret is noticed by the key cache', () => {
  const keys = new SigningKeyCache();
  let secretKey = user.secretKey;
  const attempt = (): Authenticated =>
    authenticateV4(
      requestOf('GET', '/test.txt', { ...getObject, authorization: getObjectSigned }),
      {
        keys,
        nowMs,
        userByAccessKey: () => ({ ...user, secretKey }),
      },
    );
  attempt();
  secretKey = 'rotated';
  throws(attempt, fails('SignatureDoesNotMatch'));
});
