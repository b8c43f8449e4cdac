// A crash after every write and sync. What is there afterwards must be what the model has after some
// prefix of the transactions, with every acknowledged one in it.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../env/random.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import type { ChangeMoment } from '../testing/simulated-operations.ts';
import { ObjectStore } from './object-store.ts';
import {
  applyToModel,
  checkUsage,
  expectSame,
  type ModelOperation,
  type ModelState,
  randomOperations,
  readAll,
  sameState,
  superblockForTests,
  transactionOf,
} from './store-suite.ts';

const options = { capacityBytes: 64 * 1024 * 1024 };

type Workload = readonly (readonly ModelOperation[])[];

/** The model after no transaction, after the first, and so on. */
function statesOf(workload: Workload): ModelState[] {
  let state: ModelState = new Map();
  const states = [state];
  for (const operations of workload) {
    state = applyToModel(state, operations);
    states.push(state);
  }
  return states;
}

interface Run {
  readonly files: SimulatedFiles;
  readonly changesAtStart: number;
  /** How many transactions were acknowledged, all in order. */
  acknowledged(): number;
}

/**
 * Commits the workload, several at a time, until it is done or the power is cut. While it runs, reads
 * check that what was committed is visible at once.
 */
async function run(
  workload: Workload,
  choice: { seed: number; crashAfter?: number; moment?: ChangeMoment; inFlightMax: number },
): Promise<Run> {
  const random = new SeededRandom(choice.seed);
  const files = new SimulatedFiles({ random });
  await ObjectStore.format(files, superblockForTests);
  const store = await ObjectStore.open(files, options);
  const changesAtStart = files.changeCount;
  let acknowledged = 0;
  if (choice.crashAfter !== undefined) files.crashAfter(choice.crashAfter, choice.moment);
  const work = async (): Promise<void> => {
    let inFlight: Promise<void>[] = [];
    for (const [index, operations] of workload.entries()) {
      const committing = store.commit(transactionOf(operations)).then(() => {
        equal(acknowledged, index, 'transactions are acknowledged in order');
        equal(store.sequence >= index + 1, true, 'an acknowledged transaction is counted');
        acknowledged++;
      });
      inFlight.push(committing);
      // Commits come at any moment of the store's own work, not only when it has ended.
      for (let turns = random.below(30); turns > 0; turns--) await undefined;
      if (inFlight.length > random.below(choice.inFlightMax)) {
        await Promise.all(inFlight);
        inFlight = [];
      }
    }
    await Promise.all(inFlight);
  };
  await Promise.race([work(), files.powerCut]);
  return { files, changesAtStart, acknowledged: () => acknowledged };
}

async function checkSurvivors(
  crashed: Run,
  states: readonly ModelState[],
  fates: Random,
): Promise<number> {
  const acknowledged = crashed.acknowledged();
  const files = crashed.files.crash(fates);
  const store = await ObjectStore.open(files, options);
  deepEqual(store.damaged, [], 'a crash damages nothing');
  equal(store.lostGroupCount, 0, 'a crash takes nothing from the middle');
  const state = await readAll(store);
  const sequence = store.sequence;
  ok(sequence >= acknowledged, `${sequence} durable, ${acknowledged} acknowledged`);
  ok(sequence < states.length, 'nothing is durable that was not committed');
  expectSame(state, states[sequence] as ModelState, 'the state is that of the durable sequence');
  checkUsage(store, state);
  // The disk goes on working, and the space of what was lost is not lost.
  const after: ModelOperation[] = [...state.keys()].map((path) => {
    const [at, kind, key] = path.split('/') as [string, string, string];
    return { kind: kind === 'row' ? 'delete' : 'remove-object', at, key };
  });
  if (after.length > 0) await store.commit(transactionOf(after));
  equal(sameState(await readAll(store), new Map()), true, 'everything can be removed');
  equal(store.usage().usedBytes, 0, 'and its space is free');
  await store.close();
  return sequence;
}

