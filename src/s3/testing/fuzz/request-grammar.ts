// Requests for every S3 action, before they are signed. Most are as a client would send them; some have another
// method, a parameter too many, a header of another action.

import { createHash } from 'node:crypto';
import { startChecksum } from '../../protocol/checksums.ts';
import { alice } from '../gateway-suite.ts';
import type { Choice } from './choice.ts';
import type { Known, Upload } from './known.ts';
import { loggingPolicy, policyText } from './policy-grammar.ts';
import * as values from './values.ts';
import { el, encodeXml, xmlBody } from './xml-grammar.ts';

export interface Draft {
  /** As the router names it, with the level before it: what it was meant to be. */
  readonly name: string;
  method: string;
  host: string;
  bucket: string;
  key: string;
  query: [name: string, value: string][];
  /** Values as latin-1, one character a byte. */
  headers: [name: string, value: string][];
  body: Uint8Array;
  /** Undefined: no header speaks of a body. */
  hasBody: boolean;
}

export interface GrammarState {
  readonly c: Choice;
  readonly known: Known;
}

type Fill = (draft: Draft, state: GrammarState) => void;

const algorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;

function header(draft: Draft, name: string, value: string): void {
  draft.headers.push([name, values.headerText(value)]);
}

function maybeHeader(
  draft: Draft,
  { c }: GrammarState,
  chance: number,
  name: string,
  make: () => string,
): void {
  if (c.percent(chance)) header(draft, name, make());
}

const conditionNames = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

function conditions(draft: Draft, state: GrammarState, prefix = ''): void {
  const { c, known } = state;
  for (const name of conditionNames)
    maybeHeader(draft, state, 3, `${prefix}${name}`, () =>
      name.endsWith('since') ? values.date(c) : values.etag(c, known.etags),
    );
}

const customerKey = Buffer.alloc(32, 7);

function customerHeaders(draft: Draft, { c }: GrammarState, prefix = 'x-amz-'): void {
  const name = `${prefix}server-side-encryption-customer`;
  header(draft, `${name}-algorithm`, c.percent(95) ? 'AES256' : values.text(c));
  header(draft, `${name}-key`, c.percent(95) ? customerKey.toString('base64') : values.text(c));
  const md5 = createHash('md5').update(customerKey).digest('base64');
  header(draft, `${name}-key-md5`, c.percent(95) ? md5 : values.text(c));
}

function newObject(draft: Draft, state: GrammarState): void {
  const { c } = state;
  maybeHeader(draft, state, 30, 'content-type', () => values.text(c));
  maybeHeader(draft, state, 15, 'x-amz-meta-a', () => values.text(c));
  maybeHeader(
    draft,
    state,
    1,
    `x-amz-meta-${values.headerText(values.text(c)).replace(/[^\w-]/g, '')}`,
    () => 'v',
  );
  maybeHeader(draft, state, 10, 'x-amz-tagging', () =>
    c.percent(70) ? 'a=1&b=two' : values.text(c),
  );
  maybeHeader(draft, state, 6, 'x-amz-acl', () =>
    c.of(['private', 'public-read', 'public-read-write', 'bucket-owner-full-control', 'x']),
  );
  maybeHeader(
    draft,
    state,
    3,
    `x-amz-grant-${c.of(['read', 'write', 'full-control', 'read-acp'])}`,
    () => c.of(['id=bob', 'id="alice", id=bob', 'uri=x', 'id=', ',', 'emailaddress=a@b']),
  );
  maybeHeader(draft, state, 4, 'x-amz-storage-class', () => c.of(['STANDARD', 'GLACIER', '']));
  maybeHeader(draft, state, 8, 'x-amz-server-side-encryption', () =>
    c.of(['AES256', 'aws:kms', 'AES256', 'x']),
  );
  maybeHeader(draft, state, 2, 'x-amz-server-side-encryption-aws-kms-key-id', () => 'key-1');
  if (c.percent(4)) customerHeaders(draft, state);
  maybeHeader(draft, state, 2, 'x-amz-website-redirect-location', () =>
    c.of(['/a', 'https://example.com/', values.text(c)]),
  );
  for (const name of ['cache-control', 'content-disposition', 'content-language', 'expires'])
    maybeHeader(draft, state, 3, name, () => values.text(c));
  maybeHeader(draft, state, 2, 'content-encoding', () =>
    c.of(['gzip', 'aws-chunked', values.text(c)]),
  );
  if (draft.bucket !== 'locked') return;
  maybeHeader(draft, state, 8, 'x-amz-object-lock-mode', () =>
    c.of(['GOVERNANCE', 'COMPLIANCE', 'x']),
  );
  maybeHeader(draft, state, 8, 'x-amz-object-lock-retain-until-date', () => values.date(c));
  maybeHeader(draft, state, 6, 'x-amz-object-lock-legal-hold', () => c.of(['ON', 'OFF', 'x']));
}

