// HTTP past the wire: requests go straight to the handler of a simulated process, arrive after a delay, and
// break when the process ends, with their outcome unknown.

import { buffers } from '../base/buffer-pool.ts';
import type { HttpHandler, HttpRequest, HttpResponse, HttpServers } from '../env/http.ts';
import { BodyError } from '../env/http.ts';
import type { Address, Listener } from '../env/network.ts';
import type { Scheduler } from './scheduler.ts';

interface ServingProcess {
  readonly name: string;
  readonly isAlive: boolean;
  run(action: () => void): void;
}

/** One way, in milliseconds. */
const travelMs = 0.3;

/** The answer with its body read to the end. */
export interface WholeResponse {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  readonly body: Uint8Array;
}

export class SimulatedHttp implements HttpServers {
  readonly #scheduler: Scheduler;
  readonly #process: ServingProcess;
  readonly #breaks = new Set<() => void>();
  #handler: HttpHandler | undefined;

  constructor(scheduler: Scheduler, process: ServingProcess) {
    this.#scheduler = scheduler;
    this.#process = process;
  }

  async serve(address: Address, handler: HttpHandler): Promise<Listener> {
    this.#handler = handler;
    return {
      address,
      close: async () => {
        this.#handler = undefined;
      },
    };
  }

  /**
   * Throws `BodyError` when the process ends, or breaks the answer off, before the answer is whole. `read`: how its
   * client takes it, which may take its time; default: as fast as it comes.
   */
  request(
    request: HttpRequest,
    read: (response: HttpResponse) => Promise<WholeResponse> = readWhole,
  ): Promise<WholeResponse> {
    return new Promise((resolve, reject) => {
      const breakOff = (): void => {
        this.#breaks.delete(breakOff);
        reject(new BodyError(`${this.#process.name} ended`));
      };
      if (!this.#process.isAlive || this.#handler === undefined) {
        breakOff();
        return;
      }
      this.#breaks.add(breakOff);
      this.#scheduler.after(travelMs, `http ${this.#process.name}`, () =>
        this.#process.run(() => {
          const handler = this.#handler;
          if (handler === undefined) return breakOff();
          handler(request)
            .then((response) => read(response))
            .then(
              (response) => this.#scheduler.after(travelMs, 'http answer', () => resolve(response)),
              () => breakOff(),
            )
            .finally(() => this.#breaks.delete(breakOff))
            .catch(breakOff);
        }),
      );
    });
  }

  /** The process ended: every request under way breaks. */
  killed(): void {
    this.#handler = undefined;
    for (const breakOff of [...this.#breaks])
      this.#scheduler.after(travelMs, 'http broken', breakOff);
  }
}

/** `pause`: between two parts. */
export async function readWhole(
  response: HttpResponse,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<WholeResponse> {
  const { status, headers, body } = response;
  if (body === undefined) return { status, headers, body: new Uint8Array(0) };
  if (body instanceof Uint8Array) return { status, headers, body };
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (let part = await body.next(); part !== undefined; part = await body.next()) {
      parts.push(part);
      bytes += part.length;
      await pause();
    }
  } finally {
    body.close?.();
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
    buffers.release(part);
  }
  return { status, headers, body: whole };
}
