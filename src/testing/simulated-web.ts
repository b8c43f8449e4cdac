// Other people's HTTP servers: names with an address and a test's own answer. What a process posts arrives after a delay, and
// its answer is lost when the process has ended meanwhile.

import { type HttpClient, HttpClientError, type HttpPost } from '../env/http.ts';
import type { Scheduler } from './scheduler.ts';

/** The status; undefined: no answer, so that the caller's time runs out. */
export type WebServer = (post: HttpPost) => number | undefined;

/** One way, in milliseconds. */
const travelMs = 5;

export class SimulatedWeb {
  readonly #scheduler: Scheduler;
  readonly #servers = new Map<string, { readonly address: string; readonly server: WebServer }>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** In place of what the name was before. */
  serve(host: string, address: string, server: WebServer): void {
    this.#servers.set(host, { address, server });
  }

  /** The web as one process sees it. */
  of(process: { run(action: () => void): void }): HttpClient {
    return { post: (post) => this.#post(process, post) };
  }

  #post(
    process: { run(action: () => void): void },
    post: HttpPost,
  ): Promise<{ readonly status: number }> {
    return new Promise((resolve, reject) => {
      const later = (delayMs: number, action: () => void): void => {
        this.#scheduler.after(delayMs, `web ${post.host}`, () => process.run(action));
      };
      const found = this.#servers.get(post.host);
      const fail = (words: string): void => reject(new HttpClientError(words));
      if (found === undefined) return later(travelMs, () => fail(`${post.host} is not known`));
      if (!post.mayConnect(found.address))
        return later(travelMs, () => fail(`${found.address} is refused`));
      this.#scheduler.after(travelMs, `web ${post.host}`, () => {
        const status = found.server(post);
        if (status === undefined) later(post.timeoutMs, () => fail('no answer'));
        else later(travelMs, () => resolve({ status }));
      });
    });
  }
}
