// Objects, copies, versions, listings, uploads in parts, tags, access lists and what a bucket is configured with: everything
// that has no family of its own.

import { absentKey, type Draw, type Family, type Sequence, type StepDraft } from '../sequence.ts';

const keys: readonly string[] = ['a', 'b', 'c/1', 'c/2', 'c/d/3', 'z z', 'plus+', 'ü'];

function conditions(s: Sequence, chance: number): Record<string, string> {
  const { c } = s;
  const headers: Record<string, string> = {};
  if (c.percent(chance)) headers['if-match'] = s.etag();
  if (c.percent(chance)) headers['if-none-match'] = c.percent(80) ? s.etag() : '*';
  const dates = ['Thu, 01 Jan 2015 00:00:00 GMT', 'Fri, 01 Jan 2100 00:00:00 GMT'];
  if (c.percent(chance)) headers['if-modified-since'] = dates[0] as string;
  if (c.percent(chance)) headers['if-unmodified-since'] = c.of(dates);
  return headers;
}

function description(s: Sequence): Record<string, string> {
  const { c } = s;
  const headers: Record<string, string> = {};
  if (c.percent(50))
    headers['content-type'] = c.of(['text/plain', 'image/png', 'text/x; charset=utf-8']);
  if (c.percent(25)) headers['x-amz-meta-colour'] = c.of(['green', 'very blue']);
  if (c.percent(15)) headers['cache-control'] = 'max-age=5';
  if (c.percent(10)) headers['content-disposition'] = 'attachment; filename="a"';
  if (c.percent(10)) headers['content-encoding'] = 'x-none';
  if (c.percent(15)) headers['x-amz-tagging'] = c.of(['a=1', 'a=1&b=two', 'c=']);
  if (c.percent(10)) headers['x-amz-acl'] = c.of(['private', 'public-read', 'nonsense']);
  return headers;
}

const putObject: Draw = (s) => ({
  ...{ action: 'PutObject', method: 'PUT', path: s.object(), body: s.body() },
  headers: description(s),
});

export const ranges: readonly string[] = [
  ...['bytes=0-0', 'bytes=5-', 'bytes=-3', 'bytes=0-99999999', 'bytes=200000-', 'bytes=9-2'],
  ...['bytes=a', 'bytes=0-1,3-4'],
];

export const getObject =
  (method: 'GET' | 'HEAD'): Draw =>
  (s) => {
    const { c } = s;
    const { path, query } = s.version();
    const headers = conditions(s, 6);
    if (c.percent(30)) headers.range = c.of(ranges);
    if (method === 'GET' && c.percent(10)) query['response-content-type'] = 'text/x-other';
    if (method === 'GET' && c.percent(5)) query['response-cache-control'] = 'no-store';
    return { action: method === 'GET' ? 'GetObject' : 'HeadObject', method, path, query, headers };
  };

/** Percent-encoded. */
export function copySourceOf(s: Sequence): string {
  return s.object().split('/').map(encodeURIComponent).join('/');
}

const copyObject: Draw = (s) => {
  const { c } = s;
  const headers: Record<string, string> = { 'x-amz-copy-source': copySourceOf(s) };
  if (c.percent(50)) {
    headers['x-amz-metadata-directive'] = c.of(['COPY', 'REPLACE']);
    headers['x-amz-meta-colour'] = 'red';
  }
  if (c.percent(10)) headers['x-amz-copy-source-if-match'] = s.etag();
  if (c.percent(10)) headers['x-amz-copy-source-if-none-match'] = s.etag();
  return { action: 'CopyObject', method: 'PUT', path: s.object(), headers };
};

export const deleteObject: Draw = (s) => ({
  action: 'DeleteObject',
  method: 'DELETE',
  ...s.version(),
});

const deleteObjects: Draw = (s) => {
  const { c } = s;
  const objects = c.many(1, 4, () => `<Object><Key>${c.of([...keys, absentKey])}</Key></Object>`);
  const quiet = c.percent(30) ? '<Quiet>true</Quiet>' : '';
  const body = `<Delete>${quiet}${[...new Set(objects)].join('')}</Delete>`;
  return { action: 'DeleteObjects', method: 'POST', path: s.bucket(), query: { delete: '' }, body };
};

function page(s: Sequence): Record<string, string> {
  const { c } = s;
  const query: Record<string, string> = {};
  if (c.percent(40)) query.prefix = c.of(['', 'c/', 'c', 'z', 'x']);
  if (c.percent(40)) query.delimiter = c.of(['/', 'c']);
  if (c.percent(50)) query['max-keys'] = c.of(['0', '1', '2', '3', '1000', 'x', '-1']);
  if (c.percent(20)) query['encoding-type'] = 'url';
  return query;
}

