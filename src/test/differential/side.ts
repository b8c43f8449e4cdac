// One of the two services: sends what a sequence asks for, signed with its own keys, and keeps the ids that it
// gives, so that sequences and answers speak of them by name.

import { Agent, request as httpRequest } from 'node:http';
import { sign } from '../../s3/testing/gateway-suite.ts';

export interface Step {
  /** As in the names of S3's actions. */
  readonly action: string;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Ids that its answer gives are known by this from then on, as `{upload:NAME}`, `{version:NAME}`, `{token:NAME}`. */
  readonly name: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** The other service may have named it: equal to everything. */
export const unnamed = '{unnamed}';

const requestMs = 60_000;

export class Side {
  readonly url: URL;
  readonly #user: { readonly name: string; readonly accessKey: string; readonly secretKey: string };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** By placeholder, and back. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();

  /** `keys` is `ACCESS:SECRET`. */
  constructor(url: string, keys: string) {
    this.url = new URL(url);
    const [accessKey = '', secretKey = ''] = keys.split(':');
    this.#user = { name: '', accessKey, secretKey };
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

  async send(step: Step): Promise<Answer> {
    const resolved = (pairs: Step['query'] = {}): Record<string, string> =>
      Object.fromEntries(
        Object.entries(pairs).map(([name, value]) => [name, this.#resolve(value)]),
      );
    const body = typeof step.body === 'string' ? this.#resolve(step.body) : step.body;
    const signed = sign({
      method: step.method,
      path: step.path,
      query: resolved(step.query),
      headers: { ...resolved(step.headers), host: this.url.host },
      ...(body === undefined ? {} : { body }),
      user: this.#user,
    });
    const answer = await this.#exchange(step.method, signed.target, signed.headers, body ?? '');
    this.#learn(step, answer);
    return answer;
  }

  #exchange(
    method: string,
    path: string,
    headers: readonly (readonly [string, string])[],
    body: Uint8Array | string,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.url;
      const request = httpRequest(
        {
          ...{ hostname, port, path, method, agent: this.#agent, timeout: requestMs },
          headers: Object.fromEntries(headers),
        },
        (response) => {
          const pieces: Buffer[] = [];
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
      request.once('error', reject);
      request.end(body);
    });
  }

  #learn({ action, name, query }: Step, { headers, body }: Answer): void {
    if (/^(Put|Copy|Delete)Object$/.test(action) && query?.versionId === undefined)
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
