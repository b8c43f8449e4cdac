// CORS rules: read from and written as XML, and matched against a browser's request. Rules are tried in
// order; the first whose origin, method and headers all fit decides.

import { S3Error } from './errors.ts';
import type { HeaderMap } from './request.ts';
import { childrenOf, childText, element, parseXml, textElement, xmlDocument } from './xml.ts';

export interface CorsRule {
  readonly id: string | undefined;
  /** With at most one `*` each. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** In lower case, with at most one `*` each. */
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly maxAgeSeconds: number | undefined;
}

/** S3's own limits. */
const rulesMax = 100;
const idCharactersMax = 255;
export const corsBytesMax = 64 * 1024;

const corsMethods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);

function checkPattern(name: string, pattern: string): string {
  if (pattern === '') throw new S3Error('MalformedXML');
  if (pattern.split('*').length > 2)
    throw new S3Error(
      'InvalidRequest',
      `${name} "${pattern.slice(0, 200)}" can not have more than one wildcard.`,
    );
  return pattern;
}

/** What is answered as a header must not be able to end one. */
function checkToken(name: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw new S3Error('MalformedXML');
  return name;
}

function checkMethod(method: string): string {
  if (!corsMethods.has(method))
    throw new S3Error(
      'InvalidRequest',
      `Found unsupported HTTP method in CORS config. Unsupported method is ${method.slice(0, 50)}`,
    );
  return method;
}

function parseMaxAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (!/^\d{1,9}$/.test(trimmed)) throw new S3Error('MalformedXML');
  return Number(trimmed);
}

/** Throws `MalformedXML`, `InvalidRequest`. */
export function parseCors(body: Uint8Array): readonly CorsRule[] {
  if (body.length > corsBytesMax)
    throw new S3Error('InvalidRequest', 'A CORS configuration has at most 64 KB');
  const root = parseXml(body, 'CORSConfiguration');
  const nodes = childrenOf(root, 'CORSRule');
  if (nodes.length === 0 || nodes.length !== root.children.length)
    throw new S3Error('MalformedXML');
  if (nodes.length > rulesMax)
    throw new S3Error('InvalidRequest', `A CORS configuration has at most ${rulesMax} rules`);
  return nodes.map((node) => {
    const texts = (name: string): string[] => childrenOf(node, name).map(({ text }) => text.trim());
    const id = childText(node, 'ID');
    const origins = texts('AllowedOrigin').map((origin) => checkPattern('AllowedOrigin', origin));
    const methods = texts('AllowedMethod').map(checkMethod);
    const known = ['ID', 'AllowedOrigin', 'AllowedMethod', 'AllowedHeader', 'ExposeHeader'];
    if (
      origins.length === 0 ||
      methods.length === 0 ||
      (id?.length ?? 0) > idCharactersMax ||
      node.children.some(({ name }) => !known.includes(name) && name !== 'MaxAgeSeconds')
    )
      throw new S3Error('MalformedXML');
    return {
      id,
      origins,
      methods,
      allowedHeaders: texts('AllowedHeader').map((name) =>
        checkToken(checkPattern('AllowedHeader', name)).toLowerCase(),
      ),
      exposedHeaders: texts('ExposeHeader').map(checkToken),
      maxAgeSeconds: parseMaxAge(childText(node, 'MaxAgeSeconds')),
    };
  });
}

export function formatCors(rules: readonly CorsRule[]): Uint8Array {
  const all = (name: string, texts: readonly string[]): string =>
    texts.map((text) => textElement(name, text)).join('');
  return xmlDocument(
    'CORSConfiguration',
    ...rules.map((rule) =>
      element(
        'CORSRule',
        textElement('ID', rule.id),
        all('AllowedOrigin', rule.origins),
        all('AllowedMethod', rule.methods),
        all('AllowedHeader', rule.allowedHeaders),
        all('ExposeHeader', rule.exposedHeaders),
        textElement('MaxAgeSeconds', rule.maxAgeSeconds),
      ),
    ),
  );
}

/** `pattern` has at most one `*`, which stands for any text, also none. */
function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  return (
    text.length >= pattern.length - 1 &&
    text.startsWith(pattern.slice(0, star)) &&
    text.endsWith(pattern.slice(star + 1))
  );
}

export interface CorsQuestion {
  readonly origin: string;
  readonly method: string;
  /** In lower case; of a preflight those it asks for. */
  readonly headers: readonly string[];
  /** Asked before the request that it is about: then it is told of its own origin and method alone, as S3 has it. */
  readonly isPreflight: boolean;
}

/** Undefined: no `Origin`, so that it is not the browser's question. */
export function corsQuestion(
  headers: HeaderMap,
  ownMethod: string | undefined,
): CorsQuestion | undefined {
  const origin = headers.get('origin');
  // Only a preflight has no method of its own; S3 believes the header in other requests too.
  const method = headers.get('access-control-request-method') ?? ownMethod;
  if (origin === undefined || origin === '' || method === undefined) return undefined;
  const asked = headers.get('access-control-request-headers') ?? '';
  const names = asked.split(',').map((name) => name.trim().toLowerCase());
  return {
    origin,
    method,
    headers: names.filter((name) => name !== ''),
    isPreflight: ownMethod === undefined,
  };
}

type AnswerHeaders = readonly (readonly [name: string, value: string])[];

/** What the first fitting rule answers; undefined when none fits. */
export function answerCors(
  rules: readonly CorsRule[],
  question: CorsQuestion,
): AnswerHeaders | undefined {
  for (const rule of rules) {
    const origin = rule.origins.find((pattern) => matches(pattern, question.origin));
    if (origin === undefined || !rule.methods.includes(question.method)) continue;
    const fits = (name: string): boolean =>
      rule.allowedHeaders.some((pattern) => matches(pattern, name));
    if (!question.headers.every(fits)) continue;
    const answer: [string, string][] = [
      [
        'access-control-allow-origin',
        origin === '*' && !question.isPreflight ? '*' : question.origin,
      ],
      [
        'access-control-allow-methods',
        question.isPreflight ? question.method : rule.methods.join(', '),
      ],
    ];
    if (origin !== '*') answer.push(['access-control-allow-credentials', 'true']);
    if (question.headers.length > 0)
      answer.push(['access-control-allow-headers', question.headers.join(', ')]);
    if (rule.exposedHeaders.length > 0)
      answer.push(['access-control-expose-headers', rule.exposedHeaders.join(', ')]);
    if (rule.maxAgeSeconds !== undefined)
      answer.push(['access-control-max-age', String(rule.maxAgeSeconds)]);
    const asked = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';
    answer.push(['vary', asked]);
    return answer;
  }
  return undefined;
}
