// Placement groups that left this disk, kept for a while (PROTOCOL rule 16): what a primary said was not
// needed may yet be, when it was wrong, or when the group comes back and finds its shards here.
//
// A mark in the OSD's own rows says that a group is trash; its rows and objects stay as they are. It goes
// when it is old, or when the disk fills up, the oldest first, and it comes back when a record names the
// disk again. A group is never removed and brought back at once.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { type Carried, decode, encode, struct, u64, uint, versioned } from '../base/codec.ts';
import { isPgId, type PgId } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { Transaction } from '../store/transaction.ts';
import { PgDisk } from './pg-disk.ts';
import { usedPermille } from './world.ts';

/** A day: a mistake made today is found tomorrow. */
const trashMsMax = 24 * 3600 * 1000;

/** From this fill on, in thousandths, trash goes before anything has to wait for room. */
const trashPermilleMax = 700;

const prefix = 'trash/';
/** `trash/PG` in the OSD's own collection: since when, and under which version of the record it left. */
const markCodec = versioned('mark of trash', 1, struct({ sinceWallMs: u64, recordVersion: uint }));
type Mark = Carried<typeof markCodec>;

export class Trash {
  readonly #env: Env;
  readonly #store: ObjectStore;
  readonly #collection: string;
  readonly #marks = new Map<PgId, Mark>();
  /** What is being written or removed, by group. */
  readonly #underWay = new Map<PgId, Promise<void>>();

  constructor(env: Env, store: ObjectStore, collection: string) {
    this.#env = env;
    this.#store = store;
    this.#collection = collection;
  }

  async load(): Promise<void> {
    const begin = encodeUtf8(prefix);
    const end = encodeUtf8('trash0');
    const rows = await this.#store.scan(this.#collection, { begin, end, limit: 100_000 });
    for (const [key, value] of rows) {
      const pg = decodeUtf8(key).slice(prefix.length);
      if (isPgId(pg)) this.#marks.set(pg, decode(markCodec, value));
    }
  }

  has(pg: PgId): boolean {
    return this.#marks.has(pg);
  }

  get pgs(): readonly PgId[] {
    return [...this.#marks.keys()];
  }

  /**
   * From now on it is trash; resolves when that is durable.
   *
   * @param settled when the last change of the group that was under way has ended
   */
  put(pg: PgId, recordVersion: number, settled: Promise<void>): Promise<void> {
    const mark = { sinceWallMs: this.#env.wall.nowMs(), recordVersion };
    this.#marks.set(pg, mark);
    const transaction = new Transaction();
    transaction.put(this.#collection, encodeUtf8(prefix + pg), encode(markCodec, mark));
    return this.#alone(pg, async () => {
      await settled;
      await this.#store.commit(transaction);
    });
  }

  /** Takes it out again; resolves when that is durable, with whether anything is left of it. */
  async take(pg: PgId): Promise<boolean> {
    await this.#underWay.get(pg)?.catch(() => {});
    if (!this.#marks.has(pg)) return false;
    const transaction = new Transaction();
    transaction.delete(this.#collection, encodeUtf8(prefix + pg));
    await this.#alone(pg, () => this.#store.commit(transaction));
    this.#marks.delete(pg);
    return true;
  }

  /** Removes the oldest group if it is due. */
  async tidy(): Promise<void> {
    const [oldest] = [...this.#marks].sort((a, b) => a[1].sinceWallMs - b[1].sinceWallMs);
    if (oldest === undefined || this.#underWay.has(oldest[0])) return;
    const [pg, { sinceWallMs }] = oldest;
    const isOld = this.#env.wall.nowMs() - sinceWallMs > trashMsMax;
    if (isOld || usedPermille(this.#store) > trashPermilleMax) await this.#remove(pg);
  }

  /** Removes all of it. */
  async empty(): Promise<void> {
    for (const pg of this.pgs) {
      await this.#underWay.get(pg)?.catch(() => {});
      if (this.#marks.has(pg)) await this.#remove(pg);
    }
  }

  /** The mark goes last, so that a crash leaves trash and nothing that looks whole. */
  async #remove(pg: PgId): Promise<void> {
    await this.#alone(pg, async () => {
      await PgDisk.discard(this.#store, pg);
      const transaction = new Transaction();
      transaction.delete(this.#collection, encodeUtf8(prefix + pg));
      await this.#store.commit(transaction);
      this.#marks.delete(pg);
    });
    this.#env.log.write('info', 'trash removed', { pg });
  }

  async #alone(pg: PgId, work: () => Promise<void>): Promise<void> {
    const done = work().finally(() => {
      if (this.#underWay.get(pg) === done) this.#underWay.delete(pg);
    });
    this.#underWay.set(pg, done);
    await done;
  }
}
