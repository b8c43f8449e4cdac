// Objects encrypted in every way there is, through several gateways. How an object is encrypted is part of its key's
// state: who names no customer's key, or another one, is refused and never sees a byte, also as the source of a copy.

import { decodeUtf8, emptyBytes, encodeUtf8, parseHex } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import { formatBase64 } from '../s3/protocol/base64.ts';
import { partBytesMin } from '../s3/protocol/limits.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories } from './key-histories.ts';
import type { Model } from './linearizability.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { md5Base64, md5Hex, type S3Call } from './s3-request.ts';
import { bytesOf, etagOf, headerOf, lengthOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';

/** `A` and `B` are customers' keys. */
export type Way = 'plain' | 's3' | 'kms' | 'A' | 'B';

/** What a reader names: one of the customers' keys, or none. */
export type Shown = 'none' | 'A' | 'B';

/** A key's state: `WAY ETAG`; empty: there is no such key. The ETag is always that of the bytes. */
export type EncryptionCall =
  | { readonly kind: 'put'; readonly way: Way; readonly etag: string }
  | { readonly kind: 'remove' }
  | { readonly kind: 'read'; readonly way: Way; readonly etag: string }
  /** As the source of a copy: how it is encrypted is not told. */
  | { readonly kind: 'read-with'; readonly shown: Shown; readonly etag: string }
  | { readonly kind: 'refused'; readonly shown: Shown }
  | { readonly kind: 'read-absent' };

function opens(shown: string, way: string): boolean {
  return shown === (way === 'A' || way === 'B' ? way : 'none');
}

export const encryptionModel: Model<string, EncryptionCall> = (state, call) => {
  const [way = '', etag = ''] = state.split(' ');
  const when = (isSo: boolean): string | undefined => (isSo ? state : undefined);
  switch (call.kind) {
    case 'put':
      return `${call.way} ${call.etag}`;
    case 'remove':
      return '';
    case 'read':
      return when(way === call.way && etag === call.etag);
    case 'read-with':
      return when(etag === call.etag && opens(call.shown, way));
    case 'refused':
      return when(state !== '' && !opens(call.shown, way));
    case 'read-absent':
      return when(state === '');
  }
};

/** Configured at each gateway of a run. */
export const kmsKey = 'key-of-the-run';

const ways: readonly Way[] = ['plain', 's3', 'kms', 'A', 'A', 'B'];
const keys = ['e', 'e/1', 'f'];
const copyTargets = ['copy-0', 'copy-1', 'copy-2', 'copy-3'];
const bucketName = 'sealed';

const writePrefix = 'x-amz-server-side-encryption-customer-';
const sourcePrefix = 'x-amz-copy-source-server-side-encryption-customer-';

function customerHeaders(name: 'A' | 'B', prefix: string): Record<string, string> {
  const key = new Uint8Array(32).fill(name.charCodeAt(0));
  return {
    [`${prefix}algorithm`]: 'AES256',
    [`${prefix}key`]: formatBase64(key),
    [`${prefix}key-md5`]: md5Base64(key),
  };
}

function shownHeaders(shown: Shown, prefix = writePrefix): Record<string, string> {
  return shown === 'none' ? {} : customerHeaders(shown, prefix);
}

function wayHeaders(way: Way): Record<string, string> {
  switch (way) {
    case 'plain':
      return {};
    case 's3':
      return { 'x-amz-server-side-encryption': 'AES256' };
    case 'kms':
      return {
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': kmsKey,
      };
    default:
      return customerHeaders(way, writePrefix);
  }
}

/** As an answer tells it to who has named the right key, or none. */
export function wayOf(answer: WholeResponse, shown: Shown): Way {
  if (headerOf(answer, `${writePrefix}algorithm`) !== '') return shown === 'none' ? 'A' : shown;
  const told = headerOf(answer, 'x-amz-server-side-encryption');
  return told === 'AES256' ? 's3' : told === 'aws:kms' ? 'kms' : 'plain';
}

export class EncryptionWorkload implements S3Load {
  readonly problems: string[] = [];
  operations = 0;
  /** Those that serve now: parts of one upload go through any of them. */
  gateways: () => readonly SimulatedGateway[] = () => [];
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly asker: S3Asker;
  readonly #bucket: S3Bucket;
  readonly histories: KeyHistories<EncryptionCall>;
  /** What a client that remembers the key of its object would show. */
  readonly #newest = new Map<string, Way>();
  /** A copy to it is under way, or ended without saying how. */
  readonly #busyTargets = new Set<string>();

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.asker = new S3Asker(this.problems);
    this.#bucket = new S3Bucket(bucketName, this.asker, this.problems);
    this.histories = new KeyHistories(now, encryptionModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    await this.#bucket.make(gateway);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const key = oneOf(this.#random, keys);
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#put(gateway, key);
      case 3:
      case 4:
      case 5:
        return this.#get(gateway, key, this.#drawShown(key));
      case 6:
        return this.#range(gateway, key);
      case 7:
        return this.#remove(gateway, key);
      case 8:
        return this.#multipart(gateway, key);
      default:
        return this.#copy(gateway, key);
    }
  }

  /** With each key that there is: one of them is right, and only that one. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const key of keys)
      for (const shown of ['none', 'A', 'B'] as const)
        await this.#get(gateway, key, shown, 'must answer');
  }

  removeAll(gateway: SimulatedGateway): Promise<void> {
    return this.#bucket.remove(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('encrypted key');
  }

  /** What was heard of last in most cases, else anything. */
  #drawShown(key: string): Shown {
    const way = this.#newest.get(key) ?? 'plain';
    if (this.#random.below(3) > 0) return way === 'A' || way === 'B' ? way : 'none';
    return oneOf(this.#random, ['none', 'A', 'B'] as const);
  }

  #call(key: string, call: Omit<S3Call, 'path'>): S3Call {
    return { ...call, path: this.#bucket.pathOf(key) };
  }

  async #put(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.makeUnique();
    const way = oneOf(this.#random, ways);
    const operation = this.histories.begin(key, { kind: 'put', way, etag });
    const call = this.#call(key, { method: 'PUT', headers: wayHeaders(way), body });
    const answer = await this.asker.ask(gateway, call);
    if (answer?.status !== 200) return;
    this.histories.end(operation);
    this.#newest.set(key, way);
    this.#checkTold(key, answer, way);
  }

  #checkTold(key: string, answer: WholeResponse, way: Way): void {
    const told = wayOf(answer, way === 'A' || way === 'B' ? way : 'none');
    if (told !== way) this.problems.push(`${key} was put as ${way} and is said to be ${told}`);
  }

  async #get(
    gateway: SimulatedGateway,
    key: string,
    shown: Shown,
    mode = 'may fail',
  ): Promise<void> {
    const calledAt = this.#now();
    const method = mode === 'may fail' && this.#random.below(4) === 0 ? 'HEAD' : 'GET';
    const call = this.#call(key, { method, headers: shownHeaders(shown) });
    const answer = await this.asker.ask(gateway, call);
    switch (answer?.status) {
      case 404:
        return this.histories.noteRead(key, { kind: 'read-absent' }, calledAt);
      case 400:
        return this.histories.noteRead(key, { kind: 'refused', shown }, calledAt);
      case 200: {
        const etag = etagOf(answer);
        if (method === 'GET') this.#checkBytes(key, etag, answer.body, 0);
        const way = wayOf(answer, shown);
        const call: EncryptionCall = { kind: 'read', way, etag: this.#nameOf(etag) };
        this.#newest.set(key, way);
        return this.histories.noteRead(key, call, calledAt);
      }
      default:
        if (mode === 'must answer')
          this.problems.push(`${method} ${key} at the end: ${answer?.status ?? 'broken off'}`);
    }
  }

  async #range(gateway: SimulatedGateway, key: string): Promise<void> {
    const from = this.#random.below(20_000);
    const to = from + this.#random.below(60_000);
    const shown = this.#drawShown(key);
    const headers = { ...shownHeaders(shown), range: `bytes=${from}-${to}` };
    const calledAt = this.#now();
    const answer = await this.asker.ask(gateway, this.#call(key, { method: 'GET', headers }));
    if (answer?.status !== 206) return;
    const etag = etagOf(answer);
    const value = this.#values.get(etag);
    const expected = value === undefined ? 0 : Math.min(to + 1, lengthOf(value)) - from;
    if (answer.body.length !== expected)
      this.problems.push(`${key} bytes ${from}-${to}: ${answer.body.length} bytes came`);
    this.#checkBytes(key, etag, answer.body, from);
    const call: EncryptionCall = {
      kind: 'read',
      way: wayOf(answer, shown),
      etag: this.#nameOf(etag),
    };
    this.histories.noteRead(key, call, calledAt);
  }

  #checkBytes(key: string, etag: string, body: Uint8Array, from: number): void {
    const fault = this.#values.faultOf(etag, body, from);
    if (fault !== undefined) this.problems.push(`${key}: ${fault}`);
  }

  /** As a copy of it would be called: what was put in parts is known by the digest of its bytes, too. */
  #nameOf(etag: string): string {
    const value = etag.includes('-') ? this.#values.get(etag) : undefined;
    return value === undefined ? etag : md5Hex(bytesOf(value));
  }

  async #remove(gateway: SimulatedGateway, key: string): Promise<void> {
    const operation = this.histories.begin(key, { kind: 'remove' });
    const answer = await this.asker.ask(gateway, this.#call(key, { method: 'DELETE' }));
    if (answer?.status !== 204) return;
    this.histories.end(operation);
    this.#newest.delete(key);
  }

  /** One or two parts, each through any gateway; who shows another key than it was begun with is refused. */
  async #multipart(gateway: SimulatedGateway, key: string): Promise<void> {
    const way = oneOf(this.#random, ways);
    const begun = await this.asker.ask(
      gateway,
      this.#call(key, { method: 'POST', query: { uploads: '' }, headers: wayHeaders(way) }),
    );
    if (begun?.status !== 200) return;
    const uploadId = elementOf(begun, 'UploadId') ?? '';
    const large = this.#random.below(16) === 0 ? [this.#values.make(partBytesMin)] : [];
    const parts = [...large, this.#values.makeUnique()];
    const right = shownHeaders(way === 'A' || way === 'B' ? way : 'none');
    const isWrong = this.#random.below(8) === 0;
    const wrong = shownHeaders(way === 'A' ? 'B' : 'A');
    const stored = await Promise.all(
      parts.map(({ body }, index) =>
        this.asker.ask(
          this.#anyGateway(gateway),
          this.#call(key, {
            method: 'PUT',
            query: { uploadId, partNumber: String(index + 1) },
            headers: isWrong ? wrong : right,
            body,
          }),
        ),
      ),
    );
    if (isWrong && stored.some((answer) => answer?.status === 200))
      this.problems.push(`${key}: a part with another key than the upload's was taken`);
    if (stored.some((answer) => answer?.status !== 200)) return;
    const digests = parts.flatMap(({ etag }) => [...(parseHex(etag) ?? emptyBytes)]);
    const whole = `${md5Hex(Uint8Array.from(digests))}-${parts.length}`;
    const value = { parts: parts.flatMap(({ etag }) => this.#values.get(etag)?.parts ?? []) };
    const name = md5Hex(bytesOf(value));
    this.#values.know(whole, value);
    this.#values.know(name, value);
    const operation = this.histories.begin(key, { kind: 'put', way, etag: name });
    const list = parts
      .map(({ etag }, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
      .join('');
    const completed = await this.asker.ask(
      this.#anyGateway(gateway),
      this.#call(key, {
        method: 'POST',
        query: { uploadId },
        headers: right,
        body: encodeUtf8(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`),
      }),
    );
    const isDone =
      completed?.status === 200 && elementOf(completed, 'ETag')?.includes(whole) === true;
    if (!isDone) return;
    this.histories.end(operation);
    this.#newest.set(key, way);
  }

  #anyGateway(mine: SimulatedGateway): SimulatedGateway {
    const all = this.gateways();
    return all[this.#random.below(Math.max(1, all.length))] ?? mine;
  }

  /**
   * Onto a key that only copies write, one at a time, where it is read at once. When its outcome is unknown the key is
   * not used again.
   */
  async #copy(gateway: SimulatedGateway, source: string): Promise<void> {
    const target = copyTargets.find((each) => !this.#busyTargets.has(each));
    if (target === undefined) return;
    const shown = this.#drawShown(source);
    const way = oneOf(this.#random, ways);
    const headers = {
      'x-amz-copy-source': `${bucketName}/${source}`,
      ...shownHeaders(shown, sourcePrefix),
      ...wayHeaders(way),
    };
    const calledAt = this.#now();
    this.#busyTargets.add(target);
    const answer = await this.asker.ask(gateway, this.#call(target, { method: 'PUT', headers }));
    const answeredAt = this.#now();
    if (answer?.status === 404 || answer?.status === 400) {
      const call: EncryptionCall =
        answer.status === 404 ? { kind: 'read-absent' } : { kind: 'refused', shown };
      this.histories.noteRead(source, call, calledAt, answeredAt);
      this.#busyTargets.delete(target);
      return;
    }
    const words = decodeUtf8(answer?.body ?? emptyBytes);
    const etag = /<ETag>(?:&quot;|"|&#34;)([^&"]*)/.exec(words)?.[1];
    if (answer?.status !== 200 || etag === undefined) return;
    const read: EncryptionCall = { kind: 'read-with', shown, etag };
    this.histories.noteRead(source, read, calledAt, answeredAt);
    await this.#checkCopy(gateway, target, { way, etag });
    this.#busyTargets.delete(target);
  }

  async #checkCopy(
    gateway: SimulatedGateway,
    target: string,
    made: { readonly way: Way; readonly etag: string },
  ): Promise<void> {
    const { way, etag } = made;
    const right = way === 'A' || way === 'B' ? way : 'none';
    const wrong = oneOf(
      this.#random,
      (['none', 'A', 'B'] as const).filter((each) => each !== right),
    );
    for (const shown of [right, wrong] as const) {
      const call = this.#call(target, { method: 'GET', headers: shownHeaders(shown) });
      const answer = await this.asker.ask(gateway, call);
      if (answer === undefined || answer.status >= 500) continue;
      if (answer.status !== (shown === right ? 200 : 400))
        this.problems.push(`${target}, copied as ${way}, read with ${shown}: ${answer.status}`);
      if (answer.status !== 200) continue;
      if (etagOf(answer) !== etag || wayOf(answer, shown) !== way)
        this.problems.push(
          `${target} was copied as ${way} ${etag} and is ${wayOf(answer, shown)} ${etagOf(answer)}`,
        );
      this.#checkBytes(target, etag, answer.body, 0);
    }
  }
}
