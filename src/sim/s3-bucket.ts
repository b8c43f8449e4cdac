// A bucket of a simulated run: made at the start, emptied and removed at the end.

import { decodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import type { S3Call, Signer } from './s3-request.ts';
import type { S3Asker } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';

/** One kind of S3 requests in a run, and what is remembered of them. */
export interface S3Load {
  readonly problems: string[];
  readonly operations: number;
  readonly asker: S3Asker;
  readonly histories: { readonly undecided: number };
  /** Makes its buckets. */
  prepare(gateway: SimulatedGateway): Promise<void>;
  /** One request, or a few that belong together; resolves when they are answered or broken. */
  step(gateway: SimulatedGateway): Promise<void>;
  /** Once everything has healed: all must be answered, as it was left. */
  readAll(gateway: SimulatedGateway): Promise<void>;
  /** Nothing may be left. */
  removeAll(gateway: SimulatedGateway): Promise<void>;
  /** To be called when nothing more is asked. */
  checkHistories(): string[];
}

const attemptsMax = 20;

export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

/** Text of the first element of that name; undefined: there is none. */
export function elementOf(answer: WholeResponse, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(decodeUtf8(answer.body))?.[1];
}

export class S3Bucket {
  readonly name: string;
  readonly #asker: S3Asker;
  readonly #problems: string[];
  readonly #owner: Signer | undefined;

  /** `owner`: who makes and removes it; default: the cluster's first user. */
  constructor(name: string, asker: S3Asker, problems: string[], owner?: Signer) {
    this.name = name;
    this.#owner = owner;
    this.#asker = asker;
    this.#problems = problems;
  }

  pathOf(key: string): string {
    return `/${this.name}/${key}`;
  }

  /** Asks until it is done; a problem when it never is. */
  async insist(gateway: SimulatedGateway, call: S3Call): Promise<WholeResponse | undefined> {
    const signed = this.#signed(call);
    let last: WholeResponse | undefined;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      last = await this.#asker.ask(gateway, signed);
      if (last !== undefined && last.status < 300) return last;
    }
    const words = last === undefined ? 'broken off' : decodeUtf8(last.body);
    this.#problems.push(`${call.method} ${call.path} was never done: ${words}`);
    return undefined;
  }

  make(gateway: SimulatedGateway, headers: Readonly<Record<string, string>> = {}) {
    return this.insist(gateway, { method: 'PUT', path: `/${this.name}`, headers });
  }

  /** Uploads that nobody completed, keys, and the bucket itself. */
  async remove(gateway: SimulatedGateway): Promise<void> {
    const uploads = await this.#list(gateway, { uploads: '' }, 'Upload', 'UploadId');
    for (const [key, uploadId] of uploads)
      await this.insist(gateway, { method: 'DELETE', path: this.pathOf(key), query: { uploadId } });
    for (const [key] of await this.#list(gateway, { 'list-type': '2' }, 'Contents', 'ETag'))
      await this.insist(gateway, { method: 'DELETE', path: this.pathOf(key) });
    await this.insist(gateway, { method: 'DELETE', path: `/${this.name}` });
  }

  /** The same of one whose making was begun: it may be there or not, whatever was answered. */
  async removeBegun(gateway: SimulatedGateway): Promise<void> {
    const call = { method: 'PUT', path: `/${this.name}` };
    await this.#asker.ask(gateway, this.#signed(call));
    await this.remove(gateway);
  }

  #signed(call: S3Call): S3Call {
    return this.#owner === undefined ? call : { ...call, signer: this.#owner };
  }

  /** What a whole listing has: of each entry its key and one more of its elements. */
  async #list(
    gateway: SimulatedGateway,
    query: Readonly<Record<string, string>>,
    entry: string,
    also: string,
  ): Promise<readonly (readonly [string, string])[]> {
    const answer = await this.insist(gateway, { method: 'GET', path: `/${this.name}`, query });
    const text = decodeUtf8(answer?.body ?? new Uint8Array(0));
    const of = (body: string, name: string): string =>
      new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? '';
    return [...text.matchAll(new RegExp(`<${entry}>([\\s\\S]*?)</${entry}>`, 'g'))].map(
      ([, body = '']) => [of(body, 'Key'), of(body, also)] as const,
    );
  }
}