function bodyChecksum(draft: Draft, { c }: GrammarState): void {
  if (c.percent(8)) {
    const md5 = createHash('md5').update(draft.body).digest('base64');
    header(draft, 'content-md5', c.percent(80) ? md5 : c.of(['', 'x', 'AAAA', md5.slice(1)]));
  }
  if (!c.percent(12)) return;
  const algorithm = c.of(algorithms);
  const state = startChecksum(algorithm);
  state.update(draft.body);
  const value = c.percent(85) ? state.digest() : c.of(['', 'x', 'AAAAAA==', '////']);
  header(draft, `x-amz-checksum-${algorithm.toLowerCase()}`, value);
  if (c.percent(20)) header(draft, 'x-amz-sdk-checksum-algorithm', c.of([algorithm, 'MD4']));
}

/** Around where objects go from their index entry to blobs; seldom as large as a part must be. */
function objectBytes({ c }: GrammarState): Uint8Array {
  const length = c.weighted<number>([
    [50, c.below(200)],
    [6, 0],
    [8, c.between(16_380, 16_390)],
    [4, c.below(100_000)],
    [c.percent(5) ? 1 : 0, 5 * 1024 * 1024],
  ]);
  return new Uint8Array(length).fill(c.below(256));
}

const putObject: Fill = (draft, state) => {
  draft.body = objectBytes(state);
  draft.hasBody = true;
  newObject(draft, state);
  conditions(draft, state);
  bodyChecksum(draft, state);
  maybeHeader(draft, state, 1, 'x-amz-write-offset-bytes', () => values.count(state.c));
};

function copySource(draft: Draft, state: GrammarState): void {
  const { c, known } = state;
  const path = `${values.bucket(c)}/${values.key(c)}`;
  const version = c.percent(15) ? `?versionId=${known.versionIds.at(-1) ?? 'null'}` : '';
  const encoded = encodeURIComponent(path).replaceAll('%2F', '/');
  const source = c.percent(90) ? `${c.percent(50) ? '/' : ''}${encoded}${version}` : values.text(c);
  header(draft, 'x-amz-copy-source', source);
  conditions(draft, state, 'x-amz-copy-source-');
  if (c.percent(3)) customerHeaders(draft, state, 'x-amz-copy-source-');
}

const copyObject: Fill = (draft, state) => {
  const { c } = state;
  copySource(draft, state);
  newObject(draft, state);
  maybeHeader(draft, state, 50, 'x-amz-metadata-directive', () =>
    c.of(['COPY', 'REPLACE', 'REPLACE', 'x']),
  );
  maybeHeader(draft, state, 10, 'x-amz-tagging-directive', () => c.of(['COPY', 'REPLACE', 'x']));
};

function versionQuery(draft: Draft, { c, known }: GrammarState, chance: number): void {
  if (!c.percent(chance)) return;
  const id = known.versionIds.length > 0 && c.percent(75) ? c.of(known.versionIds) : undefined;
  draft.query.push(['versionId', id ?? c.of(['null', '', 'x', values.text(c)])]);
}

