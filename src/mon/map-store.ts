// Where the monitors keep the truth: an ordered map with atomic, compared transactions. `embedded` keeps
// it in the monitor's own data directory; every implementation passes the same suite.

import { decodeUtf8, emptyBytes, encodeUtf8 } from '../base/bytes.ts';
import { bytes, type Codec, decode, encode, struct, u32, uint } from '../base/codec.ts';
import { crc32c } from '../base/crc32c.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import type { BatchOperation, KeyValue } from '../env/key-value.ts';

export interface StoredValue {
  readonly value: Uint8Array;
  /** Changes whenever the value does; rises over the life of the store. */
  readonly revision: number;
}

export interface Put {
  readonly key: string;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
  /** The revision the key must still have; 0: it must not exist; undefined: anything. */
  readonly expected: number | undefined;
}

export interface MapStore {
  /** Of the newest transaction; rises with each, over the life of the store. */
  readonly revision: number;
  /** The next transaction will be above `revision`. */
  skipTo(revision: number): void;
  /** Everything, once, at the start of a leader. */
  readAll(): Promise<ReadonlyMap<string, StoredValue>>;
  /** All or nothing. Resolves with the new revision when durable, undefined when an expectation failed. */
  transact(puts: readonly Put[]): Promise<number | undefined>;
  close(): Promise<void>;
}

const storedCodec: Codec<{ crc: number; revision: number; value: Uint8Array }> = struct({
  crc: u32,
  revision: uint,
  value: bytes,
});

function checksum(key: Uint8Array, revision: number, value: Uint8Array): number {
  return crc32c(value, crc32c(encode(uint, revision), crc32c(key)));
}

/** One monitor's store: a key-value store with a checksum over each key, revision and value. */
export class EmbeddedMapStore implements MapStore {
  readonly #keyValue: KeyValue;
  readonly #revisions: Map<string, number>;
  readonly #values: Map<string, StoredValue>;
  #revision: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(keyValue: KeyValue, values: Map<string, StoredValue>) {
    this.#keyValue = keyValue;
    this.#values = values;
    this.#revisions = new Map([...values].map(([key, stored]) => [key, stored.revision]));
    this.#revision = Math.max(0, ...this.#revisions.values());
  }

  /** Throws `EnvError` `corrupt` when any value does not check. */
  static async open(files: Files, path: string): Promise<EmbeddedMapStore> {
    const keyValue = await files.openKeyValue(path);
    const values = new Map<string, StoredValue>();
    let begin: Uint8Array = emptyBytes;
    const end = new Uint8Array([0xff]);
    // 1,000 rows a step; the table of a large cluster is tens of thousands.
    for (;;) {
      const rows = await keyValue.scan({ begin, end, limit: 1000 });
      for (const [key, row] of rows) {
        const stored = decode(storedCodec, row);
        if (checksum(key, stored.revision, stored.value) !== stored.crc)
          throw new EnvError('corrupt', `map store value ${decodeUtf8(key)}`);
        values.set(decodeUtf8(key), { value: stored.value.slice(), revision: stored.revision });
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < 1000) break;
      begin = new Uint8Array([...last[0], 0]);
    }
    return new EmbeddedMapStore(keyValue, values);
  }

  get revision(): number {
    return this.#revision;
  }

  skipTo(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  async readAll(): Promise<ReadonlyMap<string, StoredValue>> {
    await this.#last;
    return new Map(this.#values);
  }

  transact(puts: readonly Put[]): Promise<number | undefined> {
    for (const put of puts)
      if (put.expected !== undefined && (this.#revisions.get(put.key) ?? 0) !== put.expected)
        return Promise.resolve(undefined);
    const revision = ++this.#revision;
    const batch = puts.map(({ key, value }): BatchOperation => {
      const keyBytes = encodeUtf8(key);
      if (value === undefined) return { kind: 'delete', key: keyBytes };
      const crc = checksum(keyBytes, revision, value);
      return { kind: 'put', key: keyBytes, value: encode(storedCodec, { crc, revision, value }) };
    });
    for (const { key, value } of puts) {
      if (value === undefined) {
        this.#revisions.delete(key);
        this.#values.delete(key);
      } else {
        this.#revisions.set(key, revision);
        this.#values.set(key, { value: value.slice(), revision });
      }
    }
    const done = this.#last.then(() => this.#keyValue.commit(batch, { sync: true }));
    // A failure stays: nothing may be told durable after a write that was lost.
    this.#last = done;
    return done.then(() => revision);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#keyValue.close();
  }
}
