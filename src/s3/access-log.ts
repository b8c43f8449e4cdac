// Records of requests on their way into log objects. Each gateway keeps the records of the requests that it saw, a group
// for each place they go to, and delivers a group as one object when its time is over, when it is large enough, when it
// is asked to, and when the gateway stops.
//
// Best effort, as in S3: a request never waits for its record, records of a gateway that is killed are gone, and what can't
// be delivered is given up after a few tries, counted and logged. An outcome that is unknown is tried again under the same
// key, so that no record is in two objects.

import { DecodeError } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import { type Clock, type Instant, sleep, type Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Tasks } from '../env/tasks.ts';
import { formatLogTime } from './protocol/access-record.ts';
import type { BucketLogging, LogKeyFormat } from './protocol/bucket-logging.ts';
import { S3Error } from './protocol/errors.ts';

/** A bucket that is logged. */
export interface LogSource {
  readonly bucket: string;
  readonly owner: string;
  readonly region: string;
}

export interface LogDelivery {
  readonly target: { readonly bucket: string; readonly prefix: string };
  readonly key: string;
  readonly sources: readonly (LogSource & { readonly records: readonly string[] })[];
}

export interface AccessLogOptions {
  /** How long records wait for others where the bucket does not say. */
  readonly rollMs: number;
  /** Names this gateway among all that there ever were. */
  readonly gatewayId: string;
  /** Stores a log object; answers how many records were not let in. Throws `S3Error`, `ClientError`, `DecodeError`. */
  readonly deliver: (delivery: LogDelivery) => Promise<{ readonly refusedCount: number }>;
}

export type DeliveryOutcome =
  | { readonly kind: 'delivered'; readonly key: string }
  | { readonly kind: 'lost'; readonly error: Error };

interface Group {
  readonly target: LogDelivery['target'];
  readonly keyFormat: LogKeyFormat;
  readonly sources: Map<string, LogSource & { readonly records: string[] }>;
  /** Of the first request. */
  readonly eventMs: number;
  bytes: number;
  count: number;
  readonly timer: Timer;
}

/** A log object is delivered before it is larger: a few thousand records. */
const groupBytesMax = 1024 * 1024;

/** Of all groups and deliveries of a gateway; what comes beyond that is lost. Four full log objects. */
const heldBytesMax = 4 * groupBytesMax;

/** What a record costs beyond its characters, which are one byte each. */
const recordOverheadBytes = 64;

/** Each holds a second copy of its records while it lasts. */
const deliveriesInFlightMax = 2;

/** With pauses that double from one second: some 15 seconds beside the calls' own patience. */
const attemptsMax = 5;
const firstPauseMs = 1000;

/** A stopping gateway waits no longer for its last log objects: half of what all daemons of a cluster have to stop. */
const closeMsMax = 2000;

/** At most one line about lost records in this time. */
const reportIntervalMs = 60_000;

const timerName = 's3-access-log';

/** Waiting may help. */
function isPassing(error: Error): boolean {
  if (error instanceof S3Error) return error.code === 'ServiceUnavailable';
  return error instanceof ClientError && error.code !== 'bad-request' && error.code !== 'too-large';
}

function isExpected(error: unknown): error is Error {
  return error instanceof S3Error || error instanceof ClientError || error instanceof DecodeError;
}

interface Waiting {
  readonly group: Group;
  readonly done: (outcome: DeliveryOutcome) => void;
}

export class AccessLog {
  readonly #env: { readonly clock: Clock; readonly tasks: Tasks; readonly log: Log };
  readonly #wallMs: () => number;
  readonly #options: AccessLogOptions;
  readonly #groups = new Map<string, Group>();
  readonly #waiting: Waiting[] = [];
  #inFlight = 0;
  #heldBytes = 0;
  #heldCount = 0;
  #objectCount = 0;
  #lostCount = 0;
  #reportedCount = 0;
  #reportedAt: Instant | undefined;
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(
    env: {
      readonly clock: Clock;
      readonly tasks: Tasks;
      readonly log: Log;
      readonly wall: { nowMs(): number };
    },
    options: AccessLogOptions,
  ) {
    this.#env = env;
    this.#wallMs = () => env.wall.nowMs();
    this.#options = options;
  }

  /** Records given up since the gateway began. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Takes a record of a request that came at `eventMs`; waits for nothing. */
  add(source: LogSource, logging: BucketLogging, eventMs: number, record: string): void {
    const bytes = record.length + recordOverheadBytes;
    if (this.#closed || this.#heldBytes + bytes > heldBytesMax) {
      this.#lose(1, new Error(this.#closed ? 'the gateway stops' : 'too many records wait'));
      return;
    }
    const name = groupName(source, logging, eventMs);
    const group = this.#groups.get(name) ?? this.#open(name, logging, eventMs);
    const sourceName = `${source.owner} ${source.bucket}`;
    let of = group.sources.get(sourceName);
    if (of === undefined) {
      of = { ...source, records: [] };
      group.sources.set(sourceName, of);
    }
    of.records.push(record);
    group.count++;
    group.bytes += bytes;
    this.#heldBytes += bytes;
    this.#heldCount++;
    if (group.bytes >= groupBytesMax) void this.#send(name, group);
  }

