// Lifecycle rules on single versions: what is due, and what is not.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  abortHeaders,
  checkNewRules,
  expirationHeader,
  formatLifecycle,
  type JudgedVersion,
  judgeUpload,
  judgeVersion,
  parseLifecycle,
  withTransitionMinimum,
} from './lifecycle.ts';

const dayMs = 86_400_000;

function rulesOf(...rules: readonly string[]) {
  const xml = rules
    .map((rule, i) => `<Rule><ID>r${i}</ID><Status>Enabled</Status>${rule}</Rule>`)
    .join('');
  const body = Buffer.from(`<LifecycleConfiguration>${xml}</LifecycleConfiguration>`);
  return parseLifecycle(body, () => 'made', ['STANDARD', 'COLD', 'FROZEN']);
}

const version: JudgedVersion = {
  key: 'logs/a',
  sizeBytes: 100,
  wallMs: 0,
  tags: [{ name: 'kind', value: 'log' }],
  storageClass: 'STANDARD',
  isMarker: false,
  isSole: true,
  noncurrent: undefined,
};

function act(rules: ReturnType<typeof rulesOf>, days: number, more: Partial<JudgedVersion> = {}) {
  const action = judgeVersion(rules, { ...version, ...more }, { nowMs: days * dayMs, dayMs });
  return action.kind === 'transition' ? action.storageClass : action.kind;
}

test('a version expires after its days, rounded up to midnight', () => {
  const rules = rulesOf('<Filter/><Expiration><Days>3</Days></Expiration>');
  equal(act(rules, 2.9), 'keep');
  equal(act(rules, 3), 'expire');
  equal(act(rules, 3.5, { wallMs: 1 }), 'keep');
  equal(act(rules, 4, { wallMs: 1 }), 'expire');
});

test('filters are prefix, tags and sizes, all of them', () => {
  const tagged = rulesOf(
    '<Filter><And><Prefix>logs/</Prefix><Tag><Key>kind</Key><Value>log</Value></Tag><ObjectSizeGreaterThan>99</ObjectSizeGreaterThan><ObjectSizeLessThan>101</ObjectSizeLessThan></And></Filter><Expiration><Days>1</Days></Expiration>',
  );
  equal(act(tagged, 9), 'expire');
  equal(act(tagged, 9, { key: 'log' }), 'keep');
  equal(act(tagged, 9, { tags: [] }), 'keep');
  equal(act(tagged, 9, { sizeBytes: 99 }), 'keep');
  equal(act(tagged, 9, { sizeBytes: 101 }), 'keep');
});

test('noncurrent versions go by when they became so, and the newest of them may stay', () => {
  const rules = rulesOf(
    '<Filter/><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>',
  );
  const noncurrent = (sinceDays: number, newerCount: number) => ({
    isSole: false,
    noncurrent: { sinceMs: sinceDays * dayMs, newerCount },
  });
  equal(act(rules, 9), 'keep');
  equal(act(rules, 9, noncurrent(7, 0)), 'keep');
  equal(act(rules, 9, noncurrent(7, 1)), 'remove');
  equal(act(rules, 9, noncurrent(8, 1)), 'keep');
});

test('a delete marker goes when nothing is left under it', () => {
  const rules = rulesOf(
    '<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>',
  );
  equal(act(rules, 0, { isMarker: true }), 'remove');
  equal(act(rules, 0, { isMarker: true, isSole: false }), 'keep');
  equal(act(rules, 0), 'keep');
});

test('the last transition that is due decides, and expiration goes before it', () => {
  const to = (days: number, name: string) =>
    `<Transition><Days>${days}</Days><StorageClass>${name}</StorageClass></Transition>`;
  const rules = rulesOf(
    `<Filter/>${to(1, 'COLD')}${to(5, 'FROZEN')}<Expiration><Days>9</Days></Expiration>`,
  );
  deepEqual(
    [0, 1, 4, 5, 9].map((days) => act(rules, days)),
    ['keep', 'COLD', 'COLD', 'FROZEN', 'expire'],
  );
  equal(act(rules, 2, { storageClass: 'COLD' }), 'keep');
});

test('uploads are given up by when they began', () => {
  const rules = rulesOf(
    '<Filter><Prefix>up/</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
  );
  const times = { nowMs: 2 * dayMs, dayMs };
  equal(judgeUpload(rules, { key: 'up/x', wallMs: dayMs }, times), true);
  equal(judgeUpload(rules, { key: 'up/x', wallMs: dayMs + 1 }, times), false);
  equal(judgeUpload(rules, { key: 'x', wallMs: 0 }, times), false);
});

