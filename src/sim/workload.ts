// What the clients of a simulated run do, and what they remember of it: registers (rows that are swapped
// and read) and blobs.

import { decodeUtf8, emptyBytes, encodeUtf8, equalBytes } from '../base/bytes.ts';
import { type BlobId, formatBlobId } from '../base/ids.ts';
import type { Method, Methods } from '../base/method.ts';
import type { LayoutRef } from '../client/cluster.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { ClientError } from '../client/errors.ts';
import type { Random } from '../env/random.ts';
import type { BlobListing } from '../wire/messages.ts';
import type { Model, Operation } from './linearizability.ts';
import { pattern } from './pattern.ts';

/** `key=value` sets a row and answers the old value; `key` alone reads it. */
const swapMethod: Method = async (view, argument) => {
  const [key, value] = decodeUtf8(argument).split('=');
  const before = (await view.get(encodeUtf8(key as string))) ?? emptyBytes;
  if (value === undefined) return { effects: [], result: before };
  return {
    effects: [{ kind: 'put', key: encodeUtf8(key as string), value: encodeUtf8(value) }],
    result: before,
  };
};

export const workloadMethods: Methods = new Map([['sim.swap', swapMethod]]);

/** A swap answers what was there before; unique values make a lost or repeated one visible. */
export type RegisterCall =
  | { readonly kind: 'swap'; readonly value: string; before: string | undefined }
  | { readonly kind: 'read'; value: string | undefined };

export const registerModel: Model<string, RegisterCall> = (state, call) => {
  if (call.kind === 'read')
    return call.value === undefined || call.value === state ? state : undefined;
  return call.before === undefined || call.before === state ? call.value : undefined;
};

interface OpenOperation extends Operation<RegisterCall> {
  answeredAt: number | undefined;
}

interface RememberedBlob {
  readonly blob: BlobId;
  readonly layout: LayoutRef;
  readonly seed: number;
  readonly bytes: number;
  state: 'putting' | 'stored' | 'deleting' | 'deleted';
  /** When its put was acknowledged, or a read first answered it. */
  storedAt: number | undefined;
}

/** Sizes around the edges of chunks and stripes, and small ones, which are cheap. */
const blobSizes = [1, 100, 4095, 4096, 4097, 12_288, 65_536, 65_537, 200_000];
/** Three in four are of the first few: what is done to a blob hardly depends on its length. */
const smallSizes = 5;

function drawBlobBytes(random: Random): number {
  const among = random.below(4) === 0 ? blobSizes.length : smallSizes;
  return blobSizes[random.below(among)] as number;
}

/** What a run has done so far that explains refusals. */
export interface Excuses {
  /** A disk has failed reads without having lost anything: an object may be out of reach for a while. */
  readonly hasFailedReads: boolean;
  readonly hasFilledDisks: boolean;
}

/** The pools that blobs are put into. */
export interface PoolsOfRun {
  /** Those that a client would be told of now. */
  readonly names: readonly string[];
  /** It was removed for good, with everything in it, by somebody who said so. */
  isGone(pool: number): boolean;
}

