// Two kinds of forms: those that a browser posts to a bucket, and those that are IAM's, STS's and SNS's requests.

import { createHmac } from 'node:crypto';
import type { HttpRequest } from '../../../env/http.ts';
import { actionNames } from '../../iam/query-api.ts';
import { signingContext, signText } from '../gateway-suite.ts';
import { formPolicy, policyText } from './policy-grammar.ts';
import type { GrammarState } from './request-grammar.ts';
import { type Signer, signQuery, unsignedRequest } from './request-signing.ts';
import * as values from './values.ts';
import { xmlBody } from './xml-grammar.ts';

export interface NamedRequest {
  readonly name: string;
  readonly bucket: string;
  readonly key: string;
  readonly request: HttpRequest;
}

type Fields = [name: string, value: string][];

function signFields(
  state: GrammarState,
  fields: Fields,
  bucket: string,
  signer: Signer,
  wallMs: number,
): void {
  const { c } = state;
  const policy = Buffer.from(
    formPolicy(
      c,
      bucket,
      fields.map(([name]) => name),
    ),
  ).toString('base64');
  const context = signingContext(signer, wallMs);
  const proofs: Fields = c.percent(70)
    ? [
        ['policy', policy],
        ['x-amz-algorithm', 'AWS4-HMAC-SHA256'],
        ['x-amz-credential', `${signer.accessKey}/${context.scope}`],
        ['x-amz-date', context.amzDate],
        ['x-amz-signature', signText(context, policy)],
      ]
    : [
        ['AWSAccessKeyId', signer.accessKey],
        ['policy', policy],
        ['signature', createHmac('sha1', signer.secretKey).update(policy).digest('base64')],
      ];
  if (c.percent(6)) proofs.splice(c.below(proofs.length), 1);
  if (c.percent(4)) proofs[c.below(proofs.length)] = [c.of(['policy', 'x']), values.text(c)];
  fields.push(...proofs);
}

export function browserForm(state: GrammarState, signer: Signer, wallMs: number): NamedRequest {
  const { c } = state;
  const bucket = values.bucket(c);
  const key = c.percent(80) ? values.key(c) : `up/$\{filename}`;
  const fields: Fields = [['key', key]];
  const optional: readonly (readonly [string, () => string])[] = [
    ['acl', () => c.of(['private', 'public-read', 'x'])],
    ['Content-Type', () => values.text(c)],
    ['success_action_status', () => c.of(['200', '201', '204', '500', 'x'])],
    ['success_action_redirect', () => c.of(['http://localhost/done?a=b', 'x', values.text(c)])],
    [
      'tagging',
      () =>
        new TextDecoder().decode(xmlBody('Tagging', { c, owner: '', versionIds: [], etags: [] })),
    ],
    ['x-amz-meta-a', () => values.text(c)],
    ['x-amz-checksum-crc32', () => values.text(c)],
    ['x-ignore-a', () => values.text(c)],
    [values.text(c), () => values.text(c)],
  ];
  for (const [name, make] of optional) if (c.percent(15)) fields.push([name, make()]);
  signFields(state, fields, bucket, signer, wallMs);
  const edge = c.percent(95) ? 'edge' : c.of(['e'.repeat(200), '--', '', 'a b']);
  const part = (name: string, value: string, more = ''): string =>
    `--${edge}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const file = 'f'.repeat(c.of([0, 10, 3000, 20_000]));
  const parts = fields.map(([name, value]) => part(name, value));
  parts.push(
    part('file', file, `; filename="${c.of(['a.png', 'C:\\b\\c', '', '"', values.text(c)])}"`),
  );
  if (c.percent(5)) parts.push(part('after', values.text(c)));
  let text = `${parts.join('')}--${edge}--\r\n`;
  if (c.percent(6)) text = text.slice(0, c.below(text.length));
  if (c.percent(3)) text = text.replaceAll('\r\n', '\n');
  const contentType = `multipart/form-data; boundary=${c.percent(90) ? edge : `"${edge}"`}`;
  const target = `/${encodeURIComponent(bucket)}`;
  return {
    name: 'bucket POST',
    bucket,
    key,
    request: unsignedRequest(c, 'POST', target, contentType, new TextEncoder().encode(text)),
  };
}

const names = ['reader', 'reader', 'reader', 'reader', 'writer'];

