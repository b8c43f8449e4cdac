// Two users and nobody: what each may do in the other's bucket, by bucket policies, access lists of buckets and objects, public
// access blocks, and policies of the user's own that an administrator puts. The first bucket is main's, the second alt's.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import {
  type Draw,
  type FactsTold,
  type Family,
  type Sequence,
  type StepDraft,
  takeAway,
} from '../sequence.ts';
import type { Step, Who } from '../side.ts';
import { copySourceOf, getObject, listV2, listVersions } from './objects.ts';

const keys: readonly string[] = ['a', 'b', 'c/1', 'c/2'];

function somebody(c: Choice): Who {
  return c.weighted([
    [30, 'main'],
    [45, 'alt'],
    [25, 'nobody'],
  ] as const);
}

/** The same, asked by somebody. */
function asSomebody(draw: Draw): Draw {
  return (s) => {
    const step = draw(s);
    const who = somebody(s.c);
    if (who !== 'nobody') return { ...step, who };
    // Of nobody radosgw 16 does not answer a request that asks for headers of its own.
    const query = Object.entries(step.query ?? {}).filter(([name]) => !/^response-/.test(name));
    return { ...step, who, query: Object.fromEntries(query) };
  };
}

const everybody = 'http://acs.amazonaws.com/groups/global/AllUsers';
const signedIn = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers';

const cannedAcls: readonly string[] = [
  ...['private', 'public-read', 'public-read-write', 'authenticated-read'],
  ...['bucket-owner-read', 'bucket-owner-full-control'],
];

function grantee(c: Choice): string {
  return c.of([
    ...['id="alt"', 'id="main"', 'emailAddress="alt@example.com"', `uri="${everybody}"`],
    ...[`uri="${signedIn}"`, 'id="nobody-here"', 'emailAddress="nobody@example.com"'],
  ]);
}

function aclHeaders(c: Choice): Record<string, string> {
  if (c.percent(60)) return { 'x-amz-acl': c.of(cannedAcls) };
  const names = ['read', 'write', 'read-acp', 'write-acp', 'full-control'];
  const headers: Record<string, string> = {};
  for (let count = c.between(1, 2); count > 0; count--)
    headers[`x-amz-grant-${c.of(names)}`] = grantee(c);
  return headers;
}

function aclDocument(c: Choice, owner: string): string {
  const grant = (): string => {
    const [type, inner] = c.of([
      ['CanonicalUser', '<ID>alt</ID>'],
      ['CanonicalUser', '<ID>main</ID>'],
      ['Group', `<URI>${everybody}</URI>`],
      ['Group', `<URI>${signedIn}</URI>`],
      ['AmazonCustomerByEmail', '<EmailAddress>alt@example.com</EmailAddress>'],
    ] as const);
    const permission = c.of(['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL']);
    return `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${inner}</Grantee><Permission>${permission}</Permission></Grant>`;
  };
  const owners = `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>${owner}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>`;
  const grants = [owners, ...c.many(0, 2, grant)].join('');
  return `<AccessControlPolicy><Owner><ID>${owner}</ID></Owner><AccessControlList>${grants}</AccessControlList></AccessControlPolicy>`;
}

const putObject: Draw = (s) => ({
  ...{
    action: 'PutObject',
    method: 'PUT',
    path: s.object(),
    body: s.c.bytes(s.c.of([0, 11, 1000])),
  },
  headers: {
    ...(s.c.percent(40) ? aclHeaders(s.c) : {}),
    ...(s.c.percent(10) ? { 'x-amz-tagging': 'a=1' } : {}),
  },
});

const copyObject: Draw = (s) => ({
  ...{ action: 'CopyObject', method: 'PUT', path: s.object() },
  headers: {
    'x-amz-copy-source': copySourceOf(s),
    'x-amz-metadata-directive': 'REPLACE',
  },
});

const deleteObject: Draw = (s) => ({ action: 'DeleteObject', method: 'DELETE', path: s.object() });

const deleteObjects: Draw = (s) => {
  const objects = s.c.many(1, 2, () => `<Object><Key>${s.c.of(keys)}</Key></Object>`);
  return {
    ...{ action: 'DeleteObjects', method: 'POST', path: s.bucket(), query: { delete: '' } },
    body: `<Delete>${[...new Set(objects)].join('')}</Delete>`,
  };
};

const acl: Draw = (s) => {
  const { c } = s;
  const isObject = c.percent(60);
  const path = isObject ? s.object() : s.bucket();
  const level = isObject ? 'Object' : 'Bucket';
  const at = { path, query: { acl: '' } };
  if (c.percent(45)) return { action: `Get${level}Acl`, method: 'GET', ...at };
  const action = `Put${level}Acl`;
  if (c.percent(60)) return { action, method: 'PUT', ...at, headers: aclHeaders(c) };
  const owner = path.startsWith(`/${s.buckets[0]}`) ? 'main' : 'alt';
  return { action, method: 'PUT', ...at, body: aclDocument(c, owner) };
};

