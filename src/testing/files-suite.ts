// What every implementation of Files, BlockDevice and KeyValue must do; run against the simulated and
// the real one.

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareBytes, encodeUtf8 } from '../base/bytes.ts';
import type { Files } from '../env/files.ts';
import type { BatchOperation, KeyValue } from '../env/key-value.ts';
import { SeededRandom } from './seeded-random.ts';

export interface FilesUnderTest {
  readonly files: Files;
  /** The same directory as the next start sees it; everything was closed. */
  reopen(): Files;
  dispose(): Promise<void>;
}

const utf8 = encodeUtf8;

function put(key: string, value: string): BatchOperation {
  return { kind: 'put', key: utf8(key), value: utf8(value) };
}

export function filesSuite(name: string, make: () => Promise<FilesUnderTest>): void {
  const check = (says: string, body: (under: FilesUnderTest) => Promise<void>): void => {
    test(says, async () => {
      const under = await make();
      try {
        await body(under);
      } finally {
        await under.dispose();
      }
    });
  };

  describe(`${name}: files`, () => {
    check(
      'a missing file reads as undefined, a missing folder lists as empty',
      async ({ files }) => {
        equal(await files.read('nothing', 100), undefined);
        equal(await files.read('no/such/file', 100), undefined);
        deepEqual(await files.list('nowhere'), []);
        deepEqual(await files.list(''), []);
        await files.remove('no/such/file');
      },
    );

    check('an atomic write replaces the whole content and makes folders', async (under) => {
      await under.files.writeAtomic('a/b/c', utf8('first and longer'));
      await under.files.writeAtomic('a/b/c', utf8('second'));
      deepEqual(await under.files.read('a/b/c', 100), utf8('second'));
      deepEqual(await under.reopen().read('a/b/c', 100), utf8('second'));
    });

    check('concurrent atomic writes of one file end as the last of them', async ({ files }) => {
      await Promise.all(['x', 'y', 'z'].map((name) => files.writeAtomic(name, utf8(name))));
      await files.writeAtomic('f', utf8('0'));
      await files.writeAtomic('f', utf8('1'));
      const both = [files.writeAtomic('f', utf8('2')), files.writeAtomic('f', utf8('22'))];
      await Promise.all(both);
      const content = await files.read('f', 100);
      equal(content !== undefined && content[0] === 0x32, true);
      deepEqual(await files.list(''), ['f', 'x', 'y', 'z']);
    });

    check('a file longer than allowed is refused', async ({ files }) => {
      await files.writeAtomic('f', new Uint8Array(11));
      await rejects(files.read('f', 10), { code: 'too-large' });
      equal((await files.read('f', 11))?.length, 11);
    });

    check('names are listed sorted, one level deep', async ({ files }) => {
      for (const path of ['d/b', 'd/a', 'd/c/x', 'e']) await files.writeAtomic(path, utf8('1'));
      deepEqual(await files.list('d'), ['a', 'b', 'c']);
      deepEqual(await files.list(''), ['d', 'e']);
    });

    check('removing a folder removes what is in it and nothing else', async ({ files }) => {
      for (const path of ['d/a', 'd/e/b', 'da']) await files.writeAtomic(path, utf8('1'));
      await files.remove('d');
      deepEqual(await files.list(''), ['da']);
      equal(await files.read('d/e/b', 10), undefined);
    });

    check('paths that lead out of the folder are denied', async ({ files }) => {
      for (const path of ['../x', '/x', 'a/../../x', 'a//b', './a', 'a/', 'a\0b', '..'])
        await rejects(async () => files.writeAtomic(path, utf8('1')), { code: 'denied' }, path);
    });

    check('the free space is a part of the total', async ({ files }) => {
      const { totalBytes, freeBytes } = await files.space();
      equal(totalBytes > 0 && freeBytes > 0 && freeBytes <= totalBytes, true);
    });
  });

  describe(`${name}: block device`, () => {
    check('unwritten bytes are zeros, also beyond the end', async ({ files }) => {
      const block = await files.openBlockDevice('block');
      deepEqual(await block.read(123_456, 5), new Uint8Array(5));
      await block.write(10, [utf8('abc')]);
      deepEqual(await block.read(8, 7), new Uint8Array([0, 0, 97, 98, 99, 0, 0]));
      await block.close();
    });

    check('many views are written one after the other', async ({ files }) => {
      const block = await files.openBlockDevice('block');
      const views = Array.from({ length: 3000 }, (_, i) => new Uint8Array(i % 7).fill(i));
      await block.write(4095, views);
      const expected = Buffer.concat(views);
      deepEqual(await block.read(4095, expected.length), new Uint8Array(expected));
      await block.write(0, []);
      await block.close();
    });

    check('what was synced is there at the next start', async (under) => {
      const block = await under.files.openBlockDevice('folder/block');
      const data = new Uint8Array(100_000).map((_, i) => i * 31);
      await block.write(1_000_000, [data.subarray(0, 5), data.subarray(5)]);
      await block.sync();
      await block.close();
      const again = await under.reopen().openBlockDevice('folder/block');
      deepEqual(await again.read(1_000_000, data.length), data);
      await again.close();
    });

    check('random writes read back as a plain array would', async ({ files }) => {
      const random = new SeededRandom(5);
      const block = await files.openBlockDevice('block');
      const model = new Uint8Array(20_000);
      for (let i = 0; i < 200; i++) {
        const at = random.below(19_000);
        const data = new Uint8Array(random.below(1000)).fill(i);
        model.set(data, at);
        await block.write(at, [data]);
        if (random.below(10) === 0) await block.sync();
        const from = random.below(19_000);
        deepEqual(await block.read(from, 1000), model.slice(from, from + 1000));
      }
      await block.close();
    });

    check('what was read is the caller’s own', async ({ files }) => {
      const block = await files.openBlockDevice('block');
      await block.write(0, [utf8('abc')]);
      (await block.read(0, 3)).fill(0);
      deepEqual(await block.read(0, 3), utf8('abc'));
      await block.close();
    });
  });

  describe(`${name}: key-value store`, () => {
    check('a batch puts and deletes, the last operation on a key counts', async ({ files }) => {
      const rows = await files.openKeyValue('meta');
      await rows.commit([put('a', '1'), put('b', '2'), put('a', '3')], { sync: true });
      await rows.commit([{ kind: 'delete', key: utf8('b') }, put('c', '')], { sync: false });
      const keys = ['a', 'b', 'c', 'd'].map(utf8);
      deepEqual(await rows.getMany(keys), [utf8('3'), undefined, utf8(''), undefined]);
      deepEqual(await rows.getMany([]), []);
      await rows.close();
    });

    check('synced batches are there at the next start', async (under) => {
      const rows = await under.files.openKeyValue('meta');
      await rows.commit([put('a', '1')], { sync: false });
      await rows.commit([put('b', '2')], { sync: true });
      await rows.close();
      const again = await under.reopen().openKeyValue('meta');
      deepEqual(await again.getMany([utf8('a'), utf8('b')]), [utf8('1'), utf8('2')]);
      await again.close();
    });

    check('a scan is a half-open range in the order of unsigned bytes', async ({ files }) => {
      const rows = await files.openKeyValue('meta');
      const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [200, 1], [255], [255, 255]];
      await rows.commit(
        keys.map((key) => ({ kind: 'put', key: new Uint8Array(key), value: new Uint8Array(key) })),
        { sync: true },
      );
      const begin = new Uint8Array([0, 0]);
      const end = new Uint8Array([255]);
      const scan = async (limit: number, reverse: boolean): Promise<number[][]> =>
        (await rows.scan({ begin, end, limit, reverse })).map(([key]) => [...key]);
      const inside = keys.slice(1, 7);
      deepEqual(await scan(100, false), inside);
      deepEqual(await scan(2, false), inside.slice(0, 2));
      deepEqual(await scan(100, true), [...inside].reverse());
      deepEqual(await scan(2, true), [...inside].reverse().slice(0, 2));
      deepEqual(await scan(0, true), []);
      deepEqual(await rows.scan({ begin: end, end: begin, limit: 5 }), []);
      await rows.close();
    });

    check('a scan of more than one page brings everything', async ({ files }) => {
      const rows = await files.openKeyValue('meta');
      const value = new Uint8Array(3000).fill(9);
      const batch: BatchOperation[] = [];
      for (let i = 0; i < 2500; i++)
        batch.push({ kind: 'put', key: utf8(String(i).padStart(5, '0')), value });
      await rows.commit(batch, { sync: true });
      const found = await rows.scan({ begin: utf8(''), end: utf8('~'), limit: 10_000 });
      equal(found.length, 2500);
      deepEqual(found.at(-1)?.[0], utf8('02499'));
      await rows.close();
    });

    check('reads beside a commit see all of it or nothing', async ({ files }) => {
      const rows = await files.openKeyValue('meta');
      await rows.commit([put('a', '0'), put('b', '0')], { sync: true });
      for (let i = 1; i < 50; i++) {
        const committing = rows.commit([put('a', `${i}`), put('b', `${i}`)], { sync: true });
        const scans = [0, 1, 2].map(() => rows.scan({ begin: utf8(''), end: utf8('z'), limit: 9 }));
        for (const found of await Promise.all(scans)) deepEqual(found[0]?.[1], found[1]?.[1]);
        await committing;
      }
      await rows.close();
    });

    check('random batches read back as a plain map would', async (under) => {
      const random = new SeededRandom(11);
      const model = new Map<string, string>();
      let rows = await under.files.openKeyValue('meta');
      for (let round = 0; round < 60; round++) {
        await rows.commit(randomBatch(random, model), { sync: random.below(2) === 0 });
        await compareRows(rows, model, random);
      }
      await rows.close();
      rows = await under.reopen().openKeyValue('meta');
      await compareRows(rows, model, random);
      await rows.close();
    });

    check('values that were read are plain byte arrays of the caller’s own', async ({ files }) => {
      const rows = await files.openKeyValue('meta');
      await rows.commit([put('a', 'abc')], { sync: true });
      const [value] = await rows.getMany([utf8('a')]);
      equal(Object.getPrototypeOf(value), Uint8Array.prototype);
      value?.fill(0);
      deepEqual(
        (await rows.scan({ begin: utf8('a'), end: utf8('b'), limit: 1 }))[0]?.[1],
        utf8('abc'),
      );
      await rows.close();
    });
  });
}

