// Documents that clients put: what is unknown, misspelt or there twice is refused, never left out.

import { equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bodyText, errorCode, headerOf, sign, startTestGateway } from './testing/gateway-suite.ts';

async function start(t: TestContext) {
  const { handle, gateway } = await startTestGateway();
  t.after(() => gateway.close());
  const send = async (method: string, path: string, query = {}, body?: string, headers = {}) =>
    handle(sign({ method, path, query, headers, ...(body === undefined ? {} : { body }) }));
  const lock = { 'x-amz-bucket-object-lock-enabled': 'true' };
  equal((await send('PUT', '/bucket', {}, undefined, lock)).status, 200);
  return { send };
}

const expires = '<Expiration><Days>1</Days></Expiration>';
const rule = (inner: string) =>
  `<LifecycleConfiguration><Rule><Status>Enabled</Status>${inner}</Rule></LifecycleConfiguration>`;
const byDefault = (more: string) =>
  `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>${more}</Rule></ServerSideEncryptionConfiguration>`;

test('what is misspelt or repeated in a bucket’s documents is malformed', async (t) => {
  const { send } = await start(t);
  const bad = {
    lifecycle: [
      rule(`<Fliter><Prefix>a/</Prefix></Fliter>${expires}`),
      rule(expires),
      rule(`<Filter><Prefx>a/</Prefx></Filter>${expires}`),
      rule(`<Filter><And><Prefix>a/</Prefix><Tags/></And></Filter>${expires}`),
      rule(`<Filter><Tag><Key>a</Key></Tag></Filter>${expires}`),
      rule(`<Filter/><Filter><Prefix>a/</Prefix></Filter>${expires}`),
      rule(`<Filter/>${expires}${expires}`),
      rule('<Filter/><Expiration><Days>1</Days><Hours>1</Hours></Expiration>'),
      rule(
        `<Filter><Prefix>a/</Prefix><And><Prefix>b/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>${expires}`,
      ),
      `${rule(`<Filter/>${expires}`).replace('<Rule>', '<Rules/><Rule>')}`,
    ],
    encryption: [
      byDefault('<BucketKey>true</BucketKey>'),
      byDefault('<BucketKeyEnabled>yes</BucketKeyEnabled>'),
    ],
    publicAccessBlock: [
      '<PublicAccessBlockConfiguration><BlockPublicAcl>true</BlockPublicAcl></PublicAccessBlockConfiguration>',
    ],
    versioning: [
      '<VersioningConfiguration><Status>Enabled</Status><MFADelete>Enabled</MFADelete></VersioningConfiguration>',
    ],
    ownershipControls: [
      '<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership><Other/></Rule></OwnershipControls>',
    ],
    'object-lock': [
      '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rules/></ObjectLockConfiguration>',
    ],
    tagging: [
      '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value><Note/></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tags/></TagSet></Tagging>',
    ],
    acl: [
      '<AccessControlPolicy><Owner><ID>alice</ID></Owner><AccessControlList><Grants/></AccessControlList></AccessControlPolicy>',
    ],
  };
  for (const [name, documents] of Object.entries(bad))
    for (const document of documents)
      equal(
        await errorCode(await send('PUT', '/bucket', { [name]: '' }, document)),
        'MalformedXML',
        document,
      );
});

test('a retention is not lifted, and a hold not changed, by what is misspelt', async (t) => {
  const { send } = await start(t);
  await send('PUT', '/bucket/key', {}, 'x');
  const put = async (query: string, body: string) =>
    errorCode(await send('PUT', '/bucket/key', { [query]: '' }, body));
  equal(await put('retention', '<Retention><Mood>GOVERNANCE</Mood></Retention>'), 'MalformedXML');
  const hold = '<LegalHold><Status>OFF</Status><For>ever</For></LegalHold>';
  equal(await put('legal-hold', hold), 'MalformedXML');
});

test('what blocks kinds of encryption is refused by name, and what blocks none is taken', async (t) => {
  const { send } = await start(t);
  const blocked = (kind: string) =>
    byDefault(
      `<BlockedEncryptionTypes><EncryptionType>${kind}</EncryptionType></BlockedEncryptionTypes>`,
    );
  const put = (body: string) => send('PUT', '/bucket', { encryption: '' }, body);
  equal(await errorCode(await put(blocked('SSE-C'))), 'NotImplemented');
  equal((await put(blocked('NONE'))).status, 200);
});

test('all conditions of a filter hold, also those beside its And', async (t) => {
  const { send } = await start(t);
  const tag = (name: string) => `<Tag><Key>${name}</Key><Value>1</Value></Tag>`;
  const filter = `<Filter><Prefix>a/</Prefix>${tag('x')}<And><Prefix>a</Prefix>${tag('y')}</And></Filter>`;
  equal((await send('PUT', '/bucket', { lifecycle: '' }, rule(filter + expires))).status, 200);
  const kept = await bodyText(await send('GET', '/bucket', { lifecycle: '' }));
  ok(kept.includes(`<Filter><And><Prefix>a/</Prefix>${tag('x')}${tag('y')}</And></Filter>`), kept);
});

test('a bucket is made with the tags that its configuration names', async (t) => {
  const { send } = await start(t);
  const create = (inner: string) =>
    send('PUT', '/tagged', {}, `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`);
  equal(await errorCode(await create('<Location><Type>x</Type></Location>')), 'NotImplemented');
  equal(await errorCode(await create('<LocationConstrain>x</LocationConstrain>')), 'MalformedXML');
  const made = await create('<Tags><Tag><Key>team</Key><Value>a</Value></Tag></Tags>');
  equal(made.status, 200);
  equal(headerOf(made, 'location'), '/tagged');
  const tags = await bodyText(await send('GET', '/tagged', { tagging: '' }));
  ok(tags.includes('<Tag><Key>team</Key><Value>a</Value></Tag>'));
});
