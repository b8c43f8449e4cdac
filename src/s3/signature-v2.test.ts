// Requests signed the old way, in headers and in the query, as AWS documents it.

import { equal } from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { parseRequest } from './protocol/request.ts';
import { parseClaimV2, signV2, stringToSignV2 } from './protocol/sigv2.ts';
import {
  alice,
  bodyOf,
  bodyText,
  errorCode,
  startTestGateway,
  type TestGateway,
  type TestOptions,
} from './testing/gateway-suite.ts';

const documented = {
  name: 'johnsmith',
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

/** The signature of a request to a bucket in the host name, as AWS's examples have them. */
function documentedSignature(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
): string {
  const request = parseRequest(
    {
      method,
      target,
      headers: Object.entries({ authorization: 'AWS a:b', ...headers }),
      body: bodyOf(),
      remote: '127.0.0.1:1',
    },
    ['s3.us-west-1.amazonaws.com', 's3.amazonaws.com'],
  );
  return signV2(documented, stringToSignV2(request, parseClaimV2(request), request.rawPath));
}

test('the examples that AWS publishes come out as published', () => {
  const names = { host: 'awsexamplebucket1.s3.us-west-1.amazonaws.com' };
  equal(
    documentedSignature('GET', '/photos/puppy.jpg', {
      ...names,
      date: 'Tue, 27 Mar 2007 19:36:42 +0000',
    }),
    'qgk2+6Sv9/oM7G3qLEjTH1a1l1g=',
  );
  equal(
    documentedSignature('PUT', '/photos/puppy.jpg', {
      ...names,
      'content-type': 'image/jpeg',
      'content-length': '94328',
      date: 'Tue, 27 Mar 2007 21:15:45 +0000',
    }),
    'iqRzw+ileNPu1fhspnRs8nOjjIA=',
  );
  equal(
    documentedSignature('GET', '/?prefix=photos&max-keys=50&marker=puppy', {
      ...names,
      date: 'Tue, 27 Mar 2007 19:42:41 +0000',
    }),
    'm0WP8eCtspQl5Ahe6L1SozdX9YA=',
  );
  equal(
    documentedSignature('GET', '/?acl', { ...names, date: 'Tue, 27 Mar 2007 19:44:46 +0000' }),
    '82ZHiFIjc+WbcwFKGUVEQspPn+0=',
  );
});

interface Parts {
  readonly method: string;
  readonly path: string;
  /** As it is sent; its subresources as they are signed. */
  readonly query?: string;
  readonly signedQuery?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly secretKey?: string;
}

function signatureOf(parts: Parts, date: string): string {
  const headers = parts.headers ?? {};
  const amz = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-amz-'))
    .map(([name, value]) => `${name}:${value}\n`)
    .sort()
    .join('');
  const text = `${parts.method}\n${headers['content-md5'] ?? ''}\n${headers['content-type'] ?? ''}\n${date}\n${amz}${parts.path}${parts.signedQuery ?? ''}`;
  return createHmac('sha1', parts.secretKey ?? alice.secretKey)
    .update(text)
    .digest('base64');
}

async function send(gateway: TestGateway, parts: Parts, authorization?: string) {
  const body = Buffer.from(parts.body ?? '');
  return gateway.handle({
    method: parts.method,
    target: parts.query === undefined ? parts.path : `${parts.path}?${parts.query}`,
    headers: Object.entries({
      host: 'localhost',
      ...(parts.body === undefined ? {} : { 'content-length': String(body.length) }),
      ...parts.headers,
      ...(authorization === undefined ? {} : { authorization }),
    }),
    body: bodyOf(body),
    remote: '127.0.0.1:1',
  });
}

/** Signed in its header, with `Date`. */
function sendSigned(gateway: TestGateway, parts: Parts, date = new Date().toUTCString()) {
  const authorization = `AWS ${alice.accessKey}:${signatureOf(parts, date)}`;
  return send(gateway, { ...parts, headers: { date, ...parts.headers } }, authorization);
}

async function start(t: TestContext, options: TestOptions = {}) {
  const gateway = await startTestGateway(options);
  t.after(() => gateway.gateway.close());
  return gateway;
}

test('objects are put, listed and read with signatures of version 2', async (t) => {
  const gateway = await start(t);
  equal((await sendSigned(gateway, { method: 'PUT', path: '/bucket' })).status, 200);
  // As boto signs a bucket.
  const date = new Date().toUTCString();
  const words = `AWS ${alice.accessKey}:${signatureOf({ method: 'HEAD', path: '/bucket/' }, date)}`;
  const head = { method: 'HEAD', path: '/bucket', headers: { date } };
  equal((await send(gateway, head, words)).status, 200);
  const headers = { 'content-type': 'text/plain', 'x-amz-meta-b': '2', 'x-amz-meta-a': '1' };
  const put = { method: 'PUT', path: '/bucket/a%20key', headers, body: 'hello' };
  equal((await sendSigned(gateway, put)).status, 200);
  const listed = await sendSigned(gateway, {
    method: 'GET',
    path: '/bucket',
    query: 'prefix=a&max-keys=5',
  });
  equal((await bodyText(listed)).includes('<Key>a key</Key>'), true);
  const acl = { method: 'GET', path: '/bucket/a%20key', query: 'acl', signedQuery: '?acl' };
  equal((await sendSigned(gateway, acl)).status, 200);
  const disposed = await sendSigned(gateway, {
    method: 'GET',
    path: '/bucket/a%20key',
    query: 'response-content-language=d%C3%A9&x=1',
    signedQuery: '?response-content-language=dé',
  });
  equal(await bodyText(disposed), 'hello');
});

test('a date in x-amz-date stands for Date, and both are held to the clock', async (t) => {
  const gateway = await start(t);
  const create = { method: 'PUT', path: '/bucket' };
  const now = new Date().toUTCString();
  equal(
    (await sendSigned(gateway, { ...create, headers: { 'x-amz-date': now, date: 'x' } }, ''))
      .status,
    200,
  );
  const codeOf = async (date: string) =>
    errorCode(await sendSigned(gateway, { ...create, headers: { 'x-amz-date': date } }, ''));
  equal(await codeOf('Tue, 07 Jul 2010 21:53:04 GMT'), 'RequestTimeTooSkewed');
  equal(await codeOf('Tue, 07 Jul 2099 21:53:04 GMT'), 'RequestTimeTooSkewed');
  equal(await codeOf('Tue, 07 Jul 1950 21:53:04 GMT'), 'AccessDenied');
  equal(await codeOf('Bad Date'), 'AccessDenied');
  equal(await codeOf(''), 'AccessDenied');
});

test('what is signed and changed, and what is no signature, is refused', async (t) => {
  const gateway = await start(t);
  equal((await sendSigned(gateway, { method: 'PUT', path: '/bucket' })).status, 200);
  const date = new Date().toUTCString();
  const signed = { method: 'GET', path: '/bucket', headers: { date } };
  const authorization = `AWS ${alice.accessKey}:${signatureOf(signed, date)}`;
  equal((await send(gateway, signed, authorization)).status, 200);
  const codeOf = async (parts: Partial<Parts>, words = authorization) =>
    errorCode(await send(gateway, { ...signed, ...parts }, words));
  equal(await codeOf({ method: 'DELETE' }), 'SignatureDoesNotMatch');
  equal(await codeOf({ query: 'acl' }), 'SignatureDoesNotMatch');
  equal(await codeOf({ headers: { date, 'x-amz-acl': 'private' } }), 'SignatureDoesNotMatch');
  equal(await codeOf({}, 'AWS NOBODY:c2lnbg=='), 'InvalidAccessKeyId');
  equal(await codeOf({}, 'AWS HAHAHA'), 'InvalidArgument');
  equal(await codeOf({ query: 'Signature=a&AWSAccessKeyId=b&Expires=1' }), 'InvalidArgument');
});

test('a presigned URL of version 2 works until it expires', async (t) => {
  const gateway = await start(t);
  equal((await sendSigned(gateway, { method: 'PUT', path: '/bucket' })).status, 200);
  const get = async (seconds: number | string, accessKey = alice.accessKey) => {
    const signature = signatureOf({ method: 'GET', path: '/bucket' }, String(seconds));
    const query = `AWSAccessKeyId=${accessKey}&Expires=${seconds}&Signature=${encodeURIComponent(signature)}`;
    return send(gateway, { method: 'GET', path: '/bucket', query });
  };
  const nowSeconds = Math.floor(Date.now() / 1000);
  equal((await get(nowSeconds + 60)).status, 200);
  equal(await errorCode(await get(nowSeconds - 60)), 'AccessDenied');
  equal(await errorCode(await get('soon')), 'AccessDenied');
  equal(await errorCode(await get(nowSeconds + 60, 'NOBODY')), 'InvalidAccessKeyId');
});

test('an operator may refuse signatures of version 2', async (t) => {
  const gateway = await start(t, { signatureV2: false });
  equal(
    await errorCode(await sendSigned(gateway, { method: 'PUT', path: '/bucket' })),
    'InvalidRequest',
  );
  const query = 'AWSAccessKeyId=AKALICE&Expires=9999999999&Signature=a';
  equal(
    await errorCode(await send(gateway, { method: 'GET', path: '/', query })),
    'InvalidRequest',
  );
});
