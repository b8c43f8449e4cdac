// PGs on this disk that the cluster map has no layout for any more. Their layout was emptied and removed, or
// their pool was, or a map was edited by hand: what is empty goes at once, anything else only after a day, so
// that a map that was wrong can still be put right (promise P3).

import { encodeUtf8 } from '../base/bytes.ts';
import { decode, encode, struct, uint, versioned } from '../base/codec.ts';
import type { PgId } from '../base/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { Transaction } from '../store/transaction.ts';
import type { Member } from './member.ts';
import { PgDisk } from './pg-disk.ts';

/** How long what is not empty stays, in milliseconds of wall time. */
export const leftoverMs = 24 * 3600 * 1000;

const markCodec = versioned('mark of a leftover', 1, struct({ sinceWallMs: uint }));

function markKey(pg: PgId): Uint8Array {
  return encodeUtf8(`left/${pg}`);
}

/** Removes the PG when its time has come; resolves with whether it is gone. Durable step by step. */
export async function removeLeftOver(
  store: ObjectStore,
  collection: string,
  member: Member,
  wallMs: number,
): Promise<boolean> {
  const { pg, disk } = member;
  // What can't be read is not nothing.
  const hasRows = await disk.hasRows().catch(() => true);
  const isEmpty = disk.counts.blobs === 0 && disk.cursor === undefined && !hasRows;
  const key = markKey(pg);
  if (!isEmpty) {
    const stored = await store.get(collection, key);
    if (stored === undefined) {
      const transaction = new Transaction();
      const sinceWallMs = Math.floor(wallMs);
      transaction.put(collection, key, encode(markCodec, { sinceWallMs }));
      await store.commit(transaction);
      return false;
    }
    if (wallMs - decode(markCodec, stored).sinceWallMs < leftoverMs) return false;
  }
  await member.alone(() => {
    disk.leave();
    return PgDisk.discard(store, pg);
  });
  const transaction = new Transaction();
  transaction.delete(collection, key);
  await store.commit(transaction);
  return true;
}
