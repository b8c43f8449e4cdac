// The job that empties a pool's draining layouts: it writes what lies in them anew where the pool's active
// layout says, and tells the index where the bytes are now (DESIGN section 8, PROTOCOL rule 31).
//
// A round walks all shards of all buckets, parts before entries, since a reference only moves in that direction.
// For each row that refers to a draining layout it copies the blobs, a bounded piece at a time, and then
// replaces the locations in that row, if the row is still what was read. The same call lists as garbage whichever
// blobs the row does not refer to afterwards: the old ones, or the new ones when somebody was faster. So
// each step may be repeated, by another gateway and after any crash, and no step makes an object unreadable. What
// a killed gateway had copied and not yet told the index is an orphan of its writer, and collected as such.
//
// A large object is moved piece by piece, its manifest naming both layouts on the way.

import { DecodeError } from '../base/codec.ts';
import type { Version } from '../base/method.ts';
import type { LayoutRef, Migration } from '../client/cluster.ts';
import { ClientError } from '../client/errors.ts';
import { BlobStream, loadExtents, PieceCursor } from './blob-reader.ts';
import { BlobWriter, dataPool } from './blob-writer.ts';
import type { GatewayParts } from './context.ts';
import { joinRuns, splitRun } from './index/blob-runs.ts';
import {
  type BlobRun,
  type Content,
  decodeEntry,
  directExtentsBytesMax,
  type Entry,
  type Extent,
  encodeManifest,
  type Part,
  partFormat,
  runBytes,
} from './index/format.ts';
import * as messages from './index/messages.ts';
import { isIn, type LocatedPage } from './index/references.ts';
import { everyShard } from './index/shard-walk.ts';
import { PacedJob } from './paced-job.ts';

export interface MigratorOptions {
  readonly intervalMs: number;
}

/** Between two pages of an index, as for other jobs that read all of it. */
const pagePauseMs = 20;

/**
 * Blobs copied before the index is told: 256 MiB. A killed gateway leaves at most so much behind, and an object of
 * 5 TiB gets 20,000 runs on the way, a manifest of 400 kB.
 */
const blobsPerStep = 64;

/** After this many rounds in a row that found nothing, a round is made only now and then. */
const cleanPassesEnough = 2;
const restMs = 60_000;

/** What a step on a row's runs has come to so far. */
interface Step {
  /** Written anew: garbage, unless the row refers to them afterwards. */
  readonly placed: BlobRun[];
  /** Referred to before: garbage afterwards. */
  readonly dropped: BlobRun[];
  bytes: number;
  blobs: number;
}

/** Everything in these layouts is moved elsewhere; with what was moved, runs of which some may still be there. */
interface Moved {
  readonly runs: readonly BlobRun[];
  readonly isPartial: boolean;
}

type Relocated =
  | { readonly kind: 'done'; readonly version: Version }
  | { readonly kind: 'changed' };

export class Migrator {
  readonly #parts: GatewayParts;
  readonly #job: PacedJob;
  #toLayout = 0;
  #movedBytes = 0;
  #movedBlobs = 0;
  #cleanPasses = 0;
  #trouble = '';
  /** Of this round. */
  #movedInRound = 0;
  #restUntil = 0;

