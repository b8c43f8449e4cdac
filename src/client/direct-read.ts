// Reading a blob from the disks that hold its data shards, without its primary in between: half the bytes
// on the wire. Safe because a blob never changes and its id is never used again: a shard of the right blob,
// geometry, length and index is valid from whoever has it (PROTOCOL rule 25). What is *not* there is never
// concluded from such a read: any failure is answered by asking the primary.

import { buffers } from '../base/buffer-pool.ts';
import type { BlobId, PgId } from '../base/ids.ts';
import { assembleRange, rangeToShards } from '../erasure/stripes.ts';
import { type ClusterMap, findLayout, type OsdEntry } from '../map/cluster-map.ts';
import type { PgRecord } from '../map/pg-record.ts';
import type { Incoming } from '../net/session.ts';
import type { BlobRange, LayoutRef } from './cluster.ts';
import type { OsdSessions } from './osd-sessions.ts';

interface Knowledge {
  readonly map: ClusterMap | undefined;
  readonly records: ReadonlyMap<PgId, PgRecord>;
  readonly sessions: OsdSessions;
}

interface Wanted {
  readonly layout: LayoutRef;
  readonly blob: BlobId;
  readonly pg: PgId | undefined;
  readonly range: BlobRange;
}

/** One disk's answer; then the primary is asked, which has others to turn to. */
const shardMs = 2000;

/** The bytes; undefined when they can't be had this way. */
export async function readShardsDirectly(
  knowledge: Knowledge,
  wanted: Wanted,
): Promise<Uint8Array | undefined> {
  const { map, records, sessions } = knowledge;
  const { blob, pg, range, layout: ref } = wanted;
  const layout = map === undefined ? undefined : findLayout(map, ref.pool, ref.layout);
  const record = pg === undefined ? undefined : records.get(pg);
  if (map === undefined || pg === undefined || record === undefined || layout === undefined)
    return undefined;
  const { geometry } = layout;
  const { blobBytes } = range;
  if (geometry.kind !== 'erasure' || blobBytes === undefined) return undefined;
  const reads = rangeToShards(geometry, blobBytes, range);
  const disks: OsdEntry[] = [];
  for (const read of reads) {
    const slot = record.slots.find(
      (each) => each.state === 'in-sync' && each.index === read.shardIndex,
    );
    const osd = slot === undefined ? undefined : map.osds.find((each) => each.uuid === slot.uuid);
    if (osd?.up !== true) return undefined;
    disks.push(osd);
  }
  // One answer alone may become the result, which is the pool's only for who asked for that.
  const pooled = range.pooled === true || reads.length > 1 ? ({ pooled: true } as const) : {};
  const answers = await Promise.all(
    reads.map(async ({ offsetBytes, lengthBytes }, at): Promise<Incoming | undefined> => {
      try {
        const session = await sessions.session(disks[at] as OsdEntry);
        const message = { kind: 'read-shard', pg, blob, offsetBytes, lengthBytes } as const;
        return await session.request({ message }, shardMs, pooled);
      } catch {
        return undefined;
      }
    }),
  );
  try {
    const parts: Uint8Array[] = [];
    for (const [at, answer] of answers.entries()) {
      const read = reads[at];
      if (answer?.message.kind !== 'shard' || read === undefined) return undefined;
      const { facts, index } = answer.message;
      const isRight =
        index === read.shardIndex &&
        answer.payload.length === read.lengthBytes &&
        facts.blobBytes === blobBytes &&
        facts.geometry.kind === 'erasure' &&
        facts.geometry.k === geometry.k &&
        facts.geometry.m === geometry.m &&
        facts.geometry.chunkBytes === geometry.chunkBytes &&
        facts.geometry.codec === geometry.codec &&
        facts.blob.incarnation === blob.incarnation &&
        facts.blob.counter === blob.counter;
      if (!isRight) return undefined;
      parts.push(answer.payload);
    }
    const newTarget = range.pooled === true ? (bytes: number) => buffers.acquire(bytes) : undefined;
    const whole = assembleRange(geometry, blobBytes, range, parts, newTarget);
    // A range inside one shard is that shard's answer itself: then it is the caller's.
    for (const [at, answer] of answers.entries())
      if (answer?.payload === whole) answers[at] = undefined;
    return whole;
  } finally {
    for (const answer of answers) if (answer !== undefined) buffers.release(answer.payload);
  }
}
