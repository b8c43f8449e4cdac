// What the S3 workloads write and know again: each value has bytes of its own, and is called by its ETag.

import { concatBytes, decodeUtf8, equalBytes } from '../base/bytes.ts';
import type { HttpRequest } from '../env/http.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { pattern } from './pattern.ts';
import { type FormCall, md5Hex, type S3Call, signedForm, signedRequest } from './s3-request.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import type { Excuses } from './workload.ts';

interface Piece {
  readonly seed: number;
  /** As it was written. */
  readonly bytes: number;
  /** What of it is meant, where it is not all. */
  readonly from?: number;
  readonly to?: number;
}

/** What was put in one piece, or in several parts. */
export interface Value {
  readonly parts: readonly Piece[];
}

/** In the index and beyond it, around the edges of chunks, stripes and, rarely, of blobs. */
const sizes = [0, 1, 5000, 16_384, 16_385, 65_536, 70_000, 150_000];
/** The first few live in the index. */
const inlineSizes = 4;
const largeBytes = 4_194_305;

function bytesOfPiece({ seed, bytes, from = 0, to = bytes }: Piece): Uint8Array {
  const made = pattern(seed, bytes);
  // Equal patterns of different values would be one value to the checker.
  for (let at = 0; at < Math.min(4, bytes); at++) made[at] = (seed >> (8 * at)) & 0xff;
  return made.subarray(from, to);
}

export function bytesOf({ parts }: Value): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined
    ? bytesOfPiece(first)
    : concatBytes(parts.map(bytesOfPiece));
}

export function lengthOf({ parts }: Value): number {
  return parts.reduce((sum, { bytes, from = 0, to = bytes }) => sum + to - from, 0);
}

/** The bytes from `from` to before `to`, as they are copied into a part. */
export function rangeOf({ parts }: Value, from: number, to: number): Value {
  const chosen: Piece[] = [];
  let at = 0;
  for (const piece of parts) {
    const { bytes, from: first = 0, to: last = bytes } = piece;
    const begin = Math.max(from, at);
    const end = Math.min(to, at + last - first);
    if (begin < end) chosen.push({ ...piece, from: first + begin - at, to: first + end - at });
    at += last - first;
  }
  return { parts: chosen };
}

export function headerOf(answer: WholeResponse, name: string): string {
  return answer.headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? '';
}

export function etagOf(answer: WholeResponse): string {
  return headerOf(answer, 'etag').replaceAll('"', '');
}

export class S3Values {
  readonly #random: Random;
  readonly #byEtag = new Map<string, Value>();
  #seeds = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get(etag: string): Value | undefined {
    return this.#byEtag.get(etag);
  }

  /** Under another name: that of an upload of parts, or of a copy. */
  know(etag: string, value: Value): void {
    this.#byEtag.set(etag, value);
  }

  /** Half of all in the index, a fifth beyond a stripe, one in two hundred beyond a blob. */
  #drawBytes(): number {
    if (this.#random.below(200) === 0) return largeBytes;
    const among = this.#random.below(2) === 0 ? inlineSizes : sizes.length;
    return sizes[this.#random.below(among)] as number;
  }

  make(bytes = this.#drawBytes()): { body: Uint8Array; etag: string } {
    const piece = { seed: ++this.#seeds, bytes };
    const body = bytesOfPiece(piece);
    const etag = md5Hex(body);
    this.#byEtag.set(etag, { parts: [piece] });
    return { body, etag };
  }

  /** Long enough to be like no other. */
  makeUnique(): { body: Uint8Array; etag: string } {
    return this.make(Math.max(4, this.#drawBytes()));
  }

  /** What is wrong with bytes that came as those of the value, from `from` on; undefined: nothing. */
  faultOf(etag: string, body: Uint8Array, from: number): string | undefined {
    const value = this.#byEtag.get(etag);
    if (value === undefined) return `ETag ${etag}, which nobody wrote`;
    const expected = bytesOf(value);
    if (from === 0 && body.length > expected.length)
      return `${body.length} bytes instead of ${expected.length}`;
    return equalBytes(body, expected.subarray(from, from + body.length))
      ? undefined
      : `wrong bytes of ${etag} from ${from}`;
  }
}

/** Asks gateways, and counts what they could not do. */
export class S3Asker {
  refused = 0;
  /** What refusals there may be beside those of any moment; undefined: none. */
  excuses: Excuses | undefined;
  readonly #problems: string[];

  constructor(problems: string[]) {
    this.#problems = problems;
  }

  /** Undefined when the gateway died or broke the answer off. */
  ask(gateway: SimulatedGateway, call: S3Call): Promise<WholeResponse | undefined> {
    const request = signedRequest(call, gateway.process.env.wall.nowMs());
    return this.send(gateway, request, `${call.method} ${call.path}`);
  }

  /** The same for what is posted to the gateway itself. */
  askForm(gateway: SimulatedGateway, form: FormCall): Promise<WholeResponse | undefined> {
    const request = signedForm(form, gateway.process.env.wall.nowMs());
    return this.send(gateway, request, form.action);
  }

  /** The same for a request that is made already; `what`: how it is called in a problem. */
  async send(
    gateway: SimulatedGateway,
    request: HttpRequest,
    what: string,
  ): Promise<WholeResponse | undefined> {
    try {
      const answer = await gateway.process.http.request(request);
      if (answer.status >= 500 && answer.status !== 503 && !this.#isFull(answer))
        this.#note(what, answer);
      if (answer.status >= 500) this.refused++;
      return answer;
    } catch {
      this.refused++;
      return undefined;
    }
  }

  #isFull(answer: WholeResponse): boolean {
    return answer.status === 507 && this.excuses?.hasFilledDisks === true;
  }

  #note(what: string, answer: WholeResponse): void {
    const words = decodeUtf8(answer.body);
    if (this.excuses?.hasFailedReads === true && words.includes('damaged')) return;
    this.#problems.push(`${what} got ${answer.status}: ${words}`);
  }
}
