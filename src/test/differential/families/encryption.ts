// Server-side encryption: keys of the customer's, of the service's and named ones, good and spoilt, for objects, copies and
// uploads in parts, and what a bucket encrypts by default.

import { createHash } from 'node:crypto';
import type { Choice } from '../../../s3/testing/fuzz/choice.ts';
import { type Draw, type Family, type Sequence, takeAway } from '../sequence.ts';
import { copySourceOf, deleteObject, listUploads, listV2, ranges } from './objects.ts';

type Headers = Record<string, string>;

const keys: readonly string[] = ['a', 'b', 'c/1', 'ü'];

const customerKeys = ['1', '2'].map((digit) => Buffer.alloc(32, digit));

function md5Of(key: Uint8Array): string {
  return createHash('md5').update(key).digest('base64');
}

/** Of the customer's key, mostly one of two, and sometimes spoilt. */
function customer(c: Choice, prefix: string): Headers {
  const key = c.of([customerKeys[0], customerKeys[0], customerKeys[1]] as Buffer[]);
  const headers: Headers = {
    [`${prefix}algorithm`]: 'AES256',
    [`${prefix}key`]: key.toString('base64'),
    [`${prefix}key-md5`]: md5Of(key),
  };
  if (!c.percent(15)) return headers;
  return c.of<() => Headers>([
    () => ({ ...headers, [`${prefix}algorithm`]: c.of(['AES128', 'aes256', '']) }),
    () => ({ ...headers, [`${prefix}key-md5`]: md5Of(Buffer.from('other')) }),
    () => ({ ...headers, [`${prefix}key-md5`]: 'none' }),
    () => ({ ...headers, [`${prefix}key`]: c.of(['', '!', key.toString('hex')]) }),
    () => {
      const short = key.subarray(0, 16);
      return {
        ...headers,
        [`${prefix}key`]: short.toString('base64'),
        [`${prefix}key-md5`]: md5Of(short),
      };
    },
    () => {
      const { [`${prefix}${c.of(['algorithm', 'key', 'key-md5'])}`]: _, ...rest } = headers;
      return rest;
    },
  ])();
}

const sse = 'x-amz-server-side-encryption';
const customerPrefix = `${sse}-customer-`;
const sourcePrefix = `x-amz-copy-source-${sse.slice('x-amz-'.length)}-customer-`;

function named(c: Choice): Headers {
  const headers: Headers = { [sse]: 'aws:kms' };
  if (c.percent(90)) headers[`${sse}-aws-kms-key-id`] = c.of(['testkey-1', 'testkey-2', 'unknown']);
  return headers;
}

/** What a request to store something asks for. */
function wanted(s: Sequence): Headers {
  const { c } = s;
  return c.weighted<() => Headers>([
    [30, () => ({})],
    [38, () => customer(c, customerPrefix)],
    [10, () => ({ [sse]: 'AES256' })],
    [12, () => named(c)],
    [3, () => ({ [sse]: c.of(['nonsense', '', 'aes256']) })],
    [3, () => ({ [`${sse}-aws-kms-key-id`]: 'testkey-1' })],
    [4, () => ({ ...customer(c, customerPrefix), [sse]: c.of(['AES256', 'aws:kms']) })],
  ])();
}

/** What a request to read says: mostly a key, which may be another than the object's, or be needless. */
function shown(s: Sequence): Headers {
  const { c } = s;
  if (c.percent(45)) return {};
  if (c.percent(4)) return { [sse]: c.of(['AES256', 'aws:kms']) };
  return customer(c, customerPrefix);
}

const putObject: Draw = (s) => ({
  ...{ action: 'PutObject', method: 'PUT', path: s.object(), body: s.body() },
  headers: { ...wanted(s), ...(s.c.percent(20) ? { 'x-amz-meta-colour': 'green' } : {}) },
});

const readObject =
  (method: 'GET' | 'HEAD'): Draw =>
  (s) => {
    const headers = shown(s);
    if (s.c.percent(25)) headers.range = s.c.of(ranges);
    return {
      ...{ action: method === 'GET' ? 'GetObject' : 'HeadObject', method },
      ...{ path: s.object(), headers },
    };
  };

