// A bucket as a website: anybody reads its pages through all gateways while its owner puts and deletes pages, and changes
// what its index and error documents are and where readers are sent. Each answer must follow from a configuration that its
// gateway may go by, and from pages as they may be: what an answer says of several pages is a read of each.

import { encodeUtf8 } from '../base/bytes.ts';
import type { HttpRequest } from '../env/http.ts';
import type { Random } from '../env/random.ts';
import { KeyHistories } from './key-histories.ts';
import type { Model } from './linearizability.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { etagOf, headerOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { heardMsMax, heardOfBucket, ToldValue } from './told-value.ts';
import { policyText, wordsOf } from './users-workload.ts';

/** Under which gateways serve websites. */
export const websiteName = 'web.localhost';

/** States are ETags; empty: there is no such page. */
export type PageCall =
  | { readonly kind: 'put'; readonly etag: string }
  | { readonly kind: 'read'; readonly etag: string }
  /** Some bytes or other. */
  | { readonly kind: 'is-there' };

export const pageModel: Model<string, PageCall> = (state, call) => {
  switch (call.kind) {
    case 'put':
      return call.etag;
    case 'read':
      return state === call.etag ? state : undefined;
    case 'is-there':
      return state === '' ? undefined : state;
  }
};

/** A configuration as far as it decides what is answered. */
export interface Site {
  /** Undefined: it is no website. */
  readonly index: string | undefined;
  readonly error?: string;
  /** Readers of anything are sent there. */
  readonly allTo?: string;
  /** Readers below `old/` are sent to `pages/`. */
  readonly movesOld?: boolean;
  /** Readers of what is not there are sent to that page. */
  readonly absentTo?: string;
}

const sites: readonly Site[] = [
  { index: undefined },
  { index: 'index.html' },
  { index: 'home.html' },
  { index: 'index.html', error: 'error.html' },
  { index: 'home.html', error: 'error.html', movesOld: true },
  { index: 'index.html', absentTo: 'page' },
  { index: '', allTo: 'elsewhere.example' },
];

/** What somebody was shown, or where sent. */
export interface Shown {
  readonly status: number;
  readonly location: string;
  /** Empty: no page. */
  readonly etag: string;
  /** Of an answer in XML, else empty; undefined: an answer without a body does not say. */
  readonly code: string | undefined;
}

type Reads = readonly (readonly [key: string, call: PageCall])[];

const noWebsite = 'NoSuchWebsiteConfiguration';

/** What the answer says of pages, if the website is configured so; undefined: it can't have been. */
export function readsOf(site: Site, path: string, host: string, shown: Shown): Reads | undefined {
  const { status, location, etag } = shown;
  const { index } = site;
  const isSent = (code: number, to: string): boolean => status === code && location === to;
  const isEmpty = status === 404 && location === '' && etag === '';
  if (index === undefined)
    return isEmpty && (shown.code ?? noWebsite) === noWebsite ? [] : undefined;
  const key = path.slice(1);
  if (site.allTo !== undefined) return isSent(301, `http://${site.allTo}/${key}`) ? [] : undefined;
  if (site.movesOld === true && key.startsWith('old/'))
    return isSent(301, `http://${host}/pages/${key.slice(4)}`) ? [] : undefined;
  const isDirectory = key === '' || key.endsWith('/');
  const page = isDirectory ? key + index : key;
  if (status === 200) return [[page, { kind: 'read', etag }]];
  const absent: Reads = [[page, { kind: 'read', etag: '' }]];
  const inside = `${key}/${index}`;
  if (!isDirectory && isSent(302, `${path}/`)) return [...absent, [inside, { kind: 'is-there' }]];
  const outside: Reads = isDirectory ? absent : [...absent, [inside, { kind: 'read', etag: '' }]];
  if (site.absentTo !== undefined)
    return isSent(302, `http://${host}/${site.absentTo}`) ? outside : undefined;
  if (status !== 404 || location !== '' || (shown.code ?? '') !== '') return undefined;
  if (site.error === undefined) return etag === '' ? outside : undefined;
  return [...outside, [site.error, { kind: 'read', etag }]];
}

