// A shard as a call finds it: what it answers for, what it counts, and which writers it refuses.
//
// A gateway may go by a table of shards that is no longer true. So each call on keys is judged here, by the
// shard's own row, in the call itself: no clock and no message to gateways decides which shard a key is in.

import { compareBytes, emptyBytes } from '../../base/bytes.ts';
import { DecodeError } from '../../base/codec.ts';
import type { MethodContext, MethodView, RowEffect, Version } from '../../base/method.ts';
import {
  type BlobRun,
  type Counts,
  countsFormat,
  decodeEntrySummary,
  type KeyRange,
  type ShardState,
  shardStateFormat,
  writersFormat,
} from './format.ts';
import { type ChangedRow, KeyVersions, type Versioning } from './key-versions.ts';
import type { Refusal } from './messages.ts';
import { put } from './method.ts';
import { cancelledRow, countsRow, stateRow } from './rows.ts';
import type { VersionId } from './version-id.ts';
import { hasWriter, unionOfWriters, type WriterSet, writersExcept } from './writer-ranges.ts';

export interface Refused {
  readonly kind: 'refused';
  readonly reason: Refusal;
  readonly writer: number | undefined;
}

export function refused(reason: Refusal, writer?: number): Refused {
  return { kind: 'refused', reason, writer };
}

export function isInRange(range: KeyRange, key: Uint8Array): boolean {
  return (
    compareBytes(range.begin, key) <= 0 &&
    (range.end === undefined || compareBytes(key, range.end) < 0)
  );
}

export class Shard {
  /** Undefined: there is no such shard, or no longer. */
  readonly state: ShardState | undefined;

  constructor(row: Uint8Array | undefined) {
    this.state = row === undefined ? undefined : shardStateFormat.decode(row);
  }

  get isOpen(): boolean {
    return this.state?.state === 'open';
  }

  get versioned(): boolean {
    return this.state?.versioned === true;
  }

  get range(): KeyRange | undefined {
    return this.state?.range;
  }

  /** Why nothing of it may be read; undefined: it may. */
  get closedReason(): Refusal | undefined {
    switch (this.state?.state) {
      case 'open':
        return undefined;
      case 'closing':
        return 'moving';
      default:
        return 'no-bucket';
    }
  }

  /** As it is for what goes on in the trash, too: blobs are moved to other places. */
  get insideTrash(): Shard {
    if (this.state?.state !== 'trashed') return this;
    return new Shard(shardStateFormat.encode({ ...this.state, state: 'open' }));
  }

  refusesRead(key: Uint8Array): Refusal | undefined {
    if (this.closedReason !== undefined) return this.closedReason;
    return this.range !== undefined && isInRange(this.range, key) ? undefined : 'moved';
  }

  /** What is being copied stays as it is. */
  refusesWrite(key: Uint8Array): Refusal | undefined {
    const reason = this.refusesRead(key);
    const split = this.state?.split;
    if (reason !== undefined || split?.phase !== 'frozen') return reason;
    return compareBytes(key, split.chunk.begin) >= 0 ? 'moving' : undefined;
  }

  /**
   * Keys are on their way to another shard. A split with none on their way may last, as long as all that the shard holds
   * are the versions of one key.
   */
  get handsKeysOn(): boolean {
    const phase = this.state?.split?.phase;
    return phase === 'frozen' || phase === 'released';
  }

  /** Parts don't say whose they are: none of them is touched while keys are on their way. */
  get refusesParts(): Refusal | undefined {
    if (this.closedReason !== undefined) return this.closedReason;
    return this.range === undefined || this.handsKeysOn ? 'moving' : undefined;
  }

  /** The context with the versions that calls on this shard give. */
  contextOf(context: MethodContext): MethodContext {
    const offset = this.state?.tenureOffset ?? 0;
    if (offset === 0) return context;
    const { tenure, sequence } = context.version;
    return { ...context, version: { tenure: tenure + offset, sequence } };
  }

  /**
   * A gateway may not know yet that the bucket keeps versions, or did: then nothing is replaced that a bucket
   * with suspended versioning would keep.
   */
  versioningOf(versioning: Versioning): Versioning {
    return versioning === 'off' && this.versioned ? 'suspended' : versioning;
  }