const getObject: Fill = (draft, state) => {
  const { c } = state;
  maybeHeader(draft, state, 25, 'range', () => values.range(c));
  maybeHeader(draft, state, 3, 'if-range', () => values.etag(c, state.known.etags));
  maybeHeader(draft, state, 10, 'x-amz-checksum-mode', () => c.of(['ENABLED', 'x']));
  if (c.percent(4)) customerHeaders(draft, state);
  conditions(draft, state);
  versionQuery(draft, state, 12);
  if (c.percent(8)) draft.query.push(['partNumber', values.count(c)]);
  for (const name of ['content-type', 'content-disposition', 'cache-control', 'expires'])
    if (c.percent(3)) draft.query.push([`response-${name}`, values.text(c)]);
};

const deleteObject: Fill = (draft, state) => {
  versionQuery(draft, state, 30);
  maybeHeader(draft, state, 4, 'if-match', () => values.etag(state.c, state.known.etags));
  maybeHeader(draft, state, 2, 'x-amz-if-match-size', () => values.count(state.c));
  maybeHeader(draft, state, 2, 'x-amz-if-match-last-modified-time', () => values.date(state.c));
  maybeHeader(draft, state, 30, 'x-amz-bypass-governance-retention', () => 'true');
};

const listing =
  (names: readonly string[]): Fill =>
  (draft, { c, known }) => {
    for (const name of names) {
      if (!c.percent(30)) continue;
      const isCount = name.startsWith('max-');
      const token = known.tokens.length > 0 && c.percent(50) ? c.of(known.tokens) : values.key(c);
      const value = isCount
        ? values.count(c)
        : name === 'delimiter'
          ? c.of(['/', '/', 'c', '', values.text(c)])
          : name === 'encoding-type'
            ? c.of(['url', 'url', 'x'])
            : name === 'prefix'
              ? c.of(['', 'c/', 'z', values.text(c)])
              : name === 'version-id-marker' && known.versionIds.length > 0
                ? c.of(known.versionIds)
                : name === 'fetch-owner' || name === 'allow-unordered'
                  ? c.of(['true', 'false', 'x'])
                  : token;
      draft.query.push([name, value]);
    }
  };

/** An upload that is there, under its own name, if there is one. */
function useUpload(draft: Draft, { c, known }: GrammarState, wanted?: string): Upload | undefined {
  const upload =
    known.uploads.find(({ id }) => id === wanted) ??
    (known.uploads.length > 0 && c.percent(92) ? c.of(known.uploads) : undefined);
  if (upload !== undefined) {
    draft.bucket = upload.bucket;
    draft.key = upload.key;
  }
  draft.query.push(['uploadId', upload?.id ?? values.text(c)]);
  return upload;
}

const uploadPart: Fill = (draft, state) => {
  const { c } = state;
  useUpload(draft, state);
  draft.query.push(['partNumber', c.percent(85) ? String(c.between(1, 4)) : values.count(c)]);
  draft.body = objectBytes(state);
  draft.hasBody = true;
  bodyChecksum(draft, state);
};

const uploadPartCopy: Fill = (draft, state) => {
  const { c } = state;
  useUpload(draft, state);
  draft.query.push(['partNumber', String(c.between(1, 4))]);
  copySource(draft, state);
  maybeHeader(draft, state, 40, 'x-amz-copy-source-range', () => values.range(c));
};

