// Which objects have data in given placement groups, by name: what is lost when those are given up, so that its owners
// can be told. Reads all indexes, a bounded piece a call; who wants all asks again from where the answer ended.

import { encodeUtf8, formatHex, parseHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import type { Cluster, LayoutRef } from '../client/cluster.ts';
import { ClientError } from '../client/errors.ts';
import { readManifest } from './blob-reader.ts';
import {
  type BlobRun,
  type BucketRecord,
  bucketFormat,
  decodeEntry,
  decodeManifest,
  partFormat,
  shardsOf,
} from './index/format.ts';
import * as messages from './index/messages.ts';
import { keyOfRow, partNumberOfRow } from './index/rows.ts';
import { bucketsObject, type IndexObjects } from './index/shard-split.ts';
import { versionIdOf } from './index/version-id.ts';
import { blobsOfRun } from './paced-job.ts';

/**
 * - `object`: an object, or a version of one, with at least one blob there.
 * - `part`: a part of an upload that is not complete yet.
 * - `shard`: a range of a bucket's index is there itself: all keys from `key` on up to the next range's.
 * - `registry`: the list of all buckets is there: nobody can say what else is.
 * - `unknown`: an index that can't be read now, or a row of it; `reason` says why.
 */
export type NamedKind = 'object' | 'part' | 'shard' | 'registry' | 'unknown';

export interface NamedLoss {
  readonly kind: NamedKind;
  readonly bucket: string;
  readonly key: string;
  /** `null` for what was put while the bucket kept no versions. */
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly reason: string;
}

export interface NamedPage {
  readonly items: readonly NamedLoss[];
  /** Where to go on; null: that was all. */
  readonly next: string | null;
}

/** Says on which placement group something is, as the newest map has it; undefined: nobody knows now. */
export interface Places {
  pgOfBlob(layout: LayoutRef, blob: BlobId): string | undefined;
  pgOfIndexObject(object: string): string | undefined;
}

export interface NamedLossesParts {
  readonly index: IndexObjects;
  readonly cluster: Pick<Cluster, 'readBlob'>;
  readonly places: Places;
}

/** Pages of rows in one piece, each of at most 1,024 rows: far below a request's time limit. */
const pagesPerPiece = 20;

const plain = { bucket: '', key: '', versionId: 'null', sizeBytes: 0, reason: '' };

/** Where a walk is: in a section of a shard of a bucket, behind a row. */
interface Cursor {
  /** The row of the last bucket that was done. */
  readonly afterBucket: Uint8Array;
  /** Of the bucket being read; empty: at its first. */
  readonly shard: string;
  readonly section: 'entries' | 'parts';
  readonly afterRow: Uint8Array;
}

const start: Cursor = {
  afterBucket: new Uint8Array(0),
  shard: '',
  section: 'entries',
  afterRow: new Uint8Array(0),
};

const decoder = new TextDecoder();

export async function nameLosses(
  parts: NamedLossesParts,
  pgs: ReadonlySet<string>,
  after: string,
): Promise<NamedPage> {
  if (pgs.has(parts.places.pgOfIndexObject(bucketsObject) ?? ''))
    return { items: [{ ...plain, kind: 'registry' }], next: null };
  return new Walk(parts, pgs).piece(parseCursor(after));
}

class Walk {
  readonly #parts: NamedLossesParts;
  readonly #pgs: ReadonlySet<string>;
  readonly #layouts: readonly LayoutRef[];
  readonly #items: NamedLoss[] = [];

  constructor(parts: NamedLossesParts, pgs: ReadonlySet<string>) {
    this.#parts = parts;
    this.#pgs = pgs;
    this.#layouts = [...pgs].map(layoutOf);
  }

  async piece(begin: Cursor): Promise<NamedPage> {
    let at: Cursor | undefined = begin;
    for (let pages = 0; at !== undefined && pages < pagesPerPiece; pages++)
      at = await this.#step(at);
    return { items: this.#items, next: at === undefined ? null : formatCursor(at) };
  }

  /** One page of rows, or one shard that is not read; where to go on. */
  async #step(at: Cursor): Promise<Cursor | undefined> {
    const page = await this.#parts.index.callObject(bucketsObject, messages.walkBuckets, {
      after: at.afterBucket,
      limit: 1,
    });
    const [found] = page.buckets;
    // Those that are being removed come last, and nobody misses what is in them.
    if (page.next === undefined || found?.state === 'removed') return undefined;
    const nextBucket: Cursor = { ...start, afterBucket: page.next };
    // One that came back from the trash has its name, and was met under it.
    if (found === undefined || found.state === 'restored') return nextBucket;
    const { name } = found;
    let record: BucketRecord;
    try {
      record = bucketFormat.decode(found.record);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#items.push({ ...plain, kind: 'unknown', bucket: name, reason: error.message });
      return nextBucket;
    }
    const objects = shardsOf(record);
    const shard = at.shard === '' ? objects[0] : at.shard;
    const following = objects[objects.indexOf(shard ?? '') + 1];
    const nextShard: Cursor =
      following === undefined
        ? nextBucket
        : { ...start, afterBucket: at.afterBucket, shard: following };
    if (shard === undefined) return nextShard;
    const begin = record.ranges.find(({ object }) => object === shard)?.beginKey;
    const key = begin === undefined ? '' : decoder.decode(begin);
    if (this.#pgs.has(this.#parts.places.pgOfIndexObject(shard) ?? '')) {
      this.#items.push({ ...plain, kind: 'shard', bucket: name, key });
      return nextShard;
    }
    try {
      const next = await this.#page(name, shard, at);
      if (next !== undefined) return { ...at, shard, afterRow: next };
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
      this.#items.push({ ...plain, kind: 'unknown', bucket: name, key, reason: error.message });
      return nextShard;
    }
    if (at.section === 'entries')
      return { ...at, shard, section: 'parts', afterRow: new Uint8Array(0) };
    return nextShard;
  }

  async #page(bucket: string, shard: string, at: Cursor): Promise<Uint8Array | undefined> {
    const { section, afterRow } = at;
    const page = await this.#parts.index.callObject(shard, messages.listLocated, {
      section,
      layouts: this.#layouts,
      after: afterRow,
    });
    for (const { row, value } of page.rows)
      if (section === 'parts') this.#lookAtPart(bucket, row, value);
      else await this.#lookAtEntry(bucket, row, value);
    if (page.unreadableCount > 0)
      this.#items.push({
        ...plain,
        kind: 'unknown',
        bucket,
        reason: `${page.unreadableCount} rows of ${shard} can't be read`,
      });
    return page.next;
  }

  #lookAtPart(bucket: string, row: Uint8Array, value: Uint8Array): void {
    const part = partFormat.decode(value);
    if (!this.#isThere(part.runs)) return;
    const upload = decoder.decode(row.subarray(1, row.length - 2));
    const key = `part ${partNumberOfRow(row)} of upload ${upload}`;
    this.#items.push({ ...plain, kind: 'part', bucket, key, sizeBytes: part.sizeBytes });
  }

  async #lookAtEntry(bucket: string, row: Uint8Array, value: Uint8Array): Promise<void> {
    const entry = decodeEntry(value);
    const key = decoder.decode(keyOfRow(row) ?? new Uint8Array(0));
    const { content } = entry;
    const item = {
      ...plain,
      bucket,
      key,
      versionId: versionIdOf(entry),
      sizeBytes: entry.sizeBytes,
    };
    switch (content.kind) {
      case 'inline':
        return;
      case 'direct':
        if (this.#isThere(content.extents.flatMap(({ runs }) => runs)))
          this.#items.push({ ...item, kind: 'object' });
        return;
      case 'indirect': {
        if (this.#isThere(content.runs)) {
          this.#items.push({ ...item, kind: 'object' });
          return;
        }
        try {
          const extents = decodeManifest(await readManifest(this.#parts.cluster, content));
          if (this.#isThere(extents.flatMap(({ runs }) => runs)))
            this.#items.push({ ...item, kind: 'object' });
        } catch (error) {
          if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
          this.#items.push({ ...item, kind: 'unknown', reason: error.message });
        }
      }
    }
  }

  #isThere(runs: readonly BlobRun[]): boolean {
    for (const run of runs) {
      const { pool, layout } = run.layout;
      if (!this.#layouts.some((each) => each.pool === pool && each.layout === layout)) continue;
      for (const blob of blobsOfRun(run))
        if (this.#pgs.has(this.#parts.places.pgOfBlob(run.layout, blob) ?? '')) return true;
    }
    return false;
  }
}

function layoutOf(pg: string): LayoutRef {
  const [pool = '', layout = ''] = pg.split('.');
  return { pool: Number(pool), layout: Number(layout) };
}

function formatCursor({ afterBucket, shard, section, afterRow }: Cursor): string {
  return [formatHex(afterBucket), formatHex(encodeUtf8(shard)), section, formatHex(afterRow)].join(
    ':',
  );
}

/** Anything else than what `formatCursor` made begins at the beginning. */
function parseCursor(text: string): Cursor {
  const [bucket = '', shard = '', section, row = ''] = text.split(':', 4);
  const afterBucket = parseHex(bucket);
  const object = parseHex(shard);
  const afterRow = parseHex(row);
  if (afterBucket === undefined || object === undefined || afterRow === undefined) return start;
  if (section !== 'entries' && section !== 'parts') return start;
  return { afterBucket, shard: decoder.decode(object), section, afterRow };
}
