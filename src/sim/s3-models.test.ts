// What the S3 workloads hold answers against: each model takes what may be and refuses what may not.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import { formatAccessRecord } from '../s3/protocol/access-record.ts';
import {
  accessModel,
  corsAnswer,
  mayList,
  type NewObject,
  type ObjectCall,
  putOutcome,
  type ReadCall,
  type Settings,
  viewsOf,
} from './access-settings.ts';
import { type EncryptionCall, encryptionModel } from './encryption-workload.ts';
import { isLinearizable, type Model } from './linearizability.ts';
import { faultOfRecord, parseRecord } from './logging-workload.ts';
import { faultOfAnswer, type PostForm } from './post-form.ts';
import { leastCounted, type MeasuredPut, mostCounted } from './quotas-workload.ts';
import {
  type Retention,
  type RetentionCall,
  retentionModel,
  type Seen,
} from './retention-workload.ts';
import { keyModel } from './s3-workload.ts';
import { faultOfUse } from './session-times.ts';
import { type TagsCall, tagsModel } from './tags-workload.ts';
import { type Acknowledged, ToldValue } from './told-value.ts';
import { type Absence, isFailed, mayMeet } from './trash-workload.ts';
import { type PageCall, pageModel, readsOf, type Shown, type Site } from './website-workload.ts';

/** One after the other. */
function inOrder<Call>(model: Model<string, Call>, calls: readonly Call[]): 'yes' | 'no' | string {
  const history = calls.map((call, at) => ({ call, calledAt: 2 * at, answeredAt: 2 * at + 1 }));
  return isLinearizable(history, '', model);
}

const put: TagsCall = { kind: 'put', etag: 'e', tags: 'a=1&b=2' };

const tagHistories: readonly (readonly [string, readonly TagsCall[], 'yes' | 'no'])[] = [
  ['tags of a put are read', [put, { kind: 'read', tags: 'a=1&b=2' }], 'yes'],
  ['and counted', [put, { kind: 'read', etag: 'e', count: 2 }], 'yes'],
  ['a wrong count', [put, { kind: 'read', etag: 'e', count: 1 }], 'no'],
  [
    'new tags keep the bytes',
    [put, { kind: 'tag', tags: '', absent: false }, { kind: 'read', etag: 'e', count: 0 }],
    'yes',
  ],
  [
    'tags that come back',
    [put, { kind: 'tag', tags: '', absent: false }, { kind: 'read', tags: 'a=1&b=2' }],
    'no',
  ],
  ['tags of nothing', [{ kind: 'tag', tags: 'a=1', absent: false }], 'no'],
  [
    'bytes that come back with tags',
    [put, { kind: 'remove' }, { kind: 'tag', tags: 'a=1', absent: false }],
    'no',
  ],
  [
    'a condition that was not asked',
    [put, { kind: 'put-if', expected: '', etag: 'f', tags: '', refused: false }],
    'no',
  ],
];

for (const [name, calls, verdict] of tagHistories)
  test(`tags: ${name}: ${verdict}`, () => equal(inOrder(tagsModel, calls), verdict));

const sealed: EncryptionCall = { kind: 'put', way: 'A', etag: 'e' };

const encryptionHistories: readonly (readonly [string, readonly EncryptionCall[], 'yes' | 'no'])[] =
  [
    ['the right key reads', [sealed, { kind: 'read', way: 'A', etag: 'e' }], 'yes'],
    ['another key is refused', [sealed, { kind: 'refused', shown: 'B' }], 'yes'],
    ['no key is refused', [sealed, { kind: 'refused', shown: 'none' }], 'yes'],
    ['the right key is refused', [sealed, { kind: 'refused', shown: 'A' }], 'no'],
    ['another key reads', [sealed, { kind: 'read', way: 'B', etag: 'e' }], 'no'],
    ['another key copies', [sealed, { kind: 'read-with', shown: 'B', etag: 'e' }], 'no'],
    ['no key copies', [sealed, { kind: 'read-with', shown: 'none', etag: 'e' }], 'no'],
    [
      'a key for what needs none',
      [
        { kind: 'put', way: 's3', etag: 'e' },
        { kind: 'refused', shown: 'A' },
      ],
      'yes',
    ],
    [
      'what was put encrypted is plain',
      [
        { kind: 'put', way: 's3', etag: 'e' },
        { kind: 'read', way: 'plain', etag: 'e' },
      ],
      'no',
    ],
  ];

