// A bucket with versions and object lock, through several gateways: every version, marker and legal hold of a key is
// one state, of which each answer must be a linearizable read or change. Beside it, keys that a lifecycle rule expires:
// none may be left in the end.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { isLinearizable, type Model, type Operation } from './linearizability.ts';
import { md5Base64, type S3Call } from './s3-request.ts';
import { etagOf, headerOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';

/**
 * A key's state: its versions, the newest first, joined by `|`. A version is its ETag, with a `+` when it is held; a
 * delete marker is a name beginning with `-`.
 */
export type VersionsCall =
  | { readonly kind: 'put'; readonly version: string }
  | { readonly kind: 'put-if'; readonly expected: string; readonly version: string; refused: Known }
  | { readonly kind: 'remove'; readonly version: string; refused: Known }
  | { readonly kind: 'hold'; readonly version: string; readonly on: boolean; refused: Known }
  | { readonly kind: 'read'; readonly version: string }
  | { readonly kind: 'read-version'; readonly version: string; readonly isThere: boolean }
  | { readonly kind: 'read-all'; readonly versions: string };

/** Undefined: no answer came. */
type Known = boolean | undefined;

const marker = '-';
const heldMark = '+';

function nameOf(version: string): string {
  return version.endsWith(heldMark) ? version.slice(0, -1) : version;
}

/** The ETag of what a plain read gets; empty: nothing. */
function currentOf([newest]: readonly string[]): string {
  return newest === undefined || newest.startsWith(marker) ? '' : nameOf(newest);
}

/** What a listing shows of a state: it knows neither holds nor which delete made a marker. */
function listed(versions: readonly string[]): string {
  return versions.map((each) => (each.startsWith(marker) ? marker : nameOf(each))).join('|');
}

export const versionsModel: Model<string, VersionsCall> = (state, call) => {
  const versions = state === '' ? [] : state.split('|');
  const joined = (next: readonly string[]): string => next.join('|');
  const at = (name: string): number => versions.findIndex((each) => nameOf(each) === name);
  switch (call.kind) {
    case 'put':
      return joined([call.version, ...versions]);
    case 'put-if': {
      const refused = currentOf(versions) !== call.expected;
      if (call.refused !== undefined && call.refused !== refused) return undefined;
      return refused ? state : joined([call.version, ...versions]);
    }
    case 'remove': {
      const refused = versions[at(call.version)]?.endsWith(heldMark) === true;
      if (call.refused !== undefined && call.refused !== refused) return undefined;
      return refused ? state : joined(versions.filter((each) => nameOf(each) !== call.version));
    }
    case 'hold': {
      const refused = at(call.version) < 0;
      if (call.refused !== undefined && call.refused !== refused) return undefined;
      const held = call.version + (call.on ? heldMark : '');
      return joined(versions.map((each) => (nameOf(each) === call.version ? held : each)));
    }
    case 'read':
      return currentOf(versions) === call.version ? state : undefined;
    case 'read-version':
      return at(call.version) >= 0 === call.isThere ? state : undefined;
    case 'read-all':
      return listed(versions) === call.versions ? state : undefined;
  }
};

interface OpenOperation extends Operation<VersionsCall> {
  answeredAt: number | undefined;
}

/** A version whose id an answer told. */
interface KnownVersion {
  readonly key: string;
  readonly id: string;
  readonly name: string;
}

interface Listed {
  readonly key: string;
  readonly id: string;
  /** Empty: a delete marker. */
  readonly etag: string;
}

const bucket = 'archive';
const keys = ['k', 'k/1', 'm'];
const expiring = ['expiring/1', 'expiring/2'];

/** What a rule takes for a day: some seconds of a run. */
export const lifecycleOptions = { lifecycleDayMs: 2000, lifecycleIntervalMs: 3000 } as const;

const rules = `<LifecycleConfiguration><Rule><ID>soon</ID><Status>Enabled</Status><Filter><Prefix>expiring/</Prefix></Filter>
<Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>
</Rule><Rule><ID>markers</ID><Status>Enabled</Status><Filter><Prefix>expiring/</Prefix></Filter>
<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`;

const attemptsMax = 20;

export class VersionsWorkload {
  readonly problems: string[] = [];
  operations = 0;
  /** Histories too tangled to be checked to the end. */
  undecided = 0;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly asker: S3Asker;
  readonly #histories = new Map<string, OpenOperation[]>();
  readonly #known: KnownVersion[] = [];
  #markers = 0;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.asker = new S3Asker(this.problems);
  }

  /** Creates the bucket and its rules. */
  async prepare(gateway: SimulatedGateway): Promise<void> {
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' };
    await this.#insist(gateway, { method: 'PUT', path: `/${bucket}`, headers });
    const body = encodeUtf8(rules);
    await this.#insist(gateway, {
      method: 'PUT',
      path: `/${bucket}`,
      query: { lifecycle: '' },
      headers: { 'content-md5': md5Base64(body) },
      body,
    });
  }

  async #insist(gateway: SimulatedGateway, call: S3Call): Promise<void> {
    let last: WholeResponse | undefined;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      last = await this.#ask(gateway, call);
      if (last?.status === 200) return;
    }
    const words = last === undefined ? 'broken off' : decodeUtf8(last.body);
    this.problems.push(`${call.method} ${call.path} at the start: ${words}`);
  }

  /** One request; resolves when it is answered or broken. */
  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const key = this.#oneOf(keys) ?? '';
    const version = this.#oneOf(this.#known.slice(-8));
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#put(gateway, key);
      case 3:
        return this.#putIf(gateway, key);
      case 4:
        return this.#mark(gateway, key);
      case 5:
        return this.#get(gateway, key);
      case 6:
        if (version !== undefined) await this.#getVersion(gateway, version);
        return;
      case 7:
      case 8:
        if (version !== undefined) await this.#remove(gateway, version);
        return;
      case 9:
        if (version !== undefined) await this.#hold(gateway, version);
        return;
      case 10:
        return this.#putExpiring(gateway);
      default:
        return this.#list(gateway);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const key of keys) await this.#get(gateway, key, 'must answer');
    const calledAt = this.#now();
    const all = await this.#walk(gateway, '1000');
    if (all === undefined) {
      this.problems.push('LIST of versions at the end was not answered');
      return;
    }
    this.#noteListed(all, calledAt);
    for (const { key, etag } of all) {
      if (!expiring.includes(key)) continue;
      this.problems.push(`${key} should have expired: ${etag === '' ? 'a marker' : etag} is left`);
    }
  }

  /** Holds are lifted, versions and markers deleted, the bucket removed: the end of all histories. */
  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { key, id, etag } of (await this.#walk(gateway, '1000')) ?? []) {
      if (etag !== '') await this.#ask(gateway, holdCall(key, id, false));
      const query = { versionId: id };
      await this.#ask(gateway, { method: 'DELETE', path: pathOf(key), query });
    }
    for (const { key, id } of (await this.#walk(gateway, '1000')) ?? [])
      this.problems.push(`${key} ${id} could not be deleted at the end`);
    const answer = await this.#ask(gateway, { method: 'DELETE', path: `/${bucket}` });
    if (answer?.status !== 204)
      this.problems.push(`the empty bucket could not be removed: ${answer?.status}`);
  }

  checkHistories(): string[] {
    const wrong: string[] = [];
    for (const [key, history] of this.#histories) {
      const verdict = isLinearizable(history, '', versionsModel);
      if (verdict === 'undecided') this.undecided++;
      if (verdict === 'no')
        wrong.push(`versions of ${key} are not linearizable: ${JSON.stringify(history)}`);
    }
    return wrong;
  }

  #oneOf<T>(items: readonly T[]): T | undefined {
    return items[this.#random.below(Math.max(1, items.length))];
  }

  #ask(gateway: SimulatedGateway, call: S3Call): Promise<WholeResponse | undefined> {
    return this.asker.ask(gateway, call);
  }

  #begin(key: string, call: VersionsCall): OpenOperation {
    const operation = { call, calledAt: this.#now(), answeredAt: undefined };
    const history = this.#histories.get(key);
    if (history === undefined) this.#histories.set(key, [operation]);
    else history.push(operation);
    return operation;
  }

  #noteRead(key: string, call: VersionsCall, calledAt: number): void {
    const operation = this.#begin(key, call);
    Object.assign(operation, { calledAt, answeredAt: this.#now() });
  }

  #learn(key: string, name: string, answer: WholeResponse): void {
    const id = headerOf(answer, 'x-amz-version-id');
    if (id === '') this.problems.push(`${key}: an answer has no version id`);
    this.#known.push({ key, id, name });
  }

  async #put(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.makeUnique();
    const held = this.#random.below(4) === 0;
    const operation = this.#begin(key, { kind: 'put', version: etag + (held ? heldMark : '') });
    const headers = held ? { 'x-amz-object-lock-legal-hold': 'ON' } : {};
    const answer = await this.#ask(gateway, { method: 'PUT', path: pathOf(key), headers, body });
    if (answer?.status !== 200) return;
    operation.answeredAt = this.#now();
    this.#learn(key, etag, answer);
  }

  /** On what was the newest version when this client last heard of one, or on there being none. */
  async #putIf(gateway: SimulatedGateway, key: string): Promise<void> {
    const { body, etag } = this.#values.makeUnique();
    const newest = this.#known.findLast((each) => each.key === key)?.name ?? '';
    const expected = newest.startsWith(marker) ? '' : newest;
    const call: VersionsCall = { kind: 'put-if', expected, version: etag, refused: undefined };
    const operation = this.#begin(key, call);
    const headers: Record<string, string> =
      expected === '' ? { 'if-none-match': '*' } : { 'if-match': `"${expected}"` };
    const answer = await this.#ask(gateway, { method: 'PUT', path: pathOf(key), headers, body });
    // Without any object there is nothing that could match.
    const refused = answer?.status === 412 || (expected !== '' && answer?.status === 404);
    if (answer?.status !== 200 && !refused) return;
    call.refused = refused;
    operation.answeredAt = this.#now();
    if (!refused && answer !== undefined) this.#learn(key, etag, answer);
  }

  async #mark(gateway: SimulatedGateway, key: string): Promise<void> {
    const name = `${marker}${++this.#markers}`;
    const operation = this.#begin(key, { kind: 'put', version: name });
    const answer = await this.#ask(gateway, { method: 'DELETE', path: pathOf(key) });
    if (answer?.status !== 204) return;
    operation.answeredAt = this.#now();
    this.#learn(key, name, answer);
  }

  async #get(gateway: SimulatedGateway, key: string, mode = 'may fail'): Promise<void> {
    const calledAt = this.#now();
    const answer = await this.#ask(gateway, { method: 'GET', path: pathOf(key) });
    if (answer?.status === 404) return this.#noteRead(key, { kind: 'read', version: '' }, calledAt);
    if (answer?.status !== 200) {
      if (mode === 'must answer')
        this.problems.push(`GET ${key} at the end: ${answer?.status ?? 'broken off'}`);
      return;
    }
    const etag = etagOf(answer);
    this.#checkBytes(key, etag, answer);
    this.#noteRead(key, { kind: 'read', version: etag }, calledAt);
  }

  async #getVersion(gateway: SimulatedGateway, { key, id, name }: KnownVersion): Promise<void> {
    const calledAt = this.#now();
    const call = { method: 'GET', path: pathOf(key), query: { versionId: id } };
    const answer = await this.#ask(gateway, call);
    // A marker is there as what can't be read.
    const isThere = answer?.status === (name.startsWith(marker) ? 405 : 200);
    if (!isThere && answer?.status !== 404) return;
    if (answer.status === 200) {
      if (etagOf(answer) !== name) this.problems.push(`${key} ${id} is ${etagOf(answer)}`);
      this.#checkBytes(key, name, answer);
    }
    this.#noteRead(key, { kind: 'read-version', version: name, isThere }, calledAt);
  }

  #checkBytes(key: string, etag: string, answer: WholeResponse): void {
    const fault = this.#values.faultOf(etag, answer.body, 0);
    if (fault !== undefined) this.problems.push(`${key}: ${fault}`);
    else if (answer.body.length !== Number(headerOf(answer, 'content-length')))
      this.problems.push(`${key}: ${answer.body.length} bytes came of ${etag}`);
  }

  async #remove(gateway: SimulatedGateway, { key, id, name }: KnownVersion): Promise<void> {
    const call: VersionsCall = { kind: 'remove', version: name, refused: undefined };
    const operation = this.#begin(key, call);
    const query = { versionId: id };
    const answer = await this.#ask(gateway, { method: 'DELETE', path: pathOf(key), query });
    if (answer?.status !== 204 && answer?.status !== 403) return;
    call.refused = answer.status === 403;
    operation.answeredAt = this.#now();
  }

  async #hold(gateway: SimulatedGateway, { key, id, name }: KnownVersion): Promise<void> {
    if (name.startsWith(marker)) return;
    const on = this.#random.below(2) === 0;
    const call: VersionsCall = { kind: 'hold', version: name, on, refused: undefined };
    const operation = this.#begin(key, call);
    const answer = await this.#ask(gateway, holdCall(key, id, on));
    if (answer?.status !== 200 && answer?.status !== 404) return;
    call.refused = answer.status === 404;
    operation.answeredAt = this.#now();
  }

  /** Versions, markers, and uploads that nobody completes: all of it is the rules' to remove. */
  async #putExpiring(gateway: SimulatedGateway): Promise<void> {
    const path = pathOf(this.#oneOf(expiring) ?? '');
    switch (this.#random.below(4)) {
      case 0:
        await this.#ask(gateway, { method: 'POST', path, query: { uploads: '' } });
        return;
      case 1:
        await this.#ask(gateway, { method: 'DELETE', path });
        return;
      default:
        await this.#ask(gateway, { method: 'PUT', path, body: this.#values.makeUnique().body });
    }
  }

  /** On one page each key is one read; on pages of two only their order is looked at. */
  async #list(gateway: SimulatedGateway): Promise<void> {
    const calledAt = this.#now();
    const isWhole = this.#random.below(3) > 0;
    const all = await this.#walk(gateway, isWhole ? '1000' : '2');
    if (isWhole && all !== undefined) this.#noteListed(all, calledAt);
  }

  #noteListed(all: readonly Listed[], calledAt: number): void {
    for (const key of keys) {
      const found = all.filter((each) => each.key === key);
      const versions = found.map(({ etag }) => (etag === '' ? marker : etag)).join('|');
      this.#noteRead(key, { kind: 'read-all', versions }, calledAt);
    }
  }

  /** Undefined when a page was not answered. */
  async #walk(gateway: SimulatedGateway, pageKeys: string): Promise<readonly Listed[] | undefined> {
    const all: Listed[] = [];
    let from: Readonly<Record<string, string>> | undefined = {};
    while (from !== undefined) {
      const query = { versions: '', 'max-keys': pageKeys, ...from };
      const answer = await this.#ask(gateway, { method: 'GET', path: `/${bucket}`, query });
      if (answer?.status !== 200) return undefined;
      const text = decodeUtf8(answer.body);
      all.push(...entriesOf(text));
      from = nextOf(text);
    }
    this.#checkOrder(all);
    return all;
  }

  #checkOrder(all: readonly Listed[]): void {
    const ids = new Set<string>();
    let previous = '';
    for (const { key, id } of all) {
      if (key < previous) this.problems.push(`LIST of versions has ${key} after ${previous}`);
      if (ids.has(`${key} ${id}`)) this.problems.push(`LIST of versions has ${key} ${id} twice`);
      ids.add(`${key} ${id}`);
      previous = key;
      if (!keys.includes(key) && !expiring.includes(key))
        this.problems.push(`LIST of versions has ${key}`);
    }
  }
}

