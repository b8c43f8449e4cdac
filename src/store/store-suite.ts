// What the store's tests share: a reference model of the store (plain maps, no disk), random
// transactions, and reading everything a store holds.

import { deepEqual, equal } from 'node:assert/strict';
import { compareBytes, encodeUtf8, formatHex } from '../base/bytes.ts';
import type { OsdId, Uuid } from '../base/ids.ts';
import type { Random } from '../env/random.ts';
import { formatVersion, type Superblock, unitBytes } from './format.ts';
import type { ObjectStore } from './object-store.ts';
import { Transaction } from './transaction.ts';

export const superblockForTests: Superblock = {
  fsid: '0123456789abcdef0123456789abcdef' as Uuid,
  osdUuid: 'fedcba9876543210fedcba9876543210' as Uuid,
  osdId: 7 as OsdId,
  formatVersion,
  createdWallMs: 1_700_000_000_000,
};

/** Everything readers can see: `collection/kind/key` to what is there. */
export type ModelState = ReadonlyMap<string, string>;

export type ModelOperation =
  | { readonly kind: 'put'; readonly at: string; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly at: string; readonly key: string }
  | {
      readonly kind: 'put-object';
      readonly at: string;
      readonly key: string;
      readonly lengthBytes: number;
      readonly fill: number;
    }
  | {
      readonly kind: 'clone-object';
      readonly at: string;
      readonly from: string;
      readonly key: string;
    }
  | { readonly kind: 'remove-object'; readonly at: string; readonly key: string };

/** Data that differs between objects, offsets and repetitions. */
export function dataFor(fill: number, lengthBytes: number): Uint8Array {
  const data = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) data[i] = fill + i + (i >>> 8) * 3;
  return data;
}

/** Short for what would be long in a failure's message. */
function describeData(data: Uint8Array): string {
  let sum = 0;
  for (const byte of data) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return `${data.length} bytes, sum ${sum}`;
}

export function applyToModel(
  before: ModelState,
  operations: readonly ModelOperation[],
): ModelState {
  const after = new Map(before);
  for (const operation of operations) {
    const isRow = operation.kind === 'put' || operation.kind === 'delete';
    const path = `${operation.at}/${isRow ? 'row' : 'object'}/`;
    switch (operation.kind) {
      case 'put':
        after.set(path + operation.key, operation.value);
        break;
      case 'put-object':
        after.set(
          path + operation.key,
          `${operation.fill}: ${describeData(dataFor(operation.fill, operation.lengthBytes))}`,
        );
        break;
      case 'clone-object': {
        const source = after.get(path + operation.from);
        if (source === undefined) after.delete(path + operation.key);
        else after.set(path + operation.key, source);
        break;
      }
      default:
        after.delete(path + operation.key);
    }
  }
  return after;
}

export function transactionOf(operations: readonly ModelOperation[]): Transaction {
  const transaction = new Transaction();
  for (const operation of operations) {
    const key = encodeUtf8(operation.key);
    switch (operation.kind) {
      case 'put':
        transaction.put(operation.at, key, encodeUtf8(operation.value));
        break;
      case 'delete':
        transaction.delete(operation.at, key);
        break;
      case 'put-object': {
        const data = dataFor(operation.fill, operation.lengthBytes);
        const cut = Math.floor(data.length / 3);
        const views = [data.subarray(0, cut), data.subarray(cut)];
        transaction.putObject(operation.at, key, encodeUtf8(`${operation.fill}`), views);
        break;
      }
      case 'clone-object':
        transaction.cloneObject(operation.at, encodeUtf8(operation.from), key);
        break;
      case 'remove-object':
        transaction.removeObject(operation.at, key);
    }
  }
  return transaction;
}

const lengths = [0, 1, 4096, 4097, 16384, 16385, 40_000, 70_000];

export function randomOperations(random: Random, limits: { keys: number }): ModelOperation[] {
  const operations: ModelOperation[] = [];
  for (let i = 0; i < 1 + random.below(4); i++) {
    const at = random.below(3) === 0 ? 'pg.2' : 'pg.1';
    const key = `k${random.below(limits.keys)}`;
    const choice = random.below(10);
    if (choice < 3) operations.push({ kind: 'put', at, key, value: `v${random.below(10_000)}` });
    else if (choice < 4) operations.push({ kind: 'delete', at, key });
    else if (choice < 7) {
      const lengthBytes = lengths[random.below(lengths.length)] as number;
      operations.push({ kind: 'put-object', at, key, lengthBytes, fill: random.below(256) });
    } else if (choice < 9)
      operations.push({ kind: 'clone-object', at, from: `k${random.below(limits.keys)}`, key });
    else operations.push({ kind: 'remove-object', at, key });
  }
  return operations;
}

/** Reads everything a store holds by its listings. */
export async function readAll(store: ObjectStore): Promise<ModelState> {
  const state = new Map<string, string>();
  const all = { begin: new Uint8Array(0), end: undefined, limit: 10_000 };
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const collections = await store.collections();
  for (const at of collections) {
    const rows = await store.scan(at, all);
    const objects = await store.listObjects(at, all);
    equal(rows.length + objects.length > 0, true, `${at} is listed, so it holds something`);
    for (const [key, value] of rows) state.set(`${at}/row/${text(key)}`, text(value));
    for (const { name, stat } of objects) {
      const data = await store.readObject(at, name, 0, Number.MAX_SAFE_INTEGER);
      equal(data.length, stat?.lengthBytes, `${text(name)} is as long as listed`);
      state.set(
        `${at}/object/${text(name)}`,
        `${text(stat?.header ?? new Uint8Array(0))}: ${describeData(data)}`,
      );
    }
  }
  return state;
}

export function sameState(a: ModelState, b: ModelState): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

/** Units the objects need at least, and at most when clones shared nothing. */
export function checkUsage(store: ObjectStore, state: ModelState): void {
  const distinct = new Set<string>();
  let most = 0;
  for (const [key, value] of state) {
    if (!key.includes('/object/')) continue;
    const lengthBytes = Number(/: (\d+) bytes/.exec(value)?.[1]);
    if (lengthBytes <= unitBytes) continue;
    const bytes = Math.ceil(lengthBytes / unitBytes) * unitBytes;
    most += bytes;
    distinct.add(value);
  }
  let least = 0;
  for (const value of distinct)
    least += Math.ceil(Number(/: (\d+) bytes/.exec(value)?.[1]) / unitBytes) * unitBytes;
  const { usedBytes } = store.usage();
  equal(usedBytes >= least && usedBytes <= most, true, `${least} <= ${usedBytes} <= ${most}`);
}

export function expectSame(actual: ModelState, expected: ModelState, says: string): void {
  const sorted = (state: ModelState): unknown =>
    [...state].sort(([a], [b]) => compareBytes(encodeUtf8(a), encodeUtf8(b)));
  deepEqual(sorted(actual), sorted(expected), says);
}

export function hex(bytes: Uint8Array): string {
  return formatHex(bytes);
}
