// Lets the admin API look at bucket indexes: a client of the cluster beside the monitor, started when it is first
// asked for something.

import type { BucketControl } from '../admin/control.ts';
import { AdminError } from '../admin/errors.ts';
import { formatHex } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import type { Uuid } from '../base/ids.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { ClientError } from '../client/errors.ts';
import type { HostEnv } from '../host/host-env.ts';
import { daemonKey } from '../net/keys.ts';
import { BucketIndexControl } from '../s3/bucket-control.ts';
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
    return this.#ask((control) => control.list(after));
  }

  stats(name: string): ReturnType<BucketControl['stats']> {
    return this.#ask((control) => control.stats(name));
  }

  check(object: string, after: string): ReturnType<BucketControl['check']> {
    return this.#ask((control) => control.check(object, after));
  }

  reshard(name: string, entriesMin: number): ReturnType<BucketControl['reshard']> {
    return this.#ask((control) => control.reshard(name, entriesMin));
  }

  remove(
    bucket: { readonly name: string; readonly bucketId: string },
    keepMs: number,
  ): ReturnType<BucketControl['remove']> {
    return this.#ask((control) => control.remove(bucket, keepMs));
  }

  restore(name: string, as: string | undefined): ReturnType<BucketControl['restore']> {
    return this.#ask((control) => control.restore(name, as));
  }

  trash(): ReturnType<BucketControl['trash']> {
    return this.#ask((control) => control.trash());
  }

  reopen(name: string): ReturnType<BucketControl['reopen']> {
    return this.#ask((control) => control.reopen(name));
  }

  nameLosses(pgs: ReadonlySet<string>, after: string): ReturnType<BucketControl['nameLosses']> {
    return this.#ask((control) => control.nameLosses(pgs, after));
  }

  close(): void {
    this.#client?.close();
  }

  async #ask<T>(work: (control: BucketIndexControl) => Promise<T>): Promise<T> {
    const client = this.#start();
    try {
      await client.ready();
      return await work(new BucketIndexControl(client, this.#env.clock));
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
