// Topics over SNS's API: what radosgw has of it. A topic stands in the directory of users; what happens to events
// that go to it is `notification-job.ts`'s.

import type { Directory, Topic } from '../../map/directory.ts';
import { S3Error } from '../protocol/errors.ts';
import { parseCount } from '../protocol/request.ts';
import { parseWebhook } from '../protocol/webhook.ts';
import { element, textElement } from '../protocol/xml.ts';
import { checkDocument, type Parameters } from './action.ts';
import { IamError } from './errors.ts';
import { findTopic, parseTopicArn, type TopicName, topicArn } from './topic-access.ts';

export interface TopicContext {
  readonly directory: Directory;
  /** Whose the requester's topics are. */
  readonly owner: string;
  readonly region: string;
  readonly parameters: Parameters;
  readonly nowMs: number;
}

export interface TopicAnswer {
  /** XML inside the element `…Result`; empty: there is no such element. */
  readonly result: string;
  /** What it is from now on, but for its revision. */
  readonly directory?: Directory;
}

export interface TopicAction {
  /** What policies must allow it on. Throws `InvalidParameter`. */
  target(context: TopicContext): {
    readonly owner: string;
    readonly topic: Topic | undefined;
    readonly arn: string;
  };
  run(context: TopicContext): TopicAnswer;
}

/** Each stands in the directory, which all users share; AWS has 100,000. */
const topicsPerOwnerMax = 100;

/** In characters, of what stands in each event. */
const opaqueCharactersMax = 1024;

const policyCharactersMax = 10_240;

/** As SQS keeps messages at most: 14 days. */
const keptSecondsMax = 14 * 24 * 3600;

const topicsPerPage = 100;

function invalid(words: string): IamError {
  return new IamError('InvalidParameter', words);
}

/** Attributes as they were asked for, in the order of the request: SNS's map, and Ceph's parameters beside it. */
function attributesOf({ parameters }: TopicContext): readonly (readonly [string, string])[] {
  const attributes: [string, string][] = [];
  for (let n = 1; ; n++) {
    const key = parameters.get(`Attributes.entry.${n}.key`);
    if (key === undefined) break;
    attributes.push([key, parameters.get(`Attributes.entry.${n}.value`) ?? '']);
  }
  for (const [name, value] of parameters)
    if (!/^(Action|Version|Name|Attributes\.entry\.\d+\.(key|value))$/.test(name))
      attributes.push([name, value]);
  return attributes;
}

function checkedEndpoint(url: string): string {
  if (url === '') return '';
  try {
    parseWebhook(url);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.code === 'NotImplemented') throw new IamError('NotImplemented', error.message);
    throw invalid(error.message);
  }
  return url;
}

function flag(name: string, value: string): boolean {
  const lower = value.toLowerCase();
  if (lower !== 'true' && lower !== 'false') throw invalid(`${name} is true or false`);
  return lower === 'true';
}

/** What is not there is refused by its name. Throws `InvalidParameter`, `NotImplemented`, `MalformedPolicyDocument`. */
function withAttribute(topic: Topic, name: string, value: string): Topic {
  switch (name) {
    case 'push-endpoint':
      return { ...topic, endpoint: checkedEndpoint(value) };
    case 'verify-ssl':
      return { ...topic, verifyTls: flag(name, value) };
    case 'OpaqueData':
      if (value.length > opaqueCharactersMax)
        throw invalid(`OpaqueData has at most ${opaqueCharactersMax} characters`);
      return { ...topic, opaque: value };
    case 'Policy':
      if (value.length > policyCharactersMax)
        throw invalid(`Policy has at most ${policyCharactersMax} characters`);
      if (value !== '') checkDocument(value, 'topic');
      return { ...topic, policy: value };
    case 'time_to_live': {
      const seconds = parseCount(value);
      if (value !== 'None' && !(seconds !== undefined && seconds >= 1 && seconds <= keptSecondsMax))
        throw invalid(`time_to_live is seconds from 1 to ${keptSecondsMax}, or None`);
      return { ...topic, keptSeconds: seconds };
    }
    case 'persistent':
      // Whoever asked for less would not get what was asked for: a request never waits for a webhook.
      if (flag(name, value)) return topic;
      break;
    case 'cloudevents':
      if (!flag(name, value)) return topic;
      break;
    default:
      break;
  }
  throw new IamError(
    'NotImplemented',
    `The topic attribute ${name.slice(0, 64)} with this value is not implemented`,
  );
}

function nameParameter({ parameters, owner }: TopicContext): TopicName {
  const name = parameters.get('Name') ?? '';
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(name))
    throw invalid('Name: a topic has 1 to 256 letters, digits, - and _');
  return { owner, name };
}

function named({ parameters }: TopicContext): { readonly name: TopicName; readonly arn: string } {
  const arn = parameters.get('TopicArn') ?? '';
  const name = parseTopicArn(arn);
  if (name === undefined) throw invalid('TopicArn is not the ARN of a topic');
  return { name, arn };
}

const byArn: TopicAction['target'] = (context) => {
  const { name, arn } = named(context);
  return { owner: name.owner, topic: findTopic(context.directory, name), arn };
};

