// The page of differences is the list that the differential test goes by.

import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  differencesPage,
  explanationOf,
  knownDifferences,
} from './differential/known-differences.ts';
import type { Step } from './differential/side.ts';

const page = join(
  dirname(fileURLToPath(import.meta.url)),
  ...['..', '..', 'docs', 'reference', 's3-differences.md'],
);

test('docs/reference/s3-differences.md is up to date', () => {
  if (process.env.UPDATE_REFERENCE === '1') writeFileSync(page, differencesPage());
  equal(readFileSync(page, 'utf8'), differencesPage(), 'UPDATE_REFERENCE=1 writes it anew');
});

test('whoever is called right is so by a line that is quoted', () => {
  const without = knownDifferences.filter(
    ({ right, quote }) => right !== 'both' && (quote === undefined || quote === ''),
  );
  deepEqual(
    without.map(({ title }) => title),
    ['Entries of listings have no `Type`'],
  );
});

function isExplained(
  family: string,
  draft: Omit<Step, 'name'>,
  statuses: string,
  peerHeaders: readonly (readonly [string, string])[] = [],
): boolean {
  const [holdfast = '', peer = ''] = statuses.split(' ');
  const difference = { field: 'status', holdfast, peer, statuses };
  const step = { ...draft, name: 's1' };
  return (
    explanationOf(family, step, { ...difference, peerHeaders: new Map(peerHeaders) }) !== undefined
  );
}

test('what explains one difference does not hide another beside it', () => {
  const prefix = 'x-amz-server-side-encryption-customer-';
  const read = {
    ...{ action: 'GetObject', method: 'GET', path: '/b/a' },
    headers: { [`${prefix}algorithm`]: 'AES256' },
  };
  equal(isExplained('encryption', read, '400 200'), true, 'a key for an object without one');
  const taken = [[`${prefix}algorithm`, 'AES256']] as const;
  equal(isExplained('encryption', read, '400 200', taken), false, 'the right key refused');
  equal(isExplained('object-lock', read, '400 200'), false, 'nor in another family');

  const remove = { action: 'DeleteObject', method: 'DELETE', path: '/x-a/k' };
  equal(isExplained('object-lock', remove, '204 403'), false, 'what is locked deleted');

  const website = (body: string) => ({
    ...{ action: 'PutBucketWebsite', method: 'PUT', path: '/b', query: { website: '' }, body },
  });
  const index = '<IndexDocument><Suffix>index.html</Suffix></IndexDocument>';
  const good = `<WebsiteConfiguration>${index}</WebsiteConfiguration>`;
  equal(isExplained('websites', website(good), '400 200'), false, 'a good configuration refused');
  equal(isExplained('websites', website('<Other/>'), '400 200'), true);

  const form = (policy: string) => ({
    ...{ action: 'PostObject', method: 'POST', path: '/b' },
    form: {
      ...{ fields: [['key', 'k']] as const, file: 'f', fileName: 'f', proof: 'v4' as const },
      policy,
    },
  });
  const policy = (expiration: string) =>
    JSON.stringify({
      expiration,
      conditions: [{ bucket: 'b' }, { key: 'k' }, { 'x-amz-date': '{date}' }],
    });
  equal(isExplained('forms', form(policy('2035-01-01T00:00:00Z')), '403 204'), false);
  equal(isExplained('forms', form(policy('2001-01-01T00:00:00Z')), '204 403'), false);

  const put = { action: 'PutObject', method: 'PUT', path: '/x-a/k', who: 'alt' as const };
  equal(isExplained('users', put, '200 403'), false, 'let in where the other service is not');
  const blocked = { ...put, facts: ['BlockPublicAcls'] };
  equal(isExplained('users', blocked, '200 403'), false);
  equal(isExplained('users', { ...blocked, who: 'main' }, '200 403'), true, 'its own bucket');
});

test('nor does it in sessions, where requesters pay, in quotas and in events', () => {
  const get = { action: 'GetObject', method: 'GET', path: '/x-a/k', who: 'alt' as const };
  const session = { name: 's1', use: 'whole' as const };
  equal(isExplained('sessions', { ...get, session }, '403 200'), false, 'a session kept out');
  const opened = { ...get, session, facts: ['opened to a user'] };
  equal(isExplained('sessions', opened, '403 200'), true, 'which is not that user');
  equal(isExplained('sessions', opened, '200 403'), false, 'let in where the other is not');
  const cut = { ...get, session: { name: 's1', use: 'cut-token' as const } };
  equal(isExplained('sessions', cut, '200 403'), false, 'with half a token');

  const paid = { ...get, facts: ['requester pays'] };
  equal(isExplained('request-payment', paid, '403 200'), true, 'who does not say so');
  equal(isExplained('request-payment', paid, '200 403'), false);
  const pays = { ...paid, headers: { 'x-amz-request-payer': 'requester' } };
  equal(isExplained('request-payment', pays, '403 200'), false, 'who pays kept out');
  equal(isExplained('request-payment', { ...paid, who: 'main' }, '403 200'), false, 'its own');

  const put = { action: 'PutObject', method: 'PUT', path: '/x-a/k', body: new Uint8Array(4096) };
  equal(isExplained('quotas', put, '200 403'), false, 'let in beyond a quota');
  equal(isExplained('quotas', put, '403 200'), false, 'kept out within it');

  const events = (action: string, holdfast: string, peer: string): boolean => {
    const difference = { field: 'events', holdfast, peer, statuses: '200 200' };
    const step = { ...put, action: `Events of ${action}`, name: 's1' };
    return (
      explanationOf('notifications', step, { ...difference, peerHeaders: new Map() }) !== undefined
    );
  };
  equal(events('PutObject', '', 'a1 k ObjectCreated:Put'), false, 'an event that is missing');
  equal(events('DeleteObject', 'a1 k ObjectRemoved:Delete', ''), false, 'one too many');
  equal(events('DeleteObject', '', 'a1 k ObjectRemoved:Delete'), true, 'nothing was there');
});