for (const [name, calls, verdict] of encryptionHistories)
  test(`encryption: ${name}: ${verdict}`, () => equal(inOrder(encryptionModel, calls), verdict));

/** Heard of two after it was acknowledged, at once by whoever acknowledged it. */
function heardAt(gateway: string, now: number): (acknowledged: Acknowledged) => boolean {
  return (made) => now >= (made.gateway === gateway ? made.at : made.at + 2);
}

test('what was told may be the old or the new until everybody has heard, and then is the new', () => {
  const told = new ToldValue('old');
  const change = told.begin('new', 10);
  deepEqual(told.possible(heardAt('other', 9), 9), ['old']);
  deepEqual(told.possible(heardAt('other', 10), 11), ['old', 'new']);
  change.acknowledged = { at: 11, gateway: 'one', revision: 1 };
  deepEqual(told.possible(heardAt('other', 12), 12), ['old', 'new']);
  deepEqual(told.possible(heardAt('one', 12), 12), ['new']);
  deepEqual(told.possible(heardAt('other', 13), 13), ['new']);
});

test('what nobody acknowledged may be so until something later is', () => {
  const told = new ToldValue('old');
  told.begin('perhaps', 10);
  equal(told.isCertain, false);
  deepEqual(told.possible(heardAt('one', 99), 99), ['old', 'perhaps']);
  const change = told.begin('new', 100);
  change.acknowledged = { at: 101, gateway: 'one', revision: 1 };
  deepEqual(told.possible(heardAt('one', 101), 101), ['new']);
});

test('what was refused is no change', () => {
  const told = new ToldValue('old');
  told.forget(told.begin('new', 10));
  deepEqual(told.possible(heardAt('one', 99), 99), ['old']);
});

test('the last that was acknowledged has been heard of or not, whatever was begun since', () => {
  const told = new ToldValue('old');
  equal(told.isHeard(heardAt('other', 0)), true);
  told.begin('new', 10).acknowledged = { at: 11, gateway: 'one', revision: 1 };
  told.begin('perhaps', 12);
  equal(told.isHeard(heardAt('other', 12)), false);
  equal(told.isHeard(heardAt('one', 12)), true);
  equal(told.isHeard(heardAt('other', 13)), true);
});

/** Of one byte, asked then and let in a millisecond later. */
function putAt(calledAt: number, gateway = 'one', more: Partial<MeasuredPut> = {}): MeasuredPut {
  return {
    bucket: 'b',
    key: `k${calledAt}`,
    isPart: false,
    bytes: 1,
    gateway,
    calledAt,
    endedAt: calledAt + 1,
    outcome: 'there',
    deleteCalledAt: undefined,
    deletedAt: undefined,
    ...more,
  };
}

const gone = { deleteCalledAt: 20_001, deletedAt: 20_002 };
const asked = putAt(30_000);

const counts: readonly (readonly [string, MeasuredPut, number, number])[] = [
  ['what was there before any look', putAt(1000, 'other'), 1, 2],
  ['what another let in since', putAt(29_000, 'other'), 0, 2],
  ['what this one let in since, or while it looked', putAt(29_000), 0, 3],
  [
    'what was under way when a look may have begun',
    putAt(29_000, 'one', { endedAt: 29_500 }),
    0,
    3,
  ],
  ['what ended as it was asked', putAt(29_999, 'other'), 0, 2],
  ['what was deleted long ago', putAt(1000, 'one', gone), 0, 0],
  ['what may have been deleted', putAt(1000, 'one', { deleteCalledAt: 20_001 }), 0, 2],
  ['what was deleted since', putAt(1000, 'one', { ...gone, deletedAt: 29_000 }), 0, 2],
  ['what was refused', putAt(1000, 'one', { outcome: 'refused' }), 0, 0],
  ['a part of an upload', putAt(1000, 'one', { isPart: true }), 0, 0],
  ['what nobody answered', putAt(1000, 'other', { outcome: 'unknown', endedAt: undefined }), 0, 2],
];

