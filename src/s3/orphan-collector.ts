// The job that deletes what dead gateways left behind: blobs that were stored, and whose entry was never
// committed. (What an entry once referred to is garbage, and the garbage collector's.)
//
// A round, for all writers that the monitor takes for dead and that were not swept before:
//
// 1. The registry of buckets remembers them: a bucket registered from now on refuses them from its first row on.
// 2. Every shard of every bucket that is registered cancels them. From here on nothing commits a blob of
//    theirs, also if one of them lives and was only cut off; its request is refused, and it goes on as another writer.
// 3. Their blobs are listed: the candidates.
// 4. Every shard is read for references to them: parts, then entries, then garbage, since a reference only
//    moves in this direction; names first, then removed buckets, and a shard before those that its keys go to,
//    for the same reason. What is referred to is struck out.
// 5. What is left of the candidates is deleted, and the registry remembers the writers as swept.
//
// References to a cancelled writer's blobs only ever go, so what nobody referred to in 4 nobody ever will.
// Each step may be repeated and may be done by two gateways at once. A round that ends early (the job is lost,
// something can't be read) has deleted only what it was sure of; the next begins again. Memory: the
// candidates, of which there are as many as fit, the rest in further passes.

import { DecodeError } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import type { BlobCursor } from '../client/cluster.ts';
import { ClientError, isBlobGone } from '../client/errors.ts';
import { readManifest } from './blob-reader.ts';
import { dataPool } from './blob-writer.ts';
import type { GatewayParts } from './context.ts';
import { decodeManifest } from './index/format.ts';
import { bucketsObject } from './index/index-client.ts';
import * as messages from './index/messages.ts';
import type { Manifest, ReferencesPage } from './index/references.ts';
import { everyShard, type VisitedShard } from './index/shard-walk.ts';
import { hasWriter, type WriterSet, writersExcept } from './index/writer-ranges.ts';
import { OrphanCandidates } from './orphan-candidates.ts';
import { PacedJob } from './paced-job.ts';

export interface OrphanCollectorOptions {
  readonly intervalMs: number;
  readonly blobsPerSecond: number;
  /** Pages of candidates in memory, 4 KiB each. Default 2048: 67 million blobs, 256 TiB, in one pass. */
  readonly pagesMax?: number;
}

const pagesMaxDefault = 2048;

/** Blobs listed in one call. */
const blobsPerCall = 1000;

/**
 * Between two pages of an index. A page of a thousand rows keeps its primary's processor busy for about 10 ms, so two
 * thirds of it are left to clients, and ten million objects are read in five minutes.
 */
const pagePauseMs = 20;

const sections = ['parts', 'entries', 'garbage'] as const;

export class OrphanCollector {
  readonly #parts: GatewayParts;
  readonly #job: PacedJob;
  readonly #pagesMax: number;

