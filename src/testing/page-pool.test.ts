import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { equalWords, PagePool, pageBytes } from './page-pool.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedFiles } from './simulated-files.ts';

function disk(seed: number, pages?: PagePool): SimulatedFiles {
  return new SimulatedFiles({
    random: new SeededRandom(seed),
    ...(pages === undefined ? {} : { pages }),
  });
}

test('a disk that shares pages reads what one without reads, through crashes and flipped bits', async () => {
  const pool = new PagePool();
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    let pair = [disk(seed), disk(seed, pool)] as const;
    for (let round = 0; round < 4; round++) {
      const [plain, shared] = await Promise.all(pair.map((each) => each.openBlockDevice('block')));
      for (let step = 0; step < 12; step++) {
        const offset =
          random.below(8) * pageBytes + (random.below(3) === 0 ? random.below(600) : 0);
        const bytes = new Uint8Array(1 + random.below(4 * pageBytes)).fill(random.below(3));
        for (const block of [plain, shared]) await block?.write(offset, [bytes]);
        if (random.below(3) > 0) continue;
        for (const block of [plain, shared]) await block?.sync();
        const place = random.below(8 * pageBytes);
        for (const files of pair) files.flipBit('block', place, 3);
      }
      for (const views of [pair, pair.map((each) => each.copy())]) {
        const [a, b] = await Promise.all(
          views.map(async (each) => (await each.openBlockDevice('block')).read(0, 12 * pageBytes)),
        );
        deepEqual(a, b);
      }
      const chance = (): SeededRandom => new SeededRandom(seed * 100 + round);
      pair = [pair[0].crash(chance()), pair[1].crash(chance())];
    }
  }
  equal(pool.shared > 100, true, `${pool.shared} pages shared`);
});

test('a change of one disk is not seen on another that shares its pages', async () => {
  const pool = new PagePool();
  const disks = [disk(1, pool), disk(2, pool)];
  const page = new Uint8Array(pageBytes).fill(7);
  for (const files of disks) {
    const block = await files.openBlockDevice('block');
    await block.write(0, [page]);
    await block.sync();
  }
  equal(pool.shared, 1);
  disks[0]?.flipBit('block', 10, 0);
  const other = await disks[1]?.openBlockDevice('block');
  deepEqual(await other?.read(0, pageBytes), page);
});

test('bytes are compared to the last, wherever they lie', () => {
  const memory = new Uint8Array(64);
  for (const [begin, length] of [
    [0, 16],
    [4, 13],
    [1, 16],
    [8, 3],
  ] as const) {
    const bytes = memory.subarray(begin, begin + length);
    equal(equalWords(bytes, new Uint8Array(length)), true);
    for (let at = 0; at < length; at++) {
      const other = new Uint8Array(length);
      other[at] = 1;
      equal(equalWords(bytes, other), false, `byte ${at} of ${length} at ${begin}`);
    }
  }
  equal(equalWords(new Uint8Array(4), new Uint8Array(5)), false);
});
