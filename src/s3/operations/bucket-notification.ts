// Which of a bucket's events go to which topics. A topic must be there, and let the requester publish, when the
// configuration is put.

import { formatHex } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  xmlResponse,
} from '../context.ts';
import { findTopic, mayPublish, mayUseTopic, parseTopicArn } from '../iam/topic-access.ts';
import { type BucketAccess, bucketsObject, refusalError } from '../index/index-client.ts';
import { markNotified } from '../index/messages.ts';
import { S3Error } from '../protocol/errors.ts';
import {
  formatNotification,
  type NotificationRule,
  notificationRulesOf,
  parseNotification,
} from '../protocol/notification.ts';

function checkTopic(context: OperationContext, access: BucketAccess, rule: NotificationRule): void {
  const { parts, user, request } = context;
  const { topicArn: arn } = rule;
  const name = parseTopicArn(arn);
  if (name === undefined) throw new S3Error('InvalidArgument', 'The ARN is not well formed');
  const topic = findTopic(parts.cluster.directory(), name);
  const question = { owner: name.owner, topic, arn, action: 'sns:Publish' };
  const isAllowed =
    mayUseTopic({ user, request, parts }, question) ||
    (topic !== undefined &&
      mayPublish(topic, arn, { bucket: access.name, owner: access.record.owner }));
  if (!isAllowed) throw new S3Error('AccessDenied');
  if (topic === undefined)
    throw new S3Error(
      'InvalidArgument',
      'Unable to validate the following destination configurations: the topic does not exist',
      { detail: { ArgumentName: 'Topic', ArgumentValue: arn } },
    );
}

export async function putBucketNotification(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketNotification', 'looked-up');
  const { index, env } = context.parts;
  const skip = context.request.headers.get('x-amz-skip-destination-validation');
  if (skip?.toLowerCase() === 'true')
    throw new S3Error('NotImplemented', 'x-amz-skip-destination-validation is not implemented');
  const newId = (): string => formatHex(env.secrets.bytes(16));
  const rules = parseNotification(await readBody(context), newId);
  for (const rule of rules) checkTopic(context, access, rule);
  if (rules.length === 0) {
    await index.putDocument(access, 'notification', undefined);
    return emptyResponse(200);
  }
  // Before any event can be queued: who delivers looks only at buckets that are marked.
  const { name, record } = access;
  const call = { name, bucketId: record.bucketId };
  const { outcome } = await index.callObject(bucketsObject, markNotified, call);
  if (outcome === 'no-bucket') throw refusalError('no-bucket', name);
  await index.putDocument(access, 'notification', formatNotification(rules));
  return emptyResponse(200);
}

/** `?notification=ID`, which is Ceph's: that one alone. */
export async function getBucketNotification(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketNotification', 'looked-up');
  const id = context.request.query.get('notification') ?? '';
  const rules = notificationRulesOf(access.configuration);
  const shown = id === '' ? rules : rules.filter((rule) => rule.id === id);
  if (id !== '' && shown.length === 0)
    throw new S3Error('NoSuchKey', 'The bucket has no notification of that name');
  return xmlResponse(formatNotification(shown));
}

/** Ceph's: S3 is given an empty configuration instead. */
export async function deleteBucketNotification(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketNotification', 'looked-up');
  const id = context.request.query.get('notification') ?? '';
  const rules = notificationRulesOf(access.configuration);
  const left = id === '' ? [] : rules.filter((rule) => rule.id !== id);
  const body = left.length === 0 ? undefined : formatNotification(left);
  await context.parts.index.putDocument(access, 'notification', body, ['notification']);
  return emptyResponse(204);
}
