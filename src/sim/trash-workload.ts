// Buckets that their operator removes with everything in them, by the calls that `holdfast bucket rm --force` and `bucket
// restore` make, while clients use them through all gateways:
//
// - while a bucket waits in the trash every request is told that there is none, and none is told so while it is there.
//   Between an operator's call and its answer it may be either, gateway by gateway and shard by shard;
// - what is there when it comes back is what was acknowledged before, its uploads with it; that it was away is no part
//   of its history;
// - its name is free meanwhile, and the next bucket of that name is another one;
// - what its time has run out for does not come back, and nothing is left of it.
//
// An operator's call that nobody answers may be done much later: its bucket may be there or not from then on, and what it
// has must still be right. The operator works through a gateway's client of the cluster, and so dies with it.

import { postBuckets } from '../admin/buckets.ts';
import { AdminError } from '../admin/errors.ts';
import { decodeUtf8, emptyBytes, encodeUtf8, parseHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import { ClientError } from '../client/errors.ts';
import type { Random } from '../env/random.ts';
import { BucketIndexControl } from '../s3/bucket-control.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories, type OpenOperation } from './key-histories.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { md5Hex, type S3Call } from './s3-request.ts';
import { etagOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { type KeyCall, keyModel, wordsOf } from './users-workload.ts';

/** A time in which a bucket is not to be had. */
export interface Absence {
  /** From then on it may be away. */
  readonly from: number;
  /** From then on it is; never: nobody acknowledged it. */
  certainFrom: number;
  /** Until then it is. */
  certainUntil: number;
  /** Until then it may be. */
  until: number;
}

const never = Number.POSITIVE_INFINITY;
const always = Number.NEGATIVE_INFINITY;

/** What a request that was asked and answered then may have met. */
export function mayMeet(
  absences: readonly Absence[],
  asked: { readonly calledAt: number; readonly answeredAt: number },
): { readonly there: boolean; readonly away: boolean } {
  const { calledAt, answeredAt } = asked;
  return {
    there: !absences.some(
      (each) => each.certainFrom <= calledAt && answeredAt <= each.certainUntil,
    ),
    away: absences.some((each) => each.from <= answeredAt && calledAt <= each.until),
  };
}

/** One bucket, under whatever name. */
interface Thrown {
  readonly number: number;
  /** As it is called, or was when it was removed last. */
  name: string;
  /** All that it ever had: what has no answer may not have been done, and it waits under the one before. */
  readonly names: Set<string>;
  bucketId: string | undefined;
  /** `unknown`: what was done with it last has no answer. `gone`: its time in the trash was over. */
  place: 'named' | 'in-trash' | 'unknown' | 'gone';
  readonly absences: Absence[];
  /** Its last removal gave it less time in the trash than the run takes. */
  mayBeEmptied: boolean;
  /** It has an object that nobody deletes, and is never empty. */
  isKept: boolean;
  uploads: readonly Upload[];
}

interface Upload {
  readonly key: string;
  readonly id: string;
  readonly etag: string;
}

/** The bucket that requests for a name mean; a new one each time that this changes. */
interface Held {
  readonly name: string;
  readonly bucket: Thrown;
}

/** A change of a key without an answer: it may have been made in any bucket that had the name since. */
interface Pending {
  readonly name: string;
  readonly key: string;
  readonly call: Extract<KeyCall, { kind: 'put' }>;
  readonly operations: Map<Thrown, OpenOperation<KeyCall>>;
}

interface Asked {
  readonly held: Held;
  readonly gateway: string;
  readonly calledAt: number;
}

interface UnderWay {
  readonly gateway: SimulatedGateway;
  readonly bucket: Thrown;
  /** Never, when the gateway dies. */
  readonly done: Promise<void>;
}

/** `day`: as it is by default. */
type Keep = 'day' | 'seconds' | 'none';

const keys = ['t/1', 't/2', 'u'];
const keptKey = 'kept';
const uploadsMax = 3;

/** What nobody knows the place of is left for a new bucket under a new name. */
const bucketsMax = 6;

/** How often the operator names a loss anew: what is counted in it changes while clients write. */
const acceptancesMax = 5;

/** Codes of answers of 500 and more. */
const failures = new Set(['InternalError', 'ServiceUnavailable', 'SlowDown']);

/** At the end, when everything is well. */
const attemptsMax = 20;

/** In hours, as the setting `bucket_trash_hours` is; a few seconds here are whole milliseconds. */
const trashHours: Readonly<Record<Keep, number>> = { day: 24, seconds: 3 / 1200, none: 0 };

/** Says when the operator's call is about to change something. */
class WatchedControl extends BucketIndexControl {
  readonly #onRemove: (bucketId: string) => void;

  constructor(gateway: SimulatedGateway, onRemove: (bucketId: string) => void) {
    super(gateway.client, gateway.process.env.clock);
    this.#onRemove = onRemove;
  }

  override remove(bucket: { readonly name: string; readonly bucketId: string }, keepMs: number) {
    this.#onRemove(bucket.bucketId);
    return super.remove(bucket, keepMs);
  }
}

export class TrashWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly asker = new S3Asker(this.problems);
  readonly histories: KeyHistories<KeyCall>;
  operations = 0;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly #buckets: Thrown[] = [];
  readonly #held = new Map<string, Held>();
  readonly #pending = new Set<Pending>();
  /** Names whose bucket a client asks to remove: that is not to meet the next one. */
  readonly #removing = new Set<string>();
  #names = 0;
  /** What the operator is at. */
  #underWay: UnderWay | undefined;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.histories = new KeyHistories(now, keyModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    await this.#make(gateway, this.#newName());
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    this.#mourn();
    const held = oneOf(this.#random, [...this.#held.values()]);
    const key = oneOf(this.#random, keys);
    switch (this.#random.below(16)) {
      case 0:
      case 1:
      case 2:
        return this.#operate(gateway);
      case 3:
        await this.#change(gateway, held, key, '', { method: 'DELETE' });
        return;
      case 4:
      case 5:
        return this.#list(gateway, held);
      case 6:
        return this.#beginUpload(gateway, held, key);
      case 7:
        return this.#completeUpload(gateway, held);
      case 8:
        return this.#removeWhatIsNotEmpty(gateway, held);
      case 9:
      case 10:
      case 11:
        return this.#read(gateway, held, oneOf(this.#random, [...keys, keptKey]));
      default:
        return this.#put(gateway, held, key);
    }
  }

  /** All that can be brought back is, and is as it was left. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    this.#mourn();
    await this.#underWay?.done;
    for (const bucket of this.#buckets) await this.#bringBack(gateway, bucket);
    for (const held of this.#held.values()) {
      if (held.bucket.place !== 'named') continue;
      for (const key of [...keys, keptKey]) await this.#read(gateway, held, key, 'must answer');
      await this.#list(gateway, held, 'must answer');
    }
  }

  /** Some by their operator, with everything in them, the others as clients do. */
  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { name, bucket } of this.#held.values()) {
      const head = await this.asker.ask(gateway, { method: 'HEAD', path: `/${name}` });
      if (head?.status === 404) continue;
      if (bucket.place === 'named' && this.#random.below(2) === 0)
        await this.#throwAway(gateway, bucket, 'none');
      else await new S3Bucket(name, this.asker, this.problems).remove(gateway);
    }
  }

  checkHistories(): string[] {
    return this.histories.check('key of a bucket in and out of the trash');
  }

  #newName(): string {
    return `thrown-${this.#names++}`;
  }

  /** From now on the name means this bucket, also to requests that are under way. */
  #hold(name: string, bucket: Thrown): void {
    if (this.#held.get(name)?.bucket === bucket) return;
    if (this.#held.get(bucket.name)?.bucket === bucket) this.#held.delete(bucket.name);
    bucket.name = name;
    bucket.names.add(name);
    this.#held.set(name, { name, bucket });
    for (const pending of this.#pending)
      if (pending.name === name && !pending.operations.has(bucket))
        pending.operations.set(
          bucket,
          this.histories.begin(this.#history(bucket, pending.key), pending.call),
        );
  }

  #history(bucket: Thrown, key: string): string {
    return `${bucket.number}:${key}`;
  }

  async #make(gateway: SimulatedGateway, name: string): Promise<void> {
    const calledAt = this.#now();
    const absence = { from: always, certainFrom: always, certainUntil: calledAt, until: never };
    const bucket: Thrown = {
      number: this.#buckets.length,
      name,
      names: new Set([name]),
      bucketId: undefined,
      place: 'unknown',
      absences: [absence],
      mayBeEmptied: false,
      isKept: false,
      uploads: [],
    };
    this.#buckets.push(bucket);
    this.#hold(name, bucket);
    const answer = await this.asker.ask(gateway, { method: 'PUT', path: `/${name}` });
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status !== 200) {
      this.problems.push(`${name} could not be made: ${wordsOf(answer)}`);
      return;
    }
    absence.until = this.#now();
    bucket.place = 'named';
    await this.#put(gateway, this.#held.get(name) as Held, keptKey);
  }

  // ——— the operator ———

  /** With the gateway that it worked through it is gone, and what it was at may be done or not. */
  #mourn(): void {
    const underWay = this.#underWay;
    if (underWay === undefined || underWay.gateway.process.isAlive) return;
    this.#underWay = undefined;
    underWay.bucket.place = 'unknown';
  }

  async #operate(gateway: SimulatedGateway): Promise<void> {
    if (this.#underWay !== undefined) return;
    const known = this.#buckets.filter(({ place }) => place !== 'unknown');
    if (known.length === 0) {
      if (this.#buckets.length < bucketsMax) await this.#make(gateway, this.#newName());
      return;
    }
    const bucket = oneOf(this.#random, known);
    const keep = oneOf(this.#random, ['day', 'day', 'day', 'seconds', 'none'] as const);
    if (bucket.place === 'named')
      return this.#begin(gateway, bucket, () => this.#throwAway(gateway, bucket, keep));
    const draw = this.#random.below(4);
    if (draw === 0 || bucket.place === 'gone') return this.#makeAnother(gateway, bucket.name);
    const as = draw === 1 ? this.#newName() : undefined;
    return this.#begin(gateway, bucket, () => this.#restore(gateway, bucket, as));
  }

  /** Nobody waits for it: who is killed never answers. */
  #begin(gateway: SimulatedGateway, bucket: Thrown, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => {
        this.problems.push(`the operator of ${bucket.name}: ${String(error)}`);
      })
      .then(() => {
        if (this.#underWay?.done === done) this.#underWay = undefined;
      });
    this.#underWay = { gateway, bucket, done };
  }

  /** Under the name of one that waits in the trash, unless that may have, or get, a bucket. */
  async #makeAnother(gateway: SimulatedGateway, name: string): Promise<void> {
    const place = this.#held.get(name)?.bucket.place;
    if (place !== 'in-trash' && place !== 'gone') return;
    if (this.#removing.has(name) || this.#buckets.length >= bucketsMax) return;
    await this.#make(gateway, name);
  }

  async #throwAway(gateway: SimulatedGateway, bucket: Thrown, keep: Keep): Promise<void> {
    const { absences } = bucket;
    const before = absences.length;
    const control = new WatchedControl(gateway, (bucketId) => {
      if (bucket.bucketId !== undefined && bucket.bucketId !== bucketId)
        this.problems.push(`${bucket.name} is ${bucketId} and was ${bucket.bucketId}`);
      bucket.bucketId = bucketId;
      bucket.mayBeEmptied = keep !== 'day';
      absences.push({
        from: this.#now(),
        certainFrom: never,
        certainUntil: never,
        until: never,
      });
    });
    let fields: Readonly<Record<string, unknown>> = { all: true };
    for (let attempt = 0; attempt < acceptancesMax; attempt++)
      try {
        await postBuckets(control, [bucket.name, 'remove'], fields, trashHours[keep]);
        (absences.at(-1) as Absence).certainFrom = this.#now();
        bucket.place = 'in-trash';
        return;
      } catch (error) {
        const acceptLoss = tokenIn(error);
        fields = { all: true, acceptLoss };
        if (acceptLoss !== undefined) continue;
        return this.#noteFailed(bucket, error, absences.length > before);
      }
  }

  /** `as`: undefined under its own name, which may be taken by now. */
  async #restore(gateway: SimulatedGateway, bucket: Thrown, as: string | undefined): Promise<void> {
    const absence = bucket.absences.at(-1);
    const name = as ?? bucket.name;
    const holder = this.#held.get(name)?.bucket;
    if (absence === undefined || holder?.place === 'unknown' || this.#removing.has(name)) return;
    const mustBeTaken = holder !== bucket && holder?.place === 'named';
    const isOnlyOne = this.#buckets.every(
      (each) => each === bucket || !each.names.has(bucket.name),
    );
    const called = isOnlyOne && this.#random.below(2) === 0 ? bucket.name : `~${bucket.bucketId}`;
    if (!mustBeTaken) {
      this.#hold(name, bucket);
      absence.certainUntil = this.#now();
    }
    try {
      const control = controlOf(gateway);
      await postBuckets(control, [called, 'restore'], as === undefined ? {} : { as }, 0);
      if (mustBeTaken) this.problems.push(`${called} was restored, and ${name} is another bucket`);
      absence.until = this.#now();
      bucket.place = 'named';
    } catch (error) {
      if (mustBeTaken && error instanceof AdminError && error.code === 'refused') return;
      if (!(error instanceof AdminError && error.code === 'not-found'))
        return this.#noteFailed(bucket, error, true);
      if (!bucket.mayBeEmptied) this.problems.push(`${called} is lost: ${error.message}`);
      absence.certainUntil = never;
      bucket.place = 'gone';
    }
  }

  /** `isCalled`: it may have been done all the same. */
  #noteFailed(bucket: Thrown, error: unknown, isCalled: boolean): void {
    if (isCalled) bucket.place = 'unknown';
    if (error instanceof ClientError || error instanceof DecodeError) return;
    this.problems.push(`the operator of ${bucket.name}, ${bucket.place}: ${String(error)}`);
  }

  /** Looks where it is, and has it restored; nobody does anything else by now. */
  async #bringBack(gateway: SimulatedGateway, bucket: Thrown): Promise<void> {
    const { bucketId } = bucket;
    if (bucketId === undefined || bucket.place === 'named' || bucket.place === 'gone') return;
    const calledAt = this.#now();
    const name = await this.#insist(gateway, async (control) => {
      const isIn = (await control.trash()).some((each) => each.bucketId === bucketId);
      if (isIn) {
        const restored = await control.restore(`~${bucketId}`, `back-${bucket.number}`);
        return restored.kind === 'restored' ? restored.name : undefined;
      }
      const names = new Set([`back-${bucket.number}`, ...this.#buckets.map((each) => each.name)]);
      for (const each of names) if ((await control.stats(each))?.bucketId === bucketId) return each;
      return undefined;
    });
    if (name === undefined) {
      if (!bucket.mayBeEmptied) this.problems.push(`bucket ${bucketId}, ${bucket.name}, is lost`);
      bucket.place = 'gone';
      return;
    }
    for (const absence of bucket.absences) {
      absence.certainUntil = Math.min(absence.certainUntil, calledAt);
      absence.until = Math.min(absence.until, this.#now());
    }
    bucket.place = 'named';
    this.#hold(name, bucket);
  }

  async #insist<T>(
    gateway: SimulatedGateway,
    work: (control: BucketIndexControl) => Promise<T>,
  ): Promise<T | undefined> {
    const control = controlOf(gateway);
    for (let attempt = 1; ; attempt++)
      try {
        return await work(control);
      } catch (error) {
        if (error instanceof ClientError && attempt < attemptsMax) continue;
        this.problems.push(`the operator at the end: ${String(error)}`);
        return undefined;
      }
  }

  // ——— clients ———

  #asked(gateway: SimulatedGateway, held: Held): Asked {
    return { held, gateway: gateway.name, calledAt: this.#now() };
  }

  #isStill({ held }: Asked): boolean {
    return this.#held.get(held.name) === held;
  }

  /** What the answer is that of; undefined: there is none, or it may be of another bucket of the name. */
  #judge(asked: Asked, answer: WholeResponse | undefined): 'there' | 'away' | undefined {
    if (answer === undefined || isFailed(answer) || !this.#isStill(asked)) return undefined;
    const met = isNoBucket(answer) ? 'away' : 'there';
    const { bucket, name } = asked.held;
    const { calledAt, gateway } = asked;
    const possible = mayMeet(bucket.absences, { calledAt, answeredAt: this.#now() });
    if (!possible[met])
      this.problems.push(
        `${name}, bucket ${bucket.number}, asked of ${gateway} at ${calledAt.toFixed(1)} ms, is ${met}: ${JSON.stringify(bucket.absences)}`,
      );
    return met;
  }

  /** Bytes that come to a key, or with no `etag` go; `isDone` beyond what the status says. */
  async #change(
    gateway: SimulatedGateway,
    held: Held,
    key: string,
    etag: string,
    request: Omit<S3Call, 'path'>,
    isDone: (answer: WholeResponse) => boolean = () => true,
  ): Promise<WholeResponse | undefined> {
    const { name, bucket } = held;
    const asked = this.#asked(gateway, held);
    const call: Pending['call'] = { kind: 'put', etag };
    const operation = this.histories.begin(this.#history(bucket, key), call);
    const pending: Pending = { name, key, call, operations: new Map([[bucket, operation]]) };
    this.#pending.add(pending);
    const answer = await this.asker.ask(gateway, { ...request, path: `/${name}/${key}` });
    if (answer === undefined || isFailed(answer)) return undefined;
    const met = this.#judge(asked, answer);
    const isRefused = isNoBucket(answer);
    if (!isRefused && (answer.status >= 300 || !isDone(answer))) return answer;
    // Where the name means another bucket by now, whichever it was made in.
    if (!isRefused && met === undefined) return undefined;
    if (isRefused) call.etag = undefined;
    for (const each of pending.operations.values()) this.histories.end(each);
    this.#pending.delete(pending);
    return answer;
  }

  async #put(gateway: SimulatedGateway, held: Held, key: string): Promise<void> {
    const { body, etag } = this.#values.makeUnique();
    const answer = await this.#change(gateway, held, key, etag, { method: 'PUT', body });
    if (answer?.status === 200) held.bucket.isKept ||= key === keptKey;
    else if (answer !== undefined && !isNoBucket(answer))
      this.problems.push(`PUT ${held.name}/${key}: ${wordsOf(answer)}`);
  }

  async #read(gateway: SimulatedGateway, held: Held, key: string, mode = 'may fail') {
    const asked = this.#asked(gateway, held);
    const { name, bucket } = held;
    const answer = await this.asker.ask(gateway, { method: 'GET', path: `/${name}/${key}` });
    const met = this.#judge(asked, answer);
    if (mode === 'must answer' && met !== 'there')
      this.problems.push(`GET ${name}/${key} at the end: ${wordsOf(answer)}`);
    if (answer?.status !== 200 && answer?.status !== 404) return;
    const etag = answer.status === 200 ? etagOf(answer) : '';
    const fault = etag === '' ? undefined : this.#values.faultOf(etag, answer.body, 0);
    if (fault !== undefined) this.problems.push(`${name}/${key}: ${fault}`);
    if (met !== 'there') return;
    this.histories.noteRead(this.#history(bucket, key), { kind: 'read', etag }, asked.calledAt);
  }

  async #list(gateway: SimulatedGateway, held: Held, mode = 'may fail'): Promise<void> {
    const asked = this.#asked(gateway, held);
    const { name, bucket } = held;
    const query = { 'list-type': '2' };
    const answer = await this.asker.ask(gateway, { method: 'GET', path: `/${name}`, query });
    const met = this.#judge(asked, answer);
    if (mode === 'must answer' && met !== 'there')
      this.problems.push(`LIST ${name} at the end: ${wordsOf(answer)}`);
    if (answer === undefined || met !== 'there') return;
    const entries = /<Key>([^<]*)<\/Key>[\s\S]*?<ETag>(?:&quot;|"|&#34;)([^&"]*)/g;
    const found = new Map<string, string>();
    for (const [, key = '', etag = ''] of decodeUtf8(answer.body).matchAll(entries))
      found.set(key, etag);
    for (const key of [...keys, keptKey]) {
      const read: KeyCall = { kind: 'read', etag: found.get(key) ?? '' };
      this.histories.noteRead(this.#history(bucket, key), read, asked.calledAt);
      found.delete(key);
    }
    for (const key of found.keys()) this.problems.push(`LIST ${name} has ${key}`);
  }

  /** One part; completed another time, perhaps after the bucket was away. */
  async #beginUpload(gateway: SimulatedGateway, held: Held, key: string): Promise<void> {
    const { name, bucket } = held;
    if (bucket.uploads.length >= uploadsMax) return;
    const path = `/${name}/${key}`;
    const asked = this.#asked(gateway, held);
    const begun = await this.asker.ask(gateway, { method: 'POST', path, query: { uploads: '' } });
    if (this.#judge(asked, begun) !== 'there' || begun?.status !== 200) return;
    const id = elementOf(begun, 'UploadId') ?? '';
    const { body, etag } = this.#values.makeUnique();
    const query = { uploadId: id, partNumber: '1' };
    const again = this.#asked(gateway, held);
    const part = await this.asker.ask(gateway, { method: 'PUT', path, query, body });
    if (this.#judge(again, part) !== 'there') return;
    if (part?.status === 200) bucket.uploads = [...bucket.uploads, { key, id, etag }];
    else this.problems.push(`a part of ${name}/${key}: ${wordsOf(part)}`);
  }

  async #completeUpload(gateway: SimulatedGateway, held: Held): Promise<void> {
    const { name, bucket } = held;
    const [upload, ...others] = bucket.uploads;
    if (upload === undefined) return;
    bucket.uploads = others;
    const { key, id, etag } = upload;
    const whole = `${md5Hex(parseHex(etag) ?? emptyBytes)}-1`;
    const value = this.#values.get(etag);
    if (value !== undefined) this.#values.know(whole, value);
    const list = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
    const body = encodeUtf8(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
    const request = { method: 'POST', query: { uploadId: id }, body };
    const answer = await this.#change(gateway, held, key, whole, request, isCompleted);
    if (answer === undefined || isCompleted(answer)) return;
    if (isNoBucket(answer)) bucket.uploads = [upload, ...bucket.uploads];
    else if (elementOf(answer, 'Code') === 'NoSuchUpload' && this.#held.get(name) === held)
      this.problems.push(`the upload ${id} of ${name}/${key} is lost`);
  }

  async #removeWhatIsNotEmpty(gateway: SimulatedGateway, held: Held): Promise<void> {
    const { name, bucket } = held;
    if (!bucket.isKept || this.#removing.has(name)) return;
    this.#removing.add(name);
    const asked = this.#asked(gateway, held);
    const answer = await this.asker.ask(gateway, { method: 'DELETE', path: `/${name}` });
    this.#removing.delete(name);
    this.#judge(asked, answer);
    if (answer?.status === 204)
      this.problems.push(`${name} was removed by a client, and is not empty`);
  }
}

function controlOf(gateway: SimulatedGateway): BucketIndexControl {
  return new BucketIndexControl(gateway.client, gateway.process.env.clock);
}

/** Of a slow completion, too, which has said 200 by then. */
function isNoBucket(answer: WholeResponse): boolean {
  return (
    (answer.status === 404 || answer.status === 200) && elementOf(answer, 'Code') === 'NoSuchBucket'
  );
}

/** It says nothing of what was done. A slow completion has said 200 by then, and says it in its body. */
export function isFailed(answer: WholeResponse): boolean {
  if (answer.status >= 500) return true;
  return answer.status === 200 && failures.has(elementOf(answer, 'Code') ?? '');
}

/** A completion may say in its body that it failed. */
function isCompleted(answer: WholeResponse): boolean {
  return answer.status === 200 && decodeUtf8(answer.body).includes('CompleteMultipartUploadResult');
}

/** As the operator reads it in the refusal. */
function tokenIn(error: unknown): string | undefined {
  if (!(error instanceof AdminError) || error.code !== 'unsafe') return undefined;
  return /To lose exactly this: --accept-loss (\S+)/.exec(error.message)?.[1];
}
