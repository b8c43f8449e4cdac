// A set of changes that becomes visible and durable as one. Building it checks every limit and
// encodes the rows, so that committing can't fail on them.

import { assert } from '../base/assert.ts';
import { checksumChunkBytes } from '../base/chunk-checksums.ts';
import { StoreError } from './errors.ts';
import { frameValue, headerBytesMax, objectBytesMax, valueBytesMax } from './format.ts';
import { type StoreKey, storeKey } from './keys.ts';

/** Half of what may be pending by default, so that one transaction never fills the whole queue. */
export const transactionBytesMax = 32 * 1024 * 1024;

export type Step =
  | { readonly kind: 'put'; readonly key: StoreKey; readonly framed: Uint8Array }
  | { readonly kind: 'delete'; readonly key: StoreKey }
  | {
      readonly kind: 'put-object';
      readonly key: StoreKey;
      readonly header: Uint8Array;
      readonly views: readonly Uint8Array[];
      readonly lengthBytes: number;
      /** By chunks, where the caller knows them. */
      readonly checksums: Uint32Array | undefined;
    }
  | { readonly kind: 'clone-object'; readonly from: StoreKey; readonly key: StoreKey }
  | { readonly kind: 'remove-object'; readonly key: StoreKey };

/** What a step costs in memory beside its bytes: map entries, keys as text, the batch row. */
const stepOverheadBytes = 256;

export class Transaction {
  readonly #steps: Step[] = [];
  #bytes = 0;

  /** What the transaction holds in memory until it is durable. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In the order they were given; for the store. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** A value may come in pieces: it is their concatenation. */
  put(collection: string, key: Uint8Array, ...value: readonly Uint8Array[]): void {
    let bytes = 0;
    for (const piece of value) bytes += piece.length;
    check('value', bytes, valueBytesMax);
    const at = storeKey(collection, 'row', key);
    this.#add({ kind: 'put', key: at, framed: frameValue(at.bytes, ...value) }, bytes);
  }

  delete(collection: string, key: Uint8Array): void {
    this.#add({ kind: 'delete', key: storeKey(collection, 'row', key) }, 0);
  }

  /**
   * Makes or replaces an object. The views are not copied: they must not change until the commit has
   * resolved. Who knows the checksums of their chunks (base/chunk-checksums.ts) gives them.
   */
  putObject(
    collection: string,
    name: Uint8Array,
    header: Uint8Array,
    views: readonly Uint8Array[],
    checksums?: Uint32Array,
  ): void {
    let lengthBytes = 0;
    for (const view of views) lengthBytes += view.length;
    check('object', lengthBytes, objectBytesMax);
    check('object header', header.length, headerBytesMax);
    const chunks = Math.ceil(lengthBytes / checksumChunkBytes);
    assert(checksums === undefined || checksums.length === chunks, 'one checksum a chunk');
    const key = storeKey(collection, 'object', name);
    // The header is kept in caches for long; a view would keep the caller's whole buffer alive.
    this.#add(
      { kind: 'put-object', key, header: header.slice(), views, lengthBytes, checksums },
      header.length + lengthBytes,
    );
  }

  /** Makes `to` what `from` is at this point of the transaction, sharing its data; absent if `from` is. */
  cloneObject(collection: string, from: Uint8Array, to: Uint8Array): void {
    this.#add(
      {
        kind: 'clone-object',
        from: storeKey(collection, 'object', from),
        key: storeKey(collection, 'object', to),
      },
      0,
    );
  }

  removeObject(collection: string, name: Uint8Array): void {
    this.#add({ kind: 'remove-object', key: storeKey(collection, 'object', name) }, 0);
  }

  #add(step: Step, payloadBytes: number): void {
    const bytes = this.#bytes + stepOverheadBytes + 2 * step.key.bytes.length + payloadBytes;
    check('transaction', bytes, transactionBytesMax);
    this.#bytes = bytes;
    this.#steps.push(step);
  }
}

function check(what: string, actualBytes: number, limitBytes: number): void {
  if (actualBytes > limitBytes)
    throw new StoreError({ code: 'too-large', what, actualBytes, limitBytes });
}
