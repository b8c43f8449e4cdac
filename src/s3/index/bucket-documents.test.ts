// What a bucket is configured to: kept, bounded, and known to every gateway in time.

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { bodyText, ManualClock, settle, sign, startTestGateway } from '../testing/gateway-suite.ts';
import { configurationBytesMax, documentBytesMax } from './bucket-documents.ts';
import { bucketsObject, IndexClient, rememberedMsMax } from './index-client.ts';
import * as messages from './messages.ts';

async function bench() {
  const gateway = await startTestGateway({ time: 'manual' });
  const clock = new ManualClock();
  const failures: unknown[] = [];
  const tasks = {
    spawn: (_name: string, work: () => Promise<void>) => {
      work().catch((error: unknown) => failures.push(error));
    },
  };
  const send = async (method: string, path: string) =>
    (await gateway.handle(sign({ method, path }))).status;
  equal(await send('PUT', '/photos'), 200);
  const client = () => new IndexClient({ clock, tasks }, gateway.cluster);
  return { gateway, clock, failures, send, client };
}

const access = (index: IndexClient) =>
  index.access('photos', { action: '', judge: async () => 'granted' });
const policyIn = async (index: IndexClient) => {
  const body = (await access(index)).configuration.get('policy');
  return body === undefined ? undefined : decodeUtf8(body);
};

test('the gateway that changes a document sees it at once, others within two seconds', async () => {
  const { clock, failures, client } = await bench();
  const [here, there] = [client(), client()];
  equal(await policyIn(there), undefined);
  await here.putDocument(await access(here), 'policy', encodeUtf8('one'));
  equal(await policyIn(here), 'one');
  equal(await policyIn(there), undefined);
  // Unused until then, it looks before it answers.
  await clock.advance(rememberedMsMax + 1);
  equal(await policyIn(there), 'one');
  await here.putDocument(await access(here), 'policy', undefined);
  equal(await policyIn(here), undefined);
  // In use, it looks beside a request, which still gets what was remembered.
  await clock.advance(rememberedMsMax - 1);
  equal(await policyIn(there), 'one');
  await settle();
  equal(await policyIn(there), undefined);
  deepEqual(failures, []);
});

test('a look that began before a change made here is not remembered', async () => {
  const { gateway, client } = await bench();
  const index = client();
  const bucket = await access(index);
  let release = () => {};
  gateway.cluster.lostAnswer = (_kind, name) =>
    name === 's3.find-bucket' ? new Promise((resolve) => (release = resolve)) : undefined;
  const look = index.lookUp('photos');
  await settle();
  gateway.cluster.lostAnswer = () => undefined;
  const change = index.putDocument(bucket, 'policy', encodeUtf8('new'));
  // The memory cluster runs one call at a time, so the answers come in this order; the next access looks again.
  release();
  await look;
  await change;
  equal(await policyIn(index), 'new');
});

test('documents are kept apart, replaced whole, and go with their bucket', async () => {
  const { gateway, send, client } = await bench();
  const index = client();
  await index.putDocument(await access(index), 'cors', encodeUtf8('c'));
  await index.putDocument(await access(index), 'policy', encodeUtf8('p'));
  await index.putDocument(await access(index), 'cors', encodeUtf8('c2'));
  const { configuration, record } = await access(index);
  deepEqual(
    (['cors', 'policy', 'acl'] as const).map((name) => {
      const body = configuration.get(name);
      return body === undefined ? undefined : decodeUtf8(body);
    }),
    ['c2', 'p', undefined],
  );
  const old = await access(index);
  equal(await send('DELETE', '/photos'), 204);
  const rows = gateway.cluster.rows(bucketsObject).map(([key]) => decodeUtf8(key));
  deepEqual(rows, [`\0${record.bucketId}`]);
  await rejects(index.putDocument(old, 'cors', encodeUtf8('late')), { code: 'NoSuchBucket' });
  // A bucket made later under the name is another one: nothing of the old reaches it.
  equal(await send('PUT', '/photos'), 200);
  await rejects(index.putDocument(old, 'cors', encodeUtf8('late')), { code: 'NoSuchBucket' });
  equal((await access(client())).configuration.isEmpty, true);
});

test('a change that was decided on documents changed since is refused', async () => {
  const { client } = await bench();
  const [one, two] = [client(), client()];
  const seen = await access(one);
  await two.putDocument(await access(two), 'object-lock', encodeUtf8('on'));
  const late = one.putDocument(seen, 'versioning', encodeUtf8('off'), ['object-lock']);
  await rejects(late, { code: 'OperationAborted' });
  equal((await access(one)).configuration.get('versioning'), undefined);
  await one.putDocument(await access(one), 'versioning', encodeUtf8('off'), ['object-lock']);
  const kept = (await access(two)).configuration.get('object-lock');
  equal(kept === undefined ? undefined : decodeUtf8(kept), 'on');
});

test('a configuration has its limits', async () => {
  const { client } = await bench();
  const index = client();
  const put = async (name: 'acl' | 'cors' | 'policy', bytes: number) =>
    index.putDocument(await access(index), name, new Uint8Array(bytes));
  await rejects(put('acl', documentBytesMax + 1), { code: 'InvalidRequest' });
  await put('acl', documentBytesMax);
  await put('cors', documentBytesMax);
  await rejects(put('policy', documentBytesMax), { code: 'InvalidRequest' });
  await put('policy', configurationBytesMax - 2 * documentBytesMax - 100);
});

test('a parsed document is parsed once a look', async () => {
  const { client } = await bench();
  const index = client();
  await index.putDocument(await access(index), 'policy', encodeUtf8('p'));
  let count = 0;
  const parse = (body: Uint8Array) => {
    count++;
    return decodeUtf8(body);
  };
  for (let i = 0; i < 3; i++)
    equal((await access(index)).configuration.parsed('policy', parse), 'p');
  equal(count, 1);
  equal((await access(index)).configuration.parsed('cors', parse), undefined);
});

test('what a bucket is made with is there from its first moment', async () => {
  const { gateway, client } = await bench();
  const index = client();
  const { record } = await index.callObject(bucketsObject, messages.getBucket, { name: 'photos' });
  const documents = [{ name: 'versioning', body: encodeUtf8('on') }];
  const cancelled: never[] = [];
  const name = 'made-with';
  const registration = { name, record: record ?? new Uint8Array(0), cancelled, documents };
  const made = await index.callObject(bucketsObject, messages.createBucket, registration);
  equal(made.kind, 'created');
  const found = (await index.lookUp(name)).configuration.get('versioning');
  equal(found === undefined ? undefined : decodeUtf8(found), 'on');
  const listing = await bodyText(await gateway.handle(sign({ method: 'GET', path: '/' })));
  equal(listing.includes('made-with'), true);
});
