// What must be true once everything has healed and nothing is written any more: all in-sync members of a PG
// hold the same rows and the blobs that belong there, each byte verified, and nothing else.

import { formatBlobId, type PgId } from '../base/ids.ts';
import { slotsIn } from '../map/pg-record.ts';
import { firstPosition } from '../osd/pg-disk.ts';
import type { BlobListing } from '../wire/messages.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** What one PG's members agree on. */
export interface PgContent {
  readonly pg: PgId;
  readonly blobs: readonly BlobListing[];
}

/** Compares the members of every PG with each other; adds what is wrong to `problems`. */
export async function compareMembers(
  cluster: SimulatedCluster,
  problems: string[],
): Promise<readonly PgContent[]> {
  const contents: PgContent[] = [];
  for (const record of cluster.monitor.records.values()) {
    let first: { osd: number; text: string; blobs: readonly BlobListing[] } | undefined;
    for (const slot of slotsIn(record, 'in-sync')) {
      const member = cluster.osdOf(slot.uuid)?.osd?.memberOf(record.pg);
      if (member === undefined) {
        problems.push(`${record.pg}: osd.${slot.osd} is in-sync and has nothing of it`);
        continue;
      }
      const found = await cluster.settle(
        member.scrub(firstPosition, undefined, true),
        `comparing ${record.pg}`,
      );
      if (found.badRows > 0 || found.badBlobs.length > 0)
        problems.push(
          `${record.pg}: osd.${slot.osd} has ${found.badRows} bad rows, ${found.badBlobs.length} bad blobs at the end`,
        );
      const wrongIndex = found.blobs.find(
        (listing) => listing.facts.geometry.kind === 'erasure' && listing.index !== slot.index,
      );
      if (wrongIndex !== undefined)
        problems.push(
          `${record.pg}: osd.${slot.osd} is slot ${slot.index} and holds shard ${wrongIndex.index} of ${formatBlobId(wrongIndex.facts.blob)}`,
        );
      const text = `rows ${found.rowsCount} digest ${found.rowsDigest} blobs ${found.blobs
        .map((listing) => `${formatBlobId(listing.facts.blob)}:${listing.facts.blobCrc}`)
        .join(' ')}`;
      if (first === undefined) first = { osd: slot.osd, text, blobs: found.blobs };
      else if (first.text !== text)
        problems.push(
          `${record.pg}: members differ: osd.${first.osd} ${first.text}; osd.${slot.osd} ${text}`,
        );
    }
    contents.push({ pg: record.pg, blobs: first?.blobs ?? [] });
  }
  return contents;
}