/** Crashes after each change, each with several fates of what was not synced. */
async function exhaust(workload: Workload, seeds: readonly number[], inFlightMax: number) {
  const states = statesOf(workload);
  const outcomes = new Set<number>();
  for (const seed of seeds) {
    const whole = await run(workload, { seed, inFlightMax });
    equal(whole.acknowledged(), workload.length);
    const changes = whole.files.changeCount - whole.changesAtStart;
    for (let crashAfter = 0; crashAfter <= changes; crashAfter++) {
      for (let fate = 0; fate < 4; fate++) {
        const moment = fate % 2 === 0 ? 'begun' : 'ended';
        const says = `seed ${seed}, crash after ${crashAfter} ${moment}, fate ${fate}`;
        try {
          const crashed = await run(workload, { seed, crashAfter, moment, inFlightMax });
          outcomes.add(await checkSurvivors(crashed, states, new SeededRandom(seed * 1000 + fate)));
        } catch (error) {
          throw new Error(says, { cause: error });
        }
      }
    }
  }
  return outcomes;
}

/** Answers as `path` says and then always 0, and knows the path that comes next, so that all are tried one by one. */
class EachChoice implements Random {
  readonly #path: readonly number[];
  readonly #made: { readonly answer: number; readonly bound: number }[] = [];

  constructor(path: readonly number[]) {
    this.#path = path;
  }

  below(bound: number): number {
    const answer = this.#path[this.#made.length] ?? 0;
    this.#made.push({ answer, bound });
    return answer;
  }

  /** Undefined: that was the last. */
  get next(): readonly number[] | undefined {
    const last = this.#made.findLastIndex(({ answer, bound }) => answer + 1 < bound);
    if (last < 0) return undefined;
    const path = this.#made.slice(0, last + 1).map(({ answer }) => answer);
    path[last] = (path[last] as number) + 1;
    return path;
  }
}

/**
 * Crashes after each change, each with every fate of what was not synced: every write lost, kept or torn in every way at
 * sectors, in every order, and every number of batches kept. Returns how many there were.
 */
async function exhaustFates(workload: Workload, seed: number): Promise<number> {
  const inFlightMax = 1;
  const states = statesOf(workload);
  const whole = await run(workload, { seed, inFlightMax });
  const changes = whole.files.changeCount - whole.changesAtStart;
  let tried = 0;
  for (let crashAfter = 0; crashAfter <= changes; crashAfter++)
    for (const moment of ['begun', 'ended'] as const) {
      let path: readonly number[] | undefined = [];
      while (path !== undefined) {
        const fates: EachChoice = new EachChoice(path);
        const crashed = await run(workload, { seed, crashAfter, moment, inFlightMax });
        try {
          await checkSurvivors(crashed, states, fates);
        } catch (error) {
          throw new Error(`crash after ${crashAfter} ${moment}, fates ${path}`, { cause: error });
        }
        tried++;
        ok(tried < 100_000, 'the workload is short');
        path = fates.next;
      }
    }
  return tried;
}

const at = 'pg.1';
const put = (key: string, value: string): ModelOperation => ({ kind: 'put', at, key, value });
const putObject = (key: string, lengthBytes: number, fill: number): ModelOperation => ({
  kind: 'put-object',
  at,
  key,
  lengthBytes,
  fill,
});
const clone = (from: string, key: string): ModelOperation => ({
  kind: 'clone-object',
  at,
  from,
  key,
});
const remove = (key: string): ModelOperation => ({ kind: 'remove-object', at, key });

test('rows: a crash at any moment leaves a prefix of the transactions', async () => {
  const workload = [
    [put('a', '1'), put('b', '1')],
    [put('a', '2'), { kind: 'delete', at, key: 'b' } as const],
    [put('b', '3')],
  ];
  for (const inFlightMax of [1, 4]) {
    const outcomes = await exhaust(workload, [1, 2, 3, 4], inFlightMax);
    if (inFlightMax === 1) deepEqual([...outcomes].sort(), [0, 1, 2, 3]);
  }
});

