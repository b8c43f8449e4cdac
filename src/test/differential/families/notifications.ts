// Events: topics over SNS's API, which of a bucket's events go to which of them, and what their webhook is told, field by field.
// The first bucket keeps versions. Nothing is deleted by DeleteObjects: radosgw 16.2.15 ends ("Caught signal (Aborted)") when it tells of
// that.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import { type Draw, type Family, type Sequence, type StepDraft, takeAway } from '../sequence.ts';
import { copyAnew, uploadsOf } from './draws.ts';
import { deleteObject } from './objects.ts';

const keys: readonly string[] = ['a', 'b.png', 'c/1', 'c/2.png', 'z z', 'plus+', 'ü'];

const topics: readonly string[] = ['one', 'two'];

function element(name: string, value: string): string {
  return `<${name}>${value}</${name}>`;
}

const goodEvents: readonly string[] = [
  ...['s3:ObjectCreated:*', 's3:ObjectCreated:*', 's3:ObjectRemoved:*', 's3:ObjectCreated:Put'],
  ...['s3:ObjectCreated:Copy', 's3:ObjectCreated:CompleteMultipartUpload'],
  ...['s3:ObjectRemoved:Delete', 's3:ObjectRemoved:DeleteMarkerCreated'],
];

/** One of two buckets' own: what has the same in both radosgw takes away from both, or from neither. */
function idOf(path: string, index: number): string {
  return `${path.slice(-1)}${index}`;
}

function filterOf(c: Choice): string {
  const rule = (name: string, value: string): string =>
    element('FilterRule', element('Name', name) + element('Value', value));
  const rules = c.of([
    rule('prefix', 'c/'),
    rule('suffix', '.png'),
    rule('prefix', 'c/') + rule('suffix', '.png'),
    rule('prefix', 'nothing'),
  ]);
  return element('Filter', element('S3Key', rules));
}

function configurationOf(s: Sequence, id: string, topic: string): string {
  const { c } = s;
  const events = [...new Set(c.many(1, 2, () => c.of(goodEvents)))];
  const inner = [
    element('Id', id),
    element('Topic', `{topic:${topic}}`),
    ...events.map((event) => element('Event', event)),
    c.percent(40) ? filterOf(c) : '',
  ];
  return element('TopicConfiguration', inner.join(''));
}

const root = (inner: string): string => element('NotificationConfiguration', inner);

/** That can't be put, whatever is there. */
export const badConfigurations: readonly string[] = [
  '<NotificationConfiguration>',
  '<Other/>',
  root(element('TopicConfiguration', element('Id', 'n'))),
  root(
    element(
      'TopicConfiguration',
      element('Id', 'n') + element('Topic', '{topic:one}') + element('Event', 's3:Nonsense:*'),
    ),
  ),
  root(
    element(
      'TopicConfiguration',
      element('Id', 'n') +
        element('Topic', 'arn:aws:sns:us-east-1::nobodys') +
        element('Event', 's3:ObjectCreated:*'),
    ),
  ),
  root(
    element(
      'TopicConfiguration',
      element('Id', 'n') + element('Topic', 'nonsense') + element('Event', 's3:ObjectCreated:*'),
    ),
  ),
];

/** Buckets, by path, that were told to tell of something: radosgw adds to what there is, S3 puts it in its place. */
const configured = new WeakMap<Sequence, Set<string>>();

function configuredOf(s: Sequence): Set<string> {
  const known = configured.get(s) ?? new Set(s.buckets.map((bucket) => `/${bucket}`));
  configured.set(s, known);
  return known;
}

function deleteNotification(path: string): StepDraft {
  const query = { notification: '' };
  return { action: 'DeleteBucketNotification', method: 'DELETE', path, query };
}

const notification: Draw = (s) => {
  const { c } = s;
  const at = { path: s.bucket(), query: { notification: '' } };
  if (c.percent(35)) return { action: 'GetBucketNotification', method: 'GET', ...at };
  if (c.percent(12))
    return {
      ...{ action: 'GetBucketNotification', method: 'GET', ...at },
      query: { notification: c.of([idOf(at.path, 1), idOf(at.path, 2), 'absent']) },
    };
  const step = { action: 'PutBucketNotification', method: 'PUT', ...at };
  if (c.percent(30)) return { ...step, body: c.of(badConfigurations) };
  if (configuredOf(s).delete(at.path)) {
    if (c.percent(80)) return deleteNotification(at.path);
    return { ...step, body: root('') };
  }
  configuredOf(s).add(at.path);
  const one = configurationOf(s, idOf(at.path, 1), 'one');
  const other = configurationOf(s, idOf(at.path, 2), c.of(topics));
  const body = root(c.percent(50) ? one : one + other);
  return { ...step, body };
};

