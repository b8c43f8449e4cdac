// Who uses the cluster while the story goes on: VMs that read and write pieces of their disks, S3 clients that put and
// get objects, and the copy of a large disk. Each remembers what was acknowledged to it, and compares every byte read.

import type { BlobId } from '../../base/ids.ts';
import type { LayoutRef } from '../../client/cluster.ts';
import type { ClusterClient } from '../../client/cluster-client.ts';
import { equalWords } from '../../testing/page-pool.ts';
import type { Scheduler } from '../../testing/scheduler.ts';
import { signedRequest } from '../s3-request.ts';
import type { SimulatedGateway } from '../simulated-cluster.ts';

/** What clients saw since the counts were taken last. */
export interface ClientCounts {
  readonly served: number;
  readonly failed: number;
  /** Of those that were answered, and of those still waited for. */
  readonly waitedMsMost: number;
  readonly p99Ms: number;
}

/** So long somebody waits before calling it failed. */
const patienceMs = 30_000;

/** Each client asks this often, and waits for at most so many answers at once. */
const stepMs = 1000;
const openMax = 24;

/** Of one S3 client. */
export const keysMax = 40;

export class Answers {
  readonly #scheduler: Scheduler;
  readonly #waiting = new Map<number, number>();
  #waitsMs: number[] = [];
  #failed = 0;
  #next = 0;
  servedInAll = 0;
  failedInAll = 0;
  waitedMsMostOfAll = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** The answer, or undefined when there was none in time or it was an error; the work goes on by itself then. */
  async of<T>(work: Promise<T>): Promise<T | undefined> {
    const id = this.#next++;
    const begunAt = this.#scheduler.now();
    this.#waiting.set(id, begunAt);
    const late = new Promise<undefined>((resolve) => {
      this.#scheduler.after(patienceMs, 'patience', () => resolve(undefined));
    });
    const answer = await Promise.race([work.catch(() => undefined), late]);
    this.#waiting.delete(id);
    const waitedMs = this.#scheduler.now() - begunAt;
    this.waitedMsMostOfAll = Math.max(this.waitedMsMostOfAll, waitedMs);
    this.#waitsMs.push(waitedMs);
    if (answer === undefined) {
      this.#failed++;
      this.failedInAll++;
    } else this.servedInAll++;
    return answer;
  }

  take(): ClientCounts {
    const waits = this.#waitsMs.sort((a, b) => a - b);
    const counts = {
      served: waits.length - this.#failed,
      failed: this.#failed,
      waitedMsMost: Math.max(waits.at(-1) ?? 0, this.waitingMs),
      p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
    };
    this.#waitsMs = [];
    this.#failed = 0;
    return counts;
  }

  /** How long whoever waits longest has waited by now. */
  get waitingMs(): number {
    const now = this.#scheduler.now();
    return Math.max(0, ...[...this.#waiting.values()].map((begunAt) => now - begunAt));
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(ms, 'client pause', resolve);
    });
  }
}

/** After so many bytes a pattern begins again: whole pages of a disk, so that disks keep few of them. */
const periodBytes = 65_536;
const periods: (Uint8Array | undefined)[] = new Array(256);

function periodOf(start: number): Uint8Array {
  const known = periods[start];
  if (known !== undefined) return known;
  const period = new Uint8Array(periodBytes);
  for (let at = 0; at < periodBytes; at++) period[at] = (at * 31 + start + (at >> 8)) & 0xff;
  periods[start] = period;
  return period;
}

/** Bytes that depend on their place, behind the seed's own number: none is like another's, and a shifted read shows. */
function bodyOf(seed: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  const period = periodOf((seed * 17) & 0xff);
  for (let at = 0; at < bytes; at += periodBytes)
    body.set(period.subarray(0, Math.min(periodBytes, bytes - at)), at);
  new DataView(body.buffer).setUint32(0, seed);
  return body;
}

/** Whether it is that body, in each byte; what is read is three gigabytes, twice. */
function isBodyOf(read: Uint8Array, seed: number, bytes: number): boolean {
  if (read.length !== bytes) return false;
  const first = Math.min(bytes, periodBytes);
  if (!equalWords(read.subarray(0, first), bodyOf(seed, first))) return false;
  const period = periodOf((seed * 17) & 0xff);
  for (let at = first; at < bytes; at += periodBytes) {
    const part = read.subarray(at, Math.min(bytes, at + periodBytes));
    if (!equalWords(part, period.subarray(0, part.length))) return false;
  }
  return true;
}

interface Piece {
  readonly layout: LayoutRef;
  readonly blob: BlobId;
  readonly seed: number;
}

/** A disk of a VM, in the pool of three copies: pieces written once and read again. */
export class VmDisk {
  readonly #client: ClusterClient;
  readonly #answers: Answers;
  readonly #pool: string;
  readonly #pieceBytes: number;
  readonly pieces: Piece[] = [];
  readonly problems: string[] = [];
  #seeds: number;
  #reads = 0;
  #open = 0;

