import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeUtf8, formatHex } from '../base/bytes.ts';
import { encode } from '../base/codec.ts';
import type { BlockDevice } from '../env/block-device.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import type { BatchOperation } from '../env/key-value.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { StoreError } from './errors.ts';
import {
  encodeSuperblock,
  extentKeysBegin,
  formatVersion,
  frameValue,
  headCodec,
  headKey,
  headSlots,
  identityKey,
} from './format.ts';
import { storeKey } from './keys.ts';
import { ObjectStore, reserveBytes } from './object-store.ts';
import {
  applyToModel,
  dataFor,
  expectSame,
  type ModelState,
  randomOperations,
  readAll,
  superblockForTests,
  transactionOf,
} from './store-suite.ts';
import { Transaction } from './transaction.ts';

const utf8 = encodeUtf8;
const capacityBytes = 64 * 1024 * 1024;
const at = 'pg.1';

async function formatted(seed = 1): Promise<SimulatedFiles> {
  const files = new SimulatedFiles({ random: new SeededRandom(seed) });
  await ObjectStore.format(files, superblockForTests);
  return files;
}

function open(files: Files): Promise<ObjectStore> {
  return ObjectStore.open(files, { capacityBytes });
}

/** Closes and opens again. */
async function restart(store: ObjectStore, files: Files): Promise<ObjectStore> {
  await store.close();
  return open(files);
}

function change(build: (transaction: Transaction) => void): Transaction {
  const transaction = new Transaction();
  build(transaction);
  return transaction;
}

function putting(key: string, value: string): Transaction {
  return change((transaction) => transaction.put(at, utf8(key), utf8(value)));
}

function storing(name: string, data: Uint8Array): Transaction {
  return change((transaction) => transaction.putObject(at, utf8(name), utf8('h'), [data]));
}

function removing(...names: string[]): Transaction {
  return change((transaction) => {
    for (const name of names) transaction.removeObject(at, utf8(name));
  });
}

const wholeObject = [0, Number.MAX_SAFE_INTEGER] as const;

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('opening', () => {
  test('a new folder is empty, a formatted one says whose it is', async () => {
    const files = new SimulatedFiles({ random: new SeededRandom(1) });
    deepEqual(await ObjectStore.inspect(files), { kind: 'empty' });
    await rejects(open(files), { code: 'not-formatted' });
    deepEqual(await files.list(''), [], 'a refused opening leaves nothing behind');
    await ObjectStore.format(files, superblockForTests);
    const superblock = superblockForTests;
    deepEqual(await ObjectStore.inspect(files), { kind: 'formatted', superblock });
    const store = await open(files);
    deepEqual(store.superblock, superblock);
    equal(store.sequence, 0);
  });

  test('a folder that has a store, or its remains, is not formatted', async () => {
    const files = await formatted();
    await rejects(ObjectStore.format(files, superblockForTests), { code: 'already-formatted' });
    await files.remove('superblock');
    await rejects(ObjectStore.format(files, superblockForTests), { code: 'already-formatted' });
    await files.remove('superblock.copy');
    await rejects(ObjectStore.format(files, superblockForTests), { code: 'already-formatted' });
    equal((await ObjectStore.inspect(files)).kind, 'unreadable');
  });

  test('either copy of the superblock is enough, and the other is written again', async () => {
    for (const damaged of ['superblock', 'superblock.copy'])
      for (let bit = 0; bit < 8; bit++) {
        const files = await formatted();
        const good = await files.read(damaged, 1000);
        files.flipBit(damaged, bit * 9, bit);
        const store = await open(files);
        deepEqual(store.superblock, superblockForTests);
        deepEqual(await files.read(damaged, 1000), good);
      }
  });

  test('with both copies damaged nothing is opened, formatted or changed', async () => {
    const files = await formatted();
    files.flipBit('superblock', 20, 1);
    files.flipBit('superblock.copy', 30, 2);
    const changes = files.changeCount;
    await rejects(open(files), { code: 'superblock-corrupt' });
    await rejects(ObjectStore.format(files, superblockForTests), { code: 'already-formatted' });
    equal((await ObjectStore.inspect(files)).kind, 'unreadable');
    equal(files.changeCount, changes);
  });

  test('a newer format is refused untouched, also when only the copy is newer', async () => {
    for (const path of ['superblock', 'superblock.copy']) {
      const files = await formatted();
      const newer = { ...superblockForTests, formatVersion: formatVersion + 1 };
      await files.writeAtomic(path, encodeSuperblock(newer));
      const changes = files.changeCount;
      await rejects(open(files), { code: 'newer-format' });
      equal(files.changeCount, changes);
    }
  });

  test('a lost or foreign key-value store is corrupt, never an empty store', async () => {
    const files = await formatted();
    await files.remove('meta');
    await rejects(open(files), { code: 'corrupt' });

    const other = new SimulatedFiles({ random: new SeededRandom(1) });
    const osdUuid = superblockForTests.fsid;
    await ObjectStore.format(other, { ...superblockForTests, osdUuid });
    const content = encodeSuperblock(superblockForTests);
    await other.writeAtomic('superblock', content);
    await other.writeAtomic('superblock.copy', content);
    await rejects(open(other), { code: 'corrupt' });
  });

  test('a store opened for reading reads and refuses to change', async () => {
    const files = await formatted();
    const writer = await open(files);
    await writer.commit(putting('a', '1'));
    await writer.close();
    files.flipBit('superblock', 20, 1);
    const changes = files.changeCount;
    const store = await ObjectStore.open(files, { capacityBytes, access: 'read-only' });
    deepEqual(await store.get(at, utf8('a')), utf8('1'));
    await rejects(store.commit(putting('a', '2')), { code: 'read-only' });
    await store.close();
    equal(files.changeCount, changes);
  });

  test('after closing everything is refused', async () => {
    const store = await open(await formatted());
    const last = store.commit(putting('a', '1'));
    await store.close();
    await last;
    await store.close();
    await rejects(store.get(at, utf8('a')), { code: 'closed' });
    await rejects(store.commit(putting('a', '1')), { code: 'closed' });
  });
});