for (const [name, other, least, most] of counts)
  test(`quotas: ${name} counts ${least} to ${most}`, () => {
    const puts = [other, asked];
    equal(
      leastCounted(asked, 'bucket', puts, ({ bytes }) => bytes),
      least,
    );
    equal(
      mostCounted(asked, 'bucket', puts, ({ bytes }) => bytes),
      most,
    );
  });

test('quotas: one look can not have missed both of two that this gateway let in one after the other', () => {
  const puts = [putAt(29_000), putAt(29_100), asked];
  equal(
    leastCounted(asked, 'bucket', puts, () => 1),
    1,
  );
});

test('quotas: who is asked may wait for a look that another request has begun', () => {
  const waiting = putAt(20_000, 'one', { endedAt: undefined, outcome: 'unknown' });
  const other = putAt(25_000, 'other');
  equal(
    leastCounted(asked, 'bucket', [other, asked], () => 1),
    1,
  );
  equal(
    leastCounted(asked, 'bucket', [waiting, other, asked], () => 1),
    0,
  );
});

/** Removed from 10 on, which was acknowledged at 20; brought back from 100 on, acknowledged at 110. */
const away: Absence = { from: 10, certainFrom: 20, certainUntil: 100, until: 110 };
const never = Number.POSITIVE_INFINITY;

const meetings: readonly (readonly [string, Absence, number, number, string])[] = [
  ['before it is removed', away, 1, 9, 'there'],
  ['while it is removed', away, 12, 15, 'there or away'],
  ['from before its removal on', away, 1, 50, 'there or away'],
  ['in the trash', away, 20, 99, 'away'],
  ['until it is brought back', away, 50, 101, 'there or away'],
  ['as it comes back', away, 105, 120, 'there or away'],
  ['after it is back', away, 111, 120, 'there'],
  [
    'whose removal nobody answered',
    { ...away, certainFrom: never, certainUntil: never, until: never },
    500,
    501,
    'there or away',
  ],
  ['that nobody brought back', { ...away, certainUntil: never, until: never }, 500, 501, 'away'],
];

for (const [name, absence, calledAt, answeredAt, expected] of meetings)
  test(`trash: a bucket ${name} is ${expected}`, () => {
    const possible = mayMeet([absence], { calledAt, answeredAt });
    equal(
      [possible.there && 'there', possible.away && 'away'].filter(Boolean).join(' or '),
      expected,
    );
  });

test('trash: a completion that failed says nothing of its bucket, whatever its status', () => {
  const failed = [
    [503, 'ServiceUnavailable', true],
    [200, 'ServiceUnavailable', true],
    [200, 'InternalError', true],
    [200, 'NoSuchBucket', false],
    [404, 'NoSuchUpload', false],
  ] as const;
  for (const [status, code, expected] of failed)
    equal(isFailed(answered(status, '', `<Error><Code>${code}</Code></Error>`)), expected, code);
  equal(isFailed(answered(200, '', '<CompleteMultipartUploadResult/>')), false);
});

const form: PostForm = {
  bucket: 'b',
  key: 'k',
  body: encodeUtf8('text'),
  flaw: undefined,
  answer: '201',
  isNamedByFile: false,
  pieceBytes: 9,
};

function answered(status: number, etag: string, body = '', location = '') {
  const headers = [
    ['etag', etag],
    ['location', location],
  ] as const;
  return { status, headers, body: encodeUtf8(body) };
}

const created = '<PostResponse><Bucket>b</Bucket><Key>k</Key></PostResponse>';
const denied = '<Error><Code>AccessDenied</Code></Error>';
const target = 'http://elsewhere.example/done?bucket=b&key=k';

