// A gateway's part in telling topics of events: it sends what it has just queued, takes its turn at what is left over, and tells
// the monitor how that goes.

import type { NotificationReport } from '../client/cluster.ts';
import type { Timer } from '../env/clock.ts';
import type { GatewayParts } from './context.ts';
import { EventSender, type SenderOptions } from './event-sender.ts';
import { FreshEvents } from './fresh-events.ts';
import { NotificationJob, type NotificationOptions } from './notification-job.ts';

export type NotificationsOptions = SenderOptions & NotificationOptions;

/** For people: what `holdfast health` says is some seconds old. */
const reportIntervalMs = 10_000;

export class Notifications {
  readonly #parts: GatewayParts;
  readonly #sender: EventSender;
  readonly #fresh: FreshEvents;
  readonly #job: NotificationJob;
  #timer: Timer | undefined;

  constructor(parts: GatewayParts, options: NotificationsOptions) {
    this.#parts = parts;
    this.#sender = new EventSender(parts, options);
    this.#fresh = new FreshEvents(parts, this.#sender);
    this.#job = new NotificationJob(parts, this.#sender, options);
  }

  get report(): NotificationReport {
    return { ...this.#sender.counts, queue: this.#job.queue };
  }

  start(): void {
    this.#parts.index.onQueued = (object, rows) => this.#fresh.add(object, rows);
    this.#job.start();
    this.#reportLater();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#job.stop();
    this.#fresh.close();
  }

  #reportLater(): void {
    this.#timer = this.#parts.env.clock.after(reportIntervalMs, 's3-notifications', () => {
      this.#parts.cluster.reportNotifications(this.report);
      this.#reportLater();
    });
  }
}
