// The keys that objects' keys are derived from: rows of the registry, made once and never changed, so that what a
// gateway knows of one stays true. NOTE: they lie on the disks of the index pool. They keep what is on the data
// pool's disks from whoever finds only those.

import type { Env } from '../env/env.ts';
import { bucketsObject, type IndexClient } from './index/index-client.ts';
import * as messages from './index/messages.ts';

const keyBytes = 32;

type Kind = 'SSE-S3' | 'SSE-KMS';

export class MasterKeys {
  readonly #env: Env;
  readonly #index: IndexClient;
  /** Keys of SSE-KMS that may be made when they are first named. */
  readonly #configured: ReadonlySet<string>;
  /** As many as there are names; an operator's list, so short. */
  readonly #known = new Map<string, Uint8Array>();

  constructor(env: Env, index: IndexClient, configured: readonly string[]) {
    this.#env = env;
    this.#index = index;
    this.#configured = new Set(configured);
  }

  async find(kind: Kind, id: string): Promise<Uint8Array | undefined> {
    return this.#look(kind, id, undefined);
  }

  async s3(id: string): Promise<Uint8Array> {
    const key = await this.#look('SSE-S3', id, this.#env.secrets.bytes(keyBytes));
    if (key === undefined) throw new RangeError('the registry keeps the key it was given');
    return key;
  }

  /** Undefined: no such key. */
  async named(id: string): Promise<Uint8Array | undefined> {
    const proposed = this.#configured.has(id) ? this.#env.secrets.bytes(keyBytes) : undefined;
    return this.#look('SSE-KMS', id, proposed);
  }

  async #look(
    kind: Kind,
    id: string,
    proposed: Uint8Array | undefined,
  ): Promise<Uint8Array | undefined> {
    const name = `${kind}/${id}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { key } = await this.#index.callObject(bucketsObject, messages.masterKey, {
      name,
      proposed,
    });
    if (key !== undefined) this.#known.set(name, key);
    return key;
  }
}