describe('transactions', () => {
  test('are visible at once and durable in order', async () => {
    const store = await open(await formatted());
    const order: number[] = [];
    const commits = [1, 2, 3].map((n) =>
      store.commit(putting('a', `${n}`)).then(() => {
        order.push(n);
      }),
    );
    equal(store.sequence, 0, 'nothing is durable yet');
    ok(store.usage().pendingBytes > 0);
    deepEqual(await store.get(at, utf8('a')), utf8('3'));
    await Promise.all(commits);
    deepEqual(order, [1, 2, 3]);
    equal(store.sequence, 3);
    equal(store.usage().pendingBytes, 0);
  });

  test('apply their steps in order, each seeing the ones before', async () => {
    const store = await open(await formatted());
    const data = dataFor(1, 30_000);
    await store.commit(
      change((transaction) => {
        transaction.put(at, utf8('a'), utf8('1'));
        transaction.delete(at, utf8('a'));
        transaction.put(at, utf8('b'), utf8('2'));
        transaction.putObject(at, utf8('x'), utf8('h'), [data]);
        transaction.cloneObject(at, utf8('x'), utf8('y'));
        transaction.removeObject(at, utf8('x'));
        transaction.cloneObject(at, utf8('y'), utf8('y'));
      }),
    );
    equal(await store.get(at, utf8('a')), undefined);
    deepEqual(await store.get(at, utf8('b')), utf8('2'));
    equal(await store.statObject(at, utf8('x')), undefined);
    deepEqual(await store.readObject(at, utf8('y'), ...wholeObject), data);
    equal(store.usage().usedBytes, 8 * 4096);
  });

  test('cloning what is not there removes the target', async () => {
    const store = await open(await formatted());
    await store.commit(storing('y', dataFor(1, 5000)));
    await store.commit(change((step) => step.cloneObject(at, utf8('x'), utf8('y'))));
    equal(await store.statObject(at, utf8('y')), undefined);
    equal(store.usage().usedBytes, 0);
  });

  test('objects are read in any range and end where they end', async () => {
    const files = await formatted();
    let store = await open(files);
    const data = dataFor(9, 50_001);
    await store.commit(storing('x', data));
    await store.commit(storing('small', data.subarray(0, 100)));
    await store.commit(storing('empty', new Uint8Array(0)));
    const random = new SeededRandom(4);
    for (let i = 0; i < 200; i++) {
      const begin = random.below(60_000);
      const length = random.below(60_000);
      const expected = data.slice(begin, begin + length);
      deepEqual(await store.readObject(at, utf8('x'), begin, length), expected);
      if (i === 100) store = await restart(store, files);
    }
    deepEqual(await store.readObject(at, utf8('small'), 90, 50), data.slice(90, 100));
    deepEqual(await store.readObject(at, utf8('empty'), 0, 10), new Uint8Array(0));
    deepEqual(await store.statObject(at, utf8('x')), { lengthBytes: 50_001, header: utf8('h') });
    await rejects(store.readObject(at, utf8('none'), 0, 1), { code: 'no-such-object' });
  });

  test('limits are checked while a transaction is built', () => {
    const transaction = new Transaction();
    const long = new Uint8Array(4097);
    throws(() => transaction.put(at, long, utf8('')), { code: 'too-large' });
    throws(() => transaction.putObject(at, long, utf8(''), []), { code: 'too-large' });
    throws(() => transaction.put('c'.repeat(256), utf8('a'), utf8('')), { code: 'too-large' });
    const sixteen = new Uint8Array(16 * 1024 * 1024);
    throws(() => transaction.putObject(at, utf8('x'), utf8(''), [sixteen, utf8('a')]), {
      code: 'too-large',
    });
    equal(transaction.bytes, 0);
    equal(transaction.steps.length, 0);
  });

  test('the longest keys work, also at the ends of a scan', async () => {
    const store = await open(await formatted());
    const longest = new Uint8Array(4096).fill(0xff);
    await store.commit(
      change((transaction) => {
        transaction.put(at, longest, utf8('1'));
        transaction.put(at, new Uint8Array(0), utf8('0'));
        transaction.putObject(at, longest, utf8(''), [utf8('x')]);
      }),
    );
    const all = { begin: new Uint8Array(0), end: undefined, limit: 9 };
    deepEqual(await store.scan(at, all), [
      [new Uint8Array(0), utf8('0')],
      [longest, utf8('1')],
    ]);
    equal((await store.listObjects(at, all)).length, 1);
  });
});

