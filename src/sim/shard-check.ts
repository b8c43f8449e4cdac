// What the members of a PG hold of each blob, taken together: the shards of its data are the bytes that its checksum is
// of, and each other shard, or copy, is what these make. Each member's own checksum is of what it was given: a shard that
// was made wrongly verifies for ever, and shows only when others are lost and it is needed.

import { buffers } from '../base/buffer-pool.ts';
import { equalBytes } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import { formatBlobId } from '../base/ids.ts';
import { decodeBlob, encodeBlob } from '../erasure/stripes.ts';
import type { Member } from '../osd/member.ts';
import { shardLength } from '../osd/shards.ts';
import type { BlobFacts } from '../wire/entry.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

export interface Holder {
  /** Of which shard; of copies any. */
  readonly index: number;
  readonly osd: number;
  readonly member: Member;
}

export async function wrongShards(
  cluster: SimulatedCluster,
  holders: readonly Holder[],
  blobs: readonly BlobFacts[],
): Promise<string[]> {
  const wrong: string[] = [];
  for (const facts of blobs) {
    const shards: Uint8Array[] = [];
    for (const { member, osd } of holders) {
      const name = formatBlobId(facts.blob);
      const reading = member.disk.readShard(facts.blob, 0, shardLength(facts));
      shards.push(await cluster.settle(reading, `reading ${name} of osd.${osd}`));
    }
    const fault = faultOf(facts, holders, shards);
    if (fault !== undefined) wrong.push(`blob ${formatBlobId(facts.blob)}: ${fault}`);
    for (const shard of shards) buffers.release(shard);
  }
  return wrong;
}

function faultOf(
  facts: BlobFacts,
  holders: readonly Holder[],
  shards: readonly Uint8Array[],
): string | undefined {
  const { geometry, blobBytes, blobCrc } = facts;
  if (geometry.kind === 'copies') {
    const bad = holders.find((_, at) => crc32c(shards[at] as Uint8Array) !== blobCrc);
    return bad === undefined ? undefined : `osd.${bad.osd} has other bytes than were put`;
  }
  const { k, m } = geometry;
  const known = Array.from({ length: k + m }, (_, index) => {
    const at = holders.findIndex((holder) => holder.index === index);
    return shards[at];
  });
  if (known.filter((shard) => shard !== undefined).length < k)
    return `fewer than ${k} different shards`;
  const whole = decodeBlob(geometry, blobBytes, known);
  if (crc32c(whole) !== blobCrc) return 'its shards make other bytes than were put';
  const expected = encodeBlob(geometry, [whole], blobBytes);
  const bad = holders.find(
    ({ index }, at) => !equalBytes(shards[at] as Uint8Array, expected[index] as Uint8Array),
  );
  return bad === undefined ? undefined : `shard ${bad.index} on osd.${bad.osd} was made wrongly`;
}