const list: Draw = (s) => {
  const query = page(s);
  if (s.c.percent(30)) query.marker = s.c.of(['a', 'c/', 'c/1', 'z']);
  return { action: 'ListObjects', method: 'GET', path: s.bucket(), query };
};

export const listV2: Draw = (s) => {
  const query = { 'list-type': '2', ...page(s) };
  const more: Record<string, string> = s.c.percent(30)
    ? { 'start-after': s.c.of(['a', 'c/', 'z']) }
    : {};
  if (s.c.percent(20)) more['fetch-owner'] = 'true';
  return { action: 'ListObjectsV2', method: 'GET', path: s.bucket(), query: { ...query, ...more } };
};

export const listVersions: Draw = (s) => {
  const query: Record<string, string> = { versions: '', ...page(s) };
  if (s.c.percent(20)) query['key-marker'] = s.c.of(['a', 'c/', 'c/1']);
  return { action: 'ListObjectVersions', method: 'GET', path: s.bucket(), query };
};

const createUpload: Draw = (s) => ({
  ...{ action: 'CreateMultipartUpload', method: 'POST', path: s.object(), query: { uploads: '' } },
  headers: s.c.percent(50) ? { 'content-type': 'text/plain', 'x-amz-meta-colour': 'green' } : {},
});

/** Where nothing was begun, of an upload that nobody knows. */
function ofUpload(s: Sequence): { path: string; query: { uploadId: string } } {
  const upload = s.upload();
  if (upload === undefined) return { path: s.object(), query: { uploadId: 'none' } };
  return { path: upload.path, query: { uploadId: `{upload:${upload.name}}` } };
}

const uploadPart: Draw = (s) => {
  const { path, query } = ofUpload(s);
  const isKnown = query.uploadId !== 'none';
  const partNumber = s.c.of(isKnown ? ['1', '1', '2', '3', '0', '10001', 'x'] : ['1']);
  const body = s.c.percent(4) ? s.c.bytes(5 * 1024 * 1024) : s.body();
  return { action: 'UploadPart', method: 'PUT', path, query: { ...query, partNumber }, body };
};

const completeUpload: Draw = (s) => {
  const { c } = s;
  const upload = s.upload();
  const { path } = upload ?? { path: s.object() };
  const uploadId = upload === undefined ? 'none' : `{upload:${upload.name}}`;
  const parts = [...(upload?.parts ?? [])].sort(([a], [b]) => a - b).slice(0, c.of([1, 1, 2]));
  // What a list must not be without.
  if (parts.length === 0 || c.percent(10)) parts.push([7, '"00000000000000000000000000000000"']);
  const body = `<CompleteMultipartUpload>${parts
    .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
    .join('')}</CompleteMultipartUpload>`;
  return { action: 'CompleteMultipartUpload', method: 'POST', path, query: { uploadId }, body };
};

const listParts: Draw = (s) => {
  const { path, query } = ofUpload(s);
  const more: Record<string, string> = s.c.percent(40) ? { 'max-parts': '1' } : {};
  return { action: 'ListParts', method: 'GET', path, query: { ...query, ...more } };
};

const abortUpload: Draw = (s) => ({
  action: 'AbortMultipartUpload',
  method: 'DELETE',
  ...ofUpload(s),
});

export const listUploads: Draw = (s) => {
  const query: Record<string, string> = { uploads: '' };
  if (s.c.percent(30)) query['max-uploads'] = s.c.of(['1', '2']);
  if (s.c.percent(30)) query.prefix = 'c/';
  return { action: 'ListMultipartUploads', method: 'GET', path: s.bucket(), query };
};

const tags = (s: Sequence): string =>
  s.c.of([
    '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Key>b</Key><Value></Value></Tag><Tag><Key>c</Key><Value>d</Value></Tag></TagSet></Tagging>',
    '<Tagging><TagSet></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>',
    `<Tagging><TagSet><Tag><Key>${'k'.repeat(129)}</Key><Value>1</Value></Tag></TagSet></Tagging>`,
    '<Tagging><TagSet>',
  ]);

const documents: Readonly<Record<string, readonly string[]>> = {
  cors: [
    '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>',
    '<CORSConfiguration><CORSRule><ID>r</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><ExposeHeader>etag</ExposeHeader></CORSRule></CORSConfiguration>',
    '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>NONSENSE</AllowedMethod></CORSRule></CORSConfiguration>',
    '<CORSConfiguration></CORSConfiguration>',
  ],
  lifecycle: [
    '<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>10</Days></Expiration></Rule></LifecycleConfiguration>',
    '<LifecycleConfiguration><Rule><ID>r</ID><Prefix>x/</Prefix><Status>Disabled</Status><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>',
    '<LifecycleConfiguration><Rule><ID>r</ID><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>',
    '<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>x/</Prefix></Filter><Status>enabled</Status><Expiration><Days>10</Days></Expiration></Rule></LifecycleConfiguration>',
    '<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>0</Days></Expiration></Rule></LifecycleConfiguration>',
    '<LifecycleConfiguration><Rule><ID>r</ID><Filter></Filter><Status>Enabled</Status></Rule></LifecycleConfiguration>',
  ],
  versioning: [
    '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
    '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>',
    '<VersioningConfiguration><Status>nonsense</Status></VersioningConfiguration>',
  ],
};