function parameter(state: GrammarState, name: string): string {
  const { c, known } = state;
  if (c.percent(4)) return values.text(c);
  switch (name) {
    case 'UserName':
    case 'RoleName':
    case 'GroupName':
      return c.of(names);
    case 'RoleSessionName':
      return 'session';
    case 'PolicyName':
      return c.percent(90) ? 'p' : 'q';
    case 'PolicyDocument':
      return policyText(c, 'identity');
    case 'AssumeRolePolicyDocument':
      return policyText(c, 'trust');
    case 'PolicyArn':
      return `arn:aws:iam::aws:policy/${c.percent(80) ? 'AmazonS3FullAccess' : c.of(['AmazonS3ReadOnlyAccess', 'X'])}`;
    case 'Name':
      return c.of([...values.topics, 'a.fifo']);
    case 'TopicArn':
      return values.topicArn(c);
    case 'AttributeName':
    case 'Attributes.entry.1.key':
      return c.of(topicAttributes);
    case 'AttributeValue':
    case 'Attributes.entry.1.value':
    case 'push-endpoint':
      return c.of([
        ...['http://hook.example/in?a=b', 'https://hook.example', 'amqp://a', 'http://[::1]:1/'],
        ...['60', 'true', 'false', '', policyText(c, 'bucket'), values.text(c)],
      ]);
    case 'AccessKeyId':
      return known.iamKeys.at(-1)?.accessKey ?? 'AKNONE';
    case 'Status':
      return c.of(['Active', 'Active', 'Inactive', 'x']);
    case 'RoleArn':
      return `arn:aws:iam:::role/${c.of(names)}`;
    case 'DurationSeconds':
    case 'MaxSessionDuration':
      return c.percent(70) ? '3600' : values.count(c);
    case 'MaxItems':
      return values.count(c);
    default:
      return c.of(['/', '/a/', 'b', 'session']);
  }
}

const topicAttributes = [
  ...['push-endpoint', 'OpaqueData', 'Policy', 'time_to_live', 'verify-ssl', 'persistent', 'x'],
];

/** What an action needs, by what its name says. */
function needed(action: string): string[] {
  const kind = /User|Role|Group/.exec(action)?.[0];
  const list: string[] = [];
  if (kind !== undefined && !/^List(Users|Roles|Groups)$/.test(action)) list.push(`${kind}Name`);
  if (/^(Add|Remove)User/.test(action)) list.push('GroupName');
  if (action === 'ListGroupsForUser') list[0] = 'UserName';
  if (/^(Put|Get|Delete)\w+Policy$/.test(action)) list.push('PolicyName');
  if (/^Put\w+Policy$/.test(action)) list.push('PolicyDocument');
  if (/^(Attach|Detach)/.test(action)) list.push('PolicyArn');
  if (/AccessKey/.test(action)) list.push('UserName');
  if (/^(Delete|Update)AccessKey/.test(action)) list.push('AccessKeyId');
  if (action === 'UpdateAccessKey') list.push('Status');
  if (action === 'CreateTopic') list.push('Name', 'push-endpoint');
  if (/Topic|Attributes/.test(action) && !/^(Create|List)/.test(action)) list.push('TopicArn');
  if (action === 'SetTopicAttributes') list.push('AttributeName', 'AttributeValue');
  if (action === 'CreateRole') list.push('AssumeRolePolicyDocument');
  if (action === 'UpdateAssumeRolePolicy') list.push('PolicyDocument');
  if (action === 'AssumeRole') list.push('RoleArn', 'RoleSessionName');
  return list;
}

/** What others need to be there. */
const making = [
  ...['CreateUser', 'CreateRole', 'CreateGroup', 'CreateAccessKey', 'AddUserToGroup'],
  ...['User', 'Role', 'Group'].flatMap((kind) => [`Put${kind}Policy`, `Attach${kind}Policy`]),
];

const optionalNames = [
  ...['OpaqueData', 'NextToken', 'Attributes.entry.1.key', 'Attributes.entry.1.value'],
  ...['Path', 'PathPrefix', 'NewPath', 'NewUserName', 'NewGroupName', 'Description', 'MaxItems'],
  ...[
    'Marker',
    'DurationSeconds',
    'MaxSessionDuration',
    'Policy',
    'ExternalId',
    'Tags.member.1.Key',
  ],
];

export function queryForm(state: GrammarState, signer: Signer, wallMs: number): NamedRequest {
  const { c } = state;
  const of = c.weighted([
    [14, 'sts'],
    [20, 'sns'],
    [66, 'iam'],
  ] as const);
  const known = actionNames[of];
  const action = of === 'iam' && c.percent(40) ? c.of(making) : c.of(known);
  const fields: Fields = [
    ['Action', c.percent(98) ? action : values.text(c)],
    ['Version', '2010-05-08'],
  ];
  for (const name of needed(action)) {
    const document = action === 'UpdateAssumeRolePolicy' && name === 'PolicyDocument';
    // One that nothing is attached to, or it can't be deleted.
    const isLeaver = /^(Delete|Create)(User|Role)$/.test(action) && c.percent(40);
    const value =
      isLeaver && name.endsWith('Name')
        ? 'leaver'
        : parameter(state, document ? 'AssumeRolePolicyDocument' : name);
    if (c.percent(97)) fields.push([name, value]);
  }
  for (const name of optionalNames) if (c.percent(4)) fields.push([name, parameter(state, name)]);
  if (c.percent(2)) fields.push(c.of(fields));
  let body = fields
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(wellFormed(value))}`)
    .join('&');
  if (c.percent(3)) body += c.of(['&', '&&=', '%', '&%zz=1', '&a', '\u0000']);
  const service = c.percent(98) ? of : 's3';
  return {
    name: `${of} ${action}`,
    bucket: '',
    key: '',
    request: signQuery(c, service, body, signer, wallMs),
  };
}

/** A lone surrogate has no percent-encoding. */
function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}
