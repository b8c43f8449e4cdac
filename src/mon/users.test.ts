// The directory of users: what the operator's commands make of it, and how it is kept.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Directory,
  decodeDirectory,
  directoryFault,
  emptyDirectory,
  encodeDirectory,
} from '../map/directory.ts';
import {
  findUser,
  withAccount,
  withAdmin,
  withAllKeys,
  withKey,
  withKeyState,
  withoutAccount,
  withoutUser,
  withQuota,
  withUser,
} from './users.ts';

const key = (id: string) => ({ accessKey: id, secretKey: `secret of ${id}` });
const user = (name: string, email = '') => ({ ...key(`K${name}`), name, email, isAdmin: false });

function someone(): Directory {
  const account = { ...key('KROOT'), id: '100000000001', name: 'shop', email: 'Shop@example.com' };
  return withAccount(withUser(emptyDirectory, user('ann', 'ann@example.com'), 5), account, 6);
}

test('users, accounts and keys come and go', () => {
  let directory = someone();
  equal(findUser(directory, '100000000001/shop').isRoot, true);
  throws(() => withUser(directory, user('Ann'), 7), /exists/);
  throws(() => withUser(directory, user('bob', 'SHOP@example.com'), 7), /another's/);
  throws(() => withUser(directory, user('123456789012'), 7), /twelve digits/);
  throws(() => withUser(directory, user('a b'), 7), /letters/);
  directory = withKey(directory, 'ann', key('K2'), 8);
  directory = withKeyState(directory, 'ann', 'Kann', 'inactive');
  const active = () => findUser(directory, 'ann').keys.map((each) => each.active);
  deepEqual(active(), [false, true]);
  directory = withAllKeys(directory, 'ann', false);
  deepEqual(active(), [false, false]);
  directory = withKeyState(withAllKeys(directory, 'ann', true), 'ann', 'Kann', 'removed');
  deepEqual(active(), [true]);
  throws(() => withKeyState(directory, 'ann', 'Kann', 'active'), /no key/);
  equal(findUser(withAdmin(directory, 'ann', true), 'ann').isAdmin, true);
  throws(() => withAdmin(directory, '100000000001/shop', true), /account/);
  throws(() => withoutUser(directory, '100000000001/shop'), /is the root of account/);
  equal(withoutAccount(directory, 'shop').users.length, 1);
  throws(() => findUser(withoutUser(directory, 'ann'), 'ann'), /no user/);
  throws(() => withoutAccount(directory, 'other'), /no account/);
});

test('quotas are set, replaced and removed, and go with their users', () => {
  const quota = { kind: 'user', name: 'ann', bytes: 10, objects: undefined } as const;
  let directory = withQuota(someone(), quota);
  directory = withQuota(directory, { ...quota, kind: 'bucket', name: 'photos' });
  directory = withQuota(directory, { ...quota, bytes: 20 });
  deepEqual(
    directory.quotas.map(({ name, bytes }) => [name, bytes]),
    [
      ['photos', 10],
      ['ann', 20],
    ],
  );
  deepEqual(decodeDirectory(encodeDirectory(directory)), directory);
  equal(withoutUser(directory, 'ann').quotas.length, 1);
  equal(withQuota(directory, { ...quota, bytes: undefined }).quotas.length, 1);
  throws(() => withQuota(directory, { ...quota, name: 'eve' }), /no user/);
  throws(() => withQuota(directory, { ...quota, kind: 'bucket', name: '/' }), /no bucket/);
});

test('a directory comes back from its bytes as it was, and nothing else does', () => {
  const directory = withKey(someone(), 'ann', key('K2'), 8);
  const bytes = encodeDirectory(directory);
  deepEqual(decodeDirectory(bytes), directory);
  for (let at = 0; at < bytes.length; at++) throws(() => decodeDirectory(bytes.subarray(0, at)));
  const newer = bytes.slice();
  newer[4] = 4;
  throws(() => decodeDirectory(newer), /format 4/);
  const older = encodeDirectory(someone()).slice(0, -1);
  older[4] = 1;
  deepEqual(decodeDirectory(older), someone(), 'one of before there were quotas');
  equal(bytes[4], 2, 'who knows of no topics reads what has none');
  const topic = {
    owner: 'ann',
    name: 'events',
    createdMs: 5,
    endpoint: 'http://events.example/',
    verifyTls: true,
    opaque: 'of ann',
    policy: '',
    keptSeconds: 60,
  };
  const withTopics = {
    ...directory,
    topics: [topic, { ...topic, owner: 'bob', keptSeconds: undefined }],
  };
  equal(encodeDirectory(withTopics)[4], 3);
  deepEqual(decodeDirectory(encodeDirectory(withTopics)), withTopics);
  deepEqual(withoutUser(withTopics, 'ann').topics, withTopics.topics.slice(1));
  equal(directoryFault({ ...directory, topics: [topic, topic] }), 'topic events of ann twice');
});

test('what contradicts itself is told', () => {
  const directory = someone();
  const [ann, root] = directory.users;
  equal(directoryFault(directory), undefined);
  for (const [change, words] of [
    [{ users: [ann, ann] }, 'user ann twice'],
    [{ users: [ann, { ...ann, name: 'bob' }] }, 'access key Kann twice'],
    [{ users: [{ ...ann, account: '100000000002' }] }, 'user ann of no account'],
    [{ users: [root, { ...ann, name: '100000000001' }] }, "user 100000000001 has an account's id"],
    [{ accounts: [...directory.accounts, ...directory.accounts] }, 'account 100000000001 twice'],
  ] as const) {
    const fault = directoryFault({ ...directory, ...(change as Partial<Directory>) });
    equal(fault?.startsWith(words), true, fault);
  }
});
