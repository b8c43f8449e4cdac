// Browsers' forms: policies and their conditions, what the answer shall be, fields that are missing or too many, and
// signatures of both versions, whole and spoilt.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import type { Form, Proof } from '../form.ts';
import type { Draw, Family, Sequence } from '../sequence.ts';
import { getObject, listV2 } from './objects.ts';

type Fields = [name: string, value: string][];

const fileNamePlace = `$${'{filename}'}`;

const fileNames: readonly string[] = ['pic.png', 'a', 'C:\\folder\\b.txt', ''];

const keys: readonly string[] = ['a', 'up/a', 'up/pic.png', 'pic.png', 'ü'];

function fieldsOf(s: Sequence): Fields {
  const { c } = s;
  const fields: Fields = [];
  if (c.percent(96))
    fields.push([
      'key',
      c.percent(75) ? c.of(keys) : c.of([`up/${fileNamePlace}`, fileNamePlace, '']),
    ]);
  const optional: readonly (readonly [number, string, () => string])[] = [
    [30, 'acl', () => c.of(['private', 'public-read', 'public-read', 'nonsense'])],
    [35, 'Content-Type', () => c.of(['text/plain', 'image/png'])],
    [30, 'success_action_status', () => c.of(['200', '201', '201', '204', '404', 'x'])],
    [
      12,
      c.of(['success_action_redirect', 'success_action_redirect', 'redirect']),
      () => c.of(['http://www.example.com/done', 'http://www.example.com/?a=b', 'nonsense', '']),
    ],
    [15, 'x-amz-meta-colour', () => c.of(['green', 'very blue'])],
    [6, 'Cache-Control', () => 'max-age=5'],
    [6, 'Content-Disposition', () => 'attachment'],
    [6, 'x-ignore-this', () => 'anything'],
    [5, 'unknown', () => 'anything'],
    [4, 'x-amz-storage-class', () => c.of(['STANDARD', 'NONSENSE'])],
    [
      4,
      'tagging',
      () =>
        c.of([
          '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>',
          '<Tagging><TagSet>',
        ]),
    ],
  ];
  for (const [chance, name, make] of optional) if (c.percent(chance)) fields.push([name, make()]);
  return fields;
}

type Condition = Record<string, string> | (string | number)[];

function conditionOf(c: Choice, [name, value]: Fields[number]): Condition {
  const wrong = c.percent(3);
  const text = wrong ? 'other' : value;
  const field = `$${name}`;
  return c.of<() => Condition>([
    () => ({ [name]: text }),
    () => ['eq', field, text],
    () => ['starts-with', field, text.slice(0, c.below(text.length + 1))],
    () => ['starts-with', field, ''],
  ])();
}

function expirationOf(c: Choice): unknown {
  if (c.percent(93)) return '2035-01-01T00:00:00.000Z';
  return c.of(['2001-01-01T00:00:00.000Z', '2035-01-01T00:00:00Z', 'nonsense', '', undefined, 12]);
}

/** Speaks of all fields, mostly, and sometimes of more. */
function policyOf(s: Sequence, fields: Fields, bucket: string, isV4: boolean): string {
  const { c } = s;
  const conditions: unknown[] = [];
  if (c.percent(96)) conditions.push(conditionOf(c, ['bucket', bucket]));
  for (const field of fields) if (c.percent(97)) conditions.push(conditionOf(c, field));
  if (isV4 && c.percent(96))
    conditions.push(
      { 'x-amz-algorithm': 'AWS4-HMAC-SHA256' },
      { 'x-amz-credential': '{credential}' },
      { 'x-amz-date': '{date}' },
    );
  if (c.percent(25))
    conditions.push([
      'content-length-range',
      c.of([0, 0, 0, 5, 2000]),
      c.of([10, 5000, 5000, 1_000_000]),
    ]);
  if (c.percent(4))
    conditions.push(
      c.of<unknown>([
        ...[{}, [], 'nonsense', 12, ['eq', '$key'], ['eq', 'key', 'a'], ['nonsense', '$key', 'a']],
        ['content-length-range', 0],
        ['content-length-range', 10, 1],
        ['content-length-range', -1, 100],
        ['content-length-range', 'a', 'b'],
        ['content-length-range', '0', '5000'],
        { key: 12 },
        { missing: 'field' },
        ['starts-with', '$missing', ''],
      ]),
    );
  const policy: Record<string, unknown> = { expiration: expirationOf(c), conditions };
  if (c.percent(3)) policy.conditions = c.of<unknown>([undefined, {}, 'x']);
  const text = JSON.stringify(policy);
  return c.percent(97) ? text : c.of([text.slice(2), '', '[]', '{}', 'null']);
}

function proofOf(c: Choice): Proof {
  if (c.percent(88)) return c.of(['v4', 'v4', 'v2']);
  return c.of([
    ...(['v4-wrong', 'v2-wrong', 'v4-unknown-key', 'v2-unknown-key', 'v4-without-date'] as const),
    ...(['v4-without-signature', 'v2-without-signature', 'v4-other-algorithm'] as const),
  ]);
}

const post: Draw = (s) => {
  const { c } = s;
  const path = c.percent(97) ? s.bucket() : '/no-such-bucket-of-this-test';
  const fields = fieldsOf(s);
  const proof = proofOf(c);
  const isSigned = c.percent(88);
  const form: Form = {
    fields,
    file: c.percent(97) ? 'f'.repeat(c.of([0, 7, 7, 3000, 30_000])) : undefined,
    fileName: c.percent(80) ? 'pic.png' : c.of(fileNames),
    ...(c.percent(15) ? { fileType: 'text/x-file' } : {}),
    ...(isSigned
      ? { policy: policyOf(s, fields, path.slice(1), proof.startsWith('v4')), proof }
      : {}),
    ...(c.percent(1) ? { contentType: c.of(['multipart/form-data', 'text/plain']) } : {}),
  };
  return { action: 'PostObject', method: 'POST', path, form };
};

const bucketAcl: Draw = (s) => ({
  ...{ action: 'PutBucketAcl', method: 'PUT', path: s.bucket(), query: { acl: '' } },
  headers: { 'x-amz-acl': s.c.of(['private', 'public-read-write']) },
});

const objectAcl: Draw = (s) => ({
  ...{ action: 'GetObjectAcl', method: 'GET', path: s.object(), query: { acl: '' } },
});

export const forms: Family = {
  name: 'forms',
  keys,
  // radosgw refuses such a status after it has stored the file, and takes a whole path for a file's name.
  diverges: ({ form }) =>
    form?.fileName.includes('\\') === true ||
    form?.fields.some(([name, value]) => name === 'success_action_status' && value === 'x') ===
      true,
  repair: (_, { action, path, form }) => {
    const key = form?.fields.find(([name]) => name === 'key')?.[1] ?? '';
    const fileName = form?.file === undefined ? '' : form.fileName;
    const named = key.replace(fileNamePlace, fileName);
    if (action !== 'PostObject' || named === '' || named.includes('\\')) return undefined;
    return { action: 'DeleteObject', method: 'DELETE', path: `${path}/${named}` };
  },
  rules: [
    [60, post],
    [10, getObject('GET')],
    [4, getObject('HEAD')],
    [3, listV2],
    [3, objectAcl],
    [2, bucketAcl],
  ],
};
