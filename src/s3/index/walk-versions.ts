// All versions of all keys, in order of keys, the newest first: rows `k` and `v` of a shard read side by side.
// A version may move between the two kinds of rows, but never to another key, and a call sees no move.

import { afterKey, compareBytes } from '../../base/bytes.ts';
import type { MethodRow, MethodView } from '../../base/method.ts';
import { entryRow, keyOfEntryRow, keyOfOlderRow, olderRowsOf } from './rows.ts';

/** Rows may hold 16 KiB inline and a manifest: 64 of them stay below 5 MiB. */
const rowsPerScan = 64;

interface RowRange {
  readonly begin: Uint8Array;
  readonly end: Uint8Array;
}

class RowCursor {
  readonly #view: MethodView;
  readonly #end: Uint8Array;
  #begin: Uint8Array;
  #rows: readonly MethodRow[] = [];
  #at = 0;
  #ended = false;
  scans = 0;

  constructor(view: MethodView, { begin, end }: RowRange) {
    this.#view = view;
    this.#begin = begin;
    this.#end = end;
  }

  async peek(): Promise<MethodRow | undefined> {
    if (this.#at < this.#rows.length) return this.#rows[this.#at];
    if (this.#ended || compareBytes(this.#begin, this.#end) >= 0) return undefined;
    this.scans++;
    this.#rows = await this.#view.scan({
      begin: this.#begin,
      end: this.#end,
      limit: rowsPerScan,
    });
    this.#at = 0;
    const last = this.#rows.at(-1);
    this.#ended = this.#rows.length < rowsPerScan;
    if (last !== undefined) this.#begin = afterKey(last[0]);
    return this.#rows[0];
  }

  advance(): void {
    this.#at++;
  }

  /** Only ever forward. */
  seek(row: Uint8Array): void {
    while (this.#at < this.#rows.length) {
      const next = this.#rows[this.#at];
      if (next !== undefined && compareBytes(next[0], row) >= 0) return;
      this.#at++;
    }
    if (compareBytes(row, this.#begin) > 0) this.#begin = row;
  }
}

export interface WalkedVersion {
  readonly key: Uint8Array;
  readonly place: 'current' | 'older';
  readonly row: MethodRow;
}

export interface VersionRange {
  readonly current: RowRange;
  readonly older: RowRange;
}

export class VersionWalk {
  readonly #current: RowCursor;
  readonly #older: RowCursor;

  constructor(view: MethodView, range: VersionRange) {
    this.#current = new RowCursor(view, range.current);
    this.#older = new RowCursor(view, range.older);
  }

  get scans(): number {
    return this.#current.scans + this.#older.scans;
  }

  async next(): Promise<WalkedVersion | undefined> {
    const current = await this.#current.peek();
    const older = await this.#older.peek();
    const currentKey = current === undefined ? undefined : keyOfEntryRow(current[0]);
    const olderKey = older === undefined ? undefined : keyOfOlderRow(older[0]);
    const takesCurrent =
      currentKey !== undefined &&
      (olderKey === undefined || compareBytes(currentKey, olderKey) <= 0);
    if (takesCurrent && current !== undefined) {
      this.#current.advance();
      return { key: currentKey, place: 'current', row: current };
    }
    if (older === undefined || olderKey === undefined) return undefined;
    this.#older.advance();
    return { key: olderKey, place: 'older', row: older };
  }

  /** Goes on at the given rows, or where it is when that is further. */
  seek(current: Uint8Array, older: Uint8Array): void {
    this.#current.seek(current);
    this.#older.seek(older);
  }

  /** Leaves the rest of a key's versions out. */
  skipKey(key: Uint8Array): void {
    const older = olderRowsOf(key);
    const after = older.slice();
    after[after.length - 1] = 2;
    this.seek(afterKey(entryRow(key)), after);
  }
}
