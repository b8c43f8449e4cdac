// Quotas of two buckets and of their owner, changed by the monitor while all gateways put and delete. A gateway adds what
// it lets in itself to a look at the index, which is two seconds old at most for a bucket and ten for an owner. Hence
//
// - what is let in fits beside all that was there for certain when the oldest look began that may have been gone by, and
//   all that this gateway has let in since. Not counted is what other gateways let in meanwhile, and what was under way
//   at this one just then;
// - what is refused would not fit beside all that may have been there since, each counted twice, for its shard may just be
//   split, and what this gateway let in once more;
// - what was refused is not there, and what was let in is;
// - a part of an upload is let in or refused by its bytes, and counts for nothing; when the upload is completed, that is
//   a put of all its bytes.
//
// Every object has a key of its own, written once.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { Quota } from '../map/directory.ts';
import type { Monitor } from '../mon/monitor.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import type { S3Call, Signer } from './s3-request.ts';
import { S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { heardOfDirectory, ToldValue } from './told-value.ts';

interface Limit {
  readonly bytes: number | undefined;
  readonly objects: number | undefined;
}

interface LimitedBy {
  readonly kind: Quota['kind'];
  readonly name: string;
  readonly told: ToldValue<Limit>;
  /** Who is to make the last change: when it is gone, nobody answers. */
  changer: Monitor | undefined;
}

export interface MeasuredPut {
  readonly bucket: string;
  readonly key: string;
  /** A part of an upload: what it brings is counted when the upload is completed, as another put. */
  readonly isPart: boolean;
  readonly bytes: number;
  readonly gateway: string;
  readonly calledAt: number;
  /** Undefined: it has no answer yet, or never had one. */
  endedAt: number | undefined;
  /** Stays unknown where the answer was that it failed. */
  outcome: 'unknown' | 'there' | 'refused';
  deleteCalledAt: number | undefined;
  deletedAt: number | undefined;
}

/** How old a gateway's look may be; clocks differ by half a percent. */
const lookMsMax = { bucket: 2000 * 1.01 + 1, user: 10_000 * 1.01 + 1 } as const;

const owner = 'quinn';
const burstPuts = 4;
const bucketNames = ['measured-0', 'measured-1'];
const none: Limit = { bytes: undefined, objects: undefined };

/** Since when the gateway may have gone by a look: whoever is asked may wait for one that began for another request. */
function oldestLook(put: MeasuredPut, kind: Quota['kind'], puts: readonly MeasuredPut[]): number {
  const open = puts.filter(
    ({ gateway, calledAt, endedAt }) =>
      gateway === put.gateway &&
      calledAt <= put.calledAt &&
      (endedAt === undefined || endedAt >= put.calledAt),
  );
  return Math.min(put.calledAt, ...open.map(({ calledAt }) => calledAt)) - lookMsMax[kind];
}

type Measure = (put: MeasuredPut) => number;

/** What whoever let this put in must have counted beside it, at least. `puts`: all that one quota is over. */
export function leastCounted(
  put: MeasuredPut,
  kind: Quota['kind'],
  puts: readonly MeasuredPut[],
  measure: Measure,
): number {
  const since = oldestLook(put, kind, puts);
  const certain = puts.filter(
    (each) =>
      each !== put &&
      !each.isPart &&
      each.outcome === 'there' &&
      each.deleteCalledAt === undefined &&
      each.endedAt !== undefined &&
      each.endedAt <= put.calledAt,
  );
  const own = certain.filter(({ gateway }) => gateway === put.gateway);
  // The look may have begun just when any of these was under way.
  const looks = [since, ...own.map(({ calledAt }) => calledAt).filter((at) => at >= since)];
  const sums = looks.map((look) =>
    certain
      .filter(
        ({ gateway, calledAt, endedAt }) =>
          (endedAt !== undefined && endedAt <= look) ||
          (gateway === put.gateway && calledAt > look),
      )
      .reduce((sum, each) => sum + measure(each), 0),
  );
  return Math.min(...sums);
}

/** The most that whoever refused this put can have counted beside it. */
export function mostCounted(
  put: MeasuredPut,
  kind: Quota['kind'],
  puts: readonly MeasuredPut[],
  measure: Measure,
): number {
  const since = oldestLook(put, kind, puts);
  let sum = 0;
  for (const each of puts) {
    if (each === put || each.isPart || each.outcome === 'refused') continue;
    // Twice: while its shard is being split it may be in both.
    if (each.deletedAt === undefined || each.deletedAt > since) sum += 2 * measure(each);
    const isSince = each.endedAt === undefined || each.endedAt >= since;
    if (each.gateway === put.gateway && isSince) sum += measure(each);
  }
  return sum;
}

const measures = { bytes: (put: MeasuredPut) => put.bytes, objects: () => 1 } as const;

/** No quota of objects is in the way of a part. */
function measuredOf({ isPart }: MeasuredPut): readonly (keyof typeof measures)[] {
  return isPart ? ['bytes'] : ['bytes', 'objects'];
}

export class QuotasWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly histories = { undecided: 0 };
  readonly asker = new S3Asker(this.problems);
  operations = 0;
  /** That runs now. */
  monitor: () => Monitor | undefined = () => undefined;
  /** Parts of one upload go through any of them. */
  gateways: () => readonly SimulatedGateway[] = () => [];
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  #signer: Signer | undefined;
  #buckets: readonly S3Bucket[] = [];
  readonly #puts: MeasuredPut[] = [];
  #keys = 0;
  readonly #limits: readonly LimitedBy[] = [
    ...bucketNames.map((name) => ({ kind: 'bucket', name }) as const),
    { kind: 'user', name: owner } as const,
  ].map((each) => ({ ...each, told: new ToldValue(none), changer: undefined }));

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    const parameters = { UserName: owner };
    const iam = { service: 'iam', parameters } as const;
    await this.asker.askForm(gateway, { ...iam, action: 'CreateUser' });
    const made = await this.asker.askForm(gateway, { ...iam, action: 'CreateAccessKey' });
    const accessKey = made === undefined ? undefined : elementOf(made, 'AccessKeyId');
    const secretKey = made === undefined ? undefined : elementOf(made, 'SecretAccessKey');
    if (accessKey === undefined || secretKey === undefined) {
      this.problems.push(`user ${owner} has no key: ${made?.status}`);
      return;
    }
    const signer = { accessKey, secretKey };
    this.#signer = signer;
    this.#buckets = bucketNames.map(
      (name) => new S3Bucket(name, this.asker, this.problems, signer),
    );
    for (const bucket of this.#buckets) await bucket.make(gateway);
    for (const limit of this.#limits) this.#changeLimit(limit);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    if (this.#buckets.length === 0) return;
    const bucket = oneOf(this.#random, this.#buckets);
    switch (this.#random.below(14)) {
      case 0:
        this.#changeLimit(oneOf(this.#random, this.#limits));
        return;
      case 1:
        return this.#list(gateway, bucket);
      case 2:
      case 3:
      case 4:
        return this.#remove(gateway);
      case 5:
        return this.#copy(gateway, bucket);
      case 6:
        // Between two looks: what it lets in itself is all that the gateway has to go by.
        for (let puts = 0; puts < burstPuts; puts++) await this.#put(gateway, bucket);
        return;
      case 7:
      case 8:
        return this.#upload(gateway, bucket);
      default:
        return this.#put(gateway, bucket);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const bucket of this.#buckets) await this.#list(gateway, bucket, 'must answer');
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const bucket of this.#buckets) await bucket.remove(gateway);
  }

  checkHistories(): string[] {
    return [];
  }

  /** As `holdfast quota` does; nobody waits for it, for a monitor that is killed never answers. */
  #changeLimit(limit: LimitedBy): void {
    const monitor = this.monitor();
    if (monitor === undefined || (limit.told.isChanging && limit.changer === monitor)) return;
    const value = this.#drawLimit(limit.kind);
    const change = limit.told.begin(value, this.#now());
    limit.changer = monitor;
    limit.told.isChanging = true;
    const { kind, name } = limit;
    monitor.users.setQuota({ kind, name, ...value }).then(
      () => {
        const { revision } = monitor.directory;
        change.acknowledged = { at: this.#now(), gateway: 'mon', revision };
        if (limit.changer === monitor) limit.told.isChanging = false;
      },
      () => {
        // Whether it was made is unknown.
        if (limit.changer === monitor) limit.told.isChanging = false;
      },
    );
  }

  #drawLimit(kind: Quota['kind']): Limit {
    const share = kind === 'user' ? 2 : 1;
    switch (this.#random.below(5)) {
      case 0:
        return none;
      case 1:
        return { bytes: share * (1 + this.#random.below(300_000)), objects: undefined };
      default:
        return { bytes: undefined, objects: share * (1 + this.#random.below(6)) };
    }
  }

  #signed(call: S3Call): S3Call {
    return this.#signer === undefined ? call : { ...call, signer: this.#signer };
  }

  async #put(gateway: SimulatedGateway, bucket: S3Bucket): Promise<void> {
    const { body } = this.#values.makeUnique();
    const put = this.#measured(gateway, bucket, this.#newKey(), body.length);
    const path = bucket.pathOf(put.key);
    await this.#store(gateway, put, { method: 'PUT', path, body });
  }

  async #copy(gateway: SimulatedGateway, bucket: S3Bucket): Promise<void> {
    const source = this.#drawStored();
    if (source === undefined) return;
    const headers = { 'x-amz-copy-source': `/${source.bucket}/${source.key}` };
    const put = this.#measured(gateway, bucket, this.#newKey(), source.bytes);
    await this.#store(gateway, put, { method: 'PUT', path: bucket.pathOf(put.key), headers });
  }

  /** One part, put or copied, perhaps once more under its number; completed three times of four. */
  async #upload(gateway: SimulatedGateway, bucket: S3Bucket): Promise<void> {
    const key = this.#newKey();
    const path = bucket.pathOf(key);
    const begin = { method: 'POST', path, query: { uploads: '' } };
    const begun = await this.asker.ask(gateway, this.#signed(begin));
    if (begun?.status !== 200) return;
    const query = { uploadId: elementOf(begun, 'UploadId') ?? '' };
    let newest: { readonly bytes: number; readonly etag: string } | undefined;
    for (let times = 1 + this.#random.below(2); times > 0; times--) {
      const part = await this.#putPart(this.#anyGateway(gateway), bucket, key, query);
      // One that is refused replaces nothing; what became of one without an answer is unknown.
      if (part === 'unknown') return;
      newest = part ?? newest;
    }
    if (newest === undefined || this.#random.below(4) === 0) return;
    const list = `<Part><PartNumber>1</PartNumber><ETag>${newest.etag}</ETag></Part>`;
    const body = encodeUtf8(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
    const completer = this.#anyGateway(gateway);
    const put = this.#measured(completer, bucket, key, newest.bytes);
    await this.#store(completer, put, { method: 'POST', path, query, body });
  }

  /** Undefined: it was refused. */
  async #putPart(
    gateway: SimulatedGateway,
    bucket: S3Bucket,
    key: string,
    upload: { readonly uploadId: string },
  ): Promise<{ readonly bytes: number; readonly etag: string } | 'unknown' | undefined> {
    const source = this.#random.below(3) === 0 ? this.#drawStored() : undefined;
    const { body, etag } = this.#values.makeUnique();
    const bytes = source?.bytes ?? body.length;
    const put = { ...this.#measured(gateway, bucket, key, bytes), isPart: true };
    const call = { method: 'PUT', path: bucket.pathOf(key), query: { ...upload, partNumber: '1' } };
    const answer = await this.#store(
      gateway,
      put,
      source === undefined
        ? { ...call, body }
        : { ...call, headers: { 'x-amz-copy-source': `/${source.bucket}/${source.key}` } },
    );
    if (put.outcome === 'refused') return undefined;
    if (put.outcome === 'unknown' || answer === undefined) return 'unknown';
    if (source === undefined) return { bytes, etag };
    const copied = /<ETag>(?:&quot;|"|&#34;)([^&"]*)/.exec(decodeUtf8(answer.body))?.[1];
    return copied === undefined ? 'unknown' : { bytes, etag: copied };
  }

  #anyGateway(mine: SimulatedGateway): SimulatedGateway {
    const all = this.gateways();
    return all[this.#random.below(Math.max(1, all.length))] ?? mine;
  }

  #drawStored(): MeasuredPut | undefined {
    const stored = this.#puts.filter(
      ({ isPart, outcome, deleteCalledAt }) =>
        !isPart && outcome === 'there' && deleteCalledAt === undefined,
    );
    return stored.length === 0 ? undefined : oneOf(this.#random, stored);
  }

  #newKey(): string {
    return `q-${this.#keys++}`;
  }

  #measured(gateway: SimulatedGateway, bucket: S3Bucket, key: string, bytes: number): MeasuredPut {
    return {
      bucket: bucket.name,
      key,
      isPart: false,
      bytes,
      gateway: gateway.name,
      calledAt: this.#now(),
      endedAt: undefined,
      outcome: 'unknown',
      deleteCalledAt: undefined,
      deletedAt: undefined,
    };
  }

  async #store(
    gateway: SimulatedGateway,
    put: MeasuredPut,
    call: S3Call,
  ): Promise<WholeResponse | undefined> {
    this.#puts.push(put);
    const { revision } = gateway.client.directory();
    const answer = await this.asker.ask(gateway, this.#signed(call));
    if (answer === undefined) return undefined;
    put.endedAt = this.#now();
    // A copy, and a completion, may say in their bodies that they failed.
    const code = elementOf(answer, 'Code');
    if (answer.status === 200 && code === undefined) {
      put.outcome = 'there';
      this.#checkLetIn(put, revision);
    } else if (code === 'QuotaExceeded') {
      put.outcome = 'refused';
      this.#checkRefused(put, revision);
    } else if (answer.status < 500 && answer.status !== 404 && answer.status !== 200)
      this.#problem(put, `was answered ${answer.status} ${decodeUtf8(answer.body)}`);
    return answer;
  }

  /** What the quotas over it may have been, and all puts that each is over. */
  #over(put: MeasuredPut, revision: number) {
    return this.#limits
      .filter(({ kind, name }) => kind === 'user' || name === put.bucket)
      .map(({ kind, name, told }) => ({
        kind,
        name,
        limits: told.possible(heardOfDirectory(revision), this.#now()),
        puts: this.#puts.filter(({ bucket }) => kind === 'user' || bucket === name),
      }));
  }

  #checkLetIn(put: MeasuredPut, revision: number): void {
    for (const { kind, name, limits, puts } of this.#over(put, revision))
      for (const what of measuredOf(put)) {
        const most = Math.max(...limits.map((limit) => limit[what] ?? Number.POSITIVE_INFINITY));
        const least = leastCounted(put, kind, puts, measures[what]) + measures[what](put);
        if (least > most)
          this.#problem(put, `was let in: ${least} ${what} of ${kind} ${name}, ${most} may be`);
      }
  }

  #checkRefused(put: MeasuredPut, revision: number): void {
    const isPossible = this.#over(put, revision).some(({ kind, limits, puts }) =>
      measuredOf(put).some((what) => {
        const most = mostCounted(put, kind, puts, measures[what]) + measures[what](put);
        return limits.some((limit) => most > (limit[what] ?? Number.POSITIVE_INFINITY));
      }),
    );
    if (!isPossible) this.#problem(put, 'was refused, and no quota can have been exhausted');
  }

  #problem(put: MeasuredPut, what: string): void {
    const at = `${put.gateway} at ${put.calledAt.toFixed(1)} ms`;
    this.problems.push(`${put.bucket}/${put.key}, ${put.bytes} bytes, asked of ${at}, ${what}`);
  }

  async #remove(gateway: SimulatedGateway): Promise<void> {
    const put = this.#drawStored();
    if (put === undefined) return;
    put.deleteCalledAt = this.#now();
    const path = `/${put.bucket}/${put.key}`;
    const answer = await this.asker.ask(gateway, this.#signed({ method: 'DELETE', path }));
    if (answer?.status === 204) put.deletedAt = this.#now();
  }

  async #list(gateway: SimulatedGateway, bucket: S3Bucket, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const call = this.#signed({
      method: 'GET',
      path: `/${bucket.name}`,
      query: { 'list-type': '2' },
    });
    const answer = await this.asker.ask(gateway, call);
    if (answer?.status === 200) this.#checkListed(bucket.name, answer, calledAt);
    else if (mode === 'must answer')
      this.problems.push(`LIST ${bucket.name} at the end: ${answer?.status ?? 'broken off'}`);
  }

  #checkListed(bucket: string, answer: WholeResponse, calledAt: number): void {
    const text = decodeUtf8(answer.body);
    const found = new Set([...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key));
    for (const put of this.#puts) {
      if (put.bucket !== bucket || put.isPart) continue;
      const isListed = found.delete(put.key);
      const wasThere = put.outcome === 'there' && (put.endedAt ?? calledAt) < calledAt;
      if (isListed && put.outcome === 'refused') this.#problem(put, 'was refused and is there');
      if (isListed && put.deletedAt !== undefined && put.deletedAt < calledAt)
        this.#problem(put, 'was deleted and is there');
      if (!isListed && wasThere && put.deleteCalledAt === undefined)
        this.#problem(put, 'was let in and is not there');
    }
    for (const key of found) this.problems.push(`LIST ${bucket} has ${key}`);
  }
}
