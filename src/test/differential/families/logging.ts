// Bucket logging: configurations, good and bad, who may put them, and requests to a bucket that is logged. radosgw 16 has no
// such thing, so that what Holdfast wrote is held against what Amazon documents of each field of a record.

import { setTimeout as delay } from 'node:timers/promises';
import { type Draw, type Exchange, type Family, type Found, takeAway } from '../sequence.ts';
import type { Side, Who } from '../side.ts';

const keys: readonly string[] = ['a', 'b', 'c/1', 'z z', 'ü'];

const prefix = 'logs/';

function enabled(inner: string): string {
  return `<BucketLoggingStatus><LoggingEnabled>${inner}</LoggingEnabled></BucketLoggingStatus>`;
}

function target(bucket: string, before = prefix): string {
  return enabled(`<TargetBucket>${bucket}</TargetBucket><TargetPrefix>${before}</TargetPrefix>`);
}

function somebody(who: Who, draw: Draw): Draw {
  return (s) => ({ ...draw(s), who });
}

const configuration: Draw = (s) => {
  const { c, buckets } = s;
  const [source, logs] = buckets;
  const at = { path: `/${source}`, query: { logging: '' } };
  const who = c.percent(90) ? 'main' : 'alt';
  if (c.percent(40)) return { action: 'GetBucketLogging', method: 'GET', ...at, who };
  const body = c.percent(55)
    ? target(logs)
    : c.of([
        '<BucketLoggingStatus/>',
        ...[target(source), target('no-such-bucket-of-this-test'), target(logs, 'elsewhere/')],
        ...[enabled(''), enabled(`<TargetBucket>${logs}</TargetBucket>`)],
        ...['', '<BucketLoggingStatus>', '<Other/>'],
      ]);
  return { action: 'PutBucketLogging', method: 'PUT', ...at, who, body };
};

/** In the bucket that is logged. */
const ofObject =
  (action: string, method: string): Draw =>
  (s) => ({
    ...{ action, method, path: `/${s.buckets[0]}/${s.c.of([...keys, 'absent'])}` },
    headers: {
      ...(s.c.percent(30) ? { 'user-agent': 'a client/1.0 "quoted"' } : {}),
      ...(s.c.percent(20) ? { referer: 'http://www.example.com/?a=b' } : {}),
    },
  });

const putObject: Draw = (s) => ({
  ...ofObject('PutObject', 'PUT')(s),
  body: s.c.bytes(s.c.of([0, 11, 1000])),
});

const listObjects: Draw = (s) => ({
  ...{ action: 'ListObjectsV2', method: 'GET', path: `/${s.buckets[0]}` },
  query: { 'list-type': '2' },
});

/** Of a record, in the order that Amazon documents. */
const fieldNames: readonly string[] = [
  ...['bucket owner', 'bucket', 'time', 'remote IP', 'requester', 'request id', 'operation', 'key'],
  ...['request-URI', 'status', 'error code', 'bytes sent', 'object size', 'total time'],
  ...['turn-around time', 'referer', 'user-agent', 'version id', 'host id', 'signature version'],
  ...['cipher suite', 'authentication type', 'host header', 'TLS version', 'access point ARN'],
  'ACL required',
];

type LogRecord = ReadonlyMap<string, string>;

