// Disks that lie (promise P2): bytes, rows or whole groups of one disk are flipped, or its writes lost or misdirected, while
// everything is clean and where every pool survives the loss of a disk. Clients run into it, then deep scrubs are asked
// for until every placement group was scrubbed without an error; nobody else is hurt until then.

import type { Random } from '../env/random.ts';
import { parseStoreKey } from '../store/keys.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

export interface SpoilingOptions {
  readonly random: Random;
  readonly cluster: SimulatedCluster;
  readonly problems: string[];
  /** Ends every other fault and waits; whether all came out clean. */
  becomeWhole(): Promise<boolean>;
  /** Kills and starts a daemon. */
  bounce(osd: SimulatedOsd): Promise<boolean>;
}

export type Spoilt = 'data' | 'rows' | 'groups' | 'lost' | 'misdirected';

/** Most that a spoilt disk may take to be found and repaired. */
const repairMs = 90_000;

export class Spoiling {
  readonly #options: SpoilingOptions;
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;

  constructor(options: SpoilingOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#cluster = options.cluster;
  }

  async spoil(osd: SimulatedOsd, what: Spoilt): Promise<boolean> {
    const cluster = this.#cluster;
    // A build of the first version can't tell its rows.
    if (
      (what === 'rows' || what === 'groups') &&
      cluster.osds.some(({ versionMax }) => versionMax < 2)
    )
      return false;
    if (!(await this.#options.becomeWhole())) return false;
    // No scrub looks there, and groups come back from it.
    if (osd.osd !== undefined)
      await cluster.settle(osd.osd.emptyTrash(), `emptying the trash of osd.${osd.id}`);
    if (what === 'data' && !this.#flipData(osd)) return false;
    if (what === 'rows' && !this.#flipRows(osd, isRepairable)) return false;
    if (what === 'groups' && !(await this.#flipGroups(osd))) return false;
    if (what === 'lost' || what === 'misdirected')
      osd.files.fault = ({ kind }) =>
        kind === 'block-write' && this.#random.below(3) === 0 ? what : undefined;
    await cluster.scheduler.run(this.#random.below(5000));
    osd.files.fault = () => undefined;
    await this.#scrubUntilClean(osd);
    return true;
  }

  #flipData(osd: SimulatedOsd): boolean {
    const pages = osd.files.writtenPages('block');
    if (pages.length === 0) return false;
    for (let count = 1 + this.#random.below(20); count > 0; count--) {
      const page = pages[this.#random.below(pages.length)] as number;
      osd.files.flipBit('block', page + this.#random.below(4096), this.#random.below(8));
    }
    return true;
  }

  /**
   * In rows of objects, in answers to requests and in descriptions of blobs: what its group can have repaired
   * from its other members.
   */
  #flipRows(osd: SimulatedOsd, isChosen: (key: Uint8Array) => boolean): boolean {
    const keys = osd.files.rows('meta').filter(([key]) => isChosen(key));
    if (keys.length === 0) return false;
    for (let count = 1 + this.#random.below(10); count > 0; count--) {
      const [key, value] = keys[this.#random.below(keys.length)] as (typeof keys)[number];
      osd.files.flipRowBit('meta', key, this.#random.below(value.length), this.#random.below(8));
    }
    return true;
  }

  /** In logs and records: what stops a group on this disk when it is started, which is at once. */
  async #flipGroups(osd: SimulatedOsd): Promise<boolean> {
    if (!this.#flipRows(osd, isOfGroup)) return false;
    await this.#options.bounce(osd);
    return true;
  }

  /** Whatever was spoilt is found and repaired in time, or it is a problem. */
  async #scrubUntilClean(osd: SimulatedOsd): Promise<void> {
    const cluster = this.#cluster;
    const deadline = cluster.scheduler.now() + repairMs;
    const errorsOf = new Map<string, number>();
    const listen = cluster.onScrub;
    cluster.onScrub = (pg, errors) => errorsOf.set(pg, errors);
    // Layouts come and go meanwhile.
    const left = () => [...cluster.monitor.records.keys()].filter((pg) => errorsOf.get(pg) !== 0);
    while (left().length > 0 && cluster.scheduler.now() < deadline) {
      cluster.monitor.scrub(left(), true);
      await cluster.scheduler.run(500);
    }
    cluster.onScrub = listen;
    if (left().length === 0) return;
    const words = left().map((pg) => `${pg} (${errorsOf.get(pg) ?? 'no scrub ended, no'} errors)`);
    this.#options.problems.push(
      `osd.${osd.id} was spoilt ${repairMs} ms ago, and deep scrubs still find errors: ${words.join(', ')}\n${cluster.describe()}`,
    );
  }
}

/** What a group itself goes by: its record, its log, what it misses. */
function isOfGroup(key: Uint8Array): boolean {
  return parseStoreKey(key)?.collection.startsWith('pg/') === true && !isRepairable(key);
}

/** A blob's description, or a row that every member has. */
function isRepairable(key: Uint8Array): boolean {
  const parsed = parseStoreKey(key);
  if (parsed?.collection.startsWith('pg/') !== true) return false;
  return parsed.kind === 'object' || ((parsed.key[0] as number) >= 0x10 && parsed.key.length > 1);
}
