// Browser forms: fields, policy and signature, and the file that follows them.

import { equal, ok } from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  alice,
  bodyBytes,
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  sign,
  signingContext,
  signText,
  startTestGateway,
} from './testing/gateway-suite.ts';

type Fields = Readonly<Record<string, string>>;

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  equal((await gateway.handle(sign({ method: 'PUT', path: '/bucket' }))).status, 200);
  const post = (
    fields: Fields,
    file: Uint8Array,
    { after = '', chunkBytes = 1000, fileType = '' } = {},
  ) => {
    const head = Object.entries(fields)
      .map(
        ([name, value]) =>
          `--edge\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      )
      .join('');
    const body = Buffer.concat([
      Buffer.from(
        `${head}--edge\r\nContent-Disposition: form-data; name="file"; filename="C:\\x\\pic.png"\r\n${fileType}\r\n`,
      ),
      file,
      Buffer.from(`\r\n${after}--edge--\r\n`),
    ]);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < body.length; at += chunkBytes)
      chunks.push(body.subarray(at, at + chunkBytes));
    return gateway.handle({
      method: 'POST',
      target: '/bucket',
      headers: [
        ['host', 'localhost'],
        ['content-type', 'multipart/form-data; boundary=edge'],
        ['content-length', String(body.length)],
      ],
      body: bodyOf(...chunks),
      remote: '127.0.0.1:1',
    });
  };
  const get = (path: string) => gateway.handle(sign({ method: 'GET', path }));
  return { post, get };
}

/** Spoken of in each policy of a form that is signed as today. */
const proofs = ['$x-amz-algorithm', '$x-amz-credential', '$x-amz-date'].map((name) => [
  ...['starts-with', name, ''],
]);

function policyOf(conditions: readonly unknown[], seconds = 60): string {
  const expiration = new Date(Date.now() + seconds * 1000).toISOString();
  return Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
}

/** Signed as today. */
function signed(policy: string): Fields {
  const context = signingContext(alice, Date.now());
  return {
    policy,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${alice.accessKey}/${context.scope}`,
    'x-amz-date': context.amzDate,
    'x-amz-signature': signText(context, policy),
  };
}

/** Signed as forms of older pages are. */
function signedLong(policy: string): Fields {
  const signature = createHmac('sha1', alice.secretKey).update(policy).digest('base64');
  return { AWSAccessKeyId: alice.accessKey, policy, signature };
}

const anyKey = [
  ...proofs,
  { bucket: 'bucket' },
  ['starts-with', '$key', ''],
  ['starts-with', '$Content-Type', ''],
];

for (const sizeBytes of [0, 1, 20_000, 3_000_000])
  test(`a file of ${sizeBytes} bytes is stored as the form describes it`, async (t) => {
    const { post, get } = await start(t);
    const file = randomBytes(sizeBytes);
    const key = `up/\${filename}`;
    const put = await post({ key, 'Content-Type': 'image/png', ...signed(policyOf(anyKey)) }, file);
    equal(put.status, 204);
    const got = await get('/bucket/up/pic.png');
    equal(headerOf(got, 'content-type'), 'image/png');
    ok(file.equals(await bodyBytes(got)));
  });