  /** Delivers what this gateway has of the bucket's requests; the outcome of the last object, if there was any. */
  async flush(bucket: string): Promise<DeliveryOutcome | undefined> {
    let last: DeliveryOutcome | undefined;
    for (const [name, group] of [...this.#groups])
      if ([...group.sources.values()].some((source) => source.bucket === bucket))
        last = await this.#send(name, group);
    return last;
  }

  /** Delivers everything, for two seconds; what is left then is lost. */
  async close(): Promise<void> {
    for (const [name, group] of [...this.#groups]) void this.#send(name, group);
    this.#closed = true;
    await new Promise<void>((resolve) => {
      if (this.#heldCount === 0) return resolve();
      const timer = this.#env.clock.after(closeMsMax, timerName, resolve);
      this.#whenEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
    const left = this.#heldCount;
    const error = new Error('the gateway stopped');
    for (const { group, done } of this.#waiting.splice(0)) {
      this.#release(group);
      done({ kind: 'lost', error });
    }
    if (left > 0) this.#lose(left, error);
    this.#report('all');
  }

  #open(name: string, logging: BucketLogging, eventMs: number): Group {
    const group: Group = {
      target: { bucket: logging.targetBucket, prefix: logging.targetPrefix },
      keyFormat: logging.keyFormat,
      sources: new Map(),
      eventMs,
      bytes: 0,
      count: 0,
      timer: this.#env.clock.after(logging.rollMs ?? this.#options.rollMs, timerName, () => {
        void this.#send(name, group);
      }),
    };
    this.#groups.set(name, group);
    return group;
  }

  #send(name: string, group: Group): Promise<DeliveryOutcome> {
    group.timer.cancel();
    this.#groups.delete(name);
    return new Promise((done) => {
      this.#waiting.push({ group, done });
      this.#next();
    });
  }

  #next(): void {
    if (this.#inFlight >= deliveriesInFlightMax) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#inFlight++;
    this.#env.tasks.spawn(timerName, async () => {
      try {
        await this.#deliver(next);
      } finally {
        this.#inFlight--;
        this.#next();
      }
    });
  }

  async #deliver({ group, done }: Waiting): Promise<void> {
    const delivery: LogDelivery = {
      target: group.target,
      key: this.#keyOf(group),
      sources: [...group.sources.values()],
    };
    for (let attempt = 1; ; attempt++) {
      try {
        const { refusedCount } = await this.#options.deliver(delivery);
        if (refusedCount > 0) this.#lose(refusedCount, new S3Error('AccessDenied'));
        this.#release(group);
        done({ kind: 'delivered', key: delivery.key });
        return;
      } catch (error) {
        if (!isExpected(error)) throw error;
        if (attempt >= attemptsMax || !isPassing(error)) {
          this.#give(group, done, error);
          return;
        }
      }
      await sleep(this.#env.clock, firstPauseMs * 2 ** (attempt - 1), timerName);
    }
  }

  #give(group: Group, done: Waiting['done'], error: Error): void {
    this.#lose(group.count, error, group.target.bucket);
    this.#release(group);
    done({ kind: 'lost', error });
  }

  #release({ bytes, count }: Group): void {
    this.#heldBytes -= bytes;
    this.#heldCount -= count;
    if (this.#heldCount === 0) this.#whenEmpty?.();
  }

  #lose(count: number, reason: Error, bucket = ''): void {
    this.#lostCount += count;
    this.#report('now-and-then', reason, bucket);
  }

  #report(what: 'now-and-then' | 'all', reason?: Error, bucket = ''): void {
    const now = this.#env.clock.now();
    const isSoon = this.#reportedAt !== undefined && now - this.#reportedAt < reportIntervalMs;
    if (this.#lostCount === this.#reportedCount || (isSoon && what !== 'all')) return;
    this.#env.log.write('warn', 'records of access logs are lost', {
      count: this.#lostCount - this.#reportedCount,
      bucket,
      reason: reason?.message ?? 'as said before',
    });
    this.#reportedCount = this.#lostCount;
    this.#reportedAt = now;
  }

  /** Unique over gateways and time by the gateway's id and a count. */
  #keyOf({ target, keyFormat, sources, eventMs }: Group): string {
    this.#objectCount++;
    const deliveryMs = this.#wallMs();
    const name = `${this.#options.gatewayId}${String(this.#objectCount).padStart(8, '0')}`;
    if (keyFormat === 'simple') return `${target.prefix}${formatLogTime(deliveryMs)}-${name}`;
    const [source] = sources.values();
    const isOfEvents = keyFormat === 'by-event-day';
    const day = formatLogTime(isOfEvents ? eventMs : deliveryMs).slice(0, 10);
    // Of events it is the day that counts, as S3 has it.
    const time = isOfEvents ? `${day}-00-00-00` : formatLogTime(deliveryMs);
    const place = `${source?.owner ?? ''}/${source?.region ?? ''}/${source?.bucket ?? ''}`;
    return `${target.prefix}${place}/${day.replaceAll('-', '/')}/${time}-${name}`;
  }
}

/** What may be in one object: with a simple prefix the records of all buckets that go to it. */
function groupName(source: LogSource, logging: BucketLogging, eventMs: number): string {
  const { targetBucket, targetPrefix, keyFormat, rollMs } = logging;
  const place =
    keyFormat === 'simple'
      ? []
      : [
          source.owner,
          source.region,
          source.bucket,
          keyFormat === 'by-event-day' ? formatLogTime(eventMs).slice(0, 10) : '',
        ];
  return JSON.stringify([targetBucket, targetPrefix, keyFormat, rollMs ?? 0, ...place]);
}