const actions: readonly string[] = [
  ...['s3:GetObject', 's3:PutObject', 's3:ListBucket', 's3:DeleteObject', 's3:*', 's3:Get*'],
  ...['s3:GetObjectAcl', 's3:PutObjectAcl', 's3:GetBucketAcl', 's3:GetObjectTagging'],
  ...['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:ListBucketVersions'],
];

function principal(c: Choice): unknown {
  return c.of<unknown>([
    ...['*', { AWS: '*' }, { AWS: 'arn:aws:iam:::user/alt' }, { AWS: 'arn:aws:iam:::user/alt' }],
    { AWS: ['arn:aws:iam:::user/main', 'arn:aws:iam:::user/alt'] },
    { AWS: 'arn:aws:iam:::user/main' },
  ]);
}

function conditionOf(c: Choice): unknown {
  return c.of<unknown>([
    { StringEquals: { 's3:prefix': 'c/' } },
    { StringLike: { 's3:prefix': ['c*', ''] } },
    { StringNotEquals: { 's3:x-amz-acl': 'public-read' } },
    { StringEquals: { 's3:x-amz-acl': ['private', 'public-read'] } },
    { StringEquals: { 's3:ExistingObjectTag/a': '1' } },
    { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
    { NotIpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
    { NumericLessThanEquals: { 's3:max-keys': '2' } },
    { Bool: { 'aws:SecureTransport': 'false' } },
    { StringLike: { 'aws:Referer': 'http://www.example.com/*' } },
  ]);
}

function statement(s: Sequence, isOfBucket: boolean): unknown {
  const { c } = s;
  const bucket = c.of(s.buckets);
  const arn = `arn:aws:s3:::${bucket}`;
  return {
    Effect: c.percent(65) ? 'Allow' : 'Deny',
    ...(isOfBucket ? { Principal: principal(c) } : {}),
    Action: c.percent(60) ? c.of(actions) : c.many(1, 3, () => c.of(actions)),
    Resource: c.of<unknown>([[arn, `${arn}/*`], [arn, `${arn}/*`], `${arn}/*`, arn, `${arn}/c/*`]),
    ...(c.percent(30) ? { Condition: conditionOf(c) } : {}),
  };
}

function policyOf(s: Sequence, isOfBucket: boolean): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: s.c.many(1, 2, () => statement(s, isOfBucket)),
  });
}

const bucketPolicy: Draw = (s) => {
  const { c } = s;
  const method = c.of(['PUT', 'PUT', 'GET', 'DELETE']);
  const action = `${{ PUT: 'Put', GET: 'Get', DELETE: 'Delete' }[method]}BucketPolicy`;
  const isFirst = c.percent(60);
  const path = `/${s.buckets[isFirst ? 0 : 1]}`;
  // Mostly by whose it is.
  const who = c.percent(80) ? (isFirst ? 'main' : 'alt') : somebody(c);
  const step: StepDraft = { action, method, path, query: { policy: '' }, who };
  if (method !== 'PUT') return step;
  // Each of its own bucket alone: others are refused or not.
  return { ...step, body: policyOf(s, true).replaceAll(c.of(s.buckets), path.slice(1)) };
};

const policyStatus: Draw = (s) => ({
  ...{ action: 'GetBucketPolicyStatus', method: 'GET', path: s.bucket() },
  query: { policyStatus: '' },
});

const publicAccessBlock: Draw = (s) => {
  const { c } = s;
  const method = c.of(['PUT', 'PUT', 'GET', 'DELETE', 'DELETE']);
  const verb = { PUT: 'Put', GET: 'Get', DELETE: 'Delete' }[method];
  const isFirst = c.percent(50);
  const step: StepDraft = {
    ...{ action: `${verb}PublicAccessBlock`, method, path: `/${s.buckets[isFirst ? 0 : 1]}` },
    query: { publicAccessBlock: '' },
    who: c.percent(85) ? (isFirst ? 'main' : 'alt') : somebody(c),
  };
  if (method !== 'PUT') return step;
  const names = [
    'BlockPublicAcls',
    'IgnorePublicAcls',
    'BlockPublicPolicy',
    'RestrictPublicBuckets',
  ];
  const inner = names.map((name) => `<${name}>${c.percent(40)}</${name}>`).join('');
  return {
    ...step,
    body: `<PublicAccessBlockConfiguration>${inner}</PublicAccessBlockConfiguration>`,
  };
};

const tagging: Draw = (s) => ({
  ...{ action: 'GetObjectTagging', method: 'GET', path: s.object(), query: { tagging: '' } },
});

