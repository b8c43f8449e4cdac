import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import { filesSuite } from './files-suite.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedFiles } from './simulated-files.ts';

const utf8 = encodeUtf8;

function simulated(seed: number): SimulatedFiles {
  return new SimulatedFiles({ random: new SeededRandom(seed) });
}

filesSuite('simulated', async () => {
  const files = simulated(3);
  return { files, reopen: () => files.reopen(), dispose: async () => undefined };
});

test('a crash keeps what was synced and each possible part of what was not', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const files = simulated(seed);
    const block = await files.openBlockDevice('block');
    await block.write(0, [new Uint8Array(1024).fill(1)]);
    await block.sync();
    await block.write(0, [new Uint8Array(1024).fill(2)]);
    await block.write(512, [new Uint8Array(512).fill(3)]);
    const after = await files.crash().openBlockDevice('block');
    const content = await after.read(0, 1024);
    for (const sector of [content.subarray(0, 512), content.subarray(512)])
      ok(
        sector.every((byte) => byte === sector[0]),
        'a sector is whole',
      );
    outcomes.add(`${content[0]}${content[512]}`);
  }
  deepEqual([...outcomes].sort(), ['11', '12', '13', '21', '22', '23']);
});

test('a crash keeps a prefix of the unsynced batches, and all before a synced one', async () => {
  const outcomes = new Set<number>();
  for (let seed = 1; seed <= 100; seed++) {
    const files = simulated(seed);
    const rows = await files.openKeyValue('meta');
    const put = (n: number, sync: boolean): Promise<void> =>
      rows.commit([{ kind: 'put', key: utf8(`${n}`), value: utf8('x') }], { sync });
    await put(1, false);
    await put(2, true);
    await put(3, false);
    await put(4, false);
    const after = await files.crash().openKeyValue('meta');
    const found = await after.scan({ begin: utf8('0'), end: utf8('9'), limit: 9 });
    deepEqual(
      found.map(([key]) => key),
      ['1', '2', '3', '4'].slice(0, found.length).map(utf8),
    );
    outcomes.add(found.length);
  }
  deepEqual([...outcomes].sort(), [2, 3, 4]);
});

test('an atomic write under way at a crash is there whole or not at all', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 50; seed++) {
    const files = simulated(seed);
    await files.writeAtomic('f', utf8('old'));
    files.crashAfter(0);
    void files.writeAtomic('f', utf8('lost'));
    const after = files.crash();
    outcomes.add(new TextDecoder().decode(await after.read('f', 9)));

    const again = simulated(seed);
    await again.writeAtomic('f', utf8('old'));
    again.fault = () => 'hang';
    void again.writeAtomic('f', utf8('new'));
    outcomes.add(new TextDecoder().decode(await again.crash().read('f', 9)));
  }
  deepEqual([...outcomes].sort(), ['new', 'old']);
});

test('after the power is cut nothing ends and nothing changes', async () => {
  const files = simulated(1);
  const block = await files.openBlockDevice('block');
  files.crashAfter(2);
  await block.write(0, [utf8('a')]);
  await block.sync();
  await files.powerCut;
  let ended = 0;
  const count = (): void => {
    ended++;
  };
  void block.write(0, [utf8('b')]).then(count, count);
  void block.sync().then(count, count);
  void files.writeAtomic('f', utf8('x')).then(count, count);
  await new Promise((resolve) => setImmediate(resolve));
  equal(ended, 0);
  const after = files.crash();
  deepEqual(await (await after.openBlockDevice('block')).read(0, 1), utf8('a'));
  equal(await after.read('f', 9), undefined);
});

test('faults are injected by operation and change nothing', async () => {
  const files = simulated(1);
  const block = await files.openBlockDevice('block');
  await block.write(0, [utf8('a')]);
  files.fault = ({ kind, offsetBytes }) =>
    kind === 'block-read' && offsetBytes === 0
      ? 'io'
      : kind === 'block-write'
        ? 'no-space'
        : undefined;
  await rejects(block.read(0, 1), { code: 'io' });
  await rejects(block.write(0, [utf8('b')]), { code: 'no-space' });
  files.fault = () => undefined;
  deepEqual(await block.read(0, 1), utf8('a'));
});

test('concurrent reads end in another order with another seed, and the same with the same', async () => {
  const order = async (seed: number): Promise<string> => {
    const files = simulated(seed);
    const rows = await files.openKeyValue('meta');
    let ended = '';
    const reads = [0, 1, 2, 3, 4].map(async (n) => {
      await rows.getMany([]);
      ended += n;
    });
    await Promise.all(reads);
    return ended;
  };
  const orders = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const first = await order(seed);
    equal(await order(seed), first);
    orders.add(first);
  }
  ok(orders.size > 5, `${orders.size} orders in 20 seeds`);
});

test('with a clock, operations take as long as they are told to', async () => {
  const due: { at: number; callback: () => void }[] = [];
  const clock = {
    now: () => 0 as never,
    after: (delayMs: number, _name: string, callback: () => void) => {
      due.push({ at: delayMs, callback });
      return { cancel: () => undefined };
    },
  };
  const delayMs = { min: 5, max: 9 };
  const files = new SimulatedFiles({ random: new SeededRandom(1), clock, delayMs });
  const reads = Array.from({ length: 50 }, () => files.read('f', 1));
  deepEqual([...new Set(due.map(({ at }) => at))].sort(), [5, 6, 7, 8, 9]);
  for (const { callback } of due) callback();
  await Promise.all(reads);
});

test('flipped bits are what is read afterwards', async () => {
  const files = simulated(1);
  await files.writeAtomic('f', new Uint8Array([0]));
  files.flipBit('f', 0, 3);
  deepEqual(await files.read('f', 1), new Uint8Array([8]));
  const block = await files.openBlockDevice('b');
  files.flipBit('b', 5000, 0);
  deepEqual(await block.read(5000, 1), new Uint8Array([1]));
  const rows = await files.openKeyValue('r');
  await rows.commit([{ kind: 'put', key: utf8('k'), value: new Uint8Array([0]) }], { sync: true });
  equal(files.flipRowBit('r', utf8('k'), 0, 7), true);
  equal(files.flipRowBit('r', utf8('missing'), 0, 7), false);
  deepEqual(await rows.getMany([utf8('k')]), [new Uint8Array([128])]);
});

test('what a process had under way when it ended never comes over what the next one made durable', async () => {
  const outcomes = new Set<number>();
  for (let seed = 1; seed <= 50; seed++) {
    const files = simulated(seed);
    files.fault = ({ kind }) => (kind === 'block-write' ? 'hang' : undefined);
    const block = await files.openBlockDevice('block');
    void block.write(0, [new Uint8Array(512).fill(1)]);
    const next = files.reopen();
    const again = await next.openBlockDevice('block');
    outcomes.add((await again.read(0, 1))[0] as number);
    await again.write(0, [new Uint8Array(512).fill(2)]);
    await again.sync();
    const after = await next.crash().openBlockDevice('block');
    equal((await after.read(0, 1))[0], 2);
  }
  deepEqual([...outcomes].sort(), [0, 1], 'it happened or did not');
});

test('memory that changes while it is being written ends the run', async () => {
  const block = await simulated(1).openBlockDevice('block');
  const bytes = new Uint8Array(4096).fill(1);
  const writing = block.write(0, [bytes.subarray(0, 2048), bytes.subarray(2048)]);
  bytes[4095] = 2;
  await rejects(writing, /stays as it is/);
});
