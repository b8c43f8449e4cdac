// The rows and objects that readers see and the key-value store may not hold yet.
//
// Invariant: for every key written by a transaction that is not durable, or became durable while a
// read was under way that had begun before, the overlay holds the newest state of that key. So a read
// that looks at the key-value store first and at the overlay last, without waiting in between, sees the
// state of that last moment.

import type { Onode } from './format.ts';
import type { StoreKey } from './keys.ts';

export type ObjectState =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present';
      readonly onode: Onode;
      /** The data itself, while it is on its way to the block file: the caller's memory until then. */
      views: readonly Uint8Array[] | undefined;
    }
  /** The onode can't be read, so where its data is can't be known. */
  | { readonly kind: 'damaged'; readonly expected: number; readonly actual: number };

export const absent: ObjectState = { kind: 'absent' };

/** The state of an object after a transaction. A clone's is unknown until its source has been read. */
export class ObjectCell {
  #state: ObjectState | undefined;
  /** Resolves when the state is known; never rejects. */
  readonly known: Promise<void> | undefined;

  constructor(state: ObjectState | Promise<ObjectState>) {
    if (!(state instanceof Promise)) {
      this.#state = state;
      return;
    }
    this.known = state.then(
      (found) => {
        this.#state = found;
      },
      () => undefined,
    );
  }

  /** The data is in the block file, durably, and its memory may be used for something else. */
  forgetViews(): void {
    if (this.#state?.kind === 'present') this.#state.views = undefined;
  }

  /** Undefined while it is not known, and for good when reading it failed. */
  get state(): ObjectState | undefined {
    return this.#state;
  }
}

export interface PendingRow {
  readonly key: StoreKey;
  /** A row's framed value; undefined when it is deleted, and for objects. */
  readonly framed: Uint8Array | undefined;
  /** Set for objects only. */
  readonly object: ObjectCell | undefined;
}

export class Overlay {
  readonly #byPrefix = new Map<string, Map<string, PendingRow>>();

  get(key: StoreKey): PendingRow | undefined {
    return this.#byPrefix.get(key.prefix.text)?.get(key.text);
  }

  set(row: PendingRow): void {
    let rows = this.#byPrefix.get(row.key.prefix.text);
    if (rows === undefined) {
      rows = new Map();
      this.#byPrefix.set(row.key.prefix.text, rows);
    }
    rows.set(row.key.text, row);
  }

  /** Forgets the row unless a newer one took its place. Returns whether it was there. */
  drop(row: PendingRow): boolean {
    const rows = this.#byPrefix.get(row.key.prefix.text);
    if (rows?.get(row.key.text) !== row) return false;
    rows.delete(row.key.text);
    if (rows.size === 0) this.#byPrefix.delete(row.key.prefix.text);
    return true;
  }

  /** Rows with `begin <= key < end`, as text, in order. */
  range(prefixText: string, begin: string, end: string): PendingRow[] {
    const found: PendingRow[] = [];
    for (const row of this.#byPrefix.get(prefixText)?.values() ?? [])
      if (row.key.text >= begin && row.key.text < end) found.push(row);
    return found.sort((a, b) => (a.key.text < b.key.text ? -1 : 1));
  }

  /** One row of each collection and kind that has any here. */
  *samples(): Iterable<PendingRow> {
    for (const rows of this.#byPrefix.values()) {
      const first = rows.values().next();
      if (!first.done) yield first.value;
    }
  }
}
