// Versions: random histories against a model that keeps a plain list per key, through the gateway.

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  bodyText,
  errorCode,
  headerOf,
  sign,
  startTestGateway,
  type TestGateway,
} from './testing/gateway-suite.ts';

type Query = Readonly<Record<string, string>>;

async function start(t: TestContext) {
  const gateway = await startTestGateway();
  t.after(() => gateway.gateway.close());
  const send = (
    method: string,
    path: string,
    query: Query = {},
    body?: string,
    headers: Query = {},
  ) =>
    gateway.handle(sign({ method, path, query, headers, ...(body === undefined ? {} : { body }) }));
  const setVersioning = async (status: 'Enabled' | 'Suspended') => {
    const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
    equal((await send('PUT', '/bucket', { versioning: '' }, body)).status, 200);
  };
  equal((await send('PUT', '/bucket')).status, 200);
  return { gateway, send, setVersioning };
}

interface Listed {
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isMarker: boolean;
  readonly etag: string;
}

function parseVersions(xml: string): Listed[] {
  const found: Listed[] = [];
  for (const [, tag, inner] of xml.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/g)) {
    const text = (name: string) =>
      new RegExp(`<${name}>(.*?)</${name}>`).exec(inner ?? '')?.[1] ?? '';
    found.push({
      key: text('Key'),
      versionId: text('VersionId'),
      isLatest: text('IsLatest') === 'true',
      isMarker: tag === 'DeleteMarker',
      etag: text('ETag').replaceAll('&quot;', ''),
    });
  }
  return found;
}

test('a deleted object comes back when its delete marker is removed', async (t) => {
  const { send, setVersioning } = await start(t);
  await setVersioning('Enabled');
  const first = headerOf(await send('PUT', '/bucket/k', {}, 'one'), 'x-amz-version-id');
  const second = headerOf(await send('PUT', '/bucket/k', {}, 'two'), 'x-amz-version-id');
  notEqual(first, second);
  equal(await bodyText(await send('GET', '/bucket/k', { versionId: first ?? '' })), 'one');
  const deleted = await send('DELETE', '/bucket/k');
  equal(headerOf(deleted, 'x-amz-delete-marker'), 'true');
  const marker = headerOf(deleted, 'x-amz-version-id') ?? '';
  const gone = await send('GET', '/bucket/k');
  equal(gone.status, 404);
  equal(headerOf(gone, 'x-amz-delete-marker'), 'true');
  equal(await errorCode(await send('GET', '/bucket/k', { versionId: marker })), 'MethodNotAllowed');
  equal(await bodyText(await send('GET', '/bucket/k', { versionId: second ?? '' })), 'two');
  equal(await errorCode(await send('DELETE', '/bucket')), 'BucketNotEmpty');
  await send('DELETE', '/bucket/k', { versionId: marker });
  equal(await bodyText(await send('GET', '/bucket/k')), 'two');
  await send('DELETE', '/bucket/k', { versionId: second ?? '' });
  equal(await bodyText(await send('GET', '/bucket/k')), 'one');
  await send('DELETE', '/bucket/k', { versionId: first ?? '' });
  equal(await errorCode(await send('GET', '/bucket/k')), 'NoSuchKey');
  equal((await send('DELETE', '/bucket')).status, 204);
});

test('a suspended bucket replaces only the version called null', async (t) => {
  const { send, setVersioning } = await start(t);
  await send('PUT', '/bucket/k', {}, 'before');
  await setVersioning('Enabled');
  const kept = headerOf(await send('PUT', '/bucket/k', {}, 'kept'), 'x-amz-version-id') ?? '';
  await setVersioning('Suspended');
  equal(headerOf(await send('PUT', '/bucket/k', {}, 'now'), 'x-amz-version-id'), undefined);
  equal(await bodyText(await send('GET', '/bucket/k', { versionId: 'null' })), 'now');
  const listed = parseVersions(await bodyText(await send('GET', '/bucket', { versions: '' })));
  deepEqual(
    listed.map(({ versionId, isLatest }) => [versionId, isLatest]),
    [
      ['null', true],
      [kept, false],
    ],
  );
  equal(headerOf(await send('DELETE', '/bucket/k'), 'x-amz-version-id'), 'null');
  equal((await send('GET', '/bucket/k')).status, 404);
  await send('DELETE', '/bucket/k', { versionId: 'null' });
  equal(await bodyText(await send('GET', '/bucket/k')), 'kept');
});

test('what is set about one version leaves the others alone', async (t) => {
  const { send, setVersioning } = await start(t);
  await setVersioning('Enabled');
  const first = headerOf(await send('PUT', '/bucket/k', {}, 'one'), 'x-amz-version-id') ?? '';
  await send('PUT', '/bucket/k', {}, 'two');
  const tags = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
  const put = await send('PUT', '/bucket/k', { tagging: '', versionId: first }, tags);
  equal(headerOf(put, 'x-amz-version-id'), first);
  const of = async (query: Query) =>
    bodyText(await send('GET', '/bucket/k', { tagging: '', ...query }));
  ok((await of({ versionId: first })).includes('<Key>a</Key>'));
  ok(!(await of({})).includes('<Key>a</Key>'));
});