const copyObject: Draw = (s) => {
  const { c } = s;
  const headers: Headers = { 'x-amz-copy-source': copySourceOf(s), ...wanted(s) };
  if (c.percent(45)) Object.assign(headers, customer(c, sourcePrefix));
  if (c.percent(30)) headers['x-amz-metadata-directive'] = 'REPLACE';
  return { action: 'CopyObject', method: 'PUT', path: s.object(), headers };
};

const createUpload: Draw = (s) => ({
  ...{ action: 'CreateMultipartUpload', method: 'POST', path: s.object() },
  ...{ query: { uploads: '' }, headers: wanted(s) },
});

/** Mostly as the upload was begun; else with another key, or without. */
const uploadPart: Draw = (s) => {
  const { c } = s;
  const upload = s.upload();
  if (upload === undefined) return createUpload(s);
  const begun = Object.entries(upload.headers).filter(([name]) => name.startsWith(customerPrefix));
  const headers = c.percent(75) ? Object.fromEntries(begun) : shown(s);
  const query = { uploadId: `{upload:${upload.name}}`, partNumber: c.of(['1', '1', '2']) };
  return {
    action: 'UploadPart',
    method: 'PUT',
    path: upload.path,
    query,
    headers,
    body: s.body(),
  };
};

const completeUpload: Draw = (s) => {
  const upload = s.upload();
  const [part] = [...(upload?.parts ?? [])];
  if (upload === undefined || part === undefined) return uploadPart(s);
  const [number, etag] = part;
  const body = `<CompleteMultipartUpload><Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
  return {
    ...{ action: 'CompleteMultipartUpload', method: 'POST', path: upload.path, body },
    query: { uploadId: `{upload:${upload.name}}` },
  };
};

function rule(inner: string): string {
  return `<ServerSideEncryptionConfiguration><Rule>${inner}</Rule></ServerSideEncryptionConfiguration>`;
}

function byDefault(inner: string): string {
  return rule(`<ApplyServerSideEncryptionByDefault>${inner}</ApplyServerSideEncryptionByDefault>`);
}

const defaults: readonly string[] = [
  byDefault('<SSEAlgorithm>AES256</SSEAlgorithm>'),
  byDefault('<SSEAlgorithm>AES256</SSEAlgorithm>'),
  byDefault('<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>testkey-1</KMSMasterKeyID>'),
  byDefault('<SSEAlgorithm>nonsense</SSEAlgorithm>'),
  byDefault('<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>testkey-1</KMSMasterKeyID>'),
  byDefault(''),
  rule('<BucketKeyEnabled>true</BucketKeyEnabled>'),
  '<ServerSideEncryptionConfiguration></ServerSideEncryptionConfiguration>',
  '<ServerSideEncryptionConfiguration><Rule>',
  '',
];

/** Not deleted: radosgw knows no such thing, and would delete the bucket. */
const bucketEncryption: Draw = (s) => {
  const at = { path: s.bucket(), query: { encryption: '' } };
  if (s.c.percent(50)) return { action: 'GetBucketEncryption', method: 'GET', ...at };
  return { action: 'PutBucketEncryption', method: 'PUT', ...at, body: s.c.of(defaults) };
};

export const encryption: Family = {
  name: 'encryption',
  keys,
  // radosgw copies without.
  diverges: ({ action, headers }, status) =>
    status < 400 &&
    (action === 'PutBucketEncryption' ||
      (action === 'CopyObject' && Object.keys(headers ?? {}).some((name) => name.startsWith(sse)))),
  repair: (_, step) => (step.action === 'PutBucketEncryption' ? undefined : takeAway(step)),
  rules: [
    [26, putObject],
    [26, readObject('GET')],
    [12, readObject('HEAD')],
    [10, copyObject],
    [6, createUpload],
    [8, uploadPart],
    [6, completeUpload],
    [4, deleteObject],
    [1, bucketEncryption],
    [2, listV2],
    [1, listUploads],
  ],
};