  constructor(parts: {
    client: ClusterClient;
    answers: Answers;
    pool: string;
    pieceBytes: number;
    seed: number;
  }) {
    this.#client = parts.client;
    this.#answers = parts.answers;
    this.#pool = parts.pool;
    this.#pieceBytes = parts.pieceBytes;
    this.#seeds = parts.seed;
  }

  async write(): Promise<boolean> {
    const seed = this.#seeds++;
    const work = async (): Promise<Piece> => {
      const layout = this.#client.activeLayout(this.#pool);
      const blob = await this.#client.allocateBlobs(1);
      await this.#client.putBlob(layout, blob, [bodyOf(seed, this.#pieceBytes)]);
      return { layout, blob, seed };
    };
    const piece = await this.#answers.of(work());
    if (piece !== undefined) this.pieces.push(piece);
    return piece !== undefined;
  }

  async read(at = (this.#reads++ * 7919) % this.pieces.length): Promise<boolean> {
    const { layout, blob, seed } = this.pieces[at] as Piece;
    const range = { offsetBytes: 0, lengthBytes: this.#pieceBytes };
    const bytes = await this.#answers.of(this.#client.readBlob(layout, blob, range));
    if (bytes === undefined) return false;
    if (isBodyOf(bytes, seed, this.#pieceBytes)) return true;
    this.problems.push(`piece ${at} of a disk reads wrong`);
    return false;
  }

  /** Whose piece it is now. */
  groupOf(at: number): string | undefined {
    const { layout, blob } = this.pieces[at] as Piece;
    return this.#client.pgOfBlob(layout, blob);
  }

  /** A VM at work: it asks on while it waits. */
  async use(isOver: () => boolean): Promise<void> {
    for (let step = 0; !isOver(); step++) {
      if (this.#open < openMax) {
        this.#open++;
        void (step % 8 === 0 ? this.write() : this.read()).finally(() => this.#open--);
      }
      await this.#answers.pause(stepMs);
    }
  }
}

/** One bucket's client; nobody else writes its keys. */
export class S3Client {
  readonly #gateway: SimulatedGateway;
  readonly #answers: Answers;
  readonly #prefix: string;
  /** What each key may hold: what was acknowledged last, and what was tried since. */
  readonly keys = new Map<string, number[]>();
  readonly problems: string[] = [];
  readonly #open = new Set<string>();
  #seeds: number;

  constructor(parts: {
    gateway: SimulatedGateway;
    answers: Answers;
    prefix: string;
    seed: number;
  }) {
    this.#gateway = parts.gateway;
    this.#answers = parts.answers;
    this.#prefix = parts.prefix;
    this.#seeds = parts.seed;
  }

  async #request(method: string, path: string, body?: Uint8Array): Promise<Uint8Array> {
    const { env, http } = this.#gateway.process;
    const call = { method, path, ...(body === undefined ? {} : { body }) };
    const answer = await http.request(signedRequest(call, env.wall.nowMs()));
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status}`);
    return answer.body;
  }

  async makeBucket(): Promise<void> {
    await this.#request('PUT', '/photos');
  }

  async put(at: number): Promise<boolean> {
    const key = `${this.#prefix}-${at}`;
    const seed = this.#seeds++;
    const tried = this.keys.get(key) ?? [];
    this.keys.set(key, [...tried, seed]);
    const body = bodyOf(seed, bytesOf(seed));
    const done = await this.#answers.of(this.#request('PUT', `/photos/${key}`, body));
    if (done !== undefined) this.keys.set(key, [seed]);
    else if (tried.length === 0) this.keys.delete(key);
    return done !== undefined;
  }

  async get(key: string): Promise<boolean> {
    const allowed = this.keys.get(key) ?? [];
    const bytes = await this.#answers.of(this.#request('GET', `/photos/${key}`));
    if (bytes === undefined) return false;
    if (allowed.some((seed) => isBodyOf(bytes, seed, bytesOf(seed)))) return true;
    this.problems.push(`${key} reads wrong`);
    return false;
  }

  /** It asks on while it waits, but one at a time of each key. */
  async use(isOver: () => boolean): Promise<void> {
    for (let step = 0; !isOver(); step++) {
      const at = (step * 7) % keysMax;
      const key = `${this.#prefix}-${at}`;
      if (!this.#open.has(key) && this.#open.size < openMax) {
        this.#open.add(key);
        const work = step % 4 === 0 ? this.put(at) : this.get(key);
        void work.finally(() => this.#open.delete(key));
      }
      await this.#answers.pause(stepMs);
    }
  }
}

/** Above what an index keeps itself. */
function bytesOf(seed: number): number {
  return 24_000 + (seed % 7) * 6000;
}