test('uploads and delete markers have no tags to go by', () => {
  const tag = '<Tag><Key>k</Key><Value>v</Value></Tag>';
  const size = '<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>';
  const abort =
    '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>';
  const marker =
    '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>';
  for (const [filter, action] of [
    [tag, abort],
    [size, abort],
    [tag, marker],
  ])
    throws(
      () => checkNewRules(rulesOf(`<Filter>${filter}</Filter>${action}`)),
      /cannot be specified with tags/,
    );
  checkNewRules(rulesOf(`<Filter><Prefix>a</Prefix></Filter>${abort}${marker}`));
  const kept = rulesOf(`<Filter>${tag}</Filter>${abort}`);
  const times = { nowMs: 9 * dayMs, dayMs };
  equal(judgeUpload(kept, { key: 'x', wallMs: 0 }, times), false, 'one that was put before');
});

test('what was put is given back, and what is wrong is refused', () => {
  const rules = rulesOf(
    '<Prefix>a</Prefix><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>',
    '<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>COLD</StorageClass></NoncurrentVersionTransition>',
  );
  deepEqual(
    parseLifecycle(formatLifecycle(rules), () => '', ['COLD']),
    rules,
  );
  for (const wrong of [
    '<Filter/>',
    '<Filter/><Prefix>x</Prefix><Expiration><Days>1</Days></Expiration>',
    '<Filter/><Expiration><Days>0</Days></Expiration>',
    '<Filter/><Expiration><Date>2030-01-01T05:00:00Z</Date></Expiration>',
    '<Filter/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>',
    '<Filter/><Transition><Days>1</Days><StorageClass>GONE</StorageClass></Transition>',
  ])
    throws(() => rulesOf(wrong), wrong);
});

test('the header names the day and the rule', () => {
  const rules = rulesOf('<Filter/><Expiration><Days>1</Days></Expiration>');
  deepEqual(expirationHeader(rules, { ...version, wallMs: 5 }), [
    ['x-amz-expiration', 'expiry-date="Sat, 03 Jan 1970 00:00:00 GMT", rule-id="r0"'],
  ]);
  deepEqual(expirationHeader(undefined, version), []);
});

test('small objects are moved by rules that speak of sizes, and by others where the bucket says so', () => {
  const kib = 1024;
  const move = '<Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>';
  const plain = rulesOf(`<Filter/>${move}`);
  const above = '<Filter><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></Filter>';
  const bySize = rulesOf(`${above}${move}`);
  const small = { sizeBytes: 128 * kib - 1 };
  for (const [value, expected] of [
    [undefined, 'COLD'],
    ['varies_by_storage_class', 'COLD'],
    ['all_storage_classes_128K', 'keep'],
  ] as const) {
    equal(act(withTransitionMinimum(plain, value), 2, small), expected, value);
    equal(act(withTransitionMinimum(plain, value), 2, { sizeBytes: 128 * kib }), 'COLD');
    equal(act(withTransitionMinimum(bySize, value), 2, small), 'COLD');
  }
  const noncurrent = { ...small, noncurrent: { sinceMs: 0, newerCount: 0 } };
  const old = rulesOf(
    '<Filter/><NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>COLD</StorageClass></NoncurrentVersionTransition>',
  );
  equal(act(old, 2, noncurrent), 'COLD');
  equal(act(withTransitionMinimum(old, 'all_storage_classes_128K'), 2, noncurrent), 'keep');
  const expires = rulesOf('<Filter/><Expiration><Days>1</Days></Expiration>');
  equal(act(withTransitionMinimum(expires, 'all_storage_classes_128K'), 2, small), 'expire');
  throws(() => withTransitionMinimum(plain, '128K'), /must be one of/);
});

test('an upload is told of the soonest rule that gives it up', () => {
  const abort = (days: number, prefix: string) =>
    `<Filter><Prefix>${prefix}</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>${days}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`;
  const rules = rulesOf(abort(5, ''), abort(2, 'logs/'), abort(1, 'other/'));
  deepEqual(abortHeaders(rules, { key: 'logs/a', wallMs: 1 }), [
    ['x-amz-abort-date', 'Sun, 04 Jan 1970 00:00:00 GMT'],
    ['x-amz-abort-rule-id', 'r1'],
  ]);
  const disabled = rules.map((rule) => ({ ...rule, enabled: false }));
  deepEqual(abortHeaders(disabled, { key: 'logs/a', wallMs: 1 }), []);
  deepEqual(abortHeaders(undefined, { key: 'logs/a', wallMs: 1 }), []);
});
