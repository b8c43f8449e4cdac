// Object lock: a bucket's configuration and default, retention and legal hold of versions, who may pass over governance, and
// deletes of what is locked. One bucket has it, the other has not.

import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import type { Draw, Family, Sequence } from '../sequence.ts';
import { copySourceOf, getObject, listVersions } from './objects.ts';

type Headers = Record<string, string>;

const keys: readonly string[] = ['a', 'b', 'c/1'];

/** Days apart from each other and from now, so that answers can be compared by the day. */
const dates: readonly string[] = [
  '2031-03-04T05:06:07Z',
  '2033-05-06T07:08:09Z',
  '2035-01-02T03:04:05.000Z',
];

const badDates: readonly string[] = ['2001-01-01T00:00:00Z', 'nonsense', '', '2031-03-04'];

function dateOf(c: Choice): string {
  return c.percent(88) ? c.of(dates) : c.of(badDates);
}

function modeOf(c: Choice): string {
  return c.percent(92)
    ? c.of(['GOVERNANCE', 'GOVERNANCE', 'COMPLIANCE'])
    : c.of(['nonsense', 'governance', '']);
}

function statusOf(c: Choice): string {
  return c.percent(90) ? c.of(['ON', 'OFF']) : c.of(['nonsense', 'on', '']);
}

/** Of a request to store something. */
function locked(s: Sequence, chance = 45): Headers {
  const { c } = s;
  if (!c.percent(chance)) return {};
  const headers: Headers = {};
  if (c.percent(75)) {
    headers['x-amz-object-lock-mode'] = modeOf(c);
    headers['x-amz-object-lock-retain-until-date'] = dateOf(c);
    if (c.percent(8))
      delete headers[`x-amz-object-lock-${c.of(['mode', 'retain-until-date'] as const)}`];
  }
  if (c.percent(40)) headers['x-amz-object-lock-legal-hold'] = statusOf(c);
  return headers;
}

function bypass(c: Choice, chance: number): Headers {
  return c.percent(chance)
    ? { 'x-amz-bypass-governance-retention': c.of(['true', 'true', 'true', 'false', 'True']) }
    : {};
}

const putObject: Draw = (s) => ({
  ...{ action: 'PutObject', method: 'PUT', path: s.object() },
  ...{ body: s.c.bytes(s.c.of([0, 11, 1000])), headers: locked(s) },
});

const copyObject: Draw = (s) => ({
  ...{ action: 'CopyObject', method: 'PUT', path: s.object() },
  headers: {
    'x-amz-copy-source': copySourceOf(s),
    'x-amz-metadata-directive': 'REPLACE',
    ...locked(s, 25),
  },
});

const deleteObject: Draw = (s) => ({
  ...{ action: 'DeleteObject', method: 'DELETE', ...s.version(85) },
  headers: bypass(s.c, 35),
});

const deleteObjects: Draw = (s) => {
  const { c } = s;
  const bucket = s.bucket();
  const objects = c.many(1, 3, () => {
    const { path, query } = s.version(85);
    const version =
      query.versionId === undefined ? '' : `<VersionId>${query.versionId}</VersionId>`;
    const key = path.split('/').slice(2).join('/');
    return `<Object><Key>${key}</Key>${version}</Object>`;
  });
  return {
    ...{ action: 'DeleteObjects', method: 'POST', path: bucket, query: { delete: '' } },
    ...{ body: `<Delete>${[...new Set(objects)].join('')}</Delete>`, headers: bypass(c, 35) },
  };
};

function element(name: string, value: string | undefined): string {
  return value === undefined ? '' : `<${name}>${value}</${name}>`;
}

const retention: Draw = (s) => {
  const { c } = s;
  const { path, query } = s.version(70);
  const at = { path, query: { ...query, retention: '' } };
  if (c.percent(40)) return { action: 'GetObjectRetention', method: 'GET', ...at };
  const mode = c.percent(95) ? element('Mode', modeOf(c)) : '';
  const until = c.percent(95) ? element('RetainUntilDate', dateOf(c)) : '';
  const body = c.percent(95)
    ? `<Retention>${mode}${until}</Retention>`
    : c.of(['', '<Retention></Retention>', '<Retention><Mode>', '<Other/>']);
  return { action: 'PutObjectRetention', method: 'PUT', ...at, body, headers: bypass(c, 35) };
};

