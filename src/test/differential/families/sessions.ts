// Keys that end: roles with their trust and policies, sessions of roles and of users, what such a session may do in the
// buckets of two users, and tokens that are missing, cut, or of other keys.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import {
  type Draw,
  type FactsTold,
  type Family,
  type Sequence,
  type StepDraft,
  takeAway,
} from '../sequence.ts';
import type { SessionUse, Step, Who } from '../side.ts';
import { listAll, ofObject, putSmall } from './draws.ts';

const keys: readonly string[] = ['a', 'b', 'c/1'];

const roles: readonly string[] = ['reader', 'writer'];

/** Not there at first. */
const otherRole = 'third';

function somebody(c: Choice): Who {
  return c.percent(70) ? 'main' : 'alt';
}

function user(name: string): string {
  return `arn:aws:iam:::user/${name}`;
}

function trustOf(c: Choice): string {
  const principal = c.of<unknown>([
    { AWS: user('main') },
    { AWS: [user('main'), user('alt')] },
    { AWS: user('alt') },
    { AWS: '*' },
  ]);
  const statement = {
    ...{ Effect: c.percent(90) ? 'Allow' : 'Deny', Principal: principal },
    Action: c.percent(92) ? 'sts:AssumeRole' : 'sts:GetSessionToken',
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
}

const actions: readonly string[] = [
  ...['s3:GetObject', 's3:PutObject', 's3:ListBucket', 's3:DeleteObject', 's3:*', 's3:Get*'],
  's3:GetObjectTagging',
];

function policyOf(s: Sequence): string {
  const { c } = s;
  const statement = (): unknown => {
    const arn = c.percent(25) ? 'arn:aws:s3:::*' : `arn:aws:s3:::${c.of(s.buckets)}`;
    return {
      Effect: c.percent(75) ? 'Allow' : 'Deny',
      Action: c.percent(50) ? c.of(actions) : c.many(1, 3, () => c.of(actions)),
      Resource: c.of<unknown>([[arn, `${arn}/*`], `${arn}/*`, arn, `${arn}/c/*`]),
    };
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: c.many(1, 2, statement) });
}

function iam(action: string, parameters: Readonly<Record<string, string>>, who: Who): StepDraft {
  return {
    ...{ action, method: 'POST', path: '/', service: 'iam', who },
    parameters: { Action: action, Version: '2010-05-08', ...parameters },
  };
}

function createRole(RoleName: string, trust: string, who: Who = 'main'): StepDraft {
  return iam('CreateRole', { RoleName, AssumeRolePolicyDocument: trust }, who);
}

/** By main, who may; sometimes by alt, who may not. */
const role: Draw = (s) => {
  const { c } = s;
  const who = c.percent(92) ? 'main' : 'alt';
  const RoleName = c.percent(92) ? c.of(roles) : otherRole;
  const PolicyName = c.of(['p', 'p', 'q']);
  return c.weighted<() => StepDraft>([
    [2, () => createRole(RoleName, c.percent(85) ? trustOf(c) : c.of(['{}', 'x', '']), who)],
    [2, () => iam('GetRole', { RoleName }, who)],
    [1, () => iam('DeleteRole', { RoleName }, who)],
    [3, () => iam('UpdateAssumeRolePolicy', { RoleName, PolicyDocument: trustOf(c) }, who)],
    [
      6,
      () => {
        const document = c.percent(92) ? policyOf(s) : c.of(['{}', 'x', '']);
        return iam('PutRolePolicy', { RoleName, PolicyName, PolicyDocument: document }, who);
      },
    ],
    [2, () => iam('GetRolePolicy', { RoleName, PolicyName }, who)],
    [2, () => iam('ListRolePolicies', { RoleName }, who)],
    [2, () => iam('DeleteRolePolicy', { RoleName, PolicyName }, who)],
  ])();
};

function durationOf(c: Choice): Record<string, string> {
  if (c.percent(55)) return {};
  return { DurationSeconds: c.of(['900', '3600', '1800', '3601', '899', '129601', 'x', '-1']) };
}

function sts(action: string, parameters: Record<string, string>, who: Who): StepDraft {
  return {
    ...{ action, method: 'POST', path: '/', service: 'sts', who },
    parameters: { Action: action, Version: '2011-06-15', ...parameters },
  };
}

const assumeRole: Draw = (s) => {
  const { c } = s;
  return sts(
    'AssumeRole',
    {
      RoleArn: `arn:aws:iam:::role/${c.percent(94) ? c.of(roles) : otherRole}`,
      RoleSessionName: c.percent(94) ? c.of(['one', 'two']) : c.of(['', 'x', 'a b']),
      ...durationOf(c),
      ...(c.percent(25) ? { Policy: policyOf(s) } : {}),
    },
    somebody(c),
  );
};

const getSessionToken: Draw = ({ c }) => sts('GetSessionToken', durationOf(c), somebody(c));