const completeUpload: Fill = (draft, state) => {
  const { c, known } = state;
  const upload = useUpload(draft, state, known.parts.at(-1)?.upload);
  const parts = known.parts.filter((part) => part.upload === upload?.id);
  const newest = new Map(parts.map((part) => [part.number, part]));
  // More than one can be completed only where all but the last are large.
  const chosen = [...newest.values()]
    .sort((a, b) => a.number - b.number)
    .slice(0, c.of([1, 1, 2, 4]));
  const nodes = chosen.map(({ number, etag }) =>
    el(
      'Part',
      el('PartNumber', String(number)),
      el('ETag', c.percent(95) ? etag : values.etag(c, known.etags)),
      c.maybe(5, () => el(`Checksum${c.of(algorithms)}`, values.text(c))),
    ),
  );
  if (c.percent(4)) nodes.reverse();
  draft.body = encodeXml(c, el('CompleteMultipartUpload', nodes));
  draft.hasBody = true;
  conditions(draft, state);
  maybeHeader(draft, state, 4, 'x-amz-mp-object-size', () => values.count(c));
  maybeHeader(draft, state, 4, 'x-amz-checksum-type', () =>
    c.of(['FULL_OBJECT', 'COMPOSITE', 'x']),
  );
};

const xml =
  (root: string): Fill =>
  (draft, state) => {
    const { c, known } = state;
    draft.body = xmlBody(root, {
      c,
      owner: alice.name,
      versionIds: known.versionIds,
      etags: known.etags,
    });
    draft.hasBody = true;
    bodyChecksum(draft, state);
    maybeHeader(draft, state, 20, 'content-type', () => 'application/xml');
    maybeHeader(draft, state, 30, 'x-amz-bypass-governance-retention', () => 'true');
  };

const then =
  (...fills: readonly Fill[]): Fill =>
  (draft, state) => {
    for (const fill of fills) fill(draft, state);
  };

const putAcl: Fill = (draft, state) => {
  const { c } = state;
  if (c.percent(50)) xml('AccessControlPolicy')(draft, state);
  else {
    header(draft, 'x-amz-acl', c.of(['private', 'public-read', 'authenticated-read', 'x']));
    draft.hasBody = c.percent(50);
  }
};

const putPolicy: Fill = (draft, { c }) => {
  const isOfLogs = c.percent(25);
  if (isOfLogs) draft.bucket = 'logs';
  draft.body = new TextEncoder().encode(isOfLogs ? loggingPolicy : policyText(c, 'bucket'));
  draft.hasBody = true;
};

/** One that objects seldom are in, so that it can be deleted. */
const spare: Fill = (draft, { c }) => {
  if (c.percent(40)) draft.bucket = 'spare';
};

const createBucket: Fill = (draft, state) => {
  const { c } = state;
  spare(draft, state);
  if (c.percent(20)) xml('CreateBucketConfiguration')(draft, state);
  if (draft.bucket === 'locked') header(draft, 'x-amz-bucket-object-lock-enabled', 'true');
  maybeHeader(draft, state, 10, 'x-amz-object-ownership', () =>
    c.of(['ObjectWriter', 'BucketOwnerPreferred', 'BucketOwnerEnforced', 'x']),
  );
  maybeHeader(draft, state, 5, 'x-amz-acl', () => c.of(['private', 'public-read', 'x']));
};

const nothing: Fill = () => {};

const asPreflight: Fill = (draft, state) => {
  const { c } = state;
  header(draft, 'origin', c.of(['https://www.example.com', 'null', values.text(c)]));
  header(draft, 'access-control-request-method', c.of(['GET', 'PUT', 'X', '']));
  maybeHeader(draft, state, 50, 'access-control-request-headers', () =>
    c.of(['x-a, x-b', values.text(c)]),
  );
};

/** Weight, name, subresource parameters by name, what else it has. */
type Rule = readonly [weight: number, name: string, fill?: Fill];

const listNames = ['prefix', 'delimiter', 'marker', 'max-keys', 'encoding-type', 'allow-unordered'];
const listV2Names = [
  ...['prefix', 'delimiter', 'continuation-token', 'start-after', 'max-keys', 'encoding-type'],
  'fetch-owner',
];
const listVersionsNames = [
  ...['prefix', 'delimiter', 'key-marker', 'version-id-marker', 'max-keys', 'encoding-type'],
];
const listUploadsNames = [
  ...['prefix', 'delimiter', 'key-marker', 'upload-id-marker', 'max-uploads', 'encoding-type'],
];

