// Asks the admin API. node:http instead of fetch, which takes 50 ms to load.

import { Agent, request as httpRequest } from 'node:http';
import type { AdminErrorCode } from '../admin/views.ts';
import { CliError, type ExitCode } from './errors.ts';

export interface AdminLocation {
  /** `http://host:port` */
  readonly url: string;
  readonly token: string;
}

/** The status of a thousand PGs is half a megabyte. */
const answerBytesMax = 64 * 1024 * 1024;

const timeoutMs = 15_000;

const exitCodeOf: Readonly<Record<AdminErrorCode, ExitCode>> = {
  invalid: 2,
  unauthorized: 1,
  'not-found': 1,
  refused: 1,
  unsafe: 3,
  unavailable: 1,
};

/** Nobody answers at the address, or what answers is something else. */
export class AdminUnreachable extends CliError {}

export class AdminClient {
  readonly #location: AdminLocation;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(location: AdminLocation) {
    this.#location = location;
  }

  get url(): string {
    return this.#location.url;
  }

  /** Throws `CliError` with the exit code of the refusal. */
  get<T>(path: string): Promise<T> {
    return this.#ask('GET', path, undefined);
  }

  post<T>(path: string, fields: object): Promise<T> {
    return this.#ask('POST', path, fields);
  }

  delete<T>(path: string): Promise<T> {
    return this.#ask('DELETE', path, undefined);
  }

  close(): void {
    this.#agent.destroy();
  }

  #ask<T>(method: string, path: string, fields: object | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (words: string, cause?: unknown): void =>
        reject(
          new AdminUnreachable(1, `the admin API at ${this.#location.url} ${words}`, { cause }),
        );
      const body = fields === undefined ? undefined : JSON.stringify(fields);
      const request = httpRequest(
        `${this.#location.url}${path}`,
        {
          method,
          agent: this.#agent,
          timeout: timeoutMs,
          headers: {
            authorization: `Bearer ${this.#location.token}`,
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        },
        (response) => {
          const pieces: Buffer[] = [];
          let bytes = 0;
          response.on('data', (piece: Buffer) => {
            bytes += piece.length;
            pieces.push(piece);
            if (bytes > answerBytesMax) request.destroy(new Error('its answer has no end'));
          });
          response.on('error', (error) => fail(`broke off: ${error.message}`, error));
          response.on('end', () => {
            const answer = parseAnswer(Buffer.concat(pieces).toString('utf8'));
            if (answer === undefined) fail(`answers ${response.statusCode} and no JSON`);
            else if ('error' in answer) reject(refusalOf(answer.error));
            else resolve(answer as T);
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) => fail(`is not reached: ${error.message}`, error));
      request.end(body);
    });
  }
}

function parseAnswer(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function refusalOf(error: unknown): CliError {
  const { code, message } = error as { readonly code: AdminErrorCode; readonly message: string };
  return new CliError(exitCodeOf[code] ?? 1, String(message));
}