describe('reading beside writing', () => {
  test('every read sees one state between its begin and its end', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      const files = await formatted(seed);
      const cacheBytes = seed % 2 === 0 ? 0 : 100_000;
      const store = await ObjectStore.open(files, { capacityBytes, cacheBytes });
      const keys = Array.from({ length: 6 }, (_, i) => utf8(`k${i}`));
      let committed = 0;
      // Each transaction writes its number to every second key and deletes or writes the others, so
      // any mix of two states shows.
      const write = (): Promise<void> => {
        const n = ++committed;
        const data = dataFor(n, 5000);
        return store.commit(
          change((transaction) => {
            for (const [index, key] of keys.entries())
              if (index % 2 === 0 || n % 2 === 0) transaction.put(at, key, utf8(`${n}`));
              else transaction.delete(at, key);
            transaction.putObject(at, utf8('x'), utf8(`${n}`), [data]);
          }),
        );
      };
      await write();
      const reader = async (): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          const first = committed;
          const values = await readOne(store, random, keys);
          const last = committed;
          const seen = Number(values.find((value) => value !== ''));
          ok(seen >= first && seen <= last, `seed ${seed}: ${first} <= ${seen} <= ${last}`);
          const expected = values.map((_, index) =>
            index % 2 === 0 || seen % 2 === 0 ? `${seen}` : '',
          );
          deepEqual(values, expected, `seed ${seed}: one state`);
        }
      };
      const writer = async (): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          const writing = write();
          for (let turns = random.below(20); turns > 0; turns--) await undefined;
          if (random.below(2) === 0) continue;
          await writing;
          // A quiet time, in which reads find nothing pending when they begin.
          for (let turns = random.below(100); turns > 0; turns--) await undefined;
        }
      };
      await Promise.all([writer(), reader(), reader(), reader()]);
      await store.close();
    }
  });

  async function readOne(
    store: ObjectStore,
    random: SeededRandom,
    keys: readonly Uint8Array[],
  ): Promise<string[]> {
    const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
    const choice = random.below(4);
    if (choice === 0) return (await store.getMany(at, keys)).map(text);
    if (choice === 1) {
      const data = await store.readObject(at, utf8('x'), 0, 5000);
      deepEqual(data, dataFor(data[0] as number, 5000));
      const n = text((await store.statObject(at, utf8('x')))?.header);
      return keys.map((_, index) => (index % 2 === 0 || Number(n) % 2 === 0 ? n : ''));
    }
    const reverse = choice === 2;
    const found = new Map<string, string>();
    const range = { begin: utf8('k'), end: utf8('l'), limit: 6, reverse };
    for (const [key, value] of await store.scan(at, range)) found.set(text(key), text(value));
    return keys.map((key) => found.get(text(key)) ?? '');
  }

  test('scans merge what is stored with what is not yet, for any range', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const files = await formatted(seed);
      const store = await open(files);
      let state: ModelState = new Map();
      const commit = (): Promise<void> => {
        const operations = randomOperations(random, { keys: 30 });
        state = applyToModel(state, operations);
        return store.commit(transactionOf(operations));
      };
      for (let i = 0; i < 20; i++) await commit();
      // From here on nothing becomes durable.
      files.fault = ({ kind }) => (kind === 'rows-sync' ? 'hang' : undefined);
      for (let i = 0; i < 12; i++) commit().catch(() => undefined);
      expectSame(await readAll(store), state, `seed ${seed}`);
      for (let i = 0; i < 10; i++) {
        const [begin, end] = [`k${random.below(30)}`, `k${random.below(30)}`].sort();
        const reverse = random.below(2) === 0;
        const limit = 1 + random.below(6);
        const keys = [...state.keys()]
          .filter((path) => path.startsWith('pg.1/row/'))
          .map((path) => path.slice('pg.1/row/'.length))
          .filter((key) => key >= (begin as string) && key < (end as string))
          .sort();
        if (reverse) keys.reverse();
        const range = { begin: utf8(begin as string), end: utf8(end as string), limit, reverse };
        deepEqual(
          (await store.scan(at, range)).map(([key]) => key),
          keys.slice(0, limit).map(utf8),
          `seed ${seed}`,
        );
      }
    }
  });

  test('a clone whose source is still being looked up is listed as what it will be', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const files = await formatted(seed);
      let store = await open(files);
      await store.commit(storing('x', dataFor(1, 5000)));
      await store.commit(storing('y', dataFor(2, 6000)));
      store = await restart(store, files);
      const committing = store.commit(
        change((transaction) => {
          transaction.cloneObject(at, utf8('none'), utf8('y'));
          transaction.cloneObject(at, utf8('x'), utf8('z'));
        }),
      );
      const range = { begin: utf8(''), end: undefined, limit: 9 };
      const listing = store.listObjects(at, range);
      const stat = store.statObject(at, utf8('z'));
      deepEqual(
        (await listing).map(({ name }) => name),
        [utf8('x'), utf8('z')],
      );
      equal((await stat)?.lengthBytes, 5000);
      await committing;
    }
  });

  test('the cache never answers with what was replaced', async () => {
    const store = await ObjectStore.open(await formatted(), { capacityBytes, cacheBytes: 20_000 });
    for (let n = 0; n < 30; n++) {
      const key = `k${n % 3}`;
      await store.commit(putting(key, `${n}`));
      await store.commit(storing(key, dataFor(n, 6000)));
      for (let again = 0; again < 2; again++) {
        deepEqual(await store.get(at, utf8(key)), utf8(`${n}`));
        deepEqual(await store.readObject(at, utf8(key), 0, 10), dataFor(n, 10));
      }
    }
  });

  test('space is not handed out while a read that began before still uses it', async () => {
    const inner = await formatted();
    const gate = new ReadGate();
    const store = await open(gate.around(inner));
    const old = dataFor(1, 40_000);
    await store.commit(storing('x', old));
    gate.hold();
    const reading = store.readObject(at, utf8('x'), 0, 40_000);
    await settled();
    for (let n = 2; n < 10; n++) await store.commit(storing('x', dataFor(n, 40_000)));
    equal(store.usage().usedBytes, 9 * 40_960, 'nothing replaced meanwhile is free yet');
    gate.release();
    deepEqual(await reading, old);
    equal(store.usage().usedBytes, 40_960);
  });
});

