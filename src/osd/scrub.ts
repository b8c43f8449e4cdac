// Comparing what the members of a PG hold, and repairing what differs. Light: what exists, with lengths
// and checksums as recorded. Deep: every byte is read. One slice of the position space at a time, read
// while nothing is ordered, so that all members are compared at the same entry.

import type { BlobId } from '../base/ids.ts';
import { formatBlobId } from '../base/ids.ts';
import { describeError } from '../net/session.ts';
import type { BlobListing, MessageOf } from '../wire/messages.ts';
import type { Link } from './link.ts';
import { firstPosition, isSameShard } from './pg-disk.ts';
import type { Primary } from './primary.ts';

export interface ScrubResult {
  readonly rows: number;
  readonly blobs: number;
  readonly errors: number;
  readonly repaired: number;
}

/** Rows or blobs compared while writes wait: small, because deep scrub reads them all. */
const sliceItems = 32;
const sliceBytes = 256 * 1024;

/** Of each member, shards that could not be repaired: what was known of it before holds until the scrub has ended. */
type Damaged = Map<Link, number>;

/** Scrubs the whole PG; ends early, without a result, when the tenure does. */
export async function scrubPg(primary: Primary, deep: boolean): Promise<ScrubResult | undefined> {
  const { world, pg } = primary;
  await world.scrubs.acquire();
  primary.isScrubbing = true;
  let result: ScrubResult = { rows: 0, blobs: 0, errors: 0, repaired: 0 };
  const damaged: Damaged = new Map();
  try {
    let begin: Uint8Array | undefined = firstPosition;
    while (begin !== undefined && primary.isServing) {
      const turn = world.scrubShare.begin();
      const step = await scrubSlice(primary, begin, { deep, damaged });
      result = {
        rows: result.rows + step.rows,
        blobs: result.blobs + step.blobs,
        errors: result.errors + step.errors,
        repaired: result.repaired + step.repaired,
      };
      begin = step.end;
      await turn.rest();
    }
    // Its tenure may have ended, or the group left this disk, while it rested.
    if (begin !== undefined || !primary.isServing) return undefined;
    for (const link of primary.links.values()) link.damaged = damaged.get(link) ?? 0;
    await primary.noteScrubbed(deep);
    const level = result.errors > 0 ? 'warn' : 'info';
    world.env.log.write(level, 'scrub ended', { pg, deep, ...result });
    return result;
  } finally {
    primary.isScrubbing = false;
    world.scrubs.release();
  }
}

async function scrubSlice(
  primary: Primary,
  begin: Uint8Array,
  { deep, damaged }: { readonly deep: boolean; readonly damaged: Damaged },
): Promise<ScrubResult & { end: Uint8Array | undefined }> {
  const { pg, tenure, member, disk } = primary;
  const links = [...primary.links.values()].filter(
    (link) => link.slot.state === 'in-sync' && link.isLive,
  );
  const rowsRepaired = await primary.repairMyRows(() => disk.slice(begin, sliceItems, sliceBytes));
  const compared = await primary.inOrder(async () => {
    const { end } = await disk
      .slice(begin, sliceItems, sliceBytes)
      .catch(() => ({ end: undefined }));
    // The answers come from members that have every entry up to our head: the question goes behind them.
    const asked = links.map((link) =>
      link.ask({ kind: 'scrub-range', pg, tenure, begin, end, deep }, 'scrubbed').then(
        (answer) => ({ link, answer }),
        (error: unknown) => {
          primary.world.env.log.write('info', 'member not scrubbed', {
            pg,
            osd: link.slot.osd,
            error: describeError(error),
          });
          return undefined;
        },
      ),
    );
    const mine = await member.scrub(begin, end, deep);
    return { end, mine, theirs: (await Promise.all(asked)).filter((each) => each !== undefined) };
  });
  const { end, mine, theirs } = compared;
  let errors = mine.badBlobs.length + mine.badRows + rowsRepaired;
  let repaired = rowsRepaired;
  if (mine.badBlobs.length > 0) {
    const left = await primary.repairMine(mine.badBlobs);
    repaired += Math.max(0, mine.badBlobs.length - left);
  }
  for (const { link, answer } of theirs) {
    const bad = wrongBlobs(mine, answer, link.slot.index);
    errors += bad.length + answer.badRows;
    const mended = await repairBlobs(primary, link, bad);
    repaired += mended;
    damaged.set(link, (damaged.get(link) ?? 0) + bad.length - mended);
    if (mine.badRows > 0) continue;
    if (
      answer.badRows === 0 &&
      answer.rowsDigest === mine.rowsDigest &&
      answer.rowsCount === mine.rowsCount
    )
      continue;
    if (answer.badRows === 0) errors++;
    repaired += await repairRows(primary, link, begin, end);
  }
  return {
    rows: mine.rowsCount,
    blobs: mine.blobs.length + mine.badBlobs.length,
    errors,
    repaired,
    end,
  };
}

/** What a member should hold and does not, or holds wrongly. */
function wrongBlobs(
  mine: MessageOf<'scrubbed'>,
  theirs: MessageOf<'scrubbed'>,
  index: number,
): BlobId[] {
  const have = new Map(
    theirs.blobs.map((listing): [string, BlobListing] => [
      formatBlobId(listing.facts.blob),
      listing,
    ]),
  );
  const wrong = new Map(theirs.badBlobs.map((blob) => [formatBlobId(blob), blob]));
  for (const listing of mine.blobs) {
    const name = formatBlobId(listing.facts.blob);
    if (!isSameShard(have.get(name), listing, index)) wrong.set(name, listing.facts.blob);
  }
  return [...wrong.values()];
}

async function repairBlobs(
  primary: Primary,
  link: Link,
  blobs: readonly BlobId[],
): Promise<number> {
  let repaired = 0;
  for (const blob of blobs) {
    try {
      await link.pushBlob(blob, 'replace');
      repaired++;
      primary.world.env.log.write('info', 'shard repaired', {
        pg: primary.pg,
        osd: link.slot.osd,
        blob: formatBlobId(blob),
      });
    } catch (error) {
      primary.world.env.log.write('warn', 'shard not repaired', {
        pg: primary.pg,
        osd: link.slot.osd,
        error: describeError(error),
      });
    }
  }
  return repaired;
}

/** Gives a member our rows of the range: ours were verified as they were read. */
async function repairRows(
  primary: Primary,
  link: Link,
  begin: Uint8Array,
  end: Uint8Array | undefined,
): Promise<number> {
  const { pg, tenure, disk } = primary;
  try {
    let reply: Promise<unknown> | undefined;
    await primary.inOrder(async () => {
      const { rows } = await disk.range(begin, end);
      reply = link.ask(
        {
          kind: 'repair-rows',
          pg,
          tenure,
          begin,
          end,
          rows: rows.map(([key, value]) => ({ key, value })),
        },
        'ok',
      );
      reply.catch(() => {});
    });
    await reply;
    primary.world.env.log.write('info', 'rows repaired', { pg, osd: link.slot.osd });
    return 1;
  } catch (error) {
    primary.world.env.log.write('warn', 'rows not repaired', {
      pg,
      osd: link.slot.osd,
      error: describeError(error),
    });
    return 0;
  }
}
