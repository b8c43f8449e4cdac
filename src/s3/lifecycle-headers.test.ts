// What clients are told of a bucket's lifecycle rules in headers: with the rules, with uploads, and with what they put.

import { equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bodyText, errorCode, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

const minimum = 'x-amz-transition-default-minimum-object-size';
/** Of the rules' time; headers speak of calendar days all the same. */
const dayMs = 60_000;

const rulesOf = (...rules: readonly string[]) =>
  `<LifecycleConfiguration>${rules.map((rule) => `<Rule><Status>Enabled</Status>${rule}</Rule>`).join('')}</LifecycleConfiguration>`;

async function start(t: TestContext) {
  const gateway = await startTestGateway({
    time: 'manual',
    lifecycleIntervalMs: dayMs,
    lifecycleDayMs: dayMs,
    storageClasses: ['STANDARD', 'COLD'],
  });
  t.after(() => gateway.gateway.close());
  const send = async (method: string, path: string, call = {}) =>
    gateway.handle(sign({ method, path, wallMs: gateway.wallMs, ...call }));
  equal((await send('PUT', '/bucket')).status, 200);
  const setRules = async (body: string, headers = {}) =>
    send('PUT', '/bucket', { query: { lifecycle: '' }, headers, body });
  const days = async (count: number) => {
    for (let day = 0; day < count; day++) await gateway.clock.advance(dayMs);
  };
  return { send, setRules, days };
}

test('the least size that is moved is kept with the rules, given back, and acted on', async (t) => {
  const { send, setRules, days } = await start(t);
  const body = rulesOf(
    '<Filter/><Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>',
  );
  equal(await errorCode(await setRules(body, { [minimum]: '128K' })), 'InvalidArgument');
  equal((await send('GET', '/bucket', { query: { lifecycle: '' } })).status, 404);
  const classOf = async (key: string) =>
    headerOf(await send('HEAD', `/bucket/${key}`), 'x-amz-storage-class') ?? 'STANDARD';
  for (const [value, told, small] of [
    ['all_storage_classes_128K', 'all_storage_classes_128K', 'STANDARD'],
    ['varies_by_storage_class', 'varies_by_storage_class', 'COLD'],
    [undefined, 'varies_by_storage_class', 'COLD'],
  ] as const) {
    await send('PUT', '/bucket/small', { body: 'x' });
    await send('PUT', '/bucket/large', { body: 'x'.repeat(128 * 1024) });
    equal((await setRules(body, value === undefined ? {} : { [minimum]: value })).status, 200);
    const got = await send('GET', '/bucket', { query: { lifecycle: '' } });
    equal(headerOf(got, minimum), told);
    const text = await bodyText(got);
    ok(!text.includes('Minimum'), 'what is got can be put again');
    const again = await setRules(text, { [minimum]: told });
    equal(again.status, 200);
    equal(headerOf(again, minimum), told);
    await days(3);
    equal(await classOf('large'), 'COLD');
    equal(await classOf('small'), small);
  }
});

test('an upload says when it will be given up, and its object when it will expire', async (t) => {
  const { send, setRules } = await start(t);
  const uploads = { query: { uploads: '' } };
  const plain = await send('POST', '/bucket/tmp/k', uploads);
  equal(headerOf(plain, 'x-amz-abort-date'), undefined);
  await setRules(
    rulesOf(
      '<ID>abort</ID><Filter><Prefix>tmp/</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
      '<ID>expire</ID><Filter><Prefix>tmp/</Prefix></Filter><Expiration><Days>7</Days></Expiration>',
    ),
  );
  const created = await send('POST', '/bucket/tmp/k', uploads);
  const abortDate = headerOf(created, 'x-amz-abort-date') ?? '';
  ok(abortDate.endsWith(' 00:00:00 GMT'), abortDate);
  equal(headerOf(created, 'x-amz-abort-rule-id'), 'abort');
  equal(
    headerOf(await send('POST', '/bucket/other', uploads), 'x-amz-abort-date'),
    undefined,
    'of the rules that concern it',
  );
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(await bodyText(created))?.[1] ?? '';
  const query = { uploadId };
  const listed = await send('GET', '/bucket/tmp/k', { query });
  equal(headerOf(listed, 'x-amz-abort-date'), abortDate);
  equal(headerOf(listed, 'x-amz-abort-rule-id'), 'abort');
  const part = await send('PUT', '/bucket/tmp/k', {
    query: { uploadId, partNumber: '1' },
    body: 'text',
  });
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headerOf(part, 'etag')}</ETag></Part></CompleteMultipartUpload>`;
  const completed = await send('POST', '/bucket/tmp/k', { query, body });
  equal(completed.status, 200);
  const expiration = headerOf(completed, 'x-amz-expiration') ?? '';
  ok(/^expiry-date=".* 00:00:00 GMT", rule-id="expire"$/.test(expiration), expiration);
  const again = await send('POST', '/bucket/tmp/k', { query, body });
  equal(headerOf(again, 'x-amz-expiration'), expiration, 'a completion is answered as before');
  equal(headerOf(await send('HEAD', '/bucket/tmp/k'), 'x-amz-expiration'), expiration);
  const copy = async (target: string) =>
    send('PUT', target, { headers: { 'x-amz-copy-source': '/bucket/tmp/k' } });
  equal(headerOf(await copy('/bucket/tmp/copy'), 'x-amz-expiration'), expiration);
  equal(headerOf(await copy('/bucket/kept'), 'x-amz-expiration'), undefined);
});
