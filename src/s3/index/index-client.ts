// The gateway's side of the index: which object a key's rows are on, and the calls to it.
//
// Buckets are remembered for at most `rememberedMsMax`: so soon every gateway acts on a changed configuration, and
// the one that made the change at once, with those behind the same address (`siblings.ts`). A bucket in use is looked
// up again in the background before that, so that its requests do not wait. A remembered bucket may be gone meanwhile:
// ids are never reused and every shard method refuses when its shard is not open, so that the first call notices, looks
// the bucket up again, and is repeated once on what the name means now. So it is when a shard does not answer for a key
// any more: the table of shards that a gateway remembers decides where it asks first, never where a key is.

import { afterPrefix, compareBytes, emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import { DecodeError, decode } from '../../base/codec.ts';
import type { Version } from '../../base/method.ts';
import type { Cluster } from '../../client/cluster.ts';
import { ClientError } from '../../client/errors.ts';
import { type Clock, type Instant, sleep } from '../../env/clock.ts';
import type { Tasks } from '../../env/tasks.ts';
import { S3Error } from '../protocol/errors.ts';
import { noSiblings, type TellSiblings } from '../siblings.ts';
import { BucketConfiguration, type DocumentName } from './bucket-documents.ts';
import type { QueuedRow } from './event-format.ts';
import {
  type BucketRecord,
  bucketFormat,
  configurationFormat,
  type ShardState,
  shardObject,
  shardsOf,
} from './format.ts';
import type { Call, Refusal } from './messages.ts';
import * as messages from './messages.ts';
import { isTrashedName } from './rows.ts';
import { bucketsObject, describeShard, finishChunk, type IndexObjects } from './shard-split.ts';
import type { VersionId } from './version-id.ts';

export { bucketsObject } from './shard-split.ts';

export const indexPool = '.index';

/** Buckets remembered, about 200 bytes each; the one looked up longest ago makes room. */
const bucketsMax = 10_000;

/** Documents of all of them; what parsers make of them is a small multiple. */
const configurationsBytesMax = 8 * 1024 * 1024;

/** How long a gateway may act on what a bucket's configuration was, in milliseconds. */
export const rememberedMsMax = 2000;

/** Older than this it is looked up again beside the request that uses it. */
const renewAfterMs = 1000;

/**
 * A key on its way to another shard is there after a few calls; whoever waits for longer lends a hand, since the
 * gateway that was at it may be dead. All in all a request waits for about ten seconds.
 */
const attemptsMax = 60;
const attemptPauseMs = 20;
const attemptPauseMsMax = 200;
const attemptsPerHelp = 5;
/** A removal of several shards takes a few calls each: after about four seconds it is taken for dead. */
const attemptsForRemoval = 25;

/** What a name means, as of one look. */
export interface KnownBucket {
  readonly record: BucketRecord;
  readonly configuration: BucketConfiguration;
}

interface Remembered extends KnownBucket {
  /** When the look began that saw this. */
  readonly seenAt: Instant;
}

/**
 * How a request was let in: for what the object's own ACL decides, `by-object` says that nothing else did.
 */
export type Judgement = 'granted' | 'by-object';

export interface Judge {
  /** As policies name it. */
  readonly action: string;
  /** Whether the request may do what it asks for. Throws `AccessDenied`. */
  judge(name: string, bucket: KnownBucket): Promise<Judgement>;
}

/** A bucket as one request means it. */
export interface BucketAccess extends KnownBucket {
  readonly name: string;
  /** Asked again when the name means another bucket by now. */
  readonly judge: Judge;
  readonly judgement: Judgement;
}

type Answer = {
  readonly kind: string;
  readonly reason?: Refusal;
  readonly writer?: number | undefined;
};

/** What is left of an answer once `no-bucket` was dealt with. */
export function refusalError(reason: Refusal, bucket: string, key?: string): S3Error {
  switch (reason) {
    case 'no-bucket':
      return new S3Error('NoSuchBucket', undefined, { detail: { BucketName: bucket } });
    case 'no-key':
      return new S3Error('NoSuchKey', undefined, key === undefined ? {} : { detail: { Key: key } });
    case 'precondition':
      return new S3Error('PreconditionFailed');
    case 'cancelled':
      return new S3Error(
        'ServiceUnavailable',
        'This gateway was taken for dead while it stored the object. Nothing was changed; please try again.',
      );
    case 'no-upload':
      return new S3Error('NoSuchUpload');
    case 'parts-changed':
      return new S3Error('InvalidPart');
    case 'delete-marker':
      return new S3Error('MethodNotAllowed');
    case 'locked':
      return new S3Error('AccessDenied', 'Access Denied because object protected by object lock.');
    case 'no-version':
      return new S3Error(
        'NoSuchVersion',
        undefined,
        key === undefined ? {} : { detail: { Key: key } },
      );
    case 'changed':
      return new S3Error('OperationAborted');
    case 'moved':
    case 'moving':
      return new S3Error(
        'ServiceUnavailable',
        'The key is on its way to another shard of the index. Nothing was changed; please try again.',
      );
    case 'queue-full':
      return new S3Error(
        'SlowDown',
        "Too many events wait for the bucket's topics. Nothing was changed; please try again.",
      );
  }
}

export class IndexClient implements IndexObjects {
  readonly #cluster: Cluster;
  readonly #env: { readonly clock: Clock; readonly tasks: Tasks };
  readonly #buckets = new Map<string, Remembered>();
  readonly #renewing = new Set<string>();
  /** Told of events that a call has just queued, with the shard that they are in. */
  onQueued: (object: string, rows: readonly QueuedRow[]) => void = () => {};
  #configurationsBytes = 0;
  /** Changes made here: a look that began before one is not remembered. */
  #changes = 0;
  readonly #tellSiblings: TellSiblings;

  constructor(
    env: { readonly clock: Clock; readonly tasks: Tasks },
    cluster: Cluster,
    tellSiblings: TellSiblings = noSiblings,
  ) {
    this.#env = env;
    this.#cluster = cluster;
    this.#tellSiblings = tellSiblings;
  }

  async callObject<A, R>(object: string, call: Call<A, R>, argument: A): Promise<R> {
    const result = await this.#cluster.call(
      indexPool,
      object,
      call.name,
      messages.encodeMessage(call.argument, argument),
    );
    const answer = decode(call.result, result);
    const queued = call.queued?.(answer) ?? [];
    if (queued.length > 0) this.onQueued(object, queued);
    return answer;
  }

  /** From the registry itself. Throws `NoSuchBucket`. */
  async lookUp(name: string): Promise<KnownBucket> {
    if (isTrashedName(name)) throw refusalError('no-bucket', name);
    const seenAt = this.#env.clock.now();
    const changes = this.#changes;
    const found = await this.callObject(bucketsObject, messages.getBucket, { name });
    if (found.record === undefined) {
      this.#drop(name);
      throw refusalError('no-bucket', name);
    }
    const configuration = decodeConfiguration(found.configuration);
    const bucket = { record: bucketFormat.decode(found.record), configuration, seenAt };
    const newer = (this.#buckets.get(name)?.seenAt ?? seenAt) > seenAt;
    if (changes === this.#changes && !newer) this.#remember(name, bucket);
    return bucket;
  }

  #remember(name: string, bucket: Remembered): void {
    this.#drop(name);
    this.#buckets.set(name, bucket);
    this.#configurationsBytes += bucket.configuration.sizeBytes;
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= bucketsMax && this.#configurationsBytes <= configurationsBytesMax)
        return;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    this.#configurationsBytes -= bucket.configuration.sizeBytes;
    this.#buckets.delete(name);
  }

  /** What is remembered of the bucket is not so any more, and no look that has begun is either. */
  drop(name: string): void {
    this.#changes++;
    this.#drop(name);
  }

  /** To be called after each change of a bucket made here, before it is answered. */
  forget(name: string): Promise<void> {
    this.drop(name);
    return this.#tellSiblings({ kind: 'bucket', name });
  }

  /** What the name means, whoever asks. Throws `NoSuchBucket`. */
  async find(name: string): Promise<KnownBucket> {
    return this.#recall(name) ?? (await this.lookUp(name));
  }

  /** What is known of the bucket without asking anybody, not older than `rememberedMsMax`. */
  remembered(name: string): KnownBucket | undefined {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return undefined;
    return this.#env.clock.now() - bucket.seenAt > rememberedMsMax ? undefined : bucket;
  }

  /** Not older than `rememberedMsMax`. */
  #recall(name: string): KnownBucket | undefined {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return undefined;
    const ageMs = this.#env.clock.now() - bucket.seenAt;
    if (ageMs > rememberedMsMax) return undefined;
    if (ageMs > renewAfterMs) this.#renew(name);
    return bucket;
  }

  #renew(name: string): void {
    if (this.#renewing.has(name)) return;
    this.#renewing.add(name);
    this.#env.tasks.spawn('renew-bucket', async () => {
      try {
        await this.lookUp(name);
      } catch (error) {
        // The next request that needs it looks again, and tells its client.
        if (
          !(
            error instanceof ClientError ||
            error instanceof S3Error ||
            error instanceof DecodeError
          )
        )
          throw error;
      } finally {
        this.#renewing.delete(name);
      }
    });
  }

  /**
   * Replaces a document of the bucket, or takes it away; done when it is durable. With `expected`, only if
   * those documents are what this access saw: otherwise `OperationAborted`, and the client may try again.
   */
  async putDocument(
    bucket: BucketAccess,
    document: DocumentName,
    body: Uint8Array | undefined,
    expected: readonly DocumentName[] = [],
  ): Promise<void> {
    const { outcome } = await this.callObject(bucketsObject, messages.putBucketDocument, {
      name: bucket.name,
      bucketId: bucket.record.bucketId,
      document,
      body,
      expected: expected.map((name) => ({
        document: name,
        body: bucket.configuration.get(name),
      })),
    }).finally(() => this.forget(bucket.name));
    switch (outcome) {
      case 'done':
        return;
      case 'no-bucket':
        throw refusalError('no-bucket', bucket.name);
      case 'changed':
        throw new S3Error('OperationAborted');
      case 'too-large':
        throw new S3Error('InvalidRequest', "The bucket's configuration would be too large");
    }
  }

  /** Throws `NoSuchBucket`, and what `judge` throws. */
  async access(
    name: string,
    judge: Judge,
    freshness: 'remembered' | 'looked-up' = 'remembered',
  ): Promise<BucketAccess> {
    const remembered = freshness === 'remembered' ? this.#recall(name) : undefined;
    const { record, configuration } = remembered ?? (await this.lookUp(name));
    const bucket = { record, configuration };
    try {
      return { name, ...bucket, judge, judgement: await judge.judge(name, bucket) };
    } catch (error) {
      // A remembered bucket that keeps us out may be gone, and the name ours by now.
      if (remembered === undefined || !(error instanceof S3Error)) throw error;
      return this.access(name, judge, 'looked-up');
    }
  }

  /** The entry of a key or version, whoever asks. */
  async peek(
    name: string,
    bucket: KnownBucket,
    key: string,
    versionId: VersionId | undefined,
  ): Promise<Uint8Array | undefined> {
    const bytes = encodeUtf8(key);
    const call = {
      key: bytes,
      versionId:
        versionId === undefined
          ? undefined
          : versionId === 'null'
            ? ({ kind: 'null' } as const)
            : ({ kind: 'version', ...versionId } as const),
    };
    let { record } = bucket;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const answer = await this.#callHolder(record, bytes, messages.getEntry, call);
      if (answer.kind === 'read') return answer.entry;
      if (answer.reason !== 'moved' && answer.reason !== 'moving') return undefined;
      await this.#waitForKey({ name, record }, bytes, attempt);
      record = (await this.lookUp(name)).record;
      if (record.bucketId !== bucket.record.bucketId) return undefined;
    }
    throw refusalError('moving', name);
  }

  /** Runs a shard method where the key's rows are. Never answers `no-bucket`: throws `NoSuchBucket`. */
  callKey<A, R extends Answer>(
    bucket: BucketAccess,
    key: string,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    return this.callRange(bucket, encodeUtf8(key), call, argument);
  }

  /**
   * As `callKey`. `spread`: the call is about several keys, the first of them `key`, which need not be in one shard: then
   * it may be answered `moved`.
   */
  async callRange<A, R extends Answer>(
    bucket: BucketAccess,
    key: Uint8Array,
    call: Call<A, R>,
    argument: A,
    keys: 'one' | 'spread' = 'one',
  ): Promise<R> {
    let { record } = bucket;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const answer = await this.#callHolder(record, key, call, argument);
      switch (answer.reason) {
        case 'no-bucket':
          if (record !== bucket.record && record.bucketId !== bucket.record.bucketId)
            throw refusalError('no-bucket', bucket.name);
          break;
        case 'moved':
          if (keys === 'spread' && attempt > 0) return answer;
          break;
        case 'moving':
          break;
        default:
          return answer;
      }
      if (answer.reason !== 'no-bucket')
        await this.#waitForKey({ name: bucket.name, record }, key, attempt);
      const now = await this.access(bucket.name, bucket.judge, 'looked-up');
      if (answer.reason === 'no-bucket' && now.record.bucketId === record.bucketId)
        for (const object of holdersOf(now.record, key))
          await this.#requireOpen({ name: bucket.name, bucketId: record.bucketId }, object);
      record = now.record;
    }
    throw refusalError('moving', bucket.name);
  }

  /**
   * Calls the shard that has the key's range, and if it does not answer for the key, the one that is being handed
   * that shard's upper keys.
   */
  async #callHolder<A, R extends Answer>(
    record: BucketRecord,
    key: Uint8Array,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    const [object = '', target] = holdersOf(record, key);
    const answer = await this.#callRenewing(object, call, argument);
    if (answer.reason !== 'moved' || target === undefined) return answer;
    return this.#callRenewing(target, call, argument);
  }

  /**
   * A shard of a bucket that is registered. One that is shut all the same was left so by somebody who did not get to the end
   * of removing the bucket, which is done here, or of taking it out of the trash: then it is opened. Throws `NoSuchBucket`.
   */
  async #requireOpen(
    bucket: { readonly name: string; readonly bucketId: string },
    object: string,
  ): Promise<void> {
    const { name, bucketId } = bucket;
    const state = (await describeShard(this, object))?.state;
    if (state === undefined) throw shardLost(name);
    if (state.state === 'sealed') await this.unregister(name, bucketId);
    if (await this.#isShutForEver(bucket, object, state)) throw refusalError('no-bucket', name);
  }

  async #waitForKey(
    { name, record }: { readonly name: string; readonly record: BucketRecord },
    key: Uint8Array,
    attempt: number,
  ): Promise<void> {
    // At first the table of shards may only have been old.
    if (attempt === 0) return;
    const pauseMs = Math.min(attempt * attemptPauseMs, attemptPauseMsMax);
    await sleep(this.#env.clock, pauseMs, 's3-wait-for-key');
    if (attempt % attemptsPerHelp !== 0) return;
    const { bucketId } = record;
    const source = objectOf(record, key);
    await finishChunk(this, { name, bucketId }, source);
    if (attempt < attemptsForRemoval) return;
    for (const object of shardsOf(record)) await this.#reopen({ name, bucketId }, object);
  }

  /** A removal that does not come to its end keeps nobody out for ever. The registry is told first: then it can't. */
  async #reopen(
    bucket: { readonly name: string; readonly bucketId: string },
    object: string,
  ): Promise<void> {
    const removal = (await describeShard(this, object))?.state.closing;
    if (removal === undefined) return;
    const { outcome } = await this.callObject(bucketsObject, messages.keepBucket, bucket);
    if (outcome === 'kept') await this.callObject(object, messages.reopenShard, { removal });
  }

  /** Removes a bucket that is empty, however many shards it has. Throws `BucketNotEmpty`. */
  async removeBucket({ name, record }: BucketAccess): Promise<void> {
    const { bucketId } = record;
    const [first] = record.ranges;
    if (isWhole(record) && first !== undefined) {
      const { outcome } = await this.callObject(first.object, messages.sealShard, {});
      if (outcome === 'not-empty') throw notEmpty(name);
      if (outcome === 'sealed') return this.unregister(name, bucketId);
    }
    await this.#removeShards({ name, bucketId });
  }

  /**
   * Of several shards none may be sealed before all are known to be empty. So each is closed first, which can be
   * undone; then one call gives up the name, unless the removal was called off since.
   */
  async #removeShards(bucket: { readonly name: string; readonly bucketId: string }): Promise<void> {
    const { name } = bucket;
    const { removal, record } = await this.callObject(bucketsObject, messages.markRemoving, bucket);
    if (removal === undefined || record === undefined) throw refusalError('no-bucket', name);
    const objects = shardsOf(bucketFormat.decode(record));
    for (const object of objects) {
      const outcome = await this.#close(bucket, object, removal);
      if (outcome === 'closed') continue;
      await this.callObject(bucketsObject, messages.keepBucket, bucket);
      for (const each of objects) await this.callObject(each, messages.reopenShard, { removal });
      throw outcome === 'not-empty' ? notEmpty(name) : refusalError('changed', name);
    }
    const call = { ...bucket, removal };
    const { outcome } = await this.callObject(bucketsObject, messages.removeMarked, call);
    await this.forget(name);
    if (outcome === 'removed') return;
    for (const each of objects) await this.callObject(each, messages.reopenShard, { removal });
    throw refusalError('changed', name);
  }

  async #close(
    bucket: { readonly name: string; readonly bucketId: string },
    object: string,
    removal: Version,
  ): Promise<'closed' | 'not-empty' | 'busy'> {
    for (let attempt = 0; attempt < attemptsPerHelp; attempt++) {
      const { outcome } = await this.callObject(object, messages.closeShard, { removal });
      if (outcome === 'closed' || outcome === 'not-empty') return outcome;
      if (outcome === 'busy') await finishChunk(this, bucket, object);
      else {
        const state = (await describeShard(this, object))?.state;
        if (await this.#isShutForEver(bucket, object, state)) return 'closed';
      }
    }
    return 'busy';
  }

  /**
   * Of a shard that is not there to be closed: false when it is in the trash or was until now, and so may hold anything.
   * Whoever took the bucket out of there may not have got to the end, and that is done here. Throws `NoSuchBucket` if
   * the name does not mean the bucket.
   */
  async #isShutForEver(
    { name, bucketId }: { readonly name: string; readonly bucketId: string },
    object: string,
    state: ShardState | undefined,
  ): Promise<boolean> {
    if (state === undefined || state.state === 'sealed') return true;
    if (state.state !== 'trashed' || state.closing === undefined) return false;
    // Looked up after the shard was seen in the trash: the bucket is out of there since.
    const { record } = await this.lookUp(name);
    if (record.bucketId !== bucketId) throw refusalError('no-bucket', name);
    await this.callObject(object, messages.untrashShard, { removal: state.closing });
    return false;
  }

  /** A refusal because this gateway was taken for dead is the last one of its kind. */
  async #callRenewing<A, R extends Answer>(
    object: string,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    const answer = await this.callObject(object, call, argument);
    if (answer.reason === 'cancelled' && answer.writer !== undefined)
      this.#cluster.renewWriter(answer.writer);
    return answer;
  }

  async unregister(name: string, bucketId: string): Promise<void> {
    await this.callObject(bucketsObject, messages.removeBucket, { name, bucketId });
    await this.forget(name);
  }
}