const formAnswers: readonly (readonly [
  string,
  Partial<PostForm>,
  ReturnType<typeof answered>,
  'right' | 'wrong',
])[] = [
  ['a form that was taken', {}, answered(201, 'e', created), 'right'],
  ['another status than it asks for', {}, answered(204, 'e', created), 'wrong'],
  ['another file’s ETag', {}, answered(201, 'f', created), 'wrong'],
  ['another key', { key: 'other' }, answered(201, 'e', created), 'wrong'],
  ['a good form that was refused', {}, answered(403, '', denied), 'wrong'],
  ['a flaw that was refused', { flaw: 'other key' }, answered(403, '', denied), 'right'],
  ['a flaw refused as another', { flaw: 'too large' }, answered(403, '', denied), 'wrong'],
  ['a flaw that was let in', { flaw: 'expired' }, answered(201, 'e', created), 'wrong'],
  ['a redirect', { answer: 'redirect' }, answered(303, 'e', '', target), 'right'],
  ['a redirect elsewhere', { answer: 'redirect' }, answered(303, 'e', '', 'http://x/'), 'wrong'],
];

for (const [name, more, answer, verdict] of formAnswers)
  test(`forms: ${name} is ${verdict}`, () =>
    equal(faultOfAnswer({ ...form, ...more }, 'e', answer) === undefined, verdict === 'right'));

test('forms: what a form stored though it was refused is not linearizable', () => {
  equal(inOrder(keyModel, [{ kind: 'read', etag: 'of the form' }]), 'no');
});

const site: Site = { index: 'index.html', error: 'error.html' };
const seen: Shown = { status: 200, location: '', etag: 'e', code: '' };
const notFound: Shown = { status: 404, location: '', etag: '', code: '' };
const sentTo = (status: number, location: string): Shown => ({ ...notFound, status, location });

const visits: readonly (readonly [string, Site, string, Shown, string | undefined])[] = [
  ['its index', site, '/', seen, 'index.html=e'],
  ['an index below', site, '/a/', seen, 'a/index.html=e'],
  ['a page', site, '/a', seen, 'a=e'],
  ['the error document', site, '/a/', { ...seen, status: 404 }, 'a/index.html= error.html=e'],
  ['no error document', site, '/a/', notFound, 'a/index.html= error.html='],
  ['a page without its slash', site, '/a', sentTo(302, '/a/'), 'a= a/index.html?'],
  ['no page and no directory', site, '/a', notFound, 'a= a/index.html= error.html='],
  ['an error document it does not have', { index: 'i' }, '/', { ...seen, status: 404 }, undefined],
  [
    'no website',
    { index: undefined },
    '/',
    { ...notFound, code: 'NoSuchWebsiteConfiguration' },
    '',
  ],
  ['a page of no website', { index: undefined }, '/', seen, undefined],
  [
    'no website where there is one',
    site,
    '/',
    { ...notFound, code: 'NoSuchWebsiteConfiguration' },
    undefined,
  ],
  [
    'readers of old pages',
    { index: 'i', movesOld: true },
    '/old/x',
    sentTo(301, 'http://h/pages/x'),
    '',
  ],
  ['an old page', { index: 'i', movesOld: true }, '/old/x', seen, undefined],
  ['all readers', { index: '', allTo: 'o.example' }, '/x', sentTo(301, 'http://o.example/x'), ''],
  ['some readers', { index: '', allTo: 'o.example' }, '/x', seen, undefined],
  ['readers of nothing', { index: 'i', absentTo: 'p' }, '/', sentTo(302, 'http://h/p'), 'i='],
  ['readers elsewhere', { index: 'i', absentTo: 'p' }, '/', sentTo(302, 'http://h/q'), undefined],
];

for (const [name, configuration, path, shown, expected] of visits)
  test(`websites: ${name}: ${expected ?? 'can not be'}`, () => {
    const words = ([key, call]: readonly [string, PageCall]): string =>
      call.kind === 'is-there' ? `${key}?` : `${key}=${call.etag}`;
    equal(readsOf(configuration, path, 'h', shown)?.map(words).join(' '), expected);
  });

test('websites: a page is what was put', () => {
  const page: PageCall = { kind: 'put', etag: 'e' };
  equal(inOrder(pageModel, [page, { kind: 'read', etag: 'e' }, { kind: 'is-there' }]), 'yes');
  equal(inOrder(pageModel, [page, { kind: 'read', etag: '' }]), 'no');
  equal(inOrder(pageModel, [{ kind: 'is-there' }]), 'no');
});

