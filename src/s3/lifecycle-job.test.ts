// The job that carries out lifecycle rules, through the gateway, on time that the test moves.

import { deepEqual, equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bodyText, errorCode, sign, startTestGateway } from './testing/gateway-suite.ts';

const hourMs = 3_600_000;

async function start(t: TestContext) {
  const gateway = await startTestGateway({ time: 'manual', lifecycleIntervalMs: hourMs });
  t.after(() => gateway.gateway.close());
  const send = (method: string, path: string, query: Record<string, string> = {}, body?: string) =>
    gateway.handle(
      sign({
        method,
        path,
        query,
        wallMs: gateway.wallMs,
        ...(body === undefined ? {} : { body }),
      }),
    );
  const setRule = async (rule: string) => {
    const body = `<LifecycleConfiguration><Rule><Status>Enabled</Status>${rule}</Rule></LifecycleConfiguration>`;
    equal((await send('PUT', '/bucket', { lifecycle: '' }, body)).status, 200);
  };
  const keys = async (query: Record<string, string> = {}) =>
    [...(await bodyText(await send('GET', '/bucket', query))).matchAll(/<Key>(.*?)<\/Key>/g)].map(
      (match) => match[1],
    );
  const days = async (count: number) => {
    for (let hour = 0; hour < count * 24; hour++) await gateway.clock.advance(hourMs);
  };
  equal((await send('PUT', '/bucket')).status, 200);
  return { gateway, send, setRule, keys, days };
}

test('what is old enough goes, what was put again stays', async (t) => {
  const { send, setRule, keys, days, gateway } = await start(t);
  equal(
    await errorCode(await send('GET', '/bucket', { lifecycle: '' })),
    'NoSuchLifecycleConfiguration',
  );
  await setRule('<Filter><Prefix>old/</Prefix></Filter><Expiration><Days>2</Days></Expiration>');
  for (const key of ['old/1', 'old/2', 'kept']) await send('PUT', `/bucket/${key}`, {}, 'x');
  await days(1);
  await send('PUT', '/bucket/old/2', {}, 'again');
  await days(2);
  deepEqual(await keys(), ['kept', 'old/2']);
  await days(2);
  deepEqual(await keys(), ['kept']);
  deepEqual(gateway.failures, []);
});

test('with versions, a marker hides, noncurrent versions go, and then the marker', async (t) => {
  const { send, setRule, keys, days, gateway } = await start(t);
  const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await send('PUT', '/bucket', { versioning: '' }, enabled);
  await setRule(
    '<Filter/><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>',
  );
  await send('PUT', '/bucket/k', {}, 'x');
  await days(2);
  deepEqual(await keys(), []);
  equal((await keys({ versions: '' })).length, 2);
  await days(6);
  deepEqual(await keys({ versions: '' }), []);
  deepEqual(gateway.failures, []);
});
