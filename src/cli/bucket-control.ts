// Lets the admin API look at bucket indexes: a client of the cluster beside the monitor, started when it is first
// asked for something.

import type { BucketControl } from '../admin/control.ts';
import { AdminError } from '../admin/errors.ts';
import { formatHex } from '../base/bytes.ts';
import { DecodeError, decode } from '../base/codec.ts';
import type { BlobId, Uuid } from '../base/ids.ts';
import type { LayoutRef } from '../client/cluster.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { ClientError } from '../client/errors.ts';
import type { HostEnv } from '../host/host-env.ts';
import { daemonKey } from '../net/keys.ts';
import { BucketInspector } from '../s3/bucket-inspector.ts';
import { listTrash, putIntoTrash, takeFromTrash } from '../s3/bucket-trash.ts';
import { indexPool } from '../s3/index/index-client.ts';
import { encodeMessage } from '../s3/index/messages.ts';
import type { IndexObjects } from '../s3/index/shard-split.ts';
import { nameLosses } from '../s3/named-losses.ts';
import { reopenLostShards } from '../s3/reopen-shards.ts';
import type { MonLocation } from './daemon-options.ts';

export interface BucketControlOptions {
  readonly fsid: Uuid;
  readonly masterKey: Uint8Array;
  readonly mon: MonLocation;
}

export class LazyBucketControl implements BucketControl {
  readonly #env: HostEnv;
  readonly #options: BucketControlOptions;
  #client: ClusterClient | undefined;

  constructor(env: HostEnv, options: BucketControlOptions) {
    this.#env = env;
    this.#options = options;
  }

  list(after: string): ReturnType<BucketControl['list']> {
    return this.#ask((inspector) => inspector.list(after));
  }

  stats(name: string): ReturnType<BucketControl['stats']> {
    return this.#ask((inspector) => inspector.stats(name));
  }

  check(object: string, after: string): ReturnType<BucketControl['check']> {
    return this.#ask((inspector) => inspector.check(object, after));
  }

  reshard(name: string, entriesMin: number): ReturnType<BucketControl['reshard']> {
    return this.#ask((inspector) => inspector.reshard(name, entriesMin));
  }

  remove(
    bucket: { readonly name: string; readonly bucketId: string },
    keepMs: number,
  ): ReturnType<BucketControl['remove']> {
    return this.#askIndex((index) => putIntoTrash(index, bucket, keepMs));
  }

  restore(name: string, as: string | undefined): ReturnType<BucketControl['restore']> {
    return this.#askIndex((index) => takeFromTrash(index, name, as));
  }

  trash(): ReturnType<BucketControl['trash']> {
    return this.#askIndex((index) => listTrash(index));
  }

  reopen(name: string): ReturnType<BucketControl['reopen']> {
    return this.#askIndex((index) => reopenLostShards(index, name));
  }

  nameLosses(pgs: ReadonlySet<string>, after: string): ReturnType<BucketControl['nameLosses']> {
    return this.#askIndex((index, cluster) => {
      const places = {
        pgOfBlob: (layout: LayoutRef, blob: BlobId) => cluster.pgOfBlob(layout, blob),
        pgOfIndexObject: (object: string) => cluster.pgOfObject(indexPool, object),
      };
      return nameLosses({ index, cluster, places }, pgs, after);
    });
  }

  close(): void {
    this.#client?.close();
  }

  #ask<T>(work: (inspector: BucketInspector) => Promise<T>): Promise<T> {
    return this.#askIndex((index) => work(new BucketInspector(index)));
  }

  async #askIndex<T>(
    work: (index: IndexObjects, cluster: ClusterClient) => Promise<T>,
  ): Promise<T> {
    const client = this.#start();
    try {
      await client.ready();
      const index: IndexObjects = {
        callObject: async (object, call, argument) => {
          const encoded = encodeMessage(call.argument, argument);
          return decode(call.result, await client.call(indexPool, object, call.name, encoded));
        },
      };
      return await work(index, client);
    } catch (error) {
      if (error instanceof ClientError || error instanceof DecodeError)
        throw new AdminError('unavailable', error.message);
      throw error;
    }
  }

  #start(): ClusterClient {
    if (this.#client !== undefined) return this.#client;
    const { fsid, masterKey, mon } = this.#options;
    const uuid = formatHex(this.#env.secrets.bytes(16)) as Uuid;
    const identity = { fsid, role: 's3', uuid } as const;
    const key = daemonKey(masterKey, 's3', uuid);
    this.#client = ClusterClient.start(this.#env, { identity, key, mon });
    return this.#client;
  }
}