interface ModelVersion {
  readonly id: string;
  readonly etag: string;
  readonly isMarker: boolean;
}

/** The newest first. */
type Model = Map<string, ModelVersion[]>;

function expected(model: Model): Listed[] {
  return [...model]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, versions]) =>
      versions.map(({ id, etag, isMarker }, i) => ({
        key,
        versionId: id,
        isLatest: i === 0,
        isMarker,
        etag,
      })),
    );
}

/** All pages of `limit` items. */
async function listAll(gateway: TestGateway, limit: number): Promise<Listed[]> {
  const all: Listed[] = [];
  let marker: Query = {};
  for (let page = 0; page < 200; page++) {
    const query = { versions: '', 'max-keys': String(limit), ...marker };
    const xml = await bodyText(
      await gateway.handle(sign({ method: 'GET', path: '/bucket', query })),
    );
    all.push(...parseVersions(xml));
    const next = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(xml)?.[1] ?? '';
    if (next('IsTruncated') === 'false') return all;
    marker = {
      'key-marker': next('NextKeyMarker'),
      'version-id-marker': next('NextVersionIdMarker'),
    };
  }
  throw new Error('the listing does not end');
}

function random(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % bound;
  };
}

for (let seed = 1; seed <= 12; seed++) {
  test(`a random history of versions is what a plain list makes of it (seed ${seed})`, async (t) => {
    const { gateway, send, setVersioning } = await start(t);
    const below = random(seed);
    const model: Model = new Map();
    const keys = ['a', 'a0', 'b/1', 'b/2'];
    let mode = 'off';
    const add = (key: string, version: ModelVersion) => {
      const others = (model.get(key) ?? []).filter(({ id }) => id !== version.id);
      model.set(key, [version, ...others]);
    };
    for (let step = 0; step < 60; step++) {
      const key = keys[below(keys.length)] ?? 'a';
      const path = `/bucket/${key}`;
      const action = below(10);
      if (action === 0 && step > 10) {
        const next = below(2) === 0 ? 'Enabled' : 'Suspended';
        await setVersioning(next);
        mode = next;
      } else if (action < 5) {
        const answer = await send('PUT', path, {}, `${step}`);
        const id = headerOf(answer, 'x-amz-version-id') ?? 'null';
        equal(id === 'null', mode !== 'Enabled');
        const etag = (headerOf(answer, 'etag') ?? '').replaceAll('"', '');
        add(key, { id, etag, isMarker: false });
      } else if (action < 7) {
        const id = headerOf(await send('DELETE', path), 'x-amz-version-id');
        if (mode === 'off') model.delete(key);
        else add(key, { id: id ?? '', etag: '', isMarker: true });
      } else if (action < 9) {
        const versions = model.get(key) ?? [];
        const version = versions[below(versions.length || 1)];
        if (version === undefined) continue;
        await send('DELETE', path, { versionId: version.id });
        const left = versions.filter((each) => each !== version);
        if (left.length === 0) model.delete(key);
        else model.set(key, left);
      } else {
        const body = (model.get(key) ?? [])
          .slice(0, 2)
          .map(({ id }) => `<Object><Key>${key}</Key><VersionId>${id}</VersionId></Object>`)
          .join('');
        if (body === '') continue;
        await send('POST', '/bucket', { delete: '' }, `<Delete>${body}</Delete>`);
        const left = (model.get(key) ?? []).slice(2);
        if (left.length === 0) model.delete(key);
        else model.set(key, left);
      }
      const newest: ModelVersion | undefined = model.get(key)?.[0];
      const got = await send('GET', path);
      equal(got.status, newest === undefined || newest.isMarker ? 404 : 200);
      if (got.status === 200) equal(headerOf(got, 'etag'), `"${newest?.etag}"`);
      const xml = await bodyText(await send('GET', '/bucket'));
      deepEqual(
        [...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map((match) => match[1]),
        expected(model)
          .filter((each) => each.isLatest && !each.isMarker)
          .map((each) => each.key),
      );
    }
    for (const limit of [1, 2, 3, 1000])
      deepEqual(await listAll(gateway, limit), expected(model), `pages of ${limit}`);
    const xml = await bodyText(await send('GET', '/bucket', { versions: '', delimiter: '/' }));
    deepEqual(
      [
        ...new Set(
          expected(model)
            .map(({ key }) => key)
            .filter((key) => key.includes('/')),
        ),
      ].length > 0,
      xml.includes('<Prefix>b/</Prefix>'),
    );
    deepEqual(gateway.failures, []);
  });
}
