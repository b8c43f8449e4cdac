// What operators ask about buckets: which there are, what shards their indexes have, whether those hold what they count.
// Each call does a bounded piece; who asks for more asks again from where the answer ended.

import { compareBytes, emptyBytes, formatHex, parseHex } from '../base/bytes.ts';
import type { Carried } from '../base/codec.ts';
import { type BucketRecord, bucketFormat, shardsOf } from './index/format.ts';
import * as messages from './index/messages.ts';
import {
  beginSplit,
  bucketsObject,
  describeShard,
  type IndexObjects,
  type ShardFacts,
} from './index/shard-split.ts';

export interface BucketSummary {
  readonly name: string;
  readonly owner: string;
  readonly createdMs: number;
  readonly shards: number;
}

export interface ShardSummary {
  readonly object: string;
  /** The first key it answers for, as text; null: it is being filled and has none yet. */
  readonly beginKey: string | null;
  readonly entries: number;
  readonly sizeBytes: number;
  /** False: of a former release, and not counted to the end yet. */
  readonly counted: boolean;
  /** The shard that its upper keys go to; null: it is not being split. */
  readonly splitsInto: string | null;
  /** What is wrong with it. */
  readonly faults: readonly string[];
}

export interface BucketStats {
  readonly name: string;
  readonly bucketId: string;
  readonly owner: string;
  readonly createdMs: number;
  readonly entries: number;
  readonly sizeBytes: number;
  readonly shards: readonly ShardSummary[];
}

/** A piece of a check. Sums are of the whole pieces' rows. */
export interface CheckPiece {
  readonly rows: number;
  readonly sizeBytes: number;
  readonly blobs: number;
  readonly unreadable: number;
  readonly outside: number;
  /** Where to go on; null: that was the shard. */
  readonly next: string | null;
}

type Tally = Carried<typeof messages.tallyRows.result>;

const bucketsPerCall = 1000;

/** Row pages in one piece: far below a request's time limit. */
const pagesPerPiece = 20;

const decoder = new TextDecoder();

export class BucketInspector {
  readonly #index: IndexObjects;

  constructor(index: IndexObjects) {
    this.#index = index;
  }

  /** In order of names, those after `after`. */
  async list(after: string): Promise<readonly BucketSummary[]> {
    const { buckets } = await this.#index.callObject(bucketsObject, messages.listShards, {
      after: new TextEncoder().encode(after),
      limit: bucketsPerCall,
    });
    return buckets
      .filter(({ removed }) => !removed)
      .map(({ row, record }) => {
        const { owner, createdWallMs, ranges, splits } = bucketFormat.decode(record);
        const shards = ranges.length + splits.length;
        return { name: decoder.decode(row), owner, createdMs: createdWallMs, shards };
      });
  }

  /** Undefined: there is no such bucket. */
  async #record(name: string): Promise<BucketRecord | undefined> {
    const { record } = await this.#index.callObject(bucketsObject, messages.getBucket, { name });
    return record === undefined ? undefined : bucketFormat.decode(record);
  }

  async stats(name: string): Promise<BucketStats | undefined> {
    const record = await this.#record(name);
    if (record === undefined) return undefined;
    const shards: ShardSummary[] = [];
    for (const object of shardsOf(record)) {
      const facts = await describeShard(this.#index, object);
      shards.push(summaryOf(record, object, facts));
    }
    return {
      name,
      bucketId: record.bucketId,
      owner: record.owner,
      createdMs: record.createdWallMs,
      entries: shards.reduce((sum, { entries }) => sum + entries, 0),
      sizeBytes: shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      shards,
    };
  }

  /** Some of the rows of a shard, from `next` of the piece before. */
  async check(object: string, after: string): Promise<CheckPiece> {
    const [section, cursor] = parseCursor(after);
    const sum = { rows: 0, sizeBytes: 0, blobs: 0, unreadable: 0, outside: 0 };
    let at: Uint8Array | undefined = cursor;
    for (let page = 0; page < pagesPerPiece && at !== undefined; page++) {
      const tally: Tally = await this.#index.callObject(object, messages.tallyRows, {
        section,
        after: at,
      });
      if (section === 'entries') sum.rows += tally.rows;
      sum.sizeBytes += tally.sizeBytes;
      sum.blobs += tally.blobs;
      sum.unreadable += tally.unreadable;
      sum.outside += tally.outside;
      at = tally.next;
    }
    if (at !== undefined) return { ...sum, next: `${section}:${formatHex(at)}` };
    return { ...sum, next: section === 'entries' ? 'parts:' : null };
  }

  /** Begins to split each shard of at least so many entries; the gateways do the rest. */
  async reshard(name: string, entriesMin: number): Promise<number | undefined> {
    const record = await this.#record(name);
    if (record === undefined) return undefined;
    let begun = 0;
    for (const { object } of record.ranges) {
      const facts = await describeShard(this.#index, object);
      const isWanted = facts !== undefined && facts.counts.entries >= entriesMin;
      if (!isWanted && facts?.state.split === undefined) continue;
      const { bucketId } = record;
      if ((await beginSplit(this.#index, { name, bucketId }, object)) === 'begun') begun++;
    }
    return begun;
  }
}

function parseCursor(text: string): readonly ['entries' | 'parts', Uint8Array] {
  const [section, hex = ''] = text.split(':', 2);
  const cursor = parseHex(hex) ?? emptyBytes;
  return [section === 'parts' ? 'parts' : 'entries', cursor];
}

function summaryOf(
  record: BucketRecord,
  object: string,
  facts: ShardFacts | undefined,
): ShardSummary {
  const range = facts?.state.range;
  return {
    object,
    beginKey: range === undefined ? null : decoder.decode(range.begin),
    entries: facts?.counts.entries ?? 0,
    sizeBytes: facts?.counts.sizeBytes ?? 0,
    counted: facts !== undefined && facts.counts.after === undefined,
    splitsInto: facts?.state.split?.object ?? null,
    faults: faultsOf(record, object, facts),
  };
}

/** Whether the registry's table and the shard's own row agree, as far as they must. */
function faultsOf(
  record: BucketRecord,
  object: string,
  facts: ShardFacts | undefined,
): readonly string[] {
  if (facts === undefined) return ['its rows are not there'];
  const at = record.ranges.findIndex((range) => range.object === object);
  if (at < 0) return [];
  const faults: string[] = [];
  if (facts.state.state === 'sealed') faults.push('it is sealed');
  const { range } = facts.state;
  const begin = record.ranges[at]?.beginKey;
  const end = record.ranges[at + 1]?.beginKey;
  if (range === undefined || begin === undefined)
    return [...faults, 'it is registered with a range and has none'];
  if (compareBytes(range.begin, begin) !== 0)
    faults.push('it begins elsewhere than the registry says');
  const isSplitting = record.splits.some(({ source }) => source === object);
  const endsAlike =
    range.end === undefined || end === undefined
      ? range.end === end
      : compareBytes(range.end, end) === 0;
  if (!endsAlike && !isSplitting) faults.push('it ends elsewhere than the registry says');
  return faults;
}
