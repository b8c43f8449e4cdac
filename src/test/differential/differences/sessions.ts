// Of the family `sessions`.

import type { Step } from '../side.ts';
import { apiPage, type KnownDifference, outcome, type Page } from './known-difference.ts';

const families = ['sessions'];

function iam(action: string): Page {
  const address = `https://docs.aws.amazon.com/IAM/latest/APIReference/API_${action}.html`;
  return { title: action, address };
}

function sts(name: string): Page {
  const address = `https://docs.aws.amazon.com/STS/latest/APIReference/${name}.html`;
  return { title: name.replace(/^API_/, ''), address };
}

const rolePage: Page = {
  title: 'Switch to an IAM role',
  address: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-api.html',
};

const ofObjects = /^((Get|Head|Put|Delete)Object|GetObjectTagging|ListObjectsV2)$/;

function uses({ session }: Step, ...uses: readonly string[]): boolean {
  return session !== undefined && uses.includes(session.use);
}

export const sessionDifferences: readonly KnownDifference[] = [
  {
    title: 'The id of who took a role is called AssumedRoleId',
    families,
    action: /^AssumeRole$/,
    field: /\/AssumedRoleUser\/Assumed?RoleId$/,
    right: 'Holdfast',
    page: sts('API_AssumedRoleUser'),
    quote:
      'AssumedRoleId: A unique identifier that contains the role ID and the role session name of the role that is being assumed.',
    why: 'radosgw 16 calls it AssumeRoleId.',
  },
  {
    title: 'How much of its room a session’s policy takes is told',
    families,
    action: /^AssumeRole$/,
    field: /\/PackedPolicySize$/,
    peer: /^0$/,
    right: 'Holdfast',
    page: sts('API_AssumeRole'),
    quote:
      'A percentage value that indicates the packed size of the session policies and session tags combined passed in the request.',
    why: 'How they are packed is not said; Holdfast tells of their length. radosgw says 0 of every policy.',
  },
  {
    title: 'A session of a user lasts twelve hours where nothing else is asked for',
    families,
    action: /^GetSessionToken$/,
    field: /\/Credentials\/Expiration$/,
    holdfast: /^7(19|20) minutes$/,
    peer: /^(59|60) minutes$/,
    right: 'Holdfast',
    page: sts('API_GetSessionToken'),
    quote:
      'Acceptable durations for IAM user sessions range from 900 seconds (15 minutes) to 129,600 seconds (36 hours), with 43,200 seconds (12 hours) as the default.',
    why: '',
  },
  {
    title: 'What is wrong with a parameter of STS is a ValidationError',
    families,
    action: /^(AssumeRole|GetSessionToken)$/,
    field: /^code$/,
    holdfast: /^ValidationError$/,
    peer: /^(InvalidArgument|InvalidInput)$/,
    right: 'Holdfast',
    page: sts('CommonErrors'),
    quote:
      'ValidationError: The input fails to satisfy the constraints specified by an AWS service. HTTP Status Code: 400',
    why: '',
  },
  {
    title: 'A parameter of STS is judged before the role is looked for',
    families,
    action: /^AssumeRole$/,
    field: outcome,
    holdfast: /^(400|ValidationError)$/,
    peer: /^(403|404|AccessDenied|NoSuchEntity)$/,
    right: 'both',
    page: sts('API_AssumeRole'),
    why: 'Two faults in one request: the errors of both are listed, in no order of precedence.',
  },
  {
    title: 'A role that is not there is told as one that does not let in',
    families,
    action: /^AssumeRole$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(404|NoSuchEntity)$/,
    right: 'both',
    page: sts('API_AssumeRole'),
    why: 'Among the errors there is none for a role that is not there; whoever asks may not know of it.',
  },
  {
    title:
      'A trust policy is judged before the role is looked for, and who may not ask before that',
    families,
    action: /^(Create|Get|Delete)Role$|RolePolic(y|ies)$/,
    field: outcome,
    holdfast: /^(400|403|MalformedPolicyDocument|AccessDenied)$/,
    peer: /^(404|409|NoSuchEntity|EntityAlreadyExists)$/,
    right: 'both',
    page: iam('CreateRole'),
    why: 'Two faults in one request: the errors of both are listed, in no order of precedence.',
  },
  {
    title: 'Policies of roles are given back percent-encoded',
    families,
    action: /^(CreateRole|GetRole|GetRolePolicy)$/,
    field: /PolicyDocument$/,
    holdfast: /^%7B/,
    peer: /^\{/,
    right: 'Holdfast',
    page: iam('GetRole'),
    quote: 'Policies returned by this operation are URL-encoded compliant with RFC 3986.',
    why: '',
  },
  {
    title: 'A list of a role’s policies says whether there is more',
    families,
    action: /^ListRolePolicies$/,
    field: /IsTruncated$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: iam('ListRolePolicies'),
    quote: 'IsTruncated: A flag that indicates whether there are more items to return.',
    why: '',
  },
  {
    title: 'A policy of a role that is none is MalformedPolicyDocument',
    families,
    action: /^PutRolePolicy$/,
    field: outcome,
    holdfast: /^(400|MalformedPolicyDocument)$/,
    peer: /^(200|-)$/,
    when: ({ parameters }) => parameters?.PolicyDocument === '{}',
    right: 'Holdfast',
    page: iam('PutRolePolicy'),
    quote:
      'MalformedPolicyDocument: The request was rejected because the policy document was malformed. The error message describes the specific error. HTTP Status Code: 400',
    why: 'radosgw 16 takes `{}`.',
  },
  {
    title: 'A policy of a role that is empty is MissingParameter',
    families,
    action: /^PutRolePolicy$/,
    field: /^code$/,
    holdfast: /^MissingParameter$/,
    peer: /^(InvalidInput|MalformedPolicyDocument)$/,
    right: 'both',
    page: iam('PutRolePolicy'),
    why: '“PolicyDocument … Length Constraints: Minimum length of 1”; the code is not said.',
  },
  {
    title: 'A trust policy that says nothing is malformed',
    families,
    action: /^CreateRole$/,
    field: outcome,
    holdfast: /^(400|MalformedPolicyDocument|MissingParameter)$/,
    peer: /^(200|400|-|MalformedPolicyDocument|InvalidInput)$/,
    when: ({ parameters }) => ['{}', ''].includes(parameters?.AssumeRolePolicyDocument ?? ''),
    right: 'Holdfast',
    page: iam('CreateRole'),
    quote:
      'MalformedPolicyDocument: The request was rejected because the policy document was malformed. The error message describes the specific error. HTTP Status Code: 400',
    why: 'For one that is empty the code is not said.',
  },
  {
    title: 'A token that is not whole, or not of its key, is InvalidToken',
    families,
    action: ofObjects,
    field: outcome,
    holdfast: /^(400|InvalidToken)$/,
    peer: /^(403|AccessDenied|InvalidAccessKeyId)$/,
    when: (step) => uses(step, 'cut-token', 'own-keys'),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote: 'InvalidToken: The provided token is malformed or otherwise not valid. 400 Bad Request',
    why: '',
  },
  {
    title: 'A session’s key without its token is one that nobody has',
    families,
    action: ofObjects,
    field: /^code$/,
    holdfast: /^InvalidAccessKeyId$/,
    peer: /^AccessDenied$/,
    when: (step) => uses(step, 'without-token'),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'InvalidAccessKeyId: The AWS access key ID that you provided does not exist in our records. 403 Forbidden',
    why: '',
  },
  {
    title: 'A session is told that it may not act before what is absent',
    families,
    action: /^(GetObject|HeadObject|GetObjectTagging)$/,
    field: outcome,
    holdfast: /^(403|AccessDenied|-)$/,
    peer: /^(404|NoSuchKey|-)$/,
    statuses: /^403 404$/,
    right: 'both',
    page: apiPage('API_GetObject'),
    why: 'As of users: what comes first for whoever may list and not read is not said.',
  },
  {
    title: 'Who takes a role is let in as the role, and not as before',
    families,
    action: ofObjects,
    field: outcome,
    holdfast: /^(403|AccessDenied|-)$/,
    peer: /^(20\d|404|NoSuchKey|-)$/,
    when: (step) => step.session !== undefined && step.facts?.includes('opened to a user') === true,
    right: 'Holdfast',
    page: rolePage,
    quote:
      'The permissions of your IAM user and any roles that you assume are not cumulative. Only one set of permissions is active at a time.',
    why: 'In radosgw 16 a bucket’s policy for the user lets in the role’s session, too.',
  },
  {
    title: 'Who takes a role is not kept out as before either',
    families,
    action: ofObjects,
    field: outcome,
    holdfast: /^(20\d|404|NoSuchKey|-)$/,
    peer: /^(403|AccessDenied|-)$/,
    when: (step) => step.session !== undefined && step.facts?.includes('closed to a user') === true,
    right: 'Holdfast',
    page: rolePage,
    quote:
      'The permissions of your IAM user and any roles that you assume are not cumulative. Only one set of permissions is active at a time.',
    why: 'In radosgw 16 a bucket’s policy against the user keeps out the role’s session, too.',
  },
  {
    title: 'A session ends with its role, and its token with it',
    families,
    action: ofObjects,
    field: outcome,
    holdfast: /^(400|InvalidToken)$/,
    peer: /^(403|AccessDenied)$/,
    when: (step) => uses(step, 'whole') && step.facts?.includes('a role deleted') === true,
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'InvalidToken is for one that is “not valid”; what is told of a role that is gone is not said.',
  },
];