function sns(action: string, parameters: Readonly<Record<string, string>>): StepDraft {
  return {
    ...{ action, method: 'POST', path: '/', service: 'sns' },
    parameters: { Action: action, Version: '2010-03-31', ...parameters },
  };
}

function createTopic(Name: string, more: Readonly<Record<string, string>> = {}): StepDraft {
  return sns('CreateTopic', {
    Name,
    'Attributes.entry.1.key': 'push-endpoint',
    'Attributes.entry.1.value': '{webhook}',
    ...more,
  });
}

const topic: Draw = ({ c }) => {
  const TopicArn = c.percent(90)
    ? '{topic:one}'
    : c.of(['nonsense', 'arn:aws:sns:us-east-1::nobodys']);
  return c.weighted<() => StepDraft>([
    [2, () => createTopic('one', c.percent(50) ? opaque(c) : {})],
    [1, () => createTopic(c.of(['', 'with space']))],
    [2, () => sns('GetTopicAttributes', { TopicArn })],
    [2, () => sns('GetTopic', { TopicArn })],
    [2, () => sns('ListTopics', {})],
    [1, () => sns('DeleteTopic', { TopicArn: '{topic:three}' })],
  ])();
};

function opaque(c: Choice): Record<string, string> {
  return {
    'Attributes.entry.2.key': 'OpaqueData',
    'Attributes.entry.2.value': c.of(['me', 'a&b']),
  };
}

const putObject: Draw = (s) => {
  const { c } = s;
  const headers: Record<string, string> = {};
  if (c.percent(20)) headers['x-amz-meta-colour'] = 'green';
  if (c.percent(15)) headers['x-amz-tagging'] = 'a=1';
  return { action: 'PutObject', method: 'PUT', path: s.object(), body: s.body(), headers };
};

const uploads = uploadsOf(
  (s) => s.object(),
  (s) => s.body(),
);

const post: Draw = (s) => {
  const bucket = s.bucket();
  return {
    ...{ action: 'PostObject', method: 'POST', path: bucket },
    form: {
      ...{ fields: [['key', s.c.of(keys.slice(0, 4))]], file: 'f'.repeat(7), fileName: 'f' },
      policy: JSON.stringify({
        expiration: '2035-01-01T00:00:00.000Z',
        conditions: [
          ...[{ bucket: bucket.slice(1) }, ['starts-with', '$key', '']],
          ...[{ 'x-amz-algorithm': 'AWS4-HMAC-SHA256' }, { 'x-amz-credential': '{credential}' }],
          { 'x-amz-date': '{date}' },
        ],
      }),
    },
  };
};

export const notifications: Family = {
  name: 'notifications',
  keys,
  tellsWebhooks: true,
  first: ({ buckets: [one, other] }) => [
    { action: 'CreateBucket', method: 'PUT', path: `/${one}` },
    { action: 'CreateBucket', method: 'PUT', path: `/${other}` },
    {
      ...{ action: 'PutBucketVersioning', method: 'PUT', path: `/${one}` },
      query: { versioning: '' },
      body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
    },
    ...[...topics, 'three'].map((name) => createTopic(name)),
    ...[one, other].map((bucket) => ({
      ...{ action: 'PutBucketNotification', method: 'PUT', path: `/${bucket}` },
      query: { notification: '' },
      body: root(
        element(
          'TopicConfiguration',
          element('Id', idOf(bucket, 1)) +
            element('Topic', '{topic:one}') +
            element('Event', 's3:ObjectCreated:*') +
            element('Event', 's3:ObjectRemoved:*'),
        ),
      ),
    })),
  ],
  repair: (_, step) => {
    if (step.action === 'PutBucketNotification') return deleteNotification(step.path);
    if (step.action === 'CreateTopic')
      return sns('DeleteTopic', { TopicArn: `{topic:${step.parameters?.Name}}` });
    // Where versions are kept they stay unlike each other.
    return step.path.split('/')[1]?.endsWith('-a') === true ? undefined : takeAway(step);
  },
  last: ({ buckets }) => [
    ...buckets.map((bucket) => deleteNotification(`/${bucket}`)),
    ...[...topics, 'three'].map((name) => sns('DeleteTopic', { TopicArn: `{topic:${name}}` })),
  ],
  rules: [
    [14, notification],
    [8, topic],
    [24, putObject],
    [10, copyAnew],
    [14, deleteObject],
    [4, uploads.create],
    [5, uploads.put],
    [6, uploads.complete],
    [5, post],
  ],
};
