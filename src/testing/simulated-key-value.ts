// An ordered map in memory whose last unsynced batches a crash may take back.

import { assert } from '../base/assert.ts';
import type { BatchOperation, KeyValue, Range, Row } from '../env/key-value.ts';
import type { Random } from '../env/random.ts';
import type { SimulatedOperations } from './simulated-operations.ts';
import { copySmall } from './small-copies.ts';
import { keyOfText, SortedRows, textOfKey } from './sorted-rows.ts';

type Undo = readonly (readonly [key: string, value: Uint8Array | undefined])[];

/** The medium: survives crashes and closing. */
export class SimulatedRows {
  readonly #rows = new SortedRows();
  /** How to take back each batch that is not durable, oldest first. */
  #undo: Undo[] = [];
  #underWay: readonly BatchOperation[] | undefined;

  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#rows.get(textOfKey(key));
    return value && copySmall(value);
  }

  copy(): SimulatedRows {
    const copy = new SimulatedRows();
    for (const key of this.#rows.keys('', '\u{ffff}'))
      copy.#rows.put(key, this.#rows.get(key) as Uint8Array);
    return copy;
  }

  scan({ begin, end, limit, reverse = false }: Range): Row[] {
    const bounds = [textOfKey(begin), textOfKey(end)] as const;
    const found: Row[] = [];
    if (limit <= 0) return found;
    for (const key of reverse ? this.#rows.keysReverse(...bounds) : this.#rows.keys(...bounds)) {
      found.push([keyOfText(key), copySmall(this.#rows.get(key) as Uint8Array)]);
      if (found.length === limit) break;
    }
    return found;
  }

  begin(batch: readonly BatchOperation[]): void {
    assert(this.#underWay === undefined, 'commits come one at a time');
    this.#underWay = batch;
  }

  abandon(): void {
    this.#underWay = undefined;
  }

  finish(sync: boolean): void {
    assert(this.#underWay !== undefined, 'a batch is under way');
    if (sync) {
      this.#put(this.#underWay);
      this.#undo = [];
    } else this.#apply(this.#underWay);
    this.#underWay = undefined;
  }

  /** Keeps a prefix of the unsynced batches, the one under way being the last of them. */
  crash(random: Random): void {
    if (this.#underWay !== undefined) this.finish(false);
    const kept = random.below(this.#undo.length + 1);
    for (const undo of this.#undo.splice(kept).reverse())
      for (const [key, value] of [...undo].reverse())
        if (value === undefined) this.#rows.delete(key);
        else this.#rows.put(key, value);
    this.#undo = [];
  }

  /** Returns whether there is such a row with such a bit. */
  flipBit(key: Uint8Array, offsetBytes: number, bit: number): boolean {
    const text = textOfKey(key);
    const value = this.#rows.get(text)?.slice();
    const byte = value?.[offsetBytes];
    if (value === undefined || byte === undefined) return false;
    value[offsetBytes] = byte ^ (1 << bit);
    this.#rows.put(text, value);
    return true;
  }

  #put(batch: readonly BatchOperation[]): void {
    for (const operation of batch)
      if (operation.kind === 'put')
        this.#rows.put(textOfKey(operation.key), copySmall(operation.value));
      else this.#rows.delete(textOfKey(operation.key));
  }

  /** As `#put`, with what takes it back. */
  #apply(batch: readonly BatchOperation[]): void {
    const undo: (readonly [string, Uint8Array | undefined])[] = [];
    for (const operation of batch) {
      const key = textOfKey(operation.key);
      undo.push([key, this.#rows.get(key)]);
      if (operation.kind === 'put') this.#rows.put(key, copySmall(operation.value));
      else this.#rows.delete(key);
    }
    this.#undo.push(undo);
  }
}

export class SimulatedKeyValue implements KeyValue {
  readonly #rows: SimulatedRows;
  readonly #operations: SimulatedOperations;
  readonly #path: string;
  readonly #closed: () => void;
  #open = true;

  constructor(
    rows: SimulatedRows,
    operations: SimulatedOperations,
    path: string,
    closed: () => void,
  ) {
    this.#rows = rows;
    this.#operations = operations;
    this.#path = path;
    this.#closed = closed;
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    assert(this.#open, 'the key-value store is open');
    return this.#operations.run({ kind: 'rows-get', path: this.#path }, () =>
      keys.map((key) => this.#rows.get(key)),
    );
  }

  scan(range: Range): Promise<readonly Row[]> {
    assert(this.#open, 'the key-value store is open');
    return this.#operations.run({ kind: 'rows-scan', path: this.#path }, () =>
      this.#rows.scan(range),
    );
  }

  async commit(
    batch: readonly BatchOperation[],
    { sync }: { readonly sync: boolean },
  ): Promise<void> {
    assert(this.#open, 'the key-value store is open');
    if (this.#operations.isCut) return new Promise(() => undefined);
    this.#rows.begin(batch);
    try {
      const kind = sync ? 'rows-sync' : 'rows-commit';
      await this.#operations.run({ kind, path: this.#path }, () => this.#rows.finish(sync));
    } catch (error) {
      this.#rows.abandon();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#open) this.#closed();
    this.#open = false;
  }
}
