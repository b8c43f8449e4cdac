// Policies in JSON: of buckets, users, roles and forms, with what is done to them.

import type { Choice } from './choice.ts';
import * as values from './values.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const operators: readonly string[] = [
  ...['StringEquals', 'StringNotEquals', 'StringLike', 'StringEqualsIgnoreCase', 'NumericLessThan'],
  ...['NumericEquals', 'DateGreaterThan', 'Bool', 'IpAddress', 'NotIpAddress', 'ArnLike', 'Null'],
  ...[
    'StringEqualsIfExists',
    'ForAllValues:StringEquals',
    'ForAnyValue:StringLike',
    'BinaryEquals',
    'X',
  ],
];

const conditionKeys: readonly string[] = [
  ...['aws:SourceIp', 'aws:username', 'aws:SecureTransport', 'aws:CurrentTime', 's3:prefix'],
  ...[
    's3:max-keys',
    's3:delimiter',
    's3:x-amz-acl',
    's3:ExistingObjectTag/a',
    's3:RequestObjectTag/a',
  ],
  ...[
    's3:x-amz-server-side-encryption',
    's3:x-amz-copy-source',
    's3:VersionId',
    's3:signatureversion',
  ],
  ...['s3:object-lock-mode', 's3:object-lock-remaining-retention-days', 'aws:X', ''],
];

const conditionValues: readonly Json[] = [
  ...['127.0.0.1/32', '0.0.0.0/0', '::/0', '300.0.0.1/99', 'true', 'alice', 'a*', '*', '5', 'x'],
  ...['2030-01-01T00:00:00Z', 5, true, null, ['a', 'b'], [], '$' + '{aws:username}', '$' + '{x'],
];

const actions: readonly string[] = [
  ...['s3:*', 's3:GetObject', 's3:PutObject', 's3:ListBucket', 's3:Get*', '*', 'iam:*', 'sts:*'],
  ...['s3:DeleteObject', 's3:PutObjectAcl', 's3:X', 'x', '', 's3:', 's3:G?tObject'],
];

const resources: readonly string[] = [
  ...['arn:aws:s3:::first/*', 'arn:aws:s3:::first', 'arn:aws:s3:::*', '*', 'arn:aws:s3:::second/*'],
  ...[
    'arn:aws:s3:::first/a*',
    'arn:aws:s3:::$' + '{aws:username}/*',
    'arn:x',
    '',
    'arn:aws:s3:::missing/*',
  ],
];

const principals: readonly Json[] = [
  ...[
    '*',
    { AWS: '*' },
    { AWS: ['arn:aws:iam:::user/bob', '*'] },
    { AWS: 'arn:aws:iam:::user/alice' },
  ],
  ...[
    { CanonicalUser: 'bob' },
    { Service: 'logging.s3.amazonaws.com' },
    { X: 'y' },
    'bob',
    {},
    null,
  ],
];

function oneOrMore(c: Choice, list: readonly Json[]): Json {
  return c.percent(60) ? c.of(list) : c.many(0, 3, () => c.of(list));
}

function conditions(c: Choice): Json {
  const made: { [name: string]: Json } = {};
  for (const operator of c.many(1, 2, () => c.of(operators)))
    made[operator] = { [c.of(conditionKeys)]: c.of(conditionValues) };
  return made;
}

function statement(c: Choice, kind: PolicyKind): Json {
  const made: { [name: string]: Json } = {
    Effect: c.percent(95) ? c.of(['Allow', 'Allow', 'Deny']) : 'x',
  };
  if (c.percent(30)) made.Sid = values.text(c);
  if (kind === 'trust') {
    made.Action = 'sts:AssumeRole';
    made.Principal = c.percent(80) ? { AWS: 'arn:aws:iam:::user/alice' } : c.of(principals);
  } else {
    made[c.percent(95) ? 'Action' : 'NotAction'] = c.percent(80)
      ? c.of(actions.slice(0, 5))
      : oneOrMore(c, actions);
    made[c.percent(95) ? 'Resource' : 'NotResource'] = c.percent(80)
      ? c.of(resources.slice(0, 2))
      : oneOrMore(c, resources);
    if (kind === 'bucket')
      made[c.percent(97) ? 'Principal' : 'NotPrincipal'] = c.percent(80)
        ? c.of(principals.slice(0, 3))
        : c.of(principals);
  }
  if (c.percent(25)) made.Condition = conditions(c);
  if (c.spoils(3)) made[values.text(c)] = c.of(conditionValues);
  return made;
}

export type PolicyKind = 'bucket' | 'identity' | 'trust';

export function policyText(c: Choice, kind: PolicyKind): string {
  const statements = c.many(1, c.percent(97) ? 3 : 80, () => statement(c, kind));
  const policy: { [name: string]: Json } = {
    Version: c.percent(95) ? '2012-10-17' : c.of(['2008-10-17', '', 5]),
    Statement: !c.spoils(10)
      ? statements
      : c.of<Json>([statements[0] ?? null, [], 'x', null, [null]]),
  };
  if (c.percent(10)) policy.Id = values.text(c);
  return spoilJson(c, JSON.stringify(policy));
}

/** Without it nothing is logged to a bucket. */
export const loggingPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { Service: 'logging.s3.amazonaws.com' },
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::logs/*',
    },
  ],
});

export function spoilJson(c: Choice, json: string): string {
  if (!c.spoils(5)) return json;
  return c.of([
    json.slice(0, c.below(json.length)),
    json.replace('"', "'"),
    `${json}${json}`,
    `[${json}]`,
    '['.repeat(5000),
    '{"__proto__":{"Version":1}}',
    json.replace(':', ':\u0000'),
    '"text"',
    'null',
    '',
  ]);
}

/** Of a form that a browser posts: its fields are spoken of, or nearly. */
export function formPolicy(c: Choice, bucket: string, fields: readonly string[]): string {
  const conditions: Json[] = [];
  const proofs = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-date'];
  for (const field of [...fields, ...proofs])
    if (c.percent(97)) conditions.push(['starts-with', `$${field}`, '']);
  if (c.percent(95)) conditions.push({ bucket });
  if (c.percent(30))
    conditions.push(['content-length-range', c.of([0, 1, 'x', -1]), c.of([100_000, 0, '9'])]);
  if (c.percent(5))
    conditions.push(
      c.of<Json>([null, [], {}, ['eq'], ['x', '$key', 'a'], ['eq', 'key', 'a'], 5, { a: 5 }]),
    );
  const expiration = c.percent(95) ? '2030-01-01T00:00:00Z' : values.date(c);
  const policy: Json = c.percent(98) ? { expiration, conditions } : { expiration };
  return spoilJson(c, JSON.stringify(policy));
}
