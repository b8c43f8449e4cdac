// Events: queued in the call that changes the key, so that there is neither a change that nobody is told of nor an event
// of a change that was not made; read and removed by whoever delivers them.
//
// Always true:
// - an event's row is written with the change that it tells, or neither is;
// - the row `w` counts the rows `q` and their bytes;
// - rows `q` stay in the shard they were written to when keys go to another: who delivers visits every shard.

import { afterKey, compareBytes, formatHex } from '../../base/bytes.ts';
import { type Carried, DecodeError, decode } from '../../base/codec.ts';
import type { Method, MethodContext, RowEffect, Version } from '../../base/method.ts';
import {
  type EventNotices,
  eventFormat,
  eventsPerCallMax,
  type QueuedRow,
  queuedBytesMax,
  queuedEventsMax,
  queueFormat,
} from './event-format.ts';
import { type BlobRun, decodeEntry, decodeEntrySummary } from './format.ts';
import { GarbageList } from './garbage-list.ts';
import {
  deleteEntriesMethod,
  ownRuns,
  putEntryMethod,
  updateEntryMethod,
  updateSeenEntryMethod,
} from './key-methods.ts';
import * as messages from './messages.ts';
import { define, later, put, remove } from './method.ts';
import { eventRow, eventRowsFrom, queueRow, rowsOf, stateRow } from './rows.ts';
import { refused, Shard } from './shard.ts';
import { completeUploadMethod } from './upload-methods.ts';
import { formatVersion, versionIdOf } from './version-id.ts';

/** What became of one of the keys that a call is about. */
interface Happened {
  readonly item: number;
  readonly outcome: EventNotices['wanted'][number]['outcome'];
  readonly key: Uint8Array;
  readonly sizeBytes?: number;
  readonly etag?: string;
  readonly versionId: string | undefined;
}

interface Told<A, R> {
  /** Nothing happened: nothing is told. */
  happened(argument: A, result: R, effects: readonly RowEffect[]): readonly Happened[];
  /** Blobs that nobody refers to when the call is refused. */
  runs?(argument: A): readonly BlobRun[];
}

function readQueue(row: Uint8Array | undefined): {
  readonly count: number;
  readonly bytes: number;
} {
  if (row === undefined) return { count: 0, bytes: 0 };
  try {
    return queueFormat.decode(row);
  } catch (error) {
    // What can't be read bounds nothing; the rows are there all the same.
    if (error instanceof DecodeError) return { count: 0, bytes: 0 };
    throw error;
  }
}

