// Values as requests have them: mostly what works, else what has broken a parser somewhere. Text is Unicode;
// whoever puts it into a header makes bytes of it.

import type { Choice } from './choice.ts';

const oddTexts: readonly string[] = [
  '',
  ' ',
  'a',
  'x'.repeat(300),
  'y'.repeat(3000),
  'ünïcödé',
  '日本語/キー',
  '🎉🏴󠁧󠁢󠁳󠁣󠁴󠁿',
  'e\u0301 and \u00e9',
  '\u202eright to left',
  '\ufeffbom',
  'nul\u0000byte',
  'bell\u0007',
  'new\nline',
  'carriage\rreturn',
  'tab\there',
  '\u007f\u0080\u009f',
  '\ufffe\uffff',
  '\u2028\u2029',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'null',
  'undefined',
  'NaN',
  '-0',
  '0',
  '1e999',
  '%00',
  '%zz',
  '%',
  '+',
  '&amp;',
  '<a>',
  ']]>',
  '&#0;',
  '../../etc/passwd',
  '..',
  '.',
  '/',
  '//',
  'a//b',
  'a/../b',
  ';',
  ',',
  '=',
  '"',
  "'",
  '\\',
  '$' + '{filename}',
  '$' + '{aws:username}',
  '*',
  '?',
  '[',
  '(a+)+$',
];

const numbers: readonly string[] = [
  ...['0', '1', '2', '3', '10', '1000', '10000', '10001', '-1', '+1', ' 1', '1 ', '01', '1.5'],
  ...['1e3', '0x10', '2147483647', '2147483648', '4294967296', '9007199254740991'],
  ...['9007199254740993', '99999999999999999999', '', 'NaN', 'Infinity', 'one', '１', '١'],
];

const dates: readonly string[] = [
  '2030-01-01T00:00:00Z',
  '2030-01-01T00:00:00.000Z',
  '2020-01-01T00:00:00Z',
  '2030-01-01',
  '2030-02-30T00:00:00Z',
  '2030-13-01T00:00:00Z',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '99999-12-31T23:59:59Z',
  '-0001-01-01T00:00:00Z',
  '2030-01-01T24:00:00Z',
  '2030-01-01T00:00:00+25:00',
  '20300101T000000Z',
  'Tue, 01 Jan 2030 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Xxx, 99 Jan 2030 99:99:99 GMT',
  '1893456000',
  'now',
  '',
];

const ranges: readonly string[] = [
  'bytes=0-0',
  'bytes=0-',
  'bytes=-1',
  'bytes=-0',
  'bytes=5-9',
  'bytes=9-5',
  'bytes=16383-16384',
  'bytes=100000000-',
  'bytes=0-99999999999999999999',
  'bytes=-99999999999999999999',
  'bytes=0-0,2-3',
  'bytes=a-b',
  'bytes = 0 - 1',
  'octets=0-1',
  'bytes',
  'bytes=',
  'bytes=--1',
];

export function text(c: Choice): string {
  if (c.percent(60) || c.isCalm)
    return c.of(['a', 'b', 'key', 'value', 'prefix/', 'text/plain', 'green']);
  return c.percent(85) ? c.of(oddTexts) : c.many(1, 8, () => anyCharacter(c)).join('');
}

/** Any of Unicode, lone surrogates too. */
function anyCharacter(c: Choice): string {
  switch (c.below(4)) {
    case 0:
      return String.fromCharCode(c.below(0x80));
    case 1:
      return String.fromCharCode(c.below(0x10000));
    case 2:
      return String.fromCodePoint(0x10000 + c.below(0x100000));
    default:
      return c.of(['/', '%', '&', '<', ' ', '+', '.', '\u0000']);
  }
}

const usualKeys: readonly string[] = [
  ...['a', 'b', 'c/1', 'c/2', 'c/d/3', 'z z', 'plus+and%', 'ünï/日本', 'quotes\'"&<>', 'big'],
];

export function key(c: Choice): string {
  if (c.percent(82) || c.isCalm) return c.of(usualKeys);
  if (c.percent(5)) return 'k'.repeat(c.of([1023, 1024, 1025, 4000]));
  if (c.percent(5)) return 'ü'.repeat(c.of([511, 512, 513]));
  return new TextDecoder().decode(new TextEncoder().encode(text(c)));
}

const usualBuckets: readonly string[] = ['first', 'second', 'third', 'locked', 'logs'];

export function bucket(c: Choice): string {
  if (c.percent(94) || c.isCalm) return c.of(usualBuckets);
  return c.of([
    'missing',
    'A',
    '-a',
    'a..b',
    '192.168.0.1',
    'x'.repeat(64),
    'ü',
    '.',
    '..',
    'xn--a',
  ]);
}

export function count(c: Choice): string {
  return c.percent(60) || c.isCalm ? String(c.between(1, 12)) : c.of(numbers);
}

export function date(c: Choice): string {
  return c.isCalm ? '2030-01-01T00:00:00Z' : c.of(dates);
}

export function range(c: Choice): string {
  if (c.percent(30)) return `bytes=${c.below(20_000)}-${c.below(40_000)}`;
  return c.of(ranges);
}

export function etag(c: Choice, known: readonly string[]): string {
  if (known.length > 0 && c.percent(60)) {
    const tag = c.of(known);
    return c.percent(80) ? tag : tag.replaceAll('"', '');
  }
  return c.of(['*', '"*"', '""', '"', 'W/"a"', `"${'0'.repeat(32)}"`, '"a", "b"', '"a","*"', ',']);
}

/** Bytes as characters, as headers go over the wire. What no HTTP parser lets through is left out. */
export function headerText(value: string): string {
  const bytes = new TextEncoder().encode(value);
  let latin1 = '';
  for (const byte of bytes)
    if (byte === 9 || (byte >= 32 && byte !== 127)) latin1 += String.fromCharCode(byte);
  return latin1;
}

export const topics = ['events', 'events', 'other'];

/** Mostly of one that may be there. */
export function topicArn(c: Choice): string {
  if (c.percent(4)) return text(c);
  return `arn:aws:sns:us-east-1:${c.of(['alice', 'alice', 'alice', 'bob'])}:${c.of(topics)}`;
}
