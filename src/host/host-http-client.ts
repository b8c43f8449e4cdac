// Requests to other people's servers, over node:http and node:https. What is decided here: which connections are kept, how
// long anything is waited for, and that no connection goes to an address that the caller does not let it.

import { lookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { type HttpClient, HttpClientError, type HttpPost } from '../env/http.ts';

/** To all servers together; what comes beyond that waits, and its time runs. */
const socketsMax = 64;
/** To one server: a slow one leaves room for the others. */
const socketsPerServerMax = 16;
/** Kept open between requests. */
const idleSocketsMax = 8;

/** Of an answer: more is not worth keeping the connection for. */
const discardBytesMax = 64 * 1024;

const agentOptions = {
  keepAlive: true,
  maxSockets: socketsPerServerMax,
  maxTotalSockets: socketsMax,
  maxFreeSockets: idleSocketsMax,
  // An idle connection that its server closes just when it is used again fails one request.
  timeout: 4000,
} as const;

/** Names whose addresses are all refused are not found. */
function guardedLookup(mayConnect: HttpPost['mayConnect']): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => mayConnect(address));
      const [first] = allowed;
      if (first === undefined) {
        const [refused] = addresses;
        return callback(refusedAddress(refused?.address ?? hostname), '', 0);
      }
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function refusedAddress(address: string): Error {
  return new Error(`${address} is no address that webhooks may have (gateway.webhooks)`);
}

class StaleConnection extends Error {}

export class HostHttpClient implements HttpClient {
  readonly #http = new HttpAgent(agentOptions);
  readonly #https = new HttpsAgent(agentOptions);
  /** Connections whose certificate was not looked at are for those alone who do not want it looked at. */
  readonly #httpsUnverified = new HttpsAgent({ ...agentOptions, rejectUnauthorized: false });

  async post(post: HttpPost): Promise<{ readonly status: number }> {
    // Names are judged when they are looked up; addresses are not looked up, and a request connects when it is made.
    if (isIP(post.host) !== 0 && !post.mayConnect(post.host))
      throw new HttpClientError(refusedAddress(post.host).message);
    try {
      return await this.#post(post);
    } catch (error) {
      // The server ended the connection while it was idle; the next one is new, or idle for less.
      if (error instanceof HttpClientError && error.cause instanceof StaleConnection)
        return this.#post(post);
      throw error;
    }
  }

  #post(post: HttpPost): Promise<{ readonly status: number }> {
    return new Promise((resolve, reject) => {
      const { isTls, host, port, target, body, mayConnect } = post;
      const fail = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        const isStale = request.reusedSocket && error.code === 'ECONNRESET';
        const cause = isStale ? new StaleConnection() : error;
        reject(new HttpClientError(error.message.slice(0, 200), { cause }));
      };
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer after ${post.timeoutMs} ms`));
      }, post.timeoutMs);
      const request = (isTls ? requestHttps : requestHttp)({
        agent: isTls ? (post.verifyTls ? this.#https : this.#httpsUnverified) : this.#http,
        method: 'POST',
        host,
        port,
        path: target,
        lookup: guardedLookup(mayConnect),
        headers: {
          ...Object.fromEntries(post.headers),
          'content-length': String(body.length),
        },
      });
      request.on('error', fail);
      request.on('response', (response) => {
        clearTimeout(timer);
        discard(response, post.timeoutMs);
        resolve({ status: response.statusCode ?? 0 });
      });
      request.end(body);
    });
  }

  /** Ends connections that are kept. */
  close(): void {
    for (const agent of [this.#http, this.#https, this.#httpsUnverified]) agent.destroy();
  }
}

/** Reads what comes with an answer, so that its connection can be used again, or breaks it off. */
function discard(response: IncomingMessage, timeoutMs: number): void {
  let bytes = 0;
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  response.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > discardBytesMax) response.destroy();
  });
  response.on('error', () => {});
  response.on('close', () => clearTimeout(timer));
}
