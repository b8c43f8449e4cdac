// Quotas of buckets and owners: what would take more bytes or objects than they may hold is refused before it is
// stored. What a bucket holds its index counts exactly; here it is looked at every two seconds at most (for an owner
// with all buckets, every ten) and what this gateway lets in meanwhile is added.
//
// So a quota can be passed by what other gateways let in between two looks and by uploads under way at a look. What
// replaces an object counts as added until the next look.

import { compareBytes } from '../base/bytes.ts';
import type { Cluster } from '../client/cluster.ts';
import type { Clock, Instant } from '../env/clock.ts';
import type { Directory, Quota } from '../map/directory.ts';
import { type BucketRecord, bucketFormat, type KeyRange, shardsOf } from './index/format.ts';
import { type BucketAccess, bucketsObject, type IndexClient } from './index/index-client.ts';
import { listBuckets } from './index/messages.ts';
import { describeShard, readRecord, type ShardFacts } from './index/shard-split.ts';
import { S3Error } from './protocol/errors.ts';

export interface Amount {
  readonly bytes: number;
  readonly objects: number;
}

const nothing: Amount = { bytes: 0, objects: 0 };

/** How old a look may be: two calls a shard; for an owner, as often for each of its buckets. */
const freshMs = { bucket: 2000, user: 10_000 } as const;

const bucketsPerPage = 1000;

/** Shards that were split while they were counted: how often they are looked for. */
const recordsMax = 4;

interface Usage {
  readonly seenAt: Instant;
  readonly held: Amount;
  /** Let in here since the look began. */
  added: Amount;
}

function sum(a: Amount, b: Amount): Amount {
  return { bytes: a.bytes + b.bytes, objects: a.objects + b.objects };
}

function judge(quota: Quota, usage: Usage, wanted: Amount): void {
  const after = sum(sum(usage.held, usage.added), wanted);
  const { bytes, objects } = quota;
  // A request that adds nothing of a kind is not held back by it.
  const isOver =
    (bytes !== undefined && wanted.bytes > 0 && after.bytes > bytes) ||
    (objects !== undefined && wanted.objects > 0 && after.objects > objects);
  if (isOver)
    throw new S3Error('QuotaExceeded', `The quota of ${quota.kind} ${quota.name} is exhausted`);
}

/** The shard has given keys, or is giving them, to one that the record does not name. */
function handsOnUnseen({ state }: ShardFacts, object: string, record: BucketRecord): boolean {
  if (state.split !== undefined && !shardsOf(record).includes(state.split.object)) return true;
  const at = record.ranges.findIndex((range) => range.object === object);
  return at >= 0 && isShorter(state.range, record.ranges[at + 1]?.beginKey);
}

function isShorter(range: KeyRange | undefined, end: Uint8Array | undefined): boolean {
  if (range?.end === undefined) return false;
  return end === undefined || compareBytes(range.end, end) < 0;
}

