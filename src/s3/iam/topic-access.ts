// Who may do what with a topic: its owner, whoever its policy lets in, and the buckets that it lets publish.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Topic } from '../../map/directory.ts';
import { type Asker, judgeOwn, requestConditions, sourceContext } from '../authorization.ts';
import { S3Error } from '../protocol/errors.ts';
import { judgePolicy, parsePolicy } from '../protocol/policy.ts';
import { judgeRequester } from './identities.ts';
import { denyAll } from './managed-policies.ts';

/** S3 when it publishes for a bucket, as policies name it. */
const publishingService = 's3.amazonaws.com';

/** What a topic's ARN names. */
export interface TopicName {
  readonly owner: string;
  readonly name: string;
}

export function topicArn(region: string, { owner, name }: TopicName): string {
  return `arn:aws:sns:${region}:${owner}:${name}`;
}

/** Whatever its region: there is one place only. */
export function parseTopicArn(arn: string): TopicName | undefined {
  const match = /^arn:aws:sns:[a-z0-9-]*:([A-Za-z0-9._@-]{0,64}):([A-Za-z0-9_-]{1,256})$/.exec(arn);
  return match === null ? undefined : { owner: match[1] ?? '', name: match[2] ?? '' };
}

export function findTopic(
  { topics }: { readonly topics: readonly Topic[] },
  wanted: TopicName,
): Topic | undefined {
  return topics.find(({ owner, name }) => owner === wanted.owner && name === wanted.name);
}

/** One that can't be read, because a newer gateway put it, keeps everybody else out. */
function policyOf(topic: Topic | undefined) {
  if (topic === undefined || topic.policy === '') return undefined;
  try {
    return parsePolicy(encodeUtf8(topic.policy), 'topic');
  } catch (error) {
    if (error instanceof S3Error) return denyAll;
    throw error;
  }
}

export interface TopicQuestion {
  /** Whose it is, or would be. */
  readonly owner: string;
  readonly topic: Topic | undefined;
  readonly arn: string;
  /** As policies name it, e.g. `sns:Publish`. */
  readonly action: string;
}

/** Whether the requester may do it. */
export function mayUseTopic(asker: Asker, { owner, topic, arn, action }: TopicQuestion): boolean {
  const { user } = asker;
  const ofIdentity = judgeOwn(asker, action, arn);
  const policy = policyOf(topic);
  const context = requestConditions(asker);
  const ofTopic =
    policy === undefined
      ? 'none'
      : judgeRequester(policy, user, { action, resource: arn, context }).verdict;
  if (ofIdentity === 'deny' || ofTopic === 'deny') return false;
  if (user.identity?.needsPolicy === true && ofIdentity !== 'allow') return false;
  return (user.name !== '' && user.name === owner) || ofTopic === 'allow';
}

/** Whether events of the bucket may go to another owner's topic, because its policy lets S3 publish for the bucket. */
export function mayPublish(
  topic: Topic,
  arn: string,
  source: { readonly bucket: string; readonly owner: string },
): boolean {
  const policy = policyOf(topic);
  if (policy === undefined) return false;
  const context = sourceContext(source);
  const question = { principals: [], service: publishingService, context };
  return judgePolicy(policy, { ...question, action: 'sns:Publish', resource: arn }) === 'allow';
}