function documentOf({ index, error, allTo, movesOld, absentTo }: Site): string {
  const wrap = (name: string, ...inner: readonly string[]): string =>
    `<${name}>${inner.join('')}</${name}>`;
  if (allTo !== undefined)
    return wrap('WebsiteConfiguration', wrap('RedirectAllRequestsTo', wrap('HostName', allTo)));
  const rules: string[] = [];
  if (movesOld === true)
    rules.push(
      wrap(
        'RoutingRule',
        wrap('Condition', wrap('KeyPrefixEquals', 'old/')),
        wrap('Redirect', wrap('ReplaceKeyPrefixWith', 'pages/')),
      ),
    );
  if (absentTo !== undefined)
    rules.push(
      wrap(
        'RoutingRule',
        wrap('Condition', wrap('HttpErrorCodeReturnedEquals', '404')),
        wrap('Redirect', wrap('ReplaceKeyWith', absentTo), wrap('HttpRedirectCode', '302')),
      ),
    );
  return wrap(
    'WebsiteConfiguration',
    wrap('IndexDocument', wrap('Suffix', index ?? '')),
    error === undefined ? '' : wrap('ErrorDocument', wrap('Key', error)),
    rules.length === 0 ? '' : wrap('RoutingRules', ...rules),
  );
}

const pages = [
  'index.html',
  'home.html',
  'error.html',
  'page',
  'pages/index.html',
  'pages/home.html',
];

const paths = ['/', '/page', '/pages/', '/pages', '/absent', '/old/x', '/error.html', '/home.html'];

/** A change without an answer may be made much later: its bucket is left for a new one, so often. */
const bucketsMax = 3;
const attemptsMax = 5;

interface PublicBucket {
  readonly bucket: S3Bucket;
  readonly told: ToldValue<Site>;
  /** From then on all gateways know that anybody may read it. */
  readonly readableFrom: number;
}

