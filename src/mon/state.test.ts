// What a monitor reads from its map store: also of earlier versions, and nothing of other clusters and newer versions.

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { encode, list, struct, text, u32, uint } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import { describeError } from '../net/session.ts';
import { defaultPools, initialState } from './initial.ts';
import type { MapStore } from './map-store.ts';
import { loadState, type MonState, putsFor } from './state.ts';
import { withoutUser } from './users.ts';

const fsid = '0123456789abcdef0123456789abcdef' as Uuid;
const uuids = ['1', '2', '3'].map((digit) => digit.repeat(32) as Uuid);

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

function newState(): MonState {
  return initialState({
    fsid,
    disks: uuids.map((uuid, i) => ({ uuid, host: `host-${i}`, capacityBytes: 2 ** 30 })),
    pools: defaultPools(3),
    users: [],
    nonce: () => 'nonce',
    storeId: 'f'.repeat(32) as Uuid,
  });
}

function loadFrom(store: Store, cluster = fsid): Promise<MonState | undefined> {
  return loadState(store as unknown as MapStore, cluster, () => uuids[0] as Uuid);
}

test('a store of before there was a directory is read, and written anew with the first change', async () => {
  const state = newState();
  const store = new Store();
  await store.transact(putsFor(undefined, state));
  store.values.delete('directory');
  const users = struct({
    magic: u32,
    version: uint,
    users: list(struct({ name: text, accessKey: text, secretKey: text })),
  });
  const old = [
    { name: 'admin', accessKey: 'K1', secretKey: 'S1' },
    { name: 'ann', accessKey: 'K2', secretKey: 'S2' },
  ];
  const value = encode(users, { magic: 0x564d4648, version: 1, users: old });
  store.values.set('users', { value, revision: 1 });
  const load = () => loadFrom(store);
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

test('a store of another cluster, or of a newer format, is refused and left alone', async () => {
  const store = new Store();
  await store.transact(putsFor(undefined, newState()));
  const before = new Map(store.values);
  equal((await loadFrom(store))?.map.fsid, fsid);
  const other = 'e'.repeat(32) as Uuid;
  const words = new RegExp(`belongs to cluster ${fsid}, and this is ${other}`);
  await rejects(loadFrom(store, other), { name: 'MonError', message: words });
  for (const [name, { value, revision }] of before) {
    const newer = value.slice();
    // The format's number follows the four bytes of the magic.
    newer[4] = 99;
    store.values.set(name, { value: newer, revision });
    await rejects(loadFrom(store), (error) => /format 99[,;]/.test(describeError(error)));
    store.values.set(name, { value, revision });
  }
  deepEqual(store.values, before);
});
