// HTTP for the gateways. The core gets the raw target and header bytes (as latin-1 strings, one
// character a byte: signatures cover them) and decides everything else; `host` only parses and frames.

import type { Address, Listener } from './network.ts';

/** Bodies are pulled: nothing is read from the client before `next` is called. */
export interface BodySource {
  /** The next bytes, never empty, the caller's to keep; undefined at the end. Throws `BodyError`. */
  next(): Promise<Uint8Array | undefined>;
}

/** The peer went away or stalled before the body was whole. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
}

export interface HttpRequest {
  readonly method: string;
  /** As sent: path and query, percent-encoding untouched. */
  readonly target: string;
  /** Names as sent, in order, repeated ones apart. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: BodySource;
  readonly remote: Address;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /**
   * A source that throws breaks the connection, so that the client never takes a short body for a
   * whole one. A source is pulled only as fast as the client reads; pieces that are memory of the pool
   * are given back once they are sent, so each must be a buffer of its own. `close` is called exactly once
   * when the body ended or the client went away.
   */
  readonly body?: Uint8Array | (BodySource & { close?(): void });
}

/**
 * `100 Continue` is sent when the body is first pulled. A response that ends before the request's body
 * was read closes the connection.
 */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** What a client sent in place of a request. */
export type NoRequest = 'headers-too-large' | 'headers-too-slow' | 'malformed';

/** A whole answer to it; the connection is closed after that. */
export type NoRequestAnswer = Omit<HttpResponse, 'body'> & { readonly body: Uint8Array };

export interface HttpServers {
  /**
   * `refuse` says what is answered to what never becomes a request; without it an empty answer with 431, 408 or 400.
   * Throws `EnvError` `address-in-use`, `denied`.
   */
  serve(
    address: Address,
    handler: HttpHandler,
    refuse?: (what: NoRequest) => NoRequestAnswer,
  ): Promise<Listener>;
}

/** A request to a server of somebody else's. */
export interface HttpPost {
  readonly isTls: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly target: string;
  /** Beside `host` and `content-length`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Whether the server's certificate must be good. */
  readonly verifyTls: boolean;
  /** Until the answer's status is there. */
  readonly timeoutMs: number;
  /** Asked of the address itself (`1.2.3.4`, `fe80::1`), after the name was looked up and before anything is sent. */
  mayConnect(address: string): boolean;
}

/** Why a request to somebody else's server has no answer. What the server made of it is not known. */
export class HttpClientError extends Error {
  override readonly name = 'HttpClientError';
}

export interface HttpClient {
  /**
   * The status of the answer, whatever it is: nothing is followed, and what comes with it is thrown away. Throws
   * `HttpClientError`.
   */
  post(request: HttpPost): Promise<{ readonly status: number }>;
}