function nameOf({ kind, name }: Pick<Quota, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

export class Quotas {
  readonly #clock: Clock;
  readonly #cluster: Cluster;
  readonly #index: IndexClient;
  #directory: Directory | undefined;
  readonly #quotas = new Map<string, Quota>();
  /** By quota: what has none is not looked at. */
  readonly #usages = new Map<string, Usage>();
  readonly #looks = new Map<string, Promise<Usage>>();

  constructor(env: { readonly clock: Clock }, cluster: Cluster, index: IndexClient) {
    this.#clock = env.clock;
    this.#cluster = cluster;
    this.#index = index;
  }

  #find(kind: Quota['kind'], name: string): Quota | undefined {
    const directory = this.#cluster.directory();
    if (directory !== this.#directory) {
      this.#directory = directory;
      this.#quotas.clear();
      for (const quota of directory.quotas) this.#quotas.set(nameOf(quota), quota);
      for (const name of this.#usages.keys())
        if (!this.#quotas.has(name)) this.#usages.delete(name);
    }
    return this.#quotas.size === 0 ? undefined : this.#quotas.get(nameOf({ kind, name }));
  }

  /**
   * Whether there is room; with `reserve` it counts as taken. Throws `QuotaExceeded`, and what a look at the index
   * throws: where usage can't be known nothing is let in.
   */
  async check(access: BucketAccess, wanted: Amount, what: 'ask' | 'reserve'): Promise<void> {
    const { record, name } = access;
    const ofBucket = this.#find('bucket', name);
    const ofOwner = this.#find('user', record.owner);
    if (ofBucket === undefined && ofOwner === undefined) return;
    const owner = ofOwner && (await this.#usage(ofOwner, () => this.#countOwner(record.owner)));
    const bucket = ofBucket && (await this.#usage(ofBucket, () => this.#countBucket(name, record)));
    // From here on nothing waits: two requests can't both take the last of it. A newer look at the owner may have
    // taken the place of the one that was waited for.
    const judged: (readonly [Quota, Usage])[] = [];
    if (ofOwner !== undefined && owner !== undefined)
      judged.push([ofOwner, this.#usages.get(nameOf(ofOwner)) ?? owner]);
    if (ofBucket !== undefined && bucket !== undefined) judged.push([ofBucket, bucket]);
    for (const [quota, usage] of judged) judge(quota, usage, wanted);
    if (what === 'reserve') for (const [, usage] of judged) usage.added = sum(usage.added, wanted);
  }

  #usage(quota: Quota, count: () => Promise<Amount>): Usage | Promise<Usage> {
    const name = nameOf(quota);
    const known = this.#usages.get(name);
    if (known !== undefined && this.#clock.now() - known.seenAt <= freshMs[quota.kind])
      return known;
    let look = this.#looks.get(name);
    if (look === undefined) {
      look = this.#look(name, known, count).finally(() => this.#looks.delete(name));
      this.#looks.set(name, look);
    }
    return look;
  }

  async #look(
    name: string,
    before: Usage | undefined,
    count: () => Promise<Amount>,
  ): Promise<Usage> {
    const seenAt = this.#clock.now();
    const addedBefore = before?.added ?? nothing;
    const held = await count();
    // What was let in while the look lasted may or may not be in it: it counts once more.
    const added = before?.added ?? nothing;
    const usage = {
      seenAt,
      held,
      added: {
        bytes: added.bytes - addedBefore.bytes,
        objects: added.objects - addedBefore.objects,
      },
    };
    this.#usages.set(name, usage);
    return usage;
  }

  /**
   * Of a bucket whose index is from before there were counts, as far as it is counted. Never too little: a shard is
   * looked at before the one that it hands keys to, and where the record does not know that one yet it is read again.
   * Keys on their way may count twice.
   */
  async #countBucket(name: string, remembered: BucketRecord): Promise<Amount> {
    let record = remembered;
    for (let reads = 0; ; reads++) {
      let held = nothing;
      let isComplete = true;
      for (const object of shardsOf(record)) {
        const facts = await describeShard(this.#index, object);
        if (facts === undefined) continue;
        const { entries, sizeBytes } = facts.counts;
        held = sum(held, { bytes: sizeBytes, objects: entries });
        isComplete &&= !handsOnUnseen(facts, object, record);
      }
      const newer =
        isComplete || reads === recordsMax
          ? undefined
          : await readRecord(this.#index, { name, bucketId: record.bucketId });
      if (newer === undefined) return held;
      record = newer;
    }
  }

  async #countOwner(owner: string): Promise<Amount> {
    let held = nothing;
    let after: string | undefined = '';
    while (after !== undefined) {
      const page: {
        buckets: readonly { name: string; record: Uint8Array }[];
        next: string | undefined;
      } = await this.#index.callObject(bucketsObject, listBuckets, {
        owner,
        prefix: '',
        after,
        limit: bucketsPerPage,
      });
      for (const { name, record } of page.buckets)
        held = sum(held, await this.#countBucket(name, bucketFormat.decode(record)));
      after = page.next;
    }
    return held;
  }
}