function useOf(c: Choice): SessionUse {
  return c.percent(85)
    ? 'whole'
    : c.of(['without-token', 'cut-token', 'wrong-secret', 'own-keys'] as const);
}

/** With a session's keys, where there are any. */
function inSession(draw: Draw): Draw {
  return (s) => {
    const step = draw(s);
    const name = s.session();
    if (name === undefined || s.c.percent(8)) return { ...step, who: somebody(s.c) };
    return { ...step, session: { name, use: useOf(s.c) } };
  };
}

const tagging: Draw = (s) => ({
  ...{ action: 'GetObjectTagging', method: 'GET', path: s.object(), query: { tagging: '' } },
});

/** Somebody's own bucket opened to a role, or to one session of it. */
const bucketPolicy: Draw = (s) => {
  const { c } = s;
  const isFirst = c.percent(50);
  const bucket = s.buckets[isFirst ? 0 : 1];
  const arn = `arn:aws:s3:::${bucket}`;
  const at = { path: `/${bucket}`, query: { policy: '' }, who: isFirst ? 'main' : 'alt' } as const;
  if (c.percent(25)) return { action: 'DeleteBucketPolicy', method: 'DELETE', ...at };
  const name = c.of(roles);
  const principal = c.of([
    `arn:aws:iam:::role/${name}`,
    `arn:aws:sts:::assumed-role/${name}/one`,
    user('main'),
    user('alt'),
  ]);
  const statement = {
    ...{ Effect: c.percent(75) ? 'Allow' : 'Deny', Principal: { AWS: principal } },
    ...{ Action: c.of(actions), Resource: [arn, `${arn}/*`] },
  };
  const body = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  return { action: 'PutBucketPolicy', method: 'PUT', ...at, body };
};

const own = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'sts:*', Resource: '*' }],
});

const everything = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::*' }],
});

const anybody = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { AWS: [user('main'), user('alt')] }, Action: 'sts:AssumeRole' },
  ],
});

function factsOf({ action, path, body }: Step): FactsTold | undefined {
  if (action === 'DeleteRole')
    return { subject: 'role', bucket: undefined, facts: ['a role deleted'] };
  if (action !== 'PutBucketPolicy' && action !== 'DeleteBucketPolicy') return undefined;
  const text = String(body);
  const isOfUser = text.includes(':user/');
  return {
    ...{ subject: 'policy', bucket: path.split('/')[1] ?? '' },
    facts: isOfUser ? [text.includes('"Allow"') ? 'opened to a user' : 'closed to a user'] : [],
  };
}

export const sessions: Family = {
  name: 'sessions',
  keys,
  facts: factsOf,
  first: ({ buckets: [one, other] }) => [
    { action: 'CreateBucket', method: 'PUT', path: `/${one}` },
    { action: 'CreateBucket', method: 'PUT', path: `/${other}`, who: 'alt' },
    // radosgw gives no user a session without.
    ...['main', 'alt'].map((UserName) =>
      iam('PutUserPolicy', { UserName, PolicyName: 'sts', PolicyDocument: own }, 'main'),
    ),
    ...roles.map((RoleName) => createRole(RoleName, anybody)),
    iam(
      'PutRolePolicy',
      { RoleName: 'writer', PolicyName: 'p', PolicyDocument: everything },
      'main',
    ),
  ],
  repair: (s, step) => {
    const { RoleName = '', PolicyName = '' } = step.parameters ?? {};
    if (step.action === 'CreateRole') return iam('DeleteRole', { RoleName }, 'main');
    if (step.action === 'PutRolePolicy')
      return iam('DeleteRolePolicy', { RoleName, PolicyName }, 'main');
    // Nobody is asked for what only one of them gave.
    if (step.service === 'sts')
      return { action: 'HeadBucket', method: 'HEAD', path: `/${s.buckets[0]}` };
    const draft = takeAway(step);
    const who = step.path.split('/')[1] === s.buckets[0] ? 'main' : 'alt';
    return draft === undefined ? undefined : { ...draft, who };
  },
  last: () => [
    ...[...roles, otherRole].flatMap((RoleName) => [
      ...['p', 'q'].map((PolicyName) => iam('DeleteRolePolicy', { RoleName, PolicyName }, 'main')),
      iam('DeleteRole', { RoleName }, 'main'),
    ]),
    ...['main', 'alt'].map((UserName) =>
      iam('DeleteUserPolicy', { UserName, PolicyName: 'sts' }, 'main'),
    ),
  ],
  rules: [
    [12, assumeRole],
    [5, getSessionToken],
    [16, role],
    [16, inSession(putSmall)],
    [16, inSession(ofObject('GetObject', 'GET'))],
    [5, inSession(ofObject('HeadObject', 'HEAD'))],
    [6, inSession(ofObject('DeleteObject', 'DELETE'))],
    [8, inSession(listAll)],
    [3, inSession(tagging)],
    [5, bucketPolicy],
  ],
};