/** Holds back reads of the block device. */
class ReadGate {
  #released: Promise<void> = Promise.resolve();
  #release: () => void = () => undefined;

  hold(): void {
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  around(files: Files): Files {
    const wrap = (block: BlockDevice): BlockDevice => ({
      read: async (offsetBytes, lengthBytes) => {
        await this.#released;
        return block.read(offsetBytes, lengthBytes);
      },
      write: (offsetBytes, views) => block.write(offsetBytes, views),
      sync: () => block.sync(),
      close: () => block.close(),
    });
    return delegating(files, {
      openBlockDevice: async (path) => wrap(await files.openBlockDevice(path)),
    });
  }
}

describe('a full or failing disk', () => {
  test('data that does not fit is refused whole; rows and removals still work', async () => {
    const files = await formatted();
    const store = await open(files);
    const megabyte = new Uint8Array(1024 * 1024);
    let stored = 0;
    for (; stored < 100; stored++) {
      const outcome = await store.commit(storing(`x${stored}`, megabyte)).then(
        () => 'stored',
        (error: StoreError) => error.code,
      );
      if (outcome === 'no-space') break;
      equal(outcome, 'stored');
    }
    equal(stored, (capacityBytes - reserveBytes(capacityBytes)) / megabyte.length);
    const both = storing('more', megabyte);
    both.put(at, utf8('row'), utf8('1'));
    const refused = store.commit(both);
    await rejects(refused, { code: 'no-space' });
    equal(await store.get(at, utf8('row')), undefined);
    equal(await store.statObject(at, utf8('more')), undefined);
    await rejects(store.commit(storing('small', utf8('inline'))), { code: 'no-space' });
    await store.commit(putting('row', '2'));
    await store.commit(removing('x3', 'x5'));
    await store.commit(storing('more', megabyte));
    deepEqual(await store.get(at, utf8('row')), utf8('2'));
  });

  test('data is refused when others have filled the file system', async () => {
    const files = await formatted();
    files.freeBytes = reserveBytes(capacityBytes) + 100_000;
    const store = await open(files);
    await store.commit(storing('x', new Uint8Array(50_000)));
    await rejects(store.commit(storing('y', new Uint8Array(100_000))), { code: 'no-space' });
    await store.commit(putting('a', '1'));
    ok(store.usage().capacityBytes < capacityBytes - reserveBytes(capacityBytes));
  });

  test('too much waiting for the disk is refused, and what waits stays visible', async () => {
    const files = await formatted();
    const store = await ObjectStore.open(files, { capacityBytes, pendingBytesMax: 100_000 });
    files.fault = ({ kind }) => (kind === 'rows-sync' ? 'hang' : undefined);
    store.commit(storing('x', dataFor(1, 90_000))).catch(() => undefined);
    await rejects(store.commit(storing('y', new Uint8Array(20_000))), { code: 'overloaded' });
    equal(await store.statObject(at, utf8('y')), undefined);
    deepEqual(
      await store.readObject(at, utf8('x'), 80_000, 10_000),
      dataFor(1, 90_000).slice(80_000),
    );
  });

  test('a failed write or sync ends the store; what was acknowledged stays', async () => {
    for (const broken of ['block-write', 'block-sync', 'rows-sync', 'rows-get'] as const) {
      const files = await formatted();
      const store = await open(files);
      await store.commit(storing('x', dataFor(1, 5000)));
      files.fault = ({ kind }) => (kind === broken ? 'io' : undefined);
      const failing = store.commit(storing('y', dataFor(2, 5000)));
      const behind = store.commit(putting('a', '1'));
      await rejects(failing, { code: 'failed' }, broken);
      await rejects(behind, { code: 'failed' });
      files.fault = () => undefined;
      await rejects(store.commit(putting('a', '1')), { code: 'failed' });
      await store.close();
      const after = await open(files.crash());
      deepEqual(await after.readObject(at, utf8('x'), 0, 5000), dataFor(1, 5000));
      equal(await after.get(at, utf8('a')), undefined);
    }
  });

  test('a failed read is an error of that read only', async () => {
    const files = await formatted();
    const store = await open(files);
    await store.commit(storing('x', dataFor(1, 5000)));
    files.fault = ({ kind }) => (kind === 'block-read' ? 'io' : undefined);
    await rejects(store.readObject(at, utf8('x'), 0, 10), { code: 'io' });
    files.fault = () => undefined;
    deepEqual(await store.readObject(at, utf8('x'), 0, 10), dataFor(1, 10));
    await store.commit(putting('a', '1'));
  });
});

describe('damaged bytes', () => {
  test('a flipped bit in an object’s data is found where it is, and nowhere else', async () => {
    const files = await formatted();
    const store = await open(files);
    const data = dataFor(3, 50_000);
    await store.commit(storing('x', data));
    files.flipBit('block', 20_000, 5);
    deepEqual(await store.readObject(at, utf8('x'), 0, 16_384), data.slice(0, 16_384));
    deepEqual(await store.readObject(at, utf8('x'), 32_768, 99_999), data.slice(32_768));
    const error = await store.readObject(at, utf8('x'), 30_000, 1).catch((each) => each);
    ok(error instanceof StoreError && error.failure.code === 'checksum-mismatch');
    equal(error.failure.offsetBytes, 16_384);
    ok(error.failure.expected !== error.failure.actual);
    await store.commit(storing('x', data));
    deepEqual(await store.readObject(at, utf8('x'), 0, 50_000), data);
  });

  test('every flipped bit of a row is found, and the other rows stay readable', async () => {
    const files = await formatted();
    const store = await open(files);
    await store.commit(putting('a', 'value'));
    await store.commit(putting('b', 'other'));
    await store.close();
    const { bytes } = storeKey(at, 'row', utf8('a'));
    for (let byte = 0; byte < 9; byte++)
      for (let bit = 0; bit < 8; bit++) {
        files.flipRowBit('meta', bytes, byte, bit);
        const damaged = await open(files);
        await rejects(damaged.get(at, utf8('a')), { code: 'checksum-mismatch' });
        const all = { begin: utf8(''), end: undefined, limit: 9 };
        await rejects(damaged.scan(at, all), { code: 'checksum-mismatch' });
        deepEqual(await damaged.get(at, utf8('b')), utf8('other'));
        deepEqual(await damaged.scan(at, { ...all, begin: utf8('b') }), [
          [utf8('b'), utf8('other')],
        ]);
        await damaged.close();
        files.flipRowBit('meta', bytes, byte, bit);
      }
  });

  test('a damaged onode is one object lost: listed, its space kept, replaceable', async () => {
    const files = await formatted();
    let store = await open(files);
    const data = dataFor(3, 50_000);
    await store.commit(storing('x', data));
    await store.commit(storing('y', data));
    await store.close();
    files.flipRowBit('meta', storeKey(at, 'object', utf8('x')).bytes, 9, 1);

    store = await open(files);
    deepEqual(
      store.damaged.map(({ kind, collection, key }) => ({ kind, collection, key })),
      [{ kind: 'onode', collection: at, key: utf8('x') }],
    );
    await rejects(store.statObject(at, utf8('x')), { code: 'checksum-mismatch' });
    await rejects(store.readObject(at, utf8('x'), 0, 1), { code: 'checksum-mismatch' });
    const listed = await store.listObjects(at, { begin: utf8(''), end: undefined, limit: 9 });
    deepEqual(
      listed.map(({ stat }) => stat?.lengthBytes),
      [undefined, 50_000],
    );
    deepEqual(await store.readObject(at, utf8('y'), 0, 50_000), data);
    const usedBytes = 2 * 13 * 4096;
    equal(store.usage().usedBytes, usedBytes, 'the space that may be its own is kept');

    // A clone of it is as damaged; replacing both works, and the lost space returns at the next start.
    await store.commit(change((step) => step.cloneObject(at, utf8('x'), utf8('z'))));
    await rejects(store.statObject(at, utf8('z')), { code: 'checksum-mismatch' });
    store = await restart(store, files);
    equal(store.damaged.length, 2);
    await store.commit(storing('x', data));
    await store.commit(removing('z'));
    deepEqual(await store.readObject(at, utf8('x'), 0, 50_000), data);
    equal(store.usage().usedBytes, usedBytes + 13 * 4096);
    store = await restart(store, files);
    deepEqual(store.damaged, []);
    await store.commit(putting('a', '1'));
    equal(store.usage().usedBytes, usedBytes);
    deepEqual(await store.readObject(at, utf8('x'), 0, 50_000), data);
    deepEqual(await store.readObject(at, utf8('y'), 0, 50_000), data);
  });

  test('a damaged extent record loses no object and never frees its space', async () => {
    const files = await formatted();
    let store = await open(files);
    const data = dataFor(3, 50_000);
    await store.commit(storing('x', data));
    await store.close();
    const record = files
      .rows('meta')
      .find(([key]) => key[0] === 0 && key[1] === extentKeysBegin[1]);
    ok(record !== undefined);
    files.flipRowBit('meta', record[0], 4, 0);
    store = await open(files);
    deepEqual(
      store.damaged.map(({ kind }) => kind),
      ['extent-record'],
    );
    deepEqual(await store.readObject(at, utf8('x'), 0, 50_000), data);
    await store.commit(removing('x'));
    await store.commit(storing('y', data));
    equal(store.usage().usedBytes, 2 * 13 * 4096);
  });

  test('an extent without a record is kept for its object', async () => {
    const files = await formatted();
    let store = await open(files);
    const data = dataFor(3, 50_000);
    await store.commit(storing('x', data));
    await store.close();
    const rows = await files.openKeyValue('meta');
    const [record] = files.rows('meta').filter(([key]) => key[0] === 0 && key[1] === 0x78);
    ok(record !== undefined);
    await rows.commit([{ kind: 'delete', key: record[0] }], { sync: true });
    await rows.close();
    store = await open(files);
    equal(store.damaged.length, 1);
    await store.commit(storing('y', dataFor(4, 50_000)));
    deepEqual(await store.readObject(at, utf8('x'), 0, 50_000), data);
  });

  test('an extent record that counts too few clones is not believed', async () => {
    const files = await formatted();
    let store = await open(files);
    const data = dataFor(3, 50_000);
    await store.commit(storing('x', data));
    await store.commit(change((step) => step.cloneObject(at, utf8('x'), utf8('y'))));
    await store.close();
    const rows = await files.openKeyValue('meta');
    const [record] = files.rows('meta').filter(([key]) => key[0] === 0 && key[1] === 0x78);
    ok(record !== undefined);
    const value = frameValue(record[0], new Uint8Array([1]));
    await rows.commit([{ kind: 'put', key: record[0], value }], { sync: true });
    await rows.close();
    store = await open(files);
    await store.commit(removing('x'));
    await store.commit(storing('z', dataFor(4, 50_000)));
    deepEqual(await store.readObject(at, utf8('y'), 0, 50_000), data);
  });

  test('places the key-value store can’t read cost what is in them and nothing else', async () => {
    let stored = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SeededRandom(seed);
      const files = await formatted(seed);
      let store = await open(files);
      const names = Array.from({ length: 30 }, (_, i) => `n${String(i).padStart(2, '0')}`);
      for (const [i, name] of names.entries()) await store.commit(storing(name, dataFor(i, 8192)));
      await store.commit(
        change((step) => {
          step.put('pg.2', utf8('k'), utf8('v'));
          for (const name of names) step.cloneObject(at, utf8(name), utf8(`z${name}`));
        }),
      );
      await store.close();

      const records = files.rows('meta').filter(([key]) => key[0] === 0 && key[1] === 0x78);
      const onodes = files.rows('meta').filter(([key]) => key[0] !== 0);
      const bad = new Set<string>();
      for (const rows of [records, onodes]) {
        const first = random.below(30);
        for (const [key] of rows.slice(first, Math.min(30, first + 5))) bad.add(formatHex(key));
      }
      store = await open(withUnreadable(files, bad));
      ok(store.damaged.length > 0);
      equal(await store.get('pg.2', utf8('k')).then((value) => value?.length), 1);
      const removed = new Set<string>();
      for (const [i, name] of names.entries()) {
        const read = store.readObject(at, utf8(name), ...wholeObject);
        if (bad.has(formatHex(storeKey(at, 'object', utf8(name)).bytes)))
          await rejects(read, { code: 'corrupt' });
        else {
          deepEqual(await read, dataFor(i, 8192), `seed ${seed}`);
          if (random.below(3) === 0) removed.add(name);
        }
      }
      // A clone's end must not free what an unreadable onode shares with it.
      await store.commit(removing(...removed, ...names.map((name) => `z${name}`)));
      // Where the last records can't be read, nothing is known to be free.
      for (let i = 0; i < 40 && store.usage().availableBytes >= 8192; i++, stored++)
        await store.commit(storing(`m${i}`, dataFor(i, 8192)));
      await store.close();

      // What could not be read was not written over either.
      store = await open(files);
      for (const [i, name] of names.entries())
        if (!removed.has(name))
          deepEqual(await store.readObject(at, utf8(name), ...wholeObject), dataFor(i, 8192));
      await store.close();
    }
    ok(stored > 200, `${stored} objects found room`);
  });

  test('a store whose row of identity is damaged opens and says so', async () => {
    const files = await formatted();
    let store = await open(files);
    await store.commit(putting('a', '1'));
    await store.close();
    files.flipRowBit('meta', identityKey, 7, 7);
    store = await open(files);
    deepEqual(
      store.damaged.map(({ key }) => key),
      [identityKey],
    );
    deepEqual(await store.get(at, utf8('a')), utf8('1'));
    equal(store.sequence, 1);
  });

  test('a group that the key-value store lost from its middle is noticed once', async () => {
    const files = await formatted();
    let store = await open(files);
    for (let n = 1; n <= 300; n++) await store.commit(putting(`k${n}`, `${n}`));
    await store.close();
    const rows = await files.openKeyValue('meta');
    // As if the record of that batch had been dropped from the log.
    const lost = [headKey(257), storeKey(at, 'row', utf8('k257')).bytes];
    await rows.commit(
      lost.map((key) => ({ kind: 'delete', key })),
      { sync: true },
    );
    await rows.close();
    for (let again = 0; again < 2; again++) {
      store = await open(files);
      equal(store.lostGroupCount, 1);
      equal(store.sequence, 300);
      await store.close();
    }
    store = await open(files);
    await store.commit(putting('noted', 'k257 may be gone'));
    store = await restart(store, files);
    equal(store.lostGroupCount, 0);
    equal(store.sequence, 301);
  });

  test('heads go round their ring without a gap, and a stale one in it is a gap', async () => {
    const files = await formatted();
    let store = await open(files);
    await store.commit(putting('a', '1'));
    await store.close();
    const rows = await files.openKeyValue('meta');
    const heads: BatchOperation[] = [];
    const put = (group: number): void => {
      const key = headKey(group);
      const value = frameValue(key, encode(headCodec, { group, sequence: group }));
      heads.push({ kind: 'put', key, value });
    };
    for (let group = 2; group < headSlots + 50; group++) put(group);
    await rows.commit(heads.splice(0), { sync: true });
    await rows.close();
    store = await open(files);
    equal(store.lostGroupCount, 0);
    equal(store.sequence, headSlots + 49);
    await store.commit(putting('a', '2'));
    await store.close();
    const again = await files.openKeyValue('meta');
    put(headSlots + 52);
    await again.commit(heads, { sync: true });
    await again.close();
    store = await open(files);
    equal(store.lostGroupCount, 1);
  });

  test('random flips anywhere in the rows stop nothing but what they hit', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const files = await formatted(seed);
      let store = await open(files);
      const alive = new Set<string>();
      for (let i = 0; i < 8; i++) {
        const name = `n${i}`;
        await store.commit(storing(name, dataFor(i, 3000 * (i + 1))));
        await store.commit(putting(name, name));
        alive
          .add(storeKey(at, 'object', utf8(name)).text)
          .add(storeKey(at, 'row', utf8(name)).text);
      }
      await store.close();
      const rows = files.rows('meta').filter(([key]) => key[0] !== 0 || key[1] === 0x78);
      for (let flips = 0; flips < 3; flips++) {
        const [key, value] = rows[random.below(rows.length)] as [Uint8Array, Uint8Array];
        files.flipRowBit('meta', key, random.below(value.length), random.below(8));
        alive.delete(String.fromCharCode(...key));
      }
      store = await open(files);
      // New objects must not take the space of those that can't be read.
      for (let i = 0; i < 20; i++) await store.commit(storing(`new${i}`, dataFor(i, 8192)));
      store = await restart(store, files);
      for (let i = 0; i < 8; i++) {
        const name = `n${i}`;
        const data = dataFor(i, 3000 * (i + 1));
        if (alive.has(storeKey(at, 'object', utf8(name)).text))
          deepEqual(await store.readObject(at, utf8(name), ...wholeObject), data, `seed ${seed}`);
        if (alive.has(storeKey(at, 'row', utf8(name)).text))
          deepEqual(await store.get(at, utf8(name)), utf8(name), `seed ${seed}`);
      }
      await store.close();
    }
  });
});