const open: Settings = { block: 'none', policy: 'none', acl: 'private', ownership: 'none' };
const enforced: Settings = { ...open, ownership: 'BucketOwnerEnforced' };
const preferred: Settings = { ...open, ownership: 'BucketOwnerPreferred' };
const writable: Settings = { ...open, acl: 'public-read-write' };
const ofEve: NewObject = { etag: 'e', who: 'eve', acl: undefined };
const given: NewObject = { ...ofEve, acl: 'bucket-owner-full-control' };
const shown: NewObject = { ...ofEve, acl: 'public-read' };

const putsOfOthers: readonly (readonly [string, Settings, NewObject, string])[] = [
  ['whom nothing lets write', open, ofEve, 'denied'],
  ['whom the list of the bucket lets write', writable, ofEve, 'e/eve/private'],
  ['whom a list that is ignored lets write', { ...writable, block: 'block:I' }, ofEve, 'denied'],
  ['whom the policy lets write', { ...open, policy: 'user' }, ofEve, 'e/eve/private'],
  ['whom a public policy lets write', { ...open, policy: 'mixed' }, ofEve, 'e/eve/private'],
  ['in spite of a block', { ...open, policy: 'mixed', block: 'block:R' }, ofEve, 'denied'],
  ['where lists are off', { ...enforced, policy: 'user' }, ofEve, 'e/admin/private'],
  ['with a list where those are off', { ...enforced, policy: 'user' }, shown, 'unsupported'],
  ['with a list that changes nothing', { ...enforced, policy: 'user' }, given, 'e/admin/private'],
  ['given away', { ...preferred, policy: 'user' }, given, 'e/admin/private'],
  ['given half', { ...open, policy: 'user' }, given, 'e/eve/bucket-owner-full-control'],
  ['shown to anybody', { ...open, policy: 'user' }, shown, 'e/eve/public-read'],
  ['shown without the right to', { ...open, policy: 'mixed' }, shown, 'denied'],
  ['shown in spite of a block', { ...writable, block: 'block:A' }, shown, 'denied'],
  ['of nobody', writable, { ...ofEve, who: '' }, 'e/admin/private'],
];

for (const [name, settings, object, outcome] of putsOfOthers)
  test(`settings: a put of another user ${name}: ${outcome}`, () =>
    equal(putOutcome(settings, object), outcome));

function readOf(
  who: ReadCall['who'],
  possible: readonly Settings[],
  answer: ReadCall['answer'],
): ReadCall {
  const views = viewsOf(possible, who, 's3:GetObject');
  return { kind: 'read', who, action: 's3:GetObject', views, answer };
}

const publicObject: ObjectCall = { kind: 'put', results: ['e/eve/public-read'] };
const ofEither: ObjectCall = { kind: 'put', results: ['e/eve/private', 'e/admin/private'] };
const bytes = { kind: 'read', etag: 'e' } as const;
const refused = { kind: 'denied' } as const;
const ignored: Settings = { ...open, block: 'block:I' };

const readsOfOthers: readonly (readonly [string, readonly ObjectCall[], 'yes' | 'no'])[] = [
  ['anybody reads what is public', [publicObject, readOf('', [open], bytes)], 'yes'],
  ['and is refused by a block', [publicObject, readOf('', [ignored], refused)], 'yes'],
  ['let in by what is ignored', [publicObject, readOf('', [ignored], bytes)], 'no'],
  ['either way', [publicObject, readOf('', [open, ignored], refused)], 'yes'],
  ['refused without a block', [publicObject, readOf('', [open], refused)], 'no'],
  ['its writer where lists are off', [publicObject, readOf('eve', [enforced], bytes)], 'no'],
  ['the owner of the bucket', [publicObject, readOf('admin', [enforced], bytes)], 'yes'],
  ['the owner of another object', [ofEither, readOf('admin', [open], bytes)], 'yes'],
  [
    'two owners at once',
    [ofEither, readOf('admin', [open], bytes), readOf('eve', [open], bytes)],
    'no',
  ],
  [
    'a list by who does not own it',
    [
      ofEither,
      readOf('admin', [open], bytes),
      {
        kind: 'put-list',
        who: 'eve',
        acl: 'public-read',
        views: viewsOf([open], 'eve', 's3:PutObjectAcl'),
        answer: undefined,
      },
    ],
    'no',
  ],
  ['what is not there', [readOf('admin', [open], { kind: 'absent' })], 'yes'],
  ['what not everybody may hear of', [readOf('', [open], { kind: 'absent' })], 'no'],
];

