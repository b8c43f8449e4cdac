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

export interface HttpServers {
  /** Throws `EnvError` `address-in-use`, `denied`. */
  serve(address: Address, handler: HttpHandler): Promise<Listener>;
}
