// Records that only a peer's word stands for (docs/decisions/0027). Who begins to lead says so itself, with the record
// that the monitor gave it; where no monitor answers just then, its word has to do. Each is kept here, durably, until the
// monitor was asked later: what it has not said by then it never said.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { type Codec, decode, encode, struct, versioned } from '../base/codec.ts';
import { isPgId, type PgId } from '../base/ids.ts';
import type { Version } from '../base/method.ts';
import { Turnstile } from '../base/turnstile.ts';
import { isSameRecord, type PgRecord, pgRecordCodec } from '../map/pg-record.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { Transaction } from '../store/transaction.ts';
import { versionCodec } from '../wire/entry.ts';

const prefix = 'believed/';

export interface Belief {
  readonly record: PgRecord;
  /** Where this disk's log ended before anything came by a record that the monitor had not said. */
  readonly head: Version;
}

/** `believed/PG` in the OSD's own collection. */
const rowCodec: Codec<Belief> = versioned(
  'believed record',
  1,
  struct({ record: pgRecordCodec, head: versionCodec }),
);

export class Beliefs {
  readonly #store: ObjectStore;
  readonly #collection: string;
  /** As they are on the disk. */
  readonly #beliefs = new Map<PgId, Belief>();
  readonly #order = new Turnstile();

  constructor(store: ObjectStore, collection: string) {
    this.#store = store;
    this.#collection = collection;
  }

  async load(): Promise<void> {
    const range = { begin: encodeUtf8(prefix), end: encodeUtf8('believed0'), limit: 100_000 };
    for (const [key, value] of await this.#store.scan(this.#collection, range)) {
      const pg = decodeUtf8(key).slice(prefix.length);
      if (isPgId(pg)) this.#beliefs.set(pg, decode(rowCodec, value));
    }
  }

  /** The belief about a group, until the monitor's word about it was heard. */
  of(pg: PgId): Belief | undefined {
    return this.#beliefs.get(pg);
  }

  get pgs(): readonly PgId[] {
    return [...this.#beliefs.keys()];
  }

  /** Durable when it resolves: nothing may be done by the record before. `headOf`: where the log ends. */
  note(record: PgRecord, headOf: () => Version): Promise<void> {
    const { pg } = record;
    return this.#order.run(async () => {
      const before = this.#beliefs.get(pg);
      if (before !== undefined && isSameRecord(before.record, record)) return;
      const belief = { record, head: before?.head ?? headOf() };
      const transaction = new Transaction();
      transaction.put(this.#collection, encodeUtf8(prefix + pg), encode(rowCodec, belief));
      await this.#store.commit(transaction);
      this.#beliefs.set(pg, belief);
    });
  }

  /** What came of it is settled; one that was noted since stays. */
  forget(belief: Belief): Promise<void> {
    const { pg } = belief.record;
    return this.#order.run(async () => {
      if (this.#beliefs.get(pg) !== belief) return;
      const transaction = new Transaction();
      transaction.delete(this.#collection, encodeUtf8(prefix + pg));
      await this.#store.commit(transaction);
      this.#beliefs.delete(pg);
    });
  }
}
