// The webhook of both services' topics, on this machine: keeps what it is told, side by side, until it is asked for.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Teller = 'holdfast' | 'peer';

interface Told {
  readonly eventName: string;
  readonly s3: { readonly configurationId: string; readonly object: { readonly key: string } };
}

/** One of them tells before it answers, the other soon after: longer than that takes on a busy machine. */
const toldMsMax = 2000;
const lookMs = 10;

/** Encoded as in a form, or, from radosgw, as it is. */
function keyOf(text: string, teller: Teller): string {
  return teller === 'peer' ? text : decodeURIComponent(text.replaceAll('+', ' '));
}

/** Events of one request may be told in any order. */
function orderOf({ eventName, s3 }: Told, teller: Teller): string {
  return `${s3.configurationId} ${keyOf(s3.object.key, teller)} ${eventName.replace(/^s3:/, '')}`;
}

export class Webhooks {
  readonly #server: Server;
  readonly #told: Record<Teller, Told[]> = { holdfast: [], peer: [] };

  private constructor() {
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.once('end', () => {
        const { Records: records } = JSON.parse(Buffer.concat(pieces).toString()) as {
          readonly Records: readonly Told[];
        };
        this.#told[request.url === '/holdfast' ? 'holdfast' : 'peer'].push(...records);
        response.writeHead(200).end();
      });
    });
  }

  static async start(): Promise<Webhooks> {
    const webhooks = new Webhooks();
    await new Promise<void>((resolve) => {
      webhooks.#server.listen(0, '127.0.0.1', resolve);
    });
    return webhooks;
  }

  urlOf(teller: Teller): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${teller}`;
  }

  /** Which events they were, in a word each. */
  static summaryOf(told: readonly unknown[], teller: Teller): string {
    return (told as readonly Told[]).map((each) => orderOf(each, teller)).join(', ');
  }

  /** What both told since the last time; waits for as many of one as of the other, with a limit. */
  async take(): Promise<Readonly<Record<Teller, readonly unknown[]>>> {
    const { holdfast, peer } = this.#told;
    for (
      let waitedMs = 0;
      holdfast.length !== peer.length && waitedMs < toldMsMax;
      waitedMs += lookMs
    )
      await delay(lookMs);
    const taken = { holdfast: holdfast.splice(0), peer: peer.splice(0) };
    for (const teller of ['holdfast', 'peer'] as const)
      taken[teller].sort((a, b) => (orderOf(a, teller) < orderOf(b, teller) ? -1 : 1));
    return taken;
  }

  /** What came late, or of what was taken away, is nobody's. */
  discard(): void {
    for (const told of Object.values(this.#told)) told.length = 0;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
