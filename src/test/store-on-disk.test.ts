// The store's model against the real key-value store and a real file: opened and closed again and again, and killed in the
// middle. (What a power cut does, the simulated disk shows: store/store-crash.test.ts.)

import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HostFiles } from '../host/host-files.ts';
import { ObjectStore } from '../store/object-store.ts';
import {
  applyToModel,
  checkUsage,
  expectSame,
  type ModelOperation,
  type ModelState,
  readAll,
  superblockForTests,
  transactionOf,
} from '../store/store-suite.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { capacityBytes, workloadOf } from './store-workload.ts';
import { temporaryFolder } from './test-cluster.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? 1);
const writer = fileURLToPath(new URL('./store-writer.js', import.meta.url));

function open(folder: string): Promise<ObjectStore> {
  return ObjectStore.open(new HostFiles(folder), { capacityBytes });
}

async function newStore(t: TestContext): Promise<string> {
  const folder = join(temporaryFolder(t), 'osd');
  await ObjectStore.format(new HostFiles(folder), superblockForTests);
  return folder;
}

function stateAfter(workload: readonly (readonly ModelOperation[])[], count: number): ModelState {
  return workload.slice(0, count).reduce<ModelState>(applyToModel, new Map());
}

/** It holds what the model has after as many transactions as it counts, sound, and no space beside it. */
async function check(store: ObjectStore, workload: readonly (readonly ModelOperation[])[]) {
  deepEqual(store.damaged, []);
  equal(store.lostGroupCount, 0);
  const state = await readAll(store);
  expectSame(state, stateAfter(workload, store.sequence), `after ${store.sequence} transactions`);
  checkUsage(store, state);
}

test('a store on a real disk holds what the model has, each time it is opened', async (t) => {
  const folder = await newStore(t);
  const workload = workloadOf(seed).slice(0, 400);
  const random = new SeededRandom(seed);
  for (let done = 0; done < workload.length; ) {
    const store = await open(folder);
    equal(store.sequence, done);
    await check(store, workload);
    const some = workload.slice(done, done + 1 + random.below(80));
    await Promise.all(some.map((operations) => store.commit(transactionOf(operations))));
    done += some.length;
    await check(store, workload);
    await store.close();
  }
  const store = await open(folder);
  const all = [...(await readAll(store)).keys()].map((path): ModelOperation => {
    const [at, kind, key] = path.split('/') as [string, string, string];
    return { kind: kind === 'row' ? 'delete' : 'remove-object', at, key };
  });
  await store.commit(transactionOf(all));
  equal((await readAll(store)).size, 0);
  equal(store.usage().usedBytes, 0);
  await store.close();
});

/** Runs the writer for a while from its first acknowledgement; the last that it said, or 0. */
async function writeAndKill(folder: string, ms: number): Promise<number> {
  const child = spawn(process.execPath, [writer, folder, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  let timer: NodeJS.Timeout | undefined;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    acknowledged = Math.max(acknowledged, Number(line));
    timer ??= setTimeout(() => child.kill('SIGKILL'), ms);
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  ok(code === null || code === 0, `the writer ended with ${code}`);
  return acknowledged;
}

test('a store on a real disk that is killed at any moment holds all that it acknowledged', async (t) => {
  const folder = await newStore(t);
  const workload = workloadOf(seed);
  const random = new SeededRandom(seed + 1);
  let last = 0;
  let kills = 0;
  for (; kills < 12 && last < workload.length; kills++) {
    const acknowledged = await writeAndKill(folder, random.below(250));
    const store = await open(folder);
    ok(store.sequence >= acknowledged, `${store.sequence} there, ${acknowledged} acknowledged`);
    ok(acknowledged > last, 'each life gets on');
    await check(store, workload);
    last = store.sequence;
    await store.close();
  }
  t.diagnostic(`${last} transactions in ${kills} lives`);
  ok(kills >= 3, `killed ${kills} times`);
});
