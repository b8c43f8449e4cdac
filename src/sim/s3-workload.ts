// S3 requests of several clients through several gateways, and what they remember: per key, a history that
// must be linearizable (a listing is one read of each of its keys); per answer, bytes that must be those of
// the value its ETag names.

import { compareBytes, decodeUtf8, emptyBytes, encodeUtf8, parseHex } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import { partBytesMin } from '../s3/protocol/limits.ts';
import { encodePercent } from '../s3/protocol/percent.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { isLinearizable, type Model, type Operation } from './linearizability.ts';
import { drawForm, faultOfAnswer, formRequest } from './post-form.ts';
import { crc32cBase64, inChunks, md5Base64, md5Hex, type S3Call } from './s3-request.ts';
import { bytesOf, etagOf, lengthOf, rangeOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';

/** States are ETags; empty text: there is no such key. */
export type KeyCall =
  | { readonly kind: 'put'; readonly etag: string }
  | { readonly kind: 'put-if-absent'; readonly etag: string; refused: boolean | undefined }
  | { readonly kind: 'read'; readonly etag: string };

export const keyModel: Model<string, KeyCall> = (state, call) => {
  switch (call.kind) {
    case 'put':
      return call.etag;
    case 'put-if-absent':
      if (call.refused === undefined) return state === '' ? call.etag : state;
      if (call.refused) return state === '' ? undefined : state;
      return state === '' ? call.etag : undefined;
    case 'read':
      return state === call.etag ? state : undefined;
  }
};

interface OpenOperation extends Operation<KeyCall> {
  answeredAt: number | undefined;
}

interface Upload {
  readonly key: string;
  readonly id: string;
}

const bucket = 'bucket';
const copyTargets = ['copy-0', 'copy-1', 'copy-2'];

export class S3Workload {
  readonly problems: string[] = [];
  operations = 0;
  /** Histories too tangled to be checked to the end. */
  undecided = 0;
  /** Those that serve now: parts of one upload go through any of them. */
  gateways: () => readonly SimulatedGateway[] = () => [];
  readonly #random: Random;
  readonly #now: () => number;
  readonly #histories = new Map<string, OpenOperation[]>();
  readonly #values: S3Values;
  readonly asker: S3Asker;
  readonly #uploads: Upload[] = [];
  /** A copy to it is under way, or ended without saying how. */
  readonly #busyTargets = new Set<string>();
  readonly #keys: readonly string[];

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.asker = new S3Asker(this.problems);
    const all = ['a', 'b/1', 'b/2', 'b/c/3', 'ä', 'z z', 'b', 'b/d', 'm', 'y'];
    this.#keys = all.slice(0, 2 + random.below(all.length - 1));
  }

  /** Creates the bucket. */
  async prepare(gateway: SimulatedGateway): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const answer = await this.#ask(gateway, { method: 'PUT', path: `/${bucket}` });
      if (answer?.status === 200) return;
    }
    this.problems.push('the bucket could not be created');
  }

  /** One request; resolves when it is answered or broken. */
  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const key = this.#keys[this.#random.below(this.#keys.length)] as string;
    switch (this.#random.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.#put(gateway, key);
      case 3:
        return this.#putIfAbsent(gateway, key);
      case 4:
      case 5:
      case 6:
        return this.#get(gateway, key);
      case 7:
        return this.#range(gateway, key);
      case 8:
        return this.#delete(gateway, key);
      case 9:
        return this.#list(gateway, ['', 'b/'][this.#random.below(2)] as string);
      case 10:
        return this.#multipart(gateway, key);
      case 11:
        return this.#post(gateway, key);
      case 12:
        return this.#deleteMany(gateway);
      default:
        return this.#copy(gateway, key);
    }
  }

  /** Every key read, every listing compared; then all is deleted, so that garbage is all there can be. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const key of [...this.#keys, ...this.#clearTargets()])
      await this.#get(gateway, key, 'must answer');
    await this.#list(gateway, '', 'must answer');
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { key, id } of this.#uploads) {
      const call = { method: 'DELETE', path: this.#path(key), query: { uploadId: id } };
      const answer = await this.#ask(gateway, call);
      if (answer?.status !== 204 && answer?.status !== 404)
        this.problems.push(`an upload could not be aborted at the end: ${answer?.status}`);
    }
    for (const key of [...this.#keys, ...copyTargets]) {
      await this.#delete(gateway, key);
      if (this.#busyTargets.has(key)) continue;
      await this.#get(gateway, key, 'must answer');
    }
  }

  /** After `removeAll`, however many shards its index has by then. */
  async removeBucket(gateway: SimulatedGateway): Promise<void> {
    const call = { method: 'DELETE', path: `/${bucket}` };
    const answer = await this.#ask(gateway, call);
    if (answer?.status !== 204)
      this.problems.push(`the empty bucket could not be removed: ${answer?.status}`);
  }

  #clearTargets(): readonly string[] {
    return copyTargets.filter((target) => !this.#busyTargets.has(target));
  }

  checkHistories(): string[] {
    const wrong: string[] = [];
    for (const [key, history] of this.#histories) {
      const verdict = isLinearizable(history, '', keyModel);
      if (verdict === 'undecided') this.undecided++;
      if (verdict === 'no')
        wrong.push(`S3 key ${key} is not linearizable: ${JSON.stringify(history)}`);
    }
    return wrong;
  }

  #path(key: string): string {
    return `/${bucket}/${key}`;
  }

  #history(key: string): OpenOperation[] {
    let history = this.#histories.get(key);
    if (history === undefined) {
      history = [];
      this.#histories.set(key, history);
    }
    return history;
  }

  #begin(key: string, call: KeyCall): OpenOperation {
    const operation: OpenOperation = { call, calledAt: this.#now(), answeredAt: undefined };
    this.#history(key).push(operation);
    return operation;
  }

  #noteRead(key: string, etag: string, calledAt: number): void {
    this.#history(key).push({
      call: { kind: 'read', etag },
      calledAt,
      answeredAt: this.#now(),
    });
  }

  #ask(gateway: SimulatedGateway, call: S3Call): Promise<WholeResponse | undefined> {
    return this.asker.ask(gateway, call);
  }

  async #put(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.make();
    const call = { method: 'PUT', path: this.#path(key), body };
    const how = this.#random.below(4);
    // One in eight of those that say their checksum says a wrong one, and must change nothing.
    const isWrong = how > 1 && this.#random.below(8) === 0;
    const checksum = crc32cBase64(isWrong ? encodeUtf8('other') : body);
    const operation = isWrong ? undefined : this.#begin(key, { kind: 'put', etag });
    const answer = await this.#ask(
      gateway,
      how < 2
        ? call
        : how === 2
          ? { ...call, headers: { 'x-amz-checksum-crc32c': checksum } }
          : inChunks(call, body, checksum),
    );
    if (answer?.status === 200 && operation !== undefined) operation.answeredAt = this.#now();
    if (answer !== undefined && isWrong && answer.status < 400)
      this.problems.push(`${key} was put with a wrong checksum: ${answer.status}`);
  }

  /** Some keys in one request: each is a delete of its own, answered by itself. */
  async #deleteMany(gateway: SimulatedGateway): Promise<void> {
    const keys = this.#keys.filter(() => this.#random.below(3) === 0);
    if (keys.length === 0) return;
    const operations = new Map(
      keys.map((key) => [key, this.#begin(key, { kind: 'put', etag: '' })]),
    );
    const list = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('');
    const body = encodeUtf8(`<Delete>${list}</Delete>`);
    const answer = await this.#ask(gateway, {
      method: 'POST',
      path: `/${bucket}`,
      query: { delete: '' },
      headers: { 'content-md5': md5Base64(body) },
      body,
    });
    if (answer?.status !== 200) return;
    const deleted = /<Deleted><Key>([^<]*)<\/Key>/g;
    for (const [, key = ''] of decodeUtf8(answer.body).matchAll(deleted)) {
      const operation = operations.get(key);
      if (operation === undefined) this.problems.push(`${key} was deleted, and nobody asked`);
      else operation.answeredAt = this.#now();
    }
  }

  async #putIfAbsent(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.make();
    const call: KeyCall = { kind: 'put-if-absent', etag, refused: undefined };
    const operation = this.#begin(key, call);
    const answer = await this.#ask(gateway, {
      method: 'PUT',
      path: this.#path(key),
      headers: { 'if-none-match': '*' },
      body,
    });
    if (answer?.status === 200 || answer?.status === 412) {
      call.refused = answer.status === 412;
      operation.answeredAt = this.#now();
    }
  }

  /** A put as a form, or one that its policy does not allow, which must change nothing. */
  async #post(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.make();
    const form = drawForm(this.#random, { bucket, key, body });
    const operation = form.flaw === undefined ? this.#begin(key, { kind: 'put', etag }) : undefined;
    const request = formRequest(form, gateway.process.env.wall.nowMs());
    const answer = await this.asker.send(gateway, request, `POST of a form for ${key}`);
    if (answer === undefined || answer.status >= 500) return;
    const fault = faultOfAnswer(form, etag, answer);
    if (fault !== undefined) this.problems.push(`${key}: ${fault}`);
    else if (operation !== undefined) operation.answeredAt = this.#now();
  }

  async #get(gateway: SimulatedGateway, key: string, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const answer = await this.#ask(gateway, { method: 'GET', path: this.#path(key) });
    if (answer?.status === 404) return this.#noteRead(key, '', calledAt);
    if (answer?.status !== 200) {
      if (mode === 'must answer')
        this.problems.push(`GET ${key} at the end: ${answer?.status ?? 'broken off'}`);
      return;
    }
    const etag = etagOf(answer);
    this.#checkBytes(key, etag, answer.body, 0);
    this.#noteRead(key, etag, calledAt);
  }

  async #range(gateway: SimulatedGateway, key: string): Promise<void> {
    const from = this.#random.below(20_000);
    const to = from + this.#random.below(60_000);
    const calledAt = this.#now();
    const answer = await this.#ask(gateway, {
      method: 'GET',
      path: this.#path(key),
      headers: { range: `bytes=${from}-${to}` },
    });
    if (answer?.status === 404) return this.#noteRead(key, '', calledAt);
    if (answer?.status !== 206) return;
    const value = this.#values.get(etagOf(answer));
    const expected = value === undefined ? 0 : Math.min(to + 1, lengthOf(value)) - from;
    if (answer.body.length !== expected)
      this.problems.push(`${key} bytes ${from}-${to}: ${answer.body.length} bytes came`);
    this.#checkBytes(key, etagOf(answer), answer.body, from);
    this.#noteRead(key, etagOf(answer), calledAt);
  }

  #checkBytes(key: string, etag: string, body: Uint8Array, from: number): void {
    const fault = this.#values.faultOf(etag, body, from);
    if (fault !== undefined) this.problems.push(`${key}: ${fault}`);
  }

  async #delete(gateway: SimulatedGateway, key: string): Promise<void> {
    const operation = this.#begin(key, { kind: 'put', etag: '' });
    const answer = await this.#ask(gateway, { method: 'DELETE', path: this.#path(key) });
    if (answer?.status === 204) operation.answeredAt = this.#now();
  }

  async #list(gateway: SimulatedGateway, prefix: string, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const found = new Map<string, string>();
    const pageKeys = this.#random.below(3) === 0 ? '2' : '1000';
    let token: string | undefined = '';
    while (token !== undefined) {
      const answer: WholeResponse | undefined = await this.#ask(gateway, {
        method: 'GET',
        path: `/${bucket}`,
        query: {
          'list-type': '2',
          prefix,
          'max-keys': pageKeys,
          ...(token === '' ? {} : { 'continuation-token': token }),
        },
      });
      if (answer?.status !== 200) {
        if (mode === 'must answer')
          this.problems.push(`LIST at the end: ${answer?.status ?? 'broken off'}`);
        return;
      }
      token = this.#noteListed(decodeUtf8(answer.body), found);
    }
    for (const key of this.#keys) {
      if (!key.startsWith(prefix)) continue;
      this.#noteRead(key, found.get(key) ?? '', calledAt);
      found.delete(key);
    }
    for (const target of copyTargets) found.delete(target);
    for (const key of found.keys()) this.problems.push(`LIST ${prefix} has ${key}`);
  }

  /** Adds what a page shows, each key greater than those before; answers the token of the next page. */
  #noteListed(text: string, found: Map<string, string>): string | undefined {
    const entries = /<Key>([^<]*)<\/Key>[\s\S]*?<ETag>(?:&quot;|"|&#34;)([^&"]*)/g;
    let previous = [...found.keys()].at(-1);
    for (const [, key = '', etag = ''] of text.matchAll(entries)) {
      if (previous !== undefined && compareBytes(encodeUtf8(previous), encodeUtf8(key)) >= 0)
        this.problems.push(`LIST has ${key} after ${previous}`);
      found.set(key, etag);
      previous = key;
    }
    return /<NextContinuationToken>([^<]+)</.exec(text)?.[1];
  }

  /** One to three parts, each through any gateway; completed, or left for the end. */
  async #multipart(gateway: SimulatedGateway, key: string): Promise<void> {
    const path = this.#path(key);
    const created = await this.#ask(gateway, { method: 'POST', path, query: { uploads: '' } });
    if (created?.status !== 200) return;
    const id = /<UploadId>([^<]+)</.exec(decodeUtf8(created.body))?.[1] ?? '';
    this.#uploads.push({ key, id });
    const large = this.#random.below(12) === 0 ? 1 + this.#random.below(2) : 0;
    const parts = [
      ...Array.from({ length: large }, () => this.#values.make(partBytesMin)),
      this.#values.make(),
    ];
    const stored = await Promise.all(
      parts.map(({ body }, index) =>
        this.#ask(this.#anyGateway(gateway), {
          method: 'PUT',
          path,
          query: { uploadId: id, partNumber: String(index + 1) },
          body,
        }),
      ),
    );
    if (stored.some((answer) => answer?.status !== 200) || this.#random.below(4) === 0) return;
    if (this.#random.below(3) === 0) {
      const copied = await this.#copyPart(gateway, path, {
        uploadId: id,
        partNumber: parts.length,
      });
      if (copied === 'unknown') return;
      if (copied !== 'refused') parts[parts.length - 1] = { body: emptyBytes, etag: copied };
    }
    const digests = parts.flatMap(({ etag }) => [...(parseHex(etag) ?? emptyBytes)]);
    const whole = `${md5Hex(Uint8Array.from(digests))}-${parts.length}`;
    const value = { parts: parts.flatMap(({ etag }) => this.#values.get(etag)?.parts ?? []) };
    this.#values.know(whole, value);
    // As a copy of it is called.
    this.#values.know(md5Hex(bytesOf(value)), value);
    const operation = this.#begin(key, { kind: 'put', etag: whole });
    const list = parts
      .map(
        ({ etag }, index) =>
          `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
      )
      .join('');
    const completed = await this.#ask(this.#anyGateway(gateway), {
      method: 'POST',
      path,
      query: { uploadId: id },
      body: encodeUtf8(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`),
    });
    const isDone =
      completed?.status === 200 &&
      decodeUtf8(completed.body).includes('CompleteMultipartUploadResult');
    if (isDone) operation.answeredAt = this.#now();
  }

  /** Has a piece of another object replace the part; its ETag. */
  async #copyPart(
    gateway: SimulatedGateway,
    path: string,
    { uploadId, partNumber }: { readonly uploadId: string; readonly partNumber: number },
  ): Promise<string> {
    const source = this.#keys[this.#random.below(this.#keys.length)] as string;
    const calledAt = this.#now();
    const head = await this.#ask(gateway, { method: 'HEAD', path: this.#path(source) });
    if (head?.status === 404) this.#noteRead(source, '', calledAt);
    if (head?.status !== 200) return 'refused';
    const sourceEtag = etagOf(head);
    this.#noteRead(source, sourceEtag, calledAt);
    const value = this.#values.get(sourceEtag);
    if (value === undefined || lengthOf(value) === 0) return 'refused';
    const from = this.#random.below(lengthOf(value));
    const to = from + 1 + this.#random.below(lengthOf(value) - from);
    const copied = rangeOf(value, from, to);
    const etag = md5Hex(bytesOf(copied));
    this.#values.know(etag, copied);
    const answer = await this.#ask(this.#anyGateway(gateway), {
      method: 'PUT',
      path,
      query: { uploadId, partNumber: String(partNumber) },
      headers: {
        'x-amz-copy-source': `${bucket}/${encodePercent(source, 'encoded')}`,
        'x-amz-copy-source-if-match': `"${sourceEtag}"`,
        'x-amz-copy-source-range': `bytes=${from}-${to - 1}`,
      },
    });
    if (answer === undefined || answer.status >= 500) return 'unknown';
    if (answer.status !== 200) return 'refused';
    const words = decodeUtf8(answer.body);
    if (!words.includes('CopyPartResult')) return 'unknown';
    if (!words.includes(etag))
      this.problems.push(`bytes ${from}-${to - 1} of ${source}, copied, are ${words}`);
    return etag;
  }

  #anyGateway(mine: SimulatedGateway): SimulatedGateway {
    const all = this.gateways();
    return all[this.#random.below(Math.max(1, all.length))] ?? mine;
  }

  /**
   * Onto a key that only copies write, one at a time. When its outcome is unknown, so is the value: the key
   * is not used again.
   */
  async #copy(gateway: SimulatedGateway, source: string): Promise<void> {
    const target = copyTargets[this.#random.below(copyTargets.length)] as string;
    if (this.#busyTargets.has(target)) return;
    const calledAt = this.#now();
    this.#busyTargets.add(target);
    const answer = await this.#ask(gateway, {
      method: 'PUT',
      path: this.#path(target),
      headers: { 'x-amz-copy-source': `${bucket}/${encodePercent(source, 'encoded')}` },
    });
    if (answer?.status === 404) {
      this.#noteRead(source, '', calledAt);
      this.#busyTargets.delete(target);
      return;
    }
    const words = decodeUtf8(answer?.body ?? emptyBytes);
    const etag = /<ETag>(?:&quot;|"|&#34;)([^&"]*)/.exec(words)?.[1];
    if (answer?.status !== 200 || etag === undefined) return;
    if (this.#values.get(etag) === undefined)
      this.problems.push(`a copy has ETag ${etag}, which nobody wrote`);
    this.#history(target).push({
      call: { kind: 'put', etag },
      calledAt,
      answeredAt: this.#now(),
    });
    this.#busyTargets.delete(target);
  }
}