test('objects: replacing, cloning and removing at any moment', async () => {
  const workload = [
    [putObject('x', 20_000, 1), put('a', '1')],
    [clone('x', 'y'), putObject('x', 9000, 2)],
    [remove('y'), putObject('z', 30_000, 3)],
    [clone('z', 'x'), clone('x', 'y'), remove('z')],
    [putObject('y', 10, 4), remove('x')],
  ];
  for (const inFlightMax of [1, 6]) await exhaust(workload, [1, 2, 3], inFlightMax);
});

test('an object replaced again and again never shows torn or foreign data', async () => {
  const workload = Array.from({ length: 8 }, (_, i) => [
    putObject('x', 5000 + 3000 * i, i),
    putObject(`n${i % 2}`, 8192, 100 + i),
  ]);
  for (const inFlightMax of [1, 3]) await exhaust(workload, [5, 6], inFlightMax);
});

test('space that a transaction frees is not written before the transaction is durable', async () => {
  const workload = Array.from({ length: 12 }, (_, i) => [putObject('x', 8192, i)]);
  await exhaust(workload, [1, 2, 3, 4, 5, 6, 7, 8], 3);
});

/** All sequences of three single-operation transactions over two names, each crashed everywhere. */
test('every short sequence of object operations survives every crash', async () => {
  const operations = [
    putObject('x', 5000, 1),
    putObject('x', 100, 2),
    clone('x', 'y'),
    clone('y', 'x'),
    remove('x'),
    putObject('y', 8193, 3),
  ];
  let sequences = 0;
  for (const first of operations)
    for (const second of operations)
      for (const third of operations) {
        const workload = [[first], [second], [third]];
        await exhaust(workload, [++sequences], 4);
      }
  equal(sequences, 216);
});

/** Nine sectors an object: 514 fates of each write. Several writes at a time have too many; those are drawn above. */
test('short sequences survive every fate of what a crash leaves of their writes', async () => {
  const sequences = [
    [[putObject('x', 4100, 1)], [putObject('x', 4200, 2)]],
    [[putObject('x', 4100, 1), put('a', '1')], [remove('x')], [putObject('y', 4100, 2)]],
    [[putObject('x', 4100, 1)], [clone('x', 'y'), remove('x')], [put('a', '2')]],
  ];
  for (const sequence of sequences) {
    const tried = await exhaustFates(sequence, 1);
    ok(tried > 1000, `${tried} fates`);
  }
});

test('long random workloads survive a crash at a random moment', async () => {
  const base = Number(process.env.HOLDFAST_SEED ?? 1);
  const count = Number(process.env.HOLDFAST_SEEDS ?? 150);
  for (let seed = base; seed < base + count; seed++) {
    const random = new SeededRandom(seed);
    const workload = Array.from({ length: 40 }, () => randomOperations(random, { keys: 6 }));
    const inFlightMax = 1 + random.below(12);
    const crashAfter = random.below(160);
    const moment = random.below(2) === 0 ? 'begun' : 'ended';
    try {
      const crashed = await run(workload, { seed, crashAfter, moment, inFlightMax });
      await checkSurvivors(crashed, statesOf(workload), new SeededRandom(seed));
    } catch (error) {
      throw new Error(`HOLDFAST_SEED=${seed}`, { cause: error });
    }
  }
});

test('a crash while formatting leaves an empty folder or a store', async () => {
  for (let seed = 1; seed <= 5; seed++)
    for (let crashAfter = 0; crashAfter <= 8; crashAfter++) {
      const random = new SeededRandom(seed);
      const files = new SimulatedFiles({ random });
      files.crashAfter(crashAfter);
      await Promise.race([ObjectStore.format(files, superblockForTests), files.powerCut]);
      const after = files.crash();
      const found = await ObjectStore.inspect(after);
      if (found.kind === 'empty') await ObjectStore.format(after, superblockForTests);
      else equal(found.kind, 'formatted', `seed ${seed}, crash after ${crashAfter}`);
      const store = await ObjectStore.open(after, options);
      equal(store.sequence, 0);
      await store.close();
      deepEqual(await after.list(''), ['block', 'meta', 'superblock', 'superblock.copy']);
    }
});