const bucketRules: readonly Rule[] = [
  [14, 'PUT', createBucket],
  [2, 'HEAD'],
  [3, 'DELETE', spare],
  [6, 'GET', listing(listNames)],
  [8, 'GET', then((draft) => draft.query.push(['list-type', '2']), listing(listV2Names))],
  [6, 'GET versions', listing(listVersionsNames)],
  [4, 'GET uploads', listing(listUploadsNames)],
  [8, 'POST delete', xml('Delete')],
  [3, 'OPTIONS', asPreflight],
  ...(
    [
      ['acl', undefined],
      ['cors', 'CORSConfiguration'],
      ['encryption', 'ServerSideEncryptionConfiguration'],
      ['lifecycle', 'LifecycleConfiguration'],
      ['logging', 'BucketLoggingStatus'],
      ['notification', 'NotificationConfiguration'],
      ['object-lock', 'ObjectLockConfiguration'],
      ['ownershipControls', 'OwnershipControls'],
      ['publicAccessBlock', 'PublicAccessBlockConfiguration'],
      ['requestPayment', 'RequestPaymentConfiguration'],
      ['tagging', 'Tagging'],
      ['versioning', 'VersioningConfiguration'],
      ['website', 'WebsiteConfiguration'],
    ] as const
  ).flatMap(([name, root]): readonly Rule[] => [
    [3, `PUT ${name}`, root === undefined ? putAcl : xml(root)],
    [3, `GET ${name}`],
  ]),
  [3, 'PUT policy', putPolicy],
  ...[
    ...['cors', 'encryption', 'lifecycle', 'ownershipControls', 'publicAccessBlock', 'tagging'],
    ...['notification', 'website', 'policy', 'policy', 'policy'],
  ].map((name): Rule => [1, `DELETE ${name}`]),
  ...[
    ...['accelerate', 'location', 'policyStatus', 'replication'],
    ...['inventory', 'metrics', 'session', 'abac'],
  ].map((name): Rule => [1, `GET ${name}`]),
  [8, 'POST logging'],
  [4, 'GET policy'],
];

const objectRules: readonly Rule[] = [
  [30, 'PUT', putObject],
  [10, 'PUT', copyObject],
  [20, 'GET', getObject],
  [6, 'HEAD', getObject],
  [8, 'DELETE', deleteObject],
  [
    8,
    'POST uploads',
    then(newObject, (draft, state) => {
      const { c } = state;
      draft.hasBody = c.percent(50);
      maybeHeader(draft, state, 20, 'x-amz-checksum-algorithm', () => c.of([...algorithms, 'MD4']));
      maybeHeader(draft, state, 10, 'x-amz-checksum-type', () =>
        c.of(['FULL_OBJECT', 'COMPOSITE']),
      );
    }),
  ],
  [9, 'PUT uploadId', uploadPart],
  [3, 'PUT uploadId', uploadPartCopy],
  [6, 'POST uploadId', completeUpload],
  [2, 'DELETE uploadId', (draft, state) => void useUpload(draft, state)],
  [
    3,
    'GET uploadId',
    (draft, state) => {
      useUpload(draft, state);
      listing(['max-parts', 'part-number-marker', 'encoding-type'])(draft, state);
    },
  ],
  [
    4,
    'GET attributes',
    (draft, state) => {
      const { c } = state;
      const wanted = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize', 'x'];
      header(draft, 'x-amz-object-attributes', c.many(1, 6, () => c.of(wanted)).join(','));
      maybeHeader(draft, state, 20, 'x-amz-max-parts', () => values.count(c));
      versionQuery(draft, state, 10);
    },
  ],
  [3, 'PUT tagging', then(xml('Tagging'), (draft, state) => versionQuery(draft, state, 15))],
  [2, 'GET tagging', (draft, state) => versionQuery(draft, state, 15)],
  [1, 'DELETE tagging', nothing],
  [3, 'PUT acl', putAcl],
  [2, 'GET acl', (draft, state) => versionQuery(draft, state, 15)],
  [3, 'PUT retention', xml('Retention')],
  [3, 'GET retention', nothing],
  [5, 'PUT legal-hold', xml('LegalHold')],
  [4, 'GET legal-hold', nothing],
  [1, 'OPTIONS', asPreflight],
  [1, 'POST restore', nothing],
  [1, 'GET torrent', nothing],
];