const legalHold: Draw = (s) => {
  const { c } = s;
  const { path, query } = s.version(70);
  const at = { path, query: { ...query, 'legal-hold': '' } };
  if (c.percent(40)) return { action: 'GetObjectLegalHold', method: 'GET', ...at };
  const body = c.percent(92)
    ? `<LegalHold>${element('Status', statusOf(c))}</LegalHold>`
    : c.of(['', '<LegalHold></LegalHold>', '<LegalHold><Status>ON', '<Other/>']);
  return { action: 'PutObjectLegalHold', method: 'PUT', ...at, body };
};

function lockOf(enabled: string | undefined, rule: string): string {
  return `<ObjectLockConfiguration>${element('ObjectLockEnabled', enabled)}${rule}</ObjectLockConfiguration>`;
}

function defaultOf(...inner: readonly string[]): string {
  return element('Rule', element('DefaultRetention', inner.join('')));
}

function configurationOf(c: Choice): string {
  const mode = element('Mode', modeOf(c));
  const count = c.of(['1', '30', '100', '0', '-1', 'x', '', '1.5', '36501']);
  const good = defaultOf(element('Mode', 'GOVERNANCE'), element('Days', '10'));
  return c.of([
    lockOf('Enabled', good),
    lockOf('Enabled', good),
    lockOf('Enabled', ''),
    lockOf('Enabled', defaultOf(mode, element('Years', '2'))),
    lockOf('Enabled', defaultOf(mode, element(c.of(['Days', 'Years']), count))),
    lockOf('Enabled', defaultOf(mode, element('Days', '1'), element('Years', '1'))),
    lockOf('Enabled', defaultOf(mode)),
    lockOf('Enabled', defaultOf(element('Days', '1'))),
    lockOf('Enabled', element('Rule', '')),
    lockOf(c.of(['Disabled', 'enabled', '']), good),
    lockOf(undefined, good),
    '<ObjectLockConfiguration><ObjectLockEnabled>',
    '',
  ]);
}

const configuration: Draw = (s) => {
  const at = { path: s.bucket(), query: { 'object-lock': '' } };
  if (s.c.percent(45)) return { action: 'GetObjectLockConfiguration', method: 'GET', ...at };
  const body = configurationOf(s.c);
  return { action: 'PutObjectLockConfiguration', method: 'PUT', ...at, body };
};

const versioning: Draw = (s) => {
  const status = s.c.of(['Enabled', 'Suspended', 'Suspended']);
  return {
    ...{ action: 'PutBucketVersioning', method: 'PUT', path: s.bucket() },
    query: { versioning: '' },
    body: `<VersioningConfiguration>${element('Status', status)}</VersioningConfiguration>`,
  };
};

const createUpload: Draw = (s) => ({
  ...{ action: 'CreateMultipartUpload', method: 'POST', path: s.object() },
  ...{ query: { uploads: '' }, headers: locked(s, 40) },
});

const goOnWithUpload: Draw = (s) => {
  const upload = s.upload();
  if (upload === undefined) return createUpload(s);
  const { path } = upload;
  const uploadId = `{upload:${upload.name}}`;
  const [part] = [...upload.parts];
  if (part === undefined)
    return {
      ...{ action: 'UploadPart', method: 'PUT', path, body: 'part' },
      query: { uploadId, partNumber: '1' },
    };
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part[1]}</ETag></Part></CompleteMultipartUpload>`;
  return { action: 'CompleteMultipartUpload', method: 'POST', path, query: { uploadId }, body };
};

export const objectLock: Family = {
  name: 'object-lock',
  keys,
  first: (s) => [
    {
      ...{ action: 'CreateBucket', method: 'PUT', path: `/${s.buckets[0]}` },
      headers: { 'x-amz-bucket-object-lock-enabled': 'true' },
    },
    { action: 'CreateBucket', method: 'PUT', path: `/${s.buckets[1]}` },
  ],
  // radosgw copies without, and makes uploads without.
  diverges: ({ action, headers }, status) =>
    status < 400 &&
    /^(CopyObject|CreateMultipartUpload)$/.test(action) &&
    Object.keys(headers ?? {}).some((name) => name.startsWith('x-amz-object-lock-')),
  rules: [
    [26, putObject],
    [10, getObject('GET')],
    [8, getObject('HEAD')],
    [4, copyObject],
    [14, deleteObject],
    [5, deleteObjects],
    [20, retention],
    [14, legalHold],
    [8, configuration],
    [3, versioning],
    [3, listVersions],
    [2, createUpload],
    [4, goOnWithUpload],
  ],
};
