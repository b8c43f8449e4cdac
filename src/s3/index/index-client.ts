// The gateway's side of the index: which object a key's rows are on, and the calls to it.
//
// Buckets are remembered without a time limit. That is safe because ids are never reused and every
// shard method refuses when its shard is not open: a remembered bucket that is gone is noticed by the first call,
// looked up again, and the call repeated once on what the name means now.

import { assert } from '../../base/assert.ts';
import { compareBytes, emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import { decode } from '../../base/codec.ts';
import type { Cluster } from '../../client/cluster.ts';
import { S3Error } from '../protocol/errors.ts';
import { type BucketRecord, bucketFormat } from './format.ts';
import type { Call, Refusal } from './messages.ts';
import * as messages from './messages.ts';

export const indexPool = '.index';
export const bucketsObject = 'buckets';

/** Buckets remembered, about 200 bytes each; the one used longest ago makes room. */
const bucketsMax = 10_000;

/** A bucket as one request means it. */
export interface BucketAccess {
  readonly name: string;
  /** Only the owner gets through. */
  readonly userName: string;
  readonly record: BucketRecord;
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
  }
}

export class IndexClient {
  readonly #cluster: Cluster;
  readonly #buckets = new Map<string, BucketRecord>();

  constructor(cluster: Cluster) {
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
  async lookUp(name: string): Promise<BucketRecord> {
    const { record } = await this.callObject(bucketsObject, messages.getBucket, { name });
    if (record === undefined) {
      this.#buckets.delete(name);
      throw refusalError('no-bucket', name);
    }
    const bucket = bucketFormat.decode(record);
    this.#remember(name, bucket);
    return bucket;
  }

  #remember(name: string, record: BucketRecord): void {
    this.#buckets.delete(name);
    this.#buckets.set(name, record);
    if (this.#buckets.size <= bucketsMax) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  forget(name: string): void {
    this.#buckets.delete(name);
  }

  /** Throws `NoSuchBucket`, `AccessDenied`. */
  async access(
    name: string,
    userName: string,
    freshness: 'remembered' | 'looked-up' = 'remembered',
  ): Promise<BucketAccess> {
    const remembered = freshness === 'remembered' ? this.#buckets.get(name) : undefined;
    const record = remembered ?? (await this.lookUp(name));
    // A remembered bucket of another owner may be gone, and the name ours by now.
    if (record.owner !== userName) {
      if (remembered !== undefined) return this.access(name, userName, 'looked-up');
      throw new S3Error('AccessDenied');
    }
    return { name, userName, record };
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
    const { record } = await this.access(bucket.name, bucket.userName, 'looked-up');
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
