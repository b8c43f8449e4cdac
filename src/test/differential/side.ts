// One of the two services: sends what a sequence asks for, signed with its own keys, and keeps the ids that it
// gives, so that sequences and answers speak of them by name.

import { Agent, request as httpRequest } from 'node:http';
import { sign } from '../../s3/testing/gateway-suite.ts';
import { encodeForm, type Form, type Keys } from './form.ts';

/** Of both services, under the same names; nobody signs nothing. */
export type Who = 'main' | 'alt' | 'nobody';

/** Of a session's keys, used whole or spoilt. */
export type SessionUse = 'whole' | 'without-token' | 'cut-token' | 'wrong-secret' | 'own-keys';

/** The most that one bucket, or all of a user's, may hold; nothing: no quota. */
export interface QuotaOrder {
  readonly kind: 'bucket' | 'user';
  readonly name: string;
  readonly owner: Exclude<Who, 'nobody'>;
  readonly bytes?: number | undefined;
  readonly objects?: number | undefined;
}

export interface Step {
  /** As in the names of S3's actions. */
  readonly action: string;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Default `main`. */
  readonly who?: Who;
  /** Default `s3`. */
  readonly service?: 'iam' | 'sts' | 'sns';
  /** Posted as a form in place of a body: what IAM, STS and SNS ask for. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Signed with the keys that the step of this name was given, in place of the user's. */
  readonly session?: { readonly name: string; readonly use: SessionUse };
  /** Nothing is asked of S3: who runs the service sets a quota. */
  readonly quota?: QuotaOrder;
  /** Until what it changed is seen by all that follows. */
  readonly pauseMs?: number;
  /** Posted in place of a body, by whoever signs it. */
  readonly form?: Form;
  /** Asked of the bucket's website, by nobody; the path has no bucket. */
  readonly website?: string;
  /** What holds of the bucket, or of all, when the step is taken: what explains a difference may depend on it. */
  readonly facts?: readonly string[];
  /** Ids that its answer gives are known by this from then on, as `{upload:NAME}`, `{version:NAME}`, `{token:NAME}`; topics as `{topic:ITS NAME}`. */
  readonly name: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** What was asked for, as it was sent. */
  readonly target: string;
}

export interface SideOptions {
  readonly url: string;
  readonly main: Keys;
  /** Undefined: there is one user only. */
  readonly alt: Keys | undefined;
  /** Under which `BUCKET.NAME` is the bucket's website. */
  readonly websiteName: string | undefined;
  /** Where its topics send events: `{webhook}` in parameters. */
  readonly webhook: string;
  /** By whoever runs it. Undefined: nobody here may. */
  readonly setQuota: ((side: Side, order: QuotaOrder) => Promise<void>) | undefined;
}

/** The other service may have named it: equal to everything. */
export const unnamed = '{unnamed}';

const requestMs = 60_000;

const formType = 'application/x-www-form-urlencoded; charset=utf-8';

interface SessionKeys extends Keys {
  readonly token: string;
}

interface Sent {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** `ACCESS:SECRET`. */
export function parseKeys(text: string): Keys {
  const [accessKey = '', secretKey = ''] = text.split(':');
  return { accessKey, secretKey };
}

export class Side {
  readonly url: URL;
  readonly websiteName: string | undefined;
  readonly webhook: string;
  readonly #options: SideOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** By placeholder, and back. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  /** By the step that was given them. */
  readonly #sessions = new Map<string, SessionKeys>();

  constructor(options: SideOptions) {
    this.#options = options;
    this.url = new URL(options.url);
    this.websiteName = options.websiteName;
    this.webhook = options.webhook;
  }

  /** Those that can sign. */
  get users(): readonly Who[] {
    return this.#options.alt === undefined ? ['main'] : ['main', 'alt'];
  }

  #keep(kind: string, name: string, id: string | undefined): void {
    if (id === undefined || id === '') return;
    const place = `{${kind}:${name}}`;
    this.#ids.set(place, id);
    // A version's id is one among those of its key: others may have the same.
    const known = this.#names.get(id);
    if (id !== 'null')
      this.#names.set(id, known === undefined || known === place ? place : unnamed);
  }

  /** A name that this service gave no id for stands for one that nobody gave. */
  #resolve(text: string): string {
    return text
      .replace(/\{(upload|version|token|topic):[^}]*\}/g, (place) => this.#ids.get(place) ?? 'none')
      .replace('{webhook}', this.#options.webhook);
  }

  /** The name of an id that this service gave; `unnamed` where it did not say what it gave it to. */
  nameOf(id: string): string {
    if (id === '' || id === 'null') return id;
    return this.#names.get(id) ?? unnamed;
  }

  forget(): void {
    this.#ids.clear();
    this.#names.clear();
    this.#sessions.clear();
  }

  get canSetQuotas(): boolean {
    return this.#options.setQuota !== undefined;
  }

  /** Throws when it was not set. */
  async setQuota(order: QuotaOrder): Promise<void> {
    await this.#options.setQuota?.(this, order);
  }

