// Policies that are there to be attached, under the names that they have at AWS; their own can't be made here.

import { encodeUtf8 } from '../../base/bytes.ts';
import { type Policy, parsePolicy } from '../protocol/policy.ts';

export interface ManagedPolicy {
  readonly name: string;
  readonly arn: string;
  readonly policy: Policy;
}

const prefix = 'arn:aws:iam::aws:policy/';

const allowed: Readonly<Record<string, readonly string[]>> = {
  AdministratorAccess: ['*'],
  AmazonS3FullAccess: ['s3:*'],
  AmazonS3ReadOnlyAccess: ['s3:Get*', 's3:List*'],
  AmazonSNSFullAccess: ['sns:*'],
  AmazonSNSReadOnlyAccess: ['sns:Get*', 'sns:List*'],
  IAMFullAccess: ['iam:*'],
  IAMReadOnlyAccess: ['iam:Get*', 'iam:List*', 'iam:GenerateCredentialReport'],
};

const policies: ReadonlyMap<string, ManagedPolicy> = new Map(
  Object.entries(allowed).map(([name, actions]) => {
    const statement = { Effect: 'Allow', Action: actions, Resource: '*' };
    const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const policy = parsePolicy(encodeUtf8(document), 'identity');
    return [`${prefix}${name}`, { name, arn: `${prefix}${name}`, policy }];
  }),
);

/** In place of a policy that can't be read. */
export const denyAll = parsePolicy(
  encodeUtf8(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
    }),
  ),
  'identity',
);

export function findManagedPolicy(arn: string): ManagedPolicy | undefined {
  return policies.get(arn);
}

/** Of an ARN that was found when it was attached; one that only a newer gateway knows denies everything. */
export function managedPolicy(arn: string): ManagedPolicy {
  return policies.get(arn) ?? { name: arn, arn, policy: denyAll };
}
