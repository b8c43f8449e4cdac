// Buckets as websites: what a bucket is configured with, good and spoilt, and what a browser is shown of it. The second
// bucket has a website from the start, with everything in it for everybody.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import { type Draw, type Family, type StepDraft, takeAway } from '../sequence.ts';
import { deleteObject, ranges } from './objects.ts';

const keys: readonly string[] = [
  ...['index.html', 'error.html', 'dir/index.html', 'dir/page', 'docs/old', 'docs/new', 'page'],
  ...['ü', 'home.htm'],
];

function element(name: string, value: string): string {
  return `<${name}>${value}</${name}>`;
}

function site(...inner: readonly string[]): string {
  return `<WebsiteConfiguration>${inner.join('')}</WebsiteConfiguration>`;
}

const index = element('IndexDocument', element('Suffix', 'index.html'));
const error = element('ErrorDocument', element('Key', 'error.html'));

function rules(...inner: readonly string[]): string {
  return element('RoutingRules', inner.map((each) => element('RoutingRule', each)).join(''));
}

function ruleOf(c: Choice): string {
  const condition = c.of([
    element('KeyPrefixEquals', 'docs/'),
    element('KeyPrefixEquals', 'dir/'),
    element('HttpErrorCodeReturnedEquals', '404'),
    element('HttpErrorCodeReturnedEquals', '403'),
    element('KeyPrefixEquals', 'docs/') + element('HttpErrorCodeReturnedEquals', '404'),
  ]);
  const redirect = c.of([
    element('ReplaceKeyPrefixWith', 'documents/'),
    element('ReplaceKeyWith', 'page'),
    element('HostName', 'www.example.com'),
    element('HostName', 'www.example.com') + element('ReplaceKeyPrefixWith', 'x/'),
    element('Protocol', 'https') + element('HostName', 'www.example.com'),
    element('ReplaceKeyWith', 'page') + element('HttpRedirectCode', '307'),
  ]);
  return element('Condition', condition) + element('Redirect', redirect);
}

const all = (inner: string): string => site(element('RedirectAllRequestsTo', inner));

/** That no website can have. */
export const badConfigurations: readonly string[] = [
  '',
  '<WebsiteConfiguration>',
  '<Other/>',
  site(),
  site(error),
  site(element('IndexDocument', '')),
  site(element('IndexDocument', element('Suffix', ''))),
  site(element('IndexDocument', element('Suffix', 'a/b'))),
  site(index, element('ErrorDocument', '')),
  site(index, element('ErrorDocument', element('Key', ''))),
  all(''),
  all(element('Protocol', 'https')),
  all(element('HostName', 'www.example.com') + element('Protocol', 'ftp')),
  site(element('RedirectAllRequestsTo', element('HostName', 'a.example')), index),
  site(index, rules(element('Redirect', ''))),
  site(index, rules(element('Condition', element('KeyPrefixEquals', 'a')))),
  site(
    index,
    rules(element('Redirect', element('ReplaceKeyWith', 'a') + element('HttpRedirectCode', '200'))),
  ),
  site(
    index,
    rules(
      element('Redirect', element('ReplaceKeyWith', 'a') + element('ReplaceKeyPrefixWith', 'b')),
    ),
  ),
  site(
    index,
    rules(
      element('Condition', element('HttpErrorCodeReturnedEquals', '200')) +
        element('Redirect', element('ReplaceKeyWith', 'a')),
    ),
  ),
];

function configurationOf(c: Choice): string {
  const good = (): string =>
    c.of([
      site(index),
      site(index, error),
      site(index, error),
      site(element('IndexDocument', element('Suffix', 'home.htm'))),
      site(index, rules(ruleOf(c))),
      site(index, error, rules(ruleOf(c), ruleOf(c))),
      all(element('HostName', 'www.example.com')),
      all(element('HostName', 'www.example.com') + element('Protocol', 'https')),
    ]);
  if (c.percent(65)) return good();
  return c.of(badConfigurations);
}

const configuration: Draw = (s) => {
  const at = { path: s.bucket(), query: { website: '' } };
  const { c } = s;
  if (c.percent(30)) return { action: 'GetBucketWebsite', method: 'GET', ...at };
  if (c.percent(8)) return { action: 'DeleteBucketWebsite', method: 'DELETE', ...at };
  return { action: 'PutBucketWebsite', method: 'PUT', ...at, body: configurationOf(c) };
};

const putObject: Draw = (s) => {
  const { c } = s;
  const headers: Record<string, string> = {
    'content-type': c.of(['text/html', 'text/html; charset=utf-8', 'text/plain']),
  };
  if (c.percent(75)) headers['x-amz-acl'] = 'public-read';
  if (c.percent(15)) headers['cache-control'] = 'max-age=5';
  if (c.percent(15))
    headers['x-amz-website-redirect-location'] = c.of([
      ...['/page', '/page', 'http://a.example/', 'https://a.example/x?y=z', 'page', ''],
    ]);
  const body = `<html><body>${c.of(['one', 'two', 'three'])}</body></html>`;
  return { action: 'PutObject', method: 'PUT', path: s.object(), body, headers };
};

const paths: readonly string[] = [
  ...['/', '/', '/index.html', '/dir', '/dir/', '/dir/page', '/page', '/nothing', '/docs/old'],
  ...['/docs/', '/docs/none', '/ü', '/error.html', '/dir/nothing', '//', '/home.htm'],
];

const browse: Draw = (s) => {
  const { c } = s;
  const headers: Record<string, string> = {};
  if (c.percent(8)) headers.range = c.of(ranges);
  if (c.percent(6)) headers['if-none-match'] = s.etag();
  if (c.percent(3)) headers['if-match'] = s.etag();
  const method = c.weighted([
    [80, 'GET'],
    [17, 'HEAD'],
    [1, 'PUT'],
    [1, 'POST'],
    [1, 'DELETE'],
  ] as const);
  return {
    ...{ action: 'Browse', method, path: c.of(paths), headers },
    website: c.percent(97)
      ? c.of([s.buckets[1], s.buckets[1], s.buckets[0]])
      : 'no-such-bucket-here',
    ...(c.percent(6) ? { query: { lang: 'en' } } : {}),
  };
};

const acl: Draw = (s) => ({
  ...{ action: 'PutObjectAcl', method: 'PUT', path: s.object(), query: { acl: '' } },
  headers: { 'x-amz-acl': s.c.of(['private', 'public-read']) },
});

export const websites: Family = {
  name: 'websites',
  keys,
  first: ({ buckets: [one, other] }) => {
    const put = (key: string): StepDraft => ({
      ...{ action: 'PutObject', method: 'PUT', path: `/${other}/${key}`, body: `<p>${key}</p>` },
      headers: { 'content-type': 'text/html', 'x-amz-acl': 'public-read' },
    });
    return [
      { action: 'CreateBucket', method: 'PUT', path: `/${one}` },
      {
        ...{ action: 'CreateBucket', method: 'PUT', path: `/${other}` },
        headers: { 'x-amz-acl': 'public-read' },
      },
      ...keys.slice(0, 4).map(put),
      {
        ...{ action: 'PutBucketWebsite', method: 'PUT', path: `/${other}` },
        ...{ query: { website: '' }, body: site(index, error) },
      },
    ];
  },
  repair: (_, step) => (step.website === undefined ? takeAway(step) : undefined),
  rules: [
    [60, browse],
    [12, configuration],
    [14, putObject],
    [4, deleteObject],
    [4, acl],
  ],
};
