// A job of the gateways: a round now and then, in whichever gateway holds it, never so fast that clients would
// notice. What the cluster or its data did to a round is logged, and the next round tries again.

import { assert } from '../base/assert.ts';
import { DecodeError } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import type { LayoutRef } from '../client/cluster.ts';
import { ClientError } from '../client/errors.ts';
import type { Timer } from '../env/clock.ts';
import type { GatewayParts } from './context.ts';

export interface PacedJobOptions {
  /** What it holds with the monitor. */
  readonly job: string;
  readonly intervalMs: number;
  /** Of a job that deletes blobs. */
  readonly blobsPerSecond?: number;
}

/** Deletes in flight: enough to keep a few disks busy, few enough for clients not to notice. */
const deletesInFlightMax = 4;

/** Timers are not finer than a millisecond, and most runs are short. */
const deletesPerPause = 32;

export class PacedJob {
  readonly #parts: GatewayParts;
  readonly #options: PacedJobOptions;
  #stopped = false;
  /** Blobs deleted since the last pause. */
  #unpaced = 0;
  #sleep: { readonly timer: Timer; readonly wake: () => void } | undefined;

  constructor(parts: GatewayParts, options: PacedJobOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  start(round: () => Promise<void>): void {
    this.#parts.env.tasks.spawn(`s3-${this.#options.job}`, () => this.#run(round));
  }

  stop(): void {
    this.#stopped = true;
    this.#sleep?.timer.cancel();
    this.#sleep?.wake();
  }

  /** True while rounds are this gateway's. */
  async holds(): Promise<boolean> {
    return !this.#stopped && (await this.#parts.cluster.holdsJob(this.#options.job));
  }

  async pause(delayMs: number): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.env.clock.after(delayMs, `s3-${this.#options.job}`, resolve);
      this.#sleep = { timer, wake: resolve };
    });
    this.#sleep = undefined;
  }

  async #run(round: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await this.pause(this.#options.intervalMs);
      if (this.#stopped) return;
      try {
        if (await this.holds()) await round();
      } catch (error) {
        this.report(error, 'a background job was interrupted', '');
      }
    }
  }

  /** What the cluster or its data did is logged; anything else is a defect, and thrown. */
  report(error: unknown, event: string, object: string): void {
    if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
    const { job } = this.#options;
    this.#parts.env.log.write('warn', event, { job, object, reason: error.message });
  }

  /** A few at a time, at the job's rate. Throws `ClientError`, `unavailable` when stopped on the way. */
  async deleteBlobs(layout: LayoutRef, blobs: Iterable<BlobId>): Promise<void> {
    let group: BlobId[] = [];
    for (const blob of blobs) {
      group.push(blob);
      if (group.length < deletesInFlightMax) continue;
      await this.#deleteGroup(layout, group);
      group = [];
    }
    await this.#deleteGroup(layout, group);
  }

  async #deleteGroup(layout: LayoutRef, group: readonly BlobId[]): Promise<void> {
    if (this.#stopped) throw new ClientError('unavailable', 'the collector was stopped');
    await Promise.all(group.map((blob) => this.#parts.cluster.deleteBlob(layout, blob)));
    this.#unpaced += group.length;
    if (this.#unpaced < deletesPerPause) return;
    const { blobsPerSecond } = this.#options;
    assert(blobsPerSecond !== undefined, 'who deletes blobs has a rate');
    const delayMs = Math.ceil((1000 * this.#unpaced) / blobsPerSecond);
    this.#unpaced = 0;
    await this.pause(delayMs);
  }
}

/** The ids of a run, in order. */
export function* blobsOfRun(run: {
  readonly first: BlobId;
  readonly count: number;
}): Iterable<BlobId> {
  const { incarnation, counter } = run.first;
  for (let index = 0; index < run.count; index++) yield { incarnation, counter: counter + index };
}
