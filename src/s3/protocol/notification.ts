// A bucket's notification configuration: which events go to which topics. Read from XML, kept as XML, and asked of every
// write to the bucket.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import { S3Error } from './errors.ts';
import {
  childrenOf,
  childText,
  element,
  parseXml,
  textElement,
  type XmlNode,
  xmlDocument,
} from './xml.ts';

export interface NotificationRule {
  readonly id: string;
  /** As it was put. */
  readonly topicArn: string;
  /** With `s3:` before them, and perhaps `*` as their last part. */
  readonly events: readonly string[];
  /** Of keys; empty: all. */
  readonly prefix: string;
  readonly suffix: string;
}

/** What happens here, as events name it. */
export const eventNames = [
  'ObjectCreated:Put',
  'ObjectCreated:Post',
  'ObjectCreated:Copy',
  'ObjectCreated:CompleteMultipartUpload',
  'ObjectRemoved:Delete',
  'ObjectRemoved:DeleteMarkerCreated',
  'LifecycleExpiration:Delete',
  'LifecycleExpiration:DeleteMarkerCreated',
  'LifecycleTransition',
  'ObjectTagging:Put',
  'ObjectTagging:Delete',
  'ObjectAcl:Put',
] as const;
export type EventName = (typeof eventNames)[number];

/** Events and groups of them that can be asked for. */
const known: ReadonlySet<string> = new Set([
  ...eventNames.map((name) => `s3:${name}`),
  's3:ObjectCreated:*',
  's3:ObjectRemoved:*',
  's3:LifecycleExpiration:*',
  's3:ObjectTagging:*',
]);

/** S3's and Ceph's other events, which nothing here makes. */
const notThere =
  /^s3:(ReducedRedundancyLostObject|ObjectRestore|Replication|IntelligentTiering|ObjectLifecycle|ObjectSynced|ObjectAnnotation)\b/;

/** S3's own limit. */
const rulesMax = 100;
const idCharactersMax = 255;
/** As long as keys. */
const filterCharactersMax = 1024;

const root = 'NotificationConfiguration';

function onlyKnown(node: XmlNode, names: readonly string[]): void {
  for (const { name } of node.children)
    if (!names.includes(name))
      throw new S3Error('MalformedXML', `${name.slice(0, 64)} in ${node.name}`);
}

function invalid(words: string): S3Error {
  return new S3Error('InvalidArgument', words);
}

function parseEvents(node: XmlNode): readonly string[] {
  const events = childrenOf(node, 'Event').map(({ text }) => text.trim());
  if (events.length === 0) throw new S3Error('MalformedXML', 'A configuration needs an Event');
  for (const event of events) {
    if (notThere.test(event))
      throw new S3Error('NotImplemented', `The event ${event.slice(0, 64)} is not implemented`);
    if (!known.has(event)) throw invalid('A specified event is not supported for notifications.');
  }
  return [...new Set(events)];
}

function parseFilter(node: XmlNode | undefined): Pick<NotificationRule, 'prefix' | 'suffix'> {
  const found = { prefix: '', suffix: '' };
  if (node === undefined) return found;
  for (const { name } of node.children) {
    // Ceph's.
    if (name === 'S3Metadata' || name === 'S3Tags')
      throw new S3Error('NotImplemented', `The filter ${name} is not implemented`);
    if (name !== 'S3Key') throw new S3Error('MalformedXML');
  }
  const seen = new Set<string>();
  for (const key of childrenOf(node, 'S3Key')) {
    onlyKnown(key, ['FilterRule']);
    for (const rule of childrenOf(key, 'FilterRule')) {
      onlyKnown(rule, ['Name', 'Value']);
      const name = childText(rule, 'Name')?.trim().toLowerCase();
      const value = childText(rule, 'Value');
      if (name === 'regex')
        throw new S3Error('NotImplemented', 'The filter rule regex is not implemented');
      if (name !== 'prefix' && name !== 'suffix')
        throw invalid('filter rule name must be either prefix or suffix');
      if (seen.has(name)) throw invalid(`Cannot specify more than one ${name} rule in a filter.`);
      if (value === undefined) throw new S3Error('MalformedXML');
      if (value.length > filterCharactersMax)
        throw invalid(
          `Size of filter rule value cannot exceed ${filterCharactersMax} bytes in UTF-8`,
        );
      seen.add(name);
      found[name] = value;
    }
  }
  return found;
}

