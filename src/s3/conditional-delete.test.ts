// Conditions on deletes: what they hold of, and what is left when there is nothing.

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

test('a delete with a condition removes what it is about, and nothing else', async (t) => {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = async (method: string, path: string, headers = {}, body?: string) =>
    gateway.handle(sign({ method, path, headers, ...(body === undefined ? {} : { body }) }));
  await send('PUT', '/bucket');
  const remove = async (headers: Record<string, string>) =>
    (await send('DELETE', '/bucket/k', headers)).status;
  equal(await remove({ 'if-match': '*' }), 204, 'there is nothing to delete');
  const etag = headerOf(await send('PUT', '/bucket/k', {}, 'text'), 'etag') ?? '';
  equal(await remove({ 'if-match': '"other"' }), 412);
  equal(await remove({ 'x-amz-if-match-size': '5' }), 412);
  equal((await send('GET', '/bucket/k')).status, 200);
  equal(await remove({ 'if-match': etag, 'x-amz-if-match-size': '4' }), 204);
  equal((await send('GET', '/bucket/k')).status, 404);
  const enable = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  await gateway.handle(
    sign({ method: 'PUT', path: '/bucket', query: { versioning: '' }, body: enable }),
  );
  await send('PUT', '/bucket/k', {}, 'text');
  equal(await remove({ 'if-match': etag }), 204);
  equal(await remove({ 'if-match': etag }), 412, 'a delete marker has no ETag');
});