const actionOf: Readonly<Record<string, string>> = {
  ...{ cors: 'BucketCors', lifecycle: 'BucketLifecycleConfiguration', tagging: 'BucketTagging' },
  ...{ versioning: 'BucketVersioning', policy: 'BucketPolicy' },
};

function policy(s: Sequence): string {
  const resource = `arn:aws:s3:::${s.c.of(s.buckets)}/*`;
  const statement = {
    Sid: 'x',
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: resource,
  };
  const text = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  return s.c.of([text, text, text, text.slice(5), '{}', text.replace('Allow', 'Perhaps')]);
}

const putDocument: Draw = (s) => {
  const { c } = s;
  const name = c.of(['cors', 'lifecycle', 'versioning', 'versioning', 'tagging', 'policy']);
  const body =
    name === 'tagging' ? tags(s) : name === 'policy' ? policy(s) : c.of(documents[name] ?? []);
  return {
    action: `Put${actionOf[name]}`,
    method: 'PUT',
    path: s.bucket(),
    query: { [name]: '' },
    body,
  };
};

const getDocument: Draw = (s) => {
  const name = s.c.of(Object.keys(actionOf));
  return { action: `Get${actionOf[name]}`, method: 'GET', path: s.bucket(), query: { [name]: '' } };
};

const deleteDocument: Draw = (s) => {
  const name = s.c.of(['cors', 'lifecycle', 'tagging', 'policy']);
  return {
    action: `Delete${actionOf[name]}`,
    method: 'DELETE',
    path: s.bucket(),
    query: { [name]: '' },
  };
};

const objectTagging: Draw = (s) => {
  const method = s.c.of(['PUT', 'GET', 'GET', 'DELETE']);
  const { path, query } = s.version();
  const action = `${{ PUT: 'Put', GET: 'Get', DELETE: 'Delete' }[method]}ObjectTagging`;
  const step = { action, method, path, query: { ...query, tagging: '' } };
  return method === 'PUT' ? { ...step, body: tags(s) } : step;
};

const acl: Draw = (s) => {
  const isObject = s.c.percent(60);
  const path = isObject ? s.object() : s.bucket();
  const level = isObject ? 'Object' : 'Bucket';
  if (s.c.percent(60)) return { action: `Get${level}Acl`, method: 'GET', path, query: { acl: '' } };
  const headers = {
    'x-amz-acl': s.c.of(['private', 'public-read', 'authenticated-read', 'nonsense']),
  };
  return { action: `Put${level}Acl`, method: 'PUT', path, query: { acl: '' }, headers };
};

const bucketItself: Draw = (s) => {
  const path = s.c.percent(90) ? s.bucket() : '/no-such-bucket-of-this-test';
  return s.c.of<() => StepDraft>([
    () => ({ action: 'HeadBucket', method: 'HEAD', path }),
    () => ({ action: 'GetBucketLocation', method: 'GET', path, query: { location: '' } }),
    () => ({ action: 'CreateBucket', method: 'PUT', path: s.bucket() }),
    () => ({
      action: 'GetBucketRequestPayment',
      method: 'GET',
      path,
      query: { requestPayment: '' },
    }),
  ])();
};

const preflight: Draw = (s) => ({
  ...{ action: 'Preflight', method: 'OPTIONS', path: s.object() },
  headers: {
    origin: s.c.of(['https://www.example.com', 'http://elsewhere.org']),
    'access-control-request-method': s.c.of(['GET', 'PUT', 'DELETE']),
  },
});

const rules: Family['rules'] = [
  [26, putObject],
  [16, getObject('GET')],
  [8, getObject('HEAD')],
  [10, copyObject],
  [9, deleteObject],
  [3, deleteObjects],
  [6, list],
  [8, listV2],
  [6, listVersions],
  [5, createUpload],
  [7, uploadPart],
  [5, completeUpload],
  [3, listParts],
  [2, abortUpload],
  [3, listUploads],
  [8, putDocument],
  [7, getDocument],
  [2, deleteDocument],
  [6, objectTagging],
  [5, acl],
  [3, bucketItself],
  [2, preflight],
];

export const objects: Family = { name: 'objects', keys, rules };
