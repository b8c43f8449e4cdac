// Two buckets that are logged into a third, the places of their records changed and turned off while all gateways serve
// them. Best effort, as it is promised: a request has one record, where a configuration says that may be in force at its
// gateway, or none where its gateway died or says that it lost some. No record tells of a request that nobody sent, or
// tells it wrongly, and what is in a log object stays there.
//
// Each request has a name of its own in its user agent.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import type { S3Call } from './s3-request.ts';
import { headerOf, S3Asker } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { heardOfBucket, ToldValue } from './told-value.ts';
import { policyText, wordsOf } from './users-workload.ts';

type Place = 'a/' | 'b/' | 'off';

interface Logged {
  readonly bucket: S3Bucket;
  readonly told: ToldValue<Place>;
}

interface Request {
  readonly logged: Logged;
  readonly gateway: SimulatedGateway;
  readonly method: string;
  /** `-`: it is about the bucket. */
  readonly key: string;
  readonly calledAt: number;
  /** Undefined: no answer came, or none yet. */
  answered: { readonly at: number; readonly status: number; readonly id: string } | undefined;
}

export interface LogRecord {
  readonly bucket: string;
  readonly requestId: string;
  readonly operation: string;
  readonly key: string;
  readonly status: string;
  /** `-`: nobody's. */
  readonly userAgent: string;
}

const bucketNames = ['recorded-0', 'recorded-1'];
const targetName = 'records';
const keys = ['r', 's/1', 's/2'];
/** Mostly on. */
const places: readonly Place[] = ['a/', 'a/', 'b/', 'b/', 'off'];

/** How long records wait for others: several log objects in a run. */
export const loggingOptions = { loggingRollMs: 3000 } as const;

/** Within which a healed gateway has delivered all that it has, beyond all its tries. */
const deliveredMsMax = 60_000;
const lookMs = 1000;
/** In which whatever waits at one gateway is delivered. */
const lastRecordsMs = 6000;

const attemptsMax = 20;

/** Undefined: it has not 26 fields. */
export function parseRecord(line: string): LogRecord | undefined {
  const fields = line.match(/\[[^\]]*\]|"[^"]*"|[^ ]+/g) ?? [];
  if (fields.length !== 26) return undefined;
  const of = (index: number): string => fields[index]?.replaceAll('"', '') ?? '';
  return {
    bucket: of(1),
    requestId: of(5),
    operation: of(6),
    key: of(7),
    status: of(9),
    userAgent: of(16),
  };
}

/** What is wrong with what a record tells of a request; undefined: nothing. */
export function faultOfRecord(
  record: LogRecord,
  asked: Pick<Request, 'method' | 'key' | 'answered'> & { readonly bucket: string },
): string | undefined {
  const { bucket, method, key, answered } = asked;
  const operation = `REST.${method}.${key === '-' ? 'BUCKET' : 'OBJECT'}`;
  const pairs = [
    [record.bucket, bucket],
    [record.operation, operation],
    [record.key, key],
    ...(answered === undefined
      ? []
      : [
          [record.status, String(answered.status)],
          [record.requestId, answered.id],
        ]),
  ] as const;
  const wrong = pairs.find(([told, expected]) => told !== expected);
  return wrong === undefined ? undefined : `tells ${wrong[0]}, it was ${wrong[1]}`;
}