for (const [name, calls, verdict] of readsOfOthers)
  test(`settings: ${name}: ${verdict}`, () => equal(inOrder(accessModel, calls), verdict));

test('settings: who may list is told by the list of the bucket, unless it is off or ignored', () => {
  const listed: Settings = { ...open, acl: 'authenticated-read' };
  deepEqual(
    [listed, { ...listed, block: 'block:I' }, enforced].map((each) => mayList(each, 'eve')),
    [true, false, false],
  );
  equal(mayList(listed, ''), false);
});

test('settings: a page is told of the first rule that fits', () => {
  const question = { origin: 'http://b.test', method: 'GET', isPreflight: false };
  equal(corsAnswer(0, question), 'none');
  equal(corsAnswer(1, question), 'none');
  equal(corsAnswer(2, question), '* GET x-amz-meta-2');
  equal(corsAnswer(3, question), 'http://b.test GET, DELETE x-amz-meta-3');
  equal(corsAnswer(2, { ...question, isPreflight: true }), 'http://b.test GET x-amz-meta-2');
});

const uses: readonly (readonly [number, number, 'let in' | 'expired', 'right' | 'wrong'])[] = [
  [10, 20, 'let in', 'right'],
  [10, 20, 'expired', 'wrong'],
  [99, 101, 'let in', 'right'],
  [99, 101, 'expired', 'right'],
  [100, 101, 'let in', 'wrong'],
  [100, 101, 'expired', 'right'],
];

for (const [calledMs, answeredMs, verdict, expected] of uses)
  test(`sessions: ${verdict} from ${calledMs} to ${answeredMs}, of one that ends at 100, is ${expected}`, () =>
    equal(
      faultOfUse({ expiresMs: 100, calledMs, answeredMs, verdict }) === undefined,
      expected === 'right',
    ));

const sealedUntil = (mode: Retention['mode'], untilMs: number): Retention => ({ mode, untilMs });
/** While every clock shows the same. */
const at = (ms: number): Seen => ({ leastMs: ms, mostMs: ms, mostEverMs: ms });
const keptBy = (retention: Retention): RetentionCall => ({
  kind: 'made',
  retention,
  seen: at(1),
});
const removed = (
  outcome: 'done' | 'locked' | undefined,
  seen: Seen | undefined,
  passesOver = false,
): RetentionCall => ({ kind: 'remove', passesOver, outcome, seen });
const kept = (
  retention: Retention,
  outcome: 'done' | 'locked' | undefined,
  seen: Seen | undefined,
  passesOver = false,
): RetentionCall => ({ kind: 'keep', retention, passesOver, outcome, seen });
const seenAs = (retention: Retention, seen: Seen, storageClass?: string): RetentionCall => ({
  kind: 'read',
  retention,
  storageClass,
  seen,
});
const governed = sealedUntil('GOVERNANCE', 100);
const compliant = sealedUntil('COMPLIANCE', 100);
const shorter = sealedUntil('COMPLIANCE', 50);
const free = sealedUntil('none', 0);

