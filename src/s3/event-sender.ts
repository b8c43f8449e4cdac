// Sends events to their topics' webhooks, one event a request, and knows which topics do not answer: those are tried
// again after a pause that doubles, with one event at first.
//
// An event is told when the webhook has answered 2xx; anything else, redirects too, is a failure. What a webhook makes of an
// event whose answer got lost is not known: it is sent again.

import { HttpClientError } from '../env/http.ts';
import type { GatewayParts } from './context.ts';
import { findTopic, type TopicName, topicArn } from './iam/topic-access.ts';
import type { QueuedEvent } from './index/event-format.ts';
import { S3Error } from './protocol/errors.ts';
import { formatEvent } from './protocol/event-record.ts';
import { mayReach, parseWebhook, type WebhookReach } from './protocol/webhook.ts';

export interface SenderOptions {
  readonly reach: WebhookReach;
  /** Until a webhook's answer is there. */
  readonly timeoutMs: number;
  /** How long an event is tried where its topic does not say. */
  readonly keptMs: number;
}

/**
 * - `told`: the webhook has it.
 * - `failed`: it has to be sent again.
 * - `expired`: it was tried for as long as its topic wants.
 * - `gone`: there is no such topic any more, or nobody listens to it.
 */
export type SendOutcome = 'told' | 'failed' | 'expired' | 'gone';

export interface EventCounts {
  readonly told: number;
  readonly failed: number;
  readonly expired: number;
  readonly gone: number;
}

interface Trouble {
  readonly arn: string;
  readonly failures: number;
  readonly retryAtMs: number;
  readonly reason: string;
}

const firstPauseMs = 1000;
const pauseMsMax = 60_000;

/** Topics that do not answer; of more, which no directory holds, the first ones are tried again at once. */
const troublesMax = 10_000;

function nameOf({ owner, name }: TopicName): string {
  return `${owner}:${name}`;
}

export class EventSender {
  readonly #parts: GatewayParts;
  readonly #options: SenderOptions;
  readonly #troubles = new Map<string, Trouble>();
  readonly #counts = { told: 0, failed: 0, expired: 0, gone: 0 };

  constructor(parts: GatewayParts, options: SenderOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Since the gateway began. */
  get counts(): EventCounts {
    return { ...this.#counts };
  }

  /** How many events at once are worth sending to the topic now; 0: it did not answer a moment ago. */
  room(topic: TopicName, most: number): number {
    const trouble = this.#troubles.get(nameOf(topic));
    if (trouble === undefined) return most;
    return this.#parts.env.clock.now() < trouble.retryAtMs ? 0 : 1;
  }

  /** Whether an event that was tried, or waits behind one that was, is older than its topic wants. */
  isOver(event: QueuedEvent): boolean {
    if (!this.#troubles.has(nameOf(event.topic))) return false;
    const { cluster, env } = this.#parts;
    const topic = findTopic(cluster.directory(), event.topic);
    const { keptMs } = this.#options;
    const wantedMs = topic?.keptSeconds === undefined ? keptMs : topic.keptSeconds * 1000;
    return env.wall.nowMs() - event.wallMs > wantedMs;
  }

  /** Events that are given up unsent. */
  giveUp(count: number): void {
    this.#counts.expired += count;
  }

  /** Which topics do not answer, and why, for people. */
  get troubles(): readonly string[] {
    return [...this.#troubles.values()].map(
      ({ arn, failures, reason }) => `${arn}: ${reason} (${failures} times)`,
    );
  }

  async send(event: QueuedEvent): Promise<SendOutcome> {
    const outcome = await this.#send(event);
    this.#counts[outcome]++;
    return outcome;
  }

  async #send(event: QueuedEvent): Promise<SendOutcome> {
    const { cluster, env, region } = this.#parts;
    const topic = findTopic(cluster.directory(), event.topic);
    if (topic === undefined || topic.endpoint === '') {
      this.#troubles.delete(nameOf(event.topic));
      return 'gone';
    }
    const { reach, timeoutMs } = this.#options;
    let reason: string;
    try {
      const { status } = await env.httpClient.post({
        ...parseWebhook(topic.endpoint),
        headers: [
          ['content-type', 'application/json'],
          ['user-agent', 'Holdfast'],
        ],
        body: formatEvent(event, { region, opaque: topic.opaque }),
        verifyTls: topic.verifyTls,
        timeoutMs,
        mayConnect: (address) => mayReach(reach, address),
      });
      if (status >= 200 && status < 300) {
        this.#troubles.delete(nameOf(event.topic));
        return 'told';
      }
      reason = `answered ${status}`;
    } catch (error) {
      // What a newer gateway took for a webhook is a failure like others.
      if (!(error instanceof HttpClientError || error instanceof S3Error)) throw error;
      reason = error.message;
    }
    this.#failed(event.topic, reason);
    return this.isOver(event) ? 'expired' : 'failed';
  }

  #failed(topic: TopicName, reason: string): void {
    const { env, region } = this.#parts;
    const name = nameOf(topic);
    const known = this.#troubles.get(name);
    const nowMs = env.clock.now();
    // Those that were sent together fail together.
    if (known !== undefined && nowMs < known.retryAtMs) return;
    const failures = (known?.failures ?? 0) + 1;
    const arn = topicArn(region, topic);
    if (failures === 1)
      env.log.write('warn', 'a topic can not be told of events', { topic: arn, reason });
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), pauseMsMax);
    if (this.#troubles.size >= troublesMax) this.#troubles.clear();
    this.#troubles.set(name, { arn, failures, retryAtMs: nowMs + pauseMs, reason });
  }
}
