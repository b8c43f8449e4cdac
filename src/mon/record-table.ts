// The PG table as a value: the next one shares with the one before whatever did not change. A primary that begins changes the
// record of each of its PGs, thousands one after the other, and none of these changes may cost a copy of the table.

import { assert } from '../base/assert.ts';
import type { PgId } from '../base/ids.ts';
import type { PgRecord } from '../map/pg-record.ts';

/** Records in one piece; a change copies one, and the list of them. */
const chunkRecords = 64;

type Records = ReadonlyMap<PgId, PgRecord>;

/** In the order in which the PGs came, as a `Map` has them. */
export class RecordTable implements ReadonlyMap<PgId, PgRecord> {
  /** Where each is; the same object in all tables of the same PGs. */
  readonly #places: ReadonlyMap<PgId, number>;
  readonly #chunks: readonly (readonly PgRecord[])[];

  private constructor(places: ReadonlyMap<PgId, number>, chunks: readonly (readonly PgRecord[])[]) {
    this.#places = places;
    this.#chunks = chunks;
  }

  static of(records: Records): RecordTable {
    if (records instanceof RecordTable) return records;
    const places = new Map<PgId, number>();
    const chunks: PgRecord[][] = [];
    for (const [pg, record] of records) {
      if (places.size % chunkRecords === 0) chunks.push([]);
      chunks.at(-1)?.push(record);
      places.set(pg, places.size);
    }
    return new RecordTable(places, chunks);
  }

  get size(): number {
    return this.#places.size;
  }

  has(pg: PgId): boolean {
    return this.#places.has(pg);
  }

  get(pg: PgId): PgRecord | undefined {
    const place = this.#places.get(pg);
    return place === undefined
      ? undefined
      : this.#chunks[Math.floor(place / chunkRecords)]?.[place % chunkRecords];
  }

  /** The table with these in place of those that it has of the same PGs. */
  with(changed: readonly PgRecord[]): RecordTable {
    const chunks = [...this.#chunks];
    const copied = new Set<number>();
    for (const record of changed) {
      const place = this.#places.get(record.pg);
      assert(place !== undefined, 'a record that is replaced is there');
      const at = Math.floor(place / chunkRecords);
      const chunk = copied.has(at) ? (chunks[at] as PgRecord[]) : [...(chunks[at] ?? [])];
      copied.add(at);
      chunk[place % chunkRecords] = record;
      chunks[at] = chunk;
    }
    return new RecordTable(this.#places, chunks);
  }

  *values(): MapIterator<PgRecord> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  *entries(): MapIterator<[PgId, PgRecord]> {
    for (const record of this.values()) yield [record.pg, record];
  }

  keys(): MapIterator<PgId> {
    return this.#places.keys();
  }

  [Symbol.iterator](): MapIterator<[PgId, PgRecord]> {
    return this.entries();
  }

  forEach(callback: (record: PgRecord, pg: PgId, table: Records) => void): void {
    for (const record of this.values()) callback(record, record.pg, this);
  }

  /** Records that are not as `before` has them; of what both share nothing is looked at. */
  changedSince(before: RecordTable): PgRecord[] {
    const isAligned = this.#places === before.#places;
    const changed: PgRecord[] = [];
    for (const [at, chunk] of this.#chunks.entries()) {
      if (isAligned && before.#chunks[at] === chunk) continue;
      for (const record of chunk) if (before.get(record.pg) !== record) changed.push(record);
    }
    return changed;
  }

  /** PGs that `before` has and this has not. */
  goneSince(before: RecordTable): PgId[] {
    if (this.#places === before.#places) return [];
    return [...before.keys()].filter((pg) => !this.#places.has(pg));
  }
}