/** Reading any of these keys, or scanning over them, fails as a damaged block of LevelDB does. */
function withUnreadable(files: Files, bad: ReadonlySet<string>): Files {
  const refuse = (keys: readonly Uint8Array[]): void => {
    if (keys.some((key) => bad.has(formatHex(key)))) throw new EnvError('corrupt', 'bad block');
  };
  return delegating(files, {
    openKeyValue: async (path) => {
      const rows = await files.openKeyValue(path);
      return {
        getMany: async (keys) => {
          refuse(keys);
          return rows.getMany(keys);
        },
        scan: async (range) => {
          const found = await rows.scan(range);
          refuse(found.map(([key]) => key));
          return found;
        },
        commit: (batch, options) => rows.commit(batch, options),
        close: () => rows.close(),
      };
    },
  });
}

function delegating(files: Files, changed: Partial<Files>): Files {
  return {
    read: (path, bytesMax) => files.read(path, bytesMax),
    writeAtomic: (path, content) => files.writeAtomic(path, content),
    list: (path) => files.list(path),
    remove: (path) => files.remove(path),
    openBlockDevice: (path) => files.openBlockDevice(path),
    openKeyValue: (path) => files.openKeyValue(path),
    space: () => files.space(),
    ...changed,
  };
}

test('collections are those that hold anything, pending or stored', async () => {
  const files = await formatted();
  let store = await open(files);
  deepEqual(await store.collections(), []);
  await store.commit(
    change((transaction) => {
      for (const name of ['b', 'a', 'ab', 'é']) transaction.put(name, utf8('k'), utf8('v'));
      transaction.putObject('c', utf8('x'), utf8(''), []);
    }),
  );
  deepEqual(await store.collections(), ['a', 'ab', 'b', 'c', 'é']);
  store = await restart(store, files);
  files.fault = ({ kind }) => (kind === 'rows-sync' ? 'hang' : undefined);
  store
    .commit(
      change((transaction) => {
        transaction.delete('a', utf8('k'));
        transaction.removeObject('c', utf8('x'));
        transaction.put('d', utf8('k'), utf8('v'));
        transaction.delete('e', utf8('never there'));
      }),
    )
    .catch(() => undefined);
  deepEqual(await store.collections(), ['ab', 'b', 'd', 'é']);
});

test('a row just written is read together with others while an older read goes on', async () => {
  // Its group is durable before the read begins, and leaves the overlay when the older read ends: before, during or
  // after this one, as the seed has it.
  for (let seed = 1; seed <= 100; seed++) {
    const store = await open(await formatted(seed));
    await store.commit(putting('other', 'x'));
    const older = store.getMany(at, [utf8('missing'), utf8('other')]);
    await store.commit(putting('row', 'new'));
    const read = await store.getMany(at, [utf8('row'), utf8('missing')]);
    deepEqual(read, [utf8('new'), undefined], `seed ${seed}`);
    await older;
    await store.close();
  }
});
