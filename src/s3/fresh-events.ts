// Events that this gateway has just queued are sent at once, from memory. Each is tried once here: what fails, what finds no
// room and what the gateway did not get to is read back from its queue by the job that delivers (`notification-job.ts`),
// so that nothing here has to be kept.

import { DecodeError } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import type { GatewayParts } from './context.ts';
import type { EventSender } from './event-sender.ts';
import { eventFormat, type QueuedEvent, type QueuedRow } from './index/event-format.ts';
import * as messages from './index/messages.ts';

/** Of all topics; half a MiB of common events, some 3 MiB of the longest. */
const heldMax = 1000;

/** Sent to one topic at a time, and then taken out of the queue together. */
export const eventsInFlightMax = 16;

interface Fresh {
  readonly object: string;
  readonly row: Uint8Array;
  readonly event: QueuedEvent;
}

/** Of one shard, in one call. Throws `ClientError`. */
export async function removeTold(
  { index }: Pick<GatewayParts, 'index'>,
  told: readonly { readonly object: string; readonly row: Uint8Array }[],
): Promise<void> {
  const byObject = new Map<string, Uint8Array[]>();
  for (const { object, row } of told) {
    const rows = byObject.get(object);
    if (rows === undefined) byObject.set(object, [row]);
    else rows.push(row);
  }
  for (const [object, rows] of byObject)
    await index.callObject(object, messages.removeEvents, { rows });
}

/** Whoever waits for the answer to its write has nothing to do with an event that came back spoilt. */
function readEvent(encoded: Uint8Array): QueuedEvent | undefined {
  try {
    return eventFormat.decode(encoded);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export class FreshEvents {
  readonly #parts: GatewayParts;
  readonly #sender: EventSender;
  readonly #byTopic = new Map<string, Fresh[]>();
  #held = 0;
  #closed = false;

  constructor(parts: GatewayParts, sender: EventSender) {
    this.#parts = parts;
    this.#sender = sender;
  }

  /** Waits for nothing. */
  add(object: string, rows: readonly QueuedRow[]): void {
    for (const { row, event: encoded } of rows) {
      if (this.#closed || this.#held >= heldMax) return;
      const event = readEvent(encoded);
      if (event === undefined || this.#sender.room(event.topic, 1) === 0) continue;
      const name = `${event.topic.owner}:${event.topic.name}`;
      const waiting = this.#byTopic.get(name);
      this.#held++;
      if (waiting !== undefined) {
        waiting.push({ object, row, event });
        continue;
      }
      const first = [{ object, row, event }];
      this.#byTopic.set(name, first);
      this.#parts.env.tasks.spawn('s3-fresh-events', () => this.#drain(name, first));
    }
  }

  /** What is being sent goes on; nothing else does. */
  close(): void {
    this.#closed = true;
  }

  async #drain(name: string, waiting: Fresh[]): Promise<void> {
    for (let first = waiting[0]; first !== undefined && !this.#closed; first = waiting[0]) {
      const count = this.#sender.room(first.event.topic, eventsInFlightMax);
      if (count === 0) break;
      const batch = waiting.splice(0, count);
      const outcomes = await Promise.all(batch.map(({ event }) => this.#sender.send(event)));
      this.#held -= batch.length;
      await this.#remove(batch.filter((_, i) => outcomes[i] !== 'failed'));
    }
    this.#held -= waiting.length;
    this.#byTopic.delete(name);
  }

  async #remove(told: readonly Fresh[]): Promise<void> {
    try {
      await removeTold(this.#parts, told);
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
      // They are sent a second time.
      const { message: reason } = error;
      this.#parts.env.log.write('warn', 'events that were told stay queued', { reason });
    }
  }
}