/** Throws `DecodeError`. */
export function decodeConfiguration(row: Uint8Array | undefined): BucketConfiguration {
  return row === undefined
    ? BucketConfiguration.none
    : new BucketConfiguration(configurationFormat.decode(row).documents);
}

/** The last range that begins at or before the key: there are hundreds of them in a large bucket. */
function rangeIndexOf({ ranges }: BucketRecord, key: Uint8Array): number {
  let found = 0;
  let end = ranges.length;
  while (found + 1 < end) {
    const middle = (found + end) >> 1;
    const range = ranges[middle];
    if (range !== undefined && compareBytes(range.beginKey, key) <= 0) found = middle;
    else end = middle;
  }
  return found;
}

function objectOf(record: BucketRecord, key: Uint8Array): string {
  return record.ranges[rangeIndexOf(record, key)]?.object ?? '';
}

/** The shard that has the key's range, and the one that is being handed upper keys of that. */
function holdersOf(record: BucketRecord, key: Uint8Array): readonly string[] {
  const object = objectOf(record, key);
  const target = record.splits.find(({ source }) => source === object)?.object;
  return target === undefined ? [object] : [object, target];
}

/** One shard is all of it, and no other is about to be. */
function isWhole(record: BucketRecord): boolean {
  return record.ranges.length === 1 && record.splits.length === 0;
}