  /** What is signed with, and which token is sent beside it. */
  #signedAs({ who = 'main', session }: Step): [keys: Keys | undefined, token: string | undefined] {
    const own = this.#keysOf(who);
    if (session === undefined) return [own, undefined];
    const { name, use } = session;
    // One that was never given is as good as one that is made up.
    const known = this.#sessions.get(name) ?? {
      accessKey: 'NOSUCHKEY',
      secretKey: 'x',
      token: 'x',
    };
    switch (use) {
      case 'whole':
        return [known, known.token];
      case 'without-token':
        return [known, undefined];
      case 'cut-token':
        return [known, known.token.slice(0, -8)];
      case 'wrong-secret':
        return [{ ...known, secretKey: `${known.secretKey}x` }, known.token];
      case 'own-keys':
        return [own, known.token];
    }
  }

  #keysOf(who: Who): Keys | undefined {
    const { main, alt } = this.#options;
    if (who === 'nobody') return undefined;
    const keys = who === 'main' ? main : alt;
    if (keys === undefined) throw new Error(`${this.url.host}: no keys for user ${who}`);
    return keys;
  }

  #resolved(pairs: Step['query'] = {}): Record<string, string> {
    return Object.fromEntries(
      Object.entries(pairs).map(([name, value]) => [name, this.#resolve(value)]),
    );
  }

  #unsigned(step: Step, body: Uint8Array | string, more: Record<string, string> = {}): Sent {
    const query = Object.entries(this.#resolved(step.query))
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
      .join('&');
    const path = step.path.split('/').map(encodeURIComponent).join('/');
    const isSent = body.length > 0 || step.method === 'PUT' || step.method === 'POST';
    const length = isSent ? { 'content-length': String(Buffer.byteLength(body)) } : {};
    const headers = { host: this.url.host, ...length, ...this.#resolved(step.headers), ...more };
    return { target: query === '' ? path : `${path}?${query}`, headers, body };
  }

  #sent(step: Step): Sent {
    const { form, website, parameters } = step;
    const body =
      parameters !== undefined
        ? new URLSearchParams(this.#resolved(parameters)).toString()
        : typeof step.body === 'string'
          ? this.#resolve(step.body)
          : step.body;
    if (website !== undefined)
      return this.#unsigned(step, body ?? '', { host: `${website}.${this.websiteName}` });
    const [keys, token] = this.#signedAs(step);
    if (form !== undefined) {
      const filled = encodeForm(form, keys ?? this.#options.main);
      return this.#unsigned(step, filled.body, { 'content-type': filled.contentType });
    }
    if (keys === undefined) return this.#unsigned(step, body ?? '');
    const signed = sign({
      method: step.method,
      path: step.path,
      query: this.#resolved(step.query),
      headers: {
        ...this.#resolved(step.headers),
        ...(token === undefined ? {} : { 'x-amz-security-token': token }),
        ...(parameters === undefined ? {} : { 'content-type': formType }),
        host: this.url.host,
      },
      ...(body === undefined ? {} : { body }),
      ...(step.service === undefined ? {} : { service: step.service }),
      user: { name: '', ...keys },
    });
    return { target: signed.target, headers: Object.fromEntries(signed.headers), body: body ?? '' };
  }

  async send(step: Step): Promise<Answer> {
    const sent = this.#sent(step);
    // A service that refuses a body without reading it may close the connection before its answer is seen.
    const answer = await this.#exchange(step, sent).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
      return this.#exchange(step, sent);
    });
    this.#learn(step, answer);
    return answer;
  }

  #exchange({ method, website, service }: Step, { target, headers, body }: Sent): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.url;
      // radosgw sends more of some errors than it says: nothing can follow on that connection.
      const isLoose = website !== undefined || service !== undefined;
      let isWhole = (): boolean => false;
      const request = httpRequest(
        {
          ...{ hostname, port, path: target, method, timeout: requestMs },
          agent: isLoose ? false : this.#agent,
          headers,
        },
        (response) => {
          const pieces: Buffer[] = [];
          isWhole = () => response.complete;
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.once('error', reject);
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: new Map(
                Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
              ),
              body: Buffer.concat(pieces),
              target,
            }),
          );
        },
      );
      request.once('timeout', () => request.destroy(new Error(`no answer in ${requestMs} ms`)));
      request.on('error', (error) => {
        if (!isWhole()) reject(error);
      });
      request.end(body);
    });
  }

  #learn({ action, name, query, parameters }: Step, { headers, body }: Answer): void {
    if (/^(Put|Copy|Delete|Post)Object$/.test(action) && query?.versionId === undefined)
      this.#keep('version', name, headers.get('x-amz-version-id'));
    const text = Buffer.from(body).toString();
    if (!/^<(\?xml|\w+Response\b)/.test(text)) return;
    const first = (element: string): string | undefined =>
      new RegExp(`<${element}>([^<]+)</${element}>`).exec(text)?.[1];
    if (action === 'CreateMultipartUpload') this.#keep('upload', name, first('UploadId'));
    if (action === 'CreateTopic') this.#keep('topic', parameters?.Name ?? '', first('TopicArn'));
    const [accessKey, secretKey, token] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map(
      first,
    );
    if (accessKey !== undefined && secretKey !== undefined && token !== undefined)
      this.#sessions.set(name, { accessKey, secretKey, token });
    if (action === 'ListObjectsV2') this.#keep('token', name, first('NextContinuationToken'));
    // Markers that a delete of several made.
    for (const [index, [, id]] of [
      ...text.matchAll(/<DeleteMarkerVersionId>([^<]+)<\/DeleteMarkerVersionId>/g),
    ].entries())
      this.#keep('version', `${name}.${index}`, id);
  }

  close(): void {
    this.#agent.destroy();
  }
}
