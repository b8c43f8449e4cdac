// Reads that take long, known to every gateway: whoever collects garbage leaves alone what one of them may need, whichever
// gateway it is at (PROTOCOL rule 29).
//
// A gateway whose oldest read has lasted for a fifth of the grace writes that down in the registry of buckets, and says so
// again each fifth until it has none. So a read is written down before anything that was replaced since it began is old
// enough to be collected. What is not said again is forgotten after the grace: that gateway is dead, or does not reach the
// registry, and its read breaks off where a blob is gone.

import { formatHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import type { Instant, Timer } from '../env/clock.ts';
import type { GatewayParts } from './context.ts';
import { bucketsObject } from './index/index-client.ts';
import * as messages from './index/messages.ts';
import { readMsMax } from './protocol/limits.ts';

/** How often it is looked in a grace; a read that lasts for longer than between two looks is a long one. */
const looksPerGrace = 5;
/** And no more often than this. */
const lookMsMin = 100;

export class LongReads {
  readonly #parts: GatewayParts;
  readonly #graceMs: number;
  readonly #everyMs: number;
  /** By this name the registry knows the gateway, until it ends. */
  readonly #reader: string;
  #isWrittenDown = false;
  /** What the registry said last: a round of collection asks for each shard. */
  #heard: { readonly at: Instant; readonly ageMs: number | undefined } | undefined;
  #isStopped = false;
  #timer: Timer | undefined;

  /** @param graceMs how long garbage waits for any reader */
  constructor(parts: GatewayParts, graceMs: number) {
    this.#parts = parts;
    this.#graceMs = graceMs;
    this.#everyMs = Math.max(lookMsMin, Math.ceil(graceMs / looksPerGrace));
    this.#reader = formatHex(parts.env.secrets.bytes(8));
  }

  start(): void {
    if (this.#isStopped) return;
    const { env } = this.#parts;
    this.#timer = env.clock.after(this.#everyMs, 's3-long-reads', () => {
      env.tasks.spawn('s3-long-reads', async () => {
        await this.#look();
        this.start();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /**
   * What was replaced less than this many milliseconds ago may be needed by a read at some gateway. Throws `ClientError`
   * when the registry can't be read: then nobody knows.
   */
  async neededMs(): Promise<number> {
    const { env, index, reads } = this.#parts;
    const now = env.clock.now();
    let heard = this.#heard;
    if (heard === undefined || now - heard.at > this.#everyMs / 3) {
      const staleMs = this.#graceMs;
      const { ageMs } = await index.callObject(bucketsObject, messages.oldestRead, { staleMs });
      heard = { at: now, ageMs };
      this.#heard = heard;
    }
    const theirsMs = heard.ageMs === undefined ? 0 : heard.ageMs + Math.ceil(now - heard.at);
    // Its own it knows also while a registry that can be read takes no writes.
    const oldestMs = Math.max(theirsMs, reads.oldestAgeMs() ?? 0);
    // A fifth for clocks that differ; nobody waits for reads that have ended themselves (readMsMax).
    return Math.max(this.#graceMs, Math.min(readMsMax, oldestMs) + this.#everyMs);
  }

  async #look(): Promise<void> {
    const { env, index, reads } = this.#parts;
    const oldestMs = reads.oldestAgeMs() ?? 0;
    const ageMs = oldestMs < this.#everyMs ? undefined : oldestMs;
    if (ageMs === undefined && !this.#isWrittenDown) return;
    try {
      const call = { reader: this.#reader, ageMs };
      await index.callObject(bucketsObject, messages.noteLongRead, call);
      this.#isWrittenDown = ageMs !== undefined;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof DecodeError)) throw error;
      const { message: reason } = error;
      env.log.write('warn', 'a long read is not known to other gateways', { reason });
    }
  }
}