const headBucket: Draw = (s) => ({ action: 'HeadBucket', method: 'HEAD', path: s.bucket() });

const createBucket: Draw = (s) => ({ action: 'CreateBucket', method: 'PUT', path: s.bucket() });

const deleteBucket: Draw = (s) => ({ action: 'DeleteBucket', method: 'DELETE', path: s.bucket() });

/** Of alt, by main, who may; sometimes by alt, who may not. */
const userPolicy: Draw = (s) => {
  const { c } = s;
  const action = c.weighted([
    [5, 'PutUserPolicy'],
    [3, 'GetUserPolicy'],
    [3, 'ListUserPolicies'],
    [5, 'DeleteUserPolicy'],
  ] as const);
  const fields: Record<string, string> = { Action: action, Version: '2010-05-08' };
  fields.UserName = c.percent(95) ? 'alt' : 'nobody-here';
  if (action !== 'ListUserPolicies') fields.PolicyName = c.of(['p', 'p', 'q']);
  if (action === 'PutUserPolicy')
    fields.PolicyDocument = c.percent(95) ? policyOf(s, false) : c.of(['{}', 'x', '']);
  return {
    ...{ action, method: 'POST', path: '/', service: 'iam' as const },
    who: c.percent(88) ? 'main' : 'alt',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: new URLSearchParams(fields).toString(),
  };
};

/** Of access: what policies ask of requests, and what is blocked. */
function factsOf({ action, path, body, headers = {} }: Step): FactsTold | undefined {
  const text = String(body);
  const hasGrants = Object.keys(headers).some((name) => name.startsWith('x-amz-grant-'));
  const bucket = path.split('/')[1] ?? '';
  const keysIn = (policy: string): string[] => [
    ...(policy.includes('StringNotEquals') ? ['StringNotEquals'] : []),
    ...[...policy.matchAll(/"((?:s3|aws):[A-Za-z-]+)(?:\/[^"]*)?":/g)].map(([, key]) => `${key}`),
  ];
  switch (action) {
    case 'PutBucketPolicy':
      return { subject: 'policy', bucket, facts: ['policy', ...keysIn(text)] };
    case 'DeleteBucketPolicy':
      return { subject: 'policy', bucket, facts: [] };
    case 'PutPublicAccessBlock':
      return {
        subject: 'block',
        bucket,
        facts: [...text.matchAll(/<(\w+)>true</g)].map(([, name]) => `${name}`),
      };
    case 'PutBucketAcl':
      return { subject: 'list', bucket, facts: hasGrants ? ['list-without-owner'] : [] };
    case 'PutObject':
    case 'PutObjectAcl':
      return hasGrants
        ? { subject: 'objects', bucket, facts: ['object-list-without-owner'] }
        : undefined;
    case 'DeletePublicAccessBlock':
      return { subject: 'block', bucket, facts: [] };
    case 'PutUserPolicy': {
      const fields = new URLSearchParams(text);
      const facts = ['user-policy', ...keysIn(fields.get('PolicyDocument') ?? '')];
      return { subject: `user ${fields.get('PolicyName')}`, bucket: undefined, facts };
    }
    default:
      return undefined;
  }
}

export const users: Family = {
  name: 'users',
  keys,
  facts: factsOf,
  first: ({ buckets: [one, other] }) => [
    { action: 'CreateBucket', method: 'PUT', path: `/${one}` },
    { action: 'CreateBucket', method: 'PUT', path: `/${other}`, who: 'alt' },
  ],
  // By the bucket's owner, and only what is the owner's to take away.
  repair: ({ buckets }, step) => {
    const draft = takeAway(step);
    const who = step.path.split('/')[1] === buckets[0] ? 'main' : 'alt';
    return draft === undefined ? undefined : { ...draft, who };
  },
  last: () =>
    ['p', 'q'].map((policy) => ({
      ...{ action: 'DeleteUserPolicy', method: 'POST', path: '/', service: 'iam' as const },
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body: `Action=DeleteUserPolicy&Version=2010-05-08&UserName=alt&PolicyName=${policy}`,
    })),
  rules: [
    [26, asSomebody(putObject)],
    [22, asSomebody(getObject('GET'))],
    [6, asSomebody(getObject('HEAD'))],
    [10, asSomebody(listV2)],
    [2, asSomebody(listVersions)],
    [6, asSomebody(copyObject)],
    [8, asSomebody(deleteObject)],
    [2, asSomebody(deleteObjects)],
    [14, asSomebody(acl)],
    [12, bucketPolicy],
    [2, asSomebody(policyStatus)],
    [4, publicAccessBlock],
    [3, asSomebody(tagging)],
    [3, asSomebody(headBucket)],
    [1, asSomebody(createBucket)],
    [1, asSomebody(deleteBucket)],
    [5, userPolicy],
  ],
};