test('what the policy does not speak of, or speaks against, is refused', async (t) => {
  const { post, get } = await start(t);
  const file = Buffer.from('text');
  const code = async (fields: Fields) => errorCode(await post(fields, file));
  const open = signed(policyOf(anyKey));
  equal(
    (await post({ key: 'k', 'Content-Type': 'a/b', ...signedLong(policyOf(anyKey)) }, file)).status,
    204,
  );
  equal(await code({ key: 'k', 'x-amz-meta-a': 'b', ...open }), 'AccessDenied');
  const other = [...proofs, { bucket: 'bucket' }, ['eq', '$key', 'other']];
  equal(await code({ key: 'k', ...signed(policyOf(other)) }), 'AccessDenied');
  // Nor is the bucket to be left open, or how the form is signed.
  const spoken = (name: string) => anyKey.filter((each) => !JSON.stringify(each).includes(name));
  for (const name of ['bucket', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date'])
    equal(await code({ key: 'k', ...signed(policyOf(spoken(name))) }), 'AccessDenied', name);
  equal(await code({ key: 'k', submit: 'Go', ...open }), 'AccessDenied', 'a field like others');
  equal(await code({ key: 'k', ...signed(policyOf(anyKey, -60)) }), 'AccessDenied');
  equal(
    await code({ key: 'k', ...signed(policyOf([...anyKey, { bucket: 'other' }])) }),
    'AccessDenied',
  );
  equal(
    await code({ key: 'k', ...open, 'x-amz-signature': '0'.repeat(64) }),
    'SignatureDoesNotMatch',
  );
  equal(await code({ key: 'k' }), 'AccessDenied', 'nobody in particular may not write');
  // A form copies nothing: what names a source would be left out.
  const source = [...anyKey, ['starts-with', '$x-amz-copy-source', '']];
  const copy = { key: 'copy', 'x-amz-copy-source': '/bucket/k' };
  equal(await code({ ...copy, ...signed(policyOf(source)) }), 'NotImplemented');
  equal(await code({ key: 'k', ...signed('not base64 of JSON') }), 'InvalidPolicyDocument');
  const range = (min: number, max: number) =>
    signed(policyOf([...anyKey, ['content-length-range', min, max]]));
  equal(await code({ key: 'k', ...range(0, 3) }), 'EntityTooLarge');
  equal(await code({ key: 'k', ...range(5, 9) }), 'EntityTooSmall');
  equal(await bodyText(await get('/bucket/k')), 'text');
});

test('what the file’s part says of its type is no field, and the field counts', async (t) => {
  const { post, get } = await start(t);
  const conditions = anyKey.filter((each) => !JSON.stringify(each).includes('Content-Type'));
  const options = { fileType: 'Content-Type: text/x-file\r\n' };
  const typeOf = async (key: string) => headerOf(await get(`/bucket/${key}`), 'content-type');
  const plain = { key: 'plain', ...signed(policyOf(conditions)) };
  equal((await post(plain, Buffer.from('text'), options)).status, 204);
  equal(await typeOf('plain'), 'binary/octet-stream');
  const typed = { key: 'typed', 'Content-Type': 'image/png', ...signed(policyOf(anyKey)) };
  equal((await post(typed, Buffer.from('text'), options)).status, 204);
  equal(await typeOf('typed'), 'image/png');
});

test('fields after a small file are passed over, after a large one they spoil it', async (t) => {
  const { post, get } = await start(t);
  const after = '--edge\r\nContent-Disposition: form-data; name="submit"\r\n\r\nGo\r\n';
  const fields = { key: 'k', ...signed(policyOf(anyKey)) };
  equal((await post(fields, Buffer.from('text'), { after })).status, 204);
  equal(await bodyText(await get('/bucket/k')), 'text');
  equal((await post(fields, randomBytes(2_000_000), { after, chunkBytes: 50_000 })).status, 400);
  equal(await bodyText(await get('/bucket/k')), 'text');
});

test('a field beyond ASCII is kept as its bytes, and one that would end a header is refused', async (t) => {
  const { post, get } = await start(t);
  const open = { key: 'k', ...signed(policyOf([...anyKey, ['starts-with', '$x-amz-meta-a', '']])) };
  const fields = { 'Content-Type': 'text/ünïcödé', 'x-amz-meta-a': '日本' };
  equal((await post({ ...fields, ...open }, Buffer.from('text'))).status, 204);
  const got = await get('/bucket/k');
  // As header values go over the wire: one character a byte.
  const asBytes = (text: string): string => Buffer.from(text).toString('latin1');
  equal(headerOf(got, 'content-type'), asBytes('text/ünïcödé'));
  equal(headerOf(got, 'x-amz-meta-a'), asBytes('日本'));
  const refused = await post({ 'Content-Type': 'a\r\nb: c', ...open }, Buffer.from('other'));
  equal(await errorCode(refused), 'InvalidArgument');
  equal(await bodyText(await get('/bucket/k')), 'text');
});