  constructor(parts: GatewayParts, options: OrphanCollectorOptions) {
    this.#parts = parts;
    this.#job = new PacedJob(parts, { job: 'orphans', ...options });
    this.#pagesMax = options.pagesMax ?? pagesMaxDefault;
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    const { cluster, env, index } = this.#parts;
    const dead = await cluster.deadWriters();
    const { swept } = await index.callObject(bucketsObject, messages.getWriters, {});
    const writers = writersExcept(dead, swept);
    if (writers.length === 0) return;
    await index.callObject(bucketsObject, messages.addWriters, { state: 'cancelled', writers });
    let shardCount = 0;
    await this.#eachShard(async ({ object }) => {
      shardCount++;
      await index.callObject(object, messages.cancelWriters, { writers });
    });
    // Blobs and no bucket at all is what a lost registry looks like. Orphans can wait for the next bucket.
    if (shardCount === 0) return;
    let orphanCount = 0;
    let begin: BlobId | undefined = { incarnation: 0, counter: 0 };
    while (begin !== undefined) {
      const candidates = await this.#listCandidates(writers, begin);
      if (candidates.size > 0)
        await this.#eachShard((shard) => this.#strikeReferredTo(shard, writers, candidates));
      orphanCount += candidates.size;
      if (candidates.size > 0) await this.#deleteCandidates(writers, begin, candidates);
      begin = candidates.end;
    }
    await index.callObject(bucketsObject, messages.addWriters, { state: 'swept', writers });
    const names = writers.map(({ first, count }) => `${first}+${count}`).join(' ');
    env.log.write('info', 'orphans of dead writers are deleted', { writers: names, orphanCount });
  }

  /** Before each step that takes time. */
  async #mustHold(): Promise<void> {
    if (!(await this.#job.holds()))
      throw new ClientError('unavailable', 'the job is not held any more');
  }

  async #eachShard(visit: (shard: VisitedShard) => Promise<void>): Promise<void> {
    for await (const shard of everyShard(this.#parts.index)) {
      await this.#mustHold();
      await visit(shard);
    }
  }

  /** The writers' blobs from `begin` on, as many as there is room for. */
  async #listCandidates(writers: WriterSet, begin: BlobId): Promise<OrphanCandidates> {
    const candidates = new OrphanCandidates(this.#pagesMax);
    await this.#eachBlobPage(writers, begin, async ({ blobs }) => {
      for (const blob of blobs) candidates.add(blob);
    });
    return candidates;
  }

  async #deleteCandidates(
    writers: WriterSet,
    begin: BlobId,
    candidates: OrphanCandidates,
  ): Promise<void> {
    await this.#eachBlobPage(writers, begin, ({ layout, blobs }) =>
      this.#job.deleteBlobs(
        layout,
        blobs.filter((blob) => candidates.has(blob)),
      ),
    );
  }

  async #eachBlobPage(
    writers: WriterSet,
    begin: BlobId,
    visit: (page: Awaited<ReturnType<GatewayParts['cluster']['listBlobs']>>) => Promise<void>,
  ): Promise<void> {
    for (const { first, count } of writers) {
      const end = first + count;
      if (end <= begin.incarnation) continue;
      let cursor: BlobCursor | undefined;
      do {
        await this.#mustHold();
        const page = await this.#parts.cluster.listBlobs(dataPool, {
          begin: begin.incarnation >= first ? begin : { incarnation: first, counter: 0 },
          end: { incarnation: end, counter: 0 },
          cursor,
          limit: blobsPerCall,
        });
        await visit(page);
        cursor = page.next;
      } while (cursor !== undefined);
    }
  }

  /** Throws `DecodeError` when a row can't be read or rows are lost: then nobody knows what they refer to. */
  async #strikeReferredTo(
    { object, removed }: VisitedShard,
    writers: WriterSet,
    candidates: OrphanCandidates,
  ): Promise<void> {
    for (const section of sections) {
      let after: Uint8Array | undefined = new Uint8Array(0);
      while (after !== undefined) {
        await this.#mustHold();
        const page: ReferencesPage & { readonly hasShard: boolean } =
          await this.#parts.index.callObject(object, messages.listReferences, {
            section,
            writers,
            after,
          });
        // Or its bucket was removed just now: then the next round will see that.
        if (!page.hasShard && !removed)
          throw new DecodeError(`${object}: the bucket is registered and its index is not there`);
        if (page.unreadable !== undefined)
          throw new DecodeError(
            `${object}: a row of ${section} can't be read (${page.unreadable.length} bytes: ${printable(page.unreadable)}); it may refer to blobs of dead writers, so none is deleted`,
          );
        for (const run of page.runs) candidates.delete(run);
        for (const manifest of page.manifests)
          for (const run of await this.#runsOfManifest(manifest, section))
            if (hasWriter(writers, run.first.incarnation)) candidates.delete(run);
        after = page.next;
        await this.#job.pause(pagePauseMs);
      }
    }
  }

  /**
   * A manifest in the garbage that is gone was collected just now, after the blobs it listed. One that an entry
   * refers to must be there, unless the entry was deleted meanwhile: the next round will know.
   */
  async #runsOfManifest(
    manifest: Manifest,
    section: (typeof sections)[number],
  ): Promise<readonly { readonly first: BlobId; readonly count: number }[]> {
    try {
      const extents = decodeManifest(await readManifest(this.#parts.cluster, manifest));
      return extents.flatMap((extent) => extent.runs);
    } catch (error) {
      if (isBlobGone(error) && section === 'garbage') return [];
      throw error;
    }
  }
}

/** A row's key for a person: without its tag, and without what is not text. */
function printable(row: Uint8Array): string {
  return new TextDecoder().decode(row.subarray(1)).replace(/[^\x20-\x7e]/g, '?');
}