const byName: TopicAction['target'] = (context) => {
  const name = nameParameter(context);
  const topic = findTopic(context.directory, name);
  return { owner: name.owner, topic, arn: topicArn(context.region, name) };
};

function find(context: TopicContext): Topic {
  const topic = findTopic(context.directory, named(context).name);
  if (topic === undefined) throw new IamError('NotFound', 'Topic does not exist');
  return topic;
}

function replaced(directory: Directory, before: Topic | undefined, after: Topic): Directory {
  const others = directory.topics.filter((topic) => topic !== before);
  return { ...directory, topics: [...others, after] };
}

/** One that is there gets the attributes that are named, as on radosgw. */
function create(context: TopicContext): TopicAnswer {
  const name = nameParameter(context);
  const { directory, region, nowMs } = context;
  const before = findTopic(directory, name);
  const mine = directory.topics.filter(({ owner }) => owner === name.owner);
  if (before === undefined && mine.length >= topicsPerOwnerMax)
    throw new IamError('TopicLimitExceeded', `There are ${topicsPerOwnerMax} topics already.`);
  let topic: Topic = before ?? {
    ...name,
    createdMs: nowMs,
    endpoint: '',
    verifyTls: true,
    opaque: '',
    policy: '',
    keptSeconds: undefined,
  };
  for (const [attribute, value] of attributesOf(context))
    topic = withAttribute(topic, attribute, value);
  return {
    result: textElement('TopicArn', topicArn(region, name)),
    directory: replaced(directory, before, topic),
  };
}

function setAttribute(context: TopicContext): TopicAnswer {
  const topic = find(context);
  const { parameters, directory } = context;
  const attribute = parameters.get('AttributeName') ?? '';
  const value = parameters.get('AttributeValue') ?? '';
  return {
    result: '',
    directory: replaced(directory, topic, withAttribute(topic, attribute, value)),
  };
}

/** As radosgw shows it. */
function endpointFields(topic: Topic): readonly (readonly [string, string])[] {
  return [
    ['EndpointAddress', topic.endpoint],
    ['EndpointArgs', topic.verifyTls ? '' : 'verify-ssl=false'],
    ['EndpointTopic', topic.name],
    ['HasStoredSecret', 'false'],
    ['Persistent', 'true'],
    ['TimeToLive', topic.keptSeconds === undefined ? 'None' : String(topic.keptSeconds)],
  ];
}

function getAttributes(context: TopicContext): TopicAnswer {
  const topic = find(context);
  const { arn } = named(context);
  const shown: readonly (readonly [string, string])[] = [
    ['User', topic.owner],
    ['Owner', topic.owner],
    ['Name', topic.name],
    ['EndPoint', JSON.stringify(Object.fromEntries(endpointFields(topic)))],
    ['TopicArn', arn],
    ['OpaqueData', topic.opaque],
    ['Policy', topic.policy],
  ];
  const entries = shown.map(([key, value]) =>
    element('entry', textElement('key', key), textElement('value', value)),
  );
  return { result: element('Attributes', ...entries) };
}

function topicElements(region: string, topic: Topic): string {
  return [
    textElement('User', topic.owner),
    textElement('Name', topic.name),
    element('EndPoint', ...endpointFields(topic).map(([name, value]) => textElement(name, value))),
    textElement('TopicArn', topicArn(region, topic)),
    textElement('OpaqueData', topic.opaque),
    textElement('Policy', topic.policy),
  ].join('');
}

function list({ directory, owner, region, parameters }: TopicContext): TopicAnswer {
  const after = parameters.get('NextToken') ?? '';
  const mine = directory.topics
    .filter((topic) => topic.owner === owner && topic.name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const shown = mine.slice(0, topicsPerPage);
  const next = shown.length < mine.length ? shown.at(-1)?.name : undefined;
  return {
    result:
      element('Topics', ...shown.map((topic) => element('member', topicElements(region, topic)))) +
      textElement('NextToken', next),
  };
}

/** Events that wait for it are given up. What is not there is deleted already. */
function remove({ directory, ...context }: TopicContext): TopicAnswer {
  const { name } = named({ directory, ...context });
  const topic = findTopic(directory, name);
  if (topic === undefined) return { result: '' };
  const topics = directory.topics.filter((each) => each !== topic);
  return { result: '', directory: { ...directory, topics } };
}

export const topicActions: Readonly<Record<string, TopicAction>> = {
  CreateTopic: { target: byName, run: create },
  DeleteTopic: { target: byArn, run: remove },
  /** Ceph's. */
  GetTopic: {
    target: byArn,
    run: (context) => ({
      result: element('Topic', topicElements(context.region, find(context))),
    }),
  },
  GetTopicAttributes: { target: byArn, run: getAttributes },
  ListTopics: {
    target: ({ owner, region }) => ({
      owner,
      topic: undefined,
      arn: topicArn(region, { owner, name: '*' }),
    }),
    run: list,
  },
  SetTopicAttributes: { target: byArn, run: setAttribute },
};
