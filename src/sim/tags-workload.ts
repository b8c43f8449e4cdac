// Objects with tags and metadata, through several gateways. An object's bytes and its tags are one state: whoever
// reads either reads the key, and a change of tags keeps whatever bytes there are at that moment. Metadata never
// changes without the bytes, so that each value has its own and any mixture shows.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories } from './key-histories.ts';
import type { Model } from './linearizability.ts';
import { oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { md5Base64, type S3Call } from './s3-request.ts';
import { etagOf, headerOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';

/** A key's state: `ETAG NAME=VALUE&NAME=VALUE`, names sorted; empty: there is no such key. */
export type TagsCall =
  | { readonly kind: 'put'; readonly etag: string; readonly tags: string }
  | {
      readonly kind: 'put-if';
      /** Empty: there must be none. */
      readonly expected: string;
      readonly etag: string;
      readonly tags: string;
      refused: Known;
    }
  | { readonly kind: 'tag'; readonly tags: string; absent: Known }
  | { readonly kind: 'remove' }
  /** Undefined: this answer does not say. */
  | {
      readonly kind: 'read';
      readonly etag?: string;
      readonly tags?: string;
      readonly count?: number;
    }
  | { readonly kind: 'read-absent' };

/** Undefined: no answer came. */
type Known = boolean | undefined;

export const tagsModel: Model<string, TagsCall> = (state, call) => {
  const [etag = '', tags = ''] = state.split(' ');
  switch (call.kind) {
    case 'put':
      return `${call.etag} ${call.tags}`;
    case 'put-if': {
      const refused = etag !== call.expected;
      if (call.refused !== undefined && call.refused !== refused) return undefined;
      return refused ? state : `${call.etag} ${call.tags}`;
    }
    case 'tag': {
      const absent = state === '';
      if (call.absent !== undefined && call.absent !== absent) return undefined;
      return absent ? state : `${etag} ${call.tags}`;
    }
    case 'remove':
      return '';
    case 'read': {
      if (state === '') return undefined;
      if (call.etag !== undefined && call.etag !== etag) return undefined;
      if (call.tags !== undefined && call.tags !== tags) return undefined;
      const count = tags === '' ? 0 : tags.split('&').length;
      return call.count !== undefined && call.count !== count ? undefined : state;
    }
    case 'read-absent':
      return state === '' ? state : undefined;
  }
};

const keys = ['t', 't/1', 'u'];
const copyTargets = ['copy-0', 'copy-1', 'copy-2', 'copy-3'];
const bucketName = 'labelled';

export class TagsWorkload implements S3Load {
  readonly problems: string[] = [];
  operations = 0;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly asker: S3Asker;
  readonly #bucket: S3Bucket;
  readonly histories: KeyHistories<TagsCall>;
  /** Of each key, what was there when somebody last heard of it. */
  readonly #newest = new Map<string, string>();
  /** A copy to it is under way, or ended without saying how. */
  readonly #busyTargets = new Set<string>();
  #tagSets = 0;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.asker = new S3Asker(this.problems);
    this.#bucket = new S3Bucket(bucketName, this.asker, this.problems);
    this.histories = new KeyHistories(now, tagsModel);
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
        return this.#put(gateway, key);
      case 2:
        return this.#putIf(gateway, key);
      case 3:
      case 4:
      case 5:
        return this.#tag(gateway, key);
      case 6:
        return this.#remove(gateway, key);
      case 7:
      case 8:
        return this.#read(gateway, key);
      case 9:
      case 10:
        return this.#readTags(gateway, key);
      default:
        return this.#copy(gateway, key);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const key of keys) {
      await this.#read(gateway, key, 'must answer');
      await this.#readTags(gateway, key, 'must answer');
    }
  }

  removeAll(gateway: SimulatedGateway): Promise<void> {
    return this.#bucket.remove(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('tagged key');
  }

  /** None to four; each set has a name or a value of its own. */
  #drawTags(): string {
    const count = this.#random.below(5);
    const set = ++this.#tagSets;
    return Array.from({ length: count }, (_, at) => `n${at}=${set}-${this.#random.below(9)}`).join(
      '&',
    );
  }

  #call(key: string, call: Omit<S3Call, 'path'>): S3Call {
    return { ...call, path: this.#bucket.pathOf(key) };
  }

  #putCall(key: string, made: { readonly body: Uint8Array; etag: string }, tags: string): S3Call {
    const headers: Record<string, string> = { 'x-amz-meta-of': made.etag };
    if (tags !== '') headers['x-amz-tagging'] = tags;
    return this.#call(key, { method: 'PUT', headers, body: made.body });
  }

  async #put(gateway: SimulatedGateway, key: string): Promise<void> {
    const made = this.#values.makeUnique();
    const tags = this.#drawTags();
    const operation = this.histories.begin(key, { kind: 'put', etag: made.etag, tags });
    const answer = await this.asker.ask(gateway, this.#putCall(key, made, tags));
    if (answer?.status !== 200) return;
    this.histories.end(operation);
    this.#newest.set(key, made.etag);
  }

  async #putIf(gateway: SimulatedGateway, key: string): Promise<void> {
    const made = this.#values.makeUnique();
    const tags = this.#drawTags();
    const expected = this.#newest.get(key) ?? '';
    const call: TagsCall = { kind: 'put-if', expected, etag: made.etag, tags, refused: undefined };
    const operation = this.histories.begin(key, call);
    const { headers, ...rest } = this.#putCall(key, made, tags);
    const condition: Record<string, string> =
      expected === '' ? { 'if-none-match': '*' } : { 'if-match': `"${expected}"` };
    const answer = await this.asker.ask(gateway, {
      ...rest,
      headers: { ...headers, ...condition },
    });
    // Without any object there is nothing that could match.
    const refused = answer?.status === 412 || (expected !== '' && answer?.status === 404);
    if (answer?.status !== 200 && !refused) return;
    call.refused = refused;
    this.histories.end(operation);
    if (!refused) this.#newest.set(key, made.etag);
  }

  /** New tags, or none. */
  async #tag(gateway: SimulatedGateway, key: string): Promise<void> {
    const tags = this.#random.below(4) === 0 ? '' : this.#drawTags();
    const call: TagsCall = { kind: 'tag', tags, absent: undefined };
    const operation = this.histories.begin(key, call);
    const isDelete = tags === '' && this.#random.below(2) === 0;
    const answer = await this.asker.ask(
      gateway,
      isDelete
        ? this.#call(key, { method: 'DELETE', query: { tagging: '' } })
        : this.#call(key, taggingOf(tags)),
    );
    if (answer?.status !== (isDelete ? 204 : 200) && answer?.status !== 404) return;
    call.absent = answer.status === 404;
    this.histories.end(operation);
  }

  async #remove(gateway: SimulatedGateway, key: string): Promise<void> {
    const operation = this.histories.begin(key, { kind: 'remove' });
    const answer = await this.asker.ask(gateway, this.#call(key, { method: 'DELETE' }));
    if (answer?.status !== 204) return;
    this.histories.end(operation);
    this.#newest.delete(key);
  }

  /** Bytes, or their description alone. */
  async #read(gateway: SimulatedGateway, key: string, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const method = this.#random.below(3) === 0 ? 'HEAD' : 'GET';
    const answer = await this.asker.ask(gateway, this.#call(key, { method }));
    if (answer?.status === 404)
      return this.histories.noteRead(key, { kind: 'read-absent' }, calledAt);
    if (answer?.status !== 200) {
      if (mode === 'must answer')
        this.problems.push(`${method} ${key} at the end: ${answer?.status ?? 'broken off'}`);
      return;
    }
    const etag = etagOf(answer);
    this.#checkMetadata(key, answer, etag);
    const fault = method === 'GET' ? this.#values.faultOf(etag, answer.body, 0) : undefined;
    if (fault !== undefined) this.problems.push(`${key}: ${fault}`);
    this.#newest.set(key, etag);
    this.histories.noteRead(key, { kind: 'read', etag, count: countOf(answer) }, calledAt);
  }

  #checkMetadata(key: string, answer: WholeResponse, expected: string): void {
    const found = headerOf(answer, 'x-amz-meta-of');
    if (found !== expected)
      this.problems.push(`${key} ${etagOf(answer)} has the metadata of ${found}, not ${expected}`);
  }

  async #readTags(gateway: SimulatedGateway, key: string, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const answer = await this.asker.ask(gateway, this.#tagsOf(key));
    if (answer?.status === 404)
      return this.histories.noteRead(key, { kind: 'read-absent' }, calledAt);
    if (answer?.status === 200)
      return this.histories.noteRead(key, { kind: 'read', tags: tagsIn(answer) }, calledAt);
    if (mode === 'must answer')
      this.problems.push(`tags of ${key} at the end: ${answer?.status ?? 'broken off'}`);
  }

  #tagsOf(key: string): S3Call {
    return this.#call(key, { method: 'GET', query: { tagging: '' } });
  }

  /**
   * Onto a key that only copies write, one at a time: what it is afterwards says what was read of the source. When
   * its outcome is unknown the key is not used again.
   */
  async #copy(gateway: SimulatedGateway, source: string): Promise<void> {
    const target = copyTargets.find((each) => !this.#busyTargets.has(each));
    if (target === undefined) return;
    const newTags = this.#random.below(2) === 0 ? undefined : this.#drawTags();
    const newOf = this.#random.below(2) === 0 ? undefined : `copy ${++this.#tagSets}`;
    const headers: Record<string, string> = { 'x-amz-copy-source': `${bucketName}/${source}` };
    if (newTags !== undefined) headers['x-amz-tagging-directive'] = 'REPLACE';
    if (newTags !== undefined && newTags !== '') headers['x-amz-tagging'] = newTags;
    if (newOf !== undefined) {
      headers['x-amz-metadata-directive'] = 'REPLACE';
      headers['x-amz-meta-of'] = newOf;
    }
    const calledAt = this.#now();
    this.#busyTargets.add(target);
    const answer = await this.asker.ask(gateway, this.#call(target, { method: 'PUT', headers }));
    const answeredAt = this.#now();
    if (answer?.status === 404) {
      this.histories.noteRead(source, { kind: 'read-absent' }, calledAt);
      this.#busyTargets.delete(target);
      return;
    }
    if (answer?.status !== 200 || decodeUtf8(answer.body).includes('<Error>')) return;
    const read = await this.asker.ask(gateway, this.#call(target, { method: 'GET' }));
    const tagged = await this.asker.ask(gateway, this.#tagsOf(target));
    if (read?.status === 404 || tagged?.status === 404)
      this.problems.push(`${target} is not there though its copy was acknowledged`);
    this.#busyTargets.delete(target);
    if (read?.status !== 200 || tagged?.status !== 200) return;
    const etag = etagOf(read);
    const tags = tagsIn(tagged);
    this.#checkMetadata(target, read, newOf ?? etag);
    const fault = this.#values.faultOf(etag, read.body, 0);
    if (fault !== undefined) this.problems.push(`${target}: ${fault}`);
    if (newTags !== undefined && tags !== newTags)
      this.problems.push(`${target} was copied with tags ${newTags} and has ${tags}`);
    const seen = newTags === undefined ? { etag, tags } : { etag };
    this.histories.noteRead(source, { kind: 'read', ...seen }, calledAt, answeredAt);
  }
}

function taggingOf(tags: string): Omit<S3Call, 'path'> {
  const set = tags
    .split('&')
    .filter((each) => each !== '')
    .map((each) => each.split('='))
    .map(([name, value]) => `<Tag><Key>${name}</Key><Value>${value}</Value></Tag>`);
  const body = encodeUtf8(`<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`);
  const headers = { 'content-md5': md5Base64(body) };
  return { method: 'PUT', query: { tagging: '' }, headers, body };
}

/** Sorted by name, as the workload names them. */
function tagsIn(answer: WholeResponse): string {
  const tags = /<Tag><Key>([^<]*)<\/Key><Value>([^<]*)<\/Value><\/Tag>/g;
  return [...decodeUtf8(answer.body).replaceAll(/>\s+</g, '><').matchAll(tags)]
    .map(([, name, value]) => `${name}=${value}`)
    .sort()
    .join('&');
}

function countOf(answer: WholeResponse): number {
  return Number(headerOf(answer, 'x-amz-tagging-count') || '0');
}
