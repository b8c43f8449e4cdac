// What of a lost PG can still be read: asked when it begins again from the best disk that is left. Each blob that this
// disk knows of is looked for on every disk that the record names. One that too few have is given up for good, so
// "does not have it" is only what a disk says itself: one that does not answer is waited for, until it answers or is
// given up by name.

import { buffers } from '../base/buffer-pool.ts';
import { type BlobId, formatBlobId, type PgId } from '../base/ids.ts';
import type { ClusterMap } from '../map/cluster-map.ts';
import type { PgRecord, Slot } from '../map/pg-record.ts';
import { StoreError } from '../store/errors.ts';
import type { BlobFacts } from '../wire/entry.ts';
import type { BlobListing, FailureCode } from '../wire/messages.ts';
import { OsdError } from './errors.ts';
import { shardFaults } from './member.ts';
import { isSameBlob, type PgDisk } from './pg-disk.ts';
import { shardLength, shardsNeeded } from './shards.ts';
import type { World } from './world.ts';

/** What the search needs of the PG's primary. */
export interface Salvaged {
  readonly world: World;
  readonly pg: PgId;
  readonly disk: PgDisk;
  readonly record: PgRecord;
  readonly mySlot: Slot;
  readonly hasEnded: boolean;
  waiting: string;
}

/** Blobs listed at once, and of these looked for at once: each is a question to every other disk. */
const blobsPerPage = 500;
const blobsAtOnce = 16;

const answerMs = 5000;

/** Said by a disk of what it holds. Other refusals say nothing about that. */
const absent: ReadonlySet<FailureCode> = new Set([
  'no-such-blob',
  'damaged',
  'stale',
  'bad-request',
]);

/**
 * The blobs of which too few shards are left. Throws `OsdError` `failed` when some disk did not say what it has; then
 * the search begins anew with the next attempt. The answer has one id for each lost blob: 40 bytes.
 */
export async function findUnreadable(pg: Salvaged): Promise<readonly BlobId[]> {
  const lost: BlobId[] = [];
  let seen = 0;
  const look = async (listings: readonly Known[]): Promise<void> => {
    for (let at = 0; at < listings.length && !pg.hasEnded; at += blobsAtOnce) {
      const some = listings.slice(at, at + blobsAtOnce);
      const readable = await Promise.all(some.map((known) => isReadable(pg, known)));
      for (const [index, known] of some.entries()) if (!readable[index]) lost.push(known.blob);
      seen += some.length;
      pg.waiting = `what can still be read (${seen} blobs looked for, ${lost.length} lost)`;
    }
  };
  await look(pg.disk.missing(pg.disk.missingCount).map((listing) => knownOf(listing, false)));
  let after: BlobId | undefined;
  while (!pg.hasEnded) {
    const blobs: readonly BlobId[] = await pg.disk.listBlobs(after, blobsPerPage);
    const known: Known[] = [];
    for (const blob of blobs) {
      if (pg.disk.isMissing(blob)) continue;
      // Nothing that is written of it can be read: nobody knows what its shards should be.
      const listing = await pg.disk.listing(blob).catch(() => undefined);
      if (listing === undefined) lost.push(blob);
      else known.push(knownOf(listing, !pg.disk.isDamaged(blob)));
    }
    await look(known);
    after = blobs.at(-1);
    if (after === undefined || blobs.length < blobsPerPage) break;
  }
  return lost;
}

/** How much of a shard is looked at: what is behind its first bytes a deep scrub verifies. */
type Extent = 'first-bytes' | 'whole';

interface Known {
  readonly blob: BlobId;
  readonly facts: BlobFacts;
  /** This disk has its own shard of it. */
  readonly isHere: boolean;
}

function knownOf({ facts }: BlobListing, isHere: boolean): Known {
  return { blob: facts.blob, facts, isHere };
}

/**
 * Whether enough shards of a blob are left that verify as a whole. False is final: each disk of the record said
 * itself that it has none, or is given up. Throws `OsdError` `failed` when some disk did not say.
 */
export async function canBeRead(pg: Salvaged, listing: BlobListing): Promise<boolean> {
  const { blob } = listing.facts;
  return await isReadable(pg, knownOf(listing, !pg.disk.isDamaged(blob)), 'whole');
}

async function isReadable(
  pg: Salvaged,
  { facts, isHere }: Known,
  extent: Extent = 'first-bytes',
): Promise<boolean> {
  const needed = shardsNeeded(facts.geometry);
  const found = new Set<number>();
  const lengthBytes = extent === 'whole' ? shardLength(facts) : 1;
  if (isHere && (await hasMine(pg, facts, lengthBytes))) found.add(pg.mySlot.index);
  const others = pg.record.slots.filter((slot) => slot.uuid !== pg.world.self.uuid);
  for (const slot of others) {
    if (found.size >= needed) return true;
    if (found.has(slot.index) || hasNothing(pg.world.mon.map, slot)) continue;
    if (await hasTheirs(pg, slot, facts, lengthBytes)) found.add(slot.index);
  }
  return found.size >= needed;
}

/** Given up by name, or away before it was ever filled. */
export function hasNothing(map: ClusterMap | undefined, { uuid, state, asOf }: Slot): boolean {
  const osd = map?.osds.find((each) => each.uuid === uuid);
  if (osd === undefined || osd.destroyed) return true;
  return !osd.up && state === 'joining' && asOf === 0;
}

async function hasMine(
  { disk }: Salvaged,
  facts: BlobFacts,
  lengthBytes: number,
): Promise<boolean> {
  try {
    buffers.release(await disk.readShard(facts.blob, 0, lengthBytes));
    return true;
  } catch (error) {
    const isAbsent =
      error instanceof StoreError &&
      (error.code === 'no-such-object' || shardFaults.has(error.code));
    if (isAbsent) return false;
    // A disk that fails to read says nothing about what is on it, this one no more than others.
    throw new OsdError('failed', `this disk can't say what it has of ${formatBlobId(facts.blob)}`, {
      cause: error,
    });
  }
}

async function hasTheirs(
  pg: Salvaged,
  slot: Slot,
  facts: BlobFacts,
  lengthBytes: number,
): Promise<boolean> {
  const question = {
    kind: 'read-shard',
    pg: pg.record.pg,
    blob: facts.blob,
    offsetBytes: 0,
    lengthBytes,
  } as const;
  try {
    const session = await pg.world.peers.session(slot.uuid);
    const { message, payload } = await session.request({ message: question }, answerMs, {
      pooled: true,
    });
    const isWhole = payload.length === lengthBytes;
    buffers.release(payload);
    if (message.kind === 'shard') {
      const isRightIndex = facts.geometry.kind === 'copies' || message.index === slot.index;
      return isWhole && isRightIndex && isSameBlob(message.facts, facts);
    }
    if (message.kind === 'failure' && absent.has(message.code)) return false;
  } catch (error) {
    pg.waiting = `osd.${slot.osd} to say what it has`;
    throw new OsdError('failed', `osd.${slot.osd} does not say what it has of ${pg.pg}`, {
      cause: error,
    });
  }
  throw new OsdError('failed', `osd.${slot.osd} can't say what it has of ${pg.pg}`);
}