function parseRecord(line: string): LogRecord {
  const fields = [...line.matchAll(/"[^"]*"|\[[^\]]*\]|[^ ]+/g)].map(([field]) => field);
  return new Map(fields.map((field, index) => [fieldNames[index] ?? `field ${index}`, field]));
}

async function recordsIn(holdfast: Side, bucket: string): Promise<ReadonlyMap<string, LogRecord>> {
  const ask = async (path: string, query: Record<string, string> = {}): Promise<string> => {
    const step = { action: 'GetObject', method: 'GET', path, query, name: 'records' };
    return Buffer.from((await holdfast.send(step)).body).toString();
  };
  const records = new Map<string, LogRecord>();
  const list = await ask(`/${bucket}`, { 'list-type': '2' });
  for (const [, key = ''] of list.matchAll(/<Key>(.*?)<\/Key>/g))
    for (const line of (await ask(`/${bucket}/${key}`)).split('\n').filter((each) => each !== '')) {
      const record = parseRecord(line);
      records.set(record.get('request id') ?? '', record);
    }
  return records;
}

const kinds: Readonly<Record<string, string>> = {
  PutObject: 'REST.PUT.OBJECT',
  GetObject: 'REST.GET.OBJECT',
  HeadObject: 'REST.HEAD.OBJECT',
  DeleteObject: 'REST.DELETE.OBJECT',
  ListObjectsV2: 'REST.GET.BUCKET',
  GetBucketLogging: 'REST.GET.LOGGING_STATUS',
};

function orDash(text: string | number | undefined): string {
  return text === undefined || text === '' || text === 0 ? '-' : String(text);
}

/** What the page says of a record of this request; what only the service knows is left out. */
function documentedOf({ step, answer }: Exchange, host: string): Readonly<Record<string, string>> {
  const { who = 'main', headers = {}, action, method, path, body } = step;
  const [, bucket = '', ...key] = path.split('/');
  const code = /<Code>(\w+)<\/Code>/.exec(Buffer.from(answer.body).toString())?.[1];
  const isObject = key.length > 0 && answer.status < 300;
  const length = Number(answer.headers.get('content-length') ?? 0);
  const size = action === 'PutObject' ? (body?.length ?? 0) : length;
  const isSigned = who !== 'nobody';
  const operation = kinds[action];
  return {
    ...{ 'bucket owner': 'main', bucket, 'remote IP': '127.0.0.1' },
    requester: isSigned ? who : '-',
    ...(operation === undefined ? {} : { operation }),
    key: orDash(key.map(encodeURIComponent).join('/')),
    'request-URI': `"${method} ${answer.target} HTTP/1.1"`,
    status: String(answer.status),
    // Of an answer to HEAD nobody sees the code.
    ...(method === 'HEAD' ? {} : { 'error code': orDash(code) }),
    'bytes sent': orDash(method === 'HEAD' ? 0 : answer.body.length),
    ...(isObject && action !== 'DeleteObject' ? { 'object size': String(size) } : {}),
    referer: `"${orDash(headers.referer)}"`,
    'user-agent': `"${orDash(headers['user-agent']).replaceAll('"', '%22')}"`,
    'signature version': isSigned ? 'SigV4' : '-',
    'authentication type': isSigned ? 'AuthHeader' : '-',
    ...{ 'host header': host, 'cipher suite': '-', 'TLS version': '-', 'access point ARN': '-' },
  };
}

/** To its target and prefix, from which step on and until which. */
function loggedOnes(exchanges: readonly Exchange[], source: string): readonly Exchange[] {
  let isOn = false;
  return exchanges.filter(({ step, answer }) => {
    const isOf = step.path.split('/')[1] === source;
    const wasOn = isOn;
    const changes = isOf && step.action === 'PutBucketLogging' && answer.status === 200;
    if (changes) isOn = String(step.body).includes('<TargetBucket>');
    return isOf && wasOn && !changes;
  });
}

/** Records are delivered a second after the first of them, and deliveries take a moment. */
const deliveredMsMax = 15_000;
const lookMs = 500;

async function plainly(exchanges: readonly Exchange[], holdfast: Side): Promise<readonly Found[]> {
  const [source = '', logs = ''] = exchanges.map(({ step }) => step.path.slice(1));
  const expected = loggedOnes(exchanges, source);
  const idOf = ({ answer }: Exchange): string => answer.headers.get('x-amz-request-id') ?? '';
  let records = await recordsIn(holdfast, logs);
  for (
    let ms = 0;
    ms < deliveredMsMax && !expected.every((each) => records.has(idOf(each)));
    ms += lookMs
  ) {
    await delay(lookMs);
    records = await recordsIn(holdfast, logs);
  }
  return expected.flatMap((each): Found[] => {
    const { step } = each;
    const record = records.get(idOf(each));
    if (record === undefined)
      return [{ step, field: 'record', holdfast: 'none', documented: 'one' }];
    const documented = Object.entries(documentedOf(each, holdfast.url.host));
    const fields = record.size === fieldNames.length ? [] : [['fields', '26'] as const];
    return [...documented, ...fields].flatMap(([field, value]) => {
      const is = field === 'fields' ? String(record.size) : (record.get(field) ?? 'none');
      return is === value
        ? []
        : [{ step, field: `record ${field}`, holdfast: is, documented: value }];
    });
  });
}

export const logging: Family = {
  name: 'logging',
  keys,
  first: ({ buckets: [source, logs] }) => [
    { action: 'CreateBucket', method: 'PUT', path: `/${source}` },
    { action: 'CreateBucket', method: 'PUT', path: `/${logs}` },
    {
      ...{ action: 'PutLogPolicy', method: 'PUT', path: `/${logs}`, query: { policy: '' } },
      body: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            ...{ Effect: 'Allow', Principal: { Service: 'logging.s3.amazonaws.com' } },
            ...{ Action: 's3:PutObject', Resource: `arn:aws:s3:::${logs}/*` },
          },
        ],
      }),
    },
    {
      ...{ action: 'PutBucketLogging', method: 'PUT', path: `/${source}`, query: { logging: '' } },
      body: target(logs),
    },
  ],
  isAside: ({ action }) => action === 'PutBucketLogging',
  repair: (_, step) => takeAway(step),
  plainly,
  rules: [
    [10, configuration],
    [20, putObject],
    [22, ofObject('GetObject', 'GET')],
    [8, ofObject('HeadObject', 'HEAD')],
    [10, ofObject('DeleteObject', 'DELETE')],
    [8, listObjects],
    [4, somebody('alt', ofObject('GetObject', 'GET'))],
    [4, somebody('nobody', ofObject('GetObject', 'GET'))],
    [3, somebody('alt', listObjects)],
  ],
};