function hexOf(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Compares as text as the changes of a key came. */
function sequencerOf({ tenure, sequence }: Version, n: number): string {
  return hexOf(tenure, 16) + hexOf(sequence, 16) + hexOf(n, 4);
}

function eventsOf(
  notices: EventNotices,
  happened: readonly Happened[],
  { version, wallMs }: MethodContext,
): readonly QueuedRow[] {
  const { rules, wanted, ...told } = notices;
  const byItem = new Map(happened.map((each) => [each.item, each]));
  const rows: QueuedRow[] = [];
  const nowMs = Math.max(0, Math.floor(wallMs));
  for (const { item, outcome, name, rule: index } of wanted) {
    const each = byItem.get(item);
    const rule = rules[index];
    if (each === undefined || each.outcome !== outcome || rule === undefined) continue;
    const event = eventFormat.encode({
      ...told,
      ...rule,
      name,
      wallMs: nowMs,
      key: each.key,
      sizeBytes: each.sizeBytes,
      etag: each.etag,
      versionId: each.versionId,
      sequencer: sequencerOf(version, item),
    });
    rows.push({ row: eventRow(nowMs, version, rows.length), event });
  }
  return rows;
}

/** The method of a call, with its events. */
function telling<A, R>(
  call: messages.Call<A, R>,
  [, method]: readonly [string, Method],
  { happened, runs }: Told<A, R>,
): readonly [string, Method] {
  const { name, argument: argumentCodec, result: resultCodec } = messages.notifying(call);
  return [
    name,
    async (view, encoded, context) => {
      const { argument, notices } = decode(argumentCodec, encoded);
      const plain = await method(view, argument, context);
      const result = decode(call.result, plain.result);
      const asked = decode(call.argument, argument);
      const [state, waiting] = await view.getMany([stateRow, queueRow]);
      const own = new Shard(state).contextOf(context);
      const events = eventsOf(notices, happened(asked, result, plain.effects), own);
      const answer = (of: R, queued: readonly QueuedRow[]): Uint8Array =>
        messages.encodeMessage(resultCodec, { ...of, queued });
      if (events.length === 0) return { ...plain, result: answer(result, []) };
      const queue = readQueue(waiting);
      const count = queue.count + events.length;
      const bytes = events.reduce((sum, { event }) => sum + event.length, queue.bytes);
      const isFull = count > queuedEventsMax || bytes > queuedBytesMax;
      if (isFull || events.length > eventsPerCallMax) {
        const garbage = new GarbageList(own);
        garbage.addRuns(runs?.(asked) ?? []);
        // Every call that tells answers refusals in the same words.
        const refusal = refused('queue-full') as unknown as R;
        return { effects: garbage.effects(), result: answer(refusal, []) };
      }
      return {
        ...plain,
        effects: [
          ...plain.effects,
          ...events.map(({ row, event }) => put(row, event)),
          put(queueRow, queueFormat.encode({ count, bytes })),
        ],
        result: answer(result, events),
      };
    },
  ];
}

function madeOf(
  key: Uint8Array,
  entry: Uint8Array,
  made: { readonly version: Version },
): readonly Happened[] {
  const { sizeBytes, etag, isNull } = decodeEntrySummary(entry);
  const versionId = isNull ? undefined : formatVersion(made.version);
  return [{ item: 0, outcome: 'done', key, sizeBytes, etag, versionId }];
}

export const putNotifyingMethod = telling(messages.putEntry, putEntryMethod, {
  happened: ({ key, entry }, result) =>
    result.kind === 'committed' ? madeOf(key, entry, result) : [],
  runs: ({ entry, hasBlobs }) => (hasBlobs ? ownRuns(decodeEntry(entry)) : []),
});

export const completeNotifyingMethod = telling(messages.completeUpload, completeUploadMethod, {
  // One that was completed before was told of then.
  happened: ({ key, entry }, result) =>
    result.kind === 'committed' ? madeOf(key, entry, result) : [],
  runs: ({ entry }) => ownRuns(decodeEntry(entry)),
});

type DeleteArgument = Carried<typeof messages.deleteEntries.argument>;

function namedVersion({ versionId }: DeleteArgument['items'][number]): string | undefined {
  if (versionId === undefined) return undefined;
  return versionId.kind === 'null' ? 'null' : formatVersion(versionId);
}

export const deleteNotifyingMethod = telling(messages.deleteEntries, deleteEntriesMethod, {
  happened: ({ items }, result) =>
    result.kind !== 'done'
      ? []
      : items.flatMap((item, i): readonly Happened[] => {
          const done = result.outcomes[i];
          if (done?.kind !== 'deleted') return [];
          const { key } = item;
          // Who names a version takes it away, be it a delete marker.
          const isPut = done.marker !== undefined && item.versionId === undefined;
          const versionId = isPut && done.marker ? versionIdOf(done.marker) : namedVersion(item);
          return [{ item: i, outcome: isPut ? 'marker' : 'done', key, versionId }];
        }),
});

const toldOfUpdates: Told<
  Pick<Carried<typeof messages.updateEntry.argument>, 'key'>,
  Carried<typeof messages.updateEntry.result>
> = {
  happened: ({ key }, result, effects) => {
    const [changed] = effects;
    if (result.kind !== 'done' || changed?.kind !== 'put') return [];
    return madeOf(key, changed.value, result);
  },
};

export const updateNotifyingMethod = telling(
  messages.updateEntry,
  updateEntryMethod,
  toldOfUpdates,
);

export const updateSeenNotifyingMethod = telling(
  messages.updateSeenEntry,
  updateSeenEntryMethod,
  toldOfUpdates,
);

export const listEventsMethod = define(messages.listEvents, async (view, argument) => {
  const limit = Math.max(1, Math.min(argument.limit, 1000));
  const { begin } = rowsOf('event');
  const from = argument.after.length === 0 ? begin : later(begin, afterKey(argument.after));
  const end = eventRowsFrom(argument.beforeWallMs);
  const rows = compareBytes(from, end) < 0 ? await view.scan({ begin: from, end, limit }) : [];
  const { count } = readQueue(await view.get(queueRow));
  return {
    result: {
      rows: rows.map(([row, event]) => ({ row, event })),
      ended: rows.length < limit,
      count,
    },
  };
});

export const removeEventsMethod = define(messages.removeEvents, async (view, argument) => {
  const { begin, end } = rowsOf('event');
  const named = new Map(argument.rows.map((row) => [formatHex(row), row]));
  const rows = [...named.values()].filter(
    (row) => compareBytes(row, begin) >= 0 && compareBytes(row, end) < 0,
  );
  const values = await view.getMany(rows);
  let { count, bytes } = readQueue(await view.get(queueRow));
  const effects: RowEffect[] = [];
  for (const [i, row] of rows.entries()) {
    const value = values[i];
    // Another gateway was first.
    if (value === undefined) continue;
    count--;
    bytes -= value.length;
    effects.push(remove(row));
  }
  if (effects.length === 0) return { result: {} };
  const left = { count: Math.max(0, count), bytes: Math.max(0, bytes) };
  effects.push(left.count === 0 ? remove(queueRow) : put(queueRow, queueFormat.encode(left)));
  return { effects, result: {} };
});
