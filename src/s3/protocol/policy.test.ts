// Policies that were kept, and what is public.

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../../base/bytes.ts';
import { judgePolicy, parsePolicy } from './policy.ts';
import { isPublicPolicy } from './public-policy.ts';

function policyOf(...statements: readonly object[]) {
  const common = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: '*' };
  const Statement = statements.map((each) => ({
    ...common,
    Resource: 'arn:aws:s3:::bucket/*',
    ...each,
  }));
  return parsePolicy(encodeUtf8(JSON.stringify({ Statement })));
}

test('a kept statement with an unknown key allows nothing, and denies', () => {
  const question = {
    principals: [],
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::bucket/key',
    context: () => undefined,
  };
  const Condition = { StringNotEquals: { 'aws:Tomorrow': 'x' } };
  equal(judgePolicy(policyOf({}), question), 'allow');
  equal(judgePolicy(policyOf({ Condition }), question), 'none');
  const denies = { Effect: 'Deny', Condition: { StringEquals: { 'aws:Tomorrow': 'x' } } };
  equal(judgePolicy(policyOf({}, denies), question), 'deny');
});

test('only fixed values of a few keys keep a policy from being public', () => {
  const isPublic = (Condition: object) => isPublicPolicy(policyOf({ Condition }));
  for (const Condition of [
    {},
    { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } },
    { IpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '128.0.0.0/1'] } },
    { IpAddress: { 'aws:SourceIp': '2000::/3' } },
    { NotIpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
    { IpAddressIfExists: { 'aws:SourceIp': '192.0.2.0/24' } },
    { StringLike: { 'aws:SourceVpc': '*' } },
    { StringLike: { 'aws:SourceVpc': 'vpc-?' } },
    { StringEquals: { 'aws:userid': '$' + '{aws:userid}' } },
    { StringEqualsIfExists: { 'aws:SourceVpc': 'vpc-1' } },
    { 'ForAllValues:StringEquals': { 'aws:SourceVpc': 'vpc-1' } },
    { StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } },
    { Null: { 'aws:SourceVpc': 'false' } },
    { StringEquals: { 'aws:Referer': 'here' } },
    { StringEquals: { 'aws:SourceVpc': [] } },
  ])
    equal(isPublic(Condition), true, JSON.stringify(Condition));
  for (const Condition of [
    { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
    { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '172.16.0.0/12', '11.0.0.0/8'] } },
    { IpAddress: { 'aws:SourceIp': '2001:db8::/32' } },
    { StringEquals: { 'aws:SourceVpc': ['vpc-1', 'vpc-2'] } },
    { StringLike: { 'aws:SourceVpc': 'vpc-1' } },
    { 'ForAnyValue:StringEquals': { 'aws:SourceVpc': 'vpc-1' } },
    { ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::other' }, Null: { 'aws:SourceVpc': 'true' } },
  ])
    equal(isPublic(Condition), false, JSON.stringify(Condition));
  equal(isPublicPolicy(policyOf({ Principal: { AWS: 'bob' } })), false);
  equal(isPublicPolicy(policyOf({ Effect: 'Deny' })), false);
});