/** A registered bucket whose index has no rows there: its placement group was lost and begun anew. */
function shardLost(name: string): S3Error {
  return new S3Error(
    'ObjectLost',
    `This part of the index of bucket ${name} was lost, with all keys in it. Its operator can open it again, empty: holdfast bucket reopen ${name}`,
    { detail: { BucketName: name } },
  );
}

function notEmpty(name: string): S3Error {
  return new S3Error('BucketNotEmpty', undefined, { detail: { BucketName: name } });
}

/** Where the range after the key's begins; undefined in the last one. */
export function nextRangeKey(record: BucketRecord, key: Uint8Array): Uint8Array | undefined {
  return record.ranges[rangeIndexOf(record, key) + 1]?.beginKey;
}

/**
 * Where a listing goes on that came to the end of a shard's keys; undefined: that was all. Shards that hold nothing but
 * what was listed as one group are passed over.
 */
export function nextListedKey(
  end: Uint8Array | undefined,
  prefix: Uint8Array,
  last: { readonly kind: string; readonly prefix?: Uint8Array } | undefined,
): Uint8Array | undefined {
  if (end === undefined) return undefined;
  const afterGroup = last?.prefix === undefined ? undefined : afterPrefix(last.prefix);
  const next = afterGroup !== undefined && compareBytes(afterGroup, end) > 0 ? afterGroup : end;
  const afterAll = prefix.length === 0 ? undefined : afterPrefix(prefix);
  return afterAll !== undefined && compareBytes(next, afterAll) >= 0 ? undefined : next;
}

/** The one range a new bucket has. */
export function firstRanges(bucketId: string): BucketRecord['ranges'] {
  return [{ beginKey: emptyBytes, object: shardObject(bucketId, 0) }];
}
