// The gateway's side of the index: which object a key's rows are on, and the calls to it.
//
// Buckets are remembered for at most `rememberedMsMax`: so soon every gateway acts on a changed configuration, and
// the one that made the change at once. A bucket in use is looked up again in the background before that, so
// that its requests do not wait. A remembered bucket may be gone meanwhile: ids are never reused and every shard
// method refuses when its shard is not open, so that the first call notices, looks the bucket up
// again, and is repeated once on what the name means now.

import { assert } from '../../base/assert.ts';
import { compareBytes, emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import { DecodeError, decode } from '../../base/codec.ts';
import type { Cluster } from '../../client/cluster.ts';
import { ClientError } from '../../client/errors.ts';
import type { Clock, Instant } from '../../env/clock.ts';
import type { Tasks } from '../../env/tasks.ts';
import { S3Error } from '../protocol/errors.ts';
import { BucketConfiguration, type DocumentName } from './bucket-documents.ts';
import { type BucketRecord, bucketFormat, configurationFormat } from './format.ts';
import type { Call, Refusal } from './messages.ts';
import * as messages from './messages.ts';
import type { VersionId } from './version-id.ts';

export const indexPool = '.index';
export const bucketsObject = 'buckets';

/** Buckets remembered, about 200 bytes each; the one looked up longest ago makes room. */
const bucketsMax = 10_000;

/** Documents of all of them; what parsers make of them is a small multiple. */
const configurationsBytesMax = 8 * 1024 * 1024;

/** How long a gateway may act on what a bucket's configuration was, in milliseconds. */
export const rememberedMsMax = 2000;

/** Older than this it is looked up again beside the request that uses it. */
const renewAfterMs = 1000;

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
  }
}

export class IndexClient {
  readonly #cluster: Cluster;
  readonly #env: { readonly clock: Clock; readonly tasks: Tasks };
  readonly #buckets = new Map<string, Remembered>();
  readonly #renewing = new Set<string>();
  #configurationsBytes = 0;
  /** Changes made here: a look that began before one is not remembered. */
  #changes = 0;

  constructor(env: { readonly clock: Clock; readonly tasks: Tasks }, cluster: Cluster) {
    this.#env = env;
    this.#cluster = cluster;
  }

  async callObject<A, R>(object: string, call: Call<A, R>, argument: A): Promise<R> {
    const result = await this.#cluster.call(
      indexPool,
      object,
      call.name,
      messages.encodeMessage(call.argument, argument),
    );
    return decode(call.result, result);
  }

  /** From the registry itself. Throws `NoSuchBucket`. */
  async lookUp(name: string): Promise<KnownBucket> {
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

  /** To be called after each change of a bucket made here. */
  forget(name: string): void {
    this.#changes++;
    this.#drop(name);
  }

  /** What the name means, whoever asks. Throws `NoSuchBucket`. */
  async find(name: string): Promise<KnownBucket> {
    return this.#recall(name) ?? (await this.lookUp(name));
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
    bucket: KnownBucket,
    key: string,
    versionId: VersionId | undefined,
  ): Promise<Uint8Array | undefined> {
    const bytes = encodeUtf8(key);
    const answer = await this.callObject(objectOf(bucket.record, bytes), messages.getEntry, {
      key: bytes,
      versionId:
        versionId === undefined
          ? undefined
          : versionId === 'null'
            ? { kind: 'null' }
            : { kind: 'version', ...versionId },
    });
    return answer.kind === 'read' ? answer.entry : undefined;
  }

  /** Runs a shard method where the key's rows are. Never answers `no-bucket`: throws `NoSuchBucket`. */
  async callKey<A, R extends Answer>(
    bucket: BucketAccess,
    key: string,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    return this.#callShard(bucket, (record) => objectOf(record, encodeUtf8(key)), call, argument);
  }

  /** As `callKey`, on the shard that begins at or before `key`. */
  async callRange<A, R extends Answer>(
    bucket: BucketAccess,
    key: Uint8Array,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    return this.#callShard(bucket, (record) => objectOf(record, key), call, argument);
  }

  async #callShard<A, R extends Answer>(
    bucket: BucketAccess,
    objectIn: (record: BucketRecord) => string,
    call: Call<A, R>,
    argument: A,
  ): Promise<R> {
    const answer = await this.#callRenewing(objectIn(bucket.record), call, argument);
    if (answer.reason !== 'no-bucket') return answer;
    const { record } = await this.access(bucket.name, bucket.judge, 'looked-up');
    if (record.bucketId === bucket.record.bucketId) {
      assert(record.ranges.length === 1, 'only a shard that is a whole bucket is ever sealed');
      // Sealed but still registered: whoever was removing it did not get to the end.
      await this.unregister(bucket.name, record.bucketId);
      throw refusalError('no-bucket', bucket.name);
    }
    const again = await this.#callRenewing(objectIn(record), call, argument);
    if (again.reason === 'no-bucket') throw refusalError('no-bucket', bucket.name);
    return again;
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
    this.forget(name);
  }
}

/** Throws `DecodeError`. */
export function decodeConfiguration(row: Uint8Array | undefined): BucketConfiguration {
  return row === undefined
    ? BucketConfiguration.none
    : new BucketConfiguration(configurationFormat.decode(row).documents);
}

function rangeIndexOf(record: BucketRecord, key: Uint8Array): number {
  let found = 0;
  for (const [i, range] of record.ranges.entries())
    if (compareBytes(range.beginKey, key) <= 0) found = i;
  return found;
}

function objectOf(record: BucketRecord, key: Uint8Array): string {
  return record.ranges[rangeIndexOf(record, key)]?.object ?? '';
}

/** Where the range after the key's begins; undefined in the last one. */
export function nextRangeKey(record: BucketRecord, key: Uint8Array): Uint8Array | undefined {
  return record.ranges[rangeIndexOf(record, key) + 1]?.beginKey;
}

/** The one range a new bucket has. */
export function firstRanges(bucketId: string): BucketRecord['ranges'] {
  return [{ beginKey: emptyBytes, object: `index/${bucketId}/0` }];
}
