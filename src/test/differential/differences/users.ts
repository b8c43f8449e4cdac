// Of the family `users`.

import type { Step } from '../side.ts';
import {
  api,
  apiPage,
  guide,
  type KnownDifference,
  outcome,
  type Page,
} from './known-difference.ts';

const families = ['users'];

function iam(action: string): Page {
  return {
    title: action,
    address: `https://docs.aws.amazon.com/IAM/latest/APIReference/API_${action}.html`,
  };
}

/** Of the bucket: the first is main's, the second alt's. */
function isOwner({ path, who = 'main' }: Step): boolean {
  const bucket = path.split('/')[1] ?? '';
  return bucket.endsWith('-a') ? who === 'main' : bucket.endsWith('-b') && who === 'alt';
}

function has(step: Step, fact: string): boolean {
  return step.facts?.includes(fact) === true;
}

const oneRefuses = /^(403 (?!403)\d+|(?!403)\d+ 403)$/;

export const userDifferences: readonly KnownDifference[] = [
  {
    title: 'Who may not act is told so before what is absent',
    families,
    action: /^(GetObject|HeadObject|GetObjectAcl|PutObjectAcl|GetObjectTagging|CopyObject)$/,
    field: outcome,
    holdfast: /^(403|AccessDenied|-)$/,
    peer: /^(404|NoSuchKey|NoSuchBucket|-)$/,
    statuses: /^403 404$/,
    when: (step) =>
      !isOwner(step) ||
      has(step, 'policy') ||
      has(step, 'user-policy') ||
      step.action === 'CopyObject',
    right: 'both',
    page: api('GetObject'),
    why: '“You need the relevant read object permission”, and who may list is told what is absent, others AccessDenied; what comes first for whoever may list and not read is not said. radosgw looks for the object first.',
  },
  {
    title: 'Each key of DeleteObjects is answered for itself',
    families,
    action: /^DeleteObjects$/,
    field: outcome,
    holdfast: /^(200|-)$/,
    peer: /^(403|AccessDenied)$/,
    right: 'Holdfast',
    page: api('DeleteObjects'),
    quote:
      'For each key, Amazon S3 performs a delete operation and returns the result of that delete, success or failure, in the response.',
    why: 'radosgw refuses the whole request where the bucket’s list does.',
  },
  {
    title: 'DeletePublicAccessBlock is answered with 204',
    families,
    action: /^DeletePublicAccessBlock$/,
    field: /^status$/,
    holdfast: /^204$/,
    peer: /^200$/,
    right: 'Holdfast',
    page: api('DeletePublicAccessBlock'),
    quote:
      'If the action is successful, the service sends back an HTTP 204 response with an empty HTTP body.',
    why: '',
  },
  {
    title: 'A bucket without a public access block has none',
    families,
    action: /^GetPublicAccessBlock$/,
    field: outcome,
    statuses: /^404 200$/,
    right: 'both',
    page: api('GetPublicAccessBlock'),
    why: 'No error is listed there; of accounts NoSuchPublicAccessBlockConfiguration is, 404, and SDKs know it. radosgw answers with all four false.',
  },
  {
    title: 'A policy for somebody by name is not public',
    families,
    action: /^GetBucketPolicyStatus$/,
    field: /^PolicyStatus\/IsPublic$/,
    when: (step) => has(step, 'policy'),
    right: 'Holdfast',
    page: guide('access-control-block-public-access'),
    quote:
      'To be considered non-public, a bucket policy must grant access only to fixed values … for one or more of the following: An AWS principal, user, role, or service principal',
    why: 'radosgw calls public what lets anybody in at all, and what holds for a fixed address.',
  },
  {
    title: 'A public access block goes by what is public',
    families,
    action: /^(PutBucketPolicy|PutObject|PutObjectAcl|PutBucketAcl|CopyObject)$/,
    field: outcome,
    holdfast: /^(200|204|-)$/,
    peer: /^(403|AccessDenied)$/,
    when: (step) =>
      isOwner(step) && (has(step, 'BlockPublicAcls') || has(step, 'BlockPublicPolicy')),
    right: 'Holdfast',
    page: guide('access-control-block-public-access'),
    quote: 'PUT Object calls fail if the request includes a public ACL.',
    why: 'radosgw 16 refuses private objects too, and policies for somebody by name.',
  },
  {
    title: 'A list that is ignored does not say who may know what is absent',
    families,
    action: /^(Get|Head|Put|Copy)Object/,
    field: outcome,
    statuses: /^403 404$/,
    when: (step) => has(step, 'IgnorePublicAcls'),
    right: 'Holdfast',
    page: guide('access-control-block-public-access'),
    quote:
      'Setting this option to TRUE causes Amazon S3 to ignore all public ACLs on a bucket and any objects that it contains.',
    why: 'radosgw 16 goes by it all the same.',
  },
  {
    title: 'The owner of a bucket can always repair its policy',
    families,
    action: /^(Get|Put|Delete)BucketPolicy$/,
    field: outcome,
    holdfast: /^(200|204|404|NoSuchBucketPolicy|-)$/,
    peer: /^(403|AccessDenied)$/,
    when: (step) => isOwner(step) && has(step, 'policy'),
    right: 'Holdfast',
    page: api('PutBucketPolicy'),
    quote:
      "To ensure that bucket owners don't inadvertently lock themselves out of their own buckets, the root principal in a bucket owner's AWS account can perform the GetBucketPolicy, PutBucketPolicy, and DeleteBucketPolicy API actions, even if their bucket policy explicitly denies the root principal's access.",
    why: '',
  },
  {
    title: 'Every request is made with or without TLS',
    families,
    action: /./,
    field: outcome,
    statuses: oneRefuses,
    when: (step) => has(step, 'aws:SecureTransport'),
    right: 'Holdfast',
    page: {
      title: 'IAM condition keys',
      address:
        'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html',
    },
    quote:
      'aws:SecureTransport … Availability – This key is always included in the request context.',
    why: 'radosgw 16 has the key only where it is true, so that `"aws:SecureTransport": "false"` never holds.',
  },
  {
    title: 'Grants are judged before or after access',
    families,
    action: /^(Put|Copy)Object(Acl)?$|^PutBucketAcl$/,
    field: outcome,
    holdfast: /^(400|403|AccessDenied|InvalidArgument|UnresolvableGrantByEmailAddress)$/,
    peer: /^(400|403|404|NoSuchKey|AccessDenied|InvalidArgument|UnresolvableGrantByEmailAddress)$/,
    when: ({ headers = {} }) => JSON.stringify(headers).includes('nobody'),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'UnresolvableGrantByEmailAddress: The email address that you provided does not match any account on record. 400 Bad Request',
    why: 'For an id that nobody has the fitting code is InvalidArgument. radosgw answers NoSuchKey to both when an object is put, and goes another way between two faults.',
  },
  {
    title: 'Policies are given back percent-encoded',
    families,
    action: /^GetUserPolicy$/,
    field: /PolicyDocument$/,
    holdfast: /^%7B/,
    peer: /^\{/,
    right: 'Holdfast',
    page: iam('GetUserPolicy'),
    quote: 'Policies returned by this operation are URL-encoded compliant with RFC 3986.',
    why: '',
  },
  {
    title: 'Errors of IAM’s API have a code',
    families,
    action: /UserPolic(y|ies)$/,
    field: /^(code|body)$/,
    peer: /^-$/,
    statuses: /^(4\d\d) \1$/,
    right: 'Holdfast',
    page: iam('GetUserPolicy'),
    quote:
      'NoSuchEntity: The request was rejected because it referenced a resource entity that does not exist. … HTTP Status Code: 404',
    why: 'radosgw 16 cuts its document short: it says a wrong length.',
  },
  {
    title: 'Lists of IAM’s API say whether there is more',
    families,
    action: /^ListUserPolicies$/,
    field: /IsTruncated$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: iam('ListUserPolicies'),
    quote: 'IsTruncated: A flag that indicates whether there are more items to return.',
    why: '',
  },
  {
    title: 'A list that does not name the owner does not keep it out',
    families,
    action: /./,
    field: outcome,
    holdfast: /^(2\d\d|304|404|412|416|NoSuchKey|PreconditionFailed|InvalidRange|-)$/,
    peer: /^(403|AccessDenied|-)$/,
    when: (step) =>
      isOwner(step) && (has(step, 'list-without-owner') || has(step, 'object-list-without-owner')),
    right: 'Holdfast',
    page: guide('access-control-overview'),
    quote:
      'Buckets and objects are Amazon S3 resources. By default, only the resource owner can access these resources.',
    why: 'A list grants beside that. In radosgw the owner is let in by the list as others are.',
  },
  {
    title: 'READ in an object’s list is not of its tags',
    families,
    action: /^GetObjectTagging$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(200|-)$/,
    right: 'Holdfast',
    page: guide('acl-overview'),
    quote: 'READ … s3:GetObject and s3:GetObjectVersion',
    why: 'The table there has what each permission of a list means in a policy; s3:GetObjectTagging is not in it.',
  },
  {
    title: 'The document of a public access block is called PublicAccessBlockConfiguration',
    families,
    action: /^GetPublicAccessBlock$/,
    field: /^(Block)?PublicAccessBlockConfiguration\//,
    right: 'Holdfast',
    page: api('GetPublicAccessBlock'),
    quote: 'Root level tag for the PublicAccessBlockConfiguration parameters.',
    why: 'radosgw 16 calls it BlockPublicAccessBlockConfiguration.',
  },
  {
    title: 'A policy of a user that is empty is MissingParameter',
    families,
    action: /^PutUserPolicy$/,
    field: /^code$/,
    holdfast: /^MissingParameter$/,
    peer: /^InvalidInput$/,
    right: 'both',
    page: iam('PutUserPolicy'),
    why: '“PolicyDocument … Length Constraints: Minimum length of 1”; the code is not said.',
  },
  {
    title: 'A number that is none is told before the bucket is looked for',
    families,
    action: /^ListObjectsV2$/,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    peer: /^(403|404|NoSuchBucket|AccessDenied)$/,
    when: ({ query }) => query?.['max-keys'] === 'x' || query?.['max-keys'] === '-1',
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'Two faults in one request: the errors of both are listed, in no order of precedence.',
  },
  {
    title: 'WRITE in a bucket’s list is not for its deletion',
    families,
    action: /^DeleteBucket$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(204|409|BucketNotEmpty|-)$/,
    when: (step) => !isOwner(step),
    right: 'Holdfast',
    page: guide('acl-overview'),
    quote: 'WRITE … s3:PutObject',
    why: 'The table there has what each permission of a list means in a policy. In radosgw 16 whoever may write may delete the bucket.',
  },
  {
    title: 'What a condition asks not to be need not be there',
    families,
    action: /./,
    field: outcome,
    statuses: oneRefuses,
    when: (step) => has(step, 'StringNotEquals') && step.headers?.['x-amz-acl'] === undefined,
    right: 'Holdfast',
    page: {
      title: 'IAM JSON policy elements: Condition operators',
      address:
        'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html',
    },
    quote:
      'If the policy condition requires that the key is not matched, such as StringNotLike or ArnNotLike, and the right key is not present, the condition is true.',
    why: 'In radosgw 16 no condition holds of a key that is not there.',
  },
  {
    title: 'A policy for everybody is not let in where public ones are blocked',
    families,
    action: /^PutBucketPolicy$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(204|-)$/,
    when: (step) =>
      has(step, 'BlockPublicPolicy') && /"(AWS":"\*|Principal":"\*)"/.test(String(step.body)),
    right: 'Holdfast',
    page: guide('access-control-block-public-access'),
    quote:
      'To be considered non-public, a bucket policy must grant access only to fixed values … for one or more of the following: An AWS principal, user, role, or service principal',
    why: 'A condition that asks what a list must not be names none of them.',
  },
  {
    title: 'Lists that are ignored let nobody copy either',
    families,
    action: /^CopyObject$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(200|-)$/,
    when: (step) => has(step, 'source IgnorePublicAcls'),
    right: 'Holdfast',
    page: guide('access-control-block-public-access'),
    quote:
      'Setting this option to TRUE causes Amazon S3 to ignore all public ACLs on a bucket and any objects that it contains.',
    why: 'radosgw 16 reads the source of a copy by them.',
  },
  {
    title: 'What a list grants of a bucket is not its policy',
    families,
    action: /^(Get|Put|Delete)BucketPolicy$/,
    field: outcome,
    holdfast: /^(403|AccessDenied)$/,
    peer: /^(200|204|404|NoSuchBucketPolicy|-)$/,
    when: (step) => !isOwner(step),
    right: 'Holdfast',
    page: guide('acl-overview'),
    quote: 'WRITE_ACP … s3:PutBucketAcl',
    why: 'The table there has what each permission of a list means in a policy. In radosgw 16 whoever may write the list of a bucket may write its policy.',
  },
  {
    title: 'A policy of a user that is none is MalformedPolicyDocument',
    families,
    action: /^PutUserPolicy$/,
    field: outcome,
    holdfast: /^(400|MalformedPolicyDocument)$/,
    peer: /^(200|-)$/,
    when: ({ body }) => String(body).endsWith('PolicyDocument=%7B%7D'),
    right: 'Holdfast',
    page: iam('PutUserPolicy'),
    quote:
      'MalformedPolicyDocument: The request was rejected because the policy document was malformed. The error message describes the specific error. HTTP Status Code: 400',
    why: 'radosgw 16 takes `{}`.',
  },
];
