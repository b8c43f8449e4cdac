// The directory of users: what the operator's commands make of it, and how it is kept.

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { encode, list, struct, text, u32, uint } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import {
  type Directory,
  decodeDirectory,
  directoryFault,
  emptyDirectory,
  encodeDirectory,
} from '../map/directory.ts';
import { defaultPools, initialState } from './initial.ts';
import type { MapStore } from './map-store.ts';
import { loadState, putsFor } from './state.ts';
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

class Store {
  readonly values = new Map<string, { value: Uint8Array; revision: number }>();
  revision = 1;

  async readAll() {
    return this.values;
  }

  async transact(puts: ReturnType<typeof putsFor>): Promise<number> {
    this.revision++;
    for (const { key: name, value } of puts)
      if (value === undefined) this.values.delete(name);
      else this.values.set(name, { value, revision: this.revision });
    return this.revision;
  }
}

test('a store of before there was a directory is read, and written anew with the first change', async () => {
  const fsid = '0123456789abcdef0123456789abcdef' as Uuid;
  const uuids = ['1', '2', '3'].map((digit) => digit.repeat(32) as Uuid);
  const state = initialState({
    fsid,
    disks: uuids.map((uuid, i) => ({ uuid, host: `host-${i}`, capacityBytes: 2 ** 30 })),
    pools: defaultPools(3),
    users: [],
    nonce: () => 'nonce',
    storeId: 'f'.repeat(32) as Uuid,
  });
  const store = new Store();
  await store.transact(putsFor(undefined, state));
  store.values.delete('directory');
  const users = struct({
    magic: u32,
    version: uint,
    users: list(struct({ name: text, accessKey: text, secretKey: text })),
  });
  const old = [
    { name: 'admin', ...key('K1') },
    { name: 'ann', ...key('K2') },
  ];
  const value = encode(users, { magic: 0x564d4648, version: 1, users: old });
  store.values.set('users', { value, revision: 1 });
  const load = () => loadState(store as unknown as MapStore, fsid, () => uuids[0] as Uuid);
  const before = await load();
  if (before === undefined) throw new Error('nothing was read');
  deepEqual(
    before.directory.users.map(({ name, isAdmin, keys }) => [name, isAdmin, keys[0]?.id]),
    [
      ['admin', true, 'K1'],
      ['ann', false, 'K2'],
    ],
  );
  const edited = withoutUser(before.directory, 'ann');
  const directory = { ...edited, revision: before.directory.revision + 1 };
  await store.transact(putsFor(before, { ...before, directory }));
  equal(store.values.has('users'), false);
  deepEqual((await load())?.directory, directory);
});