export class WebsiteWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly asker = new S3Asker(this.problems);
  readonly histories: KeyHistories<PageCall>;
  operations = 0;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly #buckets: PublicBucket[] = [];
  /** It is made, perhaps, and not used yet. */
  #begunBucket: S3Bucket | undefined;
  #isMakingBucket = false;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.histories = new KeyHistories(now, pageModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax && this.#buckets.length === 0; attempt++)
      await this.#makeBucket(gateway);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const site = this.#buckets.at(-1);
    if (site === undefined) return;
    switch (this.#random.below(12)) {
      case 0:
        return this.#configure(gateway, site);
      case 1:
      case 2:
        return this.#put(gateway, site);
      case 3:
      case 4:
        return this.#remove(gateway, site);
      case 5:
        return this.#replaceIfUnknown(gateway, site);
      default:
        return this.#browse(gateway, site);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets)
      for (const page of pages) {
        const calledAt = this.#now();
        const call = { method: 'GET', path: bucket.pathOf(page) };
        const answer = await this.asker.ask(gateway, call);
        if (answer?.status !== 200 && answer?.status !== 404)
          this.problems.push(`GET ${call.path} at the end: ${wordsOf(answer)}`);
        else this.#noteRead(bucket, page, { kind: 'read', etag: etagOf(answer) }, calledAt);
      }
    const site = this.#buckets.at(-1);
    if (site === undefined) return;
    for (const path of paths) await this.#browse(gateway, site, path);
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets) await bucket.remove(gateway);
    await this.#begunBucket?.removeBegun(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('page');
  }

  #noteRead(bucket: S3Bucket, page: string, call: PageCall, calledAt: number): void {
    this.histories.noteRead(bucket.pathOf(page), call, calledAt);
  }

  /** One that anybody may read and list: what is not there is then not found rather than denied. */
  async #makeBucket(gateway: SimulatedGateway): Promise<void> {
    const name = `site-${this.#buckets.length}`;
    const bucket = new S3Bucket(name, this.asker, this.problems);
    this.#begunBucket = bucket;
    const statements = [
      ['s3:GetObject', `arn:aws:s3:::${name}/*`],
      ['s3:ListBucket', `arn:aws:s3:::${name}`],
    ].map(([Action, Resource]) => ({ Effect: 'Allow', Principal: '*', Action, Resource }));
    const body = encodeUtf8(policyText(statements));
    const policy = { method: 'PUT', path: `/${name}`, query: { policy: '' }, body };
    const made = await this.asker.ask(gateway, { method: 'PUT', path: `/${name}` });
    if (made === undefined || made.status >= 500) return;
    const answer = await this.asker.ask(gateway, policy);
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status >= 300) this.problems.push(`a policy for ${name}: ${wordsOf(answer)}`);
    const readableFrom = this.#now() + heardMsMax;
    this.#begunBucket = undefined;
    this.#buckets.push({ bucket, told: new ToldValue<Site>(sites[0] as Site), readableFrom });
  }

  async #replaceIfUnknown(gateway: SimulatedGateway, { told }: PublicBucket): Promise<void> {
    if (told.isChanging || told.isCertain || this.#isMakingBucket) return;
    if (this.#buckets.length >= bucketsMax) return;
    this.#isMakingBucket = true;
    await this.#makeBucket(gateway);
    this.#isMakingBucket = false;
  }

  async #configure(gateway: SimulatedGateway, { bucket, told }: PublicBucket): Promise<void> {
    if (told.isChanging || !told.isCertain) return;
    const next = oneOf(
      this.#random,
      sites.filter((each) => each !== told.newest),
    );
    const call = { path: `/${bucket.name}`, query: { website: '' } };
    told.isChanging = true;
    const change = told.begin(next, this.#now());
    const answer = await this.asker.ask(
      gateway,
      next.index === undefined
        ? { ...call, method: 'DELETE' }
        : { ...call, method: 'PUT', body: encodeUtf8(documentOf(next)) },
    );
    told.isChanging = false;
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status >= 300)
      this.problems.push(`website ${JSON.stringify(next)}: ${wordsOf(answer)}`);
    change.acknowledged = { at: this.#now(), gateway: gateway.name, revision: 0 };
  }

  async #put(gateway: SimulatedGateway, { bucket }: PublicBucket): Promise<void> {
    const path = bucket.pathOf(oneOf(this.#random, pages));
    const { body, etag } = this.#values.makeUnique();
    const operation = this.histories.begin(path, { kind: 'put', etag });
    const answer = await this.asker.ask(gateway, { method: 'PUT', path, body });
    if (answer?.status === 200) this.histories.end(operation);
  }

  async #remove(gateway: SimulatedGateway, { bucket }: PublicBucket): Promise<void> {
    const path = bucket.pathOf(oneOf(this.#random, pages));
    const operation = this.histories.begin(path, { kind: 'put', etag: '' });
    const answer = await this.asker.ask(gateway, { method: 'DELETE', path });
    if (answer?.status === 204) this.histories.end(operation);
  }

  async #browse(
    gateway: SimulatedGateway,
    { bucket, told, readableFrom }: PublicBucket,
    path = oneOf(this.#random, paths),
  ): Promise<void> {
    const calledAt = this.#now();
    if (calledAt < readableFrom) return;
    const host = `${bucket.name}.${websiteName}`;
    const method = this.#random.below(4) === 0 ? 'HEAD' : 'GET';
    const answer = await this.asker.send(gateway, browse(method, host, path), `${host}${path}`);
    if (answer === undefined || answer.status >= 500) return;
    const shown = {
      status: answer.status,
      location: headerOf(answer, 'location'),
      etag: etagOf(answer),
      code: method === 'HEAD' ? undefined : (elementOf(answer, 'Code') ?? ''),
    };
    const fault =
      method === 'GET' && shown.etag !== ''
        ? this.#values.faultOf(shown.etag, answer.body, 0)
        : undefined;
    if (fault !== undefined) this.problems.push(`${host}${path}: ${fault}`);
    const possible = told.possible(heardOfBucket(gateway.name, calledAt), this.#now());
    const explanations = possible
      .map((site) => readsOf(site, path, host, shown))
      .filter((reads) => reads !== undefined);
    if (explanations.length === 0)
      this.problems.push(
        `${host}${path}, asked of ${gateway.name} at ${calledAt.toFixed(1)} ms, is ${JSON.stringify(shown)}; the website may be ${JSON.stringify(possible)}`,
      );
    // Where several configurations could have led to it, it says nothing of pages for certain.
    const [reads, ...others] = explanations;
    if (reads === undefined || others.length > 0) return;
    for (const [page, call] of reads) this.#noteRead(bucket, page, call, calledAt);
  }
}

function browse(method: string, host: string, target: string): HttpRequest {
  const body = { next: async () => undefined };
  return { method, target, headers: [['host', host]], body, remote: 'client:1' };
}