  /** From its first versioned call on, a shard looks for other versions. */
  markVersioned(versioning: Versioning): readonly RowEffect[] {
    if (this.versioned || versioning === 'off' || this.state === undefined) return [];
    return [putState({ ...this.state, versioned: true })];
  }
}

export function putState(state: ShardState): RowEffect {
  return put(stateRow, shardStateFormat.encode(state));
}

export async function readShard(view: MethodView): Promise<Shard> {
  return new Shard(await view.get(stateRow));
}

/**
 * The keys of a shard that a listing from `from` on may show; undefined: whatever it answers for. A gateway
 * that asks the wrong shard for a key must not take what is missing there for what does not exist.
 */
export function listedRange(shard: Shard, from: Uint8Array | undefined): KeyRange | Refused {
  const reason = from === undefined ? shard.closedReason : shard.refusesRead(from);
  if (reason !== undefined) return refused(reason);
  return shard.range ?? { begin: emptyBytes, end: emptyBytes };
}

/** What can't be read is counted anew from the first row. */
export function readCounts(row: Uint8Array | undefined): Counts {
  const none = { entries: 0, sizeBytes: 0, after: emptyBytes };
  if (row === undefined) return none;
  try {
    return countsFormat.decode(row);
  } catch (error) {
    if (error instanceof DecodeError) return none;
    throw error;
  }
}

export function sizeOf(entry: Uint8Array | undefined): number {
  if (entry === undefined) return 0;
  try {
    return decodeEntrySummary(entry).sizeBytes;
  } catch (error) {
    if (error instanceof DecodeError) return 0;
    throw error;
  }
}

/** Keeps the counts true: of rows that are not counted yet nothing is said. */
export function countChanges(
  countsBefore: Uint8Array | undefined,
  changes: readonly ChangedRow[],
): readonly RowEffect[] {
  const counts = readCounts(countsBefore);
  let entries = 0;
  let sizeBytes = 0;
  for (const { row, before, value } of changes) {
    if (before === value) continue;
    if (counts.after !== undefined && compareBytes(row, counts.after) > 0) continue;
    entries += Number(value !== undefined) - Number(before !== undefined);
    sizeBytes += sizeOf(value) - sizeOf(before);
  }
  if (entries === 0 && sizeBytes === 0) return [];
  // A row that was spoilt since it was counted must not make the rest uncountable.
  const changed = {
    entries: Math.max(0, counts.entries + entries),
    sizeBytes: Math.max(0, counts.sizeBytes + sizeBytes),
    after: counts.after,
  };
  return [put(countsRow, countsFormat.encode(changed))];
}

export function parseId(id: { readonly kind: string } | undefined): VersionId | undefined {
  if (id === undefined) return undefined;
  return id.kind === 'null' ? 'null' : (id as unknown as Version);
}

export async function loadKey(
  view: MethodView,
  key: Uint8Array,
  versioned: boolean,
): Promise<KeyVersions> {
  const [versions] = await KeyVersions.load(view, [key], versioned);
  if (versions === undefined) throw new RangeError('one key is loaded');
  return versions;
}

export async function readWriters(view: MethodView, row: Uint8Array): Promise<WriterSet> {
  const value = await view.get(row);
  return value === undefined ? [] : writersFormat.decode(value).writers;
}

/** Which of the runs' writers may commit nothing here. */
export async function cancelledWriter(
  view: MethodView,
  runs: readonly BlobRun[],
): Promise<number | undefined> {
  if (runs.length === 0) return undefined;
  const cancelled = await readWriters(view, cancelledRow);
  return runs.find((run) => hasWriter(cancelled, run.first.incarnation))?.first.incarnation;
}

/** Nothing when all are there already. */
export async function addWriters(
  view: MethodView,
  row: Uint8Array,
  writers: WriterSet,
): Promise<readonly RowEffect[]> {
  const known = await readWriters(view, row);
  if (writersExcept(writers, known).length === 0) return [];
  return [put(row, writersFormat.encode({ writers: unionOfWriters(known, writers) }))];
}
