// One of the two services: sends what a sequence asks for, signed with its own keys, and keeps the ids that it
// gives, so that sequences and answers speak of them by name.

import { Agent, request as httpRequest } from 'node:http';
import { sign } from '../../s3/testing/gateway-suite.ts';
import { encodeForm, type Form, type Keys } from './form.ts';

/** Of both services, under the same names; nobody signs nothing. */
export type Who = 'main' | 'alt' | 'nobody';

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
  readonly service?: 'iam';
  /** Posted in place of a body, by whoever signs it. */
  readonly form?: Form;
  /** Asked of the bucket's website, by nobody; the path has no bucket. */
  readonly website?: string;
  /** What holds of the bucket, or of all, when the step is taken: what explains a difference may depend on it. */
  readonly facts?: readonly string[];
  /** Ids that its answer gives are known by this from then on, as `{upload:NAME}`, `{version:NAME}`, `{token:NAME}`. */
  readonly name: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface SideOptions {
  readonly url: string;
  readonly main: Keys;
  /** Undefined: there is one user only. */
  readonly alt: Keys | undefined;
  /** Under which `BUCKET.NAME` is the bucket's website. */
  readonly websiteName: string | undefined;
}

/** The other service may have named it: equal to everything. */
export const unnamed = '{unnamed}';

const requestMs = 60_000;

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
  readonly #options: SideOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** By placeholder, and back. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();

  constructor(options: SideOptions) {
    this.#options = options;
    this.url = new URL(options.url);
    this.websiteName = options.websiteName;
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
    if (id !== 'null') this.#names.set(id, this.#names.has(id) ? unnamed : place);
  }

  /** A name that this service gave no id for stands for one that nobody gave. */
  #resolve(text: string): string {
    return text.replace(
      /\{(upload|version|token):[^}]*\}/g,
      (place) => this.#ids.get(place) ?? 'none',
    );
  }

  /** The name of an id that this service gave; `unnamed` where it did not say what it gave it to. */
  nameOf(id: string): string {
    if (id === '' || id === 'null') return id;
    return this.#names.get(id) ?? unnamed;
  }

  forget(): void {
    this.#ids.clear();
    this.#names.clear();
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
    const { form, who = 'main', website } = step;
    const body = typeof step.body === 'string' ? this.#resolve(step.body) : step.body;
    if (website !== undefined)
      return this.#unsigned(step, body ?? '', { host: `${website}.${this.websiteName}` });
    const keys = this.#keysOf(who);
    if (form !== undefined) {
      const filled = encodeForm(form, keys ?? this.#options.main);
      return this.#unsigned(step, filled.body, { 'content-type': filled.contentType });
    }
    if (keys === undefined) return this.#unsigned(step, body ?? '');
    const signed = sign({
      method: step.method,
      path: step.path,
      query: this.#resolved(step.query),
      headers: { ...this.#resolved(step.headers), host: this.url.host },
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

  #learn({ action, name, query }: Step, { headers, body }: Answer): void {
    if (/^(Put|Copy|Delete|Post)Object$/.test(action) && query?.versionId === undefined)
      this.#keep('version', name, headers.get('x-amz-version-id'));
    if (headers.get('content-type') !== 'application/xml') return;
    const text = Buffer.from(body).toString();
    const first = (element: string): string | undefined =>
      new RegExp(`<${element}>([^<]+)</${element}>`).exec(text)?.[1];
    if (action === 'CreateMultipartUpload') this.#keep('upload', name, first('UploadId'));
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
