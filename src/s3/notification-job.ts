// The job that delivers what gateways did not deliver at once: events whose webhook did not answer, and those of gateways
// that died.
//
// 1. Only the gateway that holds the job `notify` looks, and only at events older than `takeOverMs`: younger ones
//    are still their own gateway's.
// 2. An event's row is removed after its webhook has it, or after it was given up. A crash between the two, or two gateways
//    at it at once, send it twice, and never not at all.
// 3. Every shard of every bucket that has or had notifications is looked at, of removed buckets too.

import { DecodeError } from '../base/codec.ts';
import type { NotificationReport } from '../client/cluster.ts';
import type { GatewayParts } from './context.ts';
import type { EventSender, SendOutcome } from './event-sender.ts';
import { eventsInFlightMax, removeTold } from './fresh-events.ts';
import { eventFormat, type QueuedEvent } from './index/event-format.ts';
import { bucketFormat, shardsOf } from './index/format.ts';
import * as messages from './index/messages.ts';
import { wallMsOfEventRow } from './index/rows.ts';
import { bucketsObject } from './index/shard-split.ts';
import { PacedJob } from './paced-job.ts';

export interface NotificationOptions {
  readonly intervalMs: number;
  /** Longer than a webhook may take for its answer. */
  readonly takeOverMs: number;
}

/** Rows read in one call; the longest are some 3 kB. */
const rowsPerCall = 500;
const bucketsPerCall = 100;

/** A round that is older says nothing any more. */
const knownMsMax = 120_000;

/** Between two pages, so that clients hardly notice. */
const pagePauseMs = 5;

interface Due {
  readonly row: Uint8Array;
  readonly event: QueuedEvent;
}

export class NotificationJob {
  readonly #parts: GatewayParts;
  readonly #options: NotificationOptions;
  readonly #sender: EventSender;
  readonly #job: PacedJob;
  #queue: NotificationReport['queue'];
  #queueAt = 0;

  constructor(parts: GatewayParts, sender: EventSender, options: NotificationOptions) {
    this.#parts = parts;
    this.#sender = sender;
    this.#options = options;
    this.#job = new PacedJob(parts, { job: 'notify', intervalMs: options.intervalMs });
  }

  /** What waited when the last whole round saw it; undefined where another gateway looks, or none came to its end. */
  get queue(): NotificationReport['queue'] {
    const ageMs = this.#parts.env.clock.now() - this.#queueAt;
    return ageMs > knownMsMax ? undefined : this.#queue;
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    const { index } = this.#parts;
    const seen = { count: 0, oldestMs: Number.POSITIVE_INFINITY };
    let after = '';
    while (await this.#job.holds()) {
      const call = { after, limit: bucketsPerCall };
      const page = await index.callObject(bucketsObject, messages.listNotified, call);
      for (const { bucketId, record } of page.buckets) {
        after = bucketId;
        if (record === undefined) continue;
        try {
          for (const object of shardsOf(bucketFormat.decode(record)))
            await this.#shard(object, seen);
        } catch (error) {
          this.#job.report(error, 'events of a bucket are not delivered', bucketId);
        }
      }
      if (!page.ended) continue;
      const nowMs = this.#parts.env.wall.nowMs();
      const oldestMs = seen.count === 0 ? 0 : Math.max(0, Math.floor(nowMs - seen.oldestMs));
      const troubles = this.#sender.troubles.slice(0, 5);
      this.#queue = {
        count: seen.count,
        oldestMs: Number.isFinite(oldestMs) ? oldestMs : 0,
        trouble: troubles.join('; '),
      };
      this.#queueAt = this.#parts.env.clock.now();
      return;
    }
  }

  async #shard(object: string, seen: { count: number; oldestMs: number }): Promise<void> {
    const { index, env } = this.#parts;
    let after: Uint8Array = new Uint8Array(0);
    while (await this.#job.holds()) {
      const page = await index.callObject(object, messages.listEvents, {
        beforeWallMs: Math.max(0, Math.floor(env.wall.nowMs() - this.#options.takeOverMs)),
        after,
        limit: rowsPerCall,
      });
      const removed = await this.#deliver(object, this.#read(object, page.rows));
      const left = page.rows.find(({ row }) => !removed.has(row));
      if (left !== undefined) seen.oldestMs = Math.min(seen.oldestMs, wallMsOfEventRow(left.row));
      after = page.rows.at(-1)?.row ?? after;
      if (page.ended) {
        seen.count += page.count - removed.size;
        return;
      }
      await this.#job.pause(pagePauseMs);
    }
  }

  /** One that can't be read, because a newer gateway queued it or a disk spoilt it, stays; others go by. */
  #read(object: string, rows: readonly { row: Uint8Array; event: Uint8Array }[]): readonly Due[] {
    return rows.flatMap(({ row, event }) => {
      try {
        return [{ row, event: eventFormat.decode(event) }];
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#job.report(error, 'an event can not be read', object);
        return [];
      }
    });
  }

  /** Rows that were removed. Topics are told beside each other, so that a slow one holds up no other for long. */
  async #deliver(object: string, due: readonly Due[]): Promise<ReadonlySet<Uint8Array>> {
    const byTopic = new Map<string, Due[]>();
    for (const each of due) {
      const name = `${each.event.topic.owner}:${each.event.topic.name}`;
      const events = byTopic.get(name);
      if (events === undefined) byTopic.set(name, [each]);
      else events.push(each);
    }
    const told = await Promise.all([...byTopic.values()].map((events) => this.#tell(events)));
    const rows = told.flat();
    await removeTold(
      this.#parts,
      rows.map((row) => ({ object, row })),
    );
    return new Set(rows);
  }

  /** Until the topic does not answer. */
  async #tell(due: readonly Due[]): Promise<readonly Uint8Array[]> {
    const expired = due.filter(({ event }) => this.#sender.isOver(event));
    const events = due.filter((each) => !expired.includes(each));
    const over = expired.map(({ row }) => row);
    this.#sender.giveUp(expired.length);
    const counts: Record<SendOutcome, number> = {
      told: 0,
      failed: 0,
      expired: expired.length,
      gone: 0,
    };
    for (let at = 0; at < events.length && !this.#job.isStopped; ) {
      const [first] = events;
      const count = first && this.#sender.room(first.event.topic, eventsInFlightMax);
      if (count === undefined || count === 0) break;
      const batch = events.slice(at, at + count);
      at += batch.length;
      const outcomes = await Promise.all(batch.map(({ event }) => this.#sender.send(event)));
      for (const [i, { row }] of batch.entries()) {
        const outcome = outcomes[i] ?? 'failed';
        counts[outcome]++;
        if (outcome !== 'failed') over.push(row);
      }
    }
    if (counts.expired + counts.gone > 0) {
      const topic = due[0]?.event.topic;
      const { expired, gone } = counts;
      this.#parts.env.log.write('warn', 'events are given up', { ...topic, expired, gone });
    }
    return over;
  }
}