  constructor(parts: GatewayParts, options: MigratorOptions) {
    this.#parts = parts;
    this.#job = new PacedJob(parts, { job: 'migrate', ...options });
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    const migration = this.#parts.cluster.migration(dataPool);
    if (migration === undefined) {
      this.#cleanPasses = 0;
      return;
    }
    // Turned back, or changed again: what was clean was so for another layout.
    if (migration.to.layout !== this.#toLayout) this.#cleanPasses = 0;
    this.#toLayout = migration.to.layout;
    const now = this.#parts.env.clock.now();
    if (this.#cleanPasses >= cleanPassesEnough && now < this.#restUntil) {
      // Said again: a monitor that was started meanwhile has not heard it.
      this.#report();
      return;
    }
    this.#trouble = '';
    this.#movedInRound = 0;
    try {
      await this.#eachShard((object) => this.#moveShard(object));
    } catch (error) {
      this.#trouble ||= describe(error);
      throw error;
    } finally {
      const isClean = this.#trouble === '' && this.#movedInRound === 0;
      this.#cleanPasses = isClean ? this.#cleanPasses + 1 : 0;
      this.#restUntil = this.#parts.env.clock.now() + restMs;
      this.#report();
    }
  }

  #report(): void {
    this.#parts.cluster.reportMigration(dataPool, {
      toLayout: this.#toLayout,
      movedBytes: this.#movedBytes,
      movedBlobs: this.#movedBlobs,
      cleanPasses: this.#cleanPasses,
      trouble: this.#trouble,
    });
  }

  /** As the map says now: it may have been paused, turned back, or ended. */
  async #migration(): Promise<Migration> {
    const migration = this.#parts.cluster.migration(dataPool);
    if (migration === undefined || !(await this.#job.holds()))
      throw new ClientError('unavailable', 'the migration was paused, or is over');
    if (migration.to.layout !== this.#toLayout)
      throw new ClientError('unavailable', 'the pool was changed again');
    return migration;
  }

  async #eachShard(visit: (object: string) => Promise<void>): Promise<void> {
    for await (const { object, removed } of everyShard(this.#parts.index)) {
      // What a removed bucket held is garbage, and collected.
      if (!removed) await visit(object);
    }
  }

  async #moveShard(object: string): Promise<void> {
    for (const section of ['parts', 'entries'] as const) {
      let after: Uint8Array | undefined = new Uint8Array(0);
      while (after !== undefined) {
        const { from: layouts } = await this.#migration();
        const page: LocatedPage = await this.#parts.index.callObject(object, messages.listLocated, {
          section,
          layouts,
          after,
        });
        if (page.unreadableCount > 0)
          this.#trouble = `${page.unreadableCount} rows of ${object} can't be read`;
        for (const { row, value } of page.rows) await this.#moveRow(object, section, row, value);
        after = page.next;
        await this.#job.pause(pagePauseMs);
      }
    }
  }

  /** One object that can't be read must not keep the others where they are. */
  async #moveRow(
    object: string,
    section: 'parts' | 'entries',
    row: Uint8Array,
    value: Uint8Array,
  ): Promise<void> {
    try {
      if (section === 'parts') await this.#movePart(object, row, partFormat.decode(value));
      else await this.#moveEntry(object, row, decodeEntry(value));
    } catch (error) {
      const isData =
        error instanceof DecodeError ||
        (error instanceof ClientError && ['damaged', 'no-such-blob', 'lost'].includes(error.code));
      if (!isData) throw error;
      // Gone: it was deleted or replaced meanwhile, and the next round will see that.
      if (error instanceof ClientError && error.code === 'no-such-blob') this.#movedInRound++;
      // Lost for good: there is nothing to move, and its entry goes on saying so.
      else if (error instanceof ClientError && error.code === 'lost') return;
      else this.#trouble = `${object}: ${describe(error)}`;
      this.#job.report(error, 'an object is not moved', object);
    }
  }

  /** In one step: a part has at most 5 GiB. */
  async #movePart(object: string, row: Uint8Array, part: Part): Promise<void> {
    await this.#step(object, async (step, from) => {
      const { runs } = await this.#moveRuns(part.runs, from, Number.POSITIVE_INFINITY, step);
      return () =>
        this.#relocated(
          this.#parts.index.callObject(object, messages.relocatePart, {
            row,
            version: part.version,
            runs,
            placed: step.placed,
            dropped: step.dropped,
          }),
        );
    });
  }

  async #moveEntry(object: string, row: Uint8Array, entry: Entry): Promise<void> {
    let { content, generation } = entry;
    let isPartial = true;
    // Ends: each step moves blobs out of draining layouts, or is the last.
    while (isPartial && content.kind !== 'inline') {
      const extents = await loadExtents(this.#parts.cluster, content);
      const own = content.kind === 'indirect' ? content.runs : [];
      const all = extents.flatMap((extent) => extent.runs);
      const { from } = await this.#migration();
      if (![...all, ...own].some((run) => isIn(from, run.layout))) return;
      let next: Content = content;
      const outcome = await this.#step(object, async (step) => {
        const moved: Extent[] = [];
        isPartial = false;
        for (const extent of extents) {
          const part = await this.#moveRuns(extent.runs, from, blobsPerStep - step.blobs, step);
          moved.push({ ...extent, runs: part.runs });
          isPartial ||= part.isPartial;
        }
        step.dropped.push(...own);
        next = await this.#place(moved, step);
        return () =>
          this.#relocated(
            this.#parts.index.callObject(object, messages.relocateEntry, {
              row,
              generation,
              content: next,
              placed: step.placed,
              dropped: step.dropped,
            }),
          );
      });
      if (outcome.kind === 'changed') return;
      content = next;
      generation = outcome.version;
    }
  }

  /** A refusal because this gateway was taken for dead, or the bucket removed, ends the round. */
  async #relocated(
    call: Promise<
      | Relocated
      | { readonly kind: 'refused'; readonly reason: string; readonly writer: number | undefined }
    >,
  ): Promise<Relocated> {
    const answer = await call;
    if (answer.kind !== 'refused') return answer;
    // The row is on its way to another shard: the next round finds it there.
    if (answer.reason === 'moved' || answer.reason === 'moving') return { kind: 'changed' };
    if (answer.writer !== undefined) this.#parts.cluster.renewWriter(answer.writer);
    throw new ClientError('unavailable', `the index refused a move: ${answer.reason}`);
  }

  /** The extents as content: in the entry where they fit, in blobs of the active layout where not. */
  async #place(extents: readonly Extent[], step: Step): Promise<Content> {
    const encoded = encodeManifest(extents);
    if (encoded.length <= directExtentsBytesMax) return { kind: 'direct', extents };
    const views = [encoded];
    const runs = await this.#write(encoded.length, { next: async () => views.pop() }, step);
    return { kind: 'indirect', manifestBytes: encoded.length, runs };
  }

  /** Copies what of the runs is in `from`, at most so many blobs. */
  async #moveRuns(
    runs: readonly BlobRun[],
    from: readonly LayoutRef[],
    blobsMax: number,
    step: Step,
  ): Promise<Moved> {
    const moved: BlobRun[] = [];
    let isPartial = false;
    let left = blobsMax;
    for (const run of runs) {
      const [head, tail] = isIn(from, run.layout) ? splitRun(run, left) : [undefined, run];
      if (head !== undefined) {
        moved.push(...(await this.#copy(head, step)));
        step.dropped.push(head);
        step.bytes += runBytes(head);
        step.blobs += head.count;
        left -= head.count;
      }
      if (tail !== undefined) moved.push(tail);
      isPartial ||= tail !== undefined && isIn(from, tail.layout);
    }
    return { runs: joinRuns(moved), isPartial };
  }

  /** The writer charges what it holds, so reading charges nothing and reads nothing ahead. */
  async #copy(run: BlobRun, step: Step): Promise<readonly BlobRun[]> {
    const { cluster, env } = this.#parts;
    const bytes = runBytes(run);
    const source = new BlobStream(
      { cluster, clock: env.clock, budget: undefined },
      new PieceCursor([run], 0, bytes),
    );
    try {
      return await this.#write(bytes, source, step);
    } finally {
      source.close();
    }
  }

  async #write(
    sizeBytes: number,
    source: { next(): Promise<Uint8Array | undefined> },
    step: Step,
  ): Promise<readonly BlobRun[]> {
    const { cluster, budget, env } = this.#parts;
    const writer = new BlobWriter({ cluster, budget, clock: env.clock }, sizeBytes);
    try {
      const runs = await writer.write(source);
      step.placed.push(...runs);
      step.dropped.push(...writer.leftRuns);
      return runs;
    } catch (error) {
      step.placed.push(...writer.startedRuns);
      throw error;
    }
  }

  /**
   * Copies (`prepare`), then tells the index (what `prepare` answers). Fails before that: nobody refers to what was
   * copied, and it is garbage. Fails in it: it is not known whether somebody does, and nothing may be called garbage
   * (rule 28); if nobody does, it is found when this writer is gone.
   */
  async #step(
    object: string,
    prepare: (step: Step, from: readonly LayoutRef[]) => Promise<() => Promise<Relocated>>,
  ): Promise<Relocated> {
    const { clock } = this.#parts.env;
    const { from, bytesPerSecond } = await this.#migration();
    const step: Step = { placed: [], dropped: [], bytes: 0, blobs: 0 };
    const beganAt = clock.now();
    // What is read here may be replaced meanwhile: it must not be collected under us.
    const endRead = this.#parts.reads.begin();
    let outcome: Relocated;
    try {
      const commit = await prepare(step, from).catch(async (error: unknown) => {
        const runs = [...step.placed];
        if (runs.length > 0)
          await this.#parts.index.callObject(object, messages.addGarbage, { runs });
        throw error;
      });
      outcome = await commit();
    } finally {
      endRead();
    }
    this.#movedInRound++;
    if (outcome.kind === 'done') {
      this.#movedBytes += step.bytes;
      this.#movedBlobs += step.blobs;
      this.#report();
    }
    const owedMs = bytesPerSecond === 0 ? 0 : (1000 * step.bytes) / bytesPerSecond;
    const tookMs = clock.now() - beganAt;
    if (owedMs > tookMs) await this.#job.pause(Math.ceil(owedMs - tookMs));
    return outcome;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