function parseRule(node: XmlNode, newId: () => string): NotificationRule {
  onlyKnown(node, ['Id', 'Topic', 'Event', 'Filter']);
  const topicArn = childText(node, 'Topic')?.trim() ?? '';
  if (topicArn === '') throw new S3Error('MalformedXML', 'A configuration needs a Topic');
  const asked = childText(node, 'Id') ?? '';
  if (asked.length > idCharactersMax) throw invalid(`Id has at most ${idCharactersMax} characters`);
  const [filter, ...others] = childrenOf(node, 'Filter');
  if (others.length > 0) throw new S3Error('MalformedXML');
  return {
    id: asked === '' ? newId() : asked,
    topicArn,
    events: parseEvents(node),
    ...parseFilter(filter),
  };
}

/** Throws `MalformedXML`, `InvalidArgument`, `NotImplemented` by name. */
export function parseNotification(
  body: Uint8Array,
  newId: () => string,
): readonly NotificationRule[] {
  const document = parseXml(body, root);
  for (const { name } of document.children) {
    if (/^(Queue|CloudFunction|LambdaFunction|EventBridge)Configuration$/.test(name))
      throw new S3Error('NotImplemented', `${name} is not implemented: TopicConfiguration is`);
    if (name !== 'TopicConfiguration') throw new S3Error('MalformedXML');
  }
  const rules = document.children.map((node) => parseRule(node, newId));
  if (rules.length > rulesMax)
    throw invalid(`There can be at most ${rulesMax} notification configurations`);
  if (new Set(rules.map(({ id }) => id)).size < rules.length)
    throw invalid('Same ID used for multiple configurations. IDs must be unique');
  return rules;
}

function filterElement({ prefix, suffix }: NotificationRule): string {
  const rule = (name: string, value: string): string =>
    value === ''
      ? ''
      : element('FilterRule', textElement('Name', name), textElement('Value', value));
  const rules = rule('prefix', prefix) + rule('suffix', suffix);
  return rules === '' ? '' : element('Filter', element('S3Key', rules));
}

export function formatNotification(rules: readonly NotificationRule[]): Uint8Array {
  return xmlDocument(
    root,
    ...rules.map((rule) =>
      element(
        'TopicConfiguration',
        textElement('Id', rule.id),
        textElement('Topic', rule.topicArn),
        ...rule.events.map((event) => textElement('Event', event)),
        filterElement(rule),
      ),
    ),
  );
}

function parseKept(body: Uint8Array): readonly NotificationRule[] {
  return parseNotification(body, () => '');
}

/** Throws `ServiceUnavailable` where a newer gateway put what is not understood here: no event is left out. */
export function notificationRulesOf(
  configuration: BucketConfiguration,
): readonly NotificationRule[] {
  try {
    return configuration.parsed('notification', parseKept) ?? [];
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    throw new S3Error(
      'ServiceUnavailable',
      "This gateway does not understand the bucket's notifications. Nothing was changed; please try again.",
      { cause: error },
    );
  }
}

export function wantsEvent(rule: NotificationRule, name: EventName, key: string): boolean {
  if (!key.startsWith(rule.prefix) || !key.endsWith(rule.suffix)) return false;
  const group = `s3:${name.slice(0, name.indexOf(':') + 1)}*`;
  return rule.events.includes(`s3:${name}`) || rule.events.includes(group);
}
