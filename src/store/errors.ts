/**
 * How one OSD's disk may fail its caller. `code` is for programs, the other fields are the facts.
 *
 * - `not-formatted`: the folder holds no store.
 * - `already-formatted`: the folder holds a store, or the remains of one; formatting would destroy it.
 * - `superblock-corrupt`: neither copy of the superblock can be read; nothing was changed.
 * - `newer-format`: a newer version of the program wrote this store; nothing was changed.
 * - `corrupt`: the key-value store can't be read, or belongs to another superblock. The OSD is to be
 *   replaced, its disk kept for rescue.
 * - `checksum-mismatch`: one row, one object's description or one run of an object's bytes is not what
 *   was written. Only that item is affected; repair it from the other copies.
 * - `too-short`: an object ends before what was to be read of it.
 * - `no-such-object`: there is no object of that name.
 * - `no-space`: the transaction stores object data and the space for data is full. Nothing was applied;
 *   transactions without object data still work.
 * - `overloaded`: too many bytes wait for the disk. Nothing was applied; try again later.
 * - `too-large`: a key, value, object or transaction is beyond its limit. Nothing was applied.
 * - `io`: the device failed a read.
 * - `failed`: a write or sync failed earlier, so nothing more can be promised. The OSD must be restarted;
 *   what was acknowledged is durable.
 * - `read-only`: the store was opened for reading.
 * - `closed`: the store was closed.
 */
export type StoreFailure =
  | { readonly code: 'not-formatted' }
  | { readonly code: 'already-formatted'; readonly found: string }
  | { readonly code: 'superblock-corrupt'; readonly reason: string }
  | { readonly code: 'newer-format'; readonly expected: number; readonly actual: number }
  | { readonly code: 'corrupt'; readonly reason: string }
  | {
      readonly code: 'checksum-mismatch';
      readonly collection: string;
      readonly key: Uint8Array;
      /** Where in the object the damaged run begins; 0 for a row or an object's description. */
      readonly offsetBytes: number;
      readonly expected: number;
      readonly actual: number;
    }
  | {
      readonly code: 'too-short';
      readonly collection: string;
      readonly name: Uint8Array;
      readonly wantedBytes: number;
      readonly actualBytes: number;
    }
  | { readonly code: 'no-such-object'; readonly collection: string; readonly name: Uint8Array }
  | { readonly code: 'no-space'; readonly wantedBytes: number; readonly freeBytes: number }
  | { readonly code: 'overloaded'; readonly pendingBytes: number; readonly limitBytes: number }
  | {
      readonly code: 'too-large';
      readonly what: string;
      readonly actualBytes: number;
      readonly limitBytes: number;
    }
  | { readonly code: 'io'; readonly operation: string }
  | { readonly code: 'failed'; readonly reason: string }
  | { readonly code: 'read-only' }
  | { readonly code: 'closed' };

export type StoreErrorCode = StoreFailure['code'];

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, options?: { cause?: unknown }) {
    super(describe(failure), options);
    this.code = failure.code;
    this.failure = failure;
  }
}

function describe(failure: StoreFailure): string {
  const facts = Object.entries(failure)
    .filter(([name]) => name !== 'code')
    .map(([name, value]) => `${name} ${value instanceof Uint8Array ? printable(value) : value}`);
  return facts.length === 0 ? failure.code : `${failure.code}: ${facts.join(', ')}`;
}

function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.subarray(0, 64))
    text += byte > 32 && byte < 127 ? String.fromCharCode(byte) : `%${byte.toString(16)}`;
  return text;
}
