// What is to be told of a call on the index if it does what it asks for. Decided by the gateway, which knows who asks and
// what the bucket's rules are; made part of the call, which alone knows whether anything happens.

import { ClientError } from '../client/errors.ts';
import type { GatewayParts, OperationContext } from './context.ts';
import { findTopic, parseTopicArn } from './iam/topic-access.ts';
import type { EventCause, EventNotices } from './index/event-format.ts';
import type { BucketAccess, KnownBucket } from './index/index-client.ts';
import { type Call, encodeMessage, notifying } from './index/messages.ts';
import { S3Error } from './protocol/errors.ts';
import { type EventName, notificationRulesOf, wantsEvent } from './protocol/notification.ts';

/** An event that a call may make of one of its keys. */
export interface PossibleEvent {
  /** Which of the call's keys. Default: its only one. */
  readonly item?: number;
  readonly key: string;
  readonly name: EventName;
  /** `marker`: it is told when a delete marker was put. Default: when what is asked for was done. */
  readonly outcome?: 'done' | 'marker';
}

export interface Told {
  readonly cause: EventCause;
  readonly possible: readonly PossibleEvent[];
}

export function causeOf(context: OperationContext): EventCause {
  const { user, request, requestId, parts } = context;
  const { identity } = user;
  const name = identity === undefined || identity.account === '' ? user.name : identity.id;
  return {
    principal: name === '' ? 'anonymous' : name,
    sourceAddress: request.remote.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''),
    requestId,
    hostId: parts.hostId,
  };
}

/** Of what a service of the cluster does by itself. */
export function causeOfService({ hostId }: Pick<GatewayParts, 'hostId'>, name: string): EventCause {
  return { principal: name, sourceAddress: '', requestId: '', hostId };
}

/** What may become of a delete of the key; `item` as of `PossibleEvent`. */
export function deleteEvents(
  key: string,
  item: number,
  by: 'ObjectRemoved' | 'LifecycleExpiration',
): readonly PossibleEvent[] {
  return [
    { item, key, name: `${by}:Delete` },
    { item, key, name: `${by}:DeleteMarkerCreated`, outcome: 'marker' },
  ];
}

/** Undefined: nobody wants to be told. Throws `ServiceUnavailable` where the rules are not understood. */
export function noticesOf(
  { cluster }: Pick<GatewayParts, 'cluster'>,
  bucket: KnownBucket & { readonly name: string },
  { cause, possible }: Told,
): EventNotices | undefined {
  const rules = notificationRulesOf(bucket.configuration);
  if (rules.length === 0) return undefined;
  const directory = cluster.directory();
  const told: EventNotices['rules'][number][] = [];
  const wanted: EventNotices['wanted'][number][] = [];
  for (const rule of rules) {
    const topic = parseTopicArn(rule.topicArn);
    // Nobody listens to a topic without endpoint, and to one that is gone.
    if (topic === undefined || (findTopic(directory, topic)?.endpoint ?? '') === '') continue;
    for (const { item = 0, key, name, outcome = 'done' } of possible)
      if (wantsEvent(rule, name, key)) wanted.push({ item, outcome, name, rule: told.length });
    told.push({ topic, configurationId: rule.id });
  }
  if (wanted.length === 0) return undefined;
  return { bucket: bucket.name, bucketOwner: bucket.record.owner, ...cause, rules: told, wanted };
}

/**
 * By the bucket's rules as they are now, not as they were when a long upload began. Where that can't be asked, or the
 * name means another bucket, by what the request knows.
 */
export async function noticesFor(
  parts: Pick<GatewayParts, 'cluster' | 'index'>,
  access: BucketAccess,
  told: Told,
): Promise<EventNotices | undefined> {
  if (told.possible.length === 0) return undefined;
  let known: KnownBucket = access;
  try {
    const found = await parts.index.find(access.name);
    if (found.record.bucketId === access.record.bucketId) known = found;
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof S3Error)) throw error;
  }
  return noticesOf(parts, { ...known, name: access.name }, told);
}

/** The call; with notices, the one that tells as well, whose answer is the same. */
export function withNotices<A, R, T>(
  notices: EventNotices | undefined,
  call: Call<A, R>,
  argument: A,
  run: <B>(call: Call<B, R>, argument: B) => T,
): T {
  if (notices === undefined) return run(call, argument);
  return run(notifying(call), { argument: encodeMessage(call.argument, argument), notices });
}
