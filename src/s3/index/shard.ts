// A shard as a call finds it: its state, and which writers it refuses.

import type { MethodView, RowEffect, Version } from '../../base/method.ts';
import { type BlobRun, shardStateFormat, writersFormat } from './format.ts';
import { KeyVersions, type Versioning } from './key-versions.ts';
import type { Refusal } from './messages.ts';
import { put } from './method.ts';
import { cancelledRow, stateRow } from './rows.ts';
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

export function isOpen(state: Uint8Array | undefined): boolean {
  return state !== undefined && shardStateFormat.decode(state).state === 'open';
}

export interface Shard {
  readonly isOpen: boolean;
  readonly versioned: boolean;
}

export function readShard(state: Uint8Array | undefined): Shard {
  if (state === undefined) return { isOpen: false, versioned: false };
  const shard = shardStateFormat.decode(state);
  return { isOpen: shard.state === 'open', versioned: shard.versioned };
}

/**
 * A gateway may not know yet that the bucket keeps versions, or did: then nothing is replaced that a bucket
 * with suspended versioning would keep.
 */
export function versioningOf(shard: Shard, versioning: Versioning): Versioning {
  return versioning === 'off' && shard.versioned ? 'suspended' : versioning;
}

/** From its first versioned call on, a shard looks for other versions. */
export function markVersioned(shard: Shard, versioning: Versioning): readonly RowEffect[] {
  if (shard.versioned || versioning === 'off') return [];
  return [put(stateRow, shardStateFormat.encode({ state: 'open', versioned: true }))];
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