const retentionHistories: readonly (readonly [string, readonly RetentionCall[], 'yes' | 'no'])[] = [
  ['its time is over', [keptBy(compliant), removed('done', at(100))], 'yes'],
  ['its time is not over', [keptBy(compliant), removed('done', at(99))], 'no'],
  [
    'a clock may have been ahead',
    [keptBy(compliant), removed('done', { leastMs: 90, mostMs: 101, mostEverMs: 101 })],
    'yes',
  ],
  ['refused for no reason', [keptBy(compliant), removed('locked', at(100))], 'no'],
  ['refused in time', [keptBy(compliant), removed('locked', at(99))], 'yes'],
  ['governance is passed over', [keptBy(governed), removed('done', at(9), true)], 'yes'],
  ['compliance is not', [keptBy(compliant), removed('done', at(9), true)], 'no'],
  ['compliance is made longer', [keptBy(shorter), kept(compliant, 'done', at(9))], 'yes'],
  ['compliance is made shorter', [keptBy(compliant), kept(shorter, 'done', at(9), true)], 'no'],
  ['compliance is lifted', [keptBy(compliant), kept(free, 'done', at(9), true)], 'no'],
  ['governance is lifted without the right', [keptBy(governed), kept(free, 'done', at(9))], 'no'],
  ['a refusal to make longer', [keptBy(shorter), kept(compliant, 'locked', at(9))], 'no'],
  [
    'gone too early, by a delete without an answer',
    [keptBy(compliant), removed(undefined, undefined), { kind: 'read-absent', seen: at(99) }],
    'no',
  ],
  [
    'gone in time, by a delete without an answer',
    [keptBy(compliant), removed(undefined, undefined), { kind: 'read-absent', seen: at(100) }],
    'yes',
  ],
  [
    'shorter, by a change without an answer',
    [keptBy(compliant), kept(shorter, undefined, undefined, true), seenAs(shorter, at(60))],
    'no',
  ],
  ['gone by nobody', [keptBy(free), { kind: 'read-absent', seen: at(9) }], 'no'],
  ['moved by a rule', [keptBy(governed), { kind: 'move' }, seenAs(governed, at(9), 'COLD')], 'yes'],
  [
    'moved back',
    [
      keptBy(governed),
      { kind: 'move' },
      seenAs(governed, at(8), 'COLD'),
      seenAs(governed, at(9), 'STANDARD'),
    ],
    'no',
  ],
];

/** Without an answer where it has none to tell. */
function inOrderAsAnswered(calls: readonly RetentionCall[]): string {
  const history = calls.map((call, index) => {
    const isOpen = call.kind === 'move' || ('outcome' in call && call.outcome === undefined);
    return { call, calledAt: 2 * index, answeredAt: isOpen ? undefined : 2 * index + 1 };
  });
  return isLinearizable(history, '', retentionModel);
}

for (const [name, calls, verdict] of retentionHistories)
  test(`kept for a time: ${name}: ${verdict}`, () => equal(inOrderAsAnswered(calls), verdict));

const recordLine = formatAccessRecord({
  bucketOwner: 'admin',
  bucket: 'recorded',
  wallMs: 0,
  remoteIp: '10.0.0.1',
  requester: 'admin',
  requestId: 'F00D',
  operation: 'REST.GET.OBJECT',
  key: 'a key',
  method: 'GET',
  target: '/recorded/a%20key?x=1',
  status: 404,
  errorCode: 'NoSuchKey',
  bytesSent: 0,
  objectBytes: undefined,
  totalMs: 1.5,
  turnAroundMs: 1,
  referer: undefined,
  userAgent: 'request-7',
  versionId: undefined,
  hostId: 'h',
  signatureVersion: 'SigV4',
  authentication: 'AuthHeader',
  hostHeader: 'localhost',
  aclRequired: false,
}).slice(0, -1);

test('a record of a request is read as it was written, and one with a field less is none', () => {
  deepEqual(parseRecord(recordLine), {
    bucket: 'recorded',
    requestId: 'F00D',
    operation: 'REST.GET.OBJECT',
    key: 'a%20key',
    status: '404',
    userAgent: 'request-7',
  });
  equal(parseRecord(recordLine.slice(0, recordLine.lastIndexOf(' '))), undefined);
});

test('a record that tells another outcome, key or operation than the request had is wrong', () => {
  const record = parseRecord(recordLine);
  ok(record !== undefined);
  const answered = { at: 1, status: 404, id: 'F00D' };
  const request = { bucket: 'recorded', method: 'GET', key: 'a%20key', answered };
  equal(faultOfRecord(record, request), undefined);
  equal(faultOfRecord(record, { ...request, answered: undefined }), undefined);
  for (const wrong of [
    { bucket: 'other' },
    { method: 'HEAD' },
    { key: '-' },
    { answered: { ...answered, status: 200 } },
    { answered: { ...answered, id: 'BEEF' } },
  ])
    ok(faultOfRecord(record, { ...request, ...wrong })?.startsWith('tells '));
});
