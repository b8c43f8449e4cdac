// An ordered map of byte strings with atomic batches. Its own checksums are not trusted: the store
// keeps a checksum in each value.

export interface Range {
  /** Inclusive. */
  readonly begin: Uint8Array;
  /** Exclusive. */
  readonly end: Uint8Array;
  readonly limit: number;
  /** Begins at the end; default false. */
  readonly reverse?: boolean;
}

export type Row = readonly [key: Uint8Array, value: Uint8Array];

export type BatchOperation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

export interface KeyValue {
  /** Answers in the order of the keys; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** At most `limit` rows in key order. A scan sees one moment; reads run beside each other and end in any order. */
  scan(range: Range): Promise<readonly Row[]>;
  /**
   * Applies all of the batch or nothing. With `sync` it resolves when the batch, and every batch before
   * it, survives power loss; a crash keeps a prefix of the batches that were not synced. One at a time.
   */
  commit(batch: readonly BatchOperation[], options: { readonly sync: boolean }): Promise<void>;
  close(): Promise<void>;
}
