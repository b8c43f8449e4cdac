import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { answerCors, type CorsRule, corsBytesMax, formatCors, parseCors } from './cors.ts';

const parse = (inner: string) =>
  parseCors(encodeUtf8(`<CORSConfiguration>${inner}</CORSConfiguration>`));
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

function rule(parts: Partial<CorsRule>): CorsRule {
  return {
    id: undefined,
    origins: ['*'],
    methods: ['GET'],
    allowedHeaders: [],
    exposedHeaders: [],
    maxAgeSeconds: undefined,
    ...parts,
  };
}

test('rules are written as they were read', () => {
  const rules = [
    rule({ id: 'a & b', origins: ['https://*.example', 'http://x'], methods: ['PUT', 'HEAD'] }),
    rule({ allowedHeaders: ['x-amz-*'], exposedHeaders: ['ETag'], maxAgeSeconds: 0 }),
  ];
  deepEqual(parseCors(formatCors(rules)), rules);
  equal(decodeUtf8(formatCors(rules)).includes('<ID>a &amp; b</ID>'), true);
});

test('what is no CORS configuration is refused', () => {
  const origin = '<AllowedOrigin>*</AllowedOrigin>';
  const method = '<AllowedMethod>GET</AllowedMethod>';
  const bad: readonly (readonly [string, string])[] = [
    ['', 'MalformedXML'],
    ['<Rule/>', 'MalformedXML'],
    [`<CORSRule>${origin}</CORSRule>`, 'MalformedXML'],
    [`<CORSRule>${method}</CORSRule>`, 'MalformedXML'],
    [`<CORSRule>${origin}${method}<Other/></CORSRule>`, 'MalformedXML'],
    [`<CORSRule>${origin}${method}<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>`, 'MalformedXML'],
    [
      `<CORSRule>${origin}${method}<ExposeHeader>a&#10;b: c</ExposeHeader></CORSRule>`,
      'MalformedXML',
    ],
    [`<CORSRule>${origin}<AllowedMethod>PATCH</AllowedMethod></CORSRule>`, 'InvalidRequest'],
    [`<CORSRule><AllowedOrigin>*.*</AllowedOrigin>${method}</CORSRule>`, 'InvalidRequest'],
    [`<CORSRule>${origin}${method}</CORSRule>`.repeat(101), 'InvalidRequest'],
    [' '.repeat(corsBytesMax), 'InvalidRequest'],
  ];
  for (const [inner, code] of bad) throws(() => parse(inner), codeOf(code), inner.slice(0, 80));
  equal(parse(`<CORSRule>${origin}${method}</CORSRule>`.repeat(100)).length, 100);
});

test('a pattern with a star fits what the same regular expression fits', () => {
  const texts: string[] = [''];
  for (const text of texts) if (text.length < 4) for (const each of 'ab') texts.push(text + each);
  const patterns = texts.flatMap((text) => [
    text,
    ...Array.from({ length: text.length + 1 }, (_, at) => `${text.slice(0, at)}*${text.slice(at)}`),
  ]);
  let fitting = 0;
  for (const pattern of patterns) {
    const expression = new RegExp(`^${pattern.replace('*', '.*')}$`);
    for (const origin of texts) {
      const question = { origin, method: 'GET', headers: [], isPreflight: true };
      const fits = answerCors([rule({ origins: [pattern] })], question) !== undefined;
      equal(fits, expression.test(origin), `${pattern} and ${origin}`);
      if (fits) fitting++;
    }
  }
  equal(fitting > 300, true);
});

test('the first rule that fits in all of origin, method and headers answers', () => {
  const rules = [
    rule({ origins: ['https://a'], methods: ['PUT'], maxAgeSeconds: 1 }),
    rule({ origins: ['https://*'], methods: ['PUT'], allowedHeaders: ['x-*'], maxAgeSeconds: 2 }),
    rule({ methods: ['GET', 'PUT'], allowedHeaders: ['*'], maxAgeSeconds: 3 }),
  ];
  const chosen = (origin: string, method: string, ...headers: readonly string[]) =>
    answerCors(rules, { origin, method, headers, isPreflight: true })?.find(
      ([name]) => name === 'access-control-max-age',
    )?.[1];
  equal(chosen('https://a', 'PUT'), '1');
  equal(chosen('https://a', 'PUT', 'x-one'), '2');
  equal(chosen('https://a', 'PUT', 'x-one', 'y'), '3');
  equal(chosen('http://b', 'GET'), '3');
  equal(chosen('http://b', 'DELETE'), undefined);
});

test('only a rule for any origin answers with a star, and then without credentials', () => {
  const question = { origin: 'https://a', method: 'GET', headers: [], isPreflight: false };
  const names = (origins: readonly string[]) =>
    answerCors([rule({ origins })], question)?.map(([name, value]) => `${name}: ${value}`);
  const vary = 'vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method';
  deepEqual(names(['*']), [
    'access-control-allow-origin: *',
    'access-control-allow-methods: GET',
    vary,
  ]);
  deepEqual(names(['https://*']), [
    'access-control-allow-origin: https://a',
    'access-control-allow-methods: GET',
    'access-control-allow-credentials: true',
    vary,
  ]);
});

test('a preflight is told of its own origin and method, whatever else the rule allows', () => {
  const rules = [rule({ origins: ['*'], methods: ['GET', 'PUT'] })];
  const asked = { origin: 'https://a', method: 'PUT', headers: [] };
  const told = (isPreflight: boolean) =>
    answerCors(rules, { ...asked, isPreflight })
      ?.slice(0, 2)
      .map(([, value]) => value);
  deepEqual(told(true), ['https://a', 'PUT']);
  deepEqual(told(false), ['*', 'GET, PUT']);
});