function pathOf(key: string): string {
  return `/${bucket}/${key}`;
}

function holdCall(key: string, versionId: string, on: boolean): S3Call {
  const body = encodeUtf8(`<LegalHold><Status>${on ? 'ON' : 'OFF'}</Status></LegalHold>`);
  return {
    method: 'PUT',
    path: pathOf(key),
    query: { 'legal-hold': '', versionId },
    headers: { 'content-md5': md5Base64(body) },
    body,
  };
}

function entriesOf(text: string): readonly Listed[] {
  const entries = /<(Version|DeleteMarker)>([\s\S]*?)<\/\1>/g;
  return [...text.matchAll(entries)].map(([, , body = '']) => ({
    key: /<Key>([^<]*)</.exec(body)?.[1] ?? '',
    id: /<VersionId>([^<]*)</.exec(body)?.[1] ?? '',
    etag: /<ETag>(?:&quot;|"|&#34;)([^&"]*)/.exec(body)?.[1] ?? '',
  }));
}

function nextOf(text: string): Readonly<Record<string, string>> | undefined {
  if (!text.includes('<IsTruncated>true<')) return undefined;
  return {
    'key-marker': /<NextKeyMarker>([^<]*)</.exec(text)?.[1] ?? '',
    'version-id-marker': /<NextVersionIdMarker>([^<]*)</.exec(text)?.[1] ?? '',
  };
}