const lockNames = /retention|legal-hold|object-lock/;

function emptyDraft(name: string, state: GrammarState, level: 'bucket' | 'object'): Draft {
  const { c } = state;
  const [method = '', subresource] = name.split(' ');
  const wantsLock = lockNames.test(name) && c.percent(80);
  return {
    name: `${level} ${name}`,
    method,
    host: 'localhost',
    bucket: wantsLock ? 'locked' : values.bucket(c),
    key: level === 'object' ? values.key(c) : '',
    query: subresource === undefined || subresource === 'uploadId' ? [] : [[subresource, '']],
    headers: [],
    body: new Uint8Array(0),
    hasBody: false,
  };
}

const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'get', 'X'];

/** Something that does not belong there. */
function disturb(draft: Draft, state: GrammarState): void {
  const { c } = state;
  switch (c.below(7)) {
    case 0:
      draft.method = c.of(methods);
      return;
    case 1:
      draft.query.push([values.text(c), values.text(c)]);
      return;
    case 2:
      draft.query.push(c.of(draft.query.length > 0 ? draft.query : [['acl', '']]));
      return;
    case 3:
      draft.query.push([
        c.of(['acl', 'uploads', 'versionId', 'partNumber', 'list-type', 'website']),
        values.count(c),
      ]);
      return;
    case 4:
      header(
        draft,
        c.of([
          'x-amz-acl',
          'x-amz-security-token',
          'expect',
          'x-amz-expected-bucket-owner',
          'x-amz-a',
          'cookie',
        ]),
        values.text(c),
      );
      return;
    case 5:
      draft.hasBody = !draft.hasBody;
      return;
    default:
      draft.headers.push(...draft.headers.slice(0, 2));
  }
}

/** Where the bucket stands in the host's name, as S3 or as a website. */
function chooseHost(draft: Draft, { c }: GrammarState): void {
  if (c.percent(5)) draft.host = `${draft.bucket}.s3.test`;
  else if (c.percent(4)) draft.host = `${draft.bucket}.web.test`;
  else if (c.percent(1))
    draft.host = c.of(['', '.s3.test', 's3.test', 'web.test:80', 'ü.web.test']);
  draft.host = values.headerText(draft.host);
  if (c.percent(4)) header(draft, 'origin', c.of(['https://www.example.com', values.text(c)]));
}

const serviceRules: readonly Rule[] = [
  [1, 'GET'],
  [1, 'POST'],
  [1, 'DELETE'],
];

export function draftRequest(state: GrammarState): Draft {
  const { c } = state;
  const level = c.weighted<'service' | 'bucket' | 'object'>([
    [2, 'service'],
    [40, 'bucket'],
    [58, 'object'],
  ]);
  const rules = { service: serviceRules, bucket: bucketRules, object: objectRules }[level];
  const [, name, fill] = c.weighted(rules.map((rule) => [rule[0], rule] as const));
  const draft = emptyDraft(name, state, level === 'object' ? 'object' : 'bucket');
  if (level === 'service') draft.bucket = '';
  fill?.(draft, state);
  if (c.spoils(15)) disturb(draft, state);
  chooseHost(draft, state);
  return draft;
}