export class Workload {
  readonly #random: Random;
  readonly #now: () => number;
  readonly #registers = new Map<string, OpenOperation[]>();
  readonly #blobs: RememberedBlob[] = [];
  readonly problems: string[] = [];
  operations = 0;
  refused = 0;
  pools: PoolsOfRun = { names: ['data'], isGone: () => false };
  /** What refusals there may be beside those of any moment; undefined: none. */
  excuses: Excuses | undefined;
  #values = 0;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
  }

  get registers(): ReadonlyMap<string, readonly Operation<RegisterCall>[]> {
    return this.#registers;
  }

  /** One operation; resolves when its answer is known, or known to be unknown. */
  async step(client: ClusterClient): Promise<void> {
    this.operations++;
    const choice = this.#random.below(10);
    if (choice < 3) await this.#swap(client);
    else if (choice < 6) await this.#read(client);
    else if (choice < 8) await this.#putBlob(client);
    else if (choice < 9 || this.#blobs.length < 4)
      await this.#readBlob(
        client,
        this.#blobs[this.#random.below(Math.max(1, this.#blobs.length))],
      );
    else await this.#deleteBlob(client);
  }

  #register(): { object: string; key: string; history: OpenOperation[] } {
    const object = `object-${this.#random.below(4)}`;
    const key = `key-${this.#random.below(3)}`;
    const name = `${object}/${key}`;
    let history = this.#registers.get(name);
    if (history === undefined) {
      history = [];
      this.#registers.set(name, history);
    }
    return { object, key, history };
  }

  async #swap(client: ClusterClient): Promise<void> {
    const { object, key, history } = this.#register();
    const value = `v${++this.#values}`;
    const call: RegisterCall = { kind: 'swap', value, before: undefined };
    const operation: OpenOperation = { call, calledAt: this.#now(), answeredAt: undefined };
    history.push(operation);
    try {
      const before = await client.call('.index', object, 'sim.swap', encodeUtf8(`${key}=${value}`));
      call.before = decodeUtf8(before);
      operation.answeredAt = this.#now();
    } catch (error) {
      this.#expectUnavailable(error, 'swap');
    }
  }

  async #read(client: ClusterClient): Promise<void> {
    const { object, key, history } = this.#register();
    const call: RegisterCall = { kind: 'read', value: undefined };
    const calledAt = this.#now();
    try {
      call.value = decodeUtf8(await client.call('.index', object, 'sim.swap', encodeUtf8(key)));
      history.push({ call, calledAt, answeredAt: this.#now() });
    } catch (error) {
      this.#expectUnavailable(error, 'read');
    }
  }

  async #putBlob(client: ClusterClient): Promise<void> {
    const { names } = this.pools;
    const pool = names[this.#random.below(names.length)] as string;
    let layout: LayoutRef;
    try {
      layout = client.activeLayout(pool);
    } catch (error) {
      // Its map is older, or newer, than what is known here.
      if (!(error instanceof ClientError && error.code === 'no-such-pool')) throw error;
      this.refused++;
      return;
    }
    const blob = await client.allocateBlobs(1);
    const bytes = drawBlobBytes(this.#random);
    const remembered: RememberedBlob = {
      blob,
      layout,
      seed: this.#random.below(1000),
      bytes,
      state: 'putting',
      storedAt: undefined,
    };
    this.#blobs.push(remembered);
    try {
      await client.putBlob(layout, blob, [pattern(remembered.seed, bytes)]);
      this.#noteStored(remembered);
    } catch (error) {
      this.#expectUnavailable(error, 'put', layout);
    }
  }

  /**
   * It was acknowledged, or read, which says the same: it stays until somebody asks for its delete, whatever becomes
   * of the put's answer.
   */
  #noteStored(remembered: RememberedBlob): void {
    if (remembered.state !== 'putting') return;
    remembered.state = 'stored';
    remembered.storedAt = this.#now();
  }

  /** Blobs of a pool whose puts were acknowledged before, and that nobody has begun to delete. */
  acknowledgedIn(pool: number, before: number): number {
    return this.#blobs.filter(
      ({ layout, state, storedAt }) =>
        layout.pool === pool && state === 'stored' && storedAt !== undefined && storedAt < before,
    ).length;
  }

  async #readBlob(client: ClusterClient, remembered: RememberedBlob | undefined): Promise<void> {
    if (remembered === undefined) return;
    const before = remembered.state;
    const offsetBytes = this.#random.below(remembered.bytes);
    const lengthBytes = 1 + this.#random.below(remembered.bytes - offsetBytes);
    try {
      const read = await client.readBlob(remembered.layout, remembered.blob, {
        offsetBytes,
        lengthBytes,
      });
      if (before === 'deleted')
        this.problems.push(`deleted blob ${JSON.stringify(remembered.blob)} was read`);
      const expected = pattern(remembered.seed, remembered.bytes).subarray(
        offsetBytes,
        offsetBytes + lengthBytes,
      );
      if (!equalBytes(read, expected))
        this.problems.push(`wrong bytes of blob ${JSON.stringify(remembered.blob)}`);
      this.#noteStored(remembered);
    } catch (error) {
      if (error instanceof ClientError && error.code === 'no-such-blob') {
        if (this.pools.isGone(remembered.layout.pool)) return;
        if (before === 'stored' && remembered.state === 'stored')
          this.problems.push(`acknowledged blob ${JSON.stringify(remembered.blob)} is gone`);
        // Its delete is done, whatever becomes of the answer.
        if (before === 'deleting') remembered.state = 'deleted';
        return;
      }
      this.#expectUnavailable(error, 'get', remembered.layout);
    }
  }

  async #deleteBlob(client: ClusterClient): Promise<void> {
    const remembered = this.#blobs[this.#random.below(this.#blobs.length)];
    if (remembered?.state !== 'stored') return;
    remembered.state = 'deleting';
    try {
      await client.deleteBlob(remembered.layout, remembered.blob);
      remembered.state = 'deleted';
    } catch (error) {
      this.#expectUnavailable(error, 'delete', remembered.layout);
    }
  }

  /** Blobs on disks that nobody put, or that were deleted. */
  strayBlobs(listings: readonly BlobListing[]): string[] {
    const known = new Map(this.#blobs.map((each) => [formatBlobId(each.blob), each]));
    const stray: string[] = [];
    for (const { facts } of listings) {
      const remembered = known.get(formatBlobId(facts.blob));
      if (remembered === undefined || remembered.state === 'deleted')
        stray.push(
          `blob ${formatBlobId(facts.blob)} is on disk though ${remembered === undefined ? 'nothing refers to it' : 'its delete was acknowledged'}`,
        );
    }
    return stray;
  }

  #expectUnavailable(error: unknown, what: string, layout?: LayoutRef): void {
    const isExpected =
      error instanceof ClientError &&
      (error.code === 'unavailable' ||
        (layout !== undefined && this.pools.isGone(layout.pool)) ||
        // A gateway would put it elsewhere; here it may be stored or not, as after any refusal.
        (error.code === 'superseded' && what === 'put') ||
        (error.code === 'damaged' && this.excuses?.hasFailedReads === true) ||
        (error.code === 'no-space' && this.excuses?.hasFilledDisks === true));
    if (isExpected) {
      this.refused++;
      return;
    }
    this.problems.push(
      `${what} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }

  /** After everything has healed: all that was acknowledged must be there, all that was deleted gone. */
  async verify(client: ClusterClient): Promise<void> {
    for (const [name, history] of this.#registers) {
      const [object, key] = name.split('/') as [string, string];
      const calledAt = this.#now();
      const value = decodeUtf8(await client.call('.index', object, 'sim.swap', encodeUtf8(key)));
      history.push({ call: { kind: 'read', value }, calledAt, answeredAt: this.#now() });
    }
    for (const remembered of this.#blobs) {
      if (this.pools.isGone(remembered.layout.pool)) continue;
      try {
        const read = await client.readBlob(remembered.layout, remembered.blob, {
          offsetBytes: 0,
          lengthBytes: remembered.bytes,
        });
        if (remembered.state === 'deleted')
          this.problems.push(`deleted blob ${JSON.stringify(remembered.blob)} is back`);
        if (!equalBytes(read, pattern(remembered.seed, remembered.bytes)))
          this.problems.push(`wrong bytes of blob ${JSON.stringify(remembered.blob)} at the end`);
      } catch (error) {
        const isGone = error instanceof ClientError && error.code === 'no-such-blob';
        if (isGone && remembered.state !== 'stored') continue;
        this.problems.push(
          `blob ${JSON.stringify(remembered.blob)} (${remembered.state}) at the end: ${String(error)}`,
        );
      }
    }
  }
}
