// Buckets as websites: index, error document, redirects, and nothing that is not public.

import { equal, match } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ClientError } from '../client/errors.ts';
import {
  bodyOf,
  bodyText,
  errorCode,
  headerOf,
  sign,
  startTestGateway,
  type Unsigned,
} from './testing/gateway-suite.ts';

const publicRead = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::site/*' },
    { Effect: 'Allow', Principal: '*', Action: 's3:ListBucket', Resource: 'arn:aws:s3:::site' },
    { Effect: 'Deny', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::site/own' },
  ],
});

const rule = (condition: string, redirect: string) =>
  `<RoutingRule><Condition>${condition}</Condition><Redirect>${redirect}</Redirect></RoutingRule>`;
const site = (more = '') =>
  `<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>${more}</WebsiteConfiguration>`;
const withError = site('<ErrorDocument><Key>error.html</Key></ErrorDocument>');

async function start(t: TestContext, configuration: string) {
  const gateway = await startTestGateway({
    hostNames: ['localhost'],
    websiteNames: ['Web.localhost'],
  });
  t.after(() => gateway.gateway.close());
  const send = async (unsigned: Unsigned, status: number) =>
    equal((await gateway.handle(sign(unsigned))).status, status);
  await send({ method: 'PUT', path: '/site' }, 200);
  for (const key of ['index.html', 'sub/index.html', 'page', 'error.html', 'own'])
    await send({ method: 'PUT', path: `/site/${key}`, body: `this is ${key}` }, 200);
  await send({ method: 'PUT', path: '/site', query: { policy: '' }, body: publicRead }, 204);
  const put = (body: string) =>
    gateway.handle(sign({ method: 'PUT', path: '/site', query: { website: '' }, body }));
  equal((await put(configuration)).status, 200);
  const browse = (target: string, method = 'GET', host = 'site.web.localhost:7480') =>
    gateway.handle({
      method,
      target,
      headers: [['Host', host]],
      body: bodyOf(),
      remote: '127.0.0.1:1',
    });
  return { gateway, browse, put, send };
}

test('a directory is its index, and one without its slash is sent to it', async (t) => {
  const { browse } = await start(t, site());
  equal(await bodyText(await browse('/')), 'this is index.html');
  equal(await bodyText(await browse('/sub/')), 'this is sub/index.html');
  equal(await bodyText(await browse('/page?a=1&a=2&acl')), 'this is page');
  const sent = await browse('/sub');
  equal(sent.status, 302);
  equal(headerOf(sent, 'location'), '/sub/');
  const head = await browse('/page', 'HEAD');
  equal(head.status, 200);
  equal(head.body, undefined);
  equal(await errorCode(await browse('/page', 'PUT')), 'MethodNotAllowed');
});

test('instead of an error its document is shown, under the error’s status', async (t) => {
  const { browse, send } = await start(t, withError);
  const absent = await browse('/absent');
  equal(absent.status, 404);
  equal(await bodyText(absent), 'this is error.html');
  const denied = await browse('/own');
  equal(denied.status, 403);
  equal(await bodyText(denied), 'this is error.html');
  await send({ method: 'DELETE', path: '/site/error.html' }, 204);
  const plain = await browse('/absent');
  equal(plain.status, 404);
  match(await bodyText(plain), /<h1>404 NoSuchKey<\/h1>/);
});

test('an error document that can’t be read just now is not taken for absent', async (t) => {
  const { gateway, browse } = await start(t, withError);
  let calls = 0;
  gateway.cluster.fault = (operation, name) => {
    // The page, its directory's index, then the document.
    if (operation === 'call' && name === 's3.get-version' && ++calls > 2)
      throw new ClientError('unavailable', 'nobody is there');
  };
  equal((await browse('/absent')).status, 503);
  equal(calls, 3);
  gateway.cluster.fault = () => {};
  equal(await bodyText(await browse('/absent')), 'this is error.html');
});

test('rules send on by prefix and by error, and a site as a whole', async (t) => {
  const rules = [
    rule(
      '<KeyPrefixEquals>old/</KeyPrefixEquals>',
      '<ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith>',
    ),
    rule(
      '<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>',
      '<HostName>other.example</HostName><Protocol>https</Protocol><ReplaceKeyWith>gone</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode>',
    ),
  ].join('');
  const { browse, put } = await start(t, site(`<RoutingRules>${rules}</RoutingRules>`));
  const moved = await browse('/old/a%20b');
  equal(moved.status, 301);
  equal(headerOf(moved, 'location'), 'http://site.web.localhost:7480/new/a%20b');
  const gone = await browse('/absent');
  equal(gone.status, 302);
  equal(headerOf(gone, 'location'), 'https://other.example/gone');
  equal((await browse('/page')).status, 200);
  await put(
    '<WebsiteConfiguration><RedirectAllRequestsTo><HostName>other.example</HostName></RedirectAllRequestsTo></WebsiteConfiguration>',
  );
  equal(headerOf(await browse('/page'), 'location'), 'http://other.example/page');
});

test('an object that says where to go is told of by S3 and followed on the website', async (t) => {
  const { gateway, browse, send } = await start(t, withError);
  const header = 'x-amz-website-redirect-location';
  const to = (location: string) => ({ [header]: location });
  const put = (key: string, location: string) =>
    gateway.handle(sign({ method: 'PUT', path: `/site/${key}`, headers: to(location), body: 'x' }));
  const told = async (path: string, query?: Unsigned['query']) => {
    const head = await gateway.handle(sign({ method: 'HEAD', path, ...(query && { query }) }));
    equal(head.status, 200);
    return headerOf(head, header);
  };
  const isSent = async (target: string, location: string, method = 'GET') => {
    const answer = await browse(target, method);
    equal(answer.status, 301, target);
    equal(headerOf(answer, 'location'), location);
    equal(answer.body, undefined);
  };
  equal((await put('old', '/page')).status, 200);
  equal((await put('sub/index.html', 'https://other.example/?a=1')).status, 200);
  equal(await told('/site/old'), '/page');
  equal(await told('/site/old', { 'response-content-type': 'text/html' }), '/page');
  equal(await bodyText(await gateway.handle(sign({ method: 'GET', path: '/site/old' }))), 'x');
  await isSent('/old', '/page');
  await isSent('/old', '/page', 'HEAD');
  await isSent('/sub/', 'https://other.example/?a=1');
  // What is shown in place of an error may send on, too.
  equal((await put('error.html', '/index.html')).status, 200);
  await isSent('/absent', '/index.html');

  // A copy says it anew, and may be to itself for no other reason.
  const copy = (key: string, headers: Record<string, string>) =>
    gateway.handle(
      sign({
        method: 'PUT',
        path: `/site/${key}`,
        headers: { 'x-amz-copy-source': '/site/old', ...headers },
      }),
    );
  equal((await copy('copy', {})).status, 200);
  equal(await told('/site/copy'), undefined);
  equal(await errorCode(await copy('old', {})), 'InvalidRequest');
  equal((await copy('old', to('/index.html'))).status, 200);
  await isSent('/old', '/index.html');
  equal((await copy('old', { 'x-amz-storage-class': 'STANDARD' })).status, 200);
  equal(await bodyText(await browse('/old')), 'x');

  // An object in parts has it from its beginning.
  const begun = await gateway.handle(
    sign({ method: 'POST', path: '/site/parts', query: { uploads: '' }, headers: to('/page') }),
  );
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(await bodyText(begun))?.[1] ?? '';
  const part = sign({
    method: 'PUT',
    path: '/site/parts',
    query: { partNumber: '1', uploadId },
    body: 'part',
  });
  const etag = headerOf(await gateway.handle(part), 'etag') ?? '';
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
  await send({ method: 'POST', path: '/site/parts', query: { uploadId }, body }, 200);
  await isSent('/parts', '/page');

  equal(await errorCode(await put('bad', 'page')), 'InvalidRedirectLocation');
  equal(await errorCode(await put('bad', 'ftp://other.example/')), 'InvalidRedirectLocation');
  equal(await errorCode(await put('bad', `/${'x'.repeat(2048)}`)), 'InvalidRedirectLocation');
  equal((await put('long', `/${'x'.repeat(2047)}`)).status, 200);
});

test('under its other names a bucket is no website, and without a configuration there is none', async (t) => {
  const { gateway, browse, send } = await start(t, site());
  equal(await bodyText(await browse('/page', 'GET', 'site.localhost')), 'this is page');
  match(await bodyText(await browse('/', 'GET', 'site.localhost')), /<ListBucketResult/);
  const got = await gateway.handle(sign({ method: 'GET', path: '/site', query: { website: '' } }));
  equal(await bodyText(got), site());
  await send({ method: 'DELETE', path: '/site', query: { website: '' } }, 204);
  equal(await errorCode(await browse('/')), 'NoSuchWebsiteConfiguration');
  equal(await errorCode(await browse('/', 'GET', 'other.web.localhost')), 'NoSuchBucket');
});

test('a configuration that is not understood is refused', async (t) => {
  const { put } = await start(t, site());
  for (const [document, code] of [
    ['<WebsiteConfiguration/>', 'InvalidArgument'],
    [site().replace('index.html', 'a/b'), 'InvalidArgument'],
    [site('<Other/>'), 'MalformedXML'],
    [site(`<RoutingRules>${rule('', '')}</RoutingRules>`), 'MalformedXML'],
    [
      site(`<RoutingRules>${rule('', '<HostName>a b</HostName>')}</RoutingRules>`),
      'InvalidArgument',
    ],
    [
      site(`<RoutingRules>${rule('', '<HttpRedirectCode>200</HttpRedirectCode>')}</RoutingRules>`),
      'InvalidArgument',
    ],
  ] as const)
    equal(await errorCode(await put(document)), code, document);
});
