// What an operator asks of buckets and has done to them, all in one place: whoever answers operators (the admin API) and
// whoever plays one (the simulator) go the same way.

import { decode } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import type { LayoutRef } from '../client/cluster.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import type { Clock } from '../env/clock.ts';
import { BucketInspector } from './bucket-inspector.ts';
import { listTrash, putIntoTrash, takeFromTrash } from './bucket-trash.ts';
import { indexPool } from './index/index-client.ts';
import { encodeMessage } from './index/messages.ts';
import type { IndexObjects } from './index/shard-split.ts';
import { nameLosses } from './named-losses.ts';
import { reopenLostShards } from './reopen-shards.ts';

/** The objects of the index as any client of the cluster reaches them. Calls throw `ClientError` and `DecodeError`. */
export function indexObjectsOf(client: ClusterClient): IndexObjects {
  return {
    callObject: async (object, call, argument) => {
      const encoded = encodeMessage(call.argument, argument);
      return decode(call.result, await client.call(indexPool, object, call.name, encoded));
    },
  };
}

/** Each call is a bounded piece of work; a restore under another name takes two seconds. All throw `ClientError` and `DecodeError`. */
export class BucketIndexControl {
  readonly #client: ClusterClient;
  readonly #index: IndexObjects;
  readonly #inspector: BucketInspector;
  readonly #clock: Clock;

  constructor(client: ClusterClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#index = indexObjectsOf(client);
    this.#inspector = new BucketInspector(this.#index);
  }

  list(after: string) {
    return this.#inspector.list(after);
  }

  stats(name: string) {
    return this.#inspector.stats(name);
  }

  check(object: string, after: string) {
    return this.#inspector.check(object, after);
  }

  reshard(name: string, entriesMin: number) {
    return this.#inspector.reshard(name, entriesMin);
  }

  remove(bucket: { readonly name: string; readonly bucketId: string }, keepMs: number) {
    return putIntoTrash(this.#index, bucket, keepMs);
  }

  restore(name: string, as: string | undefined) {
    return takeFromTrash({ index: this.#index, clock: this.#clock }, name, as);
  }

  trash() {
    return listTrash(this.#index);
  }

  reopen(name: string) {
    return reopenLostShards(this.#index, name);
  }

  nameLosses(pgs: ReadonlySet<string>, after: string) {
    const client = this.#client;
    const places = {
      pgOfBlob: (layout: LayoutRef, blob: BlobId) => client.pgOfBlob(layout, blob),
      pgOfIndexObject: (object: string) => client.pgOfObject(indexPool, object),
    };
    return nameLosses({ index: this.#index, cluster: client, places }, pgs, after);
  }
}