function randomBatch(random: SeededRandom, model: Map<string, string>): BatchOperation[] {
  const batch: BatchOperation[] = [];
  for (let i = 0; i < 1 + random.below(20); i++) {
    const key = String(random.below(300));
    if (random.below(3) === 0) {
      batch.push({ kind: 'delete', key: utf8(key) });
      model.delete(key);
    } else {
      const value = String(random.below(1_000_000));
      batch.push(put(key, value));
      model.set(key, value);
    }
  }
  return batch;
}

async function compareRows(
  rows: KeyValue,
  model: ReadonlyMap<string, string>,
  random: SeededRandom,
): Promise<void> {
  const bounds = [String(random.below(300)), String(random.below(300))].sort() as [string, string];
  const reverse = random.below(2) === 0;
  const limit = 1 + random.below(50);
  const expected = [...model]
    .filter(([key]) => key >= bounds[0] && key < bounds[1])
    .map(([key, value]) => [utf8(key), utf8(value)] as const)
    .sort(([a], [b]) => compareBytes(a, b) * (reverse ? -1 : 1))
    .slice(0, limit);
  const begin = utf8(bounds[0]);
  deepEqual(await rows.scan({ begin, end: utf8(bounds[1]), limit, reverse }), expected);
  const keys = [0, 1, 2].map(() => String(random.below(300)));
  deepEqual(
    await rows.getMany(keys.map(utf8)),
    keys.map((key) => {
      const value = model.get(key);
      return value === undefined ? undefined : utf8(value);
    }),
  );
}
