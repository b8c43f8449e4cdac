// What must be true once everything has healed and nothing is written any more: all in-sync members of a PG
// hold the same rows and the blobs that belong there, each byte verified, each shard what its blob makes, and nothing else.

import { formatBlobId, type PgId } from '../base/ids.ts';
import { type PgRecord, slotsIn } from '../map/pg-record.ts';
import { leftoverMs } from '../osd/leftovers.ts';
import { firstPosition } from '../osd/pg-disk.ts';
import { shardLength } from '../osd/shards.ts';
import { inlineBytesMax, unitBytes } from '../store/format.ts';
import type { BlobListing } from '../wire/messages.ts';
import { type Holder, wrongShards } from './shard-check.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

/** What one PG's members agree on. */
export interface PgContent {
  readonly pg: PgId;
  readonly blobs: readonly BlobListing[];
}

/** Records may change while they are looked at: a layout goes when it is empty, and slots move. */
const comparisonsMax = 10;

/** Compares the members of every PG with each other; adds what is wrong to `problems`. */
export async function compareMembers(
  cluster: SimulatedCluster,
  problems: string[],
): Promise<readonly PgContent[]> {
  const contents: PgContent[] = [];
  for (const pg of cluster.monitor.records.keys()) {
    for (let attempt = 1; ; attempt++) {
      const record = cluster.monitor.records.get(pg);
      if (record === undefined) break;
      const { content, wrong } = await compare(cluster, record);
      const isSame = cluster.monitor.records.get(pg) === record;
      if (!isSame && attempt < comparisonsMax) continue;
      contents.push(content);
      problems.push(...wrong);
      break;
    }
  }
  return contents;
}

async function compare(
  cluster: SimulatedCluster,
  record: PgRecord,
): Promise<{ readonly content: PgContent; readonly wrong: readonly string[] }> {
  const wrong: string[] = [];
  const holders: Holder[] = [];
  let first: { osd: number; text: string; blobs: readonly BlobListing[] } | undefined;
  for (const slot of slotsIn(record, 'in-sync')) {
    const member = cluster.osdOf(slot.uuid)?.osd?.memberOf(record.pg);
    if (member === undefined) {
      wrong.push(`${record.pg}: osd.${slot.osd} is in-sync and has nothing of it`);
      continue;
    }
    const found = await cluster.settle(
      member.scrub(firstPosition, undefined, true),
      `comparing ${record.pg}`,
    );
    if (found.badRows > 0 || found.badBlobs.length > 0)
      wrong.push(
        `${record.pg}: osd.${slot.osd} has ${found.badRows} bad rows, ${found.badBlobs.length} bad blobs at the end`,
      );
    const wrongIndex = found.blobs.find(
      (listing) => listing.facts.geometry.kind === 'erasure' && listing.index !== slot.index,
    );
    if (wrongIndex !== undefined)
      wrong.push(
        `${record.pg}: osd.${slot.osd} is slot ${slot.index} and holds shard ${wrongIndex.index} of ${formatBlobId(wrongIndex.facts.blob)}`,
      );
    const text = `rows ${found.rowsCount} digest ${found.rowsDigest} blobs ${found.blobs
      .map((listing) => `${formatBlobId(listing.facts.blob)}:${listing.facts.blobCrc}`)
      .join(' ')}`;
    holders.push({ index: slot.index, osd: slot.osd, member });
    if (first === undefined) first = { osd: slot.osd, text, blobs: found.blobs };
    else if (first.text !== text)
      wrong.push(
        `${record.pg}: members differ: osd.${first.osd} ${first.text}; osd.${slot.osd} ${text}`,
      );
  }
  const blobs = first?.blobs ?? [];
  if (wrong.length === 0) {
    const facts = blobs.map((listing) => listing.facts);
    for (const fault of await wrongShards(cluster, holders, facts))
      wrong.push(`${record.pg}: ${fault}`);
  }
  return { content: { pg: record.pg, blobs }, wrong };
}

/** What a daemon still holds for requests, though nobody asks for anything any more. */
export async function leftInMemory(cluster: SimulatedCluster): Promise<string[]> {
  const held: string[] = [];
  for (const { id, osd } of cluster.osds) {
    const busy = () => {
      const { requests, shards } = osd?.heldBytes ?? { requests: 0, shards: 0 };
      return shards > 0 || requests > idleBytesMax;
    };
    for (let looks = 0; looks < 20 && busy(); looks++) await cluster.scheduler.run(100);
    if (busy()) held.push(`osd.${id} is idle and holds ${JSON.stringify(osd?.heldBytes)}`);
  }
  return held;
}

/** What a gateway still holds, or reads, for requests that have all been answered. Its jobs read, too, and end. */
export async function leftAtGateways(cluster: SimulatedCluster): Promise<string[]> {
  const held: string[] = [];
  for (const { name, process, load } of cluster.gateways) {
    if (!process.isAlive || load === undefined) continue;
    const busy = () => load().bufferedBytes > 0 || load().readsUnderWay > 0;
    for (let looks = 0; looks < 50 && busy(); looks++) await cluster.scheduler.run(100);
    if (busy()) held.push(`${name} is idle and holds ${JSON.stringify(load())}`);
  }
  return held;
}

/** Pings, promises and beacons under way. */
const idleBytesMax = 64 * 1024;

async function reopen(cluster: SimulatedCluster, osd: SimulatedOsd): Promise<void> {
  cluster.killOsd(osd.id);
  await cluster.startOsd(osd.id);
  // The first transaction after an opening frees what was found to belong to nobody.
  await cluster.scheduler.run(3000);
}

/**
 * Groups of a removed pool are scrubbed by nobody: what was spoilt there keeps its space until they go, a day
 * later by the disk's clock, and the disk is opened again.
 */
async function outliveLeftovers(cluster: SimulatedCluster, osd: SimulatedOsd): Promise<void> {
  cluster.setWallOffset(`osd.${osd.id}`, leftoverMs + 2 * 3600 * 1000);
  await reopen(cluster, osd);
  await reopen(cluster, osd);
}

/**
 * Space that nothing accounts for: once the trash is emptied, a disk has taken exactly what the shards on it
 * need. A disk whose rows were spoilt may keep space until it is opened again, so each is.
 */
export async function leftOnDisks(cluster: SimulatedCluster): Promise<string[]> {
  const wrong: string[] = [];
  for (const each of cluster.osds) {
    if (each.osd === undefined) continue;
    await cluster.settle(each.osd.emptyTrash(), `emptying the trash of osd.${each.id}`);
    await reopen(cluster, each);
    if (each.osd !== undefined && each.osd.store.damaged.length > 0)
      await outliveLeftovers(cluster, each);
    const { osd } = each;
    if (osd === undefined) continue;
    // Meanwhile it may have found groups that left while it was away.
    await cluster.settle(osd.emptyTrash(), `emptying the trash of osd.${each.id} again`);
    let expected = 0;
    // Also those of removed pools: what is not empty stays for a day (osd/leftovers.ts).
    for (const pg of osd.pgs) {
      const member = osd.memberOf(pg);
      if (member === undefined) continue;
      const { blobs } = await cluster.settle(
        member.scrub(firstPosition, undefined, false),
        `listing ${pg}`,
      );
      for (const { facts } of blobs) {
        const bytes = shardLength(facts);
        if (bytes > inlineBytesMax) expected += Math.ceil(bytes / unitBytes) * unitBytes;
      }
    }
    const { usedBytes } = osd.store.usage();
    if (usedBytes !== expected)
      wrong.push(`osd.${each.id} has taken ${usedBytes} bytes for shards of ${expected}`);
  }
  return wrong;
}