export class LoggingWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly histories = { undecided: 0 };
  readonly asker = new S3Asker(this.problems);
  operations = 0;
  gateways: () => readonly SimulatedGateway[] = () => [];
  pause: (ms: number) => Promise<void> = () => Promise.resolve();
  /** A gateway has said that records are lost. */
  hasLost: () => boolean = () => false;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #target: S3Bucket;
  readonly #logged: readonly Logged[];
  readonly #requests = new Map<string, Request>();
  /** By the user agent of its request, the log object with its record. */
  readonly #told = new Map<string, string>();
  /** Log objects that were read. */
  readonly #objects = new Set<string>();

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#target = new S3Bucket(targetName, this.asker, this.problems);
    this.#logged = bucketNames.map((name) => ({
      bucket: new S3Bucket(name, this.asker, this.problems),
      told: new ToldValue<Place>('off'),
    }));
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    await this.#target.make(gateway);
    const policy = policyText([
      {
        Effect: 'Allow',
        Principal: { Service: 'logging.s3.amazonaws.com' },
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${targetName}/*`,
      },
    ]);
    const path = `/${targetName}`;
    const body = encodeUtf8(policy);
    await this.#target.insist(gateway, { method: 'PUT', path, query: { policy: '' }, body });
    for (const logged of this.#logged) {
      await logged.bucket.make(gateway);
      await this.#change(gateway, logged, 'a/');
    }
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const logged = oneOf(this.#random, this.#logged);
    const key = oneOf(this.#random, keys);
    switch (this.#random.below(16)) {
      case 0: {
        const others = places.filter((place) => place !== logged.told.newest);
        return this.#change(gateway, logged, oneOf(this.#random, others));
      }
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return this.#ask(gateway, logged, 'PUT', key);
      case 6:
      case 7:
        return this.#ask(gateway, logged, 'DELETE', key);
      case 8:
      case 9:
        return this.#ask(gateway, logged, 'HEAD', key);
      case 10:
        return this.#ask(gateway, logged, 'GET', '-');
      default:
        return this.#ask(gateway, logged, 'GET', key);
    }
  }

  /** Whatever live gateways still have is delivered, and every request told that must be. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    const alive = this.gateways().filter(({ process }) => process.isAlive);
    for (const each of new Set([gateway, ...alive]))
      for (const { bucket } of this.#logged) await this.#flush(each, bucket);
    const until = this.#now() + deliveredMsMax;
    await this.#readLogs(gateway);
    while (this.#untold().length > 0 && this.#now() < until) {
      await this.pause(lookMs);
      await this.#readLogs(gateway);
    }
    for (const [agent, { method, key, logged, gateway: asked, answered }] of this.#untold())
      this.problems.push(
        `${agent}, ${method} ${logged.bucket.name}/${key}, was answered ${answered?.status} by ${asked.name} at ${answered?.at.toFixed(1)} ms and has no record`,
      );
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#logged) {
      const call = { method: 'PUT', path: `/${bucket.name}`, query: { logging: '' } };
      await bucket.insist(gateway, { ...call, body: encodeUtf8(documentOf('off')) });
      await bucket.remove(gateway);
    }
    await this.pause(lastRecordsMs);
    await this.#target.remove(gateway);
  }

  checkHistories(): string[] {
    return [];
  }

  async #change(gateway: SimulatedGateway, { bucket, told }: Logged, next: Place): Promise<void> {
    // A put without answer may be done much later, after another.
    if (told.isChanging || !told.isCertain) return;
    told.isChanging = true;
    const change = told.begin(next, this.#now());
    const answer = await this.asker.ask(gateway, {
      method: 'PUT',
      path: `/${bucket.name}`,
      query: { logging: '' },
      body: encodeUtf8(documentOf(next)),
    });
    told.isChanging = false;
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status !== 200) this.problems.push(`logging was answered ${wordsOf(answer)}`);
    change.acknowledged = { at: this.#now(), gateway: gateway.name, revision: 0 };
  }

  async #ask(
    gateway: SimulatedGateway,
    logged: Logged,
    method: string,
    key: string,
  ): Promise<void> {
    const agent = `request-${this.#requests.size}`;
    const calledAt = this.#now();
    const request: Request = { logged, gateway, method, key, calledAt, answered: undefined };
    this.#requests.set(agent, request);
    const call: S3Call = {
      method,
      path: key === '-' ? `/${logged.bucket.name}` : logged.bucket.pathOf(key),
      headers: { 'user-agent': agent },
      ...(method === 'PUT' ? { body: encodeUtf8(agent) } : {}),
    };
    const answer = await this.asker.ask(gateway, call);
    if (answer === undefined) return;
    const id = headerOf(answer, 'x-amz-request-id');
    request.answered = { at: this.#now(), status: answer.status, id };
    if (answer.status >= 300 && answer.status !== 404 && answer.status < 500)
      this.problems.push(`${agent} was answered ${wordsOf(answer)}`);
  }

  /** Places where a record of it may be; `off`: it may have none. */
  #placesOf({ logged, gateway, calledAt, answered }: Request): readonly Place[] {
    const until = answered?.at ?? Number.POSITIVE_INFINITY;
    return logged.told.possible(heardOfBucket(gateway.name, calledAt), until);
  }

  /** Those that must have a record and have none. */
  #untold(): readonly (readonly [string, Request])[] {
    if (this.hasLost()) return [];
    return [...this.#requests].filter(([agent, request]) => {
      const { answered, gateway } = request;
      // A gateway that could not look at the bucket does not know that it is logged.
      if (answered === undefined || answered.status >= 500 || !gateway.process.isAlive)
        return false;
      return !this.#told.has(agent) && !this.#placesOf(request).includes('off');
    });
  }

  /** Refused where it is not logged: what was before is delivered in its time. */
  async #flush(gateway: SimulatedGateway, { name }: S3Bucket): Promise<void> {
    let last: WholeResponse | undefined;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const call = { method: 'POST', path: `/${name}`, query: { logging: '' } };
      last = await this.asker.ask(gateway, call);
      if (last !== undefined && last.status < 500) break;
    }
    if (last?.status !== 200 && last?.status !== 400)
      this.problems.push(`POST ?logging of ${name}: ${wordsOf(last)}`);
  }

  async #readLogs(gateway: SimulatedGateway): Promise<void> {
    const path = `/${targetName}`;
    const query = { 'list-type': '2' };
    const answer = await this.#target.insist(gateway, { method: 'GET', path, query });
    if (answer === undefined) return;
    const found = new Set(
      [...decodeUtf8(answer.body).matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key),
    );
    for (const key of this.#objects)
      if (!found.has(key)) this.problems.push(`the log object ${key} is gone`);
    for (const key of found) {
      if (this.#objects.has(key)) continue;
      const call = { method: 'GET', path: this.#target.pathOf(key) };
      const read = await this.#target.insist(gateway, call);
      if (read === undefined) return;
      this.#objects.add(key);
      for (const line of decodeUtf8(read.body).split('\n').slice(0, -1)) this.#judge(key, line);
    }
  }

  #judge(object: string, line: string): void {
    const record = parseRecord(line);
    if (record === undefined) {
      this.problems.push(`${object} has a line of no record: ${line}`);
      return;
    }
    const { userAgent } = record;
    // Of the bucket itself: made, configured, emptied.
    if (userAgent === '-') return;
    const request = this.#requests.get(userAgent);
    const wrong =
      request === undefined
        ? 'tells what nobody asked'
        : faultOfRecord(record, { ...request, bucket: request.logged.bucket.name });
    if (wrong !== undefined) this.problems.push(`${object}: ${line} ${wrong}`);
    const before = this.#told.get(userAgent);
    if (before !== undefined)
      this.problems.push(`${userAgent} has a record in ${before} and one in ${object}`);
    this.#told.set(userAgent, object);
    if (request === undefined) return;
    const possible = this.#placesOf(request);
    if (!possible.some((place) => object.startsWith(place)))
      this.problems.push(`${userAgent} is told in ${object}; it may be in ${possible.join(' ')}`);
  }
}

function documentOf(place: Place): string {
  const to = `<TargetBucket>${targetName}</TargetBucket><TargetPrefix>${place}</TargetPrefix>`;
  const enabled = place === 'off' ? '' : `<LoggingEnabled>${to}</LoggingEnabled>`;
  return `<BucketLoggingStatus>${enabled}</BucketLoggingStatus>`;
}
